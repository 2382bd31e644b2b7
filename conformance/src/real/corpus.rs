//! Which files are asked about.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Options;
use crate::scratch::Scratch;

/// What is asked about if nothing is named.
const FOLDERS: [&str; 4] = ["/usr/share/clamav-testfiles", "/usr/bin", "/usr/lib", "/usr/share"];
/// Debian packages that hold programs for Windows, documents, mails, pages and pictures.
const PACKAGES: [&str; 15] = [
    "gcc-mingw-w64-i686-win32-runtime",
    "gcc-mingw-w64-x86-64-win32-runtime",
    "libhtml-tree-perl",
    "libmail-box-perl",
    "libmime-tools-perl",
    "libpython3.11-testsuite",
    "libreoffice-common",
    "libreoffice-help-en-us",
    "libspreadsheet-parseexcel-perl",
    "libwine",
    "mingw-w64-x86-64-dev",
    "nsis",
    "python3-docx",
    "python3-openpyxl",
    "spamassassin",
];
/// The source package whose tests hold archives of many formats, uuencoded.
const ARCHIVES: &str = "libarchive";

/// The files below the folders, in the order of a digest of their paths, so that the first N are any N.
pub(super) fn files(options: &Options) -> Result<Vec<PathBuf>, String> {
    let largest = options.number("--largest", 16 << 20)?;
    let count = usize::try_from(options.number("--files", 20_000)?).unwrap_or(usize::MAX);
    let mut folders: Vec<PathBuf> = options.paths().iter().map(PathBuf::from).collect();
    if folders.is_empty() {
        folders = FOLDERS.iter().map(PathBuf::from).collect();
    }
    if options.has("--packages") {
        folders.push(packages()?);
    }
    let mut files = Vec::new();
    for folder in &folders {
        walk(folder, largest, &mut files);
    }
    files.sort_by_key(|path| (class(path), order(path)));
    files.dedup();
    if count > 0 {
        files.truncate(count);
    }
    Ok(files)
}

/// ClamAV's test files come first, then the packages: all of those are wanted.
fn class(path: &Path) -> u8 {
    match path.starts_with(FOLDERS[0]) {
        true => 0,
        false => 2 - u8::from(path.starts_with(env!("CARGO_MANIFEST_DIR"))),
    }
}

/// Any `count` files of a bounded size below the folders, always the same ones.
pub(crate) fn some(folders: &[PathBuf], largest: u64, count: usize) -> Vec<PathBuf> {
    let mut files = Vec::new();
    folders.iter().for_each(|folder| walk(folder, largest, &mut files));
    files.sort_by_key(|path| order(path));
    files.truncate(count);
    files
}

/// Regular files of a bounded size whose paths are plain text.
fn walk(folder: &Path, largest: u64, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        let path = entry.path();
        if metadata.is_dir() {
            walk(&path, largest, files);
        } else if metadata.is_file() && (1..=largest).contains(&metadata.len()) && is_plain(&path) {
            files.push(path);
        }
    }
}

/// Lines of either side that name the file can be read back.
fn is_plain(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'\\'))
}

/// FNV-1a of a path.
fn order(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_bytes().iter();
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// As many files of different endings as there are, in turn, so that rare formats are not lost among the common ones.
pub(super) fn varied(files: &[PathBuf], count: usize) -> Vec<PathBuf> {
    let mut endings: BTreeMap<String, Vec<&PathBuf>> = BTreeMap::new();
    for file in files {
        endings.entry(ending(file)).or_default().push(file);
    }
    let longest = endings.values().map(Vec::len).max().unwrap_or(0);
    let rounds = (0..longest).flat_map(|round| endings.values().filter_map(move |files| files.get(round)));
    rounds.take(count).map(|file| (*file).clone()).collect()
}

/// What tells files apart before they were looked at: the ending, and the folder of ClamAV's test files.
fn ending(file: &Path) -> String {
    match file.starts_with(FOLDERS[0]) {
        true => file.display().to_string(),
        false => file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase(),
    }
}

/// The packages, fetched and unpacked once.
fn packages() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/packages");
    for package in PACKAGES {
        let to = folder.join(package);
        if to.is_dir() {
            continue;
        }
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let script = "apt-get download -q \"$1\" && dpkg-deb -x \"$1\"_*.deb \"$1\"; rm -f \"$1\"_*.deb; [ -d \"$1\" ]";
        let done = Command::new("sh").args(["-c", script, "sh", package]).current_dir(&folder).output();
        if !done.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: the Debian package {package} cannot be had");
        }
    }
    if !folder.join(ARCHIVES).is_dir() {
        archives(&folder.join(ARCHIVES))?;
    }
    Ok(folder)
}

/// The archives of the tests, decoded.
fn archives(to: &Path) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let script = "apt-get source -q --download-only \"$1\" && tar -xf \"$1\"_*.orig.tar.*";
    let done = Command::new("sh").args(["-c", script, "sh", ARCHIVES]).current_dir(scratch.path()).output();
    if !done.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: the source package {ARCHIVES} cannot be had");
        return Ok(());
    }
    std::fs::create_dir_all(to).map_err(|error| error.to_string())?;
    let mut sources = Vec::new();
    walk(scratch.path(), u64::MAX, &mut sources);
    for source in sources.iter().filter(|source| source.extension().is_some_and(|ending| ending == "uu")) {
        let bytes = std::fs::read(source).map(|text| uudecoded(&text)).map_err(|error| error.to_string())?;
        let name = to.join(source.file_stem().unwrap_or_default());
        std::fs::write(&name, bytes).map_err(|error| format!("{}: {error}", name.display()))?;
    }
    Ok(())
}

/// The bytes of a uuencoded text (POSIX.1-2017, uuencode).
fn uudecoded(text: &[u8]) -> Vec<u8> {
    let bits = |byte: u8| u32::from(byte.wrapping_sub(b' ') & 63);
    let mut bytes = Vec::new();
    let lines = text.split(|byte| *byte == b'\n').skip_while(|line| !line.starts_with(b"begin ")).skip(1);
    for line in lines.take_while(|line| !line.starts_with(b"end")) {
        let Some((length, digits)) = line.split_first() else { continue };
        let groups = digits.chunks(4).flat_map(|four| {
            let digit = |at: usize| four.get(at).map_or(0, |byte| bits(*byte));
            let [_, bytes @ ..] = (digit(0) << 18 | digit(1) << 12 | digit(2) << 6 | digit(3)).to_be_bytes();
            bytes
        });
        bytes.extend(groups.take(bits(*length) as usize));
    }
    bytes
}
