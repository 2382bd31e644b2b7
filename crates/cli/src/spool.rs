//! Streams become files: bytes that can only be read once are copied into sealed memory.
//!
//! A worker reads at offsets and in any order, which a pipe does not allow. The copy is a memory file without a name,
//! sealed against every change, and holds at most a quota; what was beyond it is reported, never forgotten.

use std::io::{self, ErrorKind};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::{Errno, read, write};

use crate::interrupt::Interrupt;

/// A stream, copied.
#[derive(Debug)]
pub(crate) struct Spooled {
    /// The sealed copy.
    pub(crate) file: OwnedFd,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// True if the stream goes on after the quota.
    pub(crate) cut: bool,
}

/// Copies at most `quota` bytes of a stream. Waits for more as long as the stream is open, unless interrupted.
///
/// # Errors
/// When the stream cannot be read, or there is no memory for the copy.
pub(crate) fn spool(stream: impl AsFd, quota: u64, interrupt: &Interrupt) -> io::Result<Spooled> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create("dachs-spool", flags)?;
    let mut buffer = vec![0; 1 << 16];
    let (mut size, mut cut) = (0_u64, false);
    while let count @ 1.. = wait_and_read(stream.as_fd(), &mut buffer, interrupt)? {
        let room = usize::try_from(quota - size).unwrap_or(usize::MAX);
        let kept = buffer.get(..count.min(room)).unwrap_or_default();
        write_all(&file, kept)?;
        size = size.saturating_add(u64::try_from(kept.len()).unwrap_or(u64::MAX));
        if kept.len() < count {
            cut = true;
            break;
        }
    }
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(Spooled { file, size, cut })
}

fn wait_and_read(stream: impl AsFd, buffer: &mut [u8], interrupt: &Interrupt) -> io::Result<usize> {
    let patience = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
    loop {
        if interrupt.asked() {
            return Err(io::Error::new(ErrorKind::Interrupted, "interrupted"));
        }
        match poll(&mut [PollFd::new(&stream, PollFlags::IN)], Some(&patience)) {
            Ok(0) | Err(Errno::INTR) => continue,
            _ => {}
        }
        match read(&stream, &mut *buffer) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(io::Error::other(crate::walk::said(error))),
            Ok(count) => return Ok(count),
        }
    }
}

fn write_all(file: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match write(file, rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};

    fn copied(bytes: &[u8], quota: u64) -> (Vec<u8>, bool) {
        let (reader, mut writer) = io::pipe().unwrap();
        let bytes = bytes.to_vec();
        let thread = std::thread::spawn(move || writer.write_all(&bytes));
        let spooled = spool(&reader, quota, &Interrupt::default()).unwrap();
        drop(reader);
        let _ = thread.join();
        let mut file = std::fs::File::from(spooled.file);
        let mut copy = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut copy).unwrap();
        assert_eq!(copy.len() as u64, spooled.size);
        assert!(file.write_all(b"x").is_err(), "the copy is sealed");
        (copy, spooled.cut)
    }

    #[test]
    fn a_stream_is_copied_up_to_its_quota() {
        let long = vec![7; 200_000];
        assert_eq!(copied(b"", 10), (b"".to_vec(), false));
        assert_eq!(copied(b"badger", 6), (b"badger".to_vec(), false));
        assert_eq!(copied(b"badgers", 6), (b"badger".to_vec(), true));
        assert_eq!(copied(&long, 1 << 20), (long.clone(), false));
        assert_eq!(copied(&long, 0), (Vec::new(), true));
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        let (reader, _writer) = io::pipe().unwrap();
        let interrupt = Interrupt::default();
        interrupt.ask();
        assert!(spool(&reader, 1, &interrupt).is_err());
    }
}
