//! The words that all of Dachs shares.
//!
//! A scan turns bytes into a verdict. The types here are what travels on that way, and nothing else:
//!
//! ```text
//! Source --identify--> FileKind + Facts --unpack (Budget)--> children + Anomaly
//!        --match-----> Detection        --fold-----------> Report -> Verdict
//! ```
//!
//! The crate is pure: it opens no file, reads no clock, starts no thread and logs nothing. What it needs of the world
//! (the time left, the bytes of a file) comes in through the traits [`Clock`] and [`Source`].
#![forbid(unsafe_code)]

mod about;
mod anomaly;
mod budget;
mod cost;
mod facts;
mod kind;
mod limits;
mod media;
mod reader;
mod report;
mod source;
mod switches;
mod team;

pub use about::About;
pub use anomaly::{Anomaly, AnomalyKind};
pub use budget::{Budget, Charge, Clock, LimitReached, NoClock};
pub use cost::{RuleCost, RuleCosts, RuleRange};
pub use facts::{Certificate, Digests, Facts, Found, Icon, Lazy, Meta, Section, Signature, Spot, Stamp};
pub use kind::{Class, FileKind, Target};
pub use limits::{Limit, Limits};
pub use media::MediaFault;
pub use reader::{Reader, Short};
pub use report::{
    Cause, Coverage, Detection, Finding, Heuristic, MatchedString, Name, ObjectPath, Report, Strength, Verdict,
};
pub use source::{HELD, Held, Memory, Part, Source, bytes_at, copy_at, read_exact_at, read_vec_at};
pub use switches::{Alerts, Closed, Form, Structured, Switches};
pub use team::{Claim, Piece, Role, Spent, Turn, merged};
