//! Web archives (ISO 28500, WARC 1.0 and 1.1; HTTP as in RFC 9112).
//!
//! ```text
//! "WARC/1.1" CRLF  fields  CRLF  block of Content-Length bytes  CRLF CRLF
//! ```
//!
//! A record of an answer gives its body as a member, a part of the archive behind the head of the answer; a body that came in
//! chunks is put together without a copy. The blocks of other records are members as they are. Names are the addresses that were
//! asked. Content codings stay: gzip is told by its content. Brotli is not,
//! so a body that says so, and begins as such, is given decoded. Archives in which every record is compressed for
//! itself are gzip streams first. Revisits hold no body.

use std::io::Read;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Source, read_vec_at};

use crate::codec;
use crate::joined::Extents;
use crate::stream::{Replay, SourceRead};
use crate::{Found, Search, Unpack};

/// Bytes of a head that are read.
const LONGEST_HEAD: usize = 64 * 1024;
/// Bytes of the line that begins a chunk.
const LONGEST_LINE: usize = 256;

/// Goes through the records.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Warc { source: Arc::clone(source), budget: budget.clone(), found: Found::new(budget), at: 0 })
}

struct Warc {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    at: u64,
}

/// Fields of a head, and how many bytes it has.
struct Head {
    lines: Vec<u8>,
    length: u64,
}

impl Head {
    /// Reads a head; nothing if it does not end.
    fn read(source: &dyn Source, at: u64) -> Option<Head> {
        let mut bytes = read_vec_at(source, at, 4096);
        let mut end = end_of_head(&bytes);
        if end.is_none() && bytes.len() == 4096 {
            bytes = read_vec_at(source, at, LONGEST_HEAD);
            end = end_of_head(&bytes);
        }
        let end = end?;
        bytes.truncate(end);
        Some(Head { lines: bytes, length: u64::try_from(end).ok()? })
    }

    /// The value of a field.
    fn field(&self, name: &str) -> Option<&[u8]> {
        let mut lines = self.lines.split(|byte| *byte == b'\n');
        lines.find_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (found, value) = (line.get(..colon)?, line.get(colon + 1..)?);
            found.trim_ascii().eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
        })
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.field(name).is_some_and(|found| found.eq_ignore_ascii_case(value.as_bytes()))
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let crlf = memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4);
    let lf = memchr::memmem::find(bytes, b"\n\n").map(|at| at + 2);
    crlf.into_iter().chain(lf).min()
}

fn number(text: &[u8], radix: u32) -> Option<u64> {
    let digits = std::str::from_utf8(text).ok()?.trim();
    digits.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| u64::from_str_radix(digits, radix).ok()).flatten()
}

impl Search for Warc {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let broken = || Anomaly::damaged("a record of the archive is broken; what follows was not read");
        let start = self.behind_lines();
        if start >= self.source.len() {
            self.found.end();
            return Ok(());
        }
        let head = Head::read(self.source.as_ref(), start).filter(|head| head.lines.starts_with(b"WARC/"));
        let head = head.ok_or_else(broken)?;
        let length = head.field("Content-Length").and_then(|text| number(text, 10)).ok_or_else(broken)?;
        let block = start.saturating_add(head.length);
        self.at = block.saturating_add(length);
        if length == 0 {
            return Ok(());
        }
        let name = head.field("WARC-Target-URI").or(head.field("WARC-Type")).unwrap_or(b"record");
        let name = Name::new(
            name.trim_ascii_start().strip_prefix(b"<").map_or(name, |name| name.strip_suffix(b">").unwrap_or(name)),
        );
        let Body { start, length, chunked, brotli } = self.body(&head, block, length);
        if length == 0 {
            return Ok(());
        }
        let mut extents = Extents::new(&self.budget);
        if chunked {
            if let Err(anomaly) = self.chunks(start, length, &mut extents) {
                self.found.remark(Some(name.clone()), anomaly);
            }
        } else {
            extents.push(Some(start), length)?;
        }
        let count = extents.length();
        if count == 0 {
            return Ok(());
        }
        let source = extents.into_source(&self.source, count);
        let source = if brotli { self.decoded(source) } else { source };
        Ok(self.found.member(name, source, Some(length))?)
    }
}

/// Where a body stands.
struct Body {
    start: u64,
    length: u64,
    /// It came in chunks.
    chunked: bool,
    /// It is said to be compressed with brotli.
    brotli: bool,
}

impl Warc {
    /// A body that is compressed with brotli, decoded; one that is not after all, as it is.
    fn decoded(&self, packed: Arc<dyn Source>) -> Arc<dyn Source> {
        let (again, budget) = (Arc::clone(&packed), self.budget.clone());
        let open = move || codec::brotli(SourceRead::new(Arc::clone(&again)), &budget);
        let begins = open().and_then(|mut decoder| decoder.read(&mut [0; 64])).is_ok();
        if begins { Arc::new(Replay::new(&self.budget, open)) } else { packed }
    }

    /// Passes the empty lines behind a record.
    fn behind_lines(&self) -> u64 {
        let bytes = read_vec_at(self.source.as_ref(), self.at, 16);
        let lines = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.at.saturating_add(u64::try_from(lines).unwrap_or(0))
    }

    /// The body of an answer; else the whole block.
    fn body(&self, head: &Head, block: u64, length: u64) -> Body {
        let answer = head.is("WARC-Type", "response") || head.is("WARC-Type", "revisit");
        let http = answer.then(|| Head::read(self.source.as_ref(), block)).flatten();
        match http.filter(|http| http.lines.starts_with(b"HTTP/") && http.length <= length) {
            Some(http) => {
                let start = block.saturating_add(http.length);
                let (chunked, brotli) = (http.is("Transfer-Encoding", "chunked"), http.is("Content-Encoding", "br"));
                Body { start, length: length - http.length, chunked, brotli }
            }
            None => Body { start: block, length, chunked: false, brotli: false },
        }
    }

    /// Chunks: length in hexadecimal, line end, bytes, line end (RFC 9112 7.1). A body that is not in chunks after all, as some
    /// programs store it, is given as it is.
    fn chunks(&self, start: u64, length: u64, extents: &mut Extents) -> Result<(), Anomaly> {
        let end = start.saturating_add(length);
        let mut at = start;
        while at < end {
            self.budget.check_time()?;
            let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(LONGEST_LINE);
            let line = read_vec_at(self.source.as_ref(), at, most);
            let line_end = line.iter().position(|byte| *byte == b'\n');
            let digits = line_end.and_then(|end| line.get(..end)?.split(|byte| *byte == b';').next());
            let Some((line_end, count)) = line_end.zip(digits.and_then(|digits| number(digits.trim_ascii(), 16)))
            else {
                if at == start {
                    extents.push(Some(start), length)?;
                    return Ok(());
                }
                return Err(Anomaly::damaged("the chunks of the body are broken"));
            };
            if count == 0 {
                return Ok(());
            }
            let first = at.saturating_add(u64::try_from(line_end).unwrap_or(0)).saturating_add(1);
            extents.push(Some(first), count.min(end.saturating_sub(first)))?;
            at = first.saturating_add(count).saturating_add(2);
        }
        Err(Anomaly::damaged("the chunks of the body break off"))
    }
}
