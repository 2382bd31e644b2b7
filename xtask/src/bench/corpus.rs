//! What is scanned: the folders that `benches/corpora` describes.
//!
//! A corpus is made of files that are installed or come from Debian packages, or of other corpora:
//!
//! ```json
//! { "megabytes": 20, "largest_kilobytes": 4000, "magic": "4d5a",
//!   "pick": [{ "packages": ["libwine"], "under": "usr/lib", "ends": [".dll"] }, { "under": "/usr/share", "ends": [".exe"] }] }
//! { "megabytes": 4, "make": "zip", "from": ["elf", "text"] }
//! ```
//!
//! Which files are taken depends on their paths alone (they are sorted by a checksum of it), so that a machine gives the
//! same corpus each time. The harmless test file that every scanner knows lies in each corpus: who does not detect it, in an
//! archive if the corpus is one, has not scanned. Of each corpus there is another for training, by the same recipe, of other files. Packages are fetched with `apt-get download`, and unpacked, not installed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::Places;

/// The test file of the EICAR, in two halves, so that no scanner takes this source away.
const TEST_FILE: [&str; 2] = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EIC", "AR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    /// No more than this.
    megabytes: u64,
    /// Larger files are left out.
    #[serde(default = "largest")]
    largest_kilobytes: u64,
    /// What files begin with, in hexadecimal digits.
    #[serde(default)]
    magic: String,
    #[serde(default)]
    pick: Vec<Pick>,
    /// From where there is more, only to learn from: where what is measured leaves nothing of the other places.
    #[serde(default)]
    training: Vec<Pick>,
    /// How other corpora are put together, see [`make`]; `one.zip`, `one.tar.gz`: one archive of all files.
    #[serde(default)]
    make: String,
    /// Which other corpora.
    #[serde(default)]
    from: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pick {
    #[serde(default)]
    packages: Vec<String>,
    /// A folder: of the machine, or in the packages.
    under: String,
    #[serde(default)]
    ends: Vec<String>,
}

fn largest() -> u64 {
    8000
}

/// The test file.
pub(crate) fn test_file() -> String {
    TEST_FILE.concat()
}

/// What a corpus is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It is measured.
    Measured,
    /// A compiler learns from it. It holds no file of the corpus that is measured.
    Training,
}

impl Use {
    fn folder(self) -> &'static str {
        match self {
            Use::Measured => "corpora",
            Use::Training => "training",
        }
    }
}

/// A folder with the corpus of this name, made if it is not there yet. `None` if nothing of it can be had here.
pub(crate) fn folder(places: &Places, name: &str) -> Result<Option<PathBuf>, String> {
    made(places, name, Use::Measured)
}

/// The same of other files: what may be learned from, so that measuring is not asking what was learned by heart.
pub(crate) fn training(places: &Places, name: &str) -> Result<Option<PathBuf>, String> {
    made(places, name, Use::Training)
}

fn made(places: &Places, name: &str, usage: Use) -> Result<Option<PathBuf>, String> {
    if name.starts_with('/') {
        return Ok(Some(PathBuf::from(name)).filter(|path| path.exists()));
    }
    let described = places.root.join(format!("benches/corpora/{name}.json"));
    let text = fs::read_to_string(&described).map_err(|error| format!("{}: {error}", described.display()))?;
    let mut recipe: Recipe =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", described.display()))?;
    let folder = places.cache.join(usage.folder()).join(name);
    let stamp = folder.with_extension("recipe");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == text) {
        return Ok(Some(folder));
    }
    println!("making the corpus {name} ({})", usage.folder());
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let filled = match recipe.make.as_str() {
        "" => {
            let known = match usage {
                Use::Measured => BTreeSet::new(),
                Use::Training => {
                    recipe.pick.append(&mut recipe.training);
                    self::folder(places, name)?.map(|folder| picked(&folder)).unwrap_or_default()
                }
            };
            pick(places, &recipe, &folder, &known)?
        }
        "one.zip" | "one.tar.gz" => one(places, &recipe, &folder)?,
        how => make(places, (how, usage), &recipe, &folder)?,
    };
    if !filled {
        println!("SKIPPED: nothing for the corpus {name} can be had here");
        return Ok(None);
    }
    fs::write(stamp, text).map_err(|error| error.to_string())?;
    Ok(Some(folder))
}

/// How many files and bytes a folder has.
pub(crate) fn size(folder: &Path) -> (u64, u64) {
    let mut found = Vec::new();
    walk(folder, &mut found);
    let bytes = found.iter().filter_map(|path| Some(fs::metadata(path).ok()?.len())).sum();
    (u64::try_from(found.len()).unwrap_or(u64::MAX), bytes)
}

/// The names of the files that were picked for a corpus.
fn picked(folder: &Path) -> BTreeSet<String> {
    let mut found = Vec::new();
    walk(folder, &mut found);
    let names = found.iter().filter_map(|path| path.file_name()?.to_str()?.split_once('-'));
    names.map(|(_, name)| name.to_owned()).collect()
}

/// Copies files but for those of a `known` name; false if there are none.
fn pick(places: &Places, recipe: &Recipe, folder: &Path, known: &BTreeSet<String>) -> Result<bool, String> {
    let mut left = recipe.megabytes * 1_000_000;
    let mut count = 0_u32;
    for path in candidates(places, recipe)? {
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let size = metadata.len();
        if size < 16 || size > recipe.largest_kilobytes * 1000 || size > left || !begins(&path, &recipe.magic) {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if known.contains(&name) {
            continue;
        }
        if fs::copy(&path, folder.join(format!("{count:05}-{name}"))).is_ok() {
            left -= size;
            count += 1;
        }
    }
    write(&folder.join("test-file"), test_file().as_bytes())?;
    Ok(count > 0)
}

/// One archive of all files, the test file last: who detects it has looked at the others.
fn one(places: &Places, recipe: &Recipe, folder: &Path) -> Result<bool, String> {
    let scratch = folder.with_extension("parts");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).map_err(|error| error.to_string())?;
    let any = pick(places, recipe, &scratch, &BTreeSet::new())?;
    let list = format!(
        "find . -type f ! -name test-file ! -name '*{SEEN_THROUGH}' | sort > ../parts.list && echo ./test-file >> ../parts.list"
    );
    let command = match recipe.make.as_str() {
        "one.zip" => "zip -q \"$1/one.zip\" -@ < ../parts.list",
        _ => "tar -czf \"$1/one.tar.gz\" -T ../parts.list",
    };
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{list} && {command} && rm ../parts.list"), "sh"]).arg(folder);
    let made = shell.current_dir(&scratch).status();
    let _ = fs::remove_dir_all(&scratch);
    if made.is_ok_and(|status| status.success()) { Ok(any) } else { Err(format!("{} cannot be made", recipe.make)) }
}

/// All files that could be taken, in an order that looks random.
fn candidates(places: &Places, recipe: &Recipe) -> Result<Vec<PathBuf>, String> {
    let mut all = Vec::new();
    for pick in &recipe.pick {
        let mut found = Vec::new();
        match pick.packages.is_empty() {
            true => walk(Path::new(&pick.under), &mut found),
            false => {
                for package in &pick.packages {
                    if let Some(folder) = unpacked(places, package) {
                        walk(&folder.join(pick.under.trim_start_matches('/')), &mut found);
                    }
                }
            }
        }
        let wanted = |path: &PathBuf| {
            pick.ends.is_empty() || pick.ends.iter().any(|end| path.to_string_lossy().to_lowercase().ends_with(end))
        };
        all.extend(found.into_iter().filter(wanted));
    }
    all.retain(|path| !path.to_string_lossy().contains("clamav-testfiles"));
    all.sort_by_cached_key(|path| {
        let mut hasher = DefaultHasher::new();
        path.file_name().hash(&mut hasher);
        (hasher.finish(), path.clone())
    });
    Ok(all)
}

/// A Debian package, unpacked; `None`, told, if it cannot be had.
fn unpacked(places: &Places, package: &str) -> Option<PathBuf> {
    let folder = places.cache.join("packages").join(package);
    let content = folder.join("content");
    if content.exists() {
        return Some(content);
    }
    println!("fetching the package {package}");
    fs::create_dir_all(&folder).ok()?;
    // apt-get gives up its rights where it can, and then cannot write to a folder of ours.
    let sandbox = ["-o", "APT::Sandbox::User=root"];
    let fetched =
        Command::new("apt-get").args(sandbox).args(["download", "-qq", package]).current_dir(&folder).status();
    let unpack = "dpkg-deb -x *.deb content && rm -f *.deb";
    let done = fetched.is_ok_and(|status| status.success())
        && Command::new("sh").args(["-c", unpack]).current_dir(&folder).status().is_ok_and(|status| status.success());
    if !done {
        println!("SKIPPED: the package {package} cannot be had");
    }
    done.then_some(content)
}

fn begins(path: &Path, magic: &str) -> bool {
    use std::io::Read;
    let wanted: Vec<u8> = magic
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let mut head = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(64).read_to_end(&mut head));
    read.is_ok() && head.starts_with(&wanted)
}

/// All regular files below a folder; links are not followed.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

/// Puts other corpora together:
///
/// | how | what |
/// |---|---|
/// | `archives` | tar.gz, tar.xz, tar.bz2, zip and 7z of 16 files each |
/// | `apk` | zip files with a manifest, pictures and a library |
/// | `office` | documents as word processors write them: zip files of XML and pictures |
/// | `mail` | messages with text, HTML and attachments |
/// | `zeros`, `literals` | bytes made to be slow to match: zeros; strings of the database itself |
fn make(places: &Places, (how, usage): (&str, Use), recipe: &Recipe, folder: &Path) -> Result<bool, String> {
    if matches!(how, "zeros" | "literals") {
        return worst(places, how, recipe, folder);
    }
    let mut parts: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
    for name in &recipe.from {
        if let Some(source) = made(places, name, usage)? {
            let mut found = Vec::new();
            walk(&source, &mut found);
            found.retain(|path| !path.ends_with("test-file"));
            parts.insert(name, found);
        }
    }
    let scratch = folder.with_extension("parts");
    let mut round = 0_usize;
    while size(folder).1 < recipe.megabytes * 1_000_000 && round < 500 {
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir_all(&scratch).map_err(|error| error.to_string())?;
        let taken = take(&parts, round, if how == "archives" { 8 } else { 2 });
        if taken.is_empty() {
            break;
        }
        match how {
            "mail" => write(&folder.join(format!("{round:04}.eml")), message(&taken, round == 0).as_bytes())?,
            _ => pack(how, round, &taken, &scratch, folder)?,
        }
        round += 1;
    }
    let _ = fs::remove_dir_all(&scratch);
    Ok(round > 0)
}

/// A module of Python that holds the test file in base64, which ClamAV does not decode: what it stood in would be detected by Dachs alone.
const SEEN_THROUGH: &str = "pyclamd.py";

/// Some files of each part.
fn take(parts: &BTreeMap<&str, Vec<PathBuf>>, round: usize, each: usize) -> Vec<PathBuf> {
    let some = |files: &Vec<PathBuf>| {
        let files = files.iter().filter(|file| !file.to_string_lossy().ends_with(SEEN_THROUGH));
        files.skip(round * each).take(each).cloned().collect::<Vec<_>>()
    };
    parts.values().flat_map(some).collect()
}

/// Makes one archive of the files.
fn pack(how: &str, round: usize, files: &[PathBuf], scratch: &Path, folder: &Path) -> Result<(), String> {
    let into = |name: &str| scratch.join(name);
    for (index, file) in files.iter().enumerate() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = match how {
            "office" => into("word/media"),
            "apk" => into("res/raw"),
            _ => into("files"),
        };
        fs::create_dir_all(&place).map_err(|error| error.to_string())?;
        let text = (how == "office").then(|| fs::read_to_string(file).ok()).flatten();
        match text {
            Some(text) => write(&into(&format!("word/document{index}.xml")), document(&text).as_bytes())?,
            None => drop(fs::copy(file, place.join(name))),
        }
    }
    if round == 0 {
        write(&into("test-file"), test_file().as_bytes())?;
    }
    if how == "office" {
        let types = r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>"#;
        write(&into("[Content_Types].xml"), types.as_bytes())?;
    }
    if how == "apk" {
        write(&into("AndroidManifest.xml"), b"\x03\x00\x08\x00\x10\x00\x00\x00\x01\x00\x1c\x00\x08\x00\x00\x00")?;
    }
    let command = match (how, round % 5) {
        ("office", _) => "zip -qr \"$1.docx\" .",
        ("apk", _) => "zip -qr \"$1.apk\" .",
        (_, 0) => "tar -czf \"$1.tar.gz\" .",
        (_, 1) => "zip -qr \"$1.zip\" .",
        (_, 2) => "tar -cjf \"$1.tar.bz2\" .",
        (_, 3) => "tar -cJf \"$1.tar.xz\" .",
        _ => "7z a -bd -y \"$1.7z\" . >/dev/null",
    };
    let target = folder.join(format!("{round:04}"));
    let status =
        Command::new("sh").args(["-c", command, "sh"]).arg(&target).current_dir(scratch).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("{command}: {other:?}")),
    }
}

/// A text as the body of a document.
fn document(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let paragraphs: String =
        escaped.lines().map(|line| format!("<w:p><w:r><w:t xml:space=\"preserve\">{line}</w:t></w:r></w:p>")).collect();
    format!(
        "<?xml version=\"1.0\"?><w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body>{paragraphs}</w:body></w:document>"
    )
}

/// A message with the files attached; the first one has the test file too.
fn message(files: &[PathBuf], test: bool) -> String {
    let mut text = String::from(
        "From: sender@example.org\r\nTo: reader@example.org\r\nSubject: files\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"border\"\r\n\r\n",
    );
    let mut part = |kind: &str, name: &str, bytes: &[u8]| {
        text.push_str(&format!(
            "--border\r\nContent-Type: {kind}; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n{}\r\n",
            base64(bytes)
        ));
    };
    if test {
        part("application/octet-stream", "test.com", test_file().as_bytes());
    }
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = if name.ends_with(".html") { "text/html" } else { "application/octet-stream" };
        part(kind, &name, &fs::read(file).unwrap_or_default());
    }
    text.push_str("--border--\r\n");
    text
}

/// RFC 4648, in lines of 76 characters.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + bytes.len() / 50);
    for (index, chunk) in bytes.chunks(3).enumerate() {
        if index > 0 && index % 19 == 0 {
            text.push_str("\r\n");
        }
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4_usize {
            let value = usize::try_from(word >> (18 - 6 * digit) & 63).unwrap_or(0);
            let filled = digit <= chunk.len();
            text.push(DIGITS.get(value).filter(|_| filled).map_or('=', |digit| char::from(*digit)));
        }
    }
    text
}

/// Files that are slow to match.
fn worst(places: &Places, how: &str, recipe: &Recipe, folder: &Path) -> Result<bool, String> {
    let size = usize::try_from(recipe.megabytes * 1_000_000).unwrap_or(0);
    let bytes = match how {
        "zeros" => vec![0; size],
        _ => match super::database::literals(places, size)? {
            Some(bytes) => bytes,
            None => return Ok(false),
        },
    };
    write(&folder.join(how), &bytes)?;
    write(&folder.join("test-file"), test_file().as_bytes())?;
    Ok(true)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        let table = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in table {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert!(base64(&[0; 200]).lines().all(|line| line.len() <= 76));
    }

    #[test]
    fn the_recipes_of_the_house_are_sound() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for path in super::super::definition::files(&root.join("benches/corpora")).unwrap() {
            let recipe: Recipe = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let picks = recipe.make.is_empty() || recipe.make.starts_with("one.");
            assert_eq!(!recipe.pick.is_empty(), picks, "{}", path.display());
        }
    }
}
