//! Documents that are ZIP archives (ECMA-376 part 2, "Open Packaging Conventions"), told by the names of their parts.
//!
//! ClamAV's way, which its signatures rely on: one of the first three members stands in the folder of a program, or is one
//! that such documents begin with; then the folder of the first member in the directory that stands in one decides.

use dachs_base::{FileKind, Reader, Source, read_vec_at};

/// Members that are looked at by their local headers.
const FIRST: usize = 3;
/// Bytes of the directory that are looked at.
const DIRECTORY: usize = 1 << 18;
/// An end record and the longest comment behind it (APPNOTE 4.3.16).
const END: usize = 22 + 65_535;
/// The longest name that is read.
const NAME: u16 = 64;

/// Where the parts of a document stand.
const FOLDERS: [(&[u8], FileKind); 4] = [
    (b"word/", FileKind::OoxmlWord),
    (b"xl/", FileKind::OoxmlXl),
    (b"ppt/", FileKind::OoxmlPpt),
    (b"Contents/content.hpf", FileKind::OoxmlHwp),
];
/// Names that documents begin with.
const BEGINNINGS: [&[u8]; 5] = [b"[Content_Types].xml", b"docProps/", b"mimetype", b"customXml/", b"Contents/"];

/// The kind of the document that a ZIP archive is, if it is one.
pub(super) fn kind(source: &dyn Source) -> Option<FileKind> {
    let mut at = if read_vec_at(source, 0, 4).starts_with(b"PK\x03\x04") { 0 } else { 4 };
    let mut begins = false;
    for _ in 0..FIRST {
        let Some((name, next)) = local(source, at) else { break };
        if let Some(kind) = folder(&name) {
            return Some(kind);
        }
        begins |= BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
        let Some(next) = next else { break };
        at = next;
    }
    if begins { directory(source)?.find_map(|name| folder(&name)) } else { None }
}

fn folder(name: &[u8]) -> Option<FileKind> {
    FOLDERS.iter().find(|(folder, _)| name.starts_with(folder)).map(|(_, kind)| *kind)
}

/// The name in the local header at a place, and where the next header stands, if the header says it (APPNOTE 4.3.7).
fn local(source: &dyn Source, at: u64) -> Option<(Vec<u8>, Option<u64>)> {
    let bytes = read_vec_at(source, at, 30 + usize::from(NAME));
    let mut reader = Reader::new(&bytes, "local header");
    let b"PK\x03\x04" = reader.take(4).ok()? else { return None };
    reader.skip(2).ok()?;
    let flags = reader.u16_le().ok()?;
    reader.skip(10).ok()?;
    let packed = reader.u32_le().ok()?;
    reader.skip(4).ok()?;
    let (name, extra) = (reader.u16_le().ok()?, reader.u16_le().ok()?);
    let known = flags & 8 == 0 || packed > 0;
    let length = 30_u64.saturating_add(name.into()).saturating_add(extra.into()).saturating_add(packed.into());
    let name = reader.take(u64::from(name.min(NAME))).ok()?.to_vec();
    Some((name, known.then(|| at.saturating_add(length))))
}

/// The names in the directory (APPNOTE 4.3.12), as far as it is read.
fn directory(source: &dyn Source) -> Option<impl Iterator<Item = Vec<u8>>> {
    let length = source.known_len()?;
    let start = length.saturating_sub(u64::try_from(END).ok()?);
    let tail = read_vec_at(source, start, END);
    let at = tail.windows(4).rposition(|window| window == b"PK\x05\x06")?;
    let mut reader = Reader::new(tail.get(at..)?, "end record");
    reader.skip(12).ok()?;
    let size = reader.u32_le().ok()?;
    let end = start.saturating_add(u64::try_from(at).ok()?);
    let bytes = read_vec_at(source, end.checked_sub(size.into())?, usize::try_from(size).ok()?.min(DIRECTORY));
    let mut place = 0_usize;
    Some(std::iter::from_fn(move || {
        let mut reader = Reader::new(bytes.get(place..)?, "central header");
        let b"PK\x01\x02" = reader.take(4).ok()? else { return None };
        reader.skip(24).ok()?;
        let lengths = [reader.u16_le().ok()?, reader.u16_le().ok()?, reader.u16_le().ok()?];
        reader.skip(12).ok()?;
        let [name, ..] = lengths;
        place = lengths.iter().fold(place.saturating_add(46), |sum, more| sum.saturating_add(usize::from(*more)));
        reader.take(name.into()).ok().map(<[u8]>::to_vec)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::Memory;

    /// An archive of empty members of these names.
    fn archive(names: &[&str]) -> Memory {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for name in names {
            let length = u16::try_from(name.len()).unwrap().to_le_bytes();
            directory.extend(b"PK\x01\x02");
            directory.extend([0; 24]);
            directory.extend(length);
            directory.extend([0; 16]);
            directory.extend(name.as_bytes());
            bytes.extend(b"PK\x03\x04");
            bytes.extend([0; 22]);
            bytes.extend(length);
            bytes.extend([0; 2]);
            bytes.extend(name.as_bytes());
        }
        let size = u32::try_from(directory.len()).unwrap();
        bytes.extend(directory);
        bytes.extend(b"PK\x05\x06");
        bytes.extend([0; 8]);
        bytes.extend(size.to_le_bytes());
        bytes.extend([0; 6]);
        Memory::new(bytes)
    }

    #[test]
    fn folders_tell_documents() {
        // As clamscan 1.4.6 tells each.
        let cases: [(&[&str], Option<FileKind>); 12] = [
            (&["word/document.xml"], Some(FileKind::OoxmlWord)),
            (&["a", "b", "xl/workbook.xml"], Some(FileKind::OoxmlXl)),
            (&["a", "b", "c", "xl/workbook.xml"], None),
            (&["a", "b", "[Content_Types].xml", "c", "d", "ppt/x"], Some(FileKind::OoxmlPpt)),
            (&["a", "b", "c", "[Content_Types].xml", "ppt/x"], None),
            (&["mimetype", "a", "b", "c", "Contents/content.hpf"], Some(FileKind::OoxmlHwp)),
            (&["mimetype", "a", "b", "c", "Contents/section0.xml"], None),
            (&["_rels/.rels", "a", "b", "c", "word/x"], None),
            (&["[Content_Types].xml", "a", "b", "c", "xl/x", "word/x"], Some(FileKind::OoxmlXl)),
            (&["Word/x", "word"], None),
            (&["/word/x", "xword/x"], None),
            (&["META-INF/MANIFEST.MF", "word/x"], Some(FileKind::OoxmlWord)),
        ];
        for (names, expected) in cases {
            assert_eq!(kind(&archive(names)), expected, "{names:?}");
        }
    }

    #[test]
    fn broken_archives_are_no_documents() {
        for bytes in [&b"PK\x03\x04"[..], b"PK", b"", b"PK\x05\x06PK\x05\x06"] {
            assert_eq!(kind(&Memory::new(bytes)), None);
        }
    }
}
