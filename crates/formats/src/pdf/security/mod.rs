//! Encryption: the standard security handler (ISO 32000-1 7.6; ISO 32000-2 7.6 for AES-256) with the empty user
//! password, which is how documents are encrypted that anybody may read, or with a password that is known.
//!
//! The encryption is named by the trailer, which is looked for at the end of the file, and in the cross-reference stream
//! that the end points to. If neither is there, the last trailer of the file counts. An encryption that only shows
//! itself later is told by whoever meets it.
//!
//! ```text
//! trailer --Encrypt--> Parameters --keys::open--> Keys --stream, text--> Cipher
//! ```
//!
//! Not done: public-key security handlers, and crypt filters for embedded files alone.

mod cipher;
mod keys;

use std::sync::Arc;

use dachs_base::{Budget, LimitReached, Source};

use super::growing;
use super::resolver::Resolver;
use super::sight::Form;
use super::syntax::{self, Dictionary, Value};
use super::window::Window;
use crate::Passwords;

pub(super) use cipher::Cipher;

/// Bytes at the end of a file in which the trailer is looked for.
const TAIL: u64 = 64 * 1024;

/// What is known of a document's encryption.
pub(super) enum Lock {
    /// It is encrypted, and cannot be read for this reason.
    Closed(&'static str),
    /// It is encrypted, and these keys open it.
    Keyed(Keys),
    /// It is not encrypted, as far as its end tells.
    Open,
}

/// How the strings and streams of a document are encrypted.
pub(super) struct Keys {
    key: Vec<u8>,
    streams: Method,
    strings: Method,
    /// False if metadata are left out.
    metadata: bool,
}

/// How bytes are encrypted (ISO 32000-1 table 25).
#[derive(Clone, Copy, Debug, PartialEq)]
enum Method {
    /// AES-128 with a key for each object.
    AesV2,
    /// AES-256 with one key.
    AesV3,
    Identity,
    Rc4,
}

impl Keys {
    /// A string of an object.
    pub(super) fn text(&self, number: u64, generation: u64, text: Vec<u8>) -> Vec<u8> {
        match self.cipher(self.strings, number, generation) {
            Some(cipher) => cipher.text(text),
            None => text,
        }
    }

    /// What decrypts the stream of an object.
    pub(super) fn stream(&self, number: u64, generation: u64, form: Form) -> Option<Cipher> {
        let method = if form == Form::Metadata && !self.metadata { Method::Identity } else { self.streams };
        self.cipher(method, number, generation)
    }

    fn cipher(&self, method: Method, number: u64, generation: u64) -> Option<Cipher> {
        match method {
            Method::AesV2 => Some(Cipher::Aes(keys::of_object(&self.key, number, generation, b"sAlT"))),
            Method::AesV3 => Some(Cipher::Aes(self.key.clone())),
            Method::Identity => None,
            Method::Rc4 => Some(Cipher::Rc4(keys::of_object(&self.key, number, generation, b""))),
        }
    }
}

/// What the encryption dictionary says (ISO 32000-1 tables 20 and 21), and the first part of the file's identifier.
#[derive(Debug)]
struct Parameters {
    version: i64,
    revision: i64,
    /// Bytes of a key.
    length: usize,
    owner: Vec<u8>,
    user: Vec<u8>,
    /// `/UE`: the key of AES-256, encrypted.
    user_key: Vec<u8>,
    /// `/OE`: the same, for the owner.
    owner_key: Vec<u8>,
    permissions: i64,
    metadata: bool,
    streams: Method,
    strings: Method,
    identifier: Vec<u8>,
}

/// Looks for the encryption of a document.
pub(super) fn lock(source: &Arc<dyn Source>, budget: &Budget, passwords: &Passwords) -> Result<Lock, LimitReached> {
    let mut window = Window::new(source, budget);
    for place in trailers(&mut window, source.as_ref())? {
        let lock = growing(&mut window, budget, place, &mut |bytes, whole| {
            let object = syntax::object(bytes, whole)?;
            Ok(object.value.as_dictionary().and_then(|trailer| named(trailer, source, budget, passwords)))
        })?;
        if let Ok(Some(lock)) = lock {
            return Ok(lock);
        }
    }
    Ok(Lock::Open)
}

/// Where trailers stand, and a cross-reference stream that serves as one.
fn trailers(window: &mut Window, source: &dyn Source) -> Result<Vec<u64>, LimitReached> {
    let end = source.len();
    let tail = end.saturating_sub(TAIL);
    let mut places = all(window, b"trailer", tail, end)?;
    let starts = all(window, b"startxref", tail, end)?;
    for start in starts.iter().rev().take(4) {
        let (bytes, ended) = window.view(*start, 32)?;
        let number = syntax::value(bytes, ended).ok().and_then(|object| object.value.as_integer());
        if let Some(offset) = number.and_then(|number| u64::try_from(number).ok())
            && let Some(header) = window.next_header(offset, offset.saturating_add(32))?
        {
            places.push(header.body);
        }
    }
    if places.is_empty() && tail > 0 {
        places = all(window, b"trailer", 0, tail)?;
    }
    places.reverse();
    Ok(places)
}

/// The last places behind a word, at most 16.
fn all(window: &mut Window, word: &[u8], from: u64, until: u64) -> Result<Vec<u64>, LimitReached> {
    let mut places = Vec::new();
    let mut at = from;
    while let Some(place) = window.find(word, at, until)? {
        at = place.saturating_add(u64::try_from(word.len()).unwrap_or(0));
        if places.len() == 16 {
            places.remove(0);
        }
        places.push(at);
    }
    Ok(places)
}

/// The encryption that a trailer names.
fn named(trailer: &Dictionary<'_>, source: &Arc<dyn Source>, budget: &Budget, passwords: &Passwords) -> Option<Lock> {
    let identifier = match trailer.value(b"ID") {
        Some(Value::Array(parts)) => parts.first().and_then(Value::as_text).map(|text| text.decode()),
        _ => None,
    };
    let identifier = identifier.unwrap_or_default();
    match trailer.value(b"Encrypt")? {
        Value::Dictionary(dictionary) => Some(opened(dictionary, identifier, passwords, budget)),
        Value::Reference(number, generation) => {
            let body = Resolver::new(source, budget).body(*number, *generation);
            let object = body.as_deref().and_then(|body| syntax::value(body, true).ok());
            let dictionary = object.as_ref().and_then(|object| object.value.as_dictionary());
            let missing = Lock::Closed("it is encrypted, and how was not found");
            Some(dictionary.map_or(missing, |dictionary| opened(dictionary, identifier, passwords, budget)))
        }
        _ => None,
    }
}

fn opened(dictionary: &Dictionary<'_>, identifier: Vec<u8>, passwords: &Passwords, budget: &Budget) -> Lock {
    match parameters(dictionary, identifier) {
        Some(parameters) => keys::open(&parameters, passwords, budget),
        None => Lock::Closed("it is encrypted in a way that is not known"),
    }
}

fn parameters(dictionary: &Dictionary<'_>, identifier: Vec<u8>) -> Option<Parameters> {
    let text = |key: &[u8]| dictionary.text(key).map(|text| text.decode()).unwrap_or_default();
    let version = dictionary.integer(b"V").unwrap_or(0);
    let length = usize::try_from(dictionary.integer(b"Length").unwrap_or(40)).ok()? / 8;
    let (length, streams, strings) = match version {
        1 => (5, Method::Rc4, Method::Rc4),
        2 => (length, Method::Rc4, Method::Rc4),
        4 => (16, method(dictionary, b"StmF")?, method(dictionary, b"StrF")?),
        5 => (32, method(dictionary, b"StmF")?, method(dictionary, b"StrF")?),
        _ => return None,
    };
    let standard = dictionary.name(b"Filter").is_some_and(|name| name.is(b"Standard"));
    (standard && (5..=32).contains(&length)).then(|| Parameters {
        version,
        revision: dictionary.integer(b"R").unwrap_or(0),
        length,
        owner: text(b"O"),
        user: text(b"U"),
        user_key: text(b"UE"),
        owner_key: text(b"OE"),
        permissions: dictionary.integer(b"P").unwrap_or(0),
        metadata: !dictionary.is_false(b"EncryptMetadata"),
        streams,
        strings,
        identifier,
    })
}

/// The method of a crypt filter (ISO 32000-1 7.6.5).
fn method(dictionary: &Dictionary<'_>, key: &[u8]) -> Option<Method> {
    let Some(name) = dictionary.name(key) else { return Some(Method::Identity) };
    if name.is(b"Identity") {
        return Some(Method::Identity);
    }
    let name: Vec<u8> = name.bytes().collect();
    let filter = dictionary.value(b"CF")?.as_dictionary()?.value(&name)?.as_dictionary()?;
    let method = filter.name(b"CFM")?;
    let known = [(&b"V2"[..], Method::Rc4), (b"AESV2", Method::AesV2), (b"AESV3", Method::AesV3)];
    let known = known.into_iter().chain([(&b"None"[..], Method::Identity)]);
    known.into_iter().find(|(name, _)| method.is(name)).map(|(_, method)| method)
}
