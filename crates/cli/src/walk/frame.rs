//! One directory that is being walked.
//!
//! Its names come sorted by their bytes, in batches: a directory of ten million names is read several times, each time
//! for the next [`BATCH`] names in order, so that memory stays bounded whatever a directory holds.
//!
//! A frame far up in a deep tree sleeps ([`Frame::sleep`]): its descriptor is closed and most of its names are
//! forgotten. [`crate::walk::Walk`] opens the directory again when the walk comes back, and checks that it is the same.

use std::collections::BinaryHeap;
use std::ffi::{CStr, CString};
use std::sync::Arc;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Dir, Stat, fstat};
use rustix::io::Errno;

/// How many names are held at once.
const BATCH: usize = 1 << 17;
/// How many names a sleeping frame keeps.
const KEPT_ASLEEP: usize = 1 << 10;

/// Which file this is, whatever its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    /// The device.
    pub(crate) device: u64,
    /// The inode on it.
    pub(crate) inode: u64,
}

impl From<&Stat> for Identity {
    fn from(stat: &Stat) -> Identity {
        Identity { device: stat.st_dev, inode: stat.st_ino }
    }
}

/// One directory that is being walked.
pub(super) struct Frame {
    /// The open directory; absent while the frame sleeps.
    pub(super) directory: Option<Arc<OwnedFd>>,
    /// Which directory it is.
    pub(super) identity: Identity,
    /// True if the kernel makes up its files.
    pub(super) kernel: bool,
    /// True if it was reached through a symbolic link.
    pub(super) by_link: bool,
    /// Its name in the frame before; empty for the first.
    pub(super) name: CString,
    /// How long the walk's path is while it is in this directory.
    pub(super) path_length: usize,
    /// The next names, last first.
    names: Vec<CString>,
    /// The last name given out.
    last: Option<CString>,
    /// True if the directory may hold names after those in `names`.
    more: bool,
}

impl Frame {
    /// A frame for an open directory.
    pub(super) fn new(directory: OwnedFd, identity: Identity, name: CString, path_length: usize) -> Frame {
        Frame {
            directory: Some(Arc::new(directory)),
            identity,
            kernel: false,
            by_link: false,
            name,
            path_length,
            names: Vec::new(),
            last: None,
            more: true,
        }
    }

    /// The next name in order; `None` at the end.
    ///
    /// # Errors
    /// When the directory cannot be read; the names read before still come afterwards.
    pub(super) fn next_name(&mut self) -> Result<Option<CString>, Errno> {
        if self.names.is_empty() && self.more {
            self.refill(BATCH)?;
        }
        let name = self.names.pop();
        if name.is_some() {
            self.last.clone_from(&name);
        }
        Ok(name)
    }

    /// Closes the descriptor and forgets names that can be read again.
    pub(super) fn sleep(&mut self) {
        self.directory = None;
        if self.names.len() > KEPT_ASLEEP {
            self.names.drain(..self.names.len() - KEPT_ASLEEP);
            self.names.shrink_to_fit();
            self.more = true;
        }
    }

    /// Gives the frame its directory back if `directory` is the same one.
    pub(super) fn wake(&mut self, directory: OwnedFd) -> Result<(), OwnedFd> {
        match fstat(&directory) {
            Ok(stat) if Identity::from(&stat) == self.identity => {
                self.directory = Some(Arc::new(directory));
                Ok(())
            }
            _ => Err(directory),
        }
    }

    /// Reads the next `batch` names in order.
    fn refill(&mut self, batch: usize) -> Result<(), Errno> {
        self.more = false;
        let Some(directory) = &self.directory else {
            return Err(Errno::BADF);
        };
        let (names, more, result) = smallest_names(directory.as_fd(), self.last.as_deref(), batch);
        (self.names, self.more) = (names, more);
        result
    }
}

/// The `batch` smallest names after `after`, largest first; whether there are more; and whether reading went well.
fn smallest_names(directory: impl AsFd, after: Option<&CStr>, batch: usize) -> (Vec<CString>, bool, Result<(), Errno>) {
    let mut heap = BinaryHeap::new();
    let mut more = false;
    let mut result = Ok(());
    let entries = match Dir::read_from(directory) {
        Ok(entries) => entries,
        Err(error) => return (Vec::new(), false, Err(error)),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                result = Err(error);
                break;
            }
        };
        let name = entry.file_name();
        if name == c"." || name == c".." || after.is_some_and(|after| name <= after) {
            continue;
        }
        more |= heap.len() >= batch;
        if heap.len() < batch {
            heap.push(name.to_owned());
        } else if heap.peek().is_some_and(|largest: &CString| name < largest.as_c_str()) {
            heap.pop();
            heap.push(name.to_owned());
        }
    }
    let mut names = heap.into_sorted_vec();
    names.reverse();
    (names, more && result.is_ok(), result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn directory_of(names: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in names {
            File::create(directory.path().join(name)).unwrap();
        }
        directory
    }

    fn frame(directory: &tempfile::TempDir) -> Frame {
        let open = File::open(directory.path()).unwrap();
        let identity = Identity::from(&fstat(&open).unwrap());
        Frame::new(open.into(), identity, c"".to_owned(), 0)
    }

    fn all(frame: &mut Frame) -> Vec<String> {
        std::iter::from_fn(|| frame.next_name().unwrap()).map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn names_come_sorted_by_bytes() {
        let directory = directory_of(&["b", "a", "B", "ab", "a b", "ä"]);
        assert_eq!(all(&mut frame(&directory)), ["B", "a", "a b", "ab", "b", "ä"]);
    }

    #[test]
    fn batches_of_any_size_give_the_same_names() {
        let names: Vec<String> = (0..50).map(|number| format!("{number:02}")).collect();
        let directory = directory_of(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for batch in [1, 2, 7, 49, 50, 51] {
            let mut frame = frame(&directory);
            let mut seen = Vec::new();
            while frame.more {
                frame.refill(batch).unwrap();
                while let Some(name) = frame.names.pop() {
                    seen.push(name.to_str().unwrap().to_owned());
                    frame.last = Some(name);
                }
            }
            assert_eq!(seen, names, "batch {batch}");
        }
    }

    #[test]
    fn a_sleeping_frame_goes_on_where_it_was() {
        let names: Vec<String> = (0..KEPT_ASLEEP + 50).map(|number| format!("{number:05}")).collect();
        let directory = directory_of(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let mut frame = frame(&directory);
        assert_eq!(frame.next_name().unwrap().as_deref(), Some(c"00000"));
        frame.sleep();
        assert_eq!(frame.names.len(), KEPT_ASLEEP);
        assert!(frame.wake(File::open("/").unwrap().into()).is_err());
        assert!(frame.wake(File::open(directory.path()).unwrap().into()).is_ok());
        assert_eq!(all(&mut frame), names.get(1..).unwrap());
    }
}
