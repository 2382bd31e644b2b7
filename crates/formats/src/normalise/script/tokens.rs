//! The tokens of a script, and what its words declare.
//!
//! Observed: `var` declares the next word, and one behind each comma that follows outside of braces and brackets, up to a
//! semicolon there. `function` opens a scope; its name and its parameters are declared in it; the brace that closes its body
//! closes the scope.

use std::io;

use dachs_base::Budget;

use super::guard::Guard;
use super::names::Names;

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Where its bytes stand.
    start: u32,
    end: u32,
    pub(super) mark: Mark,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Sign(u8),
    Text,
    Word,
}

/// What a token does to the scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Enter(u32),
    Leave,
    Stay,
}

/// What the next word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Nothing,
    /// A variable; behind it and its value.
    Variable,
    Variables,
    /// The name of a function; its bracket.
    Function,
    Bracket,
    /// A parameter; behind it; the body.
    Parameter,
    Parameters,
    Body,
}

/// A function that is open.
struct Function {
    outer: Expect,
    scope: u32,
    /// How many braces and brackets are open in its body.
    depth: Option<u32>,
}

/// The tokens of a script.
pub(super) struct Tokens {
    bytes: Vec<u8>,
    pub(super) list: Vec<Token>,
    pub(super) names: Names,
    scope: u32,
    expect: Expect,
    functions: Vec<Function>,
    /// Braces and brackets that are open.
    depth: u32,
    /// Parentheses that are open.
    open: usize,
    guard: Guard,
}

impl Tokens {
    pub(super) fn new(budget: &Budget) -> Tokens {
        Tokens {
            bytes: Vec::new(),
            list: Vec::new(),
            names: Names::new(),
            scope: 0,
            expect: Expect::Nothing,
            functions: Vec::new(),
            depth: 0,
            open: 0,
            guard: Guard::new(budget),
        }
    }

    /// The bytes of a token.
    pub(super) fn bytes(&self, token: &Token) -> &[u8] {
        let place = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        self.bytes.get(place(token.start)..place(token.end)).unwrap_or(&[])
    }

    /// True if the token at a place is this sign.
    pub(super) fn is_sign(&self, at: usize, sign: u8) -> bool {
        self.list.get(at).is_some_and(|token| token.kind == Kind::Sign(sign))
    }

    /// True if the token at a place is this word.
    pub(super) fn is_word(&self, at: usize, word: &[u8]) -> bool {
        self.list.get(at).is_some_and(|token| token.kind == Kind::Word && self.bytes(token) == word)
    }

    /// The token at a place, if it is a string or number.
    pub(super) fn literal(&self, at: usize, kind: Kind) -> Option<Token> {
        self.list.get(at).filter(|token| token.kind == kind).copied()
    }

    /// A new token, which is not in the list.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(super) fn make(&mut self, kind: Kind, bytes: &[u8]) -> io::Result<Token> {
        self.hold(bytes.len())?;
        let start = place(self.bytes.len());
        self.bytes.extend_from_slice(bytes);
        Ok(Token { kind, start, end: place(self.bytes.len()), mark: Mark::Stay })
    }

    /// Sets memory aside for all that is here and some more bytes.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn hold(&mut self, more: usize) -> io::Result<()> {
        let lists = self.list.len().saturating_add(1).saturating_mul(4 * size_of::<Token>());
        let bytes = self.bytes.len().saturating_add(more).saturating_mul(3);
        self.guard.hold(lists.saturating_add(bytes).saturating_add(self.names.memory()))
    }

    fn push(&mut self, kind: Kind, bytes: &[u8], mark: Mark) -> io::Result<()> {
        let token = self.make(kind, bytes)?;
        self.list.push(Token { mark, ..token });
        Ok(())
    }

    pub(super) fn number(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.push(Kind::Number, bytes, Mark::Stay)
    }

    /// A string; one that is added to another is one with it.
    pub(super) fn text(&mut self, bytes: &[u8]) -> io::Result<()> {
        let added = match self.list.as_slice() {
            [.., first, sign] => first.kind == Kind::Text && sign.kind == Kind::Sign(b'+'),
            _ => false,
        };
        let token = self.make(Kind::Text, bytes)?;
        if !added {
            self.list.push(token);
            return Ok(());
        }
        self.list.pop();
        if let Some(first) = self.list.last_mut() {
            // Nothing was written between the two.
            first.end = token.end;
        }
        Ok(())
    }

    pub(super) fn word(&mut self, word: &[u8]) -> io::Result<()> {
        let member = self.list.last().is_some_and(|token| token.kind == Kind::Sign(b'.'));
        if member {
            return self.push(Kind::Word, word, Mark::Stay);
        }
        let mut mark = Mark::Stay;
        match (word, self.expect) {
            (b"var", _) => self.expect = Expect::Variable,
            (b"function", _) => {
                let outer = if self.expect == Expect::Variable { Expect::Variables } else { self.expect };
                self.functions.push(Function { outer, scope: self.scope, depth: None });
                self.scope = self.names.scope(self.scope);
                self.expect = Expect::Function;
                mark = Mark::Enter(self.scope);
            }
            (_, Expect::Variable) => self.declare(word, Expect::Variables),
            (_, Expect::Function) => self.declare(word, Expect::Bracket),
            (_, Expect::Parameter) => self.declare(word, Expect::Parameters),
            _ => {}
        }
        self.push(Kind::Word, word, mark)
    }

    fn declare(&mut self, word: &[u8], next: Expect) {
        self.names.declare(word, self.scope);
        self.expect = next;
    }

    pub(super) fn sign(&mut self, sign: u8) -> io::Result<()> {
        let mut mark = Mark::Stay;
        match (sign, self.expect) {
            (b',', Expect::Variables) if self.depth == 0 => self.expect = Expect::Variable,
            (b',', Expect::Parameters) => self.expect = Expect::Parameter,
            (b';', Expect::Variable | Expect::Variables) if self.depth == 0 => self.expect = Expect::Nothing,
            (b'(', _) => self.parenthesis(),
            (b')', _) => {
                self.open = self.open.saturating_sub(1);
                if matches!(self.expect, Expect::Parameter | Expect::Parameters) {
                    self.expect = Expect::Body;
                }
            }
            (b'[', Expect::Variable) => {}
            (b'{' | b'[', _) => self.brace(sign),
            (b'}' | b']', _) => mark = self.unbrace(),
            _ => {}
        }
        self.push(Kind::Sign(sign), &[], mark)
    }

    fn parenthesis(&mut self) {
        self.open = self.open.saturating_add(1);
        if matches!(self.expect, Expect::Function | Expect::Bracket) {
            self.expect = Expect::Parameter;
        }
    }

    /// Opens a brace or bracket; the first brace behind `function` is that of its body.
    fn brace(&mut self, sign: u8) {
        self.depth = self.depth.saturating_add(1);
        if let Some(function) = self.functions.last_mut().filter(|function| sign == b'{' && function.depth.is_none()) {
            function.depth = Some(self.depth);
            self.expect = Expect::Nothing;
        }
    }

    /// Closes a brace or bracket.
    fn unbrace(&mut self) -> Mark {
        let closed = self.functions.pop_if(|function| function.depth == Some(self.depth));
        self.depth = self.depth.saturating_sub(1);
        match closed {
            Some(function) => {
                self.scope = function.scope;
                self.expect = function.outer;
                Mark::Leave
            }
            None => Mark::Stay,
        }
    }

    /// The script has ended: closes its parentheses.
    ///
    /// # Errors
    /// When there is no memory for that.
    pub(super) fn close(&mut self) -> io::Result<()> {
        for _ in 0..std::mem::take(&mut self.open) {
            self.push(Kind::Sign(b')'), &[], Mark::Stay)?;
        }
        Ok(())
    }

    /// Leaves an end tag out, if there is one at the very end.
    pub(super) fn cut_tag(&mut self) {
        let tag = match self.list.as_slice() {
            [.., open, slash, word, close] => {
                open.kind == Kind::Sign(b'<')
                    && slash.kind == Kind::Sign(b'/')
                    && word.kind == Kind::Word
                    && self.bytes(word).eq_ignore_ascii_case(b"script")
                    && close.kind == Kind::Sign(b'>')
            }
            _ => false,
        };
        if tag {
            self.list.truncate(self.list.len().saturating_sub(4));
        }
    }
}

/// Places beyond 4 GiB cannot be: memory ends before.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
