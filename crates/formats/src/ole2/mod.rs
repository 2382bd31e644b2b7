//! OLE2 compound files: Office documents before 2007, macro projects, installer databases, mails of Outlook (specification: MS-CFB).
//!
//! A compound file is a small file system. Every stream becomes a member, named by its path. Large streams stand in sectors
//! of the file, small ones in sectors of another stream; either way a member is a list of places, not a copy:
//!
//! ```text
//! header -> DIFAT -> FAT -> directory -> streams
//!                     |         `-> mini-stream -> small streams
//!                     `-> mini-FAT ----^
//! ```
//!
//! Malware breaks the tables on purpose, because programs differ in what they forgive. So a stream is given as far as its
//! chain goes, and what is missing is told; a circle ends where it closes; streams that the directory's tree does not reach
//! are given, too. Bytes that belong to no stream are matched with the file as a whole.
//!
//! What some streams hold is opened here as well, because only their names tell what they are:
//!
//! | stream | what becomes of it |
//! |---|---|
//! | `dir` of a VBA project | the source of each module, [`vba`] |
//! | `\1Ole10Native` | the file in it, [`crate::ole1`] |
//! | `PowerPoint Document` | embedded objects, [`slides`] |
//! | `EncryptedPackage`, `Workbook`, `WordDocument` | their plain form, if a password opens them, [`lock`] |
//! | `Workbook` | the formulas of its macro sheets of Excel 4, as text, [`xlm`] |
//! | those of Hangul word processor documents | their plain form, if they are compressed, [`hwp`] |
//! | the same, and others | a remark if the document is encrypted, [`office`] |
//!
//! Not done: compiled VBA, WordBasic macros of Word 6.

mod chain;
mod directory;
mod file;
mod header;
mod hwp;
mod lock;
mod name;
mod office;
mod slides;
mod vba;
mod xlm;

use std::sync::Arc;

use dachs_base::{Anomaly, AnomalyKind, Budget, Heuristic, LimitReached, Name, Part, Source, read_vec_at};

use self::file::File;
use self::slides::Slides;
use self::vba::Project;
use crate::{Found, Item, Passwords, Search, Unpack, ole1};

/// Macro projects of one file that are read.
const PROJECTS: u32 = 64;
/// Bytes at the start of `WordDocument` that are never encrypted (MS-DOC 2.2.6.2).
const DOCUMENT_START: u64 = 68;

/// Goes through the streams of a compound file.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget, passwords: &Passwords) -> Box<dyn Unpack> {
    let mut found = Found::new(budget);
    let file = match File::open(source, budget) {
        Ok((file, remarks)) => {
            remarks.into_iter().for_each(|anomaly| found.remark(None, anomaly));
            Some(file)
        }
        Err(anomaly) => {
            found.remark(None, anomaly);
            None
        }
    };
    let passwords = passwords.clone();
    let mut compound =
        Compound { passwords, file, found, next: 0, hwp: None, inner: Inner::Nothing, projects: 0, told: false };
    compound.look_for_hwp();
    Box::new(compound)
}

struct Compound {
    passwords: Passwords,
    /// Absent once all is done.
    file: Option<File>,
    found: Found,
    /// The next entry of the directory.
    next: u32,
    inner: Inner,
    projects: u32,
    /// It is a document of Hangul word processor.
    hwp: Option<hwp::Document>,
    /// True once a stream outside the tree was told.
    told: bool,
}

/// The plain form of an encrypted stream, and its name.
type Plain = (String, Arc<dyn Source>);

/// A stream that is being opened further.
enum Inner {
    Nothing,
    Project(Box<Project>),
    Slides(Box<Slides>),
}

impl Search for Compound {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let Some(file) = self.file.as_mut() else {
            self.found.end();
            return Ok(());
        };
        let inner: Option<Item> = match &mut self.inner {
            Inner::Nothing => None,
            Inner::Project(project) => project.next(file),
            Inner::Slides(slides) => slides.next(&file.budget),
        };
        match inner {
            Some(item) => self.found.pass_on(item),
            None => {
                self.inner = Inner::Nothing;
                self.next_entry()?;
            }
        }
        Ok(())
    }
}

impl Compound {
    /// Looks at the next entry of the directory.
    fn next_entry(&mut self) -> Result<(), LimitReached> {
        let Some(file) = self.file.as_mut() else { return Ok(()) };
        let index = self.next;
        if index >= file.directory.count() {
            self.file = None;
            return Ok(());
        }
        self.next = index.saturating_add(1);
        if !file.directory.is_stream(index) {
            return Ok(());
        }
        let Some(entry) = file.directory.entry(index).filter(|entry| entry.size > 0) else { return Ok(()) };
        let folder = file.directory.folder(index);
        let path = Name::new(format!("{folder}{}", entry.name).as_bytes());
        let stream: Arc<dyn Source> = Arc::new(file.stream(&entry));
        // Streams may share sectors, so bytes are charged as if they were unpacked.
        file.budget.charge_bytes(stream.len())?;
        if !file.directory.is_reached(index) && !std::mem::replace(&mut self.told, true) {
            let anomaly = Anomaly::odd("the directory's tree does not lead to it");
            self.found.remark(Some(path.clone()), anomaly);
        }
        let lower = entry.name.to_lowercase();
        let remarks = office::remarks(&lower, &stream, &file.budget);
        let budget = file.budget.clone();
        let encrypted = remarks.iter().any(|remark| remark.kind == AnomalyKind::Encrypted);
        let plain = self.unlocked(index, &lower, &folder, &stream);
        for anomaly in remarks {
            let anomaly = match &plain {
                Some(Ok(_)) if anomaly.kind == AnomalyKind::Encrypted => continue,
                Some(Err(closed)) if anomaly.kind == AnomalyKind::Encrypted => closed.clone(),
                _ => anomaly,
            };
            self.found.remark(Some(path.clone()), anomaly);
        }
        self.found.member(path.clone(), Arc::clone(&stream), Some(entry.size))?;
        let readable =
            plain.as_ref().and_then(|plain| plain.as_ref().ok()?.first()).map(|(_, source)| Arc::clone(source));
        for (name, source) in plain.into_iter().flatten().flatten() {
            self.found.member(Name::new(name.as_bytes()), source, None)?;
        }
        let path_text = format!("{folder}{}", entry.name);
        if matches!(lower.as_str(), "workbook" | "book") && (readable.is_some() || !encrypted) {
            self.old_macros(&path_text, readable.as_ref().unwrap_or(&stream), &budget)?;
        }
        if let Some(source) = self.hwp.and_then(|hwp| hwp.plain(&path_text.to_lowercase(), &stream, &budget)) {
            self.found.member(Name::new(format!("{path_text} (plain)").as_bytes()), source, None)?;
        }
        self.look_inside(index, &lower, &path, folder, stream)
    }

    /// Gives the formulas of a workbook's macro sheets.
    fn old_macros(&mut self, path: &str, stream: &Arc<dyn Source>, budget: &Budget) -> Result<(), LimitReached> {
        if !office::has_old_macros(stream, budget) {
            return Ok(());
        }
        self.found.heuristic(Heuristic::MacrosXlm);
        let text = Arc::new(xlm::text(stream, budget));
        self.found.member(Name::new(format!("{path} (formulas)").as_bytes()), text, None)
    }

    /// Reads what a document of Hangul word processor says of itself.
    fn look_for_hwp(&mut self) {
        let Some(file) = self.file.as_mut() else { return };
        let named = |index: u32| file.directory.entry(index).filter(|entry| entry.name == "FileHeader");
        let Some(entry) = file.directory.streams_in(0).find_map(named) else { return };
        self.hwp = hwp::Document::read(&file.stream(&entry));
        let remark = self.hwp.and_then(hwp::Document::remark);
        remark.into_iter().for_each(|anomaly| self.found.remark(None, anomaly));
    }

    /// The plain forms of an encrypted stream, and of those that are encrypted with it; absent if it is not encrypted in a
    /// way that is known.
    fn unlocked(
        &mut self,
        index: u32,
        lower: &str,
        folder: &str,
        stream: &Arc<dyn Source>,
    ) -> Option<Result<Vec<Plain>, Anomaly>> {
        let budget = self.file.as_ref()?.budget.clone();
        let passwords = self.passwords.clone();
        let (names, streams) = match lower {
            "encryptedpackage" => {
                let (_, info) = self.sibling(index, "encryptioninfo")?;
                let plain = lock::package(info.as_ref(), stream, &budget, &passwords);
                return Some(plain.map(|plain| vec![(format!("{folder}document"), plain)]));
            }
            "workbook" | "book" if lock::stated(stream).is_some() => {
                let plain = lock::obfuscated(lock::stated(stream)?, stream, &budget, &passwords);
                return Some(plain.map(|plain| vec![(format!("{folder}{lower} (plain)"), plain)]));
            }
            "workbook" | "book" => {
                let header = lock::workbook_header(stream)?;
                let streams = [(Arc::clone(stream), lock::Shape::Records)];
                (vec![lower.to_owned()], lock::stream(&header, &streams, &budget, &passwords))
            }
            "worddocument" => {
                let (length, table) = lock::table_header(stream.as_ref())?;
                let (_, table_stream) = self.sibling(index, table)?;
                let header = read_vec_at(table_stream.as_ref(), 0, usize::try_from(length.min(4096)).unwrap_or(0));
                let mut names = vec![lower.to_owned(), table.to_owned()];
                let mut streams = vec![
                    (Arc::clone(stream), lock::Shape::Behind(DOCUMENT_START)),
                    (table_stream, lock::Shape::Behind(length)),
                ];
                if let Some((name, data)) = self.sibling(index, "data") {
                    names.push(name);
                    streams.push((data, lock::Shape::Behind(0)));
                }
                (names, lock::stream(&header, &streams, &budget, &passwords))
            }
            _ => return None,
        };
        let named = |plain: Vec<Arc<dyn Source>>| {
            let names = names.iter().map(|name| format!("{folder}{name} (plain)"));
            names.zip(plain).collect()
        };
        Some(streams.map(named))
    }

    /// A stream in the same storage, by its name in lower case.
    fn sibling(&mut self, index: u32, lower: &str) -> Option<(String, Arc<dyn Source>)> {
        let file = self.file.as_mut()?;
        let storage = file.directory.parent(index)?;
        let named = |index: u32| Some((index, file.directory.entry(index)?)).filter(|(_, entry)| entry.size > 0);
        let mut entries = file.directory.streams_in(storage).filter_map(named);
        let (_, entry) = entries.find(|(_, entry)| entry.name.to_lowercase() == lower)?;
        drop(entries);
        let stream: Arc<dyn Source> = Arc::new(file.stream(&entry));
        Some((entry.name, stream))
    }

    /// Opens streams that hold something else.
    fn look_inside(
        &mut self,
        index: u32,
        lower: &str,
        path: &Name,
        folder: String,
        stream: Arc<dyn Source>,
    ) -> Result<(), LimitReached> {
        let Some(file) = self.file.as_mut() else { return Ok(()) };
        match lower {
            "\u{1}ole10native" => {
                let Some(payload) = ole1::stream(&stream) else { return Ok(()) };
                file.budget.charge_bytes(payload.length.min(stream.len()))?;
                let name = [path.as_bytes(), b"/", label(&payload.name)].concat();
                let source = Arc::new(Part::new(stream, payload.start, payload.length));
                self.found.member(Name::new(&name), source, Some(payload.length))?;
            }
            "dir" if self.projects < PROJECTS => {
                if let Some(project) = Project::open(file, index) {
                    self.found.heuristic(Heuristic::MacrosVba);
                    self.projects += 1;
                    self.inner = Inner::Project(Box::new(project));
                }
            }
            "dir" => {
                let anomaly = Anomaly::damaged("too many macro projects; this one was not read");
                self.found.remark(Some(path.clone()), anomaly);
            }
            "powerpoint document" => self.inner = Inner::Slides(Box::new(Slides::open(folder, stream))),
            _ => {}
        }
        Ok(())
    }
}

/// A name for what an object holds.
fn label(name: &[u8]) -> &[u8] {
    if name.is_empty() { b"content" } else { name }
}
