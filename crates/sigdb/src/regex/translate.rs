//! PCRE's syntax in that of the crates `regex` and `fancy-regex`.
//!
//! Every byte that stands for itself is written as a letter, a digit or `\xHH`, so that nothing gets a meaning that PCRE
//! does not give it: `\<`, `[` or `&&` in a class, a `{` that begins no repetition, blanks in a class under the flag `x`.
//! PCRE's own escapes (`\h`, `\R`, `\Q...\E`, octal numbers) are spelt out. `$` also matches before a last line feed
//! unless the flag `E` says otherwise. Groups have names, so that a piece of an expression refers to the same ones; a
//! reference to a group that comes later never matches. Recursion, verbs, Unicode properties and branch resets cannot be
//! translated.
//!
//! # The tail
//!
//! Backtracking tries all ways through `var.{0,50}=.*#(.)\1{100}` from each `var`. What follows the last wide repetition
//! before the first group that is referred to, the tail, must match somewhere by itself, and is quick to look for.
//!
//! Reference: `pcre2pattern(3)`.

/// An expression in the syntax of the engines.
pub(super) struct Translated {
    pub(super) text: String,
    /// Does it need what only backtracking can do?
    pub(super) backtracks: bool,
    /// Something that must match somewhere if the whole does.
    pub(super) tail: Option<String>,
}

/// Why an expression cannot be translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It is none of PCRE's.
    Malformed(&'static str),
    /// It uses what the engines do not have.
    Unsupported,
}

/// From this many repetitions on, a single item is counted instead of being written out.
const MANY: u32 = 1000;
/// A repetition that can take so many more bytes than it must is wide.
const WIDE: u32 = 16;

/// Translates an expression.
pub(super) fn translate(text: &str, flags: &str) -> Result<Translated, Problem> {
    translated(text, flags, false)
}

/// An expression that matches wherever this one does, and elsewhere as well, and needs no backtracking: what is asked of
/// the surroundings may hold or not, a reference is to whatever its group could match, or to any bytes if that is not
/// plain, and repetitions give back what they took.
pub(super) fn widen(text: &str, flags: &str) -> Option<String> {
    translated(text, flags, true).ok().map(|translated| translated.text)
}

fn translated(text: &str, flags: &str, wide: bool) -> Result<Translated, Problem> {
    let mut translator = Translator {
        wide,
        rest: text.as_bytes(),
        out: String::with_capacity(text.len().saturating_mul(2)),
        open: Vec::new(),
        item: None,
        groups: Vec::new(),
        references: Vec::new(),
        plain: Vec::new(),
        has_flags: false,
        cuts: Vec::new(),
        has_branches: false,
        backtracks: false,
        problem: None,
        lazy: flags.contains('U'),
        extended: flags.contains('x'),
        multi_line: flags.contains('m'),
        dollar_end_only: flags.contains('E'),
    };
    while let Some(byte) = translator.next() {
        if translator.outside(byte).is_none() {
            return Err(translator.problem.unwrap_or(Problem::Unsupported));
        }
    }
    translator.finish()
}

/// Longer texts of groups are not repeated.
const LONGEST_PLAIN: usize = 64;
/// Any bytes, for a reference.
const ANY: &str = "(?:(?s:.)*)";

/// One member of a class.
enum Member {
    Byte(u8),
    Set(&'static str),
    Nothing,
}

struct Translator<'t> {
    rest: &'t [u8],
    out: String,
    /// Where in `out` the open groups start.
    open: Vec<usize>,
    /// Where in `out` the item starts that a repetition would be about.
    item: Option<usize>,
    /// The names of the groups so far, by number from 1.
    groups: Vec<String>,
    /// The groups that are referred to, by name or number, and how many there were before.
    references: Vec<(String, usize)>,
    /// Closed groups whose text says the same wherever it stands: name and text.
    plain: Vec<(String, String)>,
    /// Flags were set inside of the expression.
    has_flags: bool,
    /// Places in `out` behind wide repetitions outside of groups, and how many groups there were before.
    cuts: Vec<(usize, usize)>,
    /// Are there alternatives outside of groups?
    has_branches: bool,
    backtracks: bool,
    problem: Option<Problem>,
    /// Repetitions are lazy unless a `?` follows.
    lazy: bool,
    extended: bool,
    multi_line: bool,
    dollar_end_only: bool,
    /// Is the wider expression asked for?
    wide: bool,
}

impl<'t> Translator<'t> {
    /// Ends the translation for a reason.
    fn malformed<T>(&mut self, reason: &'static str) -> Option<T> {
        self.problem.get_or_insert(Problem::Malformed(reason));
        None
    }

    /// Checks what can be known at the end only.
    fn finish(self) -> Result<Translated, Problem> {
        if !self.open.is_empty() {
            return Err(Problem::Malformed("a parenthesis is not closed"));
        }
        let number = |name: &str| self.groups.iter().position(|group| group == name);
        let unknown = |(name, _): &&(String, usize)| match name.parse::<usize>() {
            Ok(index) => index > self.groups.len(),
            Err(_) => number(name).is_none(),
        };
        if self.references.iter().any(|reference| unknown(&reference)) {
            return Err(Problem::Malformed("it refers to a group that is not there"));
        }
        let first = self.references.iter().filter_map(|(name, _)| number(name).or(name.parse().ok())).min();
        let cut = self.cuts.iter().rev().find(|(_, groups)| first.is_none_or(|first| *groups <= first));
        let tail = cut.filter(|_| !self.has_branches && self.backtracks).and_then(|(at, _)| self.out.get(*at..));
        let tail = tail.filter(|tail| !tail.is_empty()).map(str::to_owned);
        Ok(Translated { tail, text: self.out, backtracks: self.backtracks })
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, prefix: &[u8]) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The bytes up to `end`, which is taken too.
    fn until(&mut self, end: &[u8]) -> Option<&'t [u8]> {
        let at = self.rest.windows(end.len()).position(|window| window == end)?;
        let (before, rest) = self.rest.split_at_checked(at)?;
        self.rest = rest.get(end.len()..)?;
        Some(before)
    }

    fn literal(&mut self, byte: u8) {
        if byte.is_ascii_alphanumeric() {
            self.out.push(char::from(byte));
        } else {
            self.out.push_str(&format!("\\x{byte:02x}"));
        }
    }

    /// Something outside of classes.
    fn outside(&mut self, byte: u8) -> Option<()> {
        let start = self.out.len();
        match byte {
            b'\\' => self.escape()?,
            b'[' => self.class()?,
            b'(' => return self.group(),
            b')' => {
                let Some(start) = self.open.pop() else {
                    return self.malformed("a parenthesis is closed that was not opened");
                };
                self.note_plain(start);
                self.out.push(')');
                self.item = Some(start);
                return Some(());
            }
            b'*' => return self.repeated("*", (0, None)),
            b'+' => return self.repeated("+", (1, None)),
            b'?' => return self.repeated("?", (0, Some(1))),
            b'{' => return self.brace(),
            b'$' => self.dollar(),
            b'|' => {
                self.has_branches |= self.open.is_empty();
                self.out.push('|');
                self.item = None;
                return Some(());
            }
            b'.' | b'^' => self.out.push(char::from(byte)),
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c if self.extended => return Some(()),
            b'#' if self.extended => {
                let end = self.rest.iter().position(|byte| *byte == b'\n');
                self.rest = end.and_then(|end| self.rest.get(end..)).unwrap_or(b"");
                return Some(());
            }
            other => self.literal(other),
        }
        let is_place = matches!(self.out.get(start..), Some("^" | "$" | "\\b" | "\\B" | "\\A" | "\\z" | "\\G"));
        if is_place || byte == b'$' {
            self.item = None;
        } else if self.out.len() > start {
            self.item = Some(start);
        }
        Some(())
    }

    /// A repetition of the last item from `least` to `most` times. A `+` behind it makes it possessive, a `?` lazy.
    fn repeated(&mut self, text: &str, (least, most): (u32, Option<u32>)) -> Option<()> {
        let Some(item) = self.item.take() else { return self.malformed("a repetition of nothing") };
        if most.is_some_and(|most| least > most) || least.max(most.unwrap_or(0)) > 65_535 {
            return self.malformed("a repetition with numbers that cannot be");
        }
        if least >= MANY || most.is_some_and(|most| most >= MANY) {
            self.backtracks = true;
            if !self.wide {
                self.out.insert_str(item, "(?>");
                self.out.push(')');
            }
        }
        if self.wide && (least >= MANY || most.is_some_and(|most| most >= MANY)) {
            self.out.push_str(&format!("{{{},}}", least.min(WIDE)));
        } else {
            self.out.push_str(text);
        }
        if self.take(b"+") {
            self.backtracks = true;
            if !self.wide {
                self.out.push('+');
            }
        } else if self.take(b"?") != self.lazy {
            self.out.push('?');
        }
        if self.open.is_empty() && most.is_none_or(|most| most.saturating_sub(least) >= WIDE) {
            self.cuts.push((self.out.len(), self.groups.len()));
        }
        Some(())
    }

    /// A repetition, or a brace that stands for itself.
    fn brace(&mut self) -> Option<()> {
        let end = self.rest.iter().position(|byte| *byte == b'}');
        let inner = end.and_then(|end| self.rest.get(..end)).unwrap_or(b"");
        let (low, high) = match inner.iter().position(|byte| *byte == b',') {
            Some(comma) => (inner.get(..comma).unwrap_or(b""), inner.get(comma.saturating_add(1)..)),
            None => (inner, Some(inner)),
        };
        let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
        if low.is_empty() || !digits(low) || !digits(high.unwrap_or(b"")) {
            self.item = Some(self.out.len());
            self.literal(b'{');
            return Some(());
        }
        let value = |digits: &[u8]| std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        let least = value(low).unwrap_or(u32::MAX);
        let most = high.filter(|high| !high.is_empty()).map(|high| value(high).unwrap_or(u32::MAX));
        let text = format!("{{{}}}", String::from_utf8_lossy(inner));
        self.rest = self.rest.get(inner.len().saturating_add(1)..).unwrap_or(b"");
        self.repeated(&text, (least, most))
    }

    /// The end of the subject or of a line.
    fn dollar(&mut self) {
        if self.multi_line {
            self.out.push('$');
        } else if self.dollar_end_only {
            self.out.push_str("\\z");
        } else {
            self.last_line();
        }
    }

    /// The end of the subject, or before its last line feed. That may be taken along where nothing follows.
    fn last_line(&mut self) {
        if self.rest.is_empty() || (self.open.is_empty() && self.rest.first() == Some(&b'|')) {
            self.out.push_str("(?:\\n?\\z)");
        } else {
            self.backtracks = true;
            self.out.push_str(if self.wide { "(?:)" } else { "(?=\\n?\\z)" });
        }
    }

    /// The start of a group, behind its parenthesis.
    fn group(&mut self) -> Option<()> {
        if self.rest.first() == Some(&b'*') {
            return None;
        }
        if self.take(b"?#") {
            return match self.until(b")") {
                Some(_) => Some(()),
                None => self.malformed("a comment is not closed"),
            };
        }
        if self.take(b"?C") {
            return self.until(b")").map(drop);
        }
        let start = self.out.len();
        self.item = None;
        if !self.take(b"?") {
            let name = format!("group{}", self.groups.len().saturating_add(1));
            return self.capture(name);
        }
        for around in [&b"="[..], b"!", b"<=", b"<!", b">"] {
            if self.take(around) {
                self.backtracks = true;
                self.open.push(start);
                match (self.wide, around) {
                    (false, _) => self.out.extend(b"(?".iter().chain(around).map(|byte| char::from(*byte))),
                    (true, b">") => self.out.push_str("(?:"),
                    (true, _) => self.out.push_str("(?:|"),
                }
                return Some(());
            }
        }
        if self.take(b"P<") || self.take(b"<") {
            return self.named(b">");
        }
        if self.take(b"'") {
            return self.named(b"'");
        }
        if self.take(b"P=") {
            let name = self.name(b")")?;
            self.item = Some(start);
            return self.reference(name.to_owned());
        }
        let known = |byte: &u8| b"RC&|(+-^:imsxnUJ0123456789)".contains(byte) || self.rest.starts_with(b"P>");
        if !self.rest.first().is_some_and(known) {
            return self.malformed("an unknown character behind (?");
        }
        self.inline_flags()
    }

    fn capture(&mut self, name: String) -> Option<()> {
        if self.groups.contains(&name) {
            return self.malformed("two groups have one name");
        }
        self.open.push(self.out.len());
        self.out.push_str(&format!("(?P<{name}>"));
        self.groups.push(name);
        Some(())
    }

    fn name(&mut self, end: &[u8]) -> Option<&'t str> {
        let name = self.until(end).and_then(|name| std::str::from_utf8(name).ok());
        let sound = |name: &str| {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && name.starts_with(|first: char| !first.is_ascii_digit())
                && name.len() <= 32
        };
        match name.filter(|name| sound(name)) {
            Some(name) => Some(name),
            None => self.malformed("the name of a group is none"),
        }
    }

    fn named(&mut self, end: &[u8]) -> Option<()> {
        let name = self.name(end)?;
        self.capture(name.to_owned())
    }

    /// A reference to a group by its name or number.
    fn reference(&mut self, group: String) -> Option<()> {
        if group == "0" {
            return self.malformed("it refers to a group that is not there");
        }
        self.backtracks = true;
        let number = group.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let named = match number {
            Some(number) => self.groups.get(number).cloned(),
            None => self.groups.iter().find(|name| **name == group).cloned(),
        };
        match &named {
            _ if self.wide => self.out.push_str(&self.whatever(named.as_deref())),
            Some(name) => self.out.push_str(&format!("(?:\\k<{name}>)")),
            // It refers to what comes later, and so has not matched yet.
            None => self.out.push_str("(?!)"),
        }
        self.references.push((named.unwrap_or(group), self.groups.len()));
        Some(())
    }

    /// Notes the text of a group that starts at `start` in `out` and closes now, if it means the same elsewhere.
    fn note_plain(&mut self, start: usize) {
        let group = self.out.get(start..).and_then(|text| text.strip_prefix("(?P<")?.split_once('>'));
        let Some((name, text)) = group else { return };
        let elsewhere = text.contains(['(', '^', '$'])
            || ["\\b", "\\B", "\\A", "\\z", "\\G"].iter().any(|place| text.contains(place));
        if !elsewhere && text.len() <= LONGEST_PLAIN {
            self.plain.push((name.to_owned(), text.to_owned()));
        }
    }

    /// What a reference to a group could be, at least.
    fn whatever(&self, group: Option<&str>) -> String {
        let plain = self.plain.iter().find(|(name, _)| Some(name.as_str()) == group).filter(|_| !self.has_flags);
        plain.map_or_else(|| ANY.to_owned(), |(_, text)| format!("(?:{text})"))
    }

    /// Flags inside of an expression, up to `:` or `)`.
    fn inline_flags(&mut self) -> Option<()> {
        let Some(end) = self.rest.iter().position(|byte| !byte.is_ascii_alphabetic() && *byte != b'-') else {
            return self.malformed("a parenthesis is not closed");
        };
        self.has_flags = true;
        let (flags, rest) = self.rest.split_at_checked(end)?;
        let (closing, rest) = rest.split_first()?;
        if !flags.iter().all(|flag| b"imsxU-".contains(flag)) || !matches!(closing, b':' | b')') {
            return None;
        }
        let mut halves = flags.split(|flag| *flag == b'-');
        let (on, off) = (halves.next().unwrap_or(b""), halves.next().unwrap_or(b""));
        self.multi_line |= on.contains(&b'm');
        self.extended |= on.contains(&b'x');
        self.lazy = (self.lazy || on.contains(&b'U')) && !off.contains(&b'U');
        self.rest = rest;
        if *closing == b':' {
            self.open.push(self.out.len());
        } else if flags.iter().all(|flag| b"U-x".contains(flag)) {
            return Some(());
        }
        self.out.push_str("(?");
        self.out.extend(flags.iter().filter(|flag| !b"Ux".contains(flag)).map(|flag| char::from(*flag)));
        if self.out.ends_with('-') {
            self.out.pop();
        }
        self.out.push(char::from(*closing));
        Some(())
    }

    /// What follows a backslash outside of classes.
    fn escape(&mut self) -> Option<()> {
        let Some(byte) = self.next() else { return self.malformed("a backslash at the end") };
        match byte {
            b'd' | b'D' | b'w' | b'W' | b's' | b'S' | b'b' | b'B' | b'A' | b'z' => {
                self.out.push('\\');
                self.out.push(char::from(byte));
            }
            b'Z' => self.last_line(),
            b'G' => {
                self.backtracks = true;
                self.out.push_str(if self.wide { "(?:)" } else { "\\G" });
            }
            b'h' => self.out.push_str("[\\x09\\x20\\xa0]"),
            b'H' => self.out.push_str("[^\\x09\\x20\\xa0]"),
            b'v' => self.out.push_str("[\\x0a-\\x0d\\x85]"),
            b'V' => self.out.push_str("[^\\x0a-\\x0d\\x85]"),
            b'R' => self.out.push_str("(?:\\x0d\\x0a|[\\x0a-\\x0d\\x85])"),
            b'N' if self.rest.first() == Some(&b'{') => return self.malformed("a character by its number"),
            b'N' => self.out.push_str("[^\\x0a]"),
            b'C' => self.out.push_str("(?s:.)"),
            b'Q' => {
                let quoted = self.rest;
                let quoted = self.until(b"\\E").unwrap_or_else(|| {
                    self.rest = b"";
                    quoted
                });
                quoted.iter().for_each(|byte| self.literal(*byte));
            }
            b'E' => {}
            b'1'..=b'9' => self.numbered(byte)?,
            b'g' if self.rest.first() == Some(&b'{') => {
                let inner = self.until(b"}").and_then(|inner| std::str::from_utf8(inner.get(1..)?).ok());
                let inner = inner.unwrap_or("");
                let back = inner.strip_prefix('-').and_then(|back| back.parse::<usize>().ok());
                match back
                    .map(|back| self.groups.len().saturating_add(1).checked_sub(back).filter(|number| *number > 0))
                {
                    Some(Some(number)) => self.reference(number.to_string())?,
                    None if !inner.is_empty() && !inner.starts_with('+') => self.reference(inner.to_owned())?,
                    _ => return self.malformed("it refers to a group that is not there"),
                }
            }
            b'k' => {
                let end = match self.next()? {
                    b'<' => b">",
                    b'{' => b"}",
                    b'\'' => b"'",
                    _ => return None,
                };
                let name = self.name(end)?;
                self.reference(name.to_owned())?;
            }
            other => {
                let byte = self.byte(other)?;
                self.literal(byte);
            }
        }
        Some(())
    }

    /// A backslash and digits: a reference to a group, or an octal number.
    fn numbered(&mut self, first: u8) -> Option<()> {
        let more = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let decimal: String = [first].iter().chain(self.rest.get(..more)?).map(|byte| char::from(*byte)).collect();
        let is_group = decimal.parse().is_ok_and(|number: usize| number < 10 || number <= self.groups.len());
        if is_group || first > b'7' {
            self.rest = self.rest.get(more..)?;
            return self.reference(decimal);
        }
        let octal = [&[first], self.digits(2, 8)].concat();
        match number(&octal, 8) {
            Some(byte) => self.literal(byte),
            None => return self.malformed("a character beyond a byte"),
        }
        Some(())
    }

    /// The byte that digits stand for.
    fn numeral(&mut self, digits: Option<&[u8]>, radix: u32) -> Option<u8> {
        match digits.and_then(|digits| number(digits, radix)) {
            Some(byte) => Some(byte),
            None => self.malformed("a character that is no byte"),
        }
    }

    /// The byte that an escape stands for, inside and outside of classes.
    fn byte(&mut self, escaped: u8) -> Option<u8> {
        Some(match escaped {
            b'a' => 0x07,
            b'e' => 0x1b,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'c' => match self.next() {
                Some(byte) => byte.to_ascii_uppercase() ^ 0x40,
                None => return self.malformed("a backslash at the end"),
            },
            b'x' if self.take(b"{") => {
                let digits = self.until(b"}");
                self.numeral(digits, 16)?
            }
            b'x' => {
                let digits = self.digits(2, 16);
                number(digits, 16).unwrap_or(0)
            }
            b'o' if self.take(b"{") => {
                let digits = self.until(b"}");
                self.numeral(digits, 8)?
            }
            b'0' => {
                let digits = self.digits(2, 8);
                number(digits, 8).unwrap_or(0)
            }
            b'X' | b'p' | b'P' | b'K' | b'g' | b'k' | b'8' | b'9' | b'1'..=b'7' => return None,
            other if other.is_ascii_alphabetic() => return self.malformed("an unknown letter behind a backslash"),
            other => other,
        })
    }

    /// Up to `most` digits.
    fn digits(&mut self, most: usize, radix: u32) -> &'t [u8] {
        let count = self.rest.iter().take(most).take_while(|byte| char::from(**byte).is_digit(radix)).count();
        let (digits, rest) = self.rest.split_at_checked(count).unwrap_or((b"", self.rest));
        self.rest = rest;
        digits
    }

    /// A class, behind its bracket.
    fn class(&mut self) -> Option<()> {
        self.out.push('[');
        if self.take(b"^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let Some(byte) = self.next() else { return self.malformed("a class is not closed") };
            if byte == b']' && !first {
                break;
            }
            first = false;
            match self.member(byte)? {
                Member::Byte(low) => self.range(low)?,
                Member::Set(set) => self.out.push_str(set),
                Member::Nothing => {}
            }
        }
        self.out.push(']');
        Some(())
    }

    /// A byte of a class, or a range that begins with it.
    fn range(&mut self, low: u8) -> Option<()> {
        self.literal(low);
        if self.rest.first() != Some(&b'-') || self.rest.get(1).is_none_or(|after| *after == b']') {
            return Some(());
        }
        self.rest = self.rest.get(1..)?;
        let Some(next) = self.next() else { return self.malformed("a class is not closed") };
        match self.member(next)? {
            Member::Byte(high) if low <= high => {
                self.out.push('-');
                self.literal(high);
            }
            Member::Byte(_) => return self.malformed("a range of a class that goes backward"),
            Member::Nothing => return None,
            Member::Set(_) => return self.malformed("a range of a class that ends with a class"),
        }
        Some(())
    }

    fn member(&mut self, byte: u8) -> Option<Member> {
        match byte {
            b'[' if matches!(self.rest.first(), Some(b':')) => {
                let rest = self.rest;
                let set = self.until(b":]").and_then(|name| posix(name.get(1..)?));
                let is_name = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'^';
                if set.is_none() {
                    let named = rest.get(1..).is_some_and(|rest| {
                        let name = rest.iter().take_while(|byte| is_name(byte)).count();
                        rest.get(name..).is_some_and(|rest| rest.starts_with(b":]"))
                    });
                    if named {
                        return self.malformed("an unknown name of a class");
                    }
                    self.rest = rest;
                }
                Some(set.map_or(Member::Byte(b'['), Member::Set))
            }
            b'\\' => self.escaped_member(),
            other => Some(Member::Byte(other)),
        }
    }

    fn escaped_member(&mut self) -> Option<Member> {
        let Some(byte) = self.next() else { return self.malformed("a class is not closed") };
        let set = match byte {
            b'd' => "\\d",
            b'D' => "\\D",
            b'w' => "\\w",
            b'W' => "\\W",
            b's' => "\\s",
            b'S' => "\\S",
            b'h' => "\\x09\\x20\\xa0",
            b'v' => "\\x0a-\\x0d\\x85",
            b'E' => return Some(Member::Nothing),
            b'b' => return Some(Member::Byte(0x08)),
            first @ b'0'..=b'7' => {
                let digits = [&[first], self.digits(2, 8)].concat();
                return number(&digits, 8).map(Member::Byte);
            }
            other => return self.byte(other).map(Member::Byte),
        };
        Some(Member::Set(set))
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

/// A named class.
fn posix(name: &[u8]) -> Option<&'static str> {
    const NAMES: [&str; 28] = [
        "[:alnum:]",
        "[:alpha:]",
        "[:ascii:]",
        "[:blank:]",
        "[:cntrl:]",
        "[:digit:]",
        "[:graph:]",
        "[:lower:]",
        "[:print:]",
        "[:punct:]",
        "[:space:]",
        "[:upper:]",
        "[:word:]",
        "[:xdigit:]",
        "[:^alnum:]",
        "[:^alpha:]",
        "[:^ascii:]",
        "[:^blank:]",
        "[:^cntrl:]",
        "[:^digit:]",
        "[:^graph:]",
        "[:^lower:]",
        "[:^print:]",
        "[:^punct:]",
        "[:^space:]",
        "[:^upper:]",
        "[:^word:]",
        "[:^xdigit:]",
    ];
    NAMES.into_iter().find(|known| known.get(2..known.len().saturating_sub(2)).map(str::as_bytes) == Some(name))
}
