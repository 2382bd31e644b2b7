//! A place in a text that only moves forward.

/// What is left of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    /// Before the first character of `text`.
    pub(crate) fn new(text: &'a str) -> Cursor<'a> {
        Cursor(text)
    }

    /// The next byte, taken.
    pub(crate) fn bump(&mut self) -> Option<u8> {
        let mut chars = self.0.chars();
        let next = chars.next()?;
        self.0 = chars.as_str();
        // Everything that has a meaning is ASCII; other characters stand for themselves in messages only.
        Some(u8::try_from(next).unwrap_or(b'\xff'))
    }

    /// Takes `text` if it comes next.
    pub(crate) fn eat(&mut self, text: &str) -> bool {
        let rest = self.0.strip_prefix(text);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// What stands before the next `end`, which is taken too; nothing if there is no `end`.
    pub(crate) fn until(&mut self, end: char) -> Option<&'a str> {
        let (before, after) = self.0.split_once(end)?;
        self.0 = after;
        Some(before)
    }

    /// The digits that come next, possibly none.
    pub(crate) fn digits(&mut self) -> &'a str {
        let end = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at_checked(end).unwrap_or_default();
        self.0 = rest;
        digits
    }

    /// The pairs of characters of one byte that come next and that `value` knows, taken; `each` is called with what it says of each.
    pub(crate) fn pairs<T>(&mut self, value: impl Fn([u8; 2]) -> Option<T>, each: impl FnMut(T)) {
        let (pairs, _) = self.0.as_bytes().as_chunks::<2>();
        let count = pairs.iter().map_while(|pair| value(*pair)).map(each).count();
        self.0 = self.0.get(2 * count..).unwrap_or_default();
    }

    /// Leaves out blanks.
    pub(crate) fn blanks(&mut self) {
        self.0 = self.0.trim_start_matches(' ');
    }

    /// The next byte, left there.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.0.bytes().next()
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a str {
        self.0
    }
}
