//! What a walk leaves out on purpose, the words for it, and what was done with a file.

/// Why something found is not scanned, though nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Skip {
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
    #[must_use]
    pub fn label(self) -> &'static str {
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

/// What was done with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acted {
    /// The word for it: `moved`, `copied`, `removed`.
    pub what: &'static str,
    /// Where the file or its copy is now.
    pub to: Option<Vec<u8>>,
}
