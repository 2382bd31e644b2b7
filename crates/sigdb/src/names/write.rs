//! Collecting names and writing them.

use super::parts::{Parts, fold, read_number, write_number};
use super::{NO_NUMBER, STRIDE};
use crate::Refusal;
use crate::layout::{Section, Writer, length};
use dachs_base::Reader;
use std::collections::HashMap;

/// The longest name, in bytes: head and tail have 16 bits for their lengths, and one of those is taken.
const LONGEST: usize = u16::MAX as usize - 1;

/// A family, as it is looked for: head, and tail if names of it have numbers.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Key {
    text: String,
    /// Where in `text` the tail begins; absent if there is none.
    tail: Option<usize>,
}

/// Collects names: as they will be written, but that families have the numbers in which they came.
#[derive(Default)]
pub(crate) struct NameWriter {
    names: Vec<u8>,
    count: u32,
    number: u64,
    known: HashMap<Key, u32>,
    families: Vec<Key>,
    /// How many names each family has.
    sizes: Vec<u32>,
    /// The family of the name before, and room to look one up.
    last: u32,
    sought: Key,
}

impl NameWriter {
    /// Whether a name fits.
    pub(crate) fn check(name: &str) -> Result<(), Refusal> {
        if name.len() > LONGEST { Err(Refusal::NameTooLong(name.len())) } else { Ok(()) }
    }

    /// Adds the name of the next signature, which was checked.
    pub(crate) fn push(&mut self, name: &str) {
        if self.count.is_multiple_of(STRIDE) {
            self.number = 0;
        }
        self.count = self.count.saturating_add(1);
        let parts = Parts::of(name);
        let family = self.family(&parts);
        write_number(word(family, parts.tail.is_some()), &mut self.names);
        if parts.tail.is_some() {
            write_number(fold(parts.number.wrapping_sub(self.number)), &mut self.names);
            self.number = parts.number;
        }
    }

    pub(crate) fn write(self, writer: &mut Writer<'_>) {
        let mut order: Vec<u32> = (0..).take(self.families.len()).collect();
        let size = |family: &u32| usize::try_from(*family).ok().and_then(|at| self.sizes.get(at).copied());
        order.sort_by_key(|family| std::cmp::Reverse(size(family)));
        let mut ranks = vec![0_u32; order.len()];
        for (rank, family) in (0..).zip(&order) {
            if let Some(place) = usize::try_from(*family).ok().and_then(|at| ranks.get_mut(at)) {
                *place = rank;
            }
        }
        let (mut index, mut names) = (Vec::new(), Vec::with_capacity(self.names.len()));
        rewrite(&self.names, &ranks, &mut index, &mut names);
        let families = order.iter().filter_map(|family| self.families.get(usize::try_from(*family).ok()?));
        let (family_index, families) = write_families(families);
        writer.section(Section::NameIndex, 0, |out| out.extend(index));
        writer.section(Section::Names, 0, |out| out.extend(names));
        writer.section(Section::FamilyIndex, 0, |out| out.extend(family_index));
        writer.section(Section::Families, 0, |out| out.extend(families));
    }

    /// The number of a name's family, for now.
    fn family(&mut self, parts: &Parts<'_>) -> u32 {
        self.sought.text.clear();
        self.sought.text.push_str(parts.head);
        self.sought.text.push_str(parts.tail.unwrap_or_default());
        self.sought.tail = parts.tail.map(|_| parts.head.len());
        let last = usize::try_from(self.last).ok().and_then(|at| self.families.get(at));
        let number = match last {
            Some(last) if *last == self.sought => self.last,
            _ => self.known.get(&self.sought).copied().unwrap_or_else(|| {
                let number = crate::layout::count(&self.families);
                self.families.push(self.sought.clone());
                self.known.insert(self.sought.clone(), number);
                self.sizes.push(0);
                number
            }),
        };
        if let Some(size) = usize::try_from(number).ok().and_then(|at| self.sizes.get_mut(at)) {
            *size = size.saturating_add(1);
        }
        self.last = number;
        number
    }
}

fn word(family: u32, numbered: bool) -> u64 {
    u64::from(family) << 1 | u64::from(numbered)
}

/// Writes names again, with the final numbers of their families, and their index.
fn rewrite(from: &[u8], ranks: &[u32], index: &mut Vec<u8>, names: &mut Vec<u8>) {
    let mut reader = Reader::new(from, "names");
    let mut count = 0_u32;
    while let Some(old) = read_number(&mut reader) {
        if count.is_multiple_of(STRIDE) {
            index.extend(length(names.len()).to_le_bytes());
        }
        count = count.saturating_add(1);
        let rank = usize::try_from(old >> 1).ok().and_then(|family| ranks.get(family));
        write_number(word(rank.copied().unwrap_or(0), old & 1 == 1), names);
        if old & 1 == 1 {
            write_number(read_number(&mut reader).unwrap_or(0), names);
        }
    }
}

fn write_families<'k>(families: impl Iterator<Item = &'k Key>) -> (Vec<u8>, Vec<u8>) {
    let (mut index, mut out) = (Vec::new(), Vec::new());
    for (number, family) in (0_u32..).zip(families) {
        if number.is_multiple_of(STRIDE) {
            index.extend(length(out.len()).to_le_bytes());
        }
        let head = family.tail.unwrap_or(family.text.len());
        let tail = family.tail.map(|start| family.text.len().saturating_sub(start));
        out.extend(u16::try_from(head).unwrap_or(0).to_le_bytes());
        out.extend(tail.map_or(NO_NUMBER, |tail| u16::try_from(tail).unwrap_or(0)).to_le_bytes());
        out.extend(family.text.as_bytes());
    }
    (index, out)
}
