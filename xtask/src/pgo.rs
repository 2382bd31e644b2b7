//! `cargo xtask pgo`: releases built with what the compiler learned from a run (profile-guided optimisation).
//!
//! ```text
//! sources --profile-generate--> instrumented dachs and `examine` --DATABASE, PATH…--> counts
//! counts --llvm-profdata--> profile --profile-use--> target/pgo/use/release/{dachs,dachsd}
//! ```
//!
//! The instrumented `dachs` builds an image of the database, and the example `examine` of `dachs-cli` scans the paths in its own
//! process: a jailed worker can write no counts. Both builds are of the same packages with the same features, since the names of
//! functions depend on them. Needs `llvm-profdata` of LLVM 19 or later (Debian: `llvm-19`), or the one that `LLVM_PROFDATA` names.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

pub(crate) const USAGE: &str = "\
cargo xtask pgo DATABASE PATH...
       builds target/pgo/use/release/dachs and dachsd, optimised for scans of the paths with the database; the corpora and the
       database of `cargo xtask bench` (target/bench) do well";

/// Versions that read what the compiler's counts look like, beside the one of the toolchain.
const PROFDATA: [&str; 4] = ["llvm-profdata-22", "llvm-profdata-21", "llvm-profdata-20", "llvm-profdata-19"];

/// Builds, learns, builds again.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> ExitCode {
    let Some((database, paths)) = arguments.split_first().filter(|(_, paths)| !paths.is_empty()) else {
        eprintln!("usage: {USAGE}");
        return ExitCode::from(2);
    };
    match optimise(root, database, paths) {
        Ok(release) => {
            println!("{}", release.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pgo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn optimise(root: &Path, database: &str, paths: &[&str]) -> Result<PathBuf, String> {
    let merge = profdata()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from).join("pgo");
    let (counts, profile, image) = (target.join("counts"), target.join("profile"), target.join("image"));
    // Counts of an older build would be merged with the new ones.
    let _ = std::fs::remove_dir_all(&counts);
    let instrumented = build(root, &target.join("generate"), &format!("-Cprofile-generate={}", counts.display()))?;
    call(Command::new(instrumented.join("dachs")).args(["db", "build", "-o"]).args([&image]).arg(database))?;
    call(Command::new(instrumented.join("examples/examine")).arg(&image).args(paths))?;
    call(Command::new(merge).args(["merge", "-o"]).args([&profile, &counts]))?;
    build(root, &target.join("use"), &format!("-Cprofile-use={}", profile.display()))
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
