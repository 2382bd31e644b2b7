//! An image, borrowed from the bytes that hold it.

use crate::ImageError;
use crate::certificates::Certificates;
use crate::digests;
use crate::examine::{self, Examination};
use crate::hashes::{DigestKind, Hashes, List};
use crate::icons::Icons;
use crate::layout::{Frame, Section, VERSION};
use crate::links::{LinkOptions, Links};
use crate::members::{Described, Members};
use crate::model::{KindRule, Rule, Scope, SourceInfo, Switch, Told, YaraRule, YaraText};
use crate::names::Names;
use crate::regex;
use crate::rules::RuleSet;
use crate::settings::Settings;
use crate::signatures::{CERTIFICATES, KINDS, MEMBERS, Record, RuleKind, Signatures, YARA};
use crate::sources::Sources;
use crate::yara::Yara;
use dachs_base::{
    Budget, Digests, Facts, FileKind, Finding, Heuristic, LimitReached, Signature, Source, Strength, Target,
    read_vec_at,
};
use dachs_matcher::Filter;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// So many bytes of a section are told to be [asked often](Image::asked_often): patterns have in front what is looked at most.
const ASKED: u64 = 4 << 20;

/// An image, borrowed from the bytes that hold it.
///
/// Reading it copies nothing and checks only its structure. After that no method can panic, loop or take unbounded
/// memory, whatever the bytes are: every access is checked where it is made. [`Image::verify`] reads everything.
#[derive(Clone)]
pub struct Image<'a> {
    frame: Frame<'a>,
    sources: Sources<'a>,
    names: Names<'a>,
    signatures: Signatures<'a>,
    pub(crate) hashes: Hashes<'a>,
    allowed: Hashes<'a>,
    pub(crate) sections: Hashes<'a>,
    pub(crate) imports: Hashes<'a>,
    /// By the number of the target.
    rules: Vec<Option<RuleSet<'a>>>,
    /// By the number of the target: the filter of its patterns and those of any target, made when it is first needed.
    filters: Vec<OnceLock<Filter>>,
    members: Members,
    pub(crate) settings: Arc<Settings>,
    yara: Yara<'a>,
    links: Links,
    pub(crate) icons: Icons,
    pub(crate) certificates: Certificates,
}

/// What is known of an object that is to be examined.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Its bytes.
    pub source: &'a dyn Source,
    /// The signatures that it is matched with, besides the generic ones.
    pub target: Target,
    /// What else signatures ask for.
    pub facts: &'a Facts,
    /// The kinds of the objects around it, outermost first; none for a file itself.
    pub around: &'a [FileKind],
}

/// What the examination of one object gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// The signatures fulfilled, each once. No more than ten times [`dachs_base::Limits::detections`], and one
    /// more if those are all weak and a strong one came after them.
    pub findings: Vec<Finding>,
    /// How many more were left out.
    pub dropped: u64,
    /// Signatures that are fulfilled, but ask for the object to be scanned again as one of a kind ([`crate::model::Condition::Handler`]):
    /// they are findings if that fulfils them once more.
    pub handlers: Vec<(Finding, FileKind)>,
    /// What patterns tell of kinds, and where they were found; in the order of the object.
    pub told: Vec<(Told, u64)>,
    /// How many bytes of the object were looked at, holes included.
    pub bytes: u64,
    /// The limit that ended the examination early, if one did.
    pub limit: Option<LimitReached>,
}

/// What an image holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The version of the image's format.
    pub format: u32,
    /// The image's size in bytes.
    pub size: u64,
    /// SHA-256 that stands for all of the image's content.
    pub content: [u8; 32],
    /// How many signatures there are.
    pub signatures: u32,
    /// The sources, in the order of their numbers.
    pub sources: Vec<SourceCounts>,
}

/// What an image holds of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// The source.
    pub info: SourceInfo,
    /// Signatures of one pattern.
    pub bodies: u32,
    /// Digests: of whole objects, of sections of executables, of lists of imports.
    pub hashes: u32,
    /// Logical signatures.
    pub logicals: u32,
    /// Entries of the allow list.
    pub allowed: u32,
    /// Entries of other sorts, sorted by what they are.
    pub entries: Vec<Entries>,
    /// Signatures that were left out: the reason and how many, sorted by reason.
    pub skipped: Vec<(String, u32)>,
}

/// How many entries of one sort a source has.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entries {
    /// What they are.
    pub what: String,
    /// How many there are.
    pub count: u32,
    /// True if ClamAV counts them among the signatures that it knows.
    pub known: bool,
}

impl SourceCounts {
    /// How many signatures ClamAV says to know of the same source, once everything of it was taken.
    #[must_use]
    pub fn known(&self) -> u64 {
        let others = self.entries.iter().filter(|entries| entries.known).map(|entries| entries.count);
        [self.bodies, self.hashes, self.logicals, self.allowed].into_iter().chain(others).map(u64::from).sum()
    }

    /// Counts one more entry of a sort.
    pub(crate) fn entry(&mut self, what: &str, known: bool) {
        let place = match self.entries.binary_search_by(|entries| entries.what.as_str().cmp(what)) {
            Ok(place) => place,
            Err(place) => {
                self.entries.insert(place, Entries { what: what.to_owned(), count: 0, known });
                place
            }
        };
        if let Some(entries) = self.entries.get_mut(place) {
            entries.count = entries.count.saturating_add(1);
        }
    }
}

impl Info {
    /// How many signatures ClamAV says to know of the same sources; see [`SourceCounts::known`].
    #[must_use]
    pub fn known(&self) -> u64 {
        self.sources.iter().map(SourceCounts::known).sum()
    }
}

impl<'a> Image<'a> {
    /// Reads the header and the list of sections, and checks what can be checked without reading everything.
    ///
    /// Where there are regular expressions, their engines are run once, since they ask the system for something when they
    /// are used first: whoever closes a jail makes the image before.
    ///
    /// # Errors
    /// When the bytes are not an image, or not one of this version, or its structure is broken.
    pub fn new(bytes: &'a [u8]) -> Result<Image<'a>, ImageError> {
        let frame = Frame::new(bytes)?;
        let signatures = Signatures::new(&frame);
        let rules: Vec<Option<RuleSet<'a>>> =
            Target::ALL.iter().map(|target| RuleSet::new(&frame, *target)).collect::<Result<_, _>>()?;
        let members = Members::new(&frame)?;
        if members.has_regexes() || rules.iter().flatten().any(RuleSet::has_specials) {
            regex::prepare();
        }
        Ok(Image {
            sources: Sources::new(&frame),
            names: Names::new(&frame, signatures.count())?,
            signatures,
            hashes: Hashes::new(&frame, List::Signatures)?,
            allowed: Hashes::new(&frame, List::Allowed)?,
            sections: Hashes::new(&frame, List::Sections)?,
            imports: Hashes::new(&frame, List::Imports)?,
            filters: rules.iter().map(|_| OnceLock::new()).collect(),
            rules,
            members,
            settings: Settings::read(&frame)?,
            yara: Yara::new(&frame),
            links: Links::new(&frame)?,
            icons: Icons::new(&frame)?,
            certificates: Certificates::new(&frame)?,
            frame,
        })
    }

    /// Checks every checksum and every index. Reads all of the image.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self) -> Result<(), ImageError> {
        self.verify_sums(&mut || {})?;
        self.sources.verify()?;
        self.names.verify()?;
        self.signatures.verify()?;
        self.yara.verify(self.sources.count())?;
        for hashes in [&self.hashes, &self.allowed, &self.sections, &self.imports] {
            hashes.verify(self.signature_count())?;
        }
        self.verify_owners()?;
        for rules in self.rules.iter().flatten() {
            rules.verify()?;
        }
        let sound = self.signatures.runs().all(|(numbers, record)| {
            record.is_some_and(|first| first.source < self.sources.count() && self.have_rules(numbers, &first))
        });
        let broken = ImageError::Section { section: "signatures", reason: "one has no source or no rule" };
        if sound { Ok(()) } else { Err(broken) }
    }

    /// Makes now what is otherwise made when it is first needed, so that processes that are forked from this one share it.
    pub fn make_ready(&self) {
        for target in Target::ALL.iter().filter(|target| self.rules(**target).is_some()) {
            self.filter(*target);
        }
    }

    /// Where in the image lies what objects of most kinds are asked: for whoever has many processes that do, and can make that easier for them.
    /// Signatures of Windows programs, which are most of all, and digests themselves are not among it.
    #[must_use]
    pub fn asked_often(&self) -> Vec<Range<u64>> {
        let programs = u16::from(Target::Pe.number());
        self.frame.places(ASKED, &|section, item| match section {
            Section::HashDirectory | Section::HashSizes | Section::HashLeads => true,
            section => (Section::Patterns..=Section::Placed).contains(&section) && item != programs,
        })
    }

    /// Checks every checksum: all bytes are those that were written. `between` is called after each MiB, so that whoever
    /// maps a large image can give back what was read. An image that was [verified](Image::verify) when it was built needs no
    /// more.
    ///
    /// # Errors
    /// The first section that is not whole.
    pub fn verify_sums(&self, between: &mut dyn FnMut()) -> Result<(), ImageError> {
        self.frame.verify(between)
    }

    /// How many signatures there are.
    #[must_use]
    pub fn signature_count(&self) -> u32 {
        self.signatures.count()
    }

    /// The name of a signature; absent if there is no such signature.
    #[must_use]
    pub fn name(&self, signature: u32) -> Option<String> {
        self.names.name(signature)
    }

    /// The number of the source that a signature came from, an index into [`Info::sources`].
    #[must_use]
    pub fn source_of(&self, signature: u32) -> Option<u32> {
        self.signatures.record(signature).map(|record| record.source)
    }

    /// What people are told of a YARA rule; absent if the signature is none.
    #[must_use]
    pub fn yara(&self, signature: u32) -> Option<YaraRule> {
        let record =
            self.signatures.record(signature).filter(|record| record.kind == RuleKind::Other && record.item == YARA)?;
        self.yara.details(record.place)
    }

    /// The texts of the YARA rules, in the order in which they are to be compiled.
    pub fn yara_texts(&self) -> impl Iterator<Item = YaraText<'a>> + use<'a> {
        self.yara.texts()
    }

    /// The YARA rules that can be reported: the number of each, its source and its name.
    pub fn yara_rules(&self) -> impl Iterator<Item = (u32, u32, String)> + '_ {
        let rules = self.signatures.of_table(YARA);
        rules.filter_map(|(number, record)| Some((number, record.source, self.names.name(number)?)))
    }

    /// True if there are YARA rules.
    #[must_use]
    pub fn has_yara(&self) -> bool {
        !self.yara.is_empty()
    }

    /// How much a signature says: weak if its name begins with `PUA.`, `Heuristics.` or `BC.Heuristics.`.
    #[must_use]
    pub fn strength(&self, signature: u32) -> Strength {
        self.signatures.record(signature).map_or(Strength::Strong, |record| record.strength)
    }

    /// What the image holds.
    #[must_use]
    pub fn info(&self) -> Info {
        Info {
            format: VERSION,
            size: self.frame.len(),
            content: self.frame.content(),
            signatures: self.signature_count(),
            sources: self.sources.all(),
        }
    }

    /// The signatures of this name, in order. Reads all names.
    #[must_use]
    pub fn find(&self, name: &str) -> Vec<u32> {
        self.names.find(name)
    }

    /// A signature as it was added.
    #[must_use]
    pub fn decode(&self, signature: u32) -> Option<Rule> {
        let record = self.signatures.record(signature)?;
        match record.kind {
            RuleKind::Hash => {
                let (scope, hashes) = self.hashes_of(record.item)?;
                let rule = hashes.entry(record.item, hashes.place(record.item, signature)?)?;
                Some(match scope {
                    Scope::Imports => Rule::Imports(rule),
                    Scope::Object => Rule::Hash(rule),
                    Scope::Section => Rule::Section(rule),
                })
            }
            RuleKind::Body => {
                let (target, rules) = self.rules_of(&record)?;
                rules.decode_body(target, record.place).map(Rule::Body)
            }
            RuleKind::Logical => {
                let (target, rules) = self.rules_of(&record)?;
                rules.decode_logical(target, record.place).map(Rule::Logical)
            }
            RuleKind::Other if record.item == YARA => self.yara.details(record.place).map(Rule::Yara),
            RuleKind::Other if record.item == CERTIFICATES => {
                let (owner, rule) = self.certificates.rule(record.place)?;
                (owner == signature).then(|| Rule::Certificate(rule.clone()))
            }
            RuleKind::Other if record.item == KINDS => {
                let (rule, told) = self.settings.told_by(signature)?;
                let body = self.rules(Target::Any)?.decode_body(Target::Any, rule)?;
                Some(Rule::Kind(KindRule { body, told: told.clone() }))
            }
            RuleKind::Other => {
                let (owner, rule) = self.members.rule(record.place).filter(|_| record.item == MEMBERS)?;
                (owner == signature).then(|| Rule::Member(rule.clone()))
            }
        }
    }

    /// Reads the object once and tells which signatures it fulfils. `all == false`: may stop at the first strong one.
    ///
    /// Objects of five bytes or fewer fulfil none, as in ClamAV.
    #[must_use]
    pub fn examine(&self, object: &View<'_>, budget: &Budget, all: bool) -> Examined {
        Examination::new(self, object, budget, all).run()
    }

    /// As [`Image::examine`], of bytes that were examined as another form already: with the signatures of the target alone.
    #[must_use]
    pub fn examine_again(&self, object: &View<'_>, budget: &Budget, all: bool) -> Examined {
        Examination::new(self, object, budget, all).of_target_alone().run()
    }

    /// Which signatures what an archive says of a member fulfils. `all == false`: stops at the first strong one.
    #[must_use]
    pub fn examine_member(&self, member: &Described<'_>, all: bool) -> Vec<Finding> {
        self.members.examine(member, all)
    }

    /// True if there are signatures of what archives say of their members.
    #[must_use]
    pub fn has_member_rules(&self) -> bool {
        !self.members.is_empty()
    }

    /// Judges a link in a mail by where it leads and what it shows.
    #[must_use]
    pub fn judge_link(&self, real: &[u8], shown: &[u8], options: &LinkOptions) -> Option<Heuristic> {
        self.links.judge(real, shown, options)
    }

    /// True if there are lists of links.
    #[must_use]
    pub fn has_link_lists(&self) -> bool {
        !self.links.is_empty()
    }

    /// True if somebody's programs need not be looked at.
    #[must_use]
    pub fn has_trust(&self) -> bool {
        self.certificates.has_trust()
    }

    /// True if a program with this signature need not be looked at, at a time in seconds since 1970.
    #[must_use]
    pub fn trusts(&self, signature: &Signature, now: i64) -> bool {
        self.certificates.trust(signature, now)
    }

    /// True if a program may be trusted because of its digests ([`Facts::digests`]).
    #[must_use]
    pub fn has_signed_programs(&self) -> bool {
        self.certificates.has_programs()
    }

    /// True if a program with these digests need not be looked at, at a time in seconds since 1970: somebody who is trusted signed a
    /// list of them.
    #[must_use]
    pub fn trusts_program(&self, digests: &Digests, now: i64) -> bool {
        self.certificates.trusts_program(digests, now)
    }

    /// True if an object of any kind is not to be detected, at a time in seconds since 1970, for the same reason.
    #[must_use]
    pub fn trusts_file(&self, source: &dyn Source, now: i64) -> bool {
        self.certificates.has_files() && self.certificates.trusts_file(&digests::of_whole(source), now)
    }

    /// The kind that content tells an object to be by its first bytes. `partition`: it is one, in the image of a disk.
    #[must_use]
    pub fn kind_of(&self, source: &dyn Source, partition: bool) -> Option<FileKind> {
        let head = || read_vec_at(source, 0, Settings::magic_area(partition));
        self.settings.has_magic().then(|| self.settings.kind_of(&head(), partition))?
    }

    /// True if content switches this off.
    #[must_use]
    pub fn is_off(&self, switch: Switch) -> bool {
        self.settings.is_off(switch)
    }

    /// The passwords that are tried on archives of this kind.
    #[must_use]
    pub fn passwords(&self, kind: FileKind) -> Vec<&[u8]> {
        self.settings.passwords(kind)
    }

    /// Is the object's digest on the allow list? Reads the object only if its size occurs there.
    #[must_use]
    pub fn allows(&self, source: &dyn Source) -> bool {
        examine::is_listed(&self.allowed, source)
    }

    /// Do signatures ask for the MD5 of objects of this size? Whoever finds it out tells the object's source.
    #[must_use]
    pub fn wants_md5(&self, size: u64) -> bool {
        self.hashes.wants(DigestKind::Md5, Some(size))
    }

    /// The rules of a target.
    pub(crate) fn rules(&self, target: Target) -> Option<&RuleSet<'a>> {
        self.rules.get(usize::from(target.number()))?.as_ref()
    }

    /// The filter of the patterns of a target and of those of any.
    pub(crate) fn filter(&self, target: Target) -> &Filter {
        let target = if self.rules(target).is_some() { target } else { Target::Any };
        let targets = [Some(target), (target != Target::Any).then_some(Target::Any)];
        let rules = || targets.into_iter().flatten().filter_map(|target| self.rules(target));
        let make = || Filter::new(rules().filter_map(|rules| rules.patterns.as_ref()));
        static NONE: OnceLock<Filter> = OnceLock::new();
        match self.filters.get(usize::from(target.number())) {
            Some(place) => place.get_or_init(make),
            None => NONE.get_or_init(|| Filter::new([])),
        }
    }

    /// What the signatures of a table are about, and the list that the table is of.
    fn hashes_of(&self, table: u16) -> Option<(Scope, &Hashes<'a>)> {
        let scope = List::scope(table)?;
        let hashes = match scope {
            Scope::Imports => &self.imports,
            Scope::Object => &self.hashes,
            Scope::Section => &self.sections,
        };
        Some((scope, hashes))
    }

    fn rules_of(&self, record: &Record) -> Option<(Target, &RuleSet<'a>)> {
        let target = Target::from_number(u32::from(record.item))?;
        Some((target, self.rules(target)?))
    }

    /// Checks that each hash signature stands in its table once, and nothing else in any.
    fn verify_owners(&self) -> Result<(), ImageError> {
        /// What stands in no table, or was found there.
        const NONE: u8 = u8::MAX;
        let total = usize::try_from(self.signature_count()).unwrap_or(usize::MAX);
        // For each signature the table that it must stand in.
        let mut wanted = vec![NONE; total];
        for (numbers, record) in self.signatures.runs() {
            let table = record.filter(|record| record.kind == RuleKind::Hash).map(|record| u8::try_from(record.item));
            let range = usize::try_from(numbers.start).ok().zip(usize::try_from(numbers.end).ok());
            let places = range.and_then(|(start, end)| wanted.get_mut(start..end));
            places.zip(table).into_iter().for_each(|(places, table)| places.fill(table.unwrap_or(NONE)));
        }
        let mut sound = true;
        for hashes in [&self.hashes, &self.sections, &self.imports] {
            hashes.each_owner(&mut |table, signature| {
                let place = usize::try_from(signature).ok().and_then(|at| wanted.get_mut(at));
                let found = place.map(|place| std::mem::replace(place, NONE));
                sound &= found.is_some_and(|found| found != NONE && u16::from(found) == table);
            });
        }
        if sound && wanted.iter().all(|table| *table == NONE) {
            return Ok(());
        }
        Err(ImageError::Section { section: "signatures", reason: "one stands in no table of digests, or in two" })
    }

    /// Has each signature of a run a rule?
    fn have_rules(&self, numbers: Range<u32>, first: &Record) -> bool {
        let is_there = |rules: &RuleSet<'_>, place: u32| match first.kind {
            RuleKind::Body => rules.holds_body(place),
            _ => rules.holds_logical(place),
        };
        let mut places = (0..).zip(numbers.clone()).map(|(distance, _)| first.place.checked_add(distance));
        match first.kind {
            RuleKind::Hash => true,
            RuleKind::Body | RuleKind::Logical => self
                .rules_of(first)
                .is_some_and(|(_, rules)| places.all(|place| place.is_some_and(|place| is_there(rules, place)))),
            RuleKind::Other => numbers.into_iter().all(|signature| self.decode(signature).is_some()),
        }
    }
}
