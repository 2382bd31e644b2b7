//! `dachs db`: images are built, shown, checked, and signatures explained.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use dachs_sigdb::{Image, Info, SourceCounts};
use dachs_sys::map::Map;
use rustix::fd::AsFd;
use serde_json::{Value, json};

use super::{answer, profile};
use crate::args::{AnswerFormat, ContentArgs, Db};
use crate::content::{Content, Sources, compile, display, notes};
use crate::escape::shown;
use crate::exit::Exit;
use crate::quantity::{count, size};
use crate::say::say;

/// What the names of signatures end with that come from a source without a verified origin, as in ClamAV.
const UNOFFICIAL: &str = ".UNOFFICIAL";

/// Explanations are written in pieces of so many bytes.
const AT_ONCE: usize = 1 << 16;

/// Runs one of the commands.
pub(super) fn run(args: Db) -> Result<Exit, String> {
    match args {
        Db::Build(args) => build(&args.output, &args.chosen(), args.strict),
        Db::Info { format, paths } => info(&paths, format),
        Db::Profile(args) => profile::run(&args),
        Db::Verify { image } => verify(&image),
        Db::Explain { name: Some(name), content, .. } => explain(&name, &content),
        Db::Explain { name: None, content, .. } => explain_all(&content),
    }
}

fn build(output: &Path, sources: &Sources, strict: bool) -> Result<Exit, String> {
    let mut told = String::new();
    replace(output, |file| {
        let problems = compile(sources, file)?;
        // What has a line is something to be mended there, and each is told; the others are counts.
        let (faults, counts): (Vec<_>, Vec<_>) = problems.into_iter().partition(|problem| problem.line.is_some());
        faults.iter().for_each(|fault| say(&shown(fault.to_string().as_bytes())));
        notes(&counts).iter().for_each(|note| say(note));
        if strict && !faults.is_empty() {
            let faults = count(u64::try_from(faults.len()).unwrap_or(u64::MAX));
            return Err(format!("{}: not written: {faults} faults in YARA rules (--strict)", display(output)));
        }
        let map = Map::new(file.as_fd()).map_err(|error| error.to_string())?;
        let image = Image::new(map.bytes()).map_err(|error| error.to_string())?;
        image.verify().map_err(|error| error.to_string())?;
        told = format!("{} signatures, {}", count(u64::from(image.signature_count())), size(image.info().size));
        Ok(())
    })?;
    say(&format!("{}: {told}", display(output)));
    Ok(Exit::Clean)
}

/// Writes a file under another name beside its place, makes it durable, and then puts it there.
fn replace(path: &Path, write: impl FnOnce(&mut File) -> Result<(), String>) -> Result<(), String> {
    let unwritten = |error: io::Error| format!("{}: the image cannot be written: {error}", display(path));
    let name = path.file_name().ok_or_else(|| unwritten(io::ErrorKind::InvalidFilename.into()))?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.part", std::process::id()));
    let beside = folder.join(beside);
    // A file of this name can only be a leftover of a process with our number that was killed.
    let _ = fs::remove_file(&beside);
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&beside).map_err(unwritten);
    let written = file.and_then(|mut file| {
        write(&mut file)?;
        let moved =
            file.sync_all().and_then(|()| fs::rename(&beside, path)).and_then(|()| File::open(folder)?.sync_all());
        moved.map_err(unwritten)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn info(paths: &[PathBuf], format: AnswerFormat) -> Result<Exit, String> {
    let content = Content::load(&Sources { paths: paths.to_vec(), ..Sources::default() })?;
    content.notes.iter().for_each(|note| say(note));
    let info = content.image()?.info();
    match format {
        AnswerFormat::Human => answer(&info_text(&info, now()))?,
        AnswerFormat::Json => answer(&format!("{}\n", info_json(&info)))?,
    }
    Ok(Exit::Clean)
}

fn info_text(info: &Info, now: u64) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(text, "Format      {}", info.format);
    let _ = writeln!(text, "Size        {}", size(info.size));
    let _ = writeln!(text, "Content     {}", hexadecimal(&info.content));
    let _ = writeln!(text, "Signatures  {}", count(u64::from(info.signatures)));
    let _ = writeln!(text, "Known       {}, as ClamAV counts", count(info.known()));
    for source in &info.sources {
        source_text(&mut text, source, now);
    }
    text
}

fn source_text(text: &mut String, source: &SourceCounts, now: u64) {
    let name = shown(source.info.name.as_bytes());
    let version = source.info.version.map_or_else(String::new, |version| format!(", version {version}"));
    let age = source.info.time.map_or_else(String::new, |time| format!(", {}", age(time, now)));
    let official = if source.info.official { ", signature of its container verified" } else { "" };
    let _ = writeln!(text, "\n{name}{version}{age}{official}");
    let kinds = [
        ("bodies", source.bodies),
        ("hashes", source.hashes),
        ("logical", source.logicals),
        ("allowed", source.allowed),
    ];
    for (kind, number) in kinds.iter().filter(|(_, number)| *number > 0) {
        let _ = writeln!(text, "  {kind:<10}{}", count(u64::from(*number)));
    }
    for entries in &source.entries {
        let _ = writeln!(text, "  {:<10}{}", format!("{} ", entries.what), count(u64::from(entries.count)));
    }
    for (reason, number) in &source.skipped {
        let _ = writeln!(text, "  left out  {}  {}", count(u64::from(*number)), shown(reason.as_bytes()));
    }
}

fn info_json(info: &Info) -> Value {
    let sources: Vec<Value> = info.sources.iter().map(source_json).collect();
    json!({
        "v": 1,
        "format": info.format,
        "size": info.size,
        "content": hexadecimal(&info.content),
        "signatures": info.signatures,
        "known": info.known(),
        "sources": sources,
    })
}

fn source_json(source: &SourceCounts) -> Value {
    let entries: Vec<Value> =
        source.entries.iter().map(|entries| json!({"what": entries.what, "count": entries.count})).collect();
    let skipped: Vec<Value> =
        source.skipped.iter().map(|(reason, number)| json!({"reason": reason, "count": number})).collect();
    json!({
        "name": source.info.name,
        "time": source.info.time,
        "version": source.info.version,
        "official": source.info.official,
        "bodies": source.bodies,
        "hashes": source.hashes,
        "logicals": source.logicals,
        "allowed": source.allowed,
        "known": source.known(),
        "entries": entries,
        "skipped": skipped,
    })
}

fn verify(image: &Path) -> Result<Exit, String> {
    let content = Content::from_image(image)?;
    content.verify().map_err(|error| format!("{}: {error}", display(image)))?;
    let signatures = content.image()?.signature_count();
    answer(&format!("{}: whole, {} signatures\n", display(image), count(u64::from(signatures))))?;
    Ok(Exit::Clean)
}

fn explain(name: &str, args: &ContentArgs) -> Result<Exit, String> {
    let content = Content::load(&args.chosen())?;
    let image = content.image()?;
    let mut found = image.find(name);
    if found.is_empty() {
        found = image.find(&format!("{name}{UNOFFICIAL}"));
    }
    if let (true, Some(rule)) = (found.is_empty(), name.strip_prefix("YARA.")) {
        found = image.find(rule.strip_suffix(UNOFFICIAL).unwrap_or(rule));
    }
    if found.is_empty() {
        return Err(format!("there is no signature named {} in this content", shown(name.as_bytes())));
    }
    let texts: Vec<String> = found.iter().map(|signature| dachs_sigc::explain(&image, *signature)).collect();
    answer(&texts.join("\n"))?;
    Ok(Exit::Clean)
}

fn explain_all(args: &ContentArgs) -> Result<Exit, String> {
    let content = Content::load(&args.chosen())?;
    let image = content.image()?;
    let mut text = String::new();
    for signature in 0..image.signature_count() {
        text += &dachs_sigc::explain(&image, signature);
        text.push('\n');
        if text.len() > AT_ONCE {
            answer(&std::mem::take(&mut text))?;
        }
    }
    answer(&text)?;
    Ok(Exit::Clean)
}

/// How long ago: `3 days old`.
fn age(time: u64, now: u64) -> String {
    match now.checked_sub(time) {
        None => "from the future".to_owned(),
        Some(seconds) if seconds < 2 * 86_400 => format!("{} hours old", seconds / 3_600),
        Some(seconds) => format!("{} days old", count(seconds / 86_400)),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_sigdb::model::SourceInfo;
    use std::io::Write;

    fn sample() -> Info {
        let info = SourceInfo { name: "a.cvd/a.ndb".into(), time: Some(1_000), version: Some(7), official: true };
        let source =
            SourceCounts { info, bodies: 1_000, skipped: vec![("no anchor".into(), 3)], ..SourceCounts::default() };
        Info { format: 1, size: 2_048, content: [0xab; 32], signatures: 1_000, sources: vec![source] }
    }

    #[test]
    fn an_image_is_shown_in_both_forms() {
        let text = info_text(&sample(), 1_000 + 86_400 * 3);
        for part in
            ["2.0 KiB", "abab", "a.cvd/a.ndb, version 7, 3 days old, signature", "bodies    1,000", "3  no anchor"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(info_json(&sample())["sources"][0]["skipped"][0]["count"], json!(3));
    }

    #[test]
    fn ages_are_in_words() {
        let table = [
            (200, 100, "from the future"),
            (100, 100, "0 hours old"),
            (0, 86_400, "24 hours old"),
            (0, 864_000, "10 days old"),
        ];
        for (time, now, expected) in table {
            assert_eq!(age(time, now), expected);
        }
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.image");
        for bytes in [&b"first"[..], b"second"] {
            replace(&path, |file| file.write_all(bytes).map_err(|error| error.to_string())).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&path, |_| Err("no".to_owned())).is_err() && fs::read(&path).unwrap() == b"second");
        assert!(replace(&folder.path().join("no/x"), |_| Ok(())).is_err());
        assert!(replace(Path::new("/"), |_| Ok(())).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
