//! Elements as bytes, and back.
//!
//! ```text
//! exact run     0, n u16, n bytes               bytes that are what they are
//! masked run    1, n u16, n times value, mask   bytes of which some bits count; a folded letter has the mask DF
//! gap           2, min u32, max u32             max FFFFFFFF: any number
//! mark          3, border u8                    see `border_number`
//! alternatives  4, negated, n u32, n bytes      each option: n u32, n bytes of elements; if negated, of one length
//! ```
//!
//! What stands before an anchor is stored mirrored ([`Way::Back`]), so that reading it forward goes backward in the object.

use crate::confirm::Way;
use crate::marks::Border;
use crate::pattern::{Element, Mark};

/// Deeper nesting of alternatives is refused at building and not followed at reading.
pub(crate) const DEPTH: usize = 32;

/// The mask of a letter in either case.
pub(crate) const FOLD: u8 = 0xDF;

pub(crate) const EXACT: u8 = 0;
pub(crate) const MASKED: u8 = 1;
pub(crate) const GAP: u8 = 2;
pub(crate) const MARK: u8 = 3;
pub(crate) const ALTERNATIVES: u8 = 4;

/// Writes elements: as they stand, or in the opposite order, also within alternatives.
pub(crate) fn encode(elements: &[Element], way: Way, out: &mut Vec<u8>) {
    out.reserve(elements.len().saturating_add(4));
    let mut rest = elements;
    while !rest.is_empty() {
        let most = usize::from(u16::MAX);
        let run = match way {
            Way::On => rest.iter().take(most).take_while(|element| single(element).is_some()).count(),
            Way::Back => rest.iter().rev().take(most).take_while(|element| single(element).is_some()).count(),
        };
        let (taken, left) = match way {
            Way::On => rest.split_at_checked(run.max(1)),
            Way::Back => rest.split_at_checked(rest.len() - run.max(1)).map(|(left, taken)| (taken, left)),
        }
        .unwrap_or((rest, &[]));
        match taken {
            [element] if run == 0 => encode_one(element, way, out),
            _ => encode_run(taken, way, out),
        }
        rest = left;
    }
}

/// The value and mask of an element that is one byte.
pub(crate) fn single(element: &Element) -> Option<(u8, u8)> {
    match element {
        Element::Byte { value, mask } => Some((*value, *mask)),
        Element::Folded(letter) => Some((letter & FOLD, FOLD)),
        _ => None,
    }
}

fn encode_run(run: &[Element], way: Way, out: &mut Vec<u8>) {
    let exact = run.iter().all(|element| matches!(element, Element::Byte { mask: 0xFF, .. }));
    out.push(if exact { EXACT } else { MASKED });
    out.extend(u16::try_from(run.len()).unwrap_or(u16::MAX).to_le_bytes());
    let mut push = |element: &Element| {
        let (value, mask) = single(element).unwrap_or_default();
        out.push(value);
        if !exact {
            out.push(mask);
        }
    };
    match way {
        Way::On => run.iter().for_each(&mut push),
        Way::Back => run.iter().rev().for_each(&mut push),
    }
}

fn encode_one(element: &Element, way: Way, out: &mut Vec<u8>) {
    match element {
        Element::Byte { .. } | Element::Folded(_) => {}
        Element::Gap { min, max } => {
            out.push(GAP);
            out.extend(min.to_le_bytes());
            out.extend(max.unwrap_or(u32::MAX).to_le_bytes());
        }
        Element::Mark { mark, negated } => out.extend([MARK, border_number((*mark, *negated))]),
        Element::Alternatives { options, negated } => {
            out.extend([ALTERNATIVES, u8::from(*negated)]);
            sized(out, |out| options.iter().for_each(|option| sized(out, |out| encode(option, way, out))));
        }
    }
}

/// Writes what `fill` writes, with its length before it.
fn sized(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    fill(&mut inner);
    out.extend(u32::try_from(inner.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(inner);
}

pub(crate) fn border_number((mark, negated): Border) -> u8 {
    let number = match mark {
        Mark::Boundary => 0,
        Mark::Line => 2,
        Mark::Word => 4,
        Mark::WideWord => 6,
    };
    number | u8::from(negated)
}

pub(crate) fn border(number: u8) -> Option<Border> {
    let mark = *[Mark::Boundary, Mark::Line, Mark::Word, Mark::WideWord].get(usize::from(number >> 1))?;
    Some((mark, number & 1 != 0))
}

/// The elements in the opposite order, also within alternatives.
pub(crate) fn mirrored(elements: &[Element]) -> Vec<Element> {
    let mirror = |element: &Element| match element {
        Element::Alternatives { options, negated } => {
            let options = options.iter().map(|option| mirrored(option)).collect();
            Element::Alternatives { options, negated: *negated }
        }
        other => other.clone(),
    };
    elements.iter().rev().map(mirror).collect()
}

/// Reads elements until the bytes end; absent if they are not what [`encode`] writes.
pub(crate) fn decode(mut bytes: &[u8], depth: usize) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    while !bytes.is_empty() {
        decode_one(&mut bytes, depth, &mut elements)?;
    }
    Some(elements)
}

fn decode_one(bytes: &mut &[u8], depth: usize, out: &mut Vec<Element>) -> Option<()> {
    match array(bytes)? {
        [EXACT] => out.extend(exact_run(bytes)?.iter().map(|value| Element::Byte { value: *value, mask: 0xFF })),
        [MASKED] => out.extend(masked_run(bytes)?.iter().map(|[value, mask]| masked(*value, *mask))),
        [GAP] => {
            let (min, max) = (number(bytes)?, number(bytes)?);
            out.push(Element::Gap { min, max: (max != u32::MAX).then_some(max) });
        }
        [MARK] => {
            let (mark, negated) = border(array::<1>(bytes)?[0])?;
            out.push(Element::Mark { mark, negated });
        }
        [ALTERNATIVES] => {
            let negated = array(bytes)? != [0];
            let depth = depth.checked_sub(1)?;
            let mut inner = sized_bytes(bytes)?;
            let mut options = Vec::new();
            while !inner.is_empty() {
                options.push(decode(sized_bytes(&mut inner)?, depth)?);
            }
            out.push(Element::Alternatives { options, negated });
        }
        _ => return None,
    }
    Some(())
}

/// How many elements [`decode`] reads, without making them; absent if it reads none.
pub(crate) fn decoded_length(mut bytes: &[u8], depth: usize) -> Option<usize> {
    let mut length = 0_usize;
    while !bytes.is_empty() {
        length = length.saturating_add(decoded_length_of_one(&mut bytes, depth)?);
    }
    Some(length)
}

fn decoded_length_of_one(bytes: &mut &[u8], depth: usize) -> Option<usize> {
    match array(bytes)? {
        [EXACT] => exact_run(bytes).map(<[u8]>::len),
        [MASKED] => masked_run(bytes).map(<[[u8; 2]]>::len),
        [GAP] => number(bytes).zip(number(bytes)).map(|_| 1),
        [MARK] => border(array::<1>(bytes)?[0]).map(|_| 1),
        [ALTERNATIVES] => {
            array::<1>(bytes)?;
            let depth = depth.checked_sub(1)?;
            let mut inner = sized_bytes(bytes)?;
            while !inner.is_empty() {
                decoded_length(sized_bytes(&mut inner)?, depth)?;
            }
            Some(1)
        }
        _ => None,
    }
}

fn masked(value: u8, mask: u8) -> Element {
    if mask == FOLD && value.is_ascii_uppercase() {
        Element::Folded(value.to_ascii_lowercase())
    } else {
        Element::Byte { value, mask }
    }
}

/// The single bytes that the elements begin with, value and mask of at most `most`, and whether there is nothing else. As the
/// bytes tell it: a run ends where [`encode`] began another.
pub(crate) fn head_run(mut bytes: &[u8], most: usize) -> Option<(Vec<(u8, u8)>, bool)> {
    let bytes = &mut bytes;
    if bytes.is_empty() {
        return Some((Vec::new(), true));
    }
    let (run, length) = match array(bytes)? {
        [EXACT] => {
            let run = exact_run(bytes)?;
            (run.iter().take(most).map(|value| (*value, 0xFF)).collect::<Vec<_>>(), run.len())
        }
        [MASKED] => {
            let run = masked_run(bytes)?;
            (run.iter().take(most).map(|[value, mask]| (*value, *mask)).collect(), run.len())
        }
        _ => return Some((Vec::new(), false)),
    };
    let all = bytes.is_empty() && run.len() == length;
    Some((run, all))
}

pub(crate) fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

pub(crate) fn number(bytes: &mut &[u8]) -> Option<u32> {
    array(bytes).map(u32::from_le_bytes)
}

pub(crate) fn exact_run<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::from(u16::from_le_bytes(array(bytes)?));
    take(bytes, length)
}

pub(crate) fn masked_run<'a>(bytes: &mut &'a [u8]) -> Option<&'a [[u8; 2]]> {
    let length = usize::from(u16::from_le_bytes(array(bytes)?));
    Some(take(bytes, length.checked_mul(2)?)?.as_chunks().0)
}

pub(crate) fn sized_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(bytes)?).ok()?;
    take(bytes, length)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opposite_order_is_that_of_mirrored_elements() {
        let byte = |value: u8| Element::Byte { value, mask: 0xFF };
        let gap = Element::Gap { min: 1, max: None };
        let options = vec![vec![byte(1), byte(2)], vec![], vec![gap.clone(), Element::Folded(b'x'), byte(3)]];
        let alternatives = Element::Alternatives { options, negated: false };
        let long: Vec<Element> = (0..70_000_u32).map(|number| byte(number.to_le_bytes()[0])).collect();
        let mixed =
            [byte(1), Element::Folded(b'q'), alternatives, gap, byte(9), Element::Byte { value: 0, mask: 0xF0 }];
        for elements in [&[][..], &mixed, &long] {
            let (mut back, mut on) = (Vec::new(), Vec::new());
            encode(elements, Way::Back, &mut back);
            encode(&mirrored(elements), Way::On, &mut on);
            assert!(back == on);
            assert_eq!(decode(&back, DEPTH), Some(mirrored(elements)));
        }
    }

    #[test]
    fn the_length_is_that_of_what_is_decoded() {
        let byte = |value: u8| Element::Byte { value, mask: 0xFF };
        let options = vec![vec![byte(1), Element::Folded(b'x')], vec![]];
        let mark = Element::Mark { mark: Mark::Word, negated: true };
        let gap = Element::Gap { min: 1, max: Some(3) };
        let mut code = Vec::new();
        encode(&[byte(1), mark, gap, Element::Alternatives { options, negated: false }, byte(2)], Way::On, &mut code);
        assert_eq!(decoded_length(&code, DEPTH), Some(5));
        // Cut off, with any byte changed, or nested too deep.
        for end in 0..code.len() {
            for (value, depth) in (0..=u8::MAX).flat_map(|value| [(value, DEPTH), (value, 0)]) {
                let mut damaged = code.clone();
                damaged[end] = value;
                for bytes in [&damaged[..], &damaged[..end]] {
                    assert_eq!(decoded_length(bytes, depth), decode(bytes, depth).map(|elements| elements.len()));
                }
            }
        }
    }
}
