//! Makes the table of how rare short stretches of bytes are in ordinary files: `crates/matcher/src/rarity.bin`.
//!
//! `cargo xtask rarity KIND…` takes one folder (or file) for each kind of file, walks it in the order of names, and writes the
//! table. Within a kind every file counts alike, whatever its size, so that a few large ones do not decide. Of several kinds
//! the one that holds a stretch most counts: an anchor has to be rare in all of them. `cargo xtask rarity --check` looks at
//! the shape of the table that is there.
//!
//! ```text
//! "rarity01" | pairs of bytes: 65,536 | folded stretches of four, by a hash of 17 bits: 131,072 | bytes: 256
//! ```
//!
//! Each item is one byte: -8 log2 of the share of positions that hold the stretch, at most 255. The matcher reads the same
//! table; its module `rarity` says what for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

/// Where the table stands.
const TABLE: &str = "crates/matcher/src/rarity.bin";
/// What it begins with.
const MAGIC: &[u8; 8] = b"rarity01";
const PAIRS: usize = 1 << 16;
const GRAMS: usize = 1 << 17;
const BYTES: usize = 1 << 8;
/// Files of fewer bytes say little; of larger ones the beginning is taken.
const SMALLEST: usize = 512;
const LARGEST: usize = 4 << 20;

/// Makes the table from files of several kinds, or looks at the one that is there.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> ExitCode {
    let table = root.join(TABLE);
    let outcome = match arguments {
        ["--check"] => fs::read(&table).and_then(|bytes| check(&bytes)),
        kinds => make(kinds).and_then(|bytes| check(&bytes).and_then(|()| fs::write(&table, bytes))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rarity: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Is it a table, and could ordinary files have made it?
fn check(bytes: &[u8]) -> io::Result<()> {
    let wrong = |reason: &str| Err(io::Error::other(format!("{TABLE}: {reason}")));
    let Some(items) = bytes.strip_prefix(MAGIC) else { return wrong("it does not begin with its mark") };
    if items.len() != PAIRS + GRAMS + BYTES {
        return wrong("it has a wrong length");
    }
    let (zeros, rest) = items.split_first().unwrap_or((&0, &[]));
    if *zeros >= 64 || rest.iter().collect::<BTreeSet<_>>().len() < 32 {
        return wrong("no ordinary files made it");
    }
    Ok(())
}

fn make(kinds: &[&str]) -> io::Result<Vec<u8>> {
    let mut most = vec![0_f64; PAIRS + GRAMS + BYTES];
    for kind in kinds {
        let mut files = Vec::new();
        walk(Path::new(kind), &mut files)?;
        let (shares, count) = shares(&files);
        println!("{kind}: {count} files");
        most.iter_mut().zip(shares).for_each(|(most, share)| *most = most.max(share));
    }
    let mut table = MAGIC.to_vec();
    table.extend(most.into_iter().map(bits));
    Ok(table)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies between 0 and 255")]
fn bits(share: f64) -> u8 {
    (-8.0 * share.log2()).round().clamp(0.0, 255.0) as u8
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let data = fs::symlink_metadata(path)?;
    if data.is_file() {
        files.push(path.to_path_buf());
    } else if data.is_dir() {
        let mut inside = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        inside.sort();
        inside.iter().try_for_each(|path| walk(path, files))?;
    }
    Ok(())
}

/// The share of positions that hold each stretch, and of how many files.
fn shares(files: &[PathBuf]) -> (Vec<f64>, usize) {
    let mut sums = vec![0_f64; PAIRS + GRAMS + BYTES];
    let mut count = 0_u32;
    for mut bytes in files.iter().filter_map(|path| fs::read(path).ok()).filter(|bytes| bytes.len() >= SMALLEST) {
        bytes.truncate(LARGEST);
        add(&mut sums, &bytes);
        count += 1;
    }
    sums.iter_mut().for_each(|sum| *sum /= f64::from(count.max(1)));
    (sums, count as usize)
}

fn add(sums: &mut [f64], bytes: &[u8]) {
    let one = 1.0 / bytes.len() as f64;
    let mut enter = |at: usize| sums.get_mut(at).into_iter().for_each(|sum| *sum += one);
    for four in bytes.windows(4) {
        let &[a, b, c, d] = four else { continue };
        enter(usize::from(u16::from_le_bytes([a, b])));
        enter(PAIRS + gram([a, b, c, d]));
        enter(PAIRS + GRAMS + usize::from(a));
    }
}

/// The place of four bytes, either case alike.
fn gram(four: [u8; 4]) -> usize {
    let folded = u32::from_le_bytes(four) & 0xDFDF_DFDF;
    (folded.wrapping_mul(0x9E37_79B1) >> 15) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_ordinary_bytes_is_one_and_others_are_not() {
        let mut sums = vec![0_f64; PAIRS + GRAMS + BYTES];
        let text = b"one two three \0\0\0\0\0\0\0\0".repeat(100);
        add(&mut sums, &text);
        let mut table = MAGIC.to_vec();
        table.extend(sums.into_iter().map(bits));
        let zeros = table[8];
        assert!(zeros < 16 && table[8 + usize::from(u16::from_le_bytes(*b"tw"))] > zeros);
        table[9..100].copy_from_slice(&(0..91).collect::<Vec<u8>>());
        assert!(check(&table).is_ok());
        assert!(check(&table[1..]).is_err() && check(&table[..table.len() - 1]).is_err());
        assert!(check(&[MAGIC.as_slice(), &vec![255; PAIRS + GRAMS + BYTES]].concat()).is_err());
    }
}
