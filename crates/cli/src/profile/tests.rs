//! Profiles as people and programs see them.

use super::*;

fn profile() -> Profile {
    let rule = |name: &str, nanoseconds, hits| Rule {
        name: name.into(),
        source: "<x>.yar".into(),
        nanoseconds,
        longest: nanoseconds / 2,
        hits,
    };
    let rules = vec![rule("slow", 3_000_000_000, 2), rule("quick", 1_000_000_000, 0), rule("idle", 12, 0)];
    Profile { rules, files: 4, bytes: 5000, gaps: vec!["a&b: it is gone".into()] }
}

#[test]
fn times_are_in_units_that_people_read() {
    for (nanoseconds, expected) in
        [(0, "0 ns"), (999, "999 ns"), (1_500, "1.5 µs"), (2_000_000, "2.0 ms"), (61_000_000_000, "61.0 s")]
    {
        assert_eq!(time(nanoseconds), expected);
    }
}

#[test]
fn the_terminal_shows_the_slowest_first() {
    let text = bars(&profile(), 2);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "3 rules on 4 files, 4.8 KiB; each rule alone: 4.0 s");
    assert!(lines[3].contains("3.0 s   75.0%        2") && lines[3].contains("slow (<x>.yar)"), "{text}");
    assert!(lines[3].contains(&"█".repeat(24)) && lines[4].contains("████████ "), "{text}");
    assert_eq!(lines.len(), 5);
}

#[test]
fn a_program_gets_all_numbers() {
    let value = object(&profile(), 10);
    assert_eq!(value["rules"].as_array().unwrap().len(), 3);
    assert_eq!((value["rules"][0]["hits"].as_u64(), value["nanoseconds"].as_u64()), (Some(2), Some(4_000_000_012)));
    assert!(value["rules"][0]["share"].as_f64().is_some_and(|share| (share - 0.75).abs() < 0.001));
    assert_eq!(value["gaps"][0], "a&b: it is gone");
}

#[test]
fn the_page_needs_nothing_else_and_escapes() {
    let page = page(&profile(), 10);
    for part in ["<svg", "slow", "&lt;x&gt;.yar", "a&amp;b", "75.0", "Content-Security-Policy"] {
        assert!(page.contains(part), "{part}");
    }
    for part in ["<script", "http://", "https://", "src=", "<x>", "NaN", "inf"] {
        assert!(!page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<svg").count(), 4);
    assert_eq!(super::page(&Profile::default(), 10).matches("<svg").count(), 4);
}
