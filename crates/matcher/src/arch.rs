//! The filter's inner loop, by the best way that the processor has.
//!
//! [`passing`] says which sampled positions of a window pass the filters that it is given. The ways are
//! `portable`, which is the meaning of all, on x86-64 AVX2 and AVX-512, and NEON on 64-bit ARM; the choice is made when the program runs,
//! and the tests compare all of them. Vector registers do not look up faster than the processor's own loads (a gather is as many loads
//! as it has lanes, and on some processors slower than these): what they save is the arithmetic around it.
//!
//! Besides, [`digest`] takes blocks of several streams of MD5 side by side, and [`rewrite`], [`mark`] and [`mark_sets`] do what [`crate::table`]
//! says, with AVX-512, AVX2 and NEON, or byte by byte.
//!
//! No ARM processor was at hand, so that of NEON the results were tested (under an emulator) and no time could be measured. What can be said: the
//! instructions of the release for 64 bytes, and the cycles that `llvm-mca` 22 takes them for, with everything in the first cache and nothing
//! foretold wrongly.
//!
//! ```text
//! for 64 bytes                   instructions     cycles by the model of
//!                                                 Neoverse N1     V1            V2
//! long keys      portable, NEON     928   270     325   135       212   103     166   102
//! and pairs                       1,824   620     581   256       356   175     292   169
//! MD5            one, of sixteen    560   180     231    77       171    55     172    55
//! rewriting      portable, NEON   1,150   200           100            70            52
//! marks          NEON                      63            25            15            13
//! ```
//!
//! Other digests are no matter of ours: the crates `sha2` and `sha1` take the processor's own instructions for SHA-256 and SHA-1 where it
//! has them, which they ask when the program runs, on ARM as on x86-64, and so does `crc32fast` with those for CRC-32. For MD5 there are none.

#[cfg(target_arch = "x86_64")]
mod digesting;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod rewriting;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod steps;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use crate::joint::Short;
use crate::md5::{BLOCK, LANES, States};
use crate::table::{self, Rewriting, Set, Sets};

/// A bitmap of long keys and perhaps pairs: what is looked for in one pass.
#[derive(Clone, Copy)]
pub(crate) struct Filters<'a> {
    /// Two to the power of 32 less `shift` of them.
    pub(crate) words: &'a [u32],
    /// A hash shifted by so much is the index of its word; at most 31.
    pub(crate) shift: u32,
    pub(crate) short: Option<&'a Short>,
}

/// A way to filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

impl Way {
    /// The best that this processor has.
    pub(crate) fn best() -> Way {
        #[cfg(target_arch = "x86_64")]
        {
            if x86_64::has_avx512() {
                return Way::Avx512;
            }
            if x86_64::has_avx2() {
                return Way::Avx2;
            }
        }
        #[cfg(target_arch = "aarch64")]
        if neon::has_neon() {
            return Way::Neon;
        }
        Way::Portable
    }

    /// All that this processor has.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Way> {
        let mut ways = vec![Way::Portable];
        #[cfg(target_arch = "x86_64")]
        ways.extend(
            [(x86_64::has_avx2(), Way::Avx2), (x86_64::has_avx512(), Way::Avx512)]
                .into_iter()
                .filter_map(|(has, way)| has.then_some(way)),
        );
        #[cfg(target_arch = "aarch64")]
        ways.extend(neon::has_neon().then_some(Way::Neon));
        ways
    }
}

/// Adds to `found` every second position from `first` to before `to` at which a long key passes its filter, or at which or
/// behind which a pair does; ascending. A position of which fewer than eight bytes are in `bytes` is taken as if zeros
/// followed.
pub(crate) fn passing(
    way: Way,
    filters: &Filters<'_>,
    bytes: &[u8],
    (first, to): (usize, usize),
    found: &mut Vec<u32>,
) {
    assert!(filters.words.len() == 1 << (32 - filters.shift), "a filter says how large it is");
    let rest = match way {
        #[cfg(target_arch = "x86_64")]
        Way::Avx2 => x86_64::passing_avx2(filters, bytes, (first, to), found),
        #[cfg(target_arch = "x86_64")]
        Way::Avx512 => x86_64::passing_avx512(filters, bytes, (first, to), found),
        #[cfg(target_arch = "aarch64")]
        Way::Neon => neon::passing(filters, bytes, (first, to), found),
        Way::Portable => first,
    };
    portable::passing(filters, bytes, (rest, to), found);
}

/// Of how many streams [`digest`] is worth while. Fewer are done sooner one after the other, with NEON because the four registers together take
/// as many instructions as five streams.
pub(crate) fn fewest_streams(way: Way) -> usize {
    match way {
        #[cfg(target_arch = "x86_64")]
        Way::Avx2 | Way::Avx512 => 2,
        #[cfg(target_arch = "aarch64")]
        Way::Neon => 6,
        Way::Portable => usize::MAX,
    }
}

/// Takes blocks of sixteen streams of MD5, as many of each as of the one that has fewest. For vectors: where there are none, nothing is
/// done, and who has only the portable way takes one stream after another.
pub(crate) fn digest(way: Way, states: &mut States, blocks: [&[[u8; BLOCK]]; LANES]) {
    match way {
        #[cfg(target_arch = "x86_64")]
        Way::Avx2 => digesting::digest_avx2(states, blocks),
        #[cfg(target_arch = "x86_64")]
        Way::Avx512 => digesting::digest_avx512(states, blocks),
        #[cfg(target_arch = "aarch64")]
        Way::Neon => neon::digest(states, blocks),
        Way::Portable => {}
    }
}

/// See [`Rewriting::apply`].
pub(crate) fn rewrite(rewriting: &Rewriting, bytes: &mut [u8], after_blank: &mut bool) -> usize {
    #[cfg(target_arch = "x86_64")]
    if rewriting::has_avx512() {
        return rewriting::rewrite(rewriting, bytes, after_blank);
    }
    #[cfg(target_arch = "aarch64")]
    if neon::has_neon() {
        return neon::rewrite(rewriting, bytes, after_blank);
    }
    table::rewrite(rewriting, bytes, after_blank)
}

/// See [`Set::mark`].
pub(crate) fn mark(set: &Set, bytes: &[u8], marks: &mut Vec<u64>) {
    #[cfg(target_arch = "x86_64")]
    if x86_64::has_avx2() {
        return rewriting::mark(set, bytes, marks);
    }
    #[cfg(target_arch = "aarch64")]
    if neon::has_neon() {
        return neon::mark(set, bytes, marks);
    }
    table::mark_each(set, bytes, marks);
}

/// See [`Sets::mark`].
pub(crate) fn mark_sets<const N: usize>(sets: &Sets<N>, bytes: &[u8], marks: &mut Vec<[u64; N]>) {
    #[cfg(target_arch = "x86_64")]
    if rewriting::has_avx512() {
        return rewriting::mark_sets(sets, bytes, marks);
    }
    table::mark_one_by_one(sets, bytes, marks);
}

/// How many positions from `first` on can be looked at, `lanes` at a time, each time reading `read` bytes.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn rounds(bytes: &[u8], (first, to): (usize, usize), lanes: usize, read: usize) -> usize {
    let step = lanes * crate::filter::STRIDE;
    let by_end = bytes.len().saturating_sub(first).checked_sub(read).map_or(0, |left| left / step + 1);
    by_end.min(to.saturating_sub(first) / step)
}

#[cfg(test)]
mod tests;
