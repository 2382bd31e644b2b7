//! Sources to an image, and what was left out of it.

use std::io::{Seek, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use dachs_sigc::{Categories, Input, Options, Problem, Selector, compile_into};

use crate::escape::shown;

/// How many problems of one source a line lists.
const LISTED: usize = 3;

/// What to compile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// Files, containers and folders.
    pub(crate) paths: Vec<PathBuf>,
    /// True to put the built-in set before them.
    pub(crate) builtin: bool,
    /// True to take signatures of unwanted programs too.
    pub(crate) unwanted: bool,
    /// Which of them.
    pub(crate) categories: Categories,
    /// True to leave signatures of phishing out.
    pub(crate) no_phishing: bool,
    /// The folder with certificates of those who are trusted for signatures beside containers.
    pub(crate) certificates: Option<PathBuf>,
    /// YARA rules to take; all if there is none.
    pub(crate) only: Vec<Selector>,
    /// YARA rules not to take.
    pub(crate) without: Vec<Selector>,
}

/// Which potentially unwanted programs these two lists mean: those of the first, if there is one, else all but the second.
pub(crate) fn categories(only: &[String], without: &[String]) -> Categories {
    match (only, without) {
        ([], []) => Categories::All,
        ([], without) => Categories::Without(without.to_vec()),
        (only, _) => Categories::Only(only.to_vec()),
    }
}

/// Compiles sources to an image, and tells what was left out.
///
/// # Errors
/// A sentence that names the source, the line and what is wrong.
pub(crate) fn compile(sources: &Sources, out: &mut (impl Write + Seek)) -> Result<Vec<Problem>, String> {
    let said = |error: dachs_sigc::Error| shown(error.to_string().as_bytes());
    let mut inputs: Vec<Input> = if sources.builtin { dachs_sigc::builtin() } else { Vec::new() };
    inputs.extend(dachs_sigc::files(&sources.paths).map_err(said)?);
    let Sources { unwanted, categories, no_phishing, only, without, .. } = sources.clone();
    let roots =
        sources.certificates.as_deref().map(|folder| dachs_sigc::roots(folder, now())).transpose().map_err(said)?;
    compile_into(&inputs, &Options { unwanted, categories, no_phishing, roots, only, without }, out).map_err(said)
}

/// Seconds since 1970.
fn now() -> i64 {
    let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(age.as_secs()).unwrap_or(i64::MAX)
}

/// What a person should know of a compilation: a line for each source, in the order in which they were met.
pub(crate) fn notes(problems: &[Problem]) -> Vec<String> {
    let mut sources: Vec<(&str, Vec<&Problem>)> = Vec::new();
    for problem in problems {
        match sources.iter_mut().find(|(source, _)| *source == problem.source) {
            Some((_, problems)) => problems.push(problem),
            None => sources.push((&problem.source, vec![problem])),
        }
    }
    sources.iter().map(|(source, problems)| note(source, problems)).collect()
}

fn note(source: &str, problems: &[&Problem]) -> String {
    let said = |problem: &&Problem| match problem.line {
        Some(line) => format!("line {line}: {}", shown(problem.reason.as_bytes())),
        None => shown(problem.reason.as_bytes()),
    };
    let listed: Vec<String> = problems.iter().take(LISTED).map(said).collect();
    let more = match problems.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!("; and {more} more (`dachs db info` lists all)"),
    };
    format!("{}: {}{more}", shown(source.as_bytes()), listed.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_source() {
        let problem = |source: &str, reason: &str, line| Problem { source: source.into(), line, reason: reason.into() };
        let problems = [
            problem("b.ndb", "odd\x1b", Some(7)),
            problem("a.ldb", "first", None),
            problem("a.ldb", "second", None),
            problem("a.ldb", "third", None),
            problem("a.ldb", "fourth", None),
        ];
        let expected =
            ["b.ndb: line 7: odd\\x1b", "a.ldb: first; second; third; and 1 more (`dachs db info` lists all)"];
        assert_eq!(notes(&problems), expected);
    }

    #[test]
    fn the_built_in_set_compiles() {
        let mut image = std::io::Cursor::new(Vec::new());
        compile(&Sources { builtin: true, ..Sources::default() }, &mut image).unwrap();
        assert!(dachs_sigdb::Image::new(image.get_ref()).is_ok());
    }

    #[test]
    fn a_missing_source_is_named() {
        let paths = vec![PathBuf::from("/nowhere/x.ndb")];
        assert!(
            compile(&Sources { paths, ..Sources::default() }, &mut std::io::Cursor::new(Vec::new()))
                .unwrap_err()
                .contains("/nowhere/x.ndb")
        );
    }
}
