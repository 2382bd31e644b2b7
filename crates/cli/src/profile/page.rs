//! A profile as an HTML page that needs nothing else: styles and plots stand in it, and it has no script.

use std::fmt::Write;

use super::html::escaped;
use super::plots::{curve, histogram, scatter, slowest};
use super::{Profile, time};
use crate::escape::shown;
use crate::quantity::{count, size};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c1c1c;--soft:#6b6b6b;--line:#d9d6d0;--paper:#faf9f7;--bar:#3a6ea5;--mark:#b3541e}\
@media(prefers-color-scheme:dark){:root{--ink:#e8e6e3;--soft:#a09c96;--line:#3a3835;--paper:#1b1a19;--bar:#7aa7d9;--mark:#e08a52}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2.5rem}p{color:var(--soft)}\
svg{width:100%;height:auto;overflow:visible}svg text{fill:var(--ink);font:12px system-ui,sans-serif}svg .soft{fill:var(--soft)}\
svg .bar{fill:var(--bar)}svg .mark{fill:var(--mark)}svg .axis{stroke:var(--line);fill:none}svg .line{stroke:var(--bar);stroke-width:2;fill:none}\
table{border-collapse:collapse;width:100%}td,th{padding:.2rem .6rem;border-bottom:1px solid var(--line);text-align:left}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}td{overflow-wrap:anywhere}";

/// The page, with its slowest `top` rules in the table.
pub(crate) fn page(profile: &Profile, top: usize) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>YARA rules: what they cost</title>\
         <style>{STYLE}</style></head><body>\n<h1>YARA rules: what they cost</h1>\n"
    );
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        page,
        "<p>{} rules on {} files, {}. Each rule was run alone: {} in all, {} with hits.</p>",
        count(u64::try_from(profile.rules.len()).unwrap_or(u64::MAX)),
        count(profile.files),
        size(profile.bytes),
        time(profile.total()),
        count(u64::try_from(profile.rules.iter().filter(|rule| rule.hits > 0).count()).unwrap_or(u64::MAX)),
    );
    section(&mut page, "The slowest rules", "Time over all files.", &slowest(profile));
    section(&mut page, "How the time is shared", "The share that the slowest rules take together.", &curve(profile));
    section(
        &mut page,
        "How many rules are how slow",
        "Rules by the time they take on a file, on average.",
        &histogram(profile),
    );
    section(
        &mut page,
        "Time and hits",
        "Each rule with hits: in how many files it matched, and its time.",
        &scatter(profile),
    );
    table(&mut page, profile, top);
    gaps(&mut page, profile);
    page.push_str("</body></html>\n");
    page
}

fn section(page: &mut String, title: &str, what: &str, plot: &str) {
    let _ = writeln!(page, "<h2>{title}</h2><p>{what}</p>\n{plot}");
}

fn table(page: &mut String, profile: &Profile, top: usize) {
    let _ = writeln!(
        page,
        "<h2>The slowest {top} as numbers</h2><table><tr><th class=n>Time</th><th class=n>Share</th>\
         <th class=n>Slowest file</th><th class=n>Hits</th><th>Rule</th><th>Source</th></tr>",
        top = count(u64::try_from(top.min(profile.rules.len())).unwrap_or(u64::MAX)),
    );
    for rule in profile.rules.iter().take(top) {
        let _ = writeln!(
            page,
            "<tr><td class=n>{}</td><td class=n>{:.2} %</td><td class=n>{}</td><td class=n>{}</td><td>{}</td><td>{}</td></tr>",
            time(rule.nanoseconds),
            profile.share(rule.nanoseconds) * 100.0,
            time(rule.longest),
            count(rule.hits),
            text(&rule.name),
            text(&rule.source),
        );
    }
    page.push_str("</table>\n");
}

fn gaps(page: &mut String, profile: &Profile) {
    if profile.gaps.is_empty() {
        return;
    }
    page.push_str("<h2>Not measured</h2><ul>\n");
    for gap in &profile.gaps {
        let _ = writeln!(page, "<li>{}</li>", escaped(gap));
    }
    page.push_str("</ul>\n");
}

/// A name that others chose.
pub(super) fn text(name: &str) -> String {
    escaped(&shown(name.as_bytes()))
}
