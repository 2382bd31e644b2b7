//! What a scan looks into, and what it reports besides signatures, as whoever asks for it chooses.
//!
//! `clamscan` fills these in from its command line and a service from its configuration; they travel to the worker with
//! each request. The default is everything that `dachs scan` does: all readers, the few heuristics that are sure, no
//! alerts about what is merely unusual. Limits are in [`crate::Limits`].

use serde::{Deserialize, Serialize};

use crate::{FileKind, Heuristic};

/// All choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// What is reported of unusual objects.
    pub alerts: Alerts,
    /// Leave heuristics out that are no alerts (`--heuristic-alerts=no`).
    pub no_heuristics: bool,
    /// Do not judge links in mails (`--phishing-scan-urls=no`).
    pub no_links: bool,
    /// Match objects only as they are, not in normalised forms (`--normalize=no`).
    pub no_normalising: bool,
    /// Nobody's signature makes a program clean (`--nocerts`).
    pub no_trust: bool,
    /// A weak detection ends the scan like a strong one (`--heuristic-scan-precedence`).
    pub precedence: bool,
    /// Kinds that are matched as they are only.
    pub closed: Closed,
    /// Numbers of persons and cards that are looked for in texts; none unless asked for.
    pub structured: Option<Structured>,
}

impl Switches {
    /// The default.
    pub const STANDARD: Switches = Switches {
        alerts: Alerts {
            broken: false,
            broken_media: false,
            encrypted_archives: false,
            encrypted_documents: false,
            links_cloaked: false,
            links_unencrypted: false,
            macros: false,
            partitions: false,
        },
        no_heuristics: false,
        no_links: false,
        no_normalising: false,
        no_trust: false,
        precedence: false,
        closed: Closed {
            archive: false,
            elf: false,
            html: false,
            hwp3: false,
            image: false,
            mail: false,
            ole2: false,
            onenote: false,
            pdf: false,
            pe: false,
            swf: false,
            xml_documents: false,
        },
        structured: None,
    };

    /// True if this judgement is to be reported.
    #[must_use]
    pub fn wants(&self, heuristic: Heuristic) -> bool {
        match heuristic {
            Heuristic::ApmIntersection | Heuristic::GptIntersection | Heuristic::MbrIntersection => {
                self.alerts.partitions
            }
            Heuristic::BrokenExecutable => self.alerts.broken,
            Heuristic::BrokenMedia(_) => self.alerts.broken_media,
            Heuristic::CardNumbers | Heuristic::PersonNumbers => self.structured.is_some(),
            Heuristic::Encrypted7z
            | Heuristic::EncryptedArj
            | Heuristic::EncryptedEgg
            | Heuristic::EncryptedRar
            | Heuristic::EncryptedZip => self.alerts.encrypted_archives,
            Heuristic::EncryptedOle2 | Heuristic::EncryptedPdf => self.alerts.encrypted_documents,
            Heuristic::MacrosVba | Heuristic::MacrosXlm => self.alerts.macros,
            _ => !self.no_heuristics,
        }
    }
}

/// Unusual objects that are reported, each with a heuristic of ClamAV's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alerts {
    /// Executables with headers that make no sense.
    pub broken: bool,
    /// Pictures that are damaged.
    pub broken_media: bool,
    /// Archives with members that no password opened.
    pub encrypted_archives: bool,
    /// Documents that no password opened.
    pub encrypted_documents: bool,
    /// Links in mails whose address hides control characters, of any host.
    pub links_cloaked: bool,
    /// Links in mails that show an encrypted page and lead to another, of any host.
    pub links_unencrypted: bool,
    /// Documents with macros.
    pub macros: bool,
    /// Partitions that share sectors.
    pub partitions: bool,
}

/// Kinds of objects that are not taken apart, as ClamAV's `--scan-…=no` group them. They are matched as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the option of that name")]
pub struct Closed {
    pub archive: bool,
    pub elf: bool,
    pub html: bool,
    pub hwp3: bool,
    pub image: bool,
    pub mail: bool,
    pub ole2: bool,
    pub onenote: bool,
    pub pdf: bool,
    pub pe: bool,
    pub swf: bool,
    pub xml_documents: bool,
}

impl Closed {
    /// True if objects of this kind are not taken apart.
    #[must_use]
    pub fn holds(&self, kind: FileKind) -> bool {
        use crate::Class;
        match kind {
            FileKind::Elf | FileKind::PackedElf => self.elf,
            FileKind::Html => self.html,
            FileKind::Hwp3 => self.hwp3,
            FileKind::Mail | FileKind::Mhtml | FileKind::Tnef => self.mail,
            FileKind::Ole2 => self.ole2,
            FileKind::OneNote => self.onenote,
            FileKind::Pdf => self.pdf,
            FileKind::Pe | FileKind::PackedPe => self.pe,
            FileKind::Swf => self.swf,
            FileKind::Hwpml | FileKind::Svg | FileKind::Xdp | FileKind::Xml | FileKind::XmlWord | FileKind::XmlXl => {
                self.xml_documents
            }
            _ => match kind.class() {
                Class::Archive | Class::Stream => self.archive,
                Class::Media => self.image,
                _ => false,
            },
        }
    }
}

/// What is looked for in texts, and how many distinct numbers of a sort it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Structured {
    /// Numbers of cards; at least 1.
    pub cards: u32,
    /// Count numbers of credit cards only, no debit cards (`--structured-cc-mode=1`).
    pub credit_only: bool,
    /// Social security numbers of the United States; at least 1.
    pub persons: u32,
    /// How those are written.
    pub form: Form,
}

/// How social security numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// `123-45-6789`
    #[default]
    Dashed,
    /// `123456789`
    Plain,
    /// Either.
    Both,
}
