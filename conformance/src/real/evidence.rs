//! Differences that the file itself explains.
//!
//! * *Extra*: ClamAV is asked to keep all that it takes out of the file. If none of it, nor the file, holds what the
//!   signature asks for, then Dachs looks into more.
//! * *Missed*: a digest of what the first stream of a compressed file gives, where there are several: ClamAV ends there. Or
//!   what ClamAV takes out of a mail and what holds it is a stretch of the mail's own text: both sides looked at it, and cut it
//!   at other places.

use std::path::Path;
use std::process::{Command, Stdio};

use super::draw::{self, Signature};
use crate::scratch::Scratch;

/// Why ClamAV does not find what Dachs does.
const MORE: &str = "ClamAV takes no object out of the file that holds it: Dachs looks into more";
/// Why Dachs does not find a digest that ClamAV does.
const FIRST: &str = "the digest is of the first of several streams; all of them together are one object here";
/// Why Dachs does not find what stands in the text of a mail.
const CUT: &str =
    "a stretch of the mail's own text: parts end before the line break that belongs to the boundary (RFC 2046 5.1.1)";
/// More bytes of an object are not looked at.
const LARGEST: u64 = 256 << 20;

/// What is known of a file.
pub(super) struct Evidence<'a> {
    file: &'a Path,
    /// What ClamAV takes out of it, each with its MD5; empty until it is needed.
    objects: Option<Vec<(String, Vec<u8>)>>,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(file: &'a Path) -> Evidence<'a> {
        Evidence { file, objects: None }
    }

    /// Why one side alone finds the signature, if the file tells.
    pub(super) fn explain(&mut self, who: &str, kind: &str, signature: &Signature) -> Option<&'static str> {
        match (who, signature) {
            ("extra", _) => (!self.objects().iter().any(|object| fulfils(object, signature))).then_some(MORE),
            (_, Signature::Hash(digest, size)) if self.is_first(digest, *size) => Some(FIRST),
            _ if kind == "mail" => self.is_cut(signature).then_some(CUT),
            _ => None,
        }
    }

    /// True if what holds the signature stands in the file as it is, or in its text in normalised form.
    fn is_cut(&mut self, signature: &Signature) -> bool {
        let Ok(whole) = std::fs::read(self.file) else { return false };
        let lines: Vec<u8> = whole.iter().copied().filter(|byte| *byte != b'\r').collect();
        let text = normal(&whole);
        let objects = self.objects().iter().filter(|(_, bytes)| *bytes != whole);
        let stands = |bytes: &[u8]| holds(&lines, bytes.trim_ascii()) || holds(&text, bytes.trim_ascii());
        objects.filter(|object| fulfils(object, signature)).any(|(_, bytes)| stands(bytes))
    }

    fn objects(&mut self) -> &[(String, Vec<u8>)] {
        let file = self.file;
        self.objects.get_or_insert_with(|| {
            let scratch = Scratch::new().ok();
            let inside = scratch.and_then(|scratch| {
                let paths = draw::inside(file, &scratch).ok()?;
                Some(paths.iter().filter_map(|path| object(path)).collect::<Vec<_>>())
            });
            inside.unwrap_or_default().into_iter().chain(object(file)).collect()
        })
    }

    /// True if the digest is that of the first bytes of the file decompressed, and more bytes follow.
    fn is_first(&self, digest: &str, size: usize) -> bool {
        let program = ["bzip2", "gzip", "xz"].into_iter().find(|program| {
            let test = Command::new(program).arg("-t").arg(self.file).stderr(Stdio::null()).status();
            test.is_ok_and(|status| status.success())
        });
        let Some(program) = program else { return false };
        let script =
            "\"$1\" -dc -- \"$2\" | { head -c \"$3\" | md5sum; [ \"$(head -c 1 | wc -c)\" = 1 ] && echo more; }";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", program]).arg(self.file).arg(size.to_string()).stderr(Stdio::null());
        let text = command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        text.is_ok_and(|text| text.starts_with(digest) && text.ends_with("more\n"))
    }
}

fn object(path: &Path) -> Option<(String, Vec<u8>)> {
    let fits = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() <= LARGEST);
    fits.then(|| Some((draw::md5(path)?, std::fs::read(path).ok()?)))?
}

fn fulfils((md5, bytes): &(String, Vec<u8>), signature: &Signature) -> bool {
    match signature {
        Signature::Body(part) => holds(bytes, part),
        Signature::Hash(digest, size) => bytes.len() == *size && md5 == digest,
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}

/// The normalised form of a text: lower case, one blank for each run of white space, nothing but ASCII.
fn normal(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\t'..=b'\r' | b' ' if text.last() == Some(&b' ') => {}
            b'\t'..=b'\r' | b' ' => text.push(b' '),
            0x21..=0x7f => text.push(byte.to_ascii_lowercase()),
            _ => {}
        }
    }
    text
}
