//! Numbers that stand in objects, compared (`byte_compare`): how they are stored, and how they are read.
//!
//! ```text
//! id u8 | form u8 | length u32 | distance i64 | comparisons: sign u8, value i64, each
//! form   0 none | 1 raw | 2 text in either digits | 3 decimal | 4 hexadecimal;  + 16 little, + 32 exact
//! ```
//!
//! A text is read as C's `strtol` reads it: blanks before it, a sign, `0x` if the digits are hexadecimal and there is no
//! sign, and as many digits as there are; none are 0, and what does not fit 64 bits is no number. Of the little-endian
//! kind the pairs of digits are turned around first, with a zero before an odd number of them, up to the first pair that
//! is none; `x` counts as a digit there. All of this was observed on ClamAV 1.4.6, which also has these habits: digits
//! of either kind need three bytes behind the blanks, little-endian ones only `0x`; and the first byte of an object is
//! never read.

use crate::Refusal;
use crate::logic;
use crate::model::{Compare, Digits, NumberForm};
use dachs_base::{Reader, Source, read_vec_at};

/// Longer texts are not read.
const LONGEST: u32 = 1 << 16;
const LITTLE: u8 = 16;
const EXACT: u8 = 32;

/// The bytes of a comparison.
pub(crate) fn encode(compare: &Compare) -> Result<Vec<u8>, Refusal> {
    let mut out = vec![compare.id, form_number(compare.form)];
    out.extend(compare.length.to_le_bytes());
    out.extend(compare.distance.to_le_bytes());
    for (comparison, value) in &compare.comparisons {
        out.push(logic::comparison_number(*comparison));
        out.extend(value.to_le_bytes());
    }
    if compare.comparisons.len() > 2 { Err(Refusal::TooMany("comparisons")) } else { Ok(out) }
}

/// Reads a comparison.
pub(crate) fn decode(bytes: &[u8]) -> Option<Compare> {
    let mut reader = Reader::new(bytes, "comparison");
    let (id, form) = (reader.u8().ok()?, form_of(reader.u8().ok()?)?);
    let (length, distance) = (reader.u32_le().ok()?, reader.u64_le().ok()?.cast_signed());
    let mut comparisons = Vec::with_capacity(2);
    while !reader.is_empty() && comparisons.len() < 2 {
        let comparison = logic::comparison(reader.u8().ok()?);
        comparisons.push((comparison, reader.u64_le().ok()?.cast_signed()));
    }
    Some(Compare { id, distance, form, length, comparisons })
}

fn form_number(form: NumberForm) -> u8 {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    match form {
        NumberForm::None => 0,
        NumberForm::Raw { little } => 1 | flag(little, LITTLE),
        NumberForm::Text { digits, little, exact } => {
            let digits = match digits {
                Digits::Auto => 2,
                Digits::Decimal => 3,
                Digits::Hexadecimal => 4,
            };
            digits | flag(little, LITTLE) | flag(exact, EXACT)
        }
    }
}

fn form_of(number: u8) -> Option<NumberForm> {
    let (little, exact) = (number & LITTLE != 0, number & EXACT != 0);
    let text = |digits| NumberForm::Text { digits, little, exact };
    Some(match number & 15 {
        0 => NumberForm::None,
        1 => NumberForm::Raw { little },
        2 => text(Digits::Auto),
        3 => text(Digits::Decimal),
        4 => text(Digits::Hexadecimal),
        _ => return None,
    })
}

/// Does the comparison hold beside a match that starts at `start`?
pub(crate) fn holds(compare: &Compare, source: &dyn Source, start: u64) -> bool {
    let place = start.checked_add_signed(compare.distance).filter(|place| *place > 0);
    let Some(place) = place.filter(|_| compare.length <= LONGEST) else { return false };
    let wanted = usize::try_from(compare.length).unwrap_or(0);
    let bytes = read_vec_at(source, place, wanted);
    let number = if bytes.len() == wanted { number(compare.form, &bytes) } else { None };
    number.is_some_and(|number| {
        compare.comparisons.iter().all(|(comparison, value)| logic::compared(*comparison, number.cmp(value)))
    })
}

/// The number that these bytes are.
fn number(form: NumberForm, bytes: &[u8]) -> Option<i64> {
    match form {
        NumberForm::None => None,
        NumberForm::Raw { little } => raw(bytes, little),
        NumberForm::Text { digits, little, exact } => text(bytes, digits, little, exact),
    }
}

fn raw(bytes: &[u8], little: bool) -> Option<i64> {
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    let value = if little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) };
    matches!(bytes.len(), 1 | 2 | 4 | 8).then_some(value.cast_signed())
}

fn text(bytes: &[u8], digits: Digits, little: bool, exact: bool) -> Option<i64> {
    let blanks = bytes.iter().take_while(|byte| is_blank(**byte)).count();
    let rest = bytes.get(blanks..)?;
    if (exact && blanks > 0) || (digits == Digits::Auto && rest.len() < 3) {
        return None;
    }
    let hexadecimal = match digits {
        Digits::Auto if prefixed(rest) => true,
        Digits::Auto if little => return None,
        Digits::Auto | Digits::Decimal => false,
        Digits::Hexadecimal => true,
    };
    let radix = if hexadecimal { 16 } else { 10 };
    let (value, count) = if little && hexadecimal { read(&turned(rest), radix)? } else { read(rest, radix)? };
    // A single digit is one, though a zero stands before it.
    let whole = match bytes {
        [digit] if little => digit.is_ascii_hexdigit(),
        _ => count == bytes.len(),
    };
    (!exact || whole).then_some(value)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

fn prefixed(text: &[u8]) -> bool {
    matches!(text, [b'0', b'x' | b'X', ..])
}

/// The pairs of digits in the opposite order, behind zeros for those that are none.
fn turned(text: &[u8]) -> Vec<u8> {
    let text = if prefixed(text) { text.get(2..).unwrap_or(&[]) } else { text };
    let zero = if text.len() % 2 == 1 { &b"0"[..] } else { &[] };
    let padded = [zero, text].concat();
    let (pairs, _) = padded.as_chunks::<2>();
    let digit = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'x' | b'X');
    let good: Vec<&[u8; 2]> = pairs.iter().take_while(|pair| pair.iter().all(digit)).collect();
    let mut out = vec![b'0'; padded.len().saturating_sub(good.len().saturating_mul(2))];
    good.iter().rev().for_each(|pair| out.extend(*pair));
    out
}

/// The number at the start of a text, and how many bytes of it belong to it.
fn read(text: &[u8], radix: u32) -> Option<(i64, usize)> {
    let (negative, before) = match text.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        _ if radix == 16 && prefixed(text) => (false, 2),
        _ => (false, 0),
    };
    let mut value = 0_i64;
    let mut count = 0_usize;
    for byte in text.get(before..)? {
        let Some(digit) = char::from(*byte).to_digit(radix) else { break };
        let (scaled, digit) = (value.checked_mul(i64::from(radix))?, i64::from(digit));
        value = if negative { scaled.checked_sub(digit)? } else { scaled.checked_add(digit)? };
        count += 1;
    }
    // Of `0x` without digits the zero is a number.
    let consumed = match (count, before) {
        (0, 2) => 1,
        (0, _) => 0,
        _ => before.saturating_add(count),
    };
    Some((value, consumed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Comparison;
    use dachs_base::Memory;

    const HEX: NumberForm = NumberForm::Text { digits: Digits::Hexadecimal, little: false, exact: false };
    const HEX_EXACT: NumberForm = NumberForm::Text { digits: Digits::Hexadecimal, little: false, exact: true };
    const TURNED: NumberForm = NumberForm::Text { digits: Digits::Hexadecimal, little: true, exact: false };
    const TURNED_EXACT: NumberForm = NumberForm::Text { digits: Digits::Hexadecimal, little: true, exact: true };
    const DECIMAL: NumberForm = NumberForm::Text { digits: Digits::Decimal, little: false, exact: false };
    const DECIMAL_EXACT: NumberForm = NumberForm::Text { digits: Digits::Decimal, little: false, exact: true };
    const AUTO: NumberForm = NumberForm::Text { digits: Digits::Auto, little: false, exact: false };
    const AUTO_TURNED: NumberForm = NumberForm::Text { digits: Digits::Auto, little: true, exact: false };

    /// The answers of ClamAV 1.4.6.
    #[test]
    fn numbers_are_read_as_clamav_reads_them() {
        let table: &[(NumberForm, &[u8], Option<i64>)] = &[
            (HEX, b"1234", Some(0x1234)),
            (HEX, b"\t\n12", Some(0x12)),
            (HEX, b"0x12", Some(0x12)),
            (HEX, b"12g4", Some(0x12)),
            (HEX, b"g123", Some(0)),
            (HEX, b"-123", Some(-0x123)),
            (HEX, b"+123", Some(0x123)),
            (HEX, b"-0x12", Some(0)),
            (HEX, b"0x0x12", Some(0)),
            (HEX, b"    ", Some(0)),
            (HEX, b"0x7fffffffffffffff", Some(i64::MAX)),
            (HEX, b"0xffffffffffffffff", None),
            (HEX_EXACT, b"0x12", Some(0x12)),
            (HEX_EXACT, b"-123", Some(-0x123)),
            (HEX_EXACT, b"12  ", None),
            (HEX_EXACT, b" 123", None),
            (HEX_EXACT, b"0x", None),
            (TURNED, b"1234", Some(0x3412)),
            (TURNED, b"123", Some(0x2301)),
            (TURNED, b"12 ", Some(1)),
            (TURNED, b"0x12", Some(0x12)),
            (TURNED, b"12g4", Some(0x12)),
            (TURNED, b"-123", Some(0)),
            (TURNED, b"x12", Some(0x120)),
            (TURNED, b"x123", Some(0x23)),
            (TURNED, b"xx12", Some(0x12)),
            (TURNED, b"00x12345", Some(0x4523)),
            (TURNED, b"0x1122334455667788", None),
            (TURNED_EXACT, b"1234", Some(0x3412)),
            (TURNED_EXACT, b"a", Some(10)),
            (TURNED_EXACT, b"g", None),
            (TURNED_EXACT, b"12g4", Some(0x12)),
            (TURNED_EXACT, b"g123", Some(0)),
            (TURNED_EXACT, b"123", None),
            (TURNED_EXACT, b"x1234", Some(0x34120)),
            (TURNED_EXACT, b"0x12", None),
            (TURNED_EXACT, b" 123", None),
            (DECIMAL, b" 123", Some(123)),
            (DECIMAL, b"0x12", Some(0)),
            (DECIMAL, b"012z", Some(12)),
            (DECIMAL, b"99999999999999999999", None),
            (DECIMAL_EXACT, b"-123", Some(-123)),
            (DECIMAL_EXACT, b"--12", None),
            (AUTO, b"0x12", Some(0x12)),
            (AUTO, b"0012", Some(12)),
            (AUTO, b" 123", Some(123)),
            (AUTO, b"  12", None),
            (AUTO, b"12", None),
            (AUTO_TURNED, b"0X12ab", Some(0xab12)),
            (AUTO_TURNED, b"1234", None),
            (NumberForm::Raw { little: false }, b"\x01\x02", Some(0x102)),
            (NumberForm::Raw { little: true }, b"\x01\x02\x03\x04", Some(0x403_0201)),
            (NumberForm::Raw { little: true }, &[0xff; 8], Some(-1)),
            (NumberForm::Raw { little: true }, b"\x01\x02\x03", None),
            (NumberForm::None, b"1234", None),
        ];
        for (form, bytes, value) in table {
            assert_eq!(number(*form, bytes), *value, "{form:?} {}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_number_must_lie_behind_the_first_byte_and_in_the_object() {
        let source = Memory::new(b"17QR2".as_slice());
        let at = |distance, length| Compare {
            id: 0,
            distance,
            form: DECIMAL,
            length,
            comparisons: vec![(Comparison::Greater, -1), (Comparison::Less, 8)],
        };
        for (distance, length, held) in [(2, 1, true), (-1, 1, true), (-2, 1, false), (2, 2, false), (-9, 1, false)] {
            assert_eq!(holds(&at(distance, length), &source, 2), held, "{distance} {length}");
        }
    }

    #[test]
    fn comparisons_come_back_as_they_were() {
        for form in [HEX, TURNED_EXACT, AUTO_TURNED, NumberForm::None, NumberForm::Raw { little: true }] {
            let compare = Compare {
                id: 63,
                distance: -5,
                form,
                length: 18,
                comparisons: vec![(Comparison::Less, i64::MIN), (Comparison::Equal, 7)],
            };
            assert_eq!(decode(&encode(&compare).unwrap()), Some(compare));
        }
    }
}
