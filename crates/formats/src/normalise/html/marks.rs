//! Where in a block the bytes stand that mean something.
//!
//! Words, names and values are a few bytes long, so that whoever looks for their ends byte by byte finds them where no processor
//! foretells it. Here the ends of all of them are marked first, 64 bytes in a word (`dachs_matcher::table`); then one is found by
//! counting zeros.

use std::ops::Range;

use dachs_matcher::table::Sets;

use super::blocks::is_space;
use super::machine::Word;

/// Bytes that go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Means nothing but itself in texts and scripts; white space means that where it is written.
    Plain,
    /// May stand in the name of a tag.
    Name,
    /// May stand in the name of an attribute.
    Attribute,
    /// Means nothing but itself in a value.
    Value,
    /// White space.
    Blank,
}

impl Class {
    #[cfg(test)]
    const ALL: [Class; 5] = [Class::Plain, Class::Name, Class::Attribute, Class::Value, Class::Blank];

    const fn has(self, byte: u8) -> bool {
        let space = is_space(byte);
        match self {
            Class::Plain => (space && byte != b'\r') || (matches!(byte, b' '..=127) && !matches!(byte, b'<' | b'&')),
            Class::Name => !space && !matches!(byte, 0 | b'>'),
            Class::Attribute => !space && !matches!(byte, 0 | b'>' | b'='),
            Class::Value => matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'&' | b'\'' | b':' | b'>'),
            Class::Blank => space,
        }
    }

    /// Which bytes are not of the class.
    const fn others(self) -> [bool; 256] {
        let mut table = [false; 256];
        let mut byte = 0_u8;
        loop {
            #[expect(clippy::indexing_slicing, reason = "the table has an entry for each byte")]
            {
                table[byte as usize] = !self.has(byte);
            }
            if byte == u8::MAX {
                return table;
            }
            byte += 1;
        }
    }
}

/// For each class, the bytes that are not of it.
static OTHERS: Sets<5> = Sets::new(&[
    Class::Plain.others(),
    Class::Name.others(),
    Class::Attribute.others(),
    Class::Value.others(),
    Class::Blank.others(),
]);

/// Bytes that are copied without a call, as many as most words and tags have.
pub(super) const SHORT: usize = 32;

/// Adds the bytes of a range. A few, as most are, are copied with what stands behind them, of which nothing is kept: so nobody has to be called
/// who first looks how many they are.
#[inline]
pub(super) fn append(bytes: &[u8], range: Range<usize>, to: &mut Vec<u8>) {
    let more = bytes.get(range.start..).and_then(<[u8]>::first_chunk::<SHORT>);
    match more.filter(|_| range.len() <= SHORT) {
        Some(more) => {
            let end = to.len() + range.len();
            to.extend_from_slice(more);
            to.truncate(end);
        }
        None => to.extend_from_slice(bytes.get(range).unwrap_or_default()),
    }
}

/// The marks of a block.
#[derive(Default)]
pub(super) struct Marks {
    /// Of 64 bytes a word for each class.
    others: Vec<[u64; 5]>,
    /// White space behind white space.
    doubled: Vec<u64>,
    /// The block in lower case, with a blank for each byte of white space.
    plain: Vec<u8>,
}

impl Marks {
    /// Those of this block.
    pub(super) fn set(&mut self, block: &[u8]) {
        self.others.clear();
        OTHERS.mark(block, &mut self.others);
        self.doubled.clear();
        let mut before = 0;
        self.doubled.extend(self.others.iter().map(|[.., solid]| {
            let blank = !solid;
            let pairs = blank & (blank << 1 | before);
            before = blank >> 63;
            pairs
        }));
        self.plain.clear();
        self.plain.extend(block.iter().map(|byte| if is_space(*byte) { b' ' } else { byte.to_ascii_lowercase() }));
    }

    /// How many bytes of a class stand from `at` on.
    #[inline]
    pub(super) fn run(&self, class: Class, at: usize) -> usize {
        let of = |[plain, name, attribute, value, blank]: &[u64; 5]| match class {
            Class::Plain => *plain,
            Class::Name => *name,
            Class::Attribute => *attribute,
            Class::Value => *value,
            Class::Blank => *blank,
        };
        let (first, bit) = (at / 64, at % 64);
        let here = self.others.get(first).map_or(0, |words| of(words) >> bit);
        let left = self.plain.len().saturating_sub(at);
        if here != 0 {
            return index(here).min(left);
        }
        let rest = self.others.get(first + 1..).unwrap_or_default();
        let end = (first + 1..).zip(rest).find(|(_, words)| of(words) != 0);
        end.map_or(left, |(word, words)| (word * 64 + index(of(words))).saturating_sub(at).min(left))
    }

    /// Does white space stand behind white space in this range?
    pub(super) fn is_doubled(&self, range: Range<usize>) -> bool {
        let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) else { return false };
        let first = range.start / 64;
        let words = self.doubled.get(first..=last / 64).unwrap_or_default();
        let (from, to) = (u64::MAX << (range.start % 64), u64::MAX >> (63 - last % 64));
        match words {
            [] => false,
            [only] => only & from & to != 0,
            [start, between @ .., end] => start & from != 0 || end & to != 0 || between.iter().any(|word| *word != 0),
        }
    }

    /// The name that stands in this range.
    pub(super) fn word(&self, range: Range<usize>) -> Word {
        match self.plain.get(range.start..).and_then(<[u8]>::first_chunk) {
            Some(eight) => Word::new(*eight, range.len()),
            None => Word::of(self.plain(range)),
        }
    }

    /// Adds these bytes of the block in lower case, with a blank for each of white space.
    #[inline]
    pub(super) fn write_plain(&self, range: Range<usize>, to: &mut Vec<u8>) {
        append(&self.plain, range, to);
    }

    /// These bytes of the block in lower case, with a blank for each of white space.
    pub(super) fn plain(&self, range: Range<usize>) -> &[u8] {
        self.plain.get(range).unwrap_or_default()
    }
}

/// Which bit is the lowest that is set.
fn index(word: u64) -> usize {
    usize::try_from(word.trailing_zeros()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_a_byte_is_of_no_class() {
        let page: Vec<u8> =
            (0..3_000_u32).map(|at| at.wrapping_mul(at).wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
        let page = [vec![b'a'; 200], page, vec![b'b'; 130]].concat();
        let blanks = b" a b  c\td \n e".repeat(20);
        for block in [&page[..], &page[..64], &page[..1], &page[3_000..], &blanks, &[]] {
            let mut marks = Marks::default();
            marks.set(b"<other block>");
            marks.set(block);
            for class in Class::ALL {
                for at in 0..=block.len() {
                    let expected = block[at..].iter().take_while(|byte| class.has(**byte)).count();
                    assert_eq!(marks.run(class, at), expected, "{class:?} at {at} of {}", block.len());
                }
            }
            let is_blank = |at: usize| block.get(at).is_some_and(|byte| is_space(*byte));
            for start in 0..=block.len().min(200) {
                for end in (start..block.len().min(start + 150)).chain([block.len()]) {
                    let expected = (start..end).any(|at| at > 0 && is_blank(at) && is_blank(at - 1));
                    assert_eq!(marks.is_doubled(start..end), expected, "{start} to {end} of {}", block.len());
                }
            }
        }
    }
}
