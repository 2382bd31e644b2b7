//! A database of the size of ClamAV's official one, which cannot be had everywhere: 8,700,000 digests, 400,000 signatures
//! of bytes.
//!
//! | file | share | what |
//! |---|--:|---|
//! | main.mdb | 55 % of the digests | MD5 of sections of executables; sizes are multiples of 512 |
//! | main.hdb | 15 % | MD5 of files of 1 KB to 16 MB, small ones more often |
//! | main.hsb | 30 % | SHA-256 of files |
//! | main.ldb | 95 % of the others | logical signatures |
//! | main.ndb | 5 % | body signatures |
//!
//! Digests are random. Names come in runs of one family with rising numbers, as in ClamAV's files.
//!
//! Signatures of bytes have the shape of real ones (how many strings, how long, with which gaps, in which files), if the
//! optional data folder is there, and of a common one if not. Their bytes are drawn from a chain: the next byte depends on
//! the three before it, as in the real strings, or in the programs of this machine. No real string is copied on purpose, and
//! what comes out stays in `target/bench`. The same numbers give the same files.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{Places, database};

/// ClamAV's official set, about.
const HASHES: u64 = 8_700_000;
const BODIES: u64 = 400_000;

/// `cargo xtask bench generate`.
pub(crate) fn command(places: &Places, arguments: &[&str]) -> Result<(), String> {
    let (mut hashes, mut bodies, mut output) = (HASHES, BODIES, None);
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or(format!("{option} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|error| format!("{option} {value}: {error}"));
        match *option {
            "--hashes" => hashes = number()?,
            "--bodies" => bodies = number()?,
            "--output" => output = Some(PathBuf::from(value)),
            _ => return Err(format!("unknown option {option}\n{}", super::USAGE)),
        }
    }
    let folder = match output {
        Some(folder) => {
            into(&folder, hashes, bodies, database::sources(places, "real")?.as_deref())?;
            folder
        }
        None => match database::sources(places, &format!("generated:{hashes}:{bodies}"))? {
            Some(folder) => folder,
            None => return Err("nothing was generated".to_owned()),
        },
    };
    println!("{}", folder.display());
    Ok(())
}

/// Writes a database into a folder, unless it is there.
pub(crate) fn into(folder: &Path, hashes: u64, bodies: u64, real: Option<&Path>) -> Result<(), String> {
    if folder.join("test.hdb").exists() {
        return Ok(());
    }
    println!("generating {hashes} digests and {bodies} signatures of bytes");
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut dice = Dice(0x6461_6368_7321);
    write_hashes(folder, hashes, &mut dice).map_err(|error| error.to_string())?;
    let (shapes, chain) = learn(real)?;
    write_bodies(folder, bodies, &shapes, &chain, &mut dice).map_err(|error| error.to_string())?;
    database::write_test_signature(folder)
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(u64::try_from(bound).unwrap_or(1))).unwrap_or(0)
    }

    /// A number between 2 to the power of `low` and of `high`, small ones more often.
    fn size(&mut self, low: u64, high: u64) -> u64 {
        let power = low + self.below(high - low);
        (1 << power) + self.below(1 << power)
    }

    fn digest(&mut self, out: &mut String, words: u32) {
        for _ in 0..words {
            out.push_str(&format!("{:016x}", self.next()));
        }
    }
}

/// Names as they follow each other in real files.
struct Names {
    family: String,
    number: u64,
    left: u64,
}

impl Names {
    fn new() -> Names {
        Names { family: String::new(), number: 0, left: 0 }
    }

    fn next(&mut self, dice: &mut Dice, out: &mut String) {
        const GROUPS: [&str; 6] = ["Win.Trojan", "Win.Malware", "Win.Dropper", "Win.Packed", "Win.Worm", "Doc.Malware"];
        const PARTS: [&str; 12] = ["Ag", "ent", "ro", "ba", "ki", "lo", "zu", "mi", "dex", "tor", "vi", "sa"];
        if self.left == 0 {
            self.left = dice.size(0, 9);
            let group = GROUPS.get(dice.index(GROUPS.len())).copied().unwrap_or_default();
            let tails = (0..2 + dice.index(2)).filter_map(|_| PARTS.get(dice.index(PARTS.len())).copied());
            self.family = format!("{group}.{}", tails.collect::<String>());
            self.number = dice.below(10_000_000);
        }
        self.left -= 1;
        self.number += 1 + if dice.below(8) == 0 { dice.below(40) } else { 0 };
        out.push_str(&format!("{}-{}-0", self.family, self.number));
    }
}

fn write_hashes(folder: &Path, hashes: u64, dice: &mut Dice) -> std::io::Result<()> {
    let create = |name: &str| File::create(folder.join(name)).map(|file| BufWriter::with_capacity(1 << 20, file));
    let (mut mdb, mut hdb, mut hsb) = (create("main.mdb")?, create("main.hdb")?, create("main.hsb")?);
    let mut names = Names::new();
    let mut line = String::new();
    for number in 0..hashes {
        line.clear();
        let file = match number * 100 / hashes {
            0..55 => {
                line.push_str(&format!("{}:", 512 * dice.size(0, 12)));
                dice.digest(&mut line, 2);
                &mut mdb
            }
            share => {
                dice.digest(&mut line, if share < 70 { 2 } else { 4 });
                line.push_str(&format!(":{}", dice.size(10, 24)));
                if share < 70 { &mut hdb } else { &mut hsb }
            }
        };
        line.push(':');
        names.next(dice, &mut line);
        line.push('\n');
        file.write_all(line.as_bytes())?;
    }
    for mut file in [mdb, hdb, hsb] {
        file.flush()?;
    }
    Ok(())
}

/// Bytes that follow each other as they do in a text.
struct Chain {
    text: Vec<u8>,
    /// Where in the text three bytes are followed by another.
    places: HashMap<[u8; 3], Vec<u32>>,
}

impl Chain {
    fn new(text: Vec<u8>) -> Chain {
        let mut places: HashMap<[u8; 3], Vec<u32>> = HashMap::new();
        for (at, window) in (0_u32..).zip(text.windows(4)) {
            if let Some(first) = window.first_chunk::<3>() {
                places.entry(*first).or_default().push(at);
            }
        }
        Chain { text, places }
    }

    fn string(&self, length: usize, dice: &mut Dice) -> Vec<u8> {
        let mut at = dice.index(self.text.len().saturating_sub(4));
        let mut string: Vec<u8> = self.text.iter().skip(at).take(3.min(length)).copied().collect();
        while string.len() < length {
            let next = string.last_chunk::<3>().and_then(|last| self.places.get(last));
            at = next
                .and_then(|places| places.get(dice.index(places.len())))
                .map_or(at + 1, |place| usize::try_from(*place).unwrap_or(0));
            string.push(self.text.get(at + 3).copied().unwrap_or_else(|| dice.next().to_le_bytes()[0]));
        }
        string
    }
}

/// The shapes of signatures, as lines without their names, and the chain of their bytes.
fn learn(real: Option<&Path>) -> Result<(Vec<String>, Chain), String> {
    let Some(real) = real else {
        let shape = "Engine:81-255,Target:1;0&1&2&3;".to_owned()
            + &["00".repeat(16), "00".repeat(12), "00".repeat(24), "00".repeat(9)].join(";");
        let text = fs::read("/usr/bin/bash").or_else(|_| std::env::current_exe().and_then(fs::read));
        return Ok((vec![shape], Chain::new(text.map_err(|error| error.to_string())?)));
    };
    let text = fs::read_to_string(real.join("main.ldb")).map_err(|error| error.to_string())?;
    let shapes: Vec<String> = text
        .lines()
        .filter_map(|line| Some(line.split_once(';')?.1))
        .filter(|shape| is_usual(shape))
        .map(str::to_owned)
        .collect();
    let strings = text.lines().flat_map(|line| line.split(';').skip(3)).filter_map(literal);
    let bytes: Vec<u8> = strings.flatten().take(4_000_000).collect();
    Ok((shapes, Chain::new(bytes)))
}

/// Has the signature a long string, and nothing but strings, gaps and an expression that asks for all or some of them?
fn is_usual(shape: &str) -> bool {
    let long = |sub: &str| sub.split(|letter: char| !letter.is_ascii_hexdigit()).any(|run| run.len() >= 28);
    let strange = ['/', '(', '=', '<', '$', '[', '!'];
    shape.split(';').skip(2).any(long)
        && !shape.contains(strange)
        && !shape.contains("Icon")
        && !shape.contains("Handler")
}

/// The bytes of a string without wildcards, modifiers or offset.
pub(crate) fn literal(sub: &str) -> Option<Vec<u8>> {
    let digits = sub.len().is_multiple_of(2) && sub.len() >= 8 && sub.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pairs = sub.as_bytes().chunks(2).filter(|_| digits);
    let bytes: Vec<u8> =
        pairs.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    (!bytes.is_empty()).then_some(bytes)
}

fn write_bodies(folder: &Path, bodies: u64, shapes: &[String], chain: &Chain, dice: &mut Dice) -> std::io::Result<()> {
    let create = |name: &str| File::create(folder.join(name)).map(|file| BufWriter::with_capacity(1 << 20, file));
    let (mut ldb, mut ndb) = (create("main.ldb")?, create("main.ndb")?);
    let mut names = Names::new();
    for number in 0..bodies {
        let mut line = String::new();
        names.next(dice, &mut line);
        if number % 20 == 0 {
            let length = 16 + dice.index(40);
            line.push_str(&format!(":{}:*:", [0, 1, 1, 1, 2, 3, 6, 7].get(dice.index(8)).unwrap_or(&1)));
            hexadecimal(&chain.string(length, dice), &mut line);
            writeln!(ndb, "{line}")?;
            continue;
        }
        line.push(';');
        let shape = shapes.get(dice.index(shapes.len())).map_or("", String::as_str);
        for (index, field) in shape.split(';').enumerate() {
            if index > 0 {
                line.push(';');
            }
            if index < 2 { line.push_str(field) } else { replaced(field, chain, dice, &mut line) }
        }
        writeln!(ldb, "{line}")?;
    }
    ldb.flush()?;
    ndb.flush()
}

/// A subsignature with other bytes: every run of digits is replaced, offsets, gaps and modifiers stay.
fn replaced(sub: &str, chain: &Chain, dice: &mut Dice, out: &mut String) {
    let (offset, rest) = match sub.split_once(':') {
        Some((first, rest)) if !rest.starts_with(':') => (Some(first), rest),
        _ => (None, sub),
    };
    if let Some(offset) = offset {
        out.push_str(offset);
        out.push(':');
    }
    let (body, modifiers) = rest.split_once("::").map_or((rest, None), |(body, modifiers)| (body, Some(modifiers)));
    let mut inside = false;
    let mut run = 0;
    for letter in body.chars().chain(['\0']) {
        if letter.is_ascii_hexdigit() && !inside {
            run += 1;
            continue;
        }
        hexadecimal(&chain.string(run / 2, dice), out);
        if run % 2 == 1 {
            out.push('0');
        }
        run = 0;
        inside = (inside || letter == '{') && letter != '}';
        if letter != '\0' {
            out.push(letter);
        }
    }
    if let Some(modifiers) = modifiers {
        out.push_str("::");
        out.push_str(modifiers);
    }
}

fn hexadecimal(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        out.push_str(&format!("{byte:02x}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_in_the_same_shape() {
        let chain = Chain::new((0..=255).cycle().take(2000).collect());
        for (sub, form) in [("00112233::iw", 4), ("EP+0:0011{5-10}2233??44", 5), ("001122", 3)] {
            let mut out = String::new();
            replaced(sub, &chain, &mut Dice(1), &mut out);
            assert_eq!(out.len(), sub.len(), "{out}");
            let marks = |text: &str| text.chars().filter(|letter| !letter.is_ascii_hexdigit()).collect::<String>();
            assert_eq!(marks(&out), marks(sub));
            assert!(form > 0 && out != sub);
        }
    }

    #[test]
    fn the_same_numbers_give_the_same_files() {
        let written = || {
            let folder = std::env::temp_dir().join(format!("dachs-generate-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            into(&folder, 1000, 40, None).unwrap();
            let names = ["main.mdb", "main.hdb", "main.hsb", "main.ldb", "main.ndb"];
            let texts: Vec<String> = names.iter().map(|name| fs::read_to_string(folder.join(name)).unwrap()).collect();
            fs::remove_dir_all(folder).unwrap();
            texts
        };
        let first = written();
        assert_eq!(first.iter().map(|text| text.lines().count()).collect::<Vec<_>>(), [550, 150, 300, 38, 2]);
        assert!(first == written());
    }
}
