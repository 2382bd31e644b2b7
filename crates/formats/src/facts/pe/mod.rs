//! Portable Executable: what signatures ask of it.
//!
//! [`header`] has the headers and the sections; [`imports`] what a program imports, [`resources`] what it carries with it, [`icons`] how it looks,
//! [`certificates`] those of its signature, [`signature`] who made it; [`broken`] whether its header makes sense.
//! All but the headers is read only when a signature asks.

pub(super) mod broken;
mod certificates;
mod header;
mod icons;
mod imports;
mod resources;
mod signature;
mod version;

use dachs_base::{Budget, Facts, Found, Lazy, Section, Source};
use header::{EXECUTE, Header, Layout, Pe, WRITE};
use std::sync::Arc;

pub(super) fn facts(source: &Arc<dyn Source>, budget: &Budget) -> Option<Facts> {
    let layout = Layout::read(&**source)?;
    let pe = Pe::new(source, &layout);
    Some(Facts {
        entry_point: Some(layout.entry_point),
        sections: layout.sections(),
        certificates: later(&pe, budget, certificates::list),
        digests: later(&pe, budget, signature::digests),
        icons: later(&pe, budget, icons::list),
        signature: later(&pe, budget, signature::find),
        imports: if layout.wide { Lazy::default() } else { later(&pe, budget, imports::list) },
        version_keys: later(&pe, budget, version::keys),
        ..Facts::default()
    })
}

/// The sections alone.
pub(super) fn sections(source: &dyn Source) -> Option<Vec<Section>> {
    Layout::read(source).map(|layout| layout.sections())
}

/// A fact that is found when it is asked for.
fn later<T>(pe: &Pe, budget: &Budget, find: fn(&Pe, &Budget) -> Found<T>) -> Lazy<T>
where
    T: 'static,
{
    let (pe, budget) = (pe.clone(), budget.clone());
    Lazy::new(move || find(&pe, &budget))
}

/// True if the program unpacks itself before it does what it is for: it starts in a section that it can write, where
/// that is also executable or not the first. Compilers make no such programs; UPX, ASPack, Petite, `PESpin`, `WWPack` and
/// most others do.
pub(super) fn is_packed(source: &dyn Source) -> bool {
    let Some(header) = Header::read(source) else { return false };
    let rows = header.rows(source);
    let Some((index, row)) = header.entry_row(&rows) else { return false };
    row.has(WRITE | EXECUTE) || row.has(WRITE) && index > 0
}
