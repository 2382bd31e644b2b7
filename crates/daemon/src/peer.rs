//! Who is at the other end of a connection, and what that means for paths and dangerous commands.

use std::fmt;
use std::net::IpAddr;
use std::os::fd::AsFd;

use dachs_sys::service::peer_groups;
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

/// The rights of nobody in particular.
const NOBODY: u32 = 65_534;

/// A client, for being fair between clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// All connections of one user of this machine.
    User(u32),
    /// All connections from one address.
    Address(IpAddr),
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) client: Client,
    /// Its port or its process, for the log.
    detail: u32,
    user: u32,
    /// All its groups.
    groups: Vec<u32>,
}

impl Peer {
    /// A process of this machine, as the kernel tells of it. One that the kernel does not tell of is nobody.
    pub(crate) fn local(socket: impl AsFd) -> Peer {
        match socket_peercred(&socket) {
            Ok(peer) => {
                let mut groups = peer_groups(socket.as_fd());
                groups.push(peer.gid.as_raw());
                let detail = u32::try_from(peer.pid.as_raw_nonzero().get()).unwrap_or(0);
                Peer { client: Client::User(peer.uid.as_raw()), detail, user: peer.uid.as_raw(), groups }
            }
            Err(_) => Peer { client: Client::User(NOBODY), detail: 0, user: NOBODY, groups: Vec::new() },
        }
    }

    /// Somebody in the network, who has the rights of nobody.
    pub(crate) fn remote(address: IpAddr, port: u16) -> Peer {
        let client = Client::Address(address.to_canonical());
        Peer { client, detail: u32::from(port), user: NOBODY, groups: Vec::new() }
    }

    /// True for root and the service's own user on this machine: they may stop and reload the service.
    pub(crate) fn is_master(&self) -> bool {
        matches!(self.client, Client::User(user) if user == 0 || user == geteuid().as_raw())
    }

    pub(crate) fn is_remote(&self) -> bool {
        matches!(self.client, Client::Address(_))
    }

    /// Where it is: `local`, or its address and port.
    pub(crate) fn place(&self) -> String {
        match self.client {
            Client::User(_) => "local".to_owned(),
            Client::Address(address) => format!("{address}@{}", self.detail),
        }
    }

    pub(crate) fn user(&self) -> u32 {
        self.user
    }

    pub(crate) fn is_in(&self, group: u32) -> bool {
        self.groups.contains(&group)
    }

    #[cfg(test)]
    pub(crate) fn sample(user: u32, groups: &[u32]) -> Peer {
        Peer { client: Client::User(user), detail: 1, user, groups: groups.to_vec() }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.client {
            Client::User(user) => write!(f, "uid {user} pid {}", self.detail),
            Client::Address(address) => write!(f, "{address} port {}", self.detail),
        }
    }
}
