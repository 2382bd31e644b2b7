//! `ar`, the archive of static libraries and of Debian packages (`ar(5)`,
//! `deb(5)`: <https://manpages.debian.org/deb.5>).
//!
//! Names are those of GNU (`name/`, and `/offset` into the member `//`) or of BSD (`#1/length`). Symbol tables are no
//! members. A thin archive only names other files, which is remarked.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Name, Source};

use crate::Unpack;
use crate::stored::{Entry, Place, Stored, Walk};

/// Bytes of a header.
const HEADER: usize = 60;
/// Most bytes of the table of long names that are kept.
const LONGEST_TABLE: u64 = 4 << 20;

/// Unpacks an `ar` archive.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Stored::open(Ar::default(), source, budget)
}

#[derive(Default)]
struct Ar {
    begun: bool,
    thin: bool,
    /// The member `//`, and the memory it takes.
    names: Option<(Vec<u8>, Charge)>,
    broken: bool,
}

impl Walk for Ar {
    fn next_entry(&mut self, place: &mut Place) -> Entry {
        if self.broken {
            return Entry::End;
        }
        if !self.begun {
            return self.begin(place);
        }
        place.pass(0, 2);
        let start = place.position();
        let (header, got) = place.take::<HEADER>();
        match (got, size(&header)) {
            (0, _) => Entry::End,
            (HEADER, Some(size)) => self.entry(&header, size, place),
            _ => {
                self.broken = true;
                place.input.go_to(start);
                let rest = place.source.len().saturating_sub(start);
                let zeros = got < HEADER && header.iter().all(|byte| matches!(byte, 0 | b'\n'));
                if zeros { Entry::End } else { self.rest(place, start, rest) }
            }
        }
    }
}

impl Ar {
    fn begin(&mut self, place: &mut Place) -> Entry {
        self.begun = true;
        let (magic, _) = place.take::<8>();
        self.thin = magic == *b"!<thin>\n";
        if self.thin {
            return Entry::Remark(None, Anomaly::odd("the members of a thin archive are other files"));
        }
        Entry::Other
    }

    /// No header where one should be: the rest is one member.
    fn rest(&mut self, place: &mut Place, start: u64, length: u64) -> Entry {
        place.input.go_to(start);
        self.broken = true;
        if length == 0 {
            return Entry::End;
        }
        Entry::Remark(None, Anomaly::damaged("a header of the ar archive is broken; what follows was not read"))
    }

    fn entry(&mut self, header: &[u8; HEADER], size: u64, place: &mut Place) -> Entry {
        let field = header.get(..16).unwrap_or(header).trim_ascii_end();
        match field {
            b"//" | b"ARFILENAMES/" => self.keep_names(size, place),
            b"/" | b"/SYM64/" | b"__.SYMDEF" | b"__.SYMDEF SORTED" if !self.thin => place.pass(size, 1),
            b"/" | b"/SYM64/" => place.pass(size, 1),
            _ if self.thin => {}
            _ => return self.file(field, size, place),
        }
        Entry::Other
    }

    fn keep_names(&mut self, size: u64, place: &mut Place) {
        match place.budget.reserve(size.min(LONGEST_TABLE)) {
            Ok(charge) => self.names = Some((place.take_text(size, LONGEST_TABLE), charge)),
            Err(_) => place.pass(size, 1),
        }
    }

    fn file(&self, field: &[u8], size: u64, place: &mut Place) -> Entry {
        let (name, size) = match (field.strip_prefix(b"#1/"), field.strip_prefix(b"/")) {
            (Some(length), _) => {
                let length = decimal(length).unwrap_or(0).min(size);
                let name = place.take_text(length, 4096);
                (name.split(|byte| *byte == 0).next().unwrap_or(&name).to_vec(), size - length)
            }
            (_, Some(offset)) => (self.long_name(offset).unwrap_or(field).to_vec(), size),
            _ => (field.strip_suffix(b"/").unwrap_or(field).to_vec(), size),
        };
        let start = place.position();
        place.pass(size, 1);
        Entry::File(Name::new(&name), start, size)
    }

    /// A name from the table; a slash and a line feed end it.
    fn long_name(&self, offset: &[u8]) -> Option<&[u8]> {
        let (names, _) = self.names.as_ref()?;
        let rest = names.get(usize::try_from(decimal(offset)?).ok()?..)?;
        let line = rest.split(|byte| matches!(byte, b'\n' | 0)).next()?;
        Some(line.strip_suffix(b"/").unwrap_or(line)).filter(|name| !name.is_empty())
    }
}

/// The size of an entry, if its header ends as headers do.
fn size(header: &[u8; HEADER]) -> Option<u64> {
    let field = header.get(48..58)?;
    decimal(field).filter(|_| header.ends_with(b"`\n"))
}

/// Decimal digits with spaces behind.
fn decimal(field: &[u8]) -> Option<u64> {
    let digits = field.trim_ascii_end();
    let add = |sum: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    digits.iter().try_fold(0, add).filter(|_| !digits.is_empty())
}
