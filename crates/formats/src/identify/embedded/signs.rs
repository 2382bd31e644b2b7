//! How objects begin that stand in the midst of others, and what must hold of their headers.

use std::sync::LazyLock;

use aho_corasick::packed::{Config, Searcher};
use dachs_base::{FileKind, Source, read_vec_at};
use memchr::memmem;

/// How objects of a kind begin.
pub(super) struct Sign {
    pub(super) kind: FileKind,
    magic: &'static [u8],
    /// Where in the object the magic stands.
    pub(super) inside: u64,
    /// Does such an object begin at this offset?
    pub(super) check: fn(&dyn Source, u64) -> bool,
}

impl Sign {
    /// How many bytes of it are looked for.
    pub(super) fn length(&self) -> usize {
        self.magic.len()
    }

    /// The bytes that are looked for.
    #[cfg(test)]
    pub(super) fn magic(&self) -> &'static [u8] {
        self.magic
    }
}

const fn sign(kind: FileKind, magic: &'static [u8], check: fn(&dyn Source, u64) -> bool) -> Sign {
    Sign { kind, magic, inside: 0, check }
}

/// What is looked for.
pub(super) static SIGNS: [Sign; 10] = [
    sign(FileKind::Arj, b"\x60\xea", arj),
    sign(FileKind::AutoIt, b"\xa3\x48\x4b\xbe\x98\x6c\x4a\xa9\x99\x4c\x53\x0a\x86\xd6\x48\x7d", autoit),
    sign(FileKind::Cab, b"MSCF\x00\x00\x00\x00", cab),
    sign(FileKind::InnoSetup, b"Inno Setup Setup Data (", inno_setup),
    Sign { kind: FileKind::Nsis, magic: b"\xef\xbe\xad\xdeNullsoftInst", inside: 4, check: nsis },
    sign(FileKind::Pdf, b"%PDF-1.", pdf),
    sign(FileKind::Pe, b"MZ", pe),
    sign(FileKind::Rar, b"Rar!\x1a\x07", rar),
    sign(FileKind::SevenZip, b"7z\xbc\xaf\x27\x1c", sevenzip),
    sign(FileKind::Zip, b"PK\x03\x04", zip),
];

/// All that is looked for, in one pass of vector instructions. Absent where the processor has none of them.
static SEARCHER: LazyLock<Option<Searcher>> =
    LazyLock::new(|| Config::new().builder().extend(SIGNS.iter().map(|sign| sign.magic)).build());

/// Where the signs stand in some bytes, ascending.
pub(super) fn places(window: &[u8]) -> Vec<(usize, &'static Sign)> {
    match SEARCHER.as_ref() {
        // No two of them overlap, so none hides another.
        Some(searcher) => {
            let found = searcher.find_iter(window);
            found.filter_map(|found| Some((found.start(), SIGNS.get(found.pattern().as_usize())?))).collect()
        }
        None => places_one_by_one(window),
    }
}

/// As [`places`], in as many passes as there are signs.
fn places_one_by_one(window: &[u8]) -> Vec<(usize, &'static Sign)> {
    let of = |sign: &'static Sign| memmem::find_iter(window, sign.magic).map(move |place| (place, sign));
    let mut places = SIGNS.iter().flat_map(of).collect::<Vec<_>>();
    places.sort_by_key(|(place, _)| *place);
    places
}

/// A header's bytes, from which little-endian numbers are read.
struct Header(Vec<u8>);

impl Header {
    fn read(source: &dyn Source, start: u64, count: usize) -> Header {
        Header(read_vec_at(source, start, count))
    }

    fn part(&self, from: usize, to: usize) -> &[u8] {
        self.0.get(from..to).unwrap_or(&[])
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.0.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.0.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
    }
}

/// ARJ TECHNOTE: the size of the basic header, which is at most 2600; it; and its CRC.
fn arj(source: &dyn Source, start: u64) -> bool {
    let header = Header::read(source, start, 4 + 2600 + 4);
    let size = usize::from(header.u16(2).unwrap_or(0));
    let sum = header.u32(4 + size);
    (30..=2600).contains(&size) && sum == Some(crc32fast::hash(header.part(4, 4 + size)))
}

/// A compiled script, also in a resource of the program that runs it: the version stands behind the magic.
fn autoit(source: &dyn Source, start: u64) -> bool {
    Header::read(source, start, 23).part(16, 23) == b"AU3!EA0"
}

/// MS-CAB 2.1: sizes and offsets that fit, version 1.3, at least one folder; and a first file that could be one. A cabinet in a
/// compound file may begin here and go on elsewhere: its reader has it whole.
fn cab(source: &dyn Source, start: u64) -> bool {
    let header = Header::read(source, start, 36);
    let (size, files) = (header.u32(8).unwrap_or(0), header.u32(16).unwrap_or(u32::MAX));
    let rest = source.len().saturating_sub(start);
    let fits = files >= 36 && files < size && u64::from(size) <= rest;
    let version = header.u32(12) == Some(0) && header.u16(24) == Some(0x0103);
    let folders = header.u16(26).unwrap_or(0);
    fits && version && folders > 0 && cab_file(source, start.saturating_add(u64::from(files)), folders)
}

/// MS-CAB 2.3: the number of a folder that is there, or of one in another cabinet, and a name of at most 256 bytes with its end.
fn cab_file(source: &dyn Source, start: u64, folders: u16) -> bool {
    let file = Header::read(source, start, 16 + 256);
    let folder = file.u16(8).is_some_and(|folder| folder < folders || folder >= 0xfffd);
    let name = file.0.get(16..).unwrap_or_default();
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(0);
    let plain = name.get(..length).is_some_and(|name| name.iter().all(|byte| *byte >= 0x20));
    // One that is cut off is believed.
    folder && ((length > 0 && plain) || name.len() < 256 && length == 0)
}

/// The data of a set-up program of Inno Setup: its version, in a text of 64 bytes.
fn inno_setup(source: &dyn Source, start: u64) -> bool {
    super::super::structure::inno_setup(&Header::read(source, start, 64).0)
}

/// The data of a set-up program: its header and all that follows are not larger than what there is.
fn nsis(source: &dyn Source, start: u64) -> bool {
    let header = Header::read(source, start, 28);
    let (first, all) = (header.u32(20).unwrap_or(0), header.u32(24).unwrap_or(u32::MAX));
    first > 0 && u64::from(all) <= source.len().saturating_sub(start)
}

/// ISO 32000-1 7.5.2: a version, the end of the line, and an object soon after.
fn pdf(source: &dyn Source, start: u64) -> bool {
    let header = Header::read(source, start, 2048);
    let version = header.0.get(7).is_some_and(u8::is_ascii_digit);
    version && header.0.get(8).is_some_and(u8::is_ascii_whitespace) && memmem::find(&header.0, b" obj").is_some()
}

/// PE format, MS-DOS Stub and COFF File Header: a header where `e_lfanew` says, for a known machine, with few sections.
fn pe(source: &dyn Source, start: u64) -> bool {
    let dos = Header::read(source, start, 64);
    let Some(at) = dos.u32(60).filter(|at| *at >= 4 && *at < 1 << 16) else { return false };
    let coff = Header::read(source, start.saturating_add(u64::from(at)), 24);
    let machine = coff.u16(4).is_some_and(|machine| MACHINES.contains(&machine));
    let sections = coff.u16(6).is_some_and(|count| (1..=96).contains(&count));
    coff.part(0, 4) == b"PE\0\0" && machine && sections
}

/// x86, x86-64, ARM, ARM Thumb-2, ARM64, IA-64, MIPS, PowerPC, EFI byte code, RISC-V.
const MACHINES: [u16; 12] = [0x14c, 0x8664, 0x1c0, 0x1c4, 0xaa64, 0x200, 0x162, 0x166, 0x1f0, 0x0ebc, 0x5032, 0x5064];

/// RAR 5.0 archive format, General archive block format; RAR 4 technote: the CRC of the first block.
fn rar(source: &dyn Source, start: u64) -> bool {
    let header = Header::read(source, start, 7 + 1024);
    match header.0.get(6) {
        Some(0) => {
            let size = usize::from(header.u16(12).unwrap_or(0));
            let sum = crc32fast::hash(header.part(9, 7 + size)).to_le_bytes();
            (13..=1024).contains(&size)
                && header.0.get(9) == Some(&0x73)
                && header.part(7, 9) == sum.get(..2).unwrap_or(&[])
        }
        Some(1) => {
            let size = usize::from(header.0.get(12).copied().unwrap_or(0));
            let sum = crc32fast::hash(header.part(12, 13 + size));
            header.0.get(7) == Some(&0) && (1..0x80).contains(&size) && header.u32(8) == Some(sum)
        }
        _ => false,
    }
}

/// 7zFormat.txt, Signature Header: version 0 and the CRC of the start header.
fn sevenzip(source: &dyn Source, start: u64) -> bool {
    let header = Header::read(source, start, 32);
    header.0.get(6) == Some(&0) && header.u32(8) == Some(crc32fast::hash(header.part(12, 32))) && header.0.len() == 32
}

/// APPNOTE 4.3.7: a known version and method, a name of a sane length, and room for the member.
fn zip(source: &dyn Source, start: u64) -> bool {
    let header = Header::read(source, start, 30 + 256);
    let (Some(version), Some(flags), Some(method)) = (header.u16(4), header.u16(6), header.u16(8)) else {
        return false;
    };
    let (Some(packed), Some(name)) = (header.u32(18), header.u16(26)) else { return false };
    let streamed = flags & 8 != 0 || packed == u32::MAX;
    let fits = streamed || u64::from(packed) <= source.len().saturating_sub(start);
    let name = usize::from(name);
    let plain = header.part(30, 30 + name.min(256)).iter().all(|byte| *byte >= 0x20);
    version & 0xff <= 63 && flags & 0xc000 == 0 && is_method(method) && (1..=1024).contains(&name) && plain && fits
}

/// APPNOTE 4.4.5.
fn is_method(method: u16) -> bool {
    matches!(method, 0..=10 | 12 | 14 | 16 | 18..=20 | 93..=99)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pass_finds_what_many_find() {
        // Noise of the signs' own bytes, so that their beginnings are frequent, with whole signs between.
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize
        };
        let alphabet = SIGNS.iter().flat_map(|sign| sign.magic.iter().copied()).collect::<Vec<u8>>();
        for length in (0..200).chain([1000, 20_000]) {
            let mut window = Vec::new();
            while window.len() < length {
                match next() % 8 {
                    0 => window.extend(SIGNS[next() % SIGNS.len()].magic),
                    _ => window.push(alphabet[next() % alphabet.len()]),
                }
            }
            window.truncate(length);
            let plain =
                |places: Vec<(usize, &Sign)>| places.iter().map(|(at, sign)| (*at, sign.magic)).collect::<Vec<_>>();
            assert_eq!(plain(places(&window)), plain(places_one_by_one(&window)), "{length}");
        }
    }

    #[test]
    fn signs_do_not_overlap() {
        let magics = SIGNS.iter().map(|sign| sign.magic);
        for (one, two) in magics.clone().flat_map(|one| magics.clone().map(move |two| (one, two))) {
            let inside = (1..one.len()).any(|at| two.starts_with(&one[at..]) || one[at..].starts_with(two));
            assert!(!inside, "{} {}", one.escape_ascii(), two.escape_ascii());
        }
    }
}
