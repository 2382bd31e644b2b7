//! What is known of a file besides its bytes.
//!
//! It comes from the trusted side with the request to scan a file, for rules that ask for it. Nothing is decided by it: a
//! worker neither opens the path nor believes it.

use serde::{Deserialize, Serialize};

/// What is known of a file besides its bytes. Empty where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its path, raw; the last [`About::LONGEST_PATH`] bytes of it.
    pub path: Vec<u8>,
    /// The name of the user who owns it; the first [`About::LONGEST_OWNER`] bytes of it.
    pub owner: Vec<u8>,
}

impl About {
    /// Of longer paths, so many bytes at the end are kept.
    pub const LONGEST_PATH: usize = 4096;
    /// Of longer names of users, so many bytes at the start are kept.
    pub const LONGEST_OWNER: usize = 256;

    /// A file of this path and owner, cut to what is kept.
    #[must_use]
    pub fn new(path: &[u8], owner: &[u8]) -> About {
        let cut = path.len().saturating_sub(About::LONGEST_PATH);
        About {
            path: path.get(cut..).unwrap_or_default().to_vec(),
            owner: owner.iter().take(About::LONGEST_OWNER).copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_paths_keep_their_end() {
        let path = [&[b'x'; 5000][..], b"/name.exe"].concat();
        let about = About::new(&path, &[b'o'; 300]);
        assert!(about.path.ends_with(b"/name.exe") && about.path.len() == About::LONGEST_PATH);
        assert_eq!(about.owner.len(), About::LONGEST_OWNER);
    }
}
