//! Lines that say how kinds of files are told (`.ftm`): `mode:offset:hex:name:from:kind[:minFL[:maxFL]]`.
//!
//! | mode | what it says |
//! |---|---|
//! | 0 | a file with these bytes at this offset, in its first KiB, is of the kind |
//! | 4 | the same of a partition in the image of a disk |
//! | 1 | what matches this body signature, at this offset, is or holds something of the kind, see below |
//!
//! What `from` says counts in mode 1 alone. There, as watched on ClamAV 1.4.6:
//!
//! * kinds of archives that stand behind programs ([`INSIDE`]) begin where the match does, in any object;
//! * some kinds are those of the whole object wherever the match is ([`ANYWHERE`]), if it is a text or of no known format;
//! * all others are so if the match is in the first KiB;
//! * kind `ANY` makes a body signature of the line, which detects;
//! * kind `IGNORED` would keep an object from being looked at, and is left out.

use dachs_sigdb::model::{BodyRule, KindRule, Magic, TellsOf, Told};

use crate::number::{decimal, hex};
use crate::refused::{Parsed, Refused};
use crate::{attributes, level, name, ndb};

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'l> {
    /// Bytes at one place tell a kind.
    Beginning(Magic),
    /// It is a body signature of this name.
    Body(&'l str, BodyRule),
    /// A pattern of this name tells a kind.
    Pattern(&'l str, KindRule),
}

/// Kinds of objects in the midst of others.
const INSIDE: [&str; 14] = [
    "7ZSFX",
    "ALZ",
    "APM",
    "ARJSFX",
    "AUTOIT",
    "CABSFX",
    "EGGSFX",
    "GPT",
    "ISHIELD_MSI",
    "LNK",
    "NULSFT",
    "RARSFX",
    "SFX",
    "ZIPSFX",
];
/// Kinds that an object is of wherever its pattern stands.
const ANYWHERE: [&str; 9] = ["DMG", "HTML", "ISO9660", "MAIL", "MHTML", "UDF", "XDP", "XML_WORD", "XML_XL"];

/// Reads a line.
///
/// # Errors
/// When it is malformed, not for us, or of a kind that is not told apart.
pub(crate) fn parse(line: &str) -> Parsed<Line<'_>> {
    let fields: Vec<&str> = line.splitn(9, ':').collect();
    let [mode, offset, bytes, name, from, to, levels @ ..] = fields.as_slice() else {
        return Err(Refused::malformed("expected mode:offset:hex:name:from:kind, with up to two levels after it"));
    };
    if levels.len() > 2 {
        return Err(Refused::malformed("there are more than six fields and two levels"));
    }
    let levels = levels.iter().map(|level| decimal(level, "a level")).collect::<Parsed<Vec<u64>>>()?;
    level::require(levels.first().copied().unwrap_or(0), levels.get(1).copied())?;
    let (from, to) = (kind(from)?, kind(to)?);
    match decimal(mode, "the mode")? {
        mode @ (0 | 4) => beginning(offset, bytes, to, mode == 4),
        1 => pattern(if name.is_empty() { "-" } else { name }, offset, bytes, (from, to)),
        _ => Err(Refused::not_for_us("file types of an unknown mode")),
    }
}

fn beginning<'l>(offset: &str, bytes: &str, to: &str, partition: bool) -> Parsed<Line<'l>> {
    if offset.is_empty() {
        return Err(Refused::malformed("the offset is missing"));
    }
    let (offset, bytes) = (decimal(offset, "the offset")?, hex(bytes)?);
    match attributes::principal(to) {
        Some(kind) if !bytes.is_empty() => Ok(Line::Beginning(Magic { offset, bytes, kind, partition })),
        _ => Err(not_told(to)),
    }
}

fn pattern<'l>(name: &'l str, offset: &str, bytes: &str, (from, to): (&str, &str)) -> Parsed<Line<'l>> {
    let (_, body) = ndb::parse(&format!("-:0:{offset}:{bytes}"))?;
    if to == "ANY" {
        return Ok(Line::Body(name::bare(name)?, body));
    }
    let kind = attributes::principal(to).ok_or_else(|| not_told(to))?;
    let what = match () {
        () if INSIDE.contains(&to) => TellsOf::Rest,
        () if ANYWHERE.contains(&to) => TellsOf::Object,
        () => TellsOf::Beginning,
    };
    let from = if from == "ANY" { Vec::new() } else { attributes::named(from) };
    Ok(Line::Pattern(name::bare(name)?, KindRule { body, told: Told { from, kind, what } }))
}

fn not_told(to: &str) -> Refused {
    Refused::unsupported(format!("file types that make CL_TYPE_{to} of something"))
}

fn kind(text: &str) -> Parsed<&str> {
    attributes::kind(text).map_err(|_| Refused::malformed(format!("'{text}' is no kind of files")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::FileKind;

    #[test]
    fn lines_become_magic() {
        let magic = Magic { offset: 3, bytes: b"MZ".to_vec(), kind: FileKind::Zip, partition: false };
        assert_eq!(parse("0:3:4d5a:MZ:CL_TYPE_ANY:CL_TYPE_ZIP:1:300"), Ok(Line::Beginning(magic.clone())));
        assert_eq!(parse("0:3:4d5a:MZ:CL_TYPE_PNG:CL_TYPE_ZIP"), Ok(Line::Beginning(magic.clone())));
        let magic = Magic { kind: FileKind::HfsPlus, partition: true, ..magic };
        assert_eq!(parse("4:3:4d5a:x:CL_TYPE_PART_ANY:CL_TYPE_PART_HFSPLUS"), Ok(Line::Beginning(magic)));
        for line in ["3:0:4d5a:M:CL_TYPE_ANY:CL_TYPE_ELF", "0:0:zz:M:CL_TYPE_FOO:CL_TYPE_BAR:300"] {
            assert!(matches!(parse(line), Err(Refused::NotForUs(_))), "{line}");
        }
        for line in ["0:0:4d5a:M:CL_TYPE_ANY:CL_TYPE_IGNORED", "1:0:4d5a4d:M:CL_TYPE_ANY:CL_TYPE_SFX"] {
            assert!(matches!(parse(line), Err(Refused::Unsupported(_))), "{line}");
        }
    }

    #[test]
    fn patterns_tell_kinds() {
        for (to, kind, what) in [
            ("ZIPSFX", FileKind::Zip, TellsOf::Rest),
            ("HTML", FileKind::Html, TellsOf::Object),
            ("RTF", FileKind::Rtf, TellsOf::Beginning),
        ] {
            let line = format!("1:EOF-9:4d5a??50*50:MZ:CL_TYPE_PNG:CL_TYPE_{to}").replace("*50", "*5050");
            let Ok(Line::Pattern("MZ", rule)) = parse(&line) else { panic!("{line}") };
            assert_eq!(rule.told, Told { from: vec![FileKind::Png], kind, what });
        }
        assert!(matches!(parse("1:*:4d5a50:MZ:CL_TYPE_ANY:CL_TYPE_ANY"), Ok(Line::Body("MZ", _))));
    }

    #[test]
    fn malformed_lines_are_refused() {
        // As clamscan 1.4.6 does with each.
        for line in [
            "0:0:4d5a:MZ:CL_TYPE_FOO:CL_TYPE_MSEXE",
            "0:0:4d5a:MZ:CL_TYPE_ANY:CL_TYPE_FOO",
            "0:0:4d5a:MZ:CL_TYPE_ANY",
            "0:*:4d5a:MZ:CL_TYPE_ANY:CL_TYPE_MSEXE",
            "0:-1:4d5a:MZ:CL_TYPE_ANY:CL_TYPE_MSEXE",
            "0:EOF-4:4d5a:MZ:CL_TYPE_ANY:CL_TYPE_MSEXE",
            "0:0:4d5:MZ:CL_TYPE_ANY:CL_TYPE_MSEXE",
            "0:0:4d??:MZ:CL_TYPE_ANY:CL_TYPE_MSEXE",
            "x:0:4d5a:MZ:CL_TYPE_ANY:CL_TYPE_MSEXE",
            "1:0:4d??5a:MZ:CL_TYPE_ANY:CL_TYPE_MSEXE",
            "1:0:zz:MZ:CL_TYPE_ANY:CL_TYPE_MSEXE",
            "1:x:4d5a:MZ:CL_TYPE_ANY:CL_TYPE_MSEXE",
            "1:*:4d:MZ:CL_TYPE_ANY:CL_TYPE_ZIPSFX",
            "4:x:4d5a:MZ:CL_TYPE_ANY:CL_TYPE_PART_HFSPLUS",
            "",
            "0:0:4d5a:MZ:CL_TYPE_ANY:CL_TYPE_MSEXE:1:300:5",
            "0:0:4d5a:MZ:CL_TYPE_ANY:CL_TYPE_MSEXE:x",
        ] {
            assert!(matches!(parse(line), Err(Refused::Malformed(_))), "{line}");
        }
    }
}
