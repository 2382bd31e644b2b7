//! What bodies mean, what is malformed, and what is odd.

use super::*;

fn read(text: &str) -> Parsed<Pattern> {
    let mut patterns = patterns(text, Modifiers::default())?;
    Ok(patterns.remove(0))
}

fn exact(bytes: &[u8]) -> Vec<Element> {
    bytes.iter().map(|byte| Element::Byte { value: *byte, mask: 0xff }).collect()
}

fn gap(min: u32, max: impl Into<Option<u32>>) -> Element {
    Element::Gap { min, max: max.into() }
}

/// The elements between `ab` and `cd`.
fn between(text: &str) -> Vec<Element> {
    let elements = read(&format!("6162{text}6364")).unwrap().elements;
    assert_eq!(elements[..2], exact(b"ab"), "{text}");
    assert_eq!(elements[elements.len() - 2..], exact(b"cd"), "{text}");
    elements[2..elements.len() - 2].to_vec()
}

#[test]
fn bytes_and_nibbles() {
    assert_eq!(read("6aFf4B").unwrap().elements, exact(&[0x6a, 0xff, 0x4b]));
    assert_eq!(between("??"), [Element::Byte { value: 0, mask: 0 }]);
    assert_eq!(between("6?"), [Element::Byte { value: 0x60, mask: 0xf0 }]);
    assert_eq!(between("?b"), [Element::Byte { value: 0x0b, mask: 0x0f }]);
}

#[test]
fn gaps() {
    let cases = [
        ("*", gap(0, None)),
        ("{5}", gap(5, 5)),
        ("{128}", gap(128, 128)),
        ("{2-7}", gap(2, 7)),
        ("{-7}", gap(0, 7)),
        ("{2-}", gap(2, None)),
        ("{-}", gap(0, None)),
        ("{}", gap(0, None)),
        ("{0}", gap(0, None)),
        ("{-0}", gap(0, None)),
        ("{0-0}", gap(0, None)),
        ("{3-0}", gap(3, None)),
        ("{2}{3}", gap(5, 5)),
        ("{2}*", gap(2, None)),
    ];
    for (text, element) in cases {
        assert_eq!(between(text), [element], "{text}");
    }
    assert_eq!(between("*??"), [gap(0, None), Element::Byte { value: 0, mask: 0 }]);
    assert!(matches!(read("6162{5-3}6364"), Err(Refused::Unsupported(_))));
}

#[test]
fn alternatives() {
    let plain = |options: &[&[u8]], negated| Element::Alternatives {
        options: options.iter().map(|option| exact(option)).collect(),
        negated,
    };
    assert_eq!(between("(61|62)"), [plain(&[b"a", b"b"], false)]);
    assert_eq!(between("(6162|63)"), [plain(&[b"ab", b"c"], false)]);
    assert_eq!(between("!(61|62)"), [plain(&[b"a", b"b"], true)]);
    assert_eq!(between("!(6162|6364)"), [plain(&[b"ab", b"cd"], true)]);
    assert_eq!(between("(61|)"), [plain(&[b"a", b""], false)]);
    assert_eq!(between("(61||62)"), [plain(&[b"a", b"", b"b"], false)]);
    let nested =
        Element::Alternatives { options: vec![vec![plain(&[b"a", b"b"], false)], exact(b"c")], negated: false };
    assert_eq!(between("((61|62)|63)"), [nested]);
    let deepest = |depth: usize| format!("6162{}63{}6465", "(".repeat(depth), ")".repeat(depth));
    assert!(read(&deepest(16)).is_ok());
    assert!(matches!(read(&deepest(17)), Err(Refused::Malformed(_))));
}

#[test]
fn anchored_bytes() {
    assert_eq!(read("61[1-4]6364").unwrap().elements[1], gap(1, 4));
    assert_eq!(read("6364[5]61").unwrap().elements[2], gap(5, 5));
    assert!(read("61[1-2]6364[0-32]67*6263[1]64").is_ok());
    assert!(begins_anchored("61[1-4]6364") && !begins_anchored("6364[1-4]61"));
}

#[test]
fn marks() {
    let mark = |mark, negated| Element::Mark { mark, negated };
    assert_eq!(between("(B)"), [mark(Mark::Boundary, false)]);
    assert_eq!(between("!(L)"), [mark(Mark::Line, true)]);
    let word = read("(W)6162!(W)").unwrap().elements;
    assert_eq!((&word[0], &word[3]), (&mark(Mark::Word, false), &mark(Mark::Word, true)));
}

/// What ClamAV rejects at load.
#[test]
fn malformed_bodies_are_refused() {
    let cases = [
        // odd length, other characters, nothing
        "",
        "6",
        "616",
        "6162g3",
        "61 62",
        "6162*6",
        "?",
        "6162!6364",
        "!616263",
        "616263!",
        "61!62",
        // unbalanced
        "6162(61|62",
        "6162)",
        "(6162",
        "6162{2",
        "6162}",
        "6162[2",
        "6162]",
        "6162|6364",
        "6162(63|64",
        // gaps at the ends, and parts without two known bytes in succession
        "*6162",
        "6162*",
        "{2-5}6162",
        "6162{2-5}",
        "{200}6162",
        "6162{200}",
        "{-5}6162",
        "6162??*",
        "6162**6364",
        "??*6162",
        "{5}*6162",
        "6162*{5}",
        "6162{2-3}66{1}67",
        "6162{2-3}{2-3}6768",
        "61??62??63",
        "61{200}6263",
        "6?62",
        "616?63",
        "61{1}63",
        "61(62|63)64",
        "(61|62)",
        "(6162|6263)",
        "??",
        "????",
        "(B)61(62|63)",
        "6162{1-2}*6364",
        // gaps that are no numbers
        "6162{a}6364",
        "6162{1-2-3}6364",
        "6162{+1}6364",
        "6162{2147483648}6364",
        "6162{99999999999}6364",
        // alternatives
        "()6162",
        "6162()",
        "61()6263",
        "6162(|63)64",
        "!(|63)6465",
        "6162!(63|6465)66",
        "6162!(63|)66",
        "6162!(6?|63)66",
        "6162(63|*)",
        "6162(63|64{1-2}65)66",
        "6162(63|(B))64",
        "6162(6|63)64",
        "6162(63|!(64))65",
        // marks
        "6162(X)",
        "(b)616263",
        "6162(BL)",
        // [x-y]
        "61[4-2]6364",
        "61[33]6263",
        "61[1-33]6263",
        "61[]6364",
        "61[-2]6364",
        "61[a]6364",
        "6162[1-2]",
        "[1-2]6162",
        "616263[1-4]6465",
        "6162*[1-2]6364",
    ];
    for text in cases {
        assert!(matches!(read(text), Err(Refused::Malformed(_))), "{text}: {:?}", read(text));
    }
}

#[test]
fn odd_bodies_are_accepted() {
    for text in [
        "{2}6162",
        "6162{5}",
        "??6162",
        "6162??",
        "6162(63|64)",
        "61??6263",
        "6?6263",
        "(6162)6364",
        "(6162|63)6465",
        "6162(63|??)64",
        "6162(63|6?)64",
        "6162(B)6364",
        "(B)(L)6162",
        "616263(B)(L)",
        "5a(61|6162)6364",
        "6162{1}66{2-3}6768",
        "6162{2-3}6768{1}6a6b",
        "6162??*6566",
        "6162(63|6364)",
        "(B)(61|62)6263",
    ] {
        assert!(read(text).is_ok(), "{text}: {:?}", read(text));
    }
}

#[test]
fn modifiers_change_the_body() {
    let with = |text: &str, letters: &str| patterns(text, Modifiers::parse(letters).unwrap()).unwrap();
    let folded = Element::Folded(b'a');
    assert_eq!(with("4131", "i")[0].elements, [folded.clone(), exact(b"1")[0].clone()]);
    assert_eq!(with("6162", "w")[0].elements, exact(b"a\0b\0"));
    assert_eq!(with("6162", "aw").len(), 2);
    assert_eq!(with("6162", "a"), with("6162", ""));
    let wide = with("6162??(63|6465)", "w").remove(0).elements;
    assert_eq!(wide[..4], exact(b"a\0b\0"));
    assert_eq!(wide[4..6], [Element::Byte { value: 0, mask: 0 }, exact(b"\0")[0].clone()]);
    let options = vec![exact(b"c\0"), exact(b"d\0e\0")];
    assert_eq!(wide[6], Element::Alternatives { options, negated: false });
    assert_eq!(with("6162{3}6364", "w")[0].elements[4], gap(3, 3));
    assert_eq!(with("61[1-2]6364", "w")[0].elements[2], gap(1, 2));
    assert_eq!(with("6162", "iwa")[0].elements[0], folded);
    assert_eq!(with("61626?", "i")[0].elements[2], Element::Byte { value: 0x60, mask: 0xf0 });
    let options = vec![vec![folded.clone()], vec![Element::Folded(b'b')]];
    assert_eq!(with("6162(61|42)", "i")[0].elements[2], Element::Alternatives { options, negated: false });
    let word = with("6162", "f").remove(0).elements;
    assert_eq!(word[0], Element::Mark { mark: Mark::Word, negated: false });
    assert_eq!(word[0], word[3]);
    let wide = &patterns("6162", Modifiers::parse("fw").unwrap()).unwrap()[0];
    let border = Element::Mark { mark: Mark::WideWord, negated: false };
    assert_eq!((wide.elements.first(), wide.elements.last()), (Some(&border), Some(&border)));
}
