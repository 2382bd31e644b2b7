//! TNEF, the `winmail.dat` of Outlook (specification: MS-OXTNEF).
//!
//! ```text
//! signature 0x223E9F78, key
//! attribute: level, id, length, data, sum of the data's bytes     2.1.3.1, again and again
//! ```
//!
//! Attributes of level 1 describe the message, those of level 2 its attachments. An attachment begins with
//! `attAttachRendData`; its data, its short name and its properties follow in any order, so it is given when the next one
//! begins. Members are parts of the source: data of attachments, and bodies of the message in all forms there are. Properties
//! (2.1.3.4) hold the long name and, for messages and OLE objects attached, the content. A body in compressed RTF
//! (MS-OXRTFCP) is given as RTF.
//!
//! A wrong sum is a remark: the data were read. Text in other properties is not given.

mod properties;
mod rtf;

use std::io::Read;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Part, Source};

use crate::stream::{Fenced, Replay, SourceRead};
use crate::{Found, Search, Unpack};
use properties::Property;

/// Level, id and length of an attribute.
const HEADER: usize = 9;
/// Bytes of a name that are read.
const LONGEST_NAME: u64 = 1024;
/// Most members that one attachment, or the message itself, gives.
const MOST: usize = 64;

/// [MS-OXTNEF] 2.1.3.2, without the type.
mod id {
    pub(super) const BODY: u16 = 0x800c;
    pub(super) const ATTACH_DATA: u16 = 0x800f;
    pub(super) const ATTACH_TITLE: u16 = 0x8010;
    pub(super) const ATTACH_META_FILE: u16 = 0x8011;
    pub(super) const ATTACH_REND_DATA: u16 = 0x9002;
    pub(super) const MESSAGE_PROPERTIES: u16 = 0x9003;
    pub(super) const ATTACHMENT: u16 = 0x9005;
}

/// Unpacks a TNEF stream.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let mut input = SourceRead::new(Arc::clone(source));
    input.go_to(6);
    Box::new(Tnef {
        source: Arc::clone(source),
        budget: budget.clone(),
        input,
        found: Found::new(budget),
        attachment: Attachment::default(),
        attachments: 0,
        bad_sums: 0,
    })
}

struct Tnef {
    source: Arc<dyn Source>,
    budget: Budget,
    input: SourceRead,
    found: Found,
    attachment: Attachment,
    attachments: u64,
    bad_sums: u64,
}

/// What is known of the attachment at hand.
#[derive(Default)]
struct Attachment {
    title: Option<Vec<u8>>,
    long_name: Option<Vec<u8>>,
    /// What holds its content, and what to call it if nobody named it.
    contents: Vec<Content>,
}

/// A stretch of the stream.
struct Content {
    start: u64,
    length: u64,
    what: &'static str,
    /// In compressed RTF.
    packed: bool,
}

impl Search for Tnef {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        self.attribute();
        Ok(())
    }
}

impl Tnef {
    /// Reads one attribute.
    fn attribute(&mut self) {
        let mut header = [0; HEADER];
        match self.input.read_fully(&mut header) {
            HEADER => {}
            0 => return self.finish(None),
            _ if !matches!(header, [1 | 2, ..]) => {
                self.found.remark(None, Anomaly::odd("a few bytes follow the TNEF stream"));
                return self.finish(None);
            }
            _ => return self.finish(Some("the TNEF stream is cut off within an attribute")),
        }
        let [level, id0, id1, _, _, a, b, c, d] = header;
        let (id, length) = (u16::from_le_bytes([id0, id1]), u64::from(u32::from_le_bytes([a, b, c, d])));
        if !matches!(level, 1 | 2) {
            return self.finish(Some("a TNEF attribute is broken; what follows it was not read"));
        }
        let start = self.input.position();
        if id == id::ATTACH_REND_DATA {
            self.end_attachment();
        }
        self.take(level, id, start, length);
        self.input.go_to(start);
        let (sum, complete) = self.sum(length);
        let mut stated = [0; 2];
        if !complete || self.input.read_fully(&mut stated) < 2 {
            return self.finish(Some("the TNEF stream is cut off within an attribute"));
        }
        self.bad_sums = self.bad_sums.saturating_add(u64::from(u16::from_le_bytes(stated) != sum));
    }

    /// Takes what an attribute holds.
    fn take(&mut self, level: u8, id: u16, start: u64, length: u64) {
        match id {
            id::BODY if level == 1 => self.add(start, length, "body", false),
            id::ATTACH_DATA => self.add(start, length, "", false),
            id::ATTACH_META_FILE => self.add(start, length, "picture", false),
            id::ATTACH_TITLE => self.attachment.title = Some(self.text(start, length)),
            id::MESSAGE_PROPERTIES | id::ATTACHMENT => self.properties(start, length),
            _ => {}
        }
    }

    fn properties(&mut self, start: u64, length: u64) {
        let mut list = properties::List::new(&self.source, start, length);
        while let Some(found) = list.next_property() {
            match found {
                Property::Name(name) => self.attachment.long_name = Some(name),
                Property::Content { start, length, what, packed } => self.add(start, length, what, packed),
            }
            if let Err(reached) = self.budget.check_time() {
                return self.found.end_with(None, reached.into());
            }
        }
        if list.broken {
            self.found.remark(None, Anomaly::damaged("a list of properties in a TNEF stream is broken"));
        }
    }

    fn add(&mut self, start: u64, length: u64, what: &'static str, packed: bool) {
        if length == 0 {
            return;
        }
        if self.attachment.contents.len() < MOST {
            return self.attachment.contents.push(Content { start, length, what, packed });
        }
        self.found.remark(
            None,
            Anomaly::damaged(format!("a TNEF attachment with more than {MOST} contents; not all were read")),
        );
    }

    /// Gives the attachment at hand, or the bodies of the message.
    fn end_attachment(&mut self) {
        let attachment = std::mem::take(&mut self.attachment);
        let name = attachment.long_name.or(attachment.title).filter(|name| !name.is_empty());
        for content in attachment.contents {
            let called = match (&name, content.what) {
                (Some(name), "") => name.clone(),
                (Some(name), what) if self.attachments > 0 => [name, &b" "[..], what.as_bytes()].concat(),
                (_, "") => format!("attachment {}", self.attachments).into_bytes(),
                (_, what) => what.as_bytes().to_vec(),
            };
            self.give(Name::new(&called), &content);
        }
        self.attachments = self.attachments.saturating_add(1);
    }

    fn give(&mut self, name: Name, content: &Content) {
        if self.found.is_ended() {
            return;
        }
        let part: Arc<dyn Source> = Arc::new(Part::new(Arc::clone(&self.source), content.start, content.length));
        let source = if content.packed { self.unpacked(&part) } else { part };
        if let Err(reached) = self.found.member(name.clone(), source, Some(content.length)) {
            self.found.end_with(Some(name), reached.into());
        }
    }

    fn unpacked(&self, part: &Arc<dyn Source>) -> Arc<dyn Source> {
        let (part, budget) = (Arc::clone(part), self.budget.clone());
        let opener = move || {
            let input = SourceRead::new(Arc::clone(&part));
            Ok(Box::new(Fenced::new(&budget, rtf::MEMORY, || rtf::Rtf::new(input))?) as Box<dyn Read + Send>)
        };
        Arc::new(Replay::new(&self.budget, opener))
    }

    /// The first bytes of a text that a zero ends.
    fn text(&self, start: u64, length: u64) -> Vec<u8> {
        let count = usize::try_from(length.min(LONGEST_NAME)).unwrap_or(0);
        let bytes = dachs_base::read_vec_at(self.source.as_ref(), start, count);
        bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
    }

    /// The sum of the next bytes, and whether all of them are there.
    fn sum(&mut self, length: u64) -> (u16, bool) {
        let mut buffer = [0; 4096];
        let (mut sum, mut left) = (0_u16, length);
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let got = self.input.read_fully(buffer.get_mut(..count).unwrap_or_default());
            sum = buffer.iter().take(got).fold(sum, |sum, byte| sum.wrapping_add(u16::from(*byte)));
            left = left.saturating_sub(u64::try_from(got).unwrap_or(0));
            if got < count || self.budget.check_time().is_err() {
                return (sum, false);
            }
        }
        (sum, true)
    }

    fn finish(&mut self, damage: Option<&'static str>) {
        self.end_attachment();
        if self.bad_sums > 0 {
            self.found.remark(None, Anomaly::odd("checksums of TNEF attributes are wrong"));
        }
        if let Some(detail) = damage.filter(|_| !self.found.is_ended()) {
            self.found.remark(None, Anomaly::damaged(detail));
        }
        self.found.end();
    }
}
