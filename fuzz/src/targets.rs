//! The targets by name, for the runner that needs no libFuzzer.

use crate::{FileKind, facts, images, matching, messages, services, texts, unpacking};

/// A target: its name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, as in fuzz/Cargo.toml.
pub const ALL: &[Target] = &[
    ("ar", |data| unpacking::as_kind(FileKind::Ar, data)),
    ("binhex", |data| unpacking::as_kind(FileKind::BinHex, data)),
    ("arj", |data| unpacking::as_kind(FileKind::Arj, data)),
    ("bzip2", |data| unpacking::as_kind(FileKind::Bzip2, data)),
    ("cab", |data| unpacking::as_kind(FileKind::Cab, data)),
    ("carriers", unpacking::as_carrier),
    ("compress", |data| unpacking::as_kind(FileKind::Compress, data)),
    ("cpio", |data| unpacking::as_kind(FileKind::Cpio, data)),
    ("disks", unpacking::as_disk),
    ("facts", facts::ask),
    ("gzip", |data| unpacking::as_kind(FileKind::Gzip, data)),
    ("html", |data| unpacking::as_kind(FileKind::Html, data)),
    ("identify_unpack", unpacking::everything),
    ("lha", |data| unpacking::as_kind(FileKind::Lha, data)),
    ("lz4", |data| unpacking::as_kind(FileKind::Lz4, data)),
    ("lzip", |data| unpacking::as_kind(FileKind::Lzip, data)),
    ("lzma", |data| unpacking::as_kind(FileKind::Lzma, data)),
    ("macho", |data| unpacking::as_kind(FileKind::MachOUniversal, data)),
    ("mail", |data| unpacking::as_kind(FileKind::Mail, data)),
    ("matcher_oracle", matching::against_the_oracle),
    ("matcher_set", matching::hostile_set),
    ("ole2", |data| unpacking::as_kind(FileKind::Ole2, data)),
    ("pdf", |data| unpacking::as_kind(FileKind::Pdf, data)),
    ("clamd_client", services::client),
    ("clamd_conf", services::conf),
    ("clamd_server", services::server),
    ("http_body", services::body),
    ("http_multipart", services::multipart),
    ("proto_others", messages::others),
    ("proto_reply", messages::reply),
    ("rtf", |data| unpacking::as_kind(FileKind::Rtf, data)),
    ("sevenzip", |data| unpacking::as_kind(FileKind::SevenZip, data)),
    ("sigc_container", texts::container),
    ("sigc_lines", texts::lines),
    ("sigc_signature", texts::signature),
    ("sigdb_changed", images::changed),
    ("sigdb_image", images::hostile),
    ("szdd", |data| unpacking::as_kind(FileKind::Szdd, data)),
    ("tar", |data| unpacking::as_kind(FileKind::Tar, data)),
    ("tnef", |data| unpacking::as_kind(FileKind::Tnef, data)),
    ("uuencode", |data| unpacking::as_kind(FileKind::Uuencode, data)),
    ("xz", |data| unpacking::as_kind(FileKind::Xz, data)),
    ("zip", |data| unpacking::as_kind(FileKind::Zip, data)),
    ("zstd", |data| unpacking::as_kind(FileKind::Zstd, data)),
];
