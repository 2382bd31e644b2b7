//! What the tests of archives share: a writer of ZIP archives that can lie, and a reader that takes everything out.
#![allow(dead_code, unreachable_pub, reason = "each test file uses another part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::cast_possible_truncation, reason = "the writer packs small numbers")]

use dachs_base::{Anomaly, AnomalyKind, Budget, FileKind, Heuristic, Limits, Memory, NoClock, Source};
use dachs_formats::{Item, Unpacking, unpack};
use std::io::Write;
use std::sync::Arc;

/// The test string of EICAR, put together at run time so that this file is not detected itself.
pub fn eicar() -> Vec<u8> {
    let halves = (r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!$H+H*");
    [halves.0, halves.1].concat().into_bytes()
}

pub fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// The fields of a header.
#[derive(Clone, Debug)]
pub struct Head {
    pub name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub crc: u32,
    pub packed: u64,
    pub length: u64,
    pub extra: Vec<u8>,
}

/// A member: what its local header says, its data, what follows it, and what the directory says.
#[derive(Clone, Debug)]
pub struct Entry {
    pub local: Head,
    pub data: Vec<u8>,
    pub after: Vec<u8>,
    /// Absent: the directory hides it.
    pub central: Option<Head>,
    /// Offset in the directory; absent: where it is.
    pub offset: Option<u64>,
}

impl Entry {
    pub fn stored(name: &str, data: &[u8]) -> Entry {
        Entry::packed(name, 0, data, data.to_vec())
    }

    pub fn deflated(name: &str, data: &[u8]) -> Entry {
        Entry::packed(name, 8, data, deflate(data))
    }

    pub fn packed(name: &str, method: u16, plain: &[u8], data: Vec<u8>) -> Entry {
        let head = Head {
            name: name.as_bytes().to_vec(),
            flags: 0,
            method,
            crc: crc32fast::hash(plain),
            packed: data.len() as u64,
            length: plain.len() as u64,
            extra: Vec::new(),
        };
        Entry { local: head.clone(), data, after: Vec::new(), central: Some(head), offset: None }
    }

    /// Moves sizes and checksum from the local header behind the data.
    pub fn with_descriptor(mut self, signed: bool, wide: bool) -> Entry {
        let head = self.central.as_mut().unwrap();
        head.flags |= 8;
        let mut after = if signed { b"PK\x07\x08".to_vec() } else { Vec::new() };
        after.extend(head.crc.to_le_bytes());
        for number in [head.packed, head.length] {
            let bytes = number.to_le_bytes();
            after.extend(&bytes[..if wide { 8 } else { 4 }]);
        }
        self.after = after;
        self.local = Head { flags: head.flags, crc: 0, packed: 0, length: 0, ..self.local };
        self
    }

    pub fn hidden(mut self) -> Entry {
        self.central = None;
        self
    }
}

/// An archive.
#[derive(Clone, Debug, Default)]
pub struct Zip {
    pub prefix: Vec<u8>,
    pub entries: Vec<Entry>,
    pub comment: Vec<u8>,
    pub zip64: bool,
    /// Offsets count from the start of the file, not of the archive.
    pub absolute: bool,
}

impl Zip {
    pub fn of(entries: Vec<Entry>) -> Zip {
        Zip { entries, ..Zip::default() }
    }

    pub fn build(&self) -> Vec<u8> {
        let mut out = self.prefix.clone();
        let base = if self.absolute { 0 } else { out.len() as u64 };
        let mut directory = Vec::new();
        let mut count = 0u64;
        for entry in &self.entries {
            let offset = entry.offset.unwrap_or(out.len() as u64 - base);
            out.extend(local(&entry.local));
            out.extend(&entry.data);
            out.extend(&entry.after);
            if let Some(head) = &entry.central {
                directory.extend(central(head, offset, self.zip64));
                count += 1;
            }
        }
        let start = out.len() as u64;
        out.extend(&directory);
        let mut offset = start - base;
        let (mut size, mut entries) = (directory.len() as u64, count);
        if self.zip64 {
            let position = out.len() as u64 - base;
            out.extend(end64(count, size, offset));
            out.extend(b"PK\x06\x07\0\0\0\0");
            out.extend(position.to_le_bytes());
            out.extend(1u32.to_le_bytes());
            (offset, size, entries) = (u64::from(u32::MAX), u64::from(u32::MAX), 0xFFFF);
        }
        out.extend(end(entries as u16, size as u32, offset as u32, &self.comment));
        out
    }
}

fn fields(head: &Head, out: &mut Vec<u8>, wide: bool) {
    for number in [20, head.flags, head.method, 0, 0] {
        out.extend(number.to_le_bytes());
    }
    out.extend(head.crc.to_le_bytes());
    for number in [head.packed, head.length] {
        out.extend(if wide { u32::MAX } else { number as u32 }.to_le_bytes());
    }
    out.extend((head.name.len() as u16).to_le_bytes());
}

pub fn local(head: &Head) -> Vec<u8> {
    let mut out = b"PK\x03\x04".to_vec();
    fields(head, &mut out, false);
    out.extend((head.extra.len() as u16).to_le_bytes());
    out.extend(&head.name);
    out.extend(&head.extra);
    out
}

pub fn central(head: &Head, offset: u64, wide: bool) -> Vec<u8> {
    let mut extra = head.extra.clone();
    if wide {
        extra.extend([1, 0, 24, 0]);
        [head.length, head.packed, offset].iter().for_each(|number| extra.extend(number.to_le_bytes()));
    }
    let mut out = b"PK\x01\x02\x14\0".to_vec();
    fields(head, &mut out, wide);
    out.extend((extra.len() as u16).to_le_bytes());
    out.extend([0; 10]);
    out.extend(if wide { u32::MAX } else { offset as u32 }.to_le_bytes());
    out.extend(&head.name);
    out.extend(extra);
    out
}

pub fn end(entries: u16, size: u32, offset: u32, comment: &[u8]) -> Vec<u8> {
    let mut out = b"PK\x05\x06\0\0\0\0".to_vec();
    out.extend(entries.to_le_bytes());
    out.extend(entries.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(offset.to_le_bytes());
    out.extend((comment.len() as u16).to_le_bytes());
    out.extend(comment);
    out
}

fn end64(entries: u64, size: u64, offset: u64) -> Vec<u8> {
    let mut out = b"PK\x06\x06".to_vec();
    out.extend(44u64.to_le_bytes());
    out.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    [entries, entries, size, offset].iter().for_each(|number| out.extend(number.to_le_bytes()));
    out
}

/// All that came out of an archive.
#[derive(Debug, Default)]
pub struct Contents {
    pub members: Vec<Taken>,
    pub anomalies: Vec<(Option<String>, Anomaly)>,
    pub heuristics: Vec<Heuristic>,
}

#[derive(Debug)]
pub struct Taken {
    pub name: String,
    pub bytes: Vec<u8>,
    pub problem: Option<Anomaly>,
}

impl Contents {
    pub fn names(&self) -> Vec<&str> {
        self.members.iter().map(|member| member.name.as_str()).collect()
    }

    pub fn bytes(&self, name: &str) -> &[u8] {
        let member = self.members.iter().find(|member| member.name == name);
        &member.unwrap_or_else(|| panic!("{name} is missing in {:?}", self.names())).bytes
    }

    /// Everything of a kind that is told about the archive or a member.
    pub fn kinds(&self) -> Vec<AnomalyKind> {
        let problems = self.members.iter().filter_map(|member| member.problem.as_ref());
        self.anomalies.iter().map(|(_, anomaly)| anomaly).chain(problems).map(|anomaly| anomaly.kind).collect()
    }

    pub fn has_gap(&self) -> bool {
        self.kinds().into_iter().any(AnomalyKind::is_gap)
    }

    pub fn is_clean(&self) -> bool {
        self.kinds().is_empty() && self.heuristics.is_empty()
    }
}

pub fn read(kind: FileKind, bytes: &[u8]) -> Contents {
    read_within(kind, bytes, Limits::default())
}

pub fn read_within(kind: FileKind, bytes: &[u8], limits: Limits) -> Contents {
    read_source(kind, Arc::new(Memory::new(bytes.to_vec())), limits)
}

/// Reads every member front to back and drops it before the next one, as the engine does.
pub fn read_source(kind: FileKind, source: Arc<dyn Source>, limits: Limits) -> Contents {
    let budget = Budget::new(limits, NoClock);
    let mut contents = Contents::default();
    let Unpacking::Members(mut members) = unpack(kind, &source, &budget) else { panic!("{kind:?} is not unpacked") };
    while let Some(item) = members.next_item() {
        match item {
            Item::Anomaly { member, anomaly } => {
                let member = member.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
                contents.anomalies.push((member, anomaly));
            }
            Item::Heuristic(heuristic) => contents.heuristics.push(heuristic),
            Item::Embedded(_) | Item::Also(_) | Item::Meta(_) => {}
            Item::Member(member) => {
                let bytes = read_all(member.source.as_ref());
                let problem = member.source.problem();
                let name = String::from_utf8_lossy(member.name.as_bytes()).into_owned();
                contents.members.push(Taken { name, bytes, problem });
            }
        }
    }
    assert!(members.next_item().is_none());
    contents
}

pub fn read_all(source: &dyn Source) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let got = source.read_at(all.len() as u64, &mut buffer);
        all.extend(&buffer[..got]);
        if got == 0 {
            return all;
        }
    }
}

/// A number generator that needs no crate.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}
