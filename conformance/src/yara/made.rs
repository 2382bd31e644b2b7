//! Files made to match: for each rule, a header that its condition asks for, and a sample of each of its strings.
//!
//! Nothing is promised: conditions may ask for more than is understood here (modules, digests, counts). What matters is that
//! many rules hit, and that others come near. Of every third rule there is a second file with one byte changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use boreal_parser::expression::{Expression, ExpressionKind, ReadIntegerType};
use boreal_parser::file::YaraFileComponent;
use boreal_parser::hex_string::{Mask, Token};
use boreal_parser::regex::{
    BracketedClassItem, ClassKind, Node, PerlClass, PerlClassKind, RepetitionKind, RepetitionRange,
};
use boreal_parser::rule::{Rule, VariableDeclaration, VariableDeclarationValue};

use crate::random::Random;

/// Samples repeat something so often at most.
const MOST: u32 = 2000;
/// Headers and sizes beyond this are not made, in bytes.
const LARGEST: usize = 1 << 20;

/// Writes the files for the rules in these files; gives their paths.
pub(super) fn files(rules: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut random = Random::new(0x5a17);
    let mut paths = Vec::new();
    let mut write = |bytes: &[u8]| {
        let path = folder.join(format!("{:06}", paths.len()));
        let written = std::fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()));
        paths.push(path);
        written
    };
    for file in rules {
        let text = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let Ok(parsed) = boreal_parser::parse(&String::from_utf8_lossy(&text)) else { continue };
        for component in parsed.components {
            let YaraFileComponent::Rule(rule) = component else { continue };
            let mut bytes = sample(&rule, &mut random);
            write(&bytes)?;
            if random.once_in(3) && !bytes.is_empty() {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
                write(&bytes)?;
            }
        }
    }
    Ok(paths)
}

/// A file for one rule.
fn sample(rule: &Rule, random: &mut Random) -> Vec<u8> {
    let mut asked = Asked::default();
    asked.walk(&rule.condition, false);
    let mut file = File::default();
    for (at, bytes) in &asked.bytes {
        file.put(*at, bytes);
    }
    for string in &rule.variables {
        let bytes = of_string(string, random);
        match asked.places.get(&string.name) {
            Some(at) => file.put(*at, &bytes),
            None => file.append(&bytes, random),
        }
    }
    file.bytes.resize(file.bytes.len().max(asked.size), b' ');
    file.bytes
}

/// Bytes, of which some have their place.
#[derive(Default)]
struct File {
    bytes: Vec<u8>,
}

impl File {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if end > LARGEST {
            return;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[at..end].copy_from_slice(bytes);
    }

    /// Between strings stands something that is no part of a word, in one byte or two.
    fn append(&mut self, bytes: &[u8], random: &mut Random) {
        let between = *random.pick::<&[u8]>(&[b"\n", b" \0", b"\0\0\0", b"\r\n"]);
        self.bytes.extend(between);
        self.bytes.extend(bytes);
        self.bytes.extend(between);
    }
}

/// What a condition asks for, as far as it is understood.
#[derive(Default)]
struct Asked {
    bytes: Vec<(usize, Vec<u8>)>,
    places: BTreeMap<String, usize>,
    size: usize,
}

impl Asked {
    fn walk(&mut self, condition: &Expression, negated: bool) {
        match &condition.expr {
            ExpressionKind::And(parts) | ExpressionKind::Or(parts) => {
                parts.iter().for_each(|part| self.walk(part, negated));
            }
            ExpressionKind::Not(part) => self.walk(part, !negated),
            _ if negated => {}
            ExpressionKind::Eq(left, right) => {
                self.integer(left, right);
                self.integer(right, left);
            }
            ExpressionKind::Cmp { left, right, less_than: false, .. } => self.larger(left, right),
            ExpressionKind::Cmp { left, right, less_than: true, .. } => self.larger(right, left),
            ExpressionKind::VariableAt { variable_name, offset, .. } => {
                if let Some(at) = constant(offset) {
                    self.places.entry(variable_name.clone()).or_insert(at);
                }
            }
            ExpressionKind::For { body: Some(body), .. } | ExpressionKind::ForIdentifiers { body, .. } => {
                self.walk(body, false);
            }
            _ => {}
        }
    }

    /// `filesize > N`
    fn larger(&mut self, large: &Expression, small: &Expression) {
        if let (ExpressionKind::Filesize, Some(size)) = (&large.expr, constant(small)) {
            self.size = self.size.max(size + 1);
        }
    }

    /// `uint16(0) == 0x5A4D`, `uint32(uint32(0x3C)) == 0x4550`
    fn integer(&mut self, read: &Expression, value: &Expression) {
        let (ExpressionKind::ReadInteger { ty, addr }, ExpressionKind::Integer(value)) = (&read.expr, &value.expr)
        else {
            return;
        };
        let at = match (&addr.expr, constant(addr)) {
            (_, Some(at)) => at,
            (ExpressionKind::ReadInteger { ty: ReadIntegerType::Uint32, addr }, None) => match constant(addr) {
                Some(pointer) => {
                    self.bytes.push((pointer, 0x80_u32.to_le_bytes().to_vec()));
                    0x80
                }
                None => return,
            },
            _ => return,
        };
        let little = value.to_le_bytes();
        let turned = |width: usize| little[..width].iter().rev().copied().collect::<Vec<u8>>();
        self.bytes.push((
            at,
            match ty {
                ReadIntegerType::Int8 | ReadIntegerType::Uint8 => little[..1].to_vec(),
                ReadIntegerType::Int16 | ReadIntegerType::Uint16 => little[..2].to_vec(),
                ReadIntegerType::Int32 | ReadIntegerType::Uint32 => little[..4].to_vec(),
                ReadIntegerType::Int16BE | ReadIntegerType::Uint16BE => turned(2),
                ReadIntegerType::Int32BE | ReadIntegerType::Uint32BE => turned(4),
            },
        ));
    }
}

/// A number that is not negative, and not too large to be a place or a size here.
fn constant(expression: &Expression) -> Option<usize> {
    match &expression.expr {
        ExpressionKind::Integer(number) => usize::try_from(*number).ok().filter(|number| *number < LARGEST),
        _ => None,
    }
}

fn of_string(string: &VariableDeclaration, random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    match &string.value {
        VariableDeclarationValue::Bytes(text) => bytes.extend(text),
        VariableDeclarationValue::HexString(tokens) => of_tokens(tokens, &mut bytes, random),
        VariableDeclarationValue::Regex(regex) => of_node(&regex.ast, &mut bytes, random),
    }
    let modifiers = &string.modifiers;
    if modifiers.nocase && random.once_in(2) {
        bytes.make_ascii_uppercase();
    }
    if let Some((from, to)) = modifiers.xor {
        let key = u8::try_from(random.range(usize::from(from), usize::from(to))).unwrap_or(from);
        bytes.iter_mut().for_each(|byte| *byte ^= key);
    }
    if modifiers.wide && (!modifiers.ascii || random.once_in(2)) {
        bytes = bytes.iter().flat_map(|byte| [*byte, 0]).collect();
    }
    match &modifiers.base64 {
        Some(base64) => encode(&bytes, base64.alphabet.as_ref(), base64.wide && !base64.ascii),
        None => bytes,
    }
}

/// Base64 (RFC 4648, section 4), with any alphabet.
fn encode(bytes: &[u8], alphabet: Option<&[u8; 64]>, wide: bool) -> Vec<u8> {
    let standard = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let alphabet = alphabet.unwrap_or(standard);
    let digits = bytes.chunks(3).flat_map(|chunk| {
        let number =
            chunk.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).map(move |digit| alphabet[number >> (18 - 6 * digit) & 63])
    });
    digits.flat_map(|digit| if wide { vec![digit, 0] } else { vec![digit] }).collect()
}

fn of_tokens(tokens: &[Token], bytes: &mut Vec<u8>, random: &mut Random) {
    for token in tokens {
        match token {
            Token::Byte(byte) => bytes.push(*byte),
            Token::NotByte(byte) => bytes.push(byte.wrapping_add(1)),
            Token::MaskedByte(byte, mask) => bytes.push(masked(*byte, mask, random)),
            Token::NotMaskedByte(byte, mask) => bytes.push(masked(*byte ^ 0x11, mask, random)),
            Token::Jump(jump) => {
                let most = jump.to.unwrap_or(jump.from.saturating_add(3)).min(jump.from.saturating_add(9));
                let count = random.range(count(jump.from), count(most.max(jump.from)));
                (0..count).for_each(|_| bytes.push(random.byte()));
            }
            Token::Alternatives(alternatives) => of_tokens(random.pick::<Vec<Token>>(alternatives), bytes, random),
        }
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number.min(MOST)).unwrap_or(0)
}

fn masked(byte: u8, mask: &Mask, random: &mut Random) -> u8 {
    match mask {
        Mask::Left => random.byte() & 0xf0 | byte & 0x0f,
        Mask::Right => byte << 4 | random.byte() & 0x0f,
        Mask::All => random.byte(),
    }
}

fn of_node(node: &Node, bytes: &mut Vec<u8>, random: &mut Random) {
    match node {
        Node::Alternation(nodes) => of_node(random.pick(nodes), bytes, random),
        Node::Concat(nodes) => nodes.iter().for_each(|node| of_node(node, bytes, random)),
        Node::Group(node) => of_node(node, bytes, random),
        Node::Assertion(_) | Node::Empty => {}
        Node::Dot => bytes.push(*random.pick(b"abz 09_-")),
        Node::Literal(literal) => bytes.push(literal.byte),
        Node::Char(literal) => bytes.extend(literal.c.to_string().as_bytes()),
        Node::Class(class) => bytes.push(of_class(class, random)),
        Node::Repetition { node, kind, .. } => {
            let (least, most) = match kind {
                RepetitionKind::ZeroOrOne => (0, 1),
                RepetitionKind::ZeroOrMore => (0, 3),
                RepetitionKind::OneOrMore => (1, 3),
                RepetitionKind::Range(RepetitionRange::Exactly(exactly)) => (*exactly, *exactly),
                RepetitionKind::Range(RepetitionRange::AtLeast(least)) => (*least, least.saturating_add(2)),
                RepetitionKind::Range(RepetitionRange::Bounded(least, most)) => (*least, *most),
            };
            let most = most.min(least.saturating_add(5)).max(least);
            (0..random.range(count(least), count(most))).for_each(|_| of_node(node, bytes, random));
        }
    }
}

/// A byte of a class; any, if none of some tried ones is in it.
fn of_class(class: &ClassKind, random: &mut Random) -> u8 {
    let start = random.below(95);
    let printable = (0..95_usize).map(|step| b' ' + u8::try_from((start + step) % 95).unwrap_or(0));
    let all = printable.chain(0..=255);
    let mut fitting = all.filter(|byte| match class {
        ClassKind::Perl(perl) => is_perl(perl, *byte),
        ClassKind::Bracketed(class) => {
            class.items.iter().any(|item| match item {
                BracketedClassItem::Perl(perl) => is_perl(perl, *byte),
                BracketedClassItem::Literal(literal) => literal.byte == *byte,
                BracketedClassItem::Range(from, to) => (from.byte..=to.byte).contains(byte),
            }) != class.negated
        }
    });
    fitting.next().unwrap_or(b'x')
}

fn is_perl(class: &PerlClass, byte: u8) -> bool {
    let is_in = match class.kind {
        PerlClassKind::Word => byte.is_ascii_alphanumeric() || byte == b'_',
        PerlClassKind::Space => byte.is_ascii_whitespace() || byte == 0x0b,
        PerlClassKind::Digit => byte.is_ascii_digit(),
    };
    is_in != class.negated
}
