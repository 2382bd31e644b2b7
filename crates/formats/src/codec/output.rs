//! What codecs of the Lempel-Ziv kind write: bytes, and repetitions of what was written before, up to a bound.

/// Plain bytes, of which there may be only so many.
pub(crate) struct Output {
    bytes: Vec<u8>,
    most: usize,
}

impl Output {
    /// Room for at most `most` bytes.
    pub(crate) fn new(most: usize) -> Output {
        Output { bytes: Vec::new(), most }
    }

    /// How many bytes were written.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True if there is no room left.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= self.most
    }

    /// One byte; `None` if there is no room.
    pub(crate) fn push(&mut self, byte: u8) -> Option<()> {
        (!self.is_full()).then(|| self.bytes.push(byte))
    }

    /// Some bytes.
    pub(crate) fn extend(&mut self, bytes: &[u8]) -> Option<()> {
        (bytes.len() <= self.most - self.bytes.len()).then(|| self.bytes.extend_from_slice(bytes))
    }

    /// So many bytes again that were written `distance` bytes before; they may overlap with what they become.
    pub(crate) fn repeat(&mut self, distance: usize, length: usize) -> Option<()> {
        let from = self.bytes.len().checked_sub(distance).filter(|_| distance > 0)?;
        if length > self.most - self.bytes.len() {
            return None;
        }
        for at in from..from + length {
            let byte = *self.bytes.get(at)?;
            self.bytes.push(byte);
        }
        Some(())
    }

    /// Fills up with zeros to so many bytes.
    pub(crate) fn pad(&mut self, to: usize) {
        let to = to.min(self.most).max(self.bytes.len());
        self.bytes.resize(to, 0);
    }

    /// The bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Compressed bytes, front to back.
pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Input<'a> {
        Input { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte, as a number that lengths and distances are made of.
    pub(crate) fn byte(&mut self) -> Option<usize> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(usize::from(*first))
    }

    /// The next two bytes, little-endian.
    pub(crate) fn word(&mut self) -> Option<usize> {
        Some(self.byte()? | self.byte()? << 8)
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }
}
