//! Crates depend on each other as the block of arrows in ARCHITECTURE.md says, and no otherwise.
//!
//! The document rules: its block is read here, and `cargo metadata` tells what is so. Arrows end at the crates'
//! folder names. Dependencies of tests are free, but listed, so that nobody is surprised.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use super::{Finding, Outcome};

const DOCUMENT: &str = "ARCHITECTURE.md";
/// Ours are the packages with this prefix.
const PREFIX: &str = "dachs-";

/// A package of the workspace and the packages of ours that it names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// In the program: normal and build dependencies.
    pub(crate) uses: BTreeSet<String>,
    /// In tests alone.
    pub(crate) tests_use: BTreeSet<String>,
}

/// Asks cargo.
pub(crate) fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(root).output();
    let output = output.map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata = serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    Ok(parse_metadata(&metadata))
}

/// Compares.
pub(crate) fn check(document: &str, packages: &[Package], outcome: &mut Outcome) {
    let arrows = match parse_arrows(document) {
        Ok(arrows) => arrows,
        Err(finding) => return outcome.findings.push(finding),
    };
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package.name.strip_prefix(PREFIX)).collect();
    for (name, allowed) in &arrows {
        for unknown in allowed.uses.iter().chain([name]).filter(|name| !names.contains(name.as_str())) {
            outcome.findings.push(Finding::new(DOCUMENT, allowed.line, format!("there is no crate {unknown}")));
        }
    }
    for package in packages {
        check_package(package, &arrows, outcome);
    }
}

fn check_package(package: &Package, arrows: &BTreeMap<String, Allowed>, outcome: &mut Outcome) {
    let name = package.name.strip_prefix(PREFIX).unwrap_or(&package.name);
    let manifest = format!("crates/{name}/Cargo.toml");
    let ours = package.name.starts_with(PREFIX);
    let allowed = arrows.get(name);
    if ours && allowed.is_none() {
        outcome.findings.push(Finding::new(&manifest, 0, format!("{DOCUMENT} has no arrow from {name}")));
    }
    for used in package.uses.iter().filter(|used| !allowed.is_some_and(|allowed| allowed.uses.contains(*used))) {
        let message = format!("{name} uses {used}, which the arrows of {DOCUMENT} do not allow");
        outcome.findings.push(Finding::new(&manifest, 0, message));
    }
    for unused in allowed.iter().flat_map(|allowed| &allowed.uses).filter(|name| !package.uses.contains(*name)) {
        outcome.notes.push(format!("the arrow {name} -> {unused} is not used"));
    }
    let tests: Vec<&str> = package.tests_use.difference(&package.uses).map(String::as_str).collect();
    if !tests.is_empty() {
        outcome.notes.push(format!("the tests of {name} use {} as well", tests.join(", ")));
    }
}

/// What a crate may use, and where that is said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Allowed {
    line: usize,
    uses: BTreeSet<String>,
}

/// Reads the fenced block after the line that starts with `Arrows`. Several arrows may stand in a line, at least two
/// blanks apart.
fn parse_arrows(document: &str) -> Result<BTreeMap<String, Allowed>, Finding> {
    let lines = document.lines().enumerate().skip_while(|(_, line)| !line.starts_with("Arrows"));
    let block = lines.skip_while(|(_, line)| !line.starts_with("```")).skip(1);
    let mut arrows: BTreeMap<String, Allowed> = BTreeMap::new();
    for (at, line) in block.take_while(|(_, line)| !line.starts_with("```")) {
        for statement in line.split("  ").map(str::trim).filter(|statement| !statement.is_empty()) {
            let malformed = || Finding::new(DOCUMENT, at + 1, format!("this is not an arrow: {statement}"));
            let (from, to) = statement.split_once("->").ok_or_else(malformed)?;
            let uses = if to.trim() == "nothing of ours" { BTreeSet::new() } else { names(to).collect() };
            for name in names(from) {
                arrows.insert(name, Allowed { line: at + 1, uses: uses.clone() });
            }
        }
    }
    if arrows.is_empty() { Err(Finding::new(DOCUMENT, 0, "it has no block of arrows")) } else { Ok(arrows) }
}

fn names(list: &str) -> impl Iterator<Item = String> {
    list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn parse_metadata(metadata: &serde_json::Value) -> Vec<Package> {
    array(metadata, "packages").map(parse_package).collect()
}

fn parse_package(value: &serde_json::Value) -> Package {
    let mut package = Package { name: string(value, "name"), ..Package::default() };
    for dependency in array(value, "dependencies") {
        let name = string(dependency, "name");
        let Some(name) = name.strip_prefix(PREFIX) else { continue };
        let set = if string(dependency, "kind") == "dev" { &mut package.tests_use } else { &mut package.uses };
        set.insert(name.to_owned());
    }
    package
}

fn array<'a>(value: &'a serde_json::Value, key: &str) -> impl Iterator<Item = &'a serde_json::Value> {
    value.get(key).and_then(serde_json::Value::as_array).into_iter().flatten()
}

fn string(value: &serde_json::Value, key: &str) -> String {
    value.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT_SAMPLE: &str = "Arrows (A -> B):\n\n```\na -> b, c      b -> c\nc -> nothing of ours\n```\n";

    fn package(name: &str, uses: &[&str], tests_use: &[&str]) -> Package {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Package { name: name.to_owned(), uses: set(uses), tests_use: set(tests_use) }
    }

    fn findings(document: &str, packages: &[Package]) -> Vec<String> {
        let mut outcome = Outcome::default();
        check(document, packages, &mut outcome);
        outcome.findings.iter().map(ToString::to_string).collect()
    }

    fn good() -> Vec<Package> {
        vec![package("dachs-a", &["b", "c"], &[]), package("dachs-b", &["c"], &["a"]), package("dachs-c", &[], &[])]
    }

    #[test]
    fn allowed_arrows_pass() {
        assert_eq!(findings(DOCUMENT_SAMPLE, &good()), [""; 0]);
    }

    #[test]
    fn bad_arrows_fail() {
        let mut packages = good();
        packages[2].uses.insert("a".to_owned());
        packages.push(package("dachs-d", &[], &[]));
        packages.push(package("xtask", &["a"], &[]));
        let found = findings(DOCUMENT_SAMPLE, &packages);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("crates/c/Cargo.toml: c uses a"), "{found:?}");
        assert!(found[1].contains("no arrow from d"));
        assert!(found[2].contains("xtask uses a"));
    }

    #[test]
    fn the_document_names_only_crates_that_exist() {
        let document = DOCUMENT_SAMPLE.replace("b, c ", "b, c, e ");
        assert_eq!(findings(&document, &good()), ["ARCHITECTURE.md:4: there is no crate e"]);
    }

    #[test]
    fn a_document_without_arrows_fails() {
        assert_eq!(findings("nothing", &good()).len(), 1);
        assert_eq!(findings("Arrows:\n```\na => b\n```", &good()).len(), 1);
    }

    #[test]
    fn metadata_is_read() {
        let text = r#"{"packages":[{"name":"dachs-a","dependencies":[{"name":"dachs-b","kind":null},
            {"name":"dachs-c","kind":"dev"},{"name":"libc","kind":null}]}]}"#;
        let packages = parse_metadata(&serde_json::from_str(text).unwrap());
        assert_eq!(packages[0].uses.iter().collect::<Vec<_>>(), ["b"]);
        assert_eq!(packages[0].tests_use.iter().collect::<Vec<_>>(), ["c"]);
    }
}
