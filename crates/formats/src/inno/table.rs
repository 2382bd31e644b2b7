//! The offset table in a program's resources (`Shared.Struct.pas`, `TSetupLdrOffsetTable`; resource 11111 since 5.1.5).
//!
//! It is looked for by its sign in the first bytes of the program, where its resources are, and believed if its checksum holds.

use dachs_base::{Reader, Short, Source, read_vec_at};
use memchr::memmem;

/// The signs of the table since 5.1.5; the second is that of an edition of its own.
const SIGNS: [&[u8; 12]; 2] = [b"rDlPtS\xCD\xE6\xD7\x7B\x0B\x2A", b"nS5W7dT\x83\xAA\x1B\x0F\x6A"];
/// Bytes of a program in which the table is looked for, and how many at once.
const LOOKED_AT: u64 = 32 << 20;
const STEP: usize = 1 << 18;

/// Where things stand in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) header: u64,
    /// Where the files are; 0 if they are in other files.
    pub(super) data: u64,
}

impl Table {
    /// Looks for the table.
    pub(super) fn find(source: &dyn Source) -> Option<Table> {
        let mut at = 0;
        while at < LOOKED_AT {
            let window = read_vec_at(source, at, STEP);
            for sign in SIGNS {
                for place in memmem::find_iter(&window, sign) {
                    let place = at.saturating_add(u64::try_from(place).unwrap_or(0));
                    if let Some(table) = Table::read(&read_vec_at(source, place, 80)) {
                        return Some(table);
                    }
                }
            }
            if window.len() < STEP {
                return None;
            }
            at = at.saturating_add(u64::try_from(STEP - 12).unwrap_or(u64::MAX));
        }
        None
    }

    /// Reads a table of either revision.
    fn read(bytes: &[u8]) -> Option<Table> {
        let wide = *bytes.get(12)? >= 2;
        let size = if wide { 12 + 4 + 8 + 8 + 4 + 4 + 8 + 8 + 4 } else { 12 + 4 + 7 * 4 - 4 };
        let (fields, behind) = bytes.split_at_checked(size)?;
        let sum = u32::from_le_bytes(*behind.first_chunk()?);
        if crc32fast::hash(fields) != sum {
            return None;
        }
        let mut reader = Reader::new(fields, "offset table");
        let offset = |reader: &mut Reader<'_>| -> Result<u64, Short> {
            if wide { reader.u64_le() } else { reader.u32_le().map(u64::from) }
        };
        reader.skip(16).ok()?;
        let (_total, _engine) = (offset(&mut reader).ok()?, offset(&mut reader).ok()?);
        reader.skip(8).ok()?; // the engine's size and checksum
        Some(Table { header: offset(&mut reader).ok()?, data: offset(&mut reader).ok()? })
    }
}
