//! OLE 1.0 objects and the packages in them (MS-OLEDS 2.2, 2.3.6).
//!
//! ```text
//! object    version, format, class, topic, item, size, native data        in RTF, as hex digits
//! stream    size, native data                                             \1Ole10Native of a compound file
//! package   2, label, path, kind, temporary path, size, the file itself   native data of class "Package"
//! ```
//!
//! The layout of packages is not published; it is what the Windows Object Packager writes. Nothing is copied: the answers
//! are places in the source that was read.

use std::io::{BufRead, Read};
use std::sync::Arc;

use dachs_base::Source;

use crate::stream::SourceRead;

/// Names longer than this are no names.
const LONGEST: usize = 4096;
/// The native data is a file as the Object Packager writes it.
const PACKAGE: u16 = 2;
/// The package holds the file itself, not a link to it.
const EMBEDDED: u32 = 0x0003_0000;
/// The first bytes of a compound file.
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
/// How far a compound file is looked for in an object that follows no rules.
const LOOKED_AT: usize = 64 * 1024;

/// Something inside an object: a range of its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    /// What the object calls it; may be empty.
    pub(crate) name: Vec<u8>,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// The payload of an `\1Ole10Native` stream (MS-OLEDS 2.3.6).
pub(crate) fn stream(source: &Arc<dyn Source>) -> Option<Payload> {
    let mut input = SourceRead::new(Arc::clone(source));
    // Exploits write nonsense for the size; the stream itself says how long it is.
    let _size = u32(&mut input)?;
    let length = source.len().saturating_sub(4);
    package(&mut input).or_else(|| (length > 0).then(|| Payload { name: Vec::new(), start: 4, length }))
}

/// What an OLE 1.0 object holds: its native data, and the file in it if that is a package.
pub(crate) fn object(source: &Arc<dyn Source>) -> Vec<Payload> {
    let mut input = SourceRead::new(Arc::clone(source));
    let mut found = Vec::new();
    if let Some(native) = native(&mut input) {
        input.go_to(native.start);
        found.extend(package(&mut input));
        found.push(native);
    }
    // Whoever breaks the header may still mean a compound file.
    if found.is_empty() {
        found.extend(compound(source));
    }
    found
}

/// The native data of an embedded object (MS-OLEDS 2.2.5).
fn native(input: &mut SourceRead) -> Option<Payload> {
    let _version = u32(input)?;
    let _format = u32(input)?;
    let name = counted(input)?;
    let _topic = counted(input)?;
    let _item = counted(input)?;
    let length = u64::from(u32(input)?);
    (length > 0).then(|| Payload { name, start: input.position(), length })
}

fn package(input: &mut SourceRead) -> Option<Payload> {
    let mut kind = [0; 2];
    input.read_exact(&mut kind).ok()?;
    if u16::from_le_bytes(kind) != PACKAGE {
        return None;
    }
    let label = text(input)?;
    let path = text(input)?;
    let kind = u32(input)?;
    if kind != EMBEDDED {
        return None;
    }
    let temporary = u64::from(u32(input)?);
    input.go_to(input.position().saturating_add(temporary));
    let length = u64::from(u32(input)?);
    let name = if label.is_empty() { path } else { label };
    (length > 0).then(|| Payload { name, start: input.position(), length })
}

fn compound(source: &Arc<dyn Source>) -> Option<Payload> {
    let head = dachs_base::read_vec_at(source.as_ref(), 0, LOOKED_AT);
    let at = head.windows(COMPOUND.len()).position(|bytes| bytes == COMPOUND)?;
    let start = u64::try_from(at).ok()?;
    // The length is not known without decoding all of it; the source ends it.
    Some(Payload { name: b"compound".to_vec(), start, length: source.len().saturating_sub(start) })
}

/// A text with its length before it, which counts a zero at the end (MS-OLEDS 2.1.4).
fn counted(input: &mut SourceRead) -> Option<Vec<u8>> {
    let length = usize::try_from(u32(input)?).ok().filter(|length| *length <= LONGEST)?;
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes).ok()?;
    bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(length));
    Some(bytes)
}

/// A text that a zero ends.
fn text(input: &mut SourceRead) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(LONGEST).ok()?;
    input.take(most).read_until(0, &mut bytes).ok()?;
    (bytes.pop() == Some(0)).then_some(bytes)
}

fn u32(input: &mut SourceRead) -> Option<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::Memory;

    /// Native data of a package.
    fn packaged(name: &str, file: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2, 0];
        bytes.extend(format!("{name}\0C:\\{name}\0").bytes());
        bytes.extend([0, 0, 3, 0, 4, 0, 0, 0]);
        bytes.extend(*b"tmp\0");
        bytes.extend(u32::try_from(file.len()).unwrap().to_le_bytes());
        bytes.extend(file);
        bytes
    }

    fn source(bytes: &[u8]) -> Arc<dyn Source> {
        Arc::new(Memory::new(bytes))
    }

    fn of<'a>(payload: &Payload, bytes: &'a [u8]) -> &'a [u8] {
        let start = usize::try_from(payload.start).unwrap();
        &bytes[start..start + usize::try_from(payload.length).unwrap()]
    }

    #[test]
    fn packages_are_opened() {
        let native = packaged("a.exe", b"badger");
        let mut bytes = u32::try_from(native.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend(&native);
        let found = stream(&source(&bytes)).unwrap();
        assert_eq!((found.name.as_slice(), of(&found, &bytes)), (&b"a.exe"[..], &b"badger"[..]));
        let other = stream(&source(b"\x06\0\0\0badger")).unwrap();
        assert_eq!((other.start, other.length), (4, 6));
        let nonsense = stream(&source(b"\xff\xff\xff\xffbadger")).unwrap();
        assert_eq!((nonsense.start, nonsense.length), (4, 6));
        assert_eq!(stream(&source(b"\x06\0\0")), None);
    }

    #[test]
    fn objects_are_opened() {
        let native = packaged("b.js", b"badger");
        let mut bytes = vec![1, 5, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0];
        bytes.extend(b"Package\0\0\0\0\0\0\0\0\0");
        bytes.extend(u32::try_from(native.len()).unwrap().to_le_bytes());
        bytes.extend(&native);
        let found = object(&source(&bytes));
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_slice(), of(&found[0], &bytes)), (&b"b.js"[..], &b"badger"[..]));
        assert_eq!((found[1].name.as_slice(), of(&found[1], &bytes)), (&b"Package"[..], native.as_slice()));
        for end in 0..bytes.len() {
            let _ = object(&source(&bytes[..end]));
        }
        let mut broken = b"nonsense of any length ".to_vec();
        broken.extend(COMPOUND);
        let found = object(&source(&broken));
        assert_eq!((found.len(), found[0].start), (1, 23));
    }
}
