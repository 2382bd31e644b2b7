//! Sockets: bound here, or passed by systemd.
//!
//! systemd passes its sockets with `LISTEN_FDS` (sd_listen_fds(3)); one that is named `http` in `LISTEN_FDNAMES` speaks HTTP.
//! If it passes any, the configuration's own addresses are not bound. A socket file that nobody listens on is what a killed
//! service leaves behind: it is replaced, but only after a connection to it was refused.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with, sockopt,
};

use crate::settings::LocalSocket;

/// Sockets that a starter passed, each with its name.
///
/// # Errors
/// None; what was not passed for us is not ours.
pub(crate) fn passed() -> Vec<(OwnedFd, String)> {
    let variable = |name| std::env::var(name).unwrap_or_default();
    if variable("LISTEN_PID").parse() != Ok(std::process::id()) {
        return Vec::new();
    }
    let count = variable("LISTEN_FDS").parse().unwrap_or(0);
    let names = variable("LISTEN_FDNAMES");
    let names = names.split(':').map(str::to_owned).chain(std::iter::repeat(String::new()));
    dachs_sys::service::take_passed(count).into_iter().zip(names).collect()
}

/// Listens on an address.
///
/// # Errors
/// A sentence that names it.
pub(crate) fn address(address: SocketAddr, backlog: i32) -> Result<OwnedFd, String> {
    let bound = || -> Result<OwnedFd, Errno> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        bind(&socket, &address)?;
        listen(&socket, backlog)?;
        Ok(socket)
    };
    bound().map_err(|error| format!("{address}: {error}"))
}

/// Listens on a socket in the file system.
///
/// # Errors
/// A sentence that names it.
pub(crate) fn local(wanted: &LocalSocket, backlog: i32) -> Result<OwnedFd, String> {
    let path = &wanted.path;
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let place = SocketAddrUnix::new(path).map_err(|error| named(&error))?;
    let new =
        || socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None);
    let socket = new().map_err(|error| named(&error))?;
    match bind(&socket, &place) {
        Ok(()) => {}
        Err(Errno::ADDRINUSE) if wanted.fix_stale && is_stale(path, &place) => {
            fs::remove_file(path).map_err(|error| named(&error))?;
            bind(&socket, &place).map_err(|error| named(&error))?;
        }
        Err(Errno::ADDRINUSE) => return Err(named(&"somebody else listens there, or it is no socket")),
        Err(error) => return Err(named(&error)),
    }
    let ready = || -> io::Result<()> {
        if let Some(group) = &wanted.group {
            let group = crate::users::group(group).ok_or(io::Error::other(format!("there is no group {group}")))?;
            std::os::unix::fs::chown(path, None, Some(group))?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(wanted.mode))?;
        Ok(listen(&socket, backlog)?)
    };
    ready().map_err(|error| named(&error))?;
    Ok(socket)
}

/// True if it is a socket, and nobody listens on it.
fn is_stale(path: &Path, place: &SocketAddrUnix) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    let probe = || -> Result<(), Errno> {
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        connect(&socket, place)
    };
    is_socket && probe() == Err(Errno::CONNREFUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_sockets_are_replaced_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let wanted = LocalSocket { path: path.clone(), group: None, mode: 0o600, fix_stale: true };
        let first = local(&wanted, 5).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(local(&wanted, 5).is_err(), "somebody listens");
        drop(first);
        assert!(local(&LocalSocket { fix_stale: false, ..wanted.clone() }, 5).is_err());
        assert!(local(&wanted, 5).is_ok());
        fs::remove_file(&path).unwrap();
        fs::write(&path, "x").unwrap();
        assert!(local(&wanted, 5).is_err(), "no socket");
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }
}
