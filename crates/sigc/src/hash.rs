//! Lines of digests.
//!
//! | kinds | line | digest of |
//! |---|---|---|
//! | hdb hsb hdu hsu fp sfp | `hash:size:name[:minFL[:maxFL]]` | a whole object |
//! | imp | the same | the list of what an executable imports |
//! | mdb msb mdu msu | `size:hash:name[:minFL[:maxFL]]` | one section of an executable |
//!
//! MD5, SHA-1 and SHA-256 are told apart by their length, in any of the files. The size may be `*` for any; then the
//! line must be meant for levels that know of this, but for imports.

use dachs_sigdb::model::{Digest, HashRule, Scope};

use crate::level;
use crate::name;
use crate::number::{self, hex, leading};
use crate::refused::{Parsed, Refused};

/// Reads a line about what `scope` says: the name and the rule.
///
/// # Errors
/// When it is malformed or not for us.
pub(crate) fn parse(line: &str, scope: Scope) -> Parsed<(&str, HashRule)> {
    let mut fields = [""; 6];
    let count = fields.iter_mut().zip(line.splitn(6, ':')).map(|(field, part)| *field = part).count();
    let (hash, size, name, levels) = match (scope, fields.get(..count).unwrap_or_default()) {
        (Scope::Section, [size, hash, name, levels @ ..]) if levels.len() <= 2 => (*hash, *size, *name, levels),
        (Scope::Imports | Scope::Object, [hash, size, name, levels @ ..]) if levels.len() <= 2 => {
            (*hash, *size, *name, levels)
        }
        (Scope::Section, _) => {
            return Err(Refused::malformed("expected size:hash:name, with up to two levels after it"));
        }
        _ => return Err(Refused::malformed("expected hash:size:name, with up to two levels after it")),
    };
    let min = levels.first().map_or(0, |level| leading(level));
    level::require(min, levels.get(1).map(|level| leading(level)))?;
    if size == "*" && min < level::ANY_SIZE && scope != Scope::Imports {
        let least = level::ANY_SIZE;
        return Err(Refused::malformed(format!("a hash for any size (*) needs a minimum level of at least {least}")));
    }
    let rule = HashRule { size: self::size(size)?, digest: digest(hash)? };
    Ok((name::bare(name)?, rule))
}

fn size(text: &str) -> Parsed<Option<u64>> {
    if text == "*" {
        return Ok(None);
    }
    let digits = text.trim_start();
    let size = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    let size = size.filter(|size| *size > 0);
    size.map(Some).ok_or_else(|| Refused::malformed(format!("'{text}' is not a size above 0")))
}

fn digest(text: &str) -> Parsed<Digest> {
    if let Some(digest) = usual_digest(text) {
        return Ok(digest);
    }
    let bytes = hex(text)?;
    let md5 = || bytes.as_slice().try_into().ok().map(Digest::Md5);
    let sha1 = || bytes.as_slice().try_into().ok().map(Digest::Sha1);
    let sha256 = || bytes.as_slice().try_into().ok().map(Digest::Sha256);
    md5().or_else(sha1).or_else(sha256).ok_or_else(|| {
        let digits = text.len();
        Refused::malformed(format!("a hash of {digits} digits; MD5 has 32, SHA-1 40, SHA-256 64"))
    })
}

/// A digest without anything wrong in it. There are millions, so this makes nothing on the heap.
fn usual_digest(text: &str) -> Option<Digest> {
    match text.len() {
        32 => digits(text).map(Digest::Md5),
        40 => digits(text).map(Digest::Sha1),
        64 => digits(text).map(Digest::Sha256),
        _ => None,
    }
}

/// The bytes that `2 * N` digits stand for.
fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = number::byte(*pair)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Parsed<(&str, HashRule)> {
        super::parse(line, Scope::Object)
    }

    const MD5: &str = "44d88612fea8a8f36de82e1278abb02f";

    #[test]
    fn the_length_tells_the_algorithm() {
        let line = format!("{MD5}:68:Some.Name");
        let (name, rule) = parse(&line).unwrap();
        assert_eq!((name, rule.size), ("Some.Name", Some(68)));
        assert!(matches!(rule.digest, Digest::Md5([0x44, 0xd8, ..])));
        let cases = [(MD5.to_uppercase(), "Md5"), (format!("{MD5}00000000"), "Sha1"), (MD5.repeat(2), "Sha256")];
        for (hash, algorithm) in cases {
            let line = format!("{hash}:1:n");
            let (_, rule) = parse(&line).unwrap();
            assert!(format!("{:?}", rule.digest).starts_with(algorithm), "{hash}");
        }
    }

    #[test]
    fn malformed_lines_are_refused() {
        let cases = [
            format!("{MD5}:*:n"),
            format!("{MD5}:*:n:"),
            format!("{MD5}:*:n:72"),
            format!("{MD5}:0:n"),
            format!("{MD5}:-1:n"),
            format!("{MD5}:a:n"),
            format!("{MD5}:5a:n"),
            format!("{MD5}::n"),
            format!("{MD5}:5:n:51:255:1"),
            format!("{MD5}:5"),
            format!("{MD5}:5:"),
            format!("{MD5}1:5:n"),
            format!("{MD5}12:5:n"),
            format!(" {MD5}:5:n"),
            MD5.replace('4', "z") + ":5:n",
            String::new(),
            " ".to_owned(),
        ];
        for line in cases {
            assert!(matches!(parse(&line), Err(Refused::Malformed(_))), "{line}");
        }
    }

    #[test]
    fn sections_have_their_size_first() {
        let line = format!("512:{MD5}:Some.Name:73");
        let (name, rule) = super::parse(&line, Scope::Section).unwrap();
        assert_eq!((name, rule.size), ("Some.Name", Some(512)));
        for line in ["*:{}:n:73", "5:{}:n:51:255", "5:{}:n:a", " 5:{}:n"] {
            assert!(super::parse(&line.replace("{}", MD5), Scope::Section).is_ok(), "{line}");
        }
        for line in ["*:{}:n", "*:{}:n:72", "0:{}:n", "5:{}00:n", "5:{}", "5:{}:", "5a:{}:n", ":{}:n", "{}:5:n"] {
            let parsed = super::parse(&line.replace("{}", MD5), Scope::Section).map(drop);
            assert!(matches!(parsed, Err(Refused::Malformed(_))), "{line}");
        }
    }

    #[test]
    fn imports_may_have_any_size() {
        for line in ["{}:*:n", "{}:5:n:1", "{}:*:n:73:255"] {
            assert!(super::parse(&line.replace("{}", MD5), Scope::Imports).is_ok(), "{line}");
        }
        for line in ["{}:0:n", "5:{}:n", "{}:5", "{}:5:n:1:2:3"] {
            let parsed = super::parse(&line.replace("{}", MD5), Scope::Imports).map(drop);
            assert!(matches!(parsed, Err(Refused::Malformed(_))), "{line}");
        }
    }

    #[test]
    fn levels_decide_before_anything_else() {
        for tail in ["5:n:300", "5:n:51:100", "*:n:73:100", "*:n:300", "5:n:51:a"] {
            assert!(matches!(parse(&format!("{MD5}:{tail}")), Err(Refused::NotForUs(_))), "{tail}");
        }
        assert!(matches!(parse("nonsense:5:n:300"), Err(Refused::NotForUs(_))));
        for tail in ["5:n", "5:n:", "5:n:a", "5:n:51:255", "5:n:216:216", "*:n:73", "*:n:73a", "05:n", " 5:n"] {
            assert!(parse(&format!("{MD5}:{tail}")).is_ok(), "{tail}");
        }
    }
}
