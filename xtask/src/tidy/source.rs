//! A Rust file as the checks see it: with comments and strings blanked out, and with its tests marked.
//!
//! [`blank`] goes through the text once and replaces whatever stands in a comment, a string or a character literal by
//! spaces; line breaks stay, so that line numbers stay. What is left is code, in which words and braces mean what they
//! say. It knows nested block comments, raw strings, byte strings, and lifetimes.

/// A Rust file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) text: String,
    /// Line by line, with comments and strings blanked out.
    pub(crate) code: Vec<String>,
    /// Line by line, whether it belongs to tests.
    pub(crate) test: Vec<bool>,
}

impl Source {
    /// Looks at a file.
    pub(crate) fn new(path: &str, text: &str) -> Source {
        let code: Vec<String> = blank(text).lines().map(str::to_owned).collect();
        let test = if is_test_file(path) { vec![true; code.len()] } else { test_lines(&code) };
        Source { path: path.to_owned(), text: text.to_owned(), code, test }
    }

    /// The lines with their numbers, from 1, and whether they belong to tests.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        self.code.iter().zip(&self.test).enumerate().map(|(at, (line, test))| (at + 1, line.as_str(), *test))
    }

    /// How many lines are not tests.
    pub(crate) fn length(&self) -> usize {
        self.test.iter().filter(|test| !**test).count()
    }
}

/// True if `word` stands in `line` as a word of its own; gives where.
pub(crate) fn find_word(line: &str, word: &str) -> Option<usize> {
    let part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = line.as_bytes();
    let alone = |at: &usize| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        !part(before) && !part(bytes.get(at + word.len()))
    };
    line.match_indices(word).map(|(at, _)| at).find(alone)
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.ends_with("_tests.rs") || path.contains("/tests/") || path.starts_with("tests/")
}

/// Marks the lines of modules and items under `#[cfg(test)]`.
fn test_lines(code: &[String]) -> Vec<bool> {
    let mut test = vec![false; code.len()];
    let mut at = 0;
    while at < code.len() {
        let starts = code.get(at).is_some_and(|line| line.trim_start().starts_with("#[cfg(test)]"));
        let end = if starts { item_end(code, at) } else { at };
        if starts {
            test.iter_mut().take(end + 1).skip(at).for_each(|line| *line = true);
        }
        at = end + 1;
    }
    test
}

/// The line on which the item that starts at line `start` ends: at its closing brace, or at a semicolon before any.
pub(crate) fn item_end(code: &[String], start: usize) -> usize {
    let mut braces = 0_usize;
    let mut nested = 0_usize;
    for (at, line) in code.iter().enumerate().skip(start) {
        for byte in line.bytes() {
            match byte {
                b'{' => braces += 1,
                b'}' if braces <= 1 => return at,
                b'}' => braces -= 1,
                b'(' | b'[' => nested += 1,
                b')' | b']' => nested = nested.saturating_sub(1),
                b';' if braces == 0 && nested == 0 => return at,
                _ => {}
            }
        }
    }
    code.len().saturating_sub(1)
}

/// Replaces comments, strings and character literals by spaces; see the module's essay.
pub(crate) fn blank(text: &str) -> String {
    let mut blanker = Blanker { rest: text, code: String::with_capacity(text.len()), word: false };
    while !blanker.rest.is_empty() {
        blanker.step();
    }
    blanker.code
}

struct Blanker<'a> {
    rest: &'a str,
    code: String,
    /// True if the last character belongs to a word, so that an `r` after it starts no raw string.
    word: bool,
}

impl Blanker<'_> {
    /// Takes a literal, a comment, or one character of code.
    fn step(&mut self) {
        let skip = if self.rest.starts_with("//") {
            self.rest.find('\n').unwrap_or(self.rest.len())
        } else if self.rest.starts_with("/*") {
            block_comment(self.rest)
        } else if self.rest.starts_with('"') {
            string(self.rest)
        } else if self.rest.starts_with('\'') {
            character(self.rest)
        } else if self.word {
            0
        } else {
            raw_string(self.rest)
        };
        match skip {
            0 => self.keep(),
            length => self.drop(length),
        }
    }

    fn keep(&mut self) {
        if let Some(next) = self.rest.chars().next() {
            self.code.push(next);
            self.word = next.is_alphanumeric() || next == '_';
            self.rest = self.rest.get(next.len_utf8()..).unwrap_or("");
        }
    }

    fn drop(&mut self, length: usize) {
        let (dropped, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.code.extend(dropped.chars().map(|next| if next == '\n' { '\n' } else { ' ' }));
        self.word = false;
        self.rest = rest;
    }
}

/// The length of a block comment, nested ones included.
fn block_comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(pair) = bytes.get(at..at + 2) {
        match pair {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of a string with escapes, from quote to quote.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, next) in text.char_indices().skip(1) {
        match next {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            chars.find(|(_, next)| *next == '\'').map_or(0, |(at, _)| at + 1)
        }
        Some(_) => chars.next().filter(|(_, next)| *next == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

/// The length of a raw string (`r"…"`, `br#"…"#`); 0 if none starts here.
fn raw_string(text: &str) -> usize {
    let after = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - after.len();
    let Some(body) = after.strip_prefix('r').filter(|_| prefix <= 1) else { return 0 };
    let hashes = body.len() - body.trim_start_matches('#').len();
    let Some(content) = body.get(hashes..).and_then(|body| body.strip_prefix('"')) else { return 0 };
    let end = format!("\"{}", "#".repeat(hashes));
    let length = content.find(&end).map_or(content.len(), |at| at + end.len());
    prefix + 1 + hashes + 1 + length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let cases = [
            ("a // b {", "a       "),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("x \" {", y)"#, "f(        , y)"),
            (r##"f(r#"x " {"#, y)"##, "f(          , y)"),
            ("f(br\"{\")", "f(     )"),
            ("for\"{\"", "for   "),
            ("'{' 'a 'b' '\\'' x", "    'a          x"),
            ("'\\u{7f}' {", "         {"),
            ("\"a\nb\"c", "  \n  c"),
        ];
        for (text, code) in cases {
            assert_eq!(blank(text), code, "{text}");
        }
    }

    #[test]
    fn tests_are_marked() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { \"}\"; }\n}\nfn c() {}\n";
        let source = Source::new("crates/x/src/lib.rs", text);
        assert_eq!(source.test, [false, true, true, true, true, false]);
        assert_eq!(source.length(), 2);
        assert!(Source::new("crates/x/tests/all.rs", text).test.iter().all(|test| *test));
    }

    #[test]
    fn an_outlined_test_module_is_one_line() {
        let source = Source::new("crates/x/src/lib.rs", "#[cfg(test)]\nmod tests;\nfn c() {}\n");
        assert_eq!(source.test, [true, true, false]);
    }

    #[test]
    fn words_stand_alone() {
        assert_eq!(find_word("unsafe_code unsafe {", "unsafe"), Some(12));
        assert_eq!(find_word("forbid(unsafe_code)", "unsafe"), None);
    }
}
