//! Finds end records and the directories that they speak of (APPNOTE 4.3.12 to 4.3.16).
//!
//! The end record stands at the end of the file, before a comment of up to 64 KiB and before whatever was appended. Its
//! signature may also occur in comments, in members that are archives themselves, and by chance. So every occurrence in
//! the tail is a candidate; the last one comes first. A candidate counts if a directory is found where it points to:
//!
//! ```text
//! [prefix] [members] [directory] [zip64 end record] [zip64 locator] [end record] [comment] [appended]
//!                    ^-- size --^                       the directory ends here: found with any prefix
//! ^------ offset ----^                                  or stands at its offset: found with anything in between
//! ```
//!
//! Where both readings are possible and differ, both directories are given.

use std::sync::Arc;

use dachs_base::{Source, read_exact_at, read_vec_at};

use super::record::{CENTRAL, END, END_LENGTH, END64_LENGTH, End, LOCATOR64_LENGTH, read_locator64};

/// How far from the end of the file an end record is looked for.
const TAIL: u64 = 1 << 20;

/// A directory that an end record points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    /// Where it stands in the file.
    pub(super) start: u64,
    /// Where it should end.
    pub(super) end: u64,
    /// What to add to the offsets in it, modulo 2^64: the length of the prefix, or less than zero if bytes are missing.
    pub(super) base: u64,
    /// The number of this volume.
    pub(super) disk: u32,
}

/// An end record that has a directory, or that says that there is none.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Where the end record stands.
    pub(super) position: u64,
    pub(super) directories: Vec<Directory>,
}

/// The offsets of all candidates, first to last.
pub(super) fn candidates(source: &dyn Source) -> Vec<u64> {
    let length = source.len();
    let start = length.saturating_sub(TAIL);
    let tail = read_vec_at(source, start, usize::try_from(length - start).unwrap_or(0));
    let position = |at: usize| start.saturating_add(u64::try_from(at).unwrap_or(0));
    memchr::memmem::find_iter(&tail, &END).map(position).collect()
}

/// What the candidate at `position` points to; `None` if that is no directory.
pub(super) fn resolve(source: &Arc<dyn Source>, position: u64) -> Option<Found> {
    let source = source.as_ref();
    let end = End::read(&read_vec_at(source, position, END_LENGTH))?;
    let wide = resolve_zip64(source, position);
    let mut directories = Vec::new();
    for (end, position) in [wide, Some((end, position))].into_iter().flatten() {
        for directory in readings(end, position) {
            let known = |other: &Directory| (other.start, other.base) == (directory.start, directory.base);
            if !directories.iter().any(known) && begins(source, directory.start) {
                directories.push(directory);
            }
        }
    }
    let empty = end.entries == 0 && end.directory_size == 0;
    (empty || !directories.is_empty()).then_some(Found { position, directories })
}

/// The zip64 end record that belongs to the end record at `position`, and where it stands.
fn resolve_zip64(source: &dyn Source, position: u64) -> Option<(End, u64)> {
    let locator_position = position.checked_sub(LOCATOR64_LENGTH as u64)?;
    let offset = read_locator64(&read_vec_at(source, locator_position, LOCATOR64_LENGTH))?;
    let before = locator_position.checked_sub(END64_LENGTH as u64);
    let tries = [Some(offset), before].into_iter().flatten();
    let mut found = tries.filter_map(|at| Some((End::read64(&read_vec_at(source, at, END64_LENGTH))?, at)));
    found.next()
}

/// Where the directory of an end record at `position` may stand.
fn readings(end: End, position: u64) -> impl Iterator<Item = Directory> {
    let by_size = position.checked_sub(end.directory_size);
    let by_size = by_size.map(|start| (start, start.wrapping_sub(end.directory_offset)));
    let by_offset = Some((end.directory_offset, 0)).filter(|(start, _)| *start < position);
    let readings = [by_size, by_offset].into_iter().flatten();
    readings.map(move |(start, base)| Directory { start, end: position, base, disk: end.disk })
}

fn begins(source: &dyn Source, start: u64) -> bool {
    let mut signature = [0; 4];
    read_exact_at(source, start, &mut signature) && signature == CENTRAL
}
