//! Streams become files: bytes that come in pieces are kept until they are scanned.
//!
//! ```text
//! piece ──> memory file (up to 16 MiB each, all together up to DachsSpoolMemory)
//!             └─ too large, or memory is used up ──> file without a name (all together up to DachsSpoolDisk)
//!                                                      └─ no room ──> an error for this stream, and for it alone
//! ```
//!
//! A memory file is sealed before it is scanned. A file on disk never has a name, so nothing is left behind however the
//! service ends. What a stream has taken is given back when its [`Spooled`] is dropped.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dachs_sys::fd::{memory, seal};
use rustix::fd::AsFd;
use rustix::fs::{Mode, OFlags, open};

/// A larger stream goes to disk, in bytes.
const LARGEST_IN_MEMORY: u64 = 16 << 20;

/// How many bytes may be kept, and how many are.
#[derive(Debug)]
pub(crate) struct Store {
    memory: Room,
    disk: Room,
    folder: PathBuf,
}

#[derive(Debug)]
struct Room {
    used: AtomicU64,
    most: u64,
}

/// A stream that comes in.
#[derive(Debug)]
pub(crate) struct Spool {
    store: Arc<Store>,
    file: File,
    in_memory: bool,
    size: u64,
}

/// A stream that is complete. Its room is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Spooled {
    spool: Spool,
}

impl Store {
    /// Room for so many bytes in memory and on disk, in this folder.
    pub(crate) fn new(memory: u64, disk: u64, folder: PathBuf) -> Store {
        let room = |most| Room { used: AtomicU64::new(0), most };
        Store { memory: room(memory), disk: room(disk), folder }
    }

    /// Bytes that are kept in memory and on disk.
    pub(crate) fn used(&self) -> (u64, u64) {
        (self.memory.used.load(Ordering::Relaxed), self.disk.used.load(Ordering::Relaxed))
    }

    fn disk_file(&self) -> io::Result<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        Ok(File::from(open(&self.folder, flags, Mode::RUSR | Mode::WUSR)?))
    }
}

impl Room {
    fn take(&self, bytes: u64) -> bool {
        let room = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.most);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }

    fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Spool {
    /// A stream begins.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(crate) fn new(store: &Arc<Store>) -> io::Result<Spool> {
        Ok(Spool { store: Arc::clone(store), file: File::from(memory("dachs-stream")?), in_memory: true, size: 0 })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// When there is no room for them.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let stays = self.in_memory && self.size.saturating_add(count) <= LARGEST_IN_MEMORY;
        if !(stays && self.store.memory.take(count)) {
            if self.in_memory {
                self.move_to_disk()?;
            }
            if !self.store.disk.take(count) {
                return Err(io::ErrorKind::QuotaExceeded.into());
            }
        }
        self.size += count;
        self.file.write_all(bytes)
    }

    /// How many bytes there are.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The stream is complete.
    ///
    /// # Errors
    /// When it cannot be made unchangeable.
    pub(crate) fn finish(self) -> io::Result<Spooled> {
        if self.in_memory {
            seal(self.file.as_fd())?;
        }
        Ok(Spooled { spool: self })
    }

    fn move_to_disk(&mut self) -> io::Result<()> {
        if !self.store.disk.take(self.size) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let copied = self.store.disk_file().and_then(|mut file| {
            self.file.rewind()?;
            io::copy(&mut (&self.file).take(self.size), &mut file)?;
            Ok(file)
        });
        match copied {
            Ok(file) => {
                self.store.memory.give(self.size);
                (self.file, self.in_memory) = (file, false);
                Ok(())
            }
            Err(error) => {
                self.store.disk.give(self.size);
                Err(error)
            }
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let room = if self.in_memory { &self.store.memory } else { &self.store.disk };
        room.give(self.size);
    }
}

impl Spooled {
    /// How many bytes there are.
    pub(crate) fn size(&self) -> u64 {
        self.spool.size
    }

    /// The bytes, open for reading only.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(crate) fn file(&self) -> io::Result<OwnedFd> {
        let path = format!("/proc/self/fd/{}", self.spool.file.as_raw_fd());
        Ok(open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(spooled: &Spooled) -> Vec<u8> {
        let mut bytes = Vec::new();
        File::from(spooled.file().unwrap()).read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn streams_move_to_disk_when_memory_is_used_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::new(10, 20, folder.path().to_owned()));
        let mut small = Spool::new(&store).unwrap();
        small.add(b"123456").unwrap();
        let mut other = Spool::new(&store).unwrap();
        other.add(b"abc").unwrap();
        other.add(b"defghij").unwrap();
        assert_eq!(store.used(), (6, 10));
        let (small, other) = (small.finish().unwrap(), other.finish().unwrap());
        assert_eq!((kept(&small), kept(&other)), (b"123456".to_vec(), b"abcdefghij".to_vec()));
        let mut third = Spool::new(&store).unwrap();
        assert!(third.add(&[0; 11]).is_err());
        drop((small, other, third));
        assert_eq!(store.used(), (0, 0));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_full_disk_is_an_error_and_no_more() {
        let store = Arc::new(Store::new(4, 4, PathBuf::from("/nowhere")));
        let mut spool = Spool::new(&store).unwrap();
        spool.add(b"1234").unwrap();
        assert!(spool.add(b"5").is_err());
        drop(spool);
        assert_eq!(store.used(), (0, 0));
    }
}
