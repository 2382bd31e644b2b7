//! What ClamAV 1.4.6 took and refused, and which of a few names it found, as asked on generated archives.

use super::translate;

#[test]
fn expressions_are_refused_as_clamav_refuses_them() {
    let refused = [
        "",
        "a||b",
        "a**",
        "*a",
        "+a",
        "a+?",
        "^*",
        "[a-",
        "[z-a]",
        "(",
        "(a",
        "{1}",
        "[[:<:]]a",
        "x{2}{2}",
        "a{3,2}",
        "x{256}",
        "|a",
        "a|",
        "(|a)",
        "(a|)",
        "(?:a)",
        "(?i)(?i)A",
        "a(?i)A",
        "\\",
        "[a-c-e]",
        "[--.]",
        "x{1,",
        "x{1",
        "[[:foo:]]",
        "(*a)",
        "^+a",
        "a|*b",
        "x{0}",
        "x{0,0}",
        "[]",
        "[^]",
    ];
    for text in refused {
        assert!(translate(text).is_err(), "{text}");
    }
    let taken = [
        "()",
        "a{b",
        "a\\{b",
        "x{2,}",
        "x{,2}",
        "a\\|b",
        "[]]",
        "[^]]y",
        ")",
        "a)",
        "a^b",
        "$a",
        "(a)\\1",
        "x{255}",
        "a.{,5}",
        "[a&&b]",
        "[[.a.]]",
        "[a-]",
        "[-a]",
        "a.{0,50}b",
    ];
    for text in taken {
        assert!(translate(text).is_ok(), "{text}");
    }
}

#[test]
fn expressions_are_written_anew() {
    for (text, expected) in [
        (r"a\.exe$", r"a\x2eexe(?:$)"),
        (r"(?i)\d[a-c]", r"(?i)d[\x41-\x43\x61-\x63]"),
        (r"^(a|b)+", r"^(?:a|b)+"),
        (r"\<a", r"(?:\b{start})a"),
        ("x{2}y{3,}", "x{2,2}y{3,}"),
        ("[^a-z]", r"[\x00-\x60\x7b-\xff]"),
        (r"[\d]", r"[\x5c-\x5c\x64-\x64]"),
        ("[[:digit:]]", r"[\x30-\x39]"),
        ("a.{,5}", r"a.\x7b\x2c5\x7d"),
    ] {
        assert_eq!(translate(text).unwrap(), expected, "{text}");
    }
}
