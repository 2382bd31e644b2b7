//! Numbers as C writes them: `%d` of 32 bits, and `%g`.

/// How many bytes a number takes: digits; then, behind a point, digits and an exponent.
pub(super) fn length(text: &[u8]) -> usize {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or(&[]);
        from.saturating_add(rest.iter().take_while(|byte| byte.is_ascii_digit()).count())
    };
    let whole = digits(0);
    if text.get(whole) != Some(&b'.') {
        return whole;
    }
    let fraction = digits(whole + 1);
    match (text.get(fraction), text.get(fraction + 1)) {
        (Some(b'e' | b'E'), Some(b'+' | b'-')) => digits(fraction + 2),
        (Some(b'e' | b'E'), _) => digits(fraction + 1),
        _ => fraction,
    }
}

/// A number as it is written. Whole ones are cut to 32 bits (observed).
pub(super) fn written(figure: &[u8]) -> String {
    let text: String = figure.iter().map(|byte| char::from(*byte)).collect();
    match text.contains('.') {
        true => general(fraction(&text)),
        false => {
            let [.., a, b, c, d] = text.parse::<i64>().unwrap_or(i64::MAX).to_be_bytes();
            i32::from_be_bytes([a, b, c, d]).to_string()
        }
    }
}

/// The longest start of a text that is a number: an exponent without digits does not count.
fn fraction(text: &str) -> f64 {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    text.parse().or_else(|_| mantissa.parse()).unwrap_or(0.0)
}

/// C17 7.21.6.1: `%g`, six significant digits.
fn general(number: f64) -> String {
    if number.is_infinite() {
        return "inf".to_owned();
    }
    let scientific = format!("{number:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", bare(mantissa), exponent.unsigned_abs());
    }
    let places = usize::try_from(5 - exponent).unwrap_or(0);
    bare(&format!("{number:.places$}")).to_owned()
}

/// Without zeros at the end of the fraction.
fn bare(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}
