//! Cases, ClamAV's own tool as the oracle, and a page in every step of reading.

use super::*;
use dachs_base::{Limits, Memory, NoClock, read_vec_at};
use std::path::{Path, PathBuf};
use std::process::Command;

fn form(page: &[u8], form: Form) -> Vec<u8> {
    let mut made = Vec::new();
    Normalise::new(page, form).read_to_end(&mut made).unwrap();
    made
}

/// Page, *nocomment*, *notags*: observed on `sigtool --html-normalise` of ClamAV 1.4.6.
#[rustfmt::skip]
const CASES: [(&[u8], &[u8], &[u8]); 59] = [
    (b" Hello \t WORLD\r\n ", b"hello world", b"hello world "),
    (b"a\r\n\r\nB\rC", b"a bc", b"a bc"),
    (b"a <b>  c  </b>  e", b"a <b>c </b>e", b"a c e"),
    (b"< P  Class=Foo  >x", b"<p class=foo>x", b" x"),
    (b"a < b > c", b"a <b>c", b"a c"),
    (b"a > b", b"a > b", b"a > b"),
    (b"a<", b"a<", b"a "),
    (b"<br /><br/>", b"<br /><br/>", b" "),
    (b"a<!-- b > c -->d", b"ac -->d", b"a c -->d"),
    (b"a <!doctype html> b", b"a b", b"a b"),
    (b"<?xml a = 'b'  ?>c", b"<?xml a=\"b\" ?>c", b" c"),
    (b"<b c = 'D  E' f = g>", b"<b c=\"d e\" f=g>", b" "),
    (b"<b c='d'e>f", b"<b c=\"d\" e>f", b" f"),
    (b"<b c='x y z'>w", b"<b c=\"x y z'>w", b" w"),
    (b"<b c='x>y' d>e", b"<b c=\"x>y\" d>e", b" e"),
    (b"<b c='d\"e\"f\"g\"h' i>j", b"<b c=\"d\"e\"f\"g\"h\" i>j", b" j"),
    (b"<b c=d'e f'g h>i", b"<b c=d\"e f'g h>i", b" i"),
    (b"<b \"c\" 'd'>e", b"<b \"c\" 'd'>e", b" e"),
    (b"<b c=\"\td\n\ne\">f", b"<b c=\"\td e\">f", b" f"),
    (b"<b c=\"x>  y\" z>w", b"<b c=\"x>y\" z>w", b" w"),
    (b"<b c='data:x,QUJD' d>e", b"<b c=\"data\"d>e", b" e"),
    (b"<b c=data:x,y z>w", b"<b c=dataz>w", b" w"),
    (b"<b c='data:x' d>e", b"<b c=\"data\" d>e", b" e"),
    (b"<a href='X'>T</a>", b"<a href=\"x\">t</a>", b" X t "),
    (b"<a href=X href=Y>t", b"<a href=x href=y>t", b" X t"),
    (b"<a href='A B C'>t", b"<a href=\"a b c'>t", b" A  t"),
    (b"<a href=''>t", b"<a href=\"\">t", b" t"),
    (b"<a href=X>", b"<a href=x>", b" "),
    (b"<a href='data:x,y' href=Z>t", b"<a href=\"data\"href=z>t", b" t"),
    (b"<img alt=x src='X&amp;Y'>t", b"<img alt=x src=\"x&y\">t", b" X&Y t"),
    (b"<b href=X><a src=X>t", b"<b href=x><a src=x>t", b" t"),
    (b"<a c='data:x,y' href=Z>t", b"<a c=\"data\"href=z>t", b" t"),
    (b"a&amp;b&LT;c&lt;d&Auml;", b"a&b&lt;c<d\xc4", b"a b c d "),
    (b"a&hearts;b&euro;", b"a&#x2665;b&#x20ac;", b"a b "),
    (b"&#65;B&#65 C&#x41;&#X41b;D", b"abA ca&#x041b;d", b" b c d"),
    (b"&#0;&#;&#x;&#65601;&#65536;", b"\0\0\0A", b" "),
    (b"&#255;&#12290;&#xff0e;&#x3000;", b"&#x00ff;..&#x3000;", b" "),
    (b"a&b-c:d_e;F&g.H", b"a&b-c:d_e;f&g.h", b"a f .h"),
    (b"a&verylongentityname;B", b"a&verylongentityname;b", b"a b"),
    (b"a&am", b"a&am", b"a "),
    (b"a&#6", b"a", b"a "),
    (b"<b &amp;=&amp;>c", b"<b &amp;=&>c", b" c"),
    (b"<script>Var A = 'b' ; // C\n</script> d  e", b"<script>vara=\"b\";//c</script>d e", b" d e"),
    (b"<script>if(a<b)c</b></ script></script >d", b"<script>if(a<b)c</b></script></script>d", b" >d"),
    (b"<script>a<!-- </script>b c</script> d", b"<script>a<!--</script>bc</script>d", b" d"),
    (b"<script>a</style> b</script>c", b"<script>a</style>b</script>c", b" c"),
    (b"<style>a { b }</script> c d", b"<style>a{b}</script>c d", b" c d"),
    (b"<script/> a  b", b"<script/>a b", b" a b"),
    (b"<script>a&amp;b &#32;</script>", b"<script>a&b </script>", b" "),
    (b"\xc3\xa9x\xe9y\xef\xbb\xbfz", b"\xc3\xa9x\xe9y\xef\xbb\xbfz", b"\xc3\xc3x\0y\xef\xbb\xbbz"),
    (b"\xe3\x80\x82x\xef\xbc\x8ey\xa1Cz\xa1C", b".x.y.\0z.", b".x.y.\0z."),
    (b"a\xe9", b"a", b"a"),
    (b"<b\xe9 c\xe9='\xe9d\xe9' e='f'>g", b"<b\xe9 c\xe9=\"\xe9d\" e=\"\xe9f\">g", b" g"),
    (b"<b c='\xe3\x80\x82'>d<b e=f>", b"<b c=\"\">d<b e=.f>", b" d "),
    (b"a\x01b\x7fc\0D", b"a\x01b\x7fcd", b"a b\x7fcd"),
    (b"<p>&nbsp; X", b"<p>\xa0 x", b" x"),
    (b"<b><i> </i> </b> x", b"<b><i></i></b>x", b" x"),
    (b"x%41%20<a href='%6A %zz'>y", b"x%41%20<a href=\"%6a %zz\">y", b"x%41%20 %6A %zz y"),
    (b"<![CDATA[ x ]]>y<% a > b %>", b"y<% a>b %>", b" y b %>"),
];

#[test]
fn the_cases_hold() {
    for (page, nocomment, notags) in CASES {
        let show = |bytes: &[u8]| bytes.escape_ascii().to_string();
        assert_eq!(show(&form(page, Form::NoComment)), show(nocomment), "nocomment of {}", show(page));
        assert_eq!(show(&form(page, Form::NoTags)), show(notags), "notags of {}", show(page));
    }
}

/// A reader that gives few bytes at a time.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.1);
        self.0.read(&mut buffer[..count])
    }
}

#[test]
fn the_forms_are_the_same_in_any_steps() {
    let page: Vec<u8> = CASES.iter().cycle().take(1000).flat_map(|(page, ..)| *page).copied().collect();
    for form_ in [Form::NoComment, Form::NoTags] {
        let whole = form(&page, form_);
        for step in [1, 7, 5000] {
            let (mut made, mut buffer) = (Vec::<u8>::new(), vec![0; step]);
            let mut reader = Normalise::new(Slow(&page, step), form_);
            while let Ok(got @ 1..) = reader.read(&mut buffer) {
                made.extend(&buffer[..got]);
            }
            assert_eq!(made, whole, "{form_:?} in steps of {step}");
        }
    }
}

#[test]
fn utf16_becomes_utf8() {
    let text = "\u{feff}<P>\u{e9}\u{20ac}\u{1f9a1}";
    for little in [true, false] {
        let unit = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        let bytes: Vec<u8> = text.encode_utf16().flat_map(unit).collect();
        for step in [1, 2, 3, 4096] {
            let mut made = String::new();
            Utf16::new(Slow(&bytes, step), little).read_to_string(&mut made).unwrap();
            assert_eq!(made, text.trim_start_matches('\u{feff}'));
        }
    }
}

/// What ClamAV's tool makes of a page; `None` if it is not installed.
fn theirs(page: &[u8], folder: &Path) -> Option<(Vec<u8>, Vec<u8>)> {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("page"), page).unwrap();
    let ran = Command::new("sigtool").arg("--html-normalise=page").current_dir(folder).output();
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap_or_default();
    let made = (read("nocomment.html"), read("notags.html"));
    std::fs::remove_dir_all(folder).unwrap();
    ran.ok().map(|_| made)
}

fn compare(page: &[u8], folder: &Path) -> bool {
    let Some((nocomment, notags)) = theirs(page, folder) else {
        eprintln!("SKIPPED: sigtool (Debian's package clamav) is not installed");
        return false;
    };
    let show = |bytes: &[u8]| bytes.escape_ascii().to_string();
    assert_eq!(show(&form(page, Form::NoComment)), show(&nocomment), "nocomment of {}", show(page));
    assert_eq!(show(&form(page, Form::NoTags)), show(&notags), "notags of {}", show(page));
    true
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("dachs-{name}-{}", std::process::id()))
}

/// Pages put together from pieces of markup.
fn generated() -> impl Iterator<Item = Vec<u8>> {
    #[rustfmt::skip]
    const PIECES: [&[u8]; 44] = [
        b"<b>", b"</b>", b"<a href=\"X\">", b"<a href='Y Z'>", b"<img src=Q>", b" ", b"  ", b"\n", b"\t", b"a", b"Bc", b"<",
        b">", b"=", b"\"", b"'", b"/", b"!", b"&amp;", b"&#65;", b"&#x42;", b"&nbsp;", b"&#65", b"&", b";", b"#",
        b"<!-- c -->", b"<!--", b"-->", b"<script>", b"</script>", b"<style>", b"</style>", b"\xc3\xa9", b"\xe3\x80\x82",
        b"\xe9", b"word", b"<br />", b"<td width=\"3\" align='left'>", b"<a ", b"href=", b"src=\"", b"data:", b"\r\n",
    ];
    let mut number = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (number >> 33) as usize % below
    };
    std::iter::from_fn(move || {
        let length = 2 + random(40);
        Some((0..length).flat_map(|_| PIECES[random(PIECES.len())]).copied().collect())
    })
}

/// Everything that is made of a page, in one block: byte by byte, or in stretches.
fn made(page: &[u8], stretches: bool) -> (Vec<u8>, Vec<u8>, VecDeque<Vec<u8>>) {
    let mut machine = Machine::default();
    let mut output = Output { scripts: Some(Scripts::default()), ..Output::default() };
    if stretches {
        machine.go(page, &mut output);
    } else {
        let kept = page.iter().filter(|byte| !matches!(byte, 0 | b'\r'));
        kept.for_each(|byte| machine.step(*byte, &mut output));
    }
    machine.finish(&mut output);
    (output.nocomment, output.notags, output.scripts.unwrap().whole)
}

#[test]
fn stretches_are_the_same_as_single_bytes() {
    let mut scripts = 0;
    for page in CASES.iter().map(|(page, ..)| page.to_vec()).chain(generated().take(20_000)) {
        let together = made(&page, true);
        scripts += together.2.len();
        assert_eq!(together, made(&page, false), "{}", page.escape_ascii());
    }
    assert!(scripts > 1000, "{scripts}");
}

#[test]
fn forms_that_are_made_at_once_are_those_that_are_read() {
    let budget = Budget::new(Limits::default(), NoClock);
    let long: Vec<u8> = generated().take(400).flatten().collect();
    for page in generated().take(500).chain([long]) {
        let source: Arc<dyn Source> = Arc::new(Memory::new(page.clone()));
        let forms = forms(&source, &budget).unwrap();
        let mut scripts = scripts(&source, &budget).unwrap();
        while scripts.advance().unwrap() {}
        let read = |source: &dyn Source| read_vec_at(source, 0, 1 << 20);
        assert_eq!(read(&*forms.nocomment), form(&page, Form::NoComment));
        assert_eq!(read(&*forms.notags), form(&page, Form::NoTags));
        assert!(forms.scripts.scripts.into_iter().eq(std::iter::from_fn(|| scripts.output.next_script())));
    }
    let long: Arc<dyn Source> = Arc::new(Memory::new(vec![b'a'; 1 + (1 << 20)]));
    assert!(forms(&long, &budget).is_none());
    let poor = Budget::new(Limits { memory: 1 << 17, ..Limits::default() }, NoClock);
    let page: Arc<dyn Source> = Arc::new(Memory::new(vec![b'a'; 1 << 16]));
    assert!(forms(&page, &poor).is_none());
}

/// How many: `DACHS_HTML_PAGES`, by default few, as each takes 10 to 50 ms.
#[test]
fn sigtool_gives_the_same_for_generated_pages() {
    let pages = std::env::var("DACHS_HTML_PAGES").ok().and_then(|count| count.parse().ok()).unwrap_or(30);
    for page in generated().take(pages) {
        if !compare(&page, &scratch("html-generated")) {
            return;
        }
    }
}

/// The only kind of page that is known to differ: an address in `data:` that a quotation mark ends after bytes above 127, tags and
/// references. ClamAV goes on in its midst.
#[test]
fn a_long_address_with_tags_in_it_differs() {
    let page = b"<a asrc=\"data:&#65;\xc3\xa9<img src=Q>&=&#65\xe9&#x42;\"";
    assert_eq!(form(page, Form::NoComment), b"<a asrc=\"data\"");
    assert_eq!(form(page, Form::NoTags), b" ");
    if let Some((nocomment, _)) = theirs(page, &scratch("html-differs")) {
        assert_eq!(nocomment.escape_ascii().to_string(), r#"<a asrc=\"data\">&=A\xe9b\""#);
    }
}

/// Pages of this machine. How many: `DACHS_HTML_PAGES`.
#[test]
fn sigtool_gives_the_same_for_real_pages() {
    let pages = std::env::var("DACHS_HTML_PAGES").ok().and_then(|count| count.parse().ok()).unwrap_or(15);
    let mut folders = vec![PathBuf::from("/usr/share")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            let is_page = entry.path().extension().is_some_and(|name| name == "html" || name == "htm");
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() && is_page && seen < pages => {
                    let page = std::fs::read(entry.path()).unwrap();
                    if !compare(&page, &scratch("html-real")) {
                        return;
                    }
                    seen += 1;
                }
                _ => {}
            }
        }
    }
    eprintln!("{seen} pages compared");
}
