//! Pictures whose structure breaks the rules of their format, and two that once broke Windows.
//!
//! Nothing is decoded: chunks, blocks and segments are walked over by their sizes, in one pass. What is told of which fault was
//! watched on ClamAV 1.4.6 (`--alert-broken-media`), which names the first that it meets:
//!
//! * PNG (RFC 2083 3.2): chunks that do not fit into the file, up to `IEND`.
//! * GIF (GIF89a specification, 15 to 27): blocks that are cut off or of unknown labels, up to the trailer; no picture at all.
//! * JPEG (ITU-T T.81 B.1): segments that do not fit into the file, and application segments (JFIF, Exif, SPIFF) that are
//!   there twice or too late, up to the first scan. A comment that is shorter than its own size is MS04-028.
//! * TIFF (Revision 6.0, 2): directories and values that do not fit into the file.
//! * RIFF: the header of an animated cursor that is not of its size is MS05-002.
//!
//! Checksums, colours and what is drawn are not looked at.

mod gif;
mod jpeg;
mod png;
mod riff;
#[cfg(test)]
mod tests;
mod tiff;

use std::sync::Arc;

use dachs_base::{Budget, FileKind, Heuristic, MediaFault, Source};

/// Steps between two looks at the clock.
const STEP: u32 = 4096;

/// What is wrong with the structure of an object of this kind: the first fault, if there is one. Ends without a word when the
/// time is over, which the scan tells.
pub(crate) fn judge(kind: FileKind, source: &Arc<dyn Source>, budget: &Budget) -> Option<Heuristic> {
    let mut walk = Walk { source: &**source, budget, at: 0, steps: 0 };
    let fault = match kind {
        FileKind::Gif => gif::fault(&mut walk),
        FileKind::Jpeg => return jpeg::judge(&mut walk),
        FileKind::Png => png::fault(&mut walk),
        FileKind::Riff => return riff::judge(&mut walk),
        FileKind::Tiff => tiff::fault(&mut walk),
        _ => None,
    };
    fault.map(Heuristic::BrokenMedia)
}

/// A walk over a file.
struct Walk<'a> {
    source: &'a dyn Source,
    budget: &'a Budget,
    at: u64,
    steps: u32,
}

impl Walk<'_> {
    /// The next bytes, if they are all there.
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        let got = self.source.read_at(self.at, &mut bytes);
        (got == N).then(|| {
            self.at = self.at.saturating_add(u64::try_from(N).unwrap_or(u64::MAX));
            bytes
        })
    }

    /// Passes over so many bytes, if they are all there.
    fn skip(&mut self, count: u64) -> Option<()> {
        let end = self.at.saturating_add(count);
        let there = count == 0 || self.source.read_at(end.saturating_sub(1), &mut [0]) == 1;
        there.then(|| self.at = end)
    }

    /// False when the time is over.
    fn goes_on(&mut self) -> bool {
        self.steps = self.steps.wrapping_add(1);
        !self.steps.is_multiple_of(STEP) || self.budget.check_time().is_ok()
    }
}
