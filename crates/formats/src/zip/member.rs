//! From headers to members: which readings of an entry are given, and how.

use std::io;
use std::sync::Arc;

use dachs_base::{Anomaly, Heuristic, LimitReached, Meta, Name, Part, Source, read_vec_at};

use super::coverage::{Claim, Key};
use super::directory::Entry;
use super::gaps::{self, Stray};
use super::method::{self, Parameters};
use super::record::{Descriptor, Fields, LOCAL_LENGTH, Local};
use super::{Archive, SHARED_BY_ACCIDENT};
use crate::codec::Decoder;
use crate::stream::{Replay, SourceRead};

impl Archive {
    /// A member as the directory describes it, and as its local header does if they disagree.
    pub(super) fn take_entry(&mut self, entry: &Entry, disk: u32) -> Result<(), LimitReached> {
        self.position = self.position.saturating_add(1);
        self.tell(&entry.name, &entry.header.fields);
        let bytes = read_vec_at(self.source.as_ref(), entry.local, LOCAL_LENGTH + Name::LONGEST);
        let Some(mut local) = Local::read(&bytes) else {
            self.found.remark(Some(entry.name.clone()), no_local_header(entry, disk));
            return Ok(());
        };
        gaps::widen_local(self.source.as_ref(), entry.local, &mut local);
        let data = entry.local.saturating_add(local.full_length());
        let central = entry.header.fields;
        let other = disagreement(&central, &local.fields);
        if is_directory(&entry.name, &central) && other.is_none() {
            self.cover(entry.local, self.end_of(data, &central));
            return Ok(());
        }
        if !same_name(entry, &local, &bytes) && !std::mem::replace(&mut self.told.names, true) {
            let text = "local header and central directory call it by different names";
            self.found.remark(Some(entry.name.clone()), Anomaly::odd(text));
        }
        self.claim(&entry.name, entry.local, data, whole(central), true)?;
        if let Some(other) = other {
            self.tell(&entry.name, &other);
            if !std::mem::replace(&mut self.told.disagreement, true) {
                let text = "local header and central directory disagree; both readings were looked at";
                self.found.remark(Some(entry.name.clone()), Anomaly::odd(text));
            }
            self.claim(&entry.name, entry.local, data, whole(other), false)?;
        }
        Ok(())
    }

    /// Says what a header says.
    fn tell(&mut self, name: &Name, fields: &Fields) {
        let Fields { packed, length, .. } = *fields;
        let (name, position) = (name.clone(), self.position);
        self.found.meta(Meta { name, packed, length, encrypted: fields.encrypted(), position });
    }

    /// Gives a member, unless the same bytes were given already.
    fn claim(&mut self, name: &Name, start: u64, data: u64, fields: Fields, first: bool) -> Result<(), LimitReached> {
        let end = self.end_of(data, &fields);
        let key = Key { data, packed: fields.packed, method: fields.method, encrypted: fields.encrypted() };
        let claim = match self.coverage.claim(start, end, key) {
            Ok(claim) => claim,
            Err(reached) => {
                self.tell_memory(reached);
                Claim::New
            }
        };
        if first && claim != Claim::New {
            self.note_shared();
        }
        if claim == Claim::Same {
            return Ok(());
        }
        if claim == Claim::Shares && fields.method == method::STORED {
            // Bytes that are read a second time; those of other methods are charged as they are decoded.
            self.budget.charge_bytes(fields.packed.min(self.source.len()))?;
        }
        self.give(name, data, &fields, true)
    }

    fn cover(&mut self, start: u64, end: u64) {
        if let Err(reached) = self.coverage.cover(start, end) {
            self.tell_memory(reached);
        }
    }

    fn tell_memory(&mut self, reached: LimitReached) {
        if !std::mem::replace(&mut self.told.memory, true) {
            self.found.remark(None, reached.into());
        }
    }

    /// Entries of further directories are mostly those of the first again.
    fn note_shared(&mut self) {
        if self.walked.len() > 1 {
            return;
        }
        self.shared = self.shared.saturating_add(1);
        if self.shared == 1 {
            self.found.remark(None, Anomaly::odd("entries share bytes; each was looked at once"));
        }
        if self.shared == SHARED_BY_ACCIDENT + 1 {
            self.found.heuristic(Heuristic::ZipOverlappingFiles);
        }
    }

    /// A member that no directory lists.
    pub(super) fn take_stray(&mut self, stray: Stray) -> Result<(), LimitReached> {
        let fields = stray.header.fields;
        self.position = self.position.saturating_add(1);
        self.tell(&stray.name, &fields);
        if is_directory(&stray.name, &fields) {
            return Ok(());
        }
        self.tell_stray(&stray);
        if !stray.end_known {
            self.found.remark(Some(stray.name.clone()), Anomaly::damaged("nothing says where its data ends"));
        }
        self.give(&stray.name, stray.data(), &whole(fields), stray.end_known)
    }

    /// Behind the last end record, and around it, members mean that the rest of the archive is missing.
    fn tell_stray(&mut self, stray: &Stray) {
        let Some(last_end) = self.last_end else { return };
        if std::mem::replace(&mut self.told.strays, true) {
            return;
        }
        let anomaly = match stray.end() > last_end {
            true => Anomaly::damaged("the archive goes on behind its central directory, but is cut off"),
            false => Anomaly::odd("the central directory does not list it"),
        };
        self.found.remark(Some(stray.name.clone()), anomaly);
    }

    /// Gives a member, or says why that cannot be.
    fn give(&mut self, name: &Name, data: u64, fields: &Fields, end_known: bool) -> Result<(), LimitReached> {
        let content = match fields.encrypted() {
            true => self.unlocked(name, data, fields, end_known),
            false => self.content(data, fields, end_known),
        };
        match content {
            Ok(source) => self.found.member(name.clone(), source, Some(fields.packed)),
            Err(anomaly) => {
                self.found.remark(Some(name.clone()), anomaly);
                Ok(())
            }
        }
    }

    fn content(&self, data: u64, fields: &Fields, end_known: bool) -> Result<Arc<dyn Source>, Anomaly> {
        if fields.method == method::STORED || (fields.packed, fields.length) == (0, 0) {
            return Ok(Arc::new(Part::new(Arc::clone(&self.source), data, fields.packed)));
        }
        if !method::is_supported(fields.method) {
            let name = method::name(fields.method);
            let text = format!("its compression method {} ({name}) cannot be read", fields.method);
            return Err(Anomaly::unsupported(text));
        }
        let replay = Replay::new(&self.budget, self.opener(data, fields, end_known));
        let expected = end_known.then_some(*fields);
        let (length, crc) = (expected.map(|fields| fields.length), expected.map(|fields| fields.crc));
        Ok(Arc::new(replay.expecting(length, crc)))
    }

    fn opener(
        &self,
        data: u64,
        fields: &Fields,
        end_known: bool,
    ) -> impl Fn() -> io::Result<Decoder> + Send + Sync + 'static {
        let (source, budget) = (Arc::clone(&self.source), self.budget.clone());
        let length = end_known.then_some(fields.length);
        let parameters = Parameters { method: fields.method, flags: fields.flags, length };
        let packed = fields.packed;
        move || {
            let input = SourceRead::range(Arc::clone(&source), data, packed);
            method::decoder(input, parameters, &budget)
        }
    }

    /// Where the data ends, with its data descriptor, so that neighbours touch.
    fn end_of(&self, data: u64, fields: &Fields) -> u64 {
        let end = data.saturating_add(fields.packed);
        let descriptor = fields.has_descriptor().then(|| read_vec_at(self.source.as_ref(), end, Descriptor::LOOK_AT));
        let descriptor = descriptor.and_then(|bytes| Descriptor::read(&bytes, fields.packed));
        end.saturating_add(descriptor.map_or(0, |descriptor| descriptor.size))
    }
}

fn no_local_header(entry: &Entry, disk: u32) -> Anomaly {
    match entry.header.disk == disk {
        true => Anomaly::damaged("its local header is not where the central directory says"),
        false => Anomaly::unsupported("it lies in another volume of a split archive"),
    }
}

/// What the local header says, if that is another way to read the data.
fn disagreement(central: &Fields, local: &Fields) -> Option<Fields> {
    let aes = local.aes.or(central.aes);
    let mut other = Fields { method: local.method, flags: local.flags, time: local.time, aes, ..*central };
    if local.packed != 0 {
        other = Fields { packed: local.packed, length: local.length, crc: local.crc, ..other };
    }
    let readings = |fields: &Fields| (fields.method, fields.encrypted(), fields.packed);
    (readings(&other) != readings(central)).then_some(other)
}

/// Stored data is as long as the longer one of its two lengths.
fn whole(fields: Fields) -> Fields {
    match fields.method {
        method::STORED if !fields.encrypted() => Fields { packed: fields.packed.max(fields.length), ..fields },
        _ => fields,
    }
}

fn is_directory(name: &Name, fields: &Fields) -> bool {
    name.as_bytes().ends_with(b"/") && fields.packed == 0
}

fn same_name(entry: &Entry, local: &Local, bytes: &[u8]) -> bool {
    let name = bytes.get(LOCAL_LENGTH..).unwrap_or_default();
    let name = name.get(..usize::from(local.fields.name_length)).unwrap_or(name);
    local.fields.name_length == entry.header.fields.name_length && Name::new(name) == entry.name
}
