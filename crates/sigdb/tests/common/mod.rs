//! What the tests of the image share: short ways to write rules, sources of bytes, random numbers that repeat.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code; not every test uses all of it"
)]

use dachs_base::{Budget, Facts, FileKind, Finding, Limits, Memory, NoClock, Source, Target};
use dachs_sigdb::model::{
    BodyRule, Comparison, Condition, Digest, Element, Expression, HashRule, LogicalRule, Offset, Pattern, SourceInfo,
    Subsignature,
};
use dachs_sigdb::{Builder, Examined, Image, View};
use sha2::Digest as _;

/// A pattern of these bytes; `?` stands for any byte, `*` for any gap.
pub fn pattern(text: &str) -> Pattern {
    let element = |byte: u8| match byte {
        b'?' => Element::Byte { value: 0, mask: 0 },
        b'*' => Element::Gap { min: 0, max: None },
        value => Element::Byte { value, mask: 0xFF },
    };
    Pattern { elements: text.bytes().map(element).collect() }
}

/// A pattern of exactly these bytes.
pub fn literal(bytes: &[u8]) -> Pattern {
    Pattern { elements: bytes.iter().map(|value| Element::Byte { value: *value, mask: 0xFF }).collect() }
}

pub fn body(target: Target, offset: Offset, text: &str) -> BodyRule {
    BodyRule { target, offset, pattern: pattern(text) }
}

pub fn logical(target: Target, conditions: &[Condition], expression: Expression, texts: &[&str]) -> LogicalRule {
    let sub = |text: &&str| Subsignature::Body { offset: Offset::ANY, patterns: vec![pattern(text)] };
    LogicalRule { target, conditions: conditions.to_vec(), expression, subsignatures: texts.iter().map(sub).collect() }
}

pub fn id(id: u8) -> Expression {
    count(id, Comparison::Greater, 0)
}

pub fn count(id: u8, comparison: Comparison, count: u32) -> Expression {
    Expression::Count { id, comparison, count }
}

pub fn md5(bytes: &[u8]) -> Digest {
    Digest::Md5(md5::Md5::digest(bytes).into())
}

pub fn sha1(bytes: &[u8]) -> Digest {
    Digest::Sha1(sha1::Sha1::digest(bytes).into())
}

pub fn sha256(bytes: &[u8]) -> Digest {
    Digest::Sha256(sha2::Sha256::digest(bytes).into())
}

/// A builder with one source.
pub fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.source(SourceInfo { name: "test.db".into(), ..SourceInfo::default() });
    builder
}

pub fn hash(builder: &mut Builder, name: &str, digest: Digest, size: Option<u64>) {
    builder.add_hash(0, name, &HashRule { digest, size }).unwrap();
}

pub fn budget() -> Budget {
    Budget::new(Limits::default(), NoClock)
}

/// Examines a file of no particular kind.
pub fn examine(image: &Image<'_>, bytes: &[u8], all: bool) -> Examined {
    examine_source(image, &Memory::new(bytes), FileKind::Data, &Facts::default(), all)
}

pub fn examine_source(image: &Image<'_>, source: &dyn Source, kind: FileKind, facts: &Facts, all: bool) -> Examined {
    image.examine(&View { source, target: kind.target(), facts, around: &[] }, &budget(), all)
}

/// The names of the signatures found, in their order, and where.
pub fn names<'a>(image: &Image<'a>, findings: &[Finding]) -> Vec<(&'a str, Option<u64>)> {
    findings.iter().map(|finding| (&*image.name(finding.signature).unwrap().leak(), finding.offset)).collect()
}

/// Numbers that look random and are the same every time.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[3])
    }
}

/// A file of `length` bytes, all zero but for some stretches. The rest are holes, as `next_data` tells.
pub struct Sparse {
    pub length: u64,
    /// Offset and bytes, in order.
    pub stretches: Vec<(u64, Vec<u8>)>,
    /// The most bytes that may be read of it.
    pub allowance: std::sync::atomic::AtomicU64,
    /// Whether the length is known without work.
    pub known: bool,
}

impl Sparse {
    pub fn new(length: u64, stretches: Vec<(u64, Vec<u8>)>) -> Sparse {
        Sparse { length, stretches, allowance: u64::MAX.into(), known: true }
    }
}

impl Source for Sparse {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let count = usize::try_from(self.length.saturating_sub(offset)).unwrap().min(buffer.len());
        let spent = self.allowance.fetch_sub(count as u64, std::sync::atomic::Ordering::Relaxed);
        assert!(spent >= count as u64, "too much was read, at {offset}");
        for (index, byte) in buffer[..count].iter_mut().enumerate() {
            *byte = self.byte(offset + index as u64);
        }
        count
    }

    fn len(&self) -> u64 {
        self.length
    }

    fn known_len(&self) -> Option<u64> {
        self.known.then_some(self.length)
    }

    fn next_data(&self, offset: u64) -> u64 {
        // Blocks of 4096 bytes, as file systems have them.
        let block =
            |(start, bytes): &(u64, Vec<u8>)| (start & !4095, (start + bytes.len() as u64).next_multiple_of(4096));
        let next = self.stretches.iter().map(block).find(|(_, end)| *end > offset);
        next.map_or(self.length, |(start, _)| start.max(offset))
    }
}

impl Sparse {
    fn byte(&self, offset: u64) -> u8 {
        let stretch =
            self.stretches.iter().find(|(start, bytes)| (*start..start + bytes.len() as u64).contains(&offset));
        stretch.map_or(0, |(start, bytes)| bytes[(offset - start) as usize])
    }
}
