//! From the pool to a worker.

use crate::codec::codec;
use dachs_base::{About, Limits, RuleRange, Switches};
use serde::{Deserialize, Serialize};

/// Scan one file; its descriptor comes with the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Comes back in the reply.
    pub number: u64,
    /// The file's size in bytes when it was opened. Bytes behind it are not read.
    pub size: u64,
    /// What the scan may spend. The soft deadline is [`Limits::time_for`] the size.
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
    /// What is known of the file besides; for YARA rules.
    pub about: About,
    /// Passwords for what is encrypted; at most [`Request::PASSWORDS`] of at most [`Request::PASSWORD`] bytes.
    pub passwords: Vec<Vec<u8>>,
    /// Measure what these rules cost on the file itself, and answer [`Body::Costs`](crate::Body::Costs): no scan.
    pub profile: Option<RuleRange>,
}

impl Request {
    /// No request is longer, in bytes, if what it says [`About`] the file was cut by [`About::new`] and its passwords keep to
    /// their bounds.
    pub const LONGEST: usize = 12 << 10;
    /// No more passwords are sent.
    pub const PASSWORDS: usize = 16;
    /// No password is longer, in bytes.
    pub const PASSWORD: usize = 256;
}

codec!(Request);

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::{Form, Structured};
    use std::time::Duration;

    #[test]
    fn the_longest_paths_and_numbers_fit() {
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
        let request = Request {
            number: u64::MAX,
            size: u64::MAX,
            limits,
            all_matches: true,
            switches: Switches { structured: Some(structured), ..Switches::STANDARD },
            isolate: true,
            rules_on_members: true,
            about: About::new(&[b'x'; 10_000], &[b'x'; 1_000]),
            passwords: vec![vec![0xFF; Request::PASSWORD]; Request::PASSWORDS],
            profile: Some(RuleRange { first: u32::MAX, count: u32::MAX }),
        };
        let packet = request.encode().unwrap();
        assert!(packet.len() <= Request::LONGEST, "{}", packet.len());
        assert_eq!(Request::decode(&packet), Ok(request));
    }
}
