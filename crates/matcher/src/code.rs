//! Elements as bytes, and back.
//!
//! ```text
//! literal       0, length u32, bytes            a run of exact bytes
//! byte          1, value, mask
//! folded        2, letter
//! gap           3, min u32, max u32             max 0xFFFFFFFF: any number
//! mark          4, mark, negated
//! alternatives  5, negated, length u32, options     each option: length u32, elements
//! ```

use crate::pattern::{Element, Mark};

/// Deeper nesting of alternatives is refused at building and not followed at reading.
pub(crate) const DEPTH: usize = 32;

pub(crate) fn encode(elements: &[Element], out: &mut Vec<u8>) {
    let mut rest = elements;
    while let Some(element) = rest.first() {
        let run = rest.iter().map_while(exact).collect::<Vec<u8>>();
        if run.is_empty() {
            encode_one(element, out);
            rest = rest.get(1..).unwrap_or_default();
        } else {
            out.push(0);
            sized(out, |out| out.extend_from_slice(&run));
            rest = rest.get(run.len()..).unwrap_or_default();
        }
    }
}

fn exact(element: &Element) -> Option<u8> {
    match element {
        Element::Byte { value, mask: 0xFF } => Some(*value),
        _ => None,
    }
}

fn encode_one(element: &Element, out: &mut Vec<u8>) {
    match element {
        Element::Byte { value, mask } => out.extend([1, *value, *mask]),
        Element::Folded(letter) => out.extend([2, *letter]),
        Element::Gap { min, max } => {
            out.push(3);
            out.extend(min.to_le_bytes());
            out.extend(max.unwrap_or(u32::MAX).to_le_bytes());
        }
        Element::Mark { mark, negated } => out.extend([4, mark_number(*mark), u8::from(*negated)]),
        Element::Alternatives { options, negated } => {
            out.extend([5, u8::from(*negated)]);
            sized(out, |out| options.iter().for_each(|option| sized(out, |out| encode(option, out))));
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

fn mark_number(mark: Mark) -> u8 {
    match mark {
        Mark::Boundary => 0,
        Mark::Line => 1,
        Mark::Word => 2,
    }
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
    let [tag] = array(bytes)?;
    match tag {
        0 => out.extend(run(bytes)?.iter().map(|value| Element::Byte { value: *value, mask: 0xFF })),
        1 => {
            let [value, mask] = array(bytes)?;
            out.push(Element::Byte { value, mask });
        }
        2 => out.push(Element::Folded(array::<1>(bytes)?[0])),
        3 => {
            let (min, max) = (number(bytes)?, number(bytes)?);
            out.push(Element::Gap { min, max: (max != u32::MAX).then_some(max) });
        }
        4 => {
            let [mark, negated] = array(bytes)?;
            let mark = *[Mark::Boundary, Mark::Line, Mark::Word].get(usize::from(mark))?;
            out.push(Element::Mark { mark, negated: negated != 0 });
        }
        5 => {
            let negated = array::<1>(bytes)? != [0];
            let depth = depth.checked_sub(1)?;
            let mut inner = run(bytes)?;
            let mut options = Vec::new();
            while !inner.is_empty() {
                options.push(decode(run(&mut inner)?, depth)?);
            }
            out.push(Element::Alternatives { options, negated });
        }
        _ => return None,
    }
    Some(())
}

pub(crate) fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

pub(crate) fn number(bytes: &mut &[u8]) -> Option<u32> {
    array(bytes).map(u32::from_le_bytes)
}

/// A length and so many bytes.
pub(crate) fn run<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(bytes)?).ok()?;
    let (head, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(head)
}
