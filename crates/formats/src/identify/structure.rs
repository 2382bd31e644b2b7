//! What must hold besides a magic number, and formats that have none.
//!
//! All functions look at the first bytes of an object and at nothing else.

use dachs_base::{FileKind, Reader, Short};

use super::text;
use crate::tar;

/// For magic numbers that say enough.
pub(super) fn always(_: &[u8]) -> bool {
    true
}

/// A number of `N` bytes at an offset.
fn bytes<const N: usize>(head: &[u8], offset: usize) -> Option<[u8; N]> {
    head.get(offset..)?.first_chunk::<N>().copied()
}

fn byte(head: &[u8], offset: usize) -> u8 {
    head.get(offset).copied().unwrap_or(0)
}

/// ARJ TECHNOTE: the size of the basic header, at most 2600, and not empty.
pub(super) fn arj(head: &[u8]) -> bool {
    let size = bytes(head, 2).map_or(0, u16::from_le_bytes);
    (30..=2600).contains(&size) && byte(head, 4) >= 30
}

/// Inno Setup, `Projects/Src/Shared.Struct.pas`: a text of 64 bytes with the version of the set-up, filled up with zeros.
pub(in crate::identify) fn inno_setup(head: &[u8]) -> bool {
    let version = head.get(23..64).unwrap_or_default();
    let end = version.iter().position(|byte| *byte == 0).unwrap_or(version.len());
    let (text, padding) = version.split_at(end);
    text.first().is_some_and(u8::is_ascii_digit)
        && text.contains(&b')')
        && !padding.is_empty()
        && padding.iter().all(|byte| *byte == 0)
}

/// MS-PST 2.2.2.6: which program the store is for: Outlook's own, one for a server's copy, or an address book.
pub(super) fn store_of_mail(head: &[u8]) -> bool {
    head.get(8..10).is_some_and(|client| [b"SM", b"SO", b"AB"].iter().any(|known| client == *known))
}

/// An ASAR header is a Chromium pickle around JSON that begins with the list of files.
pub(super) fn asar(head: &[u8]) -> bool {
    head.get(16..).is_some_and(|json| json.starts_with(b"{\"files\""))
}

/// `cpio(5)`, old binary format: the name has a sensible length and ends with zero.
pub(super) fn old_cpio(head: &[u8]) -> bool {
    let little = head.first() == Some(&0xc7);
    let length =
        bytes(head, 20).map_or(0, |pair| if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) });
    let length = usize::from(length);
    let name = head.get(26..26 + length).unwrap_or(&[]);
    (2..=1024).contains(&length) && name.ends_with(&[0]) && byte(head, 26) != 0
}

/// LHA: a method such as `-lh5-`.
pub(super) fn lha(head: &[u8]) -> bool {
    byte(head, 5).is_ascii_alphanumeric() && byte(head, 6) == b'-'
}

/// A block size from 1 to 9, then the magic of a block or of the end.
pub(super) fn bzip2(head: &[u8]) -> bool {
    let magic = bytes::<6>(head, 4).unwrap_or_default();
    let known = magic == *b"\x31\x41\x59\x26\x53\x59" || magic == *b"\x17\x72\x45\x38\x50\x90";
    // A stream that is cut off within its magic is a stream all the same.
    (b'1'..=b'9').contains(&byte(head, 3)) && (known || head.len() < 10)
}

/// `compress`: 9 to 16 bits, no unknown flag.
pub(super) fn compress(head: &[u8]) -> bool {
    (9..=16).contains(&(byte(head, 2) & 0x1f)) && byte(head, 2) & 0x60 == 0
}

/// The superblock of ext: a sensible block size and some inodes.
pub(super) fn ext(head: &[u8]) -> bool {
    let inodes = bytes(head, 1024).map_or(0, u32::from_le_bytes);
    let block_size = bytes(head, 1048).map_or(u32::MAX, u32::from_le_bytes);
    inodes > 0 && block_size <= 6
}

/// The superblock of XFS: a sensible block size.
pub(super) fn xfs(head: &[u8]) -> bool {
    bytes(head, 4).is_some_and(|size| (512..=65_536).contains(&u32::from_be_bytes(size)))
}

/// The superblock of an APFS container: a sensible block size.
pub(super) fn apfs(head: &[u8]) -> bool {
    let size = bytes(head, 36).map_or(0, u32::from_le_bytes);
    size.is_power_of_two() && (4096..=65_536).contains(&size)
}

/// Apple's partition map: the first block has a magic of its own.
pub(super) fn apm(head: &[u8]) -> bool {
    head.starts_with(b"ER")
}

/// An HFS volume whose master directory block names a volume of HFS+ inside.
pub(super) fn wrapped_hfsplus(head: &[u8]) -> bool {
    bytes(head, 1024) == Some(*b"BD")
}

/// The master directory block of HFS: blocks of whole sectors, and some of them.
pub(super) fn hfs(head: &[u8]) -> bool {
    let blocks = bytes(head, 1024 + 18).map_or(0, u16::from_be_bytes);
    let size = bytes(head, 1024 + 20).map_or(0, u32::from_be_bytes);
    let first = bytes(head, 1024 + 28).map_or(0, u16::from_be_bytes);
    blocks > 0 && first > 2 && size > 0 && size.is_multiple_of(512) && size < 1 << 28
}

/// DOS and Windows programs; a text may begin with MZ as well.
pub(super) fn dos(head: &[u8]) -> bool {
    head.len() >= 28 && text::kind(head).is_none()
}

/// Universal Mach-O and Java share a magic; a class file has its version where the number of architectures stands.
pub(super) fn universal(head: &[u8]) -> bool {
    bytes(head, 4).is_some_and(|count| (1..43).contains(&u32::from_be_bytes(count)))
}

/// Python's magic numbers: 20121 to 62211 up to 2.7, 3000 to about 4000 since.
pub(super) fn pyc(head: &[u8]) -> bool {
    let number = bytes(head, 0).map_or(0, u16::from_le_bytes);
    let flags = bytes(head, 4).map_or(u32::MAX, u32::from_le_bytes);
    match number {
        3000..3390 | 20_121..=62_300 => head.len() >= 12 && text::kind(head).is_none(),
        3390..4200 => head.len() >= 16 && flags <= 3,
        _ => false,
    }
}

/// BITMAPFILEHEADER: reserved fields are zero, and the header that follows has a known size.
pub(super) fn bmp(head: &[u8]) -> bool {
    let size = bytes(head, 14).map_or(0, u32::from_le_bytes);
    bytes::<4>(head, 6) == Some([0; 4]) && matches!(size, 12 | 16 | 40 | 52 | 56 | 64 | 108 | 124)
}

/// A version there could be.
pub(super) fn flash(head: &[u8]) -> bool {
    (1..=60).contains(&byte(head, 3)) && head.len() >= 8
}

/// Formats without a magic number of their own at a fixed place.
pub(super) fn kind(head: &[u8]) -> Option<FileKind> {
    if head.get(..512).is_some_and(tar::is_header) {
        return Some(FileKind::Tar);
    }
    if boot_sector_of_fat(head) {
        return Some(FileKind::Fat);
    }
    if partition_table(head).unwrap_or(false) {
        return Some(FileKind::Mbr);
    }
    if let Some(kind) = skippable(head) {
        return Some(kind);
    }
    let first_kib = head.get(..1024).unwrap_or(head);
    if memchr::memmem::find(first_kib, b"%PDF-").is_some() {
        return Some(FileKind::Pdf);
    }
    lzma(head).unwrap_or(false).then_some(FileKind::Lzma)
}

/// A FAT boot sector: a jump, the signature, and the name of the type, or parameters that only such volumes have.
fn boot_sector_of_fat(head: &[u8]) -> bool {
    let jump = matches!(byte(head, 0), 0xeb | 0xe9);
    let named = |offset, name: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(name));
    let name = named(54, b"FAT12   ") || named(54, b"FAT16   ") || named(54, b"FAT     ") || named(82, b"FAT32   ");
    let signed = bytes(head, 510) == Some([0x55, 0xaa]);
    jump && signed && (name || parameters(head).unwrap_or(false))
}

/// The parameters of a FAT volume (Microsoft FAT specification 3.1): they are strict enough to tell one from a boot record.
fn parameters(head: &[u8]) -> Result<bool, Short> {
    let mut reader = Reader::new(head, "boot sector");
    reader.skip(11)?;
    let (sector, cluster, reserved, tables) = (reader.u16_le()?, reader.u8()?, reader.u16_le()?, reader.u8()?);
    let (roots, sectors, media, per_table) = (reader.u16_le()?, reader.u16_le()?, reader.u8()?, reader.u16_le()?);
    reader.skip(8)?;
    let (many, long) = (reader.u32_le()?, reader.u32_le()?);
    let sizes = matches!(sector, 512 | 1024 | 2048 | 4096) && cluster.is_power_of_two();
    let wide = per_table == 0 && long > 0 && roots == 0 && sectors == 0 && many > 0;
    let narrow = per_table > 0 && roots > 0 && (sectors > 0) != (many > 0);
    Ok(sizes && reserved > 0 && matches!(tables, 1 | 2) && (media == 0xf0 || media >= 0xf8) && (wide || narrow))
}

/// A master boot record: the signature, four entries with a valid status, one at least in use.
fn partition_table(head: &[u8]) -> Result<bool, Short> {
    let mut reader = Reader::new(head, "master boot record");
    reader.skip(446)?;
    let (mut valid, mut used) = (true, false);
    for _ in 0..4 {
        let status = reader.u8()?;
        reader.skip(3)?;
        let system = reader.u8()?;
        reader.skip(3)?;
        let (start, count) = (reader.u32_le()?, reader.u32_le()?);
        valid &= matches!(status, 0 | 0x80);
        used |= system != 0 && start != 0 && count != 0;
    }
    Ok(valid && used && reader.array::<2>()? == [0x55, 0xaa])
}

/// Zstandard and LZ4 share skippable frames: what stands behind the first tells which it is.
fn skippable(head: &[u8]) -> Option<FileKind> {
    let mut reader = Reader::new(head, "skippable frame");
    while reader.u32_le().ok()? & 0xffff_fff0 == 0x184d_2a50 {
        let size = u64::from(reader.u32_le().ok()?);
        if reader.skip(size).is_err() || reader.is_empty() {
            return Some(FileKind::Zstd);
        }
        match reader.clone().u32_le() {
            Ok(0x184d_2204 | 0x184c_2102) => return Some(FileKind::Lz4),
            Ok(magic) if magic & 0xffff_fff0 == 0x184d_2a50 => {}
            _ => return Some(FileKind::Zstd),
        }
    }
    None
}

/// LZMA-alone: sensible properties, a dictionary size that encoders write, a length that is possible, and the first
/// byte of the range coder, which is zero.
fn lzma(head: &[u8]) -> Result<bool, Short> {
    let mut reader = Reader::new(head, "lzma header");
    let properties = reader.u8()?;
    let dictionary = reader.u32_le()?;
    let length = reader.u64_le()?;
    let (lc, lp) = (properties % 9, properties / 9 % 5);
    let round = |size: u32| size.is_power_of_two() || (size.is_multiple_of(3) && (size / 3).is_power_of_two());
    let usual = properties < 225 && lc + lp <= 4 && dictionary >= 4096 && (round(dictionary) || dictionary == u32::MAX);
    let possible = length == u64::MAX || (1..1 << 38).contains(&length);
    Ok(usual && possible && reader.u8()? == 0 && reader.left() >= 4)
}
