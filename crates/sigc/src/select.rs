//! Which YARA rules are taken, by name, tag or file.

use std::fmt;
use std::str::FromStr;

/// Chooses rules: `name:GLOB`, `tag:GLOB` or `file:GLOB`; without a prefix by name. In a glob, `*` is any text and `?` any
/// character; letters match in either case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    field: Field,
    glob: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    File,
    Name,
    Tag,
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Selector, String> {
        let (field, glob) = match text.split_once(':') {
            None => (Field::Name, text),
            Some(("name", glob)) => (Field::Name, glob),
            Some(("tag", glob)) => (Field::Tag, glob),
            Some(("file", glob)) => (Field::File, glob),
            Some((other, _)) => return Err(format!("{other}: expected name, tag or file before the colon")),
        };
        if glob.is_empty() {
            return Err("expected a name, or tag:NAME, or file:NAME".to_owned());
        }
        Ok(Selector { field, glob: glob.to_lowercase() })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = match self.field {
            Field::File => "file",
            Field::Name => "name",
            Field::Tag => "tag",
        };
        write!(f, "{field}:{}", self.glob)
    }
}

impl Selector {
    /// True if it chooses the rule of this name, with these tags, in this file.
    pub(crate) fn chooses(&self, file: &str, name: &str, tags: &[String]) -> bool {
        let is = |text: &str| matches(self.glob.as_bytes(), text.to_lowercase().as_bytes());
        match self.field {
            Field::File => is(file),
            Field::Name => is(name),
            Field::Tag => tags.iter().any(|tag| is(tag)),
        }
    }
}

/// Linear in practice: a star that fails is tried again from the next character only.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut at, mut star) = ((0, 0), None);
    loop {
        match (glob.get(at.0), text.get(at.1)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                star = Some(at);
                at.0 += 1;
            }
            (Some(sign), Some(letter)) if *sign == b'?' || sign == letter => at = (at.0 + 1, at.1 + 1),
            _ => match star {
                Some((back, from)) if from < text.len() => {
                    star = Some((back, from + 1));
                    at = (back + 1, from + 1);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_choose() {
        let tags = ["APT".to_owned(), "elf".to_owned()];
        for (selector, expected) in [
            ("Evil_*", true),
            ("name:evil_?", true),
            ("*", true),
            ("evil", false),
            ("*_b", false),
            ("tag:apt", true),
            ("tag:ap", false),
            ("tag:*f", true),
            ("file:apt/*.yar", true),
            ("file:*.yara", false),
        ] {
            let selector: Selector = selector.parse().unwrap();
            assert_eq!(selector.chooses("apt/x.yar", "EVIL_a", &tags), expected, "{selector}");
        }
        assert!("".parse::<Selector>().is_err() && "color:x".parse::<Selector>().is_err());
    }
}
