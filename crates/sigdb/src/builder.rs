//! Collects signatures and writes the image.
//!
//! There are millions of hash signatures, so they are kept packed as they come (28 bytes and 2 to 5 for the name of an MD5),
//! sorted in place, and written. The order of the sections and of everything in them depends on nothing but the calls.

use crate::Refusal;
use crate::certificates::CertificateWriter;
use crate::hashes::HashWriter;
use crate::icons::IconWriter;
use crate::layout::{Section, Writer};
use crate::links::Lists;
use crate::members::MemberWriter;
use crate::model::{
    BodyRule, CatalogRule, CertificateRule, HashRule, IconRule, KindRule, LinkRule, LogicalRule, Magic, MemberRule,
    Password, Scope, SourceInfo, Switch, TrustRule, YaraRule, YaraText,
};
use crate::names::NameWriter;
use crate::rules::RuleWriter;
use crate::settings::Settings;
use crate::signatures::{CERTIFICATES, KINDS, MEMBERS, Record, RuleKind, SignatureWriter, YARA, strength_of};
use crate::sources::SourceWriter;
use crate::yara::YaraWriter;
use dachs_base::{Strength, Target};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Seek, Write};

/// Collects signatures and writes the image. Signatures are numbered in the order in which they are added.
#[derive(Default)]
pub struct Builder {
    sources: SourceWriter,
    names: NameWriter,
    signatures: SignatureWriter,
    hashes: HashWriter,
    rules: BTreeMap<Target, RuleWriter>,
    members: MemberWriter,
    settings: Settings,
    yara: YaraWriter,
    links: Lists,
    icons: IconWriter,
    certificates: CertificateWriter,
}

impl Builder {
    /// An empty builder.
    #[must_use]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Tells of a source; gives its number.
    pub fn source(&mut self, info: SourceInfo) -> u32 {
        self.sources.push(info)
    }

    /// Adds a whole-object digest.
    ///
    /// # Errors
    /// When the image cannot hold it; see [`Refusal`].
    pub fn add_hash(&mut self, source: u32, name: &str, rule: &HashRule) -> Result<(), Refusal> {
        self.add_digest(source, name, Scope::Object, rule)
    }

    /// Adds a digest of whatever `scope` says.
    ///
    /// # Errors
    /// When the image cannot hold it; see [`Refusal`].
    pub fn add_digest(&mut self, source: u32, name: &str, scope: Scope, rule: &HashRule) -> Result<(), Refusal> {
        let signature = self.next(source, name)?;
        let item = self.hashes.push(scope, rule, signature);
        let counts = self.sources.counts(source)?;
        counts.hashes = counts.hashes.saturating_add(1);
        self.push(name, source, RuleKind::Hash, item, 0);
        Ok(())
    }

    /// Adds a signature of one pattern.
    ///
    /// # Errors
    /// When the image or the matcher cannot take it; see [`Refusal`].
    pub fn add_body(&mut self, source: u32, name: &str, rule: &BodyRule) -> Result<(), Refusal> {
        let signature = self.next(source, name)?;
        let place = self.rules.entry(rule.target).or_default().body(rule, signature)?;
        let counts = self.sources.counts(source)?;
        counts.bodies = counts.bodies.saturating_add(1);
        self.push(name, source, RuleKind::Body, u16::from(rule.target.number()), place);
        Ok(())
    }

    /// Adds a logical signature.
    ///
    /// # Errors
    /// When the image or the matcher cannot take it; see [`Refusal`].
    pub fn add_logical(&mut self, source: u32, name: &str, rule: &LogicalRule) -> Result<(), Refusal> {
        let signature = self.next(source, name)?;
        let place = self.rules.entry(rule.target).or_default().logical(rule, signature)?;
        let counts = self.sources.counts(source)?;
        counts.logicals = counts.logicals.saturating_add(1);
        self.push(name, source, RuleKind::Logical, u16::from(rule.target.number()), place);
        Ok(())
    }

    /// Adds a signature of what an archive says of a member.
    ///
    /// # Errors
    /// When the image cannot hold it; see [`Refusal`].
    pub fn add_member(&mut self, source: u32, name: &str, rule: &MemberRule) -> Result<(), Refusal> {
        let signature = self.next(source, name)?;
        let place = self.members.push(rule, signature, name)?;
        self.entry(source, "container metadata", true)?;
        self.push(name, source, RuleKind::Other, MEMBERS, place);
        Ok(())
    }

    /// Counts an entry of a source that is neither a digest nor a pattern: what it is, and whether ClamAV counts such
    /// entries among the signatures that it knows.
    ///
    /// # Errors
    /// When there is no such source.
    pub fn entry(&mut self, source: u32, what: &'static str, known: bool) -> Result<(), Refusal> {
        self.sources.counts(source)?.entry(what, known);
        Ok(())
    }

    /// Adds a whole-object digest of a file of indicators, which ClamAV does not count among its signatures.
    ///
    /// # Errors
    /// When the image cannot hold it; see [`Refusal`].
    pub fn add_indicator(&mut self, source: u32, name: &str, rule: &HashRule) -> Result<(), Refusal> {
        self.add_hash(source, name, rule)?;
        let counts = self.sources.counts(source)?;
        counts.hashes = counts.hashes.saturating_sub(1);
        counts.entry("digests of indicators", false);
        Ok(())
    }

    /// Adds a revoked certificate, which ClamAV does not count among its signatures.
    ///
    /// # Errors
    /// When the image cannot hold it; see [`Refusal`].
    pub fn add_certificate(&mut self, source: u32, name: &str, rule: &CertificateRule) -> Result<(), Refusal> {
        let signature = self.next(source, name)?;
        let place = self.certificates.push(rule, signature)?;
        self.entry(source, "revoked certificates", false)?;
        self.push(name, source, RuleKind::Other, CERTIFICATES, place);
        Ok(())
    }

    /// Adds a certificate that is trusted.
    ///
    /// # Errors
    /// When the image cannot hold it; see [`Refusal`].
    pub fn trust(&mut self, source: u32, rule: TrustRule) -> Result<(), Refusal> {
        if !self.certificates.trust(rule) {
            return Err(Refusal::TooMany("certificates"));
        }
        self.entry(source, "trusted certificates", false)
    }

    /// Adds what somebody signed.
    ///
    /// # Errors
    /// When there are too many catalogs or digests.
    pub fn add_catalog(&mut self, source: u32, rule: CatalogRule) -> Result<(), Refusal> {
        if !self.certificates.push_catalog(rule) {
            return Err(Refusal::TooMany("digests of catalogs"));
        }
        self.entry(source, "catalogs", false)
    }

    /// Adds what icons of a group look like.
    ///
    /// # Errors
    /// When there are too many.
    pub fn add_icon(&mut self, source: u32, rule: IconRule) -> Result<(), Refusal> {
        if !self.icons.push(rule) {
            return Err(Refusal::TooMany("icons"));
        }
        self.entry(source, "icons", true)
    }

    /// Adds a way to tell a kind of files. The last one added counts first.
    ///
    /// # Errors
    /// When there are too many.
    pub fn add_magic(&mut self, source: u32, magic: Magic) -> Result<(), Refusal> {
        if !self.settings.add_magic(magic) {
            return Err(Refusal::TooMany("kinds of files"));
        }
        self.entry(source, "kinds of files", false)
    }

    /// Adds a pattern that tells a kind of files. It has a number and a name as signatures have, but detects nothing.
    ///
    /// # Errors
    /// When the image or the matcher cannot take it; see [`Refusal`].
    pub fn add_kind(&mut self, source: u32, name: &str, rule: &KindRule) -> Result<(), Refusal> {
        let signature = self.next(source, name)?;
        if !self.settings.has_room_for_told() {
            return Err(Refusal::TooMany("kinds of files"));
        }
        let place = self.rules.entry(Target::Any).or_default().every_match(&rule.body, signature)?;
        self.settings.add_told(signature, place, rule.told.clone());
        self.entry(source, "kinds of files", false)?;
        self.push(name, source, RuleKind::Other, KINDS, place);
        Ok(())
    }

    /// Adds a password.
    ///
    /// # Errors
    /// When there are too many.
    pub fn add_password(&mut self, source: u32, password: Password) -> Result<(), Refusal> {
        if !self.settings.add_password(password) {
            return Err(Refusal::TooMany("passwords"));
        }
        self.entry(source, "passwords", false)
    }

    /// Switches something on or off; the last word holds.
    ///
    /// # Errors
    /// When there is no such source.
    pub fn switch(&mut self, source: u32, switch: Switch, on: bool) -> Result<(), Refusal> {
        self.settings.switch(switch, on);
        self.entry(source, "switches", false)
    }

    /// Adds a YARA rule that can be reported. Its text comes by itself: see [`Builder::add_yara_text`].
    ///
    /// # Errors
    /// When the image cannot hold it; see [`Refusal`].
    pub fn add_yara(&mut self, source: u32, name: &str, strength: Strength, rule: &YaraRule) -> Result<(), Refusal> {
        self.next(source, name)?;
        let place = self.yara.details(rule)?;
        self.entry(source, "YARA rules", true)?;
        self.names.push(name);
        self.signatures.push(&Record { kind: RuleKind::Other, strength, item: YARA, source, place });
        Ok(())
    }

    /// Adds the text of a YARA rule, or of an import, to be compiled in this order.
    ///
    /// # Errors
    /// When it is too long, or its source was never given out.
    pub fn add_yara_text(&mut self, text: &YaraText<'_>) -> Result<(), Refusal> {
        self.sources.counts(text.source)?;
        self.yara.text(text)
    }

    /// Adds what a list says of links.
    ///
    /// # Errors
    /// When there are too many, or an expression cannot be compiled.
    pub fn add_link(&mut self, source: u32, rule: LinkRule) -> Result<(), Refusal> {
        let (what, known) = match rule {
            LinkRule::AllowedAddress(_) | LinkRule::AllowedHosts { .. } | LinkRule::AllowedPair(_) => {
                ("allowed links", false)
            }
            LinkRule::Digest { .. } | LinkRule::Host(_) | LinkRule::Pair(_) => ("listed links", true),
        };
        self.links.push(rule)?;
        self.entry(source, what, known)
    }

    /// Adds a digest to the allow list.
    pub fn allow(&mut self, source: u32, rule: &HashRule) {
        self.hashes.allow(rule);
        if let Ok(counts) = self.sources.counts(source) {
            counts.allowed = counts.allowed.saturating_add(1);
        }
    }

    /// Counts a signature of `source` that was left out, by reason.
    pub fn skipped(&mut self, source: u32, reason: &str) {
        self.sources.skipped(source, reason);
    }

    /// How many signatures were added.
    #[must_use]
    pub fn signature_count(&self) -> u32 {
        self.signatures.next().unwrap_or(u32::MAX)
    }

    /// Sorts everything and gives the image. The same calls give the same bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut image = Cursor::new(Vec::new());
        // Memory takes all that is written to it.
        let _ = self.write(&mut image);
        image.into_inner()
    }

    /// Sorts everything and writes the image, from the start of `out` on. Digests are forgotten as they are written, so the
    /// image is never in memory as a whole.
    ///
    /// # Errors
    /// Those of `out`; what it holds then is no image.
    pub fn write(mut self, out: &mut (impl Write + Seek)) -> io::Result<()> {
        self.hashes.sort();
        let mut writer = Writer::new(out);
        let entries = self.sources.write(&mut writer);
        self.names.write(&mut writer);
        self.signatures.write(&mut writer);
        writer.section(Section::Entries, 0, |out| out.extend(entries));
        self.hashes.write(&mut writer);
        for (target, rules) in self.rules {
            rules.finish().write(target, &mut writer);
        }
        self.members.write(&mut writer);
        self.settings.write(&mut writer);
        self.links.write(&mut writer);
        self.icons.write(&mut writer);
        self.certificates.write(&mut writer);
        self.yara.write(&mut writer);
        writer.finish()
    }

    /// Checks what all signatures have in common, and gives the number of the next.
    fn next(&mut self, source: u32, name: &str) -> Result<u32, Refusal> {
        self.sources.counts(source)?;
        NameWriter::check(name)?;
        self.signatures.next().ok_or(Refusal::TooMany("signatures"))
    }

    fn push(&mut self, name: &str, source: u32, kind: RuleKind, item: u16, place: u32) {
        self.names.push(name);
        self.signatures.push(&Record { kind, strength: strength_of(name), item, source, place });
    }
}
