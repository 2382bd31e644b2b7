//! What bytes are, told from magic and structure, never from a name.
//!
//! One read of the first 4 KiB answers for nearly all objects, in this order: a table of magic numbers
//! ([`magics`]), formats that have none ([`structure`]), texts ([`text`]). Larger objects are looked at in a few more
//! places ([`far`]): the sectors in which discs are described, the last 64 KiB, and what stands behind a program's last
//! section. The end of a stream that was not decoded yet is not looked for: the engine asks again when it knows where that
//! is, so that a bomb is matched before it is measured. An object can be several things at once; everything besides the first is in [`Identity::also`].
//!
//! Nothing here is proof. A kind decides which reader is tried and which signatures are used; a reader that is given
//! other bytes reports damage.

pub(crate) mod embedded;
mod far;
mod magics;
mod office;
mod scripts;
mod structure;
mod text;

use std::sync::Arc;

use dachs_base::{Class, FileKind, Part, Source, bytes_at, read_vec_at};

use crate::Identity;
use magics::MAGICS;

/// Bytes of the first read.
pub(crate) const HEAD: usize = 4096;
/// Objects shorter than this describe no disc.
const SHORTEST_DISC: usize = 16 * 2048 + 6;

/// See [`crate::identify()`].
pub(crate) fn identify(source: &dyn Source) -> Identity {
    let head = bytes_at(source, 0, HEAD);
    if head.is_empty() {
        return Identity { kind: FileKind::Empty, also: Vec::new() };
    }
    let told = magic(&head).or_else(|| text::mail(&head)).or_else(|| structure::kind(&head));
    let kind = told.or_else(|| text::kind(&head)).unwrap_or(FileKind::Data);
    let kind = if kind == FileKind::Zip { office::kind(source).unwrap_or(kind) } else { kind };
    let mut identity = Identity { kind, also: Vec::new() };
    if kind == FileKind::Pe && crate::facts::is_packed_pe(source) {
        identity.add(FileKind::PackedPe);
    }
    if kind == FileKind::Elf && crate::upx::is_packed_elf(source) {
        identity.add(FileKind::PackedElf);
    }
    if may_be_more(kind) {
        look_far(source, &head, &mut identity);
    }
    look_for_tags(&head, &mut identity);
    look_for_text(&head, &mut identity);
    identity
}

/// What ClamAV knows no format of, and takes for text, is matched as text too; so is what only may be of its format.
fn look_for_text(head: &[u8], identity: &mut Identity) {
    let unsure = match identity.kind {
        FileKind::Pdf => !head.starts_with(b"%PDF"),
        FileKind::PostScript | FileKind::Pyc => true,
        kind => kind.cl_type() == FileKind::Data.cl_type(),
    };
    if unsure && text::passes_for_text(head) {
        identity.also.push(FileKind::Utf16);
    }
}

/// Texts, and bytes of no known format, with tags in them are matched as pages too; pages that only begin like one are
/// matched as texts too.
fn look_for_tags(head: &[u8], identity: &mut Identity) {
    let tags = || text::holds_tags(head);
    let more = match identity.kind {
        kind if may_be_page(kind) => tags().then_some(FileKind::Html),
        FileKind::Html => (!tags()).then_some(FileKind::Ascii),
        _ => None,
    };
    identity.also.extend(more);
}

/// True if tags anywhere in an object of this kind make a page of it as well.
fn may_be_page(kind: FileKind) -> bool {
    kind == FileKind::Data || kind.class() == Class::Text
}

fn magic(head: &[u8]) -> Option<FileKind> {
    // The first byte decides of nearly all, without a call.
    let begins = |magic: &magics::Magic| head.get(magic.offset) == magic.bytes.first();
    let found = MAGICS.iter().filter(|magic| begins(magic)).find(|magic| {
        head.get(magic.offset..).is_some_and(|rest| rest.starts_with(magic.bytes)) && (magic.check)(head)
    });
    found.map(|magic| magic.kind)
}

/// The object as a reader of `kind` wants it: from its first byte, or from where the archive begins that a program
/// carries. ZIP archives are read from their end and stay as they are.
pub(crate) fn located(kind: FileKind, source: &Arc<dyn Source>) -> Arc<dyn Source> {
    if !far::SIGNS.iter().any(|sign| sign.0 == kind) {
        return Arc::clone(source);
    }
    let head = read_vec_at(source.as_ref(), 0, HEAD);
    let first = magic(&head).unwrap_or(FileKind::Data);
    match far::overlay(source.as_ref(), first).into_iter().find(|(found, _)| *found == kind) {
        Some((_, start)) => Arc::new(Part::new(Arc::clone(source), start, source.len().saturating_sub(start))),
        None => Arc::clone(source),
    }
}

/// Archives and streams are taken apart anyway, and their readers tell of bytes that belong to no member. Everything
/// else may carry an archive.
fn may_be_more(kind: FileKind) -> bool {
    !matches!(kind.class(), Class::Archive | Class::Stream)
        || matches!(kind, FileKind::Apm | FileKind::Mbr | FileKind::Gpt)
}

fn look_far(source: &dyn Source, head: &[u8], identity: &mut Identity) {
    if head.len() == HEAD && weak(identity.kind) && source.read_at(as_u64(SHORTEST_DISC), &mut [0]) == 1 {
        far::disc(source).into_iter().for_each(|kind| identity.add(kind));
    }
    let length = if head.len() < HEAD { Some(as_u64(head.len())) } else { source.known_len() };
    let Some(length) = length else { return };
    far::tail(source, length, identity.kind).into_iter().for_each(|kind| identity.add(kind));
    for (kind, _) in far::overlay(source, identity.kind) {
        identity.add(kind);
    }
}

/// Kinds that may have a sign elsewhere in the object: a hybrid disc begins with a boot record or a partition map, an AppImage of
/// the first type is a program and a disc.
fn weak(kind: FileKind) -> bool {
    matches!(kind, FileKind::Apm | FileKind::Data | FileKind::Elf | FileKind::Gpt | FileKind::Mbr | FileKind::Pe)
}

impl Identity {
    /// Adds a kind that the object is as well.
    fn add(&mut self, kind: FileKind) {
        let first = matches!(self.kind, FileKind::Apm | FileKind::Data | FileKind::Mbr);
        if first && !matches!(kind, FileKind::Zip) {
            let before = std::mem::replace(&mut self.kind, kind);
            if before != FileKind::Data {
                self.also.push(before);
            }
        } else if self.kind != kind && !self.also.contains(&kind) {
            self.also.push(kind);
        }
    }
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
