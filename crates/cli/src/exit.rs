//! How the executable ends: one number for scripts.
//!
//! | code | of `dachs scan` |
//! |---|---|
//! | 0 | everything was looked at, nothing was found |
//! | 1 | something was detected (or suspicious, with `--exit-on suspicious`) |
//! | 2 | something could not be done at all: no such path, a bad option, bad content; nothing was detected |
//! | 3 | nothing was found, but something was not looked at |
//! | 130 | interrupted; nothing was detected |

use std::process::ExitCode;

/// The ways to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Clean,
    /// Something was detected.
    Detected,
    /// It could not be done.
    Error,
    /// Something was not looked at.
    Incomplete,
    /// A signal ended it early.
    Interrupted,
}

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Clean => 0,
            Exit::Detected => 1,
            Exit::Error => 2,
            Exit::Incomplete => 3,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
