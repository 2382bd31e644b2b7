//! The icons of a program, measured as ClamAV's signatures of icons have them.
//!
//! ```text
//! group of icons ─> icon (a bitmap without its file header) ─> on white ─> 16, 24 or 32 points a side ─> measures
//! ```
//!
//! Specification: Microsoft, "PE Format" (resources), "Icons" (`GRPICONDIR`, `ICONIMAGE`) and "BITMAPINFOHEADER". What ClamAV
//! 1.4.6 makes of an icon its `--debug` shows as a line of an `.idb` file; everything here was compared with that. Icons that
//! are PNG pictures have no measures there, and have none here. Compressed bitmaps are passed over.

mod measure;

use super::header::Pe;
use super::resources::{self, Kind};
use dachs_base::{Budget, Found, Icon, Reader};

/// Icons that are looked at.
const MOST: usize = 100;
/// The largest side that is taken.
const LARGEST: u32 = 256;
/// Bytes of an icon of that side in 32 bits with its mask, its header and its colours.
const LONGEST: u32 = LARGEST * LARGEST * 4 + LARGEST * LARGEST / 8 + 40 + 1024;
/// Entries of a group.
const ENTRIES: usize = 1024;

/// A colour: red, green, blue.
type Colour = [u8; 3];

/// A square picture.
struct Picture {
    side: usize,
    points: Vec<Colour>,
}

/// The icons of all groups.
pub(super) fn list(pe: &Pe, budget: &Budget) -> Found<Vec<Icon>> {
    let groups = resources::of_kind(pe, Kind::GroupIcon, budget)?;
    if groups.is_empty() {
        return Ok(None);
    }
    let icons = resources::of_kind(pe, Kind::Icon, budget)?;
    let (mut found, mut seen) = (Vec::new(), 0_usize);
    for group in groups {
        for number in numbers(pe, group.address, group.size) {
            let Some(icon) = icons.iter().find(|icon| icon.name == number) else { continue };
            if seen >= MOST {
                return Ok(Some(found));
            }
            seen += 1;
            budget.check_time()?;
            let _memory = budget.reserve(u64::from(LONGEST) * 2)?;
            let size = usize::try_from(icon.size.min(LONGEST)).unwrap_or(0);
            let bytes = pe.read_at(icon.address, size).unwrap_or_default();
            found.extend(picture(&bytes).as_ref().and_then(measure::icon));
        }
    }
    Ok((!found.is_empty()).then_some(found))
}

/// The numbers of the icons of a group (`GRPICONDIR`).
fn numbers(pe: &Pe, address: u32, size: u32) -> Vec<u32> {
    let size = usize::try_from(size).unwrap_or(0).min(6 + 14 * ENTRIES);
    let bytes = pe.read_at(address, size).unwrap_or_default();
    let mut reader = Reader::new(&bytes, "group of icons");
    let Ok(count) = reader.skip(4).and_then(|()| reader.u16_le()) else { return Vec::new() };
    let entry = |reader: &mut Reader<'_>| reader.skip(12).and_then(|()| reader.u16_le()).ok().map(u32::from);
    (0..count).map_while(|_| entry(&mut reader)).collect()
}

/// What the header of a bitmap says (`BITMAPINFOHEADER`).
struct Head {
    width: usize,
    height: usize,
    bits: u16,
    colours: u32,
}

fn head(reader: &mut Reader<'_>) -> Option<Head> {
    let length = reader.u32_le().ok()?;
    let (width, height) = (reader.u32_le().ok()?, reader.u32_le().ok()? / 2);
    reader.skip(2).ok()?; // planes
    let bits = reader.u16_le().ok()?;
    let compression = reader.u32_le().ok()?;
    reader.skip(12).ok()?;
    let colours = reader.u32_le().ok()?;
    reader.skip(u64::from(length.checked_sub(36)?)).ok()?;
    let fits = |side: u32| (1..=LARGEST).contains(&side);
    if compression != 0 || !fits(width) || !fits(height) {
        return None;
    }
    Some(Head { width: usize::try_from(width).ok()?, height: usize::try_from(height).ok()?, bits, colours })
}

/// The icon as it looks on white, in the size in which it is measured.
fn picture(bytes: &[u8]) -> Option<Picture> {
    let mut reader = Reader::new(bytes, "icon");
    let head = head(&mut reader)?;
    let side = measured_side(head.width, head.height)?;
    let palette = palette(&mut reader, &head)?;
    let row = |bits: usize| (head.width * bits).div_ceil(32) * 4;
    let bits = usize::from(head.bits);
    let lines = reader.take(u64::try_from(row(bits) * head.height).ok()?).ok()?;
    let mask = reader.rest();
    let alpha = head.bits == 32 && lines.chunks(4).any(|point| point.get(3).is_some_and(|alpha| *alpha > 0));
    // The lowest line comes first.
    let point = |x: usize, y: usize| {
        let line = head.height - 1 - y;
        let colour = colour(lines.get(line * row(bits)..)?, x, head.bits, &palette)?;
        let hidden = mask.get(line * row(1) + x / 8).is_some_and(|byte| byte >> (7 - x % 8) & 1 == 1);
        Some(match (alpha, hidden) {
            (true, _) => on_white(&colour),
            (false, true) => [255; 3],
            (false, false) => [colour[0], colour[1], colour[2]],
        })
    };
    let points = (0..head.height).flat_map(|y| (0..head.width).map(move |x| (x, y)));
    let points: Vec<Colour> = points.map(|(x, y)| point(x, y).unwrap_or([255; 3])).collect();
    Some(resized(points, head.width, head.height, side))
}

/// The colours of a bitmap with at most 8 bits a point.
fn palette(reader: &mut Reader<'_>, head: &Head) -> Option<Vec<Colour>> {
    if !matches!(head.bits, 1 | 4 | 8) {
        return matches!(head.bits, 16 | 24 | 32).then(Vec::new);
    }
    let all = 1_u32 << head.bits;
    let count = if head.colours == 0 { all } else { head.colours.min(all) };
    let bytes = reader.take(u64::from(count) * 4).ok()?;
    Some(bytes.as_chunks::<4>().0.iter().map(|[blue, green, red, _]| [*red, *green, *blue]).collect())
}

/// A point of a line, with its alpha.
fn colour(line: &[u8], x: usize, bits: u16, palette: &[Colour]) -> Option<[u8; 4]> {
    let listed = |index: u8| {
        let [red, green, blue] = palette.get(usize::from(index)).copied().unwrap_or_default();
        [red, green, blue, 255]
    };
    Some(match bits {
        1 => listed(line.get(x / 8)? >> (7 - x % 8) & 1),
        4 => listed(line.get(x / 2)? >> (4 - x % 2 * 4) & 15),
        8 => listed(*line.get(x)?),
        16 => {
            let word = u16::from_le_bytes(*line.get(x * 2..)?.first_chunk()?);
            let five = |shift: u16| u8::try_from(word >> shift & 31).unwrap_or(0) << 3;
            [five(10), five(5), five(0), 255]
        }
        24 => {
            let [blue, green, red] = *line.get(x * 3..)?.first_chunk()?;
            [red, green, blue, 255]
        }
        _ => {
            let [blue, green, red, alpha] = *line.get(x * 4..)?.first_chunk()?;
            [red, green, blue, alpha]
        }
    })
}

/// A colour that lets white shine through.
fn on_white([red, green, blue, alpha]: &[u8; 4]) -> Colour {
    let mix = |part: &u8| {
        let sum = u32::from(*part) * u32::from(*alpha) + 255 * (255 - u32::from(*alpha));
        u8::try_from(sum / 255).unwrap_or(255)
    };
    [mix(red), mix(green), mix(blue)]
}

/// The side of the picture that is measured, if ClamAV measures one. Sides that are multiples of 32 or 24 are halved until
/// they are small; others go to the nearest of three sizes.
fn measured_side(width: usize, height: usize) -> Option<usize> {
    let (short, long) = (width.min(height), width.max(height));
    if short < 16 || long * 3 > short * 4 {
        return None;
    }
    if is_halved(width, height) {
        return Some(halvings(width).0);
    }
    Some(match (width + height) / 2 {
        ..=20 => 16,
        21..=28 => 24,
        _ => 32,
    })
}

fn is_halved(width: usize, height: usize) -> bool {
    width == height && width > 32 && (width.is_multiple_of(32) || width.is_multiple_of(24))
}

/// How small a side gets by halving, and how often it is halved.
fn halvings(mut side: usize) -> (usize, u32) {
    let mut count = 0;
    while side > 32 {
        side /= 2;
        count += 1;
    }
    (side, count)
}

/// The points in another size: by the mean of four where sides are halved, else by the nearest.
fn resized(mut points: Vec<Colour>, width: usize, height: usize, side: usize) -> Picture {
    if is_halved(width, height) {
        let mut from = width;
        for _ in 0..halvings(width).1 {
            points = halved(&points, from);
            from /= 2;
        }
        return Picture { side, points };
    }
    let place = |x: usize, y: usize| y * height / side * width + x * width / side;
    let places = (0..side).flat_map(|y| (0..side).map(move |x| place(x, y)));
    Picture { side, points: places.map(|place| points.get(place).copied().unwrap_or([255; 3])).collect() }
}

fn halved(points: &[Colour], side: usize) -> Vec<Colour> {
    let at = |x: usize, y: usize| points.get(y * side + x).copied().unwrap_or([255; 3]);
    let mean = |x: usize, y: usize| {
        let four = [at(2 * x, 2 * y), at(2 * x + 1, 2 * y), at(2 * x, 2 * y + 1), at(2 * x + 1, 2 * y + 1)];
        let sum = |part: fn(&Colour) -> u8| four.iter().map(|colour| u32::from(part(colour))).sum::<u32>() / 4;
        [sum(|colour| colour[0]), sum(|colour| colour[1]), sum(|colour| colour[2])]
            .map(|part| u8::try_from(part).unwrap_or(255))
    };
    let half = side / 2;
    (0..half).flat_map(|y| (0..half).map(move |x| mean(x, y))).collect()
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests of pictures made here")]
mod tests;
