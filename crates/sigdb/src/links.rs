//! The check of links in mails: does a link that shows one address lead to another?
//!
//! ```text
//! link: where it leads, what it shows
//!   ──> both are addresses? ──> what it shows is listed? ──> the pair is not allowed? ──> cloaked, not encrypted, elsewhere
//! ```
//!
//! The lists are ClamAV's `.pdb` and `.wdb`, and their meaning was watched on ClamAV 1.4.6:
//!
//! * A host is listed with all hosts below it; an expression is about `where it leads:what it shows`, of which paths are cut
//!   off, and the scheme of the first.
//! * A pair of hosts is allowed if the link leads to the first, or below it, and shows exactly the second.
//! * A line `Y:` allows by where a link leads alone. ClamAV 1.4.6 reads such lines and never finds them.
//! * Listed links are suspicious if the address hides control characters, if an encrypted page is shown and another is
//!   led to, or if the registered domains differ. Others only in the first two ways, and only if that was asked for.
//!
//! Expressions are compiled when first needed: few mails show a listed address and lead elsewhere. Digests of addresses
//! (`.gdb`) are compared as Safe Browsing does: of the host and up to four of its parents, with the path and its parents.

mod address;

use crate::layout::{Frame, Section, Writer};
use crate::model::{DigestSays, LinkRule};
use crate::{ImageError, Refusal, regex};
use ::regex::bytes::{Regex, RegexBuilder};
use address::Address;
use dachs_base::Heuristic;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::{Arc, OnceLock};

/// More rules of a sort are refused.
const MOST: usize = 1 << 20;
/// Bytes of a compiled expression, and of its automaton made on the fly.
const COMPILED: usize = 1 << 20;

/// What else is suspicious besides listed links that lead elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkOptions {
    /// Links of any hosts whose address hides control characters.
    pub cloaked: bool,
    /// Links of any hosts that show an encrypted page and lead to another.
    pub unencrypted: bool,
}

/// The lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lists {
    hosts: Vec<String>,
    pairs: Vec<String>,
    allowed_hosts: Vec<(String, String)>,
    allowed_pairs: Vec<String>,
    allowed_addresses: Vec<String>,
    /// Digests of addresses, sorted; and what is said of each.
    digests: Vec<(Vec<u8>, DigestSays)>,
}

impl Lists {
    /// Adds a rule.
    pub(crate) fn push(&mut self, rule: LinkRule) -> Result<(), Refusal> {
        if self.len() >= MOST {
            return Err(Refusal::TooMany("rules about links"));
        }
        match rule {
            LinkRule::AllowedAddress(expression) => push(&mut self.allowed_addresses, expression)?,
            LinkRule::AllowedHosts { real, shown } => self.allowed_hosts.push((real, shown)),
            LinkRule::AllowedPair(expression) => push(&mut self.allowed_pairs, expression)?,
            LinkRule::Digest { digest, says } => self.digests.push((digest, says)),
            LinkRule::Host(host) => self.hosts.push(host),
            LinkRule::Pair(expression) => push(&mut self.pairs, expression)?,
        }
        Ok(())
    }

    pub(crate) fn write(mut self, writer: &mut Writer<'_>) {
        self.digests.sort();
        self.digests.dedup();
        if self.len() > 0 {
            // Plain data is always written.
            let bytes = postcard::to_allocvec(&self).unwrap_or_default();
            writer.section(Section::Links, 0, |out| out.extend(bytes));
        }
    }

    fn len(&self) -> usize {
        let expressions = self.pairs.len() + self.allowed_pairs.len() + self.allowed_addresses.len();
        let hosts = self.hosts.len() + self.allowed_hosts.len();
        expressions.saturating_add(hosts).saturating_add(self.digests.len())
    }

    /// What the lists say of the digest of an address, if anything.
    fn digest(&self, digest: &[u8]) -> Option<DigestSays> {
        let at = self.digests.partition_point(|(listed, _)| listed.as_slice() < digest);
        self.digests.get(at).filter(|(listed, _)| listed == digest).map(|(_, says)| *says)
    }
}

fn push(list: &mut Vec<String>, expression: String) -> Result<(), Refusal> {
    compile(&expression).map_err(|error| Refusal::Pattern(error.to_string()))?;
    list.push(expression);
    Ok(())
}

/// An expression holds of a whole pair.
fn compile(expression: &str) -> Result<Regex, ::regex::Error> {
    let mut builder = RegexBuilder::new(&format!("^(?:{expression})$"));
    builder.unicode(false).dot_matches_new_line(true).size_limit(COMPILED).dfa_size_limit(COMPILED).build()
}

/// The lists of an image.
#[derive(Clone, Default)]
pub(crate) struct Links {
    lists: Arc<Lists>,
    /// Compiled when first needed: those that list, those that allow pairs, those that allow addresses.
    compiled: Arc<OnceLock<[Vec<Regex>; 3]>>,
}

impl Links {
    pub(crate) fn new(frame: &Frame<'_>) -> Result<Links, ImageError> {
        let bytes = frame.bytes(Section::Links, 0);
        if bytes.is_empty() {
            return Ok(Links::default());
        }
        let broken = ImageError::Section { section: Section::Links.name(), reason: "they cannot be read" };
        let (lists, rest): (Lists, &[u8]) = postcard::take_from_bytes(bytes).map_err(|_| broken.clone())?;
        if !rest.is_empty() || lists.len() > MOST {
            return Err(broken);
        }
        if !lists.pairs.is_empty() || !lists.allowed_pairs.is_empty() || !lists.allowed_addresses.is_empty() {
            regex::prepare();
        }
        Ok(Links { lists: Arc::new(lists), compiled: Arc::default() })
    }

    /// True if there are no lists, so that no link is suspicious.
    pub(crate) fn is_empty(&self) -> bool {
        self.lists.len() == 0
    }

    /// Judges a link by where it leads and what it shows.
    pub(crate) fn judge(&self, real: &[u8], shown: &[u8], options: &LinkOptions) -> Option<Heuristic> {
        let real = Address::led_to(real)?;
        match self.judge_digests(&real) {
            Some(DigestSays::Blocked) => return Some(Heuristic::PhishingBlocked),
            Some(DigestSays::Malware) => return Some(Heuristic::SafeBrowsingMalware),
            Some(DigestSays::Phishing) => return Some(Heuristic::SafeBrowsingPhishing),
            Some(DigestSays::Allowed) | None => {}
        }
        let shown = Address::shown(shown)?;
        let unencrypted = shown.encrypted && !real.encrypted;
        let elsewhere = real.domain() != shown.domain();
        if !real.cloaked && !unencrypted && !elsewhere {
            return None;
        }
        let pair = format!("{}:{}/", real.text, shown.full());
        let listed = self.lists.hosts.iter().any(|host| is_below(&shown.host, host)) || self.matches(0, &pair);
        let asked = (real.cloaked && options.cloaked) || (unencrypted && options.unencrypted);
        if !(listed || asked) || self.is_allowed(&real, &shown, &pair) {
            return None;
        }
        match (real.cloaked && (listed || options.cloaked), unencrypted && (listed || options.unencrypted)) {
            (true, _) => Some(Heuristic::PhishingCloaked),
            (_, true) => Some(Heuristic::PhishingUnencrypted),
            _ => (listed && elsewhere).then_some(Heuristic::PhishingSpoofed),
        }
    }

    fn is_allowed(&self, real: &Address, shown: &Address, pair: &str) -> bool {
        let hosts = |(from, to): &(String, String)| is_below(&real.host, from) && shown.host == *to;
        self.lists.allowed_hosts.iter().any(hosts)
            || self.matches(1, pair)
            || self.matches(2, &format!("{}/", real.text))
    }

    fn matches(&self, which: usize, pair: &str) -> bool {
        let lists = [&self.lists.pairs, &self.lists.allowed_pairs, &self.lists.allowed_addresses];
        let compiled = || lists.map(|list| list.iter().filter_map(|expression| compile(expression).ok()).collect());
        let expressions = self.compiled.get_or_init(compiled).get(which);
        expressions.is_some_and(|expressions| expressions.iter().any(|expression| expression.is_match(pair.as_bytes())))
    }

    fn judge_digests(&self, real: &Address) -> Option<DigestSays> {
        if self.lists.digests.is_empty() {
            return None;
        }
        let says = |form: String| {
            self.lists.digest(&Sha256::digest(form.as_bytes())).filter(|says| *says != DigestSays::Allowed)
        };
        real.forms().into_iter().find_map(says)
    }
}

fn is_below(host: &str, listed: &str) -> bool {
    host.strip_suffix(listed).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests;
