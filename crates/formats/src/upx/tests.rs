//! Programs packed here, in all of the forms that are known, and ClamAV's packed test file.
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests")]

use std::io::Write;
use std::process::{Command, Stdio};

use dachs_base::{FileKind, Limits, Memory, NoClock};

use super::nrv::{Variant, decode};
use super::*;
use crate::{Item, Unpacking};

const VARIANTS: [Variant; 3] = [Variant::B, Variant::D, Variant::E];

fn budget() -> Budget {
    Budget::new(Limits::default(), NoClock)
}

/// Writes bits into words, bytes between them, as the decoder fetches them.
struct Bits {
    bytes: Vec<u8>,
    word: usize,
    /// Where the word stands that is being filled, and how many bits it has.
    at: usize,
    used: usize,
}

impl Bits {
    fn new(word: usize) -> Bits {
        Bits { bytes: Vec::new(), word, at: 0, used: word * 8 }
    }

    fn bit(&mut self, bit: u32) {
        if self.used == self.word * 8 {
            (self.at, self.used) = (self.bytes.len(), 0);
            self.bytes.resize(self.at + self.word, 0);
        }
        let place = self.word * 8 - 1 - self.used;
        self.bytes[self.at + place / 8] |= (bit as u8) << (place % 8);
        self.used += 1;
    }

    /// A number of at least 2, the first digit left out.
    fn number(&mut self, number: u32) {
        let digits = number.ilog2();
        for digit in (0..digits).rev() {
            self.bit(number >> digit & 1);
            self.bit(u32::from(digit == 0));
        }
    }

    /// The same as D and E write distances: one behind an odd digit takes no mark of the end, and 2 is added to what was there.
    fn interleaved(&mut self, number: u32) {
        // The decoder's way, back: the last step read one digit; before it pairs of digits with one less between.
        let mut steps = vec![number & 1];
        let mut rest = number >> 1;
        while rest > 1 {
            let low = rest & 1;
            rest = (rest >> 1) + 1;
            steps.push(low);
            steps.push(rest & 1);
            rest >>= 1;
        }
        let mut steps = steps.into_iter().rev();
        loop {
            self.bit(steps.next().unwrap());
            let last = steps.len() == 0;
            self.bit(u32::from(last));
            if last {
                return;
            }
            self.bit(steps.next().unwrap());
        }
    }

    fn length(&mut self, variant: Variant, length: u32, far: bool) {
        let length = length - 1 - u32::from(far);
        match variant {
            Variant::B if length < 4 => [length >> 1, length & 1].into_iter().for_each(|bit| self.bit(bit)),
            Variant::B => {
                [0, 0].into_iter().for_each(|bit| self.bit(bit));
                self.number(length - 2);
            }
            // The first bit went into the distance.
            Variant::D if length < 4 => self.bit(length & 1),
            Variant::D => {
                self.bit(0);
                self.number(length - 2);
            }
            Variant::E if length < 3 => self.bit(length - 1),
            Variant::E if length < 5 => [1, length - 3].into_iter().for_each(|bit| self.bit(bit)),
            Variant::E => {
                self.bit(0);
                self.number(length - 3);
            }
        }
    }

    fn repetition(&mut self, variant: Variant, distance: u32, length: u32, last: &mut u32) {
        let far = distance > if variant == Variant::B { 0xd00 } else { 0x500 };
        let rest = length - 1 - u32::from(far);
        let short = match variant {
            Variant::B => 0,
            Variant::D => u32::from((2..4).contains(&rest)),
            Variant::E => u32::from(rest < 3),
        };
        self.bit(0);
        if distance == *last {
            if variant == Variant::B {
                self.number(2)
            } else {
                self.interleaved(2)
            }
            if variant != Variant::B {
                self.bit(short);
            }
        } else {
            let written = if variant == Variant::B { distance - 1 } else { (distance - 1) << 1 | (1 - short) };
            let number = (written >> 8) + 3;
            if variant == Variant::B {
                self.number(number)
            } else {
                self.interleaved(number)
            }
            self.bytes.push(written as u8);
        }
        *last = distance;
        self.length(variant, length, far);
    }

    fn end(&mut self, variant: Variant) {
        self.bit(0);
        let number = 0x00ff_ffff + 3;
        if variant == Variant::B {
            self.number(number)
        } else {
            self.interleaved(number)
        }
        self.bytes.push(0xff);
    }
}

/// Packs with the longest repetitions that a table of triples finds.
fn packed(plain: &[u8], variant: Variant, word: usize) -> Vec<u8> {
    let mut bits = Bits::new(word);
    let mut seen = std::collections::HashMap::new();
    let (mut at, mut last) = (0, 1);
    while at < plain.len() {
        let triple = plain.get(at..at + 3);
        let before = triple.and_then(|triple| seen.get(triple)).copied();
        let length = before.map_or(0, |from: usize| {
            plain[at..].iter().zip(&plain[from..]).take(3000).take_while(|(one, other)| one == other).count()
        });
        let step = if length >= 4 { length } else { 1 };
        if length >= 4 {
            bits.repetition(variant, (at - before.unwrap()) as u32, length as u32, &mut last);
        } else {
            bits.bit(1);
            bits.bytes.push(plain[at]);
        }
        for place in at..at + step {
            plain.get(place..place + 3).and_then(|triple| seen.insert(triple, place));
        }
        at += step;
    }
    bits.end(variant);
    bits.bytes
}

/// Bytes with repetitions near and far.
fn contents() -> Vec<u8> {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize
    };
    let mut plain: Vec<u8> = Vec::new();
    while plain.len() < 60_000 {
        match noise() % 3 {
            0 => plain.push(noise() as u8),
            1 if !plain.is_empty() => {
                let from = plain.len() - 1 - noise() % plain.len().min(1 << (noise() % 16));
                let length = 1 + noise() % (1 << (noise() % 9));
                (0..length).for_each(|step| plain.push(plain[from + step]));
            }
            _ => plain.extend_from_slice(b"badger"),
        }
    }
    plain
}

#[test]
fn all_variants_come_back() {
    let plain = contents();
    for variant in VARIANTS {
        for word in [1, 2, 4] {
            let bytes = packed(&plain, variant, word);
            assert!(bytes.len() < plain.len(), "{variant:?}");
            let mut found = b"before".to_vec();
            let used = decode(&bytes, (variant, word), &mut found, plain.len(), &budget()).unwrap();
            assert_eq!((used, &found[6..]), (bytes.len(), &plain[..]), "{variant:?} {word}");
            assert!(decode(&bytes, (variant, word), &mut Vec::new(), plain.len() - 1, &budget()).is_err());
            for cut in [0, 1, 7, bytes.len() / 2, bytes.len() - 1] {
                assert!(decode(&bytes[..cut], (variant, word), &mut Vec::new(), plain.len(), &budget()).is_err());
            }
        }
    }
}

#[test]
fn noise_ends() {
    let noise = contents();
    for start in 0..2000 {
        for variant in VARIANTS {
            let mut plain = Vec::new();
            let _ = decode(&noise[start..start + 600], (variant, 4), &mut plain, 10_000, &budget());
            assert!(plain.len() <= 10_001);
        }
    }
}

/// The calls of a program of 4,096 bytes as the filters write them.
#[test]
fn filters_are_undone() {
    let mut code = vec![0x90_u8; 4096];
    let mut filtered = code.clone();
    for (number, at) in (0..4000_usize).step_by(100).enumerate() {
        let opcode = [0xe8, 0xe9][number % 2];
        let target = (number * 64) as u32;
        let place = (at + 1) as u32 + 0x2000;
        code[at] = opcode;
        code[at + 1..at + 5].copy_from_slice(&target.wrapping_sub(place).to_le_bytes());
        filtered[at] = opcode;
        filtered[at + 1..at + 5].copy_from_slice(&(target | 0x1b << 24).to_be_bytes());
    }
    for number in [0x26, 0x46, 0x49] {
        let mut found = filtered.clone();
        assert!(filter::undo(number, 0x1b, &mut found, 0x2000));
        assert_eq!(found, code, "{number:x}");
    }
    let mut found = filtered.clone();
    assert!(filter::undo(0, 0, &mut found, 0) && !filter::undo(0x77, 0, &mut found, 0));
    assert_eq!(found, filtered);
}

/// A conditional jump is changed by the last filter alone, and not right behind a call.
#[test]
fn conditional_jumps_are_undone() {
    let code = [0x0f, 0x84, 0x1b, 0, 1, 0, 0xe8, 0x1b, 0, 0, 0x0f, 0x84, 0x1b, 0, 0, 0];
    let mut found = code;
    filter::undo(0x49, 0x1b, &mut found, 0);
    let mut expected = code;
    expected[2..6].copy_from_slice(&(0x100_u32 - 2).to_le_bytes());
    expected[7..11].copy_from_slice(&(0x0f_u32.wrapping_sub(7)).to_le_bytes());
    assert_eq!(found, expected);
}

fn put(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

/// Signature, COFF header, optional header and rows of a program.
fn headers(wide: bool, entry: u32, sections: &[(&[u8; 8], u32, u32, u32, u32)]) -> Vec<u8> {
    let fixed = if wide { 112 } else { 96 };
    let mut bytes = vec![0; 24 + fixed + 16 * 8];
    bytes[..4].copy_from_slice(b"PE\0\0");
    put(&mut bytes, 4, if wide { 0x8664 } else { 0x14c } | (sections.len() as u32) << 16);
    put(&mut bytes, 20, (fixed + 16 * 8) as u32);
    put(&mut bytes, 24, if wide { 0x20b } else { 0x10b });
    put(&mut bytes, 28, 0x1000);
    put(&mut bytes, 40, entry);
    put(&mut bytes, 44, 0x1000);
    put(&mut bytes, 24 + if wide { 24 } else { 28 }, 0x40_0000);
    put(&mut bytes, 56, 0x1000);
    put(&mut bytes, 60, 0x200);
    put(&mut bytes, 84, 0x400);
    put(&mut bytes, 24 + fixed - 4, 16);
    for (name, size, address, stored, offset) in sections {
        bytes.extend_from_slice(*name);
        [*size, *address, *stored, *offset, 0, 0, 0, 0xe000_0020]
            .iter()
            .for_each(|field| bytes.extend(field.to_le_bytes()));
    }
    bytes
}

/// What a program holds in memory from its first section on.
fn image(wide: bool, inside: &[u8]) -> Vec<u8> {
    let mut image = vec![0x90; 0x2000];
    image[0x1000..0x1000 + inside.len()].copy_from_slice(inside);
    let place = image.len() as u32;
    image.extend(headers(
        wide,
        0x1010,
        &[(b".text\0\0\0", 0x1000, 0x1000, 0x200, 0x400), (b".data\0\0\0", 0xf00, 0x2000, 0x200, 0x600)],
    ));
    image.extend(place.to_le_bytes());
    image
}

/// A packed program: a DOS header, headers, UPX's header at 0x3e0, the image at 0x400, then the code that unpacks it.
fn program(wide: bool, method: u8, image: &[u8], packed: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 0x400];
    bytes[..2].copy_from_slice(b"MZ");
    put(&mut bytes, 60, 0x80);
    let code = 0x4000 + packed.len() as u32;
    let stored = packed.len() as u32 + 0x100;
    let rows = [(b"UPX0\0\0\0\0", 0x3000, 0x1000, 0, 0x400), (b"UPX1\0\0\0\0", 0x8000, 0x4000, stored, 0x400)];
    let headers = headers(wide, code, &rows);
    bytes[0x80..0x80 + headers.len()].copy_from_slice(&headers);
    let sum = |bytes: &[u8]| crate::lzop::adler32(bytes).to_le_bytes();
    let mut header = [b"UPX!\x0d\x09".as_slice(), &[method, 8], &sum(image), &sum(packed)].concat();
    [image.len(), packed.len(), 0x9000].iter().for_each(|number| header.extend((*number as u32).to_le_bytes()));
    header.extend([0, 0, 0]);
    header.push((header[4..].iter().map(|byte| u32::from(*byte)).sum::<u32>() % 251) as u8);
    bytes[0x3e0..0x400].copy_from_slice(&header);
    bytes.extend(packed);
    if wide {
        bytes.extend(b"\x53\x56\x57\x55\x48\x8d\x35");
        bytes.extend(0x4000_u32.wrapping_sub(code + 11).to_le_bytes());
    } else {
        bytes.extend(b"\x60\xbe\x00\x40\x40\x00\x8d\xbe\x00\xd0\xff\xff");
    }
    bytes.resize(0x400 + stored as usize, 0);
    bytes
}

/// Members, and remarks as their words.
fn items(kind: FileKind, bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<String>) {
    let source: Arc<dyn Source> = Arc::new(Memory::new(bytes.to_vec()));
    let Unpacking::Members(mut unpack) = crate::unpack(kind, &source, &budget()) else { panic!("no reader") };
    let (mut members, mut told) = (Vec::new(), Vec::new());
    while let Some(item) = unpack.next_item() {
        match item {
            Item::Member(member) => members.push(dachs_base::read_vec_at(member.source.as_ref(), 0, 1 << 24)),
            Item::Anomaly { anomaly, .. } => told.push(anomaly.detail),
            _ => {}
        }
    }
    (members, told)
}

/// Raw LZMA by XZ Utils; nothing if that is absent.
fn lzma(plain: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new("xz");
    command
        .args(["--format=raw", "--lzma1=dict=1MiB,lc=3,lp=0,pb=2", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("SKIPPED: the tool xz is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(plain).unwrap();
    let packed = child.wait_with_output().unwrap().stdout;
    Some([&[0x1a, 0x03], &packed[..]].concat())
}

/// An image in every method: number, packed bytes.
fn methods(image: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let numbered = [(2, Variant::B), (5, Variant::D), (8, Variant::E)];
    let nrv = numbered.into_iter().flat_map(|(number, variant)| {
        [4, 1, 2].into_iter().zip(number..).map(move |(word, number)| (number, packed(image, variant, word)))
    });
    nrv.chain(lzma(image).map(|packed| (14, packed))).collect()
}

#[test]
fn programs_of_every_method_come_out() {
    for wide in [false, true] {
        let image = image(wide, b"a badger in a program");
        for (method, packed) in methods(&image) {
            let bytes = program(wide, method, &image, &packed);
            let identity = crate::identify(&Memory::new(bytes.clone()));
            assert!(identity.also.contains(&FileKind::PackedPe), "{identity:?}");
            let (members, told) = items(FileKind::PackedPe, &bytes);
            assert_eq!((members.len(), told), (2, Vec::<String>::new()), "{method} {wide}");
            assert_eq!([&members[0][0x1000..], &members[1]].concat(), image);
            assert_eq!(members[0].len(), 0x3000);
            let source: Arc<dyn Source> = Arc::new(Memory::new(members[0].clone()));
            let facts = crate::facts(FileKind::Pe, &source, &budget());
            assert_eq!((facts.entry_point, facts.sections.len()), (Some(0x1010), 2), "{method} {wide}");
            assert_eq!((facts.sections[1].offset, facts.sections[1].size), (0x2000, 0x1000));
        }
    }
}

/// `UPX!` and all behind it are gone: the code that unpacks says where the image is.
#[test]
fn a_wiped_header_hides_nothing() {
    for wide in [false, true] {
        let image = image(wide, b"a badger in a program");
        for (method, packed) in methods(&image).into_iter().filter(|(method, _)| matches!(method, 2 | 5 | 8)) {
            let mut bytes = program(wide, method, &image, &packed);
            bytes[0x3e0..0x400].fill(0);
            let (members, told) = items(FileKind::PackedPe, &bytes);
            assert_eq!((members.len(), told), (2, Vec::<String>::new()), "{method} {wide}");
            assert_eq!([&members[0][0x1000..], &members[1]].concat(), image);
        }
    }
}

#[test]
fn what_cannot_be_unpacked_is_told() {
    let image = image(false, b"badger");
    let whole = program(false, 2, &image, &packed(&image, Variant::B, 4));
    let mut other = whole.clone();
    other[0x3e0..0x500].fill(0x55);
    assert_eq!(
        items(FileKind::PackedPe, &other),
        (vec![], vec!["its code is packed, and what it unpacks when it runs was not looked at".to_owned()])
    );
    let mut broken = whole.clone();
    broken[0x400..0x440].fill(0);
    let (members, told) = items(FileKind::PackedPe, &broken);
    assert_eq!((members.len(), told.len()), (0, 1));
    assert_eq!(items(FileKind::PackedPe, b"MZ").1.len(), 1);
    assert_eq!(items(FileKind::PackedElf, b"\x7fELF").1.len(), 1);
}

/// An ELF program with two segments, a gap between them and bytes behind them; and what packs it.
fn elf(wide: bool, method: u8, pack: impl Fn(&[u8]) -> Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let (header, row, word) = if wide { (64_u16, 56_u16, 8) } else { (52, 32, 4) };
    let number = |value: u64| value.to_le_bytes()[..word].to_vec();
    let head = |count: u16| {
        let mut head =
            [b"\x7fELF".as_slice(), &[1 + u8::from(wide), 1, 1], &[0; 9], &[2, 0, 62, 0, 1, 0, 0, 0]].concat();
        [0x40_0078, u64::from(header), 0].iter().for_each(|value| head.extend(number(*value)));
        head.extend([0, 0, 0, 0]);
        [header, row, count, 64, 0, 0].iter().for_each(|value| head.extend(value.to_le_bytes()));
        head
    };
    let segment = |offset: u64, length: u64| {
        let flags = [5, 0, 0, 0];
        let mut bytes = vec![1, 0, 0, 0];
        if wide {
            bytes.extend(flags);
        }
        [offset, 0x40_0000 + offset, 0x40_0000 + offset, length, length]
            .iter()
            .for_each(|value| bytes.extend(number(*value)));
        if !wide {
            bytes.extend(flags);
        }
        bytes.extend(number(0x1000));
        bytes
    };
    let mut plain = [head(2), segment(0, 0x1800), segment(0x2000, 0x800)].concat();
    let headers = plain.len();
    let filled = contents();
    plain.extend(&filled[..0x3000 - headers]);
    let block = |bytes: &[u8]| {
        let packed = pack(bytes);
        let packed = if packed.len() < bytes.len() { packed } else { bytes.to_vec() };
        let lengths = [bytes.len() as u32, packed.len() as u32].map(u32::to_le_bytes).concat();
        [lengths, vec![method, 0, 0, 0], packed].concat()
    };
    let mut file = [head(1), segment(0, 0)].concat();
    file.extend(b"\0\0\0\0UPX!\0\0\x0d\x16\0\0\0\0\0\x30\0\0\0\x30\0\0");
    file.extend(block(&plain[..headers]));
    file.extend(block(&plain[headers..0x1800]));
    file.extend(block(&plain[0x2000..0x2400]));
    file.extend(block(&plain[0x2400..0x2800]));
    file.extend(vec![0; 20]);
    file.resize(file.len().next_multiple_of(4), 0);
    let length = file.len() as u64;
    let row = segment(0, length);
    file[usize::from(header)..usize::from(header) + row.len()].copy_from_slice(&row);
    file.extend(block(&plain[0x1800..0x2000]));
    file.extend(block(&plain[0x2800..]));
    file.extend(b"\0\0\0\0UPX!");
    (plain, file)
}

#[test]
fn elf_programs_come_out() {
    for wide in [false, true] {
        let mut made = vec![elf(wide, 2, |plain| packed(plain, Variant::B, 4))];
        made.extend([
            elf(wide, 5, |plain| packed(plain, Variant::D, 4)),
            elf(wide, 8, |plain| packed(plain, Variant::E, 4)),
        ]);
        if lzma(b"").is_some() {
            made.push(elf(wide, 14, |plain| lzma(plain).unwrap()));
        }
        for (plain, mut file) in made {
            // With and without the mark.
            for _ in 0..2 {
                let identity = crate::identify(&Memory::new(file.clone()));
                assert!(identity.also.contains(&FileKind::PackedElf), "{identity:?}");
                let (members, told) = items(FileKind::PackedElf, &file);
                assert_eq!((members.len(), told), (1, Vec::<String>::new()));
                assert!(members[0] == plain, "{wide}");
                let mark = memchr::memmem::find(&file, b"UPX!").unwrap();
                file[mark..mark + 4].fill(0x59);
            }
        }
    }
}

#[test]
fn every_cut_of_an_elf_program_is_told() {
    let (plain, file) = elf(true, 8, |plain| packed(plain, Variant::E, 4));
    for cut in (0x100..file.len() - 8).step_by(97) {
        let (members, told) = items(FileKind::PackedElf, &file[..cut]);
        assert!(!told.is_empty() || members.iter().any(|member| member.len() >= 0x2800), "{cut}");
        assert!(members.iter().all(|member| plain.starts_with(&member[..member.len().min(0x1800)])), "{cut}");
    }
}

/// ClamAV's own test file, packed by UPX 3.01 (NRV2B).
#[test]
fn clamav_s_packed_file() {
    let folder = "/usr/share/clamav-testfiles";
    let (Ok(bytes), Ok(inside)) =
        (std::fs::read(format!("{folder}/clam-upx.exe")), std::fs::read(format!("{folder}/clam.exe")))
    else {
        eprintln!("SKIPPED: clamav-testfiles is not installed");
        return;
    };
    let (members, told) = items(FileKind::PackedPe, &bytes);
    assert_eq!((members.len(), told), (2, Vec::<String>::new()));
    assert!(members[0].ends_with(&inside));
}
