//! Random signatures over the grammar that both sides understand, each with bytes that fulfil it.
//!
//! A [`Body`] is built element by element; the hexadecimal text and the matching bytes grow together. What is left out
//! on purpose, because ClamAV 1.4 itself is wrong or refuses it: an alternative list of several lengths at the start of
//! a part or right after its first byte.

use std::collections::BTreeSet;

use crate::random::Random;

/// A pattern as text, and bytes that it matches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) text: String,
    pub(crate) instance: Vec<u8>,
    /// The sorts of elements that it uses.
    pub(crate) features: BTreeSet<&'static str>,
}

/// Where a match must start, as text, and for placing instances.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) text: String,
    pub(crate) from: From,
    pub(crate) shift: usize,
}

/// From where a place is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Any,
    Start(usize),
    End(usize),
    /// A place that only executables have, at this offset of [`crate::executable`]'s.
    Executable(usize),
}

impl Body {
    /// A pattern of one to three parts.
    pub(crate) fn random(random: &mut Random) -> Body {
        let mut body = Body::default();
        body.opening(random);
        for part in 0..*random.pick(&[1, 1, 1, 2, 2, 3]) {
            if part > 0 {
                body.gap(random);
            }
            body.part(random);
        }
        body.closing(random);
        body
    }

    /// A pattern of literal letters, as texts have them.
    pub(crate) fn letters(random: &mut Random) -> Body {
        let mut body = Body::default();
        body.literals(random, 4, 9, b"abcdefgh");
        body.features.insert("letters");
        body
    }

    fn part(&mut self, random: &mut Random) {
        let letters = alphabet(random);
        self.literals(random, 3, 6, &letters);
        for _ in 0..random.below(4) {
            self.decoration(random);
            let letters = alphabet(random);
            self.literals(random, 1, 4, &letters);
        }
    }

    fn literals(&mut self, random: &mut Random, from: usize, to: usize, alphabet: &[u8]) {
        for _ in 0..random.range(from, to) {
            let byte = *random.pick(alphabet);
            self.text.push_str(&hex(&[byte], random));
            self.instance.push(byte);
        }
    }

    fn decoration(&mut self, random: &mut Random) {
        let byte = random.byte();
        match random.below(9) {
            0 => self.element("any-byte", "??", &[byte]),
            1 => self.element("nibble", &format!("{:x}?", byte >> 4), &[byte]),
            2 => self.element("nibble", &format!("?{:x}", byte & 15), &[byte]),
            3 => self.fixed_gap(random),
            4 => self.alternatives(random, 1),
            5 => self.alternatives(random, 2),
            6 => self.uneven_alternatives(random),
            7 => self.negated(random),
            _ => self.element("any-bytes", "????", &[byte, byte]),
        }
    }

    fn element(&mut self, feature: &'static str, text: &str, instance: &[u8]) {
        self.features.insert(feature);
        self.text.push_str(text);
        self.instance.extend_from_slice(instance);
    }

    fn fixed_gap(&mut self, random: &mut Random) {
        let count = random.range(1, 20);
        let filling = bytes(random, count);
        self.element("fixed-gap", &format!("{{{count}}}"), &filling);
    }

    /// A gap between two parts.
    fn gap(&mut self, random: &mut Random) {
        let (from, to) = (random.range(0, 6), random.range(6, 30));
        let (text, count) = match random.below(4) {
            0 => ("*".to_owned(), random.below(50)),
            1 => (format!("{{{from}-{to}}}"), random.range(from, to)),
            2 => (format!("{{-{to}}}"), random.below(to + 1)),
            _ => (format!("{{{from}-}}"), from + random.below(30)),
        };
        let filling = bytes(random, count);
        self.element("gap", &text, &filling);
    }

    fn alternatives(&mut self, random: &mut Random, length: usize) {
        let options: Vec<Vec<u8>> = (0..random.range(2, 4)).map(|_| bytes(random, length)).collect();
        let chosen = random.pick(&options).clone();
        self.element("alternatives", &list(&options, random), &chosen);
    }

    fn uneven_alternatives(&mut self, random: &mut Random) {
        let options: Vec<Vec<u8>> = (1..random.range(3, 5)).map(|length| bytes(random, length)).collect();
        let chosen = random.pick(&options).clone();
        self.element("uneven-alternatives", &list(&options, random), &chosen);
    }

    fn negated(&mut self, random: &mut Random) {
        let length = random.range(1, 2);
        let options: Vec<Vec<u8>> = (0..random.range(1, 3)).map(|_| bytes(random, length)).collect();
        let other = (0..).map(|_| bytes(random, length)).find(|other| !options.contains(other)).unwrap_or_default();
        self.element("negated", &format!("!{}", list(&options, random)), &other);
    }

    /// Sometimes a border, or a byte a little before the pattern.
    fn opening(&mut self, random: &mut Random) {
        match random.below(12) {
            0 => self.element("border", "(B)", b" "),
            1 => self.element("border", "(L)", b"\n"),
            2 => self.element("border", "(W)", b"#"),
            3 => self.element("border", "!(W)", b"q"),
            _ => {}
        }
    }

    fn closing(&mut self, random: &mut Random) {
        match random.below(12) {
            0 => self.element("border", "(B)", b" "),
            1 => self.element("border", "(L)", b"\n"),
            2 => self.element("border", "(W)", b"#"),
            3 => self.element("border", "!(W)", b"q"),
            _ => {}
        }
    }
}

impl Place {
    /// Somewhere in any object.
    pub(crate) fn random(random: &mut Random) -> Place {
        let shift = if random.once_in(3) { random.range(1, 40) } else { 0 };
        let distance = random.range(16, 300);
        let place = match random.below(8) {
            0 => Place { text: distance.to_string(), from: From::Start(distance), shift },
            1 => Place { text: format!("EOF-{distance}"), from: From::End(distance), shift },
            2 => Place { text: "0".to_owned(), from: From::Start(0), shift },
            _ => return Place::anywhere(),
        };
        Place { text: if shift > 0 { format!("{},{shift}", place.text) } else { place.text }, ..place }
    }

    /// `*`.
    pub(crate) fn anywhere() -> Place {
        Place { text: "*".to_owned(), from: From::Any, shift: 0 }
    }
}

/// Bytes in hexadecimal, in either case.
pub(crate) fn hex(bytes: &[u8], random: &mut Random) -> String {
    let upper = random.once_in(4);
    bytes.iter().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect()
}

/// Random bytes.
pub(crate) fn bytes(random: &mut Random, count: usize) -> Vec<u8> {
    (0..count).map(|_| random.byte()).collect()
}

fn list(options: &[Vec<u8>], random: &mut Random) -> String {
    let texts: Vec<String> = options.iter().map(|option| hex(option, random)).collect();
    format!("({})", texts.join("|"))
}

/// Bytes that literals are made of: mostly any, sometimes few, so that matches overlap.
fn alphabet(random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => b"ab".to_vec(),
        1 => vec![0, 0xff, b'a'],
        2 => b"abcdefghijklmnopqrstuvwxyz0123456789".to_vec(),
        _ => (0..=255).collect(),
    }
}
