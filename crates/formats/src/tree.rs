//! File systems, walked from their root.
//!
//! A format is a [`Volume`], which reads the entries of a directory one by one; [`Tree`] makes an unpacker of it. It walks
//! with an explicit queue, each directory once, so that loops end; a file with several names is given once. What
//! is wrong with one directory or file is told of that one, and the walk goes on.
//!
//! Files may claim the same bytes of the image again and again. As long as all files together take no more bytes than the
//! image has, nothing is charged, because nothing is copied; what is beyond that is charged as if it was unpacked
//! ([`Shares`]).

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, LimitReached, Name, Part, Source};

use crate::{Found, Search, Unpack};

/// Memory that one directory, file or entry of a queue costs, besides its name.
pub(crate) const ENTRY: u64 = 128;
/// Bytes of a path that are kept; what is longer is cut, as names of members are.
const LONGEST_PATH: usize = Name::LONGEST;

/// A file system, or an archive with directories.
pub(crate) trait Volume: Send {
    /// A directory, and how far it was read.
    type Directory: Send;

    /// The next entry of a directory. Must go forward, or end.
    ///
    /// # Errors
    /// Why no more of the directory can be read.
    fn next_entry(&mut self, directory: &mut Self::Directory) -> Result<Entry<Self::Directory>, Anomaly>;

    /// Something to tell of the volume itself. Must end.
    fn remark(&mut self) -> Option<Anomaly> {
        None
    }

    /// When all directories were walked: a file that none of them names. Must go forward, or end.
    fn next_unnamed(&mut self) -> Result<Option<File>, Anomaly> {
        Ok(None)
    }

    /// Where the last byte stands that belongs to the volume, if bytes behind it are a member of their own.
    fn end(&self) -> Option<u64> {
        None
    }
}

/// What an entry of a directory is.
pub(crate) enum Entry<D> {
    /// Nothing of interest.
    Other,
    /// A directory with a number of its own, if the volume has such.
    Directory { name: Vec<u8>, id: u64, directory: D },
    /// A file.
    File(File),
    /// A file of which something is to be told, without its bytes.
    Remark(Vec<u8>, Anomaly),
    /// There are no more.
    End,
}

/// A file.
pub(crate) struct File {
    pub(crate) name: Vec<u8>,
    /// What is the same for all names of it; absent if a file has one name.
    pub(crate) id: Option<u64>,
    pub(crate) source: Arc<dyn Source>,
    /// Bytes of the image that it takes.
    pub(crate) stored: u64,
    /// Something to tell of it.
    pub(crate) remark: Option<Anomaly>,
}

/// How many bytes of an image its files take.
pub(crate) struct Shares {
    budget: Budget,
    image: u64,
    left: u64,
}

impl Shares {
    pub(crate) fn new(image: &dyn Source, budget: &Budget) -> Shares {
        let image = image.len();
        Shares { budget: budget.clone(), image, left: image }
    }

    /// Takes a file into account.
    pub(crate) fn take(&mut self, stored: u64) -> Result<(), LimitReached> {
        let stored = stored.min(self.image);
        let more = stored.saturating_sub(self.left);
        self.left = self.left.saturating_sub(stored);
        if more > 0 { self.budget.charge_bytes(more) } else { Ok(()) }
    }
}

/// An unpacker over a [`Volume`].
pub(crate) struct Tree<V: Volume> {
    volume: V,
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    shares: Shares,
    waiting: VecDeque<Place<V::Directory>>,
    at_hand: Option<Place<V::Directory>>,
    walked: BTreeSet<u64>,
    given: BTreeSet<u64>,
    memory: Vec<Charge>,
}

/// Where to begin: names, numbers, and the directories themselves.
pub(crate) type Roots<D> = Vec<(Vec<u8>, u64, D)>;

struct Place<D> {
    path: Vec<u8>,
    depth: u32,
    directory: D,
    /// For its stay in the queue.
    _memory: Charge,
}

impl<V: Volume + 'static> Tree<V> {
    /// Walks from these roots.
    pub(crate) fn open(
        source: &Arc<dyn Source>,
        budget: &Budget,
        opened: Result<(V, Roots<V::Directory>), Anomaly>,
    ) -> Box<dyn Unpack> {
        match opened {
            Ok((volume, roots)) => {
                let mut tree = Tree {
                    volume,
                    source: Arc::clone(source),
                    budget: budget.clone(),
                    found: Found::new(budget),
                    shares: Shares::new(source.as_ref(), budget),
                    waiting: VecDeque::new(),
                    at_hand: None,
                    walked: BTreeSet::new(),
                    given: BTreeSet::new(),
                    memory: Vec::new(),
                };
                for (name, id, directory) in roots {
                    if let Err(reached) = tree.enter(name, 0, id, directory) {
                        tree.found.end_with(None, reached.into());
                    }
                }
                Box::new(tree)
            }
            Err(anomaly) => Box::new(Nothing::because(budget, anomaly)),
        }
    }
}

/// An object of which no member can be given.
pub(crate) struct Nothing {
    found: Found,
}

impl Nothing {
    pub(crate) fn because(budget: &Budget, anomaly: Anomaly) -> Nothing {
        let mut found = Found::new(budget);
        found.end_with(None, anomaly);
        Nothing { found }
    }
}

impl Search for Nothing {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        Ok(())
    }
}

impl<V: Volume> Search for Tree<V> {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        while let Some(anomaly) = self.volume.remark() {
            self.found.remark(None, anomaly);
        }
        let Some(mut place) = self.at_hand.take().or_else(|| self.waiting.pop_front()) else {
            return self.behind();
        };
        match self.volume.next_entry(&mut place.directory) {
            Ok(Entry::End) => return Ok(()),
            Ok(entry) => self.take(entry, &place)?,
            // The time was over, or memory for one directory: the former ends the search before its next step.
            Err(anomaly) => {
                let name = (!place.path.is_empty()).then(|| Name::new(&place.path));
                self.found.remark(name, anomaly);
                return Ok(());
            }
        }
        self.at_hand = Some(place);
        Ok(())
    }
}

impl<V: Volume> Tree<V> {
    fn take(&mut self, entry: Entry<V::Directory>, place: &Place<V::Directory>) -> Result<(), LimitReached> {
        match entry {
            Entry::Other | Entry::End => Ok(()),
            Entry::Remark(name, anomaly) => {
                self.found.remark(Some(Name::new(&joined(&place.path, &name))), anomaly);
                Ok(())
            }
            Entry::Directory { name, id, directory } => {
                self.enter(joined(&place.path, &name), place.depth.saturating_add(1), id, directory)
            }
            Entry::File(mut file) => {
                file.name = joined(&place.path, &file.name);
                self.give(file)
            }
        }
    }

    /// Puts a directory into the queue, unless it was walked.
    fn enter(&mut self, path: Vec<u8>, depth: u32, id: u64, directory: V::Directory) -> Result<(), LimitReached> {
        if depth > self.budget.limits().depth.saturating_mul(16) {
            let detail = "directories inside directories, too many to be walked";
            self.found.remark(Some(Name::new(&path)), Anomaly::damaged(detail));
            return Ok(());
        }
        if !self.walked.insert(id) {
            self.found.remark(Some(Name::new(&path)), Anomaly::odd("the directory stands elsewhere as well"));
            return Ok(());
        }
        self.memory.push(self.budget.reserve(ENTRY)?);
        let memory = self.budget.reserve(ENTRY.saturating_add(u64::try_from(path.len()).unwrap_or(u64::MAX)))?;
        self.waiting.push_back(Place { path, depth, directory, _memory: memory });
        Ok(())
    }

    fn give(&mut self, file: File) -> Result<(), LimitReached> {
        let name = Name::new(&file.name);
        if let Some(id) = file.id {
            if !self.given.insert(id) {
                return Ok(());
            }
            self.memory.push(self.budget.reserve(ENTRY)?);
        }
        if let Some(anomaly) = file.remark {
            self.found.remark(Some(name.clone()), anomaly);
        }
        if file.source.known_len() == Some(0) {
            return Ok(());
        }
        self.shares.take(file.stored)?;
        self.found.member(name, file.source, Some(file.stored))
    }

    /// When all directories were walked.
    fn behind(&mut self) -> Result<(), Anomaly> {
        if let Some(file) = self.volume.next_unnamed()? {
            return Ok(self.give(file)?);
        }
        self.found.end();
        let length = self.source.len();
        let end = self.volume.end().filter(|end| *end > 0 && *end < length);
        if let Some(rest) = end.map(|end| Part::new(Arc::clone(&self.source), end, length - end))
            && !is_padding(&rest)
        {
            let size = rest.len();
            self.found.member(Name::new(b"trailing data"), Arc::new(rest), Some(size))?;
        }
        Ok(())
    }
}

/// A path with a name at its end.
pub(crate) fn joined(path: &[u8], name: &[u8]) -> Vec<u8> {
    let mut whole = path.to_vec();
    if !whole.is_empty() {
        whole.push(b'/');
    }
    whole.extend_from_slice(name);
    whole.truncate(LONGEST_PATH);
    whole
}

/// True if a short rest is nothing but zeros, and if a long one is a hole.
pub(crate) fn is_padding(rest: &Part) -> bool {
    const LONGEST: usize = 1 << 20;
    if rest.next_data(0) >= rest.len() {
        return true;
    }
    let bytes = dachs_base::read_vec_at(rest, 0, LONGEST + 1);
    bytes.len() <= LONGEST && bytes.iter().all(|byte| *byte == 0)
}
