//! Single rules, each compiled with what it needs and nothing else, so that it can be told what one of them costs.
//!
//! ```text
//! rule ── its words ──> rules of its source that it refers to, and theirs ─┐
//!      └──────────────> the imports whose names it has ────────────────────┼─> an engine of its own
//!                       global rules of its source ────────────────────────┘
//! ```

use crate::evaluate::{Compile, Evaluate, Object};
use crate::{BorealCompiler, ItemKind, Text, read, split};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A rule to be compiled alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The number of its signature.
    pub signature: u32,
    /// Its source.
    pub source: u32,
    /// Its name.
    pub name: String,
}

/// Rules, each compiled alone.
#[derive(Default)]
pub struct AloneSet {
    /// The rules, in the order in which they were wanted.
    pub rules: Vec<Alone>,
    /// Rules that import something and never match, one for each choice of imports.
    pub imports: Vec<Alone>,
}

/// A rule with all that it needs.
pub struct Alone {
    /// The number of its signature; of no meaning for imports.
    pub signature: u32,
    /// Which of [`AloneSet::imports`] has the same imports.
    pub imports: usize,
    name: String,
    engine: Box<dyn Evaluate>,
}

impl Alone {
    /// Runs it on an object. Tells whether it matched; nothing if the time was over before.
    #[must_use]
    pub fn run(&self, object: &Object<'_>) -> Option<bool> {
        let mut hit = false;
        self.engine.evaluate(object, &mut |found| hit |= found.name == self.name).then_some(hit)
    }
}

/// Compiles these rules, each alone. A rule whose text is not there, or does not compile, never matches.
#[must_use]
pub fn alone<'a>(texts: impl Iterator<Item = Text<'a>>, wanted: Vec<Wanted>) -> AloneSet {
    let sources: HashSet<u32> = wanted.iter().map(|wanted| wanted.source).collect();
    let mut files: HashMap<u32, Source<'_>> = HashMap::new();
    for text in texts.filter(|text| sources.contains(&text.source)) {
        files.entry(text.source).or_default().add(text.text);
    }
    let mut known: BTreeMap<BTreeSet<String>, usize> = BTreeMap::new();
    let mut set = AloneSet::default();
    for Wanted { signature, source, name } in wanted {
        let needed = files.get(&source).map(|file| file.needed(&name)).unwrap_or_default();
        let next = known.len();
        let imports = *known.entry(needed.imports.clone()).or_insert(next);
        if imports == next {
            let directives = needed.imports.iter().map(|module| format!("import \"{module}\""));
            let never = directives.chain(["rule never { condition: false }".to_owned()]);
            set.imports.push(Alone { signature: 0, imports, name: "never".to_owned(), engine: engine(never) });
        }
        let directives = needed.imports.iter().map(|module| format!("import \"{module}\""));
        let rules = needed.rules.iter().map(|rule| (*rule).to_owned());
        set.rules.push(Alone { signature, imports, name, engine: engine(directives.chain(rules)) });
    }
    set
}

fn engine(texts: impl Iterator<Item = String>) -> Box<dyn Evaluate> {
    let mut compiler = Box::<BorealCompiler>::default();
    for text in texts {
        // Texts in an image are known to compile, but an image may be hostile.
        let _ = compiler.add(0, &text);
    }
    compiler.finish()
}

/// The items of one source.
#[derive(Default)]
struct Source<'a> {
    imports: BTreeSet<String>,
    rules: Vec<Item<'a>>,
    by_name: HashMap<String, usize>,
}

struct Item<'a> {
    name: String,
    text: &'a str,
    words: Vec<String>,
    is_global: bool,
}

/// What one rule needs: names of modules, and texts of rules in the order of the source, itself among them.
#[derive(Default)]
struct Needed<'a> {
    imports: BTreeSet<String>,
    rules: Vec<&'a str>,
}

impl<'a> Source<'a> {
    fn add(&mut self, text: &'a str) {
        for item in split(text.as_bytes()) {
            match item.kind {
                ItemKind::Import(module) => drop(self.imports.insert(module)),
                ItemKind::Rule(name) => {
                    let is_global = read(text).is_ok_and(|rule| rule.is_global);
                    self.by_name.insert(name.clone(), self.rules.len());
                    self.rules.push(Item { name, text, words: item.words, is_global });
                }
                ItemKind::Include(_) | ItemKind::Broken(_) => {}
            }
        }
    }

    fn needed(&self, name: &str) -> Needed<'a> {
        let globals = self.rules.iter().enumerate().filter(|(_, rule)| rule.is_global).map(|(number, _)| number);
        let mut open: Vec<usize> = globals.chain(self.by_name.get(name).copied()).collect();
        let (mut taken, mut imports) = (BTreeSet::new(), BTreeSet::new());
        while let Some(number) = open.pop() {
            let Some(rule) = self.rules.get(number).filter(|_| taken.insert(number)) else { continue };
            for word in &rule.words {
                imports.extend(self.imports.get(word).cloned());
                match word.strip_suffix('*') {
                    Some(start) => open.extend(self.starting_with(start)),
                    None => open.extend(self.by_name.get(word).copied()),
                }
            }
        }
        Needed { imports, rules: taken.iter().filter_map(|number| Some(self.rules.get(*number)?.text)).collect() }
    }

    fn starting_with(&self, start: &str) -> impl Iterator<Item = usize> {
        self.rules.iter().enumerate().filter(move |(_, rule)| rule.name.starts_with(start)).map(|(number, _)| number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gate;

    const FILE: &str = "import \"pe\" import \"math\" private rule p { condition: filesize > 1 } rule a { strings: $p = \"x\" \
                        condition: $p and p } rule b { condition: any of (a*) and math.min(1, 2) == 1 } rule c { condition: true }";

    fn set(file: &str, names: &[&str]) -> AloneSet {
        let items = split(file.as_bytes());
        let texts = items.iter().map(|item| Text { source: 7, gate: Gate::Any, text: &item.text });
        let wanted =
            (0..).zip(names).map(|(signature, name)| Wanted { signature, source: 7, name: (*name).to_owned() });
        alone(texts, wanted.collect())
    }

    #[test]
    fn a_rule_has_what_it_needs() {
        let set = set(FILE, &["a", "b", "c", "none"]);
        let run = |bytes: &'static [u8]| {
            let object = Object { bytes, ..Object::default() };
            set.rules.iter().map(|rule| rule.run(&object)).collect::<Vec<_>>()
        };
        assert_eq!(run(b"xx"), [Some(true), Some(true), Some(true), Some(false)]);
        assert_eq!(run(b"x"), [Some(false), Some(false), Some(true), Some(false)]);
        assert_eq!(set.rules.iter().map(|rule| rule.imports).collect::<Vec<_>>(), [0, 1, 0, 0]);
        assert_eq!(set.imports.len(), 2);
        assert!(set.imports.iter().all(|imports| imports.run(&Object::default()) == Some(false)));
    }

    #[test]
    fn a_global_rule_binds_a_rule_alone_too() {
        let set = set("global rule g { condition: filesize > 3 } rule a { condition: true }", &["a", "g"]);
        let run = |bytes| set.rules[0].run(&Object { bytes, ..Object::default() });
        assert_eq!((run(b"x"), run(b"badger")), (Some(false), Some(true)));
    }
}
