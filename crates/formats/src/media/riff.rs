//! RIFF: chunks, each a name, a size and data; lists hold chunks.

use dachs_base::Heuristic;

use super::Walk;

/// The size of the header of an animated cursor.
const CURSOR: u32 = 36;
/// Chunks that are looked at.
const MOST: u32 = 100_000;

pub(super) fn judge(walk: &mut Walk<'_>) -> Option<Heuristic> {
    let big = walk.take::<4>()? == *b"RIFX";
    walk.take::<4>()?;
    if walk.take::<4>()? != *b"ACON" {
        return None;
    }
    for _ in 0..MOST {
        let name = walk.take::<4>()?;
        let size =
            walk.take::<4>().map(|bytes| if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })?;
        match &name {
            b"anih" if size != CURSOR => return Some(Heuristic::AnimatedCursor),
            // What a list holds is gone through like what stands beside it.
            b"LIST" | b"RIFF" | b"RIFX" => walk.skip(4)?,
            _ => walk.skip(u64::from(size).saturating_add(u64::from(size % 2)))?,
        }
        if !walk.goes_on() {
            return None;
        }
    }
    None
}
