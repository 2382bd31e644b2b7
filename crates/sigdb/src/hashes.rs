//! Tables of digests: of whole objects, the allow list, of sections of executables, of lists of imports.
//!
//! There are six tables in each of these four lists: one for each of the three digests, with and without a size.
//! A look-up costs a page of the directory, a page of sizes, and a page or two of digests, however large the table is:
//!
//! ```text
//! size 544 ──mix──> 0x9a3f…   its top bits ──> directory[s] .. directory[s + 1]     where in the sizes to look
//!                                                    └─> sizes: (size, first)        sorted by mix(size)
//!                                                                  └─> leads         sorted within a size
//!                                                                        └─> digests, signatures, in step with the leads
//! ```
//!
//! The leads are the first two bytes of the digests: of the few digests of a size hardly one begins as an object's does, so
//! the digests themselves are hardly ever touched, and the pages that a scan has in memory are those of the leads, an eighth or a sixteenth.
//!
//! The directory has about one slot for four sizes. Most sizes that no signature has fall into a slot where nothing
//! fits, so an object of such a size is never digested. `mix` is a multiplication by an odd number: it can be undone, so
//! no two sizes share a mixed value, and it spreads sizes, which lie close together, evenly over the slots.
//!
//! Records, little-endian but for the digests, which are as their standards write them:
//!
//! ```text
//! table          0 MD5, 1 SHA-1, 2 SHA-256; 3 more for any size; 6 more for the allow list, 12 sections, 18 imports
//! directory      for each slot the index of its first key u32, and one more with the number of keys
//! size           size u64 | index of its first digest u32
//! lead           the first two bytes of a digest; none in tables without sizes
//! digest         16, 20 or 32 bytes
//! signature      u32; the allow list has none
//! mix(size)      size * 0x9E3779B97F4A7C15 modulo 2^64
//! slots          a power of two, at least 1; the slot of a key is its topmost bits
//! ```
//!
//! Tables of digests for objects of any size need no sizes: digests are evenly spread already, so the directory is
//! indexed by a digest's own first bits.

mod read;
mod write;

use crate::model::Scope;

pub(crate) use read::Hashes;
pub(crate) use write::HashWriter;

/// The directory has one slot for so many keys.
const KEYS_PER_SLOT: usize = 4;
/// The directory has at most 2 to the power of this many slots.
const MOST_BITS: u32 = 28;

/// Which digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DigestKind {
    Md5,
    Sha1,
    Sha256,
}

impl DigestKind {
    pub(crate) const ALL: [DigestKind; 3] = [DigestKind::Md5, DigestKind::Sha1, DigestKind::Sha256];

    fn number(self) -> u16 {
        match self {
            DigestKind::Md5 => 0,
            DigestKind::Sha1 => 1,
            DigestKind::Sha256 => 2,
        }
    }
}

/// Which table of a digest kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// Signatures of whole objects.
    Signatures,
    /// The allow list.
    Allowed,
    /// Signatures of sections of executables.
    Sections,
    /// Signatures of lists of imports.
    Imports,
}

impl List {
    /// Tables of one list.
    const TABLES: u16 = 6;

    /// All lists, in the order of their tables.
    pub(crate) const ALL: [List; 4] = [List::Signatures, List::Allowed, List::Sections, List::Imports];

    /// The list of signatures about this.
    pub(crate) fn of(scope: Scope) -> List {
        match scope {
            Scope::Imports => List::Imports,
            Scope::Object => List::Signatures,
            Scope::Section => List::Sections,
        }
    }

    /// What the signatures of a table are about; `None` for the allow list and where there is no such table.
    pub(crate) fn scope(table: u16) -> Option<Scope> {
        match table / List::TABLES {
            0 => Some(Scope::Object),
            2 => Some(Scope::Section),
            3 => Some(Scope::Imports),
            _ => None,
        }
    }

    fn first(self) -> u16 {
        match self {
            List::Signatures => 0,
            List::Allowed => List::TABLES,
            List::Sections => 2 * List::TABLES,
            List::Imports => 3 * List::TABLES,
        }
    }
}

/// The number of a table, as in the item of its sections: `kind + 3 * (any size) + 6 * list`.
pub(crate) fn table_number(kind: DigestKind, sized: bool, list: List) -> u16 {
    let any = if sized { 0 } else { 3 };
    kind.number() + any + list.first()
}

/// Spreads sizes over 64 bits: 2 to the power of 64, divided by the golden ratio.
fn mix(size: u64) -> u64 {
    size.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The first bits of a digest, as the directory of a table without sizes is indexed.
fn lead<const N: usize>(digest: &[u8; N]) -> u64 {
    digest.first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first))
}

/// The slot of a key in a directory of 2 to the power of `bits` slots.
fn slot(key: u64, bits: u32) -> u32 {
    let shifted = key.checked_shr(64 - bits.min(MOST_BITS)).unwrap_or(0);
    u32::try_from(shifted).unwrap_or(0)
}

/// The size that was mixed: a multiplication by the inverse of `mix`'s number.
fn unmix(key: u64) -> u64 {
    key.wrapping_mul(0xF1DE_83E1_9937_733D)
}

#[cfg(test)]
mod tests {
    use super::write::write_directory;
    use super::*;

    #[test]
    fn mixing_can_be_undone() {
        for size in [0, 1, 544, u64::from(u32::MAX), u64::MAX, 1 << 63] {
            assert_eq!(unmix(mix(size)), size);
        }
    }

    #[test]
    fn every_key_finds_its_slot() {
        let mut keys: Vec<u64> = (0..1000_u64).map(mix).collect();
        keys.sort_unstable();
        let mut out = Vec::new();
        write_directory(&mut keys.iter().copied(), &mut out);
        let slots: Vec<u32> = out.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let bits = (slots.len() - 1).trailing_zeros();
        for (index, key) in keys.iter().enumerate() {
            let at = slot(*key, bits) as usize;
            assert!((slots[at] as usize..slots[at + 1] as usize).contains(&index));
        }
    }
}
