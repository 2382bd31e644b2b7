//! B-trees: nodes, and the way through their leaves.

use std::collections::BTreeSet;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Short, Source, read_vec_at};

/// Kind of a leaf.
const LEAF: u8 = 0xff;

/// The nodes of a tree.
pub(super) struct Nodes {
    content: Arc<dyn Source>,
    size: u64,
    first_leaf: u32,
    last_leaf: u32,
}

impl Nodes {
    /// The first node says how large they are (14: depth, root, leaf records, 24: first leaf, last leaf, 32: bytes a node).
    pub(super) fn open(content: Arc<dyn Source>) -> Result<Nodes, Anomaly> {
        let (first_leaf, last_leaf, size) = head(&read_vec_at(content.as_ref(), 0, 64))?;
        if !size.is_power_of_two() || size < 512 {
            return Err(Anomaly::damaged("a tree of the volume makes no sense"));
        }
        Ok(Nodes { content, size, first_leaf, last_leaf })
    }

    fn count(&self) -> u64 {
        self.content.len() / self.size
    }

    fn node(&self, number: u32) -> Option<Node> {
        let start = u64::from(number).checked_mul(self.size)?;
        let bytes = read_vec_at(self.content.as_ref(), start, usize::try_from(self.size).ok()?);
        let (next, kind, count) = node(&bytes).ok()?;
        (u64::try_from(bytes.len()) == Ok(self.size)).then_some(Node { bytes, start, next, kind, count })
    }
}

/// First and last leaf, bytes of a node.
fn head(bytes: &[u8]) -> Result<(u32, u32, u64), Short> {
    let mut reader = Reader::new(bytes, "head of a tree");
    reader.skip(24)?;
    Ok((reader.u32_be()?, reader.u32_be()?, reader.u16_be()?.into()))
}

/// Next node, kind, number of records.
fn node(bytes: &[u8]) -> Result<(u32, u8, u16), Short> {
    let mut reader = Reader::new(bytes, "node of a tree");
    let next = reader.u32_be()?;
    reader.skip(4)?;
    let kind = reader.u8()?;
    reader.skip(1)?;
    Ok((next, kind, reader.u16_be()?))
}

/// A node.
pub(super) struct Node {
    bytes: Vec<u8>,
    start: u64,
    next: u32,
    kind: u8,
    count: u16,
}

impl Node {
    /// Its records, and where in the tree each begins. Their places stand at its end, last first.
    pub(super) fn records(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let place = |index: u16| {
            let end = self.bytes.len().checked_sub(usize::from(index) * 2)?;
            let bytes = self.bytes.get(end.checked_sub(2)?..end)?.first_chunk::<2>()?;
            Some(usize::from(u16::from_be_bytes(*bytes)))
        };
        (0..self.count).filter_map(move |index| {
            let (start, end) = (place(index)?, place(index + 1)?);
            let record = self.bytes.get(start..end)?;
            Some((self.start.checked_add(u64::try_from(start).ok()?)?, record))
        })
    }
}

/// The way from leaf to leaf. If the chain breaks, the leaves that were not seen are gone through in any order.
pub(super) struct Leaves {
    nodes: Nodes,
    next: u32,
    /// The leaf that was given last.
    last: u32,
    seen: BTreeSet<u32>,
    /// The next node of a sweep.
    sweep: Option<u32>,
    pub(super) told: Option<Anomaly>,
}

impl Leaves {
    pub(super) fn new(nodes: Nodes) -> Leaves {
        let next = nodes.first_leaf;
        Leaves { nodes, next, last: 0, seen: BTreeSet::new(), sweep: None, told: None }
    }

    /// Goes through them again.
    pub(super) fn again(&mut self) {
        (self.next, self.last, self.sweep, self.told) = (self.nodes.first_leaf, 0, None, None);
        self.seen.clear();
    }

    /// The next leaf; nothing at the end.
    pub(super) fn next_node(&mut self, budget: &Budget) -> Result<Option<Node>, Anomaly> {
        budget.check_time()?;
        if self.sweep.is_none() {
            if self.next == 0 && self.last == self.nodes.last_leaf {
                return Ok(None);
            }
            let leaf = self.nodes.node(self.next).filter(|node| node.kind == LEAF);
            match leaf {
                Some(node) if self.seen.insert(self.next) => {
                    (self.last, self.next) = (self.next, node.next);
                    return Ok(Some(node));
                }
                _ => {
                    self.sweep = Some(1);
                    self.told = Some(Anomaly::damaged("a tree of the volume is broken"));
                }
            }
        }
        Ok(self.swept())
    }

    fn swept(&mut self) -> Option<Node> {
        let mut at = self.sweep?;
        while u64::from(at) < self.nodes.count() {
            let number = at;
            at = at.checked_add(1)?;
            self.sweep = Some(at);
            if !self.seen.contains(&number)
                && let Some(node) = self.nodes.node(number).filter(|node| node.kind == LEAF)
            {
                return Some(node);
            }
        }
        None
    }
}
