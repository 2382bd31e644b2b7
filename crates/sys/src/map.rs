//! Read-only views of files.
//!
//! A compiled image is mapped, never read: all processes share its pages. What is mapped must not change underneath: a
//! sealed memory file cannot; a file on disk is the administrator's, replaced by rename and never written in place. A
//! file that is cut short while it is mapped kills whoever reads the missing page (SIGBUS), and does nothing worse. The
//! files that are scanned are never mapped.
//!
//! Who forks many processes that read the same parts can have [those copied](Map::partly_copied) to large pages: of a mapped file each process has
//! a fault for 16 pages, and as many entries of page tables to make and to drop.

use crate::large::{LARGE_PAGE, Stretch, are_large};
use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use std::ffi::c_void;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

/// So many large pages of a file are copied: 16 MiB.
const MOST_COPIED: usize = 8;

/// A whole file, seen as bytes.
pub struct Map {
    start: NonNull<c_void>,
    length: usize,
    /// If some of it is a copy: how long the mapping is, in which nothing may be given back.
    space: Option<usize>,
}

// SAFETY: the mapping is read-only and lives as long as the value, wherever it is dropped.
unsafe impl Send for Map {}
// SAFETY: as above; shared reads of memory that nobody writes.
unsafe impl Sync for Map {}

impl Map {
    /// Maps a file as it is now.
    ///
    /// # Errors
    /// The kernel's: the file is no regular or memory file, or is too large for the address space.
    pub fn new(file: BorrowedFd<'_>) -> io::Result<Map> {
        let length = usize::try_from(crate::fd::size(file)?).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if length == 0 {
            return Ok(Map { start: NonNull::dangling(), length, space: None });
        }
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory of ours.
        let start =
            unsafe { rustix::mm::mmap(std::ptr::null_mut(), length, ProtFlags::READ, MapFlags::SHARED, file, 0)? };
        let start = NonNull::new(start).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Map { start, length, space: None })
    }

    /// A file as it is now, of which those large pages are copies in which parts lie that are read `often`, sixteen megabytes at most; none
    /// where that cannot be had.
    #[must_use]
    pub fn partly_copied(file: BorrowedFd<'_>, often: &[Range<u64>]) -> Option<Map> {
        let length = usize::try_from(crate::fd::size(file).ok()?).ok().filter(|length| *length > 0)?;
        let space = length.checked_next_multiple_of(LARGE_PAGE)?;
        let stretch = Stretch::new(space)?;
        let mut copied = 0;
        for at in (0..length).step_by(LARGE_PAGE) {
            // SAFETY: the stretch is longer than `length`.
            let (place, size) = (unsafe { stretch.start.add(at) }, LARGE_PAGE.min(length - at));
            let (from, to) = (at as u64, (at + size) as u64);
            if copied < MOST_COPIED && often.iter().any(|part| part.start < to && part.end > from) {
                copied += 1;
                // SAFETY: so many bytes of the stretch begin there; the kernel has zeroed them, and nobody else knows of them.
                fill(unsafe { std::slice::from_raw_parts_mut(place, size) }, file, from)?;
            } else {
                let flags = MapFlags::SHARED | MapFlags::FIXED;
                // SAFETY: the place is ours, and nobody has used it.
                unsafe { rustix::mm::mmap(place.cast(), size, ProtFlags::READ, flags, file, from) }.ok()?;
            }
        }
        // SAFETY: the stretch is ours, and no reference to it is used any more.
        unsafe { rustix::mm::mprotect(stretch.start.cast(), space, MprotectFlags::READ) }.ok()?;
        let start = NonNull::new(stretch.start.cast())?;
        stretch.moved();
        Some(Map { start, length, space: Some(space) })
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `start` is a mapping of `length` readable bytes (or dangling and `length` is 0) until `self` is dropped;
        // nobody writes to it: see the head of this module.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast::<u8>(), self.length) }
    }
}

impl Map {
    /// Gives back what was read so far: it does not count as memory of ours any more. What is touched again comes from the
    /// page cache. A copy stays.
    pub fn forget(&self) {
        if self.length > 0 && self.space.is_none() {
            // SAFETY: the range is a mapping of ours that nobody writes to, so that the same bytes come back. If it is refused,
            // the pages just stay.
            let _ = unsafe { rustix::mm::madvise(self.start.as_ptr(), self.length, Advice::LinuxDontNeed) };
        }
    }
}

/// Reads a large page of a file; nothing if it came in small ones, or not whole.
fn fill(page: &mut [u8], file: BorrowedFd<'_>, at: u64) -> Option<()> {
    let mut got = None;
    let large = are_large(0, || got = crate::fd::read_at(file, at, page).ok());
    (large && got == Some(page.len())).then_some(())
}

impl Drop for Map {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: the range is a mapping of ours, and no reference to its bytes outlives `self`. An error changes nothing.
            let _ = unsafe { rustix::mm::munmap(self.start.as_ptr(), self.space.unwrap_or(self.length)) };
        }
    }
}

impl std::ops::Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes()
    }
}

impl std::fmt::Debug for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Map({} bytes)", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_map_shows_the_file() {
        let file = crate::fd::sealed_memory("test", b"badger").unwrap();
        let map = Map::new(file.as_fd()).unwrap();
        drop(file);
        assert_eq!(map.bytes(), b"badger");
        map.forget();
        assert_eq!(map.bytes(), b"badger");
        let empty = crate::fd::sealed_memory("test", b"").unwrap();
        assert!(Map::partly_copied(empty.as_fd(), &[]).is_none());
        assert_eq!(Map::new(empty.as_fd()).unwrap().bytes(), b"");
    }

    #[test]
    fn what_is_partly_copied_shows_the_same() {
        let page = u64::try_from(LARGE_PAGE).unwrap();
        let bytes: Vec<u8> = (0..3 * LARGE_PAGE + 5000).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
        let file = crate::fd::sealed_memory("test", &bytes).unwrap();
        let places: [&[Range<u64>]; 4] =
            [&[], &[5..6, 7..8], &[page - 1..page + 1, 3 * page + 10..9 * page], &[0..1, 0..4 * page]];
        for often in places {
            // There may be no large pages.
            if let Some(map) = Map::partly_copied(file.as_fd(), often) {
                map.forget();
                assert!(map.bytes() == bytes, "{often:?}");
            }
        }
    }
}
