//! What an object is, and what follows from it.
//!
//! One table holds everything: the name people see, the class that decides how the object is isolated, the group of
//! signatures it is matched with ([`Target`]), and the name ClamAV's signatures use for it (`CL_TYPE_…`). A kind is
//! found by `dachs-formats` from magic and structure, never from a file's name.

use serde::{Deserialize, Serialize};

/// A group of signatures, numbered as in the `target` field of ClamAV's body signatures.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Target {
    /// 0: every object.
    Any = 0,
    /// 1: Portable Executable.
    Pe = 1,
    /// 2: OLE2 compound files and decoded macros.
    Ole2 = 2,
    /// 3: normalised HTML.
    Html = 3,
    /// 4: mail, raw.
    Mail = 4,
    /// 5: pictures.
    Graphics = 5,
    /// 6: ELF.
    Elf = 6,
    /// 7: normalised text.
    Ascii = 7,
    /// 8: unused.
    Unused = 8,
    /// 9: Mach-O.
    MachO = 9,
    /// 10: PDF.
    Pdf = 10,
    /// 11: Flash.
    Flash = 11,
    /// 12: Java class files.
    Java = 12,
    /// 13: internal metadata.
    Internal = 13,
    /// 14: anything that has no other target.
    Other = 14,
}

impl Target {
    /// All targets, in the order of their numbers.
    pub const ALL: [Target; 15] = [
        Target::Any,
        Target::Pe,
        Target::Ole2,
        Target::Html,
        Target::Mail,
        Target::Graphics,
        Target::Elf,
        Target::Ascii,
        Target::Unused,
        Target::MachO,
        Target::Pdf,
        Target::Flash,
        Target::Java,
        Target::Internal,
        Target::Other,
    ];

    /// The target with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Target> {
        Target::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The number that ClamAV's signatures use.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// How an object is treated, whatever its exact kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Class {
    /// Holds other files: an archive, a disk image, an installer.
    Archive,
    /// One compressed stream.
    Stream,
    /// A document or mail, which may hold other files and scripts.
    Document,
    /// Machine code or byte code.
    Executable,
    /// Pictures, sound, video.
    Media,
    /// Text and scripts.
    Text,
    /// Everything else.
    Data,
}

macro_rules! kinds {
    ($($variant:ident, $label:literal, $class:ident, $target:ident, $cl_type:literal, $doc:literal;)*) => {
        /// The kind of an object.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum FileKind {
            $(#[doc = $doc] $variant,)*
        }

        impl FileKind {
            /// Every kind, in a fixed order.
            pub const ALL: &'static [FileKind] = &[$(FileKind::$variant,)*];

            /// The short name shown to people and written to JSON; never changes.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self { $(FileKind::$variant => $label,)* }
            }

            /// How objects of this kind are treated.
            #[must_use]
            pub fn class(self) -> Class {
                match self { $(FileKind::$variant => Class::$class,)* }
            }

            /// The group of signatures that the bytes of such objects are matched with, besides [`Target::Any`]. Texts and
            /// HTML have none: their normalised forms are matched with [`Target::Ascii`] and [`Target::Html`].
            #[must_use]
            pub fn target(self) -> Target {
                let target = match self { $(FileKind::$variant => Target::$target,)* };
                // Of what has no target of its own, ClamAV 1.4.6 matches unknown data and compiled Python alone with
                // signatures of target 14.
                let other = self == FileKind::Pyc || self.cl_type() == "BINARY_DATA";
                if target == Target::Other && !other { Target::Any } else { target }
            }

            /// The name of this kind in ClamAV's signatures, without its prefix `CL_TYPE_`.
            #[must_use]
            pub fn cl_type(self) -> &'static str {
                match self { $(FileKind::$variant => $cl_type,)* }
            }
        }
    };
}

// variant, label, class, target, CL_TYPE name, what it is
kinds! {
    Ace, "ace", Archive, Other, "BINARY_DATA", "ACE archive.";
    Alz, "alz", Archive, Other, "ALZ", "ALZip archive.";
    Apfs, "apfs", Archive, Other, "BINARY_DATA", "Container of Apple's file system (APFS).";
    Apm, "apm", Archive, Other, "APM", "Disk image with Apple's partition map.";
    Ar, "ar", Archive, Other, "BINARY_DATA", "Unix `ar` archive (static libraries).";
    Arj, "arj", Archive, Other, "ARJ", "ARJ archive.";
    Asar, "asar", Archive, Other, "BINARY_DATA", "Electron ASAR archive.";
    Ascii, "text", Text, Any, "TEXT_ASCII", "Text in ASCII or an 8-bit character set.";
    AutoIt, "autoit", Archive, Other, "AUTOIT", "Compiled AutoIt script.";
    BinHex, "binhex", Archive, Other, "BINHEX", "BinHex 4.0.";
    BitLocker, "bitlocker", Archive, Other, "BINARY_DATA", "Volume encrypted with BitLocker.";
    Bmp, "bmp", Media, Graphics, "GRAPHICS", "Windows bitmap.";
    Brotli, "brotli", Stream, Other, "BINARY_DATA", "Brotli stream.";
    Btrfs, "btrfs", Archive, Other, "BINARY_DATA", "Btrfs file system.";
    Bzip2, "bzip2", Stream, Other, "BZ", "bzip2 stream.";
    Cab, "cab", Archive, Other, "MSCAB", "Microsoft Cabinet.";
    Chm, "chm", Archive, Other, "MSCHM", "Compiled HTML Help.";
    Compress, "compress", Stream, Other, "BINARY_DATA", "Unix compress (.Z).";
    Cpio, "cpio", Archive, Other, "CPIO_NEWC", "cpio archive in any of its forms.";
    CryptFf, "cryptff", Stream, Other, "CRYPTFF", "CryptFF (XOR 0xFF) container.";
    Data, "data", Data, Other, "BINARY_DATA", "Bytes of no known format.";
    Deb, "deb", Archive, Other, "BINARY_DATA", "Debian package.";
    Dex, "dex", Executable, Other, "BINARY_DATA", "Dalvik executable.";
    Dmg, "dmg", Archive, Other, "DMG", "Apple disk image.";
    Egg, "egg", Archive, Other, "EGG", "EGG archive.";
    Elf, "elf", Executable, Elf, "ELF", "ELF executable, library or object.";
    Empty, "empty", Data, Any, "BINARY_DATA", "No bytes at all.";
    EncodedScript, "encoded-script", Stream, Other, "SCRENC", "Script encoded for Microsoft's script engines (jse, vbe).";
    Ext, "ext", Archive, Other, "BINARY_DATA", "ext2, ext3 or ext4 file system.";
    Fat, "fat", Archive, Other, "BINARY_DATA", "FAT12, FAT16, FAT32 or exFAT file system.";
    Gif, "gif", Media, Graphics, "GIF", "GIF picture.";
    Gpt, "gpt", Archive, Other, "GPT", "Disk image with a GUID partition table.";
    Gzip, "gzip", Stream, Other, "GZ", "gzip stream.";
    HfsPlus, "hfsplus", Archive, Other, "PART_HFSPLUS", "HFS+ file system.";
    Html, "html", Document, Any, "HTML", "HTML page.";
    Hwp3, "hwp3", Document, Other, "HWP3", "Hangul word processor 3 document.";
    InnoSetup, "inno-setup", Archive, Other, "BINARY_DATA", "Inno Setup installer data.";
    InstallShield, "installshield", Archive, Other, "ISHIELD_MSI", "InstallShield archive.";
    Hwpml, "hwpml", Text, Any, "XML_HWP", "Hangul word processor document in XML.";
    Iso9660, "iso9660", Archive, Other, "ISO9660", "ISO 9660 disc image.";
    JavaClass, "java-class", Executable, Java, "JAVA", "Java class file.";
    Jpeg, "jpeg", Media, Graphics, "JPEG", "JPEG picture.";
    Lha, "lha", Archive, Other, "LHA_LZH", "LHA archive.";
    Lnk, "lnk", Document, Other, "LNK", "Windows shortcut.";
    Lrzip, "lrzip", Stream, Other, "BINARY_DATA", "lrzip file.";
    Luks, "luks", Archive, Other, "BINARY_DATA", "Volume encrypted with LUKS.";
    Lz4, "lz4", Stream, Other, "BINARY_DATA", "LZ4 frame.";
    Lzip, "lzip", Stream, Other, "BINARY_DATA", "lzip stream.";
    Lzma, "lzma", Stream, Other, "BINARY_DATA", "LZMA-alone stream.";
    Lzop, "lzop", Stream, Other, "BINARY_DATA", "lzop file.";
    MachO, "macho", Executable, MachO, "MACHO", "Mach-O executable.";
    MachOUniversal, "macho-universal", Archive, MachO, "MACHO_UNIBIN", "Universal Mach-O.";
    Mail, "mail", Document, Mail, "MAIL", "Internet message or mailbox.";
    Mbr, "mbr", Archive, Other, "MBR", "Disk image with a master boot record.";
    Mhtml, "mhtml", Document, Mail, "MHTML", "Web page in MIME form.";
    Nsis, "nsis", Archive, Other, "NULSFT", "NSIS installer data.";
    Ntfs, "ntfs", Archive, Other, "BINARY_DATA", "NTFS file system.";
    Ole2, "ole2", Document, Ole2, "MSOLE2", "OLE2 compound file (doc, xls, ppt, msi, msg).";
    OneNote, "onenote", Document, Other, "ONENOTE", "OneNote section.";
    OoxmlHwp, "ooxml-hwp", Archive, Other, "OOXML_HWP", "Hangul word processor document in a ZIP archive.";
    OoxmlPpt, "ooxml-ppt", Archive, Other, "OOXML_PPT", "PowerPoint presentation in a ZIP archive.";
    OoxmlWord, "ooxml-word", Archive, Other, "OOXML_WORD", "Word document in a ZIP archive.";
    OoxmlXl, "ooxml-xl", Archive, Other, "OOXML_XL", "Excel workbook in a ZIP archive.";
    PackedPe, "packed-pe", Archive, Pe, "MSEXE", "The packed part of a Portable Executable (UPX, ASPack and the like).";
    Pdf, "pdf", Document, Pdf, "PDF", "PDF document.";
    Pe, "pe", Executable, Pe, "MSEXE", "Portable Executable or DOS program.";
    Png, "png", Media, Graphics, "PNG", "PNG picture.";
    PostScript, "postscript", Document, Other, "PS", "PostScript.";
    Pst, "pst", Archive, Other, "BINARY_DATA", "Outlook's store of mail (pst, ost).";
    Pyc, "pyc", Executable, Other, "PYTHON_COMPILED", "Compiled Python.";
    Qcow, "qcow", Archive, Other, "BINARY_DATA", "QEMU disk image.";
    Rar, "rar", Archive, Other, "RAR", "RAR archive.";
    Riff, "riff", Media, Other, "RIFF", "RIFF (wav, avi, ani).";
    Rpm, "rpm", Archive, Other, "BINARY_DATA", "RPM package.";
    Rtf, "rtf", Document, Other, "RTF", "Rich Text Format.";
    Script, "script", Text, Any, "SCRIPT", "Script text.";
    SevenZip, "7z", Archive, Other, "7Z", "7-Zip archive.";
    Sis, "sis", Archive, Other, "SIS", "Symbian installation file.";
    SquashFs, "squashfs", Archive, Other, "BINARY_DATA", "SquashFS file system.";
    StuffIt, "stuffit", Archive, Other, "BINARY_DATA", "StuffIt archive.";
    Swf, "swf", Media, Flash, "SWF", "Flash file.";
    Szdd, "szdd", Stream, Other, "MSSZDD", "Microsoft SZDD or KWAJ compressed file.";
    Tar, "tar", Archive, Other, "POSIX_TAR", "tar archive.";
    Tiff, "tiff", Media, Graphics, "TIFF", "TIFF picture.";
    Tnef, "tnef", Document, Other, "TNEF", "Outlook winmail.dat.";
    Udf, "udf", Archive, Other, "UDF", "UDF file system.";
    Utf16, "text-utf16", Text, Any, "TEXT_UTF16LE", "Text in UTF-16.";
    Utf8, "text-utf8", Text, Any, "TEXT_UTF8", "Text in UTF-8.";
    Uuencode, "uuencode", Document, Other, "UUENCODED", "uuencoded data.";
    Vhd, "vhd", Archive, Other, "BINARY_DATA", "Virtual PC disk image.";
    Vhdx, "vhdx", Archive, Other, "BINARY_DATA", "Hyper-V disk image.";
    Vmdk, "vmdk", Archive, Other, "BINARY_DATA", "VMware disk image.";
    Warc, "warc", Archive, Other, "BINARY_DATA", "Web archive.";
    Wasm, "wasm", Executable, Other, "BINARY_DATA", "WebAssembly module.";
    Wim, "wim", Archive, Other, "BINARY_DATA", "Windows Imaging file.";
    Xar, "xar", Archive, Other, "XAR", "XAR archive.";
    Xdp, "xdp", Text, Any, "XDP", "PDF document in XML (XDP).";
    Xfs, "xfs", Archive, Other, "BINARY_DATA", "XFS file system.";
    Xml, "xml", Text, Any, "TEXT_UTF8", "XML text.";
    XmlWord, "xml-word", Text, Any, "XML_WORD", "Word document in XML.";
    XmlXl, "xml-xl", Text, Any, "XML_XL", "Excel workbook in XML.";
    Xz, "xz", Stream, Other, "XZ", "xz stream.";
    Zip, "zip", Archive, Other, "ZIP", "ZIP archive.";
    Zstd, "zstd", Stream, Other, "BINARY_DATA", "Zstandard stream.";
    // Images that were compiled before know kinds by their number: what is new stands at the end.
    Batch, "batch", Text, Any, "TEXT_ASCII", "Batch file (cmd.exe).";
    Css, "css", Text, Any, "TEXT_ASCII", "Style sheet (CSS).";
    Hfs, "hfs", Archive, Other, "BINARY_DATA", "HFS file system, the one before HFS+.";
    PackedElf, "packed-elf", Archive, Elf, "ELF", "The packed part of an ELF program (UPX).";
    PowerShell, "powershell", Text, Any, "TEXT_ASCII", "PowerShell script.";
    Svg, "svg", Text, Any, "TEXT_UTF8", "Picture in SVG.";
    VbScript, "vbscript", Text, Any, "TEXT_ASCII", "VBScript.";
    Wsf, "wsf", Text, Any, "TEXT_ASCII", "Windows script file or scriptlet.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn labels_are_unique() {
        let labels: HashSet<_> = FileKind::ALL.iter().map(|kind| kind.label()).collect();
        assert_eq!(labels.len(), FileKind::ALL.len());
    }

    #[test]
    fn target_numbers_round_trip() {
        for target in Target::ALL {
            assert_eq!(Target::from_number(u32::from(target.number())), Some(target));
        }
        assert_eq!(Target::from_number(15), None);
    }
}
