//! Icons that were measured by clamscan 1.4.6 (`--debug`).

use super::*;
use dachs_base::Spot;

/// A square icon in 24 bits.
fn bitmap(side: usize, point: impl Fn(usize, usize) -> Colour) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = (side as u32, side as u32 * 2);
    for number in [40, width, height, 24 << 16 | 1, 0, 0, 0, 0, 0, 0] {
        bytes.extend(number.to_le_bytes());
    }
    for y in (0..side).rev() {
        for x in 0..side {
            let [red, green, blue] = point(x, y);
            bytes.extend([blue, green, red]);
        }
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes.resize(bytes.len() + side.div_ceil(32) * 4 * side, 0);
    bytes
}

fn measured(side: usize, point: impl Fn(usize, usize) -> Colour) -> Icon {
    measure::icon(&picture(&bitmap(side, point)).unwrap()).unwrap()
}

fn spots(spots: [(u16, u8, u8); 3]) -> [Spot; 3] {
    spots.map(|(value, x, y)| Spot { value, x, y })
}

/// Edges are measured within a few units, at nearly the same place.
fn near(ours: [Spot; 3], theirs: [(u16, u8, u8); 3]) {
    for (ours, (value, x, y)) in ours.iter().zip(theirs) {
        let near = ours.value.abs_diff(value) <= 8 && ours.x.abs_diff(x) <= 2 && ours.y.abs_diff(y) <= 2;
        assert!(near, "{ours:?} instead of {value} at {x}, {y}");
    }
}

#[test]
fn a_coloured_icon_has_clamavs_measures() {
    let icon = measured(32, |x, y| [x as u8 * 8, y as u8 * 8, 128]);
    assert_eq!(icon.colour, spots([(3210, 0, 23), (3130, 22, 0), (2515, 0, 15)]));
    assert_eq!(icon.grey, spots([(551, 13, 13), (1227, 21, 16), (1329, 13, 21)]));
    assert_eq!(icon.bright, spots([(219, 22, 23), (212, 0, 23), (212, 8, 23)]));
    assert_eq!(icon.dark, spots([(128, 0, 0), (128, 8, 0), (128, 0, 8)]));
    near(icon.edge, [(226, 11, 18), (225, 12, 7), (220, 4, 4)]);
    assert_eq!((icon.side, icon.shares, icon.coloured), (32, [38, 38, 23], 85));
}

#[test]
fn an_icon_in_black_and_white_has_edges_for_colours() {
    let icon = measured(32, |x, _| if x < 16 { [0; 3] } else { [255; 3] });
    assert_eq!(icon.bright, spots([(255, 16, 0), (255, 16, 8), (255, 16, 16)]));
    assert_eq!(icon.dark, spots([(0, 0, 0), (0, 8, 0), (0, 0, 8)]));
    near(icon.edge, [(63, 10, 4), (63, 10, 12), (63, 10, 20)]);
    assert_eq!((icon.shares, icon.coloured, icon.colour[0].value), ([0; 3], 0, 0));
    let few = |count: usize| measured(32, move |x, y| if y * 32 + x < count { [255, 0, 0] } else { [255; 3] }).coloured;
    assert_eq!([few(61), few(62), few(64)], [0, 6, 6]);
}

#[test]
fn sides_come_to_three_sizes() {
    let cases = [
        ((15, 15), None),
        ((16, 15), None),
        ((16, 16), Some(16)),
        ((20, 16), Some(16)),
        ((21, 21), Some(24)),
        ((28, 28), Some(24)),
        ((29, 29), Some(32)),
        ((32, 24), Some(24)),
        ((48, 32), None),
        ((40, 32), Some(32)),
        ((48, 48), Some(24)),
        ((64, 64), Some(32)),
        ((72, 72), Some(18)),
        ((80, 80), Some(32)),
        ((96, 96), Some(24)),
        ((160, 160), Some(20)),
        ((255, 255), Some(32)),
        ((256, 256), Some(32)),
    ];
    for ((width, height), side) in cases {
        assert_eq!(measured_side(width, height), side, "{width}x{height}");
    }
}

#[test]
fn colours_shine_through_on_white() {
    assert_eq!(on_white(&[255, 0, 0, 64]), [255, 191, 191]);
    assert_eq!((on_white(&[1, 2, 3, 255]), on_white(&[1, 2, 3, 0])), ([1, 2, 3], [255; 3]));
}

#[test]
fn broken_icons_are_none() {
    let whole = bitmap(16, |_, _| [1, 2, 3]);
    for length in [0, 4, 39, 40, 100, 40 + 16 * 48 - 1] {
        assert!(picture(&whole[..length]).is_none(), "{length}");
    }
    for (at, byte) in [(0, 255), (3, 255), (4, 0), (5, 255), (14, 7), (16, 1), (11, 255)] {
        let mut broken = whole.clone();
        broken[at] = byte;
        assert!(picture(&broken).is_none(), "{at}");
    }
}
