//! Cases, ClamAV's own program as the oracle, and scripts that are made to exhaust.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use dachs_base::{Limits, Memory, NoClock};

use super::*;

fn normalised(page: &[u8]) -> io::Result<Vec<u8>> {
    let budget = Budget::new(Limits::default(), NoClock);
    let source: Arc<dyn Source> = Arc::new(Memory::new(page.to_vec()));
    let mut made = Vec::new();
    opener(&source, &budget)()?.read_to_end(&mut made).map(|_| made)
}

fn in_page(script: &[u8]) -> Vec<u8> {
    [b"<html><script>".as_slice(), script, b"</script></html>"].concat()
}

/// Scripts, and what ClamAV 1.4.6 makes of them.
#[rustfmt::skip]
const CASES: [(&[u8], &[u8]); 122] = [
    (b"eval(function(p,a,c,k,e,d){return p}('a b',2,2,'x|y'.split('|'),0,{}))", b"<script>eval(function(n000,n001,n002,n003,n004,n005){return n000}(a))</script>"),
    (b"dF('%42%43%441')", b"<script></script>"),
    (b"dF('%42%43%44%3b1');x", b"<script>x</script>abc:</script>"),
    (b"dF(\"BCD;1\");x", b"<script>x</script>abc:</script>"),
    (b"dF(\"BCD;2\");x", b"<script>x</script>"),
    (b"dF(\"\");x", b"<script>df(\"\");x</script>"),
    (b"dF(\"1\");x", b"<script>x</script>"),
    (b"dF(a);x", b"<script>df(a);x</script>"),
    (b"x.dF(\"BCD1\")", b"<script>x.df(\"bcd1\")</script>"),
    (b"dF(\"%26%3535%26%3536%3b1\");x", b"<script>x</script>b4b5:</script>"),
    (b"dF(\"BCD;1\")", b"<script></script>abc:</script>"),
    (b"dF(\"BCD;1\"+\"2\");", b"<script></script>ab9/</script>"),
    (b"document.write(dF(\"BCD;1\"));", b"<script>document.write();</script>abc:</script>"),
    (b"function dF(s){var s1=unescape(s.substr(0,s.length-1));}dF(\"%42%43%44%3b1\");x", b"<script>function n000(n001){var n002=unescape(n001.substr(0,n001.length-1));}x</script>abc:</script>"),
    (b"010;", b"<script>10;</script>"),
    (b"99999999999999999999", b"<script>-1</script>"),
    (b"eval(\"a;\")eval(\"b;\")", b"<script>a;b;</script>"),
    (b"1.5e+x", b"<script>1.5 x</script>"),
    (b"var f=function(a){a};a", b"<script>var n000=function(n001){n001};a</script>"),
    (b"function f(){if(1){var x;}var a,b;a b}", b"<script>function n000(){if(1){var n001;}var n002,b;n002 b}</script>"),
    (b"100000000000", b"<script>1215752192</script>"),
    (b"unescape()", b"<script>unescape()</script>"),
    (b"var var a;a", b"<script>var var n000;n000</script>"),
    (b"function f g(a){a}a", b"<script>function n000 g(n001){n001}a</script>"),
    (b"eval(\"/* \")a*/b", b"<script>a*/b</script>"),
    (b"unescape(\"\\x2541\")", b"<script>\"a\"</script>"),
    (b"\"\\a\\c\\d\\e\\1\\8\"", b"<script>\"acde18\"</script>"),
    (b"{{var a,b;a b}}", b"<script>{{var n000,b;n000 b}}</script>"),
    (b"var window,document,eval,unescape,String,Math,Array;window document eval unescape String Math Array alert", b"<script>var n000,n001,n002,n003,n004,n005,n006;n000 n001 n002 n003 n004 n005 n006 alert</script>"),
    (b"function f{a}b", b"<script>function n000{a}b</script>"),
    (b"\"a\\nb\"", b"<script>\"a b\"</script>"),
    (b"function f(a){{{a}a}a}a", b"<script>function n000(n001){{{n001}n001}n001}a</script>"),
    (b"eval(a)", b"<script>eval(a)</script>"),
    (b"\"\\x\"", b"<script>\"\\\"</script>"),
    (b"eval;a", b"<script>eval;a</script>"),
    (b"eval(\"a;\"+'b;')", b"<script>a;b;</script>"),
    (b"unescape('%u')", b"<script>\"%u\"</script>"),
    (b"var a=[],b;a b", b"<script>var n000=[],n001;n000 n001</script>"),
    (b"var a;b.a;a.b", b"<script>var n000;b.a;n000.b</script>"),
    (b"((())var a,b;a b", b"<script>((())var n000,n001;n000 n001</script>)</script>"),
    (b"1.5.6", b"<script>1.5.6</script>"),
    (b"a[\"b\"+\"c\"]", b"<script>a[\"bc\"]</script>"),
    (b"1e", b"<script>1 e</script>"),
    (b"var a;a:b", b"<script>var n000;n000:b</script>"),
    (b"unescape('%u12')", b"<script>\"%u12\"</script>"),
    (b"var a=[1,b],c;a b c", b"<script>var n000=[1,b],n001;n000 b n001</script>"),
    (b"\"a\\101b\"", b"<script>\"a101b\"</script>"),
    (b"var a=[[1,b],c],d;a b c d", b"<script>var n000=[[1,b],c],n001;n000 b c n001</script>"),
    (b"a=5-3", b"<script>a=5-3</script>"),
    (b"var a;\"x\".a", b"<script>var n000;\"x\".a</script>"),
    (b"unescape('%u00e9%E9')", b"<script>\"\xc3\xa9\xe9\"</script>"),
    (b"var a;function f(){a}function g(){a}", b"<script>var n000;function n001(){n000}function n002(){n000}</script>"),
    (b"'a\n'b", b"<script>\"a \"b</script>"),
    (b"\"a\\u12z4b\"", b"<script>\"a\xe1\x88\x84b\"</script>"),
    (b"\"a\nb\"", b"<script>\"a b\"</script>"),
    (b"1.5ex", b"<script>1.5 x</script>"),
    (b"1.5", b"<script>1.5</script>"),
    (b"\"a  b\"", b"<script>\"a  b\"</script>"),
    (b"\"a\"+\"b\".length", b"<script>\"ab\".length</script>"),
    (b"var A,a;A a", b"<script>var n000,n001;n000 n001</script>"),
    (b"unescape(\"%41\"+b)", b"<script>\"a\"b)</script>"),
    (b"a//x y z\nw v", b"<script>a y z w v</script>"),
    (b"unescape('%25%34%31')", b"<script>\"%41\"</script>"),
    (b"eval('var z=1')z", b"<script>var n000=n000</script>"),
    (b"\"\\xe9\"", b"<script>\"\xe9\"</script>"),
    (b"\"a\"+\"b\"+\"c\"+\"d\"", b"<script>\"abcd\"</script>"),
    (b"var f=function g(a){a};a;g", b"<script>var n000=function n001(n002){n002};a;g</script>"),
    (b"1.0", b"<script>1</script>"),
    (b"\"a\"[\"length\"]", b"<script>\"a\"[\"length\"]</script>"),
    (b"\"\\x4zb\"", b"<script>\"\xffb\"</script>"),
    (b"function f(){{}var a,b;a b}", b"<script>function n000(){{}var n001,b;n001 b}</script>"),
    (b"eval(function(p,a,c,k,e,d){return p}('0 1=a;Z(11);10;9',62,4,'var|abc|xyz|alert'.split('|'),0,{}));y", b"<script>eval(function(n000,n001,n002,n003,n004,n005){return n000}(var n006=a;z(11);10;));y</script>"),
    (b"eval(\"// \")a b", b"<script>a b</script>"),
    (b"a&&b||c?d:e", b"<script>a&&b||c?d:e</script>"),
    (b"0.00010", b"<script>0.0001</script>"),
    (b"\xc3\xa9", b"<script></script>"),
    (b"eval(\"var a;function f(){a}\")a f", b"<script>var n000;function n001(){n000}n000 f</script>"),
    (b"((\"a\")+\"b\")", b"<script>((\"a\")+\"b\")</script>"),
    (b"eval(\"{\")var a;a}", b"<script>{var n000;n000}</script>"),
    (b"if({}){}var a,b;a b", b"<script>if({}){}var n000,n001;n000 n001</script>"),
    (b"var a=1}b,c;a b c", b"<script>var n000=1}b,n001;n000 b n001</script>"),
    (b"a\tb\n\nc\x0bd", b"<script>a b c d</script>"),
    (b"-2147483649", b"<script>--2147483647</script>"),
    (b"{{{var a;a}}}", b"<script>{{{var n000;n000}}}</script>"),
    (b"unescape('%00%0a')", b"<script>\"\x01 \"</script>"),
    (b"a>>>=b>>c<<=d===e!==f!=g", b"<script>a>>>=b>>c<<=d===e!==f!=g</script>"),
    (b"function f(a){a}}a", b"<script>function n000(n001){n001}}a</script>"),
    (b"0.00001234", b"<script>1.234e-05</script>"),
    (b"var x;function f(){x;var x}x", b"<script>var n000;function n001(){n002;var n002}n000</script>"),
    (b"()var a,b;a b", b"<script>()var n000,n001;n000 n001</script>"),
    (b"1e5", b"<script>1 e5</script>"),
    (b"var a=b,c=d;a b c d", b"<script>var n000=b,n001=d;n000 b n001 d</script>"),
    (b"1.5e400", b"<script>inf</script>"),
    (b"eval(\"function f(a){a;}f;\")f", b"<script>function n000(n001){n001;}f;f</script>"),
    (b"this.a=1;var a;this.a", b"<script>this.a=1;var n000;this.a</script>"),
    (b"08", b"<script>8</script>"),
    (b"function f;a", b"<script>function n000;a</script>"),
    (b"\"a\\qb\\/c\\", b"<script>\"aqb/c</script>\"</script>"),
    (b"//x\n y", b"<script>y</script>"),
    (b"x=/ab\"c/gi; y", b"<script>x=/ab\"c/gi; y</script>\"</script>"),
    (b"function x(p,a,c,k,e,d){return p}('0 1=2;',10,3,'var|b|xyz'.split('|'),0,{})", b"<script>function n000(n001,n002,n003,n004,n005,n006){return n001}(\"0 1=2;\",10,3,\"var|b|xyz\".split(\"|\"),0,{})</script>"),
    (b"unescape(a)", b"<script>unescape(a)</script>"),
    (b"9223372036854775807", b"<script>-1</script>"),
    (b"1.50", b"<script>1.5</script>"),
    (b"3.14159265358979", b"<script>3.14159</script>"),
    (b"eval(\"a\")", b"<script></script>"),
    (b"document.write(\"<script>var a=1;</script>\")", b"<script>document.write(\"<script>var a=1;</script>\")</script>"),
    (b"eval(\"a b \")c", b"<script>a b c</script>"),
    (b"var a=((1,b),c),d;a b c d", b"<script>var n000=((1,n001),n002),n003;n000 n001 n002 n003</script>"),
    (b"eval(\"a;\"+b)", b"<script>eval(\"a;\"+b)</script>"),
    (b"1.5e3", b"<script>1500</script>"),
    (b"var f;function f(){}f", b"<script>var n000;function n001(){}n000</script>"),
    (b"\"a\\x4\"", b"<script>\"a\\\"</script>"),
    (b"x.y=1;var y;y;x.y;x[\"y\"]", b"<script>x.y=1;var n000;n000;x.y;x[\"y\"]</script>"),
    (b"{}var a,b;a b", b"<script>{}var n000,n001;n000 n001</script>"),
    (b"\"a\\u0041b\"", b"<script>\"aab\"</script>"),
    (b"4294967296", b"<script>0</script>"),
    (b"for(var i=0;i<9;i++){i}i", b"<script>for(var n000=0;n000<9;n000++){n000}n000</script>"),
    (b"\"\\xzz\"", b"<script>\"\xff\"</script>"),
    (b"09.5", b"<script>9.5</script>"),
    (b"unescape(\"%75nescape('%41')\")", b"<script>\"unescape('a')\"</script>"),
    (b"function f(){function g(){}var a,b;a b}", b"<script>function n000(){function n001(){}var n002,b;n002 b}</script>"),
];

#[test]
fn the_cases_hold() {
    for (script, expected) in CASES {
        let made = normalised(&in_page(script)).unwrap();
        assert_eq!(made.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{}", script.escape_ascii());
    }
}

/// Pages, and the form of their scripts.
#[test]
fn scripts_are_found_in_pages() {
    let cases: [(&[u8], &[u8]); 9] = [
        (
            b"<script>var a;</script><p>x</p><script>var b;a;b</script>",
            b"<script>var n000;</script>\n<script>var n000;a;n000</script>",
        ),
        (b"<body onload=\"var a=1;a\"><script>var z;z</script>", b"<script>var n000;n000</script>"),
        (b"<script src=\"x.js\"></script>b", b"<script></script>"),
        (b"<style>a b</style>", b""),
        (b"<script>a&amp;b &#65; &lt;</script>", b"<script>a&amp;b&65;&lt;</script>"),
        (b"<script>\"</script>\"; x</script> y", b"<script>\"</script>\"</script>"),
        (b"<script>\"a", b"<script>\"a\"</script>"),
        (b"<script>a b", b"<script>a</script>"),
        (b"<SCRIPT>FoO=\"BaR\"</SCRIPT>", b"<script>foo=\"bar\"</script>"),
    ];
    for (page, expected) in cases {
        let made = normalised(page).unwrap();
        assert_eq!(made.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{}", page.escape_ascii());
    }
}

#[test]
fn scripts_made_to_exhaust_meet_the_limit_of_memory_or_end_soon() {
    let many = |piece: &str, count: usize| in_page(piece.repeat(count).as_bytes());
    let word = "x".repeat(200_000);
    let packed = format!("eval(function(p,a,c,k,e,d){{}}('{}',10,1,'{word}'.split('|'),0,{{}}))", "0 ".repeat(200_000));
    assert_eq!(normalised(&in_page(packed.as_bytes())).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
    assert_eq!(normalised(&many("a ", 8 << 20)).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
    for piece in ["function(a){", "eval(\"'a\");", "\"a\"+", "(", "/*", "var a,", "dF('a1')", "function(p,a,c,k,e,d){"]
    {
        let page = many(piece, 50_000);
        assert!(normalised(&page).is_ok_and(|made| made.len() < 20 * page.len()), "{piece}");
    }
}

/// What clamscan makes of pages, by number; `None` if it is not installed.
fn theirs(pages: &[Vec<u8>], folder: &Path) -> Option<BTreeMap<usize, Vec<u8>>> {
    let (input, left) = (folder.join("in"), folder.join("left"));
    std::fs::create_dir_all(&input).unwrap();
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(folder.join("none.hdb"), "aa15bcf478d165efd2065190eb473bcc:544:Nothing\n").unwrap();
    for (number, page) in pages.iter().enumerate() {
        std::fs::write(input.join(format!("page{number:05}")), page).unwrap();
    }
    let mut command = Command::new("clamscan");
    command.args(["--no-summary", "--leave-temps", "-r", "-d"]).arg(folder.join("none.hdb"));
    let ran = command.arg("--tempdir").arg(&left).arg(&input).output();
    let mut made = BTreeMap::new();
    walk(&left, &mut made);
    std::fs::remove_dir_all(folder).unwrap();
    ran.ok().map(|_| made)
}

fn walk(folder: &Path, made: &mut BTreeMap<usize, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, made);
        } else if entry.file_name().to_string_lossy().starts_with("javascript") {
            let text = path.to_string_lossy().into_owned();
            let number = text.rsplit_once("page").and_then(|(_, rest)| rest.get(..5)?.parse().ok());
            made.insert(number.unwrap(), std::fs::read(&path).unwrap());
        }
    }
}

fn compare(pages: &[Vec<u8>], name: &str) {
    let folder = std::env::temp_dir().join(format!("dachs-{name}-{}", std::process::id()));
    let Some(theirs) = theirs(pages, &folder) else {
        eprintln!("SKIPPED: clamscan (Debian's package clamav) is not installed");
        return;
    };
    let mut wrong = String::new();
    let mut differ = 0;
    for (number, expected) in &theirs {
        let made = normalised(&pages[*number]).unwrap();
        if made != *expected {
            differ += 1;
            let show = |bytes: &[u8]| bytes.escape_ascii().to_string().chars().take(4000).collect::<String>();
            let _ = writeln!(wrong, "{}\n  theirs {}\n  ours   {}", show(&pages[*number]), show(expected), show(&made));
        }
    }
    eprintln!("{name}: {} scripts compared, {differ} differ", theirs.len());
    assert!(wrong.is_empty(), "{wrong}");
}

fn count(default: usize) -> usize {
    std::env::var("DACHS_SCRIPTS").ok().and_then(|count| count.parse().ok()).unwrap_or(default)
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len())]
    }
}

const NAMES: [&str; 7] = ["a", "b", "c", "d", "foo", "X1", "$z"];
const LITERALS: [&str; 14] = [
    "1",
    "23",
    "4.5",
    "0.10",
    "1.5e3",
    "0x1F",
    "\"a\"",
    "'b'",
    "\"A b\"",
    "'a;'",
    "\"\\x41\"",
    "'\\n'",
    "unescape('%41%u0042')",
    "'it\\'s'",
];

fn expression(random: &mut Random, depth: usize) -> String {
    let name = random.pick(&NAMES);
    if depth > 3 {
        return name.to_owned();
    }
    let next = |random: &mut Random| expression(random, depth + 1);
    match random.below(12) {
        0..3 => name.to_owned(),
        3..5 => random.pick(&LITERALS).to_owned(),
        5 => format!("{} {} {}", next(random), random.pick(&["+", "-", "*", "==", "&&"]), next(random)),
        6 => format!("{name}({}, {})", next(random), next(random)),
        7 => format!("{name}.{}", random.pick(&NAMES)),
        8 => format!("[{},{}]", next(random), next(random)),
        9 => format!("{{{name}:{}, b:{}}}", next(random), next(random)),
        10 => format!("function({name},q){{{}}}", statements(random, depth + 1)),
        _ => format!("({})", next(random)),
    }
}

fn statements(random: &mut Random, depth: usize) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(3) {
        let (first, second) = (random.pick(&NAMES), random.pick(&NAMES));
        let value = expression(random, depth);
        text += &match random.below(9) {
            0..2 => format!("var {first}={value};"),
            2 => format!("var {first}, {second}={value};"),
            3 if depth < 3 => format!("function {first}({second}){{{}}}", statements(random, depth + 1)),
            4 if depth < 3 => format!("if({value}){{{}}}", statements(random, depth + 1)),
            5 if depth < 3 => format!("for(var {first}=0;{value};{first}++){{{}}}", statements(random, depth + 1)),
            6 => format!("/* {first} */ {value};\n"),
            7 => format!("{value}\n"),
            _ => format!("{value};"),
        };
    }
    text
}

/// How many: `DACHS_SCRIPTS`.
#[test]
fn clamscan_gives_the_same_for_generated_scripts() {
    let mut random = Random(7);
    let mut page = |number: usize| in_page(format!("var i{number};{}", statements(&mut random, 0)).as_bytes());
    let pages: Vec<_> = (0..count(200)).map(&mut page).collect();
    compare(&pages, "scripts");
}

/// Pages of this machine with scripts in them.
#[test]
fn clamscan_gives_the_same_for_the_scripts_of_real_pages() {
    let mut folders = vec![PathBuf::from("/usr/share/doc"), PathBuf::from("/usr/share")];
    let mut pages = Vec::new();
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            let is_page = entry.path().extension().is_some_and(|name| name == "html" || name == "htm");
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() && is_page && pages.len() < count(40) => {
                    let page = std::fs::read(entry.path()).unwrap();
                    if memchr::memmem::find(&page, b"<script").is_some() {
                        pages.push(page);
                    }
                }
                _ => {}
            }
        }
    }
    compare(&pages, "script-pages");
}
