//! What bytes are and what they contain.
//!
//! [`identify()`] tells what an object is from magic and structure; [`unpack()`] goes through what it holds. Each format has
//! a folder of its own with its specification cited.
#![forbid(unsafe_code)]

mod alz;
mod ar;
mod arj;
mod asar;
mod autoit;
mod binhex;
mod bzip2;
mod cab;
mod chm;
mod codec;
mod compress;
mod cpio;
mod crypt;
mod cryptff;
mod dmg;
mod egg;
mod encoded;
mod ext;
mod facts;
mod fat;
mod gzip;
mod hfsplus;
mod html;
mod hwp3;
mod identify;
mod inno;
mod installshield;
mod iso9660;
mod joined;
mod lha;
mod lnk;
mod lz4;
mod lzip;
mod lzma;
mod lzop;
mod macho;
mod mail;
mod mapped;
mod media;
mod normalise;
mod nsis;
mod ntfs;
mod ole1;
mod ole2;
mod onenote;
mod packed;
mod partitions;
mod pdf;
mod postscript;
mod rar;
mod rpm;
mod rtf;
mod screnc;
#[cfg(test)]
mod seen;
mod sevenzip;
mod sis;
mod squashfs;
mod stored;
pub mod stream;
mod structured;
mod swf;
mod szdd;
mod tar;
mod tnef;
mod tree;
mod udf;
mod unpack;
mod upx;
mod utf16;
mod uuencode;
mod warc;
mod wim;
mod xar;
mod xmldoc;
mod xz;
mod zip;
mod zstd;

pub use crypt::{MailWords, Passwords};
pub use facts::{facts, is_broken};
pub use html::{Link, links};
pub use identify::embedded::{Places, Watched};
pub use normalise::{View, views};
pub use structured::structured;
use unpack::{Found, Search};
pub use unpack::{Item, Member, Unpack};

use dachs_base::{Budget, Class, FileKind, Heuristic, Source};
use std::sync::Arc;

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its kind.
    pub kind: FileKind,
    /// Formats that it is at the same time: a program with a ZIP archive behind it. Each is unpacked as well.
    pub also: Vec<FileKind>,
}

impl Identity {
    /// Its kind, then the formats that it is at the same time.
    pub fn kinds(&self) -> impl Iterator<Item = FileKind> {
        std::iter::once(self.kind).chain(self.also.iter().copied())
    }
}

/// Bytes that [`identify()`] reads first. They tell all of an object that has fewer, even if its length is not known then.
pub const FIRST_READ: usize = identify::HEAD;

/// Tells what an object is. Reads a bounded number of bytes from its start, and from its end if its length is known.
#[must_use]
pub fn identify(source: &dyn Source) -> Identity {
    identify::identify(source)
}

/// True if there is a reader that looks into objects of this kind.
#[must_use]
pub fn looks_into(kind: FileKind) -> bool {
    reader(kind).is_some() || keyed_reader(kind).is_some()
}

/// What [`unpack()`] can do for an object.
pub enum Unpacking {
    /// Objects of this kind hold others, and this goes through them.
    Members(Box<dyn Unpack>),
    /// Objects of this kind hold no others.
    Nothing,
    /// Objects of this kind hold others, or content in another form, which cannot be looked into yet.
    Unsupported,
}

/// True if passwords may open what objects of this kind hold.
#[must_use]
pub fn takes_passwords(kind: FileKind) -> bool {
    keyed_reader(kind).is_some()
}

/// Goes through what an object of this kind holds. What is encrypted stays closed.
#[must_use]
pub fn unpack(kind: FileKind, source: &Arc<dyn Source>, budget: &Budget) -> Unpacking {
    unpack_with(kind, source, budget, &Passwords::none())
}

/// Goes through what an object of this kind holds, with passwords for what is encrypted.
#[must_use]
pub fn unpack_with(kind: FileKind, source: &Arc<dyn Source>, budget: &Budget, passwords: &Passwords) -> Unpacking {
    if let Some(open) = keyed_reader(kind) {
        return Unpacking::Members(open(&identify::located(kind, source), budget, passwords));
    }
    match (reader(kind), kind.class()) {
        (Some(open), _) => Unpacking::Members(open(&identify::located(kind, source), budget)),
        (None, Class::Archive | Class::Stream | Class::Document) => Unpacking::Unsupported,
        _ => Unpacking::Nothing,
    }
}

/// What is wrong with the structure of an object of this kind, if it can be told without taking it apart.
#[must_use]
pub fn judge(kind: FileKind, source: &Arc<dyn Source>, budget: &Budget) -> Option<Heuristic> {
    match kind {
        FileKind::Xz => xz::judge(&**source),
        _ => media::judge(kind, source, budget),
    }
}

/// Looks for archives, programs and documents in the midst of an object that is none of those itself. `places`: what a [`Watched`]
/// of the object knows, which is then not read for it.
#[must_use]
pub fn embedded(
    identity: &Identity,
    source: &Arc<dyn Source>,
    places: Option<Places>,
    budget: &Budget,
) -> Option<Box<dyn Unpack>> {
    identify::embedded::open(identity, source, places, budget)
}

/// The object, for those who read all of it before [`embedded`] is asked: so it need not be read again. Absent where that saves nothing.
#[must_use]
pub fn watch<'s>(identity: &Identity, source: &'s dyn Source) -> Option<Watched<'s>> {
    identify::embedded::watch(identity, source)
}

/// Looks for stretches of texts that are encoded as digits, and decodes them.
#[must_use]
pub fn encoded(identity: &Identity, source: &Arc<dyn Source>, budget: &Budget) -> Option<Box<dyn Unpack>> {
    encoded::open(identity, source, budget)
}

/// True if [`embedded`] finds objects of this kind.
#[must_use]
pub fn finds_embedded(kind: FileKind) -> bool {
    identify::embedded::looks_for(kind)
}

/// How a format's reader is called: it goes through the members of a source, at the budget's cost.
type Open = fn(&Arc<dyn Source>, &Budget) -> Box<dyn Unpack>;

/// How the reader of a format with encryption is called.
type OpenKeyed = fn(&Arc<dyn Source>, &Budget, &Passwords) -> Box<dyn Unpack>;

/// The reader for objects of a kind that may be encrypted.
fn keyed_reader(kind: FileKind) -> Option<OpenKeyed> {
    Some(match kind {
        FileKind::Ole2 => ole2::open,
        FileKind::OoxmlHwp | FileKind::OoxmlPpt | FileKind::OoxmlWord | FileKind::OoxmlXl | FileKind::Zip => zip::open,
        FileKind::Pdf => pdf::open,
        FileKind::Rar => rar::open,
        FileKind::SevenZip => sevenzip::open,
        _ => return None,
    })
}

/// The reader for objects of a kind.
fn reader(kind: FileKind) -> Option<Open> {
    Some(match kind {
        FileKind::Alz => alz::open,
        FileKind::Ar | FileKind::Deb => ar::open,
        FileKind::BinHex => binhex::open,
        FileKind::Apm => partitions::open_apm,
        FileKind::Arj => arj::open,
        FileKind::Asar => asar::open,
        FileKind::AutoIt => autoit::open,
        FileKind::Bzip2 => bzip2::open,
        FileKind::Cab => cab::open,
        FileKind::Chm => chm::open,
        FileKind::Compress => compress::open,
        FileKind::Cpio => cpio::open,
        FileKind::CryptFf => cryptff::open,
        FileKind::Dmg => dmg::open,
        FileKind::Egg => egg::open,
        FileKind::EncodedScript => screnc::open,
        FileKind::Ext => ext::open,
        FileKind::Fat => fat::open,
        FileKind::Gpt => partitions::open_gpt,
        FileKind::Gzip => gzip::open,
        FileKind::Hfs | FileKind::HfsPlus => hfsplus::open,
        FileKind::Html => html::open,
        FileKind::Hwp3 => hwp3::open,
        FileKind::InnoSetup => inno::open,
        FileKind::InstallShield => installshield::open,
        FileKind::Iso9660 => iso9660::open,
        FileKind::Lha => lha::open,
        FileKind::Lnk => lnk::open,
        FileKind::Lz4 => lz4::open,
        FileKind::Lzip => lzip::open,
        FileKind::Lzma => lzma::open,
        FileKind::Lzop => lzop::open,
        FileKind::MachOUniversal => macho::open,
        FileKind::Mail | FileKind::Mhtml => mail::open,
        FileKind::Mbr => partitions::open_mbr,
        FileKind::Nsis => nsis::open,
        FileKind::Ntfs => ntfs::open,
        FileKind::OneNote => onenote::open,
        FileKind::PackedElf => upx::open_elf,
        FileKind::PackedPe => upx::open_pe,
        FileKind::PostScript => postscript::open,
        FileKind::Qcow => mapped::open_qcow,
        FileKind::Rpm => rpm::open,
        FileKind::Rtf => rtf::open,
        FileKind::Sis => sis::open,
        FileKind::SquashFs => squashfs::open,
        FileKind::Swf => swf::open,
        FileKind::Szdd => szdd::open,
        FileKind::Tar => tar::open,
        FileKind::Tnef => tnef::open,
        FileKind::Udf => udf::open,
        FileKind::Uuencode => uuencode::open,
        FileKind::Vhd => mapped::open_vhd,
        FileKind::Vhdx => mapped::open_vhdx,
        FileKind::Vmdk => mapped::open_vmdk,
        FileKind::Warc => warc::open,
        FileKind::Wim => wim::open,
        FileKind::Xar => xar::open,
        FileKind::Xz => xz::open,
        FileKind::Hwpml | FileKind::Xdp | FileKind::XmlWord | FileKind::XmlXl => xmldoc::open,
        FileKind::Zstd => zstd::open,
        _ => return None,
    })
}
