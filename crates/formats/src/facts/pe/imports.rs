//! The list of imports, whose digest signatures know (`.imp`).
//!
//! ```text
//! import directory ──> descriptor ──> name of the library       "KERNEL32.dll"
//!                          └───────> table ──> hint and name    "Sleep"             kernel32.sleep,ws2_32.socket,…
//!                                      └─────> number           ws2_32, 23
//! ```
//!
//! Specification: Microsoft, "PE Format" (Import Directory Table, Import Lookup Table, Hint/Name Table). The text that is
//! digested is the one that pefile made common: library and function in lower case, the library without what begins with
//! its first `.dll`, `.ocx` or `.sys`; functions imported by number by their names where a public table has them, else
//! as `ord` and the number. What ClamAV does besides was watched on 1.4.6, with 650 files made for it:
//!
//! * the directory's size counts: of n * 20 bytes the last row is not read, and all of it must be in the file;
//! * there are at most 1,024 libraries, and any number of functions;
//! * a lookup table that is nowhere is replaced by the table of addresses;
//! * a function whose name is nowhere has an empty one; one whose name starts in the last 255 bytes of the file is left
//!   out; a name is cut at 256 bytes;
//! * a name of a function with a character that is no letter, digit, `_` or `.` leaves the file without a list.

use super::header::{Directory, Pe};
use dachs_base::{Budget, Found, Reader, read_vec_at};
use std::collections::HashMap;
use std::sync::LazyLock;

/// One row of the import directory table.
const DESCRIPTOR: u32 = 20;
/// Libraries that are read.
const LIBRARIES: u32 = 1024;
/// Functions of all libraries that are read: far more than any program has, but tables may lie over each other.
const FUNCTIONS: u32 = 1 << 16;
/// The longest name.
const NAME: usize = 256;
/// The longest list.
const LONGEST: usize = 1 << 20;
/// Bytes of a table of functions that are read at once.
const CHUNK: usize = 1 << 12;
/// The bit of an import that is a number.
const BY_NUMBER: u32 = 0x8000_0000;

/// The list; nothing if the program imports nothing, or what cannot be read.
pub(super) fn list(pe: &Pe, budget: &Budget) -> Found<Vec<u8>> {
    let Some((start, size)) = pe.directory(Directory::Imports) else { return Ok(None) };
    let end = pe.file_offset(start).map(|offset| offset.saturating_add(u64::from(size)));
    if end.is_none_or(|end| end > pe.source.len()) {
        return Ok(None);
    }
    let mut list = List { pe, text: Vec::new(), left: FUNCTIONS };
    for index in 0..(size.saturating_sub(1) / DESCRIPTOR).min(LIBRARIES) {
        budget.check_time()?;
        let row = start.checked_add(index * DESCRIPTOR).and_then(|at| Descriptor::read(pe, at));
        let Some(row) = row.filter(|row| row.name != 0) else { break };
        if list.library(&row).is_none() || list.text.len() > LONGEST {
            return Ok(None);
        }
    }
    Ok(Some(list.text))
}

/// A row of the import directory table.
struct Descriptor {
    lookup: u32,
    name: u32,
    addresses: u32,
}

impl Descriptor {
    fn read(pe: &Pe, at: u32) -> Option<Descriptor> {
        let bytes = pe.read_at(at, 20)?;
        let mut reader = Reader::new(&bytes, "import descriptor");
        let lookup = reader.u32_le().ok()?;
        reader.skip(8).ok()?; // TimeDateStamp, ForwarderChain
        Some(Descriptor { lookup, name: reader.u32_le().ok()?, addresses: reader.u32_le().ok()? })
    }

    /// Where the table of functions lies in the file.
    fn table(&self, pe: &Pe) -> Option<u64> {
        let lookup = Some(self.lookup).filter(|lookup| *lookup != 0);
        lookup.and_then(|lookup| pe.file_offset(lookup)).or_else(|| pe.file_offset(self.addresses))
    }
}

/// The list as it grows.
struct List<'a> {
    pe: &'a Pe,
    text: Vec<u8>,
    left: u32,
}

impl List<'_> {
    /// Adds what is imported from one library; nothing if that cannot be read.
    fn library(&mut self, row: &Descriptor) -> Option<()> {
        let mut name = text(&self.pe.read_at(row.name, NAME)?);
        name.make_ascii_lowercase();
        let mut at = row.table(self.pe)?;
        loop {
            let table = read_vec_at(&*self.pe.source, at, CHUNK);
            for entry in table.as_chunks::<4>().0 {
                let entry = u32::from_le_bytes(*entry);
                if entry == 0 {
                    return Some(());
                }
                self.left = self.left.checked_sub(1)?;
                self.function(&name, entry)?;
            }
            if table.len() < CHUNK {
                return Some(());
            }
            at = at.checked_add(u64::try_from(CHUNK).ok()?)?;
        }
    }

    /// Adds a function; nothing if its name is none.
    fn function(&mut self, library: &[u8], entry: u32) -> Option<()> {
        let function = if entry & BY_NUMBER == 0 {
            match self.pe.file_offset(entry.checked_add(2)?) {
                Some(at) => {
                    let bytes = read_vec_at(&*self.pe.source, at, NAME);
                    if bytes.len() < NAME {
                        return Some(());
                    }
                    text(&bytes).to_ascii_lowercase()
                }
                None => Vec::new(),
            }
        } else {
            by_number(library, entry & 0xffff)
        };
        if !self.text.is_empty() {
            self.text.push(b',');
        }
        self.text.extend(stem(library));
        self.text.push(b'.');
        self.text.extend(&function);
        function.iter().all(|byte| is_of_name(*byte)).then_some(())
    }
}

/// The bytes before the first zero.
fn text(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().take_while(|byte| *byte != 0).collect()
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

/// A library's name without its ending.
fn stem(name: &[u8]) -> &[u8] {
    let dot = name.iter().position(|byte| *byte == b'.').unwrap_or(name.len());
    match name.split_at_checked(dot) {
        Some((stem, [b'.', ending @ ..]))
            if [b"dll", b"ocx", b"sys"].iter().any(|known| ending.starts_with(*known)) =>
        {
            stem
        }
        _ => name,
    }
}

/// The name of a function that is imported by its number.
fn by_number(library: &[u8], number: u32) -> Vec<u8> {
    let library = match library {
        b"oleaut32.dll" => "oleaut32",
        b"ws2_32.dll" | b"wsock32.dll" => "ws2_32",
        _ => "",
    };
    match ORDINALS.get(&(library, number)) {
        Some(name) => name.to_ascii_lowercase().into_bytes(),
        None => format!("ord{number}").into_bytes(),
    }
}

/// The names of functions by library and number.
static ORDINALS: LazyLock<HashMap<(&str, u32), &str>> = LazyLock::new(|| {
    let rows = include_str!("ordinals.txt").lines().filter(|row| !row.starts_with('#'));
    rows.filter_map(|row| {
        let mut fields = row.split(' ');
        Some(((fields.next()?, fields.next()?.parse().ok()?), fields.next()?))
    })
    .collect()
});
