//! How fast a real set scans: `cargo run --release --example bench -- [FILE...]` (default: the libraries of /usr/lib).
//!
//! The set is made of the strings of `shared/data/clamav/official/main.ldb.gz` beside the workspace (or in `$DACHS_SHARED`), or
//! of random literals where that is absent. The answer is checked against the oracle on a sample. Every figure is of one core,
//! the best of three.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark for people"
)]

use std::io::Read;
use std::path::PathBuf;
use std::time::Instant;

use dachs_matcher::pattern::{Element, Mark, Pattern};
use dachs_matcher::{Builder, Flow, Hit, Patterns, State, Statistics, Window, naive};

const WINDOW: usize = 1 << 20;

fn main() {
    let patterns = real_patterns().unwrap_or_else(random_patterns);
    let clock = Instant::now();
    let (taken, image) = set(&patterns);
    println!("{} patterns of {}, {} bytes, built in {:.2?}", taken.len(), patterns.len(), image.len(), clock.elapsed());
    let set = Patterns::new(&image).unwrap();
    let objects = objects();
    check(&set, &taken, &objects);
    measure("the files", Flow::Go, &set, &objects);
    // What a signature usually asks: is it there at all?
    measure("the files, once", Flow::Enough, &set, &objects);
    let large = 4 << 20;
    measure("zeros", Flow::Enough, &set, &[vec![0; large]]);
    measure("one letter", Flow::Enough, &set, &[vec![b'a'; large]]);
    measure("noise", Flow::Enough, &set, &[noise(0x9E37_79B9_7F4A_7C15, large)]);
    measure("its own strings", Flow::Enough, &set, &[taken.iter().take(400_000).flat_map(literal).collect()]);
}

fn set(patterns: &[Pattern]) -> (Vec<Pattern>, Vec<u8>) {
    let mut builder = Builder::new();
    let mut refused = std::collections::BTreeMap::new();
    let mut taken = Vec::new();
    for pattern in patterns {
        match builder.add(pattern) {
            Ok(_) => taken.push(pattern.clone()),
            Err(reason) => *refused.entry(reason.to_string()).or_insert(0) += 1,
        }
    }
    for (reason, count) in refused {
        println!("refused {count}: {reason}");
    }
    (taken, builder.finish())
}

fn measure(name: &str, flow: Flow, set: &Patterns<'_>, objects: &[Vec<u8>]) {
    let bytes = objects.iter().map(Vec::len).sum::<usize>() as f64;
    let mut best = f64::MAX;
    let (mut hits, mut work) = (0_u64, Statistics::default());
    for _ in 0..3 {
        let clock = cpu_seconds();
        (hits, work) = (0, Statistics::default());
        for object in objects {
            let one = scan(set, object, &mut |_| {
                hits += 1;
                flow
            });
            work.candidates += one.candidates;
            work.entries += one.entries;
            work.confirmations += one.confirmations;
        }
        best = best.min(cpu_seconds() - clock);
    }
    let per_mb = |count: u64| count as f64 / bytes * 1e6;
    println!(
        "{name:16} {:7.1} MB {:7.0} MB/s; per MB: {:8.0} candidates {:8.0} entries {:7.0} confirmations {:7.0} hits",
        bytes / 1e6,
        bytes / 1e6 / best,
        per_mb(work.candidates),
        per_mb(work.entries),
        per_mb(work.confirmations),
        per_mb(hits)
    );
}

/// What this thread has run so far; other work on the machine does not count.
fn cpu_seconds() -> f64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    statistics.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn scan(set: &Patterns<'_>, object: &[u8], hit: &mut dyn FnMut(Hit) -> Flow) -> Statistics {
    let (mut state, mut at) = (State::new(), 0);
    loop {
        let end = (at + WINDOW + set.overlap()).min(object.len());
        let window = Window { bytes: object.get(at..end).unwrap(), base: at as u64, last: end == object.len() };
        let _ = set.scan(&mut state, window, hit);
        if window.last {
            return state.statistics();
        }
        at += WINDOW;
    }
}

/// Asks the oracle about every 997th pattern in the first 64 KiB of some objects, and about those that were found there.
fn check(set: &Patterns<'_>, patterns: &[Pattern], objects: &[Vec<u8>]) {
    let mut checked = 0;
    for object in objects.iter().step_by(objects.len().div_ceil(5)) {
        let object = object.get(..object.len().min(1 << 16)).unwrap();
        let mut found = Vec::new();
        scan(set, object, &mut |hit| {
            found.push((hit.pattern as usize, hit.start));
            Flow::Go
        });
        let mut asked = found.iter().map(|(pattern, _)| *pattern).take(30).collect::<Vec<_>>();
        asked.extend((0..patterns.len()).step_by(997));
        asked.sort_unstable();
        asked.dedup();
        for number in asked {
            let mut expected = naive::find(patterns.get(number).unwrap(), object);
            expected.dedup_by_key(|(start, _)| *start);
            let mut starts = found.iter().filter(|(p, _)| *p == number).map(|(_, start)| *start).collect::<Vec<_>>();
            starts.sort_unstable();
            assert_eq!(starts, expected.iter().map(|(start, _)| *start).collect::<Vec<_>>(), "pattern {number}");
            checked += expected.len();
        }
    }
    println!("the oracle agrees ({checked} starts)");
}

fn objects() -> Vec<Vec<u8>> {
    let mut paths = std::env::args_os().skip(1).map(PathBuf::from).collect::<Vec<_>>();
    if paths.is_empty() {
        let folder = std::fs::read_dir("/usr/lib/x86_64-linux-gnu").into_iter().flatten().flatten();
        paths = folder.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains(".so")).collect();
    }
    paths.sort();
    let mut objects = paths.iter().filter_map(|path| std::fs::read(path).ok()).collect::<Vec<_>>();
    objects.dedup();
    let mut total = 0;
    objects
        .into_iter()
        .filter(|object| !object.is_empty())
        .take_while(|object| {
            total += object.len();
            total < 64 << 20
        })
        .collect()
}

fn real_patterns() -> Option<Vec<Pattern>> {
    let shared = std::env::var_os("DACHS_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    let file = std::fs::File::open(shared.join("data/clamav/official/main.ldb.gz"));
    let Ok(file) = file else {
        eprintln!("main.ldb.gz IS ABSENT: random literals instead");
        return None;
    };
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut patterns = Vec::new();
    let mut skipped = 0;
    for subsignature in text.lines().flat_map(|line| line.split(';').skip(3)) {
        let (body, modifiers) = subsignature.split_once("::").unwrap_or((subsignature, ""));
        if body.contains(':') {
            skipped += 1; // at a fixed place, where nobody searches
            continue;
        }
        match parse(body).filter(|_| !body.contains('/')) {
            Some(elements) => patterns.push(Pattern { elements: modified(elements, modifiers) }),
            None => skipped += 1,
        }
    }
    let mut seen = std::collections::HashSet::new();
    patterns.retain(|pattern| seen.insert(pattern.clone()));
    println!("{skipped} subsignatures skipped");
    Some(patterns)
}

fn modified(elements: Vec<Element>, modifiers: &str) -> Vec<Element> {
    let mut out = Vec::new();
    for element in elements {
        let wide = modifiers.contains('w') && matches!(element, Element::Byte { .. });
        out.push(match element {
            Element::Byte { value, mask: 0xFF } if modifiers.contains('i') && value.is_ascii_alphabetic() => {
                Element::Folded(value.to_ascii_lowercase())
            }
            other => other,
        });
        out.extend(wide.then_some(Element::Byte { value: 0, mask: 0xFF }));
    }
    out
}

/// A body signature, roughly; absent for what this benchmark does not read.
fn parse(text: &str) -> Option<Vec<Element>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (element, tail) = match first {
            '*' => (Element::Gap { min: 0, max: None }, rest.get(1..)?),
            '{' => {
                let (range, tail) = rest.get(1..)?.split_once('}')?;
                (gap(range)?, tail)
            }
            '(' | '!' => {
                let (options, tail) = rest.trim_start_matches('!').get(1..)?.split_once(')')?;
                (group(options, first == '!')?, tail)
            }
            _ => (byte(rest.get(..2)?)?, rest.get(2..)?),
        };
        out.push(element);
        rest = tail;
    }
    Some(out)
}

fn gap(range: &str) -> Option<Element> {
    let number = |text: &str| text.parse::<u32>().ok();
    let (min, max) = match range.split_once('-') {
        None => (number(range)?, Some(number(range)?)),
        Some((min, max)) => (number(min).unwrap_or(0), number(max)),
    };
    Some(Element::Gap { min, max: max.filter(|max| *max > 0) })
}

fn group(options: &str, negated: bool) -> Option<Element> {
    let mark = match options {
        "B" => Some(Mark::Boundary),
        "L" => Some(Mark::Line),
        "W" => Some(Mark::Word),
        _ => None,
    };
    if let Some(mark) = mark {
        return Some(Element::Mark { mark, negated });
    }
    let options = options.split('|').map(parse).collect::<Option<Vec<_>>>()?;
    Some(Element::Alternatives { options, negated })
}

fn byte(text: &str) -> Option<Element> {
    let mut digits = text.chars().map(|c| if c == '?' { Some((0, 0)) } else { Some((c.to_digit(16)?, 15)) });
    let ((high, high_mask), (low, low_mask)) = (digits.next()??, digits.next()??);
    let value = u8::try_from(high << 4 | low).ok()?;
    Some(Element::Byte { value, mask: u8::try_from(high_mask << 4 | low_mask).ok()? })
}

fn random_patterns() -> Vec<Pattern> {
    let bytes = noise(0x0123_4567_89AB_CDEF, 115_000 * 12);
    bytes
        .chunks(12)
        .map(|literal| Pattern {
            elements: literal.iter().map(|value| Element::Byte { value: *value, mask: 0xFF }).collect(),
        })
        .collect()
}

/// What a pattern is most likely to be found in.
fn literal(pattern: &Pattern) -> Vec<u8> {
    let byte = |element: &Element| match element {
        Element::Byte { value, .. } => Some(*value),
        Element::Folded(letter) => Some(*letter),
        _ => None,
    };
    pattern.elements.iter().filter_map(byte).collect()
}

fn noise(mut seed: u64, count: usize) -> Vec<u8> {
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()
    };
    (0..count.div_ceil(8)).flat_map(|_| next()).take(count).collect()
}
