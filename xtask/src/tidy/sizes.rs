//! Files and functions stay small.
//!
//! A file may have 1,000 lines without its tests; above 400 it is listed. A function may have 100 lines from its
//! signature to its last brace. Median and 95th percentile are printed, so that a drift is seen early.

use super::Finding;
use super::source::{Source, find_word, item_end};

const FILE_AIM: usize = 400;
const FILE_MAX: usize = 1000;
const FUNCTION_MAX: usize = 100;

/// A function and its length in lines.
#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    line: usize,
    length: usize,
}

/// Files and functions that are too long.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let length = source.length();
    if length > FILE_MAX {
        findings.push(Finding::new(&source.path, 0, format!("{length} lines without tests; at most {FILE_MAX}")));
    }
    for function in functions(source).filter(|function| function.length > FUNCTION_MAX) {
        let message = format!("fn {} has {} lines; at most {FUNCTION_MAX}", function.name, function.length);
        findings.push(Finding::new(&source.path, function.line, message));
    }
    findings
}

/// Files above the aim, and the figures of all functions outside tests.
pub(crate) fn summary(sources: &[Source]) -> Vec<String> {
    let long = sources.iter().filter(|source| source.length() > FILE_AIM);
    let mut notes: Vec<String> = long.map(|source| format!("{}: {} lines", source.path, source.length())).collect();
    let mut files: Vec<usize> = sources.iter().map(Source::length).filter(|length| *length > 0).collect();
    let mut lengths: Vec<usize> = sources.iter().flat_map(program_functions).collect();
    files.sort_unstable();
    lengths.sort_unstable();
    notes.push(figures("files", &files));
    notes.push(figures("functions", &lengths));
    notes
}

fn figures(what: &str, sorted: &[usize]) -> String {
    let at = |percent: usize| sorted.get(sorted.len() * percent / 100).or(sorted.last()).copied().unwrap_or(0);
    let most = sorted.last().copied().unwrap_or(0);
    format!("{} {what} without tests: median {} lines, p95 {}, longest {most}", sorted.len(), at(50), at(95))
}

fn program_functions(source: &Source) -> Vec<usize> {
    let program = |function: &Function| !source.test.get(function.line - 1).copied().unwrap_or(false);
    functions(source).filter(program).map(|function| function.length).collect()
}

/// All functions with a body.
fn functions(source: &Source) -> impl Iterator<Item = Function> {
    source.lines().filter_map(|(line, code, _)| {
        let name = function_name(code)?;
        let end = item_end(&source.code, line - 1);
        let body = source.code.get(end).is_some_and(|line| line.contains('}'));
        body.then_some(Function { name, line, length: end + 2 - line })
    })
}

/// The name after `fn`, if a function is declared in this line.
fn function_name(code: &str) -> Option<String> {
    let at = find_word(code, "fn")?;
    let name = code.get(at + 2..)?.trim_start();
    let end = name.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(name.len());
    name.get(..end).filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("crates/x/src/lib.rs", text)
    }

    #[test]
    fn functions_are_measured() {
        let text = "fn a() {}\nfn b(\n    c: fn(u8),\n) -> [u8; 2]\n{\n    '}';\n}\ntrait T {\n    fn d();\n}\n";
        let found: Vec<_> = functions(&source(text)).map(|function| (function.name, function.length)).collect();
        assert_eq!(found, [("a".to_owned(), 1), ("b".to_owned(), 6)]);
    }

    #[test]
    fn a_long_function_fails() {
        let body = "    x();\n".repeat(FUNCTION_MAX - 2);
        assert_eq!(check(&source(&format!("fn a() {{\n{body}}}\n"))), []);
        let found = check(&source(&format!("\nfn a() {{\n    x();\n{body}}}\n")));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].to_string(), "crates/x/src/lib.rs:2: fn a has 101 lines; at most 100");
    }

    #[test]
    fn a_long_file_fails_but_long_tests_do_not() {
        let lines = "use a;\n".repeat(FILE_MAX);
        assert_eq!(check(&source(&lines)), []);
        assert_eq!(check(&source(&format!("{lines}use b;\n"))).len(), 1);
        assert_eq!(check(&source(&format!("{lines}#[cfg(test)]\nmod tests {{\n}}\n"))), []);
    }

    #[test]
    fn the_summary_names_long_files() {
        let notes = summary(&[source(&"use a;\n".repeat(FILE_AIM + 1)), source("fn a() {}\n")]);
        assert_eq!(notes.len(), 3);
        assert!(notes[2].contains("1 functions without tests: median 1 lines"), "{notes:?}");
    }
}
