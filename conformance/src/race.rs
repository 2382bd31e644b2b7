//! How fast dachsd is beside clamd: requests a second and the slowest of a hundred; and how soon it is ready again after it was
//! killed.
//!
//! Both run at the same time and take turns (A B A B), so that whatever else the machine does hits both: of each two turns the
//! ratio counts, and of all rounds the middle one, so that a moment in which the machine was busy with something else does not.
//! What a request takes of the processors says most on a busy machine, and is told too.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use crate::Options;
use crate::dachs::Dachs;
use crate::daemon::{Daemon, Kind, content, instream, is_clamd_there};
use crate::memory;
use crate::scratch::Scratch;

/// dachsd answers so many times as many requests, and its slowest of a hundred takes this part of the time.
const BAR: f64 = 5.0;
/// dachsd is ready in this part of clamd's time.
const READY: f64 = 100.0;

/// `cargo conformance race [--seconds 2] [--rounds 5] [--size N] [--clients N]`
pub(crate) fn run(options: &Options) -> super::Broken {
    if !is_clamd_there() {
        return Ok(0);
    }
    let seconds = Duration::from_secs(options.number("--seconds", 2)?.clamp(1, 60));
    let rounds = options.number("--rounds", 5)?.clamp(1, 100);
    let (size, clients) = (options.number("--size", 0)?, options.number("--clients", 0)?);
    let database = content()?;
    let clamd = Daemon::start(Kind::Clamd, database.path(), "MaxQueue 400\nMaxThreads 10")?;
    let dachsd = Daemon::start(Kind::Dachsd, database.path(), "MaxQueue 400")?;
    tell_memory("at rest", &clamd, &dachsd);
    let mut broken = 0;
    for bytes in [1 << 10, 100 << 10, 5 << 20].into_iter().filter(|bytes| size == 0 || *bytes == size) {
        for clients in [1, 8, 64].into_iter().filter(|count| clients == 0 || *count == clients) {
            let turn = |daemon| Turn::measure(daemon, bytes as usize, clients, seconds);
            let turns: Vec<(Turn, Turn)> = (0..rounds).map(|_| (turn(&clamd), turn(&dachsd))).collect();
            broken += tell(bytes, clients, &turns);
        }
    }
    tell_memory("after the load", &clamd, &dachsd);
    Ok(broken)
}

/// Tells the middles of all rounds, clamd's turn first, and counts the promises that they break.
fn tell(bytes: u64, clients: u64, turns: &[(Turn, Turn)]) -> usize {
    let middle = |figure: &dyn Fn(&(Turn, Turn)) -> f64| {
        let mut figures: Vec<f64> = turns.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let faster = middle(&|(theirs, ours)| ours.rate() / theirs.rate());
    let sooner = middle(&|(theirs, ours)| theirs.slowest() / ours.slowest());
    println!(
        "{bytes:>8} bytes, {clients:>2} clients: clamd {:>7.1} a second, p99 {:>8.1} ms; dachsd {:>7.1}, {:>7.1} ms: \
         {faster:>5.1} times as many, 1/{sooner:.1} of the time, 1/{:.1} of the processors",
        middle(&|(theirs, _)| theirs.rate()),
        middle(&|(theirs, _)| theirs.slowest()),
        middle(&|(_, ours)| ours.rate()),
        middle(&|(_, ours)| ours.slowest()),
        middle(&|(theirs, ours)| theirs.ticks_each() / ours.ticks_each())
    );
    usize::from(faster < BAR) + usize::from(sooner < BAR)
}

fn tell_memory(when: &str, clamd: &Daemon, dachsd: &Daemon) {
    let [theirs, ours] = [clamd, dachsd].map(|daemon| memory::share_of_family(daemon.id()) >> 20);
    println!("PSS {when}: clamd {theirs} MB, dachsd {ours} MB, 1/{:.1}", theirs as f64 / ours.max(1) as f64);
}

/// What came of a turn of one side.
struct Turn {
    /// How long each request took, the shortest first.
    times: Vec<Duration>,
    /// From the first request to the last answer.
    elapsed: Duration,
    /// Clock ticks of the processors.
    ticks: u64,
}

impl Turn {
    /// So many clients, once all are there, ask for so long, and then wait for their last answers.
    fn measure(daemon: &Daemon, size: usize, clients: u64, time: Duration) -> Turn {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let (bytes, times) = (instream(&noise(size)), Mutex::new(Vec::new()));
        let ready = Barrier::new(clients as usize + 1);
        let mut start = None;
        let before = memory::ticks_of_family(daemon.id());
        std::thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| {
                    let (mut own, mut sent) = (Vec::new(), bytes.clone());
                    // Behind the command and the length of the piece.
                    let place = b"zINSTREAM\0".len() + 4;
                    ready.wait();
                    let begin = Instant::now();
                    while begin.elapsed() < time {
                        // No two are the same: clamd remembers what was clean. The highest byte first, because counted
                        // from the lowest some number is what a signature looks for at the start of a file.
                        sent[place..place + 8].copy_from_slice(&NUMBER.fetch_add(1, Relaxed).to_be_bytes());
                        let start = Instant::now();
                        let answer = daemon.ask(&sent);
                        own.push(start.elapsed());
                        assert!(answer.ends_with(b"OK\0"), "{}", String::from_utf8_lossy(&answer));
                    }
                    if let Ok(mut times) = times.lock() {
                        times.extend(own);
                    }
                });
            }
            ready.wait();
            start = Some(Instant::now());
        });
        let elapsed = start.map_or(time, |start| start.elapsed());
        let ticks = memory::ticks_of_family(daemon.id()).saturating_sub(before);
        let mut times = times.into_inner().unwrap_or_default();
        times.sort();
        Turn { times, elapsed, ticks }
    }

    /// Requests a second.
    fn rate(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The 99th percentile, in milliseconds.
    fn slowest(&self) -> f64 {
        self.times.get(self.times.len() * 99 / 100).copied().unwrap_or_default().as_secs_f64() * 1e3
    }

    /// A turn may take less than one tick.
    fn ticks_each(&self) -> f64 {
        self.ticks.max(1) as f64 / self.times.len().max(1) as f64
    }
}

/// Bytes without a pattern, always the same.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).take(size.div_ceil(8)).flatten().take(size).collect()
}

/// `cargo conformance restart [--rounds 5]`: `kill -9`, and ready again. `DATABASE` names a folder of databases.
pub(crate) fn restart(options: &Options) -> super::Broken {
    let rounds = options.number("--rounds", 5)?.clamp(1, 100);
    let database = content()?;
    let image = Scratch::new()?;
    Dachs::find()?.build(database.path(), &image.path().join("content.image"))?;
    let mut dachsd = Daemon::start(Kind::Dachsd, image.path(), "")?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        dachsd.kill();
        if !dachsd.socket.exists() {
            return Err("there is no stale socket".to_owned());
        }
        dachsd.start_again()?;
        times.push(dachsd.startup.as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let ours = times[times.len() / 2];
    println!(
        "dachsd is ready {ours:.3} s after a start beside a stale socket (the middle of {rounds}; at most {:.3} s)",
        times[times.len() - 1]
    );
    if !is_clamd_there() {
        return Ok(0);
    }
    let theirs = Daemon::start(Kind::Clamd, database.path(), "")?.startup.as_secs_f64();
    println!("clamd is ready after {theirs:.3} s: dachsd in 1/{:.0} of that", theirs / ours);
    // A start takes a process or two, whatever the content: with a small one there is nothing to win.
    Ok(usize::from(std::env::var_os("DATABASE").is_some() && theirs / ours < READY))
}
