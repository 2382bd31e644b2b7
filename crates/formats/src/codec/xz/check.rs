//! The checks behind a block of xz (the .xz File Format 1.2.1, 2.1.1.2 and 6): none, CRC-32, CRC-64 or SHA-256.

use sha2::{Digest, Sha256};

/// A check, as far as bytes were given.
pub(super) enum Check {
    Crc32(crc32fast::Hasher),
    Crc64(u64),
    Sha256(Box<Sha256>),
    /// None, or one that nobody has defined yet, of so many bytes.
    Unknown(usize),
}

impl Check {
    /// 2.1.1.2: the check of this number; the numbers above 15 are none.
    pub(super) fn new(number: u8) -> Option<Check> {
        Some(match number {
            0 => Check::Unknown(0),
            1 => Check::Crc32(crc32fast::Hasher::new()),
            4 => Check::Crc64(u64::MAX),
            10 => Check::Sha256(Box::default()),
            2..=3 => Check::Unknown(4),
            5..=6 => Check::Unknown(8),
            7..=9 => Check::Unknown(16),
            11..=12 => Check::Unknown(32),
            13..=15 => Check::Unknown(64),
            _ => return None,
        })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Check::Crc32(sum) => sum.update(bytes),
            Check::Crc64(sum) => *sum = crc64(*sum, bytes),
            Check::Sha256(digest) => digest.update(bytes),
            Check::Unknown(_) => {}
        }
    }

    /// How many bytes it takes.
    pub(super) fn size(&self) -> usize {
        match self {
            Check::Crc32(_) => 4,
            Check::Crc64(_) => 8,
            Check::Sha256(_) => 32,
            Check::Unknown(size) => *size,
        }
    }

    /// True if these bytes are what the check says.
    pub(super) fn agrees(self, bytes: &[u8]) -> bool {
        match self {
            Check::Crc32(sum) => sum.finalize().to_le_bytes() == bytes,
            Check::Crc64(sum) => (!sum).to_le_bytes() == bytes,
            Check::Sha256(digest) => digest.finalize()[..] == *bytes,
            Check::Unknown(_) => true,
        }
    }
}

/// The polynomial of ECMA-182, reflected.
const POLYNOMIAL: u64 = 0xc96c_5795_d787_0f42;

/// The remainder of a byte, and of one that up to seven zero bytes follow.
static REMAINDERS: [[u64; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0_usize;
    while byte < 256 {
        let mut sum = byte as u64;
        let mut table = 0;
        while table < 8 {
            let mut bit = 0;
            while bit < 8 {
                sum = if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL } else { sum >> 1 };
                bit += 1;
            }
            #[allow(clippy::indexing_slicing, reason = "computed at compile time")]
            let place = &mut tables[table][byte];
            *place = sum;
            table += 1;
        }
        byte += 1;
    }
    tables
};

/// CRC-64/XZ, without the last complement: eight bytes at once ("slicing by eight", Kounavis and Berry 2005).
fn crc64(mut sum: u64, bytes: &[u8]) -> u64 {
    let remainder = |table: &[u64; 256], byte: u64| table.get((byte & 0xff) as usize).copied().unwrap_or(0);
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &REMAINDERS;
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        let word = sum ^ u64::from_le_bytes(*eight);
        let low =
            remainder(t7, word) ^ remainder(t6, word >> 8) ^ remainder(t5, word >> 16) ^ remainder(t4, word >> 24);
        let high = remainder(t3, word >> 32)
            ^ remainder(t2, word >> 40)
            ^ remainder(t1, word >> 48)
            ^ remainder(t0, word >> 56);
        sum = low ^ high;
    }
    rest.iter().fold(sum, |sum, byte| remainder(t0, sum ^ u64::from(*byte)) ^ sum >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        assert_eq!(!crc64(u64::MAX, b"123456789"), 0x995d_c9bb_df19_39fa);
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for at in 0..100 {
            let (first, second) = bytes.split_at(at);
            assert_eq!(crc64(crc64(u64::MAX, first), second), crc64(u64::MAX, &bytes));
        }
    }
}
