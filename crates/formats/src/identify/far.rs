//! Signs that stand far from the start of an object: in sectors of discs, at the end, behind a program.

use dachs_base::{FileKind, Source, bytes_at, read_vec_at};
use memchr::memmem;

use crate::{facts::sections, installshield};

/// The first sector of an ISO 9660 or UDF disc that is described (ECMA-119 6.2.1), and the size of one.
const DISC: u64 = 16 * 2048;
const SECTOR: usize = 2048;
/// An end of central directory record, and the longest comment behind it (APPNOTE 4.3.16).
const END_RECORD: usize = 22;
const LONGEST_COMMENT: usize = 65_535;
/// How much of what stands behind a program is looked at.
const OVERLAY: usize = 64 * 1024;

/// Disc images: the volume recognition sequence (ECMA-119 8, ECMA-167 2/9) and partition tables of large sectors.
pub(super) fn disc(source: &dyn Source) -> Vec<FileKind> {
    let sectors = read_vec_at(source, DISC, SECTOR * 8);
    let names = || sectors.chunks(SECTOR).filter_map(|sector| sector.get(1..6));
    let mut kinds = Vec::new();
    if names().next() == Some(b"CD001") {
        kinds.push(FileKind::Iso9660);
    }
    if names()
        // Descriptors of sectors of 4 KiB have empty ones between them.
        .take_while(|name| matches!(*name, b"CD001" | b"BEA01" | b"NSR02" | b"NSR03" | [0, 0, 0, 0, 0]))
        .any(|name| name.starts_with(b"NSR"))
    {
        kinds.push(FileKind::Udf);
    }
    // The superblock of Btrfs stands at 64 KiB.
    if kinds.is_empty() && read_vec_at(source, 64 * 1024 + 64, 8) == b"_BHRfS_M" {
        kinds.push(FileKind::Btrfs);
    }
    if kinds.is_empty() && read_vec_at(source, 4096, 8) == b"EFI PART" {
        kinds.push(FileKind::Gpt);
    }
    kinds
}

/// What the last bytes of an object say. A compound file keeps its members in pieces: an archive among them counts as one
/// only if it stands in one piece.
pub(super) fn tail(source: &dyn Source, length: u64, kind: FileKind) -> Vec<FileKind> {
    let wanted = END_RECORD + LONGEST_COMMENT;
    let start = length.saturating_sub(u64::try_from(wanted).unwrap_or(u64::MAX));
    let tail = bytes_at(source, start, usize::try_from(length - start).unwrap_or(wanted));
    let trailer = tail.len().checked_sub(512).and_then(|at| tail.get(at..)).unwrap_or(&[]);
    let mut kinds = Vec::new();
    if ends_as_zip(source, start, &tail, kind == FileKind::Ole2) {
        kinds.push(FileKind::Zip);
    }
    if trailer.starts_with(b"koly\x00\x00\x00\x04") {
        kinds.push(FileKind::Dmg);
    }
    if trailer.starts_with(b"conectix") {
        kinds.push(FileKind::Vhd);
    }
    kinds
}

/// True if an end of central directory record stands in `tail` and the directory before it; if asked for, the
/// record must be the last bytes of all, and the first member stand where the directory says.
fn ends_as_zip(source: &dyn Source, start: u64, tail: &[u8], in_one_piece: bool) -> bool {
    // Texts have no byte like its last one, and a single byte is looked for with vectors.
    let signature = |last: usize| last.checked_sub(3).filter(|at| tail.get(*at..last) == Some(b"PK\x05"));
    for at in memchr::memrchr_iter(b'\x06', tail).filter_map(signature) {
        if directory_before(source, start, tail, at) && (!in_one_piece || at_the_end(source, start, tail, at)) {
            return true;
        }
        if tail.len() - at > LONGEST_COMMENT {
            break;
        }
    }
    false
}

/// APPNOTE 4.3.16: the size of the directory is at 12; a central header (4.3.12) must begin that far before the record,
/// or, for ZIP64, a locator (4.3.15) stands before it.
fn directory_before(source: &dyn Source, start: u64, tail: &[u8], at: usize) -> bool {
    let size = tail.get(at + 12..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |size| u32::from_le_bytes(*size));
    if size == 0 {
        return false;
    }
    let locator =
        at.checked_sub(20).and_then(|before| tail.get(before..)).is_some_and(|rest| rest.starts_with(b"PK\x06\x07"));
    let record = start.saturating_add(u64::try_from(at).unwrap_or(0));
    let directory = record.checked_sub(u64::from(size));
    locator || directory.is_some_and(|directory| read_vec_at(source, directory, 4) == b"PK\x01\x02")
}

/// APPNOTE 4.3.16, 4.3.12: the comment, whose length is at 20, is the last; the directory begins at 16 as the archive
/// counts, and its first entry says at 42 where its member is.
fn at_the_end(source: &dyn Source, start: u64, tail: &[u8], at: usize) -> bool {
    let number = |bytes: &[u8], at: usize| {
        bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).map(|bytes| u64::from(u32::from_le_bytes(*bytes)))
    };
    let comment = tail.get(at + 20..).and_then(|rest| rest.first_chunk::<2>()).map(|bytes| u16::from_le_bytes(*bytes));
    let ends = comment.is_some_and(|length| at + END_RECORD + usize::from(length) == tail.len());
    let local = || {
        let record = start.checked_add(u64::try_from(at).ok()?)?;
        let directory = record.checked_sub(number(tail, at + 12)?)?;
        let entry = read_vec_at(source, directory, 46);
        directory.checked_sub(number(tail, at + 16)?)?.checked_add(number(&entry, 42)?)
    };
    ends && local().is_some_and(|local| read_vec_at(source, local, 4) == b"PK\x03\x04")
}

/// Archives that a program carries behind its last section, with the offset of each: what makes it self-extracting.
pub(super) fn overlay(source: &dyn Source, kind: FileKind) -> Vec<(FileKind, u64)> {
    let Some(start) = end_of_program(source, kind) else { return Vec::new() };
    let bytes = read_vec_at(source, start, OVERLAY);
    let at = |offset: usize| start.saturating_add(u64::try_from(offset).unwrap_or(0));
    let mut found: Vec<(FileKind, u64)> = Vec::new();
    if installshield::begins_list(&bytes) {
        found.push((FileKind::InstallShield, start));
    }
    for (kind, magic, inside) in SIGNS {
        let place = memmem::find(&bytes, magic);
        if let Some(offset) = place.and_then(|place| place.checked_sub(*inside))
            && !found.iter().any(|(known, _)| known == kind)
        {
            found.push((*kind, at(offset)));
        }
    }
    found
}

/// What is looked for behind programs: the kind, its magic, and where in the archive the magic stands.
pub(super) const SIGNS: &[(FileKind, &[u8], usize)] = &[
    (FileKind::SevenZip, b"7z\xbc\xaf\x27\x1c", 0),
    (FileKind::Rar, b"Rar!\x1a\x07", 0),
    (FileKind::Cab, b"MSCF\x00\x00\x00\x00", 0),
    (FileKind::Nsis, b"\xef\xbe\xad\xdeNullsoftInst", 4),
    (FileKind::AutoIt, b"\xa3\x48\x4b\xbe\x98\x6c\x4a\xa9\x99\x4c\x53\x0a\x86\xd6\x48\x7d", 0),
    (FileKind::SquashFs, b"hsqs", 0),
    (FileKind::InstallShield, b"ISSetupStream", 0),
    (FileKind::InstallShield, b"InstallShield\0", 0),
];

/// Where the last section ends; for ELF, where the section table ends if that is later.
fn end_of_program(source: &dyn Source, kind: FileKind) -> Option<u64> {
    if !matches!(kind, FileKind::Pe | FileKind::Elf) {
        return None;
    }
    let sections = sections(kind, source);
    let table = if kind == FileKind::Elf { end_of_section_table(source) } else { None };
    let last = sections.iter().map(|section| section.offset.saturating_add(section.size)).max();
    let end = last.max(table)?;
    // Sections are rounded up, so that the last may seem to reach past the end, and into what follows it.
    (end > 0).then_some(end)
}

/// ELF header: `e_shoff`, `e_shentsize`, `e_shnum`, for the classes and byte orders there are.
fn end_of_section_table(source: &dyn Source) -> Option<u64> {
    let head = read_vec_at(source, 0, 64);
    let wide = *head.get(4)? == 2;
    let little = *head.get(5)? == 1;
    let number = |offset: usize, size: usize| -> Option<u64> {
        let bytes = head.get(offset..offset + size)?;
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(if little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) })
    };
    let (table, size, count) = if wide { ((40, 8), 58, 60) } else { ((32, 4), 46, 48) };
    let length = number(size, 2)?.saturating_mul(number(count, 2)?);
    number(table.0, table.1)?.checked_add(length)
}
