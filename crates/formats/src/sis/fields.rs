//! SISX: fields inside fields.
//!
//! The fields are walked with an explicit stack. What a field of a compressed kind holds is a member: the first one is the
//! controller, which names the files, and each later one is the file of the next number.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Name, Part, Reader, Source, read_vec_at};

use super::unpacked;
use crate::stream::SourceRead;
use crate::{Found, Search, Unpack, utf16};

/// Kinds of fields (specification, chapter 3).
const STRING: u32 = 1;
const ARRAY: u32 = 2;
const COMPRESSED: u32 = 3;
const CONTENTS: u32 = 12;
const DATA: u32 = 30;
const DATA_UNIT: u32 = 31;
const FILE_DATA: u32 = 32;

/// Where the first field stands.
const FIRST: u64 = 16;
/// Fields inside fields: contents, data, array, unit, array, file, compressed.
const DEEPEST: usize = 16;
/// Bytes of a controller that are searched for names.
const LONGEST_CONTROLLER: u64 = 4 << 20;

/// Goes through the files.
pub(super) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let whole = Stretch { at: FIRST, end: source.len(), element: None };
    let (source, found, budget) = (Arc::clone(source), Found::new(budget), budget.clone());
    Box::new(Fields {
        source,
        budget,
        found,
        inside: vec![whole],
        names: BTreeMap::new(),
        controller: true,
        next: 0,
        _memory: None,
    })
}

struct Fields {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// The stretches of fields that the one at hand stands in.
    inside: Vec<Stretch>,
    /// Names of files by number.
    names: BTreeMap<u32, Vec<u8>>,
    /// True until the controller was met.
    controller: bool,
    /// The number of the next file.
    next: u32,
    _memory: Option<Charge>,
}

/// Fields one behind the other.
struct Stretch {
    at: u64,
    end: u64,
    /// The kind of the elements of an array, which do not say it.
    element: Option<u32>,
}

/// A field: its kind, and where its value stands.
struct Field {
    kind: u32,
    start: u64,
    length: u64,
}

impl Search for Fields {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let Some(stretch) = self.inside.last_mut() else {
            self.found.end();
            let empty = Anomaly::damaged("there is no controller, which names the files");
            return if self.controller { Err(empty) } else { Ok(()) };
        };
        if stretch.at >= stretch.end {
            self.inside.pop();
            return Ok(());
        }
        let field = stretch.next(self.source.as_ref())?;
        self.enter(&field)
    }
}

impl Stretch {
    fn next(&mut self, source: &dyn Source) -> Result<Field, Anomaly> {
        let bytes = read_vec_at(source, self.at, 12);
        let mut reader = Reader::new(&bytes, "SISX field");
        let field = field(&mut reader, self.element)?;
        let header = u64::try_from(bytes.len().saturating_sub(reader.left())).unwrap_or(0);
        let start = self.at.saturating_add(header);
        let end = start.saturating_add(field.1);
        if end > self.end {
            return Err(Anomaly::damaged("a field reaches past the end of the one around it"));
        }
        self.at = end.checked_next_multiple_of(4).unwrap_or(u64::MAX);
        Ok(Field { kind: field.0, start, length: field.1 })
    }
}

/// Kind and length of a field.
fn field(reader: &mut Reader<'_>, element: Option<u32>) -> Result<(u32, u64), Anomaly> {
    let kind = element.map_or_else(|| reader.u32_le(), Ok)?;
    let low = reader.u32_le()?;
    let high = if low >> 31 == 1 { reader.u32_le()? } else { 0 };
    Ok((kind, u64::from(low & 0x7fff_ffff) | u64::from(high) << 31))
}

impl Fields {
    fn enter(&mut self, field: &Field) -> Result<(), Anomaly> {
        let end = field.start.saturating_add(field.length);
        let element = match field.kind {
            CONTENTS | DATA | DATA_UNIT | FILE_DATA => None,
            ARRAY => {
                let bytes = read_vec_at(self.source.as_ref(), field.start, 4);
                Some(Reader::new(&bytes, "SISX array").u32_le()?)
            }
            COMPRESSED => return self.give(field),
            _ => return Ok(()),
        };
        if self.inside.len() >= DEEPEST {
            return Err(Anomaly::damaged("fields inside fields, too deep to be walked"));
        }
        let at = field.start.saturating_add(if element.is_some() { 4 } else { 0 });
        self.inside.push(Stretch { at, end, element });
        Ok(())
    }

    fn give(&mut self, field: &Field) -> Result<(), Anomaly> {
        let bytes = read_vec_at(self.source.as_ref(), field.start, 12);
        let mut reader = Reader::new(&bytes, "SISX compressed field");
        let (method, plain) = (reader.u32_le()?, reader.u64_le()?);
        let (start, length) = (field.start.saturating_add(12), field.length.saturating_sub(12));
        let name = self.next_name();
        let member: Arc<dyn Source> = match method {
            0 => Arc::new(Part::new(Arc::clone(&self.source), start, length)),
            1 => unpacked(&self.source, start, length, Some(plain), &self.budget),
            _ => {
                self.found.remark(Some(name), Anomaly::unsupported("its method of compression is not known"));
                return Ok(());
            }
        };
        if self.controller {
            self.controller = false;
            self.read_names(&member)?;
        }
        Ok(self.found.member(name, member, Some(length))?)
    }

    fn next_name(&mut self) -> Name {
        if self.controller {
            return Name::new(b"controller");
        }
        let number = self.next;
        self.next = number.saturating_add(1);
        match self.names.get(&number) {
            Some(name) => Name::new(name),
            None => Name::new(format!("file {number}").as_bytes()),
        }
    }

    /// Looks through the controller for descriptions of files, wherever they stand: each begins with its target's name and
    /// ends with its number (specification, 3.2.14).
    fn read_names(&mut self, controller: &Arc<dyn Source>) -> Result<(), Anomaly> {
        let mut bytes = Vec::new();
        self._memory = Some(self.budget.reserve(LONGEST_CONTROLLER * 2)?);
        // A `SourceRead` gives no errors.
        let _ = SourceRead::new(Arc::clone(controller)).take(LONGEST_CONTROLLER).read_to_end(&mut bytes);
        // Elements of arrays do not say their kind, but the first field of a description does: a text.
        let text = STRING.to_le_bytes();
        for place in memchr::memmem::find_iter(&bytes, &text) {
            if let Some((number, name)) = bytes.get(place.saturating_sub(4)..).and_then(description) {
                self.names.entry(number).or_insert(name);
            }
        }
        Ok(())
    }
}

/// Number and name of the file that is described here, if one is: the length of the description, then its fields.
fn description(bytes: &[u8]) -> Option<(u32, Vec<u8>)> {
    let mut reader = Reader::new(bytes, "SISX description");
    let length = reader.u32_le().ok().filter(|length| (40..1 << 16).contains(length))?;
    let mut inside = reader.sub(u64::from(length), "SISX description").ok()?;
    let (kind, name_length) = field(&mut inside, None).ok()?;
    let name =
        inside.take(name_length).ok().filter(|name| kind == STRING && !name.is_empty() && name.len() % 2 == 0)?;
    inside.skip(name_length.next_multiple_of(4) - name_length).ok()?;
    let (kind, _) = field(&mut inside, None).ok()?;
    let number = bytes.get(..usize::try_from(length).ok()? + 4)?.last_chunk::<4>()?;
    let number = u32::from_le_bytes(*number);
    (kind == STRING && number < 1 << 16).then(|| (number, utf16::little(name).into_bytes()))
}
