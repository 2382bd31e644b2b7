//! ELF: entry point and sections.
//!
//! Specification: System V ABI, generic part, chapters 4 and 5 ("ELF Header", "Sections", "Program Header"). The entry
//! point's file offset is found through the program headers; an object file without them has its entry point as it
//! stands, as ClamAV takes it.

use super::{Ordered, table};
use dachs_base::{Facts, Reader, Section, Source, read_vec_at};

/// The longest ELF header: that of 64-bit files.
const HEADER: usize = 64;
/// More sections or segments than this are not read; ClamAV refuses more than 256 of the former and 128 of the latter.
const MOST: u16 = 1024;

struct Header {
    wide: bool,
    big_endian: bool,
    entry: u64,
    segments: Table,
    sections: Table,
}

struct Table {
    offset: u64,
    count: u16,
    size: u16,
}

pub(super) fn facts(source: &dyn Source) -> Option<Facts> {
    let header = header(&read_vec_at(source, 0, HEADER))?;
    Some(Facts { entry_point: entry_point(source, &header), sections: sections(source, &header), ..Facts::default() })
}

fn header(bytes: &[u8]) -> Option<Header> {
    let mut ident = Reader::new(bytes, "ELF header");
    let magic = ident.array::<16>().ok()?;
    let [0x7f, b'E', b'L', b'F', class @ (1 | 2), order @ (1 | 2), ..] = magic else { return None };
    let wide = class == 2;
    let mut fields = Ordered { reader: ident, big_endian: order == 2 };
    fields.skip(8)?; // e_type, e_machine, e_version
    let entry = fields.word(wide)?;
    let segments_at = fields.word(wide)?;
    let sections_at = fields.word(wide)?;
    fields.skip(6)?; // e_flags, e_ehsize
    let segments = Table { offset: segments_at, size: fields.u16()?, count: fields.u16()?.min(MOST) };
    let sections = Table { offset: sections_at, size: fields.u16()?, count: fields.u16()?.min(MOST) };
    Some(Header { wide, big_endian: order == 2, entry, segments, sections })
}

/// The file offset of the entry point: through the segment that holds its address.
fn entry_point(source: &dyn Source, header: &Header) -> Option<u64> {
    if header.segments.count == 0 || header.entry == 0 {
        return Some(header.entry);
    }
    let size = usize::from(header.segments.size.max(1));
    let bytes = table(source, header.segments.offset, header.segments.count, header.segments.size);
    bytes.chunks_exact(size).find_map(|record| offset_through(record, header))
}

/// Where the entry point lies if this program header's segment holds it.
fn offset_through(record: &[u8], header: &Header) -> Option<u64> {
    let mut fields = Ordered { reader: Reader::new(record, "ELF program header"), big_endian: header.big_endian };
    fields.skip(if header.wide { 8 } else { 4 })?; // p_type, and p_flags in 64-bit files
    let offset = fields.word(header.wide)?;
    let address = fields.word(header.wide)?;
    fields.word(header.wide)?; // p_paddr
    fields.word(header.wide)?; // p_filesz
    let size = fields.word(header.wide)?;
    let inside = header.entry.checked_sub(address).filter(|inside| *inside < size)?;
    offset.checked_add(inside)
}

fn sections(source: &dyn Source, header: &Header) -> Vec<Section> {
    let size = usize::from(header.sections.size.max(1));
    let bytes = table(source, header.sections.offset, header.sections.count, header.sections.size);
    bytes.chunks_exact(size).map_while(|record| section(record, header)).collect()
}

fn section(record: &[u8], header: &Header) -> Option<Section> {
    let mut fields = Ordered { reader: Reader::new(record, "ELF section header"), big_endian: header.big_endian };
    fields.skip(8)?; // sh_name, sh_type
    fields.word(header.wide)?; // sh_flags
    fields.word(header.wide)?; // sh_addr
    Some(Section { offset: fields.word(header.wide)?, size: fields.word(header.wide)? })
}
