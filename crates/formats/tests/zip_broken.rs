//! Whatever is done to a ZIP archive: no panic, bounded time and memory, and bytes that are not given are told.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "zip_support/mod.rs"]
mod support;

use dachs_base::{FileKind, Limits};
use support::{Contents, Entry, Random, Zip, eicar, read_within};

fn tight(bytes: &[u8]) -> Contents {
    let limits = Limits { memory: 4 << 20, scan_size: 8 << 20, objects: 1000, ..Limits::default() };
    read_within(FileKind::Zip, bytes, limits)
}

fn text() -> Vec<u8> {
    (0..400u32).flat_map(|number| format!("line {number}\n").into_bytes()).collect()
}

fn plain() -> Vec<(&'static str, Vec<u8>)> {
    vec![("text", text()), ("eicar", eicar()), ("stored", b"some stored bytes".to_vec()), ("empty", Vec::new())]
}

/// Archives of the same files, built in different ways.
fn archives() -> Vec<Vec<u8>> {
    let entry = |(name, bytes): &(&str, Vec<u8>)| match *name {
        "stored" | "empty" => Entry::stored(name, bytes),
        _ => Entry::deflated(name, bytes),
    };
    let entries: Vec<Entry> = plain().iter().map(entry).collect();
    let described: Vec<Entry> = entries.iter().map(|entry| entry.clone().with_descriptor(true, false)).collect();
    let zstd = ruzstd::encoding::compress_to_vec(&text()[..], ruzstd::encoding::CompressionLevel::Fastest);
    let mut packed = entries.clone();
    packed[0] = Entry::packed("text", 93, &text(), zstd);
    vec![
        Zip::of(entries.clone()).build(),
        Zip::of(described).build(),
        Zip { prefix: b"MZ prefix".repeat(9), entries: entries.clone(), zip64: true, ..Zip::default() }.build(),
        Zip { entries, comment: b"PK comment".to_vec(), ..Zip::default() }.build(),
        Zip::of(packed).build(),
    ]
}

fn all_given(contents: &Contents) -> bool {
    plain().iter().all(|(_, file)| contents.members.iter().any(|taken| taken.bytes == *file))
}

#[test]
fn whole_archives_are_whole() {
    for bytes in archives() {
        let contents = tight(&bytes);
        assert!(all_given(&contents) && contents.is_clean(), "{:?}", contents.kinds());
    }
}

#[test]
fn every_cut_is_told() {
    for (number, bytes) in archives().iter().enumerate() {
        for length in 0..bytes.len() {
            let contents = tight(&bytes[..length]);
            assert!(contents.has_gap() || all_given(&contents), "archive {number} cut at {length}");
        }
    }
}

#[test]
fn every_flipped_bit_is_told_or_harmless() {
    for (number, bytes) in archives().iter().enumerate() {
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut broken = bytes.clone();
                broken[place] ^= 1 << bit;
                let contents = tight(&broken);
                // Stored members are not compared with their checksum: their bytes are given as they are.
                let packed = [text(), eicar()];
                let given = packed.iter().all(|file| contents.members.iter().any(|taken| taken.bytes == *file));
                let fine = (given && contents.members.len() >= plain().len()) || !contents.kinds().is_empty();
                assert!(fine, "archive {number}, bit {bit} of byte {place}: {:?}", contents.names());
            }
        }
    }
}

#[test]
fn random_damage_is_survived() {
    let mut random = Random(5);
    let archives = archives();
    for _ in 0..10_000 {
        let mut broken = archives[random.below(archives.len())].clone();
        for _ in 0..=random.below(8) {
            let (from, to) = (random.below(broken.len()), random.below(broken.len()));
            match random.below(4) {
                0 => broken[from] = 0xFF,
                1 => broken[from] ^= 1 << random.below(8),
                2 => broken.truncate(from.max(30)),
                _ => {
                    let piece: Vec<u8> = broken[from..].iter().take(random.below(60)).copied().collect();
                    let to = to.min(broken.len());
                    broken.splice(to..to, piece);
                }
            }
        }
        let _ = tight(&broken);
    }
}
