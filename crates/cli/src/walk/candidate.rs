//! A file that was found, and how it is opened for scanning.
//!
//! It is opened relative to its directory, without following links unless asked, without blocking on what it might have
//! become (`O_NONBLOCK`), and used only if it still is a regular file. Files whose bytes are made when they are read
//! (size 0 but not empty, or on a file system of the kernel) are copied into memory first, because a worker reads at
//! offsets and wants to know a size.

use std::ffi::CString;
use std::sync::Arc;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::{Errno, pread};

use super::{Identity, said};
use crate::interrupt::Interrupt;
use crate::spool::{Spooled, spool};

/// How much of a made-up file is copied into memory.
const MADE_UP_QUOTA: u64 = 64 << 20;

/// A regular file that was found.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// Its path as shown.
    pub(crate) path: Vec<u8>,
    /// The directory it lies in; absent for an argument, whose name is a path.
    pub(crate) directory: Option<Arc<OwnedFd>>,
    /// Its name there.
    pub(crate) name: CString,
    /// Its size when it was found, in bytes.
    pub(crate) size: u64,
    follow: bool,
    kernel: bool,
}

/// A file that is ready to be scanned.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The file, or a sealed copy.
    pub(crate) file: OwnedFd,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Which file it is.
    pub(crate) identity: Identity,
    /// Set if only a first part was copied: a sentence that says so.
    pub(crate) cut: Option<String>,
}

/// Why a candidate could not be opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// It holds bytes that nobody can look at.
    Gap(String),
    /// It is gone.
    Vanished,
}

impl Candidate {
    pub(super) fn new(
        path: Vec<u8>,
        directory: Option<Arc<OwnedFd>>,
        name: CString,
        follow: bool,
        kernel: bool,
        stat: &Stat,
    ) -> Candidate {
        Candidate { path, directory, name, size: size(stat), follow, kernel }
    }

    /// Opens it for scanning.
    ///
    /// # Errors
    /// When it is gone, may not be read, or is no regular file any more.
    pub(crate) fn open(&self, interrupt: &Interrupt) -> Result<Opened, NotOpened> {
        let file = self.open_here().map_err(|error| match error {
            Errno::NOENT => NotOpened::Vanished,
            Errno::LOOP => NotOpened::Gap("it changed while it was opened".to_owned()),
            other => NotOpened::Gap(said(other)),
        })?;
        let stat = fstat(&file).map_err(|error| NotOpened::Gap(said(error)))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(NotOpened::Gap("it changed while it was opened".to_owned()));
        }
        let identity = Identity::from(&stat);
        if !self.kernel && (stat.st_size > 0 || is_empty(&file)) {
            return Ok(Opened { file, size: size(&stat), identity, cut: None });
        }
        let Spooled { file, size, cut } =
            spool(&file, MADE_UP_QUOTA, interrupt).map_err(|error| NotOpened::Gap(error.to_string()))?;
        Ok(Opened { file, size, identity, cut: cut.then(|| format!("only its first {size} bytes were read")) })
    }

    fn open_here(&self) -> Result<OwnedFd, Errno> {
        let at = self.directory.as_ref().map_or(CWD, |directory| directory.as_fd());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        openat(at, &self.name, if self.follow { flags } else { flags | OFlags::NOFOLLOW }, Mode::empty())
    }
}

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn is_empty(file: &OwnedFd) -> bool {
    pread(file, &mut [0_u8], 0) == Ok(0)
}
