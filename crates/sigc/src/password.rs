//! Lines with passwords for archives (`.pwdb`): `name;attributes;type;password`.
//!
//! Type 0 is a password as it stands, 1 one in hexadecimal digits. Of the attributes, `Engine` and `Container` count: the
//! password is tried on archives of that kind, or on all.

use dachs_sigdb::model::Password;

use crate::number::{decimal, hex, range};
use crate::refused::{Parsed, Refused};
use crate::{attributes, level};

/// Longer passwords are left out.
const LONGEST: usize = 1024;

/// Reads a line.
///
/// # Errors
/// When it is malformed, or not for us.
pub(crate) fn parse(line: &str) -> Parsed<Password> {
    let mut fields = line.splitn(4, ';');
    let (Some(_), Some(attributes), Some(form), Some(text)) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(Refused::malformed("expected name;attributes;type;password"));
    };
    let mut password = Password { containers: Vec::new(), bytes: Vec::new() };
    let mut engine = false;
    for (at, attribute) in attributes.split(',').enumerate() {
        engine |= read(&mut password, at, attribute, engine)?;
    }
    password.bytes = match decimal(form, "the type")? {
        0 => text.as_bytes().to_vec(),
        1 => hex(text)?,
        _ => return Err(Refused::not_for_us("passwords of an unknown type")),
    };
    match password.bytes.len() {
        0..=LONGEST => Ok(password),
        _ => Err(Refused::unsupported("passwords of more than 1,024 bytes")),
    }
}

/// Takes one attribute; true if it is that of the levels.
fn read(password: &mut Password, at: usize, attribute: &str, engine: bool) -> Parsed<bool> {
    let malformed = |reason: &str| Err(Refused::malformed(format!("attribute '{attribute}' {reason}")));
    match attribute.split_once(':') {
        None => malformed("is not of the form Key:Value"),
        Some(("Engine", levels)) if at == 0 => {
            let (min, max) = range(levels, "Engine")?;
            level::require(min, Some(max))?;
            Ok(min >= level::ATTRIBUTES)
        }
        Some(("Engine", _)) => malformed("must come first"),
        Some(("Target", target)) => decimal(target, "Target").map(|_| false),
        Some(_) if !engine => malformed("needs Engine before it, from level 51 on"),
        Some(("Container", container)) => {
            let name = attributes::kind(container)?;
            password.containers = attributes::named(name);
            Ok(false)
        }
        Some(_) => Err(Refused::not_for_us("passwords with other attributes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::FileKind;

    #[test]
    fn lines_become_passwords() {
        let password =
            |containers: &[FileKind], bytes: &[u8]| Password { containers: containers.to_vec(), bytes: bytes.to_vec() };
        assert_eq!(parse("n;Engine:51-255;0;a;b"), Ok(password(&[], b"a;b")));
        assert_eq!(parse("n;Target:0;0;abc"), Ok(password(&[], b"abc")));
        let zip = attributes::named("ZIP");
        assert_eq!(parse(";Engine:51-255,Container:CL_TYPE_ZIP;1;616263"), Ok(password(&zip, b"abc")));
        for line in ["n;Engine:51-255;2;abc", "n;Engine:300-400;0;abc", "n;Engine:51-255,FileSize:1-2;0;abc"] {
            assert!(matches!(parse(line), Err(Refused::NotForUs(_))), "{line}");
        }
    }

    #[test]
    fn malformed_lines_are_refused() {
        // As clamscan 1.4.6 does with each.
        for line in [
            "n;;0;abc",
            "n;Engine:51-255;1;abx",
            "n;Engine:51-255;1;61626",
            "n;Engine:51-255;x;abc",
            "n;Engine:51-255;0",
            "",
            "n;Foo:1;0;abc",
            "n;Container:CL_TYPE_ZIP;0;abc",
            "n;Engine:51-255,Engine:51-255;0;abc",
            "n;Engine:x-255;0;abc",
            "n;Engine:51;0;abc",
            "n;Engine:51-255,;0;abc",
        ] {
            assert!(matches!(parse(line), Err(Refused::Malformed(_))), "{line}");
        }
    }
}
