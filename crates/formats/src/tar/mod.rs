//! tar: v7, ustar and pax (POSIX.1-2017, pax, "Extended Description"), GNU (tar manual, "Basic Tar Format").
//!
//! Regular files are members, and so is whatever has bytes and is neither a link nor a directory. Long names come from
//! GNU's `L` entries or pax records. Damage does not end the walk: where a header should stand and none does, the
//! blocks up to the next header become a member of their own, so that nothing escapes the scan. The same holds for
//! blocks behind the end mark.
//!
//! Sparse files are given as they are stored, without their holes, and remarked. Volumes and GNU's incremental lists are
//! given as files.

mod header;
mod pax;

pub(crate) use header::is_header;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Source};

use crate::Unpack;
use crate::stored::{Entry, Place, Stored, Walk};
use header::{BLOCK, Header};
use pax::Records;

/// Most bytes of an extended header that are read; the rest is passed.
const LONGEST_EXTENSION: u64 = 256 * 1024;

/// Unpacks a tar archive.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Stored::open(Tar::default(), source, budget)
}

#[derive(Default)]
struct Tar {
    /// What extended headers said about the next entry.
    next: Records,
    /// True once two blocks of zeros were read.
    ended: bool,
    /// Where blocks began that are no entries.
    lost: Option<u64>,
    /// A file that stands behind a remark about it.
    waiting: Option<Entry>,
    /// How many files there were.
    files: u64,
    /// What was given last is one of them.
    counted: bool,
}

impl Walk for Tar {
    fn next_entry(&mut self, place: &mut Place) -> Entry {
        if let Some(entry) = self.waiting.take() {
            return entry;
        }
        self.counted = false;
        let start = place.position();
        let (block, got) = place.take::<BLOCK>();
        if is_header(&block) {
            return match self.lost.take() {
                Some(lost) => {
                    place.input.go_to(start);
                    lost_blocks(lost, start)
                }
                None => self.entry(&block, place),
            };
        }
        let zeros = block.iter().all(|byte| *byte == 0);
        match (got, self.lost) {
            (0, None) => Entry::End,
            (0, Some(lost)) => {
                self.lost = None;
                lost_blocks(lost, start)
            }
            (_, Some(_)) => Entry::Other,
            _ if zeros => self.zeros(place),
            _ => self.lose(start, got),
        }
    }

    fn position(&self) -> Option<u64> {
        self.counted.then_some(self.files)
    }
}

/// Blocks between two headers that belong to no entry.
fn lost_blocks(from: u64, to: u64) -> Entry {
    Entry::File(Name::new(b"unassigned blocks"), from, to.saturating_sub(from))
}

impl Tar {
    /// Two blocks of zeros end an archive; more follow as padding.
    fn zeros(&mut self, place: &mut Place) -> Entry {
        let (block, got) = place.input.peek::<BLOCK>();
        self.ended |= got == 0 || block.iter().all(|byte| *byte == 0);
        Entry::Other
    }

    /// A block stands where a header should.
    fn lose(&mut self, start: u64, got: usize) -> Entry {
        self.lost = Some(start);
        let anomaly = match (self.ended, got) {
            (true, _) => Anomaly::odd("data follow the end of the tar archive"),
            (false, BLOCK) => Anomaly::damaged("a tar header is broken; what follows it was read as one piece"),
            (false, _) => Anomaly::damaged("the tar archive is cut off within a header"),
        };
        Entry::Remark(None, anomaly)
    }

    fn entry(&mut self, block: &[u8], place: &mut Place) -> Entry {
        let Ok(header) = Header::read(block) else { return Entry::End };
        let stated = header.size.unwrap_or(0);
        match header.flag {
            b'L' => self.next.name = Some(header::until_zero(&extension(place, stated)).to_vec()),
            b'K' | b'g' => place.pass(stated, BLOCK as u64),
            b'x' | b'X' => self.next.read(&extension(place, stated)),
            _ => return self.file(header, place),
        }
        Entry::Other
    }

    /// An entry that is no extension of another.
    fn file(&mut self, header: Header, place: &mut Place) -> Entry {
        let records = std::mem::take(&mut self.next);
        let name = Name::new(&records.name.unwrap_or(header.name));
        let Some(stated) = records.size.or(header.size) else {
            return Entry::Remark(Some(name), Anomaly::damaged("the size of a tar entry makes no sense"));
        };
        if header.flag == b'S' && header.extended {
            pass_map(place);
        }
        let bare = matches!(header.flag, b'1'..=b'6') || name.as_bytes().ends_with(b"/");
        let size = if bare { hidden_size(place, stated) } else { stated };
        let start = place.position();
        place.pass(size, BLOCK as u64);
        self.counted = !bare || size > 0;
        self.files = self.files.saturating_add(u64::from(self.counted));
        let file = Entry::File(name.clone(), start, size);
        match remark(header.flag, bare, records.sparse, self.ended) {
            Some(anomaly) if size > 0 => {
                self.ended = false;
                self.waiting = Some(file);
                Entry::Remark(Some(name), anomaly)
            }
            _ => file,
        }
    }
}

/// What is odd about an entry with bytes.
fn remark(flag: u8, bare: bool, sparse: bool, ended: bool) -> Option<Anomaly> {
    if sparse || flag == b'S' {
        return Some(Anomaly::odd("a sparse file was scanned without its holes"));
    }
    if bare {
        return Some(Anomaly::odd("a link or directory carries data"));
    }
    ended.then(|| Anomaly::odd("entries follow the end of the tar archive"))
}

/// Links and directories have no bytes, though some programs write a size. If it is true, no header follows at once.
fn hidden_size(place: &mut Place, stated: u64) -> u64 {
    let (block, got) = place.input.peek::<BLOCK>();
    let end = block.iter().all(|byte| *byte == 0);
    if stated == 0 || got < BLOCK || end || is_header(&block) { 0 } else { stated }
}

/// GNU sparse: blocks of the map, each saying at 504 whether another follows.
fn pass_map(place: &mut Place) {
    loop {
        let (block, got) = place.take::<BLOCK>();
        if got < BLOCK || block.get(504) == Some(&0) || place.budget.check_time().is_err() {
            return;
        }
    }
}

/// The data of an extended header.
fn extension(place: &mut Place, size: u64) -> Vec<u8> {
    let memory = size.min(LONGEST_EXTENSION);
    let Ok(_charge) = place.budget.reserve(memory) else {
        place.pass(size, BLOCK as u64);
        return Vec::new();
    };
    let text = place.take_text(size, LONGEST_EXTENSION);
    place.pass(0, BLOCK as u64);
    text
}
