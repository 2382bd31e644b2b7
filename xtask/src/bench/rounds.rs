//! A definition, measured: the programs take turns, their answers are compared, ratios are formed.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::database::{self, Database};
use super::definition::{Definition, Measure};
use super::measure::{self, Cost};
use super::program::{self, Clamd, Scan};
use super::{Places, corpus};

/// What came of a definition.
pub(crate) struct Outcome {
    pub(crate) definition: Definition,
    /// How many files and bytes were scanned.
    pub(crate) corpus: (u64, u64),
    /// One for each rival, or one.
    pub(crate) comparisons: Vec<Comparison>,
    /// What was answered wrongly.
    pub(crate) wrong: Vec<String>,
    /// Files that Dachs called incomplete.
    pub(crate) incomplete: usize,
}

/// Two rows of figures and their ratios.
pub(crate) struct Comparison {
    /// Of what: `clamscan / dachs, CPU`.
    pub(crate) what: String,
    pub(crate) theirs: Vec<f64>,
    pub(crate) ours: Vec<f64>,
    /// What the figures are in: `s`, `MB`.
    pub(crate) unit: &'static str,
}

impl Comparison {
    fn new(what: impl Into<String>, unit: &'static str) -> Comparison {
        Comparison { what: what.into(), theirs: Vec::new(), ours: Vec::new(), unit }
    }

    fn push(&mut self, theirs: f64, ours: f64) {
        self.theirs.push(theirs);
        self.ours.push(ours);
    }

    /// The ratio of each round, sorted.
    pub(crate) fn ratios(&self) -> Vec<f64> {
        let mut ratios: Vec<f64> =
            self.theirs.iter().zip(&self.ours).map(|(theirs, ours)| theirs / ours.max(1e-6)).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    /// The ratio in the middle.
    pub(crate) fn median(&self) -> f64 {
        median(&self.ratios())
    }
}

/// The one in the middle of a sorted list.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Outcome {
    /// Is each ratio as it must be? The first comparison counts.
    pub(crate) fn reaches(&self, bar: Option<f64>) -> bool {
        let (Some(bar), Some(first)) = (bar, self.comparisons.first()) else { return true };
        if self.definition.smaller { first.median() <= bar } else { first.median() >= bar }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, bytes) = self.corpus;
        writeln!(
            f,
            "{}: {} ({files} files, {} MB, {} incomplete)",
            self.definition.name,
            self.definition.what,
            bytes / 1_000_000,
            self.incomplete
        )?;
        for comparison in &self.comparisons {
            let ratios = comparison.ratios();
            let sorted = |row: &[f64]| {
                let mut row = row.to_vec();
                row.sort_by(f64::total_cmp);
                median(&row)
            };
            writeln!(
                f,
                "  {:<28} {:>9.3} {u} to {:>9.3} {u}   ratio {:.2} ({:.2} to {:.2})",
                comparison.what,
                sorted(&comparison.theirs),
                sorted(&comparison.ours),
                comparison.median(),
                ratios.first().unwrap_or(&f64::NAN),
                ratios.last().unwrap_or(&f64::NAN),
                u = comparison.unit
            )?;
        }
        if let Some(bar) = self.definition.bar {
            writeln!(f, "  bar {bar}: {}", if self.reaches(Some(bar)) { "reached" } else { "not reached" })?;
        }
        self.wrong.iter().try_for_each(|wrong| writeln!(f, "  WRONG: {wrong}"))
    }
}

/// What a measurement works with.
struct Bench<'a> {
    places: &'a Places,
    dachs: &'a Path,
    definition: &'a Definition,
    database: Database,
    folder: PathBuf,
    /// A file of one line.
    tiny: PathBuf,
    scratch: PathBuf,
    rounds: u32,
    outcome: Outcome,
}

/// Measures a definition; `None`, told, if it cannot be measured here.
pub(crate) fn run(
    places: &Places,
    dachs: &Path,
    definition: &Definition,
    rounds: Option<u32>,
    quick: bool,
) -> Result<Option<Outcome>, String> {
    if let Some(absent) = definition.rivals.iter().find(|rival| !program::exists(rival)) {
        println!("SKIPPED {}: there is no {absent}", definition.name);
        return Ok(None);
    }
    let scratch = places.cache.join("scratch");
    std::fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    let tiny = scratch.join("tiny");
    std::fs::write(&tiny, "A file of one line, in which there is nothing.\n").map_err(|error| error.to_string())?;
    let folder = match definition.corpus.as_str() {
        "" => Some(tiny.clone()),
        name => corpus::folder(places, name)?,
    };
    let (Some(folder), Some(database)) = (folder, database::find(places, dachs, &definition.database)?) else {
        println!("SKIPPED {}", definition.name);
        return Ok(None);
    };
    let rounds = rounds.unwrap_or(if quick { 1 } else { definition.rounds });
    let outcome = Outcome {
        definition: definition.clone(),
        corpus: if folder.is_dir() { corpus::size(&folder) } else { (1, 47) },
        comparisons: Vec::new(),
        wrong: Vec::new(),
        incomplete: 0,
    };
    let mut bench = Bench { places, dachs, definition, database, folder, tiny, scratch, rounds, outcome };
    match definition.measure {
        Measure::ScanCpu => bench.scan_cpu()?,
        Measure::Cold => bench.cold()?,
        Measure::Memory => bench.memory()?,
        Measure::Build => bench.build()?,
        Measure::Workers => bench.workers()?,
        Measure::Worst => bench.worst()?,
        Measure::Growth => bench.growth()?,
        Measure::Sum => bench.sum()?,
    }
    Ok(Some(bench.outcome))
}

impl Bench<'_> {
    /// One scan with Dachs and one worker, beyond what a tiny file costs; its answers are kept.
    fn ours(&mut self) -> Result<(Cost, BTreeSet<String>), String> {
        let scan = self.dachs(&self.folder.clone(), 1, false)?;
        let load = self.dachs(&self.tiny.clone(), 1, false)?;
        self.outcome.incomplete = scan.incomplete;
        Ok((beyond(scan.cost, load.cost), scan.detected))
    }

    fn dachs(&self, path: &Path, jobs: u32, watch: bool) -> Result<Scan, String> {
        program::dachs(self.dachs, &self.database.image, jobs, path, &self.scratch, watch)
    }

    fn clamscan(&self, path: &Path, watch: bool) -> Result<Scan, String> {
        program::clamscan(&self.database.sources, path, &self.scratch, watch)
    }

    /// One scan of a program that loads its database itself.
    fn rival(&self, rival: &str, path: &Path) -> Result<Scan, String> {
        match rival {
            "boreal" => program::boreal(&self.database.sources, path, &self.scratch),
            _ => self.clamscan(path, false),
        }
    }

    fn scan_cpu(&mut self) -> Result<(), String> {
        let servers: Vec<(String, Option<Clamd>)> = self
            .definition
            .rivals
            .iter()
            .map(|rival| match rival.as_str() {
                "clamdscan" => {
                    Clamd::start(&self.database.sources, &self.scratch).map(|clamd| (rival.clone(), Some(clamd)))
                }
                _ => Ok((rival.clone(), None)),
            })
            .collect::<Result<_, String>>()?;
        let mut rows: Vec<Comparison> = Vec::new();
        for (rival, _) in &servers {
            rows.push(Comparison::new(format!("{rival} / dachs, CPU"), "s"));
            rows.push(Comparison::new(format!("{rival} / dachs, wall"), "s"));
        }
        for round in 0..self.rounds {
            for ((rival, server), rows) in servers.iter().zip(rows.as_chunks_mut::<2>().0) {
                let (cost, detected) = match server {
                    Some(clamd) => clamd.scan(&self.folder, &self.scratch).map(|scan| (scan.cost, scan.detected))?,
                    None => {
                        let scan = self.rival(rival, &self.folder)?;
                        (beyond(scan.cost, self.rival(rival, &self.tiny)?.cost), scan.detected)
                    }
                };
                let (ours, found) = self.ours()?;
                let [cpu, wall] = rows;
                cpu.push(cost.cpu, ours.cpu);
                wall.push(cost.wall, ours.wall);
                if round == 0 {
                    self.compare(&found, &detected);
                }
            }
        }
        self.outcome.comparisons = rows;
        Ok(())
    }

    /// The answers must be the same, and those expected.
    fn compare(&mut self, ours: &BTreeSet<String>, theirs: &BTreeSet<String>) {
        let differ = &self.definition.differ;
        let known = |path: &&String| differ.iter().any(|(end, _)| path.ends_with(end.as_str()));
        let wrong = &mut self.outcome.wrong;
        wrong.extend(
            ours.difference(theirs).filter(|path| !known(path)).map(|path| format!("{path}: we alone detect it")),
        );
        wrong.extend(
            theirs
                .difference(ours)
                .filter(|path| !known(path))
                .map(|path| format!("{path}: the rival alone detects it")),
        );
        let expected = self.definition.detections.unwrap_or(ours.len().max(1));
        if ours.len() != expected {
            wrong.push(format!("{} detected, {expected} expected", ours.len()));
        }
    }

    /// One small file, each program started anew.
    fn cold(&mut self) -> Result<(), String> {
        let (mut wall, mut cpu) =
            (Comparison::new("clamscan / dachs, wall", "s"), Comparison::new("clamscan / dachs, CPU", "s"));
        let tiny = self.tiny.clone();
        self.dachs(&tiny, 1, false)?;
        for _ in 0..self.rounds {
            let theirs = self.clamscan(&tiny, false)?.cost;
            // Ours is so short that one run says little.
            let runs: Vec<Cost> =
                (0..9).map(|_| self.dachs(&tiny, 1, false).map(|scan| scan.cost)).collect::<Result<_, _>>()?;
            let middle = |part: fn(&Cost) -> f64| {
                let mut row: Vec<f64> = runs.iter().map(part).collect();
                row.sort_by(f64::total_cmp);
                median(&row)
            };
            wall.push(theirs.wall, middle(|cost| cost.wall));
            cpu.push(theirs.cpu, middle(|cost| cost.cpu));
        }
        self.outcome.comparisons = vec![wall, cpu];
        Ok(())
    }

    fn memory(&mut self) -> Result<(), String> {
        let mut row = Comparison::new("dachs -j2 / clamscan, peak", "MB");
        for _ in 0..self.rounds {
            let ours = self.dachs(&self.folder, 2, true)?;
            // What clamscan holds does not grow with what it scans, but by the file at hand.
            let theirs = self.clamscan(&self.tiny, true)?;
            row.push(megabytes(ours.cost.memory), megabytes(theirs.cost.memory));
        }
        self.outcome.comparisons = vec![row];
        Ok(())
    }

    fn build(&mut self) -> Result<(), String> {
        let mut cpu = Comparison::new("build / clamscan's load, CPU", "s");
        let mut memory = Comparison::new("build / clamscan's load, peak", "MB");
        let mut per_signature = Comparison::new("bytes of image / signatures", "B");
        let image = self.scratch.join("built.image");
        for _ in 0..self.rounds {
            let mut command = std::process::Command::new(self.dachs);
            command.args(["db", "build", "-o"]).arg(&image).arg(&self.database.sources);
            let ours = measure::run(&mut command, &self.scratch, true)?;
            if !ours.status.success() {
                return Err(format!("dachs db build: {}", ours.stderr));
            }
            let theirs = self.clamscan(&self.tiny, true)?;
            cpu.push(ours.cost.cpu, theirs.cost.cpu);
            memory.push(megabytes(ours.cost.memory), megabytes(theirs.cost.memory));
        }
        #[allow(clippy::cast_precision_loss, reason = "sizes for people")]
        let size =
            std::fs::metadata(&image).map(|metadata| metadata.len() as f64).map_err(|error| error.to_string())?;
        per_signature.push(size, self.signatures()?);
        let _ = std::fs::remove_file(image);
        self.outcome.comparisons = vec![cpu, memory, per_signature];
        Ok(())
    }

    fn signatures(&self) -> Result<f64, String> {
        let output = std::process::Command::new(self.dachs)
            .args(["db", "info", "--format", "json"])
            .arg(&self.database.image)
            .output();
        let output = output.map_err(|error| error.to_string())?;
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        value.get("signatures").and_then(serde_json::Value::as_f64).ok_or("an image without a count".to_owned())
    }

    fn workers(&mut self) -> Result<(), String> {
        let mut row = Comparison::new("one worker / two, wall", "s");
        self.dachs(&self.folder, 2, false)?;
        for _ in 0..self.rounds {
            let (one, two) = (self.dachs(&self.folder, 1, false)?, self.dachs(&self.folder, 2, false)?);
            if one.detected != two.detected || one.incomplete != two.incomplete {
                self.outcome.wrong.push("two workers say other things than one".to_owned());
            }
            row.push(one.cost.wall, two.cost.wall);
        }
        self.outcome.comparisons = vec![row];
        Ok(())
    }

    fn worst(&mut self) -> Result<(), String> {
        let Some(ordinary) = corpus::folder(self.places, &self.definition.ordinary)? else { return Ok(()) };
        let mut row = Comparison::new("slow / ordinary, CPU a MB", "ms");
        let each = |cost: Cost, folder: &Path| {
            let (_, bytes) = corpus::size(folder);
            #[allow(clippy::cast_precision_loss, reason = "sizes for people")]
            let megabytes = bytes as f64 / 1e6;
            cost.cpu * 1000.0 / megabytes
        };
        for _ in 0..self.rounds {
            let load = self.dachs(&self.tiny, 1, false)?.cost;
            let slow = beyond(self.dachs(&self.folder, 1, false)?.cost, load);
            let usual = beyond(self.dachs(&ordinary, 1, false)?.cost, load);
            row.push(each(slow, &self.folder), each(usual, &ordinary));
        }
        self.outcome.comparisons = vec![row];
        Ok(())
    }

    fn sum(&mut self) -> Result<(), String> {
        let mut parts = Vec::new();
        for name in &self.definition.parts {
            let Some(part) = database::find(self.places, self.dachs, name)? else { return Ok(()) };
            parts.push(part);
        }
        let mut row = Comparison::new("together / sum, CPU", "s");
        for _ in 0..self.rounds {
            let cost = |image: &Path| {
                let scan = |path: &Path| program::dachs(self.dachs, image, 1, path, &self.scratch, false);
                Ok::<f64, String>(beyond(scan(&self.folder)?.cost, scan(&self.tiny)?.cost).cpu)
            };
            let together = cost(&self.database.image)?;
            let each: Vec<f64> = parts.iter().map(|part| cost(&part.image)).collect::<Result<_, _>>()?;
            row.push(together, each.iter().sum());
        }
        self.outcome.comparisons = vec![row];
        Ok(())
    }

    fn growth(&mut self) -> Result<(), String> {
        let Some(other) = database::find(self.places, self.dachs, &self.definition.other)? else { return Ok(()) };
        let mut row = Comparison::new("more hashes / fewer, CPU", "s");
        for _ in 0..self.rounds {
            let scan = |image: &Path| program::dachs(self.dachs, image, 1, &self.folder, &self.scratch, false);
            row.push(scan(&other.image)?.cost.cpu, scan(&self.database.image)?.cost.cpu);
        }
        self.outcome.comparisons = vec![row];
        Ok(())
    }
}

/// What a scan cost beyond what a tiny file costs.
fn beyond(scan: Cost, load: Cost) -> Cost {
    Cost { wall: (scan.wall - load.wall).max(0.0), cpu: (scan.cpu - load.cpu).max(0.0), memory: scan.memory }
}

#[allow(clippy::cast_precision_loss, reason = "sizes for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
