//! Real databases: everything in them is loaded or left out with a reason, and nothing is lost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "tests read sample files, ask other programs and print figures"
)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use dachs_sigc::{Input, compile, files};
use dachs_sigdb::Image;

/// The optional folder of real databases.
fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("DACHS_SHARED").map_or(beside, PathBuf::from).join("data/clamav");
    let there = root.is_dir();
    if !there {
        eprintln!("SKIPPED: there is no folder of shared data with real databases");
    }
    there.then_some(root)
}

fn unzipped(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|suffix| suffix != "gz") {
        return bytes;
    }
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
    text
}

/// Loaded, allowed, left out.
fn counts(image: &[u8]) -> (u64, u64, u64) {
    let info = Image::new(image).unwrap().info();
    let sum = |count: fn(&dachs_sigdb::SourceCounts) -> u32| info.sources.iter().map(|s| u64::from(count(s))).sum();
    let skipped = info.sources.iter().flat_map(|source| &source.skipped).map(|(_, count)| u64::from(*count)).sum();
    (sum(|s| u32::try_from(s.known()).unwrap() - s.allowed), sum(|s| s.allowed), skipped)
}

#[test]
fn no_line_is_lost() {
    let Some(root) = shared() else { return };
    let texts = [
        "official/main.ldb.gz",
        "official/main.hdb.gz",
        "official/daily.hdb.gz",
        "official/daily.ndb.gz",
        "official/main.fp.gz",
        "official/daily.fp.gz",
        "rfxn/rfxn.hdb.gz",
        "rfxn/rfxn.ndb.gz",
        "miscreantpunch/miscreantpunch.hdb.gz",
        "miscreantpunch/miscreantpunch.ldb.gz",
        "miscreantpunch/miscreantpunch099.ldb.gz",
        "miscreantpunch/exexor99.ldb.gz",
        "miscreantpunch/MiscreantPunch099-INFO-Low.ldb.gz",
        "miscreantpunch/MiscreantPunch099-Low.ldb.gz",
        "daily-extras/daily.sfp",
        "daily-extras/daily.cdb",
        "daily-extras/daily.msb",
    ];
    for text in texts {
        let path = root.join(text);
        let compilation = compile(&files(std::slice::from_ref(&path)).unwrap()).unwrap();
        let (loaded, allowed, left_out) = counts(&compilation.image);
        let lines =
            unzipped(&path).split(|byte| *byte == b'\n').filter(|line| !matches!(line, [] | [b'#', ..])).count();
        eprintln!("{text}: {lines} signatures, {loaded} loaded, {allowed} allowed, {left_out} left out");
        compilation.problems.iter().for_each(|problem| eprintln!("    {problem}"));
        assert_eq!(loaded + allowed + left_out, lines as u64, "{text}");
        if let Some(known) = known_to_clamscan(&path) {
            assert!(known == lines as u64, "{text}: clamscan knows {known}, there are {lines}");
        }
    }
}

/// How many signatures clamscan loads, if it is there.
fn known_to_clamscan(path: &Path) -> Option<u64> {
    let folder = tempfile::tempdir().unwrap();
    let name = path.file_name().unwrap().to_string_lossy().replace(".gz", "");
    let copy = folder.path().join(name);
    std::fs::write(&copy, unzipped(path)).unwrap();
    let Ok(output) = Command::new("clamscan").arg("-d").arg(&copy).arg(env!("CARGO_MANIFEST_DIR")).output() else {
        eprintln!("SKIPPED: clamscan is not installed, so its count of {} is not compared", path.display());
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("Known viruses: ")?.trim().parse().ok())
}

#[test]
fn genuine_containers_load() {
    let Some(root) = shared() else { return };
    // Programs with a logical signature, hooks, and what is for older engines.
    for (version, logical, hooks, older) in [(268, 45, 3, 0), (334, 89, 2, 3)] {
        let path = root.join(format!("bytecode/bytecode-{version}.cvd"));
        let compilation = compile(&files(&[path]).unwrap()).unwrap();
        let info = Image::new(&compilation.image).unwrap().info();
        let found = info.sources.iter().find(|source| source.info.name.ends_with("*.cbc")).unwrap();
        let entries: Vec<(u32, bool)> = found.entries.iter().map(|entries| (entries.count, entries.known)).collect();
        assert_eq!(entries, [(hooks, false), (logical, true)]);
        assert_eq!(found.skipped.iter().map(|(_, count)| count).sum::<u32>(), older);
        let known = info.known() - u64::from(info.sources.iter().map(|source| source.hashes).sum::<u32>());
        assert_eq!(known, u64::from(logical));
        assert_eq!((found.info.version, found.info.official), (Some(version), true));
    }
}

#[test]
fn the_same_sources_give_the_same_bytes() {
    let Some(root) = shared() else { return };
    let inputs = files(&[root.join("official/daily.ndb.gz"), root.join("rfxn/rfxn.hdb.gz")]).unwrap();
    assert_eq!(compile(&inputs).unwrap(), compile(&inputs).unwrap());
}

/// A generator of numbers that is good enough to choose what to break.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound.max(1) as u64)).unwrap()
    }
}

const LINES: [(&str, &str); 12] = [
    ("x.hdb", "44d88612fea8a8f36de82e1278abb02f:68:Win.Test.EICAR_HDB-1"),
    ("x.hsb", "9c1185a5c5e9fc54612808977ee8f548b2258d31:*:A.Name-1:73:255"),
    ("x.ndb", "Java.Trojan.Adwind-0:12:*:6a6176612f*6a61{4-}7661??2f(61|6263|??)4C2A0432C000"),
    ("x.ndb", "Win.Trojan.A-1:1:EP+4,16:558bec!(90|91)83e4??[2-9]f8:51:255"),
    ("x.ndb", "Win.Trojan.B-1:1:SE1:4d5a{10-20}5045{2}0000(B)"),
    ("x.db", "Old.Name=e8000000005d81ed??????008d"),
    (
        "x.ldb",
        "A.B-1;Engine:51-255,Target:1,FileSize:1-99999;(0&1|2)>1,2&3=0;6162::wa;EOF-10:6364::i;61(62|63)6465;SL+4:7a7b",
    ),
    ("x.ldb", "A.B-2;Engine:81-255,Target:0,Container:CL_TYPE_ZIP;0&1&2;616263;0/a(b|c);d/is;${6-7}12$"),
    ("x.ldb", "A.B-3;Engine:81-255,Target:5;0&1;fuzzy_img#af2ad01ed42993c7#0;0(>>5#ab4#=5)"),
    ("x.fp", "332feab1435662fc6c672e25beb37be3:2871808:sid25347313-1"),
    ("x.ign2", "A.Name-1:44d88612fea8a8f36de82e1278abb02f"),
    ("x.ign", "main.ndb:12:A.Name-1"),
];

/// Changes, takes out, doubles or inserts something.
fn mutate(line: &str, numbers: &mut Numbers) -> Vec<u8> {
    const CHARACTERS: &[u8] = b"0123456789abcdefxz?*{}[]()!|&=<>,.:;/#$+-~ \r\x00\xff\xc3BLWiwaf";
    let mut bytes = line.as_bytes().to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        let character = CHARACTERS.get(numbers.below(CHARACTERS.len())).copied().unwrap();
        match numbers.below(5) {
            0 if !bytes.is_empty() => drop(bytes.remove(at)),
            1 => bytes.insert(at, character),
            2 => bytes.truncate(at),
            3 => bytes.extend_from_within(at..),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = character),
        }
    }
    bytes
}

#[test]
fn mutated_lines_never_panic_and_errors_name_the_line() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut malformed = 0;
    for round in 0..20_000 {
        let (name, line) = LINES.get(round % LINES.len()).unwrap();
        let text = [line.as_bytes(), b"\n", &mutate(line, &mut numbers), b"\n"].concat();
        if let Err(error) = compile(&[Input::bytes(*name, text.clone())]) {
            malformed += 1;
            let expected = format!("{name}:2: ");
            assert!(error.to_string().starts_with(&expected), "{error}: {}", text.escape_ascii());
        }
    }
    eprintln!("20000 mutated lines, {malformed} malformed");
    assert!(malformed > 1000);
}
