//! From the pool to a worker.

use crate::codec::codec;
use dachs_base::{About, Limits, Switches};
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
}

codec!(Request);
