//! Documents of Hangul word processor 5, which are compound files (Hancom, "Hwp Document File Formats 5.0", revision 1.3).
//!
//! The stream `FileHeader` says if streams are compressed: text, scripts and most attachments are then DEFLATE without a
//! wrapping. Each is given plain as well.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Source, read_vec_at};

use crate::codec;
use crate::stream::{Replay, SourceRead};

/// 3.2.1: what `FileHeader` begins with, in 32 bytes.
const SIGN: &[u8] = b"HWP Document File";
/// Flags of a document.
const COMPRESSED: u32 = 1;
const PASSWORD: u32 = 1 << 1;
const DISTRIBUTED: u32 = 1 << 2;
/// Bytes by which it is told whether an attachment is compressed.
const TRIED: usize = 16 * 1024;

/// What a document says of its streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    flags: u32,
}

impl Document {
    /// Reads `FileHeader`.
    pub(super) fn read(header: &dyn Source) -> Option<Document> {
        let bytes = read_vec_at(header, 0, 40);
        let mut reader = Reader::new(bytes.strip_prefix(SIGN)?, "HWP file header");
        reader.skip(32 - 17 + 4).ok()?;
        Some(Document { flags: reader.u32_le().ok()? })
    }

    /// What keeps its text from being read.
    pub(super) fn remark(self) -> Option<Anomaly> {
        match self.flags {
            flags if flags & PASSWORD != 0 => Some(Anomaly::encrypted("the document is encrypted")),
            flags if flags & DISTRIBUTED != 0 => {
                Some(Anomaly::encrypted("the text of the document is scrambled for distribution"))
            }
            _ => None,
        }
    }

    /// The plain form of a stream, by its path in small letters, if it is compressed.
    pub(super) fn plain(self, path: &str, stream: &Arc<dyn Source>, budget: &Budget) -> Option<Arc<dyn Source>> {
        let folder = path.split('/').next().unwrap_or_default();
        let compressed = match folder {
            "docinfo" | "bodytext" | "scripts" | "dochistory" => true,
            "bindata" => {
                let head = read_vec_at(stream.as_ref(), 0, TRIED);
                codec::is_deflate(&head, head.len() < TRIED, 1)
            }
            _ => false,
        };
        if self.flags & COMPRESSED == 0 || self.remark().is_some() || !compressed {
            return None;
        }
        let (source, again) = (Arc::clone(stream), budget.clone());
        let open = move || codec::deflate(SourceRead::new(Arc::clone(&source)), &again);
        Some(Arc::new(Replay::new(budget, open)))
    }
}
