//! Memory for the allocations of a worker: one stretch of addresses, kept in large pages.
//!
//! A worker of one file lives for a millisecond. With the allocator of the C library each page that it writes is a fault of its
//! own, the pages that hold the zygote's blocks are copied for the worker's small ones between them, and all are given back one by one at the
//! end. Here the zygote sets a stretch aside, before the jail closes, that it never writes itself. Its first part comes in small pages,
//! half of them in one call before the worker begins, which is enough for a small document; behind it the kernel gives two megabytes at a
//! touch.
//!
//! ```text
//! start                                                             end
//! | blocks | run | blocks | run ...... | blocks | free | run | never used, so all zero ...
//! | small pages         | large page               | large page               | ...
//! ```
//!
//! Small sizes are rounded up to four steps between a power of two and the next. A freed block goes to the row of its size and serves
//! the next request of that size; small blocks are cut from runs of pages as they are needed, and never joined. Larger sizes are runs
//! of pages themselves ([`Runs`]): the first that fits, so that what one object used serves the next. What does not fit, is larger
//! than [`LARGEST`] or asks for more alignment than a page has goes to the system's allocator. A small block that asks for more alignment
//! than [`ALIGN`] is a page: searchers for several words ask for that, and the system's allocator took six faults for the first.
//!
//! # What was measured
//!
//! Beside other work, user and system time of a process that is forked from one with 40 mappings, faults and ends: 0.18 ms; with 124 pages
//! written, half of them made present by one call (`MADV_POPULATE_WRITE`), 0.39 ms. The call saves 0.4 µs a page. A large page instead
//! takes 0.03 ms if nothing else is done between, and 0.2 to 0.3 ms where it has left the processor's caches: clearing it was a sixth of
//! the time of documents of 12 KB when all came in large pages. Small pages first, and none of them for a file of which more is to be [expected](Arena::expect).
//!
//! `dachs scan -j1`, user and system time, least of nine turns with a load of 17, in ms, small blocks in a stretch and the rest with the
//! system's allocator / all in large pages / half a megabyte before them in small ones / a whole one: documents 424, 385, 358, 336; archives
//! 601, 515, 523, 542; mails 128, 105, 119, 116. A document of 12 KB has 111 faults of 136 left: 46 are for its code (16 since most of it lies
//! in large pages, see `code`), 20 for the image, 16 for blocks, 11 for the stack (to make those present in one call gained nothing that
//! could be seen).
//!
//! Lost: blocks of up to 1 MiB in rows. They took a mail from 430 faults to 180 and a small document from 180 to 110, but each size
//! then had memory of its own, and clearing it was a seventh of the time of mails and a ninth of that of documents. Lost as well:
//! the system's allocator for blocks from 32 KiB, which left a small document 45 faults for those and for copies of the pages in which that
//! allocator keeps its own notes, and an archive 700. Memory that is shared with the zygote and cleared by a process before it is used
//! takes as long as fresh pages; page tables that are copied with the fork (`MADV_GUARD_INSTALL` brings that about for mapped files) as long as
//! the faults that they save.
//! Where the machine has no large pages (`/sys/kernel/mm/transparent_hugepage/enabled` says `never`), the first pages come in
//! one call, the others one by one.

use crate::runs::Runs;
use rustix::mm::{Advice, MapFlags, ProtFlags};
use std::alloc::Layout;
use std::cell::Cell;
use std::io;
use std::ptr::{NonNull, null_mut};

/// Size of a page, as far as this module is concerned: runs begin at multiples of it.
const PAGE: usize = 4096;
/// Pages that one word of [`Runs`] tells of.
const WORDS: usize = SIZE / PAGE / 64;
/// Bytes of the stretch. What is never touched takes no memory.
const SIZE: usize = 32 << 20;
/// Size of a large page.
const LARGE_PAGE: usize = 2 << 20;
/// Bytes at the start that come in small pages: many a worker needs no more.
const PLAIN: usize = 512 << 10;
/// Bytes at the start that a worker is given before it begins, in one go: nearly all use them.
const READY: usize = 256 << 10;
/// Whoever looks at more bytes needs more memory than that: small pages would be in vain.
const LITTLE: u64 = 64 << 10;
/// Larger blocks are not kept here.
const LARGEST: usize = 8 << 20;
/// Larger blocks are runs of pages.
const SMALL: usize = 8 << 10;
/// Pages that small blocks are cut from, at a time.
const CUT: usize = 16;
/// Small blocks begin at multiples of this.
const ALIGN: usize = 16;
/// Sizes up to this are rounded up to multiples of [`ALIGN`].
const FINE: usize = 128;
/// Rows for the fine sizes, and four for each power of two up to [`SMALL`].
const ROWS: usize = FINE / ALIGN + 4 * (SMALL.ilog2() - FINE.ilog2()) as usize;

/// A stretch of memory and its free blocks. Used by one thread at a time: whoever has one sees to that.
pub(crate) struct Arena {
    start: Cell<*mut u8>,
    pages: Runs<WORDS>,
    /// The next small block that was never used, and the bytes from there to the end of the run that it is cut from.
    next: Cell<*mut u8>,
    left: Cell<usize>,
    free: [Cell<*mut Free>; ROWS],
}

/// The beginning of a free block.
struct Free {
    next: *mut Free,
}

/// Where a block lies.
enum Room {
    /// In this row.
    Row(usize),
    /// In a run of so many pages.
    Run(usize),
}

impl Arena {
    /// One that has nothing.
    pub(crate) const fn empty() -> Arena {
        Arena {
            start: Cell::new(null_mut()),
            pages: Runs::new(),
            next: Cell::new(null_mut()),
            left: Cell::new(0),
            free: [const { Cell::new(null_mut()) }; ROWS],
        }
    }

    /// Sets the addresses aside. Nothing is written, so that it takes no memory yet.
    ///
    /// # Errors
    /// The kernel's: no addresses left, or a limit on them.
    pub(crate) fn reserve(&self) -> io::Result<()> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory of ours. What is kept of it is never given back.
        let map = unsafe {
            rustix::mm::mmap_anonymous(null_mut(), SIZE + LARGE_PAGE, ProtFlags::READ | ProtFlags::WRITE, flags)?
        };
        let map = map.cast::<u8>();
        let before = map.wrapping_add(PLAIN).align_offset(LARGE_PAGE).min(LARGE_PAGE);
        // SAFETY: `before` is at most the size of a large page, by which the mapping is longer than `SIZE`.
        let start = unsafe { map.add(before) };
        // SAFETY: the end of the stretch lies in the mapping, or is its end.
        let end = unsafe { start.add(SIZE) };
        // Each mapping is work for each fork: what lies around the stretch goes.
        for (part, length) in [(map, before), (end, LARGE_PAGE - before)] {
            if length > 0 {
                // SAFETY: the part lies in the mapping and outside of the stretch, and nobody knows of it.
                let _ = unsafe { rustix::mm::munmap(part.cast(), length) };
            }
        }
        // SAFETY: `PLAIN` is less than `SIZE`.
        let large = unsafe { start.add(PLAIN) };
        // SAFETY: the range lies in the stretch. It changes the size of pages alone; where there are no large ones it is refused.
        let _ = unsafe { rustix::mm::madvise(large.cast(), SIZE - PLAIN, Advice::LinuxHugepage) };
        self.start.set(start);
        Ok(())
    }

    /// Has the first pages made now: one call for what would be a fault each. If many bytes are [expected](Arena::expect), they are passed over.
    pub(crate) fn prepare(&self, expected: u64) {
        let start = self.start.get();
        if expected > LITTLE {
            self.expect(expected);
        } else if !start.is_null() {
            // SAFETY: the range lies in the stretch: its pages come as they would at the first touch.
            // Where the kernel does not know the call (before 5.14) they come then.
            let _ = unsafe { rustix::mm::madvise(start.cast(), READY, Advice::LinuxPopulateWrite) };
        }
    }

    /// So many bytes will be looked at: what is needed for many comes in large pages from the beginning.
    pub(crate) fn expect(&self, bytes: u64) {
        if bytes > LITTLE {
            self.pages.pass_over(PLAIN / PAGE);
        }
    }

    /// True if a block came from here.
    #[inline]
    pub(crate) fn holds(&self, block: *mut u8) -> bool {
        let start = self.start.get();
        !start.is_null() && block.addr().wrapping_sub(start.addr()) < SIZE
    }

    /// A block; none if it is too large, or nothing is left. `zeroed`: all its bytes are 0.
    #[inline]
    pub(crate) fn take(&self, layout: Layout, zeroed: bool) -> Option<NonNull<u8>> {
        let row = match room(layout)? {
            Room::Row(row) => row,
            Room::Run(pages) => return self.take_run(pages, zeroed),
        };
        let free = self.free.get(row)?;
        let block = match NonNull::new(free.get()) {
            Some(block) => {
                // SAFETY: it stands in the row, so it is a block that `give` was given and nobody has since; `give` wrote its beginning.
                free.set(unsafe { block.as_ref().next });
                block.cast()
            }
            None => self.cut(block_size(row))?,
        };
        if zeroed {
            // SAFETY: the block has at least so many bytes, and they are nobody's.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        Some(block)
    }

    /// A small block that was never used.
    #[inline]
    fn cut(&self, size: usize) -> Option<NonNull<u8>> {
        if self.left.get() < size {
            self.take_more()?;
        }
        let left = self.left.get().checked_sub(size)?;
        let block = NonNull::new(self.next.get())?;
        self.left.set(left);
        // SAFETY: `size` bytes are left behind `next`, so this is in its run or at its end.
        self.next.set(unsafe { block.as_ptr().add(size) });
        Some(block)
    }

    /// Takes more pages to cut blocks from. They lengthen those at hand if they can, else what is left of those is lost.
    #[inline(never)]
    fn take_more(&self) -> Option<()> {
        let next = self.next.get();
        let end = next.addr().wrapping_add(self.left.get()).wrapping_sub(self.start.get().addr()) / PAGE;
        if !next.is_null() && self.pages.resize(end - 1, 1, 1 + CUT) {
            self.left.set(self.left.get() + CUT * PAGE);
            return Some(());
        }
        let run = self.take_run(CUT, false)?;
        self.next.set(run.as_ptr());
        self.left.set(CUT * PAGE);
        Some(())
    }

    /// A run of pages.
    fn take_run(&self, pages: usize, zeroed: bool) -> Option<NonNull<u8>> {
        let start = NonNull::new(self.start.get())?;
        let (first, used) = self.pages.take(pages)?;
        // SAFETY: a page of the stretch.
        let run = unsafe { start.add(first * PAGE) };
        if zeroed {
            // SAFETY: the run begins with so many pages, which are nobody's; the others were never written.
            unsafe { run.write_bytes(0, used * PAGE) };
        }
        Some(run)
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// It came from [`Arena::take`] or [`Arena::resize`] of this arena with this layout, and nobody uses it any more.
    #[inline]
    pub(crate) unsafe fn give(&self, block: *mut u8, layout: Layout) {
        match room(layout) {
            Some(Room::Row(row)) => {
                let Some(free) = self.free.get(row) else { return };
                let block = block.cast::<Free>();
                // SAFETY: blocks begin at multiples of 16 and have 16 bytes at least, and this one is nobody's.
                unsafe { block.write(Free { next: free.get() }) };
                free.set(block);
            }
            Some(Room::Run(pages)) => self.pages.give(self.page_of(block), pages),
            None => {}
        }
    }

    /// Makes a block longer or shorter in its place; false if it cannot stay there.
    pub(crate) fn resize(&self, block: *mut u8, layout: Layout, size: usize) -> bool {
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else { return false };
        match (room(layout), room(wanted)) {
            (Some(Room::Row(old)), Some(Room::Row(new))) => old == new || self.resize_last(block, old, new),
            (Some(Room::Run(old)), Some(Room::Run(new))) => self.pages.resize(self.page_of(block), old, new),
            _ => false,
        }
    }

    /// Makes the small block that was cut last longer.
    fn resize_last(&self, block: *mut u8, old: usize, new: usize) -> bool {
        let (old, new) = (block_size(old), block_size(new));
        let last = block.addr().wrapping_add(old) == self.next.get().addr();
        last && new > old && self.left.get() >= new - old && self.cut(new - old).is_some()
    }

    /// The page at which a run begins.
    fn page_of(&self, run: *mut u8) -> usize {
        run.addr().wrapping_sub(self.start.get().addr()) / PAGE
    }
}

/// Where a block of a layout lies; none if it is not kept here.
#[inline]
fn room(layout: Layout) -> Option<Room> {
    let size = layout.size();
    if size > SMALL || layout.align() > ALIGN {
        return (size <= LARGEST && layout.align() <= PAGE).then(|| Room::Run(size.div_ceil(PAGE)));
    }
    row_of_size(size).map(Room::Row)
}

/// The row of blocks that serve a size.
#[inline]
fn row_of_size(size: usize) -> Option<usize> {
    match size.checked_sub(1) {
        None => None,
        Some(last) if last < FINE => Some(last / ALIGN),
        Some(last) if last < SMALL => {
            let power = last.ilog2();
            let step = (last >> (power - 2)) & 3;
            Some(FINE / ALIGN + 4 * (power - FINE.ilog2()) as usize + step)
        }
        Some(_) => None,
    }
}

/// The size of the blocks of a row.
#[inline]
fn block_size(row: usize) -> usize {
    match row.checked_sub(FINE / ALIGN) {
        None => (row + 1) * ALIGN,
        Some(row) => (5 + row % 4) << (row / 4 + FINE.ilog2() as usize - 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    fn arena() -> Arena {
        let arena = Arena::empty();
        arena.reserve().unwrap();
        arena.prepare(0);
        arena
    }

    #[test]
    fn each_size_has_the_row_of_the_next_larger_blocks() {
        let mut last = 0;
        for size in 1..=SMALL {
            let row = row_of_size(size).unwrap();
            assert!(row >= last && row < ROWS, "{size}");
            let block = block_size(row);
            assert!(block >= size && block.is_multiple_of(ALIGN), "{size}: {block}");
            assert!(size < ALIGN || block - size < ALIGN || (block - size) * 4 < size + 4 * ALIGN, "{size}: {block}");
            assert!(row == 0 || block_size(row - 1) < size, "{size}");
            last = row;
        }
        assert_eq!((row_of_size(0), row_of_size(SMALL + 1), last), (None, None, ROWS - 1));
    }

    #[test]
    fn blocks_do_not_overlap_and_keep_what_is_written() {
        let arena = arena();
        let mut blocks: Vec<(NonNull<u8>, usize, u8)> = Vec::new();
        let mut seed = 1_u32;
        for turn in 0..20_000_u32 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let size = (seed >> 12) as usize % [40, 300, 5_000, 100_000][turn as usize % 4] + 1;
            let mark = turn.to_le_bytes()[0];
            if blocks.len() > 300 {
                let (block, size, mark) = blocks.swap_remove((seed >> 3) as usize % blocks.len());
                // SAFETY: a block of ours with so many bytes.
                assert!(unsafe { std::slice::from_raw_parts(block.as_ptr(), size) }.iter().all(|byte| *byte == mark));
                // SAFETY: it was taken with this layout.
                unsafe { arena.give(block.as_ptr(), layout(size)) };
            }
            let block = arena.take(layout(size), turn % 2 == 0).unwrap();
            assert!(arena.holds(block.as_ptr()) && block.as_ptr().addr().is_multiple_of(ALIGN));
            // SAFETY: a fresh block with so many bytes.
            let bytes = unsafe { std::slice::from_raw_parts_mut(block.as_ptr(), size) };
            assert!(turn % 2 != 0 || bytes.iter().all(|byte| *byte == 0));
            bytes.fill(mark);
            let longer = size + (seed >> 20) as usize % 200;
            let size = if arena.resize(block.as_ptr(), layout(size), longer) { longer } else { size };
            // SAFETY: the block is that long now.
            unsafe { std::slice::from_raw_parts_mut(block.as_ptr(), size) }.fill(mark);
            blocks.push((block, size, mark));
        }
    }

    #[test]
    fn the_last_block_grows_in_its_place() {
        let arena = arena();
        let first = arena.take(layout(100), false).unwrap();
        assert!(arena.resize(first.as_ptr(), layout(100), 112));
        assert!(arena.resize(first.as_ptr(), layout(112), 5_000));
        let second = arena.take(layout(100), false).unwrap();
        assert!(second.as_ptr().addr() >= first.as_ptr().addr() + 5_000);
        assert!(!arena.resize(first.as_ptr(), layout(5_000), 6_000));
        assert!(!arena.resize(second.as_ptr(), layout(100), 10), "it would lose the rest");
        assert!(
            !arena.resize(second.as_ptr(), layout(100), SMALL + 1) && arena.resize(second.as_ptr(), layout(100), 111)
        );
    }

    #[test]
    fn runs_grow_and_shrink_in_their_place() {
        let arena = arena();
        let run = arena.take(layout(20_000), true).unwrap();
        assert!(arena.resize(run.as_ptr(), layout(20_000), 1 << 20));
        let behind = arena.take(layout(20_000), false).unwrap();
        assert_eq!(behind.as_ptr().addr(), run.as_ptr().addr() + (1 << 20));
        assert!(!arena.resize(run.as_ptr(), layout(1 << 20), (1 << 20) + 1));
        assert!(arena.resize(run.as_ptr(), layout(1 << 20), 10_000));
        assert_eq!(arena.take(layout(9_000), false).unwrap().as_ptr().addr(), run.as_ptr().addr() + 12_288);
        assert!(!arena.resize(run.as_ptr(), layout(10_000), 5_000));
    }

    #[test]
    fn what_a_large_file_needs_lies_in_large_pages() {
        let arena = arena();
        let plain = |block: NonNull<u8>| block.as_ptr().addr() - arena.start.get().addr() < PLAIN;
        let small = arena.take(layout(100), false).unwrap();
        arena.expect(LITTLE);
        let before = arena.take(layout(10_000), false).unwrap();
        arena.expect(LITTLE + 1);
        let after = arena.take(layout(10_000), false).unwrap();
        assert_eq!([small, before, after].map(plain), [true, true, false]);
    }

    #[test]
    fn small_blocks_go_on_behind_those_before() {
        let arena = arena();
        let blocks: Vec<usize> = (0..2_000).map(|_| arena.take(layout(128), false).unwrap().as_ptr().addr()).collect();
        assert!(blocks.windows(2).all(|two| two[1] == two[0] + 128));
    }

    #[test]
    fn what_is_large_or_too_much_goes_elsewhere() {
        let arena = arena();
        assert_eq!(arena.take(layout(LARGEST + 1), false), None);
        assert!(
            arena.take(Layout::from_size_align(64, 64).unwrap(), false).unwrap().as_ptr().addr().is_multiple_of(64)
        );
        assert_eq!(arena.take(Layout::from_size_align(9_000, 8_192).unwrap(), false), None);
        assert!(
            arena.take(Layout::from_size_align(9_000, 64).unwrap(), false).unwrap().as_ptr().addr().is_multiple_of(64)
        );
        assert!((1..SIZE / LARGEST).all(|_| arena.take(layout(LARGEST), false).is_some()));
        while arena.take(layout(SMALL + 1), false).is_some() {}
        assert_eq!((arena.take(layout(LARGEST), false), arena.take(layout(SMALL), false)), (None, None));
        assert_eq!(Arena::empty().take(layout(1), false), None);
        assert!(!Arena::empty().holds(null_mut()));
    }
}
