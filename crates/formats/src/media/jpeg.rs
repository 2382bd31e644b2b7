//! JPEG: segments, each a marker, a size and data, up to the first scan.

use dachs_base::{Heuristic, read_vec_at};

use super::{MediaFault, Walk};

/// Bytes in which a marker must come (observed).
const MARKER_WITHIN: u32 = 16;
/// T.81 table B.1
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP8: u8 = 0xe8;
const COMMENT: u8 = 0xfe;
const SCAN: u8 = 0xda;

/// What was met on the way.
#[derive(Default)]
struct Met {
    jfif: bool,
    exif: bool,
    spiff: bool,
    /// Segments, comments left out.
    count: u32,
}

pub(super) fn judge(walk: &mut Walk<'_>) -> Option<Heuristic> {
    walk.at = 2;
    let mut met = Met::default();
    while walk.goes_on() {
        let marker = match marker(walk) {
            Ok(marker) => marker,
            Err(fault) => return Some(Heuristic::BrokenMedia(fault)),
        };
        let Some(size) = walk.take::<2>().map(u16::from_be_bytes) else {
            return Some(Heuristic::BrokenMedia(MediaFault::JpegCantReadSegmentSize));
        };
        if size < 2 && marker == COMMENT {
            return Some(Heuristic::JpegComment);
        }
        let start = walk.at;
        let data = u64::from(size).checked_sub(2);
        // Observed: the last byte may be missing.
        let fault = match data.map(|count| walk.skip(count.saturating_sub(1)).map(|()| start.saturating_add(count))) {
            None => Some(MediaFault::JpegInvalidSegmentSize),
            Some(None) => Some(MediaFault::JpegSegmentDataOutOfFile),
            Some(Some(end)) => {
                walk.at = end;
                met.application(marker, &read_vec_at(walk.source, start, 6))
            }
        };
        if let Some(fault) = fault {
            return Some(Heuristic::BrokenMedia(fault));
        }
        if marker == SCAN {
            break;
        }
        met.count = met.count.saturating_add(u32::from(marker != COMMENT));
    }
    None
}

/// B.1.1.2: any number of filling bytes, `0xff`, and a code.
fn marker(walk: &mut Walk<'_>) -> Result<u8, MediaFault> {
    let mut before = 0;
    for _ in 0..MARKER_WITHIN {
        let Some([byte]) = walk.take::<1>() else { return Err(MediaFault::JpegCantReadSegmentSize) };
        if before == 0xff && byte != 0xff {
            return Ok(byte);
        }
        before = byte;
    }
    Err(MediaFault::JpegSpuriousBytesBeforeSegment)
}

impl Met {
    /// Looks at the start of a segment's data: application segments stand at the start, each once (observed).
    fn application(&mut self, marker: u8, data: &[u8]) -> Option<MediaFault> {
        match marker {
            APP0 if data.starts_with(b"JFIF\0") => {
                if std::mem::replace(&mut self.jfif, true) {
                    return Some(MediaFault::JpegJfifDupAppMarker);
                }
                (self.count > u32::from(self.exif)).then_some(MediaFault::JpegJfifMarkerBadPosition)
            }
            APP1 if data.starts_with(b"Exif\0\0") => {
                if std::mem::replace(&mut self.exif, true) || self.spiff {
                    return Some(MediaFault::JpegExifDupAppMarker);
                }
                (self.jfif && self.count > 2).then_some(MediaFault::JpegExifHeaderBadPosition)
            }
            APP8 if data.starts_with(b"SPIFF\0") => {
                if std::mem::replace(&mut self.spiff, true) || self.jfif || self.exif {
                    return Some(MediaFault::JpegSpiffDupAppMarker);
                }
                (self.count > 0).then_some(MediaFault::JpegSpiffMarkerBadPosition)
            }
            _ => None,
        }
    }
}
