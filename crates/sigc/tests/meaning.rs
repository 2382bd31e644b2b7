//! Random signatures over random bytes: the names that ClamAV finds are the names that we find.
//!
//! The alphabet is tiny, so that everything matches now and then. The forms keep to what ClamAV's prefilter takes and to
//! where ClamAV searches completely: with options like `(626261|6361)` it misses some and finds others behind the end.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "tests ask other programs and say what they skip"
)]

use std::collections::BTreeSet;
use std::process::Command;

use dachs_base::{Budget, Facts, FileKind, Limits, Memory, NoClock};
use dachs_sigc::{Input, compile};
use dachs_sigdb::{Image, View};

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound as u64)).unwrap()
    }

    fn letter(&mut self) -> String {
        ["61", "62", "63"][self.below(3)].to_owned()
    }

    fn literal(&mut self, least: usize) -> String {
        (0..least + self.below(2)).map(|_| self.letter()).collect()
    }

    /// A part: known bytes, then something less known.
    fn part(&mut self) -> String {
        let (a, b, c) = (self.letter(), self.letter(), self.literal(2));
        let tail = match self.below(8) {
            0 => "??".to_owned(),
            1 => format!("6?{a}"),
            2 => format!("({a}|{b})"),
            3 => format!("({b}{b}|{a}{b})"),
            4 => format!("({a}|{a}{b}){c}"),
            5 => format!("!({a}|{b}){a}"),
            6 => format!("{{{}}}{c}", 1 + self.below(4)),
            _ => String::new(),
        };
        format!("{}{tail}", self.literal(2))
    }

    fn body(&mut self) -> String {
        let mut body = self.part();
        if self.below(3) == 0 {
            let (few, more) = (self.below(3), 3 + self.below(4));
            let gap = match self.below(4) {
                0 => "*".to_owned(),
                1 => format!("{{{few}-{more}}}"),
                2 => format!("{{-{more}}}"),
                _ => format!("{{{few}-}}"),
            };
            body = format!("{body}{gap}{}", self.part());
        }
        body
    }

    /// A body with a border at one end. Not `!(B)` at the start, for which ClamAV takes the borders of an end too; and not
    /// with an offset, which ClamAV counts to the byte before a negated border.
    fn bordered(&mut self) -> String {
        let (not, mark) = (["", "!"][self.below(2)], ["(B)", "(L)", "(W)"][self.below(3)]);
        let body = self.body();
        let before = self.below(2) == 0 && (not, mark) != ("!", "(B)");
        if before { format!("{not}{mark}{body}61") } else { format!("{body}61{not}{mark}") }
    }

    fn offset(&mut self) -> String {
        match self.below(6) {
            0 => format!("{}", 8 + self.below(30)),
            1 => format!("{},{}", 8 + self.below(30), 1 + self.below(12)),
            2 => format!("EOF-{}", 8 + self.below(30)),
            3 => format!("EOF-{},{}", 20 + self.below(20), 1 + self.below(12)),
            _ => "*".to_owned(),
        }
    }

    fn comparison(&mut self) -> String {
        match self.below(8) {
            0 => format!("={}", self.below(4)),
            1 => format!(">{}", self.below(4)),
            2 => format!("<{}", 1 + self.below(4)),
            3 => format!(">{},{}", self.below(4), 1 + self.below(3)),
            _ => String::new(),
        }
    }

    fn expression(&mut self, depth: usize) -> String {
        let items: Vec<String> = (0..2 + self.below(2)).map(|_| self.item(depth)).collect();
        let mut text = items[0].clone();
        for item in &items[1..] {
            text += ["&", "|"][self.below(2)];
            text += item;
        }
        text
    }

    fn item(&mut self, depth: usize) -> String {
        if depth > 0 && self.below(3) == 0 {
            return format!("({}){}", self.expression(depth - 1), self.comparison());
        }
        format!("{}{}", self.below(4), self.comparison())
    }

    fn logical(&mut self) -> String {
        let subsignatures: Vec<String> = (0..4)
            .map(|_| {
                let modifiers = ["", "", "", "::i", "::w", "::wa", "::f", "::iwa"][self.below(8)];
                format!("{}:{}{modifiers}", self.offset(), self.literal(2))
            })
            .collect();
        // The last id is named so that the count of subsignatures fits.
        format!("Target:0;({})&(3>0|3=0);{}", self.expression(2), subsignatures.join(";"))
    }

    /// An atom of a regular expression. The escapes and classes are those that other dialects read otherwise.
    fn atom(&mut self, depth: usize) -> String {
        const ATOMS: &[&str] = &[
            "a",
            "b",
            "c",
            "a",
            "b",
            "ab",
            "bc",
            ".",
            "\\x61",
            "\\x{62}",
            "[abc]",
            "[^a]",
            "[a-b]",
            "[]a]",
            "[a\\-c]",
            "[[:alpha:]]",
            "[[b]",
            "[a&&b]",
            "\\w",
            "\\s",
            "\\d?",
            "\\h",
            "\\R",
            "(?:\\N)",
            "\\.",
            "\\<",
            "\\n",
            "\\001",
            "[\\x80-\\xff]",
            "\\b",
            "\\B",
            "^",
            "$",
            "\\A",
            "\\Z",
            "\\z",
            "\\Qa.\\E",
            "[ab-]",
            "{",
            "a{,2}",
            "(?=a)",
            "(?!b)",
            "(?<=a)",
            "(?<!c)",
            "(a|b)\\1",
            "(?i:AB)",
            "(?P<n>a)b",
            "[\\h]",
            "[\\s<]",
            "\\v",
            "\\x0",
            "(?#x)",
            "\\/",
            "\\c?",
            " ",
            "#",
        ];
        match self.below(6) {
            0 if depth > 0 => format!("({})", self.regex(depth - 1)),
            1 if depth > 0 => format!("(?:{})", self.regex(depth - 1)),
            2 if depth > 0 => format!("(?>{})", self.regex(depth - 1)),
            _ => ATOMS[self.below(ATOMS.len())].to_owned(),
        }
    }

    fn regex(&mut self, depth: usize) -> String {
        let mut text = String::new();
        for _ in 0..1 + self.below(3) {
            let atom = self.atom(depth);
            let repeats = atom.len() == 1 && atom.as_bytes()[0].is_ascii_lowercase() || atom.ends_with([']', ')']);
            let times = ["", "", "", "*", "+", "?", "{2}", "{1,2}", "{2,}", "+?", "*?", "++", "?+"][self.below(13)];
            text += &atom;
            text += if repeats && !atom.starts_with("(?") { times } else { "" };
        }
        match self.below(5) {
            0 if depth > 0 => format!("{text}|{}", self.regex(depth - 1)),
            _ => text,
        }
    }

    /// The first subsignature is in every object.
    fn with_regex(&mut self) -> String {
        let offset = match self.below(3) {
            0 => self.offset() + ":",
            _ => String::new(),
        };
        let flags: String = "reismxAEU".chars().filter(|_| self.below(8) == 0).collect();
        let trigger = ["0", "0", "0>0", "0=0"][self.below(4)];
        let expression = match self.below(3) {
            0 => format!("0&1={}", self.below(4)),
            1 => format!("0&1>{}", self.below(4)),
            _ => "0&1".to_owned(),
        };
        format!("Engine:81-255,Target:0;{expression};01028081;{offset}{trigger}/{}/{flags}", self.regex(2))
    }

    /// Bytes that are no text, so that there is no other view of them.
    fn object(&mut self) -> Vec<u8> {
        const BYTES: &[u8] = b"aaaabbbbccccABCaa\0bb\0 \n\r.<\x01";
        let mut bytes = b"\x01\x02\x80\x81\x82\x83\x84\x85".to_vec();
        bytes.extend((0..30 + self.below(60)).map(|_| BYTES[self.below(BYTES.len())]));
        bytes
    }
}

fn theirs(database: &str, object: &[u8]) -> Option<BTreeSet<String>> {
    let folder = tempfile::tempdir().unwrap();
    let (kind, text) = database.split_once('\n').unwrap();
    let path = folder.path().join(format!("t.{kind}"));
    std::fs::write(&path, text).unwrap();
    std::fs::write(folder.path().join("object"), object).unwrap();
    let arguments = ["--allmatch", "--normalize=no", "--no-summary", "-d"];
    let output = Command::new("clamscan").args(arguments).arg(&path).arg(folder.path().join("object")).output().ok()?;
    assert_ne!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = text.lines().filter_map(|line| line.strip_suffix(" FOUND")?.rsplit(' ').next());
    Some(names.map(str::to_owned).collect())
}

fn ours(image: &Image<'_>, object: &[u8]) -> BTreeSet<String> {
    let (source, facts) = (Memory::new(object), Facts::default());
    let view = View { source: &source, target: FileKind::Data.target(), facts: &facts, around: &[] };
    let examined = image.examine(&view, &Budget::new(Limits::default(), NoClock), true);
    examined.findings.iter().map(|finding| image.name(finding.signature).unwrap().to_owned()).collect()
}

fn compare(kind: &str, lines: &[String], objects: usize, numbers: &mut Numbers) {
    let text = lines.join("\n") + "\n";
    let compilation = compile(&[Input::bytes(format!("t.{kind}"), text.clone().into_bytes())]).unwrap();
    assert_eq!(compilation.problems, []);
    let image = Image::new(&compilation.image).unwrap();
    let (mut found, mut wrong) = (0, Vec::new());
    for _ in 0..objects {
        let object = numbers.object();
        let Some(theirs) = theirs(&format!("{kind}\n{text}"), &object) else {
            eprintln!("SKIPPED: clamscan is not installed, so no meaning was compared");
            return;
        };
        let ours = ours(&image, &object);
        found += theirs.len();
        for name in theirs.symmetric_difference(&ours) {
            let number = name.trim_start_matches('t').trim_end_matches(".UNOFFICIAL");
            let who = if ours.contains(name) { "only we find" } else { "only they find" };
            wrong.push(format!("{who} {} in {}", lines[number.parse::<usize>().unwrap()], object.escape_ascii()));
        }
    }
    eprintln!("{kind}: {} signatures, {objects} objects, {found} found", lines.len());
    assert!(found > 0, "nothing was found, so nothing was compared");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn bodies_mean_what_clamav_finds() {
    let mut numbers = Numbers(0x0123_4567_89ab_cdef);
    let lines: Vec<String> = (0..300).map(|at| format!("t{at}:0:{}:{}61", numbers.offset(), numbers.body())).collect();
    compare("ndb", &lines, 25, &mut numbers);
}

#[test]
fn borders_mean_what_clamav_finds() {
    let mut numbers = Numbers(0x0f1e_2d3c_4b5a_6978);
    let lines: Vec<String> = (0..300).map(|at| format!("t{at}:0:*:{}", numbers.bordered())).collect();
    compare("ndb", &lines, 25, &mut numbers);
}

/// One at a time: ClamAV mixes up signatures of one set that differ in their `[x-y]` alone.
#[test]
fn single_bytes_are_looked_for_where_clamav_does() {
    let mut numbers = Numbers(0x1357_9bdf_0246_8ace);
    for line in ["t0:0:*:61[0-2]6262", "t0:0:*:61[2-5]6263", "t0:0:*:6162[1-3]63", "t0:0:*:6261[0-6]61"] {
        compare("ndb", &[line.to_owned()], 12, &mut numbers);
    }
}

#[test]
fn logical_signatures_mean_what_clamav_finds() {
    let mut numbers = Numbers(0xfedc_ba98_7654_3210);
    let lines: Vec<String> = (0..300).map(|at| format!("t{at};{}", numbers.logical())).collect();
    compare("ldb", &lines, 25, &mut numbers);
}

/// Without the flag `g`: with some expressions that match nothing, ClamAV 1.4.6 takes minutes.
#[test]
fn regular_expressions_mean_what_clamav_finds() {
    let mut numbers = Numbers(0x2468_ace0_1357_9bdf);
    let taken = |line: &String| {
        let compilation = compile(&[Input::bytes("t.ldb", format!("{line}\n").into_bytes())]).unwrap();
        compilation.problems.is_empty()
    };
    let lines: Vec<String> = std::iter::repeat_with(|| numbers.with_regex())
        .map(|rule| format!("t;{rule}"))
        .filter(taken)
        .take(60)
        .collect();
    let lines: Vec<String> =
        lines.iter().enumerate().map(|(at, line)| line.replacen('t', &format!("t{at}"), 1)).collect();
    compare("ldb", &lines, 12, &mut numbers);
}
