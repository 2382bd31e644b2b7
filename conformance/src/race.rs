//! How fast dachsd is beside clamd: requests a second and the slowest of a hundred; and how soon it is ready again after it was
//! killed.
//!
//! Both run at the same time and take turns (A B A B), so that whatever else the machine does hits both: the ratio counts. What
//! a request takes of the processors says most on a busy machine, and is told too.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
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

/// `cargo conformance race [--seconds 2] [--rounds 3] [--size N] [--clients N]`
pub(crate) fn run(options: &Options) -> super::Broken {
    if !is_clamd_there() {
        return Ok(0);
    }
    let seconds = Duration::from_secs(options.number("--seconds", 2)?.clamp(1, 60));
    let rounds = options.number("--rounds", 3)?.clamp(1, 100);
    let (size, clients) = (options.number("--size", 0)?, options.number("--clients", 0)?);
    let database = content()?;
    let clamd = Daemon::start(Kind::Clamd, database.path(), "MaxQueue 400\nMaxThreads 10")?;
    let dachsd = Daemon::start(Kind::Dachsd, database.path(), "MaxQueue 400")?;
    tell_memory("at rest", &clamd, &dachsd);
    let mut broken = 0;
    for bytes in [1 << 10, 100 << 10, 5 << 20].into_iter().filter(|bytes| size == 0 || *bytes == size) {
        for clients in [1, 8, 64].into_iter().filter(|count| clients == 0 || *count == clients) {
            let (mut theirs, mut ours) = (Turns::default(), Turns::default());
            for _ in 0..rounds {
                theirs.measure(&clamd, bytes as usize, clients, seconds);
                ours.measure(&dachsd, bytes as usize, clients, seconds);
            }
            let (faster, sooner) = (ours.rate() / theirs.rate(), theirs.slowest() / ours.slowest());
            println!(
                "{bytes:>8} bytes, {clients:>2} clients: clamd {:>7.1} a second, p99 {:>8.1} ms; dachsd {:>7.1}, {:>7.1} ms: \
                 {faster:>5.1} times as many, 1/{sooner:.1} of the time, 1/{:.1} of the processors",
                theirs.rate(),
                theirs.slowest(),
                ours.rate(),
                ours.slowest(),
                theirs.ticks_each() / ours.ticks_each()
            );
            broken += usize::from(faster < BAR) + usize::from(sooner < BAR);
        }
    }
    tell_memory("after the load", &clamd, &dachsd);
    Ok(broken)
}

fn tell_memory(when: &str, clamd: &Daemon, dachsd: &Daemon) {
    let [theirs, ours] = [clamd, dachsd].map(|daemon| memory::share_of_family(daemon.id()) >> 20);
    println!("PSS {when}: clamd {theirs} MB, dachsd {ours} MB, 1/{:.1}", theirs as f64 / ours.max(1) as f64);
}

/// What came of one side's turns.
#[derive(Default)]
struct Turns {
    /// How long each request took.
    times: Vec<Duration>,
    /// From the first request of each turn to the last answer.
    elapsed: Duration,
    /// Clock ticks of the processors.
    ticks: u64,
}

impl Turns {
    /// One more turn: so many clients ask for so long, and then wait for their last answers.
    fn measure(&mut self, daemon: &Daemon, size: usize, clients: u64, time: Duration) {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let before = memory::ticks_of_family(daemon.id());
        let times = Mutex::new(Vec::new());
        let begin = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| {
                    let (mut own, mut sent) = (Vec::new(), instream(&noise(size)));
                    // Behind the command and the length of the piece.
                    let place = b"zINSTREAM\0".len() + 4;
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
        });
        self.elapsed += begin.elapsed();
        self.ticks += memory::ticks_of_family(daemon.id()).saturating_sub(before);
        self.times.extend(times.into_inner().unwrap_or_default());
        self.times.sort();
    }

    /// Requests a second.
    fn rate(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The 99th percentile, in milliseconds.
    fn slowest(&self) -> f64 {
        self.times.get(self.times.len() * 99 / 100).copied().unwrap_or_default().as_secs_f64() * 1e3
    }

    fn ticks_each(&self) -> f64 {
        self.ticks as f64 / self.times.len().max(1) as f64
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
