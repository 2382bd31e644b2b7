//! A large member, decoded window by window: the decoder pushes, and the reader pulls.
//!
//! Each window is a pass of its own, which throws away what stands before the window and breaks off behind it. Twice as
//! many windows cost four times the work; a window is so large that this hardly matters below a GiB, and the time limit
//! ends the rest.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex};

use dachs_base::{Budget, Charge};
use rars::{ArchiveMember, ExtractionDecision};

use super::Opened;

/// Bytes that one pass keeps.
const WINDOW: usize = 64 << 20;
/// Less than that is no use.
const SMALLEST: u64 = 1 << 20;

/// Reads a member.
pub(super) struct Windows {
    archive: Arc<Opened>,
    /// Which member.
    index: usize,
    budget: Budget,
    size: usize,
    /// Where the window at hand begins in the member, the window, and how much of it was given.
    start: u64,
    window: Vec<u8>,
    at: usize,
    /// The last window was decoded; what went wrong in it.
    ended: Option<Option<ErrorKind>>,
    _memory: Charge,
}

impl Windows {
    pub(super) fn new(archive: &Arc<Opened>, index: usize, budget: &Budget) -> io::Result<Windows> {
        let most = u64::try_from(WINDOW).unwrap_or(u64::MAX).min(budget.memory_left() / 4).max(SMALLEST);
        let memory = budget.reserve(most).map_err(|_| ErrorKind::OutOfMemory)?;
        let size = usize::try_from(most).map_err(|_| ErrorKind::OutOfMemory)?;
        Ok(Windows {
            archive: Arc::clone(archive),
            index,
            budget: budget.clone(),
            size,
            start: 0,
            window: Vec::new(),
            at: 0,
            ended: None,
            _memory: memory,
        })
    }

    fn next_window(&mut self) {
        self.start = self.start.saturating_add(u64::try_from(self.window.len()).unwrap_or(u64::MAX));
        let kept = Arc::new(Mutex::new(Vec::new()));
        let mut writer =
            Some(Cut { skip: self.start, most: self.size, kept: Arc::clone(&kept), budget: self.budget.clone() });
        let (solid, mut index) = (self.archive.archive.is_solid(), 0);
        let result = self.archive.archive.extract_with_control(self.archive.options(&self.budget), |member| {
            let decision = decide(member, index, self.index, solid, &mut writer);
            index += 1;
            Ok(decision)
        });
        self.window = kept.lock().map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default();
        self.at = 0;
        // A full window broke off by itself.
        if self.window.len() < self.size {
            let trouble = if self.budget.check_time().is_err() { ErrorKind::TimedOut } else { ErrorKind::InvalidData };
            self.ended = Some(result.is_err().then_some(trouble));
        }
    }
}

fn decide(
    member: &ArchiveMember,
    index: usize,
    wanted: usize,
    solid: bool,
    writer: &mut Option<Cut>,
) -> ExtractionDecision {
    let no_file = member.meta.is_directory || member.meta.is_redirection;
    match writer.take_if(|_| index == wanted) {
        Some(writer) => ExtractionDecision::Extract(Box::new(writer)),
        None if writer.is_none() => ExtractionDecision::Stop,
        None if solid && !no_file => ExtractionDecision::Extract(Box::new(io::sink())),
        None => ExtractionDecision::Skip,
    }
}

impl Read for Windows {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.window.len() {
            match self.ended {
                Some(None) => return Ok(0),
                Some(Some(trouble)) => return Err(trouble.into()),
                None => self.next_window(),
            }
        }
        let mut rest = self.window.get(self.at..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

/// Throws away the first bytes, keeps the next, and then breaks off.
struct Cut {
    skip: u64,
    most: usize,
    kept: Arc<Mutex<Vec<u8>>>,
    budget: Budget,
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.budget.check_time().map_err(|_| ErrorKind::TimedOut)?;
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip = self.skip.saturating_sub(u64::try_from(skipped).unwrap_or(0));
        let mut kept = self.kept.lock().map_err(|_| ErrorKind::Other)?;
        let room = self.most.saturating_sub(kept.len());
        let rest = bytes.get(skipped..).unwrap_or_default();
        let taken = rest.get(..room).unwrap_or(rest);
        kept.extend_from_slice(taken);
        match taken.is_empty() && !rest.is_empty() {
            true => Err(ErrorKind::WriteZero.into()),
            false => Ok(skipped + taken.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
