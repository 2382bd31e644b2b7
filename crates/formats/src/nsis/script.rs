//! What the script of a set-up program says of its files: the header, unpacked (`fileform.h`: `header`, `entry`).
//!
//! ```text
//! flags 4 | 8 x { offset 4 (8 in programs of 64 bits), count 4 }: pages, sections, entries, texts, ...
//! entry: what it does 4, 6 parameters of 4
//! ```
//!
//! Files follow the command that sets the folder; names are texts with signs for variables in them.

use std::collections::BTreeMap;

use dachs_base::{Reader, Short};

/// Blocks of the header.
const BLOCKS: usize = 8;
const ENTRIES: usize = 2;
const TEXTS: usize = 3;
/// Commands.
const CREATE_FOLDER: u32 = 11;
const EXTRACT_FILE: u32 = 20;
const WRITE_UNINSTALLER: u32 = 62;
/// Bytes of an entry.
const ENTRY: usize = 28;
/// The longest text that is read, in letters.
const LONGEST: usize = 1024;

/// The names of files by where their data stand. Damage costs names, and nothing else.
pub(super) fn names(header: &[u8]) -> BTreeMap<u64, Vec<u8>> {
    let mut names = BTreeMap::new();
    let Ok(blocks) = blocks(header) else { return names };
    let (Some((entries, count)), Some((texts, _))) = (blocks.get(ENTRIES), blocks.get(TEXTS)) else { return names };
    let Some(texts) = header.get(*texts..).map(Texts::new) else { return names };
    let entries = header.get(*entries..).unwrap_or_default().chunks_exact(ENTRY);
    let mut folder = Vec::new();
    for entry in entries.take(*count) {
        let mut reader = Reader::new(entry, "NSIS entry");
        let Ok([command, first, second, third]) = four(&mut reader) else { break };
        match command {
            CREATE_FOLDER if second != 0 => folder = texts.at(first),
            EXTRACT_FILE => drop(names.entry(u64::from(third)).or_insert_with(|| path(&folder, &texts.at(second)))),
            WRITE_UNINSTALLER => drop(names.entry(u64::from(second)).or_insert_with(|| path(b"", &texts.at(first)))),
            _ => {}
        }
    }
    names.retain(|_, name| !name.is_empty());
    names
}

fn four(reader: &mut Reader<'_>) -> Result<[u32; 4], Short> {
    Ok([reader.u32_le()?, reader.u32_le()?, reader.u32_le()?, reader.u32_le()?])
}

/// Offset and count of each block.
fn blocks(header: &[u8]) -> Result<Vec<(usize, usize)>, Short> {
    let mut reader = Reader::new(header, "NSIS header");
    reader.skip(4)?;
    let high = |place: usize| header.get(4 + place * 12 + 4..).and_then(|rest| rest.first_chunk::<4>());
    let wide = (0..BLOCKS).all(|place| high(place) == Some(&[0; 4]));
    let mut blocks = Vec::new();
    for _ in 0..BLOCKS {
        let offset = reader.u32_le()?;
        if wide {
            reader.skip(4)?;
        }
        let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        blocks.push((number(offset), number(reader.u32_le()?)));
    }
    Ok(blocks)
}

/// A file in a folder; what stands in the folder of the installation is named from there.
fn path(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let folder = folder.strip_prefix(b"$INSTDIR").unwrap_or(folder);
    let folder = folder.strip_prefix(b"\\").unwrap_or(folder);
    let absolute = name.starts_with(b"$") || name.get(1) == Some(&b':');
    let mut path = if folder.is_empty() || absolute { Vec::new() } else { [folder, b"\\"].concat() };
    path.extend(name.strip_prefix(b"$INSTDIR\\").unwrap_or(name));
    path.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
    path
}

/// The block of texts.
struct Texts<'a> {
    bytes: &'a [u8],
    /// In UTF-16: the first text is empty, and its end takes two bytes.
    wide: bool,
    /// Signs are 1 to 4, and not 252 to 255 (versions before 3).
    low_signs: bool,
}

/// What a sign says.
enum Sign {
    Language,
    Literal,
    Shell,
    Variable,
}

impl<'a> Texts<'a> {
    fn new(bytes: &'a [u8]) -> Texts<'a> {
        let wide = bytes.starts_with(&[0, 0]);
        // A sign for a variable, and two bytes with its number.
        let is =
            |window: &[u8], sign: u8| matches!(window, [first, low, high] if *first == sign && low & high & 0x80 != 0);
        let count = |sign: u8| bytes.windows(3).filter(|window| is(window, sign)).count();
        let low_signs = wide || count(3) > count(253);
        Texts { bytes, wide, low_signs }
    }

    /// The text at a place, which counts letters; texts of a language have negative places.
    fn at(&self, place: u32) -> Vec<u8> {
        let start = usize::try_from(place).unwrap_or(usize::MAX).saturating_mul(if self.wide { 2 } else { 1 });
        let rest = if place >> 31 == 1 { &[] } else { self.bytes.get(start..).unwrap_or_default() };
        if self.wide {
            let (units, _) = rest.as_chunks::<2>();
            self.text(units.iter().map(|unit| u16::from_le_bytes(*unit)))
        } else {
            self.text(rest.iter().map(|byte| u16::from(*byte)))
        }
    }

    fn text(&self, letters: impl Iterator<Item = u16>) -> Vec<u8> {
        let mut letters = letters.take_while(|letter| *letter != 0).take(LONGEST);
        let mut units = Vec::new();
        while let Some(letter) = letters.next() {
            match self.sign(letter) {
                None => units.push(letter),
                Some(Sign::Literal) => units.extend(letters.next()),
                Some(sign) => {
                    let low = letters.next().unwrap_or(0);
                    // In wide texts both parts stand in one letter.
                    let high = if self.wide { low >> 8 } else { letters.next().unwrap_or(0) };
                    units.extend(meaning(&sign, low & 0x7F, high & 0x7F).encode_utf16());
                }
            }
        }
        if self.wide { String::from_utf16_lossy(&units).into_bytes() } else { narrow(&units) }
    }

    fn sign(&self, letter: u16) -> Option<Sign> {
        match (letter, self.low_signs) {
            (1, true) | (255, false) => Some(Sign::Language),
            (2, true) | (254, false) => Some(Sign::Shell),
            (3, true) | (253, false) => Some(Sign::Variable),
            (4, true) | (252, false) => Some(Sign::Literal),
            _ => None,
        }
    }
}

fn narrow(units: &[u16]) -> Vec<u8> {
    units.iter().map(|unit| u8::try_from(*unit).unwrap_or(b'?')).collect()
}

fn meaning(sign: &Sign, low: u16, high: u16) -> String {
    let number = usize::from(high << 7 | low);
    match sign {
        Sign::Shell => "$SHELL".to_owned(),
        Sign::Language => format!("$LANG{number}"),
        Sign::Literal | Sign::Variable => match (number, number.checked_sub(20).and_then(|place| NAMED.get(place))) {
            (0..=9, _) => format!("${number}"),
            (10..=19, _) => format!("$R{}", number - 10),
            (_, Some(name)) => format!("${name}"),
            _ => format!("$VAR{number}"),
        },
    }
}

/// Variables from 20 on.
const NAMED: [&str; 12] = [
    "CMDLINE",
    "INSTDIR",
    "OUTDIR",
    "EXEDIR",
    "LANGUAGE",
    "TEMP",
    "PLUGINSDIR",
    "EXEPATH",
    "EXEFILE",
    "HWNDPARENT",
    "_CLICK",
    "_OUTDIR",
];
