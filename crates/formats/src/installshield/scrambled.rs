//! Files of set-ups of MSI, scrambled with their names.
//!
//! ```text
//! "InstallShield" 14 | count 2 | 30 bytes | name 260 | flags 4 | ... size 4 | ... | packed 2 | 30 bytes | data ...
//! "ISSetupStream" 14 | count 2 | 30 bytes | length of the name 4 | flags 4 | ... size 4 | ... | packed 2 | name in UTF-16 | data ...
//! ```
//!
//! A byte is scrambled with a letter of the file's name: its halves change places, and it is turned over with the letter and a
//! number. The letters begin again each KiB if the flags say so. Set-ups of Unicode pack the files with zlib before that.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Part, Reader, Source, read_vec_at};

use crate::codec::{self, Decoder};
use crate::stream::{Replay, SourceRead};
use crate::{Found, Search, Unpack, utf16};

/// How the two forms begin.
pub(super) const WITH_NAMES: &[u8] = b"InstallShield\0";
pub(super) const STREAM: &[u8] = b"ISSetupStream";
/// Bytes of a list's header, of a file's, and of a file's of the second form.
const HEADER: u64 = 46;
const FILE: usize = 312;
const FILE_OF_STREAM: usize = 24;
/// Bytes of a name.
const NAME: u64 = 260;
/// Flags: scrambled; scrambled anew each KiB.
const SCRAMBLED: u32 = 2;
const ANEW: u32 = 4;

/// Goes through the files.
pub(super) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let head = read_vec_at(source.as_ref(), 0, 16);
    let left = head.get(14..).and_then(|rest| rest.first_chunk::<2>()).map_or(0, |count| u16::from_le_bytes(*count));
    let (source, budget, found) = (Arc::clone(source), budget.clone(), Found::new(budget));
    Box::new(Files { source, budget, found, stream: head.starts_with(STREAM), left, at: HEADER })
}

struct Files {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// The second form.
    stream: bool,
    left: u16,
    at: u64,
}

struct File {
    name: Vec<u8>,
    flags: u32,
    size: u32,
    packed: bool,
    data: u64,
}

impl Search for Files {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        if self.left == 0 {
            self.found.end();
            return Ok(());
        }
        self.left -= 1;
        let file = if self.stream { self.file_of_stream()? } else { self.file()? };
        self.at = file.data.saturating_add(u64::from(file.size));
        if file.size == 0 {
            return Ok(());
        }
        let member = self.member(&file);
        Ok(self.found.member(Name::new(&file.name), member, Some(u64::from(file.size)))?)
    }
}

impl Files {
    fn file(&self) -> Result<File, Anomaly> {
        let bytes = read_vec_at(self.source.as_ref(), self.at, FILE);
        let mut reader = Reader::new(&bytes, "InstallShield file header");
        let name = reader.take(NAME)?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        let flags = reader.u32_le()?;
        reader.skip(4)?;
        let size = reader.u32_le()?;
        reader.skip(8)?;
        let packed = reader.u16_le()? != 0;
        reader.skip(30)?;
        Ok(File { name, flags, size, packed, data: self.behind(FILE) })
    }

    fn file_of_stream(&self) -> Result<File, Anomaly> {
        let bytes = read_vec_at(self.source.as_ref(), self.at, FILE_OF_STREAM + 1024);
        let mut reader = Reader::new(&bytes, "InstallShield file header");
        let (name, flags) = (reader.u32_le()?, reader.u32_le()?);
        reader.skip(2)?;
        let size = reader.u32_le()?;
        reader.skip(8)?;
        let packed = reader.u16_le()? != 0;
        let text = utf16::little(reader.take(u64::from(name))?);
        let data = self.behind(FILE_OF_STREAM).saturating_add(u64::from(name));
        Ok(File { name: text.into_bytes(), flags, size, packed, data })
    }

    fn behind(&self, count: usize) -> u64 {
        self.at.saturating_add(u64::try_from(count).unwrap_or(0))
    }

    fn member(&self, file: &File) -> Arc<dyn Source> {
        let (start, size, packed) = (file.data, u64::from(file.size), file.packed);
        let scrambled = file.flags & (SCRAMBLED | ANEW) != 0 && !file.name.is_empty();
        if !scrambled && !packed {
            return Arc::new(Part::new(Arc::clone(&self.source), start, size));
        }
        let again = if file.flags & ANEW != 0 { 1024 } else { u64::MAX };
        let (source, budget, name) = (Arc::clone(&self.source), self.budget.clone(), file.name.clone());
        let opener = move || -> io::Result<Decoder> {
            let input = SourceRead::range(Arc::clone(&source), start, size);
            let key = if scrambled { key(&name) } else { Vec::new() };
            let mut plain = io::BufReader::new(Plain { input, key, again, at: 0, left: size });
            if !packed {
                return Ok(Box::new(plain));
            }
            plain.read_exact(&mut [0; 2])?;
            codec::deflate(plain, &budget)
        };
        Arc::new(Replay::new(&self.budget, opener))
    }
}

/// The numbers of a name.
fn key(name: &[u8]) -> Vec<u8> {
    let numbers = [0x13, 0x35, 0x86, 0x07].iter().cycle();
    name.iter().zip(numbers).map(|(letter, number)| letter ^ number).collect()
}

/// Scrambled bytes, read in plain. There must be as many as announced.
struct Plain<R> {
    input: R,
    /// Empty if they are not scrambled.
    key: Vec<u8>,
    /// After so many bytes the key begins again.
    again: u64,
    at: u64,
    left: u64,
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.left = self.left.saturating_sub(u64::try_from(got).unwrap_or(0));
        if got == 0 && !buffer.is_empty() && self.left > 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let count = u64::try_from(self.key.len()).unwrap_or(0).max(1);
        for byte in buffer.iter_mut().take(got) {
            let place = usize::try_from(self.at % self.again % count).unwrap_or(0);
            if let Some(key) = self.key.get(place) {
                *byte = !(byte.rotate_left(4) ^ key);
            }
            self.at += 1;
        }
        Ok(got)
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "tests")]
mod tests {
    use super::*;
    use crate::seen::{Seen, seen};
    use dachs_base::{Limits, Memory, NoClock};
    use std::io::Write;

    fn scrambled(plain: &[u8], name: &str, again: usize) -> Vec<u8> {
        let key = key(name.as_bytes());
        plain.iter().enumerate().map(|(at, byte)| (!byte ^ key[at % again % key.len()]).rotate_left(4)).collect()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn list(stream: bool) -> Vec<u8> {
        let mut bytes = if stream { b"ISSetupStream\0".to_vec() } else { b"InstallShield\0".to_vec() };
        bytes.extend([3, 0]);
        bytes.resize(46, 0);
        let long = b"badger ".repeat(400);
        let files = [
            ("a.exe", 6_u32, 1_u16, scrambled(&zlib(&long), "a.exe", 1024)),
            ("bc.ini", 2, 0, scrambled(&long, "bc.ini", usize::MAX)),
            ("d", 0, 0, long),
        ];
        for (name, flags, packed, data) in files {
            let numbers = |skipped: usize| {
                [
                    vec![0; skipped],
                    (data.len() as u32).to_le_bytes().to_vec(),
                    vec![0; 8],
                    packed.to_le_bytes().to_vec(),
                ]
                .concat()
            };
            if stream {
                let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
                bytes.extend((name.len() as u32).to_le_bytes());
                bytes.extend(flags.to_le_bytes());
                bytes.extend(numbers(2));
                bytes.extend(name);
            } else {
                let mut text = name.as_bytes().to_vec();
                text.resize(260, 0);
                bytes.extend(text);
                bytes.extend(flags.to_le_bytes());
                bytes.extend(numbers(4));
                bytes.extend([0; 30]);
            }
            bytes.extend(data);
        }
        bytes
    }

    fn walk(bytes: &[u8]) -> Seen {
        let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
        seen(&mut *open(&source, &Budget::new(Limits::default(), NoClock)))
    }

    #[test]
    fn files_are_read_in_plain() {
        for stream in [false, true] {
            let (members, anomalies) = walk(&list(stream));
            let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["a.exe", "bc.ini", "d"]);
            assert!(members.iter().all(|(_, bytes)| *bytes == b"badger ".repeat(400)));
            assert_eq!(anomalies, []);
        }
    }

    #[test]
    fn every_cut_is_told() {
        for whole in [list(false), list(true)] {
            for cut in (46..whole.len()).step_by(7) {
                assert!(!walk(&whole[..cut]).1.is_empty(), "cut at {cut} of {}", whole.len());
            }
        }
    }
}
