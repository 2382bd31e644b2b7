//! What icons look like: the groups that logical signatures ask for, and which icons belong to them.
//!
//! An icon is known by what [`Icon`] measures. Two are alike if what stands out in one stands out at nearly the same place, and
//! nearly as much, in the other:
//!
//! ```text
//! spot:        100 - 60 * distance / reach, where reach is three quarters of an area, if the averages differ by a fifth of the
//!              largest at most; of all spots the best counts; else 0
//! sort:        the mean of its three spots
//! confidence:  (colour + 2/3 (grey + bright + smooth) + dark + edge + shares) / 6        at least 72, 68, 64 for 16, 24, 32 points
//!              (bright + dark + 2 edge + smooth) / 6 of icons in black and white, which have six spots of edges   at least 70
//! shares:      the mean of 100 - 10 * difference of the shares of red, green, blue and coloured points
//! ```
//!
//! All of it was compared with ClamAV 1.4.6 in 2,500 variants of two icons, of which 99.6 % were judged alike; the others lie at
//! the limit.
//!
//! There are few such rules, so they stand in one section, as `postcard` writes them.

use crate::ImageError;
use crate::layout::{Frame, Section, Writer};
use crate::model::IconRule;
use dachs_base::{Icon, Spot};
use std::sync::Arc;

/// More are refused.
const MOST: usize = 65_536;

/// The rules of an image.
#[derive(Clone, Debug, Default)]
pub(crate) struct Icons {
    rules: Arc<Vec<IconRule>>,
}

/// Collects rules.
#[derive(Default)]
pub(crate) struct IconWriter {
    rules: Vec<IconRule>,
}

impl IconWriter {
    /// Adds a rule. False if there are too many.
    pub(crate) fn push(&mut self, rule: IconRule) -> bool {
        let room = self.rules.len() < MOST;
        if room {
            self.rules.push(rule);
        }
        room
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        if !self.rules.is_empty() {
            // Plain data is always written.
            let bytes = postcard::to_allocvec(&self.rules).unwrap_or_default();
            writer.section(Section::Icons, 0, |out| out.extend(bytes));
        }
    }
}

impl Icons {
    pub(crate) fn new(frame: &Frame<'_>) -> Result<Icons, ImageError> {
        let broken = ImageError::Section { section: Section::Icons.name(), reason: "they cannot be read" };
        let bytes = frame.bytes(Section::Icons, 0);
        if bytes.is_empty() {
            return Ok(Icons::default());
        }
        match postcard::take_from_bytes::<Vec<IconRule>>(bytes) {
            Ok((rules, [])) if rules.len() <= MOST => Ok(Icons { rules: Arc::new(rules) }),
            _ => Err(broken),
        }
    }

    /// Is there any rule of these groups?
    pub(crate) fn knows(&self, groups: [Option<&str>; 2]) -> bool {
        self.of(groups).next().is_some()
    }

    /// Does one of the icons belong to these groups?
    pub(crate) fn find(&self, groups: [Option<&str>; 2], icons: &[Icon]) -> bool {
        self.of(groups).any(|rule| icons.iter().any(|icon| are_alike(icon, &rule.icon)))
    }

    fn of<'i>(&'i self, groups: [Option<&'i str>; 2]) -> impl Iterator<Item = &'i IconRule> {
        let wanted = move |rule: &&IconRule| {
            groups.iter().zip(&rule.groups).all(|(group, name)| group.is_none_or(|group| group == "*" || group == name))
        };
        self.rules.iter().filter(wanted)
    }
}

/// Least confidence by side, and of icons in black and white.
const ENOUGH: [(u8, u32); 3] = [(16, 72), (24, 68), (32, 64)];
const ENOUGH_WITHOUT_COLOUR: u32 = 70;
/// The largest averages: of colour and grey, and of light and edges.
const MOST_COLOUR: u32 = 4072;
const MOST_LIGHT: u32 = 255;
/// Sums of spots are taken so many times, that thirds of thirds are whole numbers.
const WHOLE: u32 = 216;

/// Do these look alike?
fn are_alike(icon: &Icon, wanted: &Icon) -> bool {
    if icon.side != wanted.side {
        return false;
    }
    let likeness = |ours: &[Spot], theirs: &[Spot], most| likeness(ours, theirs, most, icon.side);
    let light = |ours: &[Spot; 3], theirs: &[Spot; 3]| likeness(ours, theirs, MOST_LIGHT);
    let bright = light(&icon.bright, &wanted.bright);
    let dark = light(&icon.dark, &wanted.dark);
    if icon.coloured == 0 {
        let edge = likeness(&six(&icon.edge, &icon.colour), &six(&wanted.edge, &wanted.colour), MOST_LIGHT);
        let smooth = likeness(&six(&icon.smooth, &icon.grey), &six(&wanted.smooth, &wanted.grey), MOST_LIGHT);
        return 12 * (bright + dark) + 12 * edge + 6 * smooth >= WHOLE * ENOUGH_WITHOUT_COLOUR;
    }
    let colour = likeness(&icon.colour, &wanted.colour, MOST_COLOUR);
    let grey = likeness(&icon.grey, &wanted.grey, MOST_COLOUR);
    let (edge, smooth) = (light(&icon.edge, &wanted.edge), light(&icon.smooth, &wanted.smooth));
    let confidence = 12 * (colour + dark + edge) + 8 * (grey + bright + smooth) + 9 * shares(icon, wanted);
    ENOUGH.iter().any(|(side, enough)| *side == icon.side && confidence >= WHOLE * enough)
}

fn six(first: &[Spot; 3], more: &[Spot; 3]) -> Vec<Spot> {
    first.iter().chain(more).copied().collect()
}

/// How much spots are like others: from 0 to 100 for each.
fn likeness(ours: &[Spot], theirs: &[Spot], most: u32, side: u8) -> u32 {
    let best = |spot: &Spot| theirs.iter().map(|other| nearness(spot, other, most, side)).max().unwrap_or(0);
    ours.iter().map(best).sum()
}

fn nearness(spot: &Spot, other: &Spot, most: u32, side: u8) -> u32 {
    let (dx, dy) = (u32::from(spot.x.abs_diff(other.x)), u32::from(spot.y.abs_diff(other.y)));
    let (distance, reach) = ((dx * dx + dy * dy).isqrt(), (u32::from(side) / 4 * 3 / 4).max(1));
    if distance > reach || u32::from(spot.value.abs_diff(other.value)) > most / 5 {
        return 0;
    }
    100 - 60 * distance / reach
}

/// How much the shares of colours are alike: from 0 to 400.
fn shares(icon: &Icon, wanted: &Icon) -> u32 {
    let all = |icon: &Icon| {
        let [red, green, blue] = icon.shares;
        [red, green, blue, icon.coloured]
    };
    let pairs = all(icon).into_iter().zip(all(wanted));
    pairs.map(|(ours, theirs)| 100_u32.saturating_sub(10 * u32::from(ours.abs_diff(theirs)))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An icon that clamscan measured.
    fn icon() -> Icon {
        let spots = |spots: [(u16, u8, u8); 3]| spots.map(|(value, x, y)| Spot { value, x, y });
        Icon {
            side: 32,
            colour: spots([(3470, 12, 2), (3470, 12, 10), (3470, 12, 18)]),
            grey: spots([(0, 21, 0), (0, 0, 19), (502, 0, 0)]),
            bright: spots([(255, 21, 0), (255, 0, 19), (249, 0, 0)]),
            dark: spots([(199, 12, 2), (199, 12, 10), (199, 12, 18)]),
            edge: spots([(87, 15, 1), (82, 5, 1), (81, 8, 22)]),
            smooth: spots([(0, 0, 23), (1, 22, 13), (1, 12, 18)]),
            shares: [51, 17, 31],
            coloured: 62,
        }
    }

    /// As clamscan 1.4.6 judges each.
    #[test]
    fn icons_are_alike_up_to_a_limit() {
        let none = [Spot { value: 2000, x: 0, y: 0 }; 3];
        let dull = Icon { colour: none, dark: none, ..icon() };
        let cases = [
            (icon(), true),
            (dull, true),
            (Icon { coloured: 56, ..dull }, true),
            (Icon { coloured: 54, ..dull }, false),
            (Icon { shares: [53, 16, 30], ..dull }, true),
            (Icon { shares: [55, 15, 29], ..dull }, false),
            (Icon { grey: none, ..dull }, false),
            (Icon { side: 24, ..icon() }, false),
        ];
        for (wanted, alike) in cases {
            assert_eq!(are_alike(&icon(), &wanted), alike, "{wanted:?}");
        }
    }

    #[test]
    fn groups_are_named_or_any() {
        let rule = |first: &str, second: &str| IconRule { groups: [first.into(), second.into()], icon: icon() };
        let icons = Icons { rules: Arc::new(vec![rule("A", "B"), rule("C", "D")]) };
        for (groups, found) in [
            ([Some("A"), None], true),
            ([None, Some("D")], true),
            ([Some("A"), Some("D")], false),
            ([Some("*"), Some("B")], true),
            ([Some("B"), None], false),
        ] {
            assert_eq!((icons.knows(groups), icons.find(groups, &[icon()])), (found, found), "{groups:?}");
        }
        assert!(!icons.find([Some("A"), None], &[]));
    }
}
