//! Writers of archives, as an attacker would write them: nothing is checked and anything can be repeated.

use flate2::{Compression, Crc};
use std::io::Write;

/// Raw deflate (RFC 1951).
pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// One gzip member (RFC 1952).
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::best());
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// A member of a ZIP archive, ready to be written as often as wanted.
pub(crate) struct Entry {
    packed: Vec<u8>,
    size: u32,
    crc: u32,
}

impl Entry {
    /// Packs bytes.
    pub(crate) fn deflated(bytes: &[u8]) -> Entry {
        let mut crc = Crc::new();
        crc.update(bytes);
        Entry { packed: deflate(bytes), size: u32::try_from(bytes.len()).unwrap_or(u32::MAX), crc: crc.sum() }
    }

    /// A local file header (APPNOTE 4.3.7) with its bytes.
    fn local(&self, name: &str) -> Vec<u8> {
        [b"PK\x03\x04".as_slice(), &self.common(name), name.as_bytes(), &self.packed].concat()
    }

    /// A central directory header (APPNOTE 4.3.12) that points at `offset`.
    fn central(&self, name: &str, offset: usize) -> Vec<u8> {
        let offset = u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes();
        let made_by = 20_u16.to_le_bytes();
        [b"PK\x01\x02".as_slice(), &made_by, &self.common(name), &[0; 10], &offset, name.as_bytes()].concat()
    }

    /// The fields that both headers share, from "version needed" to "extra field length".
    fn common(&self, name: &str) -> Vec<u8> {
        let mut fields = vec![20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0x50];
        for number in [self.crc, u32::try_from(self.packed.len()).unwrap_or(u32::MAX), self.size] {
            fields.extend(number.to_le_bytes());
        }
        fields.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        fields.extend([0, 0]);
        fields
    }
}

/// A ZIP archive that holds the entry `count` times.
pub(crate) fn zip(entry: &Entry, count: usize) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for number in 0..count {
        let name = format!("{number}.zip");
        directory.extend(entry.central(&name, file.len()));
        file.extend(entry.local(&name));
    }
    finish_zip(file, &directory, count)
}

/// A ZIP archive of one member of this name.
pub(crate) fn zip_of(name: &str, entry: &Entry) -> Vec<u8> {
    finish_zip(entry.local(name), &entry.central(name, 0), 1)
}

/// A ZIP archive of members with their names.
pub(crate) fn zip_of_all(entries: &[(&str, Entry)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, entry) in entries {
        directory.extend(entry.central(name, file.len()));
        file.extend(entry.local(name));
    }
    finish_zip(file, &directory, entries.len())
}

/// A ZIP archive whose directory lists one and the same entry `count` times.
pub(crate) fn overlapping_zip(entry: &Entry, count: usize) -> Vec<u8> {
    let file = entry.local("00000");
    let directory: Vec<u8> = (0..count).flat_map(|number| entry.central(&format!("{number:05}"), 0)).collect();
    finish_zip(file, &directory, count)
}

/// Adds the directory and its end record (APPNOTE 4.3.16).
fn finish_zip(mut file: Vec<u8>, directory: &[u8], count: usize) -> Vec<u8> {
    let offset = u32::try_from(file.len()).unwrap_or(u32::MAX);
    let count = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
    file.extend(directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count, count].concat());
    file.extend(u32::try_from(directory.len()).unwrap_or(u32::MAX).to_le_bytes());
    file.extend(offset.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// The header of an empty file in a tar archive (POSIX.1-1988 ustar).
pub(crate) fn tar_header(name: &str) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, b"00000000000\0");
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// A tar archive of one file.
pub(crate) fn tar(bytes: &[u8]) -> Vec<u8> {
    let mut header = tar_header("member");
    header[124..136].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let padding = vec![0; bytes.len().next_multiple_of(512) - bytes.len() + 1024];
    [header.as_slice(), bytes, &padding].concat()
}
