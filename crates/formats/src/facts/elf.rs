//! ELF: entry point and sections.
//!
//! Specification: System V ABI, generic part, chapters 4 and 5 ("ELF Header", "Sections", "Program Header"). The entry
//! point's file offset is found through the program headers; without them it is 0.
//!
//! A file has no facts if its tables have records of another size than their class has, are cut off, or have more than 128
//! segments or 256 sections, or if no segment holds the entry point. That was watched on ClamAV 1.4.6 with 500 generated
//! headers, of which 28 crashed it.

use super::{Ordered, table};
use dachs_base::{Facts, Reader, Section, Source, read_vec_at};

/// The longest ELF header: that of 64-bit files.
const HEADER: usize = 64;
/// That of 32-bit files.
const NARROW_HEADER: usize = 52;
/// More segments than this are refused.
const SEGMENTS: u16 = 128;
/// More sections than this are refused.
const SECTIONS: u16 = 256;
/// Of more sections than this none is read.
const READ_SECTIONS: u16 = 2048;
/// Bytes of a program header, by class.
const SEGMENT: (u16, u16) = (32, 56);
/// Bytes of a section header, by class.
const SECTION: (u16, u16) = (40, 64);

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
    let entry_point = Some(entry_point(source, &header)?);
    Some(Facts { entry_point, sections: sections(source, &header)?, ..Facts::default() })
}

fn header(bytes: &[u8]) -> Option<Header> {
    let mut ident = Reader::new(bytes, "ELF header");
    let magic = ident.array::<16>().ok()?;
    let [0x7f, b'E', b'L', b'F', class @ (1 | 2), order, ..] = magic else { return None };
    // As in ClamAV 1.4.6: every order but the one is the other.
    let (wide, big_endian) = (class == 2, order != 1);
    let mut fields = Ordered { reader: ident, big_endian };
    fields.skip(8)?; // e_type, e_machine, e_version
    let entry = fields.word(wide)?;
    let segments_at = fields.word(wide)?;
    let sections_at = fields.word(wide)?;
    fields.skip(6)?; // e_flags, e_ehsize
    let segments = Table { offset: segments_at, size: fields.u16()?, count: fields.u16()? };
    let sections = Table { offset: sections_at, size: fields.u16()?, count: fields.u16()? };
    Some(Header { wide, big_endian, entry, segments, sections })
}

/// True if the header is there, and its class is none, no segment holds the entry point, or the sections are not all there. What
/// ClamAV 1.4.6 calls broken was watched with 2,000 generated headers; of more than 2,048 sections it reads none.
pub(super) fn is_broken(source: &dyn Source) -> bool {
    let ident = read_vec_at(source, 0, HEADER);
    let whole = if ident.get(4) == Some(&2) { HEADER } else { NARROW_HEADER };
    let sections = |header: &Header| match header.sections.count {
        0..=READ_SECTIONS => header.records(source, &header.sections, SECTION).is_some(),
        _ => true,
    };
    let makes_sense = |header: Header| entry_point(source, &header).is_some() && sections(&header);
    ident.len() >= whole && !header(&ident).is_some_and(makes_sense)
}

/// The file offset of the entry point: through the segment that holds its address.
fn entry_point(source: &dyn Source, header: &Header) -> Option<u64> {
    if header.segments.count > SEGMENTS {
        return None;
    }
    if header.segments.count == 0 || header.entry == 0 {
        return Some(0);
    }
    let records = header.records(source, &header.segments, SEGMENT)?;
    records.chunks_exact(usize::from(header.segments.size)).find_map(|record| offset_through(record, header))
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
    // Addresses of 32 bits wrap around.
    let end = address.wrapping_add(size) & if header.wide { u64::MAX } else { u64::from(u32::MAX) };
    let inside = header.entry.checked_sub(address).filter(|_| header.entry < end)?;
    offset.checked_add(inside)
}

fn sections(source: &dyn Source, header: &Header) -> Option<Vec<Section>> {
    if header.sections.count > SECTIONS {
        return None;
    }
    let records = header.records(source, &header.sections, SECTION)?;
    records.chunks_exact(usize::from(header.sections.size)).map(|record| section(record, header)).collect()
}

impl Header {
    /// A whole table, whose records have the size of the file's class.
    fn records(&self, source: &dyn Source, of: &Table, sizes: (u16, u16)) -> Option<Vec<u8>> {
        let size = if self.wide { sizes.1 } else { sizes.0 };
        let records = table(source, of.offset, of.count, of.size);
        let whole = usize::from(of.count).saturating_mul(usize::from(size));
        (of.size == size && records.len() == whole).then_some(records)
    }
}

fn section(record: &[u8], header: &Header) -> Option<Section> {
    let mut fields = Ordered { reader: Reader::new(record, "ELF section header"), big_endian: header.big_endian };
    fields.skip(8)?; // sh_name, sh_type
    fields.word(header.wide)?; // sh_flags
    fields.word(header.wide)?; // sh_addr
    Some(Section { offset: fields.word(header.wide)?, size: fields.word(header.wide)? })
}
