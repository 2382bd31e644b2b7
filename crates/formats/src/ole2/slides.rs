//! Objects embedded in a presentation: records of the stream `PowerPoint Document` (MS-PPT 2.3.1, 2.10.34).
//!
//! Records stand one behind the other; those that hold others are entered by passing over their header alone. An embedded
//! object is a compound file, plain or compressed with zlib. Macros of a presentation are such an object.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Part, Reader, Source};

use crate::codec;
use crate::stream::{Replay, SourceRead};
use crate::{Item, Member};

/// RT_ExternalOleObjectStg.
const OBJECT: u16 = 0x1011;
/// The version that marks a record which holds others.
const HOLDS_OTHERS: u16 = 0xf;
/// What stands before the DEFLATE data: the plain length, and the header of zlib (RFC 1950).
const BEFORE: u64 = 6;

/// A presentation whose objects are being given.
pub(super) struct Slides {
    folder: String,
    stream: Arc<dyn Source>,
    input: SourceRead,
    count: u32,
}

impl Slides {
    /// Walks through the records of `stream`.
    pub(super) fn open(folder: String, stream: Arc<dyn Source>) -> Slides {
        let input = SourceRead::new(Arc::clone(&stream));
        Slides { folder, stream, input, count: 0 }
    }

    /// The next object, or a remark.
    pub(super) fn next(&mut self, budget: &Budget) -> Option<Item> {
        loop {
            if let Err(reached) = budget.check_time() {
                self.input.go_to(u64::MAX);
                return Some(self.remark(reached.into()));
            }
            let header: [u8; 8] = match self.input.peek() {
                (header, 8) => header,
                (_, 0) => return None,
                _ => return Some(self.give_up()),
            };
            let start = self.input.position().saturating_add(8);
            let mut reader = Reader::new(&header, "record of a presentation");
            let (Ok(version), Ok(kind), Ok(length)) = (reader.u16_le(), reader.u16_le(), reader.u32_le()) else {
                return None;
            };
            if version & 0xf == HOLDS_OTHERS {
                self.input.go_to(start);
                continue;
            }
            let end = start.saturating_add(u64::from(length));
            if end > self.stream.len() && kind != OBJECT {
                return Some(self.give_up());
            }
            self.input.go_to(end);
            if kind == OBJECT {
                return Some(self.object(start, u64::from(length), version >> 4 == 1, budget));
            }
        }
    }

    fn give_up(&mut self) -> Item {
        self.input.go_to(u64::MAX);
        self.remark(Anomaly::damaged("the records of the presentation are broken"))
    }

    fn remark(&self, anomaly: Anomaly) -> Item {
        Item::Anomaly { member: Some(Name::new(format!("{}PowerPoint Document", self.folder).as_bytes())), anomaly }
    }

    fn object(&mut self, start: u64, length: u64, compressed: bool, budget: &Budget) -> Item {
        self.count = self.count.saturating_add(1);
        let name = Name::new(format!("{}PowerPoint Document/object {}", self.folder, self.count).as_bytes());
        if let Err(reached) = budget.charge_object() {
            self.input.go_to(u64::MAX);
            return Item::Anomaly { member: Some(name), anomaly: reached.into() };
        }
        let source: Arc<dyn Source> = match compressed {
            true => Arc::new(inflated(Arc::clone(&self.stream), start, length, budget)),
            false => Arc::new(Part::new(Arc::clone(&self.stream), start, length)),
        };
        Item::Member(Member { name, source, packed_size: Some(length) })
    }
}

fn inflated(stream: Arc<dyn Source>, start: u64, length: u64, budget: &Budget) -> Replay {
    let stated = dachs_base::read_vec_at(stream.as_ref(), start, 4);
    let stated = Reader::new(&stated, "length of an embedded object").u32_le().ok().map(u64::from);
    let fence = budget.clone();
    let (start, length) = (start.saturating_add(BEFORE), length.saturating_sub(BEFORE));
    let opener = move || {
        let decoder = codec::deflate(SourceRead::range(Arc::clone(&stream), start, length), &fence)?;
        let decoder: codec::Decoder = Box::new(Flushed { decoder, left: stated });
        Ok(decoder)
    };
    Replay::new(budget, opener).expecting(stated, None)
}

/// PowerPoint flushes its DEFLATE data instead of ending it: at the stated length, that is no break.
struct Flushed {
    decoder: codec::Decoder,
    left: Option<u64>,
}

impl Read for Flushed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.decoder.read(buffer) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && self.left == Some(0) => Ok(0),
            Ok(got) => {
                let got_wide = u64::try_from(got).unwrap_or(u64::MAX);
                self.left = self.left.and_then(|left| left.checked_sub(got_wide));
                Ok(got)
            }
            error => error,
        }
    }
}
