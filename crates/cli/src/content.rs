//! Signatures, from where the caller or the administrator keeps them, to one image in memory.
//!
//! | given | becomes |
//! |---|---|
//! | nothing | what is installed (`$DACHS_CONTENT`, else `/var/lib/dachs`) and the built-in set |
//! | a compiled image | that image, mapped from its file |
//! | database files, folders of them | one image, compiled into sealed memory |
//! | a folder with one `*.image` in it | that image |
//!
//! An image that somebody else could change while it is mapped (another owner, writable by others) is copied into sealed
//! memory first, and verified wholly.
//!
//! The administrator's or caller's own image is checked in its structure only: header, checksum of the header and of the
//! table of sections, length, places of sections. That takes microseconds, however large it is. Every byte of it was
//! verified when it was built, and `dachs db verify` does it again; whoever can change it since could as well put another
//! image in its place, which no checksum in it would show. And nothing that stands in it can do more than hide or
//! misname signatures: evaluation trusts no byte of it (`dachs_sigdb`, "Who is believed").

mod compile;

pub(crate) use compile::{Sources, categories, compile, notes};
pub(crate) use dachs_record::ImageNames;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use dachs_sigdb::{Image, ImageError};
use dachs_sys::fd::sealed_memory;
use dachs_sys::map::Map;
use rustix::fd::{AsFd, OwnedFd};

use crate::escape::shown;

/// Where content is installed.
const INSTALLED: &str = "/var/lib/dachs";
/// Names another place for it.
const VARIABLE: &str = "DACHS_CONTENT";
/// Sources larger than this are worth a word before they are compiled, in bytes.
const WORTH_A_WORD: u64 = 4 << 20;

/// One image, mapped.
pub(crate) struct Content {
    map: Map,
    file: OwnedFd,
    /// What was left out and why, a line for each source.
    pub(crate) notes: Vec<String>,
}

impl Content {
    /// Loads the content at the paths that were chosen, or what is installed if there is none.
    ///
    /// # Errors
    /// A sentence that names the path and what is wrong with it.
    pub(crate) fn load(chosen: &Sources) -> Result<Content, String> {
        let sources = |paths: &[PathBuf], builtin| Sources { paths: paths.to_vec(), builtin, ..chosen.clone() };
        match (chosen.paths.as_slice(), installed()) {
            ([], None) => {
                let note =
                    "no content is installed: only the built-in set is used, which finds test files and little else";
                let mut content = Content::compiled(&sources(&[], true))?;
                content.notes.insert(0, note.to_owned());
                Ok(content)
            }
            ([], Some(place)) => Content::from_places(&sources(&[place], true)),
            (places, _) => Content::from_places(&sources(places, false)),
        }
    }

    /// The image.
    ///
    /// # Errors
    /// None that [`Content::load`] would not have met.
    pub(crate) fn image(&self) -> Result<Image<'_>, String> {
        Image::new(self.map.bytes()).map_err(|error| error.to_string())
    }

    /// Another descriptor of the image, for the workers.
    ///
    /// # Errors
    /// When no more files may be open.
    pub(crate) fn share(&self) -> Result<OwnedFd, String> {
        self.file.try_clone().map_err(|error| format!("the image cannot be shared: {error}"))
    }

    fn from_places(sources: &Sources) -> Result<Content, String> {
        let images: Vec<Option<PathBuf>> =
            sources.paths.iter().map(|place| image_in(place)).collect::<Result<_, _>>()?;
        match images.as_slice() {
            [Some(image)] => Content::from_image(image),
            images => match images.iter().flatten().next() {
                None => Content::compiled(sources),
                Some(image) => Err(format!(
                    "{}: a compiled image stands alone and cannot be used together with other content; \
                     build one image of all sources with `dachs db build`",
                    display(image)
                )),
            },
        }
    }

    /// Opens one compiled image.
    ///
    /// # Errors
    /// When it cannot be read, or is no image, or belongs to somebody else and is not whole.
    pub(crate) fn from_image(path: &Path) -> Result<Content, String> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", display(path));
        let file = File::open(path).map_err(|error| named(&error))?;
        let metadata = file.metadata().map_err(|error| named(&error))?;
        let ours = metadata.uid() == 0 || metadata.uid() == rustix::process::geteuid().as_raw();
        if ours && metadata.mode() & 0o022 == 0 {
            return Content::mapped(file.into(), Vec::new()).map_err(|error| named(&error));
        }
        let content = copy(file).map_err(|error| error.to_string()).and_then(|file| Content::mapped(file, Vec::new()));
        let content = content.map_err(|error| named(&error))?;
        content.verify().map_err(|error| named(&error))?;
        Ok(content)
    }

    fn compiled(sources: &Sources) -> Result<Content, String> {
        let weight: u64 = sources.paths.iter().map(|path| size_below(path)).sum();
        if weight > WORTH_A_WORD && crate::say::is_seen() {
            let size = crate::quantity::size(weight);
            crate::say::say(&format!("compiling {size} of signatures; `dachs db build` does this once and for all"));
        }
        let no_memory = |error| format!("there is no memory for the image: {error}");
        let mut file = File::from(dachs_sys::fd::memory("dachs-image").map_err(no_memory)?);
        let problems = compile(sources, &mut file)?;
        dachs_sys::fd::seal(file.as_fd()).map_err(no_memory)?;
        Content::mapped(file.into(), notes(&problems))
    }

    /// Reads every byte of the image and checks it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn verify(&self) -> Result<(), String> {
        Image::new(self.map.bytes()).and_then(|image| image.verify()).map_err(|error| error.to_string())
    }

    fn mapped(file: OwnedFd, notes: Vec<String>) -> Result<Content, String> {
        let map = Map::new(file.as_fd()).map_err(|error| format!("the image cannot be mapped: {error}"))?;
        Image::new(map.bytes()).map_err(|error| error.to_string())?;
        Ok(Content { map, file, notes })
    }
}

/// The place where content is installed, if there is any.
fn installed() -> Option<PathBuf> {
    match std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        Some(place) => Some(PathBuf::from(place)),
        None => Some(PathBuf::from(INSTALLED))
            .filter(|place| fs::read_dir(place).is_ok_and(|mut files| files.next().is_some())),
    }
}

/// The compiled image that a path means: the file itself, or the only `*.image` in a folder.
fn image_in(place: &Path) -> Result<Option<PathBuf>, String> {
    let metadata = fs::metadata(place).map_err(|error| format!("{}: {error}", display(place)))?;
    if !metadata.is_dir() {
        return Ok(is_image(place).then(|| place.to_path_buf()));
    }
    let entries = fs::read_dir(place).map_err(|error| format!("{}: {error}", display(place)))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut images: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "image")).collect();
    match images.len() {
        0 | 1 => Ok(images.pop()),
        count => Err(format!("{}: there are {count} images in this folder; name the one to use", display(place))),
    }
}

/// True if the file begins as an image does.
fn is_image(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut head));
    read.is_ok() && !matches!(Image::new(&head), Err(ImageError::Magic))
}

fn copy(mut file: File) -> std::io::Result<OwnedFd> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    sealed_memory("dachs-image", &bytes)
}

/// The size of a file, or of the files right in a folder.
fn size_below(path: &Path) -> u64 {
    let size = |metadata: fs::Metadata| if metadata.is_file() { metadata.len() } else { 0 };
    match fs::read_dir(path) {
        Ok(entries) => entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(size).sum(),
        Err(_) => fs::metadata(path).map_or(0, size),
    }
}

/// A path for a person.
pub(crate) fn display(path: &Path) -> String {
    shown(path.as_os_str().as_encoded_bytes())
}
