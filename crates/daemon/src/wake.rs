//! Waiting for a client and for results at once.
//!
//! A thread that serves a connection sleeps in `poll` on two descriptors: the connection, and an event that is rung
//! whenever something is put into its [`Mailbox`].

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, mem};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, read, write};

/// What others put in for one thread.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    letters: Mutex<Vec<T>>,
    event: OwnedFd,
}

/// What of a client ends a wait, besides its being gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// It will send nothing more. Over TCP that may mean that it is gone.
    End,
    /// It sent something, or will send nothing more.
    Input,
    /// Nothing.
    Nothing,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The client will send nothing more.
    Ended,
    /// The client is gone: nobody will read an answer.
    Gone,
    /// The client sent something, or will send nothing more.
    Input,
    /// Something is in the mailbox.
    Letter,
    /// The time is over.
    Late,
}

impl<T> Mailbox<T> {
    /// An empty one.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(crate) fn new() -> io::Result<Mailbox<T>> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Mailbox { letters: Mutex::default(), event })
    }

    /// Puts something in.
    pub(crate) fn put(&self, letter: T) {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
        // It fails only if it was rung 2^64 times.
        let _ = write(&self.event, &1_u64.to_ne_bytes());
    }

    /// Takes out everything.
    pub(crate) fn take(&self) -> Vec<T> {
        // Nothing to read means that nobody rang.
        let _ = read(&self.event, &mut [0_u8; 8]);
        mem::take(&mut *self.letters.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a letter, for what is watched, or for the client to be gone.
    pub(crate) fn wait(&self, client: Option<BorrowedFd<'_>>, watch: Watch, deadline: Option<Instant>) -> Woken {
        let wanted = match watch {
            Watch::End => PollFlags::RDHUP,
            Watch::Input => PollFlags::IN,
            Watch::Nothing => PollFlags::empty(),
        };
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let patience = left.and_then(|left| Timespec::try_from(left).ok());
            let event = PollFd::new(&self.event, PollFlags::IN);
            let mut polled = match &client {
                Some(client) => vec![event, PollFd::from_borrowed_fd(*client, wanted)],
                None => vec![event],
            };
            match poll(&mut polled, patience.as_ref()) {
                Ok(0) => return Woken::Late,
                Err(Errno::INTR) => continue,
                Err(_) => return Woken::Gone,
                Ok(_) => {}
            }
            let events = |at: usize| polled.get(at).map_or(PollFlags::empty(), PollFd::revents);
            if !events(0).is_empty() {
                return Woken::Letter;
            }
            let lost = events(1).intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
            match watch {
                Watch::Input if lost || events(1).contains(PollFlags::IN) => return Woken::Input,
                _ if lost => return Woken::Gone,
                Watch::End if events(1).contains(PollFlags::RDHUP) => return Woken::Ended,
                _ => {}
            }
        }
    }
}

impl<T> AsFd for Mailbox<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// A moment from now; absent if that is too far away.
pub(crate) fn after(time: Duration) -> Option<Instant> {
    Instant::now().checked_add(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn whatever_comes_first_ends_the_wait() {
        let mailbox = Mailbox::new().unwrap();
        let (here, mut there) = UnixStream::pair().unwrap();
        let wait = |watch| mailbox.wait(Some(here.as_fd()), watch, after(Duration::from_millis(20)));
        assert_eq!(wait(Watch::Input), Woken::Late);
        there.write_all(b"x").unwrap();
        let all = || [wait(Watch::Input), wait(Watch::End), wait(Watch::Nothing)];
        assert_eq!(all(), [Woken::Input, Woken::Late, Woken::Late]);
        mailbox.put(7);
        assert_eq!(wait(Watch::Input), Woken::Letter);
        assert_eq!((mailbox.take(), mailbox.take()), (vec![7], vec![]));
        there.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(all(), [Woken::Input, Woken::Ended, Woken::Late]);
        drop(there);
        assert_eq!(all(), [Woken::Input, Woken::Gone, Woken::Gone]);
    }
}
