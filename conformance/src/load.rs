//! Many clients at once, while content is reloaded and workers are killed: no wrong verdict, no request without an answer,
//! flat memory, and less of it than clamd's; and clients that send nonsense.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::Options;
use crate::dachs::Dachs;
use crate::daemon::{Daemon, Kind, content, eicar, instream, is_clamd_there};
use crate::memory;
use crate::scratch::Scratch;

/// What clients send: with EICAR in it, or not.
fn payloads() -> [(Vec<u8>, &'static str); 4] {
    let noise = |length: usize| (0..length).map(|at| (at * 31 % 251) as u8).collect::<Vec<u8>>();
    [
        (eicar(), "FOUND"),
        (noise(1 << 10), "OK"),
        ([noise(100 << 10), eicar()].concat(), "FOUND"),
        (noise(300 << 10), "OK"),
    ]
}

/// `cargo conformance service [--seconds 60] [--clients 200] [--reloads 20] [--kills 50]`
pub(crate) fn run(options: &Options) -> super::Broken {
    let seconds = options.number("--seconds", 60)?.min(600);
    let clients = options.number("--clients", 200)?.min(400);
    let (reloads, kills) = (options.number("--reloads", 20)?, options.number("--kills", 50)?);
    let database = content()?;
    // Compiled once: a reload maps it anew.
    let image = Scratch::new()?;
    Dachs::find()?.build(database.path(), &image.path().join("content.image"))?;
    let daemon = Daemon::start(Kind::Dachsd, image.path(), "MaxQueue 400")?;
    let (over, wrong, answers, errors) =
        (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (shares, told) = (Mutex::new(Vec::new()), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        let (daemon, over) = (&daemon, &over);
        for client in 0..clients {
            let (daemon, over, wrong, answers, errors, told) = (daemon, over, &wrong, &answers, &errors, &told);
            scope.spawn(move || {
                let payloads = payloads();
                let mut turn = client as usize;
                while !over.load(Relaxed) {
                    let (bytes, expected) = &payloads[turn % payloads.len()];
                    turn += 1;
                    let answer = String::from_utf8_lossy(&daemon.ask(&instream(bytes))).into_owned();
                    answers.fetch_add(1, Relaxed);
                    if answer.ends_with("ERROR\0") || answer.is_empty() {
                        errors.fetch_add(1, Relaxed);
                        if let Ok(mut told) = told.lock() {
                            *told.entry(answer).or_insert(0_u64) += 1;
                        }
                    } else if !answer.ends_with(&format!("{expected}\0")) {
                        wrong.fetch_add(1, Relaxed);
                        println!("wrong: {answer:?} for {expected}");
                    }
                }
            });
        }
        let every = |count: u64| Duration::from_millis(seconds * 1000 / (count + 1));
        let (each_reload, each_kill) = (every(reloads), every(kills));
        scope.spawn(move || repeat(over, reloads, each_reload, || drop(daemon.ask(b"zRELOAD\0"))));
        scope.spawn(move || repeat(over, kills, each_kill, || kill_one(daemon.id())));
        scope.spawn(|| {
            repeat(over, seconds, Duration::from_secs(1), || {
                if let Ok(mut shares) = shares.lock() {
                    shares.push(memory::share_of_family(daemon.id()));
                }
            });
        });
        std::thread::sleep(Duration::from_secs(seconds));
        over.store(true, Relaxed);
    });
    let shares = shares.into_inner().unwrap_or_default();
    let third = (shares.len() / 3).max(1);
    let most = |shares: &[u64]| shares.iter().copied().max().unwrap_or(0) >> 20;
    let (first, last) = (most(&shares[..third.min(shares.len())]), most(&shares[shares.len().saturating_sub(third)..]));
    let (wrong, answers, errors) = (wrong.into_inner(), answers.into_inner(), errors.into_inner());
    println!(
        "{clients} clients, {seconds} s, {reloads} reloads, {kills} workers killed: {answers} answers, {errors} errors, \
         {wrong} wrong; PSS of all processes at most {first} MB in the first third, {last} MB in the last"
    );
    for (answer, count) in told.into_inner().unwrap_or_default() {
        println!("{count} times {answer:?}");
    }
    let grows = last > first + first / 4 + 10;
    let large = beside_clamd(&database, most(&shares), last)?;
    Ok(wrong as usize + usize::from(grows) + usize::from(errors > answers / 10) + usize::from(large))
}

/// True if these many megabytes, at most and at last, are more than a quarter of what clamd needs with the same databases while it
/// reloads, and at rest. It is asked for nothing but each payload once, so that its own growth under load is not even counted.
fn beside_clamd(database: &Scratch, most: u64, last: u64) -> Result<bool, String> {
    if !is_clamd_there() {
        return Ok(false);
    }
    let clamd = Daemon::start(Kind::Clamd, database.path(), "")?;
    payloads().iter().for_each(|(bytes, _)| drop(clamd.ask(&instream(bytes))));
    let share = || memory::share_of_family(clamd.id()) >> 20;
    let (rest, begin) = (share(), Instant::now());
    clamd.ask(b"zRELOAD\0");
    let mut peak = rest;
    while begin.elapsed() < Duration::from_secs(20) {
        peak = peak.max(share());
        std::thread::sleep(Duration::from_millis(20));
    }
    let ratio = |its: u64, ours: u64| its as f64 / ours.max(1) as f64;
    println!(
        "PSS of clamd with the same databases: {rest} MB at rest, {peak} MB while it reloads; dachsd's at last {last} MB, 1/{:.1}, \
         at most {most} MB, 1/{:.1}",
        ratio(rest, last),
        ratio(peak, most)
    );
    // What an engine needs without signatures says nothing.
    Ok(std::env::var_os("DATABASE").is_some() && (last * 4 > rest || most * 4 > peak))
}

fn repeat(over: &AtomicBool, count: u64, every: Duration, mut act: impl FnMut()) {
    for _ in 0..count {
        let begin = Instant::now();
        while begin.elapsed() < every {
            if over.load(Relaxed) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        act();
    }
}

/// Kills a worker: a process under the service, the deepest there is.
fn kill_one(service: u32) {
    if let Some(worker) = memory::family_of(service).into_iter().rev().find(|id| *id != service) {
        let _ = std::process::Command::new("kill").args(["-9", &worker.to_string()]).status();
    }
}

/// `cargo conformance conversations [--count 10000] [--seed 1]`: clients that send nonsense; the service must live.
pub(crate) fn nonsense(options: &Options) -> super::Broken {
    let (count, seed) = (options.number("--count", 10_000)?, options.number("--seed", 1)?);
    let database = content()?;
    let daemon = Daemon::start(Kind::Dachsd, database.path(), "CommandReadTimeout 1\nReadTimeout 1")?;
    let before = memory::share_of_family(daemon.id());
    let pieces: [&[u8]; 16] = [
        b"zPING\0",
        b"nIDSESSION\n",
        b"zINSTREAM\0",
        b"\0\0\0\x04abcd",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"zFILDES\0",
        b"SCAN /etc",
        b"z",
        b"n",
        b"\n",
        b"\0",
        b"zEND\0",
        b"zSCAN /etc\0",
        b"nSTATS\n",
        b"zVERSIONCOMMANDS\0",
    ];
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (daemon, pieces) = (&daemon, &pieces);
            scope.spawn(move || {
                let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ thread;
                let mut next = move || {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    random
                };
                for _ in 0..count / 16 {
                    let mut sent = Vec::new();
                    for _ in 0..next() % 8 {
                        let mut piece = pieces[(next() % 16) as usize].to_vec();
                        if next() % 4 == 0 && !piece.is_empty() {
                            let at = (next() as usize) % piece.len();
                            piece[at] ^= 1 << (next() % 8);
                        }
                        sent.extend(piece);
                    }
                    daemon.ask(&sent);
                }
            });
        }
    });
    let after = memory::share_of_family(daemon.id());
    let alive = daemon.ask(b"zPING\0") == b"PONG\0" && daemon.ask(&instream(&eicar())).ends_with(b"FOUND\0");
    println!(
        "{count} conversations in {:.0} s: {}; PSS {} MB before, {} MB after",
        begin.elapsed().as_secs_f64(),
        if alive { "the service lives" } else { "the service is gone" },
        before >> 20,
        after >> 20
    );
    Ok(usize::from(!alive) + usize::from(after > before + (64 << 20)))
}
