//! `dachs doctor`: what this machine gives for the jail, and what a scan would use.

use std::fmt::Write;

use dachs_base::Limits;
use dachs_sys::jail::{Probe, State, probe};
use serde_json::{Value, json};

use super::answer;
use crate::args::{AnswerFormat, DoctorArgs};
use crate::content::{Content, Sources};
use crate::exit::Exit;
use crate::quantity::{count, size};

/// What was found out.
struct Findings {
    layers: Vec<Probe>,
    content: Result<u32, String>,
    limits: Limits,
    jobs: usize,
}

/// Looks at everything and tells.
pub(super) fn run(args: &DoctorArgs) -> Result<Exit, String> {
    let findings = Findings {
        layers: probe(),
        content: Content::load(&Sources::default()).and_then(|content| Ok(content.image()?.signature_count())),
        limits: Limits::default(),
        jobs: std::thread::available_parallelism().map_or(1, usize::from),
    };
    match args.format {
        AnswerFormat::Human => answer(&findings.text())?,
        AnswerFormat::Json => answer(&format!("{}\n", findings.json()))?,
    }
    Ok(if findings.well() { Exit::Clean } else { Exit::Error })
}

impl Findings {
    fn well(&self) -> bool {
        self.content.is_ok() && self.layers.iter().all(|layer| layer.state != State::MissingAndNeeded)
    }

    fn text(&self) -> String {
        let mut text = String::from("The jail of the workers:\n");
        for layer in &self.layers {
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(text, "  {:<10}{:<20} {}", word(layer.state), layer.layer, layer.detail);
            if let Some(advice) = layer.advice {
                let _ = writeln!(text, "            {advice}");
            }
        }
        let _ = match &self.content {
            Ok(signatures) => writeln!(text, "Content: {} signatures", count(u64::from(*signatures))),
            Err(reason) => writeln!(text, "Content: none: {reason}"),
        };
        let limits = &self.limits;
        let _ = writeln!(
            text,
            "Workers: {}\nLimits of one file: {} levels, {} objects, {} an object, {} together, {} s, {} of memory",
            self.jobs,
            limits.depth,
            count(limits.objects),
            size(limits.object_size),
            size(limits.scan_size),
            limits.time.as_secs(),
            size(limits.memory),
        );
        let _ = writeln!(text, "{}", if self.well() { "All is well." } else { "Scans are not possible here." });
        text
    }

    fn json(&self) -> Value {
        let layers: Vec<Value> = self.layers.iter().map(layer_json).collect();
        let limits = &self.limits;
        json!({
            "v": 1,
            "well": self.well(),
            "layers": layers,
            "signatures": self.content.as_ref().ok(),
            "content_error": self.content.as_ref().err(),
            "jobs": self.jobs,
            "limits": {
                "depth": limits.depth,
                "objects": limits.objects,
                "object_size": limits.object_size,
                "scan_size": limits.scan_size,
                "memory": limits.memory,
                "time_ms": u64::try_from(limits.time.as_millis()).unwrap_or(u64::MAX),
            },
        })
    }
}

fn layer_json(layer: &Probe) -> Value {
    json!({"layer": layer.layer, "state": word(layer.state), "detail": layer.detail, "advice": layer.advice})
}

fn word(state: State) -> &'static str {
    match state {
        State::Given => "given",
        State::Missing => "missing",
        State::MissingAndNeeded => "needed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(state: State, content: Result<u32, String>) -> Findings {
        let layers = vec![Probe { layer: "filter", state, detail: "as seen".into(), advice: Some("do this") }];
        Findings { layers, content, limits: Limits::default(), jobs: 2 }
    }

    #[test]
    fn only_what_is_needed_makes_it_unwell() {
        assert!(findings(State::Given, Ok(1)).well());
        assert!(findings(State::Missing, Ok(1)).well());
        assert!(!findings(State::MissingAndNeeded, Ok(1)).well());
        assert!(!findings(State::Given, Err("none".into())).well());
    }

    #[test]
    fn both_forms_say_the_same() {
        let findings = findings(State::Missing, Ok(1_234));
        let text = findings.text();
        for part in ["missing", "as seen", "do this", "1,234 signatures", "All is well"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(
            (&findings.json()["layers"][0]["state"], &findings.json()["well"]),
            (&json!("missing"), &json!(true))
        );
    }
}
