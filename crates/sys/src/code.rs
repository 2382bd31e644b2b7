//! The code of this process in large pages.
//!
//! A worker of one file lives for a millisecond, and each 16 pages of code that it uses are a page fault of its own: 46 of the 111 of a small
//! document. A fork passes on the page tables of memory that is no file's, and in large pages that is one entry for two
//! megabytes. So the zygote of many workers copies its code to such memory, before the jail closes, and puts the copy in place of the
//! code:
//!
//! ```text
//! before   | code, mapped from the file, in small pages ........................ |
//! after    | file | large page | large page | large page | large page | file ... |    read and execute, as before
//! ```
//!
//! The copy is never writable and executable at a time. On ARM, whose instruction cache does not see what is written as data, the kernel makes both
//! agree when fresh memory becomes executable. Where anything is refused (no large pages, a policy that allows no code but that of files),
//! the code stays as it is. What it costs: a millisecond and a half at the start, and as much memory as there is code, once for a zygote and
//! its workers. Profilers cannot name the functions of such workers, because no file is there any more to ask; those of a scan of one file, which
//! keeps its code as it is, they can.

use crate::large::{LARGE_PAGE, Stretch, are_large};
use rustix::mm::{MprotectFlags, MremapFlags};
use std::fs;
use std::ptr::{with_exposed_provenance, with_exposed_provenance_mut};

/// What the kernel maps of a file at a fault, in bytes.
const AROUND: usize = 64 << 10;

/// Puts a copy of the code in large pages in place of it, as far as it fills such pages. Nothing if that cannot be. Asked by a process of
/// one thread.
pub(crate) fn enlarge() -> Option<()> {
    let (start, end) = code()?;
    let start = start.next_multiple_of(LARGE_PAGE);
    let length = (end / LARGE_PAGE * LARGE_PAGE).checked_sub(start).filter(|length| *length > 0)?;
    let copy = Stretch::new(length)?;
    // SAFETY: the source is mapped code of this process, which stays where it is, and the copy is as long and nobody's.
    let fill = || unsafe { copy.start.copy_from_nonoverlapping(with_exposed_provenance(start), length) };
    if !are_large(length / AROUND, fill) {
        return None;
    }
    // SAFETY: the copy is ours.
    unsafe { rustix::mm::mprotect(copy.start.cast(), length, MprotectFlags::READ | MprotectFlags::EXEC) }.ok()?;
    let place = with_exposed_provenance_mut(start);
    // SAFETY: the bytes at `place` are the same before and after, with the same rights, so whoever runs there sees nothing of it.
    unsafe { rustix::mm::mremap_fixed(copy.start.cast(), length, length, MremapFlags::MAYMOVE, place) }.ok()?;
    copy.moved();
    Some(())
}

/// From where to where this code lies.
fn code() -> Option<(usize, usize)> {
    let here = (enlarge as fn() -> Option<()>) as usize;
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().filter_map(executable).find(|(start, end)| (*start..*end).contains(&here))
}

/// From where to where a mapping goes, if it is of code ("proc_pid_maps(5)").
fn executable(line: &str) -> Option<(usize, usize)> {
    let (range, _) = line.split_once(" r-xp ")?;
    let (start, end) = range.split_once('-')?;
    Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_of_code_are_told_from_others() {
        let code = "55d0e7a52000-55d0e8475000 r-xp 00251000 fe:00 1180303    /usr/bin/dachs";
        assert_eq!(executable(code), Some((0x55d0_e7a5_2000, 0x55d0_e847_5000)));
        for other in ["55d0e7800000-55d0e7a52000 r--p 00000000 fe:00 1180303 /usr/bin/dachs", "", "x-y r-xp 0"] {
            assert_eq!(executable(other), None, "{other}");
        }
    }

    #[test]
    fn this_code_is_found() {
        let here = (this_code_is_found as fn()) as usize;
        let (start, end) = code().unwrap();
        assert!(start <= here && here < end);
    }
}
