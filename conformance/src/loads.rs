//! Odd and broken signature lines: both sides must take the same ones and refuse the same ones.
//!
//! The cases stand in loads.txt, one a line: the ending of the database file, a blank, and the line. An empty line is
//! written `(empty)`. A case that Dachs answers otherwise on purpose has its reason behind ` ## `.

use std::path::PathBuf;

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
    let (mut cases, mut broken, mut known) = (0, 0, 0);
    for case in include_str!("../loads.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        cases += 1;
        let (case, reason) = case.split_once(" ## ").unwrap_or((case, ""));
        let Some((ending, line)) = case.split_once(' ') else { return Err(format!("not a case: {case}")) };
        let line = if line == "(empty)" { "" } else { line };
        let (theirs, ours, complaint) = ask(&dachs, ending, line)?;
        match (theirs == ours, reason.is_empty()) {
            (true, true) => {}
            (false, false) => known += 1,
            (true, false) => {
                broken += 1;
                println!("{case}\n  is listed as a difference ({reason}), but both agree now");
            }
            (false, true) => {
                broken += 1;
                println!("{case}\n  ClamAV {}, Dachs {}: {complaint}", word(theirs), word(ours));
            }
        }
    }
    println!("loads: {cases} lines, {known} known differences, {broken} unknown");
    Ok(broken)
}

fn word(taken: bool) -> &'static str {
    if taken { "takes it" } else { "refuses it" }
}

/// Whether ClamAV and Dachs take a line, and what Dachs said about it.
fn ask(dachs: &Dachs, ending: &str, line: &str) -> Result<(bool, bool, String), String> {
    let scratch = Scratch::new()?;
    let file: Vec<PathBuf> = vec![scratch.write("file", b"nothing to be found here")?];
    let database = scratch.write(&format!("t.{ending}"), format!("{line}\n").as_bytes())?;
    let theirs = clamav::scan(&database, &file).is_ok();
    let answer = dachs.scan(&database, &[], &file)?;
    let complaint = answer.complaint.lines().next().unwrap_or_default().to_owned();
    Ok((theirs, answer.code != Some(2), complaint))
}
