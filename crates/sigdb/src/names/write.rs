//! Collecting names and writing them.

use super::parts::{MOST_DIGITS, Parts, fold, read_number, write_number};
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
    /// The family of the name before, how many digits its number had (0 if it had none), and room to look one up.
    last: u32,
    digits: usize,
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
        let (family, number) = match self.number_again(name) {
            Some((number, digits)) => {
                self.digits = digits;
                (self.last, Some(number))
            }
            None => {
                let parts = Parts::of(name);
                let (rest, number) = (parts.head.len(), parts.tail.map(|_| parts.number));
                self.digits = parts.tail.map_or(0, |tail| name.len().saturating_sub(rest).saturating_sub(tail.len()));
                (self.family(&parts), number)
            }
        };
        if let Some(size) = usize::try_from(family).ok().and_then(|at| self.sizes.get_mut(at)) {
            *size = size.saturating_add(1);
        }
        self.last = family;
        write_number(word(family, number.is_some()), &mut self.names);
        if let Some(number) = number {
            write_number(fold(number.wrapping_sub(self.number)), &mut self.names);
            self.number = number;
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

    /// The number in a name, and its digits, if the name is of the family of the one before and that is plain to see. What stands between head
    /// and tail is the longest run of digits again if it has no fewer than it had there: then neither of the two holds a longer one.
    fn number_again(&self, name: &str) -> Option<(u64, usize)> {
        let family = usize::try_from(self.last).ok().and_then(|at| self.families.get(at))?;
        let (head, tail) = family.text.split_at_checked(family.tail?)?;
        let digits = name.strip_prefix(head)?.strip_suffix(tail)?;
        let as_many = digits.len() >= self.digits.max(1) && digits.len() <= MOST_DIGITS;
        let bare = !digits.starts_with('0') && !head.ends_with(|letter: char| letter.is_ascii_digit());
        if !as_many || !bare || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        Some((digits.parse().ok()?, digits.len()))
    }

    /// The number of a name's family, for now.
    fn family(&mut self, parts: &Parts<'_>) -> u32 {
        self.sought.text.clear();
        self.sought.text.push_str(parts.head);
        self.sought.text.push_str(parts.tail.unwrap_or_default());
        self.sought.tail = parts.tail.map(|_| parts.head.len());
        let last = usize::try_from(self.last).ok().and_then(|at| self.families.get(at));
        match last {
            Some(last) if *last == self.sought => self.last,
            _ => self.known.get(&self.sought).copied().unwrap_or_else(|| {
                let number = crate::layout::count(&self.families);
                self.families.push(self.sought.clone());
                self.known.insert(self.sought.clone(), number);
                self.sizes.push(0);
                number
            }),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_seen_at_once_is_the_one_that_is_found() {
        // The name before, the name, and whether its number is seen at once.
        let table = [
            ("Win.Agent-12-0", "Win.Agent-13-0", true),
            ("Win.Agent-12-0", "Win.Agent-1300-0", true),
            ("Win.Agent-12-0", "Win.Agent-3-0", false),
            ("Win.Agent-12-0", "Win.Agent-03-0", false),
            ("Win.Agent-12-0", "Win.Agent-12-1", false),
            ("Win.Agent-12-0", "Win.Agents-12-0", false),
            ("A1-22", "A1-3", false),
            ("A-00", "A-01", false),
            ("A-7", "A-", false),
            ("A-7", "A-123456789012345678", true),
            ("A-7", "A-1234567890123456789", false),
            ("A-7x", "A-8y7x", false),
            ("aba", "aba", false),
            ("7", "8", true),
        ];
        for (before, name, at_once) in table {
            let mut writer = NameWriter::default();
            writer.push(before);
            let seen = writer.number_again(name).map(|(number, _)| number);
            let (one, other) = (Parts::of(before), Parts::of(name));
            let same = (one.head, one.tail) == (other.head, other.tail);
            assert_eq!(seen.is_some(), at_once, "{before} {name}");
            assert!(seen.is_none_or(|number| same && number == other.number), "{before} {name}");
        }
    }
}
