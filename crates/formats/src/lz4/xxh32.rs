//! xxHash-32 (the xxHash fast digest algorithm, 0.1.1), which LZ4 frames use with seed 0.

const PRIMES: [u32; 5] = [0x9e37_79b1, 0x85eb_ca77, 0xc2b2_ae3d, 0x27d4_eb2f, 0x1656_67b1];

/// The digest of all bytes so far.
#[derive(Clone)]
pub(super) struct Xxh32 {
    lanes: [u32; 4],
    /// Fewer than 16 bytes that wait for the rest of their stripe.
    waiting: Vec<u8>,
    length: u64,
}

impl Xxh32 {
    /// The digest of no bytes.
    pub(super) fn new() -> Xxh32 {
        let [first, second, ..] = PRIMES;
        let lanes = [first.wrapping_add(second), second, 0, 0_u32.wrapping_sub(first)];
        Xxh32 { lanes, waiting: Vec::new(), length: 0 }
    }

    /// The digest of some bytes.
    pub(super) fn of(bytes: &[u8]) -> u32 {
        let mut digest = Xxh32::new();
        digest.update(bytes);
        digest.finish()
    }

    /// Adds bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.length = self.length.wrapping_add(u64::try_from(bytes.len()).unwrap_or(0));
        let mut rest = bytes;
        if !self.waiting.is_empty() {
            let (head, tail) = rest.split_at(rest.len().min(16 - self.waiting.len()));
            self.waiting.extend_from_slice(head);
            rest = tail;
            if let Some(stripe) = self.waiting.first_chunk::<16>().copied() {
                self.stripe(&stripe);
                self.waiting.clear();
            }
        }
        while let Some((stripe, tail)) = rest.split_first_chunk::<16>() {
            self.stripe(stripe);
            rest = tail;
        }
        self.waiting.extend_from_slice(rest);
    }

    fn stripe(&mut self, stripe: &[u8; 16]) {
        let [first, second, ..] = PRIMES;
        let (words, _) = stripe.as_chunks::<4>();
        for (lane, word) in self.lanes.iter_mut().zip(words) {
            let sum = lane.wrapping_add(u32::from_le_bytes(*word).wrapping_mul(second));
            *lane = sum.rotate_left(13).wrapping_mul(first);
        }
    }

    /// The digest.
    pub(super) fn finish(&self) -> u32 {
        let [first, second, third, fourth, fifth] = PRIMES;
        let [a, b, c, d] = self.lanes;
        let long = a.rotate_left(1).wrapping_add(b.rotate_left(7));
        let long = long.wrapping_add(c.rotate_left(12)).wrapping_add(d.rotate_left(18));
        let mut sum = if self.length < 16 { fifth } else { long };
        let [l0, l1, l2, l3, ..] = self.length.to_le_bytes();
        sum = sum.wrapping_add(u32::from_le_bytes([l0, l1, l2, l3]));
        let (words, bytes) = self.waiting.as_chunks::<4>();
        for word in words {
            sum = sum.wrapping_add(u32::from_le_bytes(*word).wrapping_mul(third));
            sum = sum.rotate_left(17).wrapping_mul(fourth);
        }
        for byte in bytes {
            sum = sum.wrapping_add(u32::from(*byte).wrapping_mul(fifth));
            sum = sum.rotate_left(11).wrapping_mul(first);
        }
        sum = (sum ^ (sum >> 15)).wrapping_mul(second);
        sum = (sum ^ (sum >> 13)).wrapping_mul(third);
        sum ^ (sum >> 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_known_bytes() {
        assert_eq!(Xxh32::of(b""), 0x02cc_5d05);
        assert_eq!(Xxh32::of(b"a"), 0x550d_7456);
        assert_eq!(Xxh32::of(b"abc"), 0x32d1_53ff);
        assert_eq!(Xxh32::of(b"Nobody inspects the spammish repetition"), 0xe229_3b2f);
    }

    #[test]
    fn pieces_do_not_matter() {
        let bytes: Vec<u8> = (0..=255).collect();
        for size in 1..40 {
            let mut digest = Xxh32::new();
            bytes.chunks(size).for_each(|piece| digest.update(piece));
            assert_eq!(digest.finish(), Xxh32::of(&bytes));
        }
    }
}
