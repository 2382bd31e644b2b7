//! ZIP archives made by others: public tools, ClamAV's samples, and those that lie about on the machine.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::print_stderr, reason = "skipped tests say so")]

#[path = "zip_support/mod.rs"]
mod support;

use dachs_base::{AnomalyKind, FileKind, Limits};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{Contents, Entry, Random, Zip, eicar, read, read_within};

fn zip(bytes: &[u8]) -> Contents {
    read(FileKind::Zip, bytes)
}

fn files() -> Vec<(String, Vec<u8>)> {
    let text: Vec<u8> = (0..30_000u32).flat_map(|number| format!("line {number}\n").into_bytes()).collect();
    vec![
        ("a.txt".into(), text),
        ("deep/er/eicar.com".into(), eicar()),
        ("empty".into(), Vec::new()),
        ("noise".into(), Random(1).bytes(50_000)),
    ]
}

/// Packs the usual files with a command that is run in their folder and gets the name of the archive last but one.
fn pack(program: &str, options: &[&str], split: bool) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files() {
        let path = folder.path().join("in").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let archive = folder.path().join("out.zip");
    let mut command = Command::new(program);
    command.args(options).arg(&archive).arg(".").current_dir(folder.path().join("in"));
    match command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).status() {
        Ok(status) if status.success() && !split => Some(std::fs::read(archive).unwrap()),
        Ok(status) if status.success() => Some(std::fs::read(archive.with_extension("z01")).unwrap()),
        _ => {
            eprintln!("SKIPPED: {program} {options:?} does not run here");
            None
        }
    }
}

fn assert_all(contents: &Contents, what: &str) {
    assert_eq!(contents.members.len(), 4, "{what}: {:?} {:?}", contents.names(), contents.anomalies);
    for (name, bytes) in files() {
        assert!(contents.bytes(&name) == bytes, "{what}: {name} differs");
    }
    assert!(contents.is_clean(), "{what}: {:?}", contents.kinds());
}

#[test]
fn tools_and_methods() {
    for method in ["Copy", "Deflate", "Deflate64", "BZip2", "LZMA", "PPMd"] {
        let option = format!("-mm={method}");
        if let Some(bytes) = pack("7z", &["a", "-tzip", &option], false) {
            assert_all(&zip(&bytes), method);
        }
    }
    for options in [&["-r"][..], &["-r", "-0"], &["-r", "-fz"], &["-r", "-fd"], &["-r", "-Z", "bzip2"]] {
        if let Some(bytes) = pack("zip", options, false) {
            assert_all(&zip(&bytes), &format!("zip {options:?}"));
        }
    }
}

#[test]
fn zstd_and_xz_members_are_read() {
    for method in [20, 93] {
        let packed = ruzstd::encoding::compress_to_vec(&eicar()[..], ruzstd::encoding::CompressionLevel::Fastest);
        let contents = zip(&Zip::of(vec![Entry::packed("x", method, &eicar(), packed)]).build());
        assert_eq!(contents.bytes("x"), eicar(), "{:?}", contents.kinds());
        assert!(contents.is_clean());
    }
    let mut xz = match Command::new("xz").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
        Ok(xz) => xz,
        Err(_) => return eprintln!("SKIPPED: xz is not installed"),
    };
    xz.stdin.take().unwrap().write_all(&eicar()).unwrap();
    let packed = xz.wait_with_output().unwrap().stdout;
    let contents = zip(&Zip::of(vec![Entry::packed("x", 95, &eicar(), packed)]).build());
    assert_eq!(contents.bytes("x"), eicar(), "{:?}", contents.kinds());
    assert!(contents.is_clean());
}

#[test]
fn passwords_are_told_for_each_member() {
    for options in [&["a", "-tzip", "-psecret"][..], &["a", "-tzip", "-psecret", "-mem=AES256"]] {
        let Some(bytes) = pack("7z", options, false) else { continue };
        let contents = zip(&bytes);
        assert!(contents.names().iter().all(|name| *name == "empty"), "{:?}", contents.names());
        assert_eq!(contents.anomalies.len() + contents.members.len(), 4);
        assert!(contents.kinds().iter().all(|kind| *kind == AnomalyKind::Encrypted));
    }
}

#[test]
fn the_first_volume_of_a_split_archive_is_told() {
    let Some(bytes) = pack("zip", &["-r", "-s", "64k", "-0"], true) else { return };
    let contents = zip(&bytes);
    assert!(contents.kinds().contains(&AnomalyKind::Unsupported), "{:?}", contents.kinds());
}

#[test]
fn the_samples_of_clamav_are_opened() {
    let folder = Path::new("/usr/share/clamav-testfiles");
    let Ok(program) = std::fs::read(folder.join("clam.exe")) else {
        return eprintln!("SKIPPED: {} is not there", folder.display());
    };
    for name in ["clam.zip", "clam.bz2.zip", "clam.d64.zip", "clam.impl.zip"] {
        let contents = zip(&std::fs::read(folder.join(name)).unwrap());
        assert_eq!(contents.members.len(), 1, "{name}");
        assert!(contents.members[0].bytes == program && contents.is_clean(), "{name}: {:?}", contents.kinds());
    }
}

/// Prints size, checksum and name of each member of the archives named on standard input, as Python sees them.
const ORACLE: &str = r"
import sys, zipfile
for path in sys.stdin.read().splitlines():
    try:
        names = [i for i in zipfile.ZipFile(path).infolist() if not (i.filename.endswith('/') and i.compress_size == 0)]
        print('archive', path)
    except Exception:
        continue
    for i in names:
        print('member', i.file_size, i.CRC)
";

/// Archives that lie about on the machine; at most a few hundred megabytes of them.
fn archives() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let home = std::env::var("HOME").unwrap_or_default();
    let mut folders: Vec<PathBuf> = [home.as_str(), "/usr"].into_iter().map(PathBuf::from).collect();
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            let wanted =
                path.extension().is_some_and(|end| ["zip", "jar", "whl", "egg", "docx"].iter().any(|e| end == *e));
            let size = entry.metadata().map_or(0, |metadata| metadata.len());
            if kind.is_dir() {
                folders.push(path);
            } else if wanted && kind.is_file() && size < 20 << 20 && bytes < 200 << 20 {
                bytes += size;
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn python_sees_the_same_members() {
    let paths = archives();
    let list: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let python = Command::new("python3").args(["-c", ORACLE]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut python) = python else { return eprintln!("SKIPPED: python3 is not installed") };
    let mut input = python.stdin.take().unwrap();
    std::thread::spawn(move || input.write_all(list.join("\n").as_bytes()));
    let output = String::from_utf8(python.wait_with_output().unwrap().stdout).unwrap();
    let mut checked = 0;
    for block in output.split("archive ").skip(1) {
        let (path, members) = block.split_once('\n').unwrap();
        let mut expected: Vec<String> = members.lines().map(str::to_owned).collect();
        let contents = read_within(FileKind::Zip, &std::fs::read(path).unwrap(), Limits::default());
        let line = |bytes: &[u8]| format!("member {} {}", bytes.len(), crc32fast::hash(bytes));
        let mut got: Vec<String> = contents.members.iter().map(|member| line(&member.bytes)).collect();
        expected.sort_unstable();
        got.sort_unstable();
        let kinds = contents.kinds();
        let told = kinds.contains(&AnomalyKind::Encrypted) || kinds.contains(&AnomalyKind::Unsupported);
        if got != expected || !contents.is_clean() {
            let differ = expected.iter().filter(|member| !got.contains(member)).count();
            eprintln!(
                "{path}: {} of {} differ, {:?} {:?}",
                differ,
                expected.len(),
                contents.kinds(),
                contents.anomalies
            );
            assert!(told || differ == 0, "{path}");
        }
        checked += 1;
    }
    eprintln!("compared {checked} of {} archives with python3", paths.len());
}
