//! YARA rules on one object: its bytes in memory, what else rules may ask, and what came of it.
//!
//! Rules see all bytes of an object at once. They are read into memory that the budget sets aside; an object for which
//! there is none is not looked at by rules, and the report says so. What else they may ask is named after THOR's and LOKI's
//! external variables. Of a member, the path is that of the file and then the names on the way to it.

use crate::Scan;
use crate::level::Object;
use dachs_base::{About, Anomaly, Charge, FileKind, LimitReached, Name, Source};
use dachs_rules::Externals;

/// How many bytes are read between two looks at the clock.
const STEP: usize = 4 << 20;

impl Scan<'_> {
    /// Runs the rules on an object, if there are any for it.
    pub(crate) fn run_rules(&mut self, object: &Object) {
        let is_member = !object.path.0.is_empty();
        let Some(rules) = self.options.rules else { return };
        if self.is_enough() || is_member && !self.options.rules_on_members {
            return;
        }
        let (bytes, _charge) = match self.whole(&*object.source) {
            Ok(whole) => whole,
            Err(reached) => {
                let detail = format!("YARA rules did not look at it: {reached}");
                return self.fold.note_skipped(Anomaly { detail, ..reached.into() }, &object.path);
            }
        };
        let externals = externals(object, &bytes, self.options.about);
        let time = self.budget.time_left();
        let (found, whole) = rules.run(&dachs_rules::Object { bytes: &bytes, externals: &externals, time });
        if !found.is_empty() && !self.is_allowed(object) {
            self.fold.detect_rules(found, object);
        }
        if !whole {
            let reached = self.budget.check_time().err().unwrap_or_else(|| self.out_of_time());
            let detail = format!("not all YARA rules looked at it: {reached}");
            self.fold.note_skipped(Anomaly { detail, ..reached.into() }, &object.path);
        }
    }

    /// All bytes of an object, and the memory set aside for them.
    fn whole(&self, source: &dyn Source) -> Result<(Vec<u8>, Charge), LimitReached> {
        let size = source.len();
        let charge = self.budget.reserve(size)?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        let mut offset = 0_u64;
        for step in bytes.chunks_mut(STEP) {
            self.budget.check_time()?;
            // What a source cannot give, it tells when the object is left.
            source.read_at(offset, step);
            offset = offset.saturating_add(u64::try_from(step.len()).unwrap_or(u64::MAX));
        }
        Ok((bytes, charge))
    }

    fn out_of_time(&self) -> LimitReached {
        let allowed = u64::try_from(self.budget.limits().time.as_millis()).unwrap_or(u64::MAX);
        LimitReached { limit: dachs_base::Limit::Time, allowed }
    }
}

/// What rules may ask besides the bytes.
fn externals(object: &Object, bytes: &[u8], about: Option<&About>) -> Externals {
    let (path, owner) = about.map_or((&[][..], &[][..]), |about| (&about.path, &about.owner));
    let names = std::iter::once(path).chain(object.path.0.iter().map(Name::as_bytes));
    let path = names.collect::<Vec<_>>().join(&b'/');
    Externals {
        filetype: file_type(object.kind(), bytes).into_bytes(),
        owner: owner.to_vec(),
        ..Externals::of_path(&path)
    }
}

/// The kind in the words of LOKI, as far as it has one.
fn file_type(kind: FileKind, bytes: &[u8]) -> String {
    match kind {
        FileKind::Pe | FileKind::PackedPe => "EXE".to_owned(),
        FileKind::MachO | FileKind::MachOUniversal => "MACH-O".to_owned(),
        FileKind::Jpeg => "JPG".to_owned(),
        FileKind::OoxmlHwp | FileKind::OoxmlPpt | FileKind::OoxmlWord | FileKind::OoxmlXl => "ZIP".to_owned(),
        FileKind::Hwpml | FileKind::Xdp | FileKind::XmlWord | FileKind::XmlXl => "XML".to_owned(),
        FileKind::Data if bytes.starts_with(b"MDMP") => "MDMP".to_owned(),
        kind => kind.label().to_uppercase(),
    }
}
