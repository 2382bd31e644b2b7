//! What is compiled: texts with a name, opened when it is their turn.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

/// Opens what a file of rules includes: gets the name of the including file and the path as it is written.
type Includes = dyn Fn(&str, &str) -> io::Result<Included> + Send + Sync;

/// A file that another one includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    /// Its name as shown in reports, and as it is known to what opens includes.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Gives the signatures that stand beside a container of this version.
type Beside = dyn Fn(u32) -> io::Result<Option<String>> + Send + Sync;

type Opener = dyn Fn() -> io::Result<Box<dyn Read>> + Send + Sync;

/// A source of signatures: a name, whose ending tells its kind, and a way to read it. Containers are read several times.
#[derive(Clone)]
pub struct Input {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    opener: Arc<Opener>,
    includes: Option<Arc<Includes>>,
    beside: Option<Arc<Beside>>,
}

/// How an input came to be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is part of Dachs.
    BuiltIn,
    /// It stood in a folder. If it is no source, it is left out.
    Listed,
    /// It was asked for. If it is no source, that is an error.
    Named,
}

impl Input {
    /// A source that was asked for by name: `name` as shown in reports, for instance `main.ndb`, and what opens it.
    pub fn new(
        name: impl Into<String>,
        opener: impl Fn() -> io::Result<Box<dyn Read>> + Send + Sync + 'static,
    ) -> Input {
        Input { name: name.into(), origin: Origin::Named, opener: Arc::new(opener), includes: None, beside: None }
    }

    /// A source in memory.
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Input {
        let bytes = bytes.into();
        Input::new(name, move || Ok(Box::new(io::Cursor::new(Arc::clone(&bytes)))))
    }

    /// The same input as one that merely stood in a folder: if its kind is unknown, it is left out and told of.
    #[must_use]
    pub fn listed(self) -> Input {
        Input { origin: Origin::Listed, ..self }
    }

    /// The same input with a way to what it includes, if it is a file of YARA rules. Without one it can include nothing.
    #[must_use]
    pub fn with_includes(self, includes: impl Fn(&str, &str) -> io::Result<Included> + Send + Sync + 'static) -> Input {
        Input { includes: Some(Arc::new(includes)), ..self }
    }

    /// The same input with a way to the signatures beside it, if it is a container.
    #[must_use]
    pub fn with_signatures(self, beside: impl Fn(u32) -> io::Result<Option<String>> + Send + Sync + 'static) -> Input {
        Input { beside: Some(Arc::new(beside)), ..self }
    }

    /// The signatures beside a container of this version.
    pub(crate) fn beside(&self, version: u32) -> io::Result<Option<String>> {
        self.beside.as_ref().map_or(Ok(None), |beside| beside(version))
    }

    /// Opens what the file `from` includes as `path`.
    pub(crate) fn include(&self, from: &str, path: &str) -> io::Result<Included> {
        match &self.includes {
            Some(includes) => includes(from, path),
            None => Err(io::Error::new(io::ErrorKind::PermissionDenied, "it can include nothing")),
        }
    }

    pub(crate) fn built_in(name: &str, text: &'static str) -> Input {
        let input = Input::new(name, move || Ok(Box::new(text.as_bytes())));
        Input { origin: Origin::BuiltIn, ..input }
    }

    /// The name as shown in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn open(&self) -> io::Result<Box<dyn Read>> {
        (self.opener)()
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("name", &self.name).field("origin", &self.origin).finish_non_exhaustive()
    }
}
