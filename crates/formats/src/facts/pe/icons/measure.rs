//! What of an icon signatures compare.
//!
//! Areas of a quarter of the side are moved over the picture, and three that do not overlap are kept with most, and three with
//! least, of each of three things:
//!
//! * colour: the root of saturation² × value of each point (HSV, both to 255);
//! * light: the value;
//! * edges: how fast the distance (CIELAB) of points from a middle grey changes (Sobel), with 255 for the fastest, then blurred
//!   with five taps in both directions.
//!
//! An icon of which less than 6 % is coloured (saturation and value above 85) counts as black and white: six areas of most edges
//! and six of fewest are kept, three of each in the place of colours.
//!
//! Colour, light and shares come out as in ClamAV 1.4.6 to the last digit; edges within a few units, for how it blurs at borders
//! was not found out. Signatures allow a fifth of the range.

use super::{Colour, Picture};
use dachs_base::{Icon, Spot};

/// From here on a point is coloured.
const COLOURED: u8 = 85;
/// Fewer coloured points than this, in percent, and the icon is black and white.
const LEAST_COLOURED: usize = 6;
/// CIELAB's lightness of the middle grey.
const MIDDLE: f64 = 53.585;
/// The taps of the blur, in thousandths.
const TAPS: [u32; 5] = [5, 240, 510, 240, 5];
/// Areas of which each kind is kept, at most.
const KEPT: usize = 6;

/// The measures; nothing for a side that no signature has.
pub(super) fn icon(picture: &Picture) -> Option<Icon> {
    let side = u8::try_from(picture.side).ok().filter(|side| matches!(side, 16 | 24 | 32))?;
    let light: Vec<u32> = picture.points.iter().map(|colour| u32::from(value(colour))).collect();
    let light = Areas::new(&light, picture.side);
    let edges = Areas::new(&edges(picture), picture.side);
    let [edge, more_edge] = halves(&edges.most());
    let [smooth, more_smooth] = halves(&edges.least());
    let (shares, coloured) = colours(picture);
    let [bright, _] = halves(&light.most());
    let [dark, _] = halves(&light.least());
    let mut icon = Icon { side, colour: more_edge, grey: more_smooth, bright, dark, edge, smooth, shares, coloured };
    if coloured > 0 {
        let colour: Vec<u32> = picture.points.iter().map(colourfulness).collect();
        let areas = Areas::new(&colour, picture.side);
        ([icon.colour, _], [icon.grey, _]) = (halves(&areas.most()), halves(&areas.least()));
    }
    Some(icon)
}

fn value(colour: &Colour) -> u8 {
    colour.iter().copied().max().unwrap_or(0)
}

fn saturation(colour: &Colour) -> u8 {
    let (most, least) = (value(colour), colour.iter().copied().min().unwrap_or(0));
    let whole = u32::from(most.saturating_sub(least)) * 255;
    whole.checked_div(u32::from(most)).and_then(|part| u8::try_from(part).ok()).unwrap_or(0)
}

fn colourfulness(colour: &Colour) -> u32 {
    let saturation = u32::from(saturation(colour));
    (saturation * saturation * u32::from(value(colour))).isqrt()
}

/// The shares of red, green and blue, and of coloured points, in percent; all 0 in black and white. Of each coloured point
/// its part of a colour is how far that is from the middle one of the three, rounded up.
fn colours(picture: &Picture) -> ([u8; 3], u8) {
    let coloured = |colour: &&Colour| saturation(colour) > COLOURED && value(colour) > COLOURED;
    let points = picture.points.iter().filter(coloured);
    let (mut sums, mut count) = ([0_u32; 3], 0_usize);
    for colour in points {
        let mut sorted = *colour;
        sorted.sort_unstable();
        let [least, middle, most] = sorted;
        for (sum, part) in sums.iter_mut().zip(colour) {
            let distance = u32::from(part.abs_diff(middle)) * 100;
            *sum += distance.div_ceil(u32::from(most.saturating_sub(least)).max(1));
        }
        count += 1;
    }
    let percent = count * 100 / picture.points.len().max(1);
    if percent < LEAST_COLOURED {
        return ([0; 3], 0);
    }
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    (sums.map(|sum| u8::try_from(sum / count).unwrap_or(100)), u8::try_from(percent).unwrap_or(100))
}

/// How sharp the picture is at each point, to 255.
fn edges(picture: &Picture) -> Vec<u32> {
    let side = picture.side;
    let distances: Vec<f64> = picture.points.iter().map(distance).collect();
    let at = |x: usize, y: usize| distances.get(y * side + x).copied().unwrap_or(0.0);
    let slope = |x: usize, y: usize| {
        if x == 0 || y == 0 || x + 1 >= side || y + 1 >= side {
            return 0.0;
        }
        let column = |x: usize| at(x, y - 1) + 2.0 * at(x, y) + at(x, y + 1);
        let row = |y: usize| at(x - 1, y) + 2.0 * at(x, y) + at(x + 1, y);
        (column(x + 1) - column(x - 1)).hypot(row(y + 1) - row(y - 1))
    };
    let slopes: Vec<f64> = (0..side).flat_map(|y| (0..side).map(move |x| slope(x, y))).collect();
    let most = slopes.iter().copied().fold(0.0, f64::max);
    let sharp: Vec<u32> = if most > 0.0 {
        slopes.iter().map(|slope| whole(slope * 255.0 / most)).collect()
    } else {
        // Where there is no edge at all, ClamAV takes the lowest byte of a colour.
        picture.points.iter().map(|[_, _, blue]| u32::from(*blue)).collect()
    };
    let across = blurred(&sharp, side, 1, side);
    blurred(&across, side, side, 1)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a conversion that saturates")]
fn whole(number: f64) -> u32 {
    number as u32
}

/// Blurs along lines: their points are `step` apart, the lines `line`.
fn blurred(points: &[u32], side: usize, step: usize, line: usize) -> Vec<u32> {
    let mut out = vec![0; points.len()];
    for (across, along) in (0..side).flat_map(|across| (0..side).map(move |along| (across, along))) {
        let tap = |(at, tap): (usize, &u32)| {
            let along = (along + at).checked_sub(2).filter(|along| *along < side)?;
            Some(points.get(across * line + along * step)? * tap)
        };
        let sum: u32 = TAPS.iter().enumerate().filter_map(tap).sum();
        if let Some(place) = out.get_mut(across * line + along * step) {
            *place = sum / 1000;
        }
    }
    out
}

/// How far a colour is from a middle grey in CIELAB (CIE 15, D65; from sRGB, IEC 61966-2-1).
fn distance(colour: &Colour) -> f64 {
    let [red, green, blue] = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    let root = |part: f64| if part > 0.008_856 { part.cbrt() } else { 7.787 * part + 16.0 / 116.0 };
    let x = root((0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.950_47);
    let y = root(0.2126 * red + 0.7152 * green + 0.0722 * blue);
    let z = root((0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.088_83);
    let (lightness, a, b) = (116.0 * y - 16.0 - MIDDLE, 500.0 * (x - y), 200.0 * (y - z));
    (lightness * lightness + a * a + b * b).sqrt()
}

/// The sums of all areas of a quarter of the side.
struct Areas {
    width: usize,
    quarter: usize,
    sums: Vec<u32>,
}

impl Areas {
    /// ClamAV leaves out the last place in a column, and the last two in a row.
    fn new(points: &[u32], side: usize) -> Areas {
        let quarter = side / 4;
        let (width, height) = (side - quarter - 1, side - quarter);
        let line =
            |x: usize, y: usize| points.get(y * side + x..y * side + x + quarter).unwrap_or(&[]).iter().sum::<u32>();
        let sum = |x: usize, y: usize| (y..y + quarter).map(|y| line(x, y)).sum();
        let sums = (0..height).flat_map(|y| (0..width).map(move |x| sum(x, y))).collect();
        Areas { width, quarter, sums }
    }

    fn most(&self) -> [Spot; KEPT] {
        self.best(|sum| u64::from(sum) + 1)
    }

    fn least(&self) -> [Spot; KEPT] {
        self.best(|sum| u64::from(u32::MAX) - u64::from(sum))
    }

    /// The areas with the highest rank, each apart from those before it, the first of equal ones.
    fn best(&self, rank: impl Fn(u32) -> u64) -> [Spot; KEPT] {
        let mut taken: Vec<(usize, usize)> = Vec::new();
        [(); KEPT].map(|()| {
            let free = |x: usize, y: usize| {
                taken.iter().all(|(left, top)| left.abs_diff(x) >= self.quarter || top.abs_diff(y) >= self.quarter)
            };
            let mut best: Option<(u64, usize, u32)> = None;
            for (place, sum) in self.sums.iter().enumerate() {
                let ranked = rank(*sum);
                if best.is_none_or(|(most, ..)| ranked > most) && free(place % self.width, place / self.width) {
                    best = Some((ranked, place, *sum));
                }
            }
            let Some((_, place, sum)) = best else { return Spot::default() };
            let (x, y) = (place % self.width, place / self.width);
            taken.push((x, y));
            let area = u32::try_from(self.quarter * self.quarter).unwrap_or(1).max(1);
            let byte = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
            Spot { value: u16::try_from(sum / area).unwrap_or(u16::MAX), x: byte(x), y: byte(y) }
        })
    }
}

fn halves(spots: &[Spot; KEPT]) -> [[Spot; 3]; 2] {
    let [a, b, c, d, e, f] = *spots;
    [[a, b, c], [d, e, f]]
}
