//! Predictors of FlateDecode and LZWDecode (ISO 32000-1 7.4.4.4): PNG's (RFC 2083 6) and TIFF's (TIFF 6.0 section 14).

use std::io::{self, Read};

use dachs_base::Budget;

use super::{Stepped, Steps};
use crate::pdf::syntax::Dictionary;
use crate::stream::Fenced;

/// Bytes of a row, at most.
const LONGEST_ROW: u64 = 4 << 20;
const SENSELESS: &str = "the parameters of a predictor make no sense";

/// How bytes were predicted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Predictor {
    png: bool,
    /// Samples of a pixel.
    colors: usize,
    /// Bits of a sample: 1, 2, 4, 8 or 16.
    bits: usize,
    /// Bytes of a row.
    row: usize,
}

/// The predictor of these parameters (ISO 32000-1 table 8), if there is one.
pub(super) fn predictor(parameter: Option<&Dictionary<'_>>) -> Result<Option<Predictor>, &'static str> {
    let Some(parameter) = parameter else { return Ok(None) };
    let number = |key: &[u8], default: u64| match parameter.value(key) {
        None => Some(default),
        Some(value) => u64::try_from(value.as_integer()?).ok(),
    };
    let png = match number(b"Predictor", 1) {
        Some(0 | 1 | 3..10) => return Ok(None),
        Some(2) => false,
        Some(10..) => true,
        None => return Err(SENSELESS),
    };
    let sized = || {
        let (colors, bits) = (number(b"Colors", 1)?, number(b"BitsPerComponent", 8)?);
        let row = number(b"Columns", 1)?.checked_mul(colors)?.checked_mul(bits)?.checked_add(7)? / 8;
        let valid = matches!(bits, 1 | 2 | 4 | 8 | 16) && (1..=LONGEST_ROW).contains(&row);
        valid.then_some(())?;
        Some(Predictor {
            png,
            colors: usize::try_from(colors).ok()?,
            bits: usize::try_from(bits).ok()?,
            row: usize::try_from(row).ok()?,
        })
    };
    sized().map(Some).ok_or(SENSELESS)
}

/// Undoes the prediction in `input`.
pub(super) fn open(
    input: impl Read + Send + 'static,
    predictor: Predictor,
    budget: &Budget,
) -> io::Result<Box<dyn Read + Send>> {
    let memory = u64::try_from(predictor.row).unwrap_or(u64::MAX).saturating_mul(3).saturating_add(64);
    let make = || Ok(Stepped::new(Rows { input, predictor, before: vec![0; predictor.row] }));
    Ok(Box::new(Fenced::new(budget, memory, make)?))
}

struct Rows<R> {
    input: R,
    predictor: Predictor,
    /// The row before, as it was before prediction.
    before: Vec<u8>,
}

impl<R: Read + Send> Rows<R> {
    /// Fills `row` as far as the input goes; the error that ended it, if one did.
    fn fill(&mut self, row: &mut Vec<u8>, count: usize) -> io::Result<()> {
        (&mut self.input).take(u64::try_from(count).unwrap_or(u64::MAX)).read_to_end(row).map(drop)
    }
}

impl<R: Read + Send> Steps for Rows<R> {
    fn step(&mut self, output: &mut Vec<u8>) -> io::Result<bool> {
        let mut tag = [0];
        if self.predictor.png && self.input.read(&mut tag)? == 0 {
            return Ok(false);
        }
        let result = self.fill(output, self.predictor.row);
        let full = output.len() == self.predictor.row;
        match (self.predictor.png, tag) {
            (true, [tag]) => {
                undo_png(tag, output, &self.before, (self.predictor.colors * self.predictor.bits).div_ceil(8))
            }
            (false, _) => undo_tiff(output, self.predictor.colors, self.predictor.bits),
        }
        if full {
            self.before.copy_from_slice(output);
        }
        result.map(|()| full)
    }
}

/// RFC 2083 6: `pixel` is the distance to the sample on the left, in bytes. Unknown types change nothing.
fn undo_png(tag: u8, row: &mut [u8], above: &[u8], pixel: usize) {
    let pixel = pixel.min(row.len());
    for at in 0..row.len() {
        let corner = at.checked_sub(pixel);
        let left = corner.and_then(|at| row.get(at)).copied().unwrap_or(0);
        let diagonal = corner.and_then(|at| above.get(at)).copied().unwrap_or(0);
        let up = above.get(at).copied().unwrap_or(0);
        let guess = match tag {
            1 => left,
            2 => up,
            3 => left.midpoint(up),
            4 => paeth(left, up, diagonal),
            _ => 0,
        };
        if let Some(byte) = row.get_mut(at) {
            *byte = byte.wrapping_add(guess);
        }
    }
}

/// RFC 2083 6.6: the neighbour nearest to left + up - diagonal.
fn paeth(left: u8, up: u8, diagonal: u8) -> u8 {
    let guess = i16::from(left) + i16::from(up) - i16::from(diagonal);
    let distance = |neighbour: u8| (guess - i16::from(neighbour)).abs();
    if distance(left) <= distance(up) && distance(left) <= distance(diagonal) {
        left
    } else if distance(up) <= distance(diagonal) {
        up
    } else {
        diagonal
    }
}

/// TIFF 6.0 section 14: each sample is the difference to the one of the same colour on the left.
fn undo_tiff(row: &mut [u8], colors: usize, bits: usize) {
    match bits {
        8 => {
            for at in colors..row.len() {
                let left = at.checked_sub(colors).and_then(|at| row.get(at)).copied().unwrap_or(0);
                if let Some(byte) = row.get_mut(at) {
                    *byte = byte.wrapping_add(left);
                }
            }
        }
        16 => {
            for at in (colors.saturating_mul(2)..row.len()).step_by(2) {
                let sum = sample16(row, at).wrapping_add(sample16(row, at.saturating_sub(colors.saturating_mul(2))));
                for (byte, new) in row.iter_mut().skip(at).zip(sum.to_be_bytes()) {
                    *byte = new;
                }
            }
        }
        _ => undo_small(row, colors, bits),
    }
}

fn sample16(row: &[u8], at: usize) -> u16 {
    let byte = |at: usize| row.get(at).copied().unwrap_or(0);
    u16::from_be_bytes([byte(at), byte(at.saturating_add(1))])
}

/// Samples of 1, 2 or 4 bits.
fn undo_small(row: &mut [u8], colors: usize, bits: usize) {
    let mask = u8::try_from((1u32 << bits) - 1).unwrap_or(u8::MAX);
    let each = 8 / bits.max(1);
    for at in colors..row.len().saturating_mul(each) {
        let shift = |at: usize| 8 - bits - at % each * bits;
        let left = at - colors;
        let before = row.get(left / each).copied().unwrap_or(0) >> shift(left);
        if let Some(byte) = row.get_mut(at / each) {
            let sum = (*byte >> shift(at)).wrapping_add(before) & mask;
            *byte = *byte & !(mask << shift(at)) | sum << shift(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn png_rows() {
        let mut row = [1, 2, 3, 4];
        undo_png(1, &mut row, &[9; 4], 1);
        assert_eq!(row, [1, 3, 6, 10]);
        undo_png(2, &mut row, &[250, 0, 1, 1], 1);
        assert_eq!(row, [251, 3, 7, 11]);
        let mut average = [10, 10];
        undo_png(3, &mut average, &[20, 30], 1);
        assert_eq!(average, [20, 35]);
        let mut nearest = [1, 1, 1];
        undo_png(4, &mut nearest, &[5, 9, 7], 1);
        assert_eq!(nearest, [6, 10, 8]);
    }

    #[test]
    fn tiff_rows() {
        let mut bytes = [1, 2, 3, 1, 1, 1];
        undo_tiff(&mut bytes, 3, 8);
        assert_eq!(bytes, [1, 2, 3, 2, 3, 4]);
        let mut words = [0, 255, 0, 2];
        undo_tiff(&mut words, 1, 16);
        assert_eq!(words, [0, 255, 1, 1]);
        let mut halves = [0x12, 0x3F];
        undo_tiff(&mut halves, 1, 4);
        assert_eq!(halves, [0x13, 0x65]);
        let mut bits = [0b1010_0001];
        undo_tiff(&mut bits, 1, 1);
        assert_eq!(bits, [0b1100_0001]);
    }
}
