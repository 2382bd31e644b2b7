//! yEnc (yEnc 1.3, "The Encoder"): each byte plus 42, four of them escaped by an equals sign and another 64.

use std::io;

use super::turn::Turn;

/// A decoder of the lines between `=ybegin` and `=yend`.
#[derive(Default)]
pub(crate) struct Yenc {
    escaped: bool,
}

impl Turn for Yenc {
    fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        for byte in input {
            match byte {
                b'\r' | b'\n' => {}
                b'=' if !self.escaped => self.escaped = true,
                _ => {
                    let shift = if std::mem::take(&mut self.escaped) { 42 + 64 } else { 42 };
                    out.push(byte.wrapping_sub(shift));
                }
            }
        }
        true
    }

    fn end(&mut self, _: &mut Vec<u8>) -> io::Result<()> {
        Ok(())
    }
}

/// The value of `key=` in a keyword line: up to the next blank, for `name` to the end of the line.
pub(crate) fn keyword<'a>(line: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let sign = [b" ", key, b"="].concat();
    let at = line.windows(sign.len()).position(|window| window == sign)?;
    let rest = line.get(at + sign.len()..)?;
    match key {
        b"name" => Some(rest.trim_ascii()),
        _ => rest.split(|byte| *byte == b' ').next(),
    }
}
