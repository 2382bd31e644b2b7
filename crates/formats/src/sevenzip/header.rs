//! The header of a 7z archive: tables of numbers, one behind the other (7zFormat.txt, "Header structures").
//!
//! No table is copied. [`Header::read`] goes through them once, checks their structure and notes where each begins; after
//! that [`Streams`] and [`Files`] walk the tables side by side. So the memory that a header needs is its own length, and a
//! header that announces 2^60 files costs nothing.
//!
//! ```text
//! Header: 01 [archive properties] [streams] [files] 00
//! streams: pack sizes | folders: coders, unpack sizes, digests | substreams: counts, sizes, digests
//! files:   count | properties: empty-stream bits, empty-file bits, names, ...
//! ```

use dachs_base::{Name, Short};

use super::cursor::{Bits, Bytes, Cursor, Digests, Wrong};
use super::folder::Folder;

/// Numbers of properties.
pub(super) mod id {
    pub(in super::super) const END: u8 = 0x00;
    pub(in super::super) const HEADER: u8 = 0x01;
    pub(super) const ARCHIVE_PROPERTIES: u8 = 0x02;
    pub(super) const ADDITIONAL_STREAMS: u8 = 0x03;
    pub(super) const MAIN_STREAMS: u8 = 0x04;
    pub(super) const FILES: u8 = 0x05;
    pub(super) const PACK_INFO: u8 = 0x06;
    pub(super) const UNPACK_INFO: u8 = 0x07;
    pub(super) const SUBSTREAMS: u8 = 0x08;
    pub(super) const SIZES: u8 = 0x09;
    pub(super) const DIGESTS: u8 = 0x0A;
    pub(super) const FOLDERS: u8 = 0x0B;
    pub(super) const UNPACK_SIZES: u8 = 0x0C;
    pub(super) const SUBSTREAM_COUNTS: u8 = 0x0D;
    pub(super) const EMPTY_STREAM: u8 = 0x0E;
    pub(super) const EMPTY_FILE: u8 = 0x0F;
    pub(super) const NAMES: u8 = 0x11;
    pub(in super::super) const ENCODED_HEADER: u8 = 0x17;
}

/// The tables that describe packed streams (7zFormat.txt, "Streams Info").
#[derive(Clone)]
pub(super) struct StreamTables {
    pack_position: u64,
    pack_sizes: Cursor,
    pack_count: u64,
    folder_count: u64,
    folders: Cursor,
    unpack_sizes: Cursor,
    folder_digests: Option<Digests>,
    counts: Option<Cursor>,
    sizes: Option<Cursor>,
    digests: Option<Digests>,
}

impl StreamTables {
    fn empty(cursor: &Cursor) -> StreamTables {
        StreamTables {
            pack_position: 0,
            pack_sizes: cursor.clone(),
            pack_count: 0,
            folder_count: 0,
            folders: cursor.clone(),
            unpack_sizes: cursor.clone(),
            folder_digests: None,
            counts: None,
            sizes: None,
            digests: None,
        }
    }

    fn read(cursor: &mut Cursor) -> Result<StreamTables, Wrong> {
        let mut tables = StreamTables::empty(cursor);
        loop {
            match cursor.byte()? {
                id::END => return Ok(tables),
                id::PACK_INFO => tables.read_pack_info(cursor)?,
                id::UNPACK_INFO => tables.read_unpack_info(cursor)?,
                id::SUBSTREAMS => tables.read_substreams(cursor)?,
                _ => return Err(Wrong::Damaged("the header has an unknown table of streams")),
            }
        }
    }

    fn read_pack_info(&mut self, cursor: &mut Cursor) -> Result<(), Wrong> {
        self.pack_position = cursor.number()?;
        self.pack_count = cursor.number()?;
        loop {
            match cursor.byte()? {
                id::END => return Ok(()),
                id::SIZES => {
                    self.pack_sizes = cursor.clone();
                    for _ in 0..self.pack_count {
                        cursor.number()?;
                    }
                }
                id::DIGESTS => drop(Digests::read(cursor, self.pack_count)?),
                _ => return Err(Wrong::Damaged("the header has an unknown table of packed streams")),
            }
        }
    }

    fn read_unpack_info(&mut self, cursor: &mut Cursor) -> Result<(), Wrong> {
        cursor.expect(id::FOLDERS)?;
        self.folder_count = cursor.number()?;
        no_external(cursor)?;
        self.folders = cursor.clone();
        let mut sizes = 0u64;
        for _ in 0..self.folder_count {
            let folder = cursor.read(Folder::read)?;
            sizes = sizes.saturating_add(folder.outputs());
        }
        cursor.expect(id::UNPACK_SIZES)?;
        self.unpack_sizes = cursor.clone();
        for _ in 0..sizes {
            cursor.number()?;
        }
        loop {
            match cursor.byte()? {
                id::END => return Ok(()),
                id::DIGESTS => self.folder_digests = Some(Digests::read(cursor, self.folder_count)?),
                _ => return Err(Wrong::Damaged("the header has an unknown table of folders")),
            }
        }
    }

    fn read_substreams(&mut self, cursor: &mut Cursor) -> Result<(), Wrong> {
        let mut id = cursor.byte()?;
        if id == id::SUBSTREAM_COUNTS {
            self.counts = Some(cursor.clone());
            for _ in 0..self.folder_count {
                cursor.number()?;
            }
            id = cursor.byte()?;
        }
        if id == id::SIZES {
            self.sizes = Some(cursor.clone());
        }
        let without_digest = self.pass_sizes(cursor)?;
        if self.sizes.is_some() {
            id = cursor.byte()?;
        }
        if id == id::DIGESTS {
            self.digests = Some(Digests::read(cursor, without_digest)?);
            id = cursor.byte()?;
        }
        match id {
            id::END => Ok(()),
            _ => Err(Wrong::Damaged("the header has an unknown table of substreams")),
        }
    }

    /// Moves behind the sizes of the substreams and counts those that have no checksum yet.
    fn pass_sizes(&self, cursor: &mut Cursor) -> Result<u64, Wrong> {
        let (mut counts, mut folder_digests) = (self.counts.clone(), self.folder_digests.clone());
        let mut without_digest = 0u64;
        for _ in 0..self.folder_count {
            let count = next_or(&mut counts, 1)?;
            let known = folder_digests.as_mut().and_then(Digests::next_digest).is_some();
            match (self.sizes.is_some(), count) {
                (true, _) => (1..count).try_for_each(|_| cursor.number().map(drop))?,
                (false, 0 | 1) => {}
                (false, _) => return Err(Wrong::Damaged("the header does not say how long the members are")),
            }
            if count != 1 || !known {
                without_digest = without_digest.saturating_add(count);
            }
        }
        Ok(without_digest)
    }
}

fn next_or(numbers: &mut Option<Cursor>, otherwise: u64) -> Result<u64, Short> {
    numbers.as_mut().map_or(Ok(otherwise), Cursor::number)
}

fn no_external(cursor: &mut Cursor) -> Result<(), Wrong> {
    match cursor.byte()? {
        0 => Ok(()),
        _ => Err(Wrong::Unsupported("a part of the header stands in a stream of its own")),
    }
}

/// A stretch of a folder's unpacked bytes: the content of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    /// Number of the folder.
    pub(super) folder: u64,
    /// Where it begins in the folder's unpacked bytes.
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) crc: Option<u32>,
}

/// A folder with what it takes to unpack it.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    pub(super) folder: Folder,
    /// Unpacked size of each coder.
    pub(super) unpack_sizes: Vec<u64>,
    /// Offset in the archive behind its 32-byte start, and size, of each packed stream.
    pub(super) streams: Vec<(u64, u64)>,
    pub(super) crc: Option<u32>,
}

impl Packed {
    /// How many bytes it unpacks to.
    pub(super) fn size(&self) -> u64 {
        let main = self.folder.main_output().and_then(|main| self.unpack_sizes.get(main));
        main.copied().unwrap_or(0)
    }
}

/// Walks the streams, folder by folder.
pub(super) struct Streams {
    tables: StreamTables,
    pack_offset: u64,
    pack_left: u64,
    /// Number of the next folder.
    next_folder: u64,
    /// The folder at hand.
    pub(super) packed: Option<Packed>,
    /// How many streams it has, and how many of them are still to come.
    count: u64,
    left: u64,
    offset: u64,
}

impl Streams {
    /// Begins before the first folder.
    pub(super) fn new(tables: &StreamTables) -> Streams {
        let (pack_offset, pack_left) = (tables.pack_position, tables.pack_count);
        Streams {
            tables: tables.clone(),
            pack_offset,
            pack_left,
            next_folder: 0,
            packed: None,
            count: 0,
            left: 0,
            offset: 0,
        }
    }

    /// Goes to the next folder, skipping what is left of the one at hand. False if there is none.
    pub(super) fn next_folder(&mut self) -> Result<bool, Wrong> {
        if self.next_folder >= self.tables.folder_count {
            return Ok(false);
        }
        self.next_folder += 1;
        let folder = self.tables.folders.read(Folder::read)?;
        let mut unpack_sizes = Vec::new();
        for _ in 0..folder.outputs() {
            unpack_sizes.push(self.tables.unpack_sizes.number()?);
        }
        let mut streams = Vec::new();
        for _ in 0..folder.packed_streams() {
            streams.push(self.next_pack()?);
        }
        let crc = self.tables.folder_digests.as_mut().and_then(Digests::next_digest);
        self.count = next_or(&mut self.tables.counts, 1)?;
        self.left = self.count;
        self.offset = 0;
        self.packed = Some(Packed { folder, unpack_sizes, streams, crc });
        Ok(true)
    }

    fn next_pack(&mut self) -> Result<(u64, u64), Wrong> {
        let enough = self.pack_left.checked_sub(1);
        self.pack_left = enough.ok_or(Wrong::Damaged("the header has fewer packed streams than folders need"))?;
        let stream = (self.pack_offset, self.tables.pack_sizes.number()?);
        self.pack_offset = stream.0.saturating_add(stream.1);
        Ok(stream)
    }

    /// The next stream; `None` behind the last one of the last folder.
    pub(super) fn next_stream(&mut self) -> Result<Option<Stream>, Wrong> {
        while self.left == 0 {
            if !self.next_folder()? {
                return Ok(None);
            }
        }
        self.left -= 1;
        let total = self.packed.as_ref().map_or(0, Packed::size);
        let size = self.next_size(total)?;
        let stream = Stream { folder: self.next_folder - 1, offset: self.offset, size, crc: self.next_crc() };
        self.offset = self.offset.saturating_add(size);
        Ok(Some(stream))
    }

    /// The last stream of a folder takes what is left of it.
    fn next_size(&mut self, total: u64) -> Result<u64, Wrong> {
        match (self.left, self.tables.sizes.as_mut()) {
            (0, _) | (_, None) => {
                let rest = total.checked_sub(self.offset);
                rest.ok_or(Wrong::Damaged("the members are longer than what holds them"))
            }
            (_, Some(sizes)) => Ok(sizes.number()?),
        }
    }

    /// The checksum of a folder is that of its stream, if it has only one.
    fn next_crc(&mut self) -> Option<u32> {
        let of_folder = self.packed.as_ref().and_then(|packed| packed.crc).filter(|_| self.count == 1);
        of_folder.or_else(|| self.tables.digests.as_mut().and_then(Digests::next_digest))
    }
}

/// What the header says of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Its name in UTF-8, cut like a [`Name`].
    pub(super) name: Vec<u8>,
    pub(super) content: Content,
}

/// Where a file's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Directory,
    Empty,
    Stream,
}

/// Walks the files.
pub(super) struct Files {
    count: u64,
    next: u64,
    empty_stream: Option<Bits>,
    empty_file: Option<Bits>,
    names: Option<Cursor>,
}

impl Files {
    fn none() -> Files {
        Files { count: 0, next: 0, empty_stream: None, empty_file: None, names: None }
    }

    fn read(cursor: &mut Cursor) -> Result<Files, Wrong> {
        let mut files = Files { count: cursor.number()?, ..Files::none() };
        loop {
            let property = cursor.byte()?;
            if property == id::END {
                return Ok(files);
            }
            let size = cursor.number()?;
            let mut inside = cursor.clone();
            cursor.skip(size)?;
            match property {
                id::EMPTY_STREAM if files.count.div_ceil(8) <= size => files.empty_stream = Some(Bits::new(&inside)),
                id::EMPTY_STREAM => return Err(Wrong::Damaged("the header has too few bits for its files")),
                id::EMPTY_FILE => files.empty_file = Some(Bits::new(&inside)),
                id::NAMES => {
                    no_external(&mut inside)?;
                    files.names = Some(inside);
                }
                _ => {}
            }
        }
    }

    /// The next file.
    pub(super) fn next_file(&mut self) -> Option<File> {
        if self.next >= self.count {
            return None;
        }
        self.next += 1;
        let without_stream = self.empty_stream.as_mut().is_some_and(Bits::next_bit);
        let content = match without_stream {
            false => Content::Stream,
            true if self.empty_file.as_mut().is_some_and(Bits::next_bit) => Content::Empty,
            true => Content::Directory,
        };
        Some(File { name: self.next_name(), content })
    }

    fn next_name(&mut self) -> Vec<u8> {
        let mut name = Vec::new();
        if let Some(names) = self.names.as_mut() {
            let units = std::iter::from_fn(|| names.read(|reader| reader.u16_le()).ok().filter(|unit| *unit != 0));
            for letter in char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)) {
                if name.len() < Name::LONGEST {
                    name.extend(letter.encode_utf8(&mut [0; 4]).bytes());
                }
            }
        }
        name
    }
}

/// A header: streams and files.
pub(super) struct Header {
    pub(super) streams: StreamTables,
    pub(super) files: Files,
}

impl Header {
    /// Reads a header that begins with [`id::HEADER`].
    pub(super) fn read(bytes: &Bytes) -> Result<Header, Wrong> {
        let mut cursor = bytes.cursor(0);
        cursor.expect(id::HEADER)?;
        let mut header = Header { streams: StreamTables::empty(&cursor), files: Files::none() };
        loop {
            match cursor.byte()? {
                id::END => return Ok(header),
                id::ARCHIVE_PROPERTIES => skip_properties(&mut cursor)?,
                id::ADDITIONAL_STREAMS => drop(StreamTables::read(&mut cursor)?),
                id::MAIN_STREAMS => header.streams = StreamTables::read(&mut cursor)?,
                id::FILES => header.files = Files::read(&mut cursor)?,
                _ => return Err(Wrong::Damaged("the header has an unknown part")),
            }
        }
    }
}

fn skip_properties(cursor: &mut Cursor) -> Result<(), Wrong> {
    while cursor.byte()? != id::END {
        let size = cursor.number()?;
        cursor.skip(size)?;
    }
    Ok(())
}

/// The streams of a header that begins with [`id::ENCODED_HEADER`]; the first one is the real header.
pub(super) fn read_encoded(bytes: &Bytes) -> Result<StreamTables, Wrong> {
    let mut cursor = bytes.cursor(0);
    cursor.expect(id::ENCODED_HEADER)?;
    StreamTables::read(&mut cursor)
}
