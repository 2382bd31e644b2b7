//! Names of files, from the header (`Shared.Struct.pas`, `TSetupFileEntry`).
//!
//! An entry is a row of texts, each behind its length: source (empty for files that are carried), destination, and others, up to
//! versions of Windows (20 bytes) and the number of the file's location. Destinations begin with a constant: `{app}\a.exe`.
//! So entries are found by a text that begins with a brace behind an empty one, and believed if texts follow.

use std::collections::BTreeMap;

use dachs_base::{Reader, Short};
use memchr::memmem;

use super::location::Layout;
use crate::utf16;

/// No text of an entry is longer, in bytes.
const LONGEST: u32 = 8192;
/// More names are not kept.
const MOST: usize = 100_000;
/// Versions of Windows from and to which an entry counts.
const VERSIONS: u64 = 20;

/// The destinations, by number of location.
pub(super) fn names(header: &[u8], layout: Layout) -> BTreeMap<u32, Vec<u8>> {
    let mut names = BTreeMap::new();
    let brace: &[u8] = if layout.unicode { b"{\0" } else { b"{" };
    for place in memmem::find_iter(header, brace) {
        let entry = place.checked_sub(8).and_then(|start| header.get(start..));
        if let Some(Ok((number, name))) = entry.map(|entry| read(entry, layout))
            && names.len() < MOST
        {
            names.entry(number).or_insert(name);
        }
    }
    names
}

/// Reads an entry: the number of its location and its destination.
fn read(entry: &[u8], layout: Layout) -> Result<(u32, Vec<u8>), Short> {
    let none = Short { what: "entry" };
    let mut reader = Reader::new(entry, "entry");
    let (texts, digest) = layout.file_texts();
    let source = text(&mut reader)?;
    let destination = text(&mut reader)?;
    if !source.is_empty() || destination.is_empty() {
        return Err(none);
    }
    for _ in 2..texts {
        text(&mut reader)?;
    }
    if digest {
        reader.skip(33)?;
    }
    reader.skip(VERSIONS)?;
    let number = reader.u32_le()?;
    if number == u32::MAX {
        return Err(none);
    }
    let name = if layout.unicode { utf16::little(destination).into_bytes() } else { destination.to_vec() };
    Ok((number, name.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()))
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Short> {
    match reader.u32_le()? {
        length if length <= LONGEST => reader.take(u64::from(length)),
        _ => Err(Short { what: "entry" }),
    }
}
