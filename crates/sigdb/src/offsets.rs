//! Where a pattern must start, as bytes and as a test.
//!
//! Most subsignatures may start anywhere; they have offset 0. The others share records of 24 bytes:
//! `base u8, zero [u8; 3], shift u32, index u32, zero u32, value u64`, numbered from 1.
//!
//! An offset whose base is not known (no entry point, no such section) or lies before the object's start never fits.
//! For executables whose header could not be read that holds of `EOF-n` too, as in ClamAV.

use crate::model::{Offset, OffsetBase};
use dachs_base::{Facts, Reader};
use std::ops::RangeInclusive;

/// Bytes of a record.
const RECORD: usize = 24;

/// Writes an offset other than [`OffsetBase::Any`].
pub(crate) fn encode(offset: &Offset) -> Option<[u8; RECORD]> {
    let (base, index, value) = match offset.base {
        OffsetBase::Any => return None,
        OffsetBase::Absolute(value) => (1, 0, value),
        OffsetBase::End(value) => (2, 0, value),
        OffsetBase::EntryPoint(value) => (3, 0, value.cast_unsigned()),
        OffsetBase::LastSection(value) => (4, 0, value),
        OffsetBase::Section { index, offset } => (5, index, offset),
        OffsetBase::WithinSection(index) => (6, index, 0),
        OffsetBase::VersionKey => (7, 0, 0),
        OffsetBase::Group(group) => (8, u32::from(group), 0),
    };
    let mut record = Vec::with_capacity(RECORD);
    record.extend([base, 0, 0, 0]);
    record.extend(offset.shift.to_le_bytes());
    record.extend(u32::to_le_bytes(index));
    record.extend([0; 4]);
    record.extend(u64::to_le_bytes(value));
    record.try_into().ok()
}

/// Reads an offset.
pub(crate) fn decode(record: &[u8; RECORD]) -> Option<Offset> {
    let mut reader = Reader::new(record, "offset");
    let base = reader.u32_le().ok()?;
    let shift = reader.u32_le().ok()?;
    let index = reader.u32_le().ok()?;
    reader.skip(4).ok()?;
    let value = reader.u64_le().ok()?;
    let base = match base {
        1 => OffsetBase::Absolute(value),
        2 => OffsetBase::End(value),
        3 => OffsetBase::EntryPoint(value.cast_signed()),
        4 => OffsetBase::LastSection(value),
        5 => OffsetBase::Section { index, offset: value },
        6 => OffsetBase::WithinSection(index),
        7 => OffsetBase::VersionKey,
        8 => OffsetBase::Group(u8::try_from(index).ok()?),
        _ => return None,
    };
    Some(Offset { base, shift })
}

/// Where a match may start, from the first place to the last; `None` for nowhere. Between the keys of version information
/// lie places where it may not, see [`is_at_key`]. `facts` is absent for an executable whose header could not be read; `size`
/// is asked only where it counts, since finding it out can be work.
pub(crate) fn starts(
    offset: &Offset,
    facts: Option<&Facts>,
    size: &mut dyn FnMut() -> u64,
) -> Option<RangeInclusive<u64>> {
    let section = |index: u32| usize::try_from(index).ok().and_then(|index| facts?.sections.get(index));
    let shift = u64::from(offset.shift);
    let (base, shift) = match offset.base {
        OffsetBase::Any | OffsetBase::Group(_) => (0, u64::MAX),
        OffsetBase::Absolute(value) => (value, shift),
        OffsetBase::End(value) => (facts.and_then(|_| size().checked_sub(value))?, shift),
        OffsetBase::EntryPoint(value) => (facts?.entry_point?.checked_add_signed(value)?, shift),
        OffsetBase::LastSection(value) => (facts?.sections.last()?.offset.checked_add(value)?, shift),
        OffsetBase::Section { index, offset } => (section(index)?.offset.checked_add(offset)?, shift),
        OffsetBase::VersionKey => {
            let (first, last) = ends(version_keys(facts))?;
            (first, last.saturating_sub(first).saturating_add(shift))
        }
        OffsetBase::WithinSection(index) => (section(index)?.offset, section(index)?.size.saturating_add(shift)),
    };
    Some(base..=base.saturating_add(shift))
}

/// True if a match that starts at `start` begins at a key of version information, or at most `shift` bytes after it.
pub(crate) fn is_at_key(start: u64, shift: u32, facts: Option<&Facts>) -> bool {
    let keys = version_keys(facts);
    let after = keys.partition_point(|key| *key <= start);
    let before = after.checked_sub(1).and_then(|at| keys.get(at));
    before.is_some_and(|key| start - key <= u64::from(shift))
}

/// The keys of version information. Reading it is bounded by its format; if the time was over, so is the scan's.
fn version_keys(facts: Option<&Facts>) -> &[u64] {
    facts.and_then(|facts| facts.version_keys.find().ok().flatten()).map_or(&[], Vec::as_slice)
}

fn ends(keys: &[u64]) -> Option<(u64, u64)> {
    keys.first().copied().zip(keys.last().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::{Lazy, Section};

    fn fits(offset: &Offset, start: u64, facts: Option<&Facts>, size: &mut dyn FnMut() -> u64) -> bool {
        if offset.base == OffsetBase::VersionKey && !is_at_key(start, offset.shift, facts) {
            return false;
        }
        starts(offset, facts, size).is_some_and(|starts| starts.contains(&start))
    }

    fn offset(base: OffsetBase, shift: u32) -> Offset {
        Offset { base, shift }
    }

    #[test]
    fn a_match_starts_where_it_must() {
        let facts = Facts {
            entry_point: Some(100),
            sections: vec![Section { offset: 64, size: 32 }, Section { offset: 200, size: 10 }],
            version_keys: Lazy::known(vec![20, 40, 60]),
            ..Facts::default()
        };
        // offset, the starts that fit, starts that do not; the object has 300 bytes
        let table: &[(Offset, &[u64], &[u64])] = &[
            (Offset::ANY, &[0, 299, u64::MAX], &[]),
            (offset(OffsetBase::Any, 7), &[0, 299], &[]),
            (offset(OffsetBase::Absolute(5), 0), &[5], &[4, 6]),
            (offset(OffsetBase::Absolute(5), 2), &[5, 6, 7], &[4, 8]),
            (offset(OffsetBase::Absolute(u64::MAX), 9), &[u64::MAX], &[0, 8]),
            (offset(OffsetBase::End(10), 0), &[290], &[289, 291]),
            (offset(OffsetBase::End(10), 3), &[290, 293], &[289, 294]),
            (offset(OffsetBase::End(300), 0), &[0], &[1]),
            (offset(OffsetBase::End(301), 5), &[], &[0, 1, 4, u64::MAX]),
            (offset(OffsetBase::EntryPoint(4), 0), &[104], &[100, 105]),
            (offset(OffsetBase::EntryPoint(-100), 1), &[0, 1], &[2]),
            (offset(OffsetBase::EntryPoint(-101), 1), &[], &[0, 1]),
            (offset(OffsetBase::EntryPoint(i64::MIN), 1), &[], &[0]),
            (offset(OffsetBase::LastSection(3), 0), &[203], &[200, 204]),
            (offset(OffsetBase::Section { index: 0, offset: 2 }, 0), &[66], &[64, 67]),
            (offset(OffsetBase::Section { index: 2, offset: 0 }, 0), &[], &[0, 200]),
            (offset(OffsetBase::Section { index: 0, offset: u64::MAX }, 0), &[], &[63, 0]),
            (offset(OffsetBase::VersionKey, 0), &[20, 40, 60], &[0, 19, 21, 41, 61, u64::MAX]),
            (offset(OffsetBase::VersionKey, 2), &[20, 22, 40, 62], &[19, 23, 39, 63]),
            (offset(OffsetBase::WithinSection(0), 0), &[64, 96], &[63, 97]),
            (offset(OffsetBase::WithinSection(1), 5), &[200, 215], &[199, 216]),
            (offset(OffsetBase::WithinSection(9), 5), &[], &[0, 200]),
        ];
        for (offset, good, bad) in table {
            let test = |start: &u64| fits(offset, *start, Some(&facts), &mut || 300);
            assert!(good.iter().all(test) && !bad.iter().any(test), "{offset:?}");
        }
    }

    #[test]
    fn without_a_header_only_absolute_offsets_fit() {
        let zero = |base| fits(&offset(base, 1000), 10, None, &mut || 300);
        assert!(zero(OffsetBase::Any) && zero(OffsetBase::Absolute(0)));
        assert!(
            !zero(OffsetBase::End(300))
                && !zero(OffsetBase::VersionKey)
                && !zero(OffsetBase::EntryPoint(0))
                && !zero(OffsetBase::WithinSection(0))
        );
    }

    #[test]
    fn offsets_come_back_as_they_were() {
        for base in [
            OffsetBase::Absolute(u64::MAX),
            OffsetBase::End(7),
            OffsetBase::EntryPoint(-5),
            OffsetBase::LastSection(1),
            OffsetBase::Section { index: 3, offset: 9 },
            OffsetBase::VersionKey,
            OffsetBase::WithinSection(2),
            OffsetBase::Group(31),
        ] {
            let offset = offset(base, u32::MAX);
            assert_eq!(encode(&offset).and_then(|record| decode(&record)), Some(offset));
        }
        assert_eq!(encode(&Offset::ANY), None);
        assert_eq!(decode(&[0xFF; RECORD]), None);
    }
}
