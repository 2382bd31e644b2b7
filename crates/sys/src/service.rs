//! What a service needs besides: descriptors that its starter passed, another user, the groups of a client.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The first descriptor that a starter passes (`sd_listen_fds(3)`).
const FIRST: i32 = 3;
/// A client in more groups is taken to be in none.
const MOST_GROUPS: usize = 4096;
/// Most processes are in fewer groups.
const FEW_GROUPS: usize = 32;

/// Takes the descriptors that the starter of this process passed, numbered from 3.
///
/// To be called once, before anything is opened: it takes whoever has those numbers.
#[must_use]
pub fn take_passed(count: u32) -> Vec<OwnedFd> {
    let last = FIRST.saturating_add(i32::try_from(count).unwrap_or(0));
    // SAFETY: asks for flags; a number that is not open is an error and nothing else.
    let is_open = |number: &i32| unsafe { libc::fcntl(*number, libc::F_GETFD) } >= 0;
    (FIRST..last)
        .filter(is_open)
        .map(|number| {
            // SAFETY: it is open, and nothing else owns it: the caller has opened nothing yet.
            let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
            // SAFETY: sets a flag of a descriptor that is ours.
            unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
            descriptor
        })
        .collect()
}

/// Becomes another user, for good and in all respects, with the groups that the system lists for the name.
///
/// To be called while the process has one thread.
///
/// # Errors
/// The kernel's: this process may not, or the name cannot be one.
pub fn become_user(name: &str, user: u32, group: u32) -> io::Result<()> {
    let name = CString::new(name).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the name ends with a zero byte and lives until after the call.
    checked(unsafe { libc::initgroups(name.as_ptr(), group) })?;
    // SAFETY: takes numbers.
    checked(unsafe { libc::setresgid(group, group, group) })?;
    // SAFETY: takes numbers.
    checked(unsafe { libc::setresuid(user, user, user) })
}

/// The groups of the process at the other end of a unix socket, beside its main one; none if the kernel does not tell.
#[must_use]
pub fn peer_groups(socket: BorrowedFd<'_>) -> Vec<u32> {
    // Few are in more groups than that, and there is one answer for each connection: it stays small.
    [FEW_GROUPS, MOST_GROUPS].into_iter().find_map(|most| groups_of_peer(socket, most)).unwrap_or_default()
}

/// None if there are more than so many, or the kernel does not tell.
fn groups_of_peer(socket: BorrowedFd<'_>, most: usize) -> Option<Vec<u32>> {
    let mut groups = vec![0_u32; most];
    let mut length = libc::socklen_t::try_from(groups.len() * size_of::<u32>()).ok()?;
    // SAFETY: the kernel writes at most `length` bytes to `groups`, which has so many, and the length to `length`.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    groups.truncate(usize::try_from(length).unwrap_or(0) / size_of::<u32>());
    groups.shrink_to_fit();
    (done == 0).then_some(groups)
}

/// Tells the C library's allocator to keep few pools: with a thread for each connection it would keep one for each.
pub fn few_arenas() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes numbers.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

fn checked(result: i32) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn the_peer_of_a_pair_is_in_our_groups() {
        let (here, _there) = std::os::unix::net::UnixStream::pair().unwrap();
        let ours = rustix::process::getgroups().unwrap();
        let mut theirs = peer_groups(here.as_fd());
        let mut ours: Vec<u32> = ours.iter().map(|group| group.as_raw()).collect();
        theirs.sort_unstable();
        ours.sort_unstable();
        assert_eq!(theirs, ours);
    }

    #[test]
    fn nothing_was_passed_to_this_test() {
        assert!(take_passed(0).is_empty());
        assert!(become_user("a\0b", 1, 1).is_err());
    }
}
