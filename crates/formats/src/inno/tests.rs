//! Set-up programs of four versions; innoextract 1.9 reads the one of 5.5.0.
#![allow(clippy::indexing_slicing, clippy::panic, reason = "tests")]

use dachs_base::{AnomalyKind, FileKind, Limits, Memory, NoClock};

use super::*;
use crate::{Item, identify, unpack};

/// The EICAR test file, in two halves.
fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

fn sample(version: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/samples/inno/inno-{version}.exe", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn lines() -> Vec<u8> {
    (0..3000u32).flat_map(|number| format!("line {number}\n").into_bytes()).collect()
}

/// The program of the samples, with calls in it.
fn code() -> Vec<u8> {
    let byte = |at: usize| if at.is_multiple_of(7) { (at * 37).to_le_bytes()[0] } else { [0xE8, 0, 0, 0, 0][at % 5] };
    (0..70_000).map(byte).collect()
}

type Told = (Option<String>, AnomalyKind);

/// Members, and what is told of the whole or of members.
fn taken(bytes: &[u8]) -> (Vec<(String, Vec<u8>)>, Vec<Told>) {
    let source: Arc<dyn Source> = Arc::new(Memory::new(bytes.to_vec()));
    let budget = Budget::new(Limits { scan_size: 8 << 20, ..Limits::default() }, NoClock);
    let (mut members, mut told) = (Vec::new(), Vec::new());
    let crate::Unpacking::Members(mut search) = unpack(FileKind::InnoSetup, &source, &budget) else { panic!() };
    let text = |name: Name| String::from_utf8_lossy(name.as_bytes()).into_owned();
    while let Some(item) = search.next_item() {
        match item {
            Item::Member(member) => {
                let name = text(member.name);
                members.push((name.clone(), read_vec_at(member.source.as_ref(), 0, 1 << 20)));
                let _ = member.source.len();
                told.extend(member.source.problem().map(|problem| (Some(name), problem.kind)));
            }
            Item::Anomaly { member, anomaly } => told.push((member.map(text), anomaly.kind)),
            _ => {}
        }
    }
    (members, told)
}

#[test]
fn files_of_all_versions_come_out() {
    let secret = (Some("{app}/secret.txt".to_string()), AnomalyKind::Encrypted);
    let three = [("{app}/a.txt", lines()), ("{app}/bin/eicar.com", eicar()), ("{app}/code.bin", code())];
    let versions = [
        ("5.1.14", &three[..2], Some(("{app}/b.txt", lines())), vec![]),
        ("5.5.0", &three[..], Some(("{app}/stored.txt", b"stored badger".to_vec())), vec![]),
        ("6.2.2", &three[..], None, vec![secret]),
        ("6.7.0", &three[..], None, vec![]),
    ];
    for (version, files, more, expected) in versions {
        let (members, told) = taken(&sample(version));
        assert_eq!(told, expected, "{version}");
        assert_eq!(members[0].0, "header", "{version}");
        let expected: Vec<_> =
            files.iter().cloned().chain(more).map(|(name, bytes)| (name.to_string(), bytes)).collect();
        assert!(members[1..] == expected, "{version}: {:?}", members.iter().map(|(name, _)| name).collect::<Vec<_>>());
    }
}

#[test]
fn the_program_is_known_by_its_data() {
    let bytes = sample("6.2.2");
    let source: Arc<dyn Source> = Arc::new(Memory::new(bytes.clone()));
    let budget = Budget::new(Limits::default(), NoClock);
    let identity = identify(source.as_ref());
    let mut search = crate::embedded(&identity, &source, None, &budget).unwrap();
    let mut kinds = Vec::new();
    while let Some(item) = search.next_item() {
        kinds.push(match item {
            Item::Also(kind) => kind,
            _ => panic!("something else was found"),
        });
    }
    assert_eq!(kinds, [FileKind::InnoSetup]);
}

#[test]
fn what_cannot_be_read_is_told() {
    let told = |bytes: &[u8]| taken(bytes).1.into_iter().map(|(_, kind)| kind).collect::<Vec<_>>();
    assert_eq!(told(b"Inno Setup Setup Data (6.2.0) (u)\0\0\0"), [AnomalyKind::Unsupported]);
    let whole = sample("6.7.0");
    let version = memchr::memmem::find(&whole, b"Inno Setup Setup Data (6").unwrap();
    let mut old = whole.clone();
    old[version + 23] = b'4';
    assert_eq!(told(&old), [AnomalyKind::Unsupported]);
    let mut hidden = whole.clone();
    hidden[version + 64 + 4] = 2;
    assert_eq!(told(&hidden), [AnomalyKind::Encrypted]);
    for version in ["5.1.14", "5.5.0", "6.2.2", "6.7.0"] {
        let whole = sample(version);
        for length in (300..whole.len()).step_by(97) {
            assert!(taken(&whole[..length]).1.iter().any(|(_, kind)| kind.is_gap()), "{version} cut at {length}");
        }
    }
}

#[test]
fn flipped_bits_are_survived() {
    for version in ["5.1.14", "6.2.2", "6.7.0"] {
        let whole = sample(version);
        for bit in (192 * 8..whole.len() * 8).step_by(211) {
            let mut broken = whole.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            taken(&broken);
        }
    }
}
