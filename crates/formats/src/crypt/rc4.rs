//! RC4, as old documents use it.

/// RC4 at work.
pub(crate) struct Rc4 {
    state: [u8; 256],
    first: u8,
    second: u8,
}

impl Rc4 {
    /// Begins with a key.
    pub(crate) fn new(key: &[u8]) -> Rc4 {
        let mut rc4 = Rc4 { state: std::array::from_fn(|at| u8::try_from(at).unwrap_or(0)), first: 0, second: 0 };
        let mut other = 0u8;
        for (at, byte) in (0..=255u8).zip(key.iter().cycle()) {
            other = other.wrapping_add(rc4.at(at)).wrapping_add(*byte);
            rc4.state.swap(at.into(), other.into());
        }
        rc4
    }

    fn at(&self, at: u8) -> u8 {
        self.state.get(usize::from(at)).copied().unwrap_or(0)
    }

    /// Encrypts or decrypts the next bytes in place.
    pub(crate) fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.first = self.first.wrapping_add(1);
            self.second = self.second.wrapping_add(self.at(self.first));
            self.state.swap(self.first.into(), self.second.into());
            *byte ^= self.at(self.at(self.first).wrapping_add(self.at(self.second)));
        }
    }
}

/// RC4 of a few bytes.
pub(crate) fn rc4(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    Rc4::new(key).apply(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector "Key", "Plaintext" that everybody uses.
    #[test]
    fn rc4_is_rc4() {
        assert_eq!(rc4(b"Key", b"Plaintext"), [0xBB, 0xF3, 0x16, 0xE8, 0xD9, 0x40, 0xAF, 0x0A, 0xD3]);
    }
}
