//! The directory: a tree of storages and streams (MS-CFB 2.6).
//!
//! Entries are numbered. Each storage names one child, and each entry a left and a right neighbour, so that the children of
//! a storage form a binary tree. The tree is walked with a stack of our own, and every entry is visited once, so circles
//! end. Only the links are kept in memory; names are read again when they are needed. Streams that the tree does not reach
//! are given as well, under their own name alone.

use dachs_base::{Anomaly, Budget, Charge, Reader, Source, read_vec_at};

use super::chain::{Chain, wide};
use super::name;

/// Bytes of an entry.
const ENTRY: usize = 128;
/// No entry (MS-CFB 2.6.1).
const NONE: u32 = 0xffff_ffff;
/// Longer paths are cut at the outermost storages.
const DEEPEST: usize = 64;
/// What a node costs in memory, the stack of the walk included.
const COST: u64 = 96;
/// Nodes that memory is reserved for at once.
const STEP: usize = 256;

/// What an entry is (MS-CFB 2.6.1, object type).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unused,
    Storage,
    Stream,
    Root,
}

/// The links of an entry.
struct Node {
    kind: Kind,
    left: u32,
    right: u32,
    child: u32,
    /// The storage it is in, once the walk came by.
    parent: Option<u32>,
    reached: bool,
}

/// One entry as it is stored.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) start: u32,
    pub(super) size: u64,
}

/// All entries.
pub(super) struct Directory {
    entries: Chain,
    nodes: Vec<Node>,
    /// True if sizes have 64 bits.
    wide_sizes: bool,
    memory: Vec<Charge>,
    problem: Option<Anomaly>,
    odd: bool,
}

impl Directory {
    /// Reads the entries and walks the tree.
    pub(super) fn read(entries: Chain, version: u16, budget: &Budget) -> Directory {
        let mut directory = Directory {
            problem: entries.problem(),
            entries,
            nodes: Vec::new(),
            wide_sizes: version >= 4,
            memory: Vec::new(),
            odd: false,
        };
        if let Err(anomaly) = directory.load(budget) {
            directory.problem = Some(anomaly);
        }
        directory.walk();
        directory
    }

    fn load(&mut self, budget: &Budget) -> Result<(), Anomaly> {
        let mut at = 0;
        loop {
            let page = read_vec_at(&self.entries, at, ENTRY * STEP);
            if page.len() < ENTRY {
                return Ok(());
            }
            budget.check_time()?;
            self.memory.push(budget.reserve(COST * wide(STEP))?);
            for bytes in page.chunks_exact(ENTRY) {
                self.nodes.extend(node(bytes));
            }
            at = at.saturating_add(wide(page.len()));
        }
    }

    fn walk(&mut self) {
        // Entry 0 is the root, whatever it says of itself (MS-CFB 2.6.2).
        let Some(root) = self.nodes.first_mut() else { return };
        (root.reached, root.kind) = (true, Kind::Root);
        let mut stack = vec![(root.child, 0)];
        while let Some((index, parent)) = stack.pop() {
            if index == NONE {
                continue;
            }
            let Some(node) = self.node_mut(index).filter(|node| !node.reached) else {
                self.odd = true;
                continue;
            };
            (node.reached, node.parent) = (true, Some(parent));
            let (left, right, child, storage) = (node.left, node.right, node.child, node.kind == Kind::Storage);
            // Every entry pushes its links once, so the stack is no longer than three links an entry.
            stack.extend([(left, parent), (right, parent)]);
            if storage {
                stack.push((child, index));
            }
        }
    }

    fn node_mut(&mut self, index: u32) -> Option<&mut Node> {
        self.nodes.get_mut(usize::try_from(index).ok()?)
    }

    fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(usize::try_from(index).ok()?)
    }

    /// What was wrong with the directory; a circle in the tree is odd, because every entry is given all the same.
    pub(super) fn problem(&self) -> Option<Anomaly> {
        let odd = || self.odd.then(|| Anomaly::odd("the tree of its directory is broken; all streams were looked at"));
        self.problem.clone().or_else(odd)
    }

    /// How many entries there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    /// True if the entry is a stream.
    pub(super) fn is_stream(&self, index: u32) -> bool {
        self.node(index).is_some_and(|node| node.kind == Kind::Stream)
    }

    /// True if the tree leads to the entry.
    pub(super) fn is_reached(&self, index: u32) -> bool {
        self.node(index).is_some_and(|node| node.reached)
    }

    /// The entry with this number.
    pub(super) fn entry(&self, index: u32) -> Option<Entry> {
        let at = u64::from(index).checked_mul(wide(ENTRY))?;
        let bytes = read_vec_at(&self.entries, at, ENTRY);
        let mut reader = Reader::new(&bytes, "directory entry");
        let units = reader.take(64).ok()?;
        let length = usize::from(reader.u16_le().ok()?);
        reader.skip(50).ok()?;
        let start = reader.u32_le().ok()?;
        let size = reader.u64_le().ok()?;
        // MS-CFB 2.6.1: in version 3 the upper half means nothing.
        let size = if self.wide_sizes { size } else { size & 0xffff_ffff };
        let name = name::decode(units.get(..length.min(64)).filter(|units| !units.is_empty()).unwrap_or(units));
        Some(Entry { name, start, size })
    }

    /// The storage that an entry is in.
    pub(super) fn parent(&self, index: u32) -> Option<u32> {
        self.node(index)?.parent
    }

    /// The names of the storages around an entry, joined by `/`, with one behind; empty for entries of the root.
    pub(super) fn folder(&self, index: u32) -> String {
        let mut around = Vec::new();
        let mut at = self.parent(index);
        while let Some(storage) = at.filter(|storage| *storage != 0 && around.len() < DEEPEST) {
            around.push(storage);
            at = self.parent(storage);
        }
        let mut path = String::new();
        for storage in around.into_iter().rev() {
            path.push_str(&self.entry(storage).map(|entry| entry.name).unwrap_or_default());
            path.push('/');
        }
        path
    }

    /// The streams in a storage, in the order of their numbers.
    pub(super) fn streams_in(&self, storage: u32) -> impl Iterator<Item = u32> + '_ {
        (0..self.count()).filter(move |index| self.is_stream(*index) && self.parent(*index) == Some(storage))
    }
}

fn node(bytes: &[u8]) -> Option<Node> {
    let mut reader = Reader::new(bytes, "directory entry");
    reader.skip(66).ok()?;
    let kind = match reader.u8().ok()? {
        0 => Kind::Unused,
        1 => Kind::Storage,
        5 => Kind::Root,
        // Types that no longer mean anything are read as streams, lest they hide something.
        _ => Kind::Stream,
    };
    reader.skip(1).ok()?;
    let (left, right, child) = (reader.u32_le().ok()?, reader.u32_le().ok()?, reader.u32_le().ok()?);
    Some(Node { kind, left, right, child, parent: None, reached: false })
}
