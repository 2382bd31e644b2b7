//! Lines about certificates of signers (`.crb`):
//! `name;trusted;subject;serial;modulus;exponent;codesign;timesign;certsign;notbefore;comment[;minFL[;maxFL]]`.
//!
//! A line with `0` for trusted names a revoked certificate: a program that comes with it is detected, whether its signature is
//! valid or not. Subject and serial are SHA-1 digests of their contents in DER; the serial may be empty for any. Lines with `1` name
//! those who are trusted: a program that they, or somebody they vouch for, signed is not looked at. What they may vouch for stands in
//! `codesign`, `timesign` (for when something was signed) and `certsign`.

use dachs_sigdb::model::{CertificateRule, TrustRule};

use crate::number::{decimal, hex};
use crate::refused::{Parsed, Refused};
use crate::{level, name};

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'l> {
    /// A certificate was revoked; the name of what comes with it.
    Revoked(&'l str, CertificateRule),
    /// A certificate is trusted.
    Trusted(TrustRule),
}

/// Reads a line.
///
/// # Errors
/// When it is malformed or not for us.
pub(crate) fn parse(line: &str) -> Parsed<Line<'_>> {
    let fields: Vec<&str> = line.split(';').collect();
    let [name, trusted, subject, serial, modulus, _, code, time, certificate, _, _, levels @ ..] = fields.as_slice()
    else {
        return Err(Refused::malformed("expected eleven fields and up to two levels"));
    };
    if levels.len() > 2 {
        return Err(Refused::malformed("there are more than eleven fields and two levels"));
    }
    let levels = levels.iter().map(|level| decimal(level, "a level")).collect::<Parsed<Vec<u64>>>()?;
    level::require(levels.first().copied().unwrap_or(0), levels.get(1).copied())?;
    let trusted = flag(trusted, "trusted")?;
    let time = flag(time, "timesign")?;
    let (code, certificates) = (flag(code, "codesign")?, flag(certificate, "certsign")?);
    let rule = CertificateRule {
        subject: digest(subject, "the subject")?,
        serial: if serial.is_empty() { None } else { Some(digest(serial, "the serial")?) },
        modulus: number(modulus)?,
    };
    match trusted {
        true => Ok(Line::Trusted(TrustRule { certificate: rule, code, certificates, time })),
        false => Ok(Line::Revoked(name::bare(name)?, rule)),
    }
}

fn flag(text: &str, what: &str) -> Parsed<bool> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(Refused::malformed(format!("{what}: '{text}' is not 0 or 1"))),
    }
}

fn digest(text: &str, what: &str) -> Parsed<[u8; 20]> {
    let wrong = || Refused::malformed(format!("{what} is not a SHA-1 digest of 40 hexadecimal digits"));
    hex(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)
}

/// A number in hexadecimal digits, without zeros before it.
fn number(text: &str) -> Parsed<Vec<u8>> {
    if text.is_empty() {
        return Err(Refused::malformed("the modulus is missing"));
    }
    let bytes = if text.len().is_multiple_of(2) { hex(text)? } else { hex(&format!("0{text}"))? };
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Ok(bytes.get(zeros..).unwrap_or_default().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "188b5dbbe14f7db4c1e3f51bbb9b5c27a687668c";

    fn line(changes: &[(usize, &str)]) -> String {
        let mut fields = vec!["Rev", "0", DIGEST, DIGEST, "00c0ffee", "010001", "1", "0", "0", "0", "a comment"];
        for (at, text) in changes {
            fields.resize(fields.len().max(at + 1), "51");
            fields[*at] = text;
        }
        fields.join(";")
    }

    #[test]
    fn lines_become_rules() {
        let (text, open) = (line(&[]), line(&[(3, ""), (4, "c0ffe"), (12, "300")]));
        let revoked = |line| match parse(line) {
            Ok(Line::Revoked(name, rule)) => (name, rule),
            other => panic!("{other:?}"),
        };
        let (name, rule) = revoked(&text);
        assert_eq!((name, rule.modulus.as_slice()), ("Rev", &[0xc0, 0xff, 0xee][..]));
        assert_eq!((rule.serial, rule.subject[0]), (Some(rule.subject), 0x18));
        let (_, rule) = revoked(&open);
        assert_eq!((rule.serial, rule.modulus), (None, vec![0x0c, 0x0f, 0xfe]));
        let trusted = line(&[(1, "1"), (8, "1")]);
        let Ok(Line::Trusted(rule)) = parse(&trusted) else { panic!("{trusted}") };
        assert_eq!((rule.code, rule.certificates, rule.certificate.modulus), (true, true, vec![0xc0, 0xff, 0xee]));
        for changes in [&[(11, "300")][..], &[(12, "100")]] {
            assert!(matches!(parse(&line(changes)), Err(Refused::NotForUs(_))), "{changes:?}");
        }
    }

    #[test]
    fn malformed_lines_are_refused() {
        // As clamscan 1.4.6 does with each.
        let cases: [&[(usize, &str)]; 14] = [
            &[(13, "1")],
            &[(11, "x")],
            &[(1, "2")],
            &[(1, "x")],
            &[(1, "")],
            &[(2, "")],
            &[(2, "188b")],
            &[(3, "zz8b5dbbe14f7db4c1e3f51bbb9b5c27a687668c")],
            &[(4, "zz")],
            &[(4, "")],
            &[(6, "2")],
            &[(7, "")],
            &[(8, "x")],
            &[(2, "zz8b5dbbe14f7db4c1e3f51bbb9b5c27a687668c")],
        ];
        for changes in cases {
            assert!(matches!(parse(&line(changes)), Err(Refused::Malformed(_))), "{changes:?}");
        }
        for text in ["", " ", "Rev;0"] {
            assert!(matches!(parse(text), Err(Refused::Malformed(_))), "{text}");
        }
    }
}
