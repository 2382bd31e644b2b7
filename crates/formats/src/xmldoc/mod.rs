//! Documents in one XML text: Word and Excel 2003 (WordprocessingML, SpreadsheetML; ECMA-376-4 for the later flat form), Hangul
//! (HWPML), PDF in XDP (XFA Specification 3.3).
//!
//! What such a document carries stands in elements as base64: `w:binData` (macros and objects), `pkg:binaryData`, `BINDATA`,
//! and `chunk` (XFA 3.3, "XDP": the document itself). Each is a member, decoded while it is read. Nothing else is looked at here,
//! and no tree is built: tags are found by their `<`, wherever they stand. What is compressed as well (`Compress="true"` in
//! HWPML) is inflated, with or without zlib's wrapping.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Source, read_vec_at};

use crate::codec;
use crate::encoded::is_zlib;
use crate::mail::{Base64, decoded};
use crate::stream::{Replay, SourceRead};
use crate::{Found, Search, Unpack};

/// Bytes that are looked at in one step.
const WINDOW: usize = 1 << 16;
/// A tag that is longer is none.
const LONGEST_TAG: usize = 1 << 10;
/// Elements that hold base64, without their prefix.
const ELEMENTS: [&[u8]; 3] = [b"bindata", b"binarydata", b"chunk"];

/// Goes through a document.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Document {
        source: Arc::clone(source),
        budget: budget.clone(),
        found: Found::new(budget),
        at: 0,
        inside: None,
        members: 0,
    })
}

struct Document {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// What was looked at so far.
    at: u64,
    /// The element that is being read.
    inside: Option<Element>,
    members: u64,
}

/// An element whose end was not found yet.
struct Element {
    name: Vec<u8>,
    start: u64,
    compressed: bool,
}

impl Search for Document {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let window = read_vec_at(self.source.as_ref(), self.at, WINDOW);
        let last = window.len() < WINDOW;
        let mut passed = 0;
        loop {
            let tag = memchr::memchr(b'<', window.get(passed..).unwrap_or(&[])).map(|at| passed + at);
            let Some(tag) = tag else {
                passed = window.len();
                break;
            };
            if let Some(element) = self.inside.take() {
                self.give(&element, self.at.saturating_add(as_u64(tag)))?;
            }
            passed = self.tags(&window, tag, last);
            if self.inside.is_none() {
                break;
            }
        }
        if last && let Some(element) = self.inside.take() {
            self.give(&element, self.at.saturating_add(as_u64(window.len())))?;
        }
        self.at = self.at.saturating_add(as_u64(passed));
        if last && passed == window.len() {
            self.found.end();
        }
        Ok(())
    }
}

impl Document {
    /// Looks at tags from `at` on, up to one that opens an element of interest, or that may be cut off; gives how far it came.
    fn tags(&mut self, window: &[u8], mut at: usize, last: bool) -> usize {
        loop {
            let rest = window.get(at..).unwrap_or(&[]);
            let end = rest.get(..LONGEST_TAG).unwrap_or(rest).iter().position(|byte| *byte == b'>');
            match end {
                None if !last && rest.len() < LONGEST_TAG && at > 0 => return at,
                Some(end) if self.opens(rest.get(1..end).unwrap_or(&[]), at + end + 1) => return at + end + 1,
                _ => {}
            }
            match memchr::memchr(b'<', rest.get(1..).unwrap_or(&[])) {
                Some(next) => at += next + 1,
                None => return window.len(),
            }
        }
    }

    /// Is this the tag of an element of interest? It starts `behind` what was looked at.
    fn opens(&mut self, tag: &[u8], behind: usize) -> bool {
        let name = tag.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or(tag);
        let plain = name.rsplit(|byte| *byte == b':').next().unwrap_or(name);
        let wanted = ELEMENTS.iter().any(|element| element.eq_ignore_ascii_case(plain)) && !tag.ends_with(b"/");
        if wanted {
            let compressed = tag.to_ascii_lowercase().windows(15).any(|word| word == b"compress=\"true\"");
            let start = self.at.saturating_add(as_u64(behind));
            self.inside = Some(Element { name: plain.to_vec(), start, compressed });
        }
        wanted
    }

    /// Gives what stands in an element up to `end`.
    fn give(&mut self, element: &Element, end: u64) -> Result<(), Anomaly> {
        let length = end.saturating_sub(element.start);
        if length == 0 {
            return Ok(());
        }
        self.members = self.members.saturating_add(1);
        let name = Name::new(&[element.name.as_slice(), format!(" {}", self.members).as_bytes()].concat());
        let range = (element.start, end);
        let source = decoded(&self.source, range, &self.budget, || Base64::new(Arc::default()));
        let source: Arc<dyn Source> = if element.compressed { self.inflated(source) } else { Arc::new(source) };
        Ok(self.found.member(name, source, Some(length))?)
    }

    fn inflated(&self, packed: Replay) -> Arc<dyn Source> {
        let (packed, budget): (Arc<dyn Source>, _) = (Arc::new(packed), self.budget.clone());
        Arc::new(Replay::new(&self.budget, move || {
            let start = if is_zlib(&read_vec_at(packed.as_ref(), 0, 2)) { 2 } else { 0 };
            codec::deflate(SourceRead::range(Arc::clone(&packed), start, u64::MAX), &budget)
        }))
    }
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Item;
    use dachs_base::{Limits, Memory, NoClock};

    fn members(text: &str) -> Vec<(String, Vec<u8>)> {
        let source: Arc<dyn Source> = Arc::new(Memory::new(text.as_bytes()));
        let mut unpack = open(&source, &Budget::new(Limits::default(), NoClock));
        let mut found = Vec::new();
        while let Some(item) = unpack.next_item() {
            found.push(match item {
                Item::Member(member) => {
                    let name = String::from_utf8_lossy(member.name.as_bytes()).into_owned();
                    (name, read_vec_at(&*member.source, 0, 1000))
                }
                Item::Anomaly { anomaly, .. } => (anomaly.detail, Vec::new()),
                _ => continue,
            });
        }
        found
    }

    #[test]
    fn what_documents_carry_comes_out() {
        let text = "<?xml version=\"1.0\"?><w:wordDocument><w:binData w:name=\"a\">\nYmFk\nZ2Vy\n</w:binData><w:t>x</w:t>\
            <pkg:binaryData>c2V0dA==</pkg:binaryData><w:binData/><chunk></chunk><a<chunk>SGk</w:wordDocument>";
        let expected = [("binData 1", &b"badger"[..]), ("binaryData 2", b"sett"), ("chunk 3", b"Hi")];
        let expected: Vec<_> = expected.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        assert_eq!(members(text), expected);
        // Raw, and in zlib's wrapping.
        for packed in ["S0pMSU8tAgA=", "eNpLSkxJTy0CAAg4AmY="] {
            let text = format!("<HWPML><BINDATA Compress=\"true\">{packed}</BINDATA>");
            assert_eq!(members(&text), [("BINDATA 1".to_owned(), b"badger".to_vec())]);
        }
        assert_eq!(members("<chunk>YmFk"), [("chunk 1".to_owned(), b"bad".to_vec())]);
    }

    #[test]
    fn elements_are_found_across_windows() {
        for pad in [WINDOW - 20, WINDOW - 8, WINDOW - 1, WINDOW, 3 * WINDOW + 5] {
            let text = format!(
                "<a>{}<w:binData>{}YmFkZ2Vy{}</w:binData><b>",
                "x".repeat(pad),
                "\n".repeat(pad),
                " ".repeat(pad)
            );
            assert_eq!(members(&text), [("binData 1".to_owned(), b"badger".to_vec())], "{pad}");
            let tags = format!("{}<chunk>YmFkZ2Vy</chunk>", "<".repeat(pad));
            assert_eq!(members(&tags).len(), 1, "{pad}");
        }
        assert_eq!(members(&"<".repeat(3 * WINDOW)), []);
        assert_eq!(members(""), []);
    }
}
