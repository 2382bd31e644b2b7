//! Undoes what Inno Setup does to programs before it compresses them (`Compression.Base.pas`, `TransformCallInstructions`).
//!
//! In each 64 KiB, the targets of x86 calls and jumps (`E8`, `E9`) are absolute, as 24 bits, where the highest byte of the
//! operand is 0 or 255. Since 5.3.9 that byte is turned over if the relative target is negative.

use std::io::{self, Read};

/// Bytes that are changed together.
const PIECE: usize = 1 << 16;

/// Which form of the change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Since 5.2.0.
    Plain,
    /// Since 5.3.9.
    Turned,
}

/// Bytes of a program as they were.
pub(super) struct Calls<R> {
    input: R,
    form: Form,
    piece: io::Cursor<Vec<u8>>,
    /// Where the next piece begins.
    at: u32,
    failed: Option<io::Error>,
}

impl<R: Read> Calls<R> {
    pub(super) fn new(input: R, form: Form) -> Calls<R> {
        Calls { input, form, piece: io::Cursor::default(), at: 0, failed: None }
    }

    /// Takes in the next piece; an error waits until what came before it was given.
    fn refill(&mut self) {
        let mut bytes = Vec::new();
        let most = u64::try_from(PIECE).unwrap_or(0);
        self.failed = (&mut self.input).take(most).read_to_end(&mut bytes).err();
        undo(&mut bytes, self.at, self.form);
        self.at = self.at.wrapping_add(u32::try_from(bytes.len()).unwrap_or(0));
        self.piece = io::Cursor::new(bytes);
    }
}

impl<R: Read> Read for Calls<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.piece.read(buffer)?;
        if got > 0 || buffer.is_empty() {
            return Ok(got);
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.refill();
        match self.piece.read(buffer)? {
            0 => self.failed.take().map_or(Ok(0), Err),
            got => Ok(got),
        }
    }
}

/// Undoes the change in one piece that begins at `base`.
fn undo(bytes: &mut [u8], base: u32, form: Form) {
    let mut at = 0usize;
    while let Some([code, operand @ ..]) = bytes.get_mut(at..)
        && operand.len() >= 4
    {
        let code = *code;
        at += 1;
        let Some([low, middle, high, top]) = operand.first_chunk_mut::<4>() else { return };
        if !matches!(code, 0xE8 | 0xE9) {
            continue;
        }
        at += 4;
        if matches!(*top, 0 | 0xFF) {
            let behind = base.wrapping_add(u32::try_from(at).unwrap_or(0));
            let target = u32::from_le_bytes([*low, *middle, *high, 0]);
            let relative = target.wrapping_sub(behind) & 0xFF_FFFF;
            [*low, *middle, *high, _] = relative.to_le_bytes();
            if form == Form::Turned && relative & 0x80_0000 != 0 {
                *top = !*top;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The change itself, as it is described.
    fn change(bytes: &mut [u8], base: usize, form: Form) {
        let mut at = 0;
        while at + 4 < bytes.len() {
            if !matches!(bytes[at], 0xE8 | 0xE9) {
                at += 1;
                continue;
            }
            if matches!(bytes[at + 4], 0 | 0xFF) {
                let relative =
                    usize::from(bytes[at + 1]) | usize::from(bytes[at + 2]) << 8 | usize::from(bytes[at + 3]) << 16;
                if form == Form::Turned && relative & 0x80_0000 != 0 {
                    bytes[at + 4] = !bytes[at + 4];
                }
                let target = relative + base + at + 5;
                for byte in 0..3 {
                    bytes[at + 1 + byte] = target.to_le_bytes()[byte];
                }
            }
            at += 5;
        }
    }

    #[test]
    fn changed_programs_come_back() {
        let mut noise = 7u32;
        let plain: Vec<u8> = (0..200_000)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                [0xE8, 0xE9, 0, 0xFF, noise.to_le_bytes()[1], 1, 2, 3][usize::from(noise.to_le_bytes()[3] >> 5)]
            })
            .collect();
        for form in [Form::Plain, Form::Turned] {
            let mut changed = plain.clone();
            for (number, piece) in changed.chunks_mut(PIECE).enumerate() {
                change(piece, number * PIECE, form);
            }
            assert_ne!(changed, plain);
            let mut back = Vec::new();
            Calls::new(&changed[..], form).read_to_end(&mut back).unwrap();
            assert!(back == plain, "{form:?}");
        }
    }
}
