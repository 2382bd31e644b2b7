//! Sizes and durations as people write and read them: `10M`, `2G`, `90s`.

use std::time::Duration;

/// Reads a size in bytes: digits, then nothing or one of `K M G T` (powers of 1024), optionally followed by `B` or `iB`.
///
/// # Errors
/// A sentence for the person who wrote it.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, unit) = split_number(text);
    let shift = match unit.to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(format!("{unit:?} is no unit of size; write bytes, or a number with K, M, G or T")),
    };
    let number: u64 = digits.parse().map_err(|_| "a size begins with digits, as in 10M or 2G".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "the size does not fit into 64 bits".to_owned())
}

/// Reads a duration: digits, then `ms`, `s` (also when absent), `m` or `h`.
///
/// # Errors
/// A sentence for the person who wrote it.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = split_number(text);
    let number: u64 = digits.parse().map_err(|_| "a time begins with digits, as in 90s or 5m".to_owned())?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => return Err(format!("{unit:?} is no unit of time; write ms, s, m or h")),
    };
    milliseconds.map(Duration::from_millis).ok_or_else(|| "the time is too long".to_owned())
}

fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()))
}

/// A size for a person: `0 B`, `1023 B`, `1.5 GiB`.
#[must_use]
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u32, &str); 5] = [(50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    match UNITS.iter().find(|(shift, _)| bytes >> shift > 0) {
        Some((shift, unit)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

/// A count with its thousands set apart: `1,234,567`.
#[must_use]
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes a second over a time, never dividing by zero.
#[must_use]
pub(crate) fn rate(bytes: u64, time: Duration) -> u64 {
    let milliseconds = time.as_millis().max(1);
    u64::try_from(u128::from(bytes) * 1_000 / milliseconds).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let table = [
            ("0", 0),
            ("17", 17),
            ("10K", 10 << 10),
            ("10m", 10 << 20),
            ("2G", 2 << 30),
            ("3TiB", 3 << 40),
            ("5MB", 5 << 20),
        ];
        for (text, expected) in table {
            assert_eq!(parse_size(text), Ok(expected), "{text}");
        }
        for text in ["", "M", "1.5G", "-1", "10X", "99999999T", "1 G"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_read() {
        let table = [("90", 90_000), ("90s", 90_000), ("5m", 300_000), ("1h", 3_600_000), ("250ms", 250)];
        for (text, milliseconds) in table {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "1d", "99999999999999999999", "18446744073709551615h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quantities_are_shown() {
        assert_eq!((size(0), size(1023), size(1536)), ("0 B".into(), "1023 B".into(), "1.5 KiB".into()));
        assert_eq!(size(u64::MAX), "16383.9 PiB");
        assert_eq!((count(0), count(999), count(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!(rate(1000, Duration::ZERO), 1_000_000);
    }
}
