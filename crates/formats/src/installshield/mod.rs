//! What InstallShield puts behind its set-up programs.
//!
//! There is no published specification. Three forms are known:
//!
//! ```text
//! a plain list of files              set-ups of InstallScript, observed on InstallShield 11           list
//! "InstallShield", "ISSetupStream"   scrambled files, set-ups of MSI (known from ISx, lifenjoiner)    scrambled
//! "ISc("                             cabinets (known from unshield, D. Eriksson, MIT licence)         cabinet
//! ```

mod cabinet;
mod list;
mod scrambled;

use std::sync::Arc;

use dachs_base::{Budget, Source, read_vec_at};

use crate::Unpack;

pub(crate) use list::begins_list;

/// Goes through the files; `source` begins where the list or archive does.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let head = read_vec_at(source.as_ref(), 0, 14);
    if head.starts_with(&cabinet::MAGIC) {
        cabinet::open(source, budget)
    } else if head.starts_with(scrambled::WITH_NAMES) || head.starts_with(scrambled::STREAM) {
        scrambled::open(source, budget)
    } else {
        list::open(source, budget)
    }
}
