//! Scans with a stand-in for the pool.

use super::*;
use crate::record::samples::{OneName, detection};
use crate::walk::{Options, Walk};
use dachs_base::{About, Coverage, Strength};
use std::collections::VecDeque;
use std::fs;

/// Gives results in the wrong order, and finds badgers.
#[derive(Default)]
struct Backwards {
    held: VecDeque<(u64, OwnedFd)>,
    most: usize,
    breaks_after: Option<u64>,
}

impl Scanner for Backwards {
    fn submit(&mut self, tag: u64, file: OwnedFd, _size: u64, _about: About) -> Result<(), String> {
        if self.breaks_after == Some(tag) {
            return Err("the pool broke".to_owned());
        }
        self.held.push_back((tag, file));
        self.most = self.most.max(self.held.len());
        Ok(())
    }

    fn wait(&mut self, _patience: Duration) -> Result<Option<Finished>, String> {
        Ok(self.held.pop_back().map(|(tag, file)| {
            let text = io::read_to_string(fs::File::from(file)).unwrap();
            let coverage = Coverage { bytes: text.len() as u64, objects: 1, skipped: 0 };
            let detections = text.contains("badger").then(|| detection(0, Strength::Strong, &[])).into_iter().collect();
            Finished { tag, report: Report { detections, coverage, ..Report::default() }, elapsed: Duration::ZERO }
        }))
    }
}

/// Remembers paths, and may refuse to write.
#[derive(Default)]
struct Paths {
    paths: Vec<String>,
    refuses: Option<ErrorKind>,
    finished: bool,
}

impl Writer for Paths {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        self.paths.push(String::from_utf8_lossy(record.path.rsplit(|byte| *byte == b'/').next().unwrap()).into_owned());
        self.refuses.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, _tally: &Tally) -> io::Result<()> {
        self.finished = true;
        Ok(())
    }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..20 {
        let text = if number % 7 == 3 { "a badger" } else { "nothing" };
        fs::write(folder.path().join(format!("{number:02}")), text).unwrap();
    }
    folder
}

fn run(scanner: &mut Backwards, writer: &mut Paths, interrupt: &Interrupt) -> (Tally, Option<String>) {
    let folder = folder();
    let walk = Walk::new(vec![folder.path().into(), "/nowhere".into()], Options::default());
    let (progress, limits) = (Progress::hidden(), Limits::default());
    let setting = Setting {
        names: &OneName,
        interrupt,
        progress: &progress,
        ahead: 4,
        stdin_quota: 0,
        action: None,
        act_on_suspicious: false,
        largest: u64::MAX,
        limits: &limits,
        owners: None,
    };
    scan(walk, scanner, writer, &setting)
}

#[test]
fn results_come_in_the_order_of_the_walk() {
    let (mut scanner, mut writer) = (Backwards::default(), Paths::default());
    let (tally, trouble) = run(&mut scanner, &mut writer, &Interrupt::default());
    let mut expected: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
    expected.push("nowhere".to_owned());
    assert_eq!((writer.paths, writer.finished, trouble), (expected, true, None));
    assert_eq!((tally.files, tally.detected, tally.errors, tally.bytes), (20, 3, 1, 3 * 8 + 17 * 7));
    assert_eq!(scanner.most, 4);
}

#[test]
fn an_interrupt_ends_the_scan_with_what_there_is() {
    let (interrupt, mut writer) = (Interrupt::default(), Paths::default());
    interrupt.ask();
    let (tally, trouble) = run(&mut Backwards::default(), &mut writer, &interrupt);
    assert_eq!((tally.interrupted, tally.files, writer.finished, trouble), (true, 0, true, None));
}

#[test]
fn a_reader_that_went_away_is_a_quiet_end() {
    let mut writer = Paths { refuses: Some(ErrorKind::BrokenPipe), ..Paths::default() };
    let (tally, trouble) = run(&mut Backwards::default(), &mut writer, &Interrupt::default());
    assert_eq!((tally.interrupted, writer.paths.len(), trouble), (true, 1, None));
}

#[test]
fn trouble_is_said() {
    let mut writer = Paths { refuses: Some(ErrorKind::StorageFull), ..Paths::default() };
    let (tally, trouble) = run(&mut Backwards::default(), &mut writer, &Interrupt::default());
    assert_eq!(tally.errors, 1);
    assert!(trouble.unwrap().contains("cannot be written"));
    let mut broken = Backwards { breaks_after: Some(2), ..Backwards::default() };
    let (tally, trouble) = run(&mut broken, &mut Paths::default(), &Interrupt::default());
    assert_eq!((tally.errors, trouble.as_deref()), (1, Some("the pool broke")));
}
