//! Texts: character set, markup, mail, scripts.
//!
//! The first KiB decides. A text holds no control characters besides white space; bytes above 127 are UTF-8 or, if that
//! fails, an 8-bit character set. Formats that are written as text are told by how they begin, so that a text that only
//! mentions them stays a text.

use std::sync::LazyLock;

use dachs_base::FileKind;
use memchr::memmem::Finder;

use super::scripts;

/// How much is looked at.
const LOOKED_AT: usize = 1024;
/// What is left of a text that has ended.
const NO_TEXT: &[u8] = &[];

/// The kind of a text; `None` if it is none.
pub(super) fn kind(head: &[u8]) -> Option<FileKind> {
    let start = head.get(..LOOKED_AT).unwrap_or(head);
    charted(head).map(|kind| scripts::refined(kind, start))
}

/// By its character set and markup.
fn charted(head: &[u8]) -> Option<FileKind> {
    let whole = head.len() <= LOOKED_AT;
    let start = head.get(..LOOKED_AT).unwrap_or(head);
    if let Some(wide) = utf16(start) {
        return Some(markup(&wide).unwrap_or(FileKind::Utf16));
    }
    // Scripts may carry anything behind their first lines.
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or(start);
    if is_script(line) && character_set(line, whole).is_some() {
        return Some(FileKind::Script);
    }
    let set = character_set(start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start), whole)?;
    Some(markup(start).unwrap_or(set))
}

/// Makes a page of a text that has `href` anywhere behind it.
const LINK: &[u8] = b"<a ";
/// Tags that make ClamAV read any text, and bytes of no known format, as a page, wherever they stand (observed: 1.4.6, in
/// lower, upper or title case).
const ANYWHERE: [&[u8]; 8] = [b"<html>", b"<head>", LINK, b"<img", b"<iframe", b"<table", b"<object", b"<script"];

/// True if an object with these first bytes is to be matched as a page too, whatever else it is.
pub(super) fn holds_tags(head: &[u8]) -> bool {
    let start = head.get(..LOOKED_AT).unwrap_or(head);
    let wide = utf16(start);
    first_tag(wide.as_deref().unwrap_or(start)).is_some()
}

/// True if ClamAV 1.4.6 would take these first bytes for text, though they are none (observed: a mark of UTF-16 at the start;
/// or all bytes could be of an 8-bit character set; or, read as UTF-16 with the high byte first, no character but the first
/// is a control character of ASCII or the mark turned round). That holds of most noise.
pub(super) fn passes_for_text(head: &[u8]) -> bool {
    let start = head.get(..LOOKED_AT).unwrap_or(head);
    let marked = start.starts_with(b"\xfe\xff") || start.starts_with(b"\xff\xfe");
    let narrow = || start.iter().all(|byte| *byte >= 0x80 || is_written(*byte));
    let fits = |unit: u16| unit != 0xfffe && u8::try_from(unit).map_or(true, |byte| byte >= 0x80 || is_written(byte));
    let wide = || start.as_chunks::<2>().0.iter().skip(1).all(|pair| fits(u16::from_be_bytes(*pair)));
    start.len() > 5 && (marked || narrow() || wide())
}

/// ASCII as ClamAV has it in texts.
fn is_written(byte: u8) -> bool {
    matches!(byte, 7..=10 | 12 | 13 | 27 | 0x20..=0x7e)
}

/// What of a page is in a text.
#[derive(Clone, Copy, Default)]
pub(super) struct Tags {
    /// Where the first tag stands that makes a page of it.
    pub(super) first: Option<usize>,
    /// A link begins: it makes a page of the text if an address follows, wherever.
    pub(super) link: bool,
}

/// Looks for tags.
pub(super) fn tags(text: &[u8]) -> Tags {
    // One search tells of all links that an address stands behind.
    let mut addressed = None;
    let mut tag = |rest: &[u8]| {
        // Few tags begin like one of these.
        rest.get(1).filter(|letter| matches!(*letter | 0x20, b'a' | b'h' | b'i' | b'o' | b's' | b't'))?;
        let named = |tag: &&[u8]| rest.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
        let tag = ANYWHERE.iter().find(|tag| named(tag))?;
        (*tag != LINK || *addressed.get_or_insert_with(|| holds_address(rest))).then_some(())
    };
    let first = memchr::memchr_iter(b'<', text).find(|at| tag(text.get(*at..).unwrap_or(NO_TEXT)).is_some());
    Tags { first, link: addressed.is_some() }
}

/// Where the first tag stands that makes a page of a text.
pub(super) fn first_tag(text: &[u8]) -> Option<usize> {
    tags(text).first
}

/// Is there the name of an attribute that leads somewhere?
pub(super) fn holds_address(text: &[u8]) -> bool {
    contains(text, b"href")
}

/// UTF-16 as its low bytes, if the text is in UTF-16: told by a byte order mark, or by zeros beside ASCII.
fn utf16(start: &[u8]) -> Option<Vec<u8>> {
    let (pairs, _) = start.as_chunks::<2>();
    let (marked, little) = match pairs.first()? {
        [0xff, 0xfe] => (true, true),
        [0xfe, 0xff] => (true, false),
        [low, 0] if *low != 0 => (false, true),
        [0, high] if *high != 0 => (false, false),
        _ => return None,
    };
    let number = |pair: &[u8; 2]| if little { u16::from_le_bytes(*pair) } else { u16::from_be_bytes(*pair) };
    let numbers = || pairs.iter().skip(usize::from(marked)).map(number);
    let plain = numbers().filter(|unit| u8::try_from(*unit).is_ok_and(is_text_byte)).count();
    let valid =
        numbers().all(|unit| u8::try_from(unit).map_or(unit < 0xfff0, |byte| byte >= 0x80 || is_text_byte(byte)));
    let enough = if marked { pairs.len() > 1 } else { pairs.len() >= 4 && plain * 10 >= pairs.len() * 9 };
    (valid && enough).then(|| numbers().map(|unit| u8::try_from(unit).unwrap_or(b'?')).collect())
}

/// ASCII, UTF-8, or an 8-bit character set.
fn character_set(start: &[u8], whole: bool) -> Option<FileKind> {
    // All bytes are looked at, so that vectors do it.
    let is_text = start.iter().fold(true, |all, byte| all & ((*byte >= 0x80) | is_text_byte(*byte)));
    if start.is_empty() || !is_text {
        return None;
    }
    if start.is_ascii() {
        return Some(FileKind::Ascii);
    }
    match std::str::from_utf8(start) {
        Ok(_) => Some(FileKind::Utf8),
        Err(error) if !whole && error.error_len().is_none() => Some(FileKind::Utf8),
        Err(_) => eight_bit(start).then_some(FileKind::Ascii),
    }
}

/// Bytes that no text in an 8-bit character set has are excluded already; a few bytes could be anything.
fn eight_bit(start: &[u8]) -> bool {
    let high = start.iter().filter(|byte| **byte >= 0x80).count();
    let c1 = start.iter().filter(|byte| (0x80..0xa0).contains(*byte)).count();
    let plain = start.len() - high;
    high <= plain || (start.len() >= 64 && c1 * 4 <= high && plain * 20 >= start.len())
}

#[inline(always)]
fn is_text_byte(byte: u8) -> bool {
    let space = byte.wrapping_sub(8) <= b'\r' - 8;
    space | (byte == 0x1b) | (byte.wrapping_sub(b' ') <= b'~' - b' ')
}

/// Formats written as text, by how they begin.
fn markup(text: &[u8]) -> Option<FileKind> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let body = text.trim_ascii_start();
    if body.starts_with(b"{\\rt") {
        return Some(FileKind::Rtf);
    }
    if is_script(body) {
        return Some(FileKind::Script);
    }
    if is_html(body) {
        return Some(FileKind::Html);
    }
    if body.starts_with(b"<?xml") {
        return Some(document(body));
    }
    if is_uuencoded(body) {
        return Some(FileKind::Uuencode);
    }
    BINHEX.find(text).map(|_| FileKind::BinHex)
}

/// What stands before a file in BinHex 4.0 (RFC 1741).
static BINHEX: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("(This file must be converted"));

/// The document that an XML text is: by what ClamAV's signatures of kinds look for.
fn document(body: &[u8]) -> FileKind {
    let holds = |words: &[&[u8]]| words.iter().any(|word| find(body, word).is_some());
    if holds(&[b"progid=\"Word.Document\"", b"<w:wordDocument"]) {
        FileKind::XmlWord
    } else if holds(&[b"progid=\"Excel.Sheet\"", b"<Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\""]) {
        FileKind::XmlXl
    } else if holds(&[b"<HWPML", b"<!DOCTYPE HWPML"]) {
        FileKind::Hwpml
    } else if holds(&[b"<xdp:xdp"]) {
        FileKind::Xdp
    } else {
        FileKind::Xml
    }
}

fn is_script(body: &[u8]) -> bool {
    let begins = |word: &[u8]| body.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    body.starts_with(b"#!") || begins(b"<?php") || begins(b"@echo off") || begins(b"<?=") || begins(b"<job ")
}

/// Tags that a page begins with.
const PAGE: [&[u8]; 16] = [
    b"!doctype html",
    b"html",
    b"head",
    b"body",
    b"script",
    b"iframe",
    b"title",
    b"meta",
    b"style",
    b"table",
    b"div",
    b"font",
    b"br",
    b"p",
    b"h1",
    b"a",
];
/// Tags that make a page of a text when a line begins with them.
const INSIDE: [&[u8]; 2] = [b"!doctype html", b"html"];
/// What a program has before a page that it only prints.
const PROGRAM: [&[u8]; 5] = [b"import ", b"\"\"\"", b"'''", b"function", b"#include"];

fn is_html(body: &[u8]) -> bool {
    // Most texts have no tag.
    if memchr::memchr(b'<', body).is_none() {
        return false;
    }
    let start = skip_prolog(body);
    // XML has elements of the same names.
    let tags: &[&[u8]] = if body.starts_with(b"<?xml") { &INSIDE } else { &PAGE };
    let first = start.strip_prefix(b"<").is_some_and(|tag| tags.iter().any(|name| is_tag(tag, name)));
    let line = |line: &[u8]| {
        let tag = line.trim_ascii_start().strip_prefix(b"<").unwrap_or(NO_TEXT);
        INSIDE.iter().any(|name| is_tag(tag, name))
    };
    let program = || PROGRAM.iter().any(|word| find(body, word).is_some());
    first || (body.split(|byte| matches!(byte, b'\n' | b'\r')).any(line) && !program())
}

/// Behind comments and an XML declaration.
fn skip_prolog(body: &[u8]) -> &[u8] {
    let mut rest = body;
    loop {
        let end: &[u8] = match rest {
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', b'?', b'x', b'm', b'l', ..] => b"?>",
            _ => return rest,
        };
        let Some(at) = find(rest, end) else { return NO_TEXT };
        rest = rest.get(at + end.len()..).unwrap_or(NO_TEXT).trim_ascii_start();
    }
}

/// True if `tag`, what follows a `<`, has this name.
fn is_tag(tag: &[u8], name: &[u8]) -> bool {
    let named = tag.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    named && tag.get(name.len()).is_none_or(|next| matches!(next, b'>' | b'/') || next.is_ascii_whitespace())
}

/// `begin 644 name`, then a line that is as long as its first character says.
fn is_uuencoded(body: &[u8]) -> bool {
    let mut lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let begin = lines.next().and_then(|line| line.strip_prefix(b"begin ")).unwrap_or(NO_TEXT);
    let mode = begin.iter().take_while(|byte| (b'0'..=b'7').contains(*byte)).count();
    let Some([count, data @ ..]) = lines.next() else { return false };
    let encoded = usize::from(count.wrapping_sub(32) & 63).div_ceil(3) * 4;
    (3..=4).contains(&mode) && begin.get(mode) == Some(&b' ') && data.len().abs_diff(encoded) <= 1
}

/// Fields that a message begins with (RFC 5322 3.6, RFC 2045, and what servers put before them).
const FIELDS: [&[u8]; 34] = [
    b"from",
    b"to",
    b"cc",
    b"bcc",
    b"date",
    b"subject",
    b"sender",
    b"reply-to",
    b"message-id",
    b"in-reply-to",
    b"references",
    b"received",
    b"return-path",
    b"delivered-to",
    b"delivery-date",
    b"envelope-to",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"content-disposition",
    b"dkim-signature",
    b"domainkey-signature",
    b"arc-seal",
    b"arc-message-signature",
    b"arc-authentication-results",
    b"authentication-results",
    b"received-spf",
    b"user-agent",
    b"x-mailer",
    b"x-original-to",
    b"x-received",
    b"x-spam-status",
    b"list-id",
    b"importance",
];

/// Mail: header fields from the first line on, of which several are known, or a mailbox whose first line is a `From ` line.
/// The first field is known, or an extension (`X-...`) as programs put before the others.
///
/// Asked before all else that texts may be: the first part of a message may look like anything, and hold any byte.
pub(super) fn mail(head: &[u8]) -> Option<FileKind> {
    let text = head.get(..LOOKED_AT).unwrap_or(head);
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let blank = text.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let text = text.get(blank..).unwrap_or(NO_TEXT);
    let mbox = text.starts_with(b"From ");
    let ending = if text.contains(&b'\n') { b'\n' } else { b'\r' };
    let mut lines = text.split(|byte| *byte == ending).skip(usize::from(mbox)).peekable();
    let mut known = 0;
    if !lines.peek().is_some_and(|line| field(line).is_some_and(is_first)) {
        return None;
    }
    for line in lines {
        match (line.first(), field(line)) {
            (Some(b' ' | b'\t'), _) => {}
            (_, Some(name)) => known += usize::from(is_known(name)),
            _ => break,
        }
    }
    let mhtml =
        contains(text, b"mime-version:") && contains(text, b"multipart/related") && !contains(text, b"received:");
    match known {
        0 => None,
        1 if !mbox && !contains(text, b"boundary=") => None,
        _ if mhtml && contains(text, b"text/html") => Some(FileKind::Mhtml),
        _ => Some(FileKind::Mail),
    }
}

/// The name in front of a colon.
fn field(line: &[u8]) -> Option<&[u8]> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = line.get(..colon)?.trim_ascii_end();
    let valid = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic());
    valid.then_some(name)
}

fn is_first(name: &[u8]) -> bool {
    is_known(name) || name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"x-"))
}

fn is_known(name: &[u8]) -> bool {
    FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name))
}

/// Where `needle` stands.
fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, needle)
}

/// True if `needle` (in lower case) stands in the text in any case.
fn contains(text: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return true };
    let here = |at: usize| text.get(at..).and_then(|rest| rest.get(..needle.len()));
    let mut starts = memchr::memchr2_iter(*first, first.to_ascii_uppercase(), text);
    starts.any(|at| here(at).is_some_and(|found| found.eq_ignore_ascii_case(needle)))
}
