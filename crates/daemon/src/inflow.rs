//! Large streams come in a few at a time, each client in its turn.
//!
//! Workers are busy with a few streams. If all others came in meanwhile, they would lie in memory, or on disk for want of it,
//! until their turn comes, and the memory of the processor would have forgotten them by then. So a stream of more than
//! [`SMALL`] bytes takes a place before it goes on, and keeps it until it was scanned; there are a few more places than
//! workers. Without one it waits, and what its client sends waits in the kernel.
//!
//! ```text
//! more than 256 KiB ──> enter: waits for its turn ──> comes in ──> waits for a worker, is scanned ──> gives its place back
//!                                                        └─ slower than 8 MiB a second: does not count
//! ```
//!
//! Nobody waits for a slow client: a stream that comes in slowly holds no place for long. So places are no limit; the room of
//! the spool is. A quarter of the places is out of the reach of any one client, so that others need not wait for all its scans.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::fair::Fair;
use crate::peer::Client;

/// A stream of so many bytes needs no place.
pub(crate) const SMALL: u64 = 256 << 10;
/// A stream that brings fewer bytes a millisecond does not count.
const SLOW: u64 = 8 << 10;
/// Nor does one that has brought nothing for so long.
const PAUSE: Duration = Duration::from_millis(50);
/// Who waits looks for slow streams so often.
const LOOK: Duration = Duration::from_millis(200);

/// The places.
#[derive(Debug)]
pub(crate) struct Inflow {
    places: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting: Fair<Client, (u64, Thread)>,
    inside: HashMap<u64, Inside>,
    last: u64,
}

/// A stream that has a place.
#[derive(Debug)]
struct Inside {
    client: Client,
    since: Instant,
    last: Instant,
    brought: u64,
    /// It is complete: it waits for a worker, or has one.
    complete: bool,
}

/// A place; it is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    inflow: Arc<Inflow>,
    number: u64,
}

impl Inflow {
    /// So many streams that come in fast, or wait for a worker, or have one.
    pub(crate) fn new(places: usize) -> Inflow {
        let state = State { waiting: Fair::new(), inside: HashMap::new(), last: 0 };
        Inflow { places, state: Mutex::new(state) }
    }

    /// A place; waits until it is this client's turn. None if it is gone before.
    pub(crate) fn enter(self: &Arc<Inflow>, client: Client, is_gone: &dyn Fn() -> bool) -> Option<Place> {
        let number = {
            let mut state = self.lock();
            state.last += 1;
            let number = state.last;
            state.waiting.push(client, (number, thread::current()));
            number
        };
        let mut state = self.lock();
        loop {
            state.admit(self.places, Instant::now());
            if state.inside.contains_key(&number) {
                return Some(Place { inflow: Arc::clone(self), number });
            }
            drop(state);
            thread::park_timeout(LOOK);
            let gone = is_gone();
            state = self.lock();
            if gone && state.waiting.remove(&client, |(other, _)| *other == number).is_some() {
                return None;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives free places to those who wait.
    fn admit(&mut self, places: usize, now: Instant) {
        if self.waiting.len() == 0 {
            return;
        }
        let most = places - (places / 4).clamp(usize::from(places > 1), places);
        let mut taken: HashMap<Client, usize> = HashMap::new();
        for inside in self.inside.values().filter(|inside| inside.counts(now)) {
            *taken.entry(inside.client).or_default() += 1;
        }
        while taken.values().sum::<usize>() < places {
            let may = |client: &Client| taken.get(client).is_none_or(|own| *own < most);
            let Some((client, (number, thread))) = self.waiting.pop_of(may) else { return };
            self.inside.insert(number, Inside { client, since: now, last: now, brought: 0, complete: false });
            thread.unpark();
            *taken.entry(client).or_default() += 1;
        }
    }
}

impl Inside {
    fn counts(&self, now: Instant) -> bool {
        let pause = now.saturating_duration_since(self.last);
        let time = now.saturating_duration_since(self.since).saturating_sub(PAUSE);
        let enough = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).saturating_mul(SLOW);
        self.complete || (pause < PAUSE && self.brought >= enough)
    }
}

impl Place {
    /// The stream has brought so many bytes more.
    pub(crate) fn brought(&self, bytes: u64) {
        if let Some(inside) = self.inflow.lock().inside.get_mut(&self.number) {
            (inside.last, inside.brought) = (Instant::now(), inside.brought.saturating_add(bytes));
        }
    }

    /// The stream is complete.
    pub(crate) fn complete(&self) {
        if let Some(inside) = self.inflow.lock().inside.get_mut(&self.number) {
            inside.complete = true;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.inflow.lock();
        state.inside.remove(&self.number);
        state.admit(self.inflow.places, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn who_waits_enters_when_another_leaves_or_is_slow() {
        let inflow = Arc::new(Inflow::new(1));
        let first = inflow.enter(Client::User(1), &|| false).unwrap();
        first.complete();
        let (sender, entered) = channel();
        let waiting = {
            let inflow = Arc::clone(&inflow);
            thread::spawn(move || sender.send(inflow.enter(Client::User(2), &|| false).unwrap()))
        };
        assert!(entered.recv_timeout(Duration::from_millis(20)).is_err(), "there is no place");
        assert!(inflow.enter(Client::User(4), &|| true).is_none(), "who is gone waits no longer");
        drop(first);
        // The second brings nothing, so that a third need not wait for it.
        let second = entered.recv_timeout(Duration::from_secs(20)).unwrap();
        let third = inflow.enter(Client::User(3), &|| false);
        drop((second, third));
        waiting.join().unwrap().unwrap();
        assert!(inflow.lock().inside.is_empty());
    }

    #[test]
    fn only_fast_and_complete_streams_count() {
        let begin = Instant::now();
        let client = Client::User(1);
        let inside = |brought, complete| Inside { client, since: begin, last: begin, brought, complete };
        let after = |milliseconds| begin + Duration::from_millis(milliseconds);
        assert!(inside(0, false).counts(after(40)) && !inside(1 << 30, false).counts(after(60)));
        assert!(inside(0, true).counts(after(60_000)));
        let late = |brought| Inside { last: after(1_000), ..inside(brought, false) };
        assert!(late(10 << 20).counts(after(1_001)) && !late(1 << 20).counts(after(1_001)));
    }

    #[test]
    fn one_client_leaves_places_to_others() {
        let inflow = Arc::new(Inflow::new(4));
        let enter = |user, gone: bool| {
            let place = inflow.enter(Client::User(user), &|| gone)?;
            place.complete();
            Some(place)
        };
        let first: Vec<Place> = (0..3).filter_map(|_| enter(1, false)).collect();
        assert!(first.len() == 3 && enter(1, true).is_none());
        let other = enter(2, false);
        assert!(other.is_some() && enter(2, true).is_none());
    }
}
