//! Packets with descriptors, over a pair of sockets.
//!
//! A packet arrives whole or not at all (`SOCK_SEQPACKET`), so there is no framing, and a peer that dies in the middle
//! of one leaves nothing behind. [`receive`] makes no room for descriptors, so that those a peer sends are dropped by the
//! kernel; only [`receive_with_descriptor`] takes one, and [`receive_with_descriptors`] up to [`DESCRIPTORS`].

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, sockopt,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

/// No packet brings more descriptors.
pub const DESCRIPTORS: usize = 16;

/// Two sockets that talk to each other in packets. Both are closed by `exec`.
///
/// # Errors
/// The kernel's: no descriptors left.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// True if this is one end of such a [`pair`].
#[must_use]
pub fn is_packet_socket(socket: BorrowedFd<'_>) -> bool {
    sockopt::socket_type(socket) == Ok(SocketType::SEQPACKET)
}

/// Lets packets of `bytes` through; the kernel may allow less.
///
/// # Errors
/// The kernel's.
pub fn allow_packets_of(socket: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    Ok(sockopt::set_socket_send_buffer_size(socket, bytes)?)
}

/// How long [`receive`] waits; for ever if absent.
///
/// # Errors
/// The kernel's.
pub fn set_patience(socket: BorrowedFd<'_>, patience: Option<Duration>) -> io::Result<()> {
    Ok(sockopt::set_socket_timeout(socket, sockopt::Timeout::Recv, patience)?)
}

/// Sends one packet, and a descriptor with it.
///
/// # Errors
/// The kernel's: the peer is gone, or the packet is too long.
pub fn send(socket: BorrowedFd<'_>, packet: &[u8], descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    send_with_descriptors(socket, packet, descriptor.as_slice())
}

/// Sends one packet, and at most [`DESCRIPTORS`] with it.
///
/// # Errors
/// `InvalidInput` for more descriptors, else the kernel's: the peer is gone, or the packet is too long.
pub fn send_with_descriptors(socket: BorrowedFd<'_>, packet: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let is_too_many = descriptors.len() > DESCRIPTORS;
    if is_too_many || !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let slices = [IoSlice::new(packet)];
    rustix::io::retry_on_intr(|| rustix::net::sendmsg(socket, &slices, &mut control, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// Receives one packet into `buffer` and drops descriptors that came with it. Gives its length; 0 if the peer is gone.
///
/// # Errors
/// `InvalidData` for a packet longer than `buffer`, `WouldBlock` when [patience](set_patience) is over, else the kernel's.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let mut control = RecvAncillaryBuffer::default();
    receive_message(socket, buffer, &mut control)
}

/// Receives one packet into `buffer`, and the descriptor that came with it, if any. Gives its length; 0 if the peer is gone.
///
/// # Errors
/// As [`receive`].
pub fn receive_with_descriptor(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let length = receive_message(socket, buffer, &mut control)?;
    Ok((length, descriptors(&mut control).next()))
}

/// Receives one packet into `buffer`, and the descriptors that came with it, in their order. Gives its length; 0 if the peer is
/// gone. Those for which this process has no room any more are missing at the end.
///
/// # Errors
/// As [`receive`].
pub fn receive_with_descriptors(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let length = receive_message(socket, buffer, &mut control)?;
    Ok((length, descriptors(&mut control).collect()))
}

/// All are taken out of the control buffer; those that are not wanted close when they are dropped.
fn descriptors(control: &mut RecvAncillaryBuffer<'_>) -> impl Iterator<Item = OwnedFd> {
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    rights.flatten()
}

fn receive_message(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    control: &mut RecvAncillaryBuffer<'_>,
) -> io::Result<usize> {
    let flags = RecvFlags::CMSG_CLOEXEC;
    let mut slices = [IoSliceMut::new(buffer)];
    let got = rustix::io::retry_on_intr(|| rustix::net::recvmsg(socket, &mut slices, control, flags))?;
    if got.flags.contains(rustix::net::ReturnFlags::TRUNC) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(got.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn packets_keep_their_edges_and_descriptors() {
        let (here, there) = pair().unwrap();
        let file = crate::fd::sealed_memory("test", b"badger").unwrap();
        send(here.as_fd(), b"one", None).unwrap();
        send(here.as_fd(), b"two", Some(file.as_fd())).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(receive(there.as_fd(), &mut buffer).unwrap(), 3);
        let (length, descriptor) = receive_with_descriptor(there.as_fd(), &mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"two");
        assert_eq!(crate::fd::size(descriptor.unwrap().as_fd()).unwrap(), 6);
        drop(here);
        assert_eq!(receive(there.as_fd(), &mut buffer).unwrap(), 0);
    }

    #[test]
    fn several_descriptors_come_in_their_order() {
        let (here, there) = pair().unwrap();
        let files: Vec<OwnedFd> =
            (0..=DESCRIPTORS).map(|size| crate::fd::sealed_memory("test", &vec![0; size]).unwrap()).collect();
        let all: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
        assert_eq!(send_with_descriptors(here.as_fd(), b"x", &all).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        send_with_descriptors(here.as_fd(), b"badger", &all[..DESCRIPTORS]).unwrap();
        let (length, got) = receive_with_descriptors(there.as_fd(), &mut [0; 8]).unwrap();
        let sizes: Vec<u64> = got.iter().map(|file| crate::fd::size(file.as_fd()).unwrap()).collect();
        assert_eq!((length, sizes), (6, (0..16).collect()));
    }

    #[test]
    fn descriptors_that_nobody_asked_for_are_dropped() {
        let (here, there) = pair().unwrap();
        let (watched, sent) = pair().unwrap();
        send(here.as_fd(), b"x", Some(sent.as_fd())).unwrap();
        drop(sent);
        receive(there.as_fd(), &mut [0; 8]).unwrap();
        // The last copy is closed, so its peer sees the end.
        assert_eq!(receive(watched.as_fd(), &mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn long_packets_and_long_waits_are_errors() {
        let (here, there) = pair().unwrap();
        send(here.as_fd(), b"badger", None).unwrap();
        let error = receive(there.as_fd(), &mut [0; 3]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        set_patience(there.as_fd(), Some(Duration::from_millis(1))).unwrap();
        assert_eq!(receive(there.as_fd(), &mut [0; 3]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
