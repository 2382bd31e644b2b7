//! Lines that switch parsers off (`.cfg`): `CATEGORY:0xflags[:minFL[:maxFL]]`.
//!
//! The flags are all that a category has: a bit that is not set switches its part off, and a later line of the same category
//! replaces an earlier one. Which bit is which part was watched on ClamAV 1.4.6 (`clamscan --debug`). Some parts have no
//! switch here: they are told.

use dachs_base::FileKind;
use dachs_sigdb::model::Switch;

use crate::level;
use crate::number::leading;
use crate::refused::{Parsed, Refused};

/// ZIP archives, documents in them included.
const ZIP: [FileKind; 5] =
    [FileKind::Zip, FileKind::OoxmlHwp, FileKind::OoxmlPpt, FileKind::OoxmlWord, FileKind::OoxmlXl];

/// Which kinds a bit of a category is about.
const PARTS: [(&str, u32, &[FileKind]); 41] = [
    ("ARCHIVE", 0, &[FileKind::Rar]),
    ("ARCHIVE", 1, &ZIP),
    ("ARCHIVE", 2, &[FileKind::Gzip]),
    ("ARCHIVE", 3, &[FileKind::Bzip2]),
    ("ARCHIVE", 4, &[FileKind::Szdd]),
    ("ARCHIVE", 5, &[FileKind::Cab]),
    ("ARCHIVE", 6, &[FileKind::Chm]),
    ("ARCHIVE", 7, &[FileKind::Ole2]),
    ("ARCHIVE", 8, &[FileKind::Tar]),
    ("ARCHIVE", 9, &[FileKind::BinHex]),
    ("ARCHIVE", 10, &[FileKind::Sis]),
    ("ARCHIVE", 11, &[FileKind::Nsis]),
    ("ARCHIVE", 12, &[FileKind::Arj]),
    ("ARCHIVE", 13, &[FileKind::AutoIt]),
    ("ARCHIVE", 14, &[FileKind::Cpio]),
    ("ARCHIVE", 15, &[FileKind::InstallShield]),
    ("ARCHIVE", 16, &[FileKind::SevenZip]),
    ("ARCHIVE", 17, &[FileKind::Iso9660]),
    ("ARCHIVE", 18, &[FileKind::Dmg]),
    ("ARCHIVE", 19, &[FileKind::Xar]),
    ("ARCHIVE", 20, &[FileKind::HfsPlus]),
    ("ARCHIVE", 21, &[FileKind::Xz]),
    ("ARCHIVE", 23, &[FileKind::Mbr]),
    ("ARCHIVE", 24, &[FileKind::Gpt]),
    ("ARCHIVE", 26, &[FileKind::Egg]),
    ("ARCHIVE", 27, &[FileKind::Udf]),
    ("ARCHIVE", 28, &[FileKind::Lha]),
    ("ARCHIVE", 29, &[FileKind::Alz]),
    ("DOCUMENT", 0, &[FileKind::Html]),
    ("DOCUMENT", 1, &[FileKind::Rtf]),
    ("DOCUMENT", 2, &[FileKind::Pdf]),
    ("DOCUMENT", 6, &[FileKind::Swf]),
    ("DOCUMENT", 9, &[FileKind::Hwp3]),
    ("DOCUMENT", 10, &[FileKind::OneNote]),
    ("MAIL", 0, &[FileKind::Mail, FileKind::Mhtml]),
    ("MAIL", 1, &[FileKind::Tnef]),
    ("MACHO", 0, &[FileKind::MachOUniversal]),
    ("OTHER", 0, &[FileKind::Uuencode]),
    ("OTHER", 2, &[FileKind::Riff]),
    ("OTHER", 4, &[FileKind::CryptFf]),
    ("PHISHING", 0, &[]),
];

/// The categories there are.
const CATEGORIES: [&str; 11] =
    ["ARCHIVE", "BYTECODE", "DOCUMENT", "ELF", "MACHO", "MAIL", "OTHER", "PCRE", "PE", "PHISHING", "STATS"];

/// Reads a line: what it switches, and whether on.
///
/// # Errors
/// When it is malformed, not for us, or about nothing that has a switch.
pub(crate) fn parse(line: &str) -> Parsed<Vec<(Switch, bool)>> {
    let mut fields = line.split(':');
    let category = fields.next().unwrap_or_default();
    let flags = fields.next().unwrap_or_default();
    if !CATEGORIES.contains(&category) {
        return Err(Refused::not_for_us("a category of switches that is not known"));
    }
    level::require(fields.next().map_or(0, leading), fields.next().filter(|max| !max.is_empty()).map(leading))?;
    let digits = flags.strip_prefix("0x").map(|digits| {
        let end = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
        digits.get(..end).unwrap_or_default()
    });
    let digits = digits.filter(|digits| !digits.is_empty());
    let digits = digits.ok_or_else(|| Refused::malformed(format!("'{flags}' is not a hexadecimal number after 0x")))?;
    let flags = u64::from_str_radix(digits, 16).unwrap_or(u64::MAX);
    let parts = PARTS.iter().filter(|(of, ..)| *of == category);
    let switches = parts.flat_map(|(_, bit, kinds)| {
        let on = flags.checked_shr(*bit).unwrap_or(0) & 1 == 1;
        let phishing = kinds.is_empty().then_some((Switch::Phishing, on));
        kinds.iter().map(move |kind| (Switch::Kind(*kind), on)).chain(phishing)
    });
    let switches: Vec<(Switch, bool)> = switches.collect();
    if switches.is_empty() {
        return Err(Refused::unsupported(format!("there are no switches for {category}")));
    }
    Ok(switches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_switch_kinds() {
        let switches = parse("ARCHIVE:0x3ffffffd:1:300").unwrap();
        let off: Vec<_> = switches.iter().filter(|(_, on)| !on).map(|(switch, _)| *switch).collect();
        assert_eq!(off, ZIP.map(Switch::Kind));
        assert_eq!(parse("PHISHING:0x0"), Ok(vec![(Switch::Phishing, false)]));
        assert!(parse("DOCUMENT:0x5g:1").is_ok());
    }

    #[test]
    fn lines_that_are_refused_or_left_out() {
        // As clamscan 1.4.6 does with each.
        for line in ["ARCHIVE:0:1:300", "PE:0x:1:300", "PE:-1:1:300", "PE:5:1:300", "PE", "DOCUMENT:xx"] {
            assert!(matches!(parse(line), Err(Refused::Malformed(_))), "{line}");
        }
        for line in ["FOO:zz:1:300", "ARCHIVE:zz:1:100", "", ":0x1", "pe:0x1:1:300", "ARCHIVE:0x0:300"] {
            assert!(matches!(parse(line), Err(Refused::NotForUs(_))), "{line}");
        }
        assert!(matches!(parse("PE:0x5:1:300"), Err(Refused::Unsupported(_))));
    }
}
