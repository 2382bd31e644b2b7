//! XXH64, the checksum of frames (RFC 8878 3.1.1; "xxHash fast digest algorithm", version 0.2.0).

const P1: u64 = 0x9e37_79b1_85eb_ca87;
const P2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const P3: u64 = 0x1656_67b1_9e37_79f9;
const P4: u64 = 0x85eb_ca77_c2b2_ae63;
const P5: u64 = 0x27d4_eb2f_1656_67c5;
/// Bytes that the four lanes take at once.
const STRIPE: usize = 32;

/// A digest with the seed 0, as far as bytes were given.
pub(super) struct Xxh64 {
    lanes: [u64; 4],
    /// Bytes that do not fill a stripe yet.
    kept: [u8; STRIPE],
    length: u64,
}

impl Xxh64 {
    pub(super) fn new() -> Xxh64 {
        let lanes = [P1.wrapping_add(P2), P2, 0, 0_u64.wrapping_sub(P1)];
        Xxh64 { lanes, kept: [0; STRIPE], length: 0 }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        let filled = usize::try_from(self.length % 32).unwrap_or(0);
        self.length = self.length.wrapping_add(u64::try_from(bytes.len()).unwrap_or(0));
        if filled > 0 {
            let count = bytes.len().min(STRIPE - filled);
            let (first, rest) = bytes.split_at(count);
            self.kept.iter_mut().skip(filled).zip(first).for_each(|(place, byte)| *place = *byte);
            if filled + count < STRIPE {
                return;
            }
            let kept = self.kept;
            self.stripe(&kept);
            bytes = rest;
        }
        let (stripes, rest) = bytes.as_chunks::<STRIPE>();
        let mut lanes = self.lanes;
        for stripe in stripes {
            run(&mut lanes, stripe);
        }
        self.lanes = lanes;
        self.kept.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
    }

    fn stripe(&mut self, stripe: &[u8; STRIPE]) {
        run(&mut self.lanes, stripe);
    }

    pub(super) fn finish(&self) -> u64 {
        let [a, b, c, d] = self.lanes;
        let mut hash = P5;
        if self.length >= 32 {
            hash = a.rotate_left(1).wrapping_add(b.rotate_left(7));
            hash = hash.wrapping_add(c.rotate_left(12)).wrapping_add(d.rotate_left(18));
            for lane in self.lanes {
                hash = (hash ^ round(0, lane)).wrapping_mul(P1).wrapping_add(P4);
            }
        }
        hash = hash.wrapping_add(self.length);
        let filled = usize::try_from(self.length % 32).unwrap_or(0);
        let (eights, rest) = self.kept.get(..filled).unwrap_or(&[]).as_chunks::<8>();
        for eight in eights {
            hash ^= round(0, u64::from_le_bytes(*eight));
            hash = hash.rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
        }
        let (fours, ones) = rest.as_chunks::<4>();
        for four in fours {
            hash ^= u64::from(u32::from_le_bytes(*four)).wrapping_mul(P1);
            hash = hash.rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
        }
        for one in ones {
            hash ^= u64::from(*one).wrapping_mul(P5);
            hash = hash.rotate_left(11).wrapping_mul(P1);
        }
        hash = (hash ^ hash >> 33).wrapping_mul(P2);
        hash = (hash ^ hash >> 29).wrapping_mul(P3);
        hash ^ hash >> 32
    }
}

#[inline(always)]
fn run(lanes: &mut [u64; 4], stripe: &[u8; STRIPE]) {
    for (lane, eight) in lanes.iter_mut().zip(stripe.as_chunks::<8>().0) {
        *lane = round(*lane, u64::from_le_bytes(*eight));
    }
}

#[inline(always)]
fn round(lane: u64, input: u64) -> u64 {
    lane.wrapping_add(input.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(bytes: &[u8]) -> u64 {
        let mut hash = Xxh64::new();
        hash.update(bytes);
        hash.finish()
    }

    #[test]
    fn known_digests_come_out() {
        assert_eq!(hash(b""), 0xef46_db37_51d8_e999);
        assert_eq!(hash(b"a"), 0xd24e_c4f1_a98c_6e5b);
        assert_eq!(hash(b"abc"), 0x44bc_2cf5_ad77_0999);
    }

    #[test]
    fn the_pieces_do_not_matter() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for size in 1..100 {
            let mut pieces = Xxh64::new();
            bytes.chunks(size).for_each(|piece| pieces.update(piece));
            assert_eq!(pieces.finish(), hash(&bytes), "{size}");
        }
    }
}
