//! PDF documents built here: what is in them comes out, whatever hides it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod common;

use std::io::Write;

use common::{Walked, eicar, walk, walk_within};
use dachs_base::{AnomalyKind, FileKind, Limits};

/// A document of these objects, given behind their numbers, with a trailer and no table.
fn document(objects: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec();
    for (index, object) in objects.iter().enumerate() {
        bytes.extend(format!("{} 0 obj\n", index + 1).as_bytes());
        bytes.extend(*object);
        bytes.extend(b"\nendobj\n");
    }
    bytes.extend(b"trailer\n<</Root 1 0 R/Size 9>>\nstartxref\n0\n%%EOF\n");
    bytes
}

/// A stream with these entries besides its length.
fn stream(entries: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = format!("<</Length {}{entries}>>\nstream\n", data.len()).into_bytes();
    bytes.extend(data);
    bytes.extend(b"\nendstream");
    bytes
}

fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn hexadecimal(plain: &[u8]) -> Vec<u8> {
    plain.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).chain(*b">").collect()
}

fn names(walked: &Walked) -> Vec<String> {
    walked.objects.iter().map(|seen| seen.path.join("/")).collect()
}

fn assert_holds(walked: &Walked, path: &str, bytes: &[u8]) {
    let found = walked.at(&[path]).unwrap_or_else(|| panic!("{path}: {:?} {:?}", names(walked), walked.anomalies));
    assert!(found.bytes == bytes, "{path}: {}", String::from_utf8_lossy(&found.bytes));
}

#[test]
fn streams_come_out_behind_their_filters() {
    let plain = eicar();
    let packed = deflated(&plain);
    let mut rows: Vec<u8> = vec![2];
    rows.extend(&plain);
    let table: [(&str, Vec<u8>); 12] = [
        ("", plain.clone()),
        ("/Filter/FlateDecode", packed.clone()),
        ("/Filter[/FlateDecode]", packed.clone()),
        ("/Filter[/#46lateD#65code]/DecodeParms[null]", packed.clone()),
        ("/Filter/Fl", packed.clone()),
        ("/F[/Fl]", packed.clone()),
        ("/Filter[/AHx/Fl]", hexadecimal(&packed)),
        ("/Filter[/ASCIIHexDecode/ASCIIHexDecode]", hexadecimal(&hexadecimal(&plain))),
        ("/Filter[/Crypt/FlateDecode]/DecodeParms[<</Name/Identity>>null]", packed.clone()),
        ("/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 68>>", deflated(&rows)),
        ("/Filter/DCTDecode", plain.clone()),
        ("/Filter[/FlateDecode/JPXDecode]", packed.clone()),
    ];
    for (entries, data) in table {
        let walked = walk(&document(&[&stream(entries, &data)]));
        assert_holds(&walked, "object 1 0 stream", &plain);
        assert!(!walked.gap(), "{entries}: {:?}", walked.anomalies);
    }
}

#[test]
fn filters_may_stand_elsewhere() {
    let plain = eicar();
    let data = deflated(&plain);
    for entries in ["/Filter 2 0 R", "/Filter[2 0 R]", "/Filter 3 0 R", "/Filter 2 0 R/DecodeParms 4 0 R"] {
        let objects: [&[u8]; 4] = [&stream(entries, &data), b"/FlateDecode", b"[/FlateDecode]", b"<</Predictor 1>>"];
        let walked = walk(&document(&objects));
        assert_holds(&walked, "object 1 0 stream", &plain);
        assert!(!walked.gap());
    }
    let walked = walk(&document(&[&stream("/Filter 9 0 R", &data)]));
    assert_holds(&walked, "object 1 0 stream", &data);
    assert!(walked.gap());
}

#[test]
fn lengths_may_be_wrong_or_elsewhere() {
    let plain = eicar();
    let data = [plain.clone(), b"\nendstream endobj 7 0 obj(x)endobj".to_vec()].concat();
    let table = [
        (format!("<</Length {}>>stream\r\n", data.len()), true),
        ("<</Length 2 0 R>>stream\n".to_string(), true),
        ("<</Length 5>>stream\n".to_string(), false),
        ("<</Length -5>>stream   \r\n".to_string(), false),
        ("<</Length 99999999999999999999>>stream\n".to_string(), false),
        ("<</Length 18446744073709551615>>stream\n".to_string(), false),
        ("<<>>stream\r".to_string(), false),
        ("<</Length 3 0 R/Broken [ (stream\n".replace("[ (", "["), false),
    ];
    for (head, known) in table {
        let object = [head.as_bytes(), &data, b"\r\nendstream"].concat();
        let length = data.len().to_string();
        let walked = walk(&document(&[&object, length.as_bytes()]));
        assert_holds(&walked, "object 1 0 stream", if known { &data } else { &plain });
        assert!(!walked.gap(), "{head}: {:?}", walked.anomalies);
    }
}

#[test]
fn scripts_come_out_plain() {
    let table: [(&[u8], &str); 8] = [
        (b"<</S/JavaScript/JS(app.alert\\(1\\))>>", "app.alert(1)"),
        (b"<</S/JavaScript/JS(a\\160\\160.b\\\n())>>", "app.b()"),
        (b"<</S/JavaScript/JS<6170702E62>>>", "app.b"),
        (b"<</S/#4aavaScript/#4a#53<61 70\n70>>>", "app"),
        (b"<</JS(\xFE\xFF\0a\0p\0p)>>", "app"),
        (b"<</JS<feff006100700070>>>", "app"),
        (b"<</AA<</O[<</JS(app)>>]>>>>", "app"),
        (b"<</JS (app)/S/JavaScript", "app"),
    ];
    for (object, expected) in table {
        assert_holds(&walk(&document(&[object])), "object 1 0 JavaScript", expected.as_bytes());
    }
}

#[test]
fn scripts_in_objects_of_their_own() {
    let objects: [&[u8]; 3] = [b"<</JS 2 0 R>>[<</JS 3 0 R>>]", b"(app)", &stream("", b"app.alert()")];
    let walked = walk(&document(&objects));
    assert_holds(&walked, "object 2 0 JavaScript", b"app");
    assert_holds(&walk(&document(&[b"(app)"])), "object 1 0 string", b"app");
    let objects: [&[u8]; 2] = [b"<</JS 2 0 R>>", &stream("", b"app.alert()")];
    assert_holds(&walk(&document(&objects)), "object 2 0 JavaScript", b"app.alert()");
}

#[test]
fn embedded_files_have_their_names() {
    let objects: [&[u8]; 2] = [
        b"<</Type/Filespec/F(x)/UF(\xFE\xFF\0e\0.\0c\0o\0m)/EF<</F 2 0 R>>>>",
        &stream("/Type/EmbeddedFile/Filter/FlateDecode", &deflated(&eicar())),
    ];
    assert_holds(&walk(&document(&objects)), "object 2 0 embedded file e.com", &eicar());
    let walked = walk(&document(&[&stream("/Type/EmbeddedFile/Subtype/text#2Fplain", &eicar())]));
    assert_holds(&walked, "object 1 0 stream (EmbeddedFile text/plain)", &eicar());
}

#[test]
fn object_streams_are_looked_into() {
    let inner = b"11 0 12 21 13 39 <</JS(app.alert(1))>> <</JS 13 0 R>>    (late)";
    for entries in ["/Type/ObjStm/N 3/First 17", "/N 3/First 17"] {
        let entries = format!("{entries}/Filter/FlateDecode");
        let walked = walk(&document(&[&stream(&entries, &deflated(inner))]));
        assert_holds(&walked, "object 11 0 JavaScript", b"app.alert(1)");
        assert_holds(&walked, "object 13 0 JavaScript", b"late");
        assert!(!walked.gap(), "{:?}", walked.anomalies);
    }
    for table in ["1 0 2 x", "x", "1 0 2", "1 -5"] {
        let walked = walk(&document(&[&stream("/Type/ObjStm/N 2/First 99", table.as_bytes())]));
        assert!(walked.gap(), "{table}");
    }
    let padded = walk(&document(&[&stream("/Type/ObjStm/N 1/First 9", b" 5 0  \n\n (app)")]));
    assert_holds(&padded, "object 5 0 string", b"app");
    assert!(!padded.gap());
}

#[test]
fn objects_are_found_wherever_they_hide() {
    let hidden: [&[u8]; 5] = [
        b"(  7 0 obj <</JS(app)>> endobj )",
        b"<</Length 40>>stream\n 7 0 obj <</JS(app)>> endobj           endstream",
        b"<</A<</B[ 7 0 obj<</JS(app)>>",
        b"<</A(unclosed   7 0 obj<</JS(app)>>endobj",
        b"% 7 0 obj\n7\t0\r\nobj<</JS(app)>>",
    ];
    for object in hidden {
        let walked = walk(&document(&[object]));
        assert_holds(&walked, "object 7 0 JavaScript", b"app");
    }
    let mut twice = document(&[b"<</JS(one)>>"]);
    twice.extend(document(&[b"<</JS(two)>>"]));
    let walked = walk(&twice);
    let scripts: Vec<&[u8]> = walked.objects.iter().skip(1).map(|seen| seen.bytes.as_slice()).collect();
    assert_eq!(scripts, [b"one", b"two"]);
}

#[test]
fn a_document_in_a_document_is_opened_once() {
    let inner = document(&[b"<</JS(app)>>", &stream("", &eicar())]);
    let outer = document(&[&stream("", &inner), b"<</JS(outer)>>"]);
    let walked = walk(&outer);
    assert_eq!(
        names(&walked),
        [
            "",
            "object 1 0 stream",
            "object 1 0 stream/object 1 0 JavaScript",
            "object 1 0 stream/object 2 0 stream",
            "object 2 0 JavaScript"
        ]
    );
}

#[test]
fn what_cannot_be_decoded_is_told() {
    let table: [(&str, &[u8], AnomalyKind); 6] = [
        ("/Filter/Secret", b"abc", AnomalyKind::Unsupported),
        ("/Filter[/AHx/Secret]", b"6162>", AnomalyKind::Unsupported),
        ("/Filter[/DCTDecode/FlateDecode]", b"abc", AnomalyKind::Unsupported),
        ("/Filter/FlateDecode", b"x\x9cabc", AnomalyKind::Damaged),
        ("/Filter/ASCIIHexDecode", b"61xy>", AnomalyKind::Damaged),
        ("/Filter/Fl/DecodeParms<</Predictor 12/Columns 5 0 R>>", b"abc", AnomalyKind::Unsupported),
    ];
    for (entries, data, kind) in table {
        let walked = walk(&document(&[&stream(entries, data)]));
        assert!(walked.anomalies.iter().any(|anomaly| anomaly.kind == kind), "{entries}: {:?}", walked.anomalies);
    }
    let chain = format!("/Filter[{}]", "/AHx".repeat(100));
    assert!(walk(&document(&[&stream(&chain, b"00")])).gap());
}

#[test]
fn a_cut_is_never_silent_about_a_stream() {
    let whole = document(&[b"<</JS(app)>>", &stream("/Filter/FlateDecode", &deflated(&eicar()))]);
    let start = whole.windows(6).position(|word| word == b"stream").unwrap();
    let end = whole.windows(9).position(|word| word == b"endstream").unwrap();
    for cut in start + 7..end + 8 {
        assert!(walk(&whole[..cut]).gap(), "cut at {cut}");
    }
}

#[test]
fn the_test_file_of_clamav() {
    let Ok(bytes) = std::fs::read("/usr/share/clamav-testfiles/clam.pdf") else {
        eprintln!("SKIPPED: clamav-testfiles is not installed");
        return;
    };
    let walked = walk(&bytes);
    let program = walked.objects.iter().find(|seen| seen.kind == FileKind::Pe).expect("no program came out");
    assert_eq!((program.bytes.len(), crc32fast::hash(&program.bytes)), (544, 0xef07_3cfd));
    assert!(!walked.gap(), "{:?}", walked.anomalies);
}

/// A small budget, so that a broken document that grows is noticed.
fn small() -> Limits {
    let mut limits = Limits::default();
    (limits.objects, limits.scan_size, limits.memory) = (2000, 8 << 20, 8 << 20);
    limits
}

#[test]
fn broken_documents_are_survived() {
    let inner = b"11 0 12 21 13 39 <</JS(app.alert(1))>> <</JS 13 0 R>>    (late)";
    let whole = document(&[
        b"<</S/JavaScript/JS(app\\050)/A[1 0 R<61>]>>",
        &stream("/Type/ObjStm/N 3/First 17/Filter/FlateDecode", &deflated(inner)),
        &stream("/Filter[/AHx/LZW]/DecodeParms[null<</Predictor 2/Colors 3/Columns 9>>]", b"800B6050220C0C8501>"),
        &stream("/Filter[/A85/RL]/Length 9 0 R", b"87cURD]i,\"Ebo80~>"),
    ]);
    for cut in 0..whole.len() {
        walk_within(&whole[..cut], small());
    }
    let mut broken = whole.clone();
    for bit in 0..whole.len() * 8 {
        if bit % 3 != 0 {
            continue;
        }
        broken[bit / 8] ^= 1 << (bit % 8);
        walk_within(&broken, small());
        broken[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn overlaps_end() {
    let header = b"%PDF-1.4\n".to_vec();
    let bombs = [
        b"1 0 obj(".repeat(50_000),
        b"1 0 obj<<>>stream\n".repeat(50_000),
        [b"1 0 obj<<>>stream\n".repeat(50_000), b"endstream".to_vec()].concat(),
        b"1 0 obj<<".repeat(50_000),
        b"1 0 obj[".repeat(50_000),
    ];
    for (index, bomb) in bombs.into_iter().enumerate() {
        let walked = walk_within(&[header.clone(), bomb].concat(), small());
        assert_eq!(walked.gap(), index < 3, "bomb {index}");
    }
    let table = "1 0 ".repeat(20_000);
    let objects = [table.as_bytes(), &b"[]".repeat(20_000)].concat();
    let walked = walk(&document(&[&stream(&format!("/Type/ObjStm/First {}", table.len()), &objects)]));
    assert!(!walked.objects.is_empty());
}
