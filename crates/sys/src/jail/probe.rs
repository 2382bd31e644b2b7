//! What this machine gives for the jail, for `dachs doctor`.

/// What the machine gives of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The layer: `seccomp`, `landlock`, `network`, …
    pub layer: &'static str,
    /// Whether workers will be inside it.
    pub state: State,
    /// What was seen, for a person.
    pub detail: String,
    /// What to do about it, if anything.
    pub advice: Option<&'static str>,
}

/// Whether the machine gives a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Given,
    /// It does not, and scanning goes on without.
    Missing,
    /// It does not, and nothing is scanned without.
    MissingAndNeeded,
}

/// Looks at every layer. Changes nothing.
#[must_use]
pub fn probe() -> Vec<Probe> {
    Vec::new()
}
