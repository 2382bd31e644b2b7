//! Lines that say how kinds of files are told (`.ftm`): `mode:offset:hex:name:from:kind[:minFL[:maxFL]]`.
//!
//! In mode 0 a file is of the kind if these bytes stand at this offset in its first KiB. Modes 1 (a body signature that
//! finds objects embedded in others) and 4 (partitions) are checked and left out: Dachs looks for embedded objects and
//! partitions by their structure.

use dachs_sigdb::model::Magic;

use crate::number::{decimal, hex};
use crate::refused::{Parsed, Refused};
use crate::{attributes, level, ndb};

/// Reads a line.
///
/// # Errors
/// When it is malformed, not for us, or of a mode or kind that is not used.
pub(crate) fn parse(line: &str) -> Parsed<Magic> {
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
        0 => {}
        1 => {
            ndb::parse(&format!("{}:0:{offset}:{bytes}", if name.is_empty() { "-" } else { name }))?;
            return Err(Refused::unsupported(
                "file types of mode 1: embedded objects are looked for by their structure",
            ));
        }
        4 => {
            decimal(offset, "the offset")?;
            hex(bytes)?;
            return Err(Refused::unsupported("file types of mode 4: partitions are looked for by their structure"));
        }
        _ => return Err(Refused::not_for_us("file types of an unknown mode")),
    }
    if offset.is_empty() {
        return Err(Refused::malformed("the offset is missing"));
    }
    let (offset, bytes) = (decimal(offset, "the offset")?, hex(bytes)?);
    match attributes::principal(to) {
        Some(kind) if from == "ANY" && !bytes.is_empty() => Ok(Magic { offset, bytes, kind }),
        _ => Err(Refused::unsupported(format!("file types that make CL_TYPE_{to} of CL_TYPE_{from}"))),
    }
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
        let magic = Magic { offset: 3, bytes: b"MZ".to_vec(), kind: FileKind::Zip };
        assert_eq!(parse("0:3:4d5a:MZ:CL_TYPE_ANY:CL_TYPE_ZIP:1:300"), Ok(magic));
        for line in ["1:*:4d5a*5050:MZ:CL_TYPE_ANY:CL_TYPE_ZIPSFX", "4:0:4d5a:x:CL_TYPE_PART_ANY:CL_TYPE_PART_HFSPLUS"]
        {
            assert!(matches!(parse(line), Err(Refused::Unsupported(_))), "{line}");
        }
        for line in ["3:0:4d5a:M:CL_TYPE_ANY:CL_TYPE_ELF", "0:0:zz:M:CL_TYPE_FOO:CL_TYPE_BAR:300"] {
            assert!(matches!(parse(line), Err(Refused::NotForUs(_))), "{line}");
        }
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
