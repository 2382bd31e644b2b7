//! Random patterns on random objects, cut into random windows: exactly the oracle's starts, each once.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::collections::BTreeSet;

use dachs_matcher::pattern::{Element, Mark, Pattern};
use dachs_matcher::{Builder, Filter, Flow, Hit, Patterns, State, Window, naive, scan_all};
use proptest::collection::vec;
use proptest::prelude::*;

/// Few different bytes, so that patterns are found; among them borders and letters of both cases.
const ALPHABET: &[u8] = b"aaaabbAB \n\r\0";

fn byte() -> impl Strategy<Value = u8> {
    proptest::sample::select(ALPHABET)
}

fn simple() -> impl Strategy<Value = Vec<Element>> {
    let exact = |value| Element::Byte { value, mask: 0xFF };
    let mark = proptest::sample::select(vec![Mark::Boundary, Mark::Line, Mark::Word]);
    prop_oneof![
        6 => vec(byte(), 1..9).prop_map(move |bytes| bytes.into_iter().map(exact).collect()),
        2 => vec(proptest::sample::select(&b"ab"[..]), 1..8).prop_map(|all| all.into_iter().map(Element::Folded).collect()),
        1 => (byte(), any::<u8>()).prop_map(|(value, mask)| vec![Element::Byte { value: value & mask, mask }]),
        1 => (0..5_u32, 0..6_u32).prop_map(|(min, max)| vec![Element::Gap { min, max: Some(max) }]),
        1 => (mark, any::<bool>()).prop_map(|(mark, negated)| vec![Element::Mark { mark, negated }]),
    ]
}

fn elements() -> impl Strategy<Value = Vec<Element>> {
    let stretch = vec(simple(), 1..4).prop_map(|all| all.concat()).boxed();
    stretch.prop_recursive(2, 12, 3, |inner| {
        let options = (vec(inner.clone(), 1..4), any::<bool>());
        let group = options.prop_map(|(options, negated)| vec![Element::Alternatives { options, negated }]);
        vec(prop_oneof![3 => inner, 1 => group], 1..4).prop_map(|all| all.concat())
    })
}

fn long_gap() -> impl Strategy<Value = Element> {
    let max = prop_oneof![Just(None), Just(Some(130)), Just(Some(4097)), Just(Some(5000))];
    let range = prop_oneof![2 => (0..8_u32, max), 1 => (120..132_u32, (129..140_u32).prop_map(Some))];
    range.prop_map(|(min, max)| Element::Gap { min, max })
}

fn pattern() -> impl Strategy<Value = Pattern> {
    (elements(), vec((long_gap(), elements()), 0..3)).prop_map(|(mut all, more)| {
        for (gap, elements) in more {
            all.push(gap);
            all.extend(elements);
        }
        Pattern { elements: all }
    })
}

fn object() -> impl Strategy<Value = Vec<u8>> {
    let run = (byte(), 1..12_usize).prop_map(|(byte, count)| vec![byte; count]);
    let strange = (any::<u8>(), Just(200_usize)).prop_map(|(byte, count)| vec![byte; count]);
    let parts = prop_oneof![6 => vec(byte(), 1..20), 2 => run, 1 => strange];
    vec(parts, 0..12).prop_map(|parts| parts.concat())
}

fn scan(image: &[u8], bytes: &[u8], steps: &[usize]) -> Vec<Hit> {
    scan_set(&Patterns::new(image).unwrap(), bytes, steps)
}

fn scan_set(patterns: &Patterns<'_>, bytes: &[u8], steps: &[usize]) -> Vec<Hit> {
    let (mut state, mut hits, mut at) = (State::new(), Vec::new(), 0);
    for step in steps.iter().cycle() {
        let end = (at + patterns.overlap() + step).min(bytes.len());
        let last = end == bytes.len();
        let window = Window { bytes: &bytes[at..end], base: at as u64, last };
        let flow = patterns.scan(&mut state, window, &mut |hit| {
            hits.push(hit);
            Flow::Go
        });
        assert_eq!(flow, Flow::Go);
        if last {
            break;
        }
        at = end - patterns.overlap();
    }
    hits
}

/// The patterns that a set takes, with its bytes.
fn set(patterns: Vec<Pattern>) -> (Vec<Pattern>, Vec<u8>) {
    let mut builder = Builder::new();
    let taken = patterns.into_iter().filter(|pattern| builder.add(pattern).is_ok()).collect();
    (taken, builder.finish())
}

/// The longest object. A level of a pattern keeps up to 1024 starts, and of more than that it may lose some, as its documentation
/// says; the oracle loses none. Where every byte is a start, a longer object would have more.
const LONGEST: usize = 800;

/// Puts what the patterns hold into the object, so that something is found.
fn planted(patterns: &[Pattern], mut object: Vec<u8>, places: &[usize]) -> Vec<u8> {
    for (pattern, place) in patterns.iter().zip(places) {
        let sample = pattern.elements.iter().flat_map(sample).collect::<Vec<u8>>();
        let at = place % (object.len() + 1);
        object.splice(at..at, sample);
    }
    object.truncate(LONGEST);
    object
}

fn sample(element: &Element) -> Vec<u8> {
    match element {
        Element::Byte { value, .. } => vec![*value],
        Element::Folded(letter) => vec![letter.to_ascii_uppercase()],
        Element::Gap { min, .. } => vec![b'a'; *min as usize],
        Element::Mark { negated: true, .. } => b"a".to_vec(),
        Element::Mark { mark: Mark::Line, .. } => b"\r\n".to_vec(),
        Element::Alternatives { options, negated: false } => options.last().unwrap().iter().flat_map(sample).collect(),
        _ => b" ".to_vec(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn finds_what_the_oracle_finds(
        patterns in vec(pattern(), 1..4),
        object in object(),
        places in vec(any::<usize>(), 4),
        steps in vec(1..64_usize, 1..6),
    ) {
        let (patterns, image) = set(patterns);
        let object = planted(&patterns, object, &places);
        let hits = scan(&image, &object, &steps);
        for (number, pattern) in patterns.iter().enumerate() {
            let expected = naive::find(pattern, &object);
            let found = hits.iter().filter(|hit| hit.pattern as usize == number).collect::<Vec<_>>();
            for hit in &found {
                prop_assert!(expected.contains(&(hit.start, hit.end)), "{hit:?} of {pattern:?} in {object:?}");
            }
            let starts = found.iter().map(|hit| hit.start).collect::<BTreeSet<u64>>();
            prop_assert_eq!(starts.len(), found.len(), "{:?} twice in {:?}", pattern, object);
            let expected = expected.into_iter().map(|(start, _)| start).collect::<BTreeSet<u64>>();
            prop_assert_eq!(starts, expected, "{:?} in {:?}", pattern, object);
        }
    }

    #[test]
    fn finds_once_what_is_there(
        patterns in vec(pattern(), 1..4),
        object in object(),
        places in vec(any::<usize>(), 4),
        steps in vec(1..64_usize, 1..6),
    ) {
        let mut builder = Builder::new();
        let patterns = patterns.into_iter().filter(|pattern| builder.add_once(pattern).is_ok()).collect::<Vec<_>>();
        let image = builder.finish();
        let object = planted(&patterns, object, &places);
        let hits = scan(&image, &object, &steps);
        for (number, pattern) in patterns.iter().enumerate() {
            let expected = naive::find(pattern, &object);
            let mut found = hits.iter().filter(|hit| hit.pattern as usize == number).peekable();
            prop_assert_eq!(found.peek().is_some(), !expected.is_empty(), "{:?} in {:?}", pattern, object);
            for hit in found {
                prop_assert!(expected.contains(&(hit.start, hit.end)), "{hit:?} of {pattern:?} in {object:?}");
            }
        }
    }

    #[test]
    fn what_waits_is_found_where_it_is_asked_for_as_if_it_were_searched(
        patterns in vec((pattern(), 0..3_u8), 1..6),
        object in object(),
        places in vec(any::<usize>(), 6),
        steps in vec(1..64_usize, 1..6),
    ) {
        let (mut builder, mut searched) = (Builder::new(), Builder::new());
        let mut asked = Vec::new();
        let taken = patterns.into_iter().filter(|(pattern, way)| {
            let Ok(number) = builder.add_waiting(pattern, false) else { return false };
            searched.add(pattern).unwrap();
            match way {
                0 => builder.search(number),
                1 => asked.push(number),
                _ => {}
            }
            true
        });
        let (patterns, ways): (Vec<Pattern>, Vec<u8>) = taken.unzip();
        let object = planted(&patterns, object, &places);
        let (image, expected) = (builder.finish(), scan(&searched.finish(), &object, &steps));
        let of = |way: u8| {
            let wanted = expected.iter().filter(|hit| ways[hit.pattern as usize] == way);
            wanted.map(|hit| (hit.pattern, hit.start)).collect::<BTreeSet<_>>()
        };
        let starts = |hits: Vec<Hit>| hits.iter().map(|hit| (hit.pattern, hit.start)).collect::<BTreeSet<_>>();
        let set = Patterns::new(&image).unwrap();
        prop_assert_eq!(starts(scan(&image, &object, &steps)), of(0));
        prop_assert!(ways.iter().zip(0..).all(|(way, number)| set.is_waiting(number) == (*way > 0)));
        let selection = set.select(asked);
        prop_assert_eq!(starts(scan_set(&selection.patterns(), &object, &steps)), of(1));
    }

    #[test]
    fn places_of_a_pattern_of_one_part_come_in_their_order(bytes in vec(byte(), 2..12), object in object()) {
        let elements = bytes.iter().map(|value| Element::Byte { value: *value, mask: 0xFF }).collect();
        let (_, image) = set(vec![Pattern { elements }]);
        let object = [object, bytes.clone(), bytes.clone(), bytes].concat();
        let starts = scan(&image, &object, &[64]).iter().map(|hit| hit.start).collect::<Vec<_>>();
        prop_assert!(starts.is_sorted(), "{starts:?} in {object:?}");
    }

    #[test]
    fn several_sets_in_one_pass_find_what_each_finds_alone(
        sets in vec(vec(pattern(), 0..4), 3),
        object in object(),
        places in vec(any::<usize>(), 4),
        steps in vec(1..64_usize, 1..6),
    ) {
        let sets = sets.into_iter().map(set).collect::<Vec<_>>();
        let object = sets.iter().fold(object, |object, (patterns, _)| planted(patterns, object, &places));
        let mut alone = sets.iter().map(|(_, image)| scan(image, &object, &steps)).collect::<Vec<_>>();
        let mut together = vec![Vec::new(); sets.len()];
        let read = sets.iter().map(|(_, image)| Patterns::new(image).unwrap()).collect::<Vec<_>>();
        let overlap = Patterns::overlap_of(read.iter());
        let filter = Filter::new(&read);
        let mut states = vec![State::new(); sets.len()];
        let mut at = 0;
        for step in steps.iter().cycle() {
            let end = (at + overlap + step).min(object.len());
            let window = Window { bytes: &object[at..end], base: at as u64, last: end == object.len() };
            let mut both = read.iter().zip(&mut states).collect::<Vec<_>>();
            let _ = scan_all(&mut both, &filter, window, &mut |set, hit| {
                together[set].push(hit);
                Flow::Go
            });
            if window.last {
                break;
            }
            at = end - overlap;
        }
        alone.iter_mut().chain(&mut together).for_each(|hits| hits.sort_unstable());
        prop_assert_eq!(alone, together);
    }

    #[test]
    fn matches_at_a_place_as_the_oracle_does(pattern in pattern(), object in object(), base in 0..9_usize) {
        let mut builder = Builder::new();
        let Ok(number) = builder.add_placed(&pattern) else { return Ok(()) };
        let image = builder.finish();
        let read = Patterns::new(&image).unwrap();
        let object = planted(std::slice::from_ref(&pattern), object, &[7]);
        let found = naive::find(&pattern, &object);
        let base = base.min(object.len());
        let window = Window { bytes: &object[base..], base: base as u64, last: true };
        for start in (base as u64 + u64::from(base > 0))..=object.len() as u64 {
            let expected = found.iter().find(|(at, _)| *at == start).map(|(_, end)| *end);
            prop_assert_eq!(read.match_at(number, window, start), expected, "{:?} at {}", pattern, start);
            // The reach is enough of a window.
            let end = object.len().min(usize::try_from(start + read.reach(number).unwrap()).unwrap());
            let window = Window { bytes: &object[base..end], base: base as u64, last: end == object.len() };
            prop_assert_eq!(read.match_at(number, window, start), expected, "{:?} at {}, cut", pattern, start);
        }
        let window = Window { bytes: &object, base: 0, last: true };
        let flow = read.scan(&mut State::new(), window, &mut |_| Flow::Stop);
        prop_assert_eq!(flow, Flow::Go, "a placed pattern is not searched");
    }

    #[test]
    fn reports_no_more_than_enough(pattern in pattern(), object in object(), enough in 1..4_usize) {
        let (patterns, image) = set(vec![pattern]);
        let object = planted(&patterns, object, &[3]);
        let all = scan(&image, &object, &[64]).len();
        let mut count = 0;
        let window = Window { bytes: &object, base: 0, last: true };
        let _ = Patterns::new(&image).unwrap().scan(&mut State::new(), window, &mut |_| {
            count += 1;
            if count < enough { Flow::Go } else { Flow::Enough }
        });
        prop_assert_eq!(count, all.min(enough));
    }

    #[test]
    fn gives_back_what_it_was_given(patterns in vec(pattern(), 1..4), object in object()) {
        let (patterns, image) = set(patterns);
        let read = Patterns::new(&image).unwrap();
        prop_assert_eq!(read.count() as usize, patterns.len());
        let (again, second) = set((0..read.count()).map(|number| read.decode(number).unwrap()).collect());
        prop_assert_eq!(again.len(), patterns.len());
        prop_assert_eq!(&image, &second, "the same patterns give the same bytes");
        for (before, after) in patterns.iter().zip(&again) {
            prop_assert_eq!(naive::find(before, &object), naive::find(after, &object));
        }
    }

    #[test]
    fn a_spoilt_set_never_panics(
        patterns in vec(pattern(), 1..4),
        object in object(),
        spoils in vec((any::<usize>(), any::<u8>()), 1..8),
    ) {
        let (patterns, mut image) = set(patterns);
        let object = planted(&patterns, object, &[3, 5, 7, 9]);
        for (at, byte) in spoils {
            let at = at % image.len();
            image[at] = byte;
        }
        if let Ok(read) = Patterns::new(&image) {
            for number in 0..read.count().min(10) {
                let _ = read.decode(number);
            }
            let (mut state, mut hits) = (State::new(), 0);
            let window = Window { bytes: &object, base: 0, last: true };
            let _ = read.scan(&mut state, window, &mut |_| {
                hits += 1;
                if hits < 10_000 { Flow::Go } else { Flow::Stop }
            });
        }
    }
}

/// A mark before a gap of no bytes stands in the middle of its pattern, and consumes a byte there.
#[test]
fn a_mark_beside_a_gap_of_no_bytes_stays_in_the_middle() {
    let a = Element::Byte { value: b'a', mask: 0xFF };
    let mark = Element::Mark { mark: Mark::Boundary, negated: false };
    let nothing = Element::Gap { min: 0, max: Some(0) };
    for elements in [vec![a.clone(), mark.clone(), nothing.clone()], vec![nothing, mark, a]] {
        let (patterns, image) = set(vec![Pattern { elements }]);
        let again = Patterns::new(&image).unwrap().decode(0).unwrap();
        for object in [&b"a"[..], b"a ", b" a", b"ba", b"ab"] {
            let expected = naive::find(&patterns[0], object);
            assert_eq!(naive::find(&again, object), expected, "given back, in {object:?}");
            let starts = scan(&image, object, &[3]).iter().map(|hit| hit.start).collect::<Vec<_>>();
            assert_eq!(starts, expected.iter().map(|(start, _)| *start).collect::<Vec<_>>(), "found in {object:?}");
        }
    }
}

/// A part between a bounded and an open gap continues starts of which some were dropped before, as too far back.
#[test]
fn a_start_behind_one_that_was_dropped_is_continued() {
    let folded = |bytes: &[u8]| bytes.iter().map(|byte| Element::Folded(*byte)).collect::<Vec<_>>();
    let gaps = [Element::Gap { min: 1, max: Some(130) }, Element::Gap { min: 0, max: None }];
    let [bounded, open] = gaps.map(|gap| vec![gap]);
    let pattern = Pattern { elements: [folded(b"bb"), bounded, folded(b"aa"), open, folded(b"bab")].concat() };
    let (patterns, image) = set(vec![pattern]);
    let mut number = 1_u64;
    let mut random = |below: usize| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (number >> 33) as usize % below
    };
    let mut several = 0;
    for _ in 0..1000 {
        let pieces: [&[u8]; 6] = [b"bb", b"aa", b"bab", &[0; 140], &[b'a'; 120], b"bbaaa"];
        let object = (0..3 + random(12)).flat_map(|_| pieces[random(6)]).copied().collect::<Vec<u8>>();
        let expected =
            naive::find(&patterns[0], &object).into_iter().map(|(start, _)| start).collect::<BTreeSet<u64>>();
        let found = scan(&image, &object, &[1]).iter().map(|hit| hit.start).collect::<BTreeSet<u64>>();
        several += usize::from(expected.len() > 1);
        assert_eq!(found, expected, "{}", object.escape_ascii());
    }
    assert!(several > 150, "{several}");
}
