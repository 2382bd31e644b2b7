//! What signatures need to know of an object besides its bytes.
//!
//! `dachs-formats` fills these in and `dachs-sigdb` reads them, so that the evaluation of signatures knows no format.
//! A fact that could not be found is absent, and whatever depends on it does not match.
//!
//! Facts that cost work are [`Lazy`]: they are found out when the first signature asks, so a scan with signatures that
//! ask for none pays for none.

use crate::LimitReached;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::Name;

/// Plain data about one object.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// File offset of the entry point, for executables.
    pub entry_point: Option<u64>,
    /// Sections in the order of the section table, for executables.
    pub sections: Vec<Section>,
    /// The icons of a Portable Executable, measured.
    pub icons: Lazy<Vec<Icon>>,
    /// What it imports, for Portable Executables of 32 bits: `library.function` in lower case, joined by commas, in the
    /// order of the import table.
    pub imports: Lazy<Vec<u8>>,
    /// The certificates that come with the signature of a Portable Executable, as they stand there: nobody checked them.
    pub certificates: Lazy<Vec<Certificate>>,
    /// The digests of a Portable Executable that a signature of it would be over.
    pub digests: Lazy<Digests>,
    /// Who signed a Portable Executable, if its signature is over the very bytes of it.
    pub signature: Lazy<Signature>,
    /// What a picture looks like, as a hash of 64 bits.
    pub picture: Lazy<u64>,
    /// The size that signatures ask for, where it is not that of the bytes: of the normalised form of a text, the text's.
    pub size: Option<u64>,
    /// Where the keys of the strings in the version information of a Portable Executable start, as file offsets, sorted.
    pub version_keys: Lazy<Vec<u64>>,
}

impl Facts {
    /// True if nothing is known of where an executable starts and what sections it has: its header could not be read.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.entry_point.is_none() && self.sections.is_empty()
    }
}

/// What an archive says of one of its members, whether its bytes can be had or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Its name.
    pub name: Name,
    /// How many bytes it takes in the archive; 0 where the format does not say.
    pub packed: u64,
    /// How many bytes it has.
    pub length: u64,
    /// True if a password is needed.
    pub encrypted: bool,
    /// Its number in the archive, counted as ClamAV counts; 0 where it does not.
    pub position: u64,
}

/// What tells a certificate with an RSA key from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-1 of the contents of its subject.
    pub subject: [u8; 20],
    /// SHA-1 of the contents of its serial number.
    pub serial: [u8; 20],
    /// The modulus of its key, the highest byte first, without zeros before it.
    pub modulus: Vec<u8>,
}

/// Digests of the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    /// SHA-1, FIPS 180-4.
    pub sha1: [u8; 20],
    /// SHA-256, FIPS 180-4.
    pub sha256: [u8; 32],
}

/// A signature of a program that holds: who made it, and who vouches for them. Whether anybody of them is trusted is not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Certificates in DER: the signer's, then each that signed the one before it.
    pub chain: Vec<Vec<u8>>,
    /// When it was made, as far as somebody else signed that.
    pub stamp: Stamp,
}

/// What is said of when a signature was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stamp {
    /// Nothing.
    #[default]
    None,
    /// Something, but what is said does not hold.
    Broken,
    /// Somebody signed the signature then.
    At {
        /// In seconds since 1970.
        time: i64,
        /// Certificates in DER: the one of who says so, then each that signed the one before it.
        chain: Vec<Vec<u8>>,
    },
}

/// An icon as ClamAV's signatures of icons measure it: where in it, and how much, colours and light stand out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Icon {
    /// Pixels on a side: 16, 24 or 32.
    pub side: u8,
    /// The three areas, a quarter of the side long, with most colour.
    pub colour: [Spot; 3],
    /// Those with least.
    pub grey: [Spot; 3],
    /// Those with most light.
    pub bright: [Spot; 3],
    /// Those with least.
    pub dark: [Spot; 3],
    /// Those with most edges.
    pub edge: [Spot; 3],
    /// Those with fewest.
    pub smooth: [Spot; 3],
    /// How much of all there is of red, green and blue, in percent.
    pub shares: [u8; 3],
    /// How many of the pixels are coloured, in percent.
    pub coloured: u8,
}

/// An area of an [`Icon`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spot {
    /// How much of what it stands out by, on average.
    pub value: u16,
    /// Its left column.
    pub x: u8,
    /// Its upper row.
    pub y: u8,
}

/// One section of an executable, in file offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Where its bytes start in the file.
    pub offset: u64,
    /// How many bytes it has in the file.
    pub size: u64,
}

/// What the search for a fact gives: the fact, nothing if there is none, or the limit that ended the search.
pub type Found<T> = Result<Option<T>, LimitReached>;

/// A fact that is found out when somebody first asks for it. Clones share what was found.
///
/// ```
/// use dachs_base::Lazy;
/// let fact = Lazy::new(|| Ok(Some(6 * 7)));
/// assert_eq!(fact.find(), Ok(Some(&42)));
/// assert_eq!(Lazy::<u8>::default().find(), Ok(None));
/// ```
pub struct Lazy<T>(Option<Arc<Search<T>>>);

struct Search<T> {
    found: OnceLock<Found<T>>,
    find: Box<dyn Fn() -> Found<T> + Send + Sync>,
}

impl<T> Lazy<T> {
    /// A fact that `find` finds out.
    pub fn new(find: impl Fn() -> Found<T> + Send + Sync + 'static) -> Lazy<T> {
        Lazy(Some(Arc::new(Search { found: OnceLock::new(), find: Box::new(find) })))
    }

    /// A fact that is known already.
    #[must_use]
    pub fn known(value: T) -> Lazy<T>
    where
        T: Clone + Send + Sync + 'static,
    {
        Lazy::new(move || Ok(Some(value.clone())))
    }

    /// The fact, if there is one.
    ///
    /// # Errors
    /// When a limit ended the search.
    pub fn find(&self) -> Result<Option<&T>, LimitReached> {
        match &self.0 {
            Some(search) => search.found.get_or_init(&search.find).as_ref().map(Option::as_ref).map_err(|limit| *limit),
            None => Ok(None),
        }
    }
}

impl<T> Clone for Lazy<T> {
    fn clone(&self) -> Lazy<T> {
        Lazy(self.0.clone())
    }
}

impl<T> Default for Lazy<T> {
    /// No fact.
    fn default() -> Lazy<T> {
        Lazy(None)
    }
}

impl<T> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Lazy" } else { "None" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_fact_is_looked_for_once() {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        let fact = Lazy::new(|| Ok(Some(ASKED.fetch_add(1, Ordering::Relaxed))));
        let copy = fact.clone();
        assert_eq!(ASKED.load(Ordering::Relaxed), 0);
        assert_eq!((fact.find(), copy.find(), fact.find()), (Ok(Some(&0)), Ok(Some(&0)), Ok(Some(&0))));
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn facts_without_a_header_are_unread() {
        assert!(Facts::default().is_unread());
        assert!(!Facts { entry_point: Some(0), ..Facts::default() }.is_unread());
    }
}
