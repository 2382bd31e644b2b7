//! Attributes of files.

use dachs_base::{Reader, Short};

use crate::utf16;

pub(super) const LIST: u32 = 0x20;
const NAME: u32 = 0x30;
pub(super) const DATA: u32 = 0x80;
pub(super) const REPARSE: u32 = 0xc0;
/// The end of a record's attributes.
const END: u32 = 0xffff_ffff;

/// An attribute of one of the kinds that matter.
pub(super) struct Attribute {
    pub(super) kind: u32,
    pub(super) name: String,
    pub(super) flags: u16,
    pub(super) body: Body,
}

/// Where its bytes stand.
pub(super) enum Body {
    /// In the record.
    Resident(Vec<u8>),
    /// In the image.
    Runs(Runs),
}

/// A piece of an attribute in the image.
pub(super) struct Runs {
    /// The first cluster of the piece.
    pub(super) first: u64,
    /// Clusters of a compressed unit, as a power of two; 0 without compression.
    pub(super) unit: u16,
    /// Bytes of the attribute, and those that were written. Of account in its first piece.
    pub(super) length: u64,
    pub(super) written: u64,
    /// Where the clusters stand: how many, and from where on; or a hole.
    pub(super) list: Vec<(u64, Option<u64>)>,
    /// The list made no sense from some place on.
    pub(super) broken: bool,
}

/// The length of the attribute that begins here; nothing at the end of them all.
pub(super) fn header(bytes: &[u8]) -> Result<Option<usize>, Short> {
    let mut reader = Reader::new(bytes, "attribute of a file");
    if reader.u32_le()? == END {
        return Ok(None);
    }
    let length = reader.u32_le()?;
    // Shorter ones would not go forward.
    Ok(Some(usize::try_from(length).unwrap_or(usize::MAX).max(16)))
}

impl Attribute {
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Attribute>, Short> {
        let mut reader = Reader::new(bytes, "attribute of a file");
        let kind = reader.u32_le()?;
        if !matches!(kind, LIST | NAME | DATA | REPARSE) {
            return Ok(None);
        }
        reader.skip(4)?;
        let (elsewhere, letters) = (reader.u8()? != 0, reader.u8()?);
        let (at, flags) = (reader.u16_le()?, reader.u16_le()?);
        reader.skip(2)?;
        let name = bytes.get(usize::from(at)..).unwrap_or_default();
        let name = utf16::little(name.get(..usize::from(letters) * 2).unwrap_or_default());
        let body = if elsewhere { Body::Runs(runs(bytes, &mut reader)?) } else { resident(bytes, &mut reader)? };
        Ok(Some(Attribute { kind, name, flags, body }))
    }
}

fn resident(bytes: &[u8], reader: &mut Reader<'_>) -> Result<Body, Short> {
    let (length, at) = (reader.u32_le()?, reader.u16_le()?);
    let mut value = Reader::new(bytes, "value of an attribute");
    value.skip(at.into())?;
    Ok(Body::Resident(value.take(length.into())?.to_vec()))
}

fn runs(bytes: &[u8], reader: &mut Reader<'_>) -> Result<Runs, Short> {
    let first = reader.u64_le()?;
    reader.skip(8)?;
    let (at, unit) = (reader.u16_le()?, reader.u16_le()?);
    reader.skip(4)?;
    let (_allocated, length, written) = (reader.u64_le()?, reader.u64_le()?, reader.u64_le()?);
    let pairs = bytes.get(usize::from(at)..).unwrap_or_default();
    let (list, broken) = mapping(pairs);
    Ok(Runs { first, unit, length, written, list, broken })
}

/// Mapping pairs: sizes of two numbers in one byte; how many clusters; how far from the run before, or nothing for a hole.
fn mapping(mut bytes: &[u8]) -> (Vec<(u64, Option<u64>)>, bool) {
    let (mut list, mut at) = (Vec::new(), 0_i64);
    loop {
        let Some((sizes, rest)) = bytes.split_first() else { return (list, true) };
        if *sizes == 0 {
            return (list, false);
        }
        let (count, distance) = (usize::from(sizes & 15), usize::from(sizes >> 4));
        let Some((count, rest)) = rest.split_at_checked(count) else { return (list, true) };
        let Some((distance, rest)) = rest.split_at_checked(distance) else { return (list, true) };
        bytes = rest;
        let Some(count) = signed(count).and_then(|count| u64::try_from(count).ok()) else { return (list, true) };
        if distance.is_empty() {
            list.push((count, None));
            continue;
        }
        let next = signed(distance).and_then(|distance| at.checked_add(distance));
        let Some((next, start)) = next.and_then(|next| Some((next, u64::try_from(next).ok()?))) else {
            return (list, true);
        };
        at = next;
        list.push((count, Some(start)));
    }
}

/// A number of up to eight bytes.
fn signed(bytes: &[u8]) -> Option<i64> {
    let fill = if bytes.last()? & 0x80 != 0 { 0xff } else { 0 };
    let mut whole = [fill; 8];
    whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(whole))
}

/// The parent and the best name of a file: names of DOS only if there is no other.
pub(super) fn name_of(attributes: &[Attribute]) -> Option<(u64, String)> {
    let names = attributes.iter().filter(|attribute| attribute.kind == NAME);
    let names = names.filter_map(|attribute| match &attribute.body {
        Body::Resident(value) => name(value).ok(),
        Body::Runs(_) => None,
    });
    names.min_by_key(|(dos, _, _)| *dos).map(|(_, parent, name)| (parent, name))
}

fn name(value: &[u8]) -> Result<(bool, u64, String), Short> {
    let mut reader = Reader::new(value, "name of a file");
    let parent = reader.u64_le()? & 0xffff_ffff_ffff;
    reader.skip(56)?;
    let (letters, space) = (reader.u8()?, reader.u8()?);
    Ok((space == 2, parent, utf16::little(reader.take(u64::from(letters) * 2)?)))
}

/// The records that a list of attributes names, each once.
pub(super) fn records_of(list: &[u8]) -> Vec<u64> {
    let mut records = Vec::new();
    let mut rest = list;
    while let Ok((length, record)) = listed(rest) {
        records.push(record);
        match rest.get(length..) {
            Some(next) => rest = next,
            None => break,
        }
    }
    records.sort_unstable();
    records.dedup();
    records
}

fn listed(bytes: &[u8]) -> Result<(usize, u64), Short> {
    let mut reader = Reader::new(bytes, "list of attributes");
    reader.skip(4)?;
    let length = usize::from(reader.u16_le()?).max(26);
    reader.skip(10)?;
    Ok((length, reader.u64_le()? & 0xffff_ffff_ffff))
}
