//! A line of a database in plain form: what the line says, read for the sake of comparison, sound lines only.

use super::Plain;

/// Lines of every kind of signature, for those that the real databases lack.
pub(super) const OWN: [(&str, &str); 8] = [
    (
        "ldb",
        "Own.Compare-1;Engine:81-255,Target:0;0&1;616263;0(>>4#hbe5#>3,<0x10)\n\
         Own.Compare-2;Engine:81-255,Target:0;0&1;616263;0(<<2#db7#=12)\n\
         Own.Compare-3;Engine:81-255,Target:0;0&1;616263;0(>>0x10#il4#<7)\n\
         Own.Compare-4;Engine:81-255,Target:0;0&1;616263;0(>>1#ab3#>1)\n\
         Own.Macro-1;Engine:51-255,Target:0;0&1;616263;${6-7}12$\n\
         Own.Picture-1;Engine:150-255,Target:0;0;fuzzy_img#af2ad01ed42993c7\n\
         Own.Conditions-1;Engine:51-255,Target:1,FileSize:1-9,EntryPoint:3-4,NumberOfSections:2-5;0;616263\n\
         Own.Container-1;Engine:51-255,Target:0,Container:CL_TYPE_RAR;0;616263\n\
         Own.Container-2;Engine:51-255,Target:0,Container:CL_TYPE_ANY;0;616263\n\
         Own.Layers-1;Engine:51-255,Target:0,Intermediates:CL_TYPE_RAR>CL_TYPE_GZ;0;616263\n\
         Own.Icon-1;Engine:51-255,IconGroup1:A,IconGroup2:B,Target:1;0;616263\n\
         Own.Regex-1;Engine:81-255,Target:0;0&1&2;616263;10,5:0>2/a\\/b;c+/smi;646566::wai\n\
         Own.Mixed-1;Engine:51-255,Target:0;0|1&2;616263;646566;676869\n\
         Own.Mixed-2;Engine:51-255,Target:0;(0|1&2)>3,2&3=0;616263;646566;676869;6a6b6c::f\n\
         Own.Places-1;Engine:51-255,Target:1;0&1&2&3&4&5;EP-4,3:616263;S2+7:646566;SL+1:676869;SE3:6a6b6c;EOF-9:6d6e;VI:6f7071\n",
    ),
    (
        "ndb",
        "Own.Body-1:0:*:6162(6263|64|)65??6?66{2-7}!(67|68)6969*7070(L)\n\
         Own.Body-2:0:*:61[1-4]626364\n\
         Own.Body-3:0:$12$:616263\n\
         Own.Body-4:6:EP+10,20:!(W)616263{5}6465{-3}6667{4-}6869\n",
    ),
    (
        "cdb",
        "Own.Member-1:CL_TYPE_RAR:100:\\.exe$:7-9:*:1:2:*:*\n\
         Own.Member-2:*:*:^a{1,5}b$:*:10-20:0:*:*:*\n",
    ),
    ("zmd", "Own.Zip-1:0:a\\.scr$:12:*:*:8:1:*\n"),
    ("imp", "98c88d882f01a3f6ac1e5f7dfd761624:39:Own.Imports-1\n"),
    ("msb", "512:3395856ce81f2b7382dee72602f798b642f14140:Own.Section-1\n"),
    ("hsb", "3395856ce81f2b7382dee72602f798b642f14140:*:Own.Hash-1:73\n"),
    ("crb", "Own.Certificate-1;0;188b5dbbe14f7db4c1e3f51bbb9b5c27a687668c;;00c0ffee;010001;1;0;0;0;comment\n"),
];

/// The endings of files that hold named signatures.
const READ: [&str; 14] =
    ["hdb", "hsb", "hdu", "hsu", "mdb", "msb", "imp", "ndb", "ldb", "cdb", "zmd", "crb", "sdb", "ldu"];

/// Does every explained signature of this file come from a line that is read here?
pub(super) fn is_read(file: &str) -> bool {
    READ.contains(&file.rsplit('.').next().unwrap_or_default())
}

/// The name of a signature and its plain form.
pub(super) fn read(ending: &str, line: &str) -> Option<(String, Plain)> {
    let colons: Vec<&str> = line.split(':').collect();
    let (name, pairs) = match (ending, colons.as_slice()) {
        ("hdb" | "hsb" | "hdu" | "hsu", [digest, size, name, ..]) => {
            (*name, hash("whole object", digest, size, "any object"))
        }
        ("mdb" | "msb", [size, digest, name, ..]) => (*name, hash("one section", digest, size, PE)),
        ("imp", [digest, size, name, ..]) => (*name, hash("list of imports", digest, size, PE)),
        ("ndb" | "sdb", [name, target, offset, hex, ..]) => {
            let pairs = [
                ("kind", "body signature".to_owned()),
                ("objects", objects(target)),
                ("place", place(offset)),
                ("pattern", pattern(hex, "").join(" or ")),
            ];
            (*name, pairs.into_iter().map(owned).collect())
        }
        ("cdb", [name, container, size, regex, packed, length, encrypted, position, ..]) => {
            let kind = container.trim_start_matches("CL_TYPE_").to_ascii_lowercase();
            (*name, member(&kind, size, regex, packed, length, encrypted, position))
        }
        ("zmd", [name, encrypted, regex, length, packed, _, _, position, ..]) => {
            (*name, member("zip", "*", regex, packed, length, encrypted, position))
        }
        ("ldb" | "ldu", _) => logical(line)?,
        ("crb", _) => return certificate(line),
        _ => return None,
    };
    Some((name.to_owned(), pairs))
}

const PE: &str = "pe";

fn owned((key, value): (&str, String)) -> (String, String) {
    (key.to_owned(), value)
}

fn hash(of: &str, digest: &str, size: &str, objects: &str) -> Plain {
    let size = if size == "*" { "any".to_owned() } else { format!("{size} bytes") };
    let pairs = [
        ("kind", format!("digest of {of}")),
        ("objects", objects.to_owned()),
        ("digest", digest.to_ascii_lowercase()),
        ("size", size),
    ];
    pairs.into_iter().map(owned).collect()
}

/// The first word that a target is described with.
fn objects(target: &str) -> String {
    let words = [
        "any object",
        "pe",
        "ole2",
        "html",
        "mail",
        "pictures",
        "elf",
        "text",
        "nothing",
        "mach-o",
        "pdf",
        "flash",
        "java",
        "metadata",
        "other",
    ];
    target.parse().ok().and_then(|number: usize| words.get(number)).map_or("?", |word| *word).to_owned()
}

fn member(kind: &str, size: &str, regex: &str, packed: &str, length: &str, encrypted: &str, position: &str) -> Plain {
    let mut plain: Plain = [owned(("kind", "what an archive says of a member".to_owned()))].into_iter().collect();
    plain.insert("archive".to_owned(), if kind == "*" { "of any kind" } else { kind }.to_owned());
    let fields =
        [("archive's size", size), ("name", regex), ("packed size", packed), ("size", length), ("position", position)];
    for (key, value) in fields.into_iter().filter(|(_, value)| *value != "*") {
        plain.insert(key.to_owned(), if key == "name" { expression(value) } else { value.to_owned() });
    }
    if encrypted != "*" {
        plain.insert("encrypted".to_owned(), if encrypted == "1" { "yes" } else { "no" }.to_owned());
    }
    plain
}

/// A regular expression in plain form: characters by their numbers, classes as the bytes that they hold.
pub(super) fn expression(text: &str) -> String {
    let text = text.replace("(?:$)", "$").replace("(?:", "(");
    let (mut rest, mut plain) = (text.as_bytes(), String::new());
    while let Some((first, after)) = rest.split_first() {
        let (shown, left) = match first {
            b'[' => class(after),
            b'\\' => {
                let (byte, left) = escaped(after);
                (format!("<{byte:02x}>"), left)
            }
            _ if first.is_ascii_alphanumeric() || matches!(first, b'_' | b' ' | b'-' | b'/') => {
                (format!("<{first:02x}>"), after)
            }
            _ => (char::from(*first).to_string(), after),
        };
        plain.push_str(&shown);
        rest = left;
    }
    plain
}

/// What stands behind a backslash: two digits behind an x, or a character.
fn escaped(text: &[u8]) -> (u8, &[u8]) {
    let number = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    if let Some((byte, rest)) = text.strip_prefix(b"x").and_then(|text| Some((number(text.get(..2)?)?, &text[2..]))) {
        return (byte, rest);
    }
    text.split_first().map_or((b'\\', text), |(byte, rest)| (*byte, rest))
}

/// A class, from behind its bracket: in POSIX a backslash is a character of it, in the other form it escapes.
fn class(text: &[u8]) -> (String, &[u8]) {
    let (negated, mut rest) = text.strip_prefix(b"^").map_or((false, text), |rest| (true, rest));
    let (mut held, mut last, mut first) = ([false; 256], None, true);
    while let Some((byte, after)) = rest.split_first() {
        if *byte == b']' && !first {
            rest = after;
            break;
        }
        first = false;
        let escapes = *byte == b'\\' && after.first() == Some(&b'x');
        let one = |byte: u8, after| if byte == b'\\' && escapes { escaped(after) } else { (byte, after) };
        let (end, left) = match (byte, last) {
            (b'-', Some(_)) if after.first() != Some(&b']') => {
                let (next, after) = after.split_first().unwrap_or((&0, after));
                if *next == b'\\' && after.first() == Some(&b'x') { escaped(after) } else { (*next, after) }
            }
            _ => {
                last = None;
                one(*byte, after)
            }
        };
        let start = last.take().unwrap_or(end);
        (start..=end).for_each(|byte| held[usize::from(byte)] = true);
        last = (start == end).then_some(end);
        rest = left;
    }
    let held: Vec<String> =
        (0..=255_u8).filter(|byte| held[usize::from(*byte)] != negated).map(|byte| format!("{byte:02x}")).collect();
    (format!("[{}]", held.join("")), rest)
}

fn certificate(line: &str) -> Option<(String, Plain)> {
    let fields: Vec<&str> = line.split(';').collect();
    let [name, "0", subject, serial, modulus, ..] = fields.as_slice() else { return None };
    let serial = if serial.is_empty() { "any".to_owned() } else { format!("SHA-1 {serial}") };
    let pairs = [
        ("kind", "revoked certificate".to_owned()),
        ("objects", PE.to_owned()),
        ("subject", format!("SHA-1 {subject}")),
        ("serial", serial),
        ("modulus", modulus.trim_start_matches("00").to_ascii_lowercase()),
    ];
    Some(((*name).to_owned(), pairs.into_iter().map(owned).collect()))
}

/// `*`, `10`, `EOF-10`, `EP+0`, `S2+7`, `SL+1`, `SE3`, `VI`, `$4$`, with the shift behind a comma.
fn place(offset: &str) -> String {
    let (base, shift) = offset.split_once(',').unwrap_or((offset, "0"));
    if base == "*" || base.is_empty() { "*".to_owned() } else { format!("{base},{shift}") }
}

// ---- patterns ----

/// A piece of a pattern in plain form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Bytes(Vec<u8>, bool),
    Half(String),
    Distance(u64, Option<u64>),
    Choice(Vec<String>, bool),
    Border(String),
}

/// A pattern in plain form: two where it is asked for both in 8-bit and 16-bit characters, the latter first.
pub(super) fn pattern(hex: &str, modifiers: &str) -> Vec<String> {
    let has = |letter: char| modifiers.contains(letter);
    let widths: &[bool] = match (has('w'), has('a')) {
        (true, true) => &[true, false],
        (true, false) => &[true],
        _ => &[false],
    };
    widths
        .iter()
        .map(|wide| {
            let letters: Vec<char> = hex.chars().collect();
            let mut pieces = pieces(&letters, has('i'), *wide);
            if has('f') {
                let border = Piece::Border(if *wide { "W16" } else { "W" }.to_owned());
                pieces.insert(0, border.clone());
                pieces.push(border);
            }
            show(pieces)
        })
        .collect()
}

/// Neighbours of one kind are one, and distances of nothing none.
pub(super) fn show(pieces: Vec<Piece>) -> String {
    let mut merged: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (merged.last_mut(), piece) {
            (Some(Piece::Bytes(bytes, folded)), Piece::Bytes(more, folds)) => {
                bytes.extend(more);
                *folded |= folds;
            }
            (Some(Piece::Distance(min, max)), Piece::Distance(least, most)) => {
                *min += least;
                *max = max.zip(most).map(|(one, other)| one + other);
            }
            (_, piece) => merged.push(piece),
        }
    }
    merged.retain(|piece| *piece != Piece::Distance(0, Some(0)));
    format!("{merged:?}")
}

fn pieces(letters: &[char], folds: bool, wide: bool) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let rest = &letters[at..];
        match rest[0] {
            '*' => {
                pieces.push(Piece::Distance(0, None));
                at += 1;
            }
            '{' | '[' => {
                let end = rest.iter().position(|letter| matches!(letter, '}' | ']')).unwrap_or(rest.len() - 1);
                pieces.push(distance(&rest[1..end].iter().collect::<String>()));
                at += end + 1;
            }
            '!' | '(' => {
                let negated = rest[0] == '!';
                let end = closing(rest);
                let inner = &rest[1 + usize::from(negated)..end];
                pieces.push(choice(inner, negated, folds, wide));
                at += end + 1;
            }
            _ => {
                let digits: String = rest.iter().take(2).collect();
                pieces.extend(byte(&digits, folds, wide));
                at += 2;
            }
        }
    }
    pieces
}

fn byte(digits: &str, folds: bool, wide: bool) -> Vec<Piece> {
    let zero = || Piece::Bytes(vec![0], false);
    let first = match u8::from_str_radix(digits, 16) {
        Ok(byte) if folds && byte.is_ascii_alphabetic() => Piece::Bytes(vec![byte.to_ascii_lowercase()], true),
        Ok(byte) => Piece::Bytes(vec![byte], false),
        Err(_) if digits == "??" => Piece::Distance(1, Some(1)),
        Err(_) => Piece::Half(digits.to_ascii_lowercase()),
    };
    if wide { vec![first, zero()] } else { vec![first] }
}

/// `5`, `2-7`, `-7`, `2-`; a longest distance of 0 is none.
fn distance(text: &str) -> Piece {
    let number = |text: &str| text.parse::<u64>().ok();
    let (min, max) = match text.split_once('-') {
        None => (number(text).unwrap_or(0), number(text)),
        Some((min, max)) => (number(min).unwrap_or(0), number(max)),
    };
    Piece::Distance(min, max.filter(|max| *max > 0))
}

/// The place of the parenthesis that closes the first one.
fn closing(letters: &[char]) -> usize {
    let mut depth = 0;
    for (at, letter) in letters.iter().enumerate() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return at;
        }
    }
    letters.len() - 1
}

fn choice(inner: &[char], negated: bool, folds: bool, wide: bool) -> Piece {
    if let [mark @ ('B' | 'L' | 'W')] = inner {
        let not = if negated { "!" } else { "" };
        return Piece::Border(format!("{not}{mark}{}", if wide && *mark == 'W' { "16" } else { "" }));
    }
    let (mut options, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, letter) in inner.iter().enumerate() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            '|' if depth == 0 => {
                options.push(show(pieces(&inner[start..at], folds, wide)));
                start = at + 1;
            }
            _ => {}
        }
    }
    options.push(show(pieces(&inner[start..], folds, wide)));
    Piece::Choice(options, negated)
}

// ---- logical signatures ----

fn logical(line: &str) -> Option<(&str, Plain)> {
    let mut fields = line.split(';');
    let (name, attributes, expression) = (fields.next()?, fields.next()?, fields.next()?);
    // An expression of PCRE may hold semicolons: what does not begin like a subsignature belongs to the one before.
    let mut plain = Plain::new();
    plain.insert("kind".to_owned(), "logical signature".to_owned());
    for attribute in attributes.split(',') {
        let (key, value) = attribute.split_once(':')?;
        let value = match key {
            "Engine" => continue,
            "Target" => {
                plain.insert("objects".to_owned(), objects(value));
                continue;
            }
            "Container" | "HandlerType" => value.trim_start_matches("CL_TYPE_").to_ascii_lowercase(),
            "Intermediates" => value.replace("CL_TYPE_", "").to_ascii_lowercase(),
            _ => value.to_owned(),
        };
        plain.insert(key.to_owned(), value);
    }
    plain.insert("expression".to_owned(), Tree::of_line(expression).show());
    for (number, text) in subsignatures(fields.collect()).iter().enumerate() {
        plain.insert(format!("{number:02}"), subsignature(text));
    }
    Some((name, plain))
}

/// Fields, of which those of one regular expression are put together again.
fn subsignatures(fields: Vec<&str>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for field in fields {
        match all.last_mut() {
            Some(open) if open.contains('/') && !is_closed(open) => *open = format!("{open};{field}"),
            _ => all.push(field.to_owned()),
        }
    }
    all
}

/// A regular expression without the modifiers that may stand behind it and mean nothing there.
fn unmodified(text: &str) -> &str {
    let letters = |end: &str| end.bytes().all(|byte| b"iwaf".contains(&byte));
    text.rsplit_once("::")
        .filter(|(before, end)| before.contains('/') && letters(end))
        .map_or(text, |(before, _)| before)
}

/// Does a regular expression end with its second slash and flags?
fn is_closed(text: &str) -> bool {
    let text = unmodified(text);
    let (Some(first), Some(last)) = (text.find('/'), text.rfind('/')) else { return false };
    let escaped = text.as_bytes()[..last].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
    last > first && !escaped && text[last + 1..].bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn subsignature(text: &str) -> String {
    if let Some(hash) = text.strip_prefix("fuzzy_img#") {
        return format!("picture {}", hash.split('#').next().unwrap_or_default());
    }
    if let Some(rest) = text.strip_prefix("${") {
        return format!("macro {rest}");
    }
    if let Some(first) = text.find('/').filter(|first| is_closed(text) && !text[..*first].contains('#')) {
        let text = unmodified(text);
        let last = text.rfind('/').unwrap_or(first);
        let (before, regex, flags) = (&text[..first], &text[first + 1..last], &text[last + 1..]);
        let (offset, trigger) = before.rsplit_once(':').unwrap_or(("*", before));
        return format!("regex {} {} /{regex}/{flags}", place(offset), Tree::of_line(trigger).show());
    }
    if text.contains("#") && text.contains('(') {
        return comparison(text);
    }
    // Where `::` stands twice, ClamAV takes what is before the first one, without modifiers.
    let (body, modifiers) = text.split_once("::").unwrap_or((text, ""));
    let modifiers = if modifiers.contains("::") { "" } else { modifiers };
    let (offset, hex) = body.split_once(':').unwrap_or(("*", body));
    format!("{} {}", place(offset), pattern(hex, modifiers).join(" or "))
}

/// `0(>>4#hbe5#>3,<0x10)`
fn comparison(text: &str) -> String {
    let (id, rest) = text.trim_end_matches(')').split_once('(').unwrap_or_default();
    let parts: Vec<&str> = rest.split('#').collect();
    let [distance, options, comparisons] = parts.as_slice() else { return text.to_owned() };
    let number = |text: &str| {
        text.strip_prefix("0x").map_or_else(|| text.parse(), |hex| i64::from_str_radix(hex, 16)).unwrap_or(i64::MIN)
    };
    let sign = if distance.starts_with("<<") { -1 } else { 1 };
    let letters: String = options.chars().filter(char::is_ascii_alphabetic).collect();
    let length: String = options.chars().filter(char::is_ascii_digit).collect();
    let little = letters.contains('l') && !letters.contains('d') && !letters.contains('a');
    let form = letters.chars().next().unwrap_or('?');
    let all: Vec<String> = comparisons.split(',').map(|one| format!("{}{}", &one[..1], number(&one[1..]))).collect();
    format!(
        "number {id} {} {form}{}{} {length} {}",
        sign * number(&distance[2..]),
        if little { "l" } else { "" },
        if letters.contains('e') { "e" } else { "" },
        all.join(" ")
    )
}

/// An expression as a tree; neighbours under one sign are one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    Id(String),
    Block(Box<Tree>, String),
    List(char, Vec<Tree>),
}

impl Tree {
    pub(super) fn show(&self) -> String {
        let flat = self.flat();
        match &flat {
            Tree::Id(text) => text.clone(),
            Tree::Block(inner, comparison) => format!("({}){comparison}", inner.show()),
            Tree::List(sign, items) => {
                let items: Vec<String> = items.iter().map(Tree::show).collect();
                format!("[{}]", items.join(&sign.to_string()))
            }
        }
    }

    pub(super) fn flat(&self) -> Tree {
        let Tree::List(sign, items) = self else { return self.clone() };
        let mut all = Vec::new();
        for item in items.iter().map(Tree::flat) {
            match item {
                Tree::List(same, inner) if same == *sign => all.extend(inner),
                other => all.push(other),
            }
        }
        Tree::List(*sign, all)
    }

    /// An expression of ClamAV: at the top the first sign splits, in parentheses the last one.
    pub(super) fn of_line(text: &str) -> Tree {
        level(text.trim(), true)
    }
}

fn level(text: &str, top: bool) -> Tree {
    let bytes = text.as_bytes();
    let (mut depth, mut signs) = (0, Vec::new());
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'&' | b'|' if depth == 0 => signs.push(at),
            _ => {}
        }
    }
    let split = if top { signs.first() } else { signs.last() };
    if let Some(at) = split {
        let sign = char::from(bytes[*at]);
        return Tree::List(sign, vec![level(&text[..*at], top), level(&text[at + 1..], top)]);
    }
    if let Some(rest) = text.strip_prefix('(') {
        let end = rest.rfind(')').unwrap_or(rest.len() - 1);
        let inner = level(&rest[..end], false);
        let comparison = &rest[end + 1..];
        return if comparison.is_empty() { inner } else { Tree::Block(Box::new(inner), compared(comparison)) };
    }
    let end = text.find(['=', '<', '>', ',']).unwrap_or(text.len());
    let (id, comparison) = text.split_at(end);
    // What stands behind a comma says nothing of a single number; more than none is the bare number.
    let comparison = comparison.split(',').next().unwrap_or_default();
    let bare = comparison.is_empty() || comparison == ">0";
    Tree::Id(if bare { id.to_owned() } else { format!("{id}{}", compared(comparison)) })
}

/// Of several signs the last counts.
fn compared(text: &str) -> String {
    let digits = text.find(|letter: char| letter.is_ascii_digit()).unwrap_or(text.len());
    let (signs, rest) = text.split_at(digits);
    let (count, distinct) = rest.split_once(',').unwrap_or((rest, "0"));
    let distinct = if distinct == "0" { String::new() } else { format!(",{distinct}") };
    format!("{}{count}{distinct}", signs.chars().last().unwrap_or('?'))
}
