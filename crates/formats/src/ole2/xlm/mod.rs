//! Macros of Excel 4: the formulas of macro sheets as text (MS-XLS 2.1.7.20, 2.4; the tokens of formulas: [`tokens`]).
//!
//! A workbook's stream is a row of records: kind, length, data. The first part, up to its end record, names the sheets and
//! other things; each sheet is a part that begins with a record of its own. The text has a line for each sheet, each name and each
//! formula of a macro sheet:
//!
//! ```text
//! sheet Macro1: macros, hidden
//! name Auto_Open: =Macro1!$A$1
//! Macro1!A1: =EXEC("calc.exe")
//! Macro1!A1 was: "a text that the formula gave before"
//! ```
//!
//! Formulas are read whether the workbook is of Excel 5 (BIFF5) or later (BIFF8). Tokens that are not known end a formula, which is
//! told at the end of the text. Not done: values of cells without formulas; binary workbooks (xlsb).

mod functions;
mod tokens;

use std::fmt::Write;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Budget, LimitReached, Reader, Short, Source};

use self::functions::{Functions, functions};
use crate::stream::{Fenced, Replay, SourceRead};

/// MS-XLS 2.3.2: records.
const BOF: u16 = 0x0809;
const END: u16 = 0x000A;
const BOUND_SHEET: u16 = 0x0085;
const EXTERN_SHEET: u16 = 0x0017;
const NAME: u16 = 0x0018;
const FORMULA: u16 = 0x0006;
const ARRAY: u16 = 0x0221;
const SHARED: u16 = 0x04BC;
const STRING: u16 = 0x0207;
/// MS-XLS 2.4.21: a macro sheet.
const MACRO_SHEET: u16 = 0x0040;
const BIFF8: u16 = 0x0600;
/// Memory for sheets and names, and how many bytes of them are kept.
const MEMORY: u64 = 4 << 20;
const KEPT: usize = 1 << 20;

/// The formulas of a workbook, as text.
pub(super) fn text(stream: &Arc<dyn Source>, budget: &Budget) -> Replay {
    let (stream, again) = (Arc::clone(stream), budget.clone());
    Replay::new(budget, move || {
        let make = || {
            let globals =
                Globals::read(SourceRead::new(Arc::clone(&stream)), &again).map_err(|_| ErrorKind::TimedOut)?;
            Ok(Text::new(SourceRead::new(Arc::clone(&stream)), globals, &again))
        };
        Ok(Box::new(Fenced::new(&again, MEMORY, make)?))
    })
}

/// A sheet as the first part tells of it (MS-XLS 2.4.28).
struct Sheet {
    /// Where its part begins.
    at: u64,
    name: String,
    state: u8,
    kind: u8,
}

/// What the first part says.
struct Globals {
    wide: bool,
    sheets: Vec<Sheet>,
    names: Vec<String>,
    /// For each external reference, the sheet that it begins with.
    externs: Vec<u16>,
    functions: &'static Functions,
    /// Bytes of names that were kept.
    kept: usize,
}

/// A record: its kind, where it begins, and its data.
struct Record {
    kind: u16,
    at: u64,
    data: Vec<u8>,
}

fn next_record(input: &mut SourceRead) -> Option<Record> {
    let at = input.position();
    let mut header = [0; 4];
    input.read_exact(&mut header).ok()?;
    let [a, b, c, d] = header;
    let mut data = vec![0; usize::from(u16::from_le_bytes([c, d]))];
    let got = input.read_fully(&mut data);
    data.truncate(got);
    Some(Record { kind: u16::from_le_bytes([a, b]), at, data })
}

impl Globals {
    fn read(mut input: SourceRead, budget: &Budget) -> Result<Globals, LimitReached> {
        let mut globals = Globals {
            wide: false,
            sheets: Vec::new(),
            names: Vec::new(),
            externs: Vec::new(),
            functions: functions(),
            kept: 0,
        };
        while let Some(record) = next_record(&mut input) {
            budget.check_time()?;
            let mut reader = Reader::new(&record.data, "record of a workbook");
            // A record that is cut off tells nothing.
            let _ = match record.kind {
                BOF => globals.begin(reader),
                BOUND_SHEET => globals.sheet(reader),
                NAME => globals.name(&mut reader),
                EXTERN_SHEET if globals.wide => globals.externs(reader),
                END => break,
                _ => Ok(()),
            };
        }
        Ok(globals)
    }

    fn begin(&mut self, mut reader: Reader<'_>) -> Result<(), Short> {
        self.wide = reader.u16_le()? >= BIFF8;
        Ok(())
    }

    fn sheet(&mut self, mut reader: Reader<'_>) -> Result<(), Short> {
        let at = u64::from(reader.u32_le()?);
        let (state, kind, count) = (reader.u8()?, reader.u8()?, usize::from(reader.u8()?));
        let name = characters(&mut reader, count, self.wide)?;
        if self.keep(name.len()) {
            self.sheets.push(Sheet { at, name, state: state & 3, kind });
        }
        Ok(())
    }

    /// MS-XLS 2.4.150.
    fn name(&mut self, reader: &mut Reader<'_>) -> Result<(), Short> {
        let (name, _) = name_record(reader, self.wide)?;
        if self.keep(name.len()) {
            self.names.push(name);
        }
        Ok(())
    }

    /// MS-XLS 2.4.105: pairs of sheets, behind the number of the workbook.
    fn externs(&mut self, mut reader: Reader<'_>) -> Result<(), Short> {
        for _ in 0..reader.u16_le()? {
            reader.skip(2)?;
            let first = reader.u16_le()?;
            reader.skip(2)?;
            if self.keep(2) {
                self.externs.push(first);
            }
        }
        Ok(())
    }

    fn keep(&mut self, bytes: usize) -> bool {
        self.kept = self.kept.saturating_add(bytes).saturating_add(64);
        self.kept < KEPT
    }

    /// The name of the sheet that a number of an external reference stands for.
    fn extern_sheet(&self, number: u16) -> Option<&str> {
        let sheet = if self.wide { *self.externs.get(usize::from(number))? } else { number };
        self.sheets.get(usize::from(sheet)).map(|sheet| sheet.name.as_str())
    }
}

/// The name and the length of the formula behind it (MS-XLS 2.4.150).
fn name_record(reader: &mut Reader<'_>, wide: bool) -> Result<(String, u16), Short> {
    let flags = reader.u16_le()?;
    reader.skip(1)?;
    let (count, formula) = (usize::from(reader.u8()?), reader.u16_le()?);
    reader.skip(8)?;
    let name = characters(reader, count, wide)?;
    let built_in = name
        .chars()
        .next()
        .filter(|_| flags & 0x20 != 0)
        .and_then(|number| BUILT_IN.get(usize::try_from(u32::from(number)).ok()?));
    Ok((built_in.map_or(name, |name| (*name).to_string()), formula))
}

/// Names that have numbers (MS-XLS 2.5.114).
const BUILT_IN: [&str; 14] = [
    "Consolidate_Area",
    "Auto_Open",
    "Auto_Close",
    "Extract",
    "Database",
    "Criteria",
    "Print_Area",
    "Print_Titles",
    "Recorder",
    "Data_Form",
    "Auto_Activate",
    "Auto_Deactivate",
    "Sheet_Title",
    "_FilterDatabase",
];

/// Characters (MS-XLS 2.5.293): since BIFF8 a flag says if they have one byte or two.
fn characters(reader: &mut Reader<'_>, count: usize, wide: bool) -> Result<String, Short> {
    let two = wide && reader.u8()? & 1 != 0;
    let bytes = reader.take(u64::try_from(count).unwrap_or(0).saturating_mul(if two { 2 } else { 1 }))?;
    Ok(if two { crate::utf16::little(bytes) } else { bytes.iter().map(|byte| char::from(*byte)).collect() })
}

/// The text, made record by record.
struct Text {
    input: SourceRead,
    budget: Budget,
    globals: Globals,
    /// The macro sheet at hand.
    sheet: Option<String>,
    /// The cell of the last formula.
    cell: String,
    ready: io::Cursor<Vec<u8>>,
    /// A token was not known.
    unknown: bool,
    ended: bool,
}

impl Text {
    fn new(input: SourceRead, globals: Globals, budget: &Budget) -> Text {
        let mut text = String::new();
        for sheet in &globals.sheets {
            let kind =
                ["worksheet", "macros", "chart", "sheet", "sheet", "sheet", "modules"].get(usize::from(sheet.kind));
            let state = ["", ", hidden", ", very hidden", ""].get(usize::from(sheet.state));
            let (kind, state) = (kind.unwrap_or(&"sheet"), state.unwrap_or(&""));
            // A `String` takes everything.
            let _ = writeln!(text, "sheet {}: {kind}{state}", sheet.name);
        }
        let ready = io::Cursor::new(text.into_bytes());
        let (sheet, cell, budget) = (None, String::new(), budget.clone());
        Text { input, budget, globals, sheet, cell, ready, unknown: false, ended: false }
    }

    /// The line that a record makes; empty for most.
    fn line(&mut self, record: &Record) -> Result<String, Short> {
        let mut reader = Reader::new(&record.data, "record of a workbook");
        match record.kind {
            BOF => {
                reader.skip(2)?;
                let macros = reader.u16_le()? == MACRO_SHEET;
                let name = self.globals.sheets.iter().find(|sheet| sheet.at == record.at);
                let name = name.map_or("macros", |sheet| sheet.name.as_str());
                self.sheet = macros.then(|| name.to_string());
                Ok(String::new())
            }
            NAME => {
                let (name, length) = name_record(&mut reader, self.globals.wide)?;
                let formula = self.formula(reader.rest(), length);
                Ok(format!("name {name}: {formula}\n"))
            }
            _ => match self.sheet.clone() {
                Some(sheet) => self.in_sheet(record.kind, &sheet, reader),
                None => Ok(String::new()),
            },
        }
    }

    /// A record of a macro sheet.
    fn in_sheet(&mut self, kind: u16, sheet: &str, mut reader: Reader<'_>) -> Result<String, Short> {
        match kind {
            FORMULA => {
                let (row, column) = (reader.u16_le()?, reader.u16_le()?);
                reader.skip(16)?;
                let length = reader.u16_le()?;
                self.cell = tokens::cell(row, column);
                let formula = self.formula(reader.rest(), length);
                Ok(format!("{sheet}!{}: {formula}\n", self.cell))
            }
            SHARED | ARRAY => {
                reader.skip(if kind == SHARED { 8 } else { 12 })?;
                let length = reader.u16_le()?;
                let formula = self.formula(reader.rest(), length);
                Ok(format!("{sheet}!{} and others: {formula}\n", self.cell))
            }
            STRING => {
                let count = usize::from(reader.u16_le()?);
                let value = characters(&mut reader, count, self.globals.wide)?;
                Ok(format!("{sheet}!{} was: \"{value}\"\n", self.cell))
            }
            _ => Ok(String::new()),
        }
    }

    fn formula(&mut self, bytes: &[u8], length: u16) -> String {
        let bytes = bytes.get(..usize::from(length)).unwrap_or(bytes);
        let (text, whole) = tokens::text(bytes, &self.globals);
        self.unknown |= !whole;
        format!("={text}")
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let got = self.ready.read(buffer)?;
            if got > 0 || buffer.is_empty() || self.ended {
                return Ok(got);
            }
            self.budget.check_time().map_err(|_| io::Error::from(ErrorKind::TimedOut))?;
            let Some(record) = next_record(&mut self.input) else {
                self.ended = true;
                let problem = || io::Error::new(ErrorKind::Unsupported, "formulas of Excel 4 with unknown tokens");
                return if self.unknown { Err(problem()) } else { Ok(0) };
            };
            let line = self.line(&record).unwrap_or_default();
            self.ready = io::Cursor::new(line.into_bytes());
        }
    }
}
