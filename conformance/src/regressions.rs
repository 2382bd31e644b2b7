//! Small cases that once told ClamAV and Dachs apart, or nearly did: both must find the same names again.
//!
//! `regressions/*.txt` hold one case each: lines that begin with `#`, which say what it is about, lines `ENDING SIGNATURE`,
//! which make the database, and one line `file HEX`.

use std::path::Path;

use crate::Broken;
use crate::clamav;
use crate::dachs::Dachs;
use crate::scratch::Scratch;

/// Asks both sides for every case.
pub(crate) fn run() -> Broken {
    if !clamav::is_there() {
        return Ok(0);
    }
    let dachs = Dachs::find()?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut broken = 0;
    for path in &paths {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let (theirs, ours) = ask(&dachs, &text)?;
        if theirs != ours {
            broken += 1;
            println!("{}: ClamAV finds {theirs:?}, Dachs {ours:?}", path.display());
        }
    }
    println!("regressions: {} cases, {broken} broken", paths.len());
    Ok(broken)
}

type Names = std::collections::BTreeSet<String>;

fn ask(dachs: &Dachs, text: &str) -> Result<(Names, Names), String> {
    let scratch = Scratch::new()?;
    let database = scratch.folder("db")?;
    let mut databases: std::collections::BTreeMap<&str, String> = std::collections::BTreeMap::new();
    let mut object = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.split_once(' ') {
            Some(("file", hex)) => object = bytes(hex)?,
            Some((ending, signature)) => {
                let database = databases.entry(ending).or_default();
                database.push_str(signature);
                database.push('\n');
            }
            None => return Err(format!("not a line of a case: {line}")),
        }
    }
    for (ending, lines) in databases {
        std::fs::write(database.join(format!("t.{ending}")), lines).map_err(|error| error.to_string())?;
    }
    let file = vec![scratch.write("file", &object)?];
    let theirs = clamav::scan(&database, &file)?.remove(&file[0]).unwrap_or_default();
    let answer = dachs.scan(&database, &[], &file)?;
    let names = answer.results.iter().flat_map(|result| &result.names);
    Ok((theirs, names.map(|name| clamav::plain(name)).collect()))
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<char> = hex.trim().chars().collect();
    let pair = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).map_err(|_| hex.to_owned());
    digits.chunks(2).map(pair).collect()
}
