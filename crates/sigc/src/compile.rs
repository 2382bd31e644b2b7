//! From sources to an image: reads each source line by line and feeds the builder.
//!
//! Nothing is kept of a line once it is read, so that the memory used is that of the builder. What is left out is counted
//! by its reason, in the image and in [`Compilation::problems`].

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Seek, Write};

use dachs_sigdb::model::{
    BodyRule, CatalogRule, CertificateRule, HashRule, IconRule, KindRule, LinkRule, LogicalRule, Magic, MemberRule,
    Password, Scope, SourceInfo, Switch, TrustRule,
};
use dachs_sigdb::{Builder, Refusal};
use flate2::read::MultiGzDecoder;

use crate::ignore::Ignored;
use crate::input::Origin;
use crate::kind::{self, Kind};
use crate::lines::{Bounded, Lines, MOST};
use crate::refused::{Parsed, Refused};
use crate::yara::Yara;
use crate::{
    Error, Input, Problem, Selector, bytecode, catalog, certificate, container, hash, icon, indicator, link, logical,
    magic, member, name, ndb, password, switch,
};

/// What was asked for besides the sources.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Take signatures of potentially unwanted programs too: the kinds whose names end with `u`.
    pub unwanted: bool,
    /// Of those, which by their categories.
    pub categories: Categories,
    /// Leave body signatures (`.ndb` and the like) out that are named after phishing.
    pub no_phishing: bool,
    /// Who is trusted for signatures beside containers; they are not looked at if nobody is asked for.
    pub roots: Option<Roots>,
    /// YARA rules to take; all if there is none.
    pub only: Vec<Selector>,
    /// YARA rules not to take.
    pub without: Vec<Selector>,
}

/// Who is trusted for signatures that stand beside containers.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// Their certificates.
    pub certificates: Vec<dachs_pki::Certificate>,
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// Which potentially unwanted programs, by the categories in names such as `PUA.Win.Packer.Name`: those between `PUA` and the name
/// itself. Only names of that form have any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Categories {
    /// All.
    #[default]
    All,
    /// Those of one of these categories.
    Only(Vec<String>),
    /// Those of none of these categories.
    Without(Vec<String>),
}

impl Categories {
    /// Is a signature of this name wanted?
    fn take(&self, name: &str) -> bool {
        let parts: Vec<&str> = name.split('.').collect();
        let (first, categories) = match parts.as_slice() {
            [first, categories @ .., _] => (*first, categories),
            _ => ("", &[][..]),
        };
        let named = |list: &Vec<String>| categories.iter().any(|part| list.iter().any(|category| category == part));
        match self {
            Categories::All => true,
            Categories::Only(list) => first == "PUA" && named(list),
            Categories::Without(list) => first == "PUA" && !named(list),
        }
    }
}

/// What came of a compilation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compilation {
    /// The image; see `dachs_sigdb::Image`.
    pub image: Vec<u8>,
    /// What was left out and why: one entry for each reason in each source; with a line for each fault in YARA rules.
    pub problems: Vec<Problem>,
}

/// Compiles sources without options. They are read in the order given, which matters for lists of what to leave out.
///
/// # Errors
/// At the first source that cannot be read, and at the first malformed line; there is no image then.
pub fn compile(sources: &[Input]) -> Result<Compilation, Error> {
    compile_with(sources, &Options::default())
}

/// Compiles sources; see [`compile`].
///
/// # Errors
/// As [`compile`].
pub fn compile_with(sources: &[Input], options: &Options) -> Result<Compilation, Error> {
    let (builder, problems) = read(sources, options)?;
    Ok(Compilation { image: builder.finish(), problems })
}

/// Compiles sources into a file, so that the image is never in memory as a whole; gives what was left out and why. See
/// [`compile`].
///
/// # Errors
/// As [`compile`], and when the image cannot be written.
pub fn compile_into(
    sources: &[Input],
    options: &Options,
    out: &mut (impl Write + Seek),
) -> Result<Vec<Problem>, Error> {
    let (builder, problems) = read(sources, options)?;
    builder.write(out).map_err(Error::Unwritten)?;
    Ok(problems)
}

fn read(sources: &[Input], options: &Options) -> Result<(Builder, Vec<Problem>), Error> {
    let mut compiler = Compiler { options: options.clone(), ..Compiler::default() };
    sources.iter().try_for_each(|source| compiler.input(source))?;
    Ok(compiler.finish())
}

/// How far a source is trusted, which its signatures' names show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    BuiltIn,
    Official,
    Unofficial,
}

/// A source that is being read.
pub(crate) struct Member {
    pub(crate) info: SourceInfo,
    pub(crate) kind: Kind,
    pub(crate) trust: Trust,
    /// It holds signatures of unwanted programs only.
    pub(crate) unwanted: bool,
}

#[derive(Default)]
pub(crate) struct Compiler {
    pub(crate) builder: Builder,
    pub(crate) options: Options,
    pub(crate) ignored: Ignored,
    pub(crate) yara: Yara,
    /// The numbers of the sources, by name.
    numbers: HashMap<String, u32>,
    /// How often each reason occurred in each source.
    left_out: BTreeMap<(u32, String), u64>,
    /// How often something else is to be told of each source.
    told: BTreeMap<(u32, String), u64>,
    names: Vec<String>,
    /// Room for the name of a signature as it is shown.
    shown: String,
    pub(crate) problems: Vec<Problem>,
}

/// True for the names of ClamAV's signatures of phishing (observed: in `.ndb` alone).
fn is_phishing(line: &str) -> bool {
    line.starts_with("HTML.Phishing") || line.starts_with("Email.Phishing")
}

/// What a line gives.
enum Entry {
    Allow(HashRule),
    Body(BodyRule),
    Certificate(CertificateRule),
    Hash(Scope, HashRule),
    Kind(KindRule),
    Logical(LogicalRule),
    Member(MemberRule),
}

/// What a line gives that has no name.
enum Setting {
    Catalog(CatalogRule),
    Icon(IconRule),
    Link(LinkRule),
    Magic(Magic),
    Password(Password),
    Switches(Vec<(Switch, bool)>),
    Trust(TrustRule),
}

impl Compiler {
    fn input(&mut self, input: &Input) -> Result<(), Error> {
        let (name, zipped) = kind::ungzipped(input.name());
        let (kind, unwanted) = match kind::of(name) {
            Some((Kind::Paper, _)) | None => return self.unknown(input),
            Some(known) => known,
        };
        if let Kind::Container(form) = kind {
            return container::load(self, input, form);
        }
        let reader = input.open().map_err(|error| Error::reading(name, error))?;
        let reader: Box<dyn Read> = if zipped { Box::new(MultiGzDecoder::new(reader)) } else { reader };
        let trust = if input.origin == Origin::BuiltIn { Trust::BuiltIn } else { Trust::Unofficial };
        let info = SourceInfo { name: name.to_owned(), ..SourceInfo::default() };
        let mut reader = BufReader::with_capacity(1 << 16, Bounded::new(reader, MOST));
        if kind == Kind::Yara {
            return self.rules(&info, Some(input), &mut reader);
        }
        self.member(Member { info, kind, trust, unwanted }, &mut reader)
    }

    /// A source of no known kind.
    fn unknown(&mut self, input: &Input) -> Result<(), Error> {
        match input.origin {
            Origin::Listed => self.problem(input.name(), "not a source of signatures, left out"),
            _ => return Err(Error::Unknown { name: input.name().to_owned() }),
        }
        Ok(())
    }

    /// Tells of something that is about a source as a whole.
    pub(crate) fn problem(&mut self, source: &str, reason: &str) {
        self.problems.push(Problem { source: source.to_owned(), line: None, reason: reason.to_owned() });
    }

    /// Reads one source, or one member of a container.
    pub(crate) fn member(&mut self, member: Member, reader: &mut dyn BufRead) -> Result<(), Error> {
        if member.kind == Kind::Yara {
            return self.rules(&member.info, None, reader);
        }
        let number = self.number(&member.info);
        match member.kind {
            Kind::Catalog => return self.catalog(&member, number, reader),
            Kind::Bytecode => return self.program(&member, number, reader),
            Kind::Indicators => return self.indicators(&member, number, reader),
            _ => {}
        }
        let mut lines = Lines::new(reader);
        loop {
            let at = lines.number.saturating_add(1);
            let located = |reason: String| Problem { source: member.info.name.clone(), line: Some(at), reason };
            let line = lines.next().map_err(|error| match Error::reading(&member.info.name, error) {
                Error::Malformed(problem) => Error::Malformed(located(problem.reason)),
                other => other,
            })?;
            let Some(line) = line else { return Ok(()) };
            if !line.starts_with(b"#") {
                self.line(&member, number, at, line).map_err(|reason| Error::Malformed(located(reason)))?;
            }
        }
    }

    /// The number of a source; sources of one name are one.
    pub(crate) fn number(&mut self, info: &SourceInfo) -> u32 {
        if let Some(number) = self.numbers.get(&info.name) {
            return *number;
        }
        let number = self.builder.source(info.clone());
        self.numbers.insert(info.name.clone(), number);
        self.names.push(info.name.clone());
        number
    }

    /// Takes one line; gives the reason if it is malformed.
    fn line(&mut self, member: &Member, number: u32, at: u64, line: &[u8]) -> Result<(), String> {
        if member.unwanted && !self.options.unwanted {
            self.leave_out(number, "PUA (not asked for)");
            return Ok(());
        }
        // Nearly all lines are ASCII, which this tells faster than what has to look for what is none.
        let text = std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed);
        let parsed = match member.kind {
            Kind::Allow => hash::parse(&text, Scope::Object).map(|(name, rule)| (name, Entry::Allow(rule))),
            Kind::Body if self.options.no_phishing && is_phishing(&text) => {
                self.leave_out(number, "phishing (not asked for)");
                return Ok(());
            }
            Kind::Body => ndb::parse(&text).map(|(name, rule)| (name, Entry::Body(rule))),
            Kind::BodyPlain => ndb::parse_plain(&text).map(|(name, rule)| (name, Entry::Body(rule))),
            Kind::Certificate if line.is_empty() => return Ok(()),
            Kind::Certificate => match certificate::parse(&text) {
                Ok(certificate::Line::Revoked(name, rule)) => Ok((name, Entry::Certificate(rule))),
                Ok(certificate::Line::Trusted(rule)) => return self.setting(number, Ok(Setting::Trust(rule))),
                Err(refused) => Err(refused),
            },
            Kind::Hash => digest(&text, Scope::Object),
            Kind::HashOfImports => digest(&text, Scope::Imports),
            Kind::HashOfSection => digest(&text, Scope::Section),
            Kind::Logical => logical::parse(&text).map(|(name, rule)| (name, Entry::Logical(rule))),
            Kind::Icon => return self.setting(number, icon::parse(&text).map(Setting::Icon)),
            Kind::Link(_) if line.is_empty() => return Ok(()),
            Kind::Link(list) => return self.setting(number, link::parse(&text, list).map(Setting::Link)),
            Kind::Magic => match magic::parse(&text) {
                Ok(magic::Line::Beginning(magic)) => return self.setting(number, Ok(Setting::Magic(magic))),
                Ok(magic::Line::Body(name, rule)) => Ok((name, Entry::Body(rule))),
                Ok(magic::Line::Pattern(name, rule)) => Ok((name, Entry::Kind(rule))),
                Err(refused) => Err(refused),
            },
            Kind::Member => member::parse(&text).map(|(name, rule)| (name, Entry::Member(rule))),
            Kind::MemberOld(of) => member::parse_old(&text, of).map(|(name, rule)| (name, Entry::Member(rule))),
            Kind::Password => return self.setting(number, password::parse(&text).map(Setting::Password)),
            Kind::Switch => return self.setting(number, switch::parse(&text).map(Setting::Switches)),
            Kind::IgnoreLines => return ended(self.ignored.add_line(&text)),
            Kind::IgnoreNames => return ended(self.ignored.add_name(&text)),
            // These have no lines.
            Kind::Bytecode | Kind::Catalog | Kind::Container(_) | Kind::Indicators | Kind::Paper | Kind::Yara => {
                return Ok(());
            }
        };
        match parsed {
            Ok((name, _)) if self.ignored.holds(&member.info.name, at, name, line) => {
                self.leave_out(number, "named by an ignore list");
            }
            Ok((name, _)) if member.unwanted && !self.options.categories.take(name) => {
                self.leave_out(number, "PUA (of a category that was not asked for)");
            }
            Ok((name, entry)) => self.add(number, name, member.trust, entry)?,
            Err(Refused::Malformed(reason)) => return Err(reason.into_owned()),
            Err(Refused::NotForUs(reason) | Refused::Unsupported(reason)) => self.leave_out(number, &reason),
        }
        Ok(())
    }

    /// Adds a rule; gives the reason if it turns out to be malformed.
    fn add(&mut self, number: u32, name: &str, trust: Trust, entry: Entry) -> Result<(), String> {
        let mut shown = std::mem::take(&mut self.shown);
        shown.clear();
        shown.push_str(name);
        // Names of certificates are as they are, as in ClamAV.
        if trust == Trust::Unofficial && !matches!(entry, Entry::Certificate(_)) {
            shown.push_str(name::UNOFFICIAL);
        }
        let added = match entry {
            Entry::Allow(rule) => {
                self.builder.allow(number, &rule);
                Ok(())
            }
            Entry::Body(rule) => self.builder.add_body(number, &shown, &rule),
            Entry::Certificate(rule) => self.builder.add_certificate(number, &shown, &rule),
            Entry::Hash(scope, rule) => self.builder.add_digest(number, &shown, scope, &rule),
            Entry::Kind(rule) => self.builder.add_kind(number, &shown, &rule),
            Entry::Logical(rule) => self.builder.add_logical(number, &shown, &rule),
            Entry::Member(rule) => self.builder.add_member(number, &shown, &rule),
        };
        self.shown = shown;
        match added {
            Ok(()) => {}
            Err(malformed @ Refusal::MalformedRegex(_)) => return Err(malformed.to_string()),
            Err(refusal) => self.leave_out(number, &refusal.to_string()),
        }
        Ok(())
    }

    /// Takes what a line says that has no name.
    fn setting(&mut self, number: u32, parsed: Parsed<Setting>) -> Result<(), String> {
        let added = match parsed {
            Ok(Setting::Catalog(rule)) => self.builder.add_catalog(number, rule),
            Ok(Setting::Icon(rule)) => self.builder.add_icon(number, rule),
            Ok(Setting::Link(rule)) => self.builder.add_link(number, rule),
            Ok(Setting::Magic(magic)) => self.builder.add_magic(number, magic),
            Ok(Setting::Password(password)) => self.builder.add_password(number, password),
            Ok(Setting::Switches(switches)) => {
                switches.into_iter().try_for_each(|(switch, on)| self.builder.switch(number, switch, on))
            }
            Ok(Setting::Trust(rule)) => self.builder.trust(number, rule),
            Err(Refused::Malformed(reason)) => return Err(reason.into_owned()),
            Err(Refused::NotForUs(reason) | Refused::Unsupported(reason)) => {
                self.leave_out(number, &reason);
                Ok(())
            }
        };
        if let Err(refusal) = added {
            self.leave_out(number, &refusal.to_string());
        }
        Ok(())
    }

    /// Counts a program, which is not run.
    fn program(&mut self, member: &Member, number: u32, reader: &mut dyn BufRead) -> Result<(), Error> {
        let failed = |error| Error::reading(&member.info.name, error);
        let mut lines = Lines::new(reader);
        let mut next = || lines.next().map(|line| line.map(|line| String::from_utf8_lossy(line).into_owned()));
        let header = next().map_err(failed)?.unwrap_or_default();
        let second = next().map_err(failed)?.unwrap_or_default();
        if member.trust == Trust::Unofficial {
            self.leave_out(number, "bytecode without a digital signature");
            return Ok(());
        }
        let counted = match bytecode::parse(&header, &second) {
            Ok(bytecode::Trigger::Logical) => self.builder.entry(number, "bytecode, not run", true),
            Ok(bytecode::Trigger::Hook) => self.builder.entry(number, "bytecode of hooks, not run", false),
            Err(Refused::Malformed(reason)) => return Err(Error::malformed(&member.info.name, reason)),
            Err(Refused::NotForUs(reason) | Refused::Unsupported(reason)) => {
                self.leave_out(number, &reason);
                return Ok(());
            }
        };
        match counted {
            Ok(()) => self.tell(number, "not run: programs for ClamAV's virtual machine (bytecode)"),
            Err(refusal) => self.leave_out(number, &refusal.to_string()),
        }
        Ok(())
    }

    /// Takes a catalog.
    fn catalog(&mut self, member: &Member, number: u32, reader: &mut dyn BufRead) -> Result<(), Error> {
        let bytes = whole(member, reader, catalog::LONGEST)?;
        let parsed = match bytes.len() > catalog::LONGEST {
            true => Err(Refused::unsupported(format!("a catalog of more than {} bytes", catalog::LONGEST))),
            false => catalog::parse(&bytes),
        };
        self.setting(number, parsed.map(Setting::Catalog)).map_err(|reason| Error::malformed(&member.info.name, reason))
    }

    /// Takes the digests of a file of indicators. Their names are the file's and the digest's.
    fn indicators(&mut self, member: &Member, number: u32, reader: &mut dyn BufRead) -> Result<(), Error> {
        let bytes = whole(member, reader, indicator::LONGEST)?;
        if bytes.len() > indicator::LONGEST {
            let reason = format!("more than {} bytes of XML", indicator::LONGEST);
            return Err(Error::malformed(&member.info.name, reason));
        }
        let text = String::from_utf8_lossy(&bytes);
        let (digests, broken) = indicator::digests(&text);
        let file = member.info.name.rsplit('/').next().unwrap_or_default();
        for (written, rule) in digests {
            let name = format!("{file}.{written}");
            let shown = if member.trust == Trust::Unofficial { name::unofficial(&name) } else { name };
            if let Err(refusal) = self.builder.add_indicator(number, &shown, &rule) {
                self.leave_out(number, &refusal.to_string());
            }
        }
        (0..broken).for_each(|_| self.leave_out(number, "a content that is no digest"));
        Ok(())
    }

    /// Counts something about a source that a person should know.
    fn tell(&mut self, number: u32, what: &str) {
        let count = self.told.entry((number, what.to_owned())).or_default();
        *count = count.saturating_add(1);
    }

    pub(crate) fn leave_out(&mut self, number: u32, reason: &str) {
        self.builder.skipped(number, reason);
        let count = self.left_out.entry((number, reason.to_owned())).or_default();
        *count = count.saturating_add(1);
    }

    fn finish(mut self) -> (Builder, Vec<Problem>) {
        let left_out =
            self.left_out.iter().map(|((number, reason), count)| (number, format!("{count} left out: {reason}")));
        let told = self.told.iter().map(|((number, what), count)| (number, format!("{count} {what}")));
        for (number, reason) in left_out.chain(told) {
            let source = usize::try_from(*number).ok().and_then(|at| self.names.get(at));
            self.problems.push(Problem { source: source.cloned().unwrap_or_default(), line: None, reason });
        }
        (self.builder, self.problems)
    }
}

/// All bytes of a source, and one more than `most` if there are more.
fn whole(member: &Member, reader: &mut dyn BufRead, most: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(most).read_to_end(&mut bytes).map_err(|error| Error::reading(&member.info.name, error))?;
    Ok(bytes)
}

fn digest(text: &str, scope: Scope) -> Parsed<(&str, Entry)> {
    hash::parse(text, scope).map(|(name, rule)| (name, Entry::Hash(scope, rule)))
}

fn ended(parsed: Result<(), Refused>) -> Result<(), String> {
    match parsed {
        Err(Refused::Malformed(reason)) => Err(reason.into_owned()),
        _ => Ok(()),
    }
}
