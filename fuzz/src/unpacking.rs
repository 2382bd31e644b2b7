//! Files and archives: `formats::identify` and `formats::unpack`.
//!
//! The budget is small, so that a run takes milliseconds. Every member is read to its end and then again from its
//! start: a source may decompress twice, and must give the same bytes.

use dachs_base::{Budget, FileKind, Limits, Memory, NoClock, Source, read_vec_at};
use dachs_formats::{Identity, Item, Passwords, Unpack, Unpacking, embedded, encoded, identify, unpack_with, views};
use std::sync::Arc;

/// Bytes read from a member at most.
const ENOUGH: u64 = 1 << 20;
/// Items of one object at most, which the budget of objects must keep it from reaching.
const ENDLESS: usize = 100_000;

fn budget() -> Budget {
    let limits = Limits {
        objects: 300,
        object_size: 4 << 20,
        scan_size: 8 << 20,
        rounds: 1 << 20,
        memory: 4 << 20,
        ..Limits::default()
    };
    Budget::new(limits, NoClock)
}

/// Takes the bytes for what they are, and unpacks them and all they hold.
pub fn everything(data: &[u8]) {
    let budget = budget();
    let mut objects: Vec<(u32, Arc<dyn Source>)> = vec![(0, Arc::new(Memory::new(data)))];
    while let Some((depth, source)) = objects.pop() {
        let identity = identify(source.as_ref());
        let deeper = depth < budget.limits().depth;
        for kind in identity.also.iter().chain([&identity.kind]).filter(|_| deeper) {
            objects.extend(members(*kind, &source, &budget).into_iter().map(|member| (depth + 1, member)));
            // What a view is made of may meet a limit while it is read again, and says so itself.
            views(*kind, &source, &budget)
                .iter()
                .for_each(|view| read_twice(view.source.as_ref(), Some(source.as_ref())));
        }
        if let Some(search) = embedded(&identity, &source, None, &budget).filter(|_| deeper) {
            objects.extend(all(identity.kind, search).into_iter().map(|member| (depth + 1, member)));
        }
        if let Some(search) = encoded(&identity, &source, &budget).filter(|_| deeper) {
            objects.extend(all(identity.kind, search).into_iter().map(|member| (depth + 1, member)));
        }
    }
}

/// Takes the bytes for a text, in UTF-16 too, and decodes what is encoded in it.
pub fn as_text(data: &[u8]) {
    let source: Arc<dyn Source> = Arc::new(Memory::new(data));
    for kind in [FileKind::Ascii, FileKind::Utf16] {
        if let Some(search) = encoded(&Identity { kind, also: Vec::new() }, &source, &budget()) {
            all(kind, search);
        }
    }
}

/// Takes the bytes for an object of this kind, whatever they look like.
pub fn as_kind(kind: FileKind, data: &[u8]) {
    let source: Arc<dyn Source> = Arc::new(Memory::new(data));
    members(kind, &source, &budget());
}

/// Takes the bytes for a packed program, for Windows and for Linux.
pub fn as_packed(data: &[u8]) {
    as_kind(FileKind::PackedPe, data);
    as_kind(FileKind::PackedElf, data);
}

/// Takes the bytes behind the first for a disk image of the kind that the first chooses.
pub fn as_disk(data: &[u8]) {
    use FileKind::{
        Apm, Dmg, Ext, Fat, Gpt, Hfs, HfsPlus, Iso9660, Mbr, Ntfs, Qcow, SquashFs, Udf, Vhd, Vhdx, Vmdk, Wim,
    };
    let systems = [Apm, Dmg, Ext, Fat, HfsPlus, Ntfs, SquashFs, Udf, Wim, Hfs];
    let disks = [Gpt, Iso9660, Mbr, Qcow, Vhd, Vhdx, Vmdk];
    as_chosen(&[&disks[..], &systems].concat(), data);
}

/// The same for files that carry others and are small to read.
pub fn as_carrier(data: &[u8]) {
    use FileKind::{Asar, Chm, CryptFf, Hwp3, Lnk, Lzop, OneNote, PostScript, Rar, Rpm, Swf, Warc, Xar, XmlWord};
    as_chosen(&[Asar, Lnk, OneNote, Rpm, Swf, Xar, Chm, Rar, PostScript, Lzop, Warc, XmlWord, CryptFf, Hwp3], data);
}

fn as_chosen(kinds: &[FileKind], data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    if let Some(kind) = kinds.get(usize::from(*choice) % kinds.len()) {
        as_kind(*kind, data);
    }
}

/// Goes through all members and reads them.
fn members(kind: FileKind, source: &Arc<dyn Source>, budget: &Budget) -> Vec<Arc<dyn Source>> {
    let passwords = Passwords::new([&b"a"[..]], None);
    let Unpacking::Members(unpacker) = unpack_with(kind, source, budget, &passwords) else { return Vec::new() };
    all(kind, unpacker)
}

/// Everything that an unpacker gives, read.
fn all(kind: FileKind, mut unpacker: Box<dyn Unpack>) -> Vec<Arc<dyn Source>> {
    let mut members = Vec::new();
    let mut items = 0;
    while let Some(item) = unpacker.next_item() {
        items += 1;
        assert!(items < ENDLESS, "{} never ends", kind.label());
        if let Item::Member(member) | Item::Embedded(member) = item {
            read_twice(member.source.as_ref(), None);
            members.push(member.source);
        }
    }
    assert!(unpacker.next_item().is_none(), "{} goes on after its end", kind.label());
    members
}

/// Reads a source front to back, and its start again; `below` is what it is made of.
fn read_twice(source: &dyn Source, below: Option<&dyn Source>) {
    let start = read_vec_at(source, 0, 1 << 12);
    let mut at = 0;
    while at < ENOUGH {
        let got = read_vec_at(source, at, 1 << 16).len() as u64;
        if got == 0 {
            break;
        }
        at += got;
    }
    let again = read_vec_at(source, 0, 1 << 12);
    let length = source.known_len();
    if source.problem().is_none() && below.is_none_or(|below| below.problem().is_none()) {
        assert_eq!(again, start, "the same offset gave different bytes");
        assert!(at >= ENOUGH || length.is_none_or(|length| length == at), "the length is not what could be read");
    }
}
