//! Samples of every kind by different producers: is what was planted in them found, at the right path?
//!
//! `producers.txt` is the table: a kind, its producers, the command with which each makes a sample of a planted file, and the
//! way to that file inside. All that can be made here is made and scanned at once; the planted file must be found by its
//! digest in an object with exactly that way, and the sample must be of its kind. A producer that is absent is told. That each kind
//! that is looked into has three producers, or a reason why it has fewer, is a test of `dachs-formats` (`docs`), which
//! needs none of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::dachs::{Dachs, FileResult};
use crate::scratch::Scratch;
use crate::{Broken, Options};

/// Seconds a producer may take.
const SECONDS: &str = "60";
/// The program in ClamAV's test files.
const CLAM: &str = "/usr/share/clamav-testfiles/clam.exe";

/// A line of the table.
pub(crate) struct Recipe {
    /// What is made.
    pub(crate) kind: String,
    /// The kind of the file that it stands in; mostly the same.
    outer: String,
    pub(crate) producer: String,
    way: String,
    payload: String,
    command: String,
}

/// A sample that was made.
pub(crate) struct Made<'a> {
    pub(crate) recipe: &'a Recipe,
    pub(crate) path: PathBuf,
}

/// Makes all samples and asks about them; `--only KIND` those of one kind.
pub(crate) fn run(options: &Options) -> Broken {
    let dachs = Dachs::find()?;
    let scratch = Scratch::new()?;
    let recipes: Vec<Recipe> =
        recipes().into_iter().filter(|recipe| options.text("--only").is_none_or(|kind| recipe.kind == kind)).collect();
    let made = make(&recipes, &scratch, &eicar())?;
    let database = scratch.write("payloads.hsb", signatures(&recipes)?.as_bytes())?;
    let paths: Vec<PathBuf> = made.iter().map(|made| made.path.clone()).collect();
    let answer = dachs.scan(&database, &[], &paths)?;
    let results: BTreeMap<&Path, &FileResult> =
        answer.results.iter().map(|result| (result.path.as_path(), result)).collect();
    let wrong = made.iter().filter(|made| !is_right(made, results.get(made.path.as_path()).copied())).count();
    let kinds: BTreeSet<&str> = made.iter().map(|made| made.recipe.kind.as_str()).collect();
    println!(
        "producers: {} samples of {} kinds made, {} found at their way, {wrong} not; {} could not be made",
        made.len(),
        kinds.len(),
        made.len() - wrong,
        recipes.len() - made.len()
    );
    Ok(wrong)
}

/// The lines of `producers.txt`.
pub(crate) fn recipes() -> Vec<Recipe> {
    let mut kind = ("", "");
    let mut recipes = Vec::new();
    for line in include_str!("../producers.txt").lines() {
        if let Some(name) = line.strip_prefix("= ") {
            kind = name.split_once(" in ").unwrap_or((name, name));
        } else if let [producer, way, payload, command] = line.splitn(4, " | ").collect::<Vec<_>>().as_slice()
            && !line.starts_with(['#', '!'])
        {
            let text = |text: &str| text.trim().to_owned();
            let (outer, kind) = (text(kind.1), text(kind.0));
            let (producer, way) = (text(producer), text(way));
            recipes.push(Recipe { kind, outer, producer, way, payload: text(payload), command: text(command) });
        }
    }
    recipes
}

/// Makes what can be made here, with these bytes in the file that is planted. The rest is told.
pub(crate) fn make<'a>(recipes: &'a [Recipe], scratch: &Scratch, planted: &[u8]) -> Result<Vec<Made<'a>>, String> {
    let mut made = Vec::new();
    for (number, recipe) in recipes.iter().enumerate() {
        let folder = Scratch::new()?;
        folder.write("eicar.com", planted)?;
        folder.write("eicar.png", &picture(planted))?;
        let output = Command::new("timeout")
            .args([SECONDS, "sh", "-c", &recipe.command])
            .envs(variables())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("timeout: {error}"))?;
        let path = scratch.path().join(format!("{number}"));
        if output.status.success() && std::fs::rename(folder.path().join("out"), &path).is_ok() {
            made.push(Made { recipe, path });
        } else {
            let words = String::from_utf8_lossy(&output.stderr);
            let reason = words.trim().lines().last().unwrap_or("no reason given");
            eprintln!("SKIPPED: {} by {} cannot be made: {reason}", recipe.kind, recipe.producer);
        }
    }
    Ok(made)
}

/// What commands of the table may refer to.
fn variables() -> Vec<(&'static str, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned();
    let corpora = root.join("target/corpora");
    vec![
        ("PYTHON", python()),
        ("NODE_PATH", corpora.join("node_modules")),
        ("CORPORA", corpora),
        ("SAMPLES", root.join("crates/formats/tests/samples")),
        ("CLAM", "/usr/share/clamav-testfiles".into()),
    ]
}

/// Python with the modules that `conformance/corpora` fetches, or without.
pub(crate) fn python() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/corpora/venv/bin/python");
    if own.exists() { own } else { "python3".into() }
}

/// The EICAR test file, in two halves, so that no scanner takes this file for it.
fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

/// A picture of one pixel with a comment, for producers that take nothing else (PNG, 5 and 11).
fn picture(comment: &[u8]) -> Vec<u8> {
    let chunk = |kind: &[u8], data: &[u8]| {
        let body = [kind, data].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&body);
        let length = u32::try_from(data.len()).unwrap_or(0).to_be_bytes();
        [&length[..], &body, &crc.sum().to_be_bytes()].concat()
    };
    let header = [0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0];
    let pixel = b"\x78\x01\x01\x02\x00\xfd\xff\x00\x00\x00\x02\x00\x01";
    let comment = [&b"Comment\0"[..], comment].concat();
    let chunks = [chunk(b"IHDR", &header), chunk(b"tEXt", &comment), chunk(b"IDAT", pixel), chunk(b"IEND", b"")];
    [&b"\x89PNG\r\n\x1a\n"[..], &chunks.concat()].concat()
}

/// A digest for each payload.
fn signatures(recipes: &[Recipe]) -> Result<String, String> {
    let scratch = Scratch::new()?;
    let mut lines = BTreeSet::new();
    let clam = std::fs::read(CLAM).unwrap_or_default();
    for (name, bytes) in [("eicar", eicar()), ("png", picture(&eicar())), ("clam", clam)] {
        let path = scratch.write(name, &bytes)?;
        let output = Command::new("sha256sum").arg(path).output().map_err(|error| format!("sha256sum: {error}"))?;
        let digest = String::from_utf8_lossy(&output.stdout).chars().take(64).collect::<String>();
        lines.insert(format!("{digest}:{}:M.{name}\n", bytes.len()));
    }
    for recipe in recipes.iter().filter(|recipe| recipe.payload.contains(':')) {
        lines.insert(format!("{}:{}\n", recipe.payload, name(recipe)));
    }
    Ok(lines.into_iter().collect())
}

/// What the signature of a payload is called.
fn name(recipe: &Recipe) -> String {
    match recipe.payload.split_once(':') {
        Some((digest, _)) => format!("M.{digest}"),
        None => format!("M.{}", recipe.payload),
    }
}

/// Is the payload where it belongs? If not, that is told.
fn is_right(made: &Made<'_>, result: Option<&FileResult>) -> bool {
    let recipe = made.recipe;
    let Some(result) = result else {
        println!("producers: BROKEN: {} by {}: no result", recipe.kind, recipe.producer);
        return false;
    };
    let ways: Vec<&str> =
        result.ways.iter().filter(|(found, _)| *found == name(recipe)).map(|(_, way)| way.as_str()).collect();
    let right = ways.contains(&recipe.way.as_str()) && result.kind == recipe.outer;
    if !right {
        println!(
            "producers: BROKEN: {} by {}: kind {}, {}, found at {ways:?} and not at {:?}; {:?}",
            recipe.kind, recipe.producer, result.kind, result.verdict, recipe.way, result.anomalies
        );
    }
    right
}
