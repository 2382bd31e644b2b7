//! Collecting digests and writing their tables.

use super::{DigestKind, KEYS_PER_SLOT, List, MOST_BITS, lead, mix, slot, table_number, unmix};
use crate::layout::{Section, Writer};
use crate::model::{Digest, HashRule, Scope};

/// One digest waiting to be written. Packed so that it has no padding: there are millions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pending<const N: usize> {
    /// The mixed size, big-endian; zero in tables without sizes.
    key: [u8; 8],
    digest: [u8; N],
    signature: [u8; 4],
}

/// The tables of one digest kind and list, being filled.
#[derive(Default)]
struct Pile<const N: usize> {
    sized: Vec<Pending<N>>,
    any: Vec<Pending<N>>,
}

impl<const N: usize> Pile<N> {
    fn push(&mut self, digest: [u8; N], size: Option<u64>, signature: u32) {
        let pile = if size.is_some() { &mut self.sized } else { &mut self.any };
        let key = size.map_or(0, mix).to_be_bytes();
        pile.push(Pending { key, digest, signature: signature.to_be_bytes() });
    }

    fn sort(&mut self) {
        self.sized.sort_unstable();
        self.any.sort_unstable();
    }

    fn len(&self) -> usize {
        self.sized.len().saturating_add(self.any.len()).saturating_mul(size_of::<Pending<N>>())
    }
}

/// All tables, being filled.
#[derive(Default)]
struct Piles {
    md5: Pile<16>,
    sha1: Pile<20>,
    sha256: Pile<32>,
}

impl Piles {
    fn push(&mut self, rule: &HashRule, signature: u32) {
        match rule.digest {
            Digest::Md5(digest) => self.md5.push(digest, rule.size, signature),
            Digest::Sha1(digest) => self.sha1.push(digest, rule.size, signature),
            Digest::Sha256(digest) => self.sha256.push(digest, rule.size, signature),
        }
    }

    fn sort(&mut self) {
        self.md5.sort();
        self.sha1.sort();
        self.sha256.sort();
    }

    fn len(&self) -> usize {
        self.md5.len().saturating_add(self.sha1.len()).saturating_add(self.sha256.len())
    }

    /// Calls `each` with every table: its number, and its digests.
    fn each(&self, list: List, each: &mut dyn FnMut(u16, &dyn Sorted)) {
        let number = |kind, sized| table_number(kind, sized, list);
        each(number(DigestKind::Md5, true), &self.md5.sized);
        each(number(DigestKind::Sha1, true), &self.sha1.sized);
        each(number(DigestKind::Sha256, true), &self.sha256.sized);
        each(number(DigestKind::Md5, false), &self.md5.any);
        each(number(DigestKind::Sha1, false), &self.sha1.any);
        each(number(DigestKind::Sha256, false), &self.sha256.any);
    }
}

/// A table ready to be written, whatever the width of its digests.
trait Sorted {
    fn digests(&self, out: &mut Vec<u8>);
    fn signatures(&self) -> Box<dyn Iterator<Item = u32> + '_>;
    /// The sizes that occur, each with the index of its first digest, in the order of their mixed values.
    fn sizes(&self) -> Vec<(u64, u32)>;
    fn leads(&self) -> Box<dyn ExactSizeIterator<Item = u64> + '_>;
}

impl<const N: usize> Sorted for Vec<Pending<N>> {
    fn digests(&self, out: &mut Vec<u8>) {
        for pending in self {
            out.extend(pending.digest);
        }
    }

    fn signatures(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        Box::new(self.iter().map(|pending| u32::from_be_bytes(pending.signature)))
    }

    fn sizes(&self) -> Vec<(u64, u32)> {
        let mut sizes = Vec::new();
        let mut last = None;
        for (index, pending) in (0..=u32::MAX).zip(self) {
            if last != Some(pending.key) {
                last = Some(pending.key);
                sizes.push((u64::from_be_bytes(pending.key), index));
            }
        }
        sizes
    }

    fn leads(&self) -> Box<dyn ExactSizeIterator<Item = u64> + '_> {
        Box::new(self.iter().map(|pending| lead(&pending.digest)))
    }
}

/// Collects digests and writes their tables.
#[derive(Default)]
pub(crate) struct HashWriter {
    signatures: Piles,
    allowed: Piles,
    sections: Piles,
    imports: Piles,
}

impl HashWriter {
    /// Adds a signature; gives the number of its table.
    pub(crate) fn push(&mut self, scope: Scope, rule: &HashRule, signature: u32) -> u16 {
        let list = List::of(scope);
        self.pile(list).push(rule, signature);
        table_number(kind_of(&rule.digest), rule.size.is_some(), list)
    }

    /// Adds an entry of the allow list.
    pub(crate) fn allow(&mut self, rule: &HashRule) {
        self.allowed.push(rule, 0);
    }

    /// Bytes it will write, or a little more.
    pub(crate) fn len(&self) -> usize {
        List::ALL.iter().fold(0, |sum, list| sum.saturating_add(self.piles(*list).len()))
    }

    /// Brings the tables into their order and calls `place` with each signature and its index in its table.
    pub(crate) fn sort(&mut self, mut place: impl FnMut(u32, u32)) {
        for list in List::ALL {
            self.pile(list).sort();
            if list == List::Allowed {
                continue;
            }
            self.piles(list).each(list, &mut |_, table| {
                for (index, signature) in (0..=u32::MAX).zip(table.signatures()) {
                    place(signature, index);
                }
            });
        }
    }

    /// Writes the tables, which were sorted.
    pub(crate) fn write(&self, writer: &mut Writer) {
        for section in [Section::HashDirectory, Section::HashSizes, Section::HashDigests, Section::HashSignatures] {
            for list in List::ALL {
                self.piles(list).each(list, &mut |item, table| {
                    writer.section(section, item, |out| write_part(section, item, list, table, out));
                });
            }
        }
    }

    fn pile(&mut self, list: List) -> &mut Piles {
        match list {
            List::Allowed => &mut self.allowed,
            List::Imports => &mut self.imports,
            List::Sections => &mut self.sections,
            List::Signatures => &mut self.signatures,
        }
    }

    fn piles(&self, list: List) -> &Piles {
        match list {
            List::Allowed => &self.allowed,
            List::Imports => &self.imports,
            List::Sections => &self.sections,
            List::Signatures => &self.signatures,
        }
    }
}

fn kind_of(digest: &Digest) -> DigestKind {
    match digest {
        Digest::Md5(_) => DigestKind::Md5,
        Digest::Sha1(_) => DigestKind::Sha1,
        Digest::Sha256(_) => DigestKind::Sha256,
    }
}

fn write_part(section: Section, item: u16, list: List, table: &dyn Sorted, out: &mut Vec<u8>) {
    let (sized, allowed) = (item % List::TABLES < 3, list == List::Allowed);
    match section {
        Section::HashDirectory if sized => {
            let sizes = table.sizes();
            write_directory(&mut sizes.iter().map(|(key, _)| *key), out);
        }
        Section::HashDirectory => write_directory(&mut *table.leads(), out),
        Section::HashSizes if sized => {
            for (key, first) in table.sizes() {
                out.extend(unmix(key).to_le_bytes());
                out.extend(first.to_le_bytes());
            }
        }
        Section::HashDigests => table.digests(out),
        Section::HashSignatures if !allowed => {
            for signature in table.signatures() {
                out.extend(signature.to_le_bytes());
            }
        }
        _ => {}
    }
}

/// Writes the directory of sorted keys: for each slot the index of its first key, and behind the last how many there are.
pub(super) fn write_directory(keys: &mut dyn ExactSizeIterator<Item = u64>, out: &mut Vec<u8>) {
    let total = keys.len();
    if total == 0 {
        return;
    }
    let bits = total.div_ceil(KEYS_PER_SLOT).next_power_of_two().trailing_zeros().min(MOST_BITS);
    let mut filled = 0_u64;
    let mut index = 0_u32;
    for key in keys {
        while filled <= u64::from(slot(key, bits)) {
            out.extend(index.to_le_bytes());
            filled += 1;
        }
        index = index.saturating_add(1);
    }
    while filled <= 1 << bits {
        out.extend(index.to_le_bytes());
        filled += 1;
    }
}
