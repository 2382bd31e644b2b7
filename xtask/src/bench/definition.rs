//! What is measured: the files of `benches/definitions`.
//!
//! A file holds one definition, or a list of them:
//!
//! ```json
//! { "name": "elf", "what": "programs and libraries", "measure": "scan-cpu", "corpus": "elf", "database": "real",
//!   "rivals": ["clamscan"], "rounds": 3, "bar": 15, "floor": 1 }
//! ```

use std::path::Path;

use serde::Deserialize;

/// What is compared.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measure {
    /// The rival's CPU time of a scan beyond loading, to that of Dachs.
    ScanCpu,
    /// The rival's wall time for one small file in a fresh process, to that of Dachs.
    Cold,
    /// The rival's most memory during the scan, to that of Dachs with two workers.
    Memory,
    /// The rival's CPU time to load, to that of building the image; and the same of memory.
    Build,
    /// The wall time of one worker, to that of two.
    Workers,
    /// The speed over ordinary files, to that over the corpus.
    Worst,
    /// The CPU time of Dachs over the corpus with `other`, to that with `database`.
    Growth,
    /// The CPU time of Dachs over the corpus with `database`, to the sum of those with each of `parts`.
    Sum,
}

/// One definition.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Definition {
    /// Its name, and that of its record.
    pub(crate) name: String,
    /// In words.
    pub(crate) what: String,
    /// What is compared.
    pub(crate) measure: Measure,
    /// A corpus by its name, or a folder by its path.
    #[serde(default)]
    pub(crate) corpus: String,
    /// Files that are ordinary, for [`Measure::Worst`].
    #[serde(default)]
    pub(crate) ordinary: String,
    /// `real`, `yara:RULES`, `real+yara:RULES`, or `generated:HASHES:BODIES`.
    pub(crate) database: String,
    /// Another database, for [`Measure::Growth`].
    #[serde(default)]
    pub(crate) other: String,
    /// Databases that `database` is made of, for [`Measure::Sum`].
    #[serde(default)]
    pub(crate) parts: Vec<String>,
    /// `clamscan`, `clamdscan`; `boreal` for YARA rules.
    #[serde(default)]
    pub(crate) rivals: Vec<String>,
    /// How often each program runs.
    #[serde(default = "three")]
    pub(crate) rounds: u32,
    /// What is to be reached.
    #[serde(default)]
    pub(crate) bar: Option<f64>,
    /// True if a smaller ratio is better.
    #[serde(default)]
    pub(crate) smaller: bool,
    /// What a run with `--quick` must reach: far below the bar, so that only a disaster fails.
    #[serde(default)]
    pub(crate) floor: Option<f64>,
    /// How many files are to be detected; any number, but the same as the rivals', if it is not said.
    #[serde(default)]
    pub(crate) detections: Option<usize>,
    /// Endings of paths that Dachs and rivals are known to judge differently, each with its reason.
    #[serde(default)]
    pub(crate) differ: Vec<(String, String)>,
}

fn three() -> u32 {
    3
}

#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    One(Box<Definition>),
    Many(Vec<Definition>),
}

impl Definition {
    /// All definitions, in the order of the files' names.
    pub(crate) fn all(root: &Path) -> Result<Vec<Definition>, String> {
        let mut all = Vec::new();
        for path in files(&root.join("benches/definitions"))? {
            let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            match serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))? {
                File::One(definition) => all.push(*definition),
                File::Many(definitions) => all.extend(definitions),
            }
        }
        Ok(all)
    }
}

/// The files of a folder that end with `.json`, sorted.
pub(crate) fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_of_the_house_are_sound() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let all = Definition::all(root).unwrap();
        assert!(all.iter().any(|definition| definition.floor.is_some()));
        for definition in &all {
            for corpus in [&definition.corpus, &definition.ordinary] {
                let made = root.join(format!("benches/corpora/{corpus}.json"));
                assert!(corpus.is_empty() || corpus.starts_with('/') || made.exists(), "{}", definition.name);
            }
            let same = all.iter().filter(|other| other.name == definition.name).count();
            assert_eq!(same, 1, "{}", definition.name);
        }
    }
}
