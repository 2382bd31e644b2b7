//! The body of a request: by length, or in chunks (RFC 9112, 7.1).

use crate::head::{Refusal, refuse};

/// A line of a chunk's size, and one of a trailer, is at most so long.
const LONGEST_LINE: usize = 256;
/// More trailers are refused.
const MOST_TRAILERS: u32 = 32;

/// What a piece of input was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Bytes of the body: so many of the input, after so many that are not part of it.
    Data {
        /// Bytes of the input before them.
        skip: usize,
        /// How many they are.
        length: usize,
    },
    /// The body is complete; so many bytes of the input belong to it.
    End(usize),
    /// All of the input, so many bytes, was taken, and more is needed.
    More(usize),
}

/// Reads a body.
#[derive(Clone, Debug)]
pub struct Body {
    state: State,
    trailers: u32,
}

#[derive(Clone, Debug)]
enum State {
    /// So many bytes are left, and then it is over.
    Length(u64),
    /// A line with the size of the next chunk, as far as it has come.
    Size(Vec<u8>),
    /// So many bytes of a chunk are left.
    Chunk(u64),
    /// The line break after a chunk.
    Break(Vec<u8>),
    /// Trailers, until an empty line.
    Trailer(Vec<u8>),
    Over,
}

impl Body {
    pub(crate) fn of_length(length: u64) -> Body {
        Body { state: State::Length(length), trailers: 0 }
    }

    pub(crate) fn in_chunks() -> Body {
        Body { state: State::Size(Vec::new()), trailers: 0 }
    }

    /// How long it will be, if that was said.
    #[must_use]
    pub fn announced(&self) -> Option<u64> {
        match self.state {
            State::Length(length) => Some(length),
            _ => None,
        }
    }

    /// True if it is complete.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over | State::Length(0))
    }

    /// Looks at the next input. To be called again with what is behind what was taken.
    ///
    /// # Errors
    /// When chunks are malformed.
    pub fn decode(&mut self, input: &[u8]) -> Result<Decoded, Refusal> {
        let mut skip = 0;
        loop {
            let rest = input.get(skip..).unwrap_or_default();
            match &mut self.state {
                State::Over | State::Length(0) => return Ok(Decoded::End(skip)),
                _ if rest.is_empty() => return Ok(Decoded::More(skip)),
                State::Length(left) | State::Chunk(left) => {
                    let length = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
                    if matches!(self.state, State::Chunk(0)) {
                        self.state = State::Break(Vec::new());
                    }
                    return Ok(Decoded::Data { skip, length });
                }
                State::Size(line) | State::Break(line) | State::Trailer(line) => {
                    let (taken, whole) = take_line(line, rest)?;
                    skip += taken;
                    if whole {
                        self.line()?;
                    }
                }
            }
        }
    }

    /// A line is whole.
    fn line(&mut self) -> Result<(), Refusal> {
        self.state = match &self.state {
            State::Size(line) => match size(line)? {
                0 => State::Trailer(Vec::new()),
                size => State::Chunk(size),
            },
            State::Break(line) if line.is_empty() => State::Size(Vec::new()),
            State::Trailer(line) if line.is_empty() => State::Over,
            State::Trailer(_) if self.trailers < MOST_TRAILERS => {
                self.trailers += 1;
                State::Trailer(Vec::new())
            }
            _ => return refuse(400, "a chunk is malformed"),
        };
        Ok(())
    }
}

/// Adds to a line until its end, CR LF; true if that was found. Lone ones are refused.
fn take_line(line: &mut Vec<u8>, input: &[u8]) -> Result<(usize, bool), Refusal> {
    for (at, byte) in input.iter().enumerate() {
        match (*byte, line.last()) {
            (b'\n', Some(b'\r')) => {
                line.pop();
                return Ok((at + 1, true));
            }
            (b'\n', _) | (_, Some(b'\r')) => return refuse(400, "a line of a chunk ends wrongly"),
            (byte, _) => line.push(byte),
        }
        if line.len() > LONGEST_LINE {
            return refuse(400, "a line of a chunk is too long");
        }
    }
    Ok((input.len(), false))
}

/// The size in a chunk's line; extensions after it are passed over.
fn size(line: &[u8]) -> Result<u64, Refusal> {
    let text = String::from_utf8_lossy(line);
    let digits = text.split(';').next().unwrap_or_default().trim_end_matches([' ', '\t']);
    let sound = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let size = if sound { u64::from_str_radix(digits, 16).ok() } else { None };
    size.ok_or(Refusal { status: 400, detail: "the size of a chunk is no number" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, and what is left behind it; split in pieces of this size.
    fn read(mut body: Body, input: &[u8], piece: usize) -> Result<Option<(Vec<u8>, usize)>, Refusal> {
        let (mut data, mut at) = (Vec::new(), 0);
        loop {
            let window = &input[at..(at + piece).min(input.len())];
            match body.decode(window)? {
                Decoded::Data { skip, length } => {
                    data.extend_from_slice(&window[skip..skip + length]);
                    at += skip + length;
                }
                Decoded::End(taken) => return Ok(Some((data, input.len() - at - taken))),
                Decoded::More(taken) => {
                    at += taken;
                    if at == input.len() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    #[test]
    fn bodies_are_read_however_they_are_split() {
        let chunks = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: z\r\n\r\nnext";
        for piece in [1, 2, 3, 5, 100] {
            assert_eq!(read(Body::in_chunks(), chunks, piece), Ok(Some((b"hello world".to_vec(), 4))), "{piece}");
            assert_eq!(read(Body::of_length(5), b"hellonext", piece), Ok(Some((b"hello".to_vec(), 4))));
        }
        assert_eq!(read(Body::of_length(0), b"next", 9), Ok(Some((Vec::new(), 4))));
        assert_eq!(read(Body::in_chunks(), b"5\r\nhel", 9), Ok(None));
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for bad in ["x\r\n", "\r\n", "5\n", "-1\r\n", "1\r\nab\r\n", "ffffffffffffffffff\r\n", "1\rx", "0x1\r\n"] {
            assert!(read(Body::in_chunks(), bad.as_bytes(), 100).is_err(), "{bad:?}");
        }
        assert!(read(Body::in_chunks(), &[b'1'; 300], 100).is_err());
        let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(40));
        assert!(read(Body::in_chunks(), trailers.as_bytes(), 1000).is_err());
    }
}
