//! Files: positioned reads, holes, sealed memory files.
//!
//! Everything here goes to the kernel without the C library in between (`rustix`), so that the jail's list of system
//! calls is the same with every C library.

use rustix::fs::{MemfdFlags, SealFlags, SeekFrom};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Reads at `offset` until `buffer` is full or the file ends. Gives the number of bytes read.
///
/// # Errors
/// The kernel's, with whatever was read before it lost.
pub fn read_at(file: BorrowedFd<'_>, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        match rustix::io::pread(file, rest, at) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(done)
}

/// Reads `count` bytes from `offset`, or as many as there are, into memory that is not cleared before.
///
/// # Errors
/// The kernel's, with whatever was read before it lost.
pub fn read_vec_at(file: BorrowedFd<'_>, offset: u64, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(count);
    while bytes.len() < count {
        let at = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut bytes), at) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // There may be room for more than was asked for.
    bytes.truncate(count);
    Ok(bytes)
}

/// The first offset at or after `offset` that is not in a hole; absent if only a hole follows.
///
/// # Errors
/// The kernel's: the file cannot be sought, or `offset` is behind its end.
pub fn next_data(file: BorrowedFd<'_>, offset: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, SeekFrom::Data(offset)) {
        Ok(at) => Ok(Some(at)),
        Err(Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A file in memory that holds `bytes` and can never change again.
///
/// # Errors
/// The kernel's: no memory files, or no memory.
pub fn sealed_memory(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memory(name)?);
    file.write_all(bytes)?;
    seal(file.as_fd())?;
    Ok(OwnedFd::from(file))
}

/// An empty file in memory, to be filled and then [sealed](seal).
///
/// # Errors
/// The kernel's: no memory files.
pub fn memory(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know that a memory file may be told never to become executable.
    match rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => Ok(rustix::fs::memfd_create(name, flags)?),
        made => Ok(made?),
    }
}

/// Makes a file in memory unchangeable, for ever and for everybody.
///
/// # Errors
/// When it is no such file, or still mapped for writing.
pub fn seal(file: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::fs::fcntl_add_seals(file, SEALS)?)
}

/// True if nobody can change the file any more.
#[must_use]
pub fn is_sealed(file: BorrowedFd<'_>) -> bool {
    rustix::fs::fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SEALS))
}

const SEALS: SealFlags = SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

/// The size of a file in bytes.
///
/// # Errors
/// The kernel's.
pub fn size(file: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(u64::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_file_cannot_change() {
        let file = sealed_memory("test", b"badger").unwrap();
        assert!(is_sealed(file.as_fd()));
        assert_eq!(size(file.as_fd()).unwrap(), 6);
        let mut file = File::from(file);
        assert!(file.write_all(b"x").is_err());
        assert!(file.set_len(0).is_err());
        assert!(!is_sealed(memory("test").unwrap().as_fd()));
    }

    #[test]
    fn reads_stop_at_the_end() {
        let file = sealed_memory("test", b"badger").unwrap();
        let mut buffer = [0; 4];
        assert_eq!(read_at(file.as_fd(), 1, &mut buffer).unwrap(), 4);
        assert_eq!(&buffer, b"adge");
        assert_eq!(read_at(file.as_fd(), 4, &mut buffer).unwrap(), 2);
        assert_eq!(read_at(file.as_fd(), 99, &mut buffer).unwrap(), 0);
        assert!(read_at(file.as_fd(), u64::MAX, &mut buffer).is_err());
    }

    #[test]
    fn holes_are_skipped() {
        let file = File::from(memory("test").unwrap());
        file.set_len(1 << 20).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"x", 512 << 10).unwrap();
        assert_eq!(next_data(file.as_fd(), 0).unwrap(), Some(512 << 10));
        assert_eq!(next_data(file.as_fd(), 600 << 10).unwrap(), None);
    }
}
