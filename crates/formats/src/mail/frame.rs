//! Multiparts and their boundaries (RFC 2046 5.1.1).
//!
//! A boundary counts if a line begins with two dashes and it. One that fills its line exactly is preferred, innermost first;
//! then the longest.

/// A multipart that the walk is in.
pub(super) struct Frame {
    /// In all readings of the header.
    pub(super) boundaries: Vec<Vec<u8>>,
    /// What the numbers of its parts begin with: "2." for "2.1", "2.2".
    pub(super) prefix: String,
    /// How many parts were begun.
    pub(super) parts: u64,
    /// The parts of a digest are messages unless they say otherwise (RFC 2046 5.1.5).
    pub(super) digest: bool,
    /// No header told of it.
    pub(super) guessed: bool,
    /// Its last boundary was read.
    pub(super) closed: bool,
}

/// The frame whose boundary a line is, and whether it closes the frame (RFC 2046 5.1.1).
pub(super) fn boundary(frames: &[Frame], line: &[u8]) -> Option<(usize, bool)> {
    let text = line.strip_prefix(b"--")?.trim_ascii_end();
    let behind = |boundary: &Vec<u8>| text.strip_prefix(boundary.as_slice());
    let mut best: Option<(usize, usize, bool)> = None;
    for (index, frame) in frames.iter().enumerate().rev() {
        for (length, behind) in frame.boundaries.iter().filter_map(|known| Some((known.len(), behind(known)?))) {
            match behind {
                b"" => return Some((index, false)),
                b"--" => return Some((index, true)),
                _ if best.is_none_or(|(longest, ..)| length > longest) => {
                    best = Some((length, index, behind.starts_with(b"--")));
                }
                _ => {}
            }
        }
    }
    best.map(|(_, index, closing)| (index, closing))
}

/// True if the line may be the boundary of a multipart.
pub(super) fn is_dashes(line: &[u8]) -> bool {
    line.strip_prefix(b"--").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_graphic))
}
