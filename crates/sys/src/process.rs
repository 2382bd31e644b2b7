//! Descriptors of processes, and the end of one.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::DupFlags;
use rustix::process::Signal;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Kills the process behind a descriptor, wherever it lives and whatever it does.
///
/// # Errors
/// The kernel's: the process has ended already.
pub fn kill(process: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::process::pidfd_send_signal(process, Signal::KILL)?)
}

/// Waits until the process behind a descriptor has ended, but not for longer than `patience`. True if it has.
///
/// # Errors
/// The kernel's.
pub fn ended(process: BorrowedFd<'_>, patience: Duration) -> io::Result<bool> {
    let patience = Timespec::try_from(patience).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut polled = [PollFd::new(&process, PollFlags::IN)];
    Ok(rustix::io::retry_on_intr(|| rustix::event::poll(&mut polled, Some(&patience)))? > 0)
}

/// Waits until this process has one thread again: one that was joined is gone from the process a moment later, and no
/// namespace can be entered before.
///
/// # Errors
/// When another thread stays.
pub fn wait_alone() -> io::Result<()> {
    for _ in 0..1_000 {
        match std::fs::read_dir("/proc/self/task").map(Iterator::count) {
            // Without `/proc` nobody can tell; what needs to be alone will fail and say so.
            Err(_) => return Ok(()),
            Ok(..=1) => return Ok(()),
            Ok(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Ends this process at once: nothing is flushed, dropped or told to anybody.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: takes a number and does not return.
    unsafe { libc::_exit(code) }
}

/// Takes over what the starter handed to a fresh process: standard input is the control socket, standard output the
/// image, standard error goes nowhere. Afterwards the control socket is [`crate::jail::SOCKET`], the image is what is
/// returned, descriptors 0 to 2 go nowhere, and all others are closed.
///
/// The first thing a process does, and only once: it closes descriptors, whoever has them.
///
/// # Errors
/// When standard input is no packet socket: nobody has started this process in the right way. Nothing was changed then.
pub fn take_over() -> io::Result<OwnedFd> {
    let [input, output, error] = [0, 1, 2].map(standing);
    if !crate::socket::is_packet_socket(input.as_fd()) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    place(input.as_fd(), crate::jail::SOCKET)?;
    place(output.as_fd(), IMAGE)?;
    place(error.as_fd(), 0)?;
    place(error.as_fd(), 1)?;
    let first = libc::c_uint::try_from(IMAGE + 1).unwrap_or(libc::c_uint::MAX);
    // SAFETY: nothing has opened a descriptor yet, so nobody owns one of those that are closed.
    unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
    // SAFETY: `place` has just opened it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(IMAGE) })
}

/// Where [`take_over`] puts the image.
const IMAGE: RawFd = crate::jail::SOCKET + 1;

/// A descriptor that is open as long as the process lives, or was never.
fn standing(number: RawFd) -> ManuallyDrop<OwnedFd> {
    // SAFETY: never closed through this value, because it is never dropped.
    ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Makes `number` a copy of a descriptor.
fn place(descriptor: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    let flags = if number > 2 { DupFlags::CLOEXEC } else { DupFlags::empty() };
    Ok(rustix::io::dup3(descriptor, &mut standing(number), flags)?)
}
