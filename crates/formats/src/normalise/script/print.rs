//! Writes tokens.

use super::tokens::{Kind, Mark, Token, Tokens};

/// Tokens that are written at once.
const STEP: usize = 4096;

/// Writes the tokens of one script.
pub(super) struct Printer {
    tokens: Tokens,
    /// Another script was written before.
    after: bool,
    at: usize,
    scope: u32,
    last: Option<Kind>,
}

impl Printer {
    pub(super) fn new(tokens: Tokens, after: bool) -> Printer {
        Printer { tokens, after, at: 0, scope: 0, last: None }
    }

    /// Writes some more. False if that was all.
    pub(super) fn print(&mut self, made: &mut Vec<u8>) -> bool {
        if self.at == 0 {
            made.extend(if self.after { b"\n<script>".as_slice() } else { b"<script>" });
        }
        let end = self.at.saturating_add(STEP).min(self.tokens.list.len());
        for at in self.at..end {
            if let Some(token) = self.tokens.list.get(at).copied() {
                self.token(&token, made);
                self.last = Some(token.kind);
            }
        }
        self.at = end.max(1);
        let more = end < self.tokens.list.len();
        if !more {
            made.extend(b"</script>");
        }
        more
    }

    fn token(&mut self, token: &Token, made: &mut Vec<u8>) {
        match token.mark {
            Mark::Enter(scope) => self.scope = scope,
            Mark::Leave => self.scope = self.tokens.names.around(self.scope),
            Mark::Stay => {}
        }
        let touches = matches!(self.last, Some(Kind::Number | Kind::Word));
        if touches && matches!(token.kind, Kind::Number | Kind::Word) {
            made.push(b' ');
        }
        let bytes = self.tokens.bytes(token);
        match token.kind {
            Kind::Number => made.extend(bytes),
            Kind::Sign(sign) => made.push(sign),
            Kind::Text => {
                made.push(b'"');
                made.extend(bytes.iter().map(|byte| plain(*byte)));
                made.push(b'"');
            }
            Kind::Word => match self.tokens.names.number(bytes, self.scope).filter(|_| !self.is_member()) {
                Some(number) => made.extend(format!("n{number:03}").bytes()),
                None => made.extend(bytes.to_ascii_lowercase()),
            },
        }
    }

    /// What stands behind a point is no name of the script's own.
    fn is_member(&self) -> bool {
        self.last == Some(Kind::Sign(b'.'))
    }
}

/// A byte of a string: white space is a blank.
fn plain(byte: u8) -> u8 {
    match byte {
        b'\t'..=b'\r' => b' ',
        _ => byte.to_ascii_lowercase(),
    }
}
