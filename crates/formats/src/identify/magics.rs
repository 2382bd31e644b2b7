//! Magic numbers: where they stand, what they are, what they say.
//!
//! The first row that matches decides; rows whose bytes are few, and may be chance, name a check in
//! [`structure`](super::structure) that must agree. Rows that begin with an ASCII letter and could begin a text are long.

use dachs_base::FileKind::{self, *};

use super::structure as check;

/// One magic number.
pub(super) struct Magic {
    /// Where it stands.
    pub(super) offset: usize,
    /// Its bytes.
    pub(super) bytes: &'static [u8],
    /// What it says.
    pub(super) kind: FileKind,
    /// What else must hold, given the first bytes of the object.
    pub(super) check: fn(&[u8]) -> bool,
}

const fn row(offset: usize, bytes: &'static [u8], kind: FileKind) -> Magic {
    Magic { offset, bytes, kind, check: check::always }
}

const fn checked(offset: usize, bytes: &'static [u8], kind: FileKind, check: fn(&[u8]) -> bool) -> Magic {
    Magic { offset, bytes, kind, check }
}

/// All magic numbers.
pub(super) const MAGICS: &[Magic] = &[
    // Archives
    row(0, b"PK\x03\x04", Zip),
    row(0, b"PK\x05\x06", Zip),
    row(0, b"PK\x07\x08PK\x03\x04", Zip),
    row(0, b"PK00PK\x03\x04", Zip),
    row(0, b"7z\xbc\xaf\x27\x1c", SevenZip),
    row(0, b"Rar!\x1a\x07\x00", Rar),
    row(0, b"Rar!\x1a\x07\x01\x00", Rar),
    row(0, b"RE\x7e\x5e", Rar),
    row(7, b"**ACE**", Ace),
    row(0, b"ALZ\x01", Alz),
    row(0, b"EGGA", Egg),
    row(0, b"!<arch>\ndebian-binary", Deb),
    row(0, b"!<arch>\n", Ar),
    row(0, b"!<thin>\n", Ar),
    checked(0, b"\x60\xea", Arj, check::arj),
    checked(0, b"\x04\x00\x00\x00", Asar, check::asar),
    row(0, b"MSCF\x00\x00\x00\x00", Cab),
    row(0, b"ITSF", Chm),
    row(0, b"070701", Cpio),
    row(0, b"070702", Cpio),
    row(0, b"070707", Cpio),
    checked(0, b"\xc7\x71", Cpio, check::old_cpio),
    checked(0, b"\x71\xc7", Cpio, check::old_cpio),
    row(0, b"\xed\xab\xee\xdb", Rpm),
    row(0, b"xar!", Xar),
    row(0, b"MSWIM\x00\x00\x00", Wim),
    row(0, b"WLPWM\x00\x00\x00", Wim),
    row(0, b"WARC/1.", Warc),
    row(0, b"WARC/0.", Warc),
    checked(2, b"-lh", Lha, check::lha),
    checked(2, b"-lz", Lha, check::lha),
    checked(2, b"-pm", Lha, check::lha),
    checked(0, b"!BDN", Pst, check::store_of_mail),
    row(0, b"StuffIt (c)1997-", StuffIt),
    row(10, b"rLau", StuffIt),
    row(4, b"\xef\xbe\xad\xdeNullsoftInst", Nsis),
    row(0, b"\xa3\x48\x4b\xbe\x98\x6c\x4a\xa9\x99\x4c\x53\x0a\x86\xd6\x48\x7d", AutoIt),
    checked(0, b"Inno Setup Setup Data (", InnoSetup, check::inno_setup),
    row(0, b"ISc(", InstallShield),
    row(0, b"\x13\x5d\x65\x8c", InstallShield),
    row(0, b"ISSetupStream", InstallShield),
    row(0, b"\x7a\x1a\x20\x10", Sis),
    row(4, b"\x6d\x00\x00\x10", Sis),
    row(8, b"\x19\x04\x00\x10", Sis),
    // Streams
    row(0, b"\x1f\x8b\x08", Gzip),
    checked(0, b"BZh", Bzip2, check::bzip2),
    row(0, b"\xfd7zXZ\x00", Xz),
    row(0, b"LRZI\x00", Lrzip),
    row(0, b"LZIP\x00", Lzip),
    row(0, b"LZIP\x01", Lzip),
    row(0, b"\x28\xb5\x2f\xfd", Zstd),
    row(0, b"\x04\x22\x4d\x18", Lz4),
    row(0, b"\x02\x21\x4c\x18", Lz4),
    row(0, b"\x89LZO\x00\x0d\x0a\x1a\x0a", Lzop),
    checked(0, b"\x1f\x9d", Compress, check::compress),
    row(0, b"#@~^", EncodedScript),
    row(0, b"SZDD\x88\xf0\x27\x33", Szdd),
    row(0, b"KWAJ\x88\xf0\x27\xd1", Szdd),
    row(0, b"SZ\x20\x88\xf0\x27\x33\xd1", Szdd),
    row(0, b"\xb6\xb9\xac\xae\xfe\xff\xff\xff", CryptFf),
    // Disk images and file systems
    row(0, b"QFI\xfb", Qcow),
    row(0, b"KDMV", Vmdk),
    row(0, b"COWD", Vmdk),
    row(0, b"# Disk DescriptorFile", Vmdk),
    row(0, b"vhdxfile", Vhdx),
    row(0, b"conectix", Vhd),
    row(0, b"hsqs", SquashFs),
    row(0, b"sqsh", SquashFs),
    row(512, b"EFI PART", Gpt),
    checked(512, b"PM\x00\x00", Apm, check::apm),
    checked(1024, b"PM\x00\x00", Apm, check::apm),
    checked(2048, b"PM\x00\x00", Apm, check::apm),
    row(3, b"NTFS    ", Ntfs),
    row(3, b"EXFAT   ", Fat),
    row(3, b"-FVE-FS-", BitLocker),
    row(0, b"LUKS\xba\xbe", Luks),
    checked(0, b"XFSB", Xfs, check::xfs),
    checked(32, b"NXSB", Apfs, check::apfs),
    checked(1080, b"\x53\xef", Ext, check::ext),
    checked(1024, b"H+\x00\x04", HfsPlus, check::always),
    checked(1024, b"HX\x00\x05", HfsPlus, check::always),
    checked(1148, b"H+", HfsPlus, check::wrapped_hfsplus),
    checked(1024, b"BD", Hfs, check::hfs),
    row(0, b"encrcdsa\x00\x00\x00", Dmg),
    // Documents
    row(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Ole2),
    row(0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", OneNote),
    row(0, b"\xa1\x2f\xff\x43\xd9\xef\x76\x4c\x9e\xe2\x10\xea\x57\x22\x76\x5f", OneNote),
    row(0, b"%PDF-", Pdf),
    row(0, b"%!PS", PostScript),
    row(0, b"\x04%!PS", PostScript),
    row(0, b"\xc5\xd0\xd3\xc6", PostScript),
    row(0, b"{\\rt", Rtf),
    row(0, b"HWP Document File V", Hwp3), // the header of version 5, a stream, goes on with zeros
    row(0, b"\x4c\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46", Lnk),
    row(0, b"\x78\x9f\x3e\x22", Tnef),
    // Executables
    row(0, b"\x7fELF", Elf),
    checked(0, b"MZ", Pe, check::dos),
    row(0, b"\xfe\xed\xfa\xce", MachO),
    row(0, b"\xfe\xed\xfa\xcf", MachO),
    row(0, b"\xce\xfa\xed\xfe", MachO),
    row(0, b"\xcf\xfa\xed\xfe", MachO),
    checked(0, b"\xca\xfe\xba\xbe", MachOUniversal, check::universal),
    row(0, b"\xca\xfe\xba\xbf", MachOUniversal),
    row(0, b"\xca\xfe\xba\xbe", JavaClass),
    row(0, b"dex\n0", Dex),
    row(0, b"\0asm", Wasm),
    checked(2, b"\r\n", Pyc, check::pyc),
    // Media
    row(0, b"\x89PNG\r\n\x1a\n", Png),
    row(0, b"GIF87a", Gif),
    row(0, b"GIF89a", Gif),
    row(0, b"\xff\xd8\xff", Jpeg),
    row(0, b"II*\x00", Tiff),
    row(0, b"MM\x00*", Tiff),
    row(0, b"II+\x00", Tiff),
    row(0, b"MM\x00+", Tiff),
    checked(0, b"BM", Bmp, check::bmp),
    row(0, b"RIFF", Riff),
    row(0, b"RIFX", Riff),
    checked(0, b"FWS", Swf, check::flash),
    checked(0, b"CWS", Swf, check::flash),
    checked(0, b"ZWS", Swf, check::flash),
];
