//! The engine YARA-X behind the traits of `dachs_rules`, as a second opinion.
//!
//! It is compared, not shipped: it compiles rules to machine code, needs executable memory while it loads them, and starts a
//! thread for each deadline, none of which a worker may do. It is told the same texts in the same order as Dachs tells them
//! to its own engine, and keeps the same contract (`crates/rules/tests/contract`):
//!
//! ```text
//! cargo conformance-yara-x                                                       hits, beside those of Dachs
//! cargo test --release --manifest-path conformance/Cargo.toml --features yara-x  the contract
//! ```

use std::collections::BTreeSet;
use std::path::PathBuf;

use dachs_rules::{Compile, Evaluate, Externals, Fault, Hit, ItemKind, Object, StringMatch, split};

use super::Hits;

/// So many matches of one string of a rule are told, as by Dachs.
const TOLD_EACH: usize = 4;

/// Takes rules for YARA-X.
struct YaraXCompiler(yara_x::Compiler<'static>);

/// A fresh compiler.
pub(crate) fn compiler() -> Box<dyn Compile> {
    let mut compiler = yara_x::Compiler::new();
    compiler.relaxed_re_syntax(true).enable_includes(false);
    for name in Externals::NAMES {
        // Names of our own, each once.
        let _ = compiler.define_global(name, "");
    }
    Box::new(YaraXCompiler(compiler))
}

impl Compile for YaraXCompiler {
    fn add(&mut self, source: u32, text: &str) -> Result<(), Fault> {
        self.0.new_namespace(&source.to_string());
        match self.0.add_source(text) {
            Ok(_) => Ok(()),
            Err(error) => Err(Fault { line: 0, message: error.to_string() }),
        }
    }

    fn finish(self: Box<Self>) -> Box<dyn Evaluate> {
        Box::new(YaraX(self.0.build()))
    }
}

struct YaraX(yara_x::Rules);

impl Evaluate for YaraX {
    fn evaluate(&self, object: &Object<'_>, hit: &mut dyn FnMut(Hit<'_>)) -> bool {
        let mut scanner = yara_x::Scanner::new(&self.0);
        if let Some(time) = object.time {
            scanner.set_timeout(time);
        }
        let Externals { filename, filepath, extension, filetype, owner } = object.externals;
        for (name, value) in Externals::NAMES.iter().zip([filename, filepath, extension, filetype, owner]) {
            // All of them were defined, as texts.
            let _ = scanner.set_global(name, String::from_utf8_lossy(value).as_ref());
        }
        let Ok(results) = scanner.scan(object.bytes) else { return false };
        for rule in results.matching_rules() {
            let strings = rule.patterns().flat_map(|pattern| {
                let name = pattern.identifier().trim_start_matches('$');
                pattern.matches().take(TOLD_EACH).map(move |found| StringMatch {
                    name,
                    offset: found.range().start as u64,
                    length: found.range().len() as u64,
                })
            });
            let source = rule.namespace().parse().unwrap_or(u32::MAX);
            hit(Hit { source, name: rule.identifier(), strings: strings.collect() });
        }
        true
    }
}

/// What it hits with these files of rules, each a source of its own.
pub(super) fn hits(rules: &[PathBuf], files: &[PathBuf]) -> Result<Hits, String> {
    let read = |path: &PathBuf| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let (mut compiler, mut refused) = (compiler(), BTreeSet::new());
    for (source, file) in (0..).zip(rules) {
        for item in split(&read(file)?) {
            if let Err(fault) = compiler.add(source, &item.text) {
                let name = if let ItemKind::Rule(name) = &item.kind { name } else { "an import" };
                refused.insert(format!("{name}: {fault}"));
            }
        }
    }
    println!("yara: YARA-X refuses {} rules", refused.len());
    refused.iter().for_each(|rule| println!("yara:     {}", rule.lines().next().unwrap_or_default()));
    let engine = compiler.finish();
    let mut hits = Hits::new();
    for file in files {
        let bytes = read(file)?;
        let mut names = BTreeSet::new();
        let object = Object { bytes: &bytes, ..Object::default() };
        let whole = engine.evaluate(&object, &mut |hit| {
            names.insert(hit.name.to_owned());
        });
        if !whole {
            return Err(format!("YARA-X gave up on {}", file.display()));
        }
        hits.insert(file.clone(), names);
    }
    Ok(hits)
}

#[cfg(test)]
#[path = "../../../crates/rules/tests/contract/mod.rs"]
mod contract;

#[cfg(test)]
mod tests {
    #[test]
    fn yara_x_keeps_the_contract() {
        super::contract::check(super::compiler);
    }
}
