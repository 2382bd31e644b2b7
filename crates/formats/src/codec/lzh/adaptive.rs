//! LHA's `lh1`: a Huffman tree that changes with each symbol (H. Yoshizaki's LZHUF; R. G. Gallager, "Variations on a theme by
//! Huffman", 1978), and fixed codes for the high bits of distances.
//!
//! Nodes stand in the order of their weights, siblings side by side, the root last. A symbol's weight grows by moving its
//! node behind all nodes of the same weight, and so up to the root.

use std::io;

use super::bits::Bits;
use super::{Item, Items, broken};
use crate::codec::huffman::Codes;

/// Symbols: 256 bytes, and lengths from 3 to 60.
const LEAVES: usize = 314;
const NODES: usize = 2 * LEAVES - 1;
const ROOT: usize = NODES - 1;
/// At this weight of the root all weights are halved.
const HEAVIEST: u32 = 0x8000;
/// How many of the 64 codes for the high bits of a distance have each length from 3 to 8.
const SHAPE: [usize; 6] = [1, 3, 8, 12, 24, 16];

/// Items of `lh1`.
pub(super) struct Adaptive {
    bits: Bits,
    high: Codes,
    tree: Tree,
}

struct Tree {
    weight: Vec<u32>,
    /// The first of two children, or `NODES` and the symbol.
    child: Vec<usize>,
    /// Parents of nodes, then of symbols.
    parent: Vec<usize>,
}

impl Adaptive {
    pub(super) fn new(bits: Bits) -> Adaptive {
        let lengths: Vec<u8> = (3..).zip(SHAPE).flat_map(|(length, count)| vec![length; count]).collect();
        Adaptive { bits, high: Codes::new(&lengths).unwrap_or_default(), tree: Tree::new() }
    }
}

impl Items for Adaptive {
    fn next_item(&mut self) -> io::Result<Item> {
        let mut node = ROOT;
        let symbol = loop {
            node = self.tree.child(node);
            match node.checked_sub(NODES) {
                Some(symbol) => break symbol,
                None => node += usize::from(self.bits.take(1)?),
            }
        };
        self.tree.count(symbol);
        if let Ok(byte) = u8::try_from(symbol) {
            return Ok(Item::Byte(byte));
        }
        let (high, length) = self.high.decode(self.bits.peek()?).ok_or_else(|| broken("an unknown Huffman code"))?;
        self.bits.skip(u32::from(length))?;
        let before = usize::from(high) << 6 | usize::from(self.bits.take(6)?);
        Ok(Item::Match { distance: before + 1, length: symbol - 256 + 3 })
    }
}

impl Tree {
    fn new() -> Tree {
        let mut tree = Tree { weight: vec![0; NODES + 1], child: vec![0; NODES], parent: vec![0; NODES + LEAVES] };
        for leaf in 0..LEAVES {
            tree.set(leaf, 1, leaf + NODES);
        }
        for (node, first) in (LEAVES..NODES).zip((0..).step_by(2)) {
            tree.set(node, tree.weight(first) + tree.weight(first + 1), first);
        }
        if let Some(end) = tree.weight.last_mut() {
            *end = u32::MAX;
        }
        tree
    }

    fn weight(&self, node: usize) -> u32 {
        self.weight.get(node).copied().unwrap_or(u32::MAX)
    }

    fn child(&self, node: usize) -> usize {
        self.child.get(node).copied().unwrap_or(NODES)
    }

    fn parent(&self, node: usize) -> usize {
        self.parent.get(node).copied().unwrap_or(ROOT)
    }

    /// Makes a node, and makes it the parent of what is below it.
    fn set(&mut self, node: usize, weight: u32, child: usize) {
        if let Some(place) = self.weight.get_mut(node) {
            *place = weight;
        }
        self.adopt(node, child);
    }

    fn adopt(&mut self, node: usize, child: usize) {
        if let Some(place) = self.child.get_mut(node) {
            *place = child;
        }
        let children = if child < NODES { 2 } else { 1 };
        for place in self.parent.iter_mut().skip(child).take(children) {
            *place = node;
        }
    }

    /// Adds one to the weight of a symbol.
    fn count(&mut self, symbol: usize) {
        if self.weight(ROOT) >= HEAVIEST {
            self.halve();
        }
        let mut node = self.parent(NODES + symbol);
        loop {
            let weight = self.weight(node).saturating_add(1);
            // The last node that is lighter now.
            let mut other = node;
            while self.weight(other + 1) < weight {
                other += 1;
            }
            if let Some(place) = self.weight.get_mut(node) {
                *place = weight;
            }
            if other != node {
                self.weight.swap(node, other);
                let (mine, theirs) = (self.child(node), self.child(other));
                self.adopt(other, mine);
                self.adopt(node, theirs);
            }
            if other >= ROOT {
                return;
            }
            node = self.parent(other);
        }
    }

    /// Halves the weights of the leaves and builds the tree again.
    fn halve(&mut self) {
        let leaves = (0..NODES).map(|node| (self.weight(node), self.child(node))).filter(|(_, child)| *child >= NODES);
        let mut nodes: Vec<(u32, usize)> = leaves.map(|(weight, child)| (weight.div_ceil(2), child)).collect();
        for first in (0..).step_by(2).take(LEAVES - 1) {
            let weight: u32 = nodes.iter().skip(first).take(2).map(|(weight, _)| *weight).sum();
            let place = nodes.iter().rposition(|(other, _)| *other <= weight).map_or(0, |place| place + 1);
            nodes.insert(place, (weight, first));
        }
        for (node, (weight, child)) in nodes.into_iter().enumerate().take(NODES) {
            self.set(node, weight, child);
        }
    }
}
