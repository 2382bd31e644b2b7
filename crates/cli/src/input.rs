//! Bytes that are ready to be scanned: a descriptor that can be read at offsets, and a size.
//!
//! A regular file is opened relative to its directory, without following links unless asked, without blocking on what
//! it might have become (`O_NONBLOCK`), and used only if it still is a regular file. Files whose bytes are made when
//! they are read (size 0 but not empty, or on a file system of the kernel) are copied into memory first, and so is
//! standard input, because a worker reads at offsets and wants to know a size.

use std::io;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fcntl_getfl, fstat, openat, tell};
use rustix::io::{Errno, fcntl_dupfd_cloexec, pread};

use crate::interrupt::Interrupt;
use crate::spool::spool;
use crate::walk::{Candidate, said};

/// How much of a made-up file is copied into memory, in bytes.
const MADE_UP_QUOTA: u64 = 64 << 20;

/// Bytes that are ready to be scanned.
#[derive(Debug)]
pub(crate) struct Input {
    /// The file, or a sealed copy; opened for reading only.
    pub(crate) file: OwnedFd,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Set if only a first part is there: a sentence that says so.
    pub(crate) cut: Option<String>,
}

/// Why a candidate could not be opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// It holds bytes that nobody can look at: why.
    Gap(String),
    /// It is gone.
    Vanished,
}

impl From<Errno> for Unopened {
    fn from(error: Errno) -> Unopened {
        match error {
            Errno::NOENT => Unopened::Vanished,
            Errno::LOOP => changed(),
            other => Unopened::Gap(said(other)),
        }
    }
}

impl Candidate {
    /// Opens it for scanning.
    ///
    /// # Errors
    /// When it is gone, may not be read, or is no regular file any more.
    pub(crate) fn open(&self, interrupt: &Interrupt) -> Result<Input, Unopened> {
        let file = self.open_here()?;
        let stat = fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(changed());
        }
        if !self.kernel && (stat.st_size > 0 || is_empty(&file)) {
            return Ok(Input { file, size: size(&stat), cut: None });
        }
        copy(&file, MADE_UP_QUOTA, interrupt, "").map_err(|error| Unopened::Gap(error.to_string()))
    }

    fn open_here(&self) -> Result<OwnedFd, Errno> {
        let at = self.directory.as_ref().map_or(CWD, |directory| directory.as_fd());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        openat(at, &self.name, if self.follow { flags } else { flags | OFlags::NOFOLLOW }, Mode::empty())
    }
}

/// Standard input: the file itself if it is one, else a copy of at most `quota` bytes.
///
/// # Errors
/// When it cannot be read, or there is no memory for the copy.
pub(crate) fn stdin(quota: u64, interrupt: &Interrupt) -> io::Result<Input> {
    stream(rustix::stdio::stdin(), quota, interrupt)
}

fn stream(stream: impl AsFd, quota: u64, interrupt: &Interrupt) -> io::Result<Input> {
    let stat = fstat(&stream)?;
    let whole = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && tell(&stream) == Ok(0);
    let safe = fcntl_getfl(&stream)? & OFlags::RWMODE == OFlags::RDONLY;
    if whole && safe && stat.st_size > 0 {
        return Ok(Input { file: fcntl_dupfd_cloexec(&stream, 3)?, size: size(&stat), cut: None });
    }
    copy(stream, quota, interrupt, " (--max-stdin)")
}

fn copy(from: impl AsFd, quota: u64, interrupt: &Interrupt, option: &str) -> io::Result<Input> {
    let spooled = spool(from, quota, interrupt)?;
    let cut = spooled.cut.then(|| format!("only its first {} bytes were read{option}", spooled.size));
    Ok(Input { file: spooled.file, size: spooled.size, cut })
}

fn changed() -> Unopened {
    Unopened::Gap("it changed while it was opened".to_owned())
}

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn is_empty(file: &OwnedFd) -> bool {
    pread(file, &mut [0_u8], 0) == Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::{Options, Step, Walk};
    use std::fs::{self, File};
    use std::io::{Seek, SeekFrom, Write};

    fn candidate(path: &std::path::Path) -> Candidate {
        match Walk::new(vec![path.into()], Options::default()).next() {
            Some(Step::File(candidate)) => candidate,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_are_opened_as_what_they_were_found_as() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let (interrupt, open) = (Interrupt::default(), |candidate: &Candidate| candidate.open(&Interrupt::default()));
        fs::write(&path, "badger").unwrap();
        assert_eq!(candidate(&path).open(&interrupt).unwrap().size, 6);
        let found = candidate(&path);
        fs::remove_file(&path).unwrap();
        assert_eq!(open(&found).unwrap_err(), Unopened::Vanished);
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(open(&found).unwrap_err(), changed());
    }

    #[test]
    fn made_up_files_are_copied() {
        let made_up = candidate(std::path::Path::new("/proc/self/status")).open(&Interrupt::default()).unwrap();
        assert!(made_up.size > 0 && made_up.cut.is_none());
        assert_eq!(fstat(&made_up.file).unwrap().st_size, i64::try_from(made_up.size).unwrap());
    }

    #[test]
    fn standard_input_that_is_a_file_is_not_copied() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"badger").unwrap();
        let reopened = |position| {
            let mut reader = File::open(format!("/proc/self/fd/{}", rustix::fd::AsRawFd::as_raw_fd(&file))).unwrap();
            reader.seek(SeekFrom::Start(position)).unwrap();
            stream(&reader, 2, &Interrupt::default()).unwrap()
        };
        assert_eq!((reopened(0).size, reopened(0).cut), (6, None));
        assert_eq!(reopened(1).cut.as_deref(), Some("only its first 2 bytes were read (--max-stdin)"));
        file.rewind().unwrap();
        assert_eq!(stream(&file, 2, &Interrupt::default()).unwrap().size, 2, "a file open for writing is copied");
    }
}
