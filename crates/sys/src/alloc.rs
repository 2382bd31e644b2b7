//! An allocator with a limit.
//!
//! The budget of a scan charges what unpackers hold, but a mistake in a parser may still ask for any amount. Inside a
//! worker the allocator counts, and the first request beyond the limit ends the process with a code of its own, so that
//! the report can say *memory* and not *crash*. Outside of workers it only passes on. Inside, blocks of up to
//! some megabytes come from a stretch that was [set aside](set_aside), see the module `arena`.
//!
//! The counts and the stretch are kept without atomic additions: only a process of a single thread arms the limit.

use crate::arena::Arena;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

/// The system's allocator, and a limit for those who [arm] it.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: dachs_sys::alloc::Bounded = dachs_sys::alloc::Bounded;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bounded;

/// `u64::MAX` while nothing is counted.
static LIMIT: AtomicU64 = AtomicU64::new(u64::MAX);
static USED: AtomicU64 = AtomicU64::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);

/// The stretch for blocks, used from [`arm`] on.
static STRETCH: Stretch = Stretch(Arena::empty());

struct Stretch(Arena);

// SAFETY: it is changed by `set_aside` and, once the limit is armed, by requests: both are for processes of one thread. Before,
// it holds no address, or one that nobody has a block at.
unsafe impl Sync for Stretch {}

/// Sets addresses aside for the blocks of the workers that are forked from here. Where that is refused, they use the
/// system's allocator.
///
/// Only for a process with one thread.
pub fn set_aside() {
    let _ = STRETCH.0.reserve();
}

/// Has the first of the addresses that were [set aside](set_aside) backed by memory, unless a file of many bytes is `expected`. In a new worker,
/// before its list is put on.
pub(crate) fn prepare(expected: u64) {
    STRETCH.0.prepare(expected);
}

/// Tells the allocator how many bytes a worker will look at, before it does: it chooses the place of blocks by that.
pub fn expect(bytes: u64) {
    if is_armed() {
        STRETCH.0.expect(bytes);
    }
}

/// From now on, a request that brings the memory allocated since to more than `limit` bytes ends the process with `code`.
///
/// Only for a process with one thread. Without [`Bounded`] as the global allocator it does nothing.
pub fn arm(limit: u64, code: i32) {
    CODE.store(code, Relaxed);
    USED.store(0, Relaxed);
    LIMIT.store(limit.min(u64::MAX - 1), Relaxed);
}

/// Buffers from so many bytes on are mapped, and given back to the kernel when they are freed.
#[cfg(target_env = "gnu")]
const MAPPED: libc::c_int = 1 << 20;
/// So much of freed memory is kept for the next request.
#[cfg(target_env = "gnu")]
const KEPT: libc::c_int = 8 << 20;

/// So much more is asked of the kernel at a time.
#[cfg(target_env = "gnu")]
const MORE: libc::c_int = 1 << 20;

/// From now on, more of what is freed is kept for the next request.
///
/// Left alone, the allocator of glibc gives windows and blocks of streams back to the kernel as soon as an object is done, and the
/// next object has them cleared and mapped again, page by page: a sixth of the time of a scan of mails. Other allocators are
/// left as they are.
pub fn keep_freed() {
    #[cfg(target_env = "gnu")]
    for (option, bytes) in [(libc::M_MMAP_THRESHOLD, MAPPED), (libc::M_TRIM_THRESHOLD, KEPT), (libc::M_TOP_PAD, MORE)] {
        // SAFETY: numbers that say how much the allocator keeps; no memory changes hands.
        let _ = unsafe { libc::mallopt(option, bytes) };
    }
}

/// Bytes allocated and not freed since the limit was [armed](arm).
#[must_use]
pub fn used() -> u64 {
    USED.load(Relaxed)
}

#[inline]
fn grow(bytes: usize) {
    let limit = LIMIT.load(Relaxed);
    if limit != u64::MAX {
        let used = USED.load(Relaxed).saturating_add(bytes as u64);
        USED.store(used, Relaxed);
        if used > limit {
            crate::process::exit_now(CODE.load(Relaxed));
        }
    }
}

#[inline]
fn shrink(bytes: usize) {
    if LIMIT.load(Relaxed) != u64::MAX {
        // Memory from before the limit was armed may be freed as well.
        USED.store(USED.load(Relaxed).saturating_sub(bytes as u64), Relaxed);
    }
}

/// The kernel gave no memory: the limit of the process is reached, if it has one.
fn refused(pointer: *mut u8) -> *mut u8 {
    if pointer.is_null() && LIMIT.load(Relaxed) != u64::MAX {
        crate::process::exit_now(CODE.load(Relaxed));
    }
    pointer
}

/// True in a worker.
#[inline]
fn is_armed() -> bool {
    LIMIT.load(Relaxed) != u64::MAX
}

/// A block of a worker in its stretch.
#[inline]
fn kept(layout: Layout, zeroed: bool) -> Option<*mut u8> {
    let block = if is_armed() { STRETCH.0.take(layout, zeroed) } else { None };
    block.map(std::ptr::NonNull::as_ptr)
}

// SAFETY: every call is answered by the arena or passed on to `System` unchanged, and blocks go back to where they came from;
// what is added are counters.
unsafe impl GlobalAlloc for Bounded {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promise is passed on.
        kept(layout, false).unwrap_or_else(|| refused(unsafe { System.alloc(layout) }))
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrink(layout.size());
        if STRETCH.0.holds(pointer) {
            // SAFETY: it lies in the arena, so it came from there; the layout is the caller's promise.
            unsafe { STRETCH.0.give(pointer, layout) };
        } else {
            // SAFETY: the caller's promise is passed on.
            unsafe { System.dealloc(pointer, layout) }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promise is passed on.
        kept(layout, true).unwrap_or_else(|| refused(unsafe { System.alloc_zeroed(layout) }))
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if STRETCH.0.holds(pointer) {
            // SAFETY: it lies in the arena, so it came from there; the layout is the caller's promise.
            return unsafe { self.move_kept(pointer, layout, size) };
        }
        grow(size.saturating_sub(layout.size()));
        shrink(layout.size().saturating_sub(size));
        // SAFETY: the caller's promise is passed on.
        refused(unsafe { System.realloc(pointer, layout, size) })
    }
}

impl Bounded {
    /// Gives a block of the stretch another size, in its place or in another.
    ///
    /// # Safety
    /// As [`GlobalAlloc::realloc`], and the block is one of the arena.
    unsafe fn move_kept(self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if STRETCH.0.resize(pointer, layout, size) {
            grow(size.saturating_sub(layout.size()));
            shrink(layout.size().saturating_sub(size));
            return pointer;
        }
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else { return null_mut() };
        // SAFETY: the caller asks for a size above 0.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: both blocks have so many bytes, and are two; the old one is the caller's to give back.
            unsafe {
                moved.copy_from_nonoverlapping(pointer, layout.size().min(size));
                self.dealloc(pointer, layout);
            }
        }
        moved
    }
}
