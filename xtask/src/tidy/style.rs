//! What every Rust file must have, and what none may have.
//!
//! * Every file opens with `//!`: what it is for.
//! * Every crate root forbids `unsafe` code; `matcher` denies it and allows it in `src/arch/`; `sys` is made of it.
//! * `unsafe` stands nowhere else.
//! * No `todo!`, `unimplemented!`, `dbg!`; no ignored test without a reason.

use super::Finding;
use super::source::{Source, find_word};

/// Where `unsafe` may stand.
const UNSAFE_HOMES: [&str; 2] = ["crates/matcher/src/arch/", "crates/sys/"];
const LEFTOVERS: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// The rules for one file.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !has_essay(&source.text) {
        findings.push(Finding::new(&source.path, 1, "the file does not open with `//!`: what is it for?"));
    }
    let home = UNSAFE_HOMES.iter().any(|home| source.path.starts_with(home));
    for (line, code, _) in source.lines() {
        if !home && find_word(code, "unsafe").is_some() {
            let message = format!("`unsafe` may stand only in {}", UNSAFE_HOMES.join(" and "));
            findings.push(Finding::new(&source.path, line, message));
        }
        for leftover in LEFTOVERS.iter().filter(|leftover| find_word(code, leftover).is_some()) {
            findings.push(Finding::new(&source.path, line, format!("`{leftover}` was left here")));
        }
        if code.contains("#[ignore]") {
            findings.push(Finding::new(&source.path, line, "an ignored test needs a reason: #[ignore = \"…\"]"));
        }
    }
    findings
}

/// The rule for the roots of crates and executables.
pub(crate) fn check_roots(sources: &[Source]) -> Vec<Finding> {
    let lacks = |source: &&Source| {
        let wanted = wanted_at_root(&source.path);
        wanted.is_some_and(|wanted| !source.code.iter().any(|line| line.trim() == wanted))
    };
    let finding = |source: &Source| {
        let wanted = wanted_at_root(&source.path).unwrap_or_default();
        Finding::new(&source.path, 1, format!("the root of this crate lacks `{wanted}`"))
    };
    sources.iter().filter(lacks).map(finding).collect()
}

/// The attribute that this file must have, if it is a root.
fn wanted_at_root(path: &str) -> Option<&'static str> {
    let (folder, file) = path.rsplit_once("/src/")?;
    let executable = file.strip_prefix("bin/").is_some_and(|name| !name.contains('/'));
    match folder {
        _ if file != "lib.rs" && file != "main.rs" && !executable => None,
        "crates/sys" => None,
        "crates/matcher" => Some("#![deny(unsafe_code)]"),
        _ => Some("#![forbid(unsafe_code)]"),
    }
}

/// True if the first line that is neither blank nor an inner attribute is a module comment with text.
fn has_essay(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("#!["));
    first.and_then(|line| line.strip_prefix("//!")).is_some_and(|line| line.trim().len() > 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(&Source::new(path, text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_file_passes() {
        let text = "//! Good, without `unsafe`.\n#[ignore = \"slow\"]\nfn a() { \"todo!\"; } // dbg!\n";
        assert_eq!(messages("crates/x/src/a.rs", text), [""; 0]);
        assert_eq!(messages("crates/sys/src/a.rs", "//! Calls.\nunsafe fn a() {}\n"), [""; 0]);
        assert_eq!(messages("crates/matcher/src/arch/a.rs", "//! Kernel.\nunsafe {}\n"), [""; 0]);
    }

    #[test]
    fn bad_files_fail() {
        let cases = [
            ("fn a() {}\n", "x.rs:1: the file does not open"),
            ("//! All.\n\nfn a() { unsafe { b() } }\n", "x.rs:3: `unsafe` may stand"),
            ("//! All.\nfn a() { todo!() }\n", "x.rs:2: `todo!`"),
            ("//! All.\nfn a() { std::dbg!(b) }\n", "x.rs:2: `dbg!`"),
            ("//! All.\n#[ignore]\nfn a() {}\n", "x.rs:2: an ignored test"),
        ];
        for (text, message) in cases {
            let found = messages("x.rs", text);
            assert!(matches!(found.as_slice(), [one] if one.starts_with(message)), "{text} gave {found:?}");
        }
        assert_eq!(messages("crates/matcher/src/lib.rs", "//! Lib.\nunsafe {}\n").len(), 1);
    }

    #[test]
    fn roots_are_guarded() {
        let roots = |path: &str, text: &str| check_roots(&[Source::new(path, text)]).len();
        assert_eq!(roots("crates/base/src/lib.rs", "#![forbid(unsafe_code)]\n"), 0);
        assert_eq!(roots("crates/base/src/lib.rs", "// #![forbid(unsafe_code)]\n"), 1);
        assert_eq!(roots("crates/matcher/src/lib.rs", "#![deny(unsafe_code)]\n"), 0);
        assert_eq!(roots("crates/matcher/src/lib.rs", "\n"), 1);
        assert_eq!(roots("crates/sys/src/lib.rs", "\n"), 0);
        assert_eq!(roots("crates/cli/src/main.rs", "\n"), 1);
        assert_eq!(roots("conformance/src/bin/peers.rs", "\n"), 1);
        assert_eq!(roots("crates/base/src/kind.rs", "\n"), 0);
    }
}
