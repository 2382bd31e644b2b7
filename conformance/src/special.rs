//! Random subsignatures that are no patterns: comparisons of numbers and regular expressions, each behind letters that
//! another subsignature looks for, with bytes that fulfil both.

use crate::random::Random;
use crate::signature::Body;

/// Two subsignatures, of which the second refers to the first by its number, and bytes for both.
pub(crate) struct Pair {
    pub(crate) first: String,
    pub(crate) second: String,
    pub(crate) instance: Vec<u8>,
}

/// A comparison of a number that stands behind letters.
pub(crate) fn comparison(random: &mut Random, id: usize) -> Pair {
    let letters = Body::letters(random);
    let value = match random.below(4) {
        0 => random.below(10),
        1 => random.below(256),
        2 => random.below(70_000),
        _ => random.below(1 << 31),
    };
    let (options, text) = number(random, value);
    let distance = letters.instance.len();
    let (sign, distance) = match random.below(6) {
        0 => (">>", format!("0x{distance:x}")),
        1 => ("<<", format!("-{distance}")),
        _ => (">>", distance.to_string()),
    };
    let near = |random: &mut Random| (value + random.below(3)).saturating_sub(random.below(2));
    let mut comparisons = format!("{}{}", random.pick(&["=", "<", ">"]), near(random));
    if random.once_in(3) {
        comparisons = format!(">{},<0x{:x}", value.saturating_sub(random.below(3)), value + random.below(4));
    }
    let instance = [letters.instance, text].concat();
    Pair { first: letters.text, second: format!("{id}({sign}{distance}#{options}#{comparisons})"), instance }
}

/// How a number is asked for, and how it is written.
fn number(random: &mut Random, value: usize) -> (String, Vec<u8>) {
    let exact = if random.once_in(3) { "e" } else { "" };
    let blanks = " ".repeat(random.below(3) * random.below(2));
    let prefix = *random.pick(&["", "", "0x", "0X"]);
    let (letters, text) = match random.below(8) {
        0 => ("hb", format!("{blanks}{prefix}{value:x}")),
        1 => ("hl", format!("{blanks}{prefix}{}", turned(value))),
        2 => ("db", format!("{blanks}{value}")),
        3 => ("d", format!("{blanks}-{value}")),
        4 => ("ab", format!("{blanks}{prefix}{value}")),
        5 => ("al", format!("{blanks}0x{}", turned(value))),
        _ => return raw(random, value),
    };
    let text = text + *random.pick(&["", "", "z", " ", "x1"]);
    let length = (text.len() + random.below(2)).saturating_sub(random.below(2)).clamp(1, 18);
    (format!("{letters}{exact}{length}"), text.into_bytes())
}

fn raw(random: &mut Random, value: usize) -> (String, Vec<u8>) {
    let width = *random.pick(&[1, 2, 4, 8]);
    let bytes = value.to_le_bytes();
    let little = random.once_in(2);
    let mut bytes = bytes[..width.min(bytes.len())].to_vec();
    if !little {
        bytes.reverse();
    }
    (format!("i{}{width}", if little { "l" } else { "b" }), bytes)
}

/// Hexadecimal digits, the lowest pair first.
fn turned(value: usize) -> String {
    let width = if value < 256 { 1 } else { 4 };
    value.to_le_bytes()[..width].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A regular expression whose trigger is letters that stand before it.
pub(crate) fn regex(random: &mut Random, id: usize) -> Pair {
    let letters = Body::letters(random);
    let (mut text, mut instance) = (String::new(), Vec::new());
    for _ in 0..random.range(1, 4) {
        let (more, bytes) = element(random);
        text.push_str(&more);
        instance.extend(bytes);
    }
    let flags: String = ["g", "i", "s", "m", "r", "E"].into_iter().filter(|_| random.once_in(5)).collect();
    if flags.contains('i') {
        instance.iter_mut().filter(|_| random.once_in(2)).for_each(u8::make_ascii_uppercase);
    }
    let place =
        if random.once_in(8) { format!("{},{}:", random.below(100), random.range(1, 900)) } else { String::new() };
    let instance = [letters.instance, vec![b'\n'; random.below(3)], instance].concat();
    Pair { first: letters.text, second: format!("{place}{id}/{text}/{flags}"), instance }
}

/// A piece of an expression, and bytes that it matches.
fn element(random: &mut Random) -> (String, Vec<u8>) {
    let word = Body::letters(random).instance;
    let plain = String::from_utf8_lossy(&word).into_owned();
    let first = word[0];
    match random.below(16) {
        0 => (plain, word),
        1 => (format!("({plain}|xyz)"), word),
        2 => (format!("[a-h]{{2,{}}}", word.len() + 1), word),
        3 => (format!("(?:{plain})+"), [word.clone(), word].concat()),
        4 => (format!("({plain})\\s*\\1"), [word.as_slice(), b" \n", &word].concat()),
        5 => (format!("(?<n>[a-h])\\k<n>{}", &plain[1..]), [&[first, first], &word[1..]].concat()),
        6 => (format!("{plain}(?=[0-9])\\d"), [word.as_slice(), b"7"].concat()),
        7 => (format!("(?<![0-9]){plain}"), word),
        8 => (format!("{plain}.{{0,5}}?;"), [word.as_slice(), b"..;"].concat()),
        9 => (format!("\\x{first:02x}[^\\x{first:02x}]"), vec![first, b'%']),
        10 => (format!("(?i){plain}"), word.to_ascii_uppercase()),
        11 => (format!("{plain}++[^a-h]"), [word.as_slice(), b"#"].concat()),
        12 => (format!("(?>[a-h]+)\\W{plain}"), [word.as_slice(), b"-", &word].concat()),
        13 => (format!("(?!{plain}x){plain}\\b"), [word.as_slice(), b" "].concat()),
        14 => ("[[:alpha:]]+\\h\\d{1,3}".to_owned(), [word.as_slice(), b" 42"].concat()),
        _ => (format!("^{plain}$"), [b"\n", word.as_slice(), b"\n"].concat()),
    }
}
