//! The hash of what a picture looks like, which signatures know (`fuzzy_img#…`).
//!
//! ```text
//! picture ─> grey ─> 32 x 32 points ─> cosine transform ─> the 8 x 8 lowest frequencies ─> a bit each: above the median?
//! ```
//!
//! The method is that of pHash ("Implementation and Benchmarking of Perceptual Image Hash Functions", Ch. Zauner, 2010,
//! section 3.2) as ClamAV has it: grey is 0.299 red, 0.587 green and 0.114 blue, rounded; the picture is made small with
//! Lanczos' filter of three lobes; bits go row by row, the highest first. Signatures want all 64 bits, so a bit near the
//! median must come out as it does there: the transform takes sums and differences of opposite points first, so that
//! what is symmetric gives frequencies of exactly 0. Of 692 pictures of a Debian system all have the hash that ClamAV's
//! `sigtool --fuzzy-img` prints.
//!
//! Decoding is the work of the crate `image`. What it needs is set aside before, and it is done only when some
//! signature asks. Of an animation the first picture counts.

use dachs_base::{Budget, Found, Limit, LimitReached, Source, read_vec_at};
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageDecoder, ImageError, ImageReader, Luma};
use std::f64::consts::PI;
use std::io::Cursor;
use std::sync::Arc;

/// Points of a side of the small picture.
const SIDE: u32 = 32;
/// Frequencies of a side that give bits.
const LOW: usize = 8;
/// Files that are larger are not decoded.
const LARGEST: u64 = 100 << 20;
/// Bytes that tell the format.
const MAGIC: usize = 32;
/// Bytes that are needed for a point besides what the decoder gives: colours and grey.
const BYTES_PER_POINT: u64 = 4;
/// Bytes that making it small needs for each column: 32 lines of four numbers of 4 bytes.
const BYTES_PER_COLUMN: u64 = 512;

/// The hash; nothing if the picture cannot be decoded.
pub(super) fn hash(source: &Arc<dyn Source>, budget: &Budget) -> Found<u64> {
    if image::guess_format(&read_vec_at(&**source, 0, MAGIC)).is_err() {
        return Ok(None);
    }
    let size = source.len();
    let refused = LimitReached { limit: Limit::Memory, allowed: LARGEST };
    let count = usize::try_from(size).ok().filter(|_| size <= LARGEST).ok_or(refused)?;
    let _file = budget.reserve(size)?;
    let bytes = read_vec_at(&**source, 0, count);
    let Ok(reader) = ImageReader::new(Cursor::new(bytes)).with_guessed_format() else { return Ok(None) };
    let Ok(mut decoder) = reader.into_decoder() else { return Ok(None) };
    let (width, height) = decoder.dimensions();
    let needed = needed(decoder.total_bytes(), width, height);
    let _picture = budget.reserve(needed)?;
    budget.charge_bytes(needed)?;
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(budget.memory_left().saturating_add(needed));
    if decoder.set_limits(limits).is_err() {
        return Err(LimitReached { limit: Limit::Memory, allowed: budget.limits().memory });
    }
    match DynamicImage::from_decoder(decoder) {
        Ok(picture) if width > 0 && height > 0 => Ok(Some(hash_of(&picture))),
        Err(ImageError::Limits(_)) => Err(LimitReached { limit: Limit::Memory, allowed: budget.limits().memory }),
        _ => Ok(None),
    }
}

/// Bytes that a picture and what is made of it take.
fn needed(decoded: u64, width: u32, height: u32) -> u64 {
    let points = u64::from(width).saturating_mul(u64::from(height));
    let columns = u64::from(width).saturating_mul(BYTES_PER_COLUMN);
    decoded.saturating_add(points.saturating_mul(BYTES_PER_POINT)).saturating_add(columns)
}

fn hash_of(picture: &DynamicImage) -> u64 {
    let small = imageops::resize(&grey(picture), SIDE, SIDE, FilterType::Lanczos3);
    let lines: Vec<Vec<f64>> = small.rows().map(|row| row.map(|point| f64::from(point.0[0])).collect()).collect();
    bits(&transform(lines))
}

fn grey(picture: &DynamicImage) -> GrayImage {
    let colours = picture.to_rgb8();
    let mut grey = GrayImage::new(colours.width(), colours.height());
    for (to, from) in grey.pixels_mut().zip(colours.pixels()) {
        let [red, green, blue] = from.0.map(f32::from);
        *to = Luma([byte(red * 0.299 + green * 0.587 + blue * 0.114)]);
    }
    grey
}

/// The nearest byte.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a conversion that saturates")]
fn byte(value: f32) -> u8 {
    value.round() as u8
}

/// The lowest frequencies of the lines, then of the columns of those.
fn transform(lines: Vec<Vec<f64>>) -> Vec<f64> {
    let lines: Vec<Vec<f64>> = lines.iter().map(|line| cosine(line)).collect();
    let column = |at: usize| lines.iter().filter_map(|line| line.get(at).copied()).collect::<Vec<f64>>();
    let columns: Vec<Vec<f64>> = (0..LOW).map(|at| cosine(&column(at))).collect();
    let at = |line: usize| columns.iter().filter_map(move |column| column.get(line).copied());
    (0..LOW).flat_map(at).collect()
}

/// The cosine transform (DCT-II) of a power of two of values: that of the sums of opposite values gives every other
/// frequency, their differences give the rest.
fn cosine(values: &[f64]) -> Vec<f64> {
    let half = values.len() / 2;
    if half == 0 {
        return values.to_vec();
    }
    let opposite = || values.iter().take(half).zip(values.iter().rev());
    let sums: Vec<f64> = opposite().map(|(a, b)| a + b).collect();
    let differences: Vec<f64> = opposite().map(|(a, b)| a - b).collect();
    let step = PI / number(values.len());
    let odd = |index: usize| -> f64 {
        let turn = step * number(2 * index + 1);
        differences.iter().enumerate().map(|(at, value)| value * ((number(at) + 0.5) * turn).cos()).sum()
    };
    cosine(&sums).into_iter().enumerate().flat_map(|(index, even)| [even, odd(index)]).collect()
}

/// A small number.
fn number(value: usize) -> f64 {
    f64::from(u32::try_from(value).unwrap_or(u32::MAX))
}

/// A bit for each value: is it above the mean of the two in the middle?
fn bits(values: &[f64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = |at: usize| sorted.get(at).copied().unwrap_or(0.0);
    let median = f64::midpoint(middle(sorted.len() / 2), middle((sorted.len() / 2).saturating_sub(1)));
    values.iter().fold(0, |bits, value| bits << 1 | u64::from(*value > median))
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "numbers of pictures made here")]
mod tests {
    use super::*;
    use dachs_base::{Limits, Memory, NoClock};

    /// A picture of `width` x `height` points as a bitmap of Windows (BITMAPINFOHEADER, 24 bits a point).
    fn bitmap(width: u32, height: u32, point: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
        let line = (width * 3).next_multiple_of(4);
        let mut bytes = b"BM".to_vec();
        for field in [54 + line * height, 0, 54, 40, width, height, 0x0018_0001, 0, line * height, 0, 0, 0, 0] {
            bytes.extend(field.to_le_bytes());
        }
        for y in (0..height).rev() {
            let start = bytes.len();
            (0..width).for_each(|x| bytes.extend(point(x, y)));
            bytes.resize(start + line as usize, 0);
        }
        bytes
    }

    fn hash_of(bytes: &[u8], memory: u64) -> Found<u64> {
        let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
        hash(&source, &Budget::new(Limits { memory, ..Limits::default() }, NoClock))
    }

    #[test]
    fn hashes_are_those_of_clamav() {
        // `sigtool --fuzzy-img` of ClamAV 1.4.6.
        let ramp = bitmap(61, 47, |x, y| [(x * 4) as u8, (y * 5) as u8, (x * y % 251) as u8]);
        let plain = bitmap(40, 40, |_, _| [10, 200, 30]);
        let symmetric = bitmap(9, 9, |x, y| if x == 4 || y == 4 { [0; 3] } else { [255; 3] });
        let told = [&ramp, &plain, &symmetric].map(|bytes| hash_of(bytes, 1 << 30).unwrap().unwrap());
        assert_eq!(
            told.map(|hash| format!("{hash:016x}")),
            ["80071f3f3e787171", "8000000000000000", "a200a2000800a200"]
        );
    }

    #[test]
    fn webp_is_a_picture() {
        // `convert -size 1x1 xc:white -define webp:lossless=true x.webp` (ImageMagick).
        let bytes = b"\x52\x49\x46\x46\x1e\x00\x00\x00\x57\x45\x42\x50\x56\x50\x38\x4c\x11\x00\x00\x00\x2f\x00\x00\x00\x00\x07\xd0\xff\xfe\xf7\xbf\xff\x81\x88\xe8\x7f\x00\x00";
        assert_eq!(hash_of(bytes, 1 << 20), Ok(Some(0x8000_0000_0000_0000)));
    }

    #[test]
    fn a_large_picture_is_a_limit_and_a_broken_one_nothing() {
        let mut bytes = bitmap(8, 8, |_, _| [1; 3]);
        assert!(hash_of(&bytes, 100).is_err());
        bytes[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
        bytes[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
        assert!(hash_of(&bytes, 64 << 20).is_err());
        assert_eq!(hash_of(b"GIF89a", 1 << 20), Ok(None));
        assert_eq!(hash_of(b"no picture", 1 << 20), Ok(None));
    }

    #[test]
    fn the_transform_is_that_of_its_definition() {
        let values: Vec<f64> = (0..32).map(|at| f64::from(at * at % 23)).collect();
        let plain = |frequency: f64| -> f64 {
            let of = |(at, value): (usize, &f64)| value * (PI / 32.0 * (number(at) + 0.5) * frequency).cos();
            values.iter().enumerate().map(of).sum()
        };
        for (frequency, value) in cosine(&values).iter().enumerate() {
            assert!((value - plain(number(frequency))).abs() < 1e-9, "{frequency}");
        }
    }

    #[test]
    fn broken_pictures_do_no_harm() {
        let whole = bitmap(12, 9, |x, y| [x as u8, y as u8, 7]);
        for cut in 0..whole.len() {
            let _ = hash_of(&whole[..cut], 1 << 20);
        }
        for at in 0..54 {
            let mut broken = whole.clone();
            broken[at] ^= 0x41;
            let _ = hash_of(&broken, 1 << 20);
        }
    }
}
