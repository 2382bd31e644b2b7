//! Memory in large pages: a fork passes it on with one entry for two megabytes, and what is read here and there all over it is found
//! with fewer looks into page tables.

use rustix::mm::{Advice, MapFlags, ProtFlags};
use std::ptr::null_mut;

/// Size of a large page.
pub(crate) const LARGE_PAGE: usize = 2 << 20;

/// Page faults beyond which large pages were asked for in vain: one that did not come is 512 small ones, each a fault.
const FEW_FAULTS: usize = 256;

/// Fresh memory in large pages, given back unless it was moved.
pub(crate) struct Stretch {
    pub(crate) start: *mut u8,
    length: usize,
}

impl Stretch {
    /// So many bytes, a multiple of [`LARGE_PAGE`].
    pub(crate) fn new(length: usize) -> Option<Stretch> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        let more = length.checked_add(LARGE_PAGE)?;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory of ours.
        let map = unsafe { rustix::mm::mmap_anonymous(null_mut(), more, ProtFlags::READ | ProtFlags::WRITE, flags) };
        let map = map.ok()?.cast::<u8>();
        let before = map.align_offset(LARGE_PAGE).min(LARGE_PAGE);
        // SAFETY: `before` is at most the size of a large page, by which the mapping is longer than `length`.
        let start = unsafe { map.add(before) };
        give_back(map, before);
        // SAFETY: the end of the stretch lies in the mapping, or is its end.
        give_back(unsafe { start.add(length) }, LARGE_PAGE - before);
        let stretch = Stretch { start, length };
        // SAFETY: the range is ours. It changes the size of pages alone; where there are no large ones it is refused.
        unsafe { rustix::mm::madvise(start.cast(), length, Advice::LinuxHugepage) }.ok()?;
        Some(stretch)
    }

    /// It is somebody else's now.
    pub(crate) fn moved(self) {
        std::mem::forget(self);
    }
}

impl Drop for Stretch {
    fn drop(&mut self) {
        give_back(self.start, self.length);
    }
}

/// Gives back part of a mapping that nobody uses.
fn give_back(start: *mut u8, length: usize) {
    if length > 0 {
        // SAFETY: the caller mapped it, and nobody knows of it.
        let _ = unsafe { rustix::mm::munmap(start.cast(), length) };
    }
}

/// True if `fill`, which writes to memory that was asked for in large pages, was given them. `expected`: faults that it has besides.
pub(crate) fn are_large(expected: usize, fill: impl FnOnce()) -> bool {
    let before = faults();
    fill();
    faults().saturating_sub(before) <= expected + FEW_FAULTS
}

/// Page faults of this process so far.
fn faults() -> usize {
    // SAFETY: zero is a value of this type.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` lives through the call.
    let told = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    if told == 0 { usize::try_from(usage.ru_minflt).unwrap_or(0) } else { 0 }
}
