//! Names looked up in an open directory.

use std::ffi::CStr;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;

/// What stands under a name; of what a link leads to only if asked to follow.
pub(super) fn status(at: impl AsFd, name: &CStr, follow: bool) -> Result<Stat, Errno> {
    statat(at, name, if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW })
}

/// Opens a directory; through a link only if asked to follow.
pub(super) fn open_directory(at: impl AsFd, name: &CStr, follow: bool) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    openat(at, name, if follow { flags } else { flags | OFlags::NOFOLLOW }, Mode::empty())
}

/// What the system says about an error, in small letters and without a number.
pub(crate) fn said(error: Errno) -> String {
    let text = std::io::Error::from(error).to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
