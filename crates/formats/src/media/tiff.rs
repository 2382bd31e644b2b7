//! TIFF: a chain of directories, whose entries hold small values and tell where large ones stand.

use super::{MediaFault, Walk};

pub(super) fn fault(walk: &mut Walk<'_>) -> Option<MediaFault> {
    let little = walk.take::<4>()?.starts_with(b"II");
    let number = |bytes: [u8; 4]| if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
    let short = |bytes: [u8; 2]| if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) };
    let Some(first) = walk.take::<4>().map(number) else { return Some(MediaFault::TiffEofReadingFirstIfdOffset) };
    if first == 0 {
        return Some(MediaFault::TiffInvalidIfdOffset);
    }
    let mut offset = u64::from(first);
    loop {
        walk.at = offset;
        let Some(count) = walk.take::<2>().map(short) else { return Some(MediaFault::TiffEofReadingNumberOfEntries) };
        for _ in 0..count {
            let Some([_, _, a, b, c, d, e, f, value @ ..]) = walk.take::<12>() else {
                return Some(MediaFault::TiffEofReadingIfdEntry);
            };
            let length = u64::from(number([c, d, e, f])).saturating_mul(width(short([a, b])));
            let end = u64::from(number(value)).saturating_add(length);
            if !walk.goes_on() {
                return None;
            }
            if length > 4 && walk.source.read_at(end.saturating_sub(1), &mut [0]) == 0 {
                return Some(MediaFault::TiffOutOfBoundsAccess);
            }
        }
        let Some(next) = walk.take::<4>().map(number) else { return Some(MediaFault::TiffEofReadingNextIfdOffset) };
        // Directories go forward, so that their chain ends.
        match u64::from(next) {
            0 => return None,
            next if next <= offset => return Some(MediaFault::TiffOutOfOrderIfdOffset),
            next => offset = next,
        }
    }
}

/// TIFF 2, "Types": bytes of a value; 0 for types that are not known.
fn width(kind: u16) -> u64 {
    match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 => 4,
        5 | 10 | 12 => 8,
        _ => 0,
    }
}
