//! Portable Executable: entry point and sections, aligned as ClamAV's signatures expect.
//!
//! Specification: Microsoft, "PE Format" (Signature, COFF File Header, Optional Header, Section Table). ClamAV rounds
//! what the section table says: a section's start down and its size up to the file alignment, or to 512 where some
//! start is a multiple of 512 but not of the stated alignment. An entry point that no section holds leaves the file
//! without facts.

use super::table;
use dachs_base::{Facts, Reader, Section, Source, read_vec_at};

/// Bytes of the PE signature, the COFF header and the part of the optional header that is read.
const HEADERS: usize = 24 + 64;
/// One row of the section table.
const ROW: u16 = 40;
/// More sections than this make ClamAV give up on a file.
const MOST: u16 = 96;
/// The file alignment taken where the stated one does not hold.
const SECTOR: u32 = 0x200;

struct Header {
    section_count: u16,
    table_offset: u64,
    entry: u32,
    section_alignment: u32,
    file_alignment: u32,
    header_size: u32,
}

/// A row of the section table.
struct Row {
    virtual_size: u32,
    address: u32,
    size: u32,
    offset: u32,
    characteristics: u32,
}

/// Section may be executed (`IMAGE_SCN_MEM_EXECUTE`).
const EXECUTE: u32 = 0x2000_0000;
/// Section may be written (`IMAGE_SCN_MEM_WRITE`).
const WRITE: u32 = 0x8000_0000;

impl Row {
    /// True if the section holds this address when loaded.
    fn holds(&self, address: u32) -> bool {
        address.checked_sub(self.address).is_some_and(|inside| inside < self.virtual_size.max(self.size))
    }

    fn has(&self, flags: u32) -> bool {
        self.characteristics & flags == flags
    }
}

pub(super) fn facts(source: &dyn Source) -> Option<Facts> {
    let header = header(source)?;
    let rows = rows(source, &header);
    let aligned = align(&rows, &header, source.len());
    let entry_point = file_offset(&rows, &aligned, &header)?;
    Some(Facts { entry_point: Some(entry_point), sections: aligned, imports: None })
}

/// True if the program unpacks itself before it does what it is for: it starts in a section that it can write, where
/// that is also executable or not the first. Compilers make no such programs; UPX, ASPack, Petite, `PESpin`, `WWPack` and
/// most others do.
pub(super) fn is_packed(source: &dyn Source) -> bool {
    let Some(header) = header(source) else { return false };
    let rows = rows(source, &header);
    let start = rows.iter().rposition(|row| row.holds(header.entry));
    let Some((index, row)) = start.and_then(|index| Some((index, rows.get(index)?))) else { return false };
    row.has(WRITE | EXECUTE) || row.has(WRITE) && index > 0
}

fn rows(source: &dyn Source, header: &Header) -> Vec<Row> {
    let bytes = table(source, header.table_offset, header.section_count, ROW);
    bytes.chunks_exact(usize::from(ROW)).map_while(row).collect()
}

fn header(source: &dyn Source) -> Option<Header> {
    let dos = read_vec_at(source, 0, 64);
    let (b"MZ" | b"ZM") = dos.get(..2)? else { return None };
    let new_header = u64::from(Reader::new(dos.get(60..)?, "DOS header").u32_le().ok()?);
    let bytes = read_vec_at(source, new_header, HEADERS);
    let mut reader = Reader::new(&bytes, "PE header");
    let b"PE\0\0" = reader.take(4).ok()? else { return None };
    reader.skip(2).ok()?; // Machine
    let section_count = reader.u16_le().ok()?;
    reader.skip(12).ok()?; // TimeDateStamp, PointerToSymbolTable, NumberOfSymbols
    let optional_size = reader.u16_le().ok()?;
    reader.skip(2 + 16).ok()?; // Characteristics; optional header up to AddressOfEntryPoint
    let entry = reader.u32_le().ok()?;
    reader.skip(12).ok()?; // BaseOfCode, BaseOfData and ImageBase
    let section_alignment = reader.u32_le().ok()?;
    let file_alignment = reader.u32_le().ok()?;
    reader.skip(20).ok()?; // versions, SizeOfImage
    let header_size = reader.u32_le().ok()?;
    if section_count == 0 || section_count > MOST {
        return None;
    }
    let table_offset = new_header.checked_add(24)?.checked_add(u64::from(optional_size))?;
    Some(Header { section_count, table_offset, entry, section_alignment, file_alignment, header_size })
}

fn row(bytes: &[u8]) -> Option<Row> {
    let mut reader = Reader::new(bytes, "PE section header");
    reader.skip(8).ok()?; // Name
    let virtual_size = reader.u32_le().ok()?;
    let address = reader.u32_le().ok()?;
    let size = reader.u32_le().ok()?;
    let offset = reader.u32_le().ok()?;
    reader.skip(12).ok()?; // relocations and line numbers
    Some(Row { virtual_size, address, size, offset, characteristics: reader.u32_le().ok()? })
}

/// The sections' ranges in the file, rounded and cut at the file's end.
fn align(rows: &[Row], header: &Header, length: u64) -> Vec<Section> {
    let stated = header.file_alignment;
    let sectors = stated != 0 && rows.iter().any(|row| row.offset % SECTOR == 0 && row.offset % stated != 0);
    let alignment = if sectors { SECTOR } else { stated };
    let section = |row: &Row| {
        let offset = u64::from(down(row.offset, alignment));
        let size = up(row.size, alignment).min(length.saturating_sub(offset));
        Section { offset, size }
    };
    rows.iter().map(section).collect()
}

/// Where the entry point lies in the file: in the headers, or in the last section that holds its address.
fn file_offset(rows: &[Row], sections: &[Section], header: &Header) -> Option<u64> {
    let entry = u64::from(header.entry);
    if entry < up(header.header_size, header.section_alignment) {
        return Some(entry);
    }
    rows.iter().zip(sections).rev().find_map(|(row, section)| {
        let start = u64::from(down(row.address, header.section_alignment));
        let inside = entry.checked_sub(start).filter(|inside| *inside < section.size)?;
        section.offset.checked_add(inside)
    })
}

fn down(value: u32, alignment: u32) -> u32 {
    if alignment == 0 { value } else { value - value % alignment }
}

fn up(value: u32, alignment: u32) -> u64 {
    let (value, alignment) = (u64::from(value), u64::from(alignment));
    if alignment == 0 { value } else { value.div_ceil(alignment).saturating_mul(alignment) }
}
