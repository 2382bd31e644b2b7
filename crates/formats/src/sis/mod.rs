//! Symbian installation files: SIS of EPOC release 5 and 6 (A. Thoukydides, "SIS file format"), and SISX of Symbian 9
//! ("Symbian OS v9.x SIS File Format Specification", version 1.1).
//!
//! ```text
//! SIS    uid1 uid2 uid3 checksum | counts, pointers | records of files, with names and data elsewhere in the file
//! SISX   uid1 uid2 uid3 checksum | one field: type (u32), length (u32, or u64 of 31 + 32 bits), value, padding to 4
//!        contents { checksums, controller (packed), data { unit { file (packed) ... } ... } }
//! ```
//!
//! Files of SIS are packed with zlib one by one, unless an option of the file says otherwise; a file that stands once a
//! language is a member a language. SISX tells names in its controller, which is given as a member too; certificates and
//! checksums are not compared. Conditions are not evaluated: the files of every branch are given.

mod fields;
mod records;

use std::io::{self, ErrorKind};
use std::sync::Arc;

use dachs_base::{Budget, Source, read_vec_at};

use crate::Unpack;
use crate::codec::{self, Decoder};
use crate::stream::{Replay, SourceRead};

/// The first identifier of SISX.
const SYMBIAN9: [u8; 4] = [0x7a, 0x1a, 0x20, 0x10];

/// Goes through the files of an installation file.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    match read_vec_at(source.as_ref(), 0, 4) == SYMBIAN9 {
        true => fields::open(source, budget),
        false => records::open(source, budget),
    }
}

/// A zlib stream (RFC 1950) in the file, as a member of so many bytes.
fn unpacked(source: &Arc<dyn Source>, start: u64, packed: u64, plain: Option<u64>, budget: &Budget) -> Arc<dyn Source> {
    let (from, again) = (Arc::clone(source), budget.clone());
    let opener = move || -> io::Result<Decoder> {
        let Some(rest) = packed.checked_sub(2) else { return Err(ErrorKind::UnexpectedEof.into()) };
        codec::deflate(SourceRead::range(Arc::clone(&from), start.saturating_add(2), rest), &again)
    };
    Arc::new(Replay::new(budget, opener).expecting(plain, None))
}

#[cfg(test)]
mod tests;
