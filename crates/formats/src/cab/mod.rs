//! Microsoft cabinets (the specification [MS-CAB], "Cabinet File Format").
//!
//! ```text
//! CFHEADER | CFFOLDER ... | CFFILE ... | CFDATA ...        header.rs
//!                |              |           |
//!                +--> Block <---+      data.rs (stored, MSZIP, Quantum, LZX)
//! ```
//!
//! The files of a folder are compressed as one, so they are cut from one running decoder ([`Block`]). Files that share a
//! folder stand together, and the decoder of a folder is given up when another folder's file comes.
//!
//! Numbers that the header gives twice, as the length of the cabinet, are not believed. Bytes behind the cabinet, a
//! signature for example, are a member of their own. A data block with a wrong checksum is a remark at the end.
//!
//! Not done: files that begin or end in another cabinet of a set; they are told.

mod data;
mod header;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dachs_base::{Anomaly, Budget, Charge, LimitReached, Memory, Meta, Name, Part, Source};

use self::header::{FROM_PREVIOUS, FROM_PREVIOUS_TO_NEXT, File, Folder, Header, TO_NEXT};
use crate::stream::block::Block;
use crate::stream::{Replay, SourceRead};
use crate::{Found, Search, Unpack};

/// Memory that a folder's entry takes.
const FOLDER: u64 = 16;
/// Length of an entry of the table of files with a name of one byte.
const SHORTEST_FILE: u64 = 18;

/// Goes through the members of a cabinet.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let wrong = Arc::new(AtomicBool::new(false));
    Box::new(Cabinet {
        source: Arc::clone(source),
        budget: budget.clone(),
        wrong,
        phase: Phase::Start,
        found: Found::new(budget),
    })
}

struct Cabinet {
    source: Arc<dyn Source>,
    budget: Budget,
    /// A checksum was wrong.
    wrong: Arc<AtomicBool>,
    phase: Phase,
    found: Found,
}

enum Phase {
    Start,
    Files(Box<Files>),
    /// Everything is told but what stands behind the cabinet, from this offset on.
    End(u64),
    Done,
}

struct Files {
    header: Header,
    folders: Vec<Folder>,
    _memory: Charge,
    /// Where the files are described.
    input: SourceRead,
    left: u16,
    /// The first folder begins in the cabinet before.
    continued: bool,
    /// The folder at hand and its bytes.
    block: Option<(usize, Arc<Block>)>,
}

impl Search for Cabinet {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Start => self.start(),
            Phase::Files(files) => self.next_file(files),
            Phase::End(end) => self.end(end),
            Phase::Done => {
                self.found.end();
                Ok(())
            }
        }
    }
}

impl Files {
    /// Where the cabinet ends, if that is sensible: behind its tables and the start of all data.
    fn end(&self) -> u64 {
        let starts = self.folders.iter().map(|folder| folder.data_at);
        let least = starts.chain([self.input.position()]).max().unwrap_or(u64::MAX);
        if self.header.size >= least { self.header.size } else { u64::MAX }
    }

    /// Files that the header does not count would stand between the table of files and the first data.
    fn untold(&self) -> Option<Anomaly> {
        let first = self.folders.iter().map(|folder| folder.data_at).min()?;
        let free = first.saturating_sub(self.input.position());
        (free >= SHORTEST_FILE).then(|| Anomaly::damaged("there is more in the table of files than the header says"))
    }
}

impl Cabinet {
    fn start(&mut self) -> Result<(), Anomaly> {
        let mut input = SourceRead::new(Arc::clone(&self.source));
        let header = Header::read(&mut input)?;
        let memory = self.budget.reserve(u64::from(header.folders).saturating_mul(FOLDER))?;
        let mut folders = Vec::new();
        for _ in 0..header.folders {
            let folder = Folder::read(&mut input, header.folder_reserve);
            folders.push(folder.map_err(|_| Anomaly::damaged("the table of folders is cut off"))?);
        }
        // The files follow the folders, wherever the header says they are.
        if header.files_at != input.position() {
            input.go_to(header.files_at);
        }
        let left = header.files;
        let files = Files { header, folders, _memory: memory, input, left, continued: false, block: None };
        self.phase = Phase::Files(Box::new(files));
        Ok(())
    }

    fn next_file(&mut self, mut files: Box<Files>) -> Result<(), Anomaly> {
        if files.left == 0 {
            self.phase = Phase::End(files.end());
            files.untold().into_iter().for_each(|anomaly| self.found.remark(None, anomaly));
            return Ok(());
        }
        files.left -= 1;
        let file = File::read(&mut files.input).map_err(|_| Anomaly::damaged("the table of files is cut off"))?;
        let name = Name::new(&file.name);
        let position = u64::from(files.header.files.saturating_sub(files.left).saturating_sub(1));
        let (encrypted, packed) = (false, 0);
        self.found.meta(Meta { name: name.clone(), packed, length: file.size, encrypted, position });
        match self.folder_of(&mut files, &file) {
            Ok(block) => self.give(name.clone(), &file, block)?,
            Err(anomaly) => self.found.remark(Some(name.clone()), anomaly),
        }
        if file.folder == TO_NEXT {
            self.found.remark(Some(name), Anomaly::unsupported("its data go on in another cabinet"));
        }
        self.phase = Phase::Files(files);
        Ok(())
    }

    /// The bytes of the folder that holds a file; none if the file is empty.
    fn folder_of(&mut self, files: &mut Files, file: &File) -> Result<Option<Arc<Block>>, Anomaly> {
        let index = match file.folder {
            FROM_PREVIOUS | FROM_PREVIOUS_TO_NEXT => {
                files.continued = true;
                0
            }
            TO_NEXT => files.folders.len().saturating_sub(1),
            number => usize::from(number),
        };
        if index == 0 && files.continued {
            return Err(Anomaly::unsupported("its data begin in another cabinet"));
        }
        let folder = files.folders.get(index).ok_or_else(|| Anomaly::damaged("its folder is missing"))?;
        if file.size == 0 {
            return Ok(None);
        }
        if let Some(refusal) = data::refusal(folder.method) {
            return Err(refusal);
        }
        Ok(Some(self.block(files, index, *folder)))
    }

    /// The bytes of a folder; those of the folder before are given up.
    fn block(&self, files: &mut Files, index: usize, folder: Folder) -> Arc<Block> {
        if let Some((number, block)) = &files.block
            && *number == index
        {
            return Arc::clone(block);
        }
        files.block = None;
        let (source, budget, wrong) = (Arc::clone(&self.source), self.budget.clone(), Arc::clone(&self.wrong));
        let reserve = files.header.block_reserve;
        let block = Block::new(&self.budget, move || {
            let input = SourceRead::range(Arc::clone(&source), folder.data_at, u64::MAX);
            data::open(input, folder, reserve, &wrong, &budget)
        });
        files.block = Some((index, Arc::clone(&block)));
        block
    }

    fn give(&mut self, name: Name, file: &File, block: Option<Arc<Block>>) -> Result<(), LimitReached> {
        let (start, size) = (file.start, file.size);
        let source: Arc<dyn Source> = match block {
            None => Arc::new(Memory::new(Vec::new())),
            Some(block) => {
                let replay = Replay::new(&self.budget, move || block.open(start, size));
                Arc::new(replay.expecting(Some(size), None))
            }
        };
        self.found.member(name, source, None)
    }

    /// Looks back, and at what stands behind the cabinet.
    fn end(&mut self, end: u64) -> Result<(), Anomaly> {
        if self.wrong.load(Ordering::Relaxed) {
            self.found.remark(None, Anomaly::odd("the checksum of a data block is wrong"));
        }
        let length = self.source.len();
        if end < length {
            let rest = Part::new(Arc::clone(&self.source), end, length - end);
            self.found.member(Name::new(b"trailing data"), Arc::new(rest), None)?;
        }
        Ok(())
    }
}
