//! The plots of the page, as SVG in it. Coordinates are in a box of 800 by some height; the page scales it.

use std::fmt::Write;

use super::page::text;
use super::{Profile, Rule, real, time};
use crate::quantity::count;

/// Width of every plot.
const WIDTH: f64 = 800.0;
/// Height of the plots with two axes, and the room left of and below them.
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 70.0;
const BELOW: f64 = 30.0;
/// Rules with a bar of their own.
const BARS: usize = 30;
/// Rules that are drawn as points at most.
const POINTS: usize = 5000;
/// Points of the curve at most.
const STEPS: usize = 400;

/// A bar for each of the slowest rules.
pub(super) fn slowest(profile: &Profile) -> String {
    let longest = real(profile.rules.first().map_or(0, |rule| rule.nanoseconds).max(1));
    let rules: Vec<&Rule> = profile.rules.iter().take(BARS).collect();
    let mut svg = open(real(u64::try_from(rules.len()).unwrap_or(0)) * 20.0);
    for (rule, row) in rules.iter().zip(0_u32..) {
        let (y, width) = (f64::from(row) * 20.0, real(rule.nanoseconds) / longest * 330.0);
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            svg,
            "<g><title>{name}: {hits} hits, {share:.1} % ({source})</title><text x=\"375\" y=\"{low:.1}\" text-anchor=\"end\">{cut}</text>\
             <rect class=\"bar\" x=\"383\" y=\"{high:.1}\" width=\"{width:.1}\" height=\"14\" rx=\"2\"/>\
             <text class=\"soft\" x=\"{end:.1}\" y=\"{low:.1}\">{time}</text></g>",
            name = text(&rule.name),
            cut = text(&rule.name.chars().take(52).collect::<String>()),
            hits = count(rule.hits),
            share = profile.share(rule.nanoseconds) * 100.0,
            source = text(&rule.source),
            low = y + 14.0,
            high = y + 3.0,
            end = 389.0 + width,
            time = time(rule.nanoseconds),
        );
    }
    svg + "</svg>"
}

/// The share of the time that the slowest 1, 2, 3, ... rules take together.
pub(super) fn curve(profile: &Profile) -> String {
    let all = profile.rules.len();
    let step = (all / STEPS).max(1);
    let (mut sum, mut points) = (0_u64, String::new());
    for (number, rule) in profile.rules.iter().enumerate() {
        sum = sum.saturating_add(rule.nanoseconds);
        if number % step == 0 || number + 1 == all {
            let part = real(u64::try_from(number + 1).unwrap_or(0)) / real(u64::try_from(all).unwrap_or(1).max(1));
            let _ = write!(points, "{:.1},{:.1} ", across(part), up(profile.share(sum)));
        }
    }
    let mut svg = axes(&[(0.0, "0"), (0.25, ""), (0.5, "half of the rules"), (0.75, ""), (1.0, "all")]);
    for (part, label) in [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")] {
        mark_up(&mut svg, part, label);
    }
    let _ = write!(svg, "<polyline class=\"line\" points=\"{:.1},{:.1} {points}\"/></svg>", across(0.0), up(0.0));
    svg
}

/// How many rules take 0 to 1 µs a file, 1 to 10 µs, and so on.
pub(super) fn histogram(profile: &Profile) -> String {
    const NAMES: [&str; 8] = ["under 1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "more"];
    let mut counts = [0_u64; NAMES.len()];
    for rule in &profile.rules {
        let each = rule.nanoseconds / profile.files.max(1);
        let decade = usize::try_from(each.checked_ilog10().unwrap_or(0)).unwrap_or(0).saturating_sub(2);
        if let Some(place) = counts.get_mut(decade.min(NAMES.len() - 1)) {
            *place += 1;
        }
    }
    let most = real(counts.iter().copied().max().unwrap_or(0).max(1));
    let mut svg = axes(&[]);
    for ((name, number), place) in NAMES.iter().zip(counts).zip(0_u32..) {
        let part = f64::from(place) / 8.0;
        let (x, y) = (across(part) + 8.0, up(real(number) / most));
        let _ = write!(
            svg,
            "<rect class=\"bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"75\" height=\"{height:.1}\" rx=\"2\"/>\
             <text x=\"{middle:.1}\" y=\"{above:.1}\" text-anchor=\"middle\">{number}</text>\
             <text class=\"soft\" x=\"{middle:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{name}</text>",
            height = up(0.0) - y,
            middle = x + 37.5,
            above = y - 5.0,
            below = HEIGHT - 10.0,
            number = count(number),
        );
    }
    svg + "</svg>"
}

/// A point for each rule with hits; both axes by powers of ten.
pub(super) fn scatter(profile: &Profile) -> String {
    let logarithm = |number: u64| real(number.max(1)).log10();
    let most = logarithm(profile.files).max(1.0);
    let slowest = logarithm(profile.rules.first().map_or(0, |rule| rule.nanoseconds)).max(1.0);
    let mut svg = axes(&[(0.0, "1 hit"), (1.0, &format!("{} hits", count(profile.files)))]);
    mark_up(&mut svg, 0.0, "1 ns");
    mark_up(&mut svg, 1.0, &time(profile.rules.first().map_or(0, |rule| rule.nanoseconds)));
    for rule in profile.rules.iter().filter(|rule| rule.hits > 0).take(POINTS) {
        let _ = write!(
            svg,
            "<circle class=\"mark\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{}: {} hits, {}</title></circle>",
            across(logarithm(rule.hits) / most),
            up(logarithm(rule.nanoseconds) / slowest),
            text(&rule.name),
            count(rule.hits),
            time(rule.nanoseconds),
        );
    }
    svg + "</svg>"
}

fn open(height: f64) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">")
}

/// A plot with two axes, and names below.
fn axes(below: &[(f64, &str)]) -> String {
    let mut svg = open(HEIGHT);
    let (left, right, top, bottom) = (across(0.0), across(1.0), up(1.0), up(0.0));
    let _ = write!(svg, "<path class=\"axis\" d=\"M{left} {top}V{bottom}H{right}\"/>");
    for (part, name) in below {
        let (x, y) = (across(*part), HEIGHT - 10.0);
        let _ = write!(svg, "<text class=\"soft\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{name}</text>");
    }
    svg
}

/// A name left of the axis.
fn mark_up(svg: &mut String, part: f64, name: &str) {
    let (x, y) = (LEFT - 6.0, up(part) + 4.0);
    let _ = write!(svg, "<text class=\"soft\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{name}</text>");
}

/// Where a part of the way from left to right is.
fn across(part: f64) -> f64 {
    LEFT + part.clamp(0.0, 1.0) * (WIDTH - LEFT - 30.0)
}

/// Where a part of the way up is.
fn up(part: f64) -> f64 {
    let bottom = HEIGHT - BELOW;
    bottom - part.clamp(0.0, 1.0) * (bottom - 20.0)
}
