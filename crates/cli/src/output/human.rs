//! One line for each thing a person should know.
//!
//! ```text
//! mail/a.zip: Win.Test.EICAR_HDB-1  (in inner.zip » eicar.com)
//! setup.exe: suspicious: PUA.Tool.Miner
//! b.zip: incomplete: no password opened it  (in secret.docx)  and 2 more reasons
//! worm.exe: Win.Worm.Badger
//! worm.exe: moved to vault/worm.exe
//! nowhere: error: no such file or directory
//! ```
//!
//! Clean files and what was left out are shown only when asked. Every name is escaped ([`crate::escape`]).

use std::io::{self, Write};

use dachs_base::{Report, Strength, Verdict};

use super::Writer;
use crate::escape::{place, shown};
use crate::record::{Outcome, Record};
use crate::tally::Tally;

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[33m";
const GREEN: &str = "\x1b[32m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// Writes lines for a person.
pub(crate) struct Human<W> {
    out: W,
    colored: bool,
    verbose: bool,
}

impl<W: Write> Human<W> {
    /// A writer; `verbose` shows clean files, remarks and what was left out as well.
    pub(crate) fn new(out: W, colored: bool, verbose: bool) -> Human<W> {
        Human { out, colored, verbose }
    }

    fn line(&mut self, path: &[u8], color: &str, what: &str, rest: &str) -> io::Result<()> {
        let (color, plain) = if self.colored { (color, PLAIN) } else { ("", "") };
        writeln!(self.out, "{}: {color}{what}{plain}{rest}", shown(path))
    }

    fn detections(&mut self, record: &Record) -> io::Result<()> {
        for (detection, naming) in record.detections() {
            let name = shown(naming.name.as_bytes());
            let place = place(&detection.object);
            match detection.strength {
                Strength::Strong => self.line(&record.path, RED, &name, &place)?,
                Strength::Weak => self.line(&record.path, YELLOW, &format!("suspicious: {name}"), &place)?,
            }
        }
        match &record.outcome {
            Outcome::Scanned(Report { detections_dropped: dropped @ 1.., .. }, _) => {
                self.line(&record.path, RED, &format!("{dropped} further detections"), " were left out of the report")
            }
            _ => Ok(()),
        }
    }

    fn action(&mut self, record: &Record) -> io::Result<()> {
        match &record.action {
            None => Ok(()),
            Some(Err(reason)) => self.line(&record.path, RED, "nothing was done: ", &shown(reason.as_bytes())),
            Some(Ok(acted)) => {
                let to = acted.to.as_ref().map_or_else(String::new, |to| format!(" to {}", shown(to)));
                self.line(&record.path, GREEN, acted.what, &to)
            }
        }
    }

    fn incomplete(&mut self, record: &Record) -> io::Result<()> {
        let gaps = record.gaps().count();
        let (detail, place) = match record.leading_gap() {
            Some(gap) => (shown(gap.detail.as_bytes()), place(&gap.object)),
            None => ("not all of it was looked at".to_owned(), String::new()),
        };
        let more = match gaps {
            0 | 1 => String::new(),
            2 => "  and 1 more reason".to_owned(),
            _ => format!("  and {} more reasons", gaps - 1),
        };
        self.line(&record.path, YELLOW, &format!("incomplete: {detail}"), &format!("{place}{more}"))
    }

    fn anomalies(&mut self, record: &Record) -> io::Result<()> {
        let Outcome::Scanned(report, _) = &record.outcome else {
            return Ok(());
        };
        for anomaly in &report.anomalies {
            let (label, detail) = (anomaly.kind.label(), shown(anomaly.detail.as_bytes()));
            self.line(&record.path, DIM, &format!("  {label}: {detail}"), &place(&anomaly.object))?;
        }
        Ok(())
    }
}

impl<W: Write> Writer for Human<W> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        match (record.verdict(), &record.outcome) {
            (Some(Verdict::Detected | Verdict::Suspicious), _) => {
                self.detections(record)?;
                self.action(record)?;
            }
            (Some(Verdict::Incomplete), _) => self.incomplete(record)?,
            (Some(Verdict::Clean), _) if self.verbose => self.line(&record.path, GREEN, "clean", "")?,
            (_, Outcome::Wrong(reason)) => {
                self.line(&record.path, RED, &format!("error: {}", shown(reason.as_bytes())), "")?
            }
            (_, Outcome::Skipped(why)) if self.verbose => {
                self.line(&record.path, DIM, &format!("skipped: {}", why.label()), "")?;
            }
            _ => {}
        }
        if self.verbose { self.anomalies(record) } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, _tally: &Tally) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::samples::every_kind;

    fn written(colored: bool, verbose: bool) -> String {
        let mut bytes = Vec::new();
        let mut human = Human::new(&mut bytes, colored, verbose);
        every_kind().iter().for_each(|record| human.record(record).unwrap());
        human.finish(&Tally::default()).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_for_what_matters() {
        let expected = "a.zip: Test.Badger  (in in\\x0a.zip » eicar)\n\
            odd\\xff: suspicious: Unknown.Signature-9\n\
            locked: incomplete: no password  (in x\\xff)\n\
            nowhere: error: no such file or directory\n";
        assert_eq!(written(false, false), expected);
    }

    #[test]
    fn the_rest_when_asked() {
        let lines = written(false, true);
        for line in ["clean: clean\n", "clean:   odd: a remark\n", "talk: skipped: socket\n"] {
            assert!(lines.contains(line), "{lines}");
        }
    }

    #[test]
    fn colours_when_asked() {
        assert!(!written(false, true).contains('\x1b'));
        assert!(written(true, false).contains("\x1b[1;31mTest.Badger\x1b[0m"));
    }
}
