//! Stretches of a source that make up a member: the extents of a file in a file system.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, LimitReached, Part, Source};

/// Stretches one behind the other. A stretch may be a hole.
pub(crate) struct Joined {
    parent: Arc<dyn Source>,
    /// In order; each knows where in the member it begins.
    stretches: Vec<Stretch>,
    length: u64,
    _memory: Vec<Charge>,
}

#[derive(Clone, Copy)]
struct Stretch {
    /// Where it begins in the member.
    first: u64,
    /// Where it stands in the parent; nowhere, if it is a hole.
    start: Option<u64>,
    length: u64,
}

impl Joined {
    /// Stretches given by start and length.
    pub(crate) fn new(parent: &Arc<dyn Source>, stretches: impl IntoIterator<Item = (u64, u64)>) -> Joined {
        Joined::with_holes(parent, stretches.into_iter().map(|(start, length)| (Some(start), length)), u64::MAX)
    }

    /// Stretches with holes between them, of which `length` bytes count. What is missing at the end is a hole.
    pub(crate) fn with_holes(
        parent: &Arc<dyn Source>,
        stretches: impl IntoIterator<Item = (Option<u64>, u64)>,
        length: u64,
    ) -> Joined {
        let mut first = 0_u64;
        let mut list = Vec::new();
        for (start, count) in stretches {
            let count = count.min(u64::MAX - first);
            list.push(Stretch { first, start, length: count });
            first += count;
        }
        if length != u64::MAX && first < length {
            list.push(Stretch { first, start: None, length: length - first });
        }
        let length = if length == u64::MAX { first } else { length };
        Joined { parent: Arc::clone(parent), stretches: list, length, _memory: Vec::new() }
    }

    /// The stretch that holds a byte.
    fn at(&self, offset: u64) -> Option<Stretch> {
        let after = self.stretches.partition_point(|stretch| stretch.first <= offset);
        let stretch = self.stretches.get(after.checked_sub(1)?)?;
        (offset - stretch.first < stretch.length).then_some(*stretch)
    }

    fn read_stretch(&self, offset: u64, buffer: &mut [u8]) -> Option<usize> {
        let stretch = self.at(offset)?;
        let within = offset - stretch.first;
        let count = usize::try_from(stretch.length - within).unwrap_or(usize::MAX).min(buffer.len());
        let wanted = buffer.get_mut(..count)?;
        match stretch.start {
            Some(start) => Some(self.parent.read_at(start.saturating_add(within), wanted)),
            None => {
                wanted.fill(0);
                Some(count)
            }
        }
    }
}

/// The extents of a file, as they are read one by one. Their memory is charged.
pub(crate) struct Extents {
    budget: Budget,
    list: Vec<(Option<u64>, u64)>,
    memory: Vec<Charge>,
    length: u64,
    stored: u64,
}

impl Extents {
    pub(crate) fn new(budget: &Budget) -> Extents {
        Extents { budget: budget.clone(), list: Vec::new(), memory: Vec::new(), length: 0, stored: 0 }
    }

    /// Adds `length` bytes that begin at `start`, or a hole.
    pub(crate) fn push(&mut self, start: Option<u64>, length: u64) -> Result<(), LimitReached> {
        /// Extents that memory is set aside for at once, and what one takes, here and in what it becomes.
        const STEP: usize = 256;
        const EXTENT: u64 = 96;
        if length == 0 {
            return Ok(());
        }
        self.length = self.length.saturating_add(length);
        if start.is_some() {
            self.stored = self.stored.saturating_add(length);
        }
        if let Some((before, count)) = self.list.last_mut()
            && start == before.map(|before| before.saturating_add(*count))
        {
            *count = count.saturating_add(length);
            return Ok(());
        }
        // Few extents are common, and their memory of no account.
        if self.list.len().is_multiple_of(STEP) && !self.list.is_empty() {
            self.memory.push(self.budget.reserve(EXTENT * u64::try_from(STEP).unwrap_or(0))?);
        }
        self.list.push((start, length));
        Ok(())
    }

    /// Bytes of all extents and holes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of the extents that are stored.
    pub(crate) fn stored(&self) -> u64 {
        self.stored
    }

    /// Where the first `length` bytes stand, if they are in one piece.
    pub(crate) fn in_one_piece(&self, length: u64) -> Option<u64> {
        self.list.first().filter(|(_, count)| *count >= length).and_then(|(start, _)| *start)
    }

    /// The file of `length` bytes; a hole at the end if the extents are shorter. One that is in one piece is no list.
    pub(crate) fn into_source(self, parent: &Arc<dyn Source>, length: u64) -> Arc<dyn Source> {
        match self.list.as_slice() {
            [(Some(start), count)] if *count >= length => Arc::new(Part::new(Arc::clone(parent), *start, length)),
            _ => {
                let joined = Joined::with_holes(parent, self.list, length);
                Arc::new(Joined { _memory: self.memory, ..joined })
            }
        }
    }
}

/// Reads at `offset` of a source of `length` bytes that consists of pieces. `piece` fills the start of a buffer from the
/// piece that holds an offset; nothing, if that cannot be read.
pub(crate) fn read_pieces(
    length: u64,
    offset: u64,
    buffer: &mut [u8],
    piece: impl Fn(u64, &mut [u8]) -> Option<usize>,
) -> usize {
    let wanted = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..wanted).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        match piece(at, rest) {
            Some(count) if count > 0 => done += count,
            _ => break,
        }
    }
    done
}

impl Source for Joined {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        read_pieces(self.length, offset, buffer, |at, rest| self.read_stretch(at, rest))
    }

    fn len(&self) -> u64 {
        self.length
    }

    fn next_data(&self, offset: u64) -> u64 {
        let mut at = offset;
        while let Some(stretch) = self.at(at) {
            let end = stretch.first.saturating_add(stretch.length);
            let next = match stretch.start {
                Some(start) => {
                    let place = start.saturating_add(at - stretch.first);
                    at.saturating_add(self.parent.next_data(place).saturating_sub(place)).min(end)
                }
                None => end,
            };
            if next < end {
                return next;
            }
            at = end;
        }
        at.max(offset)
    }

    fn problem(&self) -> Option<Anomaly> {
        let end = self.parent.known_len()?;
        let short = |stretch: &Stretch| stretch.start.is_some_and(|start| start.saturating_add(stretch.length) > end);
        let short = self.stretches.iter().filter(|stretch| stretch.first < self.length).any(short);
        short.then(|| Anomaly::damaged("its bytes reach past the end of the file that holds it"))
    }
}

#[cfg(test)]
mod tests {
    use dachs_base::{Memory, read_vec_at};

    use super::*;

    fn parent() -> Arc<dyn Source> {
        Arc::new(Memory::new(*b"0123456789"))
    }

    #[test]
    fn stretches_are_read_as_one() {
        let joined = Joined::new(&parent(), [(8, 2), (0, 3), (5, 1)]);
        assert_eq!((read_vec_at(&joined, 0, 20), joined.len()), (b"890125".to_vec(), 6));
        assert_eq!(read_vec_at(&joined, 3, 2), b"12");
        assert_eq!(joined.problem(), None);
    }

    #[test]
    fn holes_are_zeros_and_are_passed() {
        let joined = Joined::with_holes(&parent(), [(None, 4), (Some(2), 2)], 9);
        assert_eq!(read_vec_at(&joined, 0, 20), b"\0\0\0\x0023\0\0\0");
        assert_eq!((joined.next_data(0), joined.next_data(5), joined.next_data(6)), (4, 5, 9));
    }

    #[test]
    fn a_stretch_past_the_end_is_told() {
        let joined = Joined::new(&parent(), [(8, 5)]);
        assert_eq!(read_vec_at(&joined, 0, 20), b"89");
        assert!(joined.problem().is_some());
    }
}
