//! Confirming a part from its anchor: which starts and which ends it has.
//!
//! The elements of a part are run over a *set of positions*, not over one: every position at which the elements so far can
//! end. Sets are sorted and without doubles, so gaps and alternatives cannot multiply: an element costs at most one step
//! for each length that the part can have so far, where backtracking would take the product. [`crate::Builder`] bounds
//! steps times lengths, and a fuel counter bounds them again, for sets whose bytes no builder made.
//!
//! ```text
//! ab (x|xy) {0-2} cd     after ab: {2}    after (x|xy): {3, 4}    after {0-2}: {3, 4, 5, 6}    after cd: those that hold
//! ```
//!
//! Before the anchor the elements are stored mirrored, and the same loop goes backward.

use crate::code::{self, ALTERNATIVES, DEPTH, EXACT, GAP, MARK, MASKED};
use crate::marks;

/// Steps that one part may take at one position; more than any part of a builder takes.
const FUEL: u64 = 1 << 26;

/// Which way the elements go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Toward the object's start.
    Back,
    /// Toward its end.
    On,
}

/// Replaces the positions at which the elements of `code` can start by those at which they can end. The positions are
/// ascending and without doubles, before and after.
pub(crate) fn run(code: &[u8], way: Way, bytes: &[u8], positions: &mut Vec<usize>) {
    let mut runner = Runner { way, bytes, fuel: FUEL };
    if runner.run(code, positions, DEPTH).is_none() {
        positions.clear();
    }
}

struct Runner<'a> {
    way: Way,
    bytes: &'a [u8],
    fuel: u64,
}

impl Runner<'_> {
    /// Absent if the code is malformed or the fuel is spent.
    fn run(&mut self, mut code: &[u8], positions: &mut Vec<usize>, depth: usize) -> Option<()> {
        while !code.is_empty() && !positions.is_empty() {
            self.step(&mut code, positions, depth)?;
        }
        Some(())
    }

    fn step(&mut self, code: &mut &[u8], positions: &mut Vec<usize>, depth: usize) -> Option<()> {
        self.burn(positions.len())?;
        match code::array(code)? {
            [EXACT] => {
                let run = code::exact_run(code)?;
                self.burn(run.len().saturating_mul(positions.len()))?;
                self.keep(positions, run.len(), |way, bytes| match way {
                    Way::On => bytes == run,
                    Way::Back => bytes.iter().rev().eq(run),
                });
            }
            [MASKED] => {
                let run = code::masked_run(code)?;
                self.burn(run.len().saturating_mul(positions.len()))?;
                let holds = |(byte, [value, mask]): (&u8, &[u8; 2])| byte & mask == *value;
                self.keep(positions, run.len(), |way, bytes| match way {
                    Way::On => bytes.iter().zip(run).all(holds),
                    Way::Back => bytes.iter().rev().zip(run).all(holds),
                });
            }
            [GAP] => {
                let (min, max) = (code::number(code)?, code::number(code)?);
                self.gap(positions, usize::try_from(min).ok()?, usize::try_from(max).ok()?)?;
            }
            [MARK] => self.mark(positions, code::border(code::array::<1>(code)?[0])?),
            [ALTERNATIVES] => {
                let negated = code::array(code)? != [0];
                let options = code::sized_bytes(code)?;
                let depth = depth.checked_sub(1)?;
                if negated {
                    self.none_of(options, positions, depth)?;
                } else {
                    self.any_of(options, positions, depth)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn burn(&mut self, steps: usize) -> Option<()> {
        self.fuel = self.fuel.checked_sub(u64::try_from(steps).ok()?)?;
        Some(())
    }

    /// The position `length` bytes farther, if it is in the window.
    fn far(&self, position: usize, length: usize) -> Option<usize> {
        match self.way {
            Way::On => position.checked_add(length).filter(|end| *end <= self.bytes.len()),
            Way::Back => position.checked_sub(length),
        }
    }

    /// Moves the positions over `length` bytes and keeps those where `holds` says so of these bytes.
    fn keep(&self, positions: &mut Vec<usize>, length: usize, holds: impl Fn(Way, &[u8]) -> bool) {
        positions.retain_mut(|position| {
            let Some(end) = self.far(*position, length) else { return false };
            let stretch = self.bytes.get(end.min(*position)..end.max(*position));
            *position = end;
            stretch.is_some_and(|stretch| holds(self.way, stretch))
        });
    }

    fn gap(&mut self, positions: &mut Vec<usize>, min: usize, max: usize) -> Option<()> {
        let mut after: Vec<usize> = Vec::new();
        for position in positions.iter() {
            let (from, to) = match self.way {
                Way::On => (position.saturating_add(min), position.saturating_add(max).min(self.bytes.len())),
                Way::Back if min > *position => continue,
                Way::Back => (position.saturating_sub(max), position.saturating_sub(min)),
            };
            if min <= max {
                let new = after.last().map_or(from, |last| from.max(last.saturating_add(1)));
                self.burn(to.saturating_add(1).saturating_sub(new))?;
                after.extend(new..=to);
            }
        }
        *positions = after;
        Some(())
    }

    fn mark(&self, positions: &mut Vec<usize>, (mark, negated): marks::Border) {
        let mut after = Vec::new();
        for position in positions.iter() {
            let starts = [1, 2].map(|length| self.far(*position, length));
            for (length, end) in [1, 2].into_iter().zip(starts) {
                let Some(end) = end else { continue };
                let consumed = marks::consume(mark, negated, self.bytes, end.min(*position));
                after.extend(consumed.contains(&Some(length)).then_some(end));
            }
        }
        sort(&mut after);
        *positions = after;
    }

    fn any_of(&mut self, mut options: &[u8], positions: &mut Vec<usize>, depth: usize) -> Option<()> {
        let mut after = Vec::new();
        while !options.is_empty() {
            let option = code::sized_bytes(&mut options)?;
            let mut ends = positions.clone();
            self.burn(positions.len())?;
            self.run(option, &mut ends, depth)?;
            after.append(&mut ends);
        }
        sort(&mut after);
        *positions = after;
        Some(())
    }

    /// Keeps each position from which no option matches, moved over the length of the options.
    fn none_of(&mut self, options: &[u8], positions: &mut Vec<usize>, depth: usize) -> Option<()> {
        let length = fixed_length(options, depth)?;
        let mut after = Vec::new();
        for position in positions.iter() {
            let mut ends = vec![*position];
            self.any_of(options, &mut ends, depth)?;
            after.extend(self.far(*position, length).filter(|_| ends.is_empty()));
        }
        *positions = after;
        Some(())
    }
}

/// The length of the first option; a builder makes negated options of one length only.
fn fixed_length(mut options: &[u8], depth: usize) -> Option<usize> {
    let mut elements = code::sized_bytes(&mut options)?;
    let mut sum = 0_usize;
    while !elements.is_empty() {
        let length = match code::array(&mut elements)? {
            [EXACT] => code::exact_run(&mut elements)?.len(),
            [MASKED] => code::masked_run(&mut elements)?.len(),
            [GAP] => [code::number(&mut elements)?, code::number(&mut elements)?].first().copied()?.try_into().ok()?,
            [MARK] => code::array::<1>(&mut elements)?.len(),
            [ALTERNATIVES] => {
                code::array::<1>(&mut elements)?;
                fixed_length(code::sized_bytes(&mut elements)?, depth.checked_sub(1)?)?
            }
            _ => return None,
        };
        sum = sum.checked_add(length)?;
    }
    Some(sum)
}

fn sort(positions: &mut Vec<usize>) {
    positions.sort_unstable();
    positions.dedup();
}
