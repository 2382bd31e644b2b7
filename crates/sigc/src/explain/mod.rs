//! A signature, decoded for a person.
//!
//! ```text
//! Some.Name-1.UNOFFICIAL
//!   source:     local.ldb
//!   kind:       logical signature
//!   objects:    Windows executables (PE)
//!   condition:  its size is from 1 to 9 bytes
//!   expression: 0 & (1 | 2 > 1)
//!   0: anywhere: 4d5a "MZ", 2 to 7 bytes, 5045 "PE"
//!   1: ...
//! ```

mod pattern;

use std::fmt::Write;

use dachs_base::{FileKind, Target};
use dachs_sigdb::Image;
use dachs_sigdb::model::{
    BodyRule, CertificateRule, Compare, Comparison, Condition, Digest, Digits, Expression, HashRule, KindRule,
    LogicalRule, MemberRule, MetadataValue, NumberForm, Offset, OffsetBase, Rule, Scope, Subsignature, TellsOf,
    YaraRule,
};

use crate::target::describe;

/// The signature decoded for a person, in lines; empty if there is no such signature.
#[must_use]
pub fn explain(image: &Image<'_>, signature: u32) -> String {
    let (Some(name), Some(rule)) = (image.name(signature), image.decode(signature)) else { return String::new() };
    let mut text = format!("{}\n", plain(&name));
    line(&mut text, "source", &source(image, signature));
    match rule {
        Rule::Body(rule) => body(&mut text, &rule),
        Rule::Certificate(rule) => certificate(&mut text, &rule),
        Rule::Hash(rule) => hash(&mut text, &rule, Scope::Object),
        Rule::Imports(rule) => hash(&mut text, &rule, Scope::Imports),
        Rule::Kind(rule) => kind(&mut text, &rule),
        Rule::Logical(rule) => logical(&mut text, &rule),
        Rule::Member(rule) => member(&mut text, &rule),
        Rule::Section(rule) => hash(&mut text, &rule, Scope::Section),
        Rule::Yara(rule) => yara(&mut text, &rule, image, signature, &name),
        _ => line(&mut text, "kind", "one that this version cannot show"),
    }
    text
}

/// A YARA rule: what people are told of it, and its text.
fn yara(text: &mut String, rule: &YaraRule, image: &Image<'_>, signature: u32, name: &str) {
    line(text, "kind", "YARA rule");
    line(text, "objects", "any object");
    if !rule.tags.is_empty() {
        line(text, "tags", &plain(&rule.tags.join(", ")));
    }
    for (what, value) in &rule.metadata {
        let value = match value {
            MetadataValue::Boolean(truth) => truth.to_string(),
            MetadataValue::Integer(number) => number.to_string(),
            MetadataValue::Text(text) => plain(text),
        };
        line(text, "metadata", &format!("{} = {value}", plain(what)));
    }
    let source = image.source_of(signature);
    let mut texts = image.yara_texts().filter(|text| Some(text.source) == source);
    for written in texts.find(|text| declares(text.text, name)).iter().flat_map(|text| text.text.lines()) {
        line(text, "rule", &plain(written));
    }
}

/// Is this the text of the rule of this name? Before the name stand `rule` and what it is besides, and comments.
fn declares(text: &str, name: &str) -> bool {
    let mut rest = text.trim_start();
    loop {
        let after = match rest {
            _ if rest.starts_with("//") => rest.split_once('\n').map(|(_, rest)| rest),
            _ if rest.starts_with("/*") => rest.split_once("*/").map(|(_, rest)| rest),
            _ => ["private", "global"].iter().find_map(|word| rest.strip_prefix(word)),
        };
        match after {
            Some(after) => rest = after.trim_start(),
            None => break,
        }
    }
    let declared = rest.strip_prefix("rule").and_then(|rest| rest.trim_start().strip_prefix(name));
    declared.is_some_and(|rest| !rest.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_'))
}

fn certificate(text: &mut String, rule: &CertificateRule) {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    line(text, "kind", "revoked certificate");
    line(text, "objects", "Windows executables (PE) that come with it");
    line(text, "subject", &format!("SHA-1 {}", hex(&rule.subject)));
    line(text, "serial", &rule.serial.map_or("any".to_owned(), |serial| format!("SHA-1 {}", hex(&serial))));
    line(text, "modulus", &hex(&rule.modulus));
}

fn line(text: &mut String, what: &str, value: &str) {
    let label = format!("{what}:");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {label:<11} {value}");
}

/// Names come from sources that others wrote: control characters do not reach a terminal.
fn plain(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

fn source(image: &Image<'_>, signature: u32) -> String {
    let number = image.source_of(signature).and_then(|number| usize::try_from(number).ok());
    let Some(source) = number.and_then(|number| image.info().sources.into_iter().nth(number)) else {
        return "unknown".to_owned();
    };
    let mut text = plain(&source.info.name);
    if let Some(version) = source.info.version {
        text += &format!(", version {version}");
    }
    if source.info.official {
        text += ", digital signature verified";
    }
    text
}

fn member(text: &mut String, rule: &MemberRule) {
    line(text, "kind", "what an archive says of a member");
    let kinds: Vec<&str> = rule.containers.iter().map(|kind| kind.label()).collect();
    let kinds = if kinds.is_empty() { "of any kind".to_owned() } else { kinds.join(" or ") };
    line(text, "archive", &kinds);
    if let Some(name) = &rule.name {
        line(text, "name", &format!("with {}", plain(name)));
    }
    let ranges = [
        ("archive's size", rule.container_size),
        ("packed size", rule.packed),
        ("size", rule.length),
        ("position", rule.position),
    ];
    for (what, (from, to)) in ranges.into_iter().filter(|(_, range)| *range != (0, u64::MAX)) {
        line(text, what, &if from == to { from.to_string() } else { format!("from {from} to {to}") });
    }
    if let Some(encrypted) = rule.encrypted {
        line(text, "encrypted", if encrypted { "yes" } else { "no" });
    }
}

fn hash(text: &mut String, rule: &HashRule, scope: Scope) {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (kind, target) = match scope {
        Scope::Imports => ("digest of the list of imports", Target::Pe),
        Scope::Object => ("digest of a whole object", Target::Any),
        Scope::Section => ("digest of one section", Target::Pe),
    };
    line(text, "kind", kind);
    line(text, "objects", describe(target));
    match &rule.digest {
        Digest::Md5(digest) => line(text, "MD5", &hex(digest)),
        Digest::Sha1(digest) => line(text, "SHA-1", &hex(digest)),
        Digest::Sha256(digest) => line(text, "SHA-256", &hex(digest)),
    }
    match rule.size {
        Some(size) => line(text, "size", &format!("{size} bytes")),
        None => line(text, "size", "any"),
    }
}

fn body(text: &mut String, rule: &BodyRule) {
    line(text, "kind", "body signature");
    line(text, "objects", describe(rule.target));
    line(text, "place", &place(rule.offset));
    line(text, "pattern", &pattern::show(&rule.pattern));
}

/// A pattern that tells a kind of files.
fn kind(text: &mut String, rule: &KindRule) {
    let what = match rule.told.what {
        TellsOf::Beginning => "the object, if the pattern is in its first KiB",
        TellsOf::Object => "the object",
        TellsOf::Rest => "what begins there, inside of the object",
    };
    line(text, "kind", "tells a kind of files, detects nothing");
    line(text, "tells", &format!("{} of {what}", rule.told.kind.label()));
    let from: Vec<&str> = rule.told.from.iter().map(|kind| kind.label()).collect();
    line(text, "objects", &if from.is_empty() { "any object".to_owned() } else { from.join(", ") });
    line(text, "place", &place(rule.body.offset));
    line(text, "pattern", &pattern::show(&rule.body.pattern));
}

fn logical(text: &mut String, rule: &LogicalRule) {
    line(text, "kind", "logical signature");
    line(text, "objects", describe(rule.target));
    rule.conditions.iter().for_each(|shown| line(text, "condition", &condition(shown)));
    line(text, "expression", &expression(&rule.expression, false));
    for (number, subsignature) in rule.subsignatures.iter().enumerate() {
        let shown = match subsignature {
            Subsignature::Body { offset, patterns } => {
                let patterns: Vec<String> = patterns.iter().map(pattern::show).collect();
                format!("{}: {}", place(*offset), patterns.join("; or "))
            }
            Subsignature::Regex { offset, trigger, regex } => {
                let text = plain(&regex.text);
                format!("{}, if {}: /{text}/{}", place(*offset), expression(trigger, false), plain(&regex.flags))
            }
            Subsignature::Compare(shown) => compare(shown),
            Subsignature::Macro { min, max, group } => {
                format!(
                    "a member of macro group {group}, {min} to {max} bytes after the start of a match of the one before"
                )
            }
            Subsignature::Picture(hash) => format!("a picture that looks like the one with the hash {hash:016x}"),
            _ => "one that this version cannot show".to_owned(),
        };
        line(text, &number.to_string(), &shown);
    }
}

/// `the number in 4 bytes, hexadecimal, 5 bytes after the start of the last match of 0: > 3 and < 9`
fn compare(shown: &Compare) -> String {
    let form = match shown.form {
        NumberForm::None => "in no form there is, so it never holds",
        NumberForm::Raw { little: false } => "as bytes, the highest first",
        NumberForm::Raw { little: true } => "as bytes, the lowest first",
        NumberForm::Text { digits: Digits::Auto, .. } => "as decimal text, or hexadecimal behind 0x",
        NumberForm::Text { digits: Digits::Decimal, .. } => "as decimal text",
        NumberForm::Text { digits: Digits::Hexadecimal, little: false, .. } => "as hexadecimal text",
        NumberForm::Text { digits: Digits::Hexadecimal, little: true, .. } => {
            "as hexadecimal text, the lowest pair first"
        }
    };
    let exact = if matches!(shown.form, NumberForm::Text { exact: true, .. }) { ", all of them digits" } else { "" };
    let side = if shown.distance < 0 { "before" } else { "after" };
    let all: Vec<String> = shown.comparisons.iter().map(|(by, value)| format!("{} {value}", sign(*by))).collect();
    format!(
        "the number in {} bytes {form}{exact}, {} bytes {side} the start of the last match of {}, is {}",
        shown.length,
        shown.distance.unsigned_abs(),
        shown.id,
        all.join(" and ")
    )
}

fn place(offset: Offset) -> String {
    let start = match offset.base {
        OffsetBase::Absolute(0) => "at the start".to_owned(),
        OffsetBase::Absolute(at) => format!("at byte {at}"),
        OffsetBase::Any => return "anywhere".to_owned(),
        OffsetBase::End(back) => format!("{back} bytes before the end"),
        OffsetBase::EntryPoint(0) => "at the entry point".to_owned(),
        OffsetBase::EntryPoint(ahead) if ahead > 0 => format!("{ahead} bytes after the entry point"),
        OffsetBase::EntryPoint(back) => format!("{} bytes before the entry point", back.unsigned_abs()),
        OffsetBase::LastSection(offset) => format!("{offset} bytes into the last section"),
        OffsetBase::Section { index, offset } => format!("{offset} bytes into section {index}"),
        OffsetBase::VersionKey => "at the key of a string in the version information".to_owned(),
        OffsetBase::WithinSection(index) => format!("anywhere in section {index}"),
        OffsetBase::Group(group) => format!("anywhere, as a member of macro group {group}"),
        _ => "at a place that this version cannot show".to_owned(),
    };
    if offset.shift > 0 { format!("{start}, or up to {} bytes later", offset.shift) } else { start }
}

fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Container(kinds) if kinds.is_empty() => "it is not inside of another object".to_owned(),
        Condition::Container(kinds) => {
            let kinds: Vec<&str> = kinds.iter().map(|kind| FileKind::label(*kind)).collect();
            format!("it was unpacked from {}", kinds.join(" or "))
        }
        Condition::Intermediates(layers) => {
            let layer = |kinds: &Vec<FileKind>| match kinds.as_slice() {
                [] => "anything".to_owned(),
                kinds => kinds.iter().map(|kind| kind.label()).collect::<Vec<_>>().join(" or "),
            };
            let layers: Vec<String> = layers.iter().rev().map(layer).collect();
            format!("it was unpacked from {}", layers.join(", inside of "))
        }
        Condition::EntryPoint(from, to) => format!("its entry point is from byte {from} to {to}"),
        Condition::FileSize(from, to) => format!("its size is from {from} to {to} bytes"),
        Condition::Handler(kind) => format!("it is fulfilled again when the object is scanned as {}", kind.label()),
        Condition::Icon(first, second) => {
            let group = |which: &str, name: &Option<String>| Some(format!("{which} group is {}", name.as_ref()?));
            let groups: Vec<String> = [group("first", first), group("second", second)].into_iter().flatten().collect();
            format!("it has an icon whose {}", groups.join(" and whose "))
        }
        Condition::Never(name) => format!("it is inside of CL_TYPE_{name}, which no object is"),
        Condition::NumberOfSections(from, to) => format!("it has from {from} to {to} sections"),
        _ => "one that this version cannot show".to_owned(),
    }
}

/// The expression with all parentheses that it needs when `&` and `|` have no rank.
fn expression(shown: &Expression, inside: bool) -> String {
    let list = |items: &[Expression], by: &str| {
        let items: Vec<String> = items.iter().map(|item| expression(item, true)).collect();
        let list = items.join(by);
        if inside { format!("({list})") } else { list }
    };
    match shown {
        Expression::And(items) => list(items, " & "),
        Expression::Or(items) => list(items, " | "),
        Expression::Block { inner, comparison, count, distinct } => {
            let least = if *distinct > 0 { format!(" with {distinct} different ones") } else { String::new() };
            format!("{} {} {count}{least}", expression(inner, true), sign(*comparison))
        }
        Expression::Count { id, comparison: Comparison::Greater, count: 0 } => id.to_string(),
        Expression::Count { id, comparison, count } => format!("{id} {} {count}", sign(*comparison)),
    }
}

fn sign(comparison: Comparison) -> char {
    match comparison {
        Comparison::Equal => '=',
        Comparison::Greater => '>',
        Comparison::Less => '<',
    }
}
