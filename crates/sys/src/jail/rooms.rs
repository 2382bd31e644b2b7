//! Another user, rooms of its own (namespaces), an empty root.
//!
//! Root first makes the rooms, which it may everywhere, and then becomes nobody. Everybody else, and root in a container
//! without that right, first makes a user namespace, inside of which the others may be made. Either way the process ends
//! without any capability. What cannot be entered is told and left out: the filter of system calls does not depend on it.

use super::Status;
use std::ffi::CStr;
use std::io;
use std::ptr::null;

/// The user and group called nobody.
const NOBODY: i32 = 65534;
/// The rooms that need a right to be made, all at once.
const ROOMS: libc::c_int =
    libc::CLONE_NEWNET | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
/// Folders that the empty root can be mounted on: one of them exists.
const PLACES: [&CStr; 5] = [c"/proc", c"/dev", c"/tmp", c"/usr", c"/etc"];

/// What was entered.
pub(super) struct Entered {
    pub(super) layers: Vec<Status>,
    /// True if the next process that is forked is the first in its namespace.
    pub(super) processes: bool,
}

/// Enters all that the machine allows. `user` and `rooms` tell what to try.
pub(super) fn enter(user: bool, rooms: bool) -> Entered {
    let root = is_root();
    let early = if root && rooms { make_rooms().ok() } else { None };
    let identity = match (user, root) {
        (false, _) => Status::off("user", LEFT_OUT),
        (true, true) => become_nobody(),
        (true, false) => ordinary_user(),
    };
    if !rooms {
        let layers = vec![identity, Status::off("namespaces and empty root", LEFT_OUT), no_capabilities()];
        return Entered { layers, processes: false };
    }
    let users = status("user namespace", &unshare(libc::CLONE_NEWUSER));
    let made = early.map_or_else(make_rooms, Ok);
    let processes = made.is_ok();
    let (inside, empty) = match made {
        Ok(empty) => (Ok(()), empty),
        Err(error) => (Err(error), Err(io::Error::other("there is no mount namespace"))),
    };
    let mut layers = vec![identity, users];
    let names = ["network namespace", "process namespace", "ipc namespace", "host name namespace"];
    layers.extend(names.map(|name| status(name, &inside)));
    layers.extend([status("empty root", &empty), no_capabilities()]);
    Entered { layers, processes }
}

/// Makes a user namespace as [`enter`] would, in a process that ends soon. Only system calls.
pub(super) fn try_users(root: bool) -> io::Result<()> {
    if root {
        change_user()?;
    }
    unshare(libc::CLONE_NEWUSER)
}

/// Makes the other rooms as [`enter`] would, and an empty root if asked to, in a process that ends soon. Only system calls.
pub(super) fn try_rooms(root: bool, empty: bool) -> io::Result<()> {
    if !root || unshare(ROOMS).is_err() {
        unshare(libc::CLONE_NEWUSER)?;
        unshare(ROOMS)?;
    }
    if empty { empty_root() } else { Ok(()) }
}

/// What the report says of layers that a test does without.
const LEFT_OUT: &str = "left out on purpose";

fn status(layer: &'static str, entered: &io::Result<()>) -> Status {
    match entered {
        Ok(()) => Status::on(layer, ""),
        Err(error) => Status::off(layer, error.to_string()),
    }
}

fn no_capabilities() -> Status {
    status("no capabilities", &drop_capabilities())
}

pub(super) fn is_root() -> bool {
    // SAFETY: takes nothing, gives a number.
    unsafe { libc::geteuid() == 0 }
}

fn ordinary_user() -> Status {
    // SAFETY: takes nothing, gives a number.
    let user = unsafe { libc::geteuid() };
    Status::off("user", format!("workers run as the user who scans (number {user}); only root can give them another"))
}

/// By the system calls themselves: the C library would try to change the other threads of a process as well.
fn change_user() -> io::Result<()> {
    let nobody = libc::c_long::from(NOBODY);
    // SAFETY: plain numbers and an empty list; all three change this process alone, which has one thread.
    unsafe {
        check_long(libc::syscall(libc::SYS_setgroups, 0, null::<u32>()))?;
        check_long(libc::syscall(libc::SYS_setresgid, nobody, nobody, nobody))?;
        check_long(libc::syscall(libc::SYS_setresuid, nobody, nobody, nobody))
    }
}

fn become_nobody() -> Status {
    match change_user() {
        Ok(()) => Status::on("user", "nobody (number 65534)"),
        Err(error) => Status::off("user", error.to_string()),
    }
}

/// Makes the rooms, and then an empty root in the new mount namespace: that result stands inside.
fn make_rooms() -> io::Result<io::Result<()>> {
    unshare(ROOMS).map(|()| empty_root())
}

fn unshare(rooms: libc::c_int) -> io::Result<()> {
    // SAFETY: takes flags; moves this process, which has one thread, into fresh namespaces.
    check(unsafe { libc::unshare(rooms) })
}

/// Makes an empty, read-only file system the root, and lets go of everything else.
fn empty_root() -> io::Result<()> {
    mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    let tiny = Some(c"size=4k,nr_inodes=1,mode=0555");
    let place = PLACES.into_iter().find(|place| mount(Some(c"none"), place, Some(c"tmpfs"), flags, tiny).is_ok());
    let place = place.ok_or_else(io::Error::last_os_error)?;
    // SAFETY: all take paths that end with NUL. With "." twice the old root comes to lie on the new one, from where it
    // is taken away (`pivot_root(2)`, "pivot_root(".", ".")").
    unsafe {
        check(libc::chdir(place.as_ptr()))?;
        check_long(libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()))?;
        check(libc::umount2(c".".as_ptr(), libc::MNT_DETACH))?;
        check(libc::chdir(c"/".as_ptr()))?;
    }
    mount(None, c"/", None, flags | libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY, None)
}

fn mount(
    what: Option<&CStr>,
    place: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    options: Option<&CStr>,
) -> io::Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(null(), CStr::as_ptr);
    // SAFETY: texts that end with NUL, or null where the call allows it.
    check(unsafe { libc::mount(pointer(what), place.as_ptr(), pointer(kind), flags, pointer(options).cast()) })
}

/// Gives up every capability, also those that a user namespace came with, and the way to get any back.
fn drop_capabilities() -> io::Result<()> {
    for capability in 0..64 {
        // SAFETY: plain numbers. Fails for numbers that are none, and without the right to; the next step counts.
        let _ = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
    /// `_LINUX_CAPABILITY_VERSION_3`, and this process.
    #[repr(C)]
    struct Header {
        version: u32,
        process: libc::c_int,
    }
    let mut header = Header { version: 0x2008_0522, process: 0 };
    let none = [0u32; 6];
    // SAFETY: the header and six words of data, as version 3 of the call wants them (`capset(2)`).
    check_long(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, none.as_ptr()) })
}

pub(super) fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

pub(super) fn check_long(result: libc::c_long) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
