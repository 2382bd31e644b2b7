//! RunLengthDecode (ISO 32000-1 7.4.5).

use std::io::{self, ErrorKind};

use super::{Input, Steps, next};

/// Runs: a length below 128 and one byte more than that; or 257 less a length times the next byte; 128 ends them.
pub(super) struct RunLength {
    input: Input,
}

impl RunLength {
    pub(super) fn new(input: Input) -> RunLength {
        RunLength { input }
    }
}

impl Steps for RunLength {
    fn step(&mut self, output: &mut Vec<u8>) -> io::Result<bool> {
        let cut = || io::Error::from(ErrorKind::UnexpectedEof);
        match next(&mut self.input)? {
            None | Some(128) => return Ok(false),
            Some(length @ 0..128) => {
                for _ in 0..=length {
                    output.push(next(&mut self.input)?.ok_or_else(cut)?);
                }
            }
            Some(length) => {
                let byte = next(&mut self.input)?.ok_or_else(cut)?;
                output.resize(257 - usize::from(length), byte);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Filter, tests::decoded};
    use std::io::ErrorKind;

    #[test]
    fn runs() {
        let table: [(&[u8], &[u8], Option<ErrorKind>); 4] = [
            (b"\x02abc\xfex\x80more", b"abcxxx", None),
            (b"\x02abc", b"abc", None),
            (b"\x02ab", b"ab", Some(ErrorKind::UnexpectedEof)),
            (b"\xfe", b"", Some(ErrorKind::UnexpectedEof)),
        ];
        for (bytes, expected, error) in table {
            assert_eq!(decoded(&[Filter::RunLength], bytes), (expected.to_vec(), error));
        }
    }
}
