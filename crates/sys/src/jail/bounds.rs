//! Limits of a process (`setrlimit(2)`).
//!
//! | limit | zygote | worker | stops |
//! |---|---|---|---|
//! | address space, data | image and binaries, and a margin | the same, and the memory of a scan | memory bombs |
//! | file size, core | 0 | 0 | filling disks, leaking content into core files |
//! | open files | 64 | those it always has, the files of a request, and one more | hoarding descriptors |
//! | processes | - | 0 | forking (for users other than root) |
//! | stack | 8 MiB | 8 MiB | endless recursion |

use super::rooms::check;
use std::fs;
use std::io;

/// Memory that a worker may use besides what content is allowed: tables, fragments, the reply.
pub(super) const MARGIN: u64 = 64 << 20;
/// Standard streams, the socket, the files at hand, and one that tests need.
const DESCRIPTORS: u64 = 4 + crate::socket::DESCRIPTORS as u64 + 1;
/// Address space for what is not counted as data: stack, binaries mapped later, gaps.
const SLACK: u64 = 64 << 20;
const STACK: u64 = 8 << 20;

/// The highest address space and data size of this process now, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    space: u64,
    data: u64,
}

/// Reads the sizes of this process from `/proc`; where there is none, only `mapped` bytes are known of.
pub(super) fn sizes(mapped: u64) -> Sizes {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut fields = pages.split_whitespace().map(|field| field.parse::<u64>().unwrap_or(0).saturating_mul(page()));
    let space = fields.next().unwrap_or_else(|| mapped.saturating_add(SLACK));
    let data = fields.nth(4).unwrap_or(SLACK);
    Sizes { space, data }
}

fn page() -> u64 {
    u64::try_from(rustix::param::page_size()).unwrap_or(4096)
}

/// The limits that hold for the zygote and all that it forks.
pub(super) fn zygote() -> io::Result<()> {
    set(libc::RLIMIT_CORE, 0)?;
    set(libc::RLIMIT_FSIZE, 0)?;
    set(libc::RLIMIT_STACK, STACK)?;
    set(libc::RLIMIT_NOFILE, 64)
}

/// The limits of a worker, which may use `memory` bytes for content.
pub(super) fn worker(sizes: Sizes, memory: u64) -> io::Result<()> {
    let memory = memory.saturating_add(MARGIN);
    set(libc::RLIMIT_NPROC, 0)?;
    set(libc::RLIMIT_NOFILE, DESCRIPTORS)?;
    // Fragments of the heap are not counted by the allocator: half as much again before the kernel steps in.
    let data = sizes.data.saturating_add(memory).saturating_add(memory / 2);
    set(libc::RLIMIT_DATA, data)?;
    set(libc::RLIMIT_AS, sizes.space.saturating_add(data).saturating_add(STACK + SLACK))
}

#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

fn set(resource: Resource, value: u64) -> io::Result<()> {
    let limit = libc::rlimit64 { rlim_cur: value, rlim_max: value };
    // SAFETY: a pointer to a limit that lives through the call.
    let lower = |limit: &libc::rlimit64| check(unsafe { libc::setrlimit64(resource, limit) });
    lower(&limit).or_else(|error| {
        // The hard limit may be lower already, and only root can raise it.
        let mut now = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: a pointer to a limit that lives through the call.
        check(unsafe { libc::getrlimit64(resource, &raw mut now) })?;
        if now.rlim_max > value {
            return Err(error);
        }
        lower(&libc::rlimit64 { rlim_cur: now.rlim_max, rlim_max: now.rlim_max })
    })
}
