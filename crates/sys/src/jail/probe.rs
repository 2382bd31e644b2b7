//! What this machine gives for the jail, for `dachs doctor`.
//!
//! What can be tried is tried, in a forked process that ends at once; the rest is asked of the kernel. The jail itself
//! does not look here: it enters what it can and tells what it could not.

use super::fork::{Child, End, clone};
use super::rooms;
use crate::process::exit_now;
use std::fs;
use std::io;

/// What the machine gives of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The layer: `seccomp`, `landlock`, `network`, …
    pub layer: &'static str,
    /// Whether workers will be inside it.
    pub state: State,
    /// What was seen, for a person.
    pub detail: String,
    /// What to do about it, if anything.
    pub advice: Option<&'static str>,
}

/// Whether the machine gives a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Given,
    /// It does not, and scanning goes on without.
    Missing,
    /// It does not, and nothing is scanned without.
    MissingAndNeeded,
}

/// Looks at every layer. Changes nothing.
#[must_use]
pub fn probe() -> Vec<Probe> {
    let users = attempt(|| rooms::try_users(rooms::is_root()));
    let reason = users.as_ref().err().map_or_else(String::new, ToString::to_string);
    let network = "no interface but a dead one, no packets";
    let root = "no file but an empty folder";
    vec![
        kernel(),
        seccomp(),
        landlock(),
        user(),
        room("namespaces", users, "own users, processes, names, shared memory", &reason),
        room("network", attempt(|| rooms::try_rooms(rooms::is_root(), false)), network, &reason),
        room("empty root", attempt(|| rooms::try_rooms(rooms::is_root(), true)), root, &reason),
    ]
}

/// Runs `steps` in a process of its own; `steps` may make system calls and nothing else, not even allocate.
fn attempt(steps: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let Some((child, _handle)) = clone()? else {
        let error = steps().err().map(|error| error.raw_os_error().unwrap_or(libc::EIO));
        exit_now(error.unwrap_or(0));
    };
    match Child::wait(child)? {
        End::Exited(0) => Ok(()),
        End::Exited(error) => Err(io::Error::from_raw_os_error(error)),
        End::Killed(signal) => Err(io::Error::other(format!("stopped by signal {signal}"))),
    }
}

fn kernel() -> Probe {
    let system = rustix::system::uname();
    let release = system.release().to_string_lossy();
    let detail = format!("{release} on {}", system.machine().to_string_lossy());
    let known = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
    let state = if known { State::Given } else { State::MissingAndNeeded };
    Probe {
        layer: "kernel",
        state,
        detail,
        advice: (!known).then_some("use x86_64 or aarch64: there is no filter for others"),
    }
}

fn seccomp() -> Probe {
    let kill = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: asks whether an action is known; `kill` lives through the call.
    let known = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const kill) } == 0;
    let (state, detail) = if known {
        (State::Given, "a worker that makes any other system call than the listed ones is killed".to_owned())
    } else {
        (State::MissingAndNeeded, io::Error::last_os_error().to_string())
    };
    let advice = "use a kernel of version 4.14 or later with CONFIG_SECCOMP_FILTER";
    Probe { layer: "seccomp", state, detail, advice: (!known).then_some(advice) }
}

fn landlock() -> Probe {
    // SAFETY: with no attributes and this flag the call gives a version number (`landlock_create_ruleset(2)`).
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, 1) };
    if version > 0 {
        let advice =
            (version < 6).then_some("a kernel of version 6.12 or later would also deny signals and abstract sockets");
        return Probe {
            layer: "landlock",
            state: State::Given,
            detail: format!("version {version} of its interface"),
            advice,
        };
    }
    let detail = io::Error::last_os_error().to_string();
    let advice = Some("use a kernel of version 5.13 or later, with `landlock` in the boot parameter `lsm=`");
    Probe { layer: "landlock", state: State::Missing, detail, advice }
}

fn user() -> Probe {
    if rooms::is_root() {
        return Probe { layer: "user", state: State::Given, detail: "workers run as nobody".to_owned(), advice: None };
    }
    let detail = "workers run as the user who scans: only root can give them another".to_owned();
    Probe { layer: "user", state: State::Missing, detail, advice: None }
}

fn room(layer: &'static str, tried: io::Result<()>, good: &str, users: &str) -> Probe {
    match tried {
        Ok(()) => Probe { layer, state: State::Given, detail: good.to_owned(), advice: None },
        Err(error) => {
            let detail = if users.is_empty() { error.to_string() } else { users.to_owned() };
            Probe { layer, state: State::Missing, detail, advice: Some(room_advice()) }
        }
    }
}

/// Why namespaces are refused, by the usual suspects.
fn room_advice() -> &'static str {
    let setting = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let is = |path: &str, value: &str| setting(path).as_deref() == Some(value);
    if is("/proc/sys/user/max_user_namespaces", "0") {
        "raise the setting user.max_user_namespaces above 0"
    } else if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "set kernel.unprivileged_userns_clone to 1, or scan as root"
    } else if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        "give dachs an AppArmor profile with the rule `userns,`, or scan as root"
    } else {
        "in a container, allow the system calls unshare, mount and pivot_root"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_is_told_with_a_reason() {
        let probes = probe();
        assert_eq!(probes.len(), 7);
        for probe in probes {
            eprintln!("{probe:?}");
            assert!(!probe.detail.is_empty(), "{probe:?}");
        }
    }

    #[test]
    fn an_attempt_changes_nothing_here() {
        assert!(attempt(|| Ok(())).is_ok());
        let error = attempt(|| Err(io::Error::from_raw_os_error(libc::EPERM))).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    }
}
