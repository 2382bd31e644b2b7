//! Files of YARA rules: cut into rules, each compiled by itself, those that compile taken.
//!
//! ```text
//! file ── split ──> items ── include: the items of another file in its place
//!                     │
//!                     ├─ import, rule ── compile ──> faults: file, line, the compiler's words
//!                     └─ what is left ── choose ───> told of, needed by others, or dropped
//! ```
//!
//! A file is a source, and its rules see each other and what the file includes. A rule of the same name and text as one of
//! another source is told of once: collections have index files that include all others. A rule that nobody is told of
//! (private, not chosen, named by an ignore list) stays as long as another one refers to it.

use std::collections::HashSet;
use std::io::{BufRead, Read};

use dachs_rules::{BorealCompiler, Compile, Gate, Item, ItemKind, Reading, Value, read, split};
use dachs_sigdb::model::{MetadataValue, SourceInfo, YaraRule, YaraText};
use md5::{Digest, Md5};

use crate::compile::Compiler;
use crate::{Error, Included, Input, Problem};

/// No file of rules may have more bytes.
const LONGEST_FILE: u64 = 64 << 20;
/// No rule may have more bytes. The largest public rule has 400,000.
const LONGEST_RULE: usize = 4 << 20;
/// No rule, and no image, may take more memory when it is compiled, as `dachs_rules` estimates it, in bytes. The 7,000 public
/// rules together take 30 million.
const HEAVIEST_RULE: u64 = 256 << 20;
const HEAVIEST_IMAGE: u64 = 768 << 20;
/// No name may have more bytes.
const LONGEST_NAME: usize = 1024;
/// Files may include others so deep, and so many of them.
const DEEPEST: usize = 16;
const MOST_FILES: usize = 10_000;

/// What is kept between files of rules.
#[derive(Default)]
pub(crate) struct Yara {
    /// Compiles rules to find what is wrong with them.
    checker: BorealCompiler,
    /// Digests of the rules taken so far.
    seen: HashSet<[u8; 16]>,
    /// What the rules that were compiled so far weigh, in bytes.
    weight: u64,
}

/// An item, and the file that it stands in.
struct Placed {
    file: String,
    item: Item,
}

/// An import or a rule that compiles.
struct Sound {
    text: String,
    words: Vec<String>,
    /// Absent for an import.
    rule: Option<Reading>,
    /// People are told of it.
    told: bool,
}

impl Compiler {
    /// Reads a file of rules.
    ///
    /// # Errors
    /// When it cannot be read, or is too large. Faults in it are no errors.
    pub(crate) fn rules(
        &mut self,
        info: &SourceInfo,
        input: Option<&Input>,
        reader: &mut dyn BufRead,
    ) -> Result<(), Error> {
        let bytes = contents(reader).map_err(|error| Error::reading(&info.name, error))?;
        let number = self.number(info);
        let mut gathering = Gathering { input, files: 0, open: Vec::new(), done: HashSet::new(), items: Vec::new() };
        let faults = gathering.gather(Included { name: info.name.clone(), bytes });
        let mut sound = Vec::new();
        for Placed { file, item } in gathering.items {
            if let Err((line, reason)) = self.check(number, &info.name, &file, item, &mut sound) {
                self.fault(number, &info.name, &file, line, &reason);
            }
        }
        for (file, line, reason) in faults {
            self.fault(number, &info.name, &file, line, &reason);
        }
        self.take(number, &sound);
        Ok(())
    }

    /// Tells of something that is wrong in a file of rules.
    fn fault(&mut self, number: u32, source: &str, file: &str, line: u64, reason: &str) {
        let place = if file == source { format!("line {line}") } else { format!("{file}, line {line}") };
        self.builder.skipped(number, &format!("{place}: {reason}"));
        self.problems.push(Problem { source: file.to_owned(), line: Some(line), reason: reason.to_owned() });
    }

    /// Compiles one item. Gives line and reason if something is wrong with it.
    fn check(
        &mut self,
        number: u32,
        source: &str,
        file: &str,
        item: Item,
        sound: &mut Vec<Sound>,
    ) -> Result<(), (u64, String)> {
        let at = |line: u64| item.line.saturating_add(line);
        let rule = match &item.kind {
            ItemKind::Broken(reason) => return Err((item.line, (*reason).to_owned())),
            ItemKind::Include(_) => return Ok(()),
            ItemKind::Import(_) => None,
            ItemKind::Rule(name) if item.text.len() > LONGEST_RULE => {
                return Err((item.line, format!("rule {}: it has more than {LONGEST_RULE} bytes", cut(name))));
            }
            ItemKind::Rule(name) => {
                let rule =
                    read(&item.text).map_err(|fault| (at(fault.line), format!("rule {}: {fault}", cut(name))))?;
                self.weigh(&rule).map_err(|reason| (item.line, format!("rule {}: {reason}", cut(&rule.name))))?;
                Some(rule)
            }
        };
        let added = self.yara.checker.add(number, &item.text);
        added.map_err(|fault| match &rule {
            Some(rule) => (at(fault.line), format!("rule {}: {fault}", cut(&rule.name))),
            None => (at(fault.line), fault.to_string()),
        })?;
        let told = rule.as_ref().is_some_and(|rule| self.is_told(number, source, file, item.line, &item.text, rule));
        sound.push(Sound { text: item.text, words: item.words, rule, told });
        Ok(())
    }

    /// Refuses a rule that is too much for whoever compiles it.
    fn weigh(&mut self, rule: &Reading) -> Result<(), String> {
        if rule.name.len() > LONGEST_NAME {
            return Err(format!("its name has {} bytes, which is too long", rule.name.len()));
        }
        if rule.weight > HEAVIEST_RULE {
            return Err(format!("its strings would take about {} MiB of memory", rule.weight >> 20));
        }
        let weight = self.yara.weight.saturating_add(rule.weight);
        if weight > HEAVIEST_IMAGE {
            return Err(format!("with it, all strings would take about {} MiB of memory", weight >> 20));
        }
        self.yara.weight = weight;
        Ok(())
    }

    /// True if people are told of this rule when it matches. Why not is counted.
    fn is_told(&mut self, number: u32, source: &str, file: &str, line: u64, text: &str, rule: &Reading) -> bool {
        let chosen = |selector: &crate::Selector| selector.chooses(file, &rule.name, &rule.tags);
        let without = match () {
            () if rule.is_private => {
                // There is such a source: it was given out before.
                let _ = self.builder.entry(number, "private YARA rules", true);
                return false;
            }
            () if !self.options.only.is_empty() && !self.options.only.iter().any(chosen) => "not chosen",
            () if self.options.without.iter().any(chosen) => "switched off",
            () if self.ignored.holds(source, line, &rule.name, text.as_bytes()) => "named by an ignore list",
            () if !self.yara.seen.insert(Md5::digest(text).0) => "the same rule stands in another source",
            () => return true,
        };
        self.leave_out(number, without);
        false
    }

    /// Puts what is needed into the image.
    fn take(&mut self, number: u32, sound: &[Sound]) {
        let words: HashSet<&str> = sound.iter().flat_map(|item| item.words.iter().map(String::as_str)).collect();
        let stars: Vec<&str> = words.iter().filter_map(|word| word.strip_suffix('*')).collect();
        let is_needed = |rule: &Reading| {
            let name = rule.name.as_str();
            rule.is_global || words.contains(name) || stars.iter().any(|prefix| name.starts_with(prefix))
        };
        let is_kept = |item: &&Sound| item.told || item.rule.as_ref().is_none_or(is_needed);
        let kept: Vec<&Sound> = sound.iter().filter(is_kept).collect();
        if !kept.iter().any(|item| item.told) {
            return;
        }
        for item in kept {
            // A rule that others refer to must be there whatever the object is.
            let gate = item.rule.as_ref().filter(|rule| !is_needed(rule)).map_or(Gate::Any, |rule| rule.gate);
            let text = YaraText { source: number, gate: gate.number(), text: &item.text };
            let added = self.builder.add_yara_text(&text).and_then(|()| match &item.rule {
                Some(rule) if item.told => self.builder.add_yara(number, &rule.name, rule.strength(), &details(rule)),
                _ => Ok(()),
            });
            if let Err(refusal) = added {
                self.leave_out(number, &refusal.to_string());
            }
        }
    }
}

/// The start of a name.
fn cut(name: &str) -> String {
    name.chars().take(60).collect()
}

fn details(rule: &Reading) -> YaraRule {
    let value = |value: &Value| match value {
        Value::Text(text) => MetadataValue::Text(text.clone()),
        Value::Integer(number) => MetadataValue::Integer(*number),
        Value::Boolean(truth) => MetadataValue::Boolean(*truth),
    };
    YaraRule {
        tags: rule.tags.clone(),
        metadata: rule.metadata.iter().map(|(name, entry)| (name.clone(), value(entry))).collect(),
        strings: rule.strings.clone(),
    }
}

fn contents(reader: &mut dyn BufRead) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(LONGEST_FILE.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LONGEST_FILE {
        let reason = format!("a file of rules with more than {LONGEST_FILE} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, reason));
    }
    Ok(bytes)
}

/// Puts the items of included files where they are included.
struct Gathering<'i> {
    input: Option<&'i Input>,
    files: usize,
    /// Files that are open now, each with the items that are left of it, last first.
    open: Vec<(String, Vec<Item>)>,
    /// A file that is included twice counts once.
    done: HashSet<String>,
    items: Vec<Placed>,
}

impl Gathering<'_> {
    /// All items, in order. Gives file, line and reason of what could not be included.
    fn gather(&mut self, first: Included) -> Vec<(String, u64, String)> {
        let mut faults = Vec::new();
        self.push(first);
        while let Some((file, left)) = self.open.last_mut() {
            let file = file.clone();
            match left.pop() {
                None => {
                    self.open.pop();
                }
                Some(Item { kind: ItemKind::Include(path), line, .. }) => match self.include(&file, &path) {
                    Ok(included) => self.push(included),
                    Err(reason) => faults.push((file, line, format!("cannot include {path}: {reason}"))),
                },
                Some(item) => self.items.push(Placed { file, item }),
            }
        }
        faults
    }

    fn push(&mut self, file: Included) {
        if self.done.insert(file.name.clone()) {
            let mut items = split(&file.bytes);
            items.reverse();
            self.open.push((file.name, items));
        }
    }

    fn include(&mut self, from: &str, path: &str) -> Result<Included, String> {
        self.files = self.files.saturating_add(1);
        if self.open.len() >= DEEPEST || self.files > MOST_FILES {
            return Err("files are included too deep, or too many".to_owned());
        }
        let input = self.input.ok_or("it can include nothing")?;
        let included = input.include(from, path).map_err(|error| error.to_string())?;
        if u64::try_from(included.bytes.len()).unwrap_or(u64::MAX) > LONGEST_FILE {
            return Err("it is too large".to_owned());
        }
        Ok(included)
    }
}
