//! PostScript (specification: PostScript Language Reference, third edition, 3.13 on filters; Encapsulated PostScript File
//! Format 3.0, 5.2 on the header for DOS).
//!
//! A page is a program, and only running it would tell all that it reads. What is done is to follow the way in which programs
//! carry data: `currentfile` with filters, and behind it lines of nothing but digits of one of the two ASCII encodings:
//!
//! ```text
//! currentfile /ASCII85Decode filter /FlateDecode filter     the chain, kept until the next `currentfile`
//! Gb"/\>EM@#...                                             a line of 40 digits or more: data from here
//! ...~>                                                     to the end mark
//! ```
//!
//! Each such stretch is a member, decoded. Everything else is matched as the text that it is. The DOS form holds the
//! page, and a preview as WMF or TIFF; each is a member.

use std::io::BufReader;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Part, Reader, Source, read_vec_at};

use crate::pdf::filter::{self, Filter};
use crate::stream::{Replay, SourceRead};
use crate::{Found, Search, Unpack};

/// How the DOS form begins.
const DOS: &[u8] = b"\xc5\xd0\xd3\xc6";
/// Bytes of a line that are looked at.
const LONGEST_LINE: usize = 4096;
/// Digits that make a line one of data.
const FEWEST_DIGITS: usize = 40;
/// Filters of a chain.
const MOST_FILTERS: usize = 8;
/// Lines of a step.
const STEP: u32 = 256;

/// Goes through a page.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Page {
        source: Arc::clone(source),
        budget: budget.clone(),
        found: Found::new(budget),
        window: Vec::new(),
        window_at: 0,
        at: 0,
        filters: Vec::new(),
        count: 0,
    })
}

struct Page {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// Bytes of the page, and where they begin.
    window: Vec<u8>,
    window_at: u64,
    /// Where the next line begins.
    at: u64,
    /// The filters that `currentfile` was last given.
    filters: Vec<Filter>,
    count: u64,
}

impl Search for Page {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        if self.at == 0 && read_vec_at(self.source.as_ref(), 0, 4) == DOS {
            self.found.end();
            return self.parts();
        }
        for _ in 0..STEP {
            let start = self.at;
            let Some(line) = self.next_line() else {
                self.found.end();
                break;
            };
            self.look(start, &line)?;
        }
        Ok(())
    }
}

impl Page {
    /// EPSF 3.0, 5.2: start and length of each part.
    fn parts(&mut self) -> Result<(), Anomaly> {
        let bytes = read_vec_at(self.source.as_ref(), 4, 24);
        let mut reader = Reader::new(&bytes, "EPS header");
        for name in ["page", "preview (WMF)", "preview (TIFF)"] {
            let (start, length) = (u64::from(reader.u32_le()?), u64::from(reader.u32_le()?));
            if length > 0 {
                let part = Part::new(Arc::clone(&self.source), start, length);
                self.found.member(Name::new(name.as_bytes()), Arc::new(part), Some(length))?;
            }
        }
        Ok(())
    }

    /// The next line without its end, or as much of it as is looked at.
    fn next_line(&mut self) -> Option<Vec<u8>> {
        const WINDOW: usize = 64 * 1024;
        let held = |page: &Page| usize::try_from(page.at.checked_sub(page.window_at)?).ok();
        let mut from = held(self).filter(|from| from + LONGEST_LINE <= self.window.len());
        if from.is_none() {
            self.window = read_vec_at(self.source.as_ref(), self.at, WINDOW);
            self.window_at = self.at;
            from = Some(0);
        }
        let rest = self.window.get(from?..).filter(|rest| !rest.is_empty())?;
        let rest = rest.get(..LONGEST_LINE).unwrap_or(rest);
        let end = memchr::memchr2(b'\n', b'\r', rest);
        let line = rest.get(..end.unwrap_or(rest.len()))?.to_vec();
        let passed = end.map_or(rest.len(), |end| end + 1);
        self.at = self.at.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
        Some(line)
    }

    fn look(&mut self, start: u64, line: &[u8]) -> Result<(), Anomaly> {
        match self.filters.first() {
            Some(Filter::Ascii85) if is_data(line, b"~>", |byte| matches!(byte, b'!'..=b'u' | b'z')) => {
                self.data(start, b'~')
            }
            Some(Filter::AsciiHex) if is_data(line, b">", |byte| byte.is_ascii_hexdigit()) => self.data(start, b'>'),
            _ => {
                self.note_filters(line);
                Ok(())
            }
        }
    }

    fn note_filters(&mut self, line: &[u8]) {
        let words = line.split(|byte| byte.is_ascii_whitespace() || b"{}[]()<>".contains(byte));
        for word in words {
            let filter = match word {
                b"currentfile" => {
                    self.filters.clear();
                    continue;
                }
                b"/ASCII85Decode" => Filter::Ascii85,
                b"/ASCIIHexDecode" => Filter::AsciiHex,
                b"/FlateDecode" => Filter::Flate(None),
                b"/LZWDecode" => Filter::Lzw { early: true, predictor: None },
                b"/RunLengthDecode" => Filter::RunLength,
                _ => continue,
            };
            if self.filters.len() < MOST_FILTERS {
                self.filters.push(filter);
            }
        }
    }

    /// Gives the data that begin at `start` and end behind the mark.
    fn data(&mut self, start: u64, mark: u8) -> Result<(), Anomaly> {
        self.at = self.end_of_data(start, mark)?;
        let length = self.at.saturating_sub(start);
        self.count = self.count.saturating_add(1);
        let (source, filters, budget) = (Arc::clone(&self.source), self.filters.clone(), self.budget.clone());
        let replay = Replay::new(&self.budget, move || {
            let input = SourceRead::range(Arc::clone(&source), start, length);
            filter::decode(Box::new(BufReader::new(input)), &filters, &budget)
        });
        let name = Name::new(format!("data {}", self.count).as_bytes());
        Ok(self.found.member(name, Arc::new(replay), Some(length))?)
    }

    fn end_of_data(&self, start: u64, mark: u8) -> Result<u64, Anomaly> {
        let mut at = start;
        loop {
            let bytes = read_vec_at(self.source.as_ref(), at, 64 * 1024);
            let found = memchr::memchr(mark, &bytes);
            let passed = found.map_or(bytes.len(), |place| place + 1);
            at = at.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
            if found.is_some() || bytes.is_empty() {
                return Ok(at);
            }
            self.budget.check_time()?;
        }
    }
}

/// True for a line of nothing but digits, many of them or up to the end mark.
fn is_data(line: &[u8], mark: &[u8], digit: fn(u8) -> bool) -> bool {
    let line = line.trim_ascii();
    let digits = line.strip_suffix(mark).unwrap_or(line);
    let many = digits.len() >= FEWEST_DIGITS || (digits.len() < line.len() && !digits.is_empty());
    many && digits.iter().all(|byte| digit(*byte))
}
