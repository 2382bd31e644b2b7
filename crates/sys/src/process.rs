//! Descriptors of processes, and the end of one.

use rustix::process::Signal;
use std::io;
use std::os::fd::BorrowedFd;

/// Kills the process behind a descriptor, wherever it lives and whatever it does.
///
/// # Errors
/// The kernel's: the process has ended already.
pub fn kill(process: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::process::pidfd_send_signal(process, Signal::KILL)?)
}

/// Ends this process at once: nothing is flushed, dropped or told to anybody.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: takes a number and does not return.
    unsafe { libc::_exit(code) }
}
