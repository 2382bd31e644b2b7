//! The compression of VBA projects (MS-OVBA 2.4.1).
//!
//! A container is a signature byte and chunks of up to 4096 plain bytes each. A chunk is either plain or a sequence of
//! groups: a byte of flags, then eight tokens, each a literal byte or a copy of bytes of the same chunk. Broken containers
//! give the bytes before the break.

use std::io::{self, ErrorKind, Read};

use crate::stream::{SourceRead, remark};

/// The first byte of a container.
pub(super) const SIGNATURE: u8 = 1;
/// Plain bytes in a chunk at most.
const CHUNK: usize = 4096;

/// Decodes a container.
pub(super) struct Container {
    input: SourceRead,
    /// Plain bytes of the chunk at hand.
    chunk: Vec<u8>,
    /// How many of them were given.
    given: usize,
    started: bool,
    odd: bool,
    ended: Option<io::Result<()>>,
}

impl Container {
    /// Decodes the container that begins at the position of the input.
    pub(super) fn new(input: SourceRead) -> Container {
        Container { input, chunk: Vec::with_capacity(CHUNK), given: 0, started: false, odd: false, ended: None }
    }

    /// Decodes the next chunk; false at the end.
    fn next_chunk(&mut self) -> io::Result<bool> {
        self.chunk.clear();
        self.given = 0;
        if !std::mem::replace(&mut self.started, true) && self.byte()? != Some(SIGNATURE) {
            return Err(broken("no compressed source code stands where the project says"));
        }
        let Some(low) = self.byte()? else { return Ok(false) };
        let Some(high) = self.byte()? else { return Ok(false) };
        let header = u16::from_le_bytes([low, high]);
        // MS-OVBA 2.4.1.1.5: the length counts these two bytes as well, and is three too small.
        let length = u64::from(header & 0x0fff) + 1;
        // The three bits of the chunk signature are 0b011; readers do not agree on what else means.
        self.odd |= header >> 12 & 7 != 3;
        if header & 0x8000 == 0 {
            // A plain chunk is always full (2.4.1.3.3).
            let mut plain = [0; CHUNK];
            let got = self.input.read_fully(&mut plain);
            self.chunk.extend(plain.iter().take(got));
            return Ok(got > 0);
        }
        let mut data = [0; CHUNK];
        let wanted = usize::try_from(length).unwrap_or(CHUNK).min(CHUNK);
        let got = data.get_mut(..wanted).map_or(0, |data| self.input.read_fully(data));
        decode(data.get(..got).unwrap_or(&[]), &mut self.chunk)?;
        if got < wanted {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(true)
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        Ok((self.input.read(&mut byte)? == 1).then_some(byte[0]))
    }

    fn end(&self) -> io::Result<()> {
        if self.odd { Err(remark("chunks of the compressed source code have a wrong signature")) } else { Ok(()) }
    }
}

impl Read for Container {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            let rest = self.chunk.get(self.given..).unwrap_or(&[]);
            let count = rest.len().min(buffer.len());
            if let (true, Some(to), Some(from)) = (count > 0, buffer.get_mut(..count), rest.get(..count)) {
                to.copy_from_slice(from);
                self.given += count;
                return Ok(count);
            }
            if let Some(ended) = self.ended.as_mut() {
                return std::mem::replace(ended, Ok(())).map(|()| 0);
            }
            match self.next_chunk() {
                Ok(true) => {}
                Ok(false) => self.ended = Some(self.end()),
                // What the chunk gave before it broke is still given.
                Err(error) => self.ended = Some(Err(error)),
            }
        }
        Ok(0)
    }
}

/// Decodes the groups of a chunk (MS-OVBA 2.4.1.3.2).
fn decode(data: &[u8], plain: &mut Vec<u8>) -> io::Result<()> {
    let mut data = data.iter().copied();
    while let Some(flags) = data.next() {
        for bit in 0..8 {
            let Some(low) = data.next() else { return Ok(()) };
            if flags >> bit & 1 == 0 {
                plain.push(low);
            } else {
                let Some(high) = data.next() else { return Err(ErrorKind::UnexpectedEof.into()) };
                copy(u16::from_le_bytes([low, high]), plain)?;
            }
            if plain.len() >= CHUNK {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A copy token (MS-OVBA 2.4.1.3.19): how its bits are shared out depends on how much of the chunk is decoded.
fn copy(token: u16, plain: &mut Vec<u8>) -> io::Result<()> {
    let done = plain.len();
    // The number of bits for the offset: enough for every offset there can be, at least four.
    let bits = usize::BITS.saturating_sub(done.saturating_sub(1).leading_zeros()).clamp(4, 12);
    let length = usize::from(token & (0xffff >> bits)) + 3;
    let offset = usize::from(token >> (16 - bits)) + 1;
    let Some(start) = done.checked_sub(offset) else {
        return Err(broken("a copy in the compressed source code reaches behind the start of its chunk"));
    };
    for at in start..start.saturating_add(length) {
        let Some(byte) = plain.get(at).copied().filter(|_| plain.len() < CHUNK) else { break };
        plain.push(byte);
    }
    Ok(())
}

fn broken(detail: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn decompress(container: &[u8]) -> (Vec<u8>, bool) {
        let mut decoder = Container::new(SourceRead::new(Arc::new(dachs_base::Memory::new(container))));
        let mut plain = Vec::new();
        let whole = decoder.read_to_end(&mut plain).is_ok();
        (plain, whole)
    }

    /// MS-OVBA 3.2: examples of compression.
    #[test]
    fn the_examples_of_the_specification_decode() {
        let none = b"\x01\x19\xb0\x00abcdefgh\x00ijklmnop\x00qrstuv.";
        assert_eq!(decompress(none), (b"abcdefghijklmnopqrstuv.".to_vec(), true));
        let normal = [
            0x01, 0x2f, 0xb0, 0x00, 0x23, 0x61, 0x61, 0x61, 0x62, 0x63, 0x64, 0x65, 0x82, 0x66, 0x00, 0x70, 0x61, 0x67,
            0x68, 0x69, 0x6a, 0x01, 0x38, 0x08, 0x61, 0x6b, 0x6c, 0x00, 0x30, 0x6d, 0x6e, 0x6f, 0x70, 0x06, 0x71, 0x02,
            0x70, 0x04, 0x10, 0x72, 0x73, 0x74, 0x75, 0x76, 0x10, 0x77, 0x78, 0x79, 0x7a, 0x00, 0x3c,
        ];
        let text = b"#aaabcdefaaaaghijaaaaaklaaamnopqaaaaaaaaaaaarstuvwxyzaaa";
        assert_eq!(decompress(&normal), (text.to_vec(), true));
        let most = [0x01, 0x03, 0xb0, 0x02, 0x61, 0x45, 0x00];
        assert_eq!(decompress(&most), (vec![b'a'; 73], true));
    }

    #[test]
    fn broken_containers_give_what_they_can() {
        assert_eq!(decompress(b"\x02\x19\xb0"), (Vec::new(), false));
        assert_eq!(decompress(b"\x01\x19\xb0\x00abcdefgh\x00ijk"), (b"abcdefghijk".to_vec(), false));
        assert_eq!(decompress(b"\x01\x05\xb0\x04ab\xff\xffcd"), (b"ab".to_vec(), false));
        assert_eq!(decompress(b"\x01"), (Vec::new(), true));
        // A wrong chunk signature is odd, and decoded all the same.
        assert_eq!(decompress(b"\x01\x02\x80\x00ab"), (b"ab".to_vec(), false));
    }
}
