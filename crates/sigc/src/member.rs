//! Lines about what archives say of their members.
//!
//! | kind | line |
//! |---|---|
//! | cdb | `name:container:size of it:name of the member:packed size:size:encrypted:position:*:*[:minFL[:maxFL]]` |
//! | zmd, rmd | `name:encrypted:name of the member:size:packed size:checksum:method:position:depth`, in ZIP and RAR |
//!
//! Sizes and positions are a number, a range `a-b`, or `*`; in zmd and rmd a number or `*`. Names are regular expressions
//! ([`crate::posix`]) or `*`. The checksum, the method and the depth are not compared, as in ClamAV.

use dachs_base::FileKind;
use dachs_sigdb::model::MemberRule;

use crate::number::{decimal, range};
use crate::refused::{Parsed, Refused};
use crate::{attributes, level, name, posix};

/// A range without bounds.
const ANY: (u64, u64) = (0, u64::MAX);

/// Reads a line of cdb: the name and the rule.
///
/// # Errors
/// When it is malformed or not for us.
pub(crate) fn parse(line: &str) -> Parsed<(&str, MemberRule)> {
    let fields: Vec<&str> = line.splitn(13, ':').collect();
    let [name, container, size, member, packed, length, encrypted, position, _, _, levels @ ..] = fields.as_slice()
    else {
        return Err(Refused::malformed("expected ten fields and up to two levels"));
    };
    if levels.len() > 2 {
        return Err(Refused::malformed("there are more than ten fields and two levels"));
    }
    let levels = levels.iter().map(|level| decimal(level, "a level")).collect::<Parsed<Vec<u64>>>()?;
    level::require(levels.first().copied().unwrap_or(0), levels.get(1).copied())?;
    let rule = MemberRule {
        containers: containers(container)?,
        container_size: span(size, "the size of the container")?,
        name: expression(member)?,
        packed: span(packed, "the packed size")?,
        length: span(length, "the size")?,
        encrypted: flag(encrypted)?,
        position: span(position, "the position")?,
    };
    Ok((name::bare(name)?, rule))
}

/// Reads a line of zmd or rmd, which is about members of `container`.
///
/// # Errors
/// When it is malformed.
pub(crate) fn parse_old(line: &str, container: FileKind) -> Parsed<(&str, MemberRule)> {
    let fields: Vec<&str> = line.splitn(10, ':').collect();
    let [name, encrypted, member, length, packed, checksum, method, position, depth] = fields.as_slice() else {
        return Err(Refused::malformed("expected nine fields"));
    };
    if *checksum != "*" && u32::from_str_radix(checksum, 16).is_err() {
        return Err(Refused::malformed("the checksum is not hexadecimal"));
    }
    number(method, "the method")?;
    number(depth, "the depth")?;
    let rule = MemberRule {
        containers: attributes::named(container.cl_type()),
        container_size: ANY,
        name: expression(member)?,
        packed: number(packed, "the packed size")?,
        length: number(length, "the size")?,
        encrypted: flag(encrypted)?,
        position: number(position, "the position")?,
    };
    Ok((name::bare(name)?, rule))
}

/// The kinds that a name of ClamAV's stands for; none for any.
fn containers(text: &str) -> Parsed<Vec<FileKind>> {
    if text == "*" {
        return Ok(Vec::new());
    }
    let unknown = |refused| match refused {
        Refused::NotForUs(reason) => Refused::Malformed(reason),
        other => other,
    };
    let name = attributes::kind(text).map_err(unknown)?;
    // Nothing is inside of an empty object: so the rule is there, and never fulfilled.
    Ok(attributes::known(name).unwrap_or_else(|| vec![FileKind::Empty]))
}

/// A number or a range.
fn span(text: &str, what: &str) -> Parsed<(u64, u64)> {
    if text.ends_with('-') || text.starts_with('-') {
        return Err(Refused::malformed(format!("{what}: '{text}' is not a range of the form a-b")));
    }
    match text.contains('-') {
        true => range(text, what),
        false => number(text, what),
    }
}

fn number(text: &str, what: &str) -> Parsed<(u64, u64)> {
    if text == "*" {
        return Ok(ANY);
    }
    decimal(text, what).map(|number| (number, number))
}

fn flag(text: &str) -> Parsed<Option<bool>> {
    match text {
        "*" => Ok(None),
        "0" => Ok(Some(false)),
        "1" => Ok(Some(true)),
        _ => Err(Refused::malformed(format!("encrypted: '{text}' is not 0, 1 or *"))),
    }
}

fn expression(text: &str) -> Parsed<Option<String>> {
    if text == "*" { Ok(None) } else { posix::translate(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_rules() {
        let (name, rule) = parse("A:CL_TYPE_ZIP:1-9:b\\.c$:*:7:1:2:*:*:51:255").unwrap();
        let expected = MemberRule {
            containers: attributes::named("ZIP"),
            container_size: (1, 9),
            name: Some(r"b\x2ec(?:$)".into()),
            packed: ANY,
            length: (7, 7),
            encrypted: Some(true),
            position: (2, 2),
        };
        assert_eq!((name, &rule), ("A", &expected));
        let old = MemberRule { container_size: ANY, packed: (8, 8), ..expected };
        assert_eq!(parse_old("A:1:b\\.c$:7:8:00ff:8:2:*", FileKind::Zip), Ok(("A", old)));
    }

    #[test]
    fn malformed_lines_are_refused() {
        // Each was asked of clamscan 1.4.6, which refused it, but for the last.
        let cases = [
            "A:*:*:a:*:*:*:*:*",
            "B:*:*:(:*:*:*:*:*:*",
            "A:CL_TYPE_FOO:*:a:*:*:*:*:*:*",
            "A:*:5-:a:*:*:*:*:*:*",
            "A:*:5:a:*:*:2:*:*:*",
            "A:*:5:a:*:*:1:x:*:*",
            ":*:5:*:*:*:*:*:*:*",
            "A:*:5a:*:*:*:*:*:*:*",
            "",
            "A:*:5::*:*:*:*:*:*",
            "A:*:*:*:-5:*:*:*:*:*",
            "A:*:*:*: 5:*:*:*:*:*",
            "A:*:*:*:*:*:*:*:*:*:*",
            "A:*:*:*:*:*:*:*:*:*:x",
            "A:*:*:*:*:*:*:*:*:*:51:255:1",
            "A:*:*:*:*:*::*:*:*",
            "A:CL_TYPE_ZIP :*:*:*:*:*:*:*:*",
            "A::*:*:*:*:*:*:*:*",
            "A:ZIP:*:*:*:*:*:*:*:*",
            "A:*:*:*:*:+50:*:*:*:*",
            "A:*:*:*:*:0x32:*:*:*:*",
            "A:*:*:*:*:50-:*:*:*:*",
            "A:*:*:*:*:*:**:*:*:*",
            "A:*:*:*:1-2-3:*:*:*:*:*",
        ];
        for line in cases {
            assert!(matches!(parse(line), Err(Refused::Malformed(_))), "{line}");
        }
        let old = [
            "A:0:a.exe:5:5:0x123:*:1:*",
            "A:0:*:*:*:*:*:*",
            "A:0:*:*:*:*:x:*:*",
            "A:0:*:*:*:*:*:*:x",
            "A:x:*:*:*:*:*:*:*",
            "A:0:(:*:*:*:*:*:*",
            "A:0:*:40-60:*:*:*:*:*",
            "A:0:*:*:*:*:*:*:*:1",
            ":0:*:*:*:*:*:*:*",
            "A:0:*:a:*:*:*:*:*",
            "",
        ];
        for line in old {
            assert!(matches!(parse_old(line, FileKind::Rar), Err(Refused::Malformed(_))), "{line}");
        }
    }

    #[test]
    fn odd_lines_are_taken() {
        for line in [
            "A:*:*:a:*:*:*:*:*:",
            "A:CL_TYPE_ANY:5:a:*:*:1:1-3:zz:*",
            "A:*:*:*:60-40:*:*:*:*:*",
            "A:*:*:*::*:*:*:*:*",
            "A:*:*:*:*:*:*:*:*:*:",
            "A (Clam):*:*:*:*:*:*:*:*:*",
            "A:*:*:*:*:99999999999999999999999:*:*:*:*",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        assert!(matches!(parse("A:*:5:a:*:*:1:1:*:*:300"), Err(Refused::NotForUs(_))));
        assert!(matches!(parse("A:*:5:a:*:*:1:1:*:*:51:100"), Err(Refused::NotForUs(_))));
    }
}
