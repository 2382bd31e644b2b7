//! A regular file that was found, and all that is needed to open it as such ([`crate::input`]).

use std::ffi::CString;
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::fs::Stat;

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
    /// True if its name may be a symbolic link.
    pub(crate) follow: bool,
    /// True if the kernel makes it up.
    pub(crate) kernel: bool,
}

impl Candidate {
    /// A file with this path and this name in its directory. Where it lies and how it is opened is filled in after.
    pub(super) fn new(path: Vec<u8>, name: CString, stat: &Stat) -> Candidate {
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        Candidate { path, directory: None, name, size, follow: false, kernel: false }
    }
}
