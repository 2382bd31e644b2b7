//! RC4, and AES in CBC mode (ISO 32000-1 7.6.2).

use std::io::{self, BufReader, Cursor, ErrorKind, Read};

use aes::cipher::{Array, BlockCipherDecrypt, KeyInit};

use crate::crypt::rc4::Rc4;
use crate::pdf::filter::{Input, Steps, stepped};

/// Bytes of an AES block.
const BLOCK: usize = 16;

/// What decrypts bytes.
#[derive(Clone)]
pub(in crate::pdf) enum Cipher {
    /// AES with a key of 16 or 32 bytes; the first block is the vector, the last is padded (RFC 2898).
    Aes(Vec<u8>),
    Rc4(Vec<u8>),
}

impl Cipher {
    /// Decrypts a stream.
    pub(in crate::pdf) fn open(&self, input: Input) -> Input {
        let reader = match self {
            Cipher::Aes(key) => stepped(Chained { input, aes: Aes::new(key), before: None, held: None }),
            Cipher::Rc4(key) => Box::new(Rc4Read { input, state: Rc4::new(key) }),
        };
        Box::new(BufReader::new(reader))
    }

    /// Decrypts a string, as far as it goes.
    pub(in crate::pdf) fn text(&self, text: Vec<u8>) -> Vec<u8> {
        let mut plain = Vec::new();
        // A string that is cut off is as long as it is.
        let _ = self.open(Box::new(Cursor::new(text))).read_to_end(&mut plain);
        plain
    }

    /// Decrypts whole blocks behind a vector, and leaves padding where it is.
    pub(super) fn blocks(&self, bytes: &[u8]) -> Vec<u8> {
        let Cipher::Aes(key) = self else { return Vec::new() };
        let aes = Aes::new(key);
        let blocks = bytes.as_chunks::<BLOCK>().0;
        blocks
            .windows(2)
            .flat_map(|pair| if let [before, block] = pair { aes.chained(before, block) } else { [0; BLOCK] })
            .collect()
    }
}

/// AES with either length of key.
enum Aes {
    Long(Box<aes::Aes256Dec>),
    None,
    Short(Box<aes::Aes128Dec>),
}

impl Aes {
    fn new(key: &[u8]) -> Aes {
        match (aes::Aes128Dec::new_from_slice(key), aes::Aes256Dec::new_from_slice(key)) {
            (Ok(aes), _) => Aes::Short(Box::new(aes)),
            (_, Ok(aes)) => Aes::Long(Box::new(aes)),
            _ => Aes::None,
        }
    }

    /// One block in CBC mode.
    fn chained(&self, before: &[u8; BLOCK], block: &[u8; BLOCK]) -> [u8; BLOCK] {
        let mut array = Array::from(*block);
        match self {
            Aes::Long(aes) => aes.decrypt_block(&mut array),
            Aes::Short(aes) => aes.decrypt_block(&mut array),
            Aes::None => {}
        }
        let mut plain: [u8; BLOCK] = array.into();
        plain.iter_mut().zip(before).for_each(|(byte, before)| *byte ^= before);
        plain
    }
}

/// A stream in CBC mode.
struct Chained {
    input: Input,
    aes: Aes,
    /// The block before, encrypted.
    before: Option<[u8; BLOCK]>,
    /// The last block, plain: it is held back because of the padding.
    held: Option<[u8; BLOCK]>,
}

impl Chained {
    /// The next block; none at the end.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = Vec::with_capacity(BLOCK);
        (&mut self.input).take(BLOCK as u64).read_to_end(&mut block)?;
        match <[u8; BLOCK]>::try_from(block) {
            Ok(block) => Ok(Some(block)),
            Err(rest) if rest.is_empty() => Ok(None),
            Err(_) => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Steps for Chained {
    fn step(&mut self, output: &mut Vec<u8>) -> io::Result<bool> {
        let next = self.block();
        let held = self.held.take();
        let Some(block) = next.as_ref().ok().copied().flatten() else {
            let padding = held.and_then(|held| held.last().copied()).map_or(0, usize::from);
            let padding = if (1..=BLOCK).contains(&padding) && next.is_ok() { padding } else { 0 };
            output.extend(held.iter().flatten().take(BLOCK - padding));
            return next.map(|_| false);
        };
        output.extend(held.iter().flatten());
        self.held = self.before.map(|before| self.aes.chained(&before, &block));
        self.before = Some(block);
        Ok(true)
    }
}

struct Rc4Read {
    input: Input,
    state: Rc4,
}

impl Read for Rc4Read {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.state.apply(buffer.get_mut(..got).unwrap_or_default());
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector "Key", "Plaintext" that everybody uses.
    #[test]
    fn rc4_is_rc4() {
        let expected = [0xBB, 0xF3, 0x16, 0xE8, 0xD9, 0x40, 0xAF, 0x0A, 0xD3];
        assert_eq!(Cipher::Rc4(b"Key".to_vec()).text(expected.to_vec()), b"Plaintext");
    }

    /// NIST SP 800-38A F.2.2, first block, behind its vector: there is no padding, so it comes as it is.
    #[test]
    fn aes_is_aes() {
        let key: Vec<u8> =
            [0x2b7e151628aed2a6u64, 0xabf7158809cf4f3c].iter().flat_map(|half| half.to_be_bytes()).collect();
        let vector: Vec<u8> = (0..16).collect();
        let block: Vec<u8> =
            [0x7649abac8119b246u64, 0xcee98e9b12e9197d].iter().flat_map(|half| half.to_be_bytes()).collect();
        let plain: Vec<u8> =
            [0x6bc1bee22e409f96u64, 0xe93d7e117393172a].iter().flat_map(|half| half.to_be_bytes()).collect();
        let cipher = Cipher::Aes(key);
        assert_eq!(cipher.text([vector.clone(), block.clone()].concat()), plain);
        assert_eq!(cipher.blocks(&[vector.clone(), block.clone()].concat()), plain);
        assert_eq!(cipher.text([vector, block, vec![1]].concat()), plain);
    }
}
