//! One JSON object a line; the objects are those of [`dachs_record::json`].

use std::io::{self, Write};

use super::Writer;
use crate::record::{Outcome, Record};
use crate::tally::Tally;

/// Writes JSON lines.
pub(crate) struct JsonLines<W> {
    out: W,
    verbose: bool,
}

impl<W: Write> JsonLines<W> {
    /// A writer; `verbose` adds lines for what was left out.
    pub(crate) fn new(out: W, verbose: bool) -> JsonLines<W> {
        JsonLines { out, verbose }
    }
}

impl<W: Write> Writer for JsonLines<W> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        if matches!(record.outcome, Outcome::Skipped(_)) && !self.verbose {
            return Ok(());
        }
        dachs_record::json::write(&mut self.out, record)?;
        self.out.write_all(b"\n")
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
    use serde_json::{Value, json};

    fn written(verbose: bool) -> Vec<Value> {
        let mut bytes = Vec::new();
        let mut lines = JsonLines::new(&mut bytes, verbose);
        every_kind().iter().for_each(|record| lines.record(record).unwrap());
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_detection_has_all_its_fields() {
        let line = &written(false)[1];
        let expected = json!({"v": 1, "path": "a.zip", "verdict": "detected", "kind": "zip", "size": 10, "ms": 1.5,
            "detections": [{"name": "Test.Badger", "source": "test.hdb", "strength": "strong",
                "object": ["a.zip", "in\n.zip", "eicar"], "kind": "text", "offset": 7}],
            "anomalies": [], "coverage": {"bytes": 20, "objects": 2, "skipped": 0}});
        assert_eq!(*line, expected);
    }

    #[test]
    fn names_that_are_not_text_come_losslessly() {
        let lines = written(false);
        assert_eq!((&lines[2]["path"], &lines[2]["path_bytes"]), (&json!("odd\u{fffd}"), &json!("b2Rk/w==")));
        assert_eq!(lines[3]["anomalies"][0]["object_bytes"], json!(["bG9ja2Vk", "eP8="]));
        assert_eq!(lines[1].get("path_bytes"), None);
    }

    #[test]
    fn errors_and_what_was_left_out() {
        assert_eq!(written(false).len(), 5);
        let lines = written(true);
        assert_eq!(
            lines[4],
            json!({"v": 1, "path": "nowhere", "verdict": "error", "error": "no such file or directory"})
        );
        assert_eq!(lines[5], json!({"v": 1, "path": "talk", "skipped": "socket"}));
    }
}
