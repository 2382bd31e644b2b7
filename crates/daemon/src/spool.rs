//! Streams become files: bytes that come in pieces are kept until they are scanned.
//!
//! ```text
//! piece ──> memory file (up to 16 MiB each, all together up to DachsSpoolMemory; large ones come in a few at a time: `inflow`)
//!             └─ too large, or memory is used up ──> file without a name (all together up to DachsSpoolDisk)
//!                                                      └─ no room ──> an error for this stream, and for it alone
//! ```
//!
//! A memory file is sealed before it is scanned. A file on disk never has a name, so nothing is left behind however the
//! service ends. What a stream has taken is given back when its [`Spooled`] is dropped. On their way from the socket to the
//! file, bytes are in one of a few buffers that all streams share: there are many clients, and at one moment few of them bring
//! something.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dachs_sys::fd::{memory, seal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::inflow::{Inflow, Place, SMALL};
use crate::peer::Client;

/// A larger stream goes to disk, in bytes.
const LARGEST_IN_MEMORY: u64 = 16 << 20;
/// Bytes that are read at once.
const READ: usize = 128 << 10;
/// Buffers that are kept for the next who reads.
const KEPT: usize = 4;

/// How many bytes may be kept, and how many are.
#[derive(Debug)]
pub(crate) struct Store {
    memory: Room,
    disk: Room,
    folder: PathBuf,
    inflow: Arc<Inflow>,
    buffers: Mutex<Vec<Box<[u8]>>>,
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
    client: Client,
    /// Once it is large.
    place: Option<Place>,
    file: File,
    in_memory: bool,
    size: u64,
}

/// A stream that is complete. Its room is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Spooled {
    spool: Spool,
}

/// What came from a socket.
#[derive(Debug)]
pub(crate) enum Received {
    /// So many bytes; 0 at the end.
    Bytes(usize),
    /// The client is gone.
    Gone,
    /// There is no room for what came.
    NoRoom(io::Error),
    /// Nothing yet.
    Nothing,
}

impl Store {
    /// Room for so many bytes in memory and on disk, in this folder, and places for so many large streams.
    pub(crate) fn new(memory: u64, disk: u64, folder: PathBuf, places: usize) -> Store {
        let room = |most| Room { used: AtomicU64::new(0), most };
        let inflow = Arc::new(Inflow::new(places));
        Store { memory: room(memory), disk: room(disk), folder, inflow, buffers: Mutex::default() }
    }

    /// Lends a buffer.
    fn with_buffer<T>(&self, work: impl FnOnce(&mut [u8]) -> T) -> T {
        let buffers = || self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = buffers().pop();
        let mut buffer = kept.unwrap_or_else(|| vec![0; READ].into_boxed_slice());
        let done = work(&mut buffer);
        let mut kept = buffers();
        if kept.len() < KEPT {
            kept.push(buffer);
        }
        done
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
    /// A stream of this client begins.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(crate) fn new(store: &Arc<Store>, client: Client) -> io::Result<Spool> {
        let file = File::from(memory("dachs-stream")?);
        Ok(Spool { store: Arc::clone(store), client, place: None, file, in_memory: true, size: 0 })
    }

    /// Adds what waits in a socket, at most so many bytes. A large stream may wait for its turn first.
    pub(crate) fn receive(&mut self, socket: impl AsFd, most: u64) -> Received {
        if !self.take_place(&|| has_hung_up(socket.as_fd())) {
            return Received::Gone;
        }
        let store = Arc::clone(&self.store);
        store.with_buffer(|buffer| {
            let most = usize::try_from(most).unwrap_or(usize::MAX).min(buffer.len());
            let space = buffer.get_mut(..most).unwrap_or_default();
            match recv(socket, &mut *space, RecvFlags::DONTWAIT) {
                Ok((count, _)) => match self.add(space.get(..count).unwrap_or_default()) {
                    Ok(()) => Received::Bytes(count),
                    Err(error) => Received::NoRoom(error),
                },
                Err(Errno::AGAIN | Errno::INTR) => Received::Nothing,
                Err(_) => Received::Gone,
            }
        })
    }

    /// Adds bytes. A large stream may wait for its turn first.
    ///
    /// # Errors
    /// When there is no room for them.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.take_place(&|| false);
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if let Some(place) = &self.place {
            place.brought(count);
        }
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
        if let Some(place) = &self.place {
            place.complete();
        }
        Ok(Spooled { spool: self })
    }

    /// False if the client is gone before there is one for it.
    fn take_place(&mut self, is_gone: &dyn Fn() -> bool) -> bool {
        if self.size >= SMALL && self.place.is_none() {
            self.place = self.store.inflow.enter(self.client, is_gone);
            return self.place.is_some();
        }
        true
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

/// True if nobody is at the other end any more. Who has just nothing more to say still is, as far as can be seen.
fn has_hung_up(socket: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(socket, PollFlags::empty())];
    let lost = PollFlags::HUP | PollFlags::ERR;
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok() && polled[0].revents().intersects(lost)
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
        let store = Arc::new(Store::new(10, 20, folder.path().to_owned(), 1));
        let mut small = Spool::new(&store, Client::User(1)).unwrap();
        small.add(b"123456").unwrap();
        let mut other = Spool::new(&store, Client::User(1)).unwrap();
        other.add(b"abc").unwrap();
        other.add(b"defghij").unwrap();
        assert_eq!(store.used(), (6, 10));
        let (small, other) = (small.finish().unwrap(), other.finish().unwrap());
        assert_eq!((kept(&small), kept(&other)), (b"123456".to_vec(), b"abcdefghij".to_vec()));
        let mut third = Spool::new(&store, Client::User(1)).unwrap();
        assert!(third.add(&[0; 11]).is_err());
        drop((small, other, third));
        assert_eq!(store.used(), (0, 0));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_full_disk_is_an_error_and_no_more() {
        let store = Arc::new(Store::new(4, 4, PathBuf::from("/nowhere"), 1));
        let mut spool = Spool::new(&store, Client::User(1)).unwrap();
        spool.add(b"1234").unwrap();
        assert!(spool.add(b"5").is_err());
        drop(spool);
        assert_eq!(store.used(), (0, 0));
    }
}
