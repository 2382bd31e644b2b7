//! A huge file with a signature at its very end: it is found, and memory does not grow with the file.
//!
//! The file is sparse: it takes no room on disk, but every byte of it can be read. What is measured is therefore the
//! skipping of holes; `--dense` writes real bytes instead, as many as the disk takes.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use crate::dachs::Dachs;
use crate::memory::megabytes;
use crate::scratch::Scratch;
use crate::{Broken, Options};

const MARK: &[u8] = b"The badger sits at the very end.";
/// Memory that all processes together may hold, in bytes.
const MEMORY: u64 = 300_000_000;

/// Scans a file of `--size`.
pub(crate) fn run(options: &Options) -> Broken {
    let size = options.number("--size", 100 << 30)?;
    let dense = options.rest.iter().any(|option| option == "--dense");
    let dachs = Dachs::find()?;
    let scratch = Scratch::new()?;
    let text: String = MARK.iter().map(|byte| format!("{byte:02x}")).collect();
    let database = scratch.write("t.ndb", format!("Test.End:0:*:{text}\n").as_bytes())?;
    let path = scratch.path().join("huge");
    write(&path, size, dense).map_err(|error| format!("{}: {error}", path.display()))?;

    let answer = dachs.scan(&database, &[], &[path])?;
    let result = answer.results.first().ok_or(format!("no result: {}", answer.complaint))?;
    println!(
        "sparse: {size} bytes: {} in {:.2} s, {} held by all processes",
        result.verdict,
        answer.elapsed.as_secs_f64(),
        megabytes(answer.memory.all)
    );
    let found = answer.code == Some(1) && result.names.iter().any(|name| name.starts_with("Test.End"));
    let small = answer.memory.all < MEMORY;
    if !found {
        println!("sparse: BROKEN: the signature at the end is not found: {result:?}");
    }
    if !small {
        println!("sparse: BROKEN: more than {} held", megabytes(MEMORY));
    }
    Ok(usize::from(!found) + usize::from(!small))
}

fn write(path: &Path, size: u64, dense: bool) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    if dense {
        let block: Vec<u8> =
            (0..1_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
        for _ in 0..size >> 20 {
            file.write_all(&block)?;
        }
    }
    file.set_len(size)?;
    file.seek(SeekFrom::Start(size.saturating_sub(MARK.len() as u64)))?;
    file.write_all(MARK)
}
