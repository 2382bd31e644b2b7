//! What is to be known of an object, once its value was read: its stream, the JavaScript in it, and what it says of
//! other objects.

use super::filter::{self, Chain};
use super::resolver::Resolver;
use super::syntax::{Dictionary, Name, Object, Stop, Text, Value};
use super::text;

/// Lists inside lists that are looked through; the parser goes no deeper either.
const DEEPEST: u32 = 250;
/// Bytes of a label that are kept.
const LABEL: usize = 200;

/// An object as far as it concerns a scan.
#[derive(Default)]
pub(super) struct Sight {
    /// Present if a stream follows.
    pub(super) stream: Option<Stream>,
    /// How many bytes the value takes, `stream` or `endobj` included.
    pub(super) length: usize,
    /// How many it takes without that.
    pub(super) inner: usize,
    pub(super) contents: Contents,
    /// True if it says that the document is encrypted.
    pub(super) encryption: bool,
}

/// A stream's dictionary (ISO 32000-1 7.3.8.2).
pub(super) struct Stream {
    pub(super) length: Option<Length>,
    pub(super) chain: Chain,
    pub(super) form: Form,
    /// Its type and subtype, for a person.
    pub(super) label: Vec<u8>,
}

/// What a stream is, where that matters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    /// `/Type /Metadata`, which may be left out of the encryption.
    Metadata,
    /// An object stream: where its first object stands (ISO 32000-1 7.5.7).
    Objects(u64),
    Other,
    /// A cross-reference stream, which is never encrypted (ISO 32000-1 7.5.8).
    References,
}

/// The length that a stream states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Length {
    Direct(u64),
    /// It stands in another object.
    Elsewhere(u64, u64),
}

/// What a value holds besides a stream.
#[derive(Default)]
pub(super) struct Contents {
    /// JavaScript, as the bytes of the strings.
    pub(super) scripts: Vec<Vec<u8>>,
    /// The value itself, if it is a string: something may refer to it.
    pub(super) texts: Vec<Vec<u8>>,
    /// Objects that are JavaScript, or embedded files with their names.
    pub(super) hints: Vec<(u64, Hint)>,
    /// True if the value itself is worth looking at: it acts, or tells what a page shows.
    pub(super) notable: bool,
    /// True if a name that means something is written in another way than it need be.
    pub(super) obfuscated: bool,
}

/// Names that nobody has a reason to write with `#` (observed: those of ClamAV 1.4.6, in dictionaries alone).
const PLAIN: [&[u8]; 33] = [
    b"A85",
    b"AHx",
    b"ASCII85Decode",
    b"ASCIIHexDecode",
    b"CCF",
    b"CCITTFaxDecode",
    b"Contents",
    b"Crypt",
    b"DCT",
    b"DCTDecode",
    b"EmbeddedFile",
    b"Filter",
    b"Fl",
    b"FlateDecode",
    b"Image",
    b"JBIG2Decode",
    b"JPXDecode",
    b"JavaScript",
    b"LZW",
    b"LZWDecode",
    b"Launch",
    b"Length",
    b"Linearized",
    b"OpenAction",
    b"Page",
    b"R",
    b"RL",
    b"RunLengthDecode",
    b"S",
    b"Sig",
    b"Standard",
    b"Type",
    b"V",
];

/// Names that make an object notable, wherever they stand in it (observed: ClamAV 1.4.6 writes such objects out).
const NOTABLE: [&[u8]; 6] = [b"Contents", b"EmbeddedFile", b"Filter", b"Launch", b"OpenAction", b"Page"];

/// What another object says of one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Hint {
    /// It is an embedded file of this name (ISO 32000-1 7.11.4).
    File(Vec<u8>),
    /// It is JavaScript (ISO 32000-1 12.6.4.16).
    JavaScript,
}

/// The readings of a string: decrypted and as it is, if the document is encrypted.
pub(super) type Open<'a> = dyn Fn(Vec<u8>) -> Vec<Vec<u8>> + 'a;

/// Looks at an object. Strings are decrypted by `open`.
pub(super) fn sight(object: &Object<'_>, resolver: &mut Resolver, open: &Open<'_>) -> Sight {
    let dictionary = object.value.as_dictionary();
    let stream = match (object.stop, dictionary) {
        (Stop::Stream, Some(dictionary)) => Some(stream(dictionary, resolver)),
        (Stop::Stream, None) => Some(stream(&Dictionary::default(), resolver)),
        _ => None,
    };
    Sight {
        stream,
        length: object.length,
        inner: object.inner,
        contents: contents(&object.value, open),
        encryption: dictionary.is_some_and(tells_encryption),
    }
}

fn stream(dictionary: &Dictionary<'_>, resolver: &mut Resolver) -> Stream {
    let length = match dictionary.value(b"Length") {
        Some(Value::Integer(length)) => u64::try_from(*length).ok().map(Length::Direct),
        Some(Value::Reference(number, generation)) => Some(Length::Elsewhere(*number, *generation)),
        _ => None,
    };
    Stream { length, chain: chain(dictionary, resolver), form: form(dictionary), label: label(dictionary) }
}

/// The filters, wherever they stand (ISO 32000-1 table 5; the short keys are those of table 93).
fn chain(dictionary: &Dictionary<'_>, resolver: &mut Resolver) -> Chain {
    let names = dictionary.value(b"Filter").or_else(|| dictionary.value(b"F").filter(|value| is_names(value)));
    let parameters = dictionary.value(b"DecodeParms").or_else(|| dictionary.value(b"DP"));
    resolver.list(names, &mut |resolver, names| {
        resolver.list(parameters, &mut |_, parameters| filter::chain(names, parameters))
    })
}

/// `/F` is a file in most streams, and the filters in some.
fn is_names(value: &Value<'_>) -> bool {
    match value {
        Value::Name(_) => true,
        Value::Array(values) => values.iter().all(|value| matches!(value, Value::Name(_))),
        _ => false,
    }
}

fn form(dictionary: &Dictionary<'_>) -> Form {
    let is = |name: &[u8]| dictionary.name(b"Type").is_some_and(|kind| kind.is(name));
    let first = dictionary.integer(b"First").and_then(|first| u64::try_from(first).ok());
    match first {
        // Also without its type: no other stream has both keys.
        Some(first) if is(b"ObjStm") || dictionary.integer(b"N").is_some() => Form::Objects(first),
        _ if is(b"XRef") => Form::References,
        _ if is(b"Metadata") => Form::Metadata,
        _ => Form::Other,
    }
}

fn label(dictionary: &Dictionary<'_>) -> Vec<u8> {
    let names = [dictionary.name(b"Type"), dictionary.name(b"Subtype").or_else(|| dictionary.name(b"S"))];
    let names: Vec<Vec<u8>> = names.into_iter().flatten().map(short).collect();
    names.join(&b' ')
}

fn short(name: Name<'_>) -> Vec<u8> {
    name.bytes().take(LABEL).collect()
}

/// The encryption dictionary itself (ISO 32000-1 table 20), or one that names it (table 15).
fn tells_encryption(dictionary: &Dictionary<'_>) -> bool {
    let has = |key: &[u8]| dictionary.value(key).is_some();
    let handler = dictionary.name(b"Filter").is_some() && has(b"V") && has(b"O") && has(b"U") && has(b"P");
    handler || names_encryption(dictionary)
}

/// True for a cross-reference stream or trailer with an encryption.
fn names_encryption(dictionary: &Dictionary<'_>) -> bool {
    let used = !matches!(dictionary.value(b"Encrypt"), None | Some(Value::Other));
    used && (dictionary.value(b"Root").is_some() || dictionary.value(b"Size").is_some())
}

/// Looks through a value.
pub(super) fn contents(value: &Value<'_>, open: &Open<'_>) -> Contents {
    let texts = value.as_text().map(|text| open(text.decode())).unwrap_or_default();
    let mut contents = Contents { texts, ..Contents::default() };
    walk(value, 0, open, &mut contents);
    contents
}

impl Contents {
    /// Looks at a name in a dictionary.
    fn name(&mut self, name: Name<'_>) {
        self.notable |= NOTABLE.iter().any(|notable| name.is(notable));
        self.obfuscated |= name.is_escaped() && PLAIN.iter().any(|plain| name.is(plain));
    }
}

fn walk(value: &Value<'_>, depth: u32, open: &Open<'_>, contents: &mut Contents) {
    match value {
        _ if depth > DEEPEST => {}
        Value::Array(values) => values.iter().for_each(|value| walk(value, depth + 1, open, contents)),
        Value::Name(name) => contents.notable |= NOTABLE.iter().any(|notable| name.is(notable)),
        Value::Dictionary(dictionary) => {
            embedded(dictionary, open, contents);
            for (name, value) in &dictionary.0 {
                contents.name(*name);
                if let Value::Name(name) = value {
                    contents.name(*name);
                }
                match value {
                    Value::Text(script) if name.is(b"JS") => contents.scripts.extend(open(script.decode())),
                    Value::Reference(number, _) if name.is(b"JS") => contents.hints.push((*number, Hint::JavaScript)),
                    _ => walk(value, depth + 1, open, contents),
                }
            }
        }
        _ => {}
    }
}

/// A file specification with the streams of an embedded file (ISO 32000-1 7.11.3).
fn embedded(dictionary: &Dictionary<'_>, open: &Open<'_>, contents: &mut Contents) {
    let Some(Value::Dictionary(streams)) = dictionary.value(b"EF") else { return };
    let named = |key: &[u8]| dictionary.text(key).filter(|text: &Text<'_>| text.size() > 0);
    let Some(name) = named(b"UF").or_else(|| named(b"F")) else { return };
    let mut name = text::plain(open(name.decode()).into_iter().next().unwrap_or_default());
    name.truncate(LABEL);
    for (_, value) in &streams.0 {
        if let Value::Reference(number, _) = value {
            contents.hints.push((*number, Hint::File(name.clone())));
        }
    }
}
