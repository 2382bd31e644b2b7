//! Portable Executables that UPX packed (headers: Microsoft, "PE Format").

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Held, Reader, Short, Source, read_vec_at};
use memchr::memmem;

use super::nrv::Variant;
use super::pack::{Header, Method, Packed};
use super::{Unpacked, filter};
use crate::lzop::adler32;

/// UPX's header stands in front of the second section, which is not farther away.
const HEAD: usize = 64 * 1024;
/// Places that are tried.
const TRIED: usize = 16;
/// Bytes of the code that unpacks, which is shorter.
const CODE: usize = 4096;
/// The first section's address: a page, or few.
const HIGHEST: u32 = 1 << 20;
/// Bytes of the signature and the COFF header, of the optional header up to its directories, of a directory, and of a section's row.
const COFF: usize = 24;
const OPTIONAL: (usize, usize) = (96, 112);
const DIRECTORY: usize = 8;
const ROW: usize = 40;
/// The optional header's magic numbers.
const NARROW: u16 = 0x10b;
const WIDE: u16 = 0x20b;
/// Old headers are looked for so far before the end.
const TAIL: usize = 64 * 1024;

/// Unpacks the image and puts the old headers before it.
///
/// # Errors
/// What is told if there is nothing to give.
pub(super) fn unpack(source: &Arc<dyn Source>, budget: &Budget) -> Result<Unpacked, Anomaly> {
    let outer = Outer::read(source.as_ref()).ok().filter(|outer| outer.first <= HIGHEST);
    let outer = outer.ok_or_else(other_packer)?;
    if let Some(header) = written_header(source.as_ref()) {
        return outer.unpack(source, &header, budget);
    }
    let packed = outer.hidden(source.as_ref()).ok_or_else(other_packer)?;
    let methods = [Variant::E, Variant::B, Variant::D].map(|variant| Method::Nrv(variant, 4));
    for method in methods {
        let (filter, parameter) = outer.hidden_filter(source.as_ref());
        let header = Header { packed: Packed { method, ..packed }, filter, parameter, sum: 0 };
        match outer.unpack(source, &header, budget) {
            Ok(unpacked) => return Ok(unpacked),
            Err(anomaly) if anomaly.kind == dachs_base::AnomalyKind::Damaged => {}
            Err(anomaly) => return Err(anomaly),
        }
    }
    Err(other_packer())
}

fn other_packer() -> Anomaly {
    Anomaly::unsupported("its code is packed, and what it unpacks when it runs was not looked at")
}

/// UPX's header, where nobody wiped it out.
fn written_header(source: &dyn Source) -> Option<Header> {
    let head = read_vec_at(source, 0, HEAD);
    let mut places = memmem::find_iter(&head, b"UPX!").take(TRIED);
    places.find_map(|place| {
        let header = Header::read(head.get(place..)?, u64::try_from(place).ok()?)?;
        let end = header.packed.start.checked_add(header.packed.length)?;
        (header.packed.plain > 0 && end <= source.len()).then_some(header)
    })
}

/// The headers of the packed program.
struct Outer {
    wide: bool,
    /// Where the signature stands.
    signature: usize,
    entry: u32,
    base: u64,
    /// The address of the first section, where the image begins.
    first: u32,
    sections: Vec<Section>,
}

struct Section {
    size: u32,
    address: u32,
    stored: u32,
    offset: u32,
}

impl Outer {
    fn read(source: &dyn Source) -> Result<Outer, Short> {
        let dos = read_vec_at(source, 0, 64);
        let mut reader = Reader::new(&dos, "DOS header");
        reader.skip(60)?;
        let signature = reader.u32_le()?;
        let bytes = read_vec_at(source, signature.into(), 2048);
        let mut reader = Reader::new(&bytes, "PE header");
        reader.skip(6)?;
        let count = reader.u16_le()?;
        reader.skip(12)?;
        let optional = u64::from(reader.u16_le()?);
        reader.skip(2)?;
        let mut fields = reader.sub(optional, "optional header")?;
        let wide = fields.u16_le()? == WIDE;
        fields.skip(14)?;
        let entry = fields.u32_le()?;
        fields.skip(if wide { 4 } else { 8 })?;
        let base = if wide { fields.u64_le()? } else { fields.u32_le()?.into() };
        let sections = (0..count.min(8)).map(|_| Section::read(&mut reader)).collect::<Result<Vec<_>, _>>()?;
        let first = sections.first().map_or(u32::MAX, |section| section.address);
        let signature = usize::try_from(signature).unwrap_or(usize::MAX);
        Ok(Outer { wide, signature, entry, base, first, sections })
    }

    /// The section at an address, where that stands in the file, and how many bytes of the section follow.
    fn place(&self, address: u64) -> Option<(u64, u64)> {
        self.sections.iter().find_map(|section| {
            let inside = address.checked_sub(section.address.into())?;
            let left = u64::from(section.stored).checked_sub(inside).filter(|left| *left > 0)?;
            Some((u64::from(section.offset).checked_add(inside)?, left))
        })
    }

    fn code(&self, source: &dyn Source) -> Vec<u8> {
        self.place(self.entry.into()).map_or(Vec::new(), |(place, _)| read_vec_at(source, place, CODE))
    }

    /// Where the packed image begins by the code that unpacks it: `pushad; mov esi, image; lea edi, [esi - distance]`, for libraries behind a
    /// condition; in programs for 64 bits `push rbx, rsi, rdi, rbp; lea rsi, [rip + distance]`.
    fn hidden(&self, source: &dyn Source) -> Option<Packed> {
        let code = self.code(source);
        let number = |at: usize| Some(u32::from_le_bytes(*code.get(at..)?.first_chunk()?));
        let address = if self.wide {
            let at = memmem::find(code.get(..64)?, b"\x53\x56\x57\x55\x48\x8d\x35")?;
            let next = u64::from(self.entry).checked_add(u64::try_from(at + 11).ok()?)?;
            next.checked_add_signed(i64::from(number(at + 7)?.cast_signed()))?
        } else {
            let at = memmem::find(code.get(..64)?, b"\x60\xbe")?;
            (code.get(at + 6..at + 8) == Some(b"\x8d\xbe")).then_some(())?;
            u64::from(number(at + 2)?).checked_sub(self.base)?
        };
        let (start, length) = self.place(address)?;
        let plain = self.sections.iter().take(2).map(|section| u64::from(section.size)).sum();
        Some(Packed { method: Method::Stored, start, length, plain })
    }

    /// The filter by the code that undoes it, as far as it can be known: number and parameter.
    fn hidden_filter(&self, source: &dyn Source) -> (u8, u8) {
        let code = self.code(source);
        let behind = |sign: &[u8], skip: usize| {
            memmem::find(&code, sign).and_then(|at| code.get(at + sign.len() + skip)).copied()
        };
        // sub al, 0e8h; cmp al, 1; ja; cmp byte ptr [edi], parameter
        let marked = behind(b"\x2c\xe8\x3c\x01\x77\xf7\x80\x3f", 0).map(|parameter| (0x26, parameter));
        // mov ecx, count; mov dl, parameter; mov rbx, rdi
        let wide = memmem::find(&code, b"\x48\x89\xfb\xeb").and_then(|at| code.get(at.checked_sub(1)?)).copied();
        let branches = wide.filter(|_| self.wide).map(|parameter| (0x49, parameter));
        marked.or(branches).unwrap_or((0, 0))
    }

    /// Unpacks what a header tells of.
    fn unpack(&self, source: &Arc<dyn Source>, header: &Header, budget: &Budget) -> Result<Unpacked, Anomaly> {
        let memory = budget.reserve(header.packed.plain.saturating_add(self.first.into()))?;
        let first = usize::try_from(self.first).unwrap_or(usize::MAX);
        let mut plain = vec![0; first];
        header.packed.unpack(source, &mut plain, budget)?;
        let is_known = header.sum != 0;
        let mut remark = None;
        let (_, image) = plain.split_at_mut(first);
        if is_known && adler32(image) != header.sum {
            remark = Some(Anomaly::odd("the checksum of the packed program is wrong"));
        }
        let mut lists = Vec::new();
        match Inner::find(image, self.wide) {
            Some(inner) => {
                if !inner.undo_filter(header, self.first, image) {
                    remark = Some(Anomaly::odd("its calls are left as they were packed"));
                }
                let end = inner.put_before(source.as_ref(), self.signature, &mut plain);
                lists = if end < plain.len() { plain.split_off(end) } else { lists };
            }
            None if is_known => remark = Some(Anomaly::odd("the headers of the packed program were not found")),
            None => return Err(Anomaly::damaged("the packed program has no headers")),
        }
        let lists_memory = budget.reserve(u64::try_from(lists.len()).unwrap_or(u64::MAX))?;
        let lists: Option<Arc<dyn Source>> =
            if lists.is_empty() { None } else { Some(Arc::new(Held::new(lists, [lists_memory]))) };
        Ok(Unpacked { plain: Arc::new(Held::new(plain, [memory])), lists, remark })
    }
}

impl Section {
    fn read(reader: &mut Reader<'_>) -> Result<Section, Short> {
        reader.skip(8)?;
        let (size, address) = (reader.u32_le()?, reader.u32_le()?);
        let (stored, offset) = (reader.u32_le()?, reader.u32_le()?);
        reader.skip(16)?;
        Ok(Section { size, address, stored, offset })
    }
}

/// The old headers, from the signature to the last section's row.
struct Inner {
    bytes: Vec<u8>,
    /// Where the rows of sections begin.
    rows: usize,
}

impl Inner {
    /// The last four bytes of the image say where they are; else they are looked for.
    fn find(image: &[u8], wide: bool) -> Option<Inner> {
        let told = image.last_chunk().and_then(|place| usize::try_from(u32::from_le_bytes(*place)).ok());
        let from = image.len().saturating_sub(TAIL);
        let others = memmem::rfind_iter(image.get(from..)?, b"PE\0\0").take(TRIED).map(|at| at + from);
        told.into_iter().chain(others).find_map(|place| Inner::read(image.get(place..)?, wide))
    }

    fn read(bytes: &[u8], wide: bool) -> Option<Inner> {
        let magic = if wide { WIDE } else { NARROW };
        let number = |at: usize| bytes.get(at..)?.first_chunk().map(|number| u16::from_le_bytes(*number));
        (bytes.starts_with(b"PE\0\0") && number(COFF) == Some(magic)).then_some(())?;
        let fixed = if wide { OPTIONAL.1 } else { OPTIONAL.0 };
        let directories = usize::from(number(COFF + fixed - 4)?).min(16);
        let rows = COFF + fixed + directories * DIRECTORY;
        let count = usize::from(number(6)?);
        let bytes = bytes.get(..rows + count * ROW)?.to_vec();
        Some(Inner { bytes, rows })
    }

    fn number(&self, at: usize) -> u32 {
        self.bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |number| u32::from_le_bytes(*number))
    }

    /// The filter was used on what the old headers call code: its size is at 4 of the optional header, its address at 20.
    fn undo_filter(&self, header: &Header, first: u32, image: &mut [u8]) -> bool {
        let base = self.number(COFF + 20).saturating_sub(first);
        let start = usize::try_from(base).unwrap_or(usize::MAX);
        let size = usize::try_from(self.number(COFF + 4)).unwrap_or(usize::MAX);
        let Some(code) = image.get_mut(start..) else { return header.filter == 0 };
        let size = size.min(code.len());
        code.get_mut(..size).is_some_and(|code| filter::undo(header.filter, header.parameter, code, base))
    }

    /// Puts the headers where those of the packed program stand, behind its DOS part, and gives where the last section ends. Sections stand in the file as in memory: file alignment
    /// (36) is section alignment (32), and so in the rows.
    fn put_before(mut self, source: &dyn Source, signature: usize, plain: &mut [u8]) -> usize {
        let alignment = self.number(COFF + 32).max(1);
        let mut last = 0;
        self.put(COFF + 36, alignment);
        for row in (self.rows..self.bytes.len()).step_by(ROW) {
            let (size, address) = (self.number(row + 8), self.number(row + 12));
            let size = size.checked_next_multiple_of(alignment).unwrap_or(size);
            last = last.max(address.saturating_add(size));
            self.put(row + 16, size);
            self.put(row + 20, address);
        }
        let dos = read_vec_at(source, 0, signature.min(plain.len()));
        if let Some((before, behind)) = plain.split_at_mut_checked(signature) {
            before.iter_mut().zip(dos).for_each(|(to, from)| *to = from);
            behind.iter_mut().zip(self.bytes).for_each(|(to, from)| *to = from);
        }
        usize::try_from(last).unwrap_or(usize::MAX)
    }

    fn put(&mut self, at: usize, number: u32) {
        if let Some(place) = self.bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
            *place = number.to_le_bytes();
        }
    }
}
