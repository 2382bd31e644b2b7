//! Broken samples: every one ends, within its limits and a time. `DACHS_MUTATIONS` says how many are tried; few without it.
//!
//! Samples are those of the tests, ClamAV's test files, and what `conformance/corpora` fetched, of at most 16 KiB.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Noise;
use dachs_base::{Budget, Limits, Memory, NoClock, Source, read_vec_at};
use dachs_formats::{Item, Unpacking, identify, unpack};

/// Larger samples are passed.
const LARGEST: u64 = 16 << 10;
/// No broken sample may take longer, also where the machine is slow.
const LONGEST: Duration = Duration::from_secs(60);

fn collect(path: &Path, samples: &mut Vec<Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(path) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        match std::fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => collect(&path, samples),
            Ok(metadata) if metadata.is_file() && (16..=LARGEST).contains(&metadata.len()) => {
                samples.push(std::fs::read(&path).unwrap());
            }
            _ => {}
        }
    }
}

/// Samples whose kind a reader looks into, each once.
fn samples() -> Vec<Vec<u8>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut all = Vec::new();
    for folder in [
        &format!("{root}/crates/formats/tests/samples"),
        "/usr/share/clamav-testfiles",
        &format!("{root}/target/corpora"),
    ] {
        collect(Path::new(folder), &mut all);
    }
    let mut seen = BTreeSet::new();
    all.retain(|bytes| {
        let source: Arc<dyn Source> = Arc::new(Memory::new(bytes.clone()));
        let budget = Budget::new(Limits::default(), NoClock);
        let kinds = identify(source.as_ref());
        let opened = kinds.kinds().any(|kind| matches!(unpack(kind, &source, &budget), Unpacking::Members(_)));
        opened && seen.insert(bytes.clone())
    });
    all
}

/// Flips bits, changes, leaves out, repeats or puts in bytes, or cuts.
fn broken(whole: &[u8], noise: &mut Noise) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=noise.below(4) {
        let at = noise.below(bytes.len().max(1));
        let end = (at + noise.below(16)).min(bytes.len());
        match noise.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes
                .splice(at..at, whole[at.min(whole.len())..end.min(whole.len()).max(at.min(whole.len()))].to_vec())
                .for_each(drop),
            3 => bytes[at..end].fill([0, 0xff, 0x7f, 0x80][noise.below(4)]),
            4 => {
                let from = noise.below(bytes.len().max(1));
                let count = noise.below(16).min(bytes.len() - from).min(bytes.len() - at);
                bytes.copy_within(from..from + count, at);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << noise.below(8);
                }
            }
        }
    }
    bytes
}

fn go_through(source: &Arc<dyn Source>, depth: u32, budget: &Budget, kinds: &mut BTreeMap<&'static str, u64>) {
    let identity = identify(source.as_ref());
    *kinds.entry(identity.kind.label()).or_default() += 1;
    for kind in identity.kinds().filter(|_| depth < 4) {
        let Unpacking::Members(mut members) = unpack(kind, source, budget) else { continue };
        let mut items = 0_u32;
        while let Some(item) = members.next_item() {
            items += 1;
            assert!(items < 100_000, "{kind:?} does not end");
            if let Item::Member(member) | Item::Embedded(member) = item {
                let _ = (read_vec_at(member.source.as_ref(), 0, 1 << 16), member.source.len(), member.source.problem());
                go_through(&member.source, depth + 1, budget, kinds);
            }
        }
    }
}

#[test]
fn broken_samples_end() {
    let count: u64 = std::env::var("DACHS_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let samples = samples();
    assert!(samples.len() > 10);
    let (mut noise, mut kinds, mut slowest) = (Noise::new(), BTreeMap::new(), Duration::ZERO);
    for number in 0..count {
        let bytes = broken(&samples[noise.below(samples.len())], &mut noise);
        let limits = Limits { memory: 4 << 20, objects: 100, scan_size: 1 << 20, ..Limits::default() };
        let start = Instant::now();
        let keep = bytes.clone();
        let result = std::panic::catch_unwind(|| {
            let mut kinds = BTreeMap::new();
            go_through(
                &(Arc::new(Memory::new(bytes)) as Arc<dyn Source>),
                0,
                &Budget::new(limits, NoClock),
                &mut kinds,
            );
            kinds
        });
        let took = start.elapsed();
        if result.is_err() || took > LONGEST {
            let path = std::env::temp_dir().join(format!("mutation-{number}"));
            std::fs::write(&path, keep).unwrap();
            eprintln!("mutation {number} took {took:?}; it is kept as {}", path.display());
        }
        assert!(took <= LONGEST, "mutation {number} takes too long");
        for (kind, objects) in result.unwrap() {
            *kinds.entry(kind).or_insert(0_u64) += objects;
        }
        slowest = slowest.max(took);
        if number % 50_000 == 49_999 {
            eprintln!("{} mutations ended, the slowest in {slowest:?}", number + 1);
        }
    }
    eprintln!(
        "{count} mutations of {} samples ended, the slowest in {slowest:?}; objects by kind: {kinds:?}",
        samples.len()
    );
}
