//! The resources that a Portable Executable carries: a tree of three levels, type, name and language.
//!
//! Specification: Microsoft, "PE Format" (The .rsrc Section: Resource Directory Table, Resource Directory Entries,
//! Resource Data Entry).
//!
//! A hostile tree can point to itself, so the walk goes down three levels and reads at most so many entries in all.

use super::header::{Directory, Pe};
use dachs_base::{Budget, LimitReached, Reader};

/// Entries read in all.
const ENTRIES: u32 = 8192;
/// The bit of an entry's offset that says that it leads to another directory, and of its name that it is a text.
const DEEPER: u32 = 0x8000_0000;

/// The types of resources that signatures ask for (`RT_…`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Icon = 3,
    GroupIcon = 14,
    Version = 16,
}

/// A resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// Its number, or the place of its name with the highest bit set.
    pub(super) name: u32,
    /// Where its bytes are: an address, not a file offset.
    pub(super) address: u32,
    /// How many bytes there are.
    pub(super) size: u32,
}

/// The resources of a type, in the order of the tree.
pub(super) fn of_kind(pe: &Pe, kind: Kind, budget: &Budget) -> Result<Vec<Resource>, LimitReached> {
    let Some((root, _)) = pe.directory(Directory::Resources) else { return Ok(Vec::new()) };
    let mut walk = Walk { pe, budget, root, left: ENTRIES, found: Vec::new() };
    for (name, offset) in walk.entries(0)? {
        if name == kind as u32 && offset & DEEPER != 0 {
            walk.names(offset & !DEEPER)?;
        }
    }
    Ok(walk.found)
}

struct Walk<'a> {
    pe: &'a Pe,
    budget: &'a Budget,
    root: u32,
    left: u32,
    found: Vec<Resource>,
}

impl Walk<'_> {
    /// The resources of one type.
    fn names(&mut self, at: u32) -> Result<(), LimitReached> {
        for (name, offset) in self.entries(at)? {
            if offset & DEEPER != 0 {
                for (_, offset) in self.entries(offset & !DEEPER)? {
                    self.data(name, offset);
                }
            }
        }
        Ok(())
    }

    /// One resource in one language.
    fn data(&mut self, name: u32, offset: u32) {
        if offset & DEEPER != 0 {
            return;
        }
        let bytes = self.root.checked_add(offset).and_then(|at| self.pe.read_at(at, 8)).unwrap_or_default();
        let mut reader = Reader::new(&bytes, "resource data entry");
        if let (Ok(address), Ok(size)) = (reader.u32_le(), reader.u32_le()) {
            self.found.push(Resource { name, address, size });
        }
    }

    /// Names and offsets of a directory's entries.
    fn entries(&mut self, at: u32) -> Result<Vec<(u32, u32)>, LimitReached> {
        self.budget.check_time()?;
        let Some(at) = self.root.checked_add(at) else { return Ok(Vec::new()) };
        let head = self.pe.read_at(at, 16).unwrap_or_default();
        let mut reader = Reader::new(&head, "resource directory");
        let counts = reader.skip(12).ok().and_then(|()| Some((reader.u16_le().ok()?, reader.u16_le().ok()?)));
        let (named, numbered) = counts.unwrap_or((0, 0));
        let count = u32::from(named).saturating_add(u32::from(numbered)).min(self.left);
        self.left = self.left.saturating_sub(count);
        let size = usize::try_from(count).unwrap_or(0).saturating_mul(8);
        let bytes = at.checked_add(16).and_then(|at| self.pe.read_at(at, size)).unwrap_or_default();
        let mut reader = Reader::new(&bytes, "resource directory entry");
        Ok(std::iter::from_fn(|| Some((reader.u32_le().ok()?, reader.u32_le().ok()?))).collect())
    }
}
