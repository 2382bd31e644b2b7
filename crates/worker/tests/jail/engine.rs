//! An engine that does what the file says: a word, and arguments after blanks. Any other file it scans as always.

use dachs_base::{Anomaly, Budget, Claim, FileKind, Piece, Report, Role, Source, Turn, read_vec_at};
use dachs_engine::{Options, Outcome, Team};
use dachs_proto::{Body, LONGEST, Reply};
use dachs_sigdb::Image;
use dachs_sys::attack::{self, PRIMITIVES, Target};
use std::cell::Cell;
use std::ffi::CString;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The passed file is the fifth descriptor of a worker.
const FILE: i32 = 4;

pub(crate) fn scan(file: Arc<dyn Source>, image: &Image<'_>, budget: &Budget, options: &Options) -> Outcome {
    let text = String::from_utf8(read_vec_at(&*file, 0, 300)).unwrap_or_default();
    // The words in the name of an archive's first member end with zeros.
    let words: Vec<&str> = text.split('\0').next().unwrap_or_default().split_whitespace().collect();
    match words.as_slice() {
        ["team", role, rest @ ..] if let Some(team) = options.team => {
            let badly = (*role == "leader") == (team.role() == Role::Leader);
            let words = badly.then_some(rest);
            let spoilt = Spoilt { team, words, budget, file: &*file, begun: Cell::new(false) };
            dachs_engine::scan(Arc::clone(&file), image, budget, &Options { team: Some(&spoilt), ..*options })
        }
        ["team", ..] => dachs_engine::scan(file, image, budget, options),
        ["alone", ..] if options.isolate => Outcome::Isolate(FileKind::Zip),
        ["alone", "yara-one", rest @ ..] => {
            // The rules run first, as in every scan, and then what they let in does its worst.
            let Outcome::Report(report) = dachs_engine::scan(Arc::clone(&file), image, budget, options) else {
                return Outcome::Report(note("the file was not scanned"));
            };
            match act(rest, &*file, budget) {
                Some(done) if !report.detections.is_empty() => Outcome::Report(done),
                _ => Outcome::Report(note("no rule matched")),
            }
        }
        ["alone", rest @ ..] | rest if let Some(report) = act(rest, &*file, budget) => Outcome::Report(report),
        _ => dachs_engine::scan(file, image, budget, options),
    }
}

/// A team of which one does its worst as soon as it has a stretch; the leader comes late, so that there are helpers.
struct Spoilt<'a> {
    team: &'a dyn Team,
    words: Option<&'a [&'a str]>,
    budget: &'a Budget,
    file: &'a dyn Source,
    begun: Cell<bool>,
}

impl Team for Spoilt<'_> {
    fn role(&self) -> Role {
        self.team.role()
    }

    fn claim(&self, claim: Claim) -> Turn {
        if !self.begun.replace(true) && self.role() == Role::Leader {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(5) {
                std::hint::spin_loop();
            }
        }
        let turn = self.team.claim(claim);
        if turn == Turn::Take
            && let Some(words) = self.words
        {
            act(words, self.file, self.budget);
        }
        turn
    }

    fn tell(&self, mut piece: Piece) {
        match self.words {
            Some(["lie"]) => piece.report.anomalies.push(Anomaly::odd("a lie")),
            Some(["early"]) => self.team.tell(piece.clone()),
            _ => {}
        }
        self.team.tell(piece);
    }
}

fn act(words: &[&str], file: &dyn Source, budget: &Budget) -> Option<Report> {
    match *words {
        ["attack", number, folder] => return Some(attack(number.parse().unwrap(), folder)),
        ["bytes"] => dachs_sys::process::exit_now(77),
        ["crash"] => attack::crash(),
        ["abort"] => std::process::abort(),
        ["deep"] => return Some(note(&attack::overflow_stack(0).to_string())),
        ["descriptor"] => attack::say(b"junk", true),
        ["exit", code] => dachs_sys::process::exit_now(code.parse().unwrap()),
        ["hang"] => hang(),
        ["hash"] => return Some(note(&std::collections::HashMap::from([(1, 2)]).len().to_string())),
        ["holes", ..] => return Some(note(&file.next_data(4096).to_string())),
        ["long"] => return Some(long_report()),
        ["memory", bytes] => return Some(note(&fill(bytes.parse().unwrap()).to_string())),
        ["grow"] => return Some(note(&grow().to_string())),
        ["patience"] => return Some(wait_politely(budget)),
        ["panic"] => panic!("on purpose"),
        ["replay", seed] => attack::say(&mutated(seed.parse().unwrap()), false),
        ["words", seed] => say_words(seed.parse().unwrap()),
        _ => return None,
    }
    Some(note("it lives"))
}

fn note(detail: &str) -> Report {
    let mut report = Report::default();
    report.anomalies.push(Anomaly::odd(detail));
    report
}

fn attack(number: usize, folder: &str) -> Report {
    let target = Target { file: FILE, folder: CString::new(folder).unwrap() };
    match PRIMITIVES[number].attempt(&target) {
        attack::Outcome::Allowed => note("allowed"),
        attack::Outcome::Refused(error) => note(&format!("refused {error}")),
    }
}

fn hang() {
    loop {
        std::hint::spin_loop();
    }
}

fn wait_politely(budget: &Budget) -> Report {
    loop {
        if let Err(reached) = budget.check_time() {
            let mut report = Report::default();
            report.note(reached.into(), budget.limits());
            return report;
        }
    }
}

/// Takes memory in pieces that are used, all at once.
fn fill(bytes: usize) -> usize {
    let pieces: Vec<Vec<u8>> = (0..bytes / 100_000).map(|_| vec![1; 100_000]).collect();
    pieces.iter().map(Vec::len).sum()
}

/// Takes memory in all the ways that go to the kernel: small pieces, a large one, a large one that grows.
fn grow() -> usize {
    let small: Vec<Vec<u8>> = (0..10_000).map(|_| std::hint::black_box(vec![1; 1000])).collect();
    let mut large: Vec<u8> = Vec::with_capacity(1 << 20);
    for step in 20..26 {
        large.reserve_exact(1 << step);
        large.extend([1; 1000]);
    }
    small.len() + std::hint::black_box(large).len()
}

/// More than fits in a packet.
fn long_report() -> Report {
    let anomalies = (0..100).map(|_| Anomaly::damaged("x".repeat(5000))).collect();
    Report { anomalies, ..Report::default() }
}

/// Words of a team that fit nowhere. The number of the request is the first one of its slot, or soon after.
fn say_words(seed: u64) {
    for word in 0..seed % 4 + 1 {
        let body = match (seed >> word) % 7 {
            0 => Body::Claim(Claim::Stretch { number: u32::try_from(seed % 3).unwrap(), trace: 0 }),
            1 => Body::Piece(Box::new(Piece { report: note("a piece"), ..Piece::default() })),
            2 => Body::Claim(Claim::Rest),
            3 => Body::Claim(Claim::Stop),
            4 => Body::Claim(Claim::End { number: 1, trace: 0 }),
            5 => Body::Isolate(FileKind::Zip),
            _ => Body::Report(note("a report")),
        };
        attack::say(&Reply::single(seed / 2 % 12 + 1, body, 0).encode().unwrap(), false);
    }
}

/// A reply with a few bytes changed, or cut, or plain noise.
fn mutated(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    if seed.is_multiple_of(3) {
        return (0..next() % 300).map(|_| next().to_le_bytes()[0]).collect();
    }
    let mut packet = Reply::single(seed, Body::Report(long_report()), 0).encode().unwrap();
    packet.truncate(next() % LONGEST + 1);
    for _ in 0..=next() % 8 {
        let at = next() % packet.len();
        packet[at] = next().to_le_bytes()[0];
    }
    packet
}
