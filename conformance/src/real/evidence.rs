//! Differences that the file itself explains.
//!
//! * *Extra*: ClamAV is asked to keep all that it takes out of the file. If none of it, nor the file, holds what the
//!   signature asks for, then Dachs looks into more.
//! * *Missed*: a digest of what the first stream of a compressed file gives, where there are several: ClamAV ends there. Or
//!   what ClamAV takes out of a mail and what holds it is a stretch of the mail's own text: both sides looked at it, and cut it
//!   at other places. Or it is what ClamAV makes of plain text by taking it for base64, its own wrapper of a `data:` URL, its
//!   text of Excel 4 macros, or the text that a page of a PDF shows, which Dachs does not put together.

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
/// Why Dachs does not find what ClamAV's decoder of base64 makes of other text.
const NOISE: &str = "what ClamAV makes of plain text by taking it for base64";
/// Why Dachs does not find the head that ClamAV puts before what a `data:` URL holds.
const WRAPPER: &str = "ClamAV's own wrapper of a data: URL; what is in it is a member here";
/// Why Dachs does not find the text of a page.
const SHOWN: &str = "the text that the pages of a PDF show is not put together (docs/clamav-differences.md)";
/// Why Dachs does not find what ClamAV finds in data.
const HEADER: &str = "ClamAV takes data for a mail that holds header fields in its midst (catalogues of messages do)";
/// Why Dachs does not find what stands in the text that ClamAV makes of formulas, nor ClamAV the streams beside it.
const FORMULAS: &str = "ClamAV has its own text of Excel 4 macros, and compares no digest of the other streams then";
/// Why ClamAV does not find what stands in the bytes of a page.
const PAGE: &str = "the bytes of a page are matched as they are too";
/// More bytes of an object are not looked at.
const LARGEST: u64 = 256 << 20;

/// What is known of a file.
pub(super) struct Evidence<'a> {
    file: &'a Path,
    /// What ClamAV takes out of it, each with its MD5; empty until it is needed.
    objects: Option<Vec<Object>>,
}

/// An object that ClamAV takes out of a file, or the file.
struct Object {
    name: String,
    /// ClamAV's reader of mails wrote it.
    mail: bool,
    md5: String,
    bytes: Vec<u8>,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(file: &'a Path) -> Evidence<'a> {
        Evidence { file, objects: None }
    }

    /// Why one side alone finds the signature, if the file tells.
    /// `place` is where Dachs finds it.
    pub(super) fn explain(
        &mut self,
        who: &str,
        kind: &str,
        place: Option<&str>,
        signature: &Signature,
    ) -> Option<&'static str> {
        match (who, signature) {
            ("extra", _) if place.is_some_and(|place| place.ends_with("(html)")) || self.has_page() => Some(PAGE),
            ("extra", Signature::Hash(..)) if kind == "ole2" && self.objects().iter().any(is_of_formulas) => {
                Some(FORMULAS)
            }
            ("extra", _) => (!self.objects().iter().any(|object| fulfils(object, signature))).then_some(MORE),
            (_, Signature::Hash(digest, size)) if self.is_first(digest, *size) => Some(FIRST),
            _ if self
                .all(signature, |object, _| object.bytes.to_ascii_lowercase().starts_with(b"from html-normalise")) =>
            {
                Some(WRAPPER)
            }
            _ if kind == "ole2" => self.all(signature, |object, _| is_of_formulas(object)).then_some(FORMULAS),
            _ if kind == "pdf" => self.all(signature, is_shown).then_some(SHOWN),
            _ if kind == "mail" && self.all(signature, is_noise) => Some(NOISE),
            _ if kind == "mail" => self.is_cut(signature).then_some(CUT),
            _ if kind == "data" && self.all(signature, |object, _| is_page(object)) => Some(HEADER),
            _ if kind == "data" && self.all(signature, is_of_mail) => Some(HEADER),
            _ if kind == "data" => self.is_cut(signature).then_some(HEADER),
            _ => None,
        }
    }

    /// True if ClamAV reads an object in the file, or the file, as a page.
    fn has_page(&mut self) -> bool {
        self.objects().iter().any(is_page)
    }

    /// True if this holds of every object that fulfils the signature, and there is one.
    fn all(&mut self, signature: &Signature, holds: impl Fn(&Object, &[Object]) -> bool) -> bool {
        let objects = self.objects();
        let mut found = objects.iter().filter(|object| fulfils(object, signature)).peekable();
        found.peek().is_some() && found.all(|object| holds(object, objects))
    }

    /// True if what holds the signature stands in the file as it is, or in its text in normalised form.
    fn is_cut(&mut self, signature: &Signature) -> bool {
        let Ok(whole) = std::fs::read(self.file) else { return false };
        let lines: Vec<u8> = whole.iter().copied().filter(|byte| *byte != b'\r').collect();
        let text = normal(&whole);
        let objects = self.objects().iter().filter(|object| object.bytes != whole);
        let stands = |bytes: &[u8]| holds(&lines, bytes.trim_ascii()) || holds(&text, bytes.trim_ascii());
        objects.filter(|object| fulfils(object, signature)).any(|object| stands(&object.bytes))
    }

    fn objects(&mut self) -> &[Object] {
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

fn object(path: &Path) -> Option<Object> {
    let fits = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() <= LARGEST);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let of_mail = |part: &str| part.starts_with("mail-tmp") || part.starts_with("textportion");
    let mail = path.components().any(|part| of_mail(&part.as_os_str().to_string_lossy()));
    fits.then(|| Some(Object { name, mail, md5: draw::md5(path)?, bytes: std::fs::read(path).ok()? }))?
}

fn fulfils(object: &Object, signature: &Signature) -> bool {
    match signature {
        Signature::Body(part) => holds(&object.bytes, part),
        Signature::Hash(digest, size) => object.bytes.len() == *size && object.md5 == *digest,
        Signature::Section => false,
    }
}

/// True for a normalised form of a page.
fn is_page(object: &Object) -> bool {
    ["nocomment", "notags", "javascript"].iter().any(|form| object.name.starts_with(form))
}

/// True for the text of Excel 4 macros.
fn is_of_formulas(object: &Object) -> bool {
    object.name.starts_with("xlm_macros")
}

/// True for the text of a page, and its normalised form.
fn is_shown(object: &Object, objects: &[Object]) -> bool {
    let texts = objects.iter().filter(|other| other.name.ends_with(" contents"));
    texts.into_iter().any(|text| text.bytes == object.bytes || normal(&text.bytes) == object.bytes)
}

/// True for what ClamAV's reader of mails wrote, and its normalised form.
fn is_of_mail(object: &Object, objects: &[Object]) -> bool {
    object.mail || objects.iter().any(|other| other.mail && normal(&other.bytes) == object.bytes)
}

/// True if the object is what base64 gives of letters of another one, which is the last: the file.
fn is_noise(object: &Object, objects: &[Object]) -> bool {
    let Some(file) = objects.last() else { return false };
    let digits: Vec<u8> = file.bytes.iter().copied().filter(|byte| DIGITS.contains(byte)).collect();
    let written = base64(&object.bytes);
    let words = file.bytes.split(|byte| *byte == b'\n').filter(|line| line.contains(&b' '));
    let spoken: Vec<u8> = words.flatten().copied().filter(|byte| DIGITS.contains(byte)).collect();
    holds(&spoken, &written) && holds(&digits, &written)
}

/// RFC 4648 4
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The digits of whole groups.
fn base64(bytes: &[u8]) -> Vec<u8> {
    let (groups, _) = bytes.as_chunks::<3>();
    let digit = |bits: u32| DIGITS.get(usize::try_from(bits & 63).unwrap_or(0)).copied().unwrap_or(b'A');
    groups
        .iter()
        .flat_map(|[a, b, c]| {
            let bits = u32::from_be_bytes([0, *a, *b, *c]);
            [18, 12, 6, 0].map(|shift| digit(bits >> shift))
        })
        .collect()
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
