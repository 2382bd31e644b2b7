//! PCRE's syntax in that of the crates `regex` and `fancy-regex`.
//!
//! Every byte that stands for itself is written as a letter, a digit or `\xHH`, so that nothing gets a meaning that PCRE
//! does not give it: `\<`, `[` or `&&` in a class, a `{` that begins no repetition, blanks in a class under the flag `x`.
//! PCRE's own escapes (`\h`, `\R`, `\Q...\E`, octal numbers) are spelt out. `$` also matches before a last line feed
//! unless the flag `E` says otherwise. Recursion, verbs, Unicode properties and branch resets are refused.
//!
//! Reference: `pcre2pattern(3)`.

/// An expression in the syntax of the engines.
pub(super) struct Translated {
    pub(super) text: String,
    /// Does it need what only backtracking can do?
    pub(super) backtracks: bool,
}

/// Translates an expression; `None` if it uses what cannot be translated.
pub(super) fn translate(text: &str, flags: &str) -> Option<Translated> {
    translated(text, flags, false)
}

/// An expression that matches wherever this one does, and elsewhere as well, and needs no backtracking: what is asked of
/// the surroundings may hold or not, a reference is to any bytes, and repetitions give back what they took.
pub(super) fn widen(text: &str, flags: &str) -> Option<String> {
    translated(text, flags, true).map(|translated| translated.text)
}

fn translated(text: &str, flags: &str, wide: bool) -> Option<Translated> {
    let mut translator = Translator {
        wide,
        rest: text.as_bytes(),
        out: String::with_capacity(text.len().saturating_mul(2)),
        depth: 0,
        backtracks: false,
        extended: flags.contains('x'),
        multi_line: flags.contains('m'),
        dollar_end_only: flags.contains('E'),
    };
    while let Some(byte) = translator.next() {
        translator.outside(byte)?;
    }
    Some(Translated { text: translator.out, backtracks: translator.backtracks })
}

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
    /// Open parentheses.
    depth: u32,
    backtracks: bool,
    extended: bool,
    multi_line: bool,
    dollar_end_only: bool,
    /// Is the wider expression asked for?
    wide: bool,
}

impl<'t> Translator<'t> {
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
        match byte {
            b'\\' => self.escape()?,
            b'[' => self.class()?,
            b'(' => self.group()?,
            b')' => {
                self.depth = self.depth.checked_sub(1)?;
                self.out.push(')');
            }
            b'*' | b'+' | b'?' => {
                self.out.push(char::from(byte));
                self.repeated();
            }
            b'{' => self.brace(),
            b'$' => self.dollar(),
            b'.' | b'^' | b'|' => self.out.push(char::from(byte)),
            b' ' | b'\t' | b'#' if self.extended => self.out.push(char::from(byte)),
            other => self.literal(other),
        }
        Some(())
    }

    /// Behind a repetition: a `+` makes it possessive, a `?` lazy.
    fn repeated(&mut self) {
        if self.take(b"+") {
            self.backtracks = true;
            if !self.wide {
                self.out.push('+');
            }
        } else if self.take(b"?") {
            self.out.push('?');
        }
    }

    /// A repetition, or a brace that stands for itself.
    fn brace(&mut self) {
        let end = self.rest.iter().position(|byte| *byte == b'}');
        let inner = end.and_then(|end| self.rest.get(..end)).unwrap_or(b"");
        let (low, high) = match inner.iter().position(|byte| *byte == b',') {
            Some(comma) => (inner.get(..comma).unwrap_or(b""), inner.get(comma.saturating_add(1)..).unwrap_or(b"")),
            None => (inner, &b""[..]),
        };
        let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
        if low.is_empty() || !digits(low) || !digits(high) {
            return self.literal(b'{');
        }
        self.out.push('{');
        self.out.extend(inner.iter().map(|byte| char::from(*byte)));
        self.out.push('}');
        self.rest = self.rest.get(inner.len().saturating_add(1)..).unwrap_or(b"");
        self.repeated();
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
        if self.rest.is_empty() || (self.depth == 0 && self.rest.first() == Some(&b'|')) {
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
            return self.until(b")").map(drop);
        }
        self.depth = self.depth.saturating_add(1);
        if !self.take(b"?") {
            self.out.push('(');
            return Some(());
        }
        for around in [&b"="[..], b"!", b"<=", b"<!", b">"] {
            if self.take(around) {
                self.backtracks = true;
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
            self.depth = self.depth.checked_sub(1)?;
            return self.reference(name);
        }
        self.inline_flags()
    }

    fn name(&mut self, end: &[u8]) -> Option<&'t str> {
        let name = std::str::from_utf8(self.until(end)?).ok()?;
        let sound = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        sound.then_some(name)
    }

    fn named(&mut self, end: &[u8]) -> Option<()> {
        let name = self.name(end)?;
        self.out.push_str(&format!("(?P<{name}>"));
        Some(())
    }

    fn reference(&mut self, name: &str) -> Option<()> {
        self.backtracks = true;
        match self.wide {
            true => self.out.push_str(ANY),
            false => self.out.push_str(&format!("(?:\\k<{name}>)")),
        }
        Some(())
    }

    /// Flags inside of an expression, up to `:` or `)`.
    fn inline_flags(&mut self) -> Option<()> {
        let end = self.rest.iter().position(|byte| !byte.is_ascii_alphabetic() && *byte != b'-')?;
        let (flags, rest) = self.rest.split_at_checked(end)?;
        let (closing, rest) = rest.split_first()?;
        if !flags.iter().all(|flag| b"imsx-".contains(flag)) || !matches!(closing, b':' | b')') {
            return None;
        }
        let on = flags.split(|flag| *flag == b'-').next().unwrap_or(b"");
        self.multi_line |= on.contains(&b'm');
        self.extended |= on.contains(&b'x');
        self.rest = rest;
        if *closing == b')' {
            self.depth = self.depth.checked_sub(1)?;
        }
        if flags.is_empty() && *closing == b')' {
            return Some(());
        }
        self.out.push_str("(?");
        self.out.extend(flags.iter().map(|flag| char::from(*flag)));
        self.out.push(char::from(*closing));
        Some(())
    }

    /// What follows a backslash outside of classes.
    fn escape(&mut self) -> Option<()> {
        let byte = self.next()?;
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
            b'1'..=b'9' => {
                self.backtracks = true;
                if self.rest.first().is_some_and(u8::is_ascii_digit) {
                    return None;
                }
                match self.wide {
                    true => self.out.push_str(ANY),
                    false => self.out.push_str(&format!("(?:\\{})", char::from(byte))),
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
                self.reference(name)?;
            }
            other => {
                let byte = self.byte(other)?;
                self.literal(byte);
            }
        }
        Some(())
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
            b'c' => self.next()?.to_ascii_uppercase() ^ 0x40,
            b'x' if self.take(b"{") => number(self.until(b"}")?, 16)?,
            b'x' => {
                let digits = self.digits(2, 16);
                number(digits, 16).unwrap_or(0)
            }
            b'o' if self.take(b"{") => number(self.until(b"}")?, 8)?,
            b'0' => {
                let digits = self.digits(2, 8);
                number(digits, 8).unwrap_or(0)
            }
            other if other.is_ascii_alphanumeric() => return None,
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
            let byte = self.next()?;
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
        let next = self.next()?;
        match self.member(next)? {
            Member::Byte(high) if low <= high => {
                self.out.push('-');
                self.literal(high);
            }
            Member::Byte(_) | Member::Nothing => return None,
            Member::Set(set) => {
                self.literal(b'-');
                self.out.push_str(set);
            }
        }
        Some(())
    }

    fn member(&mut self, byte: u8) -> Option<Member> {
        match byte {
            b'[' if matches!(self.rest.first(), Some(b':')) => {
                let rest = self.rest;
                let set = self.until(b":]").and_then(|name| posix(name.get(1..)?));
                if set.is_none() {
                    self.rest = rest;
                }
                Some(set.map_or(Member::Byte(b'['), Member::Set))
            }
            b'\\' => self.escaped_member(),
            other => Some(Member::Byte(other)),
        }
    }

    fn escaped_member(&mut self) -> Option<Member> {
        let set = match self.next()? {
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
