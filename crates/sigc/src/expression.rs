//! The expression of a logical signature: `0&(1|2)>1,2`.
//!
//! ```text
//! level      = item (op item)*           op = `&` or `|`, of equal rank
//! item       = id [comparison] | `(` level `)` [comparison]
//! comparison = (`=` | `>` | `<`)+ number [`,` number]
//! ```
//!
//! There is no precedence. Outside of parentheses the first operator splits the expression, so `0|1&2` is `0|(1&2)`;
//! inside of them the last one does, so `(0|1&2)` is `(0|1)&2`, and what stands before it is split by its first, so
//! `(0&1|2&3)` is `(0&(1|2))&3`. A comparison may follow a parenthesis only if an
//! operator stands directly inside of it. The `,m` of a single id says nothing. Of several signs the last one counts: so
//! `==` is `=`, and so, alas, is `>=`.
//!
//! ClamAV also swallows other characters after a number; here they are malformed.

use dachs_sigdb::model::{Comparison, Expression};

use crate::cursor::Cursor;
use crate::refused::{Parsed, Refused};

/// Ids are below this.
pub(crate) const IDS: u8 = 64;

/// Parentheses may be nested this deep.
const DEEPEST: u32 = 64;

/// Reads an expression; gives it with the highest id in it.
///
/// # Errors
/// When it is malformed.
pub(crate) fn parse(text: &str) -> Parsed<(Expression, u8)> {
    let mut parser = Parser { cursor: Cursor::new(text), highest: 0 };
    let (items, operators) = parser.level(0)?;
    if !parser.cursor.rest().is_empty() {
        return Err(Refused::malformed(format!("expression '{text}': a ) without its (")));
    }
    Ok((first_splits(items, operators)?, parser.highest))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    And,
    Or,
}

impl Operator {
    /// One expression of two. Equal operators beside each other become one list.
    fn join(self, left: Expression, right: Expression) -> Expression {
        let mut items = self.items(left);
        items.extend(self.items(right));
        match self {
            Operator::And => Expression::And(items),
            Operator::Or => Expression::Or(items),
        }
    }

    fn items(self, expression: Expression) -> Vec<Expression> {
        match (self, expression) {
            (Operator::And, Expression::And(items)) | (Operator::Or, Expression::Or(items)) => items,
            (_, expression) => vec![expression],
        }
    }
}

/// Joins items so that the first operator splits them, and so on in what follows it.
fn first_splits(items: Vec<Expression>, operators: Vec<Operator>) -> Parsed<Expression> {
    let mut items = items.into_iter().rev();
    let last = items.next().ok_or_else(|| Refused::malformed("an empty expression"))?;
    let operators = operators.into_iter().rev();
    Ok(items.zip(operators).fold(last, |right, (left, operator)| operator.join(left, right)))
}

/// Joins items so that the last operator splits them; what stands before it is split by its first.
fn last_splits(mut items: Vec<Expression>, mut operators: Vec<Operator>) -> Parsed<Expression> {
    match (operators.pop(), items.pop()) {
        (Some(operator), Some(last)) => Ok(operator.join(first_splits(items, operators)?, last)),
        (None, Some(only)) => Ok(only),
        (_, None) => Err(Refused::malformed("an empty expression")),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    highest: u8,
}

impl Parser<'_> {
    /// What stands between parentheses, or outside of all: the items and the operators between them.
    fn level(&mut self, depth: u32) -> Parsed<(Vec<Expression>, Vec<Operator>)> {
        if depth > DEEPEST {
            return Err(Refused::malformed(format!("parentheses nested deeper than {DEEPEST}")));
        }
        let mut items = vec![self.item(depth)?];
        let mut operators = Vec::new();
        loop {
            self.cursor.blanks();
            operators.push(match self.cursor.peek() {
                Some(b'&') => Operator::And,
                Some(b'|') => Operator::Or,
                Some(b')') | None => return Ok((items, operators)),
                Some(other) => {
                    let other = other.escape_ascii();
                    return Err(Refused::malformed(format!("'{other}' does not belong in an expression")));
                }
            });
            self.cursor.bump();
            items.push(self.item(depth)?);
        }
    }

    fn item(&mut self, depth: u32) -> Parsed<Expression> {
        self.cursor.blanks();
        if self.cursor.eat("(") { self.block(depth) } else { self.single() }
    }

    fn block(&mut self, depth: u32) -> Parsed<Expression> {
        let (items, operators) = self.level(depth.saturating_add(1))?;
        if !self.cursor.eat(")") {
            return Err(Refused::malformed("an expression with a ( without its )"));
        }
        let comparable = !operators.is_empty();
        let inner = last_splits(items, operators)?;
        match self.comparison()? {
            None => Ok(inner),
            Some(_) if !comparable => {
                Err(Refused::malformed("only a parenthesis with an operator directly inside can be compared"))
            }
            Some((comparison, count, distinct)) => {
                Ok(Expression::Block { inner: Box::new(inner), comparison, count, distinct })
            }
        }
    }

    fn single(&mut self) -> Parsed<Expression> {
        let digits = self.cursor.digits();
        let id = digits.parse().ok().filter(|id| *id < IDS);
        let id = id.ok_or_else(|| match digits {
            "" => Refused::malformed("an expression lacks an id"),
            _ => Refused::malformed(format!("the expression names subsignature {digits}; the last can be 63")),
        })?;
        self.highest = self.highest.max(id);
        let (comparison, count) = match self.comparison()? {
            Some((comparison, count, _)) => (comparison, count),
            None => (Comparison::Greater, 0),
        };
        self.distinct()?;
        Ok(Expression::Count { id, comparison, count })
    }

    /// The comparison that comes next: how, with what, and how many different subsignatures.
    fn comparison(&mut self) -> Parsed<Option<(Comparison, u32, u32)>> {
        let mut last = None;
        while let Some(sign) = self.sign() {
            last = Some(sign);
        }
        let Some(comparison) = last else { return Ok(None) };
        let count = self.number()?.ok_or_else(|| Refused::malformed("a comparison without a number"))?;
        Ok(Some((comparison, count, self.distinct()?)))
    }

    fn sign(&mut self) -> Option<Comparison> {
        let sign = match self.cursor.peek()? {
            b'=' => Comparison::Equal,
            b'>' => Comparison::Greater,
            b'<' => Comparison::Less,
            _ => return None,
        };
        self.cursor.bump();
        Some(sign)
    }

    fn distinct(&mut self) -> Parsed<u32> {
        if self.cursor.eat(",") { Ok(self.number()?.unwrap_or(0)) } else { Ok(0) }
    }

    fn number(&mut self) -> Parsed<Option<u32>> {
        let digits = self.cursor.digits();
        if digits.is_empty() {
            return Ok(None);
        }
        digits.parse().map(Some).map_err(|_| Refused::malformed(format!("{digits} is too large for a comparison")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expression with all parentheses that it means.
    fn shown(text: &str) -> String {
        fn show(expression: &Expression) -> String {
            let list = |items: &[Expression], by: &str| items.iter().map(show).collect::<Vec<_>>().join(by);
            let sign = |comparison: &Comparison| match comparison {
                Comparison::Equal => '=',
                Comparison::Greater => '>',
                Comparison::Less => '<',
            };
            match expression {
                Expression::And(items) => format!("({})", list(items, "&")),
                Expression::Or(items) => format!("({})", list(items, "|")),
                Expression::Count { id, comparison: Comparison::Greater, count: 0 } => id.to_string(),
                Expression::Count { id, comparison, count } => format!("{id}{}{count}", sign(comparison)),
                Expression::Block { inner, comparison, count, distinct } => {
                    format!("{}{}{count},{distinct}", show(inner), sign(comparison))
                }
            }
        }
        show(&parse(text).unwrap().0)
    }

    #[test]
    fn there_is_no_precedence() {
        let cases = [
            ("0", "0"),
            ("(0)", "0"),
            ("0&1&2", "(0&1&2)"),
            ("0|1&2", "(0|(1&2))"),
            ("0&1|2", "(0&(1|2))"),
            ("0&1|2&3", "(0&(1|(2&3)))"),
            ("(0|1&2)", "((0|1)&2)"),
            ("(0&1|2)", "((0&1)|2)"),
            ("(0&1|2&3)", "(0&(1|2)&3)"),
            ("(0&1|2|3)", "((0&(1|2))|3)"),
            ("0&(1|2)", "(0&(1|2))"),
            ("(0&1)&(2|3)", "(0&1&(2|3))"),
            (" 0 & 1 ", "(0&1)"),
        ];
        for (text, meaning) in cases {
            assert_eq!(shown(text), meaning, "{text}");
        }
    }

    #[test]
    fn comparisons_are_read() {
        let cases = [
            ("0>2", "0>2"),
            ("0=0", "0=0"),
            ("0>1,2", "0>1"),
            ("0,2", "0"),
            ("0=1,&1", "(0=1&1)"),
            ("01", "1"),
            ("(8==9)", "8=9"),
            ("0>=2", "0=2"),
            ("0=>2", "0>2"),
            ("(0|1)>1", "(0|1)>1,0"),
            ("(0|1)>1,2", "(0|1)>1,2"),
            ("((0&2)>1,2|1)>1,2", "((0&2)>1,2|1)>1,2"),
            ("0|(1&2)=0", "(0|(1&2)=0,0)"),
            ("((0|1)>1)&2", "((0|1)>1,0&2)"),
            ("(0&1)<3", "(0&1)<3,0"),
            ("((0)&(1))>1", "(0&1)>1,0"),
        ];
        for (text, meaning) in cases {
            assert_eq!(shown(text), meaning, "{text}");
        }
    }

    #[test]
    fn malformed_expressions_are_refused() {
        for text in [
            "",
            " ",
            "0&",
            "&0",
            "()",
            "(0",
            "0)",
            "0&&1",
            "0>",
            "0=a",
            "(0)=2",
            "((0))=2",
            "((0&1))>1",
            "((0|1)>1)>1",
            "(0|1)>1>2",
            "(0|1",
            "(0|1))",
            "(0|1)(2)",
            "0(1)",
            "(0)1",
            "(0|1),2",
            "=1",
            "0&=1",
            "a",
            "0&a",
            "()&0",
            "0&()",
            "-1",
            "0&-1",
            "64",
            "99",
            "0=99999999999",
            "0!1",
            "0x",
            "(0&0)=2x",
        ] {
            assert!(matches!(parse(text), Err(Refused::Malformed(_))), "{text}");
        }
        let deep = "(".repeat(100) + "0" + &")".repeat(100);
        assert!(parse(&deep).is_err());
    }

    #[test]
    fn the_highest_id_is_told() {
        assert_eq!(parse("3&(7|5)>1").unwrap().1, 7);
    }
}
