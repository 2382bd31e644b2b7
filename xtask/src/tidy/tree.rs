//! The text files of the project, as the version control system knows them.
//!
//! Read once and kept: the project is small. Files that are not UTF-8 are samples and are left out. Without git (an
//! unpacked release) the folders are walked instead.

use std::path::Path;
use std::process::Command;

/// One text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// What stands in it.
    pub(crate) text: String,
}

/// All text files of the project.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// Reads what git tracks or would track, or, without git, everything but build folders.
    pub(crate) fn read(root: &Path) -> Result<Tree, String> {
        let mut paths = match tracked(root) {
            Some(paths) => paths,
            None => walk(root)?,
        };
        paths.sort();
        let read = |path: String| Some(File { text: std::fs::read_to_string(root.join(&path)).ok()?, path });
        Ok(Tree { files: paths.into_iter().filter_map(read).collect() })
    }

    /// The files that hold Rust.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// The files below a folder (which ends with `/`) whose names end so.
    pub(crate) fn below(&self, folder: &str, ending: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.path.starts_with(folder) && file.path.ends_with(ending))
    }

    /// The text of a file; empty if there is none.
    pub(crate) fn text(&self, path: &str) -> String {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.clone()).unwrap_or_default()
    }
}

/// What git tracks, and new files that it does not ignore.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// Every file below `root` that is not below a folder named `target` or one with a leading dot other than `.ci` and
/// `.cargo`.
fn walk(root: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let hidden = name.starts_with('.') && name != ".ci" && name != ".cargo";
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && name != "target" && !hidden => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.extend(relative(root, &entry.path())),
                _ => {}
            }
        }
    }
    Ok(found)
}

/// A path below `root`, relative to it.
fn relative(root: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(root).ok()?.to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_git_is_walked() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = walk(root).unwrap();
        assert!(found.contains(&"src/tidy/tree.rs".to_owned()), "{found:?}");
        assert!(found.iter().all(|path| !path.starts_with("target/")));
    }
}
