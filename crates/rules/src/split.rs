//! A file of rules, cut into its items: imports, includes, and one item for each rule.
//!
//! The engines read a file as a whole, and one broken rule costs all of it. So the file is cut first, by a lexer that
//! knows only what may hide a brace: comments, texts, regular expressions. The word `rule` cannot stand inside of a rule
//! but in those, so that a rule whose braces do not fit ends where the next one begins, and the others load.
//!
//! ```text
//! file     item*
//! item     import "name" | include "path" | (private | global)* rule name ... { ... }
//! ```
//!
//! Rules may hold bytes that are not UTF-8, as YARA allows and the engines do not: they become `\xNN`, which means the
//! same in texts and regular expressions and nothing in comments. In regular expressions all bytes above 127 do.

use std::ops::Range;

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// Neither a rule nor a directive: the reason.
    Broken(&'static str),
    /// `import`: the name of the module.
    Import(String),
    /// `include`: the path as it is written.
    Include(String),
    /// A rule: its name, as far as it can be told.
    Rule(String),
}

/// One item of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// The line that it begins on, from 1.
    pub line: u64,
    /// Its text.
    pub text: String,
    /// The names in it, sorted: of modules, variables and other rules. Those before a `*` end with it.
    pub words: Vec<String>,
}

/// Cuts a file.
#[must_use]
pub fn split(file: &[u8]) -> Vec<Item> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut splitter = Splitter { file, at: 0, line: 1, counted: 0, items: Vec::new() };
    splitter.run();
    splitter.items
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A word of letters, digits and `_` that no `$ # @ ! .` stands before.
    Word(Range<usize>),
    /// Text in quotes, without them.
    Text(Range<usize>),
    /// A regular expression, with its slashes.
    Regex(Range<usize>),
    /// `{` or `}`.
    Open,
    Close,
    /// `*`.
    Star,
    /// Anything else.
    Other,
}

struct Splitter<'a> {
    file: &'a [u8],
    at: usize,
    /// The line at `counted`.
    line: u64,
    counted: usize,
    items: Vec<Item>,
}

impl Splitter<'_> {
    fn run(&mut self) {
        while let Some((start, token)) = self.token() {
            match &token {
                Token::Word(word) => match self.bytes(word.clone()) {
                    b"import" | b"include" => self.directive(start),
                    b"rule" | b"private" | b"global" => self.rule(start),
                    _ => self.junk(start),
                },
                _ => self.junk(start),
            }
        }
    }

    /// `import "x"`, `include "x"`.
    fn directive(&mut self, start: usize) {
        let is_import = self.bytes(start..self.at) == b"import";
        let after = self.at;
        let name = match self.token() {
            Some((_, Token::Text(text))) => String::from_utf8_lossy(self.bytes(text)).into_owned(),
            _ => {
                self.at = after;
                return self.push(ItemKind::Broken("expected a name in quotes"), start, &[], Vec::new());
            }
        };
        let kind = if is_import { ItemKind::Import(name) } else { ItemKind::Include(name) };
        self.push(kind, start, &[], Vec::new());
    }

    /// A rule, from its first modifier on.
    fn rule(&mut self, start: usize) {
        self.at = start;
        let (mut depth, mut name, mut words, mut regexes) = (0_usize, String::new(), Vec::new(), Vec::new());
        let mut seen_rule = false;
        let mut modifiers = None;
        while let Some((begin, token)) = self.token() {
            match token {
                Token::Word(word) => {
                    let text = self.bytes(word.clone());
                    match text {
                        b"rule" if !seen_rule => seen_rule = true,
                        // Reserved words: the next rule begins, though this one has not ended.
                        b"rule" => {
                            self.at = modifiers.unwrap_or(begin);
                            return self.push(ItemKind::Rule(name), start, &regexes, words);
                        }
                        b"private" | b"global" => {
                            modifiers = modifiers.or(Some(begin));
                            continue;
                        }
                        _ if seen_rule && name.is_empty() => name = String::from_utf8_lossy(text).into_owned(),
                        _ => words.push(String::from_utf8_lossy(text).into_owned()),
                    }
                }
                Token::Star => {
                    if let Some(last) = words.last_mut().filter(|last| !last.ends_with('*')) {
                        last.push('*');
                    }
                }
                Token::Regex(range) => regexes.push(range),
                Token::Open => depth = depth.saturating_add(1),
                Token::Close if depth <= 1 => break,
                Token::Close => depth = depth.saturating_sub(1),
                Token::Text(_) | Token::Other => {}
            }
            modifiers = None;
        }
        self.push(ItemKind::Rule(name), start, &regexes, words);
    }

    /// Something that does not belong here, up to the next word that does.
    fn junk(&mut self, start: usize) {
        let mut end = self.at;
        while let Some((begin, token)) = self.token() {
            if let Token::Word(word) = &token
                && matches!(self.bytes(word.clone()), b"import" | b"include" | b"rule" | b"private" | b"global")
            {
                self.at = begin;
                break;
            }
            end = self.at;
        }
        let next = std::mem::replace(&mut self.at, end);
        self.push(ItemKind::Broken("expected a rule, an import or an include"), start, &[], Vec::new());
        self.at = next;
    }

    /// Ends an item here.
    fn push(&mut self, kind: ItemKind, start: usize, regexes: &[Range<usize>], mut words: Vec<String>) {
        words.sort_unstable();
        words.dedup();
        let text = self.text(start, self.at, regexes);
        let line = self.line_of(start);
        self.items.push(Item { kind, line, text, words });
    }

    /// The text of an item, with those bytes escaped that the engines cannot read.
    fn text(&self, start: usize, end: usize, regexes: &[Range<usize>]) -> String {
        let mut text = String::new();
        let mut from = start;
        for regex in regexes {
            plain(&mut text, self.bytes(from..regex.start));
            self.bytes(regex.clone()).iter().for_each(|byte| escaped(&mut text, *byte));
            from = regex.end;
        }
        plain(&mut text, self.bytes(from..end));
        text
    }

    fn line_of(&mut self, at: usize) -> u64 {
        if at < self.counted {
            (self.line, self.counted) = (1, 0);
        }
        let lines = self.bytes(self.counted..at).iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(u64::try_from(lines).unwrap_or(0));
        self.counted = at;
        self.line
    }

    fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.file.get(range).unwrap_or(&[])
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.file.get(self.at.saturating_add(ahead)).copied()
    }

    /// The next token and where it begins.
    fn token(&mut self) -> Option<(usize, Token)> {
        self.skip_blanks();
        let start = self.at;
        let first = self.peek(0)?;
        self.at = start.saturating_add(1);
        let token = match first {
            b'"' => Token::Text(self.quoted(b'"')),
            b'/' => {
                self.quoted(b'/');
                Token::Regex(start..self.at)
            }
            b'{' => Token::Open,
            b'}' => Token::Close,
            b'*' => Token::Star,
            b'$' | b'#' | b'@' | b'!' | b'.' => {
                self.word();
                Token::Other
            }
            byte if is_word(byte) => {
                self.word();
                Token::Word(start..self.at)
            }
            _ => Token::Other,
        };
        Some((start, token))
    }

    fn word(&mut self) {
        while self.peek(0).is_some_and(is_word) {
            self.at = self.at.saturating_add(1);
        }
    }

    /// What stands up to the closing sign, which is passed over. Without one it ends with the line.
    fn quoted(&mut self, close: u8) -> Range<usize> {
        let start = self.at;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => return start..self.at,
                b'\\' => self.at = self.at.saturating_add(if self.peek(1) == Some(b'\n') { 1 } else { 2 }),
                _ if byte == close => {
                    self.at = self.at.saturating_add(1);
                    return start..self.at.saturating_sub(1);
                }
                _ => self.at = self.at.saturating_add(1),
            }
        }
        self.at = self.at.min(self.file.len());
        start..self.at
    }

    fn skip_blanks(&mut self) {
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(byte), _) if byte.is_ascii_whitespace() || byte == 0x0b => self.at = self.at.saturating_add(1),
                (Some(b'/'), Some(b'/')) => self.skip_to(b"\n"),
                (Some(b'/'), Some(b'*')) => {
                    self.at = self.at.saturating_add(2);
                    self.skip_to(b"*/");
                }
                _ => return,
            }
        }
    }

    fn skip_to(&mut self, end: &[u8]) {
        let rest = self.bytes(self.at..self.file.len());
        let found = rest.windows(end.len()).position(|window| window == end);
        self.at = found.map_or(self.file.len(), |found| self.at.saturating_add(found).saturating_add(end.len()));
    }
}

/// How many operators stand in a rule, beside its strings.
pub(crate) fn operators(rule: &[u8]) -> usize {
    let mut splitter = Splitter { file: rule, at: 0, line: 1, counted: 0, items: Vec::new() };
    let (mut depth, mut count) = (0_usize, 0_usize);
    while let Some((start, token)) = splitter.token() {
        let is_operator = match token {
            Token::Open => {
                depth = depth.saturating_add(1);
                false
            }
            Token::Close => {
                depth = depth.saturating_sub(1);
                false
            }
            Token::Star => true,
            Token::Word(word) => matches!(splitter.bytes(word), b"not" | b"defined"),
            // One `=` gives a string its value.
            Token::Other if rule.get(start) == Some(&b'=') => rule.get(start.saturating_add(1)) == Some(&b'='),
            Token::Other => rule.get(start).is_some_and(|byte| b"+-\\%&|^~<>!".contains(byte)),
            Token::Text(_) | Token::Regex(_) => false,
        };
        // Deeper are hexadecimal strings.
        count = count.saturating_add(usize::from(is_operator && depth <= 1));
    }
    count
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn escaped(text: &mut String, byte: u8) {
    match byte {
        0..=127 => text.push(char::from(byte)),
        _ => text.push_str(&format!("\\x{byte:02x}")),
    }
}

/// Text as it is; what is not UTF-8 escaped.
fn plain(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| escaped(text, *byte));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(file: &[u8]) -> Vec<(u64, String)> {
        let show = |item: Item| {
            let what = match item.kind {
                ItemKind::Broken(_) => format!("broken {}", item.text),
                ItemKind::Import(name) => format!("import {name}"),
                ItemKind::Include(name) => format!("include {name}"),
                ItemKind::Rule(name) => format!("rule {name}"),
            };
            (item.line, what)
        };
        split(file).into_iter().map(show).collect()
    }

    fn line(line: u64, what: &str) -> (u64, String) {
        (line, what.to_owned())
    }

    #[test]
    fn files_are_cut_into_items() {
        let file = br#"import "pe"
include "other/x.yar" // rule not
/* rule no { */
private global rule a : tag1 tag2 {
    meta: x = "rule } in { text\" "
    strings: $a = { 41 [2-4] ( 42 | 43 ) // } comment
        44 }
      $rule = /a\/}{"/ nocase
    condition: $a and #rule > 1 and pe.is_pe and any of (b*) and c
}
rule b { condition: true }"#;
        let expected = [line(1, "import pe"), line(2, "include other/x.yar"), line(4, "rule a"), line(11, "rule b")];
        assert_eq!(kinds(file), expected);
        let words = &split(file)[2].words;
        assert!(["pe", "b*", "c"].iter().all(|word| words.contains(&(*word).to_owned())), "{words:?}");
        assert!(!words.contains(&"rule".to_owned()) && !words.contains(&"is_pe".to_owned()));
    }

    #[test]
    fn a_broken_rule_ends_where_the_next_begins() {
        type Expected<'a> = &'a [(u64, &'a str)];
        let table: [(&[u8], Expected<'_>); 7] = [
            (b"rule a { condition: true\nrule b { condition: true }", &[(1, "rule a"), (2, "rule b")]),
            (b"rule a { strings: $a = \"x\nprivate rule b { condition: $a }", &[(1, "rule a"), (2, "rule b")]),
            (b"rule a }\nglobal private rule b {}", &[(1, "rule a"), (2, "rule b")]),
            (b"} x\nrule b {}", &[(1, "broken } x"), (2, "rule b")]),
            (b"import pe\nrule b {}", &[(1, "broken import"), (1, "broken pe"), (2, "rule b")]),
            (b"rule", &[(1, "rule ")]),
            (b"rule a { /* open", &[(1, "rule a")]),
        ];
        for (file, expected) in table {
            let expected: Vec<_> = expected.iter().map(|(at, what)| line(*at, what)).collect();
            assert_eq!(kinds(file), expected, "{}", String::from_utf8_lossy(file));
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_escaped() {
        let item = &split(b"rule a { strings: $a = \"\xff\xc3\xa9\" $b = /\xc3\xa9/ condition: any of them }")[0];
        assert_eq!(item.text, "rule a { strings: $a = \"\\xff\u{e9}\" $b = /\\xc3\\xa9/ condition: any of them }");
    }

    #[test]
    fn every_byte_can_stand_anywhere() {
        let file = b"rule a{strings:$a={41}/*x*/$b=/b/condition:\"\\n\"}";
        for at in 0..file.len() {
            for byte in [0, b'\\', b'"', b'/', b'*', b'{', b'}', b'\n', 0xff] {
                let mut changed = file.to_vec();
                changed[at] = byte;
                let items = split(&changed);
                assert!(items.iter().all(|item| item.line <= 2));
                assert!(split(&changed[..at]).len() <= 2);
            }
        }
    }
}
