//! A SARIF 2.1.0 log (OASIS, sections cited below), as code hosts and dashboards read it.
//!
//! Detections are results; their signatures are the rules. What was not looked at is no result but a notification of the
//! invocation (3.58), so that a log without results still says that the scan was incomplete. The results are written as
//! they come; rules and notifications are kept for the end, notifications up to [`NOTIFICATIONS`].

use std::collections::HashMap;
use std::io::{self, Write};

use dachs_base::{Detection, Strength, Verdict};
use serde_json::{Value, json};

use super::Writer;
use crate::record::{Naming, Outcome, Record, strength_label};
use crate::tally::Tally;
use dachs_record::rule::{RuleLine, metadata};

/// How many notifications a log holds; the rest is counted in one more.
const NOTIFICATIONS: usize = 10_000;

/// Writes one SARIF log.
pub(crate) struct Sarif<W> {
    out: W,
    begun: bool,
    rules: Vec<Value>,
    numbers: HashMap<String, usize>,
    notifications: Vec<Value>,
    notifications_dropped: u64,
}

impl<W: Write> Sarif<W> {
    /// A writer.
    pub(crate) fn new(out: W) -> Sarif<W> {
        Sarif {
            out,
            begun: false,
            rules: Vec::new(),
            numbers: HashMap::new(),
            notifications: Vec::new(),
            notifications_dropped: 0,
        }
    }

    /// Writes what is before the first result, or the comma before a further one.
    fn separate(&mut self) -> io::Result<()> {
        let schema = "https://json.schemastore.org/sarif-2.1.0.json";
        let begun = std::mem::replace(&mut self.begun, true);
        if begun {
            return self.out.write_all(b",\n");
        }
        writeln!(self.out, "{{\"$schema\":\"{schema}\",\"version\":\"2.1.0\",\"runs\":[{{\"results\":[")
    }

    /// The number of a rule, which is made at its first use (3.19.23).
    fn rule(&mut self, naming: &Naming) -> usize {
        if let Some(number) = self.numbers.get(&naming.name) {
            return *number;
        }
        let number = self.rules.len();
        let text = match &naming.source {
            Some(source) => format!("Signature {} of {source}", naming.name),
            None => format!("{}, a judgement of the engine", naming.name),
        };
        self.rules.push(described(naming, &text));
        self.numbers.insert(naming.name.clone(), number);
        number
    }

    fn result(&mut self, path: &[u8], detection: &Detection, naming: &Naming) -> io::Result<()> {
        let rule = self.rule(naming);
        let level = match detection.strength {
            Strength::Strong => "error",
            Strength::Weak => "warning",
        };
        let mut properties = json!({"strength": strength_label(detection.strength), "kind": detection.kind.label()});
        if let (Some(rule), Some(fields)) = (&naming.rule, properties.as_object_mut()) {
            fields.insert("rule".to_owned(), serde_json::to_value(RuleLine::new(rule, detection))?);
        }
        let result = json!({
            "ruleId": naming.name,
            "ruleIndex": rule,
            "level": level,
            "message": {"text": format!("{} was found", naming.name)},
            "locations": [location(path, detection)],
            "properties": properties,
        });
        serde_json::to_writer(&mut self.out, &result)?;
        Ok(())
    }

    fn notify(&mut self, record: &Record) {
        let (level, text) = match &record.outcome {
            Outcome::Wrong(reason) => ("error", reason.clone()),
            _ => (
                "warning",
                record.leading_gap().map_or_else(|| "not all was looked at".into(), |gap| gap.detail.clone()),
            ),
        };
        if self.notifications.len() >= NOTIFICATIONS {
            self.notifications_dropped += 1;
            return;
        }
        let location = json!({"physicalLocation": {"artifactLocation": {"uri": uri(&record.path)}}});
        self.notifications.push(json!({"level": level, "message": {"text": text}, "locations": [location]}));
    }
}

impl<W: Write> Writer for Sarif<W> {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        for (detection, naming) in record.detections() {
            self.separate()?;
            self.result(&record.path, detection, naming)?;
        }
        if matches!(record.verdict(), Some(Verdict::Error | Verdict::Incomplete)) || record.gaps().next().is_some() {
            self.notify(record);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, tally: &Tally) -> io::Result<()> {
        if !self.begun {
            self.separate()?;
        }
        if self.notifications_dropped > 0 {
            let text = format!("{} further notifications were left out", self.notifications_dropped);
            self.notifications.push(json!({"level": "warning", "message": {"text": text}}));
        }
        let driver = json!({"name": "dachs", "version": env!("CARGO_PKG_VERSION"), "rules": self.rules});
        let invocation = json!({
            // 3.20.14: false if the tool could not do all it was asked to.
            "executionSuccessful": tally.errors == 0 && !tally.interrupted,
            "toolExecutionNotifications": self.notifications,
        });
        let (tool, invocations) = (json!({"driver": driver}), json!([invocation]));
        writeln!(self.out, "],\n\"tool\":{tool},\n\"invocations\":{invocations}}}]}}")?;
        self.out.flush()
    }
}

/// A rule (3.49), with what a YARA rule says of itself.
fn described(naming: &Naming, text: &str) -> Value {
    let mut rule = json!({"id": naming.name, "name": naming.name, "shortDescription": {"text": text}});
    if let (Some(yara), Some(fields)) = (&naming.rule, rule.as_object_mut()) {
        let metadata = metadata(yara);
        for (name, field) in [("description", "fullDescription"), ("reference", "help")] {
            if let Some(text) = metadata.get(name).and_then(Value::as_str) {
                fields.insert(field.to_owned(), json!({"text": text}));
            }
        }
        fields.insert("properties".to_owned(), json!({"tags": yara.tags, "metadata": metadata}));
    }
    rule
}

/// Where (3.28): the file, the offset if it is the file's own, and the member as a logical location (3.33).
fn location(path: &[u8], detection: &Detection) -> Value {
    let mut physical = json!({"artifactLocation": {"uri": uri(path)}});
    if let (true, Some(offset), Some(fields)) =
        (detection.object.0.is_empty(), detection.offset, physical.as_object_mut())
    {
        fields.insert("region".to_owned(), json!({"byteOffset": offset}));
    }
    let Some(last) = detection.object.0.last() else {
        return json!({"physicalLocation": physical});
    };
    let names: Vec<_> = detection.object.0.iter().map(|name| String::from_utf8_lossy(name.as_bytes())).collect();
    let logical = json!({
        "name": String::from_utf8_lossy(last.as_bytes()),
        "fullyQualifiedName": format!("{}/{}", String::from_utf8_lossy(path), names.join("/")),
        "kind": "member",
    });
    json!({"physicalLocation": physical, "logicalLocations": [logical]})
}

/// A path as a URI reference (RFC 3986): `file://` and the path if it is absolute, else relative.
fn uri(path: &[u8]) -> String {
    let mut text = String::from(if path.starts_with(b"/") { "file://" } else { "" });
    // A colon in the first component would read as a scheme: RFC 3986 4.2.
    if path.iter().take_while(|byte| **byte != b'/').any(|byte| *byte == b':') {
        text.push_str("./");
    }
    for byte in path {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                text.push(char::from(*byte))
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::samples::{detection, every_kind, record};

    fn written(records: &[Record]) -> Value {
        let mut bytes = Vec::new();
        let mut sarif = Sarif::new(&mut bytes);
        let mut tally = Tally::default();
        for record in records {
            sarif.record(record).unwrap();
            tally.add(record);
        }
        sarif.finish(&tally).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn an_empty_log_is_a_log() {
        let log = written(&[]);
        assert_eq!((&log["version"], &log["runs"][0]["results"]), (&json!("2.1.0"), &json!([])));
        assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], json!(true));
    }

    #[test]
    fn results_name_their_rules() {
        let twice =
            record(b"/x y", vec![detection(0, Strength::Strong, &[]), detection(0, Strength::Strong, &[b"m"])], vec![]);
        let log = written(&[every_kind().remove(2), twice]);
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 2);
        assert_eq!((&run["results"][1]["ruleIndex"], &run["results"][2]["ruleIndex"]), (&json!(1), &json!(1)));
        let place = &run["results"][1]["locations"][0]["physicalLocation"];
        assert_eq!(place, &json!({"artifactLocation": {"uri": "file:///x%20y"}, "region": {"byteOffset": 7}}));
        assert_eq!(run["results"][2]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"], json!("/x y/m"));
    }

    #[test]
    fn what_was_not_looked_at_is_notified() {
        let log = written(&every_kind());
        let invocation = &log["runs"][0]["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], json!(false));
        assert_eq!(invocation["toolExecutionNotifications"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri(b"a/b.txt"), "a/b.txt");
        assert_eq!(uri(b"odd:name\xff%"), "./odd:name%FF%25");
    }
}
