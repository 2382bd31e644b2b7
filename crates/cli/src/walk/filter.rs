//! What a walk leaves out: by `--exclude`, and file systems that the kernel makes up.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use rustix::fd::AsFd;
use rustix::fs::fstatfs;

/// The patterns of `--exclude`.
///
/// A pattern without a slash is compared with the last component of a path, one with a slash with the whole path as it
/// is shown. `*` and `?` match no slash, `**` does, `[a-z]` and `{a,b}` are known. What is excluded is neither opened
/// nor, if it is a directory, entered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exclude {
    names: GlobSet,
    paths: GlobSet,
}

impl Exclude {
    /// Compiles patterns.
    ///
    /// # Errors
    /// A sentence that names the pattern and what is wrong with it.
    pub(crate) fn new(patterns: &[String]) -> Result<Exclude, String> {
        let (paths, names): (Vec<_>, Vec<_>) = patterns.iter().partition(|pattern| pattern.contains('/'));
        Ok(Exclude { names: set(&names)?, paths: set(&paths)? })
    }

    /// True if this path is left out. A path that ends with `.` or `..` names no file of its own, so that `.*` means
    /// hidden files and not the folder that a person stands in.
    pub(crate) fn covers(&self, path: &[u8]) -> bool {
        let trimmed = trim_slashes(path);
        let name = trimmed.rsplit(|byte| *byte == b'/').next().unwrap_or(trimmed);
        if matches!(name, b"" | b"." | b"..") {
            return false;
        }
        self.names.is_match(OsStr::from_bytes(name)) || self.paths.is_match(OsStr::from_bytes(trimmed))
    }
}

fn set(patterns: &[&String]) -> Result<GlobSet, String> {
    let mut builder = GlobSetBuilder::new();
    for pattern in patterns {
        builder.add(glob(pattern)?);
    }
    builder.build().map_err(|error| format!("--exclude: {error}"))
}

fn glob(pattern: &str) -> Result<Glob, String> {
    let trimmed = pattern.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(pattern);
    GlobBuilder::new(trimmed)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|error| format!("--exclude {pattern}: {}", error.kind()))
}

/// The path without slashes at its end, unless it is nothing else.
pub(super) fn trim_slashes(path: &[u8]) -> &[u8] {
    let mut trimmed = path;
    while let [rest @ .., b'/'] = trimmed
        && !rest.is_empty()
    {
        trimmed = rest;
    }
    trimmed
}

/// File systems whose files are answers of the kernel, not stored bytes; numbers from `linux/magic.h`.
///
/// Some of these files are endless, some act when they are read, and none can hold malware that is not elsewhere too.
const KERNEL_FILE_SYSTEMS: [u64; 18] = [
    0x0000_1cd1, // devpts
    0x0000_9fa0, // proc
    0x0027_e0eb, // cgroup
    0x1980_0202, // mqueue
    0x4249_4e4d, // binfmt_misc
    0x4341_5d53, // smack
    0x6265_6570, // configfs
    0x6265_6572, // sysfs
    0x6367_7270, // cgroup2
    0x6462_6720, // debugfs
    0x6165_676c, // pstore
    0x6573_5543, // fusectl
    0x6e73_6673, // nsfs
    0x7363_6673, // securityfs
    0x7472_6163, // tracefs
    0xcafe_4a11, // bpf
    0xde5e_81e4, // efivarfs
    0xf97c_ff8c, // selinux
];

/// True if the directory or file lies on a file system that the kernel makes up.
pub(super) fn is_made_by_kernel(file: impl AsFd) -> bool {
    // The type is a signed number on some machines; only its lower half is meant.
    fstatfs(file)
        .is_ok_and(|stat| KERNEL_FILE_SYSTEMS.contains(&(u64::try_from(stat.f_type).unwrap_or(0) & 0xffff_ffff)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, path: &[u8]) -> bool {
        Exclude::new(&[pattern.to_owned()]).unwrap().covers(path)
    }

    #[test]
    fn a_pattern_without_a_slash_means_a_name_anywhere() {
        assert!(covers("*.iso", b"a/b/disk.iso"));
        assert!(covers("node_modules", b"/srv/node_modules/"));
        assert!(!covers("node_modules", b"/srv/node_modules/x"));
        assert!(covers("*", b"x\xff\n"));
        assert!(covers(".*", b"./.git") && !covers(".*", b".") && !covers(".*", b"../"));
    }

    #[test]
    fn a_pattern_with_a_slash_means_a_path() {
        assert!(covers("/srv/*/cache", b"/srv/a/cache"));
        assert!(!covers("/srv/*/cache", b"/srv/a/b/cache"));
        assert!(covers("/srv/**/cache", b"/srv/a/b/cache"));
        assert!(covers("**/.git", b"x/y/.git"));
        assert!(covers("/srv/cache/", b"/srv/cache"));
    }

    #[test]
    fn a_wrong_pattern_is_named() {
        let error = Exclude::new(&["a[".to_owned()]).unwrap_err();
        assert!(error.contains("a["), "{error}");
    }

    #[test]
    fn proc_is_made_by_the_kernel_and_src_is_not() {
        assert!(is_made_by_kernel(std::fs::File::open("/proc").unwrap()));
        assert!(!is_made_by_kernel(std::fs::File::open(env!("CARGO_MANIFEST_DIR")).unwrap()));
    }
}
