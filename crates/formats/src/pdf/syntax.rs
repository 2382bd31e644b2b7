//! Tokens and values of PDF (ISO 32000-1 7.2 and 7.3), read leniently: what no reader would accept still gives values.
//!
//! A list that is not closed ends with the object; a word that is no value counts as null; a key without a value takes
//! the next thing for it. Names and strings borrow the bytes as they stand in the file and are decoded when they are
//! looked at, so that `/J#61vaScript` and `/JavaScript` are the same name.

/// Lists inside lists, at most.
const DEEPEST: u32 = 200;
/// Values of one object, at most: 48 bytes each and as much again while lists grow.
pub(super) const MOST_VALUES: usize = 100_000;
/// Of a longer run of numbers, only the last ones are kept: they may be the parts of a reference.
const PLAIN_NUMBERS: usize = 64;

/// A value (ISO 32000-1 7.3).
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// Null, true, a real number, or a word that is no value.
    Other,
    False,
    Integer(i64),
    Name(Name<'a>),
    Text(Text<'a>),
    Array(Vec<Value<'a>>),
    Dictionary(Dictionary<'a>),
    /// The number of another object.
    Reference(u64, u64),
}

impl<'a> Value<'a> {
    pub(super) fn as_dictionary(&self) -> Option<&Dictionary<'a>> {
        if let Value::Dictionary(dictionary) = self { Some(dictionary) } else { None }
    }

    pub(super) fn as_integer(&self) -> Option<i64> {
        if let Value::Integer(number) = self { Some(*number) } else { None }
    }

    pub(super) fn as_name(&self) -> Option<Name<'a>> {
        if let Value::Name(name) = self { Some(*name) } else { None }
    }

    pub(super) fn as_text(&self) -> Option<Text<'a>> {
        if let Value::Text(text) = self { Some(*text) } else { None }
    }
}

/// A dictionary (ISO 32000-1 7.3.7), in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dictionary<'a>(pub(super) Vec<(Name<'a>, Value<'a>)>);

impl<'a> Dictionary<'a> {
    /// The value of a key; of one that stands twice, the last.
    pub(super) fn value(&self, key: &[u8]) -> Option<&Value<'a>> {
        self.0.iter().rev().find(|(name, _)| name.is(key)).map(|(_, value)| value)
    }

    pub(super) fn integer(&self, key: &[u8]) -> Option<i64> {
        self.value(key)?.as_integer()
    }

    pub(super) fn name(&self, key: &[u8]) -> Option<Name<'a>> {
        self.value(key)?.as_name()
    }

    pub(super) fn is_false(&self, key: &[u8]) -> bool {
        self.value(key) == Some(&Value::False)
    }

    pub(super) fn text(&self, key: &[u8]) -> Option<Text<'a>> {
        self.value(key)?.as_text()
    }
}

/// A name (ISO 32000-1 7.3.5), as written, without its slash.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// True if this is the name, however it is written.
    pub(super) fn is(self, plain: &[u8]) -> bool {
        self.bytes().eq(plain.iter().copied())
    }

    /// True if something in it is written as `#xx`.
    pub(super) fn is_escaped(self) -> bool {
        self.0.contains(&b'#')
    }

    /// The name with its `#xx` decoded.
    pub(super) fn bytes(self) -> impl Iterator<Item = u8> + 'a {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (byte, after) = match rest {
                [b'#', high, low, after @ ..] => match (hex(*high), hex(*low)) {
                    (Some(high), Some(low)) => (high << 4 | low, after),
                    _ => (b'#', rest.get(1..)?),
                },
                [byte, after @ ..] => (*byte, after),
                [] => return None,
            };
            rest = after;
            Some(byte)
        })
    }
}

/// A string (ISO 32000-1 7.3.4), as written, without its brackets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Text<'a> {
    raw: &'a [u8],
    hexadecimal: bool,
}

impl Text<'_> {
    /// How many bytes it takes in the file; it is not longer decoded.
    pub(super) fn size(self) -> usize {
        self.raw.len()
    }

    /// The bytes of the string.
    pub(super) fn decode(self) -> Vec<u8> {
        if self.hexadecimal { from_hex(self.raw) } else { from_literal(self.raw) }
    }
}

/// ISO 32000-1 7.3.4.3: pairs of digits, white space between them, a last single digit counts as if 0 followed.
fn from_hex(raw: &[u8]) -> Vec<u8> {
    let mut digits = raw.iter().filter_map(|byte| hex(*byte));
    let pair = || digits.next().map(|high| high << 4 | digits.next().unwrap_or(0));
    std::iter::from_fn(pair).collect()
}

/// ISO 32000-1 7.3.4.2: backslashes.
fn from_literal(raw: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    loop {
        rest = match rest {
            [] => return bytes,
            [b'\\', b'\r', b'\n', after @ ..] | [b'\\', b'\r' | b'\n', after @ ..] => after,
            [b'\\', b'0'..=b'7', ..] => octal(rest.get(1..).unwrap_or(&[]), &mut bytes),
            [b'\\', letter, after @ ..] => {
                bytes.push(escaped(*letter));
                after
            }
            [b'\r', b'\n', after @ ..] | [b'\r', after @ ..] => {
                bytes.push(b'\n');
                after
            }
            [byte, after @ ..] => {
                bytes.push(*byte);
                after
            }
        };
    }
}

/// One to three octal digits; what is above a byte is lost.
fn octal<'a>(digits: &'a [u8], bytes: &mut Vec<u8>) -> &'a [u8] {
    let count = digits.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let (digits, after) = digits.split_at_checked(count).unwrap_or((digits, &[]));
    bytes.push(digits.iter().fold(0, |value: u8, digit| value << 3 | (digit & 7)));
    after
}

fn escaped(letter: u8) -> u8 {
    match letter {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    }
}

/// Why a value could not be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Trouble {
    /// The input ended before it.
    Ended,
    /// It holds too many values, or lists in lists.
    Large,
}

/// What ended an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stop {
    /// `stream`: its data follow.
    Stream,
    /// `endobj`, or a word that belongs to no value.
    End,
}

/// An object: its value, what ended it, and how many bytes it took, the last word included.
pub(super) struct Object<'a> {
    pub(super) value: Value<'a>,
    pub(super) stop: Stop,
    pub(super) length: usize,
    /// The same without `endobj`, and with the white space behind it.
    pub(super) inner: usize,
}

/// Reads the value behind `obj`. `whole` says that no bytes follow `input` in the file.
pub(super) fn object(input: &[u8], whole: bool) -> Result<Object<'_>, Trouble> {
    let mut parser = Parser { rest: input, whole, left: MOST_VALUES, stop: None };
    let mut values = parser.list(Close::Word, 0)?;
    let length = input.len().saturating_sub(parser.rest.len());
    let value = if values.is_empty() { Value::Other } else { values.swap_remove(0) };
    let bytes = input.get(..length).unwrap_or(input);
    let inner = bytes.strip_suffix(b"endobj").unwrap_or(bytes).len();
    Ok(Object { value, stop: parser.stop.unwrap_or(Stop::End), length, inner })
}

/// Reads the one value at the start of `input`, as in an object stream (ISO 32000-1 7.5.7).
pub(super) fn value(input: &[u8], whole: bool) -> Result<Object<'_>, Trouble> {
    let mut parser = Parser { rest: input, whole, left: MOST_VALUES, stop: None };
    let value = match parser.token()? {
        Some(token) => parser.complete(token, 0)?.unwrap_or(Value::Other),
        None => Value::Other,
    };
    let length = input.len().saturating_sub(parser.rest.len());
    let blanks = parser.rest.iter().take_while(|byte| is_space(**byte)).count();
    Ok(Object { value, stop: Stop::End, length, inner: length.saturating_add(blanks) })
}

/// True for white space (ISO 32000-1 table 1).
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | 9 | 10 | 12 | 13 | 32)
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

/// The value of a hexadecimal digit.
pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

enum Token<'a> {
    ArrayClose,
    ArrayOpen,
    DictionaryClose,
    DictionaryOpen,
    Name(Name<'a>),
    Text(Text<'a>),
    Word(&'a [u8]),
}

#[derive(Clone, Copy, PartialEq)]
enum Close {
    Array,
    Dictionary,
    Word,
}

struct Parser<'a> {
    rest: &'a [u8],
    whole: bool,
    /// Values that may still be made.
    left: usize,
    /// Set once a word was met that ends the object: every open list ends with it.
    stop: Option<Stop>,
}

impl<'a> Parser<'a> {
    /// The values up to a closing bracket, or up to the word that ends the object.
    fn list(&mut self, close: Close, depth: u32) -> Result<Vec<Value<'a>>, Trouble> {
        let mut values = Vec::new();
        while self.stop.is_none() {
            let Some(token) = self.token()? else { break };
            match token {
                Token::ArrayClose if close == Close::Array => break,
                Token::DictionaryClose if close == Close::Dictionary => break,
                Token::Word(b"R") => refer(&mut values),
                token => {
                    if let Some(value) = self.complete(token, depth)? {
                        self.keep(&mut values, value)?;
                    }
                }
            }
        }
        Ok(values)
    }

    /// The value that begins with this token; none for a stray bracket or a word that ends the object.
    fn complete(&mut self, token: Token<'a>, depth: u32) -> Result<Option<Value<'a>>, Trouble> {
        if depth > DEEPEST {
            return Err(Trouble::Large);
        }
        Ok(match token {
            Token::ArrayOpen => Some(Value::Array(self.list(Close::Array, depth + 1)?)),
            Token::DictionaryOpen => Some(Value::Dictionary(pairs(self.list(Close::Dictionary, depth + 1)?))),
            Token::Name(name) => Some(Value::Name(name)),
            Token::Text(text) => Some(Value::Text(text)),
            Token::Word(word) => self.word(word),
            Token::ArrayClose | Token::DictionaryClose => None,
        })
    }

    fn word(&mut self, word: &[u8]) -> Option<Value<'a>> {
        match word {
            b"stream" => self.stop = Some(Stop::Stream),
            b"endobj" | b"endstream" | b"obj" | b"xref" | b"trailer" | b"startxref" => self.stop = Some(Stop::End),
            b"false" => return Some(Value::False),
            _ => return Some(number(word).map_or(Value::Other, Value::Integer)),
        }
        None
    }

    fn keep(&mut self, values: &mut Vec<Value<'a>>, value: Value<'a>) -> Result<(), Trouble> {
        values.push(value);
        if let [.., Value::Integer(_), Value::Integer(_), Value::Integer(_)] = values.as_slice()
            && values.len() > PLAIN_NUMBERS
        {
            values.remove(values.len() - 3);
            return Ok(());
        }
        self.left = self.left.checked_sub(1).ok_or(Trouble::Large)?;
        Ok(())
    }

    fn token(&mut self) -> Result<Option<Token<'a>>, Trouble> {
        self.skip_blank();
        let (token, length) = match self.rest {
            [] if self.whole => return Ok(None),
            [] => return Err(Trouble::Ended),
            [b'<', b'<', ..] => (Token::DictionaryOpen, 2),
            [b'>', b'>', ..] => (Token::DictionaryClose, 2),
            [b'<' | b'>'] if !self.whole => return Err(Trouble::Ended),
            [b'[', ..] => (Token::ArrayOpen, 1),
            [b']', ..] => (Token::ArrayClose, 1),
            [b'(', ..] => return self.literal().map(Some),
            [b'<', ..] => return self.hexadecimal().map(Some),
            [b'/', after @ ..] => {
                let name = self.regular(after)?;
                (Token::Name(Name(name)), name.len() + 1)
            }
            [b')' | b'>' | b'{' | b'}', ..] => (Token::Word(b""), 1),
            rest => {
                let word = self.regular(rest)?;
                (Token::Word(word), word.len())
            }
        };
        self.rest = self.rest.get(length..).unwrap_or(&[]);
        Ok(Some(token))
    }

    /// White space and comments (ISO 32000-1 7.2.3).
    fn skip_blank(&mut self) {
        loop {
            let spaces = self.rest.iter().take_while(|byte| is_space(**byte)).count();
            self.rest = self.rest.get(spaces..).unwrap_or(&[]);
            if self.rest.first() != Some(&b'%') {
                return;
            }
            let comment = self.rest.iter().take_while(|byte| !matches!(byte, b'\r' | b'\n')).count();
            self.rest = self.rest.get(comment..).unwrap_or(&[]);
        }
    }

    /// The regular characters at the start of `from`, which reaches to the end of the input.
    fn regular(&self, from: &'a [u8]) -> Result<&'a [u8], Trouble> {
        match from.iter().position(|byte| is_space(*byte) || is_delimiter(*byte)) {
            Some(end) => Ok(from.get(..end).unwrap_or(&[])),
            None if self.whole => Ok(from),
            None => Err(Trouble::Ended),
        }
    }

    fn literal(&mut self) -> Result<Token<'a>, Trouble> {
        let inside = self.rest.get(1..).unwrap_or(&[]);
        let mut open = 1u32;
        let mut escape = false;
        let end = inside.iter().position(|byte| {
            match byte {
                _ if escape => escape = false,
                b'\\' => escape = true,
                b'(' => open = open.saturating_add(1),
                b')' => open = open.saturating_sub(1),
                _ => {}
            }
            open == 0
        });
        self.text(inside, end, false)
    }

    fn hexadecimal(&mut self) -> Result<Token<'a>, Trouble> {
        let inside = self.rest.get(1..).unwrap_or(&[]);
        self.text(inside, inside.iter().position(|byte| *byte == b'>'), true)
    }

    /// A string that ends at `end`, or with the file.
    fn text(&mut self, inside: &'a [u8], end: Option<usize>, hexadecimal: bool) -> Result<Token<'a>, Trouble> {
        let end = match end {
            Some(end) => end,
            None if self.whole => inside.len(),
            None => return Err(Trouble::Ended),
        };
        self.rest = inside.get(end.saturating_add(1)..).unwrap_or(&[]);
        Ok(Token::Text(Text { raw: inside.get(..end).unwrap_or(inside), hexadecimal }))
    }
}

/// An integer (ISO 32000-1 7.3.3).
pub(super) fn number(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// `R`: the last two numbers were a reference (ISO 32000-1 7.3.10).
fn refer(values: &mut Vec<Value<'_>>) {
    let [.., Value::Integer(number), Value::Integer(generation)] = values.as_slice() else { return };
    let (Ok(number), Ok(generation)) = (u64::try_from(*number), u64::try_from(*generation)) else { return };
    values.pop();
    values.pop();
    values.push(Value::Reference(number, generation));
}

/// Keys and values by turns.
fn pairs(values: Vec<Value<'_>>) -> Dictionary<'_> {
    let mut pairs = Vec::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let Some(key) = values.next() {
        if let Value::Name(name) = key {
            pairs.push((name, values.next().unwrap_or(Value::Other)));
        }
    }
    Dictionary(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        fn show(value: &Value<'_>) -> String {
            let list = |values: &[Value<'_>]| values.iter().map(show).collect::<Vec<_>>().join(" ");
            match value {
                Value::Other | Value::False => "-".into(),
                Value::Integer(number) => number.to_string(),
                Value::Name(name) => format!("/{}", String::from_utf8_lossy(&name.bytes().collect::<Vec<_>>())),
                Value::Text(text) => format!("({})", String::from_utf8_lossy(&text.decode())),
                Value::Array(values) => format!("[{}]", list(values)),
                Value::Dictionary(Dictionary(pairs)) => {
                    let pair = |(name, value): &(Name<'_>, Value<'_>)| {
                        format!("{} {}", show(&Value::Name(*name)), show(value))
                    };
                    format!("<<{}>>", pairs.iter().map(pair).collect::<Vec<_>>().join(" "))
                }
                Value::Reference(number, generation) => format!("{number} {generation} R"),
            }
        }
        object(text.as_bytes(), true).map_or_else(|trouble| format!("{trouble:?}"), |object| show(&object.value))
    }

    #[test]
    fn values_are_read() {
        let table = [
            ("<</A 1/B[2 3 R(x)]/C<41 4>>>endobj", "<</A 1 /B [2 3 R (x)] /C (A@)>>"),
            ("<< /Type/#4aava#53cript /#ZZ true >>", "<</Type /JavaScript /#ZZ ->>"),
            (
                r"(a\(b\)(c)\101\7\0612\n\
x\q)",
                "(a(b)(c)A\u{7}12\nxq)",
            ),
            ("% comment\n[ null -5 +7 1.5 ]", "[- -5 7 -]"),
            ("<</A<</B(c)endobj", "<</A <</B (c)>>>>"),
            ("<</A>>>>", "<</A ->>"),
            ("12 0 R endobj", "12 0 R"),
            ("(never closed", "(never closed)"),
            (") } <</A ] 5>>", "-"),
            ("", "-"),
        ];
        for (text, expected) in table {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn long_runs_of_numbers_are_short_and_end_in_references() {
        let text = format!("[{} 8 9 R]", "1 2 3 ".repeat(200_000));
        let parsed = object(text.as_bytes(), true).ok().map(|object| object.value);
        let Some(Value::Array(values)) = parsed else { panic!("no array") };
        assert!(values.len() <= PLAIN_NUMBERS + 2);
        assert_eq!(values.last(), Some(&Value::Reference(8, 9)));
    }

    #[test]
    fn too_much_is_refused() {
        assert_eq!(parsed(&"[".repeat(300)), "Large");
        assert_eq!(parsed(&"[]".repeat(200_000)), "Large");
    }

    #[test]
    fn more_is_asked_for_at_every_cut() {
        let text = b"<</A 1/B[2 3 R(x)]/C<41 4>>>stream ";
        for cut in 0..text.len() - 1 {
            assert!(matches!(object(&text[..cut], false), Err(Trouble::Ended)), "{cut}");
        }
        let object = object(text, false).ok().unwrap();
        assert_eq!((object.stop, object.length), (Stop::Stream, text.len() - 1));
    }
}
