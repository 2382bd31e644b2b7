//! Copies of a process, and their ends.
//!
//! The kernel is asked itself: the C library's `fork` would give no descriptor of the copy, and no flag for the filter to
//! look at.

use super::SOCKET;
use super::rooms::{check, check_long};
use rustix::io::DupFlags;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// A process that was forked.
#[derive(Debug)]
pub struct Child {
    number: i32,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

/// Copies this process. `None` is the copy.
pub(super) fn clone() -> io::Result<Option<(Child, OwnedFd)>> {
    let flags = libc::c_long::from(libc::CLONE_PIDFD | libc::SIGCHLD);
    let mut handle: libc::c_int = -1;
    // SAFETY: no memory is shared, so this is a fork: the copy goes on with a stack of its own. The process has a single
    // thread (its `main` starts none, and the filter allows none), so no lock is held by anybody who is not copied.
    // The kernel writes the descriptor of the copy to `handle` (`clone(2)`, CLONE_PIDFD).
    let number = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut handle, 0, 0) };
    check_long(number)?;
    if number == 0 {
        return Ok(None);
    }
    // SAFETY: the kernel has just opened this descriptor for us.
    let handle = unsafe { OwnedFd::from_raw_fd(handle) };
    Ok(Some((Child { number: i32::try_from(number).unwrap_or(-1) }, handle)))
}

/// Makes `socket` number [`SOCKET`] and closes everything above.
pub(super) fn keep_only(socket: OwnedFd) -> io::Result<()> {
    if socket.as_raw_fd() != SOCKET {
        // SAFETY: descriptor 3 is the control socket, which nobody in the copy owns any more; it is replaced and never closed.
        let mut place = unsafe { OwnedFd::from_raw_fd(SOCKET) };
        let moved = rustix::io::dup3(socket.as_fd(), &mut place, DupFlags::CLOEXEC);
        std::mem::forget(place);
        moved?;
    }
    std::mem::forget(socket);
    // SAFETY: nothing in the copy owns a descriptor above 3: `socket` is forgotten, the keeper's is never used.
    check_long(unsafe { libc::syscall(libc::SYS_close_range, SOCKET + 1, libc::c_uint::MAX, 0) })
}

impl Child {
    /// Waits for its end.
    ///
    /// # Errors
    /// The kernel's: somebody else has waited for it.
    pub fn wait(self) -> io::Result<End> {
        let info = self.ask(libc::WEXITED)?;
        // SAFETY: `waitid` has filled in the fields of a child's end.
        let status = unsafe { info.si_status() };
        Ok(if info.si_code == libc::CLD_EXITED { End::Exited(status) } else { End::Killed(status) })
    }

    /// Takes note of its end, if it has ended. False if it has not.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        // SAFETY: the number of the process is the first field of both, and 0 if none has ended (`waitid(2)`, WNOHANG).
        let ended = |info: libc::siginfo_t| unsafe { info.si_pid() } != 0;
        // One that cannot be waited for is not there.
        self.ask(libc::WEXITED | libc::WNOHANG).map_or(true, ended)
    }

    fn ask(&self, options: libc::c_int) -> io::Result<libc::siginfo_t> {
        // SAFETY: zero is a value of this type.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let number = self.number.unsigned_abs();
        loop {
            // SAFETY: `info` lives through the call.
            match check(unsafe { libc::waitid(libc::P_PID, number, &raw mut info, options) }) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                asked => return asked.map(|()| info),
            }
        }
    }
}
