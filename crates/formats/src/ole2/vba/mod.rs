//! VBA projects in compound files: the source of their modules (MS-OVBA).
//!
//! A storage with a stream `dir` is a project. `dir` names the modules; each stands in a stream beside it, compiled code
//! first and the compressed source behind that:
//!
//! ```text
//! VBA/dir       compressed: module Module1, stream "Module1", source at 0x0483, ...
//! VBA/Module1   [compiled code][compressed source]   -> VBA/Module1.bas
//! ```
//!
//! Whoever damages `dir`, or the offsets in it, still leaves the sources: streams of the project that `dir` does not explain
//! are searched for the compressed form of the word `Attribute`, with which every source begins.
//!
//! Compiled code is not decompiled. A module that has nothing else is told as unsupported; one whose source differs from
//! its compiled code cannot be noticed.

mod decompress;
mod project;

use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Name, Source, read_vec_at};

use self::decompress::{Container, SIGNATURE};
use self::project::{MODULES, Module};
use super::chain::wide;
use super::file::File;
use crate::stream::{Replay, SourceRead};
use crate::{Item, Member};

/// A `dir` stream is read up to this size.
const LONGEST_DIR: usize = 256 * 1024;
/// What a module costs in memory besides its names.
const MODULE: usize = 160;
/// Streams of one project at most.
const STREAMS: usize = 1 << 14;
/// How a compressed source begins behind its signature and the two bytes of its first chunk: eight literals.
const BEGINNING: &[u8] = b"\x00Attribut";
/// Bytes that are searched for that at once.
const WINDOW: usize = 64 * 1024;
/// Memory for a decoder: a chunk, its data and the input's buffer.
const MEMORY: u64 = 48 * 1024;

/// A project whose modules are being given.
pub(super) struct Project {
    /// The path of its storage, with a `/` behind.
    folder: String,
    /// Streams that were not looked at yet.
    streams: VecDeque<u32>,
    /// What `dir` says, by the name of the stream in lower case.
    modules: HashMap<String, Module>,
    remarks: Vec<Anomaly>,
    _memory: Option<Charge>,
}

impl Project {
    /// Reads the project whose `dir` stream is the given entry.
    pub(super) fn open(file: &mut File, dir: u32) -> Option<Project> {
        let entry = file.directory.entry(dir)?;
        let stream: Arc<dyn Source> = Arc::new(file.stream(&entry));
        // Other programs may call a stream so, too.
        if read_vec_at(stream.as_ref(), 0, 1) != [SIGNATURE] {
            return None;
        }
        let budget = file.budget.clone();
        let memory = budget.reserve(wide(LONGEST_DIR * 3 + MODULES * MODULE + STREAMS * 4));
        let mut remarks = Vec::new();
        let mut modules = HashMap::new();
        match &memory {
            Ok(_) => modules = read_dir(&stream, &budget, &mut remarks),
            Err(reached) => remarks.push((*reached).into()),
        }
        let parent = file.directory.parent(dir).unwrap_or(0);
        let streams: VecDeque<u32> = file.directory.streams_in(parent).take(STREAMS).collect();
        if streams.len() == STREAMS {
            remarks.push(Anomaly::damaged("a macro project with too many streams; not all were read"));
        }
        Some(Project { folder: file.directory.folder(dir), streams, modules, remarks, _memory: memory.ok() })
    }

    /// The next module, or a remark.
    pub(super) fn next(&mut self, file: &mut File) -> Option<Item> {
        if let Some(anomaly) = self.remarks.pop() {
            let member = Some(Name::new(format!("{}dir", self.folder).as_bytes()));
            return Some(Item::Anomaly { member, anomaly });
        }
        while let Some(index) = self.streams.pop_front() {
            if let Err(reached) = file.budget.check_time() {
                self.streams.clear();
                return Some(Item::Anomaly { member: None, anomaly: reached.into() });
            }
            let found = self.module(file, index);
            if found.is_some() {
                return found;
            }
        }
        let missing = self.modules.keys().next().cloned()?;
        let module = self.modules.remove(&missing)?;
        Some(Item::Anomaly {
            member: Some(self.name(&module)),
            anomaly: Anomaly::damaged("the stream of this macro module is missing"),
        })
    }

    fn name(&self, module: &Module) -> Name {
        let extension = if module.class { "cls" } else { "bas" };
        Name::new(format!("{}{}.{extension}", self.folder, module.name).as_bytes())
    }

    fn module(&mut self, file: &mut File, index: u32) -> Option<Item> {
        let entry = file.directory.entry(index)?;
        let stated = self.modules.remove(&entry.name.to_lowercase());
        if stated.is_none() && is_no_module(&entry.name) {
            return None;
        }
        let stream: Arc<dyn Source> = Arc::new(file.stream(&entry));
        let offset = stated.as_ref().map(|module| u64::from(module.offset));
        let start = offset.filter(|offset| begins_at(stream.as_ref(), *offset));
        let start = start.or_else(|| search(stream.as_ref(), &file.budget));
        let start = start.or_else(|| offset.filter(|offset| read_vec_at(stream.as_ref(), *offset, 1) == [SIGNATURE]));
        let module = stated.clone().unwrap_or_else(|| Module { name: entry.name.clone(), ..Module::default() });
        let name = self.name(&module);
        match start {
            Some(start) => Some(give(name, stream, start, &file.budget)),
            None if stated.is_some() && !stream.is_empty() => {
                let text = "this macro module has no readable source; its compiled code cannot be looked into";
                Some(Item::Anomaly { member: Some(name), anomaly: Anomaly::unsupported(text) })
            }
            None => None,
        }
    }
}

/// Streams of a project that hold no source (MS-OVBA 2.2).
fn is_no_module(name: &str) -> bool {
    name.eq_ignore_ascii_case("dir") || name.eq_ignore_ascii_case("_VBA_PROJECT") || name.starts_with("__SRP_")
}

fn read_dir(stream: &Arc<dyn Source>, budget: &Budget, remarks: &mut Vec<Anomaly>) -> HashMap<String, Module> {
    let plain = decoded(stream, 0, budget);
    let bytes = read_vec_at(&plain, 0, LONGEST_DIR);
    remarks.extend(plain.problem());
    let (modules, whole) = project::modules(&bytes);
    if !whole {
        remarks.push(Anomaly::damaged("the list of macro modules is broken; sources were searched for"));
    }
    let key = |module: &Module| if module.stream.is_empty() { &module.name } else { &module.stream }.to_lowercase();
    modules.into_iter().map(|module| (key(&module), module)).collect()
}

fn give(name: Name, stream: Arc<dyn Source>, start: u64, budget: &Budget) -> Item {
    if let Err(reached) = budget.charge_object() {
        return Item::Anomaly { member: Some(name), anomaly: reached.into() };
    }
    let packed_size = Some(stream.len().saturating_sub(start));
    Item::Member(Member { name, source: Arc::new(decoded(&stream, start, budget)), packed_size })
}

/// The plain bytes of the container at `start`.
fn decoded(stream: &Arc<dyn Source>, start: u64, budget: &Budget) -> Replay {
    let (stream, fence) = (Arc::clone(stream), budget.clone());
    Replay::new(budget, move || {
        let make = || Ok(Container::new(SourceRead::range(Arc::clone(&stream), start, u64::MAX)));
        let decoder: Box<dyn Read + Send> = Box::new(crate::stream::Fenced::new(&fence, MEMORY, make)?);
        Ok(decoder)
    })
}

/// True if a container seems to stand there: its signature, and a chunk's.
fn begins_at(stream: &dyn Source, offset: u64) -> bool {
    matches!(*read_vec_at(stream, offset, 3), [SIGNATURE, _, high] if high & 0x70 == 0x30)
}

/// Looks for the beginning of a source.
fn search(stream: &dyn Source, budget: &Budget) -> Option<u64> {
    let mut at = 0;
    while budget.check_time().is_ok() {
        let window = read_vec_at(stream, at, WINDOW);
        let found = window
            .windows(BEGINNING.len() + 3)
            .position(|bytes| bytes.first() == Some(&SIGNATURE) && bytes.ends_with(BEGINNING));
        if let Some(found) = found {
            return at.checked_add(u64::try_from(found).ok()?);
        }
        if window.len() < WINDOW {
            return None;
        }
        at = at.saturating_add(u64::try_from(WINDOW - BEGINNING.len() - 3).ok()?);
    }
    None
}
