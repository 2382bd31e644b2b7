//! Escapes in strings, and `unescape`.

/// The bytes of a string with its escapes resolved. Characters beyond 127 of `\u` become UTF-8, each half of a pair for
/// itself; a zero becomes 1 (observed).
pub(super) fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'\\' {
            plain.push(*byte);
            continue;
        }
        let Some((escape, behind)) = rest.split_first() else { break };
        rest = behind;
        match (escape, behind) {
            (b'x', [high, low, behind @ ..]) => {
                plain.push(never_zero(byte_of(*high, *low).to_be_bytes()[1]));
                rest = behind;
            }
            (b'x', _) => {
                plain.push(b'\\');
                rest = &[];
            }
            (b'u', [a, b, c, d, behind @ ..]) => {
                push_unit(&mut plain, unit([*a, *b, *c, *d]));
                rest = behind;
            }
            (b'u', _) => plain.push(b'\\'),
            _ => plain.push(control(*escape)),
        }
    }
    plain
}

/// ECMA-262 B.2.1.2, where all four digits or both are there.
pub(super) fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match (byte, behind) {
            (b'%', [b'u', a, b, c, d, behind @ ..]) if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => {
                push_unit(&mut plain, unit([*a, *b, *c, *d]));
                rest = behind;
            }
            (b'%', [high, low, behind @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                plain.push(never_zero(byte_of(*high, *low).to_be_bytes()[1]));
                rest = behind;
            }
            _ => plain.push(*byte),
        }
    }
    plain
}

/// ECMA-262 12.9.4, table 37; all others stand for themselves.
fn control(escape: u8) -> u8 {
    match escape {
        b'0' => 1,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        other => other,
    }
}

fn never_zero(byte: u8) -> u8 {
    byte.max(1)
}

/// Two hexadecimal digits. A wrong first one counts as 0, a wrong second one makes all bits ones (observed).
fn byte_of(high: u8, low: u8) -> u16 {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u16::try_from(value).ok());
    digit(low).map_or(0xffff, |low| (digit(high).unwrap_or(0) << 4) | low)
}

fn unit([a, b, c, d]: [u8; 4]) -> u16 {
    (byte_of(a, b) << 8) | byte_of(c, d)
}

/// A unit of UTF-16 in the form of UTF-8.
fn push_unit(plain: &mut Vec<u8>, unit: u16) {
    let [high, low] = unit.to_be_bytes();
    let tail = |bits: u8| 0x80 | (bits & 0x3f);
    match unit {
        0..0x80 => plain.push(never_zero(low)),
        0x80..0x800 => plain.extend([0xc0 | (high << 2) | (low >> 6), tail(low)]),
        _ => plain.extend([0xe0 | (high >> 4), tail((high << 2) | (low >> 6)), tail(low)]),
    }
}
