//! How rare a short stretch of bytes is in ordinary files.
//!
//! `rarity.bin` holds, for each pair of folded bytes (bit 5 left out, so there are 128), and then for each folded byte, -8
//! log2 of its share in ordinary files, at most 255. A longer stretch is taken as a chain in which each byte depends on the
//! one before: the share of its first pair, times the shares of the following pairs among the pairs that begin alike.
//!
//! `examples/train_rarity.rs` made it from 2,967 files of a Debian system below 4 MB, each counted alike: every second
//! program and library of /usr/bin, /usr/lib and /usr/sbin, every 29th file of /usr/share and /etc, and 40 small programs for
//! Windows that Python brings along. Any table gives right answers; a better one gives fewer candidates.

/// Pairs of folded bytes, then the bytes alone: eighths of a bit.
static TABLE: &[u8; 128 * 128 + 128] = include_bytes!("rarity.bin");

/// How rare `bytes` are, in eighths of a bit; the more the rarer. Case does not count.
pub(crate) fn of(bytes: &[u8]) -> u32 {
    let mut sum = 0;
    for (at, pair) in bytes.windows(2).enumerate() {
        let &[first, second] = pair else { continue };
        let (first, second) = (fold(first), fold(second));
        sum += pair_rarity(first, second).saturating_sub(if at == 0 { 0 } else { byte_rarity(first) });
    }
    // A run of one byte fills pages of some file, whichever byte it is.
    let run = bytes.windows(2).all(|pair| pair.first() == pair.last());
    if run { sum / 4 } else { sum }
}

/// How rare a byte is, in eighths of a bit. Case does not count.
pub(crate) fn of_byte(byte: u8) -> u32 {
    byte_rarity(fold(byte))
}

/// A folded byte in seven bits.
fn fold(byte: u8) -> usize {
    usize::from((byte >> 6) << 5 | byte & 0x1F)
}

fn pair_rarity(first: usize, second: usize) -> u32 {
    TABLE.get(first * 128 + second).copied().map_or(0, u32::from)
}

fn byte_rarity(byte: usize) -> u32 {
    TABLE.get(128 * 128 + byte).copied().map_or(0, u32::from)
}
