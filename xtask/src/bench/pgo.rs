//! `cargo xtask pgo`: releases built with what the compiler learned from a run (profile-guided optimisation).
//!
//! ```text
//! sources --profile-generate--> instrumented dachs and `examine` --real signatures, training corpora--> counts
//! counts --llvm-profdata--> profile --profile-use--> target/pgo/use/release/{dachs,dachsd}
//! ```
//!
//! The instrumented `dachs` builds an image of the database, and the example `examine` of `dachs-cli` scans files in its own
//! process: a jailed worker can write no counts. What is learned from are other files than those that are measured, of the same kinds
//! (see [`corpus::training`]). Both builds are of the same packages with the same features, since the names of functions depend on them; counts
//! of another source make a program slower than none. Needs `llvm-profdata` of LLVM 19 or later (Debian: `llvm-19`), or the one that
//! `LLVM_PROFDATA` names.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::definition::{Definition, Measure};
use super::{Places, corpus, database};

/// Versions that read what the compiler's counts look like, beside the one of the toolchain.
const PROFDATA: [&str; 4] = ["llvm-profdata-22", "llvm-profdata-21", "llvm-profdata-20", "llvm-profdata-19"];

/// Builds, learns, builds again; gives the folder of the executables.
pub(crate) fn run(places: &Places) -> Result<PathBuf, String> {
    let merge = profdata()?;
    let database = database::sources(places, "real")?.ok_or("the real signatures are needed to learn from")?;
    let corpora = training(places)?;
    let target = places.cache.with_file_name("pgo");
    let (counts, profile, image) = (target.join("counts"), target.join("profile"), target.join("image"));
    // Counts of an older build would be merged with the new ones.
    let _ = std::fs::remove_dir_all(&counts);
    let flag = format!("-Cprofile-generate={}", counts.display());
    let instrumented = build(&places.root, &target.join("generate"), &flag)?;
    call(Command::new(instrumented.join("dachs")).args(["db", "build", "-o"]).args([&image, &database]))?;
    call(Command::new(instrumented.join("examples/examine")).arg(&image).args(corpora))?;
    call(Command::new(merge).args(["merge", "-o"]).args([&profile, &counts]))?;
    build(&places.root, &target.join("use"), &format!("-Cprofile-use={}", profile.display()))
}

/// A folder of files to learn from for each row of scan CPU.
fn training(places: &Places) -> Result<Vec<PathBuf>, String> {
    let mut folders = Vec::new();
    for definition in Definition::all(&places.root)? {
        if definition.measure == Measure::ScanCpu && definition.database == "real" {
            folders.extend(corpus::training(places, &definition.corpus)?);
        }
    }
    folders.sort();
    folders.dedup();
    if folders.is_empty() { Err("there are no files to learn from here".to_owned()) } else { Ok(folders) }
}

/// Builds the releases with a flag more, in a folder of their own; gives the folder of the executables.
fn build(root: &Path, target: &Path, flag: &str) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let packages = ["build", "--release", "-p", "dachs-cli", "-p", "dachs-daemon", "--bins", "--examples"];
    call(Command::new(cargo).args(packages).current_dir(root).env("CARGO_TARGET_DIR", target).env("RUSTFLAGS", flag))?;
    Ok(target.join("release"))
}

/// The program that merges counts: the one that is named, the toolchain's, or one of the system.
fn profdata() -> Result<OsString, String> {
    let named = std::env::var_os("LLVM_PROFDATA").into_iter();
    let known = named.chain(toolchain()).chain(PROFDATA.map(OsString::from));
    let works =
        |program: &OsString| Command::new(program).arg("--version").output().is_ok_and(|said| said.status.success());
    known.into_iter().find(works).ok_or_else(|| {
        "there is no llvm-profdata of LLVM 19 or later: install llvm-19 (Debian) or the component llvm-tools of the toolchain".to_owned()
    })
}

fn toolchain() -> Option<OsString> {
    let said = |argument: &[&str]| {
        let output = Command::new("rustc").args(argument).output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let (root, version) = (said(&["--print", "sysroot"])?, said(&["-vV"])?);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned();
    Some(Path::new(root.trim()).join("lib/rustlib").join(host).join("bin/llvm-profdata").into_os_string())
}

fn call(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name}: {status}")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}
