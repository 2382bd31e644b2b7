//! Compiled AutoIt scripts and the files they install (AutoIt 3.2 to 3.3; the form is known from the reference
//! implementation <https://github.com/nazywam/AutoIt-Ripper>, MIT licence).
//!
//! ```text
//! magic 16 | "AU3!EA05" or "AU3!EA06" | key 16 | file ... | "AU3!EA05" or "AU3!EA06"
//! file: "FILE" | kind | name | packed? 1 | packed size 4 | size 4 | Adler-32 4 | times 16 | data
//! ```
//!
//! All but the magic is encrypted with numbers that the program knows ([`cipher`]); data are packed as well ([`packed`]). The
//! script of EA06 consists of tokens, which become text again ([`tokens`]); that of EA05 is text. Checksums are not
//! compared. What stands behind the last file belongs to the program around the script, and is scanned with it.
//!
//! Not done: the older forms without a version behind the magic, as AutoHotkey had them too; they are told.

mod cipher;
mod packed;
mod tokens;

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Name, Reader, Source, read_vec_at};

use self::cipher::{Form, Plain};
use self::packed::Unpacked;
use self::tokens::Script;
use crate::codec::Decoder;
use crate::stream::{Fenced, Replay, SourceRead};
use crate::{Found, Search, Unpack, utf16};

/// Where the first file stands.
const FIRST: u64 = 40;
/// Letters of the longest text in a header.
const LONGEST_TEXT: u32 = 4096;
/// Bytes of a header behind its texts: a flag, three numbers, two times.
const NUMBERS: usize = 29;
/// The window and buffers of a decoder.
const MEMORY: u64 = 128 * 1024;
/// A remark of the compiler instead of a file.
const NO_FILE: &str = ">>>AUTOIT NO CMDEXECUTE<<<";
/// A script in tokens.
const TOKENS: &str = ">>>AUTOIT SCRIPT<<<";

/// Goes through the files; `source` begins with the magic.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let head = read_vec_at(source.as_ref(), 16, 24);
    let key = head.get(8..).unwrap_or(&[]).iter().map(|byte| u32::from(*byte)).sum();
    let form = match head.get(..8) {
        Some(b"AU3!EA05") => Some(Form::ea05(key)),
        Some(b"AU3!EA06") => Some(Form::ea06()),
        _ => None,
    };
    let (source, found) = (Arc::clone(source), Found::new(budget));
    Box::new(Files { source, budget: budget.clone(), found, form, at: FIRST, scripts: 0 })
}

struct Files {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// Absent if it is not known.
    form: Option<Form>,
    /// Where the next file stands.
    at: u64,
    scripts: u32,
}

/// The header of a file.
struct Header {
    kind: String,
    name: String,
    packed: bool,
    size: u32,
    plain: u32,
    /// Where the data begin.
    data: u64,
}

impl Search for Files {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let Some(form) = self.form else {
            return Err(Anomaly::unsupported("this form of compiled script cannot be opened yet"));
        };
        let sign = read_vec_at(self.source.as_ref(), self.at, 4);
        if sign == b"AU3!" {
            self.found.end();
            return Ok(());
        }
        if form.decrypt(sign, form.sign) != b"FILE" {
            return Err(Anomaly::damaged("no file begins where one should"));
        }
        let header = self.read_header(form)?;
        self.at = header.data.saturating_add(u64::from(header.size));
        if header.kind == NO_FILE || header.size == 0 {
            return Ok(());
        }
        let name = self.name(&header);
        let member = self.member(&header, form);
        Ok(self.found.member(name, member, Some(u64::from(header.size)))?)
    }
}

impl Files {
    fn read_header(&self, form: Form) -> Result<Header, Anomaly> {
        let mut at = self.at.saturating_add(4);
        let kind = self.text(&mut at, form, form.kind)?;
        let name = self.text(&mut at, form, form.name)?;
        let bytes = read_vec_at(self.source.as_ref(), at, NUMBERS);
        let mut reader = Reader::new(&bytes, "header of a file");
        let packed = reader.u8()? == 1;
        let (size, plain) = (reader.u32_le()? ^ form.size, reader.u32_le()? ^ form.size);
        reader.skip(20)?;
        let data = at.saturating_add(u64::try_from(NUMBERS).unwrap_or(0));
        Ok(Header { kind, name, packed, size, plain, data })
    }

    /// A text, and moves behind it. `keys` are those of its length and of itself.
    fn text(&self, at: &mut u64, form: Form, keys: (u32, u32)) -> Result<String, Anomaly> {
        let bytes = read_vec_at(self.source.as_ref(), *at, 4);
        let length = Reader::new(&bytes, "header of a file").u32_le()? ^ keys.0;
        if length > LONGEST_TEXT {
            return Err(Anomaly::damaged("the name of a file is longer than any"));
        }
        let count = usize::try_from(length).unwrap_or(0) * if form.unicode { 2 } else { 1 };
        let bytes = read_vec_at(self.source.as_ref(), at.saturating_add(4), count);
        *at = at.saturating_add(4).saturating_add(u64::try_from(count).unwrap_or(0));
        let plain = form.decrypt(bytes, length.wrapping_add(keys.1));
        Ok(if form.unicode { utf16::little(&plain) } else { String::from_utf8_lossy(&plain).into_owned() })
    }

    /// Scripts are called so: the name in their header is that of a temporary file of the compiler.
    fn name(&mut self, header: &Header) -> Name {
        if !is_script(&header.kind) {
            // What a script installs tells its target as its kind.
            let name = if header.kind.is_empty() { &header.name } else { &header.kind };
            return Name::new(name.as_bytes());
        }
        self.scripts = self.scripts.saturating_add(1);
        match self.scripts {
            1 => Name::new(b"script.au3"),
            number => Name::new(format!("script {number}.au3").as_bytes()),
        }
    }

    fn member(&self, header: &Header, form: Form) -> Arc<dyn Source> {
        let (source, budget) = (Arc::clone(&self.source), self.budget.clone());
        let (start, size, packed) = (header.data, u64::from(header.size), header.packed);
        let tokens = header.kind == TOKENS;
        let opener = move || -> io::Result<Decoder> {
            let input = SourceRead::range(Arc::clone(&source), start, size);
            let plain = Whole { input: Plain::new(input, form.stream(form.content)), left: size };
            let unpacked: Decoder =
                if packed { Box::new(Fenced::new(&budget, MEMORY, || Unpacked::new(plain))?) } else { Box::new(plain) };
            if tokens { Ok(Box::new(Script::new(unpacked)?)) } else { Ok(unpacked) }
        };
        let length = (!tokens).then_some(u64::from(header.plain));
        Arc::new(Replay::new(&self.budget, opener).expecting(length, None))
    }
}

fn is_script(kind: &str) -> bool {
    kind.starts_with('>') && kind.ends_with('<')
}

/// Bytes of which there must be so many.
struct Whole<R> {
    input: R,
    left: u64,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.left = self.left.saturating_sub(u64::try_from(got).unwrap_or(0));
        if got == 0 && !buffer.is_empty() && self.left > 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(got)
    }
}

#[cfg(test)]
mod tests;
