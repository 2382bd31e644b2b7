//! XAR archives, the packages of macOS (specification: <https://github.com/mackyle/xar/wiki/xarformat>).
//!
//! ```text
//! "xar!", size of the header (u16), version (u16), table packed (u64), table plain (u64), checksum (u32)   big-endian
//! table: zlib, XML | heap: data of the files, each with an encoding of its own
//! <file><name>a</name><data><offset>20</offset><length>9</length><size>30</size><encoding style="application/x-gzip"/>
//! ```
//!
//! The table is read token by token, so a broken one gives what stands before the break. Checksums in it are not compared.

mod table;

use std::io::Read;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Name, Part, Reader, Source, read_vec_at};

use self::table::{Data, Table};
use crate::codec::{self, Decoder};
use crate::stream::{Replay, SourceRead};
use crate::{Found, Search, Unpack};

/// Goes through the files of an archive.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let (source, budget, found) = (Arc::clone(source), budget.clone(), Found::new(budget));
    Box::new(Archive { source, budget, found, heap: 0, table: None, _memory: None })
}

struct Archive {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// Where offsets count from.
    heap: u64,
    /// Absent until it was read.
    table: Option<Table>,
    _memory: Option<Charge>,
}

impl Search for Archive {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let Some(table) = self.table.as_mut() else { return self.read_table() };
        match table.next_file() {
            Some((name, data)) => self.give(Name::new(&name), &data),
            None => {
                if !table.is_whole() {
                    self.found.remark(None, Anomaly::damaged("the table of contents breaks off"));
                }
                self.found.end();
                Ok(())
            }
        }
    }
}

impl Archive {
    fn read_table(&mut self) -> Result<(), Anomaly> {
        let bytes = read_vec_at(self.source.as_ref(), 0, 28);
        let mut reader = Reader::new(&bytes, "XAR header");
        reader.skip(4)?;
        let header = u64::from(reader.u16_be()?);
        reader.skip(2)?;
        let (packed, plain) = (reader.u64_be()?, reader.u64_be()?);
        self._memory = Some(self.budget.reserve(plain)?);
        self.budget.charge_bytes(plain)?;
        self.heap = header.saturating_add(packed);
        let input = SourceRead::range(Arc::clone(&self.source), header.saturating_add(2), packed.saturating_sub(2));
        let mut text = Vec::new();
        let decoder =
            codec::deflate(input, &self.budget).map_err(|_| Anomaly::damaged("there is no table of contents"))?;
        // What could be read before an error counts.
        let result = decoder.take(plain).read_to_end(&mut text);
        if result.is_err() {
            self.found.remark(None, Anomaly::damaged("the table of contents is broken"));
        }
        self.table = Some(Table::new(text));
        Ok(())
    }

    fn give(&mut self, name: Name, data: &Data) -> Result<(), Anomaly> {
        let start = self.heap.saturating_add(data.offset);
        let length = data.length;
        let source: Arc<dyn Source> = match data.encoding.as_str() {
            "" | "application/octet-stream" => Arc::new(Part::new(Arc::clone(&self.source), start, length)),
            "application/x-gzip" | "application/x-bzip2" | "application/x-lzma" | "application/x-xz" => {
                let (source, budget, encoding) = (Arc::clone(&self.source), self.budget.clone(), data.encoding.clone());
                let replay = Replay::new(&self.budget, move || decoder(&source, start, length, &encoding, &budget));
                Arc::new(replay.expecting(data.size, None))
            }
            _ => {
                self.found.remark(Some(name), Anomaly::unsupported("its encoding is not known"));
                return Ok(());
            }
        };
        Ok(self.found.member(name, source, Some(length))?)
    }
}

/// `x-gzip` means a zlib stream here.
fn decoder(
    source: &Arc<dyn Source>,
    start: u64,
    length: u64,
    encoding: &str,
    budget: &Budget,
) -> std::io::Result<Decoder> {
    let input =
        |skip: u64| SourceRead::range(Arc::clone(source), start.saturating_add(skip), length.saturating_sub(skip));
    match encoding {
        "application/x-gzip" => codec::deflate(input(2), budget),
        "application/x-bzip2" => codec::bzip2(input(0), false, budget),
        "application/x-xz" => codec::xz(input(0), budget),
        _ => {
            let mut header = [0; 13];
            let mut input = input(0);
            input.read_exact(&mut header)?;
            let [properties @ .., _, _, _, _, _, _, _, _] = header;
            codec::lzma(input, properties, None, budget)
        }
    }
}
