//! A name as a family and a number, and numbers of 7 bits a byte.

use dachs_base::Reader;

/// No number has more digits, so that each fits into 64 bits.
pub(super) const MOST_DIGITS: usize = 18;

/// A name, taken apart. Put together again, head, number and tail are the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'n> {
    pub(super) head: &'n str,
    /// What stands behind the number; absent if there is none.
    pub(super) tail: Option<&'n str>,
    /// 0 if there is none.
    pub(super) number: u64,
}

impl<'n> Parts<'n> {
    /// The number is the longest run of decimal digits, the first of those that are equally long, without zeros at its
    /// start.
    pub(super) fn of(name: &'n str) -> Parts<'n> {
        let whole = Parts { head: name, tail: None, number: 0 };
        let Some((start, end)) = longest_run(name.as_bytes()) else { return whole };
        let parts = (name.get(..start), name.get(start..end).and_then(|digits| digits.parse().ok()), name.get(end..));
        match parts {
            (Some(head), Some(number), Some(tail)) => Parts { head, tail: Some(tail), number },
            _ => whole,
        }
    }
}

/// Where the longest run of digits starts and ends, zeros at its start left out but for the last.
fn longest_run(name: &[u8]) -> Option<(usize, usize)> {
    let mut best: Option<(usize, usize)> = None;
    let mut at = 0;
    for run in name.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        let end = at + run.len();
        if run.first().is_some_and(u8::is_ascii_digit) {
            let zeros = run.iter().take_while(|digit| **digit == b'0').count();
            let from = (at + zeros).min(end - 1);
            if end - from <= MOST_DIGITS && best.is_none_or(|(start, end_of_best)| end - from > end_of_best - start) {
                best = Some((from, end));
            }
        }
        at = end;
    }
    best
}

/// Writes a number in 7 bits a byte, the lowest first; the topmost bit says that more follow (LEB128).
pub(super) fn write_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Reads such a number; `None` if it is cut off or has more than 64 bits.
pub(super) fn read_number(reader: &mut Reader<'_>) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = u64::from(reader.u8().ok()?);
        let bits = (byte & 0x7F).checked_shl(shift).filter(|bits| bits >> shift == byte & 0x7F)?;
        number |= bits;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A difference as a number that is small if the difference is: 0, -1, 1, -2, ... are 0, 1, 2, 3, ...
pub(super) fn fold(difference: u64) -> u64 {
    if difference >> 63 == 0 { difference << 1 } else { !(difference << 1) }
}

/// The difference again.
pub(super) fn unfold(folded: u64) -> u64 {
    if folded & 1 == 0 { folded >> 1 } else { !(folded >> 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let table = [
            ("Win.Packed.Gandcrab-6914457-1", "Win.Packed.Gandcrab-", Some("-1"), 6_914_457),
            ("Win.Test.EICAR_HDB-1", "Win.Test.EICAR_HDB-", Some(""), 1),
            ("NoNumber", "NoNumber", None, 0),
            ("", "", None, 0),
            ("A-007-123", "A-007-", Some(""), 123),
            ("A-000", "A-00", Some(""), 0),
            ("12-34", "", Some("-34"), 12),
            ("1234567890123456789012", "1234567890123456789012", None, 0),
            ("é0é", "é", Some("é"), 0),
        ];
        for (name, head, tail, number) in table {
            assert_eq!(Parts::of(name), Parts { head, tail, number }, "{name}");
            if let Some(tail) = tail {
                assert_eq!(format!("{head}{number}{tail}"), name);
            }
        }
    }

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 300, 1 << 35, u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            write_number(number, &mut bytes);
            assert_eq!(read_number(&mut Reader::new(&bytes, "test")), Some(number));
            assert_eq!(read_number(&mut Reader::new(&bytes[..bytes.len() - 1], "test")), None);
            assert_eq!(unfold(fold(number)), number);
        }
        assert_eq!(read_number(&mut Reader::new(&[0xFF; 11], "test")), None);
        assert_eq!([0, u64::MAX, 1, u64::MAX - 1].map(fold), [0, 1, 2, 3]);
    }
}
