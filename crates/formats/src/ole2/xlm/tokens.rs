//! The tokens of a formula (MS-XLS 2.5.198, Ptg), which stand in the order in which a machine with a stack needs them, as the text
//! that a person would write.

use dachs_base::{Reader, Short};

use super::{Globals, characters};

/// Bytes of a formula that are read; Excel allows 1,800.
const LONGEST: usize = 4096;
/// No text of a formula becomes longer.
const LONGEST_TEXT: usize = 16 * 1024;
/// Signs between two operands, from token 3 on.
const BINARY: [&str; 15] = ["+", "-", "*", "/", "^", "&", "<", "<=", "=", ">=", ">", "<>", " ", ",", ":"];

/// A formula as text, and whether all of it was read.
pub(super) fn text(bytes: &[u8], globals: &Globals) -> (String, bool) {
    let short = bytes.len() <= LONGEST;
    let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
    let mut formula = Formula { reader: Reader::new(bytes, "formula"), globals, stack: Vec::new() };
    let mut whole = short;
    while !formula.reader.is_empty() {
        if formula.token().is_err() {
            whole = false;
            break;
        }
    }
    // A formula that is broken leaves more than one piece; all are shown.
    let text = formula.stack.join(" ");
    (if whole { text } else { format!("{text} ...") }, whole)
}

/// The name of a cell: `A1`.
pub(super) fn cell(row: u16, column: u16) -> String {
    let mut letters = Vec::new();
    let mut left = u32::from(column) + 1;
    while left > 0 {
        letters.push(char::from(b'A' + u8::try_from((left - 1) % 26).unwrap_or(0)));
        left = (left - 1) / 26;
    }
    format!("{}{}", letters.into_iter().rev().collect::<String>(), u32::from(row) + 1)
}

struct Formula<'a> {
    reader: Reader<'a>,
    globals: &'a Globals,
    stack: Vec<String>,
}

impl Formula<'_> {
    fn push(&mut self, text: String) {
        self.stack.push(if text.len() > LONGEST_TEXT { "(too long)".into() } else { text });
    }

    fn pop(&mut self) -> String {
        self.stack.pop().unwrap_or_default()
    }

    /// Takes the last texts from the stack, in their order.
    fn arguments(&mut self, count: usize) -> String {
        let from = self.stack.len().saturating_sub(count);
        self.stack.split_off(from).join(",")
    }

    /// Reads a token. An error is one that is not known, or cut off.
    fn token(&mut self) -> Result<(), Short> {
        let token = self.reader.u8()?;
        // From 0x20 on, two bits say which class of value is wanted.
        let token = if token < 0x20 { token } else { token & 0x1F | 0x20 };
        match token {
            0x03..=0x11 => {
                let (right, left) = (self.pop(), self.pop());
                let sign = BINARY.get(usize::from(token) - 3).unwrap_or(&"?");
                self.push(format!("{left}{sign}{right}"));
            }
            0x12 | 0x13 => {
                let value = self.pop();
                self.push(format!("{}{value}", if token == 0x12 { '+' } else { '-' }));
            }
            0x14 => {
                let value = self.pop();
                self.push(format!("{value}%"));
            }
            0x15 => {
                let value = self.pop();
                self.push(format!("({value})"));
            }
            0x21 => {
                let number = self.reader.u16_le()?;
                self.call(number, None);
            }
            0x22 => {
                let (count, number) = (self.reader.u8()?, self.reader.u16_le()?);
                self.call(number, Some(usize::from(count & 0x7F)));
            }
            0x19 => self.attribute()?,
            0x26..=0x29 => self.reader.skip(if token == 0x29 { 2 } else { 6 })?,
            _ => {
                let value = self.operand(token)?;
                self.push(value);
            }
        }
        Ok(())
    }

    /// A function or command, with so many arguments, or as many as it always has.
    fn call(&mut self, number: u16, count: Option<usize>) {
        let known = self.globals.functions.get(&number);
        let count = count.or_else(|| known.and_then(|(_, count)| *count)).unwrap_or(0);
        // 255 is a function whose name is the first argument.
        let own = number == 255 && count > 0;
        let arguments = self.arguments(if own { count - 1 } else { count });
        let name = match known {
            _ if own => self.pop(),
            Some((name, _)) => (*name).to_string(),
            None if number & 0x8000 != 0 => format!("COMMAND.{}", number & 0x7FFF),
            None => format!("FUNCTION.{number}"),
        };
        self.push(format!("{name}({arguments})"));
    }

    /// 2.5.198.33 to 2.5.198.39: how a formula is written and evaluated; a sum of one argument.
    fn attribute(&mut self) -> Result<(), Short> {
        let kind = self.reader.u8()?;
        let data = self.reader.u16_le()?;
        match kind {
            0x04 => self.reader.skip((u64::from(data) + 1) * 2)?,
            0x10 => {
                let argument = self.pop();
                self.push(format!("SUM({argument})"));
            }
            _ => {}
        }
        Ok(())
    }

    /// A value or a reference.
    fn operand(&mut self, token: u8) -> Result<String, Short> {
        let wide = self.globals.wide;
        Ok(match token {
            0x01 | 0x02 => {
                let (row, column) = (self.reader.u16_le()?, self.reader.u16_le()?);
                format!("{{see {}}}", cell(row, column))
            }
            0x16 => String::new(),
            0x17 => {
                let count = usize::from(self.reader.u8()?);
                format!("\"{}\"", characters(&mut self.reader, count, wide)?)
            }
            0x1C => error(self.reader.u8()?).to_string(),
            0x1D => if self.reader.u8()? == 0 { "FALSE" } else { "TRUE" }.to_string(),
            0x1E => self.reader.u16_le()?.to_string(),
            0x1F => f64::from_le_bytes(self.reader.array()?).to_string(),
            0x20 => {
                self.reader.skip(7)?;
                "{array}".to_string()
            }
            0x23 => {
                let number = self.reader.u16_le()?;
                self.reader.skip(if wide { 2 } else { 12 })?;
                let name = usize::from(number).checked_sub(1).and_then(|index| self.globals.names.get(index));
                name.cloned().unwrap_or_else(|| format!("name{number}"))
            }
            0x24 | 0x2C => self.reference()?,
            0x25 | 0x2D => self.area()?,
            0x2A => self.lost(if wide { 4 } else { 3 })?,
            0x2B => self.lost(if wide { 8 } else { 6 })?,
            0x39 if wide => {
                let (sheet, number) = (self.reader.u16_le()?, self.reader.u16_le()?);
                self.reader.skip(2)?;
                format!("extern{sheet}!name{number}")
            }
            0x39 => self.lost(24).map(|_| "extern!name".to_string())?,
            0x3A..=0x3D => self.elsewhere(token)?,
            _ => return Err(Short { what: "formula" }),
        })
    }

    /// A reference to a cell that is gone.
    fn lost(&mut self, bytes: u64) -> Result<String, Short> {
        self.reader.skip(bytes)?;
        Ok("#REF!".to_string())
    }

    /// 2.5.198.111: a reference into another sheet, by its number.
    fn elsewhere(&mut self, token: u8) -> Result<String, Short> {
        let number = if self.globals.wide {
            self.reader.u16_le()?
        } else {
            // BIFF5: a number that is negative for the same workbook, eight bytes, the first and the last sheet.
            self.reader.skip(10)?;
            let first = self.reader.u16_le()?;
            self.reader.skip(2)?;
            first
        };
        let inner = match token {
            0x3A => self.reference()?,
            0x3B => self.area()?,
            0x3C => self.lost(if self.globals.wide { 4 } else { 3 })?,
            _ => self.lost(if self.globals.wide { 8 } else { 6 })?,
        };
        let sheet = self.globals.extern_sheet(number).map_or_else(|| format!("sheet{number}"), str::to_string);
        Ok(format!("{sheet}!{inner}"))
    }

    fn reference(&mut self) -> Result<String, Short> {
        let row = self.reader.u16_le()?;
        Ok(match self.globals.wide {
            true => {
                let column = self.reader.u16_le()?;
                place(row, column & 0xFF, column)
            }
            false => place(row & 0x3FFF, u16::from(self.reader.u8()?), row),
        })
    }

    fn area(&mut self) -> Result<String, Short> {
        let (first, last) = (self.reader.u16_le()?, self.reader.u16_le()?);
        Ok(match self.globals.wide {
            true => {
                let (left, right) = (self.reader.u16_le()?, self.reader.u16_le()?);
                format!("{}:{}", place(first, left & 0xFF, left), place(last, right & 0xFF, right))
            }
            false => {
                let (left, right) = (u16::from(self.reader.u8()?), u16::from(self.reader.u8()?));
                format!("{}:{}", place(first & 0x3FFF, left, first), place(last & 0x3FFF, right, last))
            }
        })
    }
}

/// A reference; the highest bits say that row and column move with the formula.
fn place(row: u16, column: u16, flags: u16) -> String {
    let cell = cell(row, column);
    let split = cell.find(|letter: char| letter.is_ascii_digit()).unwrap_or(cell.len());
    let (letters, digits) = cell.split_at(split);
    let fixed = |bit: u16| if flags & bit == 0 { "$" } else { "" };
    format!("{}{letters}{}{digits}", fixed(0x4000), fixed(0x8000))
}

/// 2.5.10.
fn error(code: u8) -> &'static str {
    match code {
        0x00 => "#NULL!",
        0x07 => "#DIV/0!",
        0x0F => "#VALUE!",
        0x17 => "#REF!",
        0x1D => "#NAME?",
        0x24 => "#NUM!",
        _ => "#N/A",
    }
}
