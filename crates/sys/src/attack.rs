//! What a taken-over worker would try. For the tests of the jail alone (feature `attack`), never in a release.
//!
//! A primitive is one system call, or a few, that would take an attacker a step further if it went through. Each is
//! harmless where it does: signals are number 0, structures are empty, magic numbers are wrong. So *went through* also
//! means an error that only comes after the right to do the thing was granted; those errors are listed with the primitive.

use crate::process::exit_now;
use std::ffi::CString;
use std::os::fd::RawFd;
use std::ptr::{null, null_mut};

/// What there is to attack.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file that was passed to the worker, opened for reading.
    pub file: RawFd,
    /// A folder outside, in which a world-readable file `secret` and a listening socket `socket` are. Another socket
    /// listens outside under the abstract name that reads like the folder's path.
    pub folder: CString,
}

/// One thing to try.
#[derive(Clone, Copy, Debug)]
pub struct Primitive {
    /// For the table.
    pub name: &'static str,
    /// True if a worker may do it.
    pub intended: bool,
    /// Errors that come only after the right was granted.
    granted: &'static [i32],
    attempt: fn(&Target) -> i64,
}

/// What came of it, if the attacker lives to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went through.
    Allowed,
    /// The kernel said no, with this error.
    Refused(i32),
}

impl Primitive {
    /// Tries it.
    #[must_use]
    pub fn attempt(&self, target: &Target) -> Outcome {
        if (self.attempt)(target) >= 0 {
            return Outcome::Allowed;
        }
        let error = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        if self.granted.contains(&error) { Outcome::Allowed } else { Outcome::Refused(error) }
    }
}

/// Makes a system call with up to six arguments.
macro_rules! call {
    ($number:ident $(, $argument:expr)*) => {
        // SAFETY: the arguments are numbers, null, or pointers to values that live through the call; see each primitive.
        unsafe { libc::syscall(libc::$number $(, $argument)*) }
    };
}

macro_rules! primitives {
    ($($name:literal $([$($granted:ident)*])? |$target:ident| $attempt:expr;)*) => {
        /// Everything there is to try. The first one is the only one that a worker is there for.
        pub const PRIMITIVES: &[Primitive] = &[$(Primitive {
            name: $name,
            intended: matches!($name.as_bytes(), b"pread of the passed file"),
            granted: &[$($(libc::$granted),*)?],
            attempt: |$target: &Target| { let _ = $target; $attempt },
        },)*];
    };
}

primitives! {
    "pread of the passed file" |t| call!(SYS_pread64, t.file, buffer(), 1, 0);
    // The passed file.
    "mmap of the passed file" |t| map(libc::PROT_READ, libc::MAP_SHARED, t.file);
    "read of the passed file" |t| call!(SYS_read, t.file, buffer(), 1);
    "write to the passed file" |t| call!(SYS_write, t.file, c"x".as_ptr(), 1);
    "pwrite to the passed file" |t| call!(SYS_pwrite64, t.file, c"x".as_ptr(), 1, 0);
    "reopen the passed file for writing" |t| reopen(t.file);
    "fchmod of the passed file" |t| call!(SYS_fchmod, t.file, 0o777);
    "fchown of the passed file" |t| call!(SYS_fchown, t.file, -1, -1);
    "fsetxattr of the passed file" |t| call!(SYS_fsetxattr, t.file, c"user.x".as_ptr(), c"x".as_ptr(), 1, 0);
    "ftruncate of the passed file" |t| call!(SYS_ftruncate, t.file, 0);
    "fallocate in the passed file" |t| call!(SYS_fallocate, t.file, 0, 0, 1);
    "utimensat of the passed file" |t| call!(SYS_utimensat, t.file, 0, 0, 0);
    "F_SETLEASE on the passed file" |t| call!(SYS_fcntl, t.file, libc::F_SETLEASE, libc::F_RDLCK);
    "F_NOTIFY and other fcntl" |t| call!(SYS_fcntl, t.file, libc::F_GETFL);
    "flock of the passed file" |t| call!(SYS_flock, t.file, libc::LOCK_SH | libc::LOCK_NB);
    "ioctl of the passed file" |t| call!(SYS_ioctl, t.file, libc::FIOCLEX);
    "fstat of the passed file" |t| call!(SYS_fstat, t.file, buffer());
    "readlink of the passed file" |_t| call!(SYS_readlinkat, libc::AT_FDCWD, c"/proc/self/fd/4".as_ptr(), buffer(), 100);
    "execveat of the passed file" [ENOEXEC] |t| execute_file(t.file);
    "linkat of the passed file" |t| call!(SYS_linkat, t.file, c"".as_ptr(), libc::AT_FDCWD, c"/tmp/dachs-link".as_ptr(), libc::AT_EMPTY_PATH);
    "dup of the passed file" |t| call!(SYS_dup, t.file);
    "sendfile of the passed file" |t| call!(SYS_sendfile, 0, t.file, 0, 1);
    "fsync of the passed file" |t| call!(SYS_fsync, t.file);
    // Other files.
    "open a file outside" |t| open(&inside(t, "secret"), libc::O_RDONLY);
    "openat2 a file outside" |t| open2(&inside(t, "secret"));
    "open /etc/passwd" |_t| open(c"/etc/passwd", libc::O_RDONLY);
    "open the root" |_t| open(c"/", libc::O_RDONLY | libc::O_DIRECTORY);
    "make a file" |t| open(&t.folder, libc::O_TMPFILE | libc::O_WRONLY);
    "stat a file outside" |t| call!(SYS_newfstatat, libc::AT_FDCWD, inside(t, "secret").as_ptr(), buffer(), 0);
    "chmod a file outside" |t| call!(SYS_fchmodat, libc::AT_FDCWD, inside(t, "secret").as_ptr(), 0o777);
    "unlink a file outside" [EISDIR] |t| call!(SYS_unlinkat, libc::AT_FDCWD, t.folder.as_ptr(), 0);
    "mkdir outside" [EEXIST] |t| call!(SYS_mkdirat, libc::AT_FDCWD, t.folder.as_ptr(), 0o700);
    "open_by_handle_at" |t| call!(SYS_open_by_handle_at, t.file, buffer(), 0);
    "memfd_create" |_t| call!(SYS_memfd_create, c"x".as_ptr(), 0);
    // Programs and processes.
    "execve" |_t| execute(c"/bin/true");
    "fork" |_t| fork(libc::SIGCHLD);
    "vfork" |_t| fork(libc::SIGCHLD | libc::CLONE_VFORK);
    "fork with a pidfd" |_t| fork(libc::SIGCHLD | libc::CLONE_PARENT);
    "clone3" |_t| clone3();
    "ptrace the first process" |_t| call!(SYS_ptrace, libc::PTRACE_SEIZE, 1, 0, 0);
    "ptrace: be traced" |_t| call!(SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0);
    "process_vm_readv" [EFAULT] |_t| call!(SYS_process_vm_readv, 1, place().as_ptr(), 1, place().as_ptr(), 1, 0);
    "process_vm_writev" [EFAULT] |_t| call!(SYS_process_vm_writev, 1, place().as_ptr(), 1, place().as_ptr(), 1, 0);
    "kill everybody" |_t| call!(SYS_kill, -1, 0);
    "kill the first process" |_t| call!(SYS_kill, 1, 0);
    "kill the own group" |_t| call!(SYS_kill, 0, 0);
    "tgkill" |_t| call!(SYS_tgkill, 1, 1, 0);
    "pidfd_open" |_t| call!(SYS_pidfd_open, 1, 0);
    "pidfd_getfd" |t| call!(SYS_pidfd_getfd, t.file, 0, 0);
    "kcmp" |_t| call!(SYS_kcmp, 1, 1, 0, 0, 0);
    "setpriority" |_t| call!(SYS_setpriority, 0, 0, 1);
    "sched_setaffinity" |_t| call!(SYS_sched_setaffinity, 0, 8, ones().as_ptr());
    "sched_setscheduler" |_t| call!(SYS_sched_setscheduler, 0, libc::SCHED_BATCH, zeros().as_ptr());
    "ioprio_set" |_t| call!(SYS_ioprio_set, 1, 0, 0);
    "prlimit of the first process" |_t| call!(SYS_prlimit64, 1, libc::RLIMIT_NOFILE, 0, buffer());
    "raise a limit" |_t| call!(SYS_prlimit64, 0, libc::RLIMIT_FSIZE, ones().as_ptr(), 0);
    "getpid" |_t| call!(SYS_getpid);
    "getppid" |_t| call!(SYS_getppid);
    "wait4" [ECHILD] |_t| call!(SYS_wait4, -1, 0, libc::WNOHANG, 0);
    // Sockets.
    "TCP connect" [ECONNREFUSED] |_t| connect(libc::AF_INET, libc::SOCK_STREAM, &internet());
    "UDP send" [ECONNREFUSED] |_t| datagram();
    "connect to a path" |t| connect(libc::AF_UNIX, libc::SOCK_STREAM, &path_name(&inside(t, "socket")));
    "connect to an abstract name" |t| connect(libc::AF_UNIX, libc::SOCK_STREAM, &abstract_name(t));
    "netlink socket" |_t| call!(SYS_socket, libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE);
    "packet socket" |_t| call!(SYS_socket, libc::AF_PACKET, libc::SOCK_RAW, 0);
    "vsock socket" |_t| call!(SYS_socket, libc::AF_VSOCK, libc::SOCK_STREAM, 0);
    "kernel crypto socket" |_t| call!(SYS_socket, libc::AF_ALG, libc::SOCK_SEQPACKET, 0);
    "socketpair" |_t| call!(SYS_socketpair, libc::AF_UNIX, libc::SOCK_STREAM, 0, buffer());
    "getsockopt of the own socket" |_t| call!(SYS_getsockopt, 3, libc::SOL_SOCKET, libc::SO_PEERCRED, buffer(), ones().as_ptr());
    "sendto on the own socket" |_t| call!(SYS_sendto, 3, c"x".as_ptr(), 1, libc::MSG_DONTWAIT, 0, 0);
    "shutdown of standard input" [ENOTSOCK] |_t| call!(SYS_shutdown, 0, 2);
    // Memory that runs.
    "mmap with PROT_EXEC" |_t| map(libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1);
    "mprotect to PROT_EXEC" |_t| write_then_run();
    "pkey_mprotect" |_t| call!(SYS_pkey_mprotect, 0, 0, libc::PROT_EXEC, -1);
    "shmat" [EINVAL] |_t| call!(SYS_shmat, -1, 0, libc::SHM_EXEC);
    // Rooms, roots, users.
    "unshare(NEWUSER)" |_t| call!(SYS_unshare, libc::CLONE_NEWUSER);
    "unshare(NEWNS)" |_t| call!(SYS_unshare, libc::CLONE_NEWNS);
    "setns" |t| call!(SYS_setns, t.file, 0);
    "mount" |_t| call!(SYS_mount, c"x".as_ptr(), c"/".as_ptr(), c"tmpfs".as_ptr(), 0, 0);
    "umount" |_t| call!(SYS_umount2, c"/".as_ptr(), libc::MNT_DETACH);
    "pivot_root" |_t| call!(SYS_pivot_root, c"/".as_ptr(), c"/".as_ptr());
    "chroot" |_t| call!(SYS_chroot, c"/".as_ptr());
    "fsopen" |_t| call!(SYS_fsopen, c"tmpfs".as_ptr(), 0);
    "open_tree" |_t| call!(SYS_open_tree, libc::AT_FDCWD, c"/".as_ptr(), 1);
    "setuid" |_t| call!(SYS_setuid, 0);
    "setgroups" |_t| call!(SYS_setgroups, 0, 0);
    "capset" |_t| call!(SYS_capset, null::<u8>(), null::<u8>());
    "prctl: be dumpable" |_t| call!(SYS_prctl, libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
    "prctl: outlive the zygote" |_t| call!(SYS_prctl, libc::PR_SET_PDEATHSIG, 0, 0, 0, 0);
    "seccomp: another filter" [EFAULT] |_t| call!(SYS_seccomp, 1, 0, 0);
    "personality" |_t| call!(SYS_personality, 0);
    "sethostname" |_t| call!(SYS_sethostname, c"x".as_ptr(), 1);
    // The kernel's many doors.
    "io_uring_setup" |_t| call!(SYS_io_uring_setup, 1, buffer());
    "bpf" [EINVAL] |_t| call!(SYS_bpf, 5, zeros().as_ptr(), 64);
    "perf_event_open" |_t| call!(SYS_perf_event_open, zeros().as_ptr(), 0, -1, -1, 0);
    "userfaultfd" |_t| call!(SYS_userfaultfd, 1);
    "add_key" |_t| call!(SYS_add_key, c"user".as_ptr(), c"dachs".as_ptr(), c"x".as_ptr(), 1, -4);
    "keyctl" |_t| call!(SYS_keyctl, 0, -4, 1, 0, 0);
    "request_key" [ENOKEY] |_t| call!(SYS_request_key, c"user".as_ptr(), c"dachs".as_ptr(), 0, -4);
    "shmget" |_t| call!(SYS_shmget, 0, 4096, 0o1600);
    "msgget" |_t| call!(SYS_msgget, 0, 0o1600);
    "semget" |_t| call!(SYS_semget, 0, 1, 0o1600);
    "mq_open" |_t| call!(SYS_mq_open, c"dachs".as_ptr(), libc::O_CREAT | libc::O_RDWR, 0o600, 0);
    "inotify_init" |_t| call!(SYS_inotify_init1, 0);
    "fanotify_init" |_t| call!(SYS_fanotify_init, 0x200, 0);
    "timer_create" |_t| call!(SYS_timer_create, libc::CLOCK_MONOTONIC, 0, buffer());
    "setitimer" |_t| call!(SYS_setitimer, libc::ITIMER_VIRTUAL, zeros().as_ptr(), 0);
    "timerfd_create" |_t| call!(SYS_timerfd_create, libc::CLOCK_MONOTONIC, 0);
    "eventfd" |_t| call!(SYS_eventfd2, 0, 0);
    "epoll_create" |_t| call!(SYS_epoll_create1, 0);
    "pipe" |_t| call!(SYS_pipe2, buffer(), 0);
    "splice" |t| call!(SYS_splice, t.file, 0, 0, 0, 1, 0);
    "rt_sigaction" |_t| call!(SYS_rt_sigaction, libc::SIGUSR1, 0, buffer(), 8);
    "getrandom" |_t| call!(SYS_getrandom, buffer(), 1, 0);
    "uname" |_t| call!(SYS_uname, buffer());
    "sysinfo" |_t| call!(SYS_sysinfo, buffer());
    "syslog" |_t| call!(SYS_syslog, 10, 0, 0);
    "clock_settime" |_t| call!(SYS_clock_settime, libc::CLOCK_REALTIME, 0);
    "reboot" [EINVAL] |_t| call!(SYS_reboot, 0, 0, 0, 0);
    "swapon" [ENOENT] |_t| call!(SYS_swapon, c"/nothing".as_ptr(), 0);
    "acct" [ENOENT] |_t| call!(SYS_acct, c"/nothing".as_ptr());
    "init_module" [EFAULT ENOEXEC] |_t| call!(SYS_init_module, 0, 0, c"".as_ptr());
    "finit_module" [ENOEXEC] |t| call!(SYS_finit_module, t.file, c"".as_ptr(), 0);
    "kexec_load" [EINVAL] |_t| call!(SYS_kexec_load, 0, 999, 0, 0xff);
    "quotactl" |_t| call!(SYS_quotactl, 0, 0, 0, 0);
    "landlock_create_ruleset" |_t| call!(SYS_landlock_create_ruleset, 0, 0, 1);
    "a call that does not exist" [ENOSYS] |_t| unknown_call();
    "a 32-bit call" |_t| call_of_32_bits();
}

/// A buffer for whatever the kernel wants to write: nobody reads it.
fn buffer() -> *mut u64 {
    static mut SPACE: [u64; 1024] = [0; 1024];
    &raw mut SPACE as *mut u64
}

/// An `iovec` of one byte that every process could have at this place.
fn place() -> [u64; 2] {
    [buffer() as u64, 1]
}

fn zeros() -> &'static [u64; 32] {
    &[0; 32]
}

fn ones() -> &'static [u64; 2] {
    &[1; 2]
}

fn inside(target: &Target, name: &str) -> CString {
    let mut path = target.folder.as_bytes().to_vec();
    path.push(b'/');
    path.extend(name.as_bytes());
    CString::new(path).unwrap_or_default()
}

fn open(path: &std::ffi::CStr, flags: i32) -> i64 {
    call!(SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o600)
}

fn open2(path: &std::ffi::CStr) -> i64 {
    call!(SYS_openat2, libc::AT_FDCWD, path.as_ptr(), zeros().as_ptr(), 24)
}

fn reopen(file: RawFd) -> i64 {
    let path = CString::new(format!("/proc/self/fd/{file}")).unwrap_or_default();
    open(&path, libc::O_RDWR)
}

fn map(protection: i32, flags: i32, file: RawFd) -> i64 {
    call!(SYS_mmap, 0, 4096, protection, flags, file, 0)
}

fn write_then_run() -> i64 {
    let page = map(libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1);
    if page < 0 { page } else { call!(SYS_mprotect, page, 4096, libc::PROT_READ | libc::PROT_EXEC) }
}

fn fork(flags: i32) -> i64 {
    let process = call!(SYS_clone, flags, 0, 0, 0, 0);
    if process == 0 {
        exit_now(0);
    }
    process
}

fn clone3() -> i64 {
    // `struct clone_args`: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls.
    let arguments = [0u64, 0, 0, 0, 17, 0, 0, 0];
    let process = call!(SYS_clone3, arguments.as_ptr(), 64);
    if process == 0 {
        exit_now(0);
    }
    process
}

/// If it goes through, this process is another one, which ends with 0.
fn execute(program: &std::ffi::CStr) -> i64 {
    let arguments = [program.as_ptr(), null()];
    call!(SYS_execve, program.as_ptr(), arguments.as_ptr(), 0)
}

fn execute_file(file: RawFd) -> i64 {
    let arguments = [c"x".as_ptr(), null()];
    call!(SYS_execveat, file, c"".as_ptr(), arguments.as_ptr(), 0, libc::AT_EMPTY_PATH)
}

/// 127.0.0.1, port 9.
fn internet() -> Vec<u8> {
    let mut address = libc::AF_INET.to_ne_bytes().get(..2).unwrap_or_default().to_vec();
    address.extend([0, 9, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    address
}

/// A name in the file system.
fn path_name(path: &std::ffi::CStr) -> Vec<u8> {
    let mut address = libc::AF_UNIX.to_ne_bytes().get(..2).unwrap_or_default().to_vec();
    address.extend(path.to_bytes());
    address
}

/// A name that begins with 0 and is in no file system.
fn abstract_name(target: &Target) -> Vec<u8> {
    let mut address = path_name(c"");
    address.push(0);
    address.extend(target.folder.as_bytes());
    address
}

fn connect(family: i32, kind: i32, address: &[u8]) -> i64 {
    let socket = call!(SYS_socket, family, kind, 0);
    if socket < 0 { socket } else { call!(SYS_connect, socket, address.as_ptr(), address.len()) }
}

fn datagram() -> i64 {
    let socket = call!(SYS_socket, libc::AF_INET, libc::SOCK_DGRAM, 0);
    let address = internet();
    if socket < 0 { socket } else { call!(SYS_sendto, socket, c"x".as_ptr(), 1, 0, address.as_ptr(), address.len()) }
}

fn unknown_call() -> i64 {
    // SAFETY: no such system call.
    unsafe { libc::syscall(100_000) }
}

#[cfg(target_arch = "x86_64")]
fn call_of_32_bits() -> i64 {
    let mut result: i64 = 20;
    // SAFETY: number 20 of the 32-bit calls is getpid, which takes and changes nothing.
    unsafe { std::arch::asm!("int 0x80", inout("rax") result, options(nostack)) };
    result
}

#[cfg(not(target_arch = "x86_64"))]
fn call_of_32_bits() -> i64 {
    unknown_call()
}

/// Sends a packet on a worker's socket, and a descriptor with it, whatever they mean.
pub fn say(packet: &[u8], descriptor: bool) {
    let socket = crate::jail::socket();
    let _ = crate::socket::send(socket, packet, descriptor.then_some(socket));
}

/// Reads through a null pointer.
pub fn crash() {
    let nowhere: *const u8 = null_mut();
    // SAFETY: there is none: this is meant to crash.
    let _ = unsafe { std::ptr::read_volatile(nowhere) };
}

/// Goes deeper than any stack.
#[must_use]
pub fn overflow_stack(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { overflow_stack(depth + 1) ^ here.first().copied().unwrap_or(0) }
}
