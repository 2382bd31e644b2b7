//! The `dir` stream of a VBA project: which modules there are and where their source begins (MS-OVBA 2.3.4.2).
//!
//! It is a sequence of records, each a number, a size and that many bytes. All but one keep to that, so records that do not
//! matter are passed over without knowing them.

use dachs_base::{Reader, Short};

use crate::utf16;

/// PROJECTVERSION (2.3.4.2.1.11): its size does not count its last two bytes.
const VERSION: u16 = 0x0009;
/// MODULENAME (2.3.4.2.3.2.1), in the project's code page: begins a module.
const NAME: u16 = 0x0019;
/// MODULENAMEUNICODE (2.3.4.2.3.2.2).
const NAME_UNICODE: u16 = 0x0047;
/// MODULESTREAMNAME (2.3.4.2.3.2.3) in the code page, and in UTF-16.
const STREAM: u16 = 0x001a;
const STREAM_UNICODE: u16 = 0x0032;
/// MODULEOFFSET (2.3.4.2.3.2.5).
const OFFSET: u16 = 0x0031;
/// MODULETYPE (2.3.4.2.3.2.8): a document, class or designer module.
const CLASS: u16 = 0x0022;

/// Modules that are read of a project at most.
pub(super) const MODULES: usize = 2048;

/// A module as the project describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) stream: String,
    /// Where the source begins in the stream.
    pub(super) offset: u32,
    pub(super) class: bool,
}

/// The modules of a project, and whether the list could be read to its end.
pub(super) fn modules(dir: &[u8]) -> (Vec<Module>, bool) {
    let mut modules = Vec::new();
    let mut reader = Reader::new(dir, "list of macro modules");
    while !reader.is_empty() && modules.len() < MODULES {
        if record(&mut reader, &mut modules).is_err() {
            return (modules, false);
        }
    }
    let whole = reader.is_empty();
    (modules, whole)
}

fn record(reader: &mut Reader<'_>, modules: &mut Vec<Module>) -> Result<(), Short> {
    let id = reader.u16_le()?;
    let size = reader.u32_le()?;
    let bytes = reader.take(u64::from(size))?;
    match id {
        VERSION => reader.skip(2)?,
        NAME => modules.push(Module { name: narrow(bytes), ..Module::default() }),
        _ => {}
    }
    let Some(module) = modules.last_mut() else { return Ok(()) };
    match id {
        NAME_UNICODE => module.name = wide(bytes),
        STREAM => module.stream = narrow(bytes),
        STREAM_UNICODE => module.stream = wide(bytes),
        OFFSET => module.offset = Reader::new(bytes, "offset of a macro module").u32_le()?,
        CLASS => module.class = true,
        _ => {}
    }
    Ok(())
}

fn wide(bytes: &[u8]) -> String {
    utf16::little(bytes.get(..512).unwrap_or(bytes))
}

/// Text in an 8-bit code page; letters outside ASCII are guessed, which only names suffer from.
fn narrow(bytes: &[u8]) -> String {
    bytes.iter().take(256).map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_and_passed_over() {
        let mut dir = Vec::new();
        let mut put = |id: u16, bytes: &[u8]| {
            dir.extend(id.to_le_bytes());
            dir.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
            dir.extend(bytes);
        };
        put(1, &[1, 0, 0, 0]);
        put(NAME, b"One");
        put(STREAM, b"One");
        put(STREAM_UNICODE, b"O\0n\0e\0");
        put(OFFSET, &[7, 2, 0, 0]);
        put(CLASS, b"");
        put(NAME, b"Two");
        put(NAME_UNICODE, b"T\0w\0\xd6\0");
        let (found, whole) = modules(&dir);
        let one = Module { name: "One".into(), stream: "One".into(), offset: 0x207, class: true };
        let two = Module { name: "Tw\u{d6}".into(), ..Module::default() };
        assert_eq!((found, whole), (vec![one, two], true));
        let version = [9, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0];
        assert_eq!(modules(&version), (Vec::new(), true));
        assert!(!modules(&version[..11]).1);
        assert!(!modules(&[9, 0, 255, 255, 255, 255]).1);
    }
}
