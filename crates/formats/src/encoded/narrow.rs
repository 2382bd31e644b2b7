//! A text in UTF-16 as bytes: the low byte of each character, or 255 for one beyond them.

use std::sync::Arc;

use dachs_base::{Anomaly, Source, read_vec_at};

/// Bytes read at once.
const PIECE: usize = 1 << 16;

/// The low bytes of a text.
pub(crate) struct Narrow {
    source: Arc<dyn Source>,
    /// The low byte comes first.
    little: bool,
}

impl Narrow {
    /// Tells the order of bytes from the mark, or from where the first zero stands.
    pub(super) fn new(source: Arc<dyn Source>) -> Narrow {
        let head = read_vec_at(source.as_ref(), 0, 2);
        let little = !(head.starts_with(b"\xFE\xFF") || head.starts_with(b"\0"));
        Narrow { source, little }
    }

    /// With the order of bytes that its text has.
    pub(crate) fn ordered(source: Arc<dyn Source>, little: bool) -> Narrow {
        Narrow { source, little }
    }
}

impl Source for Narrow {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        for piece in buffer.chunks_mut(PIECE / 2) {
            let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX)).saturating_mul(2);
            let wide = read_vec_at(self.source.as_ref(), at, piece.len().saturating_mul(2));
            let (pairs, _) = wide.as_chunks::<2>();
            for (place, pair) in piece.iter_mut().zip(pairs) {
                let unit = if self.little { u16::from_le_bytes(*pair) } else { u16::from_be_bytes(*pair) };
                *place = u8::try_from(unit).unwrap_or(u8::MAX);
            }
            done += pairs.len();
            if pairs.len() < piece.len() {
                break;
            }
        }
        done
    }

    fn len(&self) -> u64 {
        self.source.len() / 2
    }

    fn known_len(&self) -> Option<u64> {
        self.source.known_len().map(|length| length / 2)
    }

    fn problem(&self) -> Option<Anomaly> {
        self.source.problem()
    }
}
