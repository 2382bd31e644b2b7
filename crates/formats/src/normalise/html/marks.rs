//! Where in a block the bytes stand that mean something.
//!
//! Words, names and values are a few bytes long, so that whoever looks for their ends byte by byte finds them where no processor
//! foretells it. Here the ends of all of them are marked first, 64 bytes in a word (`dachs_matcher::table`); then one is found by
//! counting zeros.

use dachs_matcher::table::Set;

use super::blocks::is_space;

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
}

impl Class {
    const ALL: [Class; 4] = [Class::Plain, Class::Name, Class::Attribute, Class::Value];

    const fn has(self, byte: u8) -> bool {
        let space = is_space(byte);
        match self {
            Class::Plain => (space && byte != b'\r') || (matches!(byte, b' '..=127) && !matches!(byte, b'<' | b'&')),
            Class::Name => !space && !matches!(byte, 0 | b'>'),
            Class::Attribute => !space && !matches!(byte, 0 | b'>' | b'='),
            Class::Value => matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'&' | b'\'' | b':' | b'>'),
        }
    }

    /// The bytes that are not of the class.
    const fn others(self) -> Set {
        let mut table = [false; 256];
        let mut byte = 0_u8;
        loop {
            #[expect(clippy::indexing_slicing, reason = "the table has an entry for each byte")]
            {
                table[byte as usize] = !self.has(byte);
            }
            if byte == u8::MAX {
                return Set::new(&table);
            }
            byte += 1;
        }
    }
}

/// For each class, the bytes that are not of it.
static OTHERS: [Set; 4] =
    [Class::Plain.others(), Class::Name.others(), Class::Attribute.others(), Class::Value.others()];

/// The marks of a block.
#[derive(Default)]
pub(super) struct Marks {
    others: [Vec<u64>; 4],
    length: usize,
}

impl Marks {
    /// Those of this block.
    pub(super) fn set(&mut self, block: &[u8]) {
        self.length = block.len();
        for (set, marks) in OTHERS.iter().zip(&mut self.others) {
            marks.clear();
            set.mark(block, marks);
        }
    }

    /// How many bytes of a class stand from `at` on.
    pub(super) fn run(&self, class: Class, at: usize) -> usize {
        let end = Class::ALL.iter().zip(&self.others).find(|(of, _)| **of == class).and_then(|(_, others)| {
            let (first, bit) = (at / 64, at % 64);
            let here = others.get(first)? >> bit;
            if here != 0 {
                return Some(at + index(here));
            }
            let rest = others.get(first + 1..)?;
            let word = rest.iter().position(|word| *word != 0)?;
            Some((first + 1 + word) * 64 + index(*rest.get(word)?))
        });
        end.unwrap_or(self.length).saturating_sub(at)
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
        for block in [&page[..], &page[..64], &page[..1], &page[3_000..], &[]] {
            let mut marks = Marks::default();
            marks.set(b"<other block>");
            marks.set(block);
            for class in Class::ALL {
                for at in 0..=block.len() {
                    let expected = block[at..].iter().take_while(|byte| class.has(**byte)).count();
                    assert_eq!(marks.run(class, at), expected, "{class:?} at {at} of {}", block.len());
                }
            }
        }
    }
}
