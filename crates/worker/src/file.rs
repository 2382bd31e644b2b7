//! The file at hand as a source of bytes.
//!
//! Read with `pread`, never mapped: a file that is cut short under a map kills the reader. Its size is what it was when
//! it was opened; a read that ends before is a problem, bytes behind are not looked at. Small reads, as parsers of headers
//! make them by the thousand, are served from a few windows that are kept: a read goes to the kernel once per window. A small file
//! is read once for all who go through it.

use dachs_base::{Anomaly, AnomalyKind, HELD, Source, copy_at};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Size of a window in bytes; a power of two.
const WINDOW: usize = 16 << 10;
/// How many windows are kept: parsers jump between a few places (header, directory, data).
const KEPT: usize = 4;
/// Reads of at most this many bytes go through the windows.
const SMALL: usize = 4 << 10;

/// The file at hand.
#[derive(Debug)]
pub struct FileSource {
    file: OwnedFd,
    size: u64,
    state: Mutex<State>,
    /// All bytes, once somebody asked for them; the absence inside means that there are too many, or that they could not be read.
    whole: OnceLock<Option<Vec<u8>>>,
    /// Once somebody told it.
    md5: OnceLock<[u8; 16]>,
}

#[derive(Debug, Default)]
struct State {
    windows: [Window; KEPT],
    problem: Option<Anomaly>,
}

/// Bytes of the file from `start`, which is a multiple of [`WINDOW`]. Nothing was read yet if there are none.
#[derive(Debug, Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl FileSource {
    /// A file that had `size` bytes when it was opened.
    #[must_use]
    pub fn new(file: OwnedFd, size: u64) -> FileSource {
        FileSource { file, size, state: Mutex::default(), whole: OnceLock::new(), md5: OnceLock::new() }
    }

    /// Tells it the MD5 of its bytes, which are [held](Source::held).
    pub(crate) fn know_md5(&self, digest: [u8; 16]) {
        let _ = self.md5.set(digest);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_all(&self) -> Option<Vec<u8>> {
        let size = usize::try_from(self.size).ok().filter(|_| self.size <= HELD)?;
        let mut state = self.state();
        let first = state.windows.first().map_or(&[][..], |window| &window.bytes);
        if first.len() == size {
            return Some(first.to_vec());
        }
        let read = dachs_sys::fd::read_vec_at(self.file.as_fd(), 0, size);
        let got = read.as_ref().map(Vec::len).map_err(ToString::to_string);
        note(&mut state.problem, got, (0, size));
        read.ok().filter(|bytes| bytes.len() == size)
    }

    /// Reads a small range that may lie across the edge of a window.
    fn read_small(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let mut state = self.state();
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let count = self.read_window(&mut state, offset.saturating_add(widen(done)), rest);
            if count == 0 {
                break;
            }
            done += count;
        }
        done
    }

    /// Copies from one window, after reading it if it is not kept.
    fn read_window(&self, state: &mut State, offset: u64, buffer: &mut [u8]) -> usize {
        let start = offset - offset % widen(WINDOW);
        let slot = usize::try_from(start / widen(WINDOW)).unwrap_or(0) % KEPT;
        let State { windows, problem } = state;
        let Some(window) = windows.get_mut(slot) else { return 0 };
        if window.start != start || window.bytes.is_empty() {
            window.start = start;
            window.bytes.resize(clip(self.size.saturating_sub(start), WINDOW), 0);
            let got = self.read_file(problem, start, &mut window.bytes);
            window.bytes.truncate(got);
        }
        let rest = usize::try_from(offset - start).ok().and_then(|skip| window.bytes.get(skip..)).unwrap_or(&[]);
        copy(rest, buffer)
    }

    /// Reads from the kernel and remembers what goes wrong.
    fn read_file(&self, problem: &mut Option<Anomaly>, offset: u64, buffer: &mut [u8]) -> usize {
        let got = dachs_sys::fd::read_at(self.file.as_fd(), offset, buffer).map_err(|error| error.to_string());
        note(problem, got, (offset, buffer.len()))
    }
}

/// Tells how many bytes were read, and keeps what went wrong, if that is not as many as were wanted.
fn note(problem: &mut Option<Anomaly>, got: Result<usize, String>, (offset, wanted): (u64, usize)) -> usize {
    let (got, sentence) = match got {
        Ok(got) if got == wanted => return got,
        Ok(got) => (got, "it became shorter while it was read".to_owned()),
        Err(error) => (0, format!("reading at offset {offset} failed: {error}")),
    };
    problem.get_or_insert_with(|| Anomaly::new(AnomalyKind::Unreadable, sentence));
    got
}

impl Source for FileSource {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        if let Some(Some(whole)) = self.whole.get() {
            return copy_at(whole, offset, buffer);
        }
        let count = clip(self.size.saturating_sub(offset), buffer.len());
        let Some(wanted) = buffer.get_mut(..count).filter(|wanted| !wanted.is_empty()) else { return 0 };
        // A file of one window is read once, whoever asks for how much of it.
        if count <= SMALL || self.size <= widen(WINDOW) {
            self.read_small(offset, wanted)
        } else {
            self.read_file(&mut self.state().problem, offset, wanted)
        }
    }

    fn len(&self) -> u64 {
        self.size
    }

    fn next_data(&self, offset: u64) -> u64 {
        // What was read at once is not worth a question.
        if offset >= self.size || matches!(self.whole.get(), Some(Some(_))) {
            return offset;
        }
        match dachs_sys::fd::next_data(self.file.as_fd(), offset) {
            Ok(Some(data)) => data.clamp(offset, self.size),
            Ok(None) => self.size,
            Err(_) => offset,
        }
    }

    fn held(&self) -> Option<&[u8]> {
        self.whole.get_or_init(|| self.read_all()).as_deref()
    }

    fn known_md5(&self) -> Option<[u8; 16]> {
        self.md5.get().copied()
    }

    fn problem(&self) -> Option<Anomaly> {
        self.state().problem.clone()
    }
}

fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    if let (Some(to), Some(from)) = (to.get_mut(..count), from.get(..count)) {
        to.copy_from_slice(from);
    }
    count
}

fn clip(count: u64, most: usize) -> usize {
    usize::try_from(count).unwrap_or(most).min(most)
}

fn widen(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::read_vec_at;
    use std::fs::File;
    use std::io::Write;

    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    fn source(bytes: &[u8], size: u64) -> FileSource {
        FileSource::new(dachs_sys::fd::sealed_memory("test", bytes).unwrap(), size)
    }

    #[test]
    fn every_read_gives_the_bytes_of_the_file() {
        let bytes = pattern(100_000);
        let file = source(&bytes, 100_000);
        for offset in [0, 1, 4095, 16_383, 16_384, 40_000, 99_999, 100_000, 200_000] {
            for count in [0, 1, 100, 4096, 4097, 20_000, 200_000] {
                let start = bytes.len().min(offset);
                let end = bytes.len().min(offset + count);
                let read = read_vec_at(&file, u64::try_from(offset).unwrap(), count);
                assert!(read == bytes[start..end], "{count} bytes at {offset}");
            }
            if offset == 40_000 {
                assert!(file.held() == Some(&bytes[..]));
            }
        }
        assert_eq!(file.problem(), None);
        assert_eq!(read_vec_at(&file, u64::MAX, 10), b"");
    }

    #[test]
    fn a_file_that_shrinks_is_a_problem() {
        for size in [10, 100_000] {
            let file = source(b"badger", size);
            assert_eq!(file.problem(), None);
            assert_eq!(read_vec_at(&file, 2, 100_000), b"dger");
            assert_eq!((file.problem().unwrap().kind, file.held()), (AnomalyKind::Unreadable, None));
        }
    }

    #[test]
    fn a_file_that_grows_is_read_to_its_old_end() {
        let file = source(b"badger", 3);
        assert_eq!((read_vec_at(&file, 0, 10), file.problem()), (b"bad".to_vec(), None));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_problem() {
        let folder = FileSource::new(File::open("/").unwrap().into(), 4096);
        assert_eq!(read_vec_at(&folder, 0, 10), b"");
        assert!(folder.problem().unwrap().detail.contains("offset 0"));
    }

    #[test]
    fn holes_are_skipped() {
        let mut file = File::from(dachs_sys::fd::memory("test").unwrap());
        file.write_all(b"x").unwrap();
        file.set_len(10 << 20).unwrap();
        let size = file.metadata().unwrap().len();
        let file = FileSource::new(file.into(), size);
        assert_eq!(file.next_data(0), 0);
        assert_eq!(file.next_data(1 << 20), size);
        assert_eq!(file.next_data(size + 5), size + 5);
    }
}
