//! Signatures in words: does `dachs db explain` say of each what its line says?
//!
//! Every signature of the databases is explained. Of each there are two readings here, made without anything of ours: one of the
//! line, one of the explanation's words. Both give the same plain form: bytes, distances, choices and borders of a pattern, an
//! expression as a tree of sets, places and ranges as numbers. What differs is printed.
//!
//! Lines that Dachs leaves out are told apart by being absent: each must be counted by `dachs db info`.

mod line;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use crate::dachs::Dachs;
use crate::machine;
use crate::scratch::Scratch;
use crate::{Broken, Options};

/// Differences that are printed.
const SHOWN: usize = 20;

/// A signature in plain form: what it says, by aspect.
pub(super) type Plain = BTreeMap<String, String>;

/// Explains everything in the folders or files, or in the optional data folder, and lines of all kinds of our own.
pub(crate) fn run(options: &Options) -> Broken {
    let dachs = Dachs::find()?;
    let scratch = Scratch::new()?;
    let mut sources: Vec<PathBuf> = options.paths().iter().map(PathBuf::from).collect();
    let own = scratch.folder("own")?;
    for (ending, lines) in line::OWN {
        std::fs::write(own.join(format!("own.{ending}")), lines).map_err(|error| error.to_string())?;
    }
    if sources.is_empty() {
        match machine::data() {
            Some(data) => {
                let real = scratch.folder("real")?;
                machine::unpack_all(&data.join("data/clamav"), &real)?;
                sources.push(real);
            }
            None => eprintln!("SKIPPED: no folder of real databases ($DACHS_SHARED, or `shared` beside the project)"),
        }
    }
    sources.push(own);
    let mut sum = Sum::default();
    for source in &sources {
        folder(&dachs, source, &mut sum)?;
    }
    for (kind, (right, wrong)) in &sum.kinds {
        println!("explain: {kind}: {right} explained as their lines say, {wrong} not");
    }
    println!(
        "explain: {} signatures explained, {} of them compared with their lines, {} wrong; {} entries without a name (allowed digests, lists, programs), {} lines left out",
        sum.explained, sum.compared, sum.wrong, sum.nameless, sum.absent
    );
    Ok(sum.wrong)
}

#[derive(Default)]
struct Sum {
    explained: usize,
    compared: usize,
    wrong: usize,
    absent: usize,
    nameless: usize,
    kinds: BTreeMap<String, (usize, usize)>,
}

fn folder(dachs: &Dachs, source: &PathBuf, sum: &mut Sum) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let image = scratch.path().join("image");
    dachs.build(source, &image)?;
    let output = Command::new(dachs.program()).args(["db", "explain", "--all", "-d"]).arg(&image).output();
    let output = output.map_err(|error| format!("{}: {error}", dachs.program().display()))?;
    if !output.status.success() {
        return Err(format!("dachs db explain: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // Several signatures may have one name: each explanation is used once.
    let mut explained: BTreeMap<(String, String), Vec<Plain>> = BTreeMap::new();
    for block in text.split("\n\n").filter(|block| !block.trim().is_empty()) {
        sum.explained += 1;
        let (name, file, plain) = words::read(block).map_err(|error| format!("{error}:\n{block}"))?;
        explained.entry((file, name)).or_default().push(plain);
    }
    let mut files: Vec<PathBuf> = match std::fs::read_dir(source) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => vec![source.clone()],
    };
    files.sort();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(&file).map_err(|error| error.to_string())?;
        let ending = name.rsplit('.').next().unwrap_or_default();
        for line in String::from_utf8_lossy(&bytes).lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let Some((signature, plain)) = line::read(ending, line) else {
                sum.nameless += usize::from(!ending.starts_with("yar") && ending != "cvd");
                continue;
            };
            let unofficial = if ending == "crb" { "" } else { ".UNOFFICIAL" };
            let all = explained.get_mut(&(name.clone(), format!("{signature}{unofficial}")));
            sum.compare(ending, line, &plain, all);
        }
    }
    let left: Vec<_> = explained.iter().filter(|((file, _), left)| !left.is_empty() && line::is_read(file)).collect();
    sum.wrong += left.len();
    left.iter().take(SHOWN).for_each(|((file, name), _)| println!("explain: WRONG: {file} has no line for {name}"));
    Ok(())
}

impl Sum {
    fn compare(&mut self, ending: &str, line: &str, plain: &Plain, all: Option<&mut Vec<Plain>>) {
        let Some(all) = all.filter(|all| !all.is_empty()) else {
            self.absent += 1;
            return;
        };
        self.compared += 1;
        let count = self.kinds.entry(ending.to_owned()).or_default();
        if let Some(at) = all.iter().position(|explained| explained == plain) {
            all.remove(at);
            count.0 += 1;
            return;
        }
        count.1 += 1;
        self.wrong += 1;
        let explained = all.remove(0);
        if self.wrong <= SHOWN {
            println!("explain: WRONG: {}", line.get(..line.len().min(600)).unwrap_or(line));
            let keys: std::collections::BTreeSet<&String> = plain.keys().chain(explained.keys()).collect();
            for key in keys.into_iter().filter(|key| plain.get(*key) != explained.get(*key)) {
                println!("    {key}: line {:?}, words {:?}", plain.get(key), explained.get(key));
            }
        }
    }
}
