//! How rare a short stretch of bytes is in ordinary files.
//!
//! `rarity.bin` says, for each pair of bytes, for each byte, and for each folded stretch of four (bit 5 left out, hashed to 17
//! bits), -8 log2 of the share of positions of ordinary files that hold it. A hash stands for many stretches, which limits
//! what it can say: no stretch of four is rarer than about 2^-17, which is all that the choice of an anchor needs. A longer
//! stretch is as rare as the rarest four in it.
//!
//! `cargo xtask rarity KIND…` made the table from six folders of Debian 12's files, none of which is measured with:
//! 324 programs and libraries of /usr/lib/x86_64-linux-gnu, /usr/bin and /usr/sbin; 71 of libwine, libmono and the small
//! programs for Windows that Python brings along; 1,727 texts and sources of /usr/share, /usr/include and Python; 515 scripts,
//! 1,715 HTML files and 1,879 images of /usr. In a folder every file counts alike; of six folders the one that holds a
//! stretch most counts. Any table gives right answers; a better one gives fewer candidates.

/// A mark of eight bytes, the pairs, the stretches of four, the bytes: eighths of a bit.
static TABLE: &[u8; 8 + PAIRS + GRAMS + 256] = include_bytes!("rarity.bin");

const PAIRS: usize = 1 << 16;
const GRAMS: usize = 1 << 17;

/// How rare a stretch of four bytes or more is, in eighths of a bit; the more the rarer. Case does not count.
pub(crate) fn of_long(bytes: &[u8]) -> u32 {
    bytes.array_windows::<4>().map(|four| of_four(*four)).max().unwrap_or(0)
}

/// How rare a stretch of four bytes is.
pub(crate) fn of_four(four: [u8; 4]) -> u32 {
    item(8 + PAIRS + gram(four))
}

/// How rare a pair of bytes is.
pub(crate) fn of_pair(pair: [u8; 2]) -> u32 {
    item(8 + usize::from(u16::from_le_bytes(pair)))
}

/// How rare a byte is.
pub(crate) fn of_byte(byte: u8) -> u32 {
    item(8 + PAIRS + GRAMS + usize::from(byte))
}

fn item(at: usize) -> u32 {
    TABLE.get(at).copied().map_or(0, u32::from)
}

/// The place of four bytes among the stretches, either case alike.
fn gram(four: [u8; 4]) -> usize {
    let folded = u32::from_le_bytes(four) & 0xDFDF_DFDF;
    usize::try_from(folded.wrapping_mul(0x9E37_79B1) >> 15).unwrap_or(0)
}
