//! An explanation of `dachs db explain` in plain form: what its words say.

use super::Plain;
use super::line::{Piece, Tree, expression, show};

/// The name, the source, and the plain form of one explanation.
pub(super) fn read(block: &str) -> Result<(String, String, Plain), String> {
    let mut lines = block.lines();
    let name = lines.next().unwrap_or_default().to_owned();
    let (mut plain, mut source) = (Plain::new(), String::new());
    for line in lines {
        let (key, value) =
            line.trim_start().split_once(':').ok_or_else(|| format!("no line of an explanation: {line}"))?;
        let value = value.trim_start();
        match key {
            "source" => source = value.rsplit('/').next().unwrap_or_default().to_owned(),
            "metadata" | "rule" | "tags" => {}
            "objects" => insert(&mut plain, key, objects(value)),
            "place" => insert(&mut plain, key, place(value)?),
            "pattern" => insert(&mut plain, key, pattern(value)?),
            "MD5" | "SHA-1" | "SHA-256" => insert(&mut plain, "digest", value.to_owned()),
            "condition" => condition(&mut plain, value)?,
            "expression" => insert(&mut plain, key, tree(value).show()),
            "name" => insert(&mut plain, key, expression(value.strip_prefix("with ").unwrap_or(value))),
            "archive" => insert(&mut plain, key, kinds(value)),
            "kind" => insert(
                &mut plain,
                key,
                value
                    .strip_prefix("digest of the ")
                    .map_or(value.to_owned(), |of| format!("digest of {of}"))
                    .replace("digest of a ", "digest of "),
            ),
            "packed size" | "archive's size" | "position" => insert(&mut plain, key, range(value)),
            "size" => insert(&mut plain, key, range(value)),
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                insert(&mut plain, &format!("{number:0>2}"), subsignature(value)?);
            }
            _ => insert(&mut plain, key, value.to_owned()),
        }
    }
    Ok((name, source, plain))
}

fn insert(plain: &mut Plain, key: &str, value: String) {
    plain.insert(key.to_owned(), value);
}

/// `from 1 to 9` is `1-9`.
fn range(text: &str) -> String {
    text.strip_prefix("from ").map_or_else(|| text.to_owned(), |text| text.replace(" to ", "-"))
}

fn objects(text: &str) -> String {
    const WORDS: [(&str, &str); 15] = [
        ("any object", "any object"),
        ("Windows", "pe"),
        ("OLE2", "ole2"),
        ("normalised HTML", "html"),
        ("mail", "mail"),
        ("pictures", "pictures"),
        ("ELF", "elf"),
        ("normalised text", "text"),
        ("nothing", "nothing"),
        ("Mach-O", "mach-o"),
        ("PDF", "pdf"),
        ("Flash", "flash"),
        ("Java", "java"),
        ("metadata", "metadata"),
        ("objects that", "other"),
    ];
    WORDS.iter().find(|(start, _)| text.starts_with(start)).map_or("?", |(_, word)| *word).to_owned()
}

/// A kind by ClamAV's name; of several the first, as documents are archives too.
fn kinds(text: &str) -> String {
    let first = text.split(" or ").next().unwrap_or_default();
    let names = [
        ("gzip", "gz"),
        ("pe", "msexe"),
        ("packed-elf", "elf"),
        ("packed-pe", "msexe"),
        ("tar", "posix_tar"),
        ("ole2", "msole2"),
        ("cab", "mscab"),
        ("gif", "graphics"),
        ("bmp", "graphics"),
        ("7z", "7z"),
        ("swf", "swf"),
    ];
    names.iter().find(|(label, _)| *label == first).map_or(first, |(_, name)| *name).replace('-', "_")
}

fn condition(plain: &mut Plain, text: &str) -> Result<(), String> {
    let ranges = [
        ("FileSize", "its size is from ", " bytes"),
        ("EntryPoint", "its entry point is from byte ", ""),
        ("NumberOfSections", "it has from ", " sections"),
    ];
    for (key, start, end) in ranges {
        if let Some(rest) = text.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)) {
            insert(plain, key, rest.replace(" to ", "-"));
            return Ok(());
        }
    }
    if text == "it is not inside of another object" {
        insert(plain, "Container", "any".to_owned());
    } else if let Some(rest) = text.strip_prefix("it was unpacked from ") {
        let layers: Vec<String> = rest.split(", inside of ").map(kinds).collect();
        let key = if layers.len() > 1 { "Intermediates" } else { "Container" };
        insert(plain, key, layers.into_iter().rev().collect::<Vec<_>>().join(">"));
    } else if let Some(kind) = text.strip_prefix("it is fulfilled again when the object is scanned as ") {
        insert(plain, "HandlerType", kinds(kind));
    } else if let Some(rest) = text.strip_prefix("it has an icon whose ") {
        for group in rest.split(" and whose ") {
            let key = if group.starts_with("first") { "IconGroup1" } else { "IconGroup2" };
            insert(plain, key, group.rsplit(" is ").next().unwrap_or_default().to_owned());
        }
    } else if let Some(name) = text.strip_prefix("it is inside of CL_TYPE_") {
        insert(plain, "Container", name.split(',').next().unwrap_or_default().to_ascii_lowercase());
    } else {
        return Err(format!("an unknown condition: {text}"));
    }
    Ok(())
}

/// The place in ClamAV's words.
fn place(text: &str) -> Result<String, String> {
    let (base, shift) = match text.split_once(", or up to ") {
        Some((base, rest)) => (base, rest.strip_suffix(" bytes later").unwrap_or(rest)),
        None => (text, "0"),
    };
    let inner = |start: &str, end: &str| Some(base.strip_prefix(start)?.strip_suffix(end)?.to_owned());
    let section = || {
        let (offset, index) = base.split_once(" bytes into section ")?;
        Some(format!("S{index}+{offset}"))
    };
    let found = match base {
        "anywhere" => return Ok("*".to_owned()),
        "at the start" => Some("0".to_owned()),
        "at the entry point" => Some("EP+0".to_owned()),
        "at the key of a string in the version information" => Some("VI".to_owned()),
        _ => inner("at byte ", "")
            .or_else(|| inner("", " bytes before the end").map(|at| format!("EOF-{at}")))
            .or_else(|| inner("", " bytes after the entry point").map(|at| format!("EP+{at}")))
            .or_else(|| inner("", " bytes before the entry point").map(|at| format!("EP-{at}")))
            .or_else(|| inner("", " bytes into the last section").map(|at| format!("SL+{at}")))
            .or_else(|| inner("anywhere in section ", "").map(|at| format!("SE{at}")))
            .or_else(|| inner("anywhere, as a member of macro group ", "").map(|at| format!("${at}$")))
            .or_else(section),
    };
    found.map(|base| format!("{base},{shift}")).ok_or_else(|| format!("an unknown place: {text}"))
}

fn subsignature(text: &str) -> Result<String, String> {
    let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    if let Some(hash) = text.strip_prefix("a picture that looks like the one with the hash ") {
        return Ok(format!("picture {hash}"));
    }
    if let Some(rest) = text.strip_prefix("a member of macro group ") {
        let (group, rest) = rest.split_once(", ").unwrap_or_default();
        let (min, rest) = rest.split_once(" to ").unwrap_or_default();
        return Ok(format!("macro {min}-{}}}{group}$", number(rest)));
    }
    if text.starts_with("the number in ") {
        return comparison(text).ok_or_else(|| format!("an unknown comparison: {text}"));
    }
    if let Some((offset, rest)) = text.split_once(", if ").filter(|(_, rest)| rest.contains(": /")) {
        let (trigger, regex) = rest.split_once(": ").unwrap_or_default();
        return Ok(format!("regex {} {} {regex}", place(offset)?, tree(trigger).show()));
    }
    let (offset, rest) = text.split_once(": ").ok_or_else(|| format!("an unknown subsignature: {text}"))?;
    Ok(format!("{} {}", place(offset)?, pattern(rest)?))
}

/// `the number in 5 bytes as hexadecimal text, all of them digits, 4 bytes after the start of the last match of 0, is > 3 and < 16`
fn comparison(text: &str) -> Option<String> {
    let (length, rest) = text.strip_prefix("the number in ")?.split_once(" bytes ")?;
    let (before, comparisons) = rest.rsplit_once(", is ")?;
    let (before, id) = before.rsplit_once(" the start of the last match of ")?;
    let (form, distance) = before.rsplit_once(", ")?;
    let (form, exact) = form.strip_suffix(", all of them digits").map_or((form, ""), |form| (form, "e"));
    let form = match form {
        "as bytes, the highest first" => "i",
        "as bytes, the lowest first" => "il",
        "as decimal text, or hexadecimal behind 0x" => "a",
        "as decimal text" => "d",
        "as hexadecimal text" => "h",
        "as hexadecimal text, the lowest pair first" => "hl",
        _ => return None,
    };
    let (count, side) = distance.split_once(" bytes ")?;
    let sign = if side == "before" && count != "0" { "-" } else { "" };
    let all: Vec<String> = comparisons.split(" and ").map(|one| one.replace(' ', "")).collect();
    Some(format!("number {id} {sign}{count} {form}{exact} {length} {}", all.join(" ")))
}

// ---- patterns ----

fn pattern(text: &str) -> Result<String, String> {
    let mut shown = Vec::new();
    let mut rest = text;
    loop {
        let (pieces, after) = pieces(rest)?;
        shown.push(show(pieces));
        match after.strip_prefix("; or ") {
            Some(after) => rest = after,
            None if after.is_empty() => return Ok(shown.join(" or ")),
            None => return Err(format!("what is this of a pattern: {after}")),
        }
    }
}

/// The pieces up to the end of a pattern or of a choice, and what follows.
fn pieces(mut text: &str) -> Result<(Vec<Piece>, &str), String> {
    let mut all = Vec::new();
    loop {
        let (piece, rest) = piece(text)?;
        all.extend(piece);
        match rest.strip_prefix(", ") {
            Some(rest) => text = rest,
            None => return Ok((all, rest)),
        }
    }
}

fn piece(text: &str) -> Result<(Option<Piece>, &str), String> {
    const BORDERS: [(&str, &str); 8] = [
        ("the border of a word in 16-bit characters", "W16"),
        ("no border of a word in 16-bit characters", "!W16"),
        ("a boundary", "B"),
        ("no boundary", "!B"),
        ("the border of a line", "L"),
        ("no border of a line", "!L"),
        ("the border of a word", "W"),
        ("no border of a word", "!W"),
    ];
    for (words, mark) in BORDERS {
        if let Some(rest) = text.strip_prefix(words) {
            return Ok((Some(Piece::Border(mark.to_owned())), rest));
        }
    }
    let choice = text.strip_prefix("none of (").map(|rest| (rest, true));
    if let Some((rest, negated)) = choice.or_else(|| Some((text.strip_prefix('(')?, false))) {
        return options(rest, negated).map(|(piece, rest)| (Some(piece), rest));
    }
    if let Some(rest) = text.strip_prefix("nothing") {
        return Ok((None, rest));
    }
    distance(text)
        .or_else(|| literal(text))
        .map(|(piece, rest)| (Some(piece), rest))
        .ok_or_else(|| format!("an unknown piece of a pattern: {text}"))
}

fn options(mut text: &str, negated: bool) -> Result<(Piece, &str), String> {
    let mut options = Vec::new();
    loop {
        let (pieces, rest) = pieces(text)?;
        options.push(show(pieces));
        match (rest.strip_prefix(" | "), rest.strip_prefix(')')) {
            (Some(rest), _) => text = rest,
            (None, Some(rest)) => return Ok((Piece::Choice(options, negated), rest)),
            (None, None) => return Err(format!("a choice that does not end: {rest}")),
        }
    }
}

/// A number and what stands behind it.
fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

fn distance(text: &str) -> Option<(Piece, &str)> {
    if let Some(rest) = text.strip_prefix("any distance") {
        return Some((Piece::Distance(0, None), rest));
    }
    if let Some(rest) = text.strip_prefix("any byte") {
        return Some((Piece::Distance(1, Some(1)), rest));
    }
    if let Some((least, rest)) = text.strip_prefix("at least ").and_then(number) {
        return Some((Piece::Distance(least, None), rest.strip_prefix(" bytes")?));
    }
    let (min, rest) = number(text.strip_prefix("any ").unwrap_or(text))?;
    if let Some((max, rest)) = rest.strip_prefix(" to ").and_then(number) {
        return Some((Piece::Distance(min, Some(max)), rest.strip_prefix(" bytes")?));
    }
    Some((Piece::Distance(min, Some(min)), rest.strip_prefix(" bytes")?))
}

/// Bytes, with their text behind them, or a byte with a half unknown.
fn literal(text: &str) -> Option<(Piece, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_hexdigit() && letter != '?').unwrap_or(text.len());
    let (digits, mut rest) = text.split_at(end);
    if digits.contains('?') {
        return (digits.len() == 2).then(|| (Piece::Half(digits.to_owned()), rest));
    }
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    if pairs.is_empty() || !odd.is_empty() {
        return None;
    }
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
    if let Some(quoted) = rest.strip_prefix(" \"") {
        let wide = quoted.get(bytes.len() / 2..).and_then(|rest| rest.strip_prefix("\" in 16-bit characters"));
        rest = wide.or_else(|| quoted.get(bytes.len()..)?.strip_prefix('"'))?;
    }
    let folded = rest.strip_prefix(" in either case");
    Some((Piece::Bytes(bytes, folded.is_some()), folded.unwrap_or(rest)))
}

// ---- expressions ----

/// `0 & (1 | 2) > 3 with 2 different ones & 1 = 0`
fn tree(text: &str) -> Tree {
    let (tree, rest) = list(text);
    if rest.is_empty() { tree } else { Tree::Id(format!("what is this: {rest}")) }
}

fn list(text: &str) -> (Tree, &str) {
    let (first, mut rest) = operand(text);
    let (mut items, mut sign) = (vec![first], '&');
    while let Some(after) = rest.strip_prefix(" & ").or_else(|| rest.strip_prefix(" | ")) {
        sign = if rest.starts_with(" & ") { '&' } else { '|' };
        let (item, left) = operand(after);
        items.push(item);
        rest = left;
    }
    if items.len() == 1 { (items.remove(0), rest) } else { (Tree::List(sign, items), rest) }
}

fn operand(text: &str) -> (Tree, &str) {
    let Some(inner) = text.strip_prefix('(') else {
        let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (comparison, rest) = comparison_of(&text[end..]);
        return (Tree::Id(format!("{}{comparison}", &text[..end])), rest);
    };
    let (tree, rest) = list(inner);
    let (comparison, rest) = comparison_of(rest.strip_prefix(')').unwrap_or(rest));
    if comparison.is_empty() { (tree, rest) } else { (Tree::Block(Box::new(tree), comparison), rest) }
}

/// ` > 3 with 2 different ones`
fn comparison_of(text: &str) -> (String, &str) {
    let sign = ["=", "<", ">"].into_iter().find(|sign| text.starts_with(&format!(" {sign} ")));
    let Some((sign, (count, rest))) = sign.and_then(|sign| Some((sign, number(&text[3..])?))) else {
        return (String::new(), text);
    };
    let distinct = rest.strip_prefix(" with ").and_then(number);
    match distinct.and_then(|(distinct, rest)| Some((distinct, rest.strip_prefix(" different ones")?))) {
        Some((distinct, rest)) => (format!("{sign}{count},{distinct}"), rest),
        None => (format!("{sign}{count}"), rest),
    }
}
