//! What each kind of element means, as tables: the oracle and the matcher must both say so.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use dachs_matcher::pattern::{Element, Mark, Pattern};
use dachs_matcher::{Builder, Flow, Patterns, State, Window, naive};

fn text(bytes: &str) -> Vec<Element> {
    bytes.bytes().map(|value| Element::Byte { value, mask: 0xFF }).collect()
}

fn folded(letters: &str) -> Vec<Element> {
    letters.bytes().map(Element::Folded).collect()
}

fn nibble(value: u8, mask: u8) -> Vec<Element> {
    vec![Element::Byte { value, mask }]
}

fn gap(min: u32, max: impl Into<Option<u32>>) -> Vec<Element> {
    vec![Element::Gap { min, max: max.into() }]
}

fn any_of(options: &[Vec<Element>]) -> Vec<Element> {
    vec![Element::Alternatives { options: options.to_vec(), negated: false }]
}

fn none_of(options: &[Vec<Element>]) -> Vec<Element> {
    vec![Element::Alternatives { options: options.to_vec(), negated: true }]
}

fn mark(mark: Mark) -> Vec<Element> {
    vec![Element::Mark { mark, negated: false }]
}

fn no_mark(mark: Mark) -> Vec<Element> {
    vec![Element::Mark { mark, negated: true }]
}

/// The starts that the matcher reports, window by window.
fn starts(pattern: &Pattern, bytes: &[u8], step: usize) -> Vec<u64> {
    let mut builder = Builder::new();
    builder.add(pattern).unwrap();
    let image = builder.finish();
    let patterns = Patterns::new(&image).unwrap();
    let mut state = State::new();
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let end = (at + patterns.overlap() + step).min(bytes.len());
        let last = end == bytes.len();
        let window = Window { bytes: &bytes[at..end], base: at as u64, last };
        patterns.scan(&mut state, window, &mut |hit| {
            found.push(hit.start);
            Flow::Go
        });
        if last {
            found.sort_unstable();
            return found;
        }
        at += step;
    }
}

/// The elements, the object, and where they start in it.
type Row<'a> = (Vec<Vec<Element>>, &'a [u8], &'a [u64]);

fn holds(table: &[Row<'_>]) {
    for (elements, bytes, expected) in table {
        let pattern = Pattern { elements: elements.concat() };
        let mut oracle = naive::find(&pattern, bytes).into_iter().map(|(start, _)| start).collect::<Vec<_>>();
        oracle.dedup();
        assert_eq!(oracle, *expected, "the oracle on {pattern:?}");
        for step in [1, 2, 5, 1000] {
            assert_eq!(starts(&pattern, bytes, step), *expected, "windows of {step}: {pattern:?}");
        }
    }
}

#[test]
fn a_byte_is_itself_a_nibble_or_anything() {
    holds(&[
        (vec![text("ab")], b"abcab", &[0, 3]),
        (vec![text("aa")], b"aaaa", &[0, 1, 2]),
        (vec![text("ab"), nibble(0x30, 0xF0)], b"ab1ab2abx", &[0, 3]),
        (vec![text("ab"), nibble(0x01, 0x0F)], b"abaabbabq", &[0, 6]),
        (vec![text("ab"), nibble(0, 0), text("c")], b"abxc abc abyc", &[0, 9]),
        (vec![text("longer than eight")], b"longer than eigh longer than eight", &[17]),
    ]);
}

#[test]
fn a_folded_letter_is_either_case() {
    holds(&[
        (vec![folded("ab"), text("C")], b"abC ABC aBC ABc", &[0, 4, 8]),
        // `[` and `{` differ as letters of two cases do, and are none.
        (vec![text("[a")], b"{a [a", &[3]),
    ]);
}

#[test]
fn a_gap_is_counted_from_the_end_of_what_is_before() {
    holds(&[
        (vec![text("ab"), gap(2, 2), text("cd")], b"ab12cd ab1cd", &[0]),
        (vec![text("ab"), gap(0, 2), text("cd")], b"abcd ab1cd ab12cd ab123cd", &[0, 5, 11]),
        (vec![text("ab"), gap(3, None), text("cd")], b"ab1cd..cd", &[0]),
        (vec![text("ab"), gap(0, None), text("cd")], b"ab ab cd ab", &[0, 3]),
        (vec![text("ab"), gap(0, 2000), text("cd")], b"ab ab cd ab", &[0, 3]),
        (vec![text("ab"), gap(5, 3), text("cd")], b"ab1234cd", &[]),
        (vec![gap(2, 2), text("cd")], b"cd1cd", &[1]),
        (vec![text("cd"), gap(2, 2)], b"cd1cd", &[0]),
        (vec![gap(0, 2), text("cd")], b"123cd", &[1, 2, 3]),
    ]);
}

#[test]
fn alternatives_may_be_unequal_nested_and_negated() {
    holds(&[
        (vec![text("ab"), any_of(&[text("x"), text("yz")]), text("c")], b"abxc abyzc abyc", &[0, 5]),
        (vec![any_of(&[text("a"), text("aab")]), text("bcc")], b"aabbcc abcc", &[0, 7]),
        (vec![text("cc"), any_of(&[text("a"), text("ab")])], b"ccab", &[0]),
        (vec![text("ab"), any_of(&[text("c"), vec![]]), text("d")], b"abcd abd abcc", &[0, 5]),
        (
            vec![text("ab"), any_of(&[[text("c"), any_of(&[text("d"), folded("e")])].concat()])],
            b"abcd abcE abc",
            &[0, 5],
        ),
        (vec![text("ab"), none_of(&[text("c"), text("d")]), text("ef")], b"abcef abxef", &[6]),
        (vec![text("ab"), none_of(&[text("cc"), text("dd")])], b"abcc abcd ab1", &[5]),
    ]);
}

#[test]
fn marks_at_the_ends_consume_nothing() {
    holds(&[
        (vec![mark(Mark::Boundary), text("ab"), mark(Mark::Boundary)], b"ab ab\"ab ab", &[0, 3, 9]),
        (vec![no_mark(Mark::Boundary), text("ab")], b"abab ab", &[2]),
        (vec![mark(Mark::Line), text("ab"), mark(Mark::Line)], b"ab\r\nab\nab\rab", &[0, 4]),
        (vec![mark(Mark::Word), text("ab"), mark(Mark::Word)], b"ab.ab1ab_ab", &[0, 9]),
        (vec![text("ab"), no_mark(Mark::Word)], b"abab", &[0]),
        (vec![mark(Mark::WideWord), text("ab"), mark(Mark::WideWord)], b"ab.abx\0abx\0.abx.ab", &[0, 12, 16]),
        (vec![text("ab"), mark(Mark::WideWord)], b"abx\0ab\0\0ab", &[4, 8]),
        (vec![text("ab"), no_mark(Mark::WideWord)], b"ab1\0ab\0\0aba", &[0, 8]),
    ]);
}

#[test]
fn marks_in_the_middle_consume_what_they_are_made_of() {
    holds(&[
        (vec![text("ab"), mark(Mark::Boundary), text("cd")], b"ab@cd ab\"cd abcd", &[0, 6]),
        (vec![text("ab"), mark(Mark::Line), text("cd")], b"ab\r\ncdab\ncdab\rcd", &[0, 6]),
        (vec![text("ab"), no_mark(Mark::Line), text("cd")], b"ab\ncdab\rcd", &[5]),
        (vec![text("ab"), mark(Mark::Word), text("cd")], b"ab.cd abxcd", &[0]),
        (vec![text("ab"), no_mark(Mark::Word), text("cd")], b"ab.cd abxcd", &[6]),
    ]);
}

/// Every place where windows can be cut: within a part, at its borders, within the gap.
#[test]
fn cuts_between_windows_hide_nothing() {
    // At an even and at an odd offset: the filter looks at every second one.
    for skip in [0, 1] {
        cut_everywhere(skip);
    }
}

fn cut_everywhere(skip: usize) {
    let object = [&[b'.'; 40][skip..], b"\nabcdefgh\r\n", &[b'.'; 150], b"ijklmnop\n", &[b'.'; 40]].concat();
    let (first, second, third) = (&[41 - skip as u64], &[42 - skip as u64], &[47 - skip as u64]);
    holds(&[
        (vec![mark(Mark::Line), text("abcdefgh"), mark(Mark::Line)], &object, first),
        (vec![text("bcdefgh"), mark(Mark::Line), gap(150, 150), text("ij")], &object, second),
        (vec![text("abcdefgh"), gap(152, 160), text("ijklmnop"), mark(Mark::Line)], &object, first),
        (vec![text("gh"), gap(0, 152), text("ij")], &object, third),
        (vec![text("gh"), gap(0, 151), text("ij")], &object, &[]),
        (vec![text("gh"), gap(153, 2000), text("ij")], &object, &[]),
    ]);
}

/// A start that was found and reported is found again from a later anchor, and would be completed again.
#[test]
fn a_start_is_reported_once_however_many_anchors_find_it() {
    let object = [&b"..ab cd ab"[..], &[b'.'; 30], b"cd"].concat();
    holds(&[
        (vec![gap(2, 2), text("ab"), gap(0, None), text("cd")], &object, &[0, 6]),
        (vec![gap(0, 8), text("ab")], &object, &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (vec![gap(0, 8), text("ab"), gap(0, None), text("cd")], &object, &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
    ]);
}

/// A level holds 1,024 starts: later ones are lost until it has room again, the pattern is not.
#[test]
fn a_full_level_keeps_the_first_starts_and_takes_new_ones_afterwards() {
    let object = [b"ab".repeat(1500), b"cd".to_vec(), b"abcd".to_vec()].concat();
    let pattern = Pattern { elements: [text("ab"), gap(0, None), text("cd")].concat() };
    let expected = (0..1024).map(|number| 2 * number).chain([3002]).collect::<Vec<u64>>();
    assert_eq!(starts(&pattern, &object, 500), expected);
    // Before a bounded gap the last ones count.
    let pattern = Pattern { elements: [text("ab"), gap(0, 5000), text("cd")].concat() };
    let expected = (1500 - 1024..1500).map(|number| 2 * number).chain([3002]).collect::<Vec<u64>>();
    assert_eq!(starts(&pattern, &object, 500), expected);
}

#[test]
fn a_later_part_that_pairs_find_is_met_wherever_it_comes() {
    let parts = [text("badger"), gap(0, None), text("zy"), gap(200, None), text("xw")];
    let pattern = Pattern { elements: parts.concat() };
    let dots = |count: usize| vec![b'.'; count];
    for between in [0, 1, 2, 3, 50, 16_381, 40_000] {
        for before in [0, 1, 16_370, 16_383] {
            let behind = dots(between.max(200));
            let bytes = [b"xwzy".to_vec(), dots(before), b"badger".to_vec(), dots(between), b"zy".to_vec(), behind];
            let whole = [bytes.concat(), b"xw".to_vec()].concat();
            for step in [whole.len(), 30_001] {
                let start = u64::try_from(4 + before).unwrap();
                assert_eq!(starts(&pattern, &whole, step), [start], "{before} {between} {step}");
                assert!(starts(&pattern, &whole[..whole.len() - 1], step).is_empty(), "{before} {between} {step}");
            }
        }
    }
}
