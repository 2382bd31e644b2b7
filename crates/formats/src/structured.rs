//! Numbers of payment cards and of persons in texts (`--detect-structured`).
//!
//! A number begins and ends where no further digit stands beside it. A card has 15 or 16 digits, as its first ones say,
//! with up to eight blanks or dashes between them, and the check digit of ISO/IEC 7812-1 (Luhn). A social security number
//! of the United States has an area, a group and a serial number that were given out: `123-45-6789` or `123456789`. Which
//! first digits and areas count was observed on ClamAV 1.4.6; each occurrence counts, also of the same number.
//!
//! Only texts are searched, not pages and other documents.

use std::sync::Arc;

use dachs_base::{Budget, Form, Heuristic, LimitReached, Source, Structured, read_vec_at};

/// Bytes read at once.
const STEP: usize = 1 << 16;
/// No number is longer, with a byte before and behind it.
const LONGEST: usize = 16 + SEPARATORS + 2;
/// Blanks and dashes between the digits of a card.
const SEPARATORS: usize = 8;

/// Counts the numbers in a text; gives the judgements for which there are enough.
///
/// # Errors
/// When the time is over.
pub fn structured(
    source: &Arc<dyn Source>,
    wanted: &Structured,
    budget: &Budget,
) -> Result<Vec<Heuristic>, LimitReached> {
    let (mut cards, mut persons, mut at) = (0_u32, 0_u32, 0_u64);
    loop {
        budget.check_time()?;
        let window = read_vec_at(source.as_ref(), at, STEP);
        let last = window.len() < STEP;
        let end = if last { window.len() } else { STEP - LONGEST };
        // The first byte of a later window was looked at with the one before.
        for start in usize::from(at > 0)..end {
            let before = start.checked_sub(1).and_then(|before| window.get(before));
            let Some(rest) = window.get(start..).filter(|_| !before.is_some_and(u8::is_ascii_digit)) else { continue };
            cards = cards.saturating_add(u32::from(is_card(rest, wanted.credit_only)));
            persons = persons.saturating_add(u32::from(is_person(rest, wanted.form)));
        }
        let enough = (cards >= wanted.cards, persons >= wanted.persons);
        if last || enough == (true, true) {
            let found = [(enough.0, Heuristic::CardNumbers), (enough.1, Heuristic::PersonNumbers)];
            return Ok(found.into_iter().filter(|(enough, _)| *enough).map(|(_, heuristic)| heuristic).collect());
        }
        at = at.saturating_add(u64::try_from(end.saturating_sub(1)).unwrap_or(u64::MAX));
    }
}

/// Does a card's number begin here?
fn is_card(rest: &[u8], credit_only: bool) -> bool {
    if !rest.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let (mut digits, mut separators) = ([0_u8; 16], 0);
    let (mut count, mut wanted) = (0, 16);
    for (place, byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if let Some(digit) = digits.get_mut(count) {
                    *digit = byte - b'0';
                }
                count += 1;
            }
            b' ' | b'-' if separators < SEPARATORS => separators += 1,
            _ => return false,
        }
        if count == 6 {
            wanted = match length(&digits, credit_only) {
                Some(length) => length,
                None => return false,
            };
        }
        if count == wanted {
            let ends = !rest.get(place + 1).is_some_and(u8::is_ascii_digit);
            return ends && luhn(digits.get(..wanted).unwrap_or(&[]));
        }
    }
    false
}

/// How many digits a card with these first ones has; `None` if there is no such card.
fn length(digits: &[u8], credit_only: bool) -> Option<usize> {
    let first = |count: usize| digits.iter().take(count).fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    match (first(4), first(6)) {
        (1000..=1999, _) if !credit_only => Some(15),
        (3400..=3499 | 3700..=3799, _) => Some(15),
        (5000..=5099, _) if !credit_only => Some(16),
        (_, 622_126..=622_926) => Some(16),
        (
            2221..=2720
            | 3000..=3059
            | 3095
            | 3528..=3589
            | 3600..=3699
            | 3800..=4999
            | 5100..=5599
            | 6011
            | 6240..=6269
            | 6282..=6288
            | 6440..=6599,
            _,
        ) => Some(16),
        _ => None,
    }
}

/// ISO/IEC 7812-1 Annex B.
fn luhn(digits: &[u8]) -> bool {
    let weigh = |(place, digit): (usize, &u8)| match place % 2 {
        0 => u32::from(*digit),
        _ => u32::from(digit * 2 / 10 + digit * 2 % 10),
    };
    digits.iter().rev().enumerate().map(weigh).sum::<u32>().is_multiple_of(10)
}

/// Does a social security number begin here?
fn is_person(rest: &[u8], form: Form) -> bool {
    (form != Form::Plain && is_dashed(rest)) || (form != Form::Dashed && is_plain(rest))
}

fn is_dashed(rest: &[u8]) -> bool {
    let dashes = rest.get(3) == Some(&b'-') && rest.get(6) == Some(&b'-');
    let part = |from: usize, to: usize| rest.get(from..to).and_then(number);
    let ends = !rest.get(11).is_some_and(u8::is_ascii_digit);
    dashes && ends && was_given(part(0, 3), part(4, 6), part(7, 11))
}

fn is_plain(rest: &[u8]) -> bool {
    let part = |from: usize, to: usize| rest.get(from..to).and_then(number);
    let ends = !rest.get(9).is_some_and(u8::is_ascii_digit);
    ends && was_given(part(0, 3), part(3, 5), part(5, 9))
}

fn was_given(area: Option<u32>, group: Option<u32>, serial: Option<u32>) -> bool {
    area.is_some_and(|area| (1..=772).contains(&area) && area != 666)
        && group.is_some_and(|group| group > 0)
        && serial.is_some_and(|serial| serial > 0)
}

/// A number in decimal digits only.
fn number(part: &[u8]) -> Option<u32> {
    part.iter().try_fold(0_u32, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::{Limits, Memory, NoClock};

    const WANTED: Structured = Structured { cards: 3, credit_only: false, persons: 3, form: Form::Dashed };

    fn found(text: &[u8], wanted: &Structured) -> Vec<Heuristic> {
        let source: Arc<dyn Source> = Arc::new(Memory::new(text));
        structured(&source, wanted, &Budget::new(Limits::default(), NoClock)).unwrap()
    }

    fn three(number: &str) -> Vec<u8> {
        format!("numbers {number} {number} {number} end").into_bytes()
    }

    /// As ClamAV 1.4.6 answers.
    #[test]
    fn cards_are_told_by_their_digits() {
        let cards = [
            "4111111111111111",
            "4111-1111-1111-1111",
            "4111 1111 1111 1111",
            "a4111111111111111b",
            "-4111111111111111-",
            "41-11-11-11-11-11-11-11",
            "378282246310005",
            "5555555555554444",
            "6011111111111117",
            "3530111333300000",
            "2221000000000009",
            "1-4111111111111111-1",
        ];
        for card in cards {
            assert_eq!(found(&three(card), &WANTED), [Heuristic::CardNumbers], "{card}");
        }
        let others = [
            "4111111111111112",
            "14111111111111111",
            "41111111111111111",
            "4111.1111.1111.1111",
            "4111\n111111111111",
            "4-1-1-1-1-1-1-1-1-1-11111111",
            "30569309025904",
            "7111111111111119",
            "0000000000000000",
        ];
        for other in others {
            assert_eq!(found(&three(other), &WANTED), [], "{other}");
        }
        assert_eq!(found(b"4111111111111111 4111111111111111", &WANTED), []);
        let credit = Structured { credit_only: true, ..WANTED };
        assert_eq!(found(&three("5019717010103742"), &WANTED), [Heuristic::CardNumbers]);
        assert_eq!(found(&three("5019717010103742"), &credit), []);
    }

    #[test]
    fn persons_are_told_by_area_group_and_serial_number() {
        let plain = Structured { form: Form::Plain, ..WANTED };
        let both = Structured { form: Form::Both, ..WANTED };
        let persons = [Heuristic::PersonNumbers];
        for number in ["123-45-6789", "a123-45-6789b", "-123-45-6789-", "772-01-0001"] {
            assert_eq!(found(&three(number), &WANTED), persons, "{number}");
            assert_eq!(found(&three(number), &both), persons, "{number}");
            assert_eq!(found(&three(number), &plain), [], "{number}");
        }
        for number in
            ["666-45-6789", "000-45-6789", "773-45-6789", "123-00-6789", "123-45-0000", "123 45 6789", "1123-45-6789"]
        {
            assert_eq!(found(&three(number), &both), [], "{number}");
        }
        assert_eq!(found(&three("123456789"), &plain), persons);
        assert_eq!(found(&three("123456789"), &WANTED), []);
    }

    #[test]
    fn numbers_count_once_wherever_windows_end() {
        for before in STEP - LONGEST - 20..STEP + 4 {
            let two =
                [vec![b'x'; before], b"4111111111111111".to_vec(), vec![b'x'; STEP], b"4111111111111111".to_vec()];
            let wanted = Structured { cards: 2, ..WANTED };
            assert_eq!(found(&two.concat(), &wanted), [Heuristic::CardNumbers], "{before}");
            assert_eq!(found(&two.concat(), &WANTED), [], "{before}");
        }
    }
}
