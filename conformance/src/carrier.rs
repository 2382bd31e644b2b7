//! Files of the kinds that signatures are meant for, with room for what signatures look for.
//!
//! A carrier is as small as ClamAV lets it be to tell its kind; the rest are bytes that mean nothing. Headers come from the
//! formats' specifications: GIF89a, PDF 32000-1, SWF 19, JVMS 4, the System V ABI (ELF), and Apple's `mach-o/loader.h`.

use crate::container::{self, Entry};
use crate::executable;
use crate::random::Random;
use crate::signature::bytes;

/// A kind of file, and of what a signature is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Data,
    Pe,
    Elf,
    MachO,
    Gif,
    Pdf,
    Flash,
    Java,
}

/// The kinds that have a target of their own.
pub(crate) const KINDS: [Kind; 7] = [Kind::Pe, Kind::Elf, Kind::MachO, Kind::Gif, Kind::Pdf, Kind::Flash, Kind::Java];

/// Where the first and the last section of an ELF or Mach-O file start, and where its header ends.
const FIRST: usize = 0x200;
const LAST: usize = 0x400;
const LENGTH: usize = 0x600;
const ENTRY: usize = FIRST + 0x40;

impl Kind {
    /// The number of the target of signatures for this kind.
    pub(crate) fn target(self) -> u8 {
        match self {
            Kind::Data => 0,
            Kind::Pe => 1,
            Kind::Elf => 6,
            Kind::MachO => 9,
            Kind::Gif => 5,
            Kind::Pdf => 10,
            Kind::Flash => 11,
            Kind::Java => 12,
        }
    }

    /// Has it sections and an entry point?
    pub(crate) fn is_executable(self) -> bool {
        matches!(self, Kind::Pe | Kind::Elf | Kind::MachO)
    }

    /// The offsets of the first section, the last one, and the entry point.
    pub(crate) fn places(self) -> (usize, usize, usize) {
        match self {
            Kind::Pe => (executable::FIRST, executable::LAST, executable::ENTRY),
            _ => (FIRST, LAST, ENTRY),
        }
    }

    /// The bytes that must stay as they are for the file to be of its kind.
    pub(crate) fn header(self) -> usize {
        match self {
            Kind::Data => 64,
            Kind::Pe => executable::FIRST,
            Kind::Elf | Kind::MachO => FIRST,
            Kind::Gif | Kind::Pdf | Kind::Flash | Kind::Java => 32,
        }
    }

    /// A file of this kind.
    pub(crate) fn build(self, random: &mut Random) -> Vec<u8> {
        let length = random.range(400, 3000);
        let salt = random.byte();
        match self {
            // Without zeros ClamAV takes many bytes for text in UTF-16.
            Kind::Data => [vec![1, 2, 3, 0xf7], vec![0; 60], bytes(random, length)].concat(),
            Kind::Pe => executable::build(|at| salt ^ at.to_le_bytes()[0]),
            Kind::Elf => filled(elf(), salt),
            Kind::MachO => filled(macho(), salt),
            Kind::Gif => [b"GIF89a\x01\0\x01\0\0\0\0".to_vec(), vec![0; 19], bytes(random, length)].concat(),
            Kind::Pdf => [b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec(), vec![b' '; 17], bytes(random, length)].concat(),
            Kind::Flash => [b"FWS\x05\0\x10\0\0".to_vec(), vec![0; 24], bytes(random, length)].concat(),
            Kind::Java => [b"\xca\xfe\xba\xbe\0\0\0\x34".to_vec(), vec![0; 24], bytes(random, length)].concat(),
        }
    }
}

fn filled(mut file: Vec<u8>, salt: u8) -> Vec<u8> {
    for (at, byte) in file.iter_mut().enumerate().skip(FIRST) {
        *byte = salt ^ at.to_le_bytes()[0];
    }
    file
}

fn put(file: &mut [u8], at: usize, numbers: &[u32]) {
    for (index, number) in numbers.iter().enumerate() {
        file[at + 4 * index..at + 4 * index + 4].copy_from_slice(&number.to_le_bytes());
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(0)
}

/// An ELF program of 32 bits for i386 with two sections and one segment.
fn elf() -> Vec<u8> {
    const BASE: u32 = 0x0804_8000;
    let mut file = vec![0; LENGTH];
    file[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
    put(&mut file, 16, &[2 | 3 << 16, 1, BASE + place(ENTRY), 52, 0x80, 0, 52 | 32 << 16, 1 | 40 << 16, 2]);
    put(&mut file, 52, &[1, 0, BASE, BASE, place(LENGTH), place(LENGTH), 5, 0x1000]);
    put(&mut file, 0x80, &[0, 1, 6, BASE + place(FIRST), place(FIRST), 0x200, 0, 0, 16, 0]);
    put(&mut file, 0xa8, &[0, 1, 3, BASE + place(LAST), place(LAST), 0x200, 0, 0, 16, 0]);
    file
}

/// A Mach-O program of 32 bits for i386 with one segment of two sections and a thread.
fn macho() -> Vec<u8> {
    const BASE: u32 = 0x1000;
    let mut file = vec![0; LENGTH];
    let (segment, thread) = (56 + 2 * 68, 16 + 16 * 4);
    put(&mut file, 0, &[0xfeed_face, 7, 3, 2, 2, segment + thread, 1]);
    put(&mut file, 28, &[1, segment]);
    file[36..42].copy_from_slice(b"__TEXT");
    put(&mut file, 52, &[BASE, place(LENGTH), 0, place(LENGTH), 7, 5, 2, 0]);
    for (at, start) in [(84, FIRST), (84 + 68, LAST)] {
        file[at..at + 6].copy_from_slice(b"__text");
        file[at + 16..at + 22].copy_from_slice(b"__TEXT");
        put(&mut file, at + 32, &[BASE + place(start), 0x200, place(start)]);
    }
    put(&mut file, 28 + segment as usize, &[5, thread, 1, 16]);
    put(&mut file, 28 + segment as usize + 16 + 10 * 4, &[BASE + place(ENTRY)]);
    file
}

/// How a file is wrapped: in nothing, or in containers whose types signatures may ask for, outermost first.
pub(crate) const WRAPS: [&[&str]; 10] = [
    &[],
    &["ZIP"],
    &["POSIX_TAR"],
    &["GZ"],
    &["ZIP", "POSIX_TAR"],
    &["GZ", "POSIX_TAR"],
    &["ZIP", "ZIP"],
    &["OOXML_WORD"],
    &["OOXML_PPT"],
    &["POSIX_TAR", "OOXML_XL"],
];

/// The file inside of containers.
pub(crate) fn wrap(file: Vec<u8>, wraps: &[&str]) -> Vec<u8> {
    wraps.iter().rev().fold(file, |file, wrap| match *wrap {
        "ZIP" => container::zip(&Entry::deflated(&file), 1),
        "OOXML_WORD" => container::zip_of("word/document.xml", &Entry::deflated(&file)),
        "OOXML_PPT" => container::zip_of("ppt/presentation.xml", &Entry::deflated(&file)),
        "OOXML_XL" => container::zip_of("xl/workbook.xml", &Entry::deflated(&file)),
        "GZ" => container::gzip(&file),
        _ => container::tar(&file),
    })
}
