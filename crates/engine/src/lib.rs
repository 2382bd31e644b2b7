//! The order of steps for one object and its members.
//!
//! [`scan`] takes a file and gives a report. It walks the tree of objects depth first on an explicit stack, so that no
//! input can overflow the call stack, and asks the members of an archive one at a time, so that no input decides how many
//! objects exist at once:
//!
//! ```text
//! visit(object):  identify -> examine -> run YARA rules -> keep what the allow list does not cancel -> note problems
//!                 -> unpack: push its members on the stack
//! loop:           take the next item of the top level: visit a member, note an anomaly, or leave the level
//! ```
//!
//! The engine holds no policy and knows no format and no signature. What it decides itself:
//!
//! * what was seen before, and is not scanned again: see the module `seen`;
//! * when to stop: at the first strong detection (unless all are asked for), or when the time is over;
//! * what cancels a detection: an allow-list entry for the object or for any object around it, or the signature of somebody
//!   whom the content trusts on one of them, if that is a program (but not that one of its certificates was revoked);
//! * how several workers look at one large file together: see the module `team`;
//! * when a file needs a process of its own ([`Outcome::Isolate`]): before a parser of archives or documents runs on it,
//!   or on what was found in the midst of it. Pages are texts, and share a process until one holds such an object.
#![forbid(unsafe_code)]

mod fold;
mod level;
mod rules;
mod seen;
mod team;
#[cfg(test)]
mod tests;

use dachs_base::{
    About, Anomaly, AnomalyKind, Budget, Class, Facts, FileKind, Finding, Heuristic, Limit, LimitReached, Meta, Part,
    Report, Source, Switches, Target,
};
use dachs_formats::{Item, Link, Passwords, Places, Unpacking, Watched};
use dachs_rules::RuleSet;
use dachs_sigdb::model::{Switch, TellsOf, Told};
use dachs_sigdb::{Described, Examined, Image, LinkOptions, View};
use fold::Fold;
use level::{Level, Object};
use seen::{Asked, Seen, Sight};
use std::sync::Arc;
use team::Share;

pub use team::Team;

/// Patterns tell the kind of an object where they stand in so many bytes at its start.
const FIRST: u64 = 1024;
/// Patterns tell of so many objects in the midst of one.
const MOST_TOLD: usize = 100;

/// What the caller asks for.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Report every detection instead of stopping at the first strong one.
    pub all_matches: bool,
    /// Answer [`Outcome::Isolate`] instead of running a parser of archives or documents.
    pub isolate: bool,
    /// YARA rules to run besides the image's signatures.
    pub rules: Option<&'a RuleSet>,
    /// Run them on members too, and not only on the file itself.
    pub rules_on_members: bool,
    /// What is known of the file besides its bytes.
    pub about: Option<&'a About>,
    /// What is looked into and reported besides signatures.
    pub switches: Switches,
    /// Links in mails are not looked at.
    pub no_links: bool,
    /// What else is suspicious of links in mails.
    pub links: LinkOptions,
    /// The time, in seconds since 1970; without it nobody's certificate is valid, and nobody's programs are trusted.
    pub now: Option<i64>,
    /// Passwords that were given, for what is encrypted; they come before those of the content.
    pub passwords: &'a [Vec<u8>],
    /// The workers that look at the file together with this one; not with [`Options::isolate`].
    pub team: Option<&'a dyn Team>,
}

/// What became of a scan.
#[derive(Debug)]
pub enum Outcome {
    /// The file is of this kind and should be scanned by a process of its own. Nothing of it was parsed.
    Isolate(FileKind),
    /// It was scanned.
    Report(Report),
}

/// Scans one file and everything inside it.
#[must_use]
pub fn scan(file: Arc<dyn Source>, image: &Image<'_>, budget: &Budget, options: &Options<'_>) -> Outcome {
    let identity = level::identify(&*file, image, None);
    if options.isolate && identity.kinds().any(needs_own_process) {
        return Outcome::Isolate(identity.kind);
    }
    let fold = Fold::new(identity.kind, budget.limits().clone());
    let mut scan = Scan {
        image,
        budget,
        options,
        fold,
        seen: Seen::default(),
        levels: Vec::new(),
        isolate: false,
        handlers: Vec::new(),
        told: Vec::new(),
        share: Share::new(options.team.filter(|_| !options.isolate)),
    };
    if scan.share.is_helper() {
        return scan.help(Object::file(file, identity));
    }
    scan.visit(Object::file(file, identity));
    while !scan.levels.is_empty() && !scan.is_enough() {
        scan.step();
        if scan.isolate {
            return Outcome::Isolate(scan.fold.report().kind.unwrap_or(FileKind::Data));
        }
    }
    scan.leave_all();
    scan.finish()
}

/// One scan under way.
struct Scan<'a> {
    image: &'a Image<'a>,
    budget: &'a Budget,
    options: &'a Options<'a>,
    fold: Fold,
    /// The members that were scanned before.
    seen: Seen,
    levels: Vec<Level>,
    /// True once an object was found that only a process of its own may open.
    isolate: bool,
    /// As what signatures ask to look again at the object at hand.
    handlers: Vec<FileKind>,
    /// What patterns of the content tell of the object at hand, or of what begins at an offset in it.
    told: Vec<(FileKind, Option<u64>)>,
    share: Share<'a>,
}

impl Scan<'_> {
    /// One step: the next item of the innermost level, or the end of that level.
    fn step(&mut self) {
        let shared = self.share.is_at(self.levels.len());
        if shared && !self.is_next_mine() {
            return;
        }
        let Some(level) = self.levels.last_mut() else { return };
        let item = level.next_item();
        if shared {
            item.iter().for_each(|item| self.share.count(item));
        }
        match item {
            Some(Item::Anomaly { member: None, anomaly }) => {
                let anomaly = if level.object.embedded { matched_anyway(anomaly) } else { anomaly };
                level.gap |= anomaly.kind.is_gap();
                let locked = anomaly.kind == AnomalyKind::Encrypted;
                self.fold.note(anomaly, &level.object.path);
                self.alert_encrypted(locked);
            }
            Some(Item::Anomaly { member: Some(name), anomaly }) => {
                let locked = anomaly.kind == AnomalyKind::Encrypted;
                self.fold.note_skipped(anomaly, &level.object.path.child(name));
                self.alert_encrypted(locked);
            }
            Some(Item::Heuristic(heuristic)) => self.judge(heuristic),
            Some(Item::Member(member)) => {
                let object = Object::member(&level.object, member, self.image);
                if !self.isolates(&object) {
                    self.visit(object);
                    self.describe_part();
                }
            }
            Some(Item::Embedded(_)) if self.options.isolate => self.isolate = true,
            // A text that is a page as well stays a text.
            Some(Item::Also(kind)) if self.options.isolate && needs_own_process(kind) => self.isolate = true,
            Some(Item::Also(kind)) => self.also(kind),
            Some(Item::Embedded(member)) => {
                let object = Object { embedded: true, ..Object::member(&level.object, member, self.image) };
                self.visit(object);
            }
            Some(Item::Meta(meta)) => self.describe(&meta),
            None if shared => self.end_of_items(),
            None => self.look_on(),
        }
    }

    /// The members of the innermost object were gone through: looks at it as what else the content tells it to be.
    fn look_on(&mut self) {
        let Some(level) = self.levels.last_mut() else { return };
        if let Some(kind) = level.next_handler() {
            let object = level.object.again(kind);
            return self.look_again(object);
        }
        match level.next_told() {
            Some((kind, None)) => {
                let object = level.object.also(kind);
                self.look_again(object);
            }
            Some((kind, Some(offset))) => {
                let object = level.object.rest(kind, offset);
                self.look_inside(object);
            }
            None => self.leave(),
        }
    }

    /// Looks at what content tells to begin in the midst of the innermost object.
    fn look_inside(&mut self, object: Object) {
        if self.options.isolate {
            self.isolate = true;
            return;
        }
        let charged = self.budget.charge_object().and_then(|()| self.budget.charge_bytes(object.source.len()));
        match charged {
            Ok(()) => self.visit(object),
            Err(reached) => self.fold.note_skipped(reached.into(), &object.path),
        }
    }

    /// Looks at the innermost object once more, as one of a kind that the content asks for.
    fn look_again(&mut self, object: Object) {
        let kind = object.kind();
        if self.options.isolate && needs_own_process(kind) {
            self.isolate = true;
            return;
        }
        if let Err(reached) = self.budget.charge_object() {
            return self.fold.note_skipped(reached.into(), &object.path);
        }
        self.match_bytes(&object, kind.target());
        self.match_forms(&object, kind);
        self.enter(object, None);
    }

    /// The innermost object was judged.
    fn judge(&mut self, heuristic: Heuristic) {
        let Some(level) = self.levels.last() else { return };
        if self.options.switches.wants(heuristic) && !self.is_allowed(&level.object) {
            self.fold.judge(heuristic, &level.object);
        }
    }

    /// Part of the innermost object is encrypted, if `locked` says so.
    fn alert_encrypted(&mut self, locked: bool) {
        let kind = self.levels.last().filter(|_| locked).map(|level| level.object.kind());
        if let Some(heuristic) = kind.and_then(encrypted) {
            self.judge(heuristic);
        }
    }

    /// The innermost object is of one more kind: it is matched in that kind's forms, and opened as such.
    fn also(&mut self, kind: FileKind) {
        let Some(mut level) = self.levels.pop() else { return };
        self.match_forms(&level.object, kind);
        level.look_again(std::mem::take(&mut self.handlers));
        if self.check_depth(&level.object).is_ok() {
            self.open_as(&mut level, kind);
        }
        self.levels.push(level);
    }

    /// Looks at the links of a page in a mail, up to the first that is suspicious.
    fn check_links(&mut self, object: &Object) {
        let in_mail = matches!(object.around.last(), Some(FileKind::Mail | FileKind::Mhtml));
        let wanted = self.image.has_link_lists() && !self.options.no_links && !self.image.is_off(Switch::Phishing);
        let is_page = object.identity.kinds().any(|kind| kind == FileKind::Html);
        if !is_page || !in_mail || !wanted {
            return;
        }
        let judge = |link: Link| self.image.judge_link(&link.real, &link.shown, &self.options.links);
        let found = dachs_formats::links(&object.source, self.budget).find_map(judge);
        if let Some(heuristic) = found.filter(|_| !self.is_allowed(object)) {
            self.fold.judge(heuristic, object);
        }
    }

    /// Looks whether the structure of an object is as it should be, where that can be told without taking it apart.
    fn check_structure(&mut self, object: &Object) {
        let (kind, switches) = (object.kind(), &self.options.switches);
        if switches.closed.holds(kind) {
            return;
        }
        let broken = || switches.alerts.broken && dachs_formats::is_broken(kind, &*object.source);
        let found = dachs_formats::judge(kind, &object.source, self.budget)
            .or_else(|| broken().then_some(Heuristic::BrokenExecutable));
        if let Some(heuristic) = found.filter(|found| switches.wants(*found) && !self.is_allowed(object)) {
            self.fold.judge(heuristic, object);
        }
    }

    /// Asks the content about what the innermost object says of one of its members.
    fn describe(&mut self, meta: &Meta) {
        let Some(level) = self.levels.last() else { return };
        self.judge_member(self.levels.len().saturating_sub(1), level.object.kind(), meta);
    }

    /// Parts of a mail say nothing of themselves before they are decoded: the member just visited is described by what it
    /// is, as ClamAV does.
    fn describe_part(&mut self) {
        let [.., mail, part] = self.levels.as_slice() else { return };
        if !matches!(mail.object.kind(), FileKind::Mail | FileKind::Mhtml) || !self.image.has_member_rules() {
            return;
        }
        let length = part.object.source.len();
        let name = part.object.path.0.last().cloned().unwrap_or_default();
        let meta = Meta { name, packed: length, length, ..Meta::default() };
        self.judge_member(self.levels.len().saturating_sub(2), FileKind::Mail, &meta);
    }

    /// Adds the detections of a member by what the object at a level says of it.
    fn judge_member(&mut self, at: usize, container: FileKind, meta: &Meta) {
        let Some(level) = self.levels.get(at).filter(|_| self.image.has_member_rules()) else { return };
        let member = Described { meta, container, container_size: level.object.source.len() };
        let findings = self.image.examine_member(&member, self.options.all_matches);
        if !findings.is_empty() && !self.is_allowed_at(at) {
            self.fold.detect_member(&findings, &level.object, meta.name.clone());
        }
    }

    /// Notes whether an object may be opened only by a process of its own, which this one is not.
    fn isolates(&mut self, object: &Object) -> bool {
        self.isolate |= self.options.isolate && object.identity.kinds().any(needs_own_process);
        self.isolate
    }

    /// Looks at one object and opens it if it holds others.
    fn visit(&mut self, mut object: Object) {
        // What is shorter than the first read was told whole.
        let first_read = u64::try_from(dachs_formats::FIRST_READ).unwrap_or(u64::MAX);
        let measured = object.source.known_len().is_some();
        let asked = match self.ask_seen(&object) {
            Sight::Known(coverage) => {
                self.fold.know(coverage);
                return self.levels.push(Level::closed(object));
            }
            Sight::New(asked) => asked,
        };
        object.places = self.examine(&object);
        self.run_rules(&object);
        if !measured && object.source.known_len().is_some_and(|length| length >= first_read) {
            object.identity = level::identify(&*object.source, self.image, object.around.last().copied());
        }
        if !self.is_enough() {
            self.check_links(&object);
            self.check_structure(&object);
        }
        self.enter(object, asked);
    }

    /// Asks whether a member was scanned before.
    fn ask_seen(&self, object: &Object) -> Sight {
        if self.levels.is_empty() || self.options.isolate {
            return Sight::New(None);
        }
        self.seen.ask(object, self.fold.said())
    }

    /// Opens an object that was looked at.
    fn enter(&mut self, object: Object, asked: Option<Asked>) {
        let mut level = Level::closed(object);
        level.asked = asked;
        level.look_again(std::mem::take(&mut self.handlers));
        level.tell(std::mem::take(&mut self.told));
        if !self.is_enough() && !self.isolates(&level.object) {
            self.open(&mut level);
        }
        self.settle(&mut level);
        self.levels.push(level);
    }

    /// Matches one object, then its normalised forms, against the content; gives what was learnt on the way of objects in its midst.
    fn examine(&mut self, object: &Object) -> Option<Places> {
        let source = &*object.source;
        let watched = if object.embedded { None } else { dachs_formats::watch(&object.identity, source) };
        let read = watched.as_ref().map_or(source, |watched| watched);
        let bytes = self.match_source(object, read, object.kind().target());
        self.fold.looked_at(bytes);
        for kind in object.identity.kinds().collect::<Vec<_>>() {
            self.match_forms(object, kind);
        }
        self.count_numbers(object);
        watched.and_then(Watched::places)
    }

    /// Looks for numbers of cards and persons in a text that is no page.
    fn count_numbers(&mut self, object: &Object) {
        let text = object.kind().class() == Class::Text && !object.identity.kinds().any(|kind| kind == FileKind::Html);
        let Some(wanted) = self.options.switches.structured.as_ref().filter(|_| text && !self.is_enough()) else {
            return;
        };
        match dachs_formats::structured(&object.source, wanted, self.budget) {
            Ok(found) if !found.is_empty() && self.is_allowed(object) => {}
            Ok(found) => found.into_iter().for_each(|heuristic| self.fold.judge(heuristic, object)),
            Err(reached) => self.fold.note_skipped(reached.into(), &object.path),
        }
    }

    /// Matches the normalised forms that an object has as one of this kind.
    fn match_forms(&mut self, object: &Object, kind: FileKind) {
        let switches = &self.options.switches;
        if kind == FileKind::Html && (switches.no_normalising || switches.closed.html) {
            self.match_bytes(object, Target::Html);
            return;
        }
        if switches.no_normalising {
            return;
        }
        for view in dachs_formats::views(kind, &object.source, self.budget) {
            if self.is_enough() {
                return;
            }
            // As in ClamAV: of a text the size is asked for, of a page that of its form.
            let size = object.source.known_len().filter(|_| kind != FileKind::Html);
            self.match_form(object, &view, size);
            if let Some(problem) = view.source.problem() {
                self.fold.note_skipped(problem, &object.path);
            }
        }
    }

    /// Matches the bytes of one object against the content; gives how many there were.
    fn match_bytes(&mut self, object: &Object, target: Target) -> u64 {
        self.match_source(object, &*object.source, target)
    }

    /// As [`Self::match_bytes`], but the bytes are read from a source of the caller.
    fn match_source(&mut self, object: &Object, source: &dyn Source, target: Target) -> u64 {
        let facts = dachs_formats::facts(object.kind(), &object.source, self.budget);
        let view = View { source, target, facts: &facts, around: &object.around };
        let examined = self.image.examine(&view, self.budget, self.options.all_matches);
        self.take(object, examined, false)
    }

    /// Matches a normalised form of an object against the content. `size`: what signatures are told of its size, if it is not that.
    fn match_form(&mut self, object: &Object, form: &dachs_formats::View, size: Option<u64>) {
        let facts = Facts { size, ..dachs_formats::facts(object.kind(), &object.source, self.budget) };
        let view = View { source: &*form.source, target: form.target, facts: &facts, around: &object.around };
        let (budget, all) = (self.budget, self.options.all_matches);
        let examined = if form.again {
            self.image.examine_again(&view, budget, all)
        } else {
            self.image.examine(&view, budget, all)
        };
        self.take(object, examined, true);
    }

    /// Takes what was found in an object, or in a form of it; gives how many bytes were looked at.
    fn take(&mut self, object: &Object, examined: Examined, form: bool) -> u64 {
        if !examined.findings.is_empty() && !self.is_allowed(object) {
            self.fold.detect(&examined.findings, object);
            self.fold.drop_detections(examined.dropped);
        }
        // A form has nothing to be looked at again: what it fulfils is found.
        let (found, kinds): (Vec<Finding>, Vec<FileKind>) = examined.handlers.into_iter().unzip();
        if (object.again || form) && !found.is_empty() && !self.is_allowed(object) {
            self.fold.detect(&found, object);
        }
        if !object.again {
            self.handlers.extend(kinds);
        }
        if !object.again && !form {
            self.take_told(object, examined.told);
        }
        if let Some(reached) = examined.limit {
            self.fold.note_skipped(reached.into(), &object.path);
        }
        examined.bytes
    }

    /// Keeps what patterns of the content tell of an object, where its structure does not tell it. So a pattern that is wrong hides nothing.
    fn take_told(&mut self, object: &Object, told: Vec<(Told, u64)>) {
        let plain = matches!(object.kind().class(), Class::Data | Class::Text);
        for (told, offset) in
            told.into_iter().filter(|(told, _)| told.from.is_empty() || told.from.contains(&object.kind()))
        {
            let known = object.identity.kinds().any(|kind| kind == told.kind);
            let what = match told.what {
                TellsOf::Beginning if plain && !known && offset < FIRST => Some(None),
                TellsOf::Object if plain && !known => Some(None),
                TellsOf::Rest if offset > 0 && !dachs_formats::finds_embedded(told.kind) => Some(Some(offset)),
                TellsOf::Rest if offset > 0 && !begins(object, told.kind, offset) => Some(Some(offset)),
                _ => None,
            };
            if self.told.len() >= MOST_TOLD && what.is_some() {
                let limit =
                    LimitReached { limit: Limit::Objects, allowed: u64::try_from(MOST_TOLD).unwrap_or(u64::MAX) };
                return self.fold.note_skipped(limit.into(), &object.path);
            }
            self.told.extend(what.map(|offset| (told.kind, offset)));
        }
    }

    /// True if the allow list names the object or one around it, or one of them is a program that somebody signed whom the
    /// content trusts.
    fn is_allowed(&self, object: &Object) -> bool {
        let mut around = self.levels.iter().map(|level| &level.object).chain([object]);
        let allowed = around.any(|object| self.is_listed(object) || self.is_trusted(object));
        self.remark_if(allowed)
    }

    /// Takes note that something is not said because somebody allows it.
    fn remark_if(&self, allowed: bool) -> bool {
        if allowed {
            self.fold.remark();
        }
        allowed
    }

    /// True for a program that somebody signed whom the content trusts.
    fn is_trusted(&self, object: &Object) -> bool {
        let asked = self.image.has_trust() && !self.options.switches.no_trust && object.kind() == FileKind::Pe;
        asked && *object.trusted.get_or_init(|| self.options.now.is_some_and(|now| self.trusts(object, now)))
    }

    fn trusts(&self, object: &Object, now: i64) -> bool {
        let facts = dachs_formats::facts(FileKind::Pe, &object.source, self.budget);
        // What a limit kept from being verified is not trusted.
        let signature = facts.signature.find().ok().flatten();
        if signature.is_some_and(|signature| self.image.trusts(signature, now)) {
            return true;
        }
        let digests = if self.image.has_signed_programs() { facts.digests.find().ok().flatten() } else { None };
        digests.is_some_and(|digests| self.image.trusts_program(digests, now))
    }

    /// True if the allow list names this object, or a list that somebody signed whom the content trusts.
    fn is_listed(&self, object: &Object) -> bool {
        let now = self.options.now.filter(|_| !self.options.switches.no_trust);
        self.image.allows(&*object.source) || now.is_some_and(|now| self.image.trusts_file(&*object.source, now))
    }

    /// True if the allow list names the object at a level or one around it.
    fn is_allowed_at(&self, at: usize) -> bool {
        let mut around = self.levels.iter().take(at.saturating_add(1)).map(|level| &level.object);
        let allowed = around.any(|object| self.is_listed(object) || self.is_trusted(object));
        self.remark_if(allowed)
    }

    /// Adds to a level what goes through its object's members.
    fn open(&mut self, level: &mut Level) {
        if self.is_trusted(&level.object) {
            let remark = Anomaly::odd("not looked into: somebody signed it whom the content trusts");
            return self.fold.note(remark, &level.object.path);
        }
        if let Err(reached) = self.check_depth(&level.object) {
            level.gap = true;
            return self.fold.note(reached.into(), &level.object.path);
        }
        for kind in level.object.identity.kinds().collect::<Vec<_>>() {
            self.open_as(level, kind);
        }
        let places = level.object.places.take();
        let object = &level.object;
        if !object.embedded
            && let Some(search) = dachs_formats::embedded(&object.identity, &object.source, places, self.budget)
        {
            level.push(search);
        }
        let object = &level.object;
        if let Some(search) = dachs_formats::encoded(&object.identity, &object.source, self.budget) {
            level.push(search);
        }
    }

    /// Adds to a level what goes through its object as one of this kind.
    fn open_as(&mut self, level: &mut Level, kind: FileKind) {
        if self.image.is_off(Switch::Kind(kind)) {
            level.gap = true;
            let anomaly = Anomaly::unsupported("not looked into: the content switches this off");
            return self.fold.note(anomaly, &level.object.path);
        }
        if self.options.switches.closed.holds(kind) {
            if dachs_formats::looks_into(kind) {
                self.fold.note(Anomaly::odd("not taken apart, as was asked for"), &level.object.path);
            }
            return;
        }
        let passwords = self.passwords(kind);
        match dachs_formats::unpack_with(kind, &level.object.source, self.budget, &passwords) {
            Unpacking::Members(unpack) => level.push(unpack),
            Unpacking::Nothing => {}
            Unpacking::Unsupported => {
                level.gap = true;
                self.fold.note(not_looked_into(kind), &level.object.path);
            }
        }
    }

    /// What is tried on objects of a kind that may be encrypted: what was given, what the content knows, and the words of the
    /// nearest mail around it.
    fn passwords(&mut self, kind: FileKind) -> Passwords {
        if !dachs_formats::takes_passwords(kind) {
            return Passwords::none();
        }
        let mail = self.levels.iter_mut().rev().find(|level| level.object.kind() == FileKind::Mail);
        let mail = mail.map(|level| level.words(self.budget));
        let given = self.options.passwords.iter().map(Vec::as_slice);
        Passwords::new(given.chain(self.image.passwords(kind)), mail)
    }

    /// Refuses objects that would be opened beyond the allowed depth.
    fn check_depth(&self, object: &Object) -> Result<(), LimitReached> {
        let allowed = self.budget.limits().depth;
        let depth = u32::try_from(object.path.0.len()).unwrap_or(u32::MAX);
        if depth < allowed || !object.identity.kinds().any(dachs_formats::looks_into) {
            return Ok(());
        }
        Err(LimitReached { limit: Limit::Depth, allowed: u64::from(allowed) })
    }

    /// Ends the innermost level: asks its source what went wrong while it was read.
    fn leave(&mut self) {
        if self.share.is_at(self.levels.len()) {
            self.leave_container();
        }
        let Some(mut level) = self.levels.pop() else { return };
        if let Some(problem) = level.object.source.problem() {
            level.gap |= problem.kind.is_gap();
            self.fold.note(problem, &level.object.path);
        }
        self.fold.left(level.gap);
        if let Some(asked) = level.asked.take().filter(|_| !self.is_enough()) {
            self.seen.keep(asked, &level.object, self.fold.said());
        }
    }

    /// Ends all levels, innermost first. A scan that stops for want of time says so.
    fn leave_all(&mut self) {
        self.note_time();
        while !self.levels.is_empty() {
            self.leave();
        }
    }

    /// Says where the time was over, if it is.
    fn note_time(&mut self) {
        let decided = self.is_decided();
        if let Some(level) = self.levels.last_mut()
            && !decided
            && let Err(reached) = self.budget.check_time()
        {
            level.gap = true;
            self.fold.note(reached.into(), &level.object.path);
        }
    }

    /// True if enough was found, or the time is over.
    fn is_enough(&self) -> bool {
        self.is_decided() || self.budget.check_time().is_err()
    }

    /// True if what was found, here or by others, is all that was asked for.
    fn is_decided(&self) -> bool {
        self.share.is_over() || self.fold.decided(self.options)
    }
}

/// Is an object of this kind opened by a process that scans this one file only? A page is not: it is a text, and read
/// like one; what stands in it may be such an object.
fn needs_own_process(kind: FileKind) -> bool {
    kind != FileKind::Html && dachs_formats::looks_into(kind)
}

/// True if what begins at an offset in an object is of a kind by its structure.
fn begins(object: &Object, kind: FileKind, offset: u64) -> bool {
    let length = object.source.len().saturating_sub(offset);
    dachs_formats::identify(&Part::new(Arc::clone(&object.source), offset, length)).kinds().any(|found| found == kind)
}

/// What stands in the midst of other bytes was matched with them as it is: damage hides nothing, and what looked like a
/// beginning may have been none.
fn matched_anyway(anomaly: Anomaly) -> Anomaly {
    match anomaly.kind {
        AnomalyKind::Damaged => Anomaly { kind: AnomalyKind::Odd, ..anomaly },
        _ => anomaly,
    }
}

/// What is said, if asked for, of an object of this kind that is encrypted, or holds encrypted members.
fn encrypted(kind: FileKind) -> Option<Heuristic> {
    Some(match kind {
        FileKind::Arj => Heuristic::EncryptedArj,
        FileKind::Egg => Heuristic::EncryptedEgg,
        FileKind::Ole2 => Heuristic::EncryptedOle2,
        FileKind::Pdf => Heuristic::EncryptedPdf,
        FileKind::Rar => Heuristic::EncryptedRar,
        FileKind::SevenZip => Heuristic::Encrypted7z,
        FileKind::OoxmlHwp | FileKind::OoxmlPpt | FileKind::OoxmlWord | FileKind::OoxmlXl | FileKind::Zip => {
            Heuristic::EncryptedZip
        }
        _ => return None,
    })
}

/// What is said of an object whose format is known but has no reader.
fn not_looked_into(kind: FileKind) -> Anomaly {
    Anomaly::unsupported(format!("not looked into: there is no reader for {} yet", kind.label()))
}
