//! Bytes from 128 on, which are gathered in groups of up to three.
//!
//! A group ends after three bytes or before an ASCII character. The ideographic and the full-width full stop in UTF-8
//! become `.`, and so do those of Big5, whose second byte is ASCII. *nocomment* gets a group as it is. *notags* gets as many
//! bytes, but the last is replaced: by the one before it, or by zero.

/// The bytes of a group so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Group {
    bytes: [u8; 3],
    count: usize,
    /// It is the zero behind a full stop in Big5, which gives way to other bytes.
    zero: bool,
}

/// What a byte does to a group.
pub(super) enum Grown {
    /// It waits for more.
    Waits,
    /// The two are a full stop in Big5: `.` takes their place, and a group of one zero byte begins behind it.
    Stop,
    /// It was complete before the byte.
    Before,
}

impl Group {
    /// True between groups.
    pub(super) fn is_empty(self) -> bool {
        self.count == 0
    }

    /// Takes the next byte of the page.
    pub(super) fn grow(&mut self, byte: u8) -> Grown {
        if byte < 128 {
            return self.end(byte);
        }
        if self.zero {
            *self = Group::default();
        }
        let Some(place) = self.bytes.get_mut(self.count) else { return Grown::Before };
        *place = byte;
        self.count += 1;
        Grown::Waits
    }

    fn end(&mut self, byte: u8) -> Grown {
        if self.bytes() == [0xa1] && matches!(byte, b'C' | b'D') {
            *self = Group { bytes: [0; 3], count: 1, zero: true };
            return Grown::Stop;
        }
        Grown::Before
    }

    /// What *nocomment* gets.
    pub(super) fn shown(&self) -> &[u8] {
        match self.bytes() {
            [0xe3, 0x80, 0x82] | [0xef, 0xbc, 0x8e] => b".",
            bytes => bytes,
        }
    }

    /// True if it stands for no bytes of the page.
    pub(super) fn is_zero(&self) -> bool {
        self.zero
    }

    /// The bytes as they are.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.count).unwrap_or(&[])
    }

    /// The bytes as *notags* gets them.
    pub(super) fn shifted(&self) -> Vec<u8> {
        match *self.shown() {
            [b'.'] => vec![b'.'],
            [first, second, _] => vec![first, second, second],
            [first, _] => vec![first, first],
            _ => vec![0; self.count],
        }
    }
}
