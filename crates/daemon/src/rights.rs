//! Opens a path with no more rights than the client has.
//!
//! The service may read what its client may not, so it must not be a way around permissions. The path is walked one name
//! at a time, each step by a descriptor of the last one, and each is judged for the client's user and groups before the
//! next is taken:
//!
//! ```text
//! /            x for the client?   O_PATH, no link is followed by the kernel
//!   home       x?
//!     link     read and put in front of what is left (40 links at most, as in the kernel)
//!       file   r?  regular file or folder?  opened through /proc/self/fd, so it is the one that was judged
//! ```
//!
//! What was judged is what is opened, whoever renames things meanwhile. Root and the service's own user are not judged:
//! the kernel does that. A file with an access control list is judged by the bits for others alone, because the bits of the
//! group mean something else there. In the end the service opens the file with its own rights, so that nobody gets more
//! than those either.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{FileType, Mode, OFlags, RawMode, Stat, fstat, getxattr, open, openat, readlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::peer::Peer;

/// So many symbolic links are followed: path_resolution(7).
const LINKS: u32 = 40;

/// What a path led to.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Open for reading, without blocking.
    pub(crate) file: OwnedFd,
    pub(crate) stat: Stat,
}

impl Opened {
    pub(crate) fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> u64 {
        u64::try_from(self.stat.st_size).unwrap_or(0)
    }
}

/// Opens a file or a folder for reading as this client may. Other things are found, but not opened: their descriptor is
/// good for nothing.
///
/// # Errors
/// The kernel's, or its answer for a client without the right.
pub(crate) fn open_as(peer: &Peer, path: &[u8]) -> Result<Opened, Errno> {
    let root = open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    walk(peer, root, path, true)
}

/// As [`open_as`], for one name in a folder that was opened so; a link is followed only if asked.
///
/// # Errors
/// As [`open_as`]; `LOOP` for a link that is not followed.
pub(crate) fn open_in(peer: &Peer, folder: impl AsFd, name: &OsStr, follow: bool) -> Result<Opened, Errno> {
    let folder = openat(folder, ".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    walk(peer, folder, name.as_bytes(), follow)
}

fn walk(peer: &Peer, start: OwnedFd, path: &[u8], follow: bool) -> Result<Opened, Errno> {
    let mut left: VecDeque<Vec<u8>> = names(path);
    let (mut here, mut links) = (start, 0);
    while let Some(name) = left.pop_front() {
        let stat = fstat(&here)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Err(Errno::NOTDIR);
        }
        permit(peer, &here, &stat, Mode::XOTH)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let next = openat(&here, OsStr::from_bytes(&name), flags, Mode::empty())?;
        if FileType::from_raw_mode(fstat(&next)?.st_mode) != FileType::Symlink {
            here = next;
            continue;
        }
        links += 1;
        if links > LINKS || (!follow && left.is_empty()) {
            return Err(Errno::LOOP);
        }
        let target = readlinkat(&next, "", Vec::new())?.into_bytes();
        if target.first() == Some(&b'/') {
            here = open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        }
        names(&target).into_iter().rev().for_each(|name| left.push_front(name));
    }
    finish(peer, here)
}

fn names(path: &[u8]) -> VecDeque<Vec<u8>> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
}

fn finish(peer: &Peer, here: OwnedFd) -> Result<Opened, Errno> {
    let stat = fstat(&here)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if !matches!(kind, FileType::RegularFile | FileType::Directory) {
        return Ok(Opened { file: here, stat });
    }
    permit(peer, &here, &stat, Mode::ROTH)?;
    if kind == FileType::Directory {
        permit(peer, &here, &stat, Mode::XOTH)?;
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = open(format!("/proc/self/fd/{}", here.as_raw_fd()), flags, Mode::empty())?;
    Ok(Opened { stat: fstat(&file)?, file })
}

/// Whether the client has a right, given as the bit for others.
fn permit(peer: &Peer, object: &OwnedFd, stat: &Stat, right: Mode) -> Result<(), Errno> {
    let user = peer.user();
    let unjudged = !peer.is_remote() && (user == 0 || user == geteuid().as_raw());
    if unjudged || may(peer, stat, right.as_raw_mode(), || has_list(object)) { Ok(()) } else { Err(Errno::ACCESS) }
}

fn may(peer: &Peer, stat: &Stat, right: RawMode, has_list: impl FnOnce() -> bool) -> bool {
    // The owner's bits rule for the owner, and so on, though those of others may say more: path_resolution(7).
    if stat.st_uid == peer.user() && !peer.is_remote() {
        return stat.st_mode & (right << 6) != 0;
    }
    let others = stat.st_mode & right != 0;
    if has_list() {
        return others && stat.st_mode & (right << 3) != 0;
    }
    if peer.is_in(stat.st_gid) { stat.st_mode & (right << 3) != 0 } else { others }
}

/// True if the object has an access control list, or nobody can tell: acl(5).
fn has_list(object: &OwnedFd) -> bool {
    let path = format!("/proc/self/fd/{}", object.as_raw_fd());
    match getxattr(path, "system.posix_acl_access", &mut [0_u8; 0]) {
        Ok(_) => true,
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOENT) => false,
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::may as may_bits;
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, mode: u32| {
            let path = folder.path().join(name);
            fs::write(&path, "x").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir(folder.path().join("closed")).unwrap();
        fs::create_dir(folder.path().join("open")).unwrap();
        for (name, mode) in [("all", 0o644), ("owner", 0o600), ("group", 0o640), ("closed/x", 0o644), ("open/x", 0o644)]
        {
            write(name, mode);
        }
        symlink("owner", folder.path().join("link")).unwrap();
        symlink("../open/x", folder.path().join("open/up")).unwrap();
        symlink("loop", folder.path().join("loop")).unwrap();
        fs::set_permissions(folder.path().join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn opened(peer: &Peer, folder: &Path, name: &str) -> Result<(), Errno> {
        open_as(peer, folder.join(name).as_os_str().as_bytes()).map(|_| ())
    }

    #[test]
    fn a_stranger_gets_what_everybody_may_read() {
        let folder = tree();
        let stranger = Peer::sample(4_000_000, &[]);
        for (name, expected) in [
            ("all", Ok(())),
            ("open/x", Ok(())),
            ("open/up", Ok(())),
            ("open/../all", Ok(())),
            ("owner", Err(Errno::ACCESS)),
            ("group", Err(Errno::ACCESS)),
            ("link", Err(Errno::ACCESS)),
            ("closed/x", Err(Errno::ACCESS)),
            ("closed/../all", Err(Errno::ACCESS)),
            ("loop", Err(Errno::LOOP)),
            ("nothing", Err(Errno::NOENT)),
            ("all/x", Err(Errno::NOTDIR)),
        ] {
            assert_eq!(opened(&stranger, folder.path(), name), expected, "{name}");
        }
        let own = rustix::process::getegid().as_raw();
        assert_eq!(opened(&Peer::sample(4_000_000, &[own]), folder.path(), "group"), Ok(()));
        assert_eq!(opened(&Peer::sample(geteuid().as_raw(), &[]), folder.path(), "owner"), Ok(()));
        let remote = Peer::remote([127, 0, 0, 1].into(), 1);
        assert_eq!(opened(&remote, folder.path(), "all"), Ok(()));
        assert_eq!(opened(&remote, folder.path(), "owner"), Err(Errno::ACCESS));
    }

    #[test]
    fn the_bits_are_judged_as_the_kernel_does() {
        let mut stat = fstat(fs::File::open("/").unwrap()).unwrap();
        (stat.st_uid, stat.st_gid) = (7, 8);
        let mut may = |mode, user, groups: &[u32], list| {
            stat.st_mode = mode;
            may_bits(&Peer::sample(user, groups), &stat, 4, || list)
        };
        assert!(may(0o400, 7, &[], false) && !may(0o044, 7, &[8], false));
        assert!(may(0o040, 9, &[8], false) && !may(0o404, 9, &[8], false));
        assert!(may(0o004, 9, &[], false) && !may(0o440, 9, &[], false));
        assert!(!may(0o040, 9, &[8], true) && may(0o044, 9, &[8], true));
    }
}
