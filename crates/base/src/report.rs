//! What a scan found out about one file, and the one-word answer.
//!
//! A [`Report`] leaves a jailed worker as a bounded message and is read as hostile. It names signatures by number
//! ([`Cause::Signature`]); their names come from the image on the trusted side. Names of members are raw bytes chosen by
//! a file's author: whoever shows them escapes them.

use crate::{Anomaly, FileKind, Limits, MediaFault};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The name of a member inside its parent: raw bytes, at most [`Name::LONGEST`] of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Name(Vec<u8>);

impl Name {
    /// Longer names are cut to this many bytes.
    pub const LONGEST: usize = 1024;

    /// A name, cut to [`Name::LONGEST`] bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Name {
        Name(bytes.iter().take(Name::LONGEST).copied().collect())
    }

    /// The bytes, as the file's author wrote them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The way from a file to an object inside it: one name a level, outermost first. Empty for the file itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ObjectPath(pub Vec<Name>);

impl ObjectPath {
    /// How much of [`Report::PATHS`] it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.0.iter().map(|name| name.as_bytes().len().saturating_add(size_of::<Name>())).sum()
    }

    /// The path of a member of this object.
    #[must_use]
    pub fn child(&self, name: Name) -> ObjectPath {
        let mut names = self.0.clone();
        names.push(name);
        ObjectPath(names)
    }
}

/// How much a detection says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Strength {
    /// A heuristic, or software that is unwanted rather than malicious.
    Weak,
    /// Malware, as far as its signature is right.
    Strong,
}

/// A judgement of the engine itself, without a signature. The names follow ClamAV's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Heuristic {
    /// Partitions of Apple's partition map share blocks.
    ApmIntersection,
    /// An animated cursor whose header is not of its size (MS05-002).
    AnimatedCursor,
    /// An executable whose header makes no sense.
    BrokenExecutable,
    /// A picture that breaks the rules of its format.
    BrokenMedia(MediaFault),
    /// Numbers of credit cards.
    CardNumbers,
    /// A 7z archive is encrypted, or members of it are.
    Encrypted7z,
    /// Members of an ARJ archive are encrypted.
    EncryptedArj,
    /// An EGG archive is encrypted.
    EncryptedEgg,
    /// An Office document is encrypted.
    EncryptedOle2,
    /// A PDF document is encrypted with a password.
    EncryptedPdf,
    /// A RAR archive is encrypted, or members of it are.
    EncryptedRar,
    /// Members of a ZIP archive are encrypted.
    EncryptedZip,
    /// Partitions of a GUID partition table share sectors.
    GptIntersection,
    /// A comment in a JPEG that is shorter than its own size (MS04-028).
    JpegComment,
    /// A document has Visual Basic macros.
    MacrosVba,
    /// A workbook has Excel 4 macros.
    MacrosXlm,
    /// Partitions of a master boot record share sectors.
    MbrIntersection,
    /// Names in a PDF that mean something are written so that nobody finds them.
    PdfObfuscatedName,
    /// Social security numbers.
    PersonNumbers,
    /// A link in a mail leads to an address that lists block.
    PhishingBlocked,
    /// A link in a mail hides control characters in its address.
    PhishingCloaked,
    /// A link in a mail shows one address and leads to another.
    PhishingSpoofed,
    /// A link in a mail shows an encrypted page and leads to one that is not.
    PhishingUnencrypted,
    /// A link in a mail leads to an address that a list of Safe Browsing names for malware.
    SafeBrowsingMalware,
    /// The same, for phishing.
    SafeBrowsingPhishing,
    /// The dictionary of an xz stream is larger than 1 GiB.
    XzDictionary,
    /// Members of a ZIP archive share their bytes, as in an overlap bomb.
    ZipOverlappingFiles,
}

impl Heuristic {
    /// The name shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Heuristic::ApmIntersection => "Heuristics.APMPartitionIntersection",
            Heuristic::AnimatedCursor => "Heuristics.Exploit.W32.MS05-002",
            Heuristic::BrokenExecutable => "Heuristics.Broken.Executable",
            Heuristic::BrokenMedia(fault) => fault.name(),
            Heuristic::CardNumbers => "Heuristics.Structured.CreditCardNumber",
            Heuristic::Encrypted7z => "Heuristics.Encrypted.7Zip",
            Heuristic::EncryptedArj => "Heuristics.Encrypted.ARJ",
            Heuristic::EncryptedEgg => "Heuristics.Encrypted.EGG",
            Heuristic::EncryptedOle2 => "Heuristics.Encrypted.OLE2",
            Heuristic::EncryptedPdf => "Heuristics.Encrypted.PDF",
            Heuristic::EncryptedRar => "Heuristics.Encrypted.RAR",
            Heuristic::EncryptedZip => "Heuristics.Encrypted.Zip",
            Heuristic::GptIntersection => "Heuristics.GPTPartitionIntersection",
            Heuristic::JpegComment => "Heuristics.Exploit.W32.MS04-028",
            Heuristic::MacrosVba => "Heuristics.OLE2.ContainsMacros.VBA",
            Heuristic::MacrosXlm => "Heuristics.OLE2.ContainsMacros.XLM",
            // Sic.
            Heuristic::MbrIntersection => "Heuristics.MBRPartitionnIntersect",
            Heuristic::PdfObfuscatedName => "Heuristics.PDF.ObfuscatedNameObject",
            Heuristic::PersonNumbers => "Heuristics.Structured.SSN",
            Heuristic::PhishingBlocked => "Heuristics.Phishing.URL.Blocked",
            Heuristic::PhishingCloaked => "Heuristics.Phishing.Email.Cloaked.Null",
            Heuristic::PhishingSpoofed => "Heuristics.Phishing.Email.SpoofedDomain",
            Heuristic::PhishingUnencrypted => "Heuristics.Phishing.Email.SSL-Spoof",
            Heuristic::SafeBrowsingMalware => "Heuristics.Safebrowsing.Suspected-malware_safebrowsing.clamav.net",
            Heuristic::SafeBrowsingPhishing => "Heuristics.Safebrowsing.Suspected-phishing_safebrowsing.clamav.net",
            Heuristic::XzDictionary => "Heuristics.XZ.DicSizeLimit",
            Heuristic::ZipOverlappingFiles => "Heuristics.Zip.OverlappingFiles",
        }
    }
}

/// Why something was detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Cause {
    /// The engine's own judgement.
    Heuristic(Heuristic),
    /// The signature with this number in the image.
    Signature(u32),
}

/// What the evaluation of one object's hits gives: a signature fulfilled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The signature's number in the image.
    pub signature: u32,
    /// How much it says.
    pub strength: Strength,
    /// Where in the object it was first seen; absent for whole-object hashes.
    pub offset: Option<u64>,
}

/// Where a string of a YARA rule matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedString {
    /// Which of the rule's strings, from 0. The image on the trusted side knows their names.
    pub string: u16,
    /// Where in the object.
    pub offset: u64,
    /// How many bytes matched.
    pub length: u64,
    /// The first of these bytes, at most [`MatchedString::EXCERPT`]; bytes of a file, to be escaped by whoever shows them.
    pub bytes: Vec<u8>,
}

impl MatchedString {
    /// So many bytes of a match are told.
    pub const EXCERPT: usize = 32;
    /// So many matches are told of one detection.
    pub const MOST: usize = 16;
}

/// Something detected in one object of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// Why.
    pub cause: Cause,
    /// How much it says.
    pub strength: Strength,
    /// Which object; empty for the file itself.
    pub object: ObjectPath,
    /// What that object is.
    pub kind: FileKind,
    /// Where in that object, if that can be said.
    pub offset: Option<u64>,
    /// Where strings of a YARA rule matched; empty for all other signatures. Not all matches: see [`MatchedString::MOST`].
    pub strings: Vec<MatchedString>,
}

/// How far a scan came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Bytes of all objects that were looked at, the file's own included.
    pub bytes: u64,
    /// Objects that were looked at, the file itself included.
    pub objects: u64,
    /// Objects known to exist that were not looked at, or not wholly.
    pub skipped: u64,
}

impl Coverage {
    /// Adds what was looked at besides.
    pub fn add(&mut self, other: Coverage) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.objects = self.objects.saturating_add(other.objects);
        self.skipped = self.skipped.saturating_add(other.skipped);
    }
}

/// All that a scan found out about one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What the file is; absent if that was never found out.
    pub kind: Option<FileKind>,
    /// What was detected.
    pub detections: Vec<Detection>,
    /// How many further detections were dropped, because [`Limits::detections`] was reached or the report became too long.
    pub detections_dropped: u64,
    /// What a reader should know.
    pub anomalies: Vec<Anomaly>,
    /// How many further anomalies were dropped because [`Limits::anomalies`] was reached.
    pub anomalies_dropped: u64,
    /// True if one of the anomalies, kept or dropped, is a gap.
    pub gap: bool,
    /// How far the scan came.
    pub coverage: Coverage,
}

impl Report {
    /// So many bytes may the paths of all detections have: several times what a message holds.
    pub const PATHS: usize = 1 << 20;

    /// A report that says only why the file was not scanned.
    #[must_use]
    pub fn unscanned(anomaly: Anomaly) -> Report {
        let mut report = Report { coverage: Coverage { skipped: 1, ..Coverage::default() }, ..Report::default() };
        report.note(anomaly, &Limits::default());
        report
    }

    /// Adds an anomaly, or counts it when there are already [`Limits::anomalies`].
    pub fn note(&mut self, anomaly: Anomaly, limits: &Limits) {
        self.gap |= anomaly.kind.is_gap();
        if u64::try_from(self.anomalies.len()).unwrap_or(u64::MAX) < u64::from(limits.anomalies) {
            self.anomalies.push(anomaly);
        } else {
            self.anomalies_dropped = self.anomalies_dropped.saturating_add(1);
        }
    }

    /// Adds what was found out later, as if all had been said to this report one after another: the same anomaly twice in a row is
    /// one, and so is the same detection twice among those of one object. `repeats`: `later` has left such an anomaly out.
    /// `None` where that does not tell what the report would be, because something was dropped.
    pub fn append(&mut self, later: Report, repeats: bool, limits: &Limits) -> Option<()> {
        let is_over = |count: usize, most: u32| u64::try_from(count).unwrap_or(u64::MAX) > u64::from(most);
        let anomalies = self.anomalies.len().saturating_add(later.anomalies.len());
        if later.anomalies_dropped > 0 || repeats && is_over(anomalies, limits.anomalies) {
            return None;
        }
        if later.detections_dropped > 0 || self.detections_dropped > 0 && !later.detections.is_empty() {
            return None;
        }
        for anomaly in later.anomalies {
            if self.anomalies.last() != Some(&anomaly) {
                self.note(anomaly, limits);
            }
        }
        self.append_detections(later.detections);
        let paths = self.detections.iter().fold(0_usize, |sum, found| sum.saturating_add(found.object.weight()));
        if is_over(self.detections.len(), limits.detections) || paths > Report::PATHS {
            return None;
        }
        self.gap |= later.gap;
        self.coverage.add(later.coverage);
        Some(())
    }

    fn append_detections(&mut self, later: Vec<Detection>) {
        let mut causes: HashSet<Cause> = HashSet::new();
        if let Some(last) = self.detections.last() {
            let same = self.detections.iter().rev().take_while(|found| found.object == last.object);
            causes = same.map(|found| found.cause).collect();
        }
        for found in later {
            if self.detections.last().is_none_or(|last| last.object != found.object) {
                causes.clear();
            }
            if causes.insert(found.cause) {
                self.detections.push(found);
            }
        }
    }

    /// The one-word answer.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.detections.iter().map(|detection| detection.strength).max() {
            Some(Strength::Strong) => Verdict::Detected,
            // A gap could hide a strong detection, but what was found is the more useful answer.
            Some(Strength::Weak) => Verdict::Suspicious,
            None if self.gap => Verdict::Incomplete,
            None => Verdict::Clean,
        }
    }
}

/// The one-word answer about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// Every byte that could be looked at was, and nothing was found.
    Clean,
    /// Only weak detections.
    Suspicious,
    /// Nothing was found, but something was not looked at.
    Incomplete,
    /// At least one strong detection.
    Detected,
    /// The scan could not be made.
    Error,
}

impl Verdict {
    /// The word used in JSON; never changes.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Verdict::Clean => "clean",
            Verdict::Suspicious => "suspicious",
            Verdict::Incomplete => "incomplete",
            Verdict::Detected => "detected",
            Verdict::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detection(strength: Strength) -> Detection {
        Detection {
            cause: Cause::Signature(0),
            strength,
            object: ObjectPath::default(),
            kind: FileKind::Data,
            offset: None,
            strings: Vec::new(),
        }
    }

    #[test]
    fn a_gap_is_never_clean() {
        let limits = Limits { anomalies: 0, ..Limits::default() };
        let mut report = Report::default();
        assert_eq!(report.verdict(), Verdict::Clean);
        report.note(Anomaly::odd("x"), &limits);
        assert_eq!(report.verdict(), Verdict::Clean);
        report.note(Anomaly::damaged("x"), &limits);
        assert_eq!((report.verdict(), report.anomalies_dropped), (Verdict::Incomplete, 2));
    }

    #[test]
    fn the_strongest_detection_decides() {
        let mut report = Report::unscanned(Anomaly::damaged("x"));
        report.detections.push(detection(Strength::Weak));
        assert_eq!(report.verdict(), Verdict::Suspicious);
        report.detections.push(detection(Strength::Strong));
        assert_eq!(report.verdict(), Verdict::Detected);
    }
}
