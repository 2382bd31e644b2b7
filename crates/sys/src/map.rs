//! Read-only views of files.
//!
//! A compiled image is mapped, never read: all processes share its pages. What is mapped must not change underneath: a
//! sealed memory file cannot; a file on disk is the administrator's, replaced by rename and never written in place. A
//! file that is cut short while it is mapped kills whoever reads the missing page (SIGBUS), and does nothing worse. The
//! files that are scanned are never mapped.

use rustix::mm::{Advice, MapFlags, ProtFlags};
use std::ffi::c_void;
use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

/// A whole file, seen as bytes.
pub struct Map {
    start: NonNull<c_void>,
    length: usize,
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
            return Ok(Map { start: NonNull::dangling(), length });
        }
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory of ours.
        let start =
            unsafe { rustix::mm::mmap(std::ptr::null_mut(), length, ProtFlags::READ, MapFlags::SHARED, file, 0)? };
        let start = NonNull::new(start).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Map { start, length })
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
    /// page cache.
    pub fn forget(&self) {
        if self.length > 0 {
            // SAFETY: the range is a mapping of ours that nobody writes to, so that the same bytes come back. If it is refused,
            // the pages just stay.
            let _ = unsafe { rustix::mm::madvise(self.start.as_ptr(), self.length, Advice::LinuxDontNeed) };
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: the range is a mapping of ours, and no reference to its bytes outlives `self`. An error changes nothing.
            let _ = unsafe { rustix::mm::munmap(self.start.as_ptr(), self.length) };
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
        assert_eq!(Map::new(empty.as_fd()).unwrap().bytes(), b"");
    }
}
