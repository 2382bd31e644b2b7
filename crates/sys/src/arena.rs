//! Memory for the small allocations of a worker: one stretch of addresses, kept in large pages.
//!
//! A worker of one file lives for a millisecond. With the allocator of the C library each page that it writes is a fault of its
//! own, the pages that hold the zygote's blocks are copied for the worker's small ones between them, and all are given back one by one at the
//! end. Here the zygote sets a stretch aside, before the jail closes, that it never writes itself. Its first part comes in small pages,
//! half of them in one call before the worker begins, which is enough for a small document; behind it the kernel gives two megabytes at a
//! touch.
//!
//! ```text
//! start                  next                                      end
//! | block | free | block |  never used, so all zero .............. |      rows of free blocks, one for each size
//! | small pages ............. | large page | large page ...        |
//! ```
//!
//! Sizes are rounded up to four steps between a power of two and the next. A freed block goes to the row of its size and serves
//! the next request of that size; blocks are never split or joined. What does not fit, is larger than [`LARGEST`] or asks for more
//! alignment goes to the system's allocator, which joins what is freed.
//!
//! # What was measured
//!
//! On the machine of SPECIFICATION.md, 128 pages: touched one by one 1.1 µs each, made present by one call
//! (`MADV_POPULATE_WRITE`) 0.95 µs each, a copy of a shared page 1.5 µs; giving back 0.23 µs each. A large page takes 45 µs and 6 µs, as much as forty small ones.
//!
//! Blocks of up to 1 MiB here, and large pages from the start, took a mail from 430 faults to 180 and a small document from 180 to 110, but each size
//! then had memory of its own, and clearing it was a seventh of the time of mails and a ninth of that of documents.
//! Where the machine has none (`/sys/kernel/mm/transparent_hugepage/enabled` says `never`), pages come one by one as before.

use rustix::mm::{Advice, MapFlags, ProtFlags};
use std::alloc::Layout;
use std::cell::Cell;
use std::io;
use std::ptr::{NonNull, null_mut};

/// Bytes of the stretch. What is never touched takes no memory.
const SIZE: usize = 32 << 20;
/// Size of a large page.
const LARGE_PAGE: usize = 2 << 20;
/// Bytes at the start that come in small pages: many a worker needs no more.
const PLAIN: usize = 512 << 10;
/// Bytes at the start that a worker is given before it begins, in one go: nearly all use them.
const READY: usize = 256 << 10;
/// Larger blocks are not kept here: each size would have memory of its own.
const LARGEST: usize = 32 << 10;
/// Blocks begin at multiples of this.
const ALIGN: usize = 16;
/// Sizes up to this are rounded up to multiples of [`ALIGN`].
const FINE: usize = 128;
/// Rows for the fine sizes, and four for each power of two up to [`LARGEST`].
const ROWS: usize = FINE / ALIGN + 4 * (LARGEST.ilog2() - FINE.ilog2()) as usize;

/// A stretch of memory and its free blocks. Used by one thread at a time: whoever has one sees to that.
pub(crate) struct Arena {
    start: Cell<usize>,
    next: Cell<*mut u8>,
    /// Bytes behind `next`.
    left: Cell<usize>,
    free: [Cell<*mut Free>; ROWS],
}

/// The beginning of a free block.
struct Free {
    next: *mut Free,
}

impl Arena {
    /// One that has nothing.
    pub(crate) const fn empty() -> Arena {
        Arena {
            start: Cell::new(0),
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
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory of ours. It is never given back.
        let map = unsafe {
            rustix::mm::mmap_anonymous(null_mut(), SIZE + LARGE_PAGE, ProtFlags::READ | ProtFlags::WRITE, flags)?
        };
        let map = map.cast::<u8>();
        let before = map.wrapping_add(PLAIN).align_offset(LARGE_PAGE).min(LARGE_PAGE);
        // SAFETY: `before` is at most the size of a large page, by which the mapping is longer than `SIZE`.
        let start = unsafe { map.add(before) };
        // SAFETY: `PLAIN` is less than `SIZE`.
        let large = unsafe { start.add(PLAIN) };
        // SAFETY: the range lies in the mapping. It changes the size of pages alone; where there are no large ones it is refused.
        let _ = unsafe { rustix::mm::madvise(large.cast(), SIZE - PLAIN, Advice::LinuxHugepage) };
        self.start.set(start.addr());
        self.next.set(start);
        self.left.set(SIZE);
        Ok(())
    }

    /// Has the first pages made now: one call for what would be a fault each.
    pub(crate) fn prepare(&self) {
        let start = self.next.get();
        if !start.is_null() && self.left.get() == SIZE {
            // SAFETY: the range lies in the stretch, of which nothing was used: the pages come zeroed as they would at the first touch.
            // Where the kernel does not know the call (before 5.14) they come then.
            let _ = unsafe { rustix::mm::madvise(start.cast(), READY, Advice::LinuxPopulateWrite) };
        }
    }

    /// True if a block came from here.
    #[inline]
    pub(crate) fn holds(&self, block: *mut u8) -> bool {
        let start = self.start.get();
        start != 0 && block.addr().wrapping_sub(start) < SIZE
    }

    /// A block; none if it is too large, or nothing is left. `zeroed`: all its bytes are 0.
    #[inline]
    pub(crate) fn take(&self, layout: Layout, zeroed: bool) -> Option<NonNull<u8>> {
        let row = row(layout)?;
        let free = self.free.get(row)?;
        let Some(block) = NonNull::new(free.get()) else { return self.take_fresh(block_size(row)) };
        // SAFETY: it stands in the row, so it is a block that `give` was given and nobody has since; `give` wrote its beginning.
        free.set(unsafe { block.as_ref().next });
        if zeroed {
            // SAFETY: the block has at least so many bytes, and they are nobody's.
            unsafe { block.cast::<u8>().write_bytes(0, layout.size()) };
        }
        Some(block.cast())
    }

    /// A block that was never used.
    #[inline]
    fn take_fresh(&self, size: usize) -> Option<NonNull<u8>> {
        let left = self.left.get().checked_sub(size)?;
        let block = NonNull::new(self.next.get())?;
        self.left.set(left);
        // SAFETY: `size` bytes are left behind `next`, so this is in the stretch or at its end.
        self.next.set(unsafe { block.as_ptr().add(size) });
        Some(block)
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// It came from [`Arena::take`] or [`Arena::resize`] of this arena with this layout, and nobody uses it any more.
    #[inline]
    pub(crate) unsafe fn give(&self, block: *mut u8, layout: Layout) {
        let Some(free) = row(layout).and_then(|row| self.free.get(row)) else { return };
        let block = block.cast::<Free>();
        // SAFETY: blocks begin at multiples of 16 and have 16 bytes at least, and this one is nobody's.
        unsafe { block.write(Free { next: free.get() }) };
        free.set(block);
    }

    /// Makes a block longer or shorter in its place; false if it cannot stay there.
    pub(crate) fn resize(&self, block: *mut u8, layout: Layout, size: usize) -> bool {
        let (Some(old), Some(new)) = (row(layout), row_of_size(size)) else { return false };
        if old == new {
            return true;
        }
        let (old, new) = (block_size(old), block_size(new));
        if new < old || block.addr().wrapping_add(old) != self.next.get().addr() {
            return false;
        }
        self.take_fresh(new - old).is_some()
    }
}

/// The row of blocks that serve a layout; none if it is not kept here.
#[inline]
fn row(layout: Layout) -> Option<usize> {
    if layout.align() > ALIGN { None } else { row_of_size(layout.size()) }
}

#[inline]
fn row_of_size(size: usize) -> Option<usize> {
    match size.checked_sub(1) {
        None => None,
        Some(last) if last < FINE => Some(last / ALIGN),
        Some(last) if last < LARGEST => {
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
        arena
    }

    #[test]
    fn each_size_has_the_row_of_the_next_larger_blocks() {
        let mut last = 0;
        for size in (1..5_000).chain((5_000..=LARGEST).step_by(7)).chain([LARGEST - 1, LARGEST]) {
            let row = row_of_size(size).unwrap();
            assert!(row >= last && row < ROWS, "{size}");
            let block = block_size(row);
            assert!(block >= size && block.is_multiple_of(ALIGN), "{size}: {block}");
            assert!(size < ALIGN || block - size < ALIGN || (block - size) * 4 < size + 4 * ALIGN, "{size}: {block}");
            assert!(row == 0 || block_size(row - 1) < size, "{size}");
            last = row;
        }
        assert_eq!((row_of_size(0), row_of_size(LARGEST + 1), last), (None, None, ROWS - 1));
    }

    #[test]
    fn blocks_do_not_overlap_and_keep_what_is_written() {
        let arena = arena();
        let mut blocks: Vec<(NonNull<u8>, usize, u8)> = Vec::new();
        let mut seed = 1_u32;
        for turn in 0..20_000_u32 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let size = (seed >> 16) as usize % [40, 300, 5_000][turn as usize % 3] + 1;
            let mark = turn.to_le_bytes()[0];
            if blocks.len() > 500 {
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
            blocks.push((block, size, mark));
        }
    }

    #[test]
    fn the_last_block_grows_in_its_place() {
        let arena = arena();
        let first = arena.take(layout(100), false).unwrap();
        assert!(arena.resize(first.as_ptr(), layout(100), 112));
        assert!(arena.resize(first.as_ptr(), layout(112), 20_000));
        let second = arena.take(layout(100), false).unwrap();
        assert!(second.as_ptr().addr() >= first.as_ptr().addr() + 20_000);
        assert!(!arena.resize(first.as_ptr(), layout(20_000), 30_000));
        assert!(!arena.resize(second.as_ptr(), layout(100), 10), "it would lose the rest");
        assert!(!arena.resize(second.as_ptr(), layout(100), LARGEST + 1));
    }

    #[test]
    fn what_is_large_or_too_much_goes_elsewhere() {
        let arena = arena();
        assert_eq!(arena.take(layout(LARGEST + 1), false), None);
        assert_eq!(arena.take(Layout::from_size_align(64, 64).unwrap(), false), None);
        assert!((0..SIZE / LARGEST).all(|_| arena.take(layout(LARGEST), false).is_some()));
        assert_eq!(arena.take(layout(1), false), None);
        assert_eq!(Arena::empty().take(layout(1), false), None);
        assert!(!Arena::empty().holds(null_mut()));
    }
}
