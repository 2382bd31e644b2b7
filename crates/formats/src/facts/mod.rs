//! What signatures need to know of an executable besides its bytes, the entry point and the sections first of all, and of a
//! picture.
//!
//! The figures follow what ClamAV's signatures were written against, which is not always what a loader does: see the
//! module of each format. An executable whose header cannot be read has no facts, and whatever depends on them does not
//! match.

mod elf;
mod macho;
mod pe;
mod picture;

use dachs_base::{Budget, Facts, FileKind, Lazy, Reader, Section, Source, Target, read_vec_at};
use std::sync::Arc;

/// The facts about an object of this kind; none for kinds that are not executables. Those that cost work are found when
/// they are asked for, at the budget's cost.
#[must_use]
pub fn facts(kind: FileKind, source: &Arc<dyn Source>, budget: &Budget) -> Facts {
    match kind {
        FileKind::Elf => elf::facts(&**source),
        FileKind::MachO => macho::facts(&**source),
        FileKind::Pe => pe::facts(source, budget),
        // RIFF: WebP.
        _ if kind.target() == Target::Graphics || kind == FileKind::Riff => Some(picture_facts(source, budget)),
        _ => None,
    }
    .unwrap_or_default()
}

/// True if the header of an executable makes no sense, as far as `--alert-broken` of ClamAV says so.
#[must_use]
pub fn is_broken(kind: FileKind, source: &dyn Source) -> bool {
    match kind {
        FileKind::Elf => elf::is_broken(source),
        FileKind::MachO => macho::is_broken(source),
        FileKind::Pe => pe::broken::is_broken(source),
        _ => false,
    }
}

/// What signatures ask of a picture.
fn picture_facts(source: &Arc<dyn Source>, budget: &Budget) -> Facts {
    let (source, budget) = (Arc::clone(source), budget.clone());
    Facts { picture: Lazy::new(move || picture::hash(&source, &budget)), ..Facts::default() }
}

/// The sections of an executable.
pub(crate) fn sections(kind: FileKind, source: &dyn Source) -> Vec<Section> {
    match kind {
        FileKind::Elf => elf::facts(source).map(|facts| facts.sections),
        FileKind::MachO => macho::facts(source).map(|facts| facts.sections),
        FileKind::Pe => pe::sections(source),
        _ => None,
    }
    .unwrap_or_default()
}

/// True if the object is a Portable Executable whose code is packed.
pub(crate) fn is_packed_pe(source: &dyn Source) -> bool {
    pe::is_packed(source)
}

/// Numbers of a format that comes in both byte orders.
struct Ordered<'a> {
    reader: Reader<'a>,
    big_endian: bool,
}

impl Ordered<'_> {
    fn u16(&mut self) -> Option<u16> {
        if self.big_endian { self.reader.u16_be() } else { self.reader.u16_le() }.ok()
    }

    fn u32(&mut self) -> Option<u32> {
        if self.big_endian { self.reader.u32_be() } else { self.reader.u32_le() }.ok()
    }

    fn u64(&mut self) -> Option<u64> {
        if self.big_endian { self.reader.u64_be() } else { self.reader.u64_le() }.ok()
    }

    /// An address or size: 64 bits in a 64-bit file, else 32.
    fn word(&mut self, wide: bool) -> Option<u64> {
        if wide { self.u64() } else { self.u32().map(u64::from) }
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        self.reader.skip(count).ok()
    }
}

/// A table of `count` records of `size` bytes, cut where the object ends.
fn table(source: &dyn Source, offset: u64, count: u16, size: u16) -> Vec<u8> {
    read_vec_at(source, offset, usize::from(count).saturating_mul(usize::from(size)))
}

#[cfg(test)]
mod tests;
