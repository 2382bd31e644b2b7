//! 7z archives made by 7-Zip, whole and broken.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::cast_possible_truncation, clippy::print_stderr, reason = "tests")]

#[path = "zip_support/mod.rs"]
mod support;

use dachs_base::{AnomalyKind, Budget, FileKind, Limit, Limits, Memory, NoClock, Source};
use dachs_formats::{Item, Unpacking, unpack};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{Contents, Random, eicar, read, read_within};

/// A folder of files, and archives of it.
struct Workshop {
    folder: tempfile::TempDir,
    files: Vec<(String, Vec<u8>)>,
}

impl Workshop {
    fn new(files: Vec<(String, Vec<u8>)>) -> Workshop {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        for (name, bytes) in &files {
            let path = folder.path().join("in").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        Workshop { folder, files }
    }

    fn usual() -> Workshop {
        let code = std::fs::read("/bin/true").unwrap_or_default();
        let text: Vec<u8> = (0..30_000u32).flat_map(|number| format!("line {number}\n").into_bytes()).collect();
        Workshop::new(vec![
            ("a.txt".into(), text),
            ("deep/er/eicar.com".into(), eicar()),
            ("empty".into(), Vec::new()),
            ("noise".into(), Random(1).bytes(50_000)),
            ("true".into(), code),
            ("ümläut €.txt".into(), b"name".to_vec()),
        ])
    }

    /// The bytes of an archive; `None` if 7-Zip is not there.
    fn pack(&self, options: &[&str]) -> Option<Vec<u8>> {
        let archive = self.folder.path().join("out.7z");
        let _ = std::fs::remove_file(&archive);
        let mut command = Command::new("7z");
        command.arg("a").args(options).arg(&archive).arg(".").current_dir(self.folder.path().join("in"));
        match command.stdout(Stdio::null()).stderr(Stdio::null()).status() {
            Ok(status) if status.success() => Some(std::fs::read(archive).unwrap()),
            _ => {
                eprintln!("SKIPPED: 7z is not installed, or does not know {options:?}");
                None
            }
        }
    }

    fn assert_all(&self, contents: &Contents, what: &str) {
        let mut names = contents.names();
        names.sort_unstable();
        let mut expected: Vec<&str> = self.files.iter().map(|(name, _)| name.as_str()).collect();
        expected.sort_unstable();
        assert_eq!(names, expected, "{what}: {:?}", contents.anomalies);
        for (name, bytes) in &self.files {
            assert!(contents.bytes(name) == bytes, "{what}: {name} differs");
        }
    }
}

fn seven(bytes: &[u8]) -> Contents {
    read(FileKind::SevenZip, bytes)
}

#[test]
fn every_coder_gives_the_files_back() {
    let workshop = Workshop::usual();
    for method in ["lzma", "lzma2", "ppmd", "bzip2", "deflate", "deflate64", "copy"] {
        for filter in ["", "-mf=bcj", "-mf=bcj2", "-mf=delta:4", "-mf=arm64", "-mf=riscv", "-mf=ppc", "-mf=ia64"] {
            let method = format!("-m0={method}");
            let options: Vec<&str> = [&method, filter, "-ms=on"].into_iter().filter(|text| !text.is_empty()).collect();
            let Some(bytes) = workshop.pack(&options) else { continue };
            let contents = seven(&bytes);
            workshop.assert_all(&contents, &format!("{options:?}"));
            assert!(contents.is_clean(), "{options:?}: {:?}", contents.kinds());
        }
    }
    for options in [&["-ms=off"][..], &["-mhc=off"], &["-ms=3f"], &["-mx=9"], &["-mx=1"], &["-m0=lzma2:d=1g"]] {
        let Some(bytes) = workshop.pack(options) else { continue };
        let contents = seven(&bytes);
        workshop.assert_all(&contents, &format!("{options:?}"));
        assert!(contents.is_clean(), "{options:?}: {:?}", contents.kinds());
    }
}

#[test]
fn filters_of_explicit_chains_are_undone() {
    let workshop = Workshop::usual();
    for filter in ["BCJ", "BCJ2", "PPC", "IA64", "ARM", "ARMT", "SPARC", "ARM64", "RISCV", "Delta:7"] {
        let chain = match filter {
            "BCJ2" => vec!["-m0=BCJ2", "-m1=LZMA", "-m2=LZMA", "-m3=LZMA", "-mb0:1", "-mb0s1:2", "-mb0s2:3"],
            _ => vec![],
        };
        let first = format!("-m0={filter}");
        let options = if chain.is_empty() { vec![first.as_str(), "-m1=LZMA2"] } else { chain };
        let Some(bytes) = workshop.pack(&options) else { continue };
        let contents = seven(&bytes);
        workshop.assert_all(&contents, filter);
        assert!(contents.is_clean(), "{filter}: {:?}", contents.kinds());
    }
}

#[test]
fn encryption_is_told() {
    let workshop = Workshop::usual();
    let Some(bytes) = workshop.pack(&["-psecret"]) else { return };
    let contents = seven(&bytes);
    assert_eq!(contents.names(), ["empty"]);
    let told: Vec<&str> = contents.anomalies.iter().filter_map(|(name, _)| name.as_deref()).collect();
    assert_eq!(told.len(), 5);
    assert!(contents.kinds().iter().all(|kind| *kind == AnomalyKind::Encrypted));
    let Some(bytes) = workshop.pack(&["-psecret", "-mhe=on"]) else { return };
    let contents = seven(&bytes);
    assert_eq!((contents.members.len(), contents.kinds()), (0, vec![AnomalyKind::Encrypted]));
}

#[test]
fn an_archive_behind_a_program_is_found() {
    let workshop = Workshop::usual();
    let Some(bytes) = workshop.pack(&[]) else { return };
    let prefix = [&b"MZ a program that knows 7z\xBC\xAF\x27\x1C and more of its like"[..], &[0; 90_000]].concat();
    let contents = seven(&[prefix, bytes].concat());
    workshop.assert_all(&contents, "prefix");
    assert!(contents.is_clean());
}

#[test]
fn the_sample_of_clamav_is_opened() {
    let path = Path::new("/usr/share/clamav-testfiles/clam.7z");
    let Ok(bytes) = std::fs::read(path) else {
        eprintln!("SKIPPED: {} is not there", path.display());
        return;
    };
    let contents = seven(&bytes);
    assert_eq!(contents.members.len(), 1);
    assert_eq!((contents.members[0].bytes.len(), contents.is_clean()), (544, true), "{:?}", contents.kinds());
}

#[test]
fn a_dictionary_that_does_not_fit_is_a_limit() {
    let workshop = Workshop::new(vec![("big".into(), Random(3).bytes(3 << 20))]);
    for method in ["lzma:d=16m", "lzma2:d=16m", "ppmd:mem=16m"] {
        let Some(bytes) = workshop.pack(&[&format!("-m0={method}")]) else { continue };
        let tight = read_within(FileKind::SevenZip, &bytes, Limits { memory: 2 << 20, ..Limits::default() });
        assert_eq!(tight.kinds(), [AnomalyKind::Limit(Limit::Memory)], "{method}");
        if !method.starts_with("ppmd") {
            // No more than the content needs is taken.
            let enough = read_within(FileKind::SevenZip, &bytes, Limits { memory: 6 << 20, ..Limits::default() });
            assert!(enough.is_clean(), "{method}: {:?}", enough.kinds());
        }
    }
}

#[test]
fn a_solid_block_of_many_files_is_decoded_once() {
    let files = (0..20_000).map(|number| (format!("{number:05}"), format!("file {number}").into_bytes())).collect();
    let workshop = Workshop::new(files);
    let Some(bytes) = workshop.pack(&["-ms=on", "-m0=lzma2", "-mx=1"]) else { return };
    let begin = Instant::now();
    let contents = read_within(FileKind::SevenZip, &bytes, Limits { memory: 8 << 20, ..Limits::default() });
    workshop.files.iter().zip(&contents.members).for_each(|((name, bytes), member)| {
        assert_eq!((name, bytes), (&member.name, &member.bytes));
    });
    assert!(contents.is_clean() && contents.members.len() == 20_000);
    assert!(begin.elapsed() < Duration::from_secs(20), "took {:?}", begin.elapsed());
    let few = read_within(FileKind::SevenZip, &bytes, Limits { objects: 100, ..Limits::default() });
    assert_eq!((few.members.len(), few.kinds()), (100, vec![AnomalyKind::Limit(Limit::Objects)]));
}

/// After damage in the middle of a block nothing behind it can be had; finding that out must not cost a pass a file.
#[test]
fn a_broken_solid_block_is_told_for_each_file_in_linear_time() {
    let files = (0..5_000u64).map(|number| (format!("{number:04}"), Random(number).bytes(500))).collect();
    let workshop = Workshop::new(files);
    let Some(mut bytes) = workshop.pack(&["-ms=on", "-m0=lzma", "-mx=1"]) else { return };
    let middle = bytes.len() / 2;
    bytes[middle..middle + 2000].fill(0xFF);
    let begin = Instant::now();
    let contents = seven(&bytes);
    assert_eq!(contents.members.len(), 5000);
    let good = contents.members.iter().zip(&workshop.files).take_while(|(taken, (_, bytes))| taken.bytes == *bytes);
    assert!(good.count() > 2000);
    assert!(contents.members.last().unwrap().problem.is_some() || contents.kinds().len() > 1000);
    assert!(begin.elapsed() < Duration::from_secs(20), "took {:?}", begin.elapsed());
}

#[test]
fn members_larger_than_memory_are_read_again_from_the_start() {
    let big = Random(5).bytes(3 << 20);
    let workshop = Workshop::new(vec![("a".into(), big.clone()), ("b".into(), big.iter().rev().copied().collect())]);
    let Some(bytes) = workshop.pack(&["-ms=on", "-m0=lzma2:d=1m"]) else { return };
    let budget = Budget::new(Limits { memory: 3 << 20, ..Limits::default() }, NoClock);
    let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
    let Unpacking::Members(mut members) = unpack(FileKind::SevenZip, &source, &budget) else { panic!() };
    for (_, expected) in &workshop.files {
        assert!(matches!(members.next_item(), Some(Item::Meta(meta)) if meta.length == 3 << 20));
        let Some(Item::Member(member)) = members.next_item() else { panic!("a member is missing") };
        for offset in [0u64, (3 << 20) - 100, 5, 1 << 20] {
            let mut buffer = [0; 100];
            assert_eq!(member.source.read_at(offset, &mut buffer), 100, "{:?}", member.source.problem());
            assert!(buffer == expected[offset as usize..offset as usize + 100]);
        }
    }
    assert!(members.next_item().is_none());
}

/// Whatever is done to an archive: no panic, bounded memory, and bytes that are not given are told.
#[test]
fn broken_archives_never_look_whole() {
    let text: Vec<u8> = (0..400u32).flat_map(|number| format!("line {number}\n").into_bytes()).collect();
    let workshop =
        Workshop::new(vec![("a".into(), text), ("b/eicar.com".into(), eicar()), ("c".into(), b"c".to_vec())]);
    let mut random = Random(7);
    let limits = || Limits { memory: 4 << 20, scan_size: 8 << 20, objects: 1000, ..Limits::default() };
    for options in [&["-m0=lzma"][..], &["-m0=lzma2", "-ms=off"], &["-m0=ppmd:mem=1m"], &["-m0=bzip2", "-mhc=off"]] {
        let Some(bytes) = workshop.pack(options) else { return };
        for length in 0..bytes.len() {
            let contents = read_within(FileKind::SevenZip, &bytes[..length], limits());
            assert!(contents.has_gap(), "{options:?} cut at {length}");
        }
        for _ in 0..1500 {
            let mut broken = bytes.clone();
            for _ in 0..=random.below(3) {
                let place = random.below(broken.len());
                broken[place] ^= 1 << random.below(8);
            }
            let contents = read_within(FileKind::SevenZip, &broken, limits());
            let whole =
                workshop.files.iter().all(|(_, file)| contents.members.iter().any(|taken| taken.bytes == *file));
            assert!(whole || !contents.kinds().is_empty(), "{options:?}");
        }
    }
}

/// The same for headers with right checksums, so that the parser sees what is broken.
#[test]
fn broken_headers_with_right_checksums_are_survived() {
    let workshop = Workshop::new(vec![("a".into(), eicar()), ("b".into(), b"b".to_vec()), ("e".into(), Vec::new())]);
    let Some(bytes) = workshop.pack(&["-m0=lzma", "-mhc=off"]) else { return };
    let start = u64::from_le_bytes(bytes[12..20].try_into().unwrap()) as usize + 32;
    let mut random = Random(11);
    for round in 0..20_000 {
        let mut broken = bytes.clone();
        for _ in 0..=random.below(4) {
            let place = start + random.below(broken.len() - start);
            broken[place] =
                if round % 2 == 0 { random.below(256) as u8 } else { broken[place] ^ (1 << random.below(8)) };
        }
        let crc = crc32fast::hash(&broken[start..]);
        broken[28..32].copy_from_slice(&crc.to_le_bytes());
        let crc = crc32fast::hash(&broken[12..32]);
        broken[8..12].copy_from_slice(&crc.to_le_bytes());
        let limits = Limits { memory: 4 << 20, scan_size: 4 << 20, objects: 1000, ..Limits::default() };
        let _ = read_within(FileKind::SevenZip, &broken, limits);
    }
}

/// A wrong checksum is told, and a gap only where it keeps bytes from being read: the last block of bzip2 was given whole, and
/// the archive's own checksum of the file is right.
#[test]
fn a_wrong_checksum_of_a_block_hides_nothing_unsaid() {
    for (length, gap) in [(50_000, false), (300_000, true)] {
        let noise = Random(3).bytes(length);
        let workshop = Workshop::new(vec![("noise".into(), noise.clone())]);
        let Some(mut bytes) = workshop.pack(&["-m0=bzip2:d=100k"]) else { return };
        // The first block's checksum follows its mark.
        let mark = bytes.windows(6).position(|window| window == b"1AY&SY").unwrap();
        bytes[mark + 6] ^= 0x10;
        let contents = seven(&bytes);
        assert_eq!(contents.has_gap(), gap, "{:?}", contents.kinds());
        let found = contents.bytes("noise");
        assert!(if gap { noise.starts_with(found) && found.len() < length } else { found == noise });
    }
}
