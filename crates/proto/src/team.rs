//! What a worker of a team hears and is told with its request; what it says stands in [`Body`](crate::Body).

use crate::codec::codec;
use dachs_base::{Role, Turn};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A worker is to look at the one file of a request together with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What it does.
    pub role: Role,
    /// How long after the first of the team it begins: so much less time it has.
    pub late: Duration,
}

/// The answer to a [`Body::Claim`](crate::Body::Claim).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered(pub Turn);

impl Answered {
    /// No answer is longer, in bytes.
    pub const LONGEST: usize = 8;
}

codec!(Answered);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_short() {
        for turn in [Turn::Alone, Turn::Conclude, Turn::Pass, Turn::Rest { decided: true, gap: true }, Turn::Take] {
            let packet = Answered(turn).encode().unwrap();
            assert!(packet.len() <= Answered::LONGEST);
            assert_eq!(Answered::decode(&packet), Ok(Answered(turn)));
        }
    }
}
