//! What is compiled: texts with a name, opened when it is their turn.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

type Opener = dyn Fn() -> io::Result<Box<dyn Read>> + Send + Sync;

/// A source of signatures: a name, whose ending tells its kind, and a way to read it. Containers are read several times.
#[derive(Clone)]
pub struct Input {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    opener: Arc<Opener>,
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
        Input { name: name.into(), origin: Origin::Named, opener: Arc::new(opener) }
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
