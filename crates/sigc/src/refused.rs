//! Why a line gives no rule.
//!
//! A malformed line ends the load, as in ClamAV: a database that is broken in one place may be broken in others. A line
//! that is well formed but not for us is left out and counted by its reason, so that nothing is dropped in silence.

use std::borrow::Cow;

/// The result of reading a line, or a piece of one.
pub(crate) type Parsed<T> = Result<T, Refused>;

/// Why a line gives no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Not what its format allows.
    Malformed(Cow<'static, str>),
    /// Meant for other engines: its functionality level, its target or a key of its attributes. ClamAV leaves it out too
    /// and does not look at the rest of the line.
    NotForUs(Cow<'static, str>),
    /// Well formed as far as read, but something in it is not supported yet.
    Unsupported(Cow<'static, str>),
}

impl Refused {
    /// A malformed line.
    pub(crate) fn malformed(reason: impl Into<Cow<'static, str>>) -> Refused {
        Refused::Malformed(reason.into())
    }

    /// A line meant for other engines.
    pub(crate) fn not_for_us(reason: impl Into<Cow<'static, str>>) -> Refused {
        Refused::NotForUs(reason.into())
    }

    /// A line that needs what is not there yet.
    pub(crate) fn unsupported(reason: impl Into<Cow<'static, str>>) -> Refused {
        Refused::Unsupported(reason.into())
    }
}

/// Keeps the first thing that is not supported yet, while the rest of the line is still checked: what is malformed or not
/// for us goes through.
#[derive(Debug, Default)]
pub(crate) struct Deferred(Option<Refused>);

impl Deferred {
    /// The value, or nothing when it is not supported yet.
    pub(crate) fn take<T>(&mut self, parsed: Parsed<T>) -> Parsed<Option<T>> {
        match parsed {
            Ok(value) => Ok(Some(value)),
            Err(unsupported @ Refused::Unsupported(_)) => {
                self.0.get_or_insert(unsupported);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// The first reason, if there was one.
    pub(crate) fn finish(self) -> Parsed<()> {
        self.0.map_or(Ok(()), Err)
    }
}
