//! HTML pages: what they hold, in all the ways of writing it, and broken ones.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod common;

use common::{eicar, walk, walk_within};
use dachs_base::{AnomalyKind, FileKind, Limit, Limits};

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = (0..3).fold(0_u32, |number, at| number << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * at) & 63) as usize] as char;
            text.push(if at <= group.len() { digit } else { '=' });
        }
    }
    text
}

/// The members of a page with this in its body.
fn members(body: &str) -> Vec<(String, Vec<u8>)> {
    let walked = walk(format!("<html><body>{body}</body></html>").as_bytes());
    assert_eq!(walked.objects[0].kind, FileKind::Html);
    assert!(!walked.gap(), "{body}: {:?}", walked.anomalies);
    walked.objects.into_iter().skip(1).map(|seen| (seen.path.join("/"), seen.bytes)).collect()
}

#[test]
fn data_urls_come_out_however_they_are_written() {
    let cases: [(&str, &str, &[u8]); 19] = [
        (r#"<img src="data:image/png;base64,QmFkZ2Vy">"#, "image/png", b"Badger"),
        (r#"<img src="data:image/png;base64,QmFkZ2VyIQ==">"#, "image/png", b"Badger!"),
        (r#"<img src="data:image/png;base64,QmFkZ2VyIQ" alt=abcd>"#, "image/png", b"Badger!"),
        (r"<img src='data:image/png;base64,QmFkZ2Vy'>", "image/png", b"Badger"),
        (r"<img src=data:image/png;base64,QmFkZ2Vy>", "image/png", b"Badger"),
        (r"<img src=data:image/png;base64,QmFkZ2Vy alt=abcd>", "image/png", b"Badger"),
        ("<img src=\"\n DATA:image/png;BASE64,QmFk\n  Z2\tVy\n\">", "image/png", b"Badger"),
        (r#"<img src="data:image/png; charset=x ;base64,QmFkZ2Vy">"#, "image/png", b"Badger"),
        (r#"<img src="data:;base64,QmFkZ2Vy">"#, "text/plain", b"Badger"),
        (r#"<img src="data:image/png;base64,QmFk%5A2Vy">"#, "image/png", b"Badger"),
        (r#"<img src="&#100;ata&colon;image/png;base64&comma;QmFk&#x5a;2Vy">"#, "image/png", b"Badger"),
        ("<img src=\"da\nta:image/png;base64,QmFkZ2Vy\">", "image/png", b"Badger"),
        (r#"<a href="data:,A%20b%2c&amp;c">x</a>"#, "text/plain", b"A b,&c"),
        (r#"<a href="data:text/x,100% 5%2 %zz%">x</a>"#, "text/x", b"100% 5%2 %zz%"),
        (r"<style>a{b:url(data:image/gif;base64,QmFkZ2Vy)}</style>", "image/gif", b"Badger"),
        (r"<style>a{b:url( 'data:image/gif;base64,QmFkZ2Vy' )}</style>", "image/gif", b"Badger"),
        (r#"<p style="b:url(&quot;data:image/gif;base64,QmFkZ2Vy&quot;)">"#, "image/gif", b"Badger"),
        (r#"<img srcset="x.png 1x, data:image/gif;base64,QmFkZ2Vy 2x">"#, "image/gif", b"Badger"),
        ("<img src=\"data:image/png;base64,QmFkZ2Vy", "image/png", b"Badger"),
    ];
    for (body, media_type, bytes) in cases {
        let mut found = members(body);
        // Without its closing quote the URL goes on through the tags behind it.
        if !body.ends_with('>') {
            found[0].1.truncate(bytes.len());
        }
        assert_eq!(found, [(format!("data 1 {media_type}"), bytes.to_vec())], "{body}");
    }
}

#[test]
fn what_only_looks_like_a_url_is_none() {
    let bodies = [
        "The data: apples, pears.",
        "metadata:image/png;base64,QmFkZ2Vy",
        "<p title='data: none'>, yes",
        r#"<a href="data:image/png;base64,">"#,
        "x = {data:[1,2]}",
        "data:",
    ];
    for body in bodies {
        assert_eq!(members(body), [], "{body}");
    }
}

#[test]
fn scripts_are_members() {
    let page = "<script>one()</script><SCRIPT type=a src=b></SCRIPT ><Script\ntype='c'>two('&lt;')</sCript>\
        &lt;script&gt;three</script><script>four()";
    let expected = [("script 1", "one()"), ("script 2", "two('&lt;')"), ("script 3", "four()</body></html>")];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    assert_eq!(members(page), expected);
}

#[test]
fn eicar_is_found_at_its_path() {
    let inner = format!("<html><img src='data:application/x;base64,{}'></html>", base64(&eicar()));
    let page = format!("<html><p>x</p><iframe src=\"data:text/html;base64,{}\"></iframe>", base64(inner.as_bytes()));
    let path = ["data 1 text/html", "data 1 application/x"];
    assert_eq!(walk(page.as_bytes()).at(&path).unwrap().bytes, eicar());
    for big in [false, true] {
        let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        let wide: Vec<u8> = std::iter::once(0xfeff).chain(page.encode_utf16()).flat_map(unit).collect();
        let walked = walk(&wide);
        assert_eq!(walked.objects[0].kind, FileKind::Html);
        assert_eq!(walked.at(&path).unwrap().bytes, eicar(), "UTF-16");
    }
}

#[test]
fn an_encoded_script_is_decoded() {
    const SCRIPT: &str = "#@~^CAAAAA==-mD~z'8iAAAAAA==^#~@";
    let page = format!("<html><script language=JScript.Encode>{SCRIPT}</script><script>x{SCRIPT}y</script>");
    let walked = walk(page.as_bytes());
    assert_eq!(walked.at(&["script 1"]).unwrap().bytes, b"var A=1;");
    assert_eq!(walked.at(&["script 2"]).unwrap().bytes, b"xvar A=1;y");
    assert!(walked.anomalies.is_empty());
    let file = walk(SCRIPT.as_bytes());
    assert_eq!(file.objects[0].kind, FileKind::EncodedScript);
    assert_eq!(file.at(&["content"]).unwrap().bytes, b"<script>var A=1;</script>");
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        let wide: Vec<u8> = std::iter::once(0xfeff).chain(page.encode_utf16()).flat_map(order).collect();
        let walked = walk(&wide);
        assert_eq!(walked.at(&["script 1"]).unwrap().bytes, b"var A=1;");
        assert_eq!(walked.at(&["script 2"]).unwrap().bytes, b"xvar A=1;y");
        assert!(walked.anomalies.is_empty());
    }
}

#[test]
fn the_limit_of_objects_is_told() {
    let page = format!("<html>{}", "<img src='data:,x'>".repeat(20));
    let walked = walk_within(page.as_bytes(), Limits { objects: 7, ..Limits::default() });
    assert_eq!(walked.objects.len(), 8);
    assert_eq!(walked.anomalies[0].kind, AnomalyKind::Limit(Limit::Objects));
}

#[test]
fn clamavs_test_file_holds_its_program() {
    let Ok(page) = std::fs::read("/usr/share/clamav-testfiles/clam.exe.html") else {
        eprintln!("SKIPPED: Debian's package clamav-testfiles is not installed");
        return;
    };
    let walked = walk(&page);
    assert!(!walked.gap());
    let program = walked.at(&["data 1 application/octet-stream"]).unwrap();
    assert_eq!((program.kind, program.bytes.len()), (FileKind::Pe, 544));
    assert_eq!(Some(&program.bytes), std::fs::read("/usr/share/clamav-testfiles/clam.exe").ok().as_ref());
}

/// Wherever it is cut and whatever bit is flipped, the page is read to its end in bounded memory.
#[test]
fn broken_pages_are_read_to_their_end() {
    let page = format!(
        "<html><script>a('data:;base64,{}')</script><img src=\"data:&#x69;mage/x;base64,{}\">&colon;<b c=data:a/b,%41 d>",
        base64(&eicar()),
        base64(b"<html><a href='data:,x%20'>")
    );
    let limits = || Limits { memory: 4 << 20, scan_size: 1 << 20, ..Limits::default() };
    for cut in 0..page.len() {
        walk_within(&page.as_bytes()[..cut], limits());
    }
    for bit in 0..page.len() * 8 {
        let mut bytes = page.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let walked = walk_within(&bytes, limits());
        assert!(walked.objects.len() < 20);
    }
}
