//! The filter in plain Rust: what all other ways must agree with.

use crate::arch::Filters;
use crate::filter::{self, Hash, STRIDE};
use crate::joint;

/// See [`crate::arch::passing`].
pub(super) fn passing(filters: &Filters<'_>, bytes: &[u8], (first, to): (usize, usize), found: &mut Vec<u32>) {
    let passes = |eight: [u8; 8]| {
        joint::has_long(filters.words, filters.shift, Hash::new(eight)) || joint::has_short(filters.short, eight)
    };
    // As long as all eight bytes lie in the window, without a look at its end; then with.
    let whole = bytes.get(first..bytes.len().min(to.saturating_add(7))).unwrap_or_default();
    let mut at = first;
    for eight in whole.windows(8).step_by(STRIDE) {
        if eight.first_chunk().is_some_and(|eight| passes(*eight)) {
            found.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        at = at.wrapping_add(STRIDE);
    }
    let tail = (at..to).step_by(STRIDE).filter(|at| passes(filter::load(bytes, *at)));
    found.extend(tail.map(|at| u32::try_from(at).unwrap_or(u32::MAX)));
}
