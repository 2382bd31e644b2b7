//! Looks for local headers where no entry of a directory has its bytes (APPNOTE 4.3.7).
//!
//! So entries are found that the directory hides, and all that is left of an archive without one. The walk reads every
//! uncovered byte once. A header counts if it is plausible: `PK\3\4` occurs by chance, for one in every program that
//! reads ZIP archives.
//!
//! A header may leave the sizes to a data descriptor behind the data (4.3.9). Then the walk goes on, and the first place
//! where a descriptor states just the number of bytes that were passed is the end:
//!
//! ```text
//! PK34 flags=8, sizes 0 | data ............................ | [PK78] crc packed length | PK34 or PK12 or the end
//!                       ^-------------- packed -----------^
//! ```

use std::io::BufRead;
use std::sync::Arc;

use dachs_base::{Budget, LimitReached, Name, Source, read_vec_at};

use super::coverage::Coverage;
use super::method;
use super::record::{CENTRAL, DESCRIPTOR, Descriptor, LOCAL, LOCAL_LENGTH, Local};
use crate::stream::SourceRead;

/// The highest version that is plausible in a header: 6.3, and some room (APPNOTE 4.4.3).
const HIGHEST_VERSION: u16 = 100;
/// The longest data descriptor.
const LONGEST_DESCRIPTOR: u64 = 24;
/// Bytes after which the clock is looked at again.
const LOOK_UP: u64 = 256 * 1024;

/// A local header that no directory speaks of.
#[derive(Debug)]
pub(super) struct Stray {
    /// Where it stands.
    pub(super) position: u64,
    /// With sizes and checksum of the data descriptor, if that was found.
    pub(super) header: Local,
    pub(super) name: Name,
    /// False if nobody says where the data ends; then `packed` reaches as far as the data may.
    pub(super) end_known: bool,
}

impl Stray {
    /// Where its data begins.
    pub(super) fn data(&self) -> u64 {
        self.position.saturating_add(self.header.full_length())
    }

    /// Where its data ends.
    pub(super) fn end(&self) -> u64 {
        self.data().saturating_add(self.header.fields.packed)
    }

    fn waits_for_descriptor(&self) -> bool {
        self.header.fields.has_descriptor() && self.header.fields.packed == 0
    }

    fn ended_by(mut self, packed: u64, descriptor: Option<Descriptor>) -> Stray {
        self.end_known = descriptor.is_some();
        self.header.fields.packed = packed;
        if let Some(descriptor) = descriptor {
            self.header.fields.crc = descriptor.crc;
            self.header.fields.length = descriptor.length;
        }
        self
    }
}

/// The walk.
pub(super) struct Gaps {
    source: Arc<dyn Source>,
    budget: Budget,
    input: SourceRead,
    length: u64,
    /// The end of the gap at hand.
    gap_end: u64,
    /// Where the clock is looked at next.
    next_look: u64,
    /// A header whose data descriptor was not met yet.
    waiting: Option<Stray>,
}

impl Gaps {
    /// Begins at the start of the file.
    pub(super) fn new(source: &Arc<dyn Source>, budget: &Budget) -> Gaps {
        Gaps {
            source: Arc::clone(source),
            budget: budget.clone(),
            input: SourceRead::new(Arc::clone(source)),
            length: source.len(),
            gap_end: 0,
            next_look: 0,
            waiting: None,
        }
    }

    /// The next header in a gap.
    ///
    /// # Errors
    /// When the time is over.
    pub(super) fn next_stray(&mut self, coverage: &Coverage) -> Result<Option<Stray>, LimitReached> {
        loop {
            let Some((position, signature)) = self.next_signature()? else {
                if let Some(stray) = self.waiting.take() {
                    return Ok(Some(self.end_of_waiting(stray, self.gap_end)));
                }
                match coverage.gap(self.input.position(), self.length) {
                    Some((start, end)) => self.enter(start, end),
                    None => return Ok(None),
                }
                continue;
            };
            if let Some(stray) = self.consider(position, signature) {
                return Ok(Some(stray));
            }
        }
    }

    fn enter(&mut self, start: u64, end: u64) {
        self.input.go_to(start);
        self.gap_end = end;
        self.next_look = start;
    }

    /// What a signature means for the header that waits and for the next one.
    fn consider(&mut self, position: u64, signature: [u8; 4]) -> Option<Stray> {
        let done = self.waiting.take_if(|stray| is_end(self.source.as_ref(), stray, position));
        if let Some(stray) = done {
            self.input.go_to(position);
            return Some(self.end_of_waiting(stray, position));
        }
        self.input.go_to(position.saturating_add(4));
        let next = Some(signature).filter(|signature| *signature == LOCAL).and_then(|_| self.read_stray(position))?;
        if let Some(stray) = self.waiting.take() {
            self.input.go_to(position);
            return Some(self.end_of_waiting(stray, position));
        }
        if next.waits_for_descriptor() {
            self.input.go_to(next.data());
            self.waiting = Some(next);
            return None;
        }
        self.input.go_to(if next.header.fields.method == method::STORED { next.end() } else { next.data() });
        Some(next)
    }

    /// The header that waits ends at `position`, or just before it, or nobody knows where.
    fn end_of_waiting(&self, stray: Stray, position: u64) -> Stray {
        if let Some((packed, descriptor)) = descriptor_around(self.source.as_ref(), &stray, position) {
            return stray.ended_by(packed, Some(descriptor));
        }
        let stored = stray.header.fields.method == method::STORED;
        let end = if stored { position } else { self.gap_end };
        let packed = end.saturating_sub(stray.data());
        stray.ended_by(packed, None)
    }

    /// The header at `position`, if it is plausible.
    fn read_stray(&self, position: u64) -> Option<Stray> {
        let bytes = read_vec_at(self.source.as_ref(), position, LOCAL_LENGTH + Name::LONGEST);
        let mut header = Local::read(&bytes)?;
        let fields = header.fields;
        let fits = position.saturating_add(header.full_length()) <= self.length;
        let plausible = fits && fields.version & 0xFF <= HIGHEST_VERSION && method::is_known(fields.method);
        if !plausible || fields.name_length == 0 {
            return None;
        }
        let name = bytes.get(LOCAL_LENGTH..).unwrap_or_default();
        let name = Name::new(name.get(..usize::from(fields.name_length)).unwrap_or(name));
        widen_local(self.source.as_ref(), position, &mut header);
        Some(Stray { position, header, name, end_known: true })
    }

    /// The next signature in the gap at hand that may matter, and where it stands.
    fn next_signature(&mut self) -> Result<Option<(u64, [u8; 4])>, LimitReached> {
        while self.input.position() < self.gap_end {
            self.look_up()?;
            let waiting = self.input.fill_buf().unwrap_or_default();
            if waiting.is_empty() {
                break;
            }
            let skip = waiting.iter().position(|byte| *byte == b'P').unwrap_or(waiting.len());
            self.input.consume(skip);
            let position = self.input.position();
            let (signature, _) = self.input.peek::<4>();
            if matches!(signature, LOCAL | CENTRAL | DESCRIPTOR) && position < self.gap_end {
                return Ok(Some((position, signature)));
            }
            if signature.starts_with(b"P") {
                self.input.go_to(position.saturating_add(1));
            }
        }
        self.input.go_to(self.gap_end.max(self.input.position()));
        Ok(None)
    }

    /// Looks at the clock now and then, and goes over a hole, if one is here.
    fn look_up(&mut self) -> Result<(), LimitReached> {
        let position = self.input.position();
        if position >= self.next_look {
            self.budget.check_time()?;
            let data = self.source.next_data(position);
            self.input.go_to(data.max(position));
            self.next_look = data.max(position).saturating_add(LOOK_UP);
        }
        Ok(())
    }
}

/// Puts what the extra fields say into a local header at `position`, if that is needed.
pub(super) fn widen_local(source: &dyn Source, position: u64, header: &mut Local) {
    if header.fields.needs_extra() {
        let start = position.saturating_add(30 + u64::from(header.fields.name_length));
        header.widen(&read_vec_at(source, start, usize::from(header.fields.extra_length)));
    }
}

fn is_end(source: &dyn Source, stray: &Stray, position: u64) -> bool {
    descriptor_around(source, stray, position).is_some()
}

/// The descriptor of `stray` that begins at `position`, or that ends there, and the length of the data before it.
fn descriptor_around(source: &dyn Source, stray: &Stray, position: u64) -> Option<(u64, Descriptor)> {
    [0, 12, 16, 20, LONGEST_DESCRIPTOR].into_iter().find_map(|size| {
        let start = position.checked_sub(size)?;
        let packed = start.checked_sub(stray.data())?;
        let descriptor = Descriptor::read(&read_vec_at(source, start, Descriptor::LOOK_AT), packed)?;
        (size == 0 || descriptor.size == size).then_some((packed, descriptor))
    })
}
