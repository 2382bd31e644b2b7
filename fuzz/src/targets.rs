//! The targets by name.

use crate::{FileKind, facts, images, matching, messages, rules, services, signatures, texts, unpacking};

/// A door of Dachs through which any bytes may come.
pub struct Target {
    /// Its name, for the command line and for the folder of its seeds.
    pub name: &'static str,
    /// What the bytes pretend to be; behind a colon the formats that it covers besides the one of its name.
    pub what: &'static str,
    /// Goes through the door, and panics if a promise is broken.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, what: &'static str, run: fn(&[u8])) -> Target {
    Target { name, what, run }
}

/// Every target, one a line: `fuzz/run` and tidy read them.
#[rustfmt::skip]
pub const ALL: &[Target] = &[
    target("alz", "ALZ archives", |data| unpacking::as_kind(FileKind::Alz, data)),
    target("ar", "ar archives and Debian packages", |data| unpacking::as_kind(FileKind::Ar, data)),
    target("binhex", "BinHex texts", |data| unpacking::as_kind(FileKind::BinHex, data)),
    target("arj", "ARJ archives", |data| unpacking::as_kind(FileKind::Arj, data)),
    target("autoit", "compiled AutoIt scripts", |data| unpacking::as_kind(FileKind::AutoIt, data)),
    target("nsis", "data of NSIS set-up programs", |data| unpacking::as_kind(FileKind::Nsis, data)),
    target("sis", "Symbian installation files", |data| unpacking::as_kind(FileKind::Sis, data)),
    target("bzip2", "bzip2 streams", |data| unpacking::as_kind(FileKind::Bzip2, data)),
    target("cab", "cabinets", |data| unpacking::as_kind(FileKind::Cab, data)),
    target("carriers", "carriers of other files: asar, chm, lnk, onenote, postscript, rar, rpm, swf, xar, xmldoc, lzop, warc, cryptff, hwp3", unpacking::as_carrier),
    target("compress", "compress (.Z) streams", |data| unpacking::as_kind(FileKind::Compress, data)),
    target("cpio", "cpio archives", |data| unpacking::as_kind(FileKind::Cpio, data)),
    target("disks", "disk images: dmg, ext, fat, hfsplus, iso9660, mapped, ntfs, partitions, squashfs, udf, wim", unpacking::as_disk),
    target("egg", "EGG archives", |data| unpacking::as_kind(FileKind::Egg, data)),
    target("encoded", "texts with encoded stretches", unpacking::as_text),
    target("facts", "executables, asked for all facts", facts::ask),
    target("gzip", "gzip streams", |data| unpacking::as_kind(FileKind::Gzip, data)),
    target("html", "HTML pages", |data| unpacking::as_kind(FileKind::Html, data)),
    target("identify_unpack", "the whole way of a file through formats, what it is, what it holds, and so on downwards", unpacking::everything),
    target("inno", "set-up programs of Inno Setup", |data| unpacking::as_kind(FileKind::InnoSetup, data)),
    target("installshield", "lists of InstallShield set-up programs", |data| unpacking::as_kind(FileKind::InstallShield, data)),
    target("lha", "LHA archives", |data| unpacking::as_kind(FileKind::Lha, data)),
    target("lz4", "LZ4 frames", |data| unpacking::as_kind(FileKind::Lz4, data)),
    target("lzip", "lzip streams", |data| unpacking::as_kind(FileKind::Lzip, data)),
    target("lzma", "LZMA-alone streams", |data| unpacking::as_kind(FileKind::Lzma, data)),
    target("macho", "universal Mach-O files", |data| unpacking::as_kind(FileKind::MachOUniversal, data)),
    target("mail", "messages and mailboxes", |data| unpacking::as_kind(FileKind::Mail, data)),
    target("matcher_oracle", "random patterns over random bytes, the matcher and the naive search must agree", matching::against_the_oracle),
    target("matcher_changed", "a good set with changes, refused, or scanned without a panic", matching::changed_set),
    target("matcher_set", "any bytes as a set of patterns, refused, or scanned without a panic", matching::hostile_set),
    target("ole2", "compound files", |data| unpacking::as_kind(FileKind::Ole2, data)),
    target("pdf", "PDF documents", |data| unpacking::as_kind(FileKind::Pdf, data)),
    target("pki", "certificates and signed data", signatures::read),
    target("clamd_client", "any bytes as the replies of a clamd", services::client),
    target("clamd_conf", "any text as a clamd.conf", services::conf),
    target("clamd_server", "any bytes as a client of clamd", services::server),
    target("http_body", "any bytes as requests over HTTP", services::body),
    target("http_multipart", "any bytes as a form", services::multipart),
    target("proto_others", "any bytes as requests and as talk between pool and zygote", messages::others),
    target("proto_reply", "any bytes as the reply of a worker", messages::reply),
    target("screnc", "scripts encoded for Microsoft's engines", |data| unpacking::as_kind(FileKind::EncodedScript, data)),
    target("rtf", "rich texts", |data| unpacking::as_kind(FileKind::Rtf, data)),
    target("rules_evaluation", "YARA rules over any objects", rules::evaluation),
    target("rules_loader", "any bytes as a file of YARA rules", rules::loader),
    target("sevenzip", "7-Zip archives", |data| unpacking::as_kind(FileKind::SevenZip, data)),
    target("sigc_catalog", "catalogs of what somebody signed", texts::catalog),
    target("sigc_container", "any bytes as a container of signatures (cvd, cud)", texts::container),
    target("sigc_lines", "any bytes as signature texts of every kind", texts::lines),
    target("sigc_signature", "patterns and expressions of signatures", texts::signature),
    target("sigdb_changed", "a good image with changed bytes, used without a panic", images::changed),
    target("sigdb_image", "any bytes as an image, refused, or used without a panic", images::hostile),
    target("sigdb_regex", "expressions of signatures, and what looks before them", images::expression),
    target("szdd", "SZDD and KWAJ files", |data| unpacking::as_kind(FileKind::Szdd, data)),
    target("tar", "tar archives", |data| unpacking::as_kind(FileKind::Tar, data)),
    target("tnef", "TNEF streams", |data| unpacking::as_kind(FileKind::Tnef, data)),
    target("upx", "programs packed by UPX", unpacking::as_packed),
    target("uuencode", "uuencoded texts", |data| unpacking::as_kind(FileKind::Uuencode, data)),
    target("xz", "xz streams", |data| unpacking::as_kind(FileKind::Xz, data)),
    target("zip", "ZIP archives", |data| unpacking::as_kind(FileKind::Zip, data)),
    target("zstd", "Zstandard frames", |data| unpacking::as_kind(FileKind::Zstd, data)),
];
