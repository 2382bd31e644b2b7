//! The frame of an image: header, sections, table of sections; and the numbers inside.
//!
//! The crate's essay has the picture. This module knows where sections are and that they are whole; what their records
//! mean is known by the module that owns them ([`crate::hashes`], [`crate::names`], [`crate::rules`], ...).

use crate::ImageError;
use dachs_base::Reader;
use sha2::{Digest, Sha256};
use std::io::{self, Seek, Write};
use std::ops::Range;

/// The first bytes of every image.
pub(crate) const MAGIC: [u8; 8] = *b"DACHSIMG";
/// The version of the format that this code writes and reads.
pub(crate) const VERSION: u32 = 19;
/// Bytes of the header.
const HEADER: usize = 64;
/// Bytes of the header that its checksum covers, besides the table of sections.
const HEADER_CHECKED: usize = 32;
/// Bytes of one entry of the table of sections.
const ENTRY: usize = 64;
/// Sections start at multiples of this.
const ALIGNMENT: usize = 64;
/// Bytes that are written at once.
const BUFFER: usize = 1 << 16;
/// No image has more sections than this; more is damage.
const MOST_SECTIONS: usize = 4096;

macro_rules! sections {
    ($($variant:ident = $number:literal, $record:literal, $name:literal;)*) => {
        /// What a section holds. The number stands in the table of sections and never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Section {
            $($variant = $number,)*
        }

        impl Section {
            fn from_number(number: u16) -> Option<Section> {
                match number { $($number => Some(Section::$variant),)* _ => None }
            }

            /// The number in the table of sections.
            fn number(self) -> u16 {
                match self { $(Section::$variant => $number,)* }
            }

            /// Bytes of one record; the section's length is a multiple of it.
            fn record(self) -> usize {
                match self { $(Section::$variant => $record,)* }
            }

            /// The name in messages.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Section::$variant => $name,)* }
            }
        }
    };
}

// variant = number in the file, bytes of a record, name in messages
sections! {
    Sources = 1, 40, "sources";
    Skipped = 2, 16, "skip reasons";
    Text = 3, 1, "texts of sources";
    NameIndex = 4, 8, "index of names";
    Names = 5, 1, "names";
    Signatures = 6, 12, "signatures";
    FamilyIndex = 7, 8, "index of families of names";
    Families = 8, 1, "families of names";
    Entries = 9, 20, "entries of sources";
    HashDirectory = 16, 4, "directories of digests";
    HashSizes = 17, 12, "sizes of digests";
    HashDigests = 18, 1, "digests";
    HashSignatures = 19, 4, "signatures of digests";
    HashLeads = 20, 2, "first bytes of digests";
    Patterns = 32, 1, "patterns";
    UseIndex = 33, 4, "index of uses";
    Uses = 34, 4, "uses of patterns";
    Subsignatures = 35, 12, "subsignatures";
    PatternLists = 36, 4, "lists of patterns";
    Offsets = 37, 24, "offsets";
    Rules = 38, 20, "rules";
    Logic = 39, 1, "expressions";
    Always = 40, 4, "rules without a hit";
    Specials = 41, 1, "special subsignatures";
    Placed = 42, 16, "patterns with one place";
    Members = 48, 1, "rules about members";
    Settings = 49, 1, "settings";
    Links = 50, 1, "lists of links";
    Icons = 51, 1, "icons";
    Certificates = 52, 1, "revoked certificates";
    YaraTexts = 56, 1, "texts of YARA rules";
    YaraIndex = 57, 4, "index of details of YARA rules";
    YaraDetails = 58, 1, "details of YARA rules";
}

/// One entry of the table of sections.
#[derive(Clone, Copy)]
struct Entry<'a> {
    section: Section,
    item: u16,
    offset: u64,
    checksum: [u8; 32],
    bytes: &'a [u8],
}

/// The sections of an image.
#[derive(Clone)]
pub(crate) struct Frame<'a> {
    whole: &'a [u8],
    entries: Vec<Entry<'a>>,
    content: [u8; 32],
    table_offset: u64,
}

impl<'a> Frame<'a> {
    /// Reads the header and the table of sections, and checks that every section lies inside the image.
    pub(crate) fn new(whole: &'a [u8]) -> Result<Frame<'a>, ImageError> {
        let cut = |_| ImageError::Length { expected: length(HEADER), found: length(whole.len()) };
        let mut reader = Reader::new(whole, "header");
        if !whole.starts_with(&MAGIC) {
            return Err(ImageError::Magic);
        }
        reader.skip(8).map_err(cut)?;
        let version = reader.u32_le().map_err(cut)?;
        if version != VERSION {
            return Err(ImageError::Version(version));
        }
        let count = reader.u32_le().map_err(cut)?;
        let expected = reader.u64_le().map_err(cut)?;
        let table_offset = reader.u64_le().map_err(cut)?;
        let content = reader.array::<32>().map_err(cut)?;
        if expected != length(whole.len()) {
            return Err(ImageError::Length { expected, found: length(whole.len()) });
        }
        let table = table_bytes(whole, table_offset, count)?;
        if checksum(whole.get(..HEADER_CHECKED).unwrap_or(&[]), table) != content {
            return Err(ImageError::Checksum("header"));
        }
        let mut entries = Vec::with_capacity(table.len() / ENTRY);
        for record in table.chunks(ENTRY) {
            entries.push(entry(whole, record)?);
        }
        check_order(&entries)?;
        Ok(Frame { whole, entries, content, table_offset })
    }

    /// The bytes of a section; none if there is no such section.
    pub(crate) fn bytes(&self, section: Section, item: u16) -> &'a [u8] {
        self.entry(section, item).map_or(&[], |entry| entry.bytes)
    }

    /// The records of a section; none if there is no such section.
    pub(crate) fn records<const N: usize>(&self, section: Section, item: u16) -> &'a [[u8; N]] {
        debug_assert!(section.record() == N || section.record() == 1);
        self.bytes(section, item).as_chunks().0
    }

    /// The checksum over the header and, through the sections' checksums, over everything.
    pub(crate) fn content(&self) -> [u8; 32] {
        self.content
    }

    /// How many bytes the image has.
    pub(crate) fn len(&self) -> u64 {
        length(self.whole.len())
    }

    /// Checks every section's checksum, and that the bytes between sections are zero. `between` is called after each MiB.
    pub(crate) fn verify(&self, between: &mut dyn FnMut()) -> Result<(), ImageError> {
        let mut end = length(HEADER);
        let mut entries: Vec<&Entry<'a>> = self.entries.iter().collect();
        entries.sort_by_key(|entry| entry.offset);
        for entry in entries {
            let mut sum = Sha256::new();
            for piece in entry.bytes.chunks(1 << 20) {
                sum.update(piece);
                between();
            }
            if <[u8; 32]>::from(sum.finalize()) != entry.checksum {
                return Err(ImageError::Checksum(entry.section.name()));
            }
            self.verify_gap(end, entry.offset, entry.section)?;
            end = entry.offset.saturating_add(length(entry.bytes.len()));
        }
        self.verify_gap(end, self.table_offset, Section::Sources)
    }

    /// Where the beginnings of some sections lie, `most` bytes of each.
    pub(crate) fn places(&self, most: u64, wanted: &dyn Fn(Section, u16) -> bool) -> Vec<Range<u64>> {
        let entries = self.entries.iter().filter(|entry| wanted(entry.section, entry.item));
        let end = |entry: &Entry<'_>| entry.offset.saturating_add(length(entry.bytes.len()).min(most));
        entries.map(|entry| entry.offset..end(entry)).collect()
    }

    fn entry(&self, section: Section, item: u16) -> Option<&Entry<'a>> {
        let at = self.entries.binary_search_by_key(&(section, item), |entry| (entry.section, entry.item)).ok()?;
        self.entries.get(at)
    }

    fn verify_gap(&self, from: u64, to: u64, section: Section) -> Result<(), ImageError> {
        let gap =
            usize::try_from(from).ok().zip(usize::try_from(to).ok()).and_then(|(from, to)| self.whole.get(from..to));
        match gap {
            Some(gap) if gap.len() < ALIGNMENT && gap.iter().all(|byte| *byte == 0) => Ok(()),
            _ => Err(ImageError::Section { section: section.name(), reason: "they do not follow the section before" }),
        }
    }
}

/// Where an image is written: front to back, and the header at last.
pub(crate) trait Output: Write + Seek {}

impl<T: Write + Seek> Output for T {}

/// Writes the sections of an image, one after the other. Nothing is kept of them, so that an image may be larger than the
/// memory at hand.
pub(crate) struct Writer<'o> {
    sink: Sink<'o>,
    table: Vec<(Section, u16, [u8; ENTRY])>,
}

/// Takes the bytes of a section.
pub(crate) struct Sink<'o> {
    out: &'o mut dyn Output,
    /// Bytes that are not written yet.
    buffer: Vec<u8>,
    checksum: Sha256,
    /// Bytes taken since the image began.
    length: u64,
    /// What went wrong first.
    failed: Option<io::Error>,
}

impl Sink<'_> {
    /// Takes bytes.
    pub(crate) fn extend(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.length = self.length.saturating_add(length(bytes.len()));
        if self.buffer.len().saturating_add(bytes.len()) > BUFFER {
            self.flush();
        }
        if bytes.len() > BUFFER {
            self.put(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    fn flush(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.put(&buffer);
        buffer.clear();
        self.buffer = buffer;
    }

    fn put(&mut self, bytes: &[u8]) {
        self.checksum.update(bytes);
        if self.failed.is_none() {
            self.failed = self.out.write_all(bytes).err();
        }
    }
}

impl<'o> Writer<'o> {
    /// Begins an image.
    pub(crate) fn new(out: &'o mut dyn Output) -> Writer<'o> {
        let buffer = Vec::with_capacity(BUFFER);
        let mut sink = Sink { out, buffer, checksum: Sha256::new(), length: 0, failed: None };
        sink.extend([0; HEADER]);
        Writer { sink, table: Vec::new() }
    }

    /// Adds a section. Empty ones are left out. They stand in the order in which they come.
    pub(crate) fn section(&mut self, section: Section, item: u16, write: impl FnOnce(&mut Sink<'o>)) {
        self.sink.flush();
        self.sink.checksum = Sha256::new();
        let start = self.sink.length;
        write(&mut self.sink);
        self.sink.flush();
        let written = self.sink.length.saturating_sub(start);
        if written == 0 {
            return;
        }
        let checksum: [u8; 32] = std::mem::take(&mut self.sink.checksum).finalize().into();
        let mut entry = Vec::with_capacity(ENTRY);
        entry.extend(section.number().to_le_bytes());
        entry.extend(item.to_le_bytes());
        entry.extend(u32::try_from(section.record()).unwrap_or(0).to_le_bytes());
        entry.extend(start.to_le_bytes());
        entry.extend(written.to_le_bytes());
        entry.extend([0; 8]);
        entry.extend(checksum);
        self.table.push((section, item, entry.first_chunk().copied().unwrap_or([0; ENTRY])));
        self.align();
    }

    /// Writes the table of sections and the header.
    ///
    /// # Errors
    /// The first of the output, in all of the image.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let table_offset = self.sink.length;
        self.table.sort();
        let table: Vec<u8> = self.table.iter().flat_map(|(_, _, entry)| *entry).collect();
        self.sink.extend(&table);
        self.sink.flush();
        let mut header = Vec::with_capacity(HEADER);
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend(u32::try_from(self.table.len()).unwrap_or(u32::MAX).to_le_bytes());
        header.extend(self.sink.length.to_le_bytes());
        header.extend(table_offset.to_le_bytes());
        let content = checksum(&header, &table);
        header.extend(content);
        let Sink { out, failed, .. } = self.sink;
        if let Some(error) = failed {
            return Err(error);
        }
        out.rewind()?;
        out.write_all(&header)?;
        out.flush()
    }

    fn align(&mut self) {
        let alignment = length(ALIGNMENT);
        let missing = self.sink.length.next_multiple_of(alignment).saturating_sub(self.sink.length);
        let zeros = [0; ALIGNMENT];
        self.sink.extend(zeros.get(..usize::try_from(missing).unwrap_or(0)).unwrap_or(&[]));
    }
}

/// The record at `index`, if there is one.
pub(crate) fn at<T>(records: &[T], index: u32) -> Option<&T> {
    records.get(usize::try_from(index).ok()?)
}

/// The number in the `index`th record of four bytes.
pub(crate) fn number(records: &[[u8; 4]], index: u32) -> Option<u32> {
    at(records, index).map(|bytes| u32::from_le_bytes(*bytes))
}

/// How many records there are, as the 32-bit numbers of the image count them.
pub(crate) fn count<T>(records: &[T]) -> u32 {
    u32::try_from(records.len()).unwrap_or(u32::MAX)
}

/// A length in memory as the image writes it.
pub(crate) fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// SHA-256 of the header's checked part and the table of sections.
fn checksum(header: &[u8], table: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(header).chain_update(table).finalize().into()
}

fn table_bytes(whole: &[u8], offset: u64, count: u32) -> Result<&[u8], ImageError> {
    let damaged = ImageError::Section { section: "list of sections", reason: "it does not end the image" };
    let start = usize::try_from(offset).ok();
    let table = start.and_then(|start| whole.get(start..)).filter(|_| offset >= length(HEADER));
    let expected = usize::try_from(count).ok().filter(|count| *count <= MOST_SECTIONS).map(|count| count * ENTRY);
    table.filter(|table| Some(table.len()) == expected).ok_or(damaged)
}

fn entry<'a>(whole: &'a [u8], record: &[u8]) -> Result<Entry<'a>, ImageError> {
    let broken = |reason| ImageError::Section { section: "list of sections", reason };
    let cut = |_| broken("an entry is cut off");
    let mut reader = Reader::new(record, "entry of a section");
    let kind = reader.u16_le().map_err(cut)?;
    let section = Section::from_number(kind).ok_or(broken("an unknown kind of section"))?;
    let item = reader.u16_le().map_err(cut)?;
    let size = usize::try_from(reader.u32_le().map_err(cut)?).unwrap_or(usize::MAX);
    let offset = reader.u64_le().map_err(cut)?;
    let bytes = reader.u64_le().map_err(cut)?;
    let reserved = reader.u64_le().map_err(cut)?;
    let checksum = reader.array::<32>().map_err(cut)?;
    let mut body = Reader::new(whole, "section");
    let bytes = body.skip(offset).and_then(|()| body.take(bytes)).map_err(|_| broken("a section ends outside"))?;
    let whole_records = size == section.record() && bytes.len().is_multiple_of(size);
    if !whole_records {
        return Err(ImageError::Section { section: section.name(), reason: "their records have a wrong size" });
    }
    if reserved != 0 {
        return Err(broken("an entry says something that is not known"));
    }
    Ok(Entry { section, item, offset, checksum, bytes })
}

fn check_order(entries: &[Entry<'_>]) -> Result<(), ImageError> {
    let sorted = entries.is_sorted_by(|a, b| (a.section, a.item) < (b.section, b.item));
    let reason = "they are not in order";
    if sorted { Ok(()) } else { Err(ImageError::Section { section: "list of sections", reason }) }
}
