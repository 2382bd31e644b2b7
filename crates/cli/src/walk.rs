//! Finds the files to scan.
//!
//! [`Walk`] is an iterator of [`Step`]s: files to be scanned, and what there is to say about the rest. The order depends
//! on names alone (arguments as given, names in a directory by their bytes), so two walks of the same tree give the same
//! steps.
//!
//! ```text
//! argument ──> Frame ──> Frame ──> Frame ──> name ──> Step::File(Candidate)  opened later, see input.rs
//!              asleep    open      open
//! ```
//!
//! *Races.* Every name is looked up relative to an open directory and without following links, so nobody can turn a
//! component of a path into a link under the walk. A symbolic link is followed only where the caller asked for it.
//!
//! *Deep trees.* The stack of frames is a vector, paths are never passed to the kernel whole, and at most [`AWAKE`]
//! directories are open: those further up sleep and are opened again through `..` (or from the argument downwards), and
//! the walk goes on only if the device and inode are the same as before.
//!
//! *Links.* With [`Follow::Always`] for directories each directory is entered once an argument, known by device and inode. That ends
//! loops, and trees of links that multiply.

mod candidate;
mod filter;
mod frame;
mod lookup;
mod patterns;
mod skip;

pub(crate) use candidate::Candidate;
pub(crate) use filter::Exclude;
pub(crate) use frame::Identity;
pub(crate) use lookup::said;
pub(crate) use patterns::{Patterns, expressions};
pub(crate) use skip::{Skip, special};

use std::collections::HashSet;
use std::ffi::{CString, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

use clap::ValueEnum;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, FileType, Stat, fstat};
use rustix::io::Errno;

use frame::Frame;
use lookup::{open_directory, status};

/// How many directories are open at once.
const AWAKE: usize = 24;

/// Which symbolic links are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Follow {
    /// None, not even arguments.
    Never,
    /// Those given as arguments.
    #[default]
    Arguments,
    /// All; each directory is still entered only once an argument.
    Always,
}

/// What a walk goes into.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Which symbolic links to files are followed.
    pub(crate) follow: Follow,
    /// Which symbolic links to directories are followed.
    pub(crate) follow_directories: Follow,
    /// True if a link that is given as an argument and not followed is left out, rather than wrong.
    pub(crate) pass_over_links: bool,
    /// How many directories inside each other are entered, an argument counted; `None` for all.
    pub(crate) levels: Option<usize>,
    /// What is left out by regular expressions.
    pub(crate) patterns: Patterns,
    /// True to stay on the file system of each argument.
    pub(crate) one_file_system: bool,
    /// What is left out.
    pub(crate) exclude: Exclude,
    /// A directory that is not entered: the one that detected files are put into.
    pub(crate) avoid: Option<Identity>,
}

/// What a walk comes by.
#[derive(Debug)]
pub(crate) enum Step {
    /// A regular file.
    File(Candidate),
    /// The argument `-`.
    Stdin,
    /// Something that should have been looked at and cannot be.
    Gap {
        /// Where.
        path: Vec<u8>,
        /// Why.
        reason: String,
    },
    /// An argument that makes no sense.
    Wrong {
        /// Which.
        path: Vec<u8>,
        /// Why.
        reason: String,
    },
    /// Something that is not scanned on purpose.
    Skipped {
        /// Where.
        path: Vec<u8>,
        /// Why.
        why: Skip,
    },
}

/// The walk over all arguments.
pub(crate) struct Walk {
    options: Options,
    arguments: std::vec::IntoIter<OsString>,
    stack: Vec<Frame>,
    /// The path of the topmost frame, or of what was last found in it.
    path: Vec<u8>,
    /// The device of the argument at hand.
    device: u64,
    /// How many directories were entered.
    entered: u64,
    visited: HashSet<Identity>,
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            if let Some(step) = self.next_in_tree() {
                return Some(step);
            }
            let argument = self.arguments.next()?;
            if let Some(step) = self.start(argument.into_vec()) {
                return Some(step);
            }
        }
    }
}

/// So many files pay for a start that takes longer: see [`dachs_pool::Workload`].
const MANY: usize = 100;

/// Are many files to be found? A folder within a folder counts as many.
pub(crate) fn are_many(arguments: &[OsString]) -> bool {
    let mut count = 0_usize;
    arguments.iter().any(|argument| {
        count = count.saturating_add(files_below(argument));
        count >= MANY
    })
}

/// How many files there are, up to as many as count.
fn files_below(argument: &OsString) -> usize {
    let Ok(entries) = fs::read_dir(argument) else { return 1 };
    let mut files = 0;
    for entry in entries.flatten().take(MANY) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            return MANY;
        }
        files += 1;
    }
    files
}

impl Walk {
    /// A walk over these files and directories.
    pub(crate) fn new(arguments: Vec<OsString>, options: Options) -> Walk {
        Walk {
            options,
            arguments: arguments.into_iter(),
            stack: Vec::new(),
            path: Vec::new(),
            device: 0,
            entered: 0,
            visited: HashSet::new(),
        }
    }

    /// How many directories were entered so far.
    pub(crate) fn entered(&self) -> u64 {
        self.entered
    }

    /// Begins with an argument: a step for a file, or a first frame for a directory.
    fn start(&mut self, argument: Vec<u8>) -> Option<Step> {
        if argument == b"-" {
            return Some(Step::Stdin);
        }
        self.path.clone_from(&argument);
        self.visited.clear();
        if self.options.exclude.covers(&argument) {
            return Some(self.skipped(Skip::Excluded));
        }
        let Ok(name) = CString::new(argument) else {
            return Some(self.wrong("the path holds a zero byte"));
        };
        match self.argument_status(&name) {
            Ok((stat, follow)) => self.start_with(name, follow, &stat),
            Err(error @ (Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP | Errno::INVAL)) => {
                Some(self.wrong(&said(error)))
            }
            Err(error) => Some(self.gap(&said(error))),
        }
    }

    /// What stands under the name of an argument, and whether links in it are followed.
    fn argument_status(&self, name: &CString) -> Result<(Stat, bool), Errno> {
        if self.options.follow == Follow::Never && self.options.follow_directories == Follow::Never {
            return Ok((status(CWD, name, false)?, false));
        }
        let stat = status(CWD, name, true)?;
        match self.follow(&stat) {
            Follow::Never => Ok((status(CWD, name, false)?, false)),
            _ => Ok((stat, true)),
        }
    }

    /// Which links to such a file are followed.
    fn follow(&self, stat: &Stat) -> Follow {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.options.follow_directories,
            _ => self.options.follow,
        }
    }

    fn start_with(&mut self, name: CString, follow: bool, stat: &Stat) -> Option<Step> {
        self.device = stat.st_dev;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.enter(CWD, name, follow, true),
            FileType::RegularFile if self.options.patterns.leave_out_file(&self.path) => {
                Some(self.skipped(Skip::Excluded))
            }
            FileType::RegularFile => {
                Some(Step::File(Candidate { follow, ..Candidate::new(self.path.clone(), name, stat) }))
            }
            FileType::Symlink if self.options.pass_over_links => Some(self.skipped(Skip::SymbolicLink)),
            FileType::Symlink => Some(self.wrong("it is a symbolic link, and --follow-symlinks never was given")),
            other => {
                let what = special(other).label();
                Some(self.wrong(&format!("it is a {what}; files, directories and - can be scanned")))
            }
        }
    }

    /// Goes on in the directories at hand; `None` when all are done.
    fn next_in_tree(&mut self) -> Option<Step> {
        loop {
            let sleeps = self.stack.last()?.directory.is_none();
            if sleeps && !self.wake_from_start() {
                return self.give_up();
            }
            let frame = self.stack.last_mut()?;
            self.path.truncate(frame.path_length);
            match frame.next_name() {
                Ok(Some(name)) => {
                    if let Some(step) = self.visit(name) {
                        return Some(step);
                    }
                }
                Ok(None) => self.leave(),
                Err(error) => return Some(self.gap(&format!("the directory cannot be read: {}", said(error)))),
            }
        }
    }

    /// Looks at one name in the topmost directory.
    fn visit(&mut self, name: CString) -> Option<Step> {
        if self.path.last() != Some(&b'/') {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name.as_bytes());
        if self.options.exclude.covers(&self.path) {
            return Some(self.skipped(Skip::Excluded));
        }
        let frame = self.stack.last()?;
        let (directory, kernel) = (frame.directory.clone()?, frame.kernel);
        match status(&directory, &name, false) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                self.visit_link(directory, name, kernel)
            }
            Ok(stat) => self.visit_with(directory, name, false, kernel, &stat),
            Err(error) => Some(self.lookup_failed(error)),
        }
    }

    fn visit_link(&mut self, directory: Arc<OwnedFd>, name: CString, kernel: bool) -> Option<Step> {
        if self.options.follow != Follow::Always && self.options.follow_directories != Follow::Always {
            return Some(self.skipped(Skip::SymbolicLink));
        }
        match status(&directory, &name, true) {
            Ok(stat) if self.follow(&stat) != Follow::Always => Some(self.skipped(Skip::SymbolicLink)),
            Ok(stat) => self.visit_with(directory, name, true, kernel, &stat),
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Some(self.skipped(Skip::DeadLink)),
            Err(error) => Some(self.gap(&said(error))),
        }
    }

    fn visit_with(&mut self, at: Arc<OwnedFd>, name: CString, follow: bool, kernel: bool, stat: &Stat) -> Option<Step> {
        let foreign = self.options.one_file_system && stat.st_dev != self.device;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory | FileType::RegularFile if foreign => Some(self.skipped(Skip::OtherFileSystem)),
            FileType::Directory => self.enter(at.as_fd(), name, follow, false),
            FileType::RegularFile if self.options.patterns.leave_out_file(&self.path) => {
                Some(self.skipped(Skip::Excluded))
            }
            FileType::RegularFile => {
                let found = Candidate::new(self.path.clone(), name, stat);
                Some(Step::File(Candidate { directory: Some(at), follow, kernel, ..found }))
            }
            other => Some(self.skipped(special(other))),
        }
    }

    /// Opens a directory and puts it on the stack.
    fn enter(&mut self, at: BorrowedFd<'_>, name: CString, follow: bool, first: bool) -> Option<Step> {
        if self.options.levels.is_some_and(|levels| self.stack.len() >= levels) {
            return Some(self.skipped(Skip::TooDeep));
        }
        if self.options.patterns.leave_out_directory(&self.path) {
            return Some(self.skipped(Skip::Excluded));
        }
        let opened = open_directory(at, &name, follow).and_then(|directory| Ok((fstat(&directory)?, directory)));
        let (stat, directory) = match opened {
            Ok(opened) => opened,
            Err(error) => return Some(self.lookup_failed(error)),
        };
        let identity = Identity::from(&stat);
        let parent = self.stack.last().map(|frame| (frame.identity.device, frame.kernel));
        let kernel = match parent {
            Some((device, kernel)) if device == identity.device => kernel,
            _ => filter::is_made_by_kernel(&directory),
        };
        if kernel && !first && parent.is_some_and(|(_, kernel)| !kernel) {
            return Some(self.skipped(Skip::KernelFileSystem));
        }
        if self.options.avoid == Some(identity) {
            return Some(self.skipped(Skip::Excluded));
        }
        if self.options.one_file_system && identity.device != self.device {
            return Some(self.skipped(Skip::OtherFileSystem));
        }
        if self.options.follow_directories == Follow::Always && !self.visited.insert(identity) {
            return Some(self.skipped(Skip::AlreadyVisited));
        }
        let mut frame = Frame::new(directory, identity, name, self.path.len());
        (frame.kernel, frame.by_link) = (kernel, follow);
        self.push(frame);
        None
    }

    fn push(&mut self, frame: Frame) {
        self.entered = self.entered.saturating_add(1);
        self.stack.push(frame);
        if let Some(index) = self.stack.len().checked_sub(AWAKE + 1)
            && let Some(sleeper) = self.stack.get_mut(index)
        {
            sleeper.sleep();
        }
    }

    /// Takes the topmost directory off the stack and opens the one before again, should it sleep.
    fn leave(&mut self) {
        let left = self.stack.pop();
        if let (Some(left), Some(frame)) = (left, self.stack.last_mut())
            && frame.directory.is_none()
        {
            let parent = left.directory.as_ref().and_then(|directory| open_directory(directory, c"..", false).ok());
            // If `..` leads elsewhere by now, the walk tries from the start.
            drop(parent.map(|directory| frame.wake(directory)));
        }
    }

    /// Leaves a directory that cannot be opened again, and says so.
    fn give_up(&mut self) -> Option<Step> {
        let frame = self.stack.pop()?;
        self.path.truncate(frame.path_length);
        Some(self.gap("the directory was moved while it was walked; part of it was not seen"))
    }

    /// Opens the topmost directory again by the names that led to it.
    fn wake_from_start(&mut self) -> bool {
        let mut at: Option<OwnedFd> = None;
        for frame in &self.stack {
            let from = at.as_ref().map_or(CWD, AsFd::as_fd);
            match open_directory(from, &frame.name, frame.by_link) {
                Ok(directory) => at = Some(directory),
                Err(_) => return false,
            }
        }
        match (at, self.stack.last_mut()) {
            (Some(directory), Some(frame)) => frame.wake(directory).is_ok(),
            _ => false,
        }
    }

    fn lookup_failed(&self, error: Errno) -> Step {
        match error {
            Errno::NOENT => self.skipped(Skip::Vanished),
            Errno::LOOP | Errno::NOTDIR => self.gap("it changed while it was opened"),
            other => self.gap(&said(other)),
        }
    }

    fn gap(&self, reason: &str) -> Step {
        Step::Gap { path: self.path.clone(), reason: reason.to_owned() }
    }

    fn wrong(&self, reason: &str) -> Step {
        Step::Wrong { path: self.path.clone(), reason: reason.to_owned() }
    }

    fn skipped(&self, why: Skip) -> Step {
        Step::Skipped { path: self.path.clone(), why }
    }
}

#[cfg(test)]
mod tests;
