//! Which language a text is written in, as far as its start shows: batch files, PowerShell, VBScript, Windows script files, SVG,
//! style sheets.
//!
//! All of them are texts for signatures. A text is told to be a script by how it begins, or by two different words that few other texts
//! hold together; one that only mentions a word stays a text. JavaScript has no such words and stays a text, as do shell and PHP
//! scripts what [`text`](super::text) calls them.

use dachs_base::FileKind;
use memchr::memmem::{self, Finder};
use std::sync::LazyLock;

/// How batch files begin; a text may begin like the others.
const BATCH: [&[u8]; 8] = [b"@echo ", b"@echo\r", b"@setlocal", b"@rem ", b"@if ", b"@set ", b"@cmd", b"setlocal "];
/// Words of PowerShell.
const POWERSHELL: [&[u8]; 20] = [
    b"write-host",
    b"new-object",
    b"invoke-",
    b"[system.",
    b"[convert]::",
    b"[byte[]]",
    b"$env:",
    b"import-module",
    b"write-output",
    b"out-null",
    b"-encodedcommand",
    b"foreach-object",
    b"start-process",
    b"[parameter(",
    b"cmdletbinding",
    b"get-childitem",
    b"get-content",
    b"$psscriptroot",
    b"$erroractionpreference",
    b"[io.",
];
/// Words of VBScript.
const VBSCRIPT: [&[u8]; 7] = [
    b"on error resume next",
    b"createobject(",
    b"wscript.",
    b"msgbox",
    b"end sub",
    b"end function",
    b"option explicit",
];
/// What looks for them: made once, since there are many small texts.
static POWERSHELL_FINDERS: LazyLock<[Finder<'static>; 20]> = LazyLock::new(|| POWERSHELL.map(Finder::new));
static VBSCRIPT_FINDERS: LazyLock<[Finder<'static>; 7]> = LazyLock::new(|| VBSCRIPT.map(Finder::new));
/// Elements that style sheets are written for first.
const STYLED: [&[u8]; 10] = [b"html", b"body", b"a", b"div", b"table", b"p", b"h1", b"img", b"ul", b"span"];
/// Rules that style sheets begin with.
const RULES: [&[u8]; 4] = [b"@charset", b"@import ", b"@font-face", b"@media "];
/// Bytes of a selector.
const SELECTOR: usize = 256;

/// A closer kind for a text of a kind; the same if there is none.
pub(super) fn refined(kind: FileKind, start: &[u8]) -> FileKind {
    if !matches!(kind, FileKind::Ascii | FileKind::Utf8 | FileKind::Script | FileKind::Xml) {
        return kind;
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start().to_ascii_lowercase();
    let begins = |words: &[&[u8]]| words.iter().any(|word| text.starts_with(word));
    if begins(&BATCH) {
        return FileKind::Batch;
    }
    match (text.first(), kind) {
        (Some(b'<'), _) => element(&text).unwrap_or(kind),
        (_, FileKind::Ascii | FileKind::Utf8) if begins(&RULES) || is_style(&text) => FileKind::Css,
        (_, FileKind::Ascii | FileKind::Utf8) if two_of(&text, &*POWERSHELL_FINDERS) => FileKind::PowerShell,
        (_, FileKind::Ascii | FileKind::Utf8) if two_of(&text, &*VBSCRIPT_FINDERS) => FileKind::VbScript,
        _ => kind,
    }
}

/// Does a text hold two of these words?
fn two_of(text: &[u8], words: &[Finder<'_>]) -> bool {
    words.iter().filter(|word| word.find(text).is_some()).nth(1).is_some()
}

/// The first element behind declarations and comments: of Windows script files (Windows Script Host, "Using Windows Script Files";
/// scriptlets) or of SVG.
fn element(text: &[u8]) -> Option<FileKind> {
    let mut rest = text;
    loop {
        let end: &[u8] = match rest {
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', b'?', ..] => b"?>",
            [b'<', b'!', ..] => b">",
            _ => break,
        };
        let at = memmem::find(rest, end)?;
        rest = rest.get(at + end.len()..)?.trim_ascii_start();
    }
    let name = rest.strip_prefix(b"<")?;
    let length = name.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    match name.get(..length)? {
        b"svg" => Some(FileKind::Svg),
        b"job" | b"package" | b"scriptlet" | b"component" if memmem::find(rest, b"<script").is_some() => {
            Some(FileKind::Wsf)
        }
        _ => None,
    }
}

/// A selector, a brace, a property and a colon (CSS Syntax Module Level 3, 5).
fn is_style(text: &[u8]) -> bool {
    let text = match text.strip_prefix(b"/*") {
        Some(comment) => match memmem::find(comment, b"*/") {
            Some(end) => comment.get(end + 2..).unwrap_or_default().trim_ascii_start(),
            None => return false,
        },
        None => text,
    };
    let word = text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let styled = matches!(text.first(), Some(b'.' | b'#' | b'*' | b':'))
        || STYLED.iter().any(|name| text.get(..word) == Some(name));
    let selector = |byte: &&u8| byte.is_ascii_alphanumeric() || b" \t\r\n.#*:,>+~_-[]=\"'".contains(byte);
    let length = text.iter().take(SELECTOR).take_while(selector).count();
    let Some(rule) = text.get(length..).and_then(|rest| rest.strip_prefix(b"{")) else { return false };
    let rule = rule.trim_ascii_start();
    let property = rule.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'-').count();
    styled
        && length > 0
        && property > 0
        && rule.get(property..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_by_their_start() {
        use FileKind::{Ascii, Batch, Css, PowerShell, Script, Svg, VbScript, Wsf, Xml};
        let cases: [(&[u8], FileKind, FileKind); 22] = [
            (b"@echo off\r\nstart a.exe", Script, Batch),
            (b"  @ECHO OFF\r\n", Script, Batch),
            (b"@if not exist a goto :eof", Ascii, Batch),
            (b"#!/bin/sh\necho $env: write-host", Script, Script),
            (b"$a = New-Object Net.WebClient\nInvoke-Expression $a", Ascii, PowerShell),
            (b"we speak of write-host only", Ascii, Ascii),
            (b"On Error Resume Next\r\nSet a = CreateObject(\"WScript.Shell\")", Ascii, VbScript),
            (b"the dim light at the end sub rosa", Ascii, Ascii),
            (b"<package><job id=\"a\"><script language=\"VBScript\">", Ascii, Wsf),
            (b"<?xml version=\"1.0\"?>\n<!-- a --><job><script>", Xml, Wsf),
            (b"<?XML version=\"1.0\"?><scriptlet><script>", Ascii, Wsf),
            (b"<job>of a builder</job>", Ascii, Ascii),
            (b"<?xml version=\"1.0\"?><!DOCTYPE svg PUBLIC \"a\" \"b\"><svg xmlns=\"c\">", Xml, Svg),
            (b"<svg>", Ascii, Svg),
            (b"<?xml version=\"1.0\"?><a>", Xml, Xml),
            (b"<!-- no end", Xml, Xml),
            (b"@charset \"utf-8\";", Ascii, Css),
            (b"/* styles */\nbody, .a > b {\n  background : url(a)", Ascii, Css),
            (b".a{color:red}", Ascii, Css),
            (b"interface A { x: string }", Ascii, Ascii),
            (b"{\"a\": 1}", Ascii, Ascii),
            (b"", Ascii, Ascii),
        ];
        for (text, kind, expected) in cases {
            assert_eq!(refined(kind, text), expected, "{}", text.escape_ascii());
        }
        assert_eq!(refined(FileKind::Pdf, b"@echo off"), FileKind::Pdf);
    }
}
