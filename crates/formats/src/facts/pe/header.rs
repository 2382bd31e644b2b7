//! The headers of a Portable Executable and its section table, aligned as ClamAV's signatures expect.
//!
//! Specification: Microsoft, "PE Format" (Signature, COFF File Header, Optional Header, Section Table). ClamAV rounds
//! what the section table says: a section's start down and its size up to the file alignment, or to 512 where the start
//! of some section that is not empty is a multiple of 512 but not of the stated alignment; its address down to the
//! section alignment. All of this is 32-bit arithmetic that wraps around. A section that starts behind the file's end has
//! no bytes and starts at 0; one that reaches past it is cut.
//!
//! A file has no facts if its headers are cut off or have too little room for their directories, if it has no section or
//! more than 96, if an address or size of a section is of 2 GiB or more (after the cut), or if no byte of the file is the
//! entry point. All of that was watched on ClamAV 1.4.6 with 4,000 generated headers.

use super::super::table;
use dachs_base::{Reader, Section, Source, read_vec_at};
use std::sync::Arc;

/// Bytes of the PE signature, the COFF header and the longest optional header with sixteen directories.
const HEADERS: usize = 24 + 112 + 8 * 16;
/// Bytes of the PE signature and the COFF header.
const COFF: usize = 24;
/// The subsystem of drivers and the like (`IMAGE_SUBSYSTEM_NATIVE`).
const NATIVE: u16 = 1;
/// Bytes of the optional header before its directories.
const OPTIONAL: (u16, u16) = (96, 112);
/// The optional header's magic number in a program for 64 bits (PE32+).
const WIDE: u16 = 0x20b;
/// Directories that are read.
const DIRECTORIES: u32 = 16;
/// One row of the section table.
const ROW: u16 = 40;
/// More sections than this make ClamAV give up on a file.
const MOST: u16 = 96;
/// The file alignment taken where the stated one does not hold.
pub(super) const SECTOR: u32 = 0x200;
/// Section may be executed (`IMAGE_SCN_MEM_EXECUTE`).
pub(super) const EXECUTE: u32 = 0x2000_0000;
/// Section may be written (`IMAGE_SCN_MEM_WRITE`).
pub(super) const WRITE: u32 = 0x8000_0000;
/// Addresses and sizes with this bit make ClamAV give up on a file.
const SIGN: u32 = 0x8000_0000;

/// Which data directory.
#[derive(Clone, Copy)]
pub(super) enum Directory {
    Imports = 1,
    Resources = 2,
    Certificates = 4,
}

/// A Portable Executable whose headers were read.
#[derive(Clone)]
pub(super) struct Pe {
    /// The file.
    pub(super) source: Arc<dyn Source>,
    layout: Layout,
}

/// Where everything is.
#[derive(Clone)]
pub(super) struct Layout {
    /// Is it for 64 bits?
    pub(super) wide: bool,
    /// Where the optional header begins.
    optional: u64,
    /// The file offset of the entry point.
    pub(super) entry_point: u64,
    sections: Vec<Aligned>,
    directories: Vec<(u32, u32)>,
    header_size: u32,
}

/// A section, aligned.
#[derive(Clone, Copy)]
struct Aligned {
    offset: u32,
    size: u32,
    address: u32,
}

/// The fields of the headers that are used.
pub(super) struct Header {
    wide: bool,
    /// Where the optional header begins.
    optional: u64,
    section_count: u16,
    table_offset: u64,
    entry: u32,
    pub(super) section_alignment: u32,
    pub(super) file_alignment: u32,
    pub(super) header_size: u32,
    /// It is a program of the system itself (`IMAGE_SUBSYSTEM_NATIVE`).
    pub(super) native: bool,
    directories: Vec<(u32, u32)>,
    /// Is there room for all directories?
    pub(super) roomy: bool,
    /// Does the file end before the last of them?
    pub(super) is_cut: bool,
}

/// A row of the section table.
pub(super) struct Row {
    pub(super) virtual_size: u32,
    pub(super) address: u32,
    pub(super) size: u32,
    offset: u32,
    characteristics: u32,
}

impl Pe {
    /// The file, with its headers read.
    pub(super) fn new(source: &Arc<dyn Source>, layout: &Layout) -> Pe {
        Pe { source: Arc::clone(source), layout: layout.clone() }
    }

    /// Where an address lies in the file; see [`Layout::file_offset`].
    pub(super) fn file_offset(&self, address: u32) -> Option<u64> {
        self.layout.file_offset(address)
    }

    /// Address and size of a directory; nothing if it is empty.
    pub(super) fn directory(&self, which: Directory) -> Option<(u32, u32)> {
        self.layout.directories.get(which as usize).copied().filter(|(address, size)| *address > 0 && *size > 0)
    }

    /// Where the checksum stands and where the entry of the certificate table, which no signature covers (PE Format, "Optional
    /// Header").
    pub(super) fn signed_places(&self) -> (u64, u64) {
        let optional = self.layout.optional;
        let directories = u64::from(if self.layout.wide { OPTIONAL.1 } else { OPTIONAL.0 });
        (optional.saturating_add(64), optional.saturating_add(directories).saturating_add(8 * 4))
    }

    /// Up to `count` bytes at an address, as far as the file has them.
    pub(super) fn read_at(&self, address: u32, count: usize) -> Option<Vec<u8>> {
        Some(read_vec_at(&*self.source, self.file_offset(address)?, count))
    }
}

impl Layout {
    /// Reads the headers; nothing if ClamAV would not take them either.
    pub(super) fn read(source: &dyn Source) -> Option<Layout> {
        let header = Header::read(source).filter(|header| header.roomy)?;
        let rows = header.rows(source);
        if rows.len() != usize::from(header.section_count) {
            return None;
        }
        let length = source.len();
        let sections = align(&rows, &header, length)?;
        let header_size = up(header.header_size, header.section_alignment);
        let (wide, directories) = (header.wide, header.directories);
        let optional = header.optional;
        let mut layout = Layout { wide, optional, entry_point: 0, sections, directories, header_size };
        layout.entry_point = layout.file_offset(header.entry).filter(|offset| *offset < length)?;
        Some(layout)
    }

    /// Where an address lies in the file: in the headers, or in the last section that holds it.
    pub(super) fn file_offset(&self, address: u32) -> Option<u64> {
        if address < self.header_size {
            return Some(u64::from(address));
        }
        self.sections.iter().rev().find_map(|section| {
            let inside = address.checked_sub(section.address).filter(|inside| *inside < section.size)?;
            u64::from(section.offset).checked_add(u64::from(inside))
        })
    }

    /// The sections' ranges in the file.
    pub(super) fn sections(&self) -> Vec<Section> {
        let section = |aligned: &Aligned| Section { offset: aligned.offset.into(), size: aligned.size.into() };
        self.sections.iter().map(section).collect()
    }
}

impl Header {
    /// Where the PE signature stands, if the whole COFF header follows it.
    pub(super) fn start(source: &dyn Source) -> Option<u64> {
        let dos = read_vec_at(source, 0, 64);
        let (b"MZ" | b"ZM") = dos.get(..2)? else { return None };
        let new_header = u64::from(Reader::new(dos.get(60..)?, "DOS header").u32_le().ok()?);
        if new_header == 0 {
            return None;
        }
        let coff = read_vec_at(source, new_header, COFF);
        (coff.starts_with(b"PE\0\0") && coff.len() == COFF).then_some(new_header)
    }

    /// Reads the DOS, COFF and optional headers.
    pub(super) fn read(source: &dyn Source) -> Option<Header> {
        Header::read_at(source, Header::start(source)?)
    }

    /// Reads the COFF and optional headers, which stand here.
    pub(super) fn read_at(source: &dyn Source, new_header: u64) -> Option<Header> {
        let bytes = read_vec_at(source, new_header, HEADERS);
        let mut reader = Reader::new(&bytes, "PE header");
        reader.skip(4).ok()?; // signature
        reader.skip(2).ok()?; // Machine
        let section_count = reader.u16_le().ok()?;
        reader.skip(12).ok()?; // TimeDateStamp, PointerToSymbolTable, NumberOfSymbols
        let optional_size = reader.u16_le().ok()?;
        reader.skip(2).ok()?; // Characteristics
        if section_count == 0 || section_count > MOST {
            return None;
        }
        let table_offset = new_header.checked_add(24)?.checked_add(u64::from(optional_size))?;
        let optional = new_header.checked_add(24)?;
        Header { section_count, table_offset, optional, ..Header::optional(&mut reader, optional_size)? }.into()
    }

    /// Reads the optional header, of which `size` bytes are stated.
    fn optional(reader: &mut Reader<'_>, size: u16) -> Option<Header> {
        let wide = reader.u16_le().ok()? == WIDE;
        reader.skip(14).ok()?; // linker's version, sizes of code and data
        let entry = reader.u32_le().ok()?;
        reader.skip(12).ok()?; // BaseOfCode, BaseOfData and ImageBase
        let section_alignment = reader.u32_le().ok()?;
        let file_alignment = reader.u32_le().ok()?;
        reader.skip(20).ok()?; // versions, SizeOfImage
        let header_size = reader.u32_le().ok()?;
        reader.skip(4).ok()?; // CheckSum
        let native = reader.u16_le().ok()? == NATIVE;
        reader.skip(if wide { 38 } else { 22 }).ok()?; // from DllCharacteristics to LoaderFlags
        let count = reader.u32_le().ok()?.min(DIRECTORIES);
        let fixed = if wide { OPTIONAL.1 } else { OPTIONAL.0 };
        let roomy = u32::from(size) >= u32::from(fixed) + 8 * count;
        let mut directories = Vec::new();
        for _ in 0..count {
            let (Ok(address), Ok(size)) = (reader.u32_le(), reader.u32_le()) else { break };
            directories.push((address, size));
        }
        let is_cut = u32::try_from(directories.len()).is_ok_and(|found| found < count);
        let (section_count, table_offset) = (0, 0);
        Some(Header {
            wide,
            optional: 0,
            section_count,
            table_offset,
            entry,
            section_alignment,
            file_alignment,
            header_size,
            native,
            directories,
            roomy,
            is_cut,
        })
    }

    /// The section table, as far as the file has it.
    pub(super) fn rows(&self, source: &dyn Source) -> Vec<Row> {
        let bytes = table(source, self.table_offset, self.section_count, ROW);
        bytes.chunks_exact(usize::from(ROW)).map_while(Row::read).collect()
    }

    /// The section in which the program starts, and its number.
    pub(super) fn entry_row<'a>(&self, rows: &'a [Row]) -> Option<(usize, &'a Row)> {
        let index = rows.iter().rposition(|row| row.holds(self.entry))?;
        Some((index, rows.get(index)?))
    }
}

impl Row {
    fn read(bytes: &[u8]) -> Option<Row> {
        let mut reader = Reader::new(bytes, "PE section header");
        reader.skip(8).ok()?; // Name
        let virtual_size = reader.u32_le().ok()?;
        let address = reader.u32_le().ok()?;
        let size = reader.u32_le().ok()?;
        let offset = reader.u32_le().ok()?;
        reader.skip(12).ok()?; // relocations and line numbers
        Some(Row { virtual_size, address, size, offset, characteristics: reader.u32_le().ok()? })
    }

    /// True if the section holds this address when loaded.
    fn holds(&self, address: u32) -> bool {
        address.checked_sub(self.address).is_some_and(|inside| inside < self.virtual_size.max(self.size))
    }

    /// True if the section has all of these characteristics.
    pub(super) fn has(&self, flags: u32) -> bool {
        self.characteristics & flags == flags
    }

    /// The section, rounded and cut at the file's end; nothing if the file is none that ClamAV takes.
    fn align(&self, header: &Header, alignment: u32, length: u64) -> Option<Aligned> {
        let address = down(self.address, header.section_alignment);
        let mut offset = down(self.offset, alignment);
        let mut size = up(self.size, alignment);
        let mut stated = self.size;
        if size > 0 {
            if u64::from(offset) >= length {
                (offset, size, stated) = (0, 0, 0);
            } else {
                size = cut(offset, size, length);
                stated = cut(self.offset, stated, length);
            }
        }
        let values = [self.address, self.virtual_size, address, size, stated];
        values.iter().all(|value| value & SIGN == 0).then_some(Aligned { offset, size, address })
    }
}

/// The sections, aligned.
fn align(rows: &[Row], header: &Header, length: u64) -> Option<Vec<Aligned>> {
    let stated = header.file_alignment;
    let is_odd = |row: &Row| row.size > 0 && row.offset.is_multiple_of(SECTOR) && !row.offset.is_multiple_of(stated);
    let sectors = stated != 0 && rows.iter().any(is_odd);
    let alignment = if sectors { SECTOR } else { stated };
    rows.iter().map(|row| row.align(header, alignment, length)).collect()
}

/// `size`, or as many bytes as there are from `offset` to the end.
fn cut(offset: u32, size: u32, length: u64) -> u32 {
    let left = length.saturating_sub(u64::from(offset));
    u32::try_from(left).map_or(size, |left| size.min(left))
}

pub(super) fn down(value: u32, alignment: u32) -> u32 {
    if alignment == 0 { value } else { value - value % alignment }
}

pub(super) fn up(value: u32, alignment: u32) -> u32 {
    if alignment == 0 { value } else { value.div_ceil(alignment).wrapping_mul(alignment) }
}
