//! AES with keys of any length, and streams of it: CBC (NIST SP 800-38A 6.2) and WinZip's counter.

use std::io::{self, ErrorKind, Read};

use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

/// Bytes of a block.
pub(crate) const BLOCK: usize = 16;
/// Blocks that are decrypted at once.
const TOGETHER: usize = 512;

/// AES with a key of 128, 192 or 256 bits.
pub(crate) enum Aes {
    /// 128 bits
    Short(Box<aes::Aes128>),
    /// 192 bits
    Middle(Box<aes::Aes192>),
    /// 256 bits
    Long(Box<aes::Aes256>),
}

impl Aes {
    /// With this key; none if it has no length that AES takes.
    pub(crate) fn new(key: &[u8]) -> Option<Aes> {
        match key.len() {
            16 => aes::Aes128::new_from_slice(key).ok().map(|aes| Aes::Short(Box::new(aes))),
            24 => aes::Aes192::new_from_slice(key).ok().map(|aes| Aes::Middle(Box::new(aes))),
            32 => aes::Aes256::new_from_slice(key).ok().map(|aes| Aes::Long(Box::new(aes))),
            _ => None,
        }
    }

    /// One block, encrypted.
    pub(crate) fn encrypt(&self, block: &[u8; BLOCK]) -> [u8; BLOCK] {
        let mut array = Array::from(*block);
        match self {
            Aes::Short(aes) => aes.encrypt_block(&mut array),
            Aes::Middle(aes) => aes.encrypt_block(&mut array),
            Aes::Long(aes) => aes.encrypt_block(&mut array),
        }
        array.into()
    }

    /// One block, decrypted.
    pub(crate) fn decrypt(&self, block: &[u8; BLOCK]) -> [u8; BLOCK] {
        let mut array = Array::from(*block);
        match self {
            Aes::Short(aes) => aes.decrypt_block(&mut array),
            Aes::Middle(aes) => aes.decrypt_block(&mut array),
            Aes::Long(aes) => aes.decrypt_block(&mut array),
        }
        array.into()
    }

    /// Whole blocks in CBC mode, decrypted in place; `before` becomes the last one as it was. What is left behind the last
    /// whole block stays as it is.
    pub(crate) fn decrypt_chain(&self, before: &mut [u8; BLOCK], bytes: &mut [u8]) {
        for block in bytes.as_chunks_mut::<BLOCK>().0 {
            let plain = self.decrypt(block);
            let mixed: [u8; BLOCK] =
                std::array::from_fn(|at| plain.get(at).copied().unwrap_or(0) ^ before.get(at).copied().unwrap_or(0));
            *before = *block;
            *block = mixed;
        }
    }

    /// Whole blocks, each by itself, decrypted in place.
    pub(crate) fn decrypt_each(&self, bytes: &mut [u8]) {
        for block in bytes.as_chunks_mut::<BLOCK>().0 {
            *block = self.decrypt(block);
        }
    }
}

/// A stream in CBC mode. Padding is left where it is; a last block that is cut off ends it.
pub(crate) struct Chained<R> {
    input: R,
    aes: Aes,
    before: [u8; BLOCK],
    plain: Vec<u8>,
    used: usize,
}

impl<R: Read> Chained<R> {
    /// Decrypts `input`; none if the key has no length that AES takes.
    pub(crate) fn new(input: R, key: &[u8], vector: [u8; BLOCK]) -> Option<Chained<R>> {
        Some(Chained { input, aes: Aes::new(key)?, before: vector, plain: Vec::new(), used: 0 })
    }

    /// Decrypts some more blocks.
    fn fill(&mut self) -> io::Result<()> {
        self.plain.resize(TOGETHER * BLOCK, 0);
        self.used = 0;
        let got = read_fully(&mut self.input, &mut self.plain)?;
        self.plain.truncate(got / BLOCK * BLOCK);
        self.aes.decrypt_chain(&mut self.before, &mut self.plain);
        Ok(())
    }
}

impl<R: Read> Read for Chained<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used >= self.plain.len() {
            self.fill()?;
        }
        let rest = self.plain.get(self.used..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.used = self.used.saturating_add(count);
        Ok(count)
    }
}

/// A stream in counter mode as WinZip has it: the counter begins with 1, its lowest byte first.
pub(crate) struct Counted<R> {
    input: R,
    aes: Aes,
    counter: u128,
    pad: [u8; BLOCK],
    used: usize,
}

impl<R: Read> Counted<R> {
    /// Decrypts `input`; none if the key has no length that AES takes.
    pub(crate) fn new(input: R, key: &[u8]) -> Option<Counted<R>> {
        Some(Counted { input, aes: Aes::new(key)?, counter: 0, pad: [0; BLOCK], used: BLOCK })
    }

    fn next_byte(&mut self) -> u8 {
        if self.used >= BLOCK {
            self.counter = self.counter.wrapping_add(1);
            self.pad = self.aes.encrypt(&self.counter.to_le_bytes());
            self.used = 0;
        }
        let byte = self.pad.get(self.used).copied().unwrap_or(0);
        self.used = self.used.saturating_add(1);
        byte
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        for byte in buffer.get_mut(..got).unwrap_or_default() {
            *byte ^= self.next_byte();
        }
        Ok(got)
    }
}

/// Fills the buffer; fewer bytes only at the end.
pub(crate) fn read_fully(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0usize;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(got) => done = done.saturating_add(got),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2).unwrap(), 16).unwrap()).collect()
    }

    /// NIST SP 800-38A F.2: CBC with keys of three lengths, the first two blocks.
    #[test]
    fn cbc_is_cbc() {
        let plain = bytes("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        let vector: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        for (key, text) in [
            ("2b7e151628aed2a6abf7158809cf4f3c", "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"),
            (
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a",
            ),
            (
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
            ),
        ] {
            let mut read = Vec::new();
            let text = [bytes(text), vec![1, 2, 3]].concat();
            Chained::new(&text[..], &bytes(key), vector).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, plain);
        }
        assert!(Chained::new(&[][..], &[0; 15], vector).is_none());
    }
}
