//! ASCIIHexDecode and ASCII85Decode (ISO 32000-1 7.4.2 and 7.4.3).

use std::io;

use super::{Input, Steps, broken, next};
use crate::pdf::syntax::{hex, is_space};

/// Pairs of hexadecimal digits up to `>`.
pub(super) struct AsciiHex {
    input: Input,
}

impl AsciiHex {
    pub(super) fn new(input: Input) -> AsciiHex {
        AsciiHex { input }
    }

    /// The next digit; none at the end.
    fn digit(&mut self) -> io::Result<Option<u8>> {
        loop {
            match next(&mut self.input)? {
                None | Some(b'>') => return Ok(None),
                Some(byte) if is_space(byte) => {}
                Some(byte) => return hex(byte).map(Some).ok_or_else(|| broken("not a hexadecimal digit")),
            }
        }
    }
}

impl Steps for AsciiHex {
    fn step(&mut self, output: &mut Vec<u8>) -> io::Result<bool> {
        let Some(high) = self.digit()? else { return Ok(false) };
        let low = self.digit()?;
        output.push(high << 4 | low.unwrap_or(0));
        Ok(low.is_some())
    }
}

/// Groups of five digits to the base 85 for four bytes, up to `~>`.
pub(super) struct Ascii85 {
    input: Input,
    started: bool,
}

impl Ascii85 {
    pub(super) fn new(input: Input) -> Ascii85 {
        Ascii85 { input, started: false }
    }

    /// Passes the `<~` that some writers begin with.
    fn start(&mut self) -> io::Result<()> {
        self.started = true;
        while let Some(byte) = self.input.fill_buf()?.first().copied() {
            if !is_space(byte) && byte != b'<' && byte != b'~' {
                break;
            }
            self.input.consume(1);
            if byte == b'~' {
                break;
            }
        }
        Ok(())
    }

    /// Up to five digits, then whether the data go on. `z` alone stands for five zeros.
    fn group(&mut self, digits: &mut Vec<u8>) -> io::Result<bool> {
        while digits.len() < 5 {
            match next(&mut self.input)? {
                None | Some(b'~') => return Ok(false),
                Some(b'z') if digits.is_empty() => digits.extend([0; 5]),
                Some(byte @ b'!'..=b'u') => digits.push(byte - b'!'),
                Some(byte) if is_space(byte) => {}
                Some(_) => return Err(broken("not a digit of ASCII85")),
            }
        }
        Ok(true)
    }
}

impl Steps for Ascii85 {
    fn step(&mut self, output: &mut Vec<u8>) -> io::Result<bool> {
        if !self.started {
            self.start()?;
        }
        let mut digits = Vec::with_capacity(5);
        let result = self.group(&mut digits);
        let given = digits.len();
        digits.resize(5, 84);
        let value = digits.iter().fold(0u64, |value, digit| value * 85 + u64::from(*digit));
        let [_, _, _, _, bytes @ ..] = value.to_be_bytes();
        output.extend(bytes.iter().take(given.saturating_sub(1)));
        result
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Filter, tests::decoded};
    use std::io::ErrorKind;

    #[test]
    fn hexadecimal() {
        let table: [(&str, &[u8], Option<ErrorKind>); 5] = [
            ("4142 4\n3>44", b"ABC", None),
            ("41424", b"AB@", None),
            ("4142", b"AB", None),
            (">", b"", None),
            ("41x2", b"A", Some(ErrorKind::InvalidData)),
        ];
        for (text, expected, error) in table {
            assert_eq!(decoded(&[Filter::AsciiHex], text.as_bytes()), (expected.to_vec(), error), "{text}");
        }
    }

    #[test]
    fn base_85() {
        let table: [(&str, &[u8], Option<ErrorKind>); 6] = [
            ("87cURD]i,\"Ebo80~>", b"Hello World!", None),
            ("<~87cUR\nD]i,\"Ebo80", b"Hello World!", None),
            ("z~>", &[0; 4], None),
            ("87cURD]~>", b"Hello", None),
            ("~>", b"", None),
            ("87cUR\u{7f}", b"Hell", Some(ErrorKind::InvalidData)),
        ];
        for (text, expected, error) in table {
            assert_eq!(decoded(&[Filter::Ascii85], text.as_bytes()), (expected.to_vec(), error), "{text}");
        }
    }
}
