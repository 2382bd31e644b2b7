//! From a worker to the pool: read as hostile.

use crate::codec;
use crate::{LONGEST, ProtoError, Request};
use dachs_base::{
    Claim, Detection, FileKind, Limits, MatchedString, Name, ObjectPath, Piece, Report, RuleCosts, RuleRange, Strength,
};
use serde::{Deserialize, Serialize};

/// Longer sentences are cut to this many characters.
const DETAIL: usize = 500;
/// How much shorter than [`LONGEST`] a report is made, so that the envelope fits too.
const ENVELOPE: usize = 256;
/// How many bytes more the numbers of what is kept and what is dropped may take.
const LENGTHS: usize = 16;

/// A worker's answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The request's number.
    pub number: u64,
    /// One for each file of the request, in the same order; none where all together would be too long, so that each file has to be
    /// asked for alone. The one behind a panic is the only one.
    pub files: Vec<FileReply>,
}

/// What a worker answers for one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReply {
    /// The answer.
    pub body: Body,
    /// How long it took, in microseconds, as the worker says.
    pub micros: u64,
}

/// What a worker found, or wishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// A worker of a team asks for something; it waits for the [answer](crate::Answered).
    Claim(Claim),
    /// What single rules cost on the file.
    Costs(RuleCosts),
    /// The file is an archive or a document: give it a process of its own.
    Isolate(FileKind),
    /// The scanner has a mistake: it panicked at this place of its source. The worker exits.
    Panicked(String),
    /// What a worker of a team found in some stretches.
    Piece(Box<Piece>),
    /// What was found.
    Report(Report),
}

impl Reply {
    /// A reply of one file.
    #[must_use]
    pub fn single(number: u64, body: Body, micros: u64) -> Reply {
        Reply { number, files: vec![FileReply { body, micros }] }
    }

    /// The message as bytes. A single report that is too long loses matched strings first, then anomalies, then
    /// detections, and says so of those. Of several nothing is sent.
    ///
    /// # Errors
    /// When it is too long all the same, which no report that [`Reply::decode`] accepts is.
    pub fn encode(&self) -> Result<Vec<u8>, ProtoError> {
        match (codec::encode(self), self.files.as_slice()) {
            (Err(ProtoError::TooLong), [FileReply { body: Body::Report(report), micros }]) => {
                codec::encode(&Reply::single(self.number, Body::Report(shorten(report.clone())), *micros))
            }
            (Err(ProtoError::TooLong), [_, _, ..]) => codec::encode(&Reply { number: self.number, files: Vec::new() }),
            (encoded, _) => encoded,
        }
    }

    /// The message in these bytes, which a taken-over worker may have written. Bounded by `limits`, free of control
    /// characters, and with a gap if one of its anomalies is one.
    ///
    /// # Errors
    /// When they are not exactly one message, or one that no honest worker sends.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Reply, ProtoError> {
        let mut reply: Reply = codec::decode(bytes)?;
        if reply.files.len() > Request::FILES {
            return Err(ProtoError::Untrue("more files than can be asked for"));
        }
        reply.files.iter_mut().try_for_each(|file| file.body.check(limits))?;
        Ok(reply)
    }
}

impl Body {
    fn check(&mut self, limits: &Limits) -> Result<(), ProtoError> {
        match self {
            Body::Piece(piece) => check(&mut piece.report, limits)?,
            Body::Report(report) => check(report, limits)?,
            Body::Panicked(place) => *place = clean(place),
            Body::Costs(costs) if costs.rules.len() > RuleRange::MOST as usize => {
                return Err(ProtoError::Untrue("more rules than asked for"));
            }
            Body::Claim(_) | Body::Costs(_) | Body::Isolate(_) => {}
        }
        Ok(())
    }
}

fn check(report: &mut Report, limits: &Limits) -> Result<(), ProtoError> {
    // One more of each than the limit: the remark that some were dropped.
    let at_most = |count: usize, most: u32| u64::try_from(count).is_ok_and(|count| count <= u64::from(most) + 1);
    if !at_most(report.detections.len(), limits.detections) {
        return Err(ProtoError::Untrue("more detections than allowed"));
    }
    if !at_most(report.anomalies.len(), limits.anomalies) {
        return Err(ProtoError::Untrue("more anomalies than allowed"));
    }
    for detection in &report.detections {
        check_path(&detection.object, limits)?;
        let too_long = |found: &MatchedString| found.bytes.len() > MatchedString::EXCERPT;
        if detection.strings.len() > MatchedString::MOST || detection.strings.iter().any(too_long) {
            return Err(ProtoError::Untrue("more of matched strings than allowed"));
        }
    }
    for anomaly in &mut report.anomalies {
        check_path(&anomaly.object, limits)?;
        anomaly.detail = clean(&anomaly.detail);
        report.gap |= anomaly.kind.is_gap();
    }
    Ok(())
}

fn check_path(path: &ObjectPath, limits: &Limits) -> Result<(), ProtoError> {
    // The engine tells of the object that was too deep as well.
    if !u64::try_from(path.0.len()).is_ok_and(|depth| depth <= u64::from(limits.depth) + 1) {
        return Err(ProtoError::Untrue("an object deeper than allowed"));
    }
    if path.0.iter().any(|name| name.as_bytes().len() > Name::LONGEST) {
        return Err(ProtoError::Untrue("a name longer than allowed"));
    }
    Ok(())
}

/// Text for a person, whoever wrote it.
fn clean(text: &str) -> String {
    let plain = |c: char| if c.is_control() || is_bidi(c) { '\u{fffd}' } else { c };
    text.chars().take(DETAIL).map(plain).collect()
}

/// Characters that change the direction of the text around them.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Drops matched strings, anomalies, and then detections, until the report fits.
fn shorten(mut report: Report) -> Report {
    for anomaly in &mut report.anomalies {
        anomaly.detail = anomaly.detail.chars().take(DETAIL).collect();
    }
    if too_long(&report) {
        report.detections.iter_mut().for_each(|detection| detection.strings = Vec::new());
    }
    while too_long(&report) && !report.anomalies.is_empty() {
        let keep = report.anomalies.len() / 2;
        let dropped = report.anomalies.len() - keep;
        report.gap |= report.anomalies.iter().any(|anomaly| anomaly.kind.is_gap());
        report.anomalies.truncate(keep);
        report.anomalies_dropped = report.anomalies_dropped.saturating_add(u64::try_from(dropped).unwrap_or(u64::MAX));
    }
    if too_long(&report) {
        // A stable sort: the strong ones stay, in their order.
        report.detections.sort_by_key(|detection| detection.strength != Strength::Strong);
        keep_what_fits(&mut report);
    }
    report
}

/// Keeps as many detections as fit, from the first on, and counts the others.
fn keep_what_fits(report: &mut Report) {
    let all = std::mem::take(&mut report.detections);
    let mut room = (LONGEST - ENVELOPE).saturating_sub(size(report) + LENGTHS);
    let fits = |detection: &Detection| {
        let rest = room.checked_sub(postcard::experimental::serialized_size(detection).unwrap_or(usize::MAX));
        room = rest.unwrap_or(0);
        rest.is_some()
    };
    let count = all.len();
    report.detections = all.into_iter().take_while(fits).collect();
    let dropped = u64::try_from(count.saturating_sub(report.detections.len())).unwrap_or(u64::MAX);
    report.detections_dropped = report.detections_dropped.saturating_add(dropped);
}

fn size(report: &Report) -> usize {
    postcard::experimental::serialized_size(report).unwrap_or(usize::MAX)
}

fn too_long(report: &Report) -> bool {
    size(report) > LONGEST - ENVELOPE
}

#[cfg(test)]
mod tests;
