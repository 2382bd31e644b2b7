//! What expressions find, and which are refused: the answers of PCRE2 10.42, as ClamAV 1.4.6 gives them.

use super::*;
use dachs_base::{Limits, NoClock};

fn compiled(text: &str, flags: &str) -> Result<Compiled, Problem> {
    Compiled::new(&Regex { text: text.to_owned(), flags: flags.to_owned() })
}

/// Where the first match starts.
fn first(text: &str, flags: &str, bytes: &[u8]) -> Option<u64> {
    let window = Window::new(bytes, &Offset::ANY, &(0..=u64::MAX), flags).unwrap();
    let mut found = None;
    let budget = Budget::new(Limits::default(), NoClock);
    let each = &mut |start| {
        found = Some(start);
        false
    };
    compiled(text, flags).unwrap_or_else(|_| panic!("{text}")).search(&window, true, &budget, each).unwrap();
    found
}

#[test]
fn expressions_find_what_pcre_finds() {
    let table: &[(&str, &str, &[u8], Option<u64>)] = &[
        ("a.{0,3}?b", "", b"xa..b", Some(1)),
        ("(?P<v>[a-c]+)=(?P=v);", "", b"ab=ab;", Some(0)),
        ("(?<v>[a-c]+)=\\k<v>;", "", b"ab=ac; b=b;", Some(7)),
        ("([a-c])\\1\\1", "", b"abbcccb", Some(3)),
        ("([a-c])\\g{1}x", "", b"abbx", Some(1)),
        ("([a-c])\\g{-1}x", "", b"abbx", Some(1)),
        ("(a)(?:\\1|\\2)(b)?", "", b"aa", Some(0)),
        ("\\2(a)(b)", "", b"ab", None),
        ("a++b", "", b"aab", Some(0)),
        ("a++ab", "", b"aab", None),
        ("a+?b", "U", b"caab", Some(1)),
        ("([a-c]+)\\1", "U", b"xabab", Some(1)),
        ("a b # two", "x", b"xab", Some(1)),
        ("[a ]b", "x", b"x b", Some(1)),
        ("[x.]{1500,}y", "", &[b"ab".as_slice(), &[b'.'; 1600], b"y"].concat(), Some(2)),
        ("[x.]{1500,}y", "", &[b"ab".as_slice(), &[b'.'; 1400], b"y"].concat(), None),
        ("(?i)AB(?-i)c", "", b"abC abc", Some(4)),
        ("b$", "", b"ab\n", Some(1)),
        ("b$", "E", b"ab\n", None),
        ("{a}", "", b"x{a}", Some(1)),
        ("a{,3}", "", b"a{,3}", Some(0)),
    ];
    for (text, flags, bytes, start) in table {
        assert_eq!(first(text, flags, bytes), *start, "/{text}/{flags}");
    }
}

/// What PCRE2 does not compile.
const MALFORMED: &[&str] = &[
    "(ab",
    "ab)",
    "[ab",
    "*a",
    "a|*",
    "a{3,2}",
    "a{70000}",
    r#"a\"#,
    "[b-a]",
    r#"(?<n>a)\k<m>"#,
    r#"(a)\2"#,
    "(?Pn)",
    "(?<1n>a)",
    "(?<n>a)(?<n>b)",
    r#"\j"#,
    "(?#a",
    "+",
    "(?",
    "(?~a)",
    r#"\g{0}"#,
    r#"\g{-1}"#,
    "a**",
    r#"[a-\d]"#,
    "[[:foo:]]",
    "[[:alpha:]",
    "(?<=a+)b",
    "(?<=a{1,3})b",
    r#"\x{100}"#,
    r#"\777"#,
    r#"\400"#,
    r#"\c"#,
    r#"\y"#,
    r#"\i"#,
    r#"\M"#,
    r#"\N{U+41}"#,
    r#"\u0041"#,
    r#"\L"#,
    "[]",
    "[^]",
    r#"\o{9}"#,
    "^*",
    "$*",
    r#"\b+"#,
    "(?:a",
    "a(?:",
    "(?P=n)",
    "(?P<n-x>a)",
    "(?'n>a)",
    "(?<nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn>a)",
    r#"\8"#,
    r#"\9"#,
    "(?>a",
    "x{1}{2}",
    r#"[\B]"#,
    r#"[\R]"#,
    "(?z)a",
    "(?i",
    "(?<!a*)b",
    "{1}",
];

/// What it compiles.
const TAKEN: &[&str] = &[
    "a",
    "a{65535}",
    r#"\1(a)"#,
    "a{,3}",
    "{a}",
    "(?<=a|bc)b",
    r#"\x{ff}"#,
    r#"\xg"#,
    r#"\cA"#,
    r#"\e"#,
    "a++",
    "a?+",
    "a{2}+",
    "(?i:a)",
    "(?i)",
    "(?-i)",
    "(?U)a+",
    "()",
    "(|a)",
    "a||b",
    "[]a]",
    "[^]a]",
    r#"\Q*\E"#,
    r#"\Qab"#,
    r#"\b{wb}"#,
    r#"\B"#,
    r#"\G"#,
    r#"\A"#,
    r#"\Z"#,
    r#"\z"#,
    r#"\R"#,
    r#"\C"#,
    r#"\o{101}"#,
    "(?P<n>a)(?P=n)",
    "(?'n'a)",
    "(?<nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn>a)",
    r#"\10"#,
    "(?C1)a",
    "(?C)a",
    "(?>a)",
    "[a-z-9]",
    "[z-]",
    "[-z]",
    r#"[\b]"#,
    r#"[\x{41}-\x{43}]"#,
    r#"\d-\w"#,
    "(?i-s:a)",
    "(?<!a)b",
    "a{1",
    "a{1,",
    "a{1,2",
    "a{ 1,2}",
    "a{0}",
    "a{0,0}",
];

/// What the engines may not have yet, whatever PCRE2 says of it.
const UNSUPPORTED: &[&str] = &[
    "(*ACCEPT)a",
    "(*FOO)a",
    "(*UTF)a",
    "(*a",
    "(?&n)",
    "(?(1)a|b)",
    "(?+1)(a)",
    "(?-1)",
    "(?1)",
    "(?=a)*",
    "(?=a)+b",
    "(?J)a",
    "(?P>n)",
    "(?R)",
    "(?^i)a",
    "(?n)a",
    "(?xx)a",
    "(?|a|b)",
    "(a(?1))",
    "(a)(?(1)a|b)",
    "(a)(?-1)",
    r#"\Ka"#,
    r#"\X"#,
    r#"\p{Foo}"#,
    r#"\p{L}"#,
];

/// The answers of ClamAV 1.4.6 to single expressions.
#[test]
fn what_pcre_does_not_compile_is_malformed() {
    for text in MALFORMED {
        let answer = compiled(text, "").map(drop);
        assert!(matches!(answer, Err(Problem::Malformed(_))), "{text}: {answer:?}");
    }
    for text in TAKEN {
        let answer = compiled(text, "").map(drop);
        assert!(answer.is_ok(), "{text}: {answer:?}");
    }
    for text in UNSUPPORTED {
        let answer = compiled(text, "").map(drop);
        assert!(!matches!(answer, Err(Problem::Malformed(_))), "{text}: {answer:?}");
    }
}

/// A page on which all ways through the first half would take minutes.
#[test]
fn the_tail_is_looked_for_first() {
    let text = "var.{0,50}?=.{0,100}?[\\x22\\x27].*?#([^\\x22\\x27\\x23])\\1{100,}?";
    let Ok(Compiled::Backtracking(_, screens)) = compiled(text, "") else { panic!("it does not backtrack") };
    assert_eq!(screens.tail.unwrap().text, "\\x23(?P<group1>[^\\x22\\x27\\x23])(?:\\k<group1>){100,}?");
    let page = b"var a = \"b\" = 'c' = \"d\" # ".repeat(4000);
    assert_eq!(first(text, "", &page), None);
    let heap = [page.as_slice(), b"#", &[b'9'; 101]].concat();
    assert!(first(text, "", &heap).is_some());
    for without in ["a.*b", "a.*(b)\\1|c", "(a).*\\1", "(?:a.*(b)\\1)"] {
        let compiled = compiled(without, "");
        let has_tail = |screens: &Screens| screens.tail.is_some();
        assert!(!matches!(compiled, Ok(Compiled::Backtracking(_, screens)) if has_tail(&screens)), "{without}");
    }
}

/// Wherever an expression matches, its wider one does; and the wider one spares what cannot match.
#[test]
fn the_wider_expression_misses_nothing() {
    let table = [
        (r"(\w+)=\1;", "a=b; cc=cc;", "cc=cd"),
        (r"(?P<x>[a-z]{2})-(?P=x){2,3}?!", "ab-abab!", "ab+abab!"),
        (r"var (?!foo)\w+ = 1", "var bar = 1", "var bar = 2"),
        (r"(?<=id)\d++x", "id12x", "id12y"),
        (r"(?>a+)b(?=c)", "aaabc", "aaac"),
        (r"(?<!a)b$", "cb\n", "cc\n"),
        (r"(x$)y?", "ax\n", "ay"),
        (r"(?i)(ab)(?-i)\1", "ABAB", "ABab"),
        (r"(a|b[^c])+\1!", "abxbx!", "abxba!"),
        (r"(^a|b)\1", "ccbb", "ccab"),
    ];
    for (text, yes, no) in table {
        let Ok(Compiled::Backtracking(narrow, screens)) = compiled(text, "") else { panic!("{text}") };
        let matches = |bytes: &str| narrow.find(bytes.as_bytes(), 0).unwrap().is_some();
        assert!(matches(yes) && screens.pass(yes.as_bytes(), 0), "{text}");
        assert!(!matches(no), "{text}");
    }
    let Ok(Compiled::Backtracking(_, screens)) = compiled(r"w([a-z\d]{3,6})s\1c\1r", "") else { panic!() };
    let passes = [&b"wjunksjunkcjunkr"[..], b"wjunksjunkcother9r", b"was.. c..r"].map(|text| screens.pass(text, 0));
    assert_eq!(passes, [true, true, false], "a reference is to what its group could match");
    let far = [b"begin ".repeat(20_000), b"x".to_vec()].concat();
    assert_eq!(first(r"begin.*?(\w+)=\1;", "s", &far), None);
}

/// What says that an expression cannot match keeps nothing that it does match from being found.
#[test]
fn what_an_expression_matches_holds_one_of_its_needles() {
    let table = [
        ("Invoice_\\d{8}\\.(doc|xls)", "i", "inVOICE_12345678.XLS"),
        ("(\\w+)=\\1;(begin|end)", "", "a=b; cc=cc;end"),
        ("[a-z]{1500,}over", "", &["ab".repeat(800), "over".to_owned()].concat()),
        ("(?<=abcd)efgh", "", "abcdefgh"),
        ("a{2}b{3}.*?(one|two)", "s", "aabbb\n\ntwo"),
    ];
    for (text, flags, bytes) in table {
        assert!(first(text, flags, bytes.as_bytes()).is_some(), "{text}");
        let record = needles_of(&Regex { text: text.to_owned(), flags: flags.to_owned() });
        let grams = Grams::new(bytes.as_bytes());
        assert!(each_needle(&record).count() > 0, "{text}");
        assert!(each_needle(&record).any(|needle| grams.may_hold(needle)), "{text}");
    }
}

/// Cut short, the repetition of a wider expression still matches wherever the long one does.
#[test]
fn a_long_repetition_is_screened() {
    let Ok(Compiled::Backtracking(_, screens)) = compiled("x[a-z]{1000,}y", "") else { panic!() };
    let texts = [10, 999, 1000].map(|count| [b"x".to_vec(), b"a".repeat(count), b"y".to_vec()].concat());
    assert_eq!(texts.each_ref().map(|text| screens.pass(text, 0)), [false, true, true]);
    assert_eq!(texts.map(|text| first("x[a-z]{1000,}y", "", &text).is_some()), [false, false, true]);
}
