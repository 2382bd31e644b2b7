//! What a walk leaves out on purpose, and the words for it.

use rustix::fs::FileType;

/// Why something found is not scanned, though nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Skip {
    /// A directory that was entered before, through another name.
    AlreadyVisited,
    /// A device.
    Device,
    /// A symbolic link to nothing, or in a circle.
    DeadLink,
    /// `--exclude`.
    Excluded,
    /// A named pipe.
    Fifo,
    /// A file system that the kernel makes up.
    KernelFileSystem,
    /// `--one-file-system`.
    OtherFileSystem,
    /// A socket.
    Socket,
    /// A symbolic link, by `--follow-symlinks`.
    SymbolicLink,
    /// A directory inside more directories than are entered.
    TooDeep,
    /// It went away between being found and being opened.
    Vanished,
}

impl Skip {
    /// The word used in JSON and in summaries; never changes.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Skip::AlreadyVisited => "already visited",
            Skip::Device => "device",
            Skip::DeadLink => "dead link",
            Skip::Excluded => "excluded",
            Skip::Fifo => "fifo",
            Skip::KernelFileSystem => "kernel file system",
            Skip::OtherFileSystem => "other file system",
            Skip::Socket => "socket",
            Skip::SymbolicLink => "symbolic link",
            Skip::TooDeep => "too deep",
            Skip::Vanished => "vanished",
        }
    }
}

impl From<FileType> for Skip {
    /// Why files of a special type are left out.
    fn from(kind: FileType) -> Skip {
        match kind {
            FileType::Fifo => Skip::Fifo,
            FileType::Socket => Skip::Socket,
            FileType::Symlink => Skip::SymbolicLink,
            _ => Skip::Device,
        }
    }
}
