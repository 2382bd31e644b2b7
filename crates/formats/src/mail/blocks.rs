//! Files that stand in a text: uuencode, yEnc, BinHex.
//!
//! ```text
//! Hello,                     text
//! begin 644 badger.txt       begin, if a line of data follows
//! &8F%D9V5R                  data
//! end                        end
//! ```

use dachs_base::Anomaly;

use super::lines::Line;
use super::yenc::keyword;
use crate::uuencode;

/// The line that a BinHex file begins with.
const BINHEX: &[u8] = b"(This file must be converted";

/// How a block is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Base64,
    /// Given as it is, for the reader of BinHex.
    BinHex,
    Uuencode,
    Yenc,
}

/// A file in a text.
pub(super) struct Block {
    pub(super) code: Code,
    pub(super) name: Vec<u8>,
    pub(super) start: u64,
    pub(super) end: u64,
    /// What is to be said about it.
    pub(super) remark: Option<Anomaly>,
    /// Length and checksum, as far as stated.
    pub(super) length: Option<u64>,
    pub(super) crc32: Option<u32>,
}

/// Watches the lines of a text.
#[derive(Default)]
pub(super) struct Blocks {
    open: Option<Block>,
    /// A begin line: a block if data follow.
    begun: Option<Vec<u8>>,
    /// True once an open block's data are at their end.
    complete: bool,
}

impl Blocks {
    /// Takes one more line; gives the block that ended.
    pub(super) fn line(&mut self, line: &Line) -> Option<Block> {
        let text = line.text.trim_ascii_end();
        if let Some(name) = self.begun.take()
            && uuencode::is_data(&line.text)
        {
            return self.start(Code::Uuencode, name, line.start);
        }
        if let Some(name) = uuencode::begin(text) {
            self.begun = Some(name.to_vec());
        }
        if let Some(name) = uuencode::begin_base64(text) {
            return self.start(Code::Base64, name.to_vec(), line.next);
        }
        if text.starts_with(b"=ybegin ") && keyword(text, b"name").is_some() {
            return self.start_yenc(text, line);
        }
        if text.starts_with(BINHEX) {
            return self.start(Code::BinHex, Vec::new(), line.start);
        }
        let open = self.open.as_mut()?;
        match open.code {
            Code::Uuencode if text == b"end" => self.end(line.start, true),
            Code::Base64 if text == b"====" => self.end(line.start, true),
            Code::Yenc if text.starts_with(b"=ypart ") && open.start == line.start => {
                open.start = line.next;
                None
            }
            Code::Yenc if text.starts_with(b"=yend") => self.end_yenc(text, line.start),
            Code::Uuencode => {
                self.complete |= matches!(text, b"" | b"`");
                None
            }
            _ => None,
        }
    }

    /// Ends the block that is open where the text does.
    pub(super) fn end_of_text(&mut self, end: u64) -> Option<Block> {
        self.begun = None;
        self.end(end, false)
    }

    fn start(&mut self, code: Code, name: Vec<u8>, start: u64) -> Option<Block> {
        let before = self.end(start, false);
        self.complete = code == Code::BinHex;
        self.open = Some(Block { code, name, start, end: start, remark: None, length: None, crc32: None });
        before
    }

    fn start_yenc(&mut self, text: &[u8], line: &Line) -> Option<Block> {
        let name = keyword(text, b"name").unwrap_or_default().to_vec();
        let before = self.start(Code::Yenc, name, line.next);
        if let (Some(open), true) = (self.open.as_mut(), keyword(text, b"part").is_some()) {
            open.remark = Some(Anomaly::unsupported("one part of a yEnc file; the others are in other messages"));
        }
        before
    }

    fn end(&mut self, end: u64, whole: bool) -> Option<Block> {
        let mut block = self.open.take()?;
        block.end = end.max(block.start);
        if !whole && !self.complete {
            block.remark = block
                .remark
                .or_else(|| Some(Anomaly::damaged("the encoded file is cut off: its last line is missing")));
        }
        Some(block)
    }

    fn end_yenc(&mut self, text: &[u8], end: u64) -> Option<Block> {
        let mut block = self.end(end, true)?;
        let number = |key: &[u8]| std::str::from_utf8(keyword(text, key)?).ok();
        let checksum = if keyword(text, b"part").is_some() { number(b"pcrc32") } else { number(b"crc32") };
        block.length = number(b"size").and_then(|digits| digits.parse().ok());
        block.crc32 = checksum.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        Some(block)
    }
}
