//! What is done with a detected file: moved, copied or removed, and never another file in its place.
//!
//! Between the scan and the act, others may have put something else under the same name: a link, a file of somebody
//! else, a directory that leads elsewhere. So nothing is looked up again by its path:
//!
//! ```text
//! directory held open since the walk (for an argument: opened without passing any symbolic link)
//!   └─ name: is it the inode that was scanned?   else it is left alone
//!        └─ renamed to a random name beside it, replacing nothing: now nobody else knows its name
//!             └─ is it still that inode?          else it gets its name back
//!                  └─ unlinked, or moved on
//! ```
//!
//! The scanned file stays open all the time, so that its inode number cannot be given to another. A copy is read from
//! that descriptor, not from the name.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, ResolveFlags, fstat, openat, openat2, renameat_with, statat, unlinkat,
};
use rustix::io::{Errno, fcntl_dupfd_cloexec, pread};
use rustix::rand::{GetRandomFlags, getrandom};

pub(crate) use dachs_record::Acted;

use crate::content::display;
use crate::walk::{Candidate, Identity, said};

/// How many names are tried in a folder that already holds files of the same name.
const NAMES: u32 = 10_000;

/// What is done with detected files.
#[derive(Debug)]
pub(crate) enum Action {
    /// Put a copy into a folder.
    Copy(Folder),
    /// Move it into a folder.
    Move(Folder),
    /// Delete it.
    Remove,
}

/// A folder that detected files are put into.
#[derive(Debug)]
pub(crate) struct Folder {
    directory: OwnedFd,
    path: PathBuf,
}

/// A file as it was when it was scanned.
#[derive(Debug)]
pub(crate) struct Scanned {
    directory: Option<Arc<OwnedFd>>,
    name: CString,
    file: OwnedFd,
    identity: Identity,
}

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    /// A sentence that names it.
    pub(crate) fn open(path: &Path) -> Result<Folder, String> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory =
            openat(CWD, path, flags, Mode::empty()).map_err(|error| format!("{}: {}", display(path), said(error)))?;
        Ok(Folder { directory, path: path.to_path_buf() })
    }

    /// Which directory it is.
    pub(crate) fn identity(&self) -> Option<Identity> {
        fstat(&self.directory).ok().as_ref().map(Identity::from)
    }

    /// Tries `name`, `name.1`, `name.2` and so on, until `put` does not say that there is such a file.
    fn place<T>(&self, name: &[u8], put: impl Fn(&CString) -> Result<T, Errno>) -> Result<(T, Vec<u8>), Errno> {
        for number in 0..NAMES {
            let mut free = name.to_vec();
            if number > 0 {
                free.extend(format!(".{number}").bytes());
            }
            let free = CString::new(free).map_err(|_| Errno::INVAL)?;
            match put(&free) {
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
                Ok(done) => {
                    let path = self.path.join(OsString::from_vec(free.into_bytes()));
                    return Ok((done, path.into_os_string().into_vec()));
                }
            }
        }
        Err(Errno::EXIST)
    }

    /// Writes all that a file holds into a new one.
    fn copy(&self, name: &[u8], from: &OwnedFd) -> io::Result<Vec<u8>> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let create = |name: &CString| openat(&self.directory, name, flags, Mode::RUSR | Mode::WUSR);
        let (to, path) = self.place(name, create)?;
        let copied = copy_bytes(from, File::from(to));
        if copied.is_err()
            && let Some(name) = Path::new(std::ffi::OsStr::from_bytes(&path)).file_name()
        {
            let _ = unlinkat(&self.directory, name, AtFlags::empty());
        }
        copied.map(|()| path)
    }
}

fn copy_bytes(from: &OwnedFd, mut to: File) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    let mut offset = 0_u64;
    while let count @ 1.. = pread(from, &mut buffer, offset)? {
        io::Write::write_all(&mut to, buffer.get(..count).unwrap_or_default())?;
        offset = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
    to.sync_all()
}

impl Scanned {
    /// Remembers a file that is about to be scanned; `None` if no more files may be open.
    pub(crate) fn new(candidate: &Candidate, file: &OwnedFd) -> Option<Scanned> {
        let identity = Identity::from(&fstat(file).ok()?);
        let file = fcntl_dupfd_cloexec(file, 3).ok()?;
        Some(Scanned { directory: candidate.directory.clone(), name: candidate.name.clone(), file, identity })
    }

    /// The directory it lies in and its name there.
    fn place(&self) -> Result<(Arc<OwnedFd>, CString), String> {
        if let Some(directory) = &self.directory {
            return Ok((Arc::clone(directory), self.name.clone()));
        }
        let path = Path::new(std::ffi::OsStr::from_bytes(self.name.as_bytes()));
        let name = path.file_name().and_then(|name| CString::new(name.as_bytes()).ok());
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let strict = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match (openat2(CWD, parent, flags, Mode::empty(), strict), name) {
            (Ok(directory), Some(name)) => Ok((Arc::new(directory), name)),
            (Err(Errno::LOOP), _) => Err("its path goes through a symbolic link: name it by its real path".to_owned()),
            (Err(error), _) => Err(said(error)),
            (_, None) => Err("its path has no last component".to_owned()),
        }
    }

    /// The last component of its name.
    fn last_name(&self) -> &[u8] {
        self.name.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    fn is_at(&self, directory: &OwnedFd, name: &CString) -> bool {
        statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| Identity::from(&stat) == self.identity)
    }

    /// Gives the file a random name, hands it to `act`, and gives the name back if that fails.
    fn set_aside(
        &self,
        act: impl FnOnce(&OwnedFd, &CString, &CString) -> Result<Acted, String>,
    ) -> Result<Acted, String> {
        let (directory, name) = self.place()?;
        let not_it =
            || "under its name is another file than the one that was scanned, or a link: left alone".to_owned();
        if !self.is_at(&directory, &name) {
            return Err(not_it());
        }
        let aside = random_name()?;
        rename(&directory, &name, &directory, &aside).map_err(said)?;
        let acted = if self.is_at(&directory, &aside) { act(&directory, &name, &aside) } else { Err(not_it()) };
        acted.map_err(|reason| match rename(&directory, &aside, &directory, &name) {
            Ok(()) | Err(Errno::NOENT) => reason,
            Err(_) => format!("{reason}; it is now named {}", aside.to_string_lossy()),
        })
    }
}

impl Action {
    /// Acts on a file that was detected.
    ///
    /// # Errors
    /// A sentence; the file is where it was, or the sentence says where.
    pub(crate) fn act(&self, scanned: &Scanned) -> Result<Acted, String> {
        match self {
            Action::Copy(folder) => {
                let to = folder.copy(scanned.last_name(), &scanned.file).map_err(|error| error.to_string())?;
                Ok(Acted { what: "copied", to: Some(to) })
            }
            Action::Move(folder) => {
                scanned.set_aside(|directory, name, aside| move_on(scanned, folder, directory, name, aside))
            }
            Action::Remove => scanned.set_aside(|directory, _, aside| {
                unlinkat(directory, aside, AtFlags::empty()).map_err(said)?;
                Ok(Acted { what: "removed", to: None })
            }),
        }
    }

    /// The word for what it does to a file.
    pub(crate) fn done(&self) -> &'static str {
        match self {
            Action::Copy(_) => "copied",
            Action::Move(_) => "moved",
            Action::Remove => "removed",
        }
    }

    /// The folder that files are put into, which a walk must not enter.
    pub(crate) fn folder(&self) -> Option<&Folder> {
        match self {
            Action::Copy(folder) | Action::Move(folder) => Some(folder),
            Action::Remove => None,
        }
    }
}

/// Moves by renaming, or by a copy where the folder lies on another file system.
fn move_on(
    scanned: &Scanned,
    folder: &Folder,
    from: &OwnedFd,
    name: &CString,
    aside: &CString,
) -> Result<Acted, String> {
    let moved = folder.place(name.as_bytes(), |free| rename(from, aside, &folder.directory, free));
    let to = match moved {
        Ok(((), to)) => to,
        Err(Errno::XDEV) => {
            let to = folder.copy(name.as_bytes(), &scanned.file).map_err(|error| error.to_string())?;
            unlinkat(from, aside, AtFlags::empty()).map_err(said)?;
            to
        }
        Err(error) => return Err(said(error)),
    };
    Ok(Acted { what: "moved", to: Some(to) })
}

fn rename(from: impl AsFd, name: &CString, to: impl AsFd, new: &CString) -> Result<(), Errno> {
    renameat_with(from, name, to, new, RenameFlags::NOREPLACE)
}

fn random_name() -> Result<CString, String> {
    let mut bytes = [0_u8; 16];
    let count = getrandom(&mut bytes, GetRandomFlags::empty()).map_err(said)?;
    let digits: String = bytes.iter().take(count).map(|byte| format!("{byte:02x}")).collect();
    CString::new(format!(".dachs-{digits}")).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
