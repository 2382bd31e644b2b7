//! What ends a compilation, and what is only told of.

use std::fmt;
use std::io;

/// Something about one source that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The source, as shown in reports: `main.ndb`, `daily.cvd/daily.ndb`.
    pub source: String,
    /// The line, from 1, if it is about one.
    pub line: Option<u64>,
    /// What it is, without a full stop.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.source, self.reason),
            None => write!(f, "{}: {}", self.source, self.reason),
        }
    }
}

/// Why sources could not be compiled.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A source could not be read.
    Io {
        /// Its name, or the path that was asked for.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// A source is not what its kind must be: a malformed line, a damaged container.
    Malformed(Problem),
    /// A source that was asked for by name is of no kind that can be read.
    Unknown {
        /// Its name.
        name: String,
    },
    /// The image could not be written.
    Unwritten(io::Error),
    /// The digital signature of a container, or a digest in it, does not fit: it was damaged or changed.
    Unverified(Problem),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { path, error } => write!(f, "{path}: cannot be read: {error}"),
            Error::Malformed(problem) => write!(f, "{problem}"),
            Error::Unknown { name } => write!(
                f,
                "{name}: the ending of its name is of no kind of signatures that can be read; these are \
                 cvd cld cud, hdb hsb hdu hsu fp sfp, mdb msb mdu msu, ndb ndu sdb db, ldb ldu, cdb zmd rmd, \
                 cbc, cfg, ftm, ign ign2, ioc, pwdb (texts also with .gz), yar yara"
            ),
            Error::Unwritten(error) => write!(f, "the image cannot be written: {error}"),
            Error::Unverified(problem) => write!(f, "{problem}; fetch it again"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl Error {
    /// Something wrong with a source as a whole.
    pub(crate) fn malformed(source: &str, reason: impl Into<String>) -> Error {
        Error::Malformed(Problem { source: source.to_owned(), line: None, reason: reason.into() })
    }

    /// A container that does not verify.
    pub(crate) fn unverified(source: &str, reason: impl Into<String>) -> Error {
        Error::Unverified(Problem { source: source.to_owned(), line: None, reason: reason.into() })
    }

    /// A failed read. Where the bytes are at fault, and not the system, the source is malformed.
    pub(crate) fn reading(source: &str, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
                Error::malformed(source, error.to_string())
            }
            _ => Error::Io { path: source.to_owned(), error },
        }
    }
}
