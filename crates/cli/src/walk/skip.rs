//! What a walk leaves out on purpose.

use rustix::fs::FileType;

pub(crate) use dachs_record::Skip;

/// Why files of a special type are left out.
pub(crate) fn special(kind: FileType) -> Skip {
    match kind {
        FileType::Fifo => Skip::Fifo,
        FileType::Socket => Skip::Socket,
        FileType::Symlink => Skip::SymbolicLink,
        _ => Skip::Device,
    }
}
