//! Words of a mail that may be the password of an archive in it.
//!
//! Whoever sends an encrypted archive writes its password beside it: "Password: 1234". So the texts of the mail, its pages
//! without their tags, and its subject are cut into words. Words behind one that speaks of a password come first, then all
//! others; a word is tried as it stands and without the punctuation around it. How much is read, and how many words are
//! kept, is bounded.

use std::sync::{Arc, OnceLock};

use dachs_base::{Budget, Class, FileKind, Source, read_vec_at};

use crate::{Item, Unpack};

/// Parts of a mail that are looked at, and texts among them that are read.
const PARTS: usize = 64;
const TEXTS: usize = 8;
/// Bytes of one text.
const LONGEST_TEXT: usize = 64 * 1024;
/// Bytes of a word; longer ones are no password.
const LONGEST_WORD: usize = 64;
/// Words that are kept behind those that speak of passwords, and others.
const CUED: usize = 100;
const OTHERS: usize = 150;
/// How many words behind one that speaks of a password come first.
const REACH: usize = 8;

/// Parts of words, in lower case, that speak of a password.
const CUES: [&str; 22] = [
    "pass",
    "pwd",
    "psw",
    "kennwort",
    "schluessel",
    "schlüssel",
    "code",
    "clave",
    "contrase",
    "senha",
    "mot de",
    "mdp",
    "wachtwoord",
    "haslo",
    "hasło",
    "heslo",
    "parol",
    "парол",
    "пароль",
    "密码",
    "密碼",
    "パスワード",
];

/// The words of one mail, found when they are asked for.
pub struct MailWords {
    mail: Arc<dyn Source>,
    budget: Budget,
    words: OnceLock<Vec<Vec<u8>>>,
}

impl MailWords {
    /// Those of this mail; what reading it costs is charged to the budget.
    #[must_use]
    pub fn new(mail: &Arc<dyn Source>, budget: &Budget) -> MailWords {
        MailWords { mail: Arc::clone(mail), budget: budget.clone(), words: OnceLock::new() }
    }

    /// The words, the likeliest first.
    pub(super) fn words(&self) -> &[Vec<u8>] {
        self.words.get_or_init(|| {
            let mut words = Words::default();
            words.take(&subject(self.mail.as_ref()));
            let mut unpack = crate::mail::open(&self.mail, &self.budget);
            texts(unpack.as_mut()).iter().for_each(|text| words.take(text));
            words.finish()
        })
    }
}

/// The line of the subject.
fn subject(mail: &dyn Source) -> Vec<u8> {
    let head = read_vec_at(mail, 0, 16 * 1024);
    let lines = head.split(|byte| *byte == b'\n').take_while(|line| !line.trim_ascii().is_empty());
    let is_subject = |line: &&[u8]| line.get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"subject:"));
    lines.into_iter().find(is_subject).and_then(|line| line.get(8..)).unwrap_or_default().to_vec()
}

/// The texts of a mail, and its pages without their tags.
fn texts(unpack: &mut dyn Unpack) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    for _ in 0..PARTS {
        let Some(item) = unpack.next_item() else { break };
        let Item::Member(member) = item else { continue };
        let identity = crate::identify(member.source.as_ref());
        let is_page = identity.kinds().any(|kind| kind == FileKind::Html);
        if !is_page && identity.kind.class() != Class::Text {
            continue;
        }
        let text = read_vec_at(member.source.as_ref(), 0, LONGEST_TEXT);
        texts.push(if is_page { without_tags(&text) } else { text });
        if texts.len() == TEXTS {
            break;
        }
    }
    texts
}

/// What stands between the tags of a page, with the commonest references decoded.
fn without_tags(page: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut in_tag = false;
    for byte in page {
        match byte {
            b'<' => in_tag = true,
            b'>' if in_tag => {
                in_tag = false;
                text.push(b' ');
            }
            _ if in_tag => {}
            byte => text.push(*byte),
        }
    }
    let text = String::from_utf8_lossy(&text).replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">");
    text.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&").into_bytes()
}

#[derive(Default)]
struct Words {
    cued: Vec<Vec<u8>>,
    others: Vec<Vec<u8>>,
    /// How many of the next words stand behind one that speaks of a password.
    reach: usize,
}

impl Words {
    /// Takes the words of a text.
    fn take(&mut self, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        self.reach = 0;
        for word in text.split(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '\u{feff}') {
            if !word.is_empty() {
                self.word(word);
            }
        }
    }

    fn word(&mut self, word: &str) {
        let lower = word.to_lowercase();
        let speaks = CUES.iter().any(|cue| lower.contains(cue));
        if speaks {
            self.reach = REACH;
        }
        // "Password:1234", "pwd=1234".
        let behind = word.split_once([':', '=', '：']).map(|(_, behind)| behind);
        for form in [Some(word), Some(bare(word)), behind, behind.map(bare)].into_iter().flatten() {
            self.keep(form.as_bytes());
        }
        if !speaks {
            self.reach = self.reach.saturating_sub(1);
        }
    }

    fn keep(&mut self, word: &[u8]) {
        let (list, most) = if self.reach > 0 { (&mut self.cued, CUED) } else { (&mut self.others, OTHERS) };
        let fits = !word.is_empty() && word.len() <= LONGEST_WORD && list.len() < most;
        if fits && !list.iter().any(|known| known == word) {
            list.push(word.to_vec());
        }
    }

    fn finish(self) -> Vec<Vec<u8>> {
        let mut words = self.cued;
        for word in self.others {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words
    }
}

/// A word without the punctuation around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|letter: char| !letter.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use dachs_base::{Limits, Memory, NoClock};

    fn words_of(mail: &str) -> Vec<String> {
        let budget = Budget::new(Limits::default(), NoClock);
        let mail: Arc<dyn Source> = Arc::new(Memory::new(mail.as_bytes()));
        let words = MailWords::new(&mail, &budget);
        words.words().iter().map(|word| String::from_utf8(word.clone()).unwrap()).collect()
    }

    #[test]
    fn words_behind_a_cue_come_first() {
        let words =
            words_of("From: a@b.c\nSubject: invoice 77\n\nDear friend,\nthe Password is: \"Xy-12!\".\nregards\n");
        let place = |word: &str| words.iter().position(|other| other == word).unwrap();
        assert!(place("Xy-12") < place("friend") && place("Xy-12") < place("77"), "{words:?}");
        assert!(words.contains(&"\"Xy-12!\".".to_owned()));
    }

    #[test]
    fn encoded_texts_and_pages_are_read() {
        let mail = "Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
            --b\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\ncHdkOnNlY3JldDEK\n\
            --b\nContent-Type: text/html\n\n<html><body><p>Code: <b>A&amp;B9</b></p></body></html>\n--b--\n";
        let words = words_of(mail);
        assert!(words.contains(&"secret1".to_owned()) && words.contains(&"A&B9".to_owned()), "{words:?}");
    }

    #[test]
    fn there_is_an_end() {
        let many: String = (0..100_000).map(|number| format!("pass{number} ")).collect();
        assert!(words_of(&format!("Subject: x\n\n{many}")).len() <= CUED + OTHERS);
    }
}
