//! The passwords that are tried on what is encrypted.
//!
//! Those that are known beforehand come first, in the order in which they were given. The words of a mail around the object
//! come last, and are looked for only when all others failed.

use std::sync::Arc;

use super::MailWords;

/// Passwords, in the order in which they are tried. Clones share one list.
#[derive(Clone, Default)]
pub struct Passwords {
    known: Arc<[Vec<u8>]>,
    mail: Option<Arc<MailWords>>,
}

/// Passwords that people agreed on. "infected" opens archives of samples by the custom of those who exchange them; Excel
/// (MS-XLS 2.4.117, MS-OFFCRYPTO) and PowerPoint open documents with the other two by themselves, so that whoever gets such a
/// document needs none.
const AGREED: [&[u8]; 3] = [b"infected", b"VelvetSweatshop", b"/01Hannes Ruescher/01"];

impl Passwords {
    /// Nothing can be opened with these.
    #[must_use]
    pub fn none() -> Passwords {
        Passwords::default()
    }

    /// These, then those that people agreed on, then the words of a mail.
    #[must_use]
    pub fn new<'p>(known: impl IntoIterator<Item = &'p [u8]>, mail: Option<Arc<MailWords>>) -> Passwords {
        let mut list: Vec<Vec<u8>> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for password in known.into_iter().chain(AGREED) {
            if seen.insert(password) {
                list.push(password.to_vec());
            }
        }
        Passwords { known: list.into(), mail }
    }

    /// The password at a place; none behind the last one.
    pub(crate) fn at(&self, place: usize) -> Option<&[u8]> {
        match place.checked_sub(self.known.len()) {
            None => self.known.get(place).map(Vec::as_slice),
            Some(place) => self.mail.as_ref()?.words().get(place).map(Vec::as_slice),
        }
    }

    /// All of them; a lucky one, that opened something before, first.
    pub(crate) fn tries(&self, lucky: Option<usize>) -> impl Iterator<Item = (usize, &[u8])> {
        let others = (0..).filter(move |place| Some(*place) != lucky);
        let all = lucky.into_iter().chain(others).map(|place| (place, self.at(place)));
        all.map_while(|(place, password)| Some((place, password?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ones_come_first_and_once() {
        let passwords = Passwords::new([&b"b"[..], b"infected", b"b"], None);
        let all: Vec<&[u8]> = passwords.tries(None).map(|(_, password)| password).collect();
        assert_eq!(all, [&b"b"[..], b"infected", b"VelvetSweatshop", b"/01Hannes Ruescher/01"]);
        let lucky: Vec<usize> = passwords.tries(Some(2)).map(|(place, _)| place).collect();
        assert_eq!(lucky, [2, 0, 1, 3]);
        assert_eq!(Passwords::none().tries(None).count(), 0);
    }
}
