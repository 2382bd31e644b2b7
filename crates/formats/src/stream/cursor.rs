//! One run of a decoder, and the window of bytes it left behind.
//!
//! The window is a queue of blocks. It grows while the budget grants memory and no more than a third of what was left is
//! held; after that it slides: the oldest block is reused for the newest bytes.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read};

use dachs_base::{Anomaly, Budget, Charge, Limit, LimitReached};

use super::replay::anomaly_of;

/// Bytes in one block, and the most that one step decodes.
pub(super) const BLOCK: usize = 64 * 1024;
/// A window that slides is this long, unless there is not even memory for that.
const WINDOW: usize = 2 << 20;
/// Somebody who asks whether a window holds all bytes may read so many before asking again.
const AHEAD: usize = 4 << 20;
/// The first step of a stream; later ones are longer.
const FIRST_STEP: u64 = 1024;

/// A decoder at work.
pub(super) struct Cursor {
    /// Absent once the decoder has ended.
    decoder: Option<Box<dyn Read + Send>>,
    blocks: VecDeque<Block>,
    /// Offset of the oldest byte in the window.
    start: u64,
    /// Offset of the next byte to be decoded.
    end: u64,
    /// Bytes that were charged and not decoded yet.
    prepaid: u64,
    sliding: bool,
    /// When it was last read, for choosing which one to give up.
    pub(super) last_use: u64,
}

struct Block {
    bytes: Vec<u8>,
    _memory: Charge,
}

impl Cursor {
    /// A run that keeps all bytes as long as it can.
    pub(super) fn keeping(decoder: Box<dyn Read + Send>) -> Cursor {
        let blocks = VecDeque::new();
        Cursor { decoder: Some(decoder), blocks, start: 0, end: 0, prepaid: 0, sliding: false, last_use: 0 }
    }

    /// A run that keeps a window only.
    pub(super) fn sliding(decoder: Box<dyn Read + Send>) -> Cursor {
        Cursor { sliding: true, ..Cursor::keeping(decoder) }
    }

    /// Decodes some more bytes into the window and tells how many; none at the end of the stream.
    ///
    /// # Errors
    /// The reason why there are no more bytes. The run is over then.
    pub(super) fn step(&mut self, budget: &Budget, expected: Option<u64>) -> Result<usize, Anomaly> {
        let result = self.decode_some(budget, expected);
        match result {
            Ok(got) if got > 0 => self.end = self.end.saturating_add(wide(got)),
            _ => self.decoder = None,
        }
        result
    }

    fn decode_some(&mut self, budget: &Budget, expected: Option<u64>) -> Result<usize, Anomaly> {
        let limit = budget.limits().object_size;
        let left = limit.saturating_sub(self.end);
        if left == 0 {
            return self.expect_end(budget, limit);
        }
        let step = self.step_size(expected).min(left);
        self.pay(budget, step)?;
        self.make_room(budget, expected)?;
        let filled = self.filled();
        let Some(decoder) = self.decoder.as_mut() else { return Ok(0) };
        let Some(block) = self.blocks.back_mut() else { return Ok(0) };
        let until = filled.saturating_add(narrow(step)).min(block.bytes.len());
        let got = read_some(decoder.as_mut(), block.bytes.get_mut(filled..until).unwrap_or_default(), budget)?;
        self.prepaid = self.prepaid.saturating_sub(wide(got));
        Ok(got)
    }

    /// At the limit of an object's size: fine if the stream ends here.
    fn expect_end(&mut self, budget: &Budget, limit: u64) -> Result<usize, Anomaly> {
        let Some(decoder) = self.decoder.as_mut() else { return Ok(0) };
        match read_some(decoder.as_mut(), &mut [0], budget)? {
            0 => Ok(0),
            _ => Err(LimitReached { limit: Limit::ObjectSize, allowed: limit }.into()),
        }
    }

    /// Short steps first, so that small objects are not charged as large ones; and none over the stated length.
    fn step_size(&self, expected: Option<u64>) -> u64 {
        let step = self.end.clamp(FIRST_STEP, wide(BLOCK));
        match expected.map(|expected| expected.saturating_sub(self.end)) {
            Some(0) => FIRST_STEP.min(step),
            Some(left) => step.min(left),
            None => step,
        }
    }

    fn pay(&mut self, budget: &Budget, step: u64) -> Result<(), Anomaly> {
        let missing = step.saturating_sub(self.prepaid);
        budget.charge_bytes(missing)?;
        self.prepaid = self.prepaid.saturating_add(missing);
        Ok(())
    }

    /// Makes sure that the newest block has room. The first takes what the stream is expected to be, and shows that it ends.
    fn make_room(&mut self, budget: &Budget, expected: Option<u64>) -> Result<(), Anomaly> {
        let filled = self.filled();
        if self.blocks.is_empty() || filled >= BLOCK {
            let first = expected.map_or(narrow(FIRST_STEP), |length| narrow(length).saturating_add(1).min(BLOCK));
            return self.add_block(budget, first);
        }
        match self.blocks.back_mut() {
            Some(block) if filled >= block.bytes.len() => {
                let longer = filled.saturating_mul(2).clamp(4096, BLOCK);
                block.bytes.resize(longer, 0);
            }
            _ => {}
        }
        Ok(())
    }

    fn add_block(&mut self, budget: &Budget, first: usize) -> Result<(), Anomaly> {
        let may_grow = wide(self.held().saturating_add(BLOCK)) <= budget.memory_left() / 2;
        if !may_grow && !self.sliding {
            self.slide();
        }
        let enough = self.sliding && (self.held() >= WINDOW || !may_grow);
        if enough && !self.blocks.is_empty() {
            self.reuse_oldest();
            return Ok(());
        }
        let memory = budget.reserve(wide(BLOCK))?;
        let size = if self.blocks.is_empty() { first } else { BLOCK };
        self.blocks.push_back(Block { bytes: vec![0; size], _memory: memory });
        Ok(())
    }

    fn slide(&mut self) {
        self.sliding = true;
        while self.held() > WINDOW {
            self.blocks.pop_front();
            self.start = self.start.saturating_add(wide(BLOCK));
        }
    }

    fn reuse_oldest(&mut self) {
        if let Some(block) = self.blocks.pop_front() {
            self.blocks.push_back(block);
            self.start = self.start.saturating_add(wide(BLOCK));
        }
    }

    /// Copies bytes of the window; none if `offset` is outside.
    pub(super) fn copy(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while done < buffer.len() {
            let piece = self.piece(offset.saturating_add(wide(done)));
            let count = piece.len().min(buffer.len() - done);
            let (Some(to), Some(from)) = (buffer.get_mut(done..done + count), piece.get(..count)) else { break };
            if count == 0 {
                break;
            }
            to.copy_from_slice(from);
            done += count;
        }
        done
    }

    /// The bytes of one block from `offset`.
    fn piece(&self, offset: u64) -> &[u8] {
        let Some(inside) = offset.checked_sub(self.start) else { return &[] };
        let inside = narrow(inside);
        let last = inside / BLOCK + 1 >= self.blocks.len();
        let until = if last { self.filled() } else { BLOCK };
        let block = self.blocks.get(inside / BLOCK);
        block.and_then(|block| block.bytes.get(inside % BLOCK..until)).unwrap_or(&[])
    }

    /// All `length` bytes of the stream, if the window still holds them; it is empty then.
    pub(super) fn take_all(&mut self, length: u64) -> Option<Vec<u8>> {
        if self.start > 0 || self.end != length {
            return None;
        }
        let mut blocks = std::mem::take(&mut self.blocks).into_iter().map(|block| block.bytes);
        let mut bytes = blocks.next().unwrap_or_default();
        bytes.reserve_exact(narrow(length).saturating_sub(bytes.len()));
        blocks.for_each(|block| bytes.extend_from_slice(&block));
        bytes.truncate(narrow(length));
        Some(bytes)
    }

    /// True if the window holds all bytes, and will after [`AHEAD`] more.
    pub(super) fn keeps(&self, budget: &Budget) -> bool {
        self.start == 0 && !self.sliding && wide(self.held().saturating_add(AHEAD)) <= budget.memory_left() / 2
    }

    /// The newest `count` bytes of the newest block.
    pub(super) fn newest(&self, count: usize) -> &[u8] {
        let filled = self.filled();
        let block = self.blocks.back();
        block.and_then(|block| block.bytes.get(filled.saturating_sub(count)..filled)).unwrap_or(&[])
    }

    /// Offset of the next byte to be decoded.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes it must still decode to reach `offset`; `None` if it cannot.
    pub(super) fn distance(&self, offset: u64) -> Option<u64> {
        let reachable = offset >= self.start && (offset < self.end || self.decoder.is_some());
        reachable.then(|| offset.saturating_sub(self.end))
    }

    /// Bytes in the newest block.
    fn filled(&self) -> usize {
        let before = wide(self.blocks.len().saturating_sub(1).saturating_mul(BLOCK));
        narrow(self.end.saturating_sub(self.start).saturating_sub(before)).min(BLOCK)
    }

    fn held(&self) -> usize {
        self.blocks.len().saturating_mul(BLOCK)
    }
}

fn read_some(decoder: &mut dyn Read, buffer: &mut [u8], budget: &Budget) -> Result<usize, Anomaly> {
    loop {
        match decoder.read(buffer) {
            Ok(got) => return Ok(got.min(buffer.len())),
            Err(error) if error.kind() == ErrorKind::Interrupted => budget.check_time()?,
            Err(error) => return Err(anomaly_of(&error, budget)),
        }
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn narrow(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
