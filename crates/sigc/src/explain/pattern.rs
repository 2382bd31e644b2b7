//! A pattern for a person: `4d5a "MZ", 2 to 7 bytes, (61 "a" | 6263 "bc"), any byte`.

use dachs_sigdb::model::{Element, Mark, Pattern};

/// Shows a pattern in one line.
pub(super) fn show(pattern: &Pattern) -> String {
    elements(&pattern.elements)
}

fn elements(elements: &[Element]) -> String {
    let mut shown = Vec::new();
    let mut rest = elements;
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|element| same(first, element)).count().max(1);
        let (run, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        shown.push(run_of(first, run));
        rest = after;
    }
    shown.join(", ")
}

/// Are two neighbours shown together?
fn same(first: &Element, other: &Element) -> bool {
    match (known(first), known(other)) {
        (Some(_), Some(_)) => true,
        _ => is_any(first) && is_any(other),
    }
}

/// The byte, if it is known but for its case.
fn known(element: &Element) -> Option<u8> {
    match element {
        Element::Byte { value, mask: 0xff } | Element::Folded(value) => Some(*value),
        _ => None,
    }
}

fn is_any(element: &Element) -> bool {
    matches!(element, Element::Byte { mask: 0, .. })
}

fn run_of(first: &Element, run: &[Element]) -> String {
    match first {
        Element::Byte { mask: 0xff, .. } | Element::Folded(_) => literal(run),
        Element::Byte { mask: 0, .. } if run.len() == 1 => "any byte".to_owned(),
        Element::Byte { mask: 0, .. } => format!("any {} bytes", run.len()),
        Element::Byte { value, mask } => half(*value, *mask),
        Element::Gap { min: 0, max: None } => "any distance".to_owned(),
        Element::Gap { min, max: None } => format!("at least {min} bytes"),
        Element::Gap { min, max: Some(max) } if min == max => format!("{min} bytes"),
        Element::Gap { min, max: Some(max) } => format!("{min} to {max} bytes"),
        Element::Mark { mark, negated } => border(*mark, *negated).to_owned(),
        Element::Alternatives { options, negated } => {
            let options: Vec<String> = options.iter().map(|option| alternative(option)).collect();
            let not = if *negated { "none of " } else { "" };
            format!("{not}({})", options.join(" | "))
        }
        _ => "something that this version cannot show".to_owned(),
    }
}

fn alternative(option: &[Element]) -> String {
    if option.is_empty() { "nothing".to_owned() } else { elements(option) }
}

fn border(mark: Mark, negated: bool) -> &'static str {
    match (mark, negated) {
        (Mark::Boundary, false) => "a boundary",
        (Mark::Boundary, true) => "no boundary",
        (Mark::Line, false) => "the border of a line",
        (Mark::Line, true) => "no border of a line",
        (Mark::Word, false) => "the border of a word",
        (Mark::Word, true) => "no border of a word",
        (Mark::WideWord, false) => "the border of a word in 16-bit characters",
        (Mark::WideWord, true) => "no border of a word in 16-bit characters",
    }
}

/// A byte of which not all bits are known.
fn half(value: u8, mask: u8) -> String {
    match mask {
        0xf0 => format!("{:x}?", value >> 4),
        0x0f => format!("?{value:x}"),
        _ => format!("{value:02x} under mask {mask:02x}"),
    }
}

/// Known bytes in hexadecimal digits, and as text where they are one.
fn literal(run: &[Element]) -> String {
    let bytes: Vec<u8> = run.iter().filter_map(known).collect();
    let mut shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(text) = wide(&bytes) {
        shown += &format!(" \"{text}\" in 16-bit characters");
    } else if let Some(text) = narrow(&bytes) {
        shown += &format!(" \"{text}\"");
    }
    let folded = run.iter().any(|element| matches!(element, Element::Folded(_)));
    shown + if folded { " in either case" } else { "" }
}

/// The bytes as text if most of them are; others are shown as dots.
fn narrow(bytes: &[u8]) -> Option<String> {
    let printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    let count = bytes.iter().filter(|byte| printable(**byte)).count();
    let mostly = count.saturating_mul(4) >= bytes.len().saturating_mul(3) && count > 0;
    mostly.then(|| bytes.iter().map(|byte| if printable(*byte) { char::from(*byte) } else { '.' }).collect())
}

fn wide(bytes: &[u8]) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text = pairs.iter().map(|[low, high]| (*high == 0).then_some(*low)).collect::<Option<Vec<u8>>>()?;
    if pairs.len() > 1 && rest.is_empty() { narrow(&text) } else { None }
}

#[cfg(test)]
mod tests {
    use crate::body::patterns;
    use crate::modifiers::Modifiers;

    #[test]
    fn patterns_are_readable() {
        let cases = [
            ("4d5a{2-7}5045", "", "4d5a \"MZ\", 2 to 7 bytes, 5045 \"PE\""),
            ("0001????02036?", "", "0001, any 2 bytes, 0203, 6?"),
            ("6162*6364??", "", "6162 \"ab\", any distance, 6364 \"cd\", any byte"),
            ("6162(63|6465|)6667", "", "6162 \"ab\", (63 \"c\" | 6465 \"de\" | nothing), 6667 \"fg\""),
            (
                "6162!(63|64){5}{6-}6566",
                "",
                "6162 \"ab\", none of (63 \"c\" | 64 \"d\"), at least 11 bytes, 6566 \"ef\"",
            ),
            ("4142", "w", "41004200 \"AB\" in 16-bit characters"),
            ("414231", "i", "616231 \"ab1\" in either case"),
            ("6162", "f", "the border of a word, 6162 \"ab\", the border of a word"),
        ];
        for (text, modifiers, shown) in cases {
            let patterns = patterns(text, Modifiers::parse(modifiers).unwrap()).unwrap();
            assert_eq!(super::show(&patterns[0]), shown, "{text}");
        }
    }
}
