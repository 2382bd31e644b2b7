//! Carriers of other files that are small to read: Flash, shortcuts, OneNote, RPM, ASAR, XAR.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod common;

use std::fs;
use std::io::Write;

use common::{Walked, eicar, tool, walk, walk_within};
use dachs_base::{AnomalyKind, FileKind, Limits};

fn paths(walked: &Walked) -> Vec<String> {
    let with = |bytes: &[u8]| bytes.windows(68).any(|window| window == eicar());
    walked.objects.iter().filter(|seen| with(&seen.bytes)).map(|seen| seen.path.join("/")).collect()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A movie whose tags hold the test file.
fn movie(form: u8) -> Vec<u8> {
    let tags = [b"\x78\x00\x05\x5f\x00\x00\x0f\xa0\x00\x00\x0c\x01\x00".as_slice(), &eicar(), b"\0\0"].concat();
    let length = (tags.len() as u32 + 8).to_le_bytes();
    let head = [&[form, b'W', b'S', 15], length.as_slice()].concat();
    match form {
        b'C' => [head, zlib(&tags)].concat(),
        b'Z' => {
            let folder = tempfile::tempdir().unwrap();
            let Some(packed) = tool(folder.path(), "xz", &["--format=lzma", "-c"], &tags) else { return Vec::new() };
            let packed_length = (packed.len() as u32 - 13).to_le_bytes();
            [head.as_slice(), &packed_length, &packed[..5], &packed[13..]].concat()
        }
        _ => [head, tags].concat(),
    }
}

#[test]
fn movies_in_all_three_forms() {
    assert_eq!(paths(&walk(&movie(b'F'))), [""]);
    for form in [b'C', b'Z'] {
        let walked = walk(&movie(form));
        if walked.objects[0].kind == FileKind::Empty {
            continue;
        }
        assert_eq!(paths(&walked), ["movie"], "{}", form as char);
        let inner = walked.at(&["movie"]).unwrap();
        assert_eq!((inner.kind, &inner.bytes[..4]), (FileKind::Swf, &b"FWS\x0f"[..]));
        assert_eq!(walked.anomalies, []);
    }
}

#[test]
fn a_movie_that_is_cut_is_told() {
    let whole = movie(b'C');
    assert!(walk(&whole[..whole.len() - 20]).gap());
}

/// A shortcut with an item list, three strings, and one extra block.
fn shortcut(arguments: &str, behind: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46".to_vec();
    bytes.extend((1_u32 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 7).to_le_bytes());
    bytes.resize(76, 0);
    bytes.extend(b"\x06\0\x04\0ab\0\0");
    for text in ["name", arguments, "icon"] {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.extend((units.len() as u16 / 2).to_le_bytes());
        bytes.extend(units);
    }
    bytes.extend(b"\x0c\0\0\0\x05\0\0\xa0abcd\0\0\0\0");
    bytes.extend(behind);
    bytes
}

#[test]
fn what_a_shortcut_runs_and_carries() {
    let arguments = format!("/c echo {}", String::from_utf8(eicar()).unwrap());
    let walked = walk(&shortcut(&arguments, &eicar()));
    assert_eq!(walked.objects[0].kind, FileKind::Lnk);
    assert_eq!(walked.at(&["arguments"]).unwrap().bytes, arguments.as_bytes());
    assert_eq!(walked.at(&["trailing data"]).unwrap().bytes, eicar());
    assert_eq!(walked.anomalies, []);
    assert_eq!(walk(&shortcut("", b"")).anomalies, []);
    assert!(walk(&shortcut("x", b"")[..90]).gap());
}

const ONE_FILE: &[u8] = b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac";
const ONE_SECTION: &[u8] = b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3";

fn attached(bytes: &[u8]) -> Vec<u8> {
    [ONE_FILE, &(bytes.len() as u64).to_le_bytes(), &[0; 12], bytes, b"\x22\xa7\xfb\x71\x79\x0f\x0b\x4a"].concat()
}

#[test]
fn files_attached_to_a_section() {
    let mut section = ONE_SECTION.to_vec();
    section.resize(65_530, 7);
    section.extend(attached(b"first"));
    section.resize(200_001, 7);
    section.extend(attached(&eicar()));
    let walked = walk(&section);
    assert_eq!(walked.objects[0].kind, FileKind::OneNote);
    assert_eq!(walked.at(&["file 1"]).unwrap().bytes, b"first");
    assert_eq!(walked.at(&["file 2"]).unwrap().bytes, eicar());
    assert_eq!(walked.anomalies, []);
    assert!(walk(&section[..section.len() - 40]).gap());
}

#[test]
fn a_package_gives_header_and_payload() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("eicar.com"), eicar()).unwrap();
    let spec = "Name: t\nVersion: 1\nRelease: 1\nSummary: t\nLicense: MIT\nBuildArch: noarch\n%description\nt\n\
        %install\nmkdir -p %{buildroot}/opt\ncp %{_sourcedir}/eicar.com %{buildroot}/opt/\n%post\necho badger\n%files\n/opt/eicar.com\n";
    fs::write(folder.path().join("t.spec"), spec).unwrap();
    for payload in ["w9.gzdio", "w9.bzdio", "w2.xzdio", "w7.lzdio", "w3.zstdio"] {
        let top = format!("_topdir {}", folder.path().display());
        let source = format!("_sourcedir {}", folder.path().display());
        let payload_macro = format!("_binary_payload {payload}");
        let arguments = ["-bb", "--quiet", "--define", &top, "--define", &source, "--define", &payload_macro, "t.spec"];
        if tool(folder.path(), "rpmbuild", &arguments, b"").is_none() {
            return;
        }
        let package = fs::read(folder.path().join("RPMS/noarch/t-1-1.noarch.rpm")).unwrap();
        let walked = walk(&package);
        assert_eq!(walked.objects[0].kind, FileKind::Rpm);
        assert!(paths(&walked).iter().any(|path| path.ends_with("opt/eicar.com")), "{payload}: {:?}", paths(&walked));
        assert!(walked.at(&["header"]).unwrap().bytes.windows(11).any(|window| window == b"echo badger"));
        assert_eq!(walked.anomalies, [], "{payload}");
        assert!(walk(&package[..package.len() - 30]).gap(), "{payload}");
    }
}

fn asar(json: &str, files: &[u8]) -> Vec<u8> {
    let padded = json.len().next_multiple_of(4);
    let mut bytes = 4_u32.to_le_bytes().to_vec();
    bytes.extend((padded as u32 + 8).to_le_bytes());
    bytes.extend((padded as u32 + 4).to_le_bytes());
    bytes.extend((json.len() as u32).to_le_bytes());
    bytes.extend(json.as_bytes());
    bytes.resize(16 + padded, 0);
    bytes.extend(files);
    bytes
}

#[test]
fn files_of_an_electron_program() {
    let json = r#"{"files":{"a":{"files":{"b.js":{"size":5,"offset":"0"},"l":{"link":"a/b.js"}}},"e.com":{"size":68,"offset":"5"},"x.node":{"size":9,"unpacked":true}}}"#;
    let walked = walk(&asar(json, &[b"hello".as_slice(), &eicar()].concat()));
    assert_eq!(walked.objects[0].kind, FileKind::Asar);
    assert_eq!(walked.at(&["a/b.js"]).unwrap().bytes, b"hello");
    assert_eq!(paths(&walked), ["", "e.com"]);
    assert_eq!(walked.anomalies, []);
    assert!(walk(&asar(json, b"hello")).gap());
    assert!(walk(&asar(r#"{"files":{"a":5}}"#, b"")).gap());
    assert!(walk(&asar(r#"{"files":["#, b"")).gap());
}

#[test]
fn packages_of_macos() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a folder/deep")).unwrap();
    fs::write(folder.path().join("a folder/deep/e&e.com"), eicar()).unwrap();
    fs::write(folder.path().join("a folder/text"), b"badger ".repeat(3000)).unwrap();
    for compression in ["gzip", "bzip2", "lzma", "xz", "none"] {
        let option = format!("xar:compression={compression}");
        let arguments = ["-c", "--format", "xar", "--options", &option, "-f", "package", "a folder"];
        if tool(folder.path(), "bsdtar", &arguments, b"").is_none() {
            return;
        }
        let package = fs::read(folder.path().join("package")).unwrap();
        let walked = walk(&package);
        assert_eq!(walked.objects[0].kind, FileKind::Xar);
        assert_eq!(walked.at(&["a folder/deep/e&e.com"]).unwrap().bytes, eicar(), "{compression}");
        assert_eq!(walked.at(&["a folder/text"]).unwrap().bytes, b"badger ".repeat(3000), "{compression}");
        assert_eq!(walked.anomalies, [], "{compression}");
        assert!(walk(&package[..package.len() - 30]).gap(), "{compression}");
    }
}

/// ASCII85 of whole groups of four bytes (PostScript Language Reference 3.13).
fn ascii85(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(4) {
        let mut four = [0; 4];
        four[..group.len()].copy_from_slice(group);
        let mut number = u32::from_be_bytes(four);
        let mut digits = [0; 5];
        for digit in digits.iter_mut().rev() {
            *digit = (number % 85) as u8 + b'!';
            number /= 85;
        }
        text.extend(digits[..group.len() + 1].iter().map(|digit| *digit as char));
    }
    text
}

fn lines(text: &str) -> String {
    text.as_bytes().chunks(72).map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect()
}

#[test]
fn data_in_the_program_of_a_page() {
    let packed = lines(&ascii85(&zlib(&eicar().repeat(3))));
    let hex: String = eicar().iter().map(|byte| format!("{byte:02x}")).collect();
    let page = format!(
        "%!PS-Adobe-3.0\n/show {{ currentfile /ASCII85Decode filter /FlateDecode filter exec }} def\nshow\n{packed}~>\n\
        (between) =\n{packed}~>\n{{currentfile /ASCIIHexDecode filter}} image\n{}>\nshowpage\n",
        lines(&hex)
    );
    let walked = walk(page.as_bytes());
    assert_eq!(walked.objects[0].kind, FileKind::PostScript);
    assert_eq!(paths(&walked), ["data 1", "data 2", "data 3"], "{:?}", walked.anomalies);
    assert_eq!(walked.at(&["data 2"]).unwrap().bytes, eicar().repeat(3));
    assert_eq!(walked.at(&["data 3"]).unwrap().bytes, eicar());
    assert_eq!(walked.anomalies, []);
    let cut = page.find("between").unwrap() - 60;
    assert!(walk(&page.as_bytes()[..cut]).gap());
}

#[test]
fn the_parts_of_a_page_for_dos() {
    let mut page = b"\xc5\xd0\xd3\xc6".to_vec();
    for number in [32_u32, 12, 0, 0, 44, 68] {
        page.extend(number.to_le_bytes());
    }
    page.resize(32, 0);
    page.extend(b"%!PS-Adobe\n ");
    page.extend(eicar());
    let walked = walk(&page);
    assert_eq!(walked.at(&["page"]).unwrap().bytes, b"%!PS-Adobe\n ");
    assert_eq!(walked.at(&["preview (TIFF)"]).unwrap().bytes, eicar());
    assert!(walk(&page[..60]).gap());
}

#[test]
fn broken_carriers_end_within_their_limits() {
    let limits = Limits { memory: 4 << 20, objects: 200, scan_size: 16 << 20, ..Limits::default() };
    let json = r#"{"files":{"a":{"files":{"b.js":{"size":5,"offset":"0"}}},"e.com":{"size":68,"offset":"5"}}}"#;
    let samples = [
        movie(b'C'),
        movie(b'Z'),
        shortcut("/c calc", &eicar()),
        [ONE_SECTION, &attached(&eicar())].concat(),
        asar(json, &[b"hello".as_slice(), &eicar()].concat()),
    ];
    for sample in samples {
        for place in 0..sample.len() {
            for bit in [0, 3, 7] {
                let mut broken = sample.clone();
                broken[place] ^= 1 << bit;
                let _ = walk_within(&broken, limits.clone());
            }
            let _ = walk_within(&sample[..place], limits.clone());
        }
    }
}

#[test]
fn an_encoding_that_nobody_knows_is_told() {
    let table = br#"<xar><toc><file><name>a</name><data><offset>0</offset><length>4</length><encoding style="application/x-new"/></data></file></toc></xar>"#;
    let packed = zlib(table);
    let header =
        [&b"xar!\0\x1c\0\x01"[..], &(packed.len() as u64).to_be_bytes(), &(table.len() as u64).to_be_bytes(), &[0; 4]];
    let walked = walk(&[header.concat(), packed, b"abcd".to_vec()].concat());
    assert!(walked.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::Unsupported), "{:?}", walked.anomalies);
}
