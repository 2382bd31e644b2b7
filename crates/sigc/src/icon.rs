//! Lines that say what icons look like (`.idb`): `name:group1:group2:metrics`.
//!
//! The metrics are 124 hexadecimal digits: the side, then six times three spots (colour, grey, bright, dark, edge, smooth),
//! each an average (three digits for the first two sorts, else two), a column and a row, then the shares of red, green and
//! blue and of coloured pixels. `clamscan --debug` prints such a line for each icon that it measures. Names and groups may be
//! empty.

use dachs_base::{Icon, Spot};
use dachs_sigdb::model::IconRule;

use crate::number::digit;
use crate::refused::{Parsed, Refused};

/// Digits of the metrics.
const DIGITS: usize = 124;
/// The largest average of colour and grey.
const MOST: u16 = 4072;
/// What the shares of the three colours may be together, for they are rounded.
const SHARES: u16 = 103;

/// Reads a line.
///
/// # Errors
/// When it is malformed.
pub(crate) fn parse(line: &str) -> Parsed<IconRule> {
    let fields: Vec<&str> = line.split(':').collect();
    let [_, first, second, metrics] = fields.as_slice() else {
        return Err(Refused::malformed("expected name:group1:group2:metrics"));
    };
    if metrics.len() != DIGITS {
        return Err(Refused::malformed(format!("the metrics have {} digits instead of {DIGITS}", metrics.len())));
    }
    let digits = metrics.bytes().map(digit).collect::<Parsed<Vec<u8>>>()?;
    let icon = Digits(&digits).icon().ok_or_else(|| Refused::malformed("the metrics are not those of an icon"))?;
    Ok(IconRule { groups: [(*first).to_owned(), (*second).to_owned()], icon })
}

/// Digits that were not read yet.
struct Digits<'d>(&'d [u8]);

impl Digits<'_> {
    fn icon(mut self) -> Option<Icon> {
        let side = self.byte()?;
        let far = match side {
            16 | 24 | 32 => side - side / 8,
            _ => return None,
        };
        let icon = Icon {
            side,
            colour: self.spots(3, far)?,
            grey: self.spots(3, far)?,
            bright: self.spots(2, far)?,
            dark: self.spots(2, far)?,
            edge: self.spots(2, far)?,
            smooth: self.spots(2, far)?,
            shares: [self.byte()?, self.byte()?, self.byte()?],
            coloured: self.byte()?,
        };
        let shares: u16 = icon.shares.iter().copied().map(u16::from).sum();
        (shares <= SHARES && icon.coloured <= 100).then_some(icon)
    }

    /// Three spots with averages of so many digits, no farther than `far`.
    fn spots(&mut self, digits: usize, far: u8) -> Option<[Spot; 3]> {
        let mut spots = [Spot::default(); 3];
        for spot in &mut spots {
            *spot = Spot { value: self.number(digits)?, x: self.byte()?, y: self.byte()? };
            if spot.value > MOST || spot.x > far || spot.y > far {
                return None;
            }
        }
        Some(spots)
    }

    fn byte(&mut self) -> Option<u8> {
        u8::try_from(self.number(2)?).ok()
    }

    fn number(&mut self, digits: usize) -> Option<u16> {
        let (taken, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        Some(taken.iter().fold(0, |number, digit| number << 4 | u16::from(*digit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "20863160e5171601443161600003000000b000001300ff0300ff0b00ff1300e70001e70009e816015416163f150c2b0004000500000d000005080a203917";

    #[test]
    fn lines_become_rules() {
        let rule = parse(&format!("N:G1:*:{METRICS}")).unwrap();
        assert_eq!(rule.groups, ["G1", "*"]);
        let icon = rule.icon;
        assert_eq!((icon.side, icon.shares, icon.coloured), (32, [10, 32, 57], 23));
        assert_eq!(icon.colour[0], Spot { value: 0x863, x: 22, y: 14 });
        assert_eq!(icon.smooth[2], Spot { value: 0, x: 5, y: 8 });
        for line in [format!(":::{}", METRICS.to_uppercase()), format!("N:G:*:{}64", &METRICS[..122])] {
            assert!(parse(&line).is_ok(), "{line}");
        }
    }

    #[test]
    fn malformed_lines_are_refused() {
        // As clamscan 1.4.6 does with each.
        let changed =
            |at: usize, digits: &str| format!("N:G:H:{}{digits}{}", &METRICS[..at], &METRICS[at + digits.len()..]);
        let lines = [
            String::new(),
            format!("N:G:{METRICS}"),
            format!("N:G:H:{METRICS}:1"),
            format!("N:G:H:{METRICS}0"),
            format!("N:G:H:{METRICS} "),
            format!("N:G:H:{}", &METRICS[1..]),
            changed(0, "1f"),
            changed(0, "40"),
            changed(2, "fe9"),
            changed(5, "1d"),
            changed(7, "1d"),
            changed(23, "fff"),
            changed(116, "65"),
            changed(122, "65"),
            changed(60, "g"),
            changed(60, " "),
        ];
        for line in lines {
            assert!(matches!(parse(&line), Err(Refused::Malformed(_))), "{line}");
        }
    }
}
