//! From the pool to a worker.

use crate::Place;
use crate::codec::codec;
use dachs_base::{About, Limits, RuleRange, Switches};
use serde::{Deserialize, Serialize};

/// Scan some files, one after another; their descriptors come with the message, in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Comes back in the reply.
    pub number: u64,
    /// The files: one, or several small ones so that pool and worker wake each other once for all of them. At most
    /// [`Request::FILES`].
    pub files: Vec<File>,
    /// What the scan of each file may spend. The soft deadline is [`Limits::time_for`] its size.
    pub limits: Limits,
    /// Report every detection, not only the first.
    pub all_matches: bool,
    /// What is looked into and reported besides signatures.
    pub switches: Switches,
    /// Answer [`Body::Isolate`](crate::Body::Isolate) for an archive or a document, without opening it. A worker that is
    /// asked with `false` exits after its reply.
    pub isolate: bool,
    /// Run YARA rules on members too, and not only on the file itself.
    pub rules_on_members: bool,
    /// Passwords for what is encrypted; at most [`Request::PASSWORDS`] of at most [`Request::PASSWORD`] bytes.
    pub passwords: Vec<Vec<u8>>,
    /// Measure what these rules cost on the first file itself, and answer [`Body::Costs`](crate::Body::Costs): no scan.
    pub profile: Option<RuleRange>,
    /// Look at the one file together with other workers; not with `isolate`.
    pub team: Option<Place>,
}

/// One file of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its size in bytes when it was opened. Bytes behind it are not read.
    pub size: u64,
    /// What is known of it besides; for YARA rules.
    pub about: About,
}

impl Request {
    /// No request is longer, in bytes, if what it says [`About`] all its files is no longer than what [`About::new`] leaves of one,
    /// and its passwords keep to their bounds.
    pub const LONGEST: usize = 12 << 10;
    /// No request has more files.
    pub const FILES: usize = 16;
    /// No more passwords are sent.
    pub const PASSWORDS: usize = 16;
    /// No password is longer, in bytes.
    pub const PASSWORD: usize = 256;
}

codec!(Request);

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::{Form, Role, Structured};
    use std::time::Duration;

    fn file(about: About) -> File {
        File { size: u64::MAX, about }
    }

    #[test]
    fn the_longest_paths_and_numbers_fit() {
        let files = vec![file(About::new(&[b'x'; 10_000], &[b'x'; 1_000]))];
        for files in [files, vec![file(About::default()); Request::FILES]] {
            let request = Request { files, ..longest() };
            let packet = request.encode().unwrap();
            assert!(packet.len() <= Request::LONGEST, "{}", packet.len());
            assert_eq!(Request::decode(&packet), Ok(request));
        }
    }

    fn longest() -> Request {
        let limits = Limits {
            depth: u32::MAX,
            objects: u64::MAX,
            object_size: u64::MAX,
            scan_size: u64::MAX,
            rounds: u64::MAX,
            memory: u64::MAX,
            time: Duration::MAX,
            anomalies: u32::MAX,
            detections: u32::MAX,
        };
        let structured = Structured { cards: u32::MAX, credit_only: true, persons: u32::MAX, form: Form::Both };
        Request {
            number: u64::MAX,
            files: Vec::new(),
            limits,
            all_matches: true,
            switches: Switches { structured: Some(structured), ..Switches::STANDARD },
            isolate: true,
            rules_on_members: true,
            passwords: vec![vec![0xFF; Request::PASSWORD]; Request::PASSWORDS],
            profile: Some(RuleRange { first: u32::MAX, count: u32::MAX }),
            team: Some(Place { role: Role::Helper, late: Duration::MAX }),
        }
    }
}
