//! Programs packed by UPX (<https://upx.github.io>): Portable Executables ([`program`]) and ELF ([`elf`]).
//!
//! ```text
//! PE    headers, "UPX!" and numbers ([`pack`]) | section UPX1: packed image, code that unpacks it | resources
//!       image: what stands in memory from the first section on | lists of imports and relocations | old headers | their place 4
//! ELF   headers | sum 4 "UPX!" sizes 4 | id 4 size 4 size of a block 4 | block ... | code that unpacks | block ...
//!       block: plain size 4 | packed size 4 | method, filter, parameter, 0 | data      the first: old headers; the others: segments
//! ```
//!
//! UPX's own documents and sources are not free enough to be followed; the form is known from the reference implementation in RetDec
//! (`src/unpackertool/plugins/upx`, MIT licence) and from packed programs. [`nrv`] is its compression, [`filter`] what it does to calls.
//!
//! The member `unpacked` is the program as it stands in memory, behind its old headers, whose sections say so: each stands in the file
//! at its address, as in what ClamAV makes of such programs. UPX's lists behind the last section are the member `lists`. Those who write malware wipe out `UPX!`: a PE is then recognised by the code that
//! unpacks it, an ELF by its first block. Not done: imports and relocations are left as UPX lists them, resources that UPX left
//! unpacked stay where they are; Mach-O, DOS. Programs of other packers are told.

mod elf;
mod filter;
mod nrv;
mod pack;
mod program;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Source};

use crate::{Found, Search, Unpack};

/// How the member is called.
const NAME: &[u8] = b"unpacked";
/// What stands in an image behind the program.
const LISTS: &[u8] = b"lists";

/// Unpacks a Portable Executable.
pub(crate) fn open_pe(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Packed {
        source: Arc::clone(source),
        budget: budget.clone(),
        found: Found::new(budget),
        unpack: program::unpack,
    })
}

/// Unpacks an ELF program.
pub(crate) fn open_elf(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Packed {
        source: Arc::clone(source),
        budget: budget.clone(),
        found: Found::new(budget),
        unpack: elf::unpack,
    })
}

/// True if an ELF program was packed by UPX.
pub(crate) fn is_packed_elf(source: &dyn Source) -> bool {
    elf::is_packed(source)
}

/// What comes of a packed program, and what is odd about it.
struct Unpacked {
    plain: Arc<dyn Source>,
    /// What stood behind it.
    lists: Option<Arc<dyn Source>>,
    remark: Option<Anomaly>,
}

struct Packed {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    unpack: fn(&Arc<dyn Source>, &Budget) -> Result<Unpacked, Anomaly>,
}

impl Search for Packed {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let unpacked = (self.unpack)(&self.source, &self.budget)?;
        let name = Name::new(NAME);
        self.found.member(name.clone(), unpacked.plain, None)?;
        if let Some(lists) = unpacked.lists {
            self.found.member(Name::new(LISTS), lists, None)?;
        }
        if let Some(remark) = unpacked.remark {
            self.found.remark(Some(name), remark);
        }
        self.found.end();
        Ok(())
    }
}
