//! Signatures: found, compiled by another process if they must be, verified, and named.
//!
//! The service reads compiled images and nothing else; it links no parser of databases. Where there are databases, it asks
//! the executable `dachs` to compile them (`dachs db build`), and that process ends before its image is used. So the heap
//! of this process never holds signatures: an image is mapped, and its pages are shared with the workers.
//!
//! An image of root's or our own that nobody else can write is trusted as far as its structure, so that a start takes
//! milliseconds whatever its size; the keeper has it read wholly afterwards, and before each reload. One that others can write is
//! copied and read wholly at once.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use dachs_record::{Names, Naming};
use dachs_sigdb::{Image, ImageError};
use dachs_sys::fd::sealed_memory;
use dachs_sys::map::Map;
use rustix::fd::{AsFd, OwnedFd};

/// Where ClamAV's databases are, and where content of Dachs is installed.
const PLACES: [&str; 2] = ["/var/lib/clamav", "/var/lib/dachs"];
/// What a compiler says beyond this is cut off, in bytes.
const SAID: usize = 2_000;

/// Where content comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// What the administrator names; absent for the usual places.
    pub(crate) place: Option<PathBuf>,
    /// The executable `dachs`.
    pub(crate) program: PathBuf,
    /// Where an image is written, to be unlinked at once.
    pub(crate) scratch: PathBuf,
    /// Which of the signatures there.
    pub(crate) chosen: Chosen,
}

/// Which signatures are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Those of unwanted programs too (`DetectPUA`).
    pub(crate) unwanted: bool,
    /// Of these only those of these categories (`IncludePUA`); all if there is none.
    pub(crate) only: Vec<String>,
    /// Of these none of these categories (`ExcludePUA`).
    pub(crate) without: Vec<String>,
    /// Whose signatures beside containers are trusted: a folder of certificates (`CVDCertsDirectory`).
    pub(crate) certificates: Option<String>,
    /// None of phishing (`PhishingSignatures no`).
    pub(crate) no_phishing: bool,
    /// Those of verified containers alone (`OfficialDatabaseOnly`).
    pub(crate) official: bool,
}

impl Chosen {
    /// The key that asks for something that was settled when an image was made.
    fn settled(&self) -> Option<&'static str> {
        match self {
            Chosen { unwanted: true, .. } => Some("DetectPUA"),
            Chosen { no_phishing: true, .. } => Some("PhishingSignatures no"),
            // Without DetectPUA, categories choose nothing.
            _ => None,
        }
    }

    /// As options of `dachs db build`.
    fn options(&self) -> Vec<String> {
        let mut options = Vec::new();
        if self.unwanted {
            options.push("--pua".to_owned());
            options.extend(self.only.iter().map(|category| format!("--include-pua={category}")));
            options.extend(self.without.iter().map(|category| format!("--exclude-pua={category}")));
        }
        if let Some(folder) = &self.certificates {
            options.push(format!("--cvd-certs-dir={folder}"));
        }
        if self.no_phishing {
            options.push("--no-phishing-signatures".to_owned());
        }
        options
    }
}

/// Whose an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Somebody else's, who may have written anything.
    None,
    /// Root's or our own.
    Own,
}

/// One image, mapped.
#[derive(Debug)]
pub(crate) struct Content {
    map: Map,
    file: OwnedFd,
    /// The names of the sources.
    sources: Vec<String>,
    pub(crate) facts: Facts,
}

/// What is told of an image.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub(crate) struct Facts {
    /// SHA-256 that stands for all of its content, in hexadecimal.
    pub(crate) content: String,
    pub(crate) signatures: u32,
    /// In bytes.
    pub(crate) size: u64,
    /// When the newest container was made, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<u64>,
    pub(crate) sources: Vec<SourceFacts>,
    /// When it was loaded, in seconds since 1970.
    pub(crate) loaded: u64,
}

/// What is told of one source.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub(crate) struct SourceFacts {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<u64>,
    /// True if it came in a container whose signature was verified.
    pub(crate) official: bool,
}

impl Origin {
    /// Loads it.
    ///
    /// # Errors
    /// A sentence that names the place and what is wrong with it.
    pub(crate) fn load(&self) -> Result<Content, String> {
        let content = match self.place() {
            None => self.compile(None),
            Some(place) => match (image_in(&place)?, self.chosen.settled()) {
                (Some(image), None) => open_image(&image),
                (Some(image), Some(key)) => Err(format!(
                    "{key}: {} is compiled already; `dachs db build` has options for that",
                    image.display()
                )),
                (None, _) => self.compile(Some(&place)),
            },
        }?;
        let own = content.facts.sources.iter().find(|source| !source.official);
        match own.filter(|_| self.chosen.official) {
            None => Ok(content),
            Some(source) => Err(format!("OfficialDatabaseOnly: {} has no verified signature", source.name)),
        }
    }

    /// A number that changes when the files there do.
    pub(crate) fn stamp(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let Some(place) = self.place() else { return 0 };
        let mut files: Vec<PathBuf> =
            fs::read_dir(&place).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.push(place);
        files.sort();
        for file in files {
            if let Ok(metadata) = fs::metadata(&file)
                && metadata.is_file()
            {
                (file, metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino()).hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    fn place(&self) -> Option<PathBuf> {
        let filled = |place: &str| fs::read_dir(place).is_ok_and(|mut files| files.next().is_some());
        self.place.clone().or_else(|| PLACES.iter().find(|place| filled(place)).map(PathBuf::from))
    }

    /// Has an image made; without a place, of the built-in set.
    fn compile(&self, place: Option<&Path>) -> Result<Content, String> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let output = self.scratch.join(format!(".dachsd-{}-{number}.image", std::process::id()));
        let mut command = Command::new(&self.program);
        command.args(["db", "build", "--output"]).arg(&output);
        command.args(self.chosen.options());
        match place {
            Some(place) if self.chosen.official => command.args(containers(place)?),
            Some(place) => command.arg(place),
            None => command.arg("--builtin"),
        };
        let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
        let content = match ended {
            Err(error) => Err(format!("{}: {error}", self.program.display())),
            Ok(ended) if !ended.status.success() => Err(said(&ended.stderr)),
            Ok(_) => open_image(&output),
        };
        // Mapped, it needs no name any more.
        let _ = fs::remove_file(&output);
        content
    }
}

/// The containers with a signature that a place means: itself, or those in it.
fn containers(place: &Path) -> Result<Vec<PathBuf>, String> {
    let is_container = |path: &PathBuf| {
        path.extension().is_some_and(|end| end.eq_ignore_ascii_case("cvd") || end.eq_ignore_ascii_case("cld"))
    };
    let entries = fs::read_dir(place).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<PathBuf> = entries.chain([place.to_owned()]).filter(is_container).collect();
    found.sort();
    match found.is_empty() {
        true => Err(format!("OfficialDatabaseOnly: there is no container (.cvd, .cld) in {}", place.display())),
        false => Ok(found),
    }
}

fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim().chars().take(SAID).map(|c| if c == '\n' { ' ' } else { c }).collect()
}

/// The compiled image that a path means: the file itself, or the only `*.image` in a folder.
fn image_in(place: &Path) -> Result<Option<PathBuf>, String> {
    let named = |error: std::io::Error| format!("{}: {error}", place.display());
    if !fs::metadata(place).map_err(named)?.is_dir() {
        return Ok(is_image(place).then(|| place.to_path_buf()));
    }
    let paths = fs::read_dir(place).map_err(named)?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_image = |path: &PathBuf| path.extension().is_some_and(|end| end == "image");
    let mut images: Vec<PathBuf> = paths.filter(is_image).collect();
    match images.len() {
        0 | 1 => Ok(images.pop()),
        count => Err(format!("{}: there are {count} images in this folder; name the one to use", place.display())),
    }
}

fn is_image(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut head));
    read.is_ok() && !matches!(Image::new(&head), Err(ImageError::Magic))
}

/// Opens an image. One that others could change while it is mapped is copied first.
fn open_image(path: &Path) -> Result<Content, String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut file = File::open(path).map_err(|error| named(&error))?;
    let metadata = file.metadata().map_err(|error| named(&error))?;
    let ours =
        (metadata.uid() == 0 || metadata.uid() == rustix::process::geteuid().as_raw()) && metadata.mode() & 0o022 == 0;
    let file = if ours {
        OwnedFd::from(file)
    } else {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| named(&error))?;
        sealed_memory("dachs-image", &bytes).map_err(|error| named(&error))?
    };
    let content = Content::new(file).map_err(|reason| named(&reason))?;
    if !ours {
        content.verify(Trust::None).map_err(|reason| named(&reason))?;
    }
    Ok(content)
}

impl Content {
    fn new(file: OwnedFd) -> Result<Content, String> {
        let map = Map::new(file.as_fd()).map_err(|error| format!("the image cannot be mapped: {error}"))?;
        let image = Image::new(map.bytes()).map_err(|error| error.to_string())?;
        let facts = facts(&image);
        let sources = facts.sources.iter().map(|source| source.name.clone()).collect();
        Ok(Content { map, file, sources, facts })
    }

    /// Reads all of the image and checks it. One of [`Trust::Own`] was checked wholly by whoever built it, so that it is enough
    /// that every byte is still what it was; the pages read for that are given back at once.
    ///
    /// # Errors
    /// A sentence about the first thing that is wrong.
    pub(crate) fn verify(&self, trust: Trust) -> Result<(), String> {
        let map = Map::new(self.file.as_fd()).map_err(|error| format!("the image cannot be mapped: {error}"))?;
        let verified = Image::new(map.bytes()).and_then(|image| match trust {
            Trust::Own => image.verify_sums(&mut || map.forget()),
            Trust::None => image.verify(),
        });
        verified.map_err(|error| format!("the image is broken: {error}"))
    }

    /// Another descriptor of the image, for the workers.
    ///
    /// # Errors
    /// When no more files may be open.
    pub(crate) fn share(&self) -> Result<OwnedFd, String> {
        self.file.try_clone().map_err(|error| format!("the image cannot be shared: {error}"))
    }

    /// The version and time of the daily container as they stand in a version: `/27459/Thu Nov 14 09:26:57 2024`.
    pub(crate) fn daily(&self) -> String {
        let daily = self.facts.sources.iter().find(|source| {
            source.version.is_some() && Path::new(&source.name).file_stem().is_some_and(|stem| stem == "daily")
        });
        let dated = daily.and_then(|daily| {
            let time = i64::try_from(daily.time?).ok()?;
            let time = chrono::DateTime::<chrono::Local>::from(chrono::DateTime::from_timestamp(time, 0)?);
            Some(format!("/{}/{}", daily.version?, time.format("%a %b %e %H:%M:%S %Y")))
        });
        dated.unwrap_or_default()
    }
}

impl Names for Content {
    fn naming(&self, signature: u32) -> Option<Naming> {
        let image = Image::new(self.map.bytes()).ok()?;
        let name = image.name(signature)?.to_owned();
        let source = image.source_of(signature).and_then(|number| usize::try_from(number).ok());
        let rule = image.yara(signature).map(Arc::new);
        // As clamd names them.
        let name = if rule.is_some() { format!("YARA.{name}.UNOFFICIAL") } else { name };
        Some(Naming { name, source: source.and_then(|number| self.sources.get(number).cloned()), rule })
    }
}

fn facts(image: &Image<'_>) -> Facts {
    let info = image.info();
    let source = |source: &dachs_sigdb::SourceCounts| SourceFacts {
        name: source.info.name.clone(),
        version: source.info.version,
        time: source.info.time,
        official: source.info.official,
    };
    Facts {
        content: info.content.iter().map(|byte| format!("{byte:02x}")).collect(),
        signatures: info.signatures,
        size: info.size,
        time: info.sources.iter().filter_map(|source| source.info.time).max(),
        sources: info.sources.iter().map(source).collect(),
        loaded: now(),
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
