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
        sort(&mut self.sized);
        sort(&mut self.any);
    }

    /// Writes both tables, and forgets each when it is written.
    fn write(self, kind: DigestKind, list: List, writer: &mut Writer<'_>) {
        let Pile { sized, any } = self;
        write_table(&sized, table_number(kind, true, list), true, list, writer);
        drop(sized);
        write_table(&any, table_number(kind, false, list), false, list, writer);
    }
}

/// Sorts by size, digest and signature: as the bytes stand, but compared as numbers, which is faster.
fn sort<const N: usize>(pile: &mut [Pending<N>]) {
    pile.sort_unstable_by(|a, b| {
        // One number, so that no branch depends on whether sizes are equal.
        let key = |pending: &Pending<N>| {
            u128::from(u64::from_be_bytes(pending.key)) << 64 | u128::from(lead(&pending.digest))
        };
        key(a).cmp(&key(b)).then_with(|| a.cmp(b))
    });
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
}

/// Writes one table: with sizes, or one for objects of any size.
fn write_table<const N: usize>(table: &[Pending<N>], item: u16, sized: bool, list: List, writer: &mut Writer<'_>) {
    let sizes = if sized { sizes(table) } else { Vec::new() };
    let mut directory = Vec::new();
    match sized {
        true => write_directory(&mut sizes.iter().map(|(key, _)| *key), &mut directory),
        false => write_directory(&mut table.iter().map(|pending| lead(&pending.digest)), &mut directory),
    }
    writer.section(Section::HashDirectory, item, |out| out.extend(directory));
    writer.section(Section::HashSizes, item, |out| {
        for (key, first) in &sizes {
            out.extend(unmix(*key).to_le_bytes());
            out.extend(first.to_le_bytes());
        }
    });
    if sized {
        let lead = |pending: &Pending<N>| pending.digest.first_chunk::<2>().copied().unwrap_or_default();
        writer.section(Section::HashLeads, item, |out| table.iter().for_each(|pending| out.extend(lead(pending))));
    }
    writer.section(Section::HashDigests, item, |out| table.iter().for_each(|pending| out.extend(pending.digest)));
    if list != List::Allowed {
        let number = |pending: &Pending<N>| u32::from_be_bytes(pending.signature).to_le_bytes();
        writer
            .section(Section::HashSignatures, item, |out| table.iter().for_each(|pending| out.extend(number(pending))));
    }
}

/// The sizes that occur, each with the index of its first digest, in the order of their mixed values.
fn sizes<const N: usize>(table: &[Pending<N>]) -> Vec<(u64, u32)> {
    let mut sizes = Vec::new();
    let mut last = None;
    for (index, pending) in (0..=u32::MAX).zip(table) {
        if last != Some(pending.key) {
            last = Some(pending.key);
            sizes.push((u64::from_be_bytes(pending.key), index));
        }
    }
    sizes
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

    /// Brings the tables into their order.
    pub(crate) fn sort(&mut self) {
        for list in List::ALL {
            self.pile(list).sort();
        }
    }

    /// Writes the tables, which were sorted, and forgets each when it is written.
    pub(crate) fn write(mut self, writer: &mut Writer<'_>) {
        for list in List::ALL {
            let Piles { md5, sha1, sha256 } = std::mem::take(self.pile(list));
            md5.write(DigestKind::Md5, list, writer);
            sha1.write(DigestKind::Sha1, list, writer);
            sha256.write(DigestKind::Sha256, list, writer);
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
}

fn kind_of(digest: &Digest) -> DigestKind {
    match digest {
        Digest::Md5(_) => DigestKind::Md5,
        Digest::Sha1(_) => DigestKind::Sha1,
        Digest::Sha256(_) => DigestKind::Sha256,
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
