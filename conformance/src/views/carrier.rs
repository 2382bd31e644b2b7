//! Files whose words stand in views: in texts, pages, scripts, parts of mails, members of documents, streams and macros.

#[path = "../../../crates/formats/tests/ole_support/mod.rs"]
#[expect(dead_code, reason = "the tests of compound files use all of it")]
mod compound;

use crate::container::{self, Entry};
use crate::random::Random;

/// A form of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Text,
    Page,
    Script,
    Mail,
    Archive,
    Word,
    Compound,
    Macros,
}

impl Form {
    pub(crate) const ALL: [Form; 8] =
        [Form::Text, Form::Page, Form::Script, Form::Mail, Form::Archive, Form::Word, Form::Compound, Form::Macros];
}

/// A file of this form with some of the words.
pub(crate) fn build(random: &mut Random, form: Form, words: &[String]) -> Vec<u8> {
    match form {
        Form::Text => text(random, words).into_bytes(),
        Form::Page => page(random, words, false).into_bytes(),
        Form::Script => page(random, words, true).into_bytes(),
        Form::Mail => mail(random, words).into_bytes(),
        Form::Archive => container::zip_of("a.txt", &Entry::deflated(text(random, words).as_bytes())),
        Form::Word => document(random, words),
        Form::Compound => compound(random, words),
        Form::Macros => macros(random, words),
    }
}

/// One of the words, in some case.
fn pick(random: &mut Random, words: &[String]) -> String {
    let word = random.pick(words).clone();
    match random.below(4) {
        0 => word.to_uppercase(),
        1 => word[..1].to_uppercase() + &word[1..],
        _ => word,
    }
}

/// Some words with white space of all kinds between them.
fn sentence(random: &mut Random, words: &[String]) -> String {
    let mut text = pick(random, words);
    for _ in 0..random.range(1, 5) {
        text += random.pick::<&str>(&[" ", " ", "  ", "\t", " \r\n", "\n", ", "]);
        text += &pick(random, words);
    }
    text
}

fn text(random: &mut Random, words: &[String]) -> String {
    let lines: Vec<String> = (0..random.range(2, 6)).map(|_| sentence(random, words)).collect();
    lines.join(random.pick::<&str>(&["\n", "\r\n", ".\n\n"]))
}

fn page(random: &mut Random, words: &[String], scripts: bool) -> String {
    let mut page = format!("<html><head><title>{}</title></head>\n<body>\n", sentence(random, words));
    for _ in 0..random.range(2, 7) {
        page += &if scripts && random.once_in(2) { script(random, words) } else { element(random, words) };
        page += random.pick::<&str>(&["", "\n", " "]);
    }
    page + "</body></html>\n"
}

fn element(random: &mut Random, words: &[String]) -> String {
    let inner = sentence(random, words);
    let word = pick(random, words);
    match random.below(8) {
        0 => format!("<p>{inner}</p>"),
        1 => format!("<B>{inner}</B> {word}"),
        2 => format!("<a href=\"http://{word}.example/{word}\">{inner}</a>"),
        3 => format!("<img src='{word}.gif' alt='{inner}'>"),
        4 => format!("<!-- {inner} -->{word}"),
        5 => format!("<div class={word}>{inner}<br/>{word}</div>"),
        6 => format!("{word}&amp;{inner}&lt;{word}"),
        _ => format!("<td  ID = \"{word}\" >{inner}</td>"),
    }
}

fn script(random: &mut Random, words: &[String]) -> String {
    let mut code = String::new();
    for _ in 0..random.range(1, 4) {
        let (one, other) = (pick(random, words), pick(random, words));
        code += &match random.below(6) {
            0 => format!("var {one} = \"{other}\";"),
            1 => format!("x('{one}' + \"{other}\");"),
            2 => format!("function {one}(a) {{ return a + {other}; }}"),
            3 => format!("// {one}\n{other}();"),
            4 => format!("/* {one} */ {other} = 1 + 2;"),
            _ => format!("document.write(\"{one} {other}\");\n"),
        };
    }
    format!("<script>{code}</script>")
}

fn mail(random: &mut Random, words: &[String]) -> String {
    let mut mail = format!(
        "Received: from a.example by b.example; Mon, 1 Jan 2024 00:00:00 +0000\r\nFrom: {}@a.example\r\nTo: b@b.example\r\n\
         Subject: {} {}\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@a.example>\r\nMIME-Version: 1.0\r\n",
        random.pick(words),
        pick(random, words),
        pick(random, words)
    );
    if random.once_in(4) {
        let (head, body) = part(random, words);
        return mail + &head + "\r\n" + &body + "\r\n";
    }
    let kind = random.pick::<&str>(&["mixed", "alternative", "related"]);
    mail += &format!("Content-Type: multipart/{kind}; boundary=\"=_part\"\r\n\r\nA message in parts.\r\n");
    for _ in 0..random.range(1, 4) {
        let (head, body) = part(random, words);
        mail += &format!("--=_part\r\n{head}\r\n{body}\r\n");
    }
    mail + "--=_part--\r\n"
}

/// The head and the body of a part.
fn part(random: &mut Random, words: &[String]) -> (String, String) {
    let (kind, plain) = match random.below(4) {
        0 => ("text/html; charset=us-ascii", page(random, words, false).into_bytes()),
        1 => {
            let member = Entry::deflated(text(random, words).as_bytes());
            ("application/zip; name=a.zip", container::zip_of("a.txt", &member))
        }
        2 => ("application/octet-stream; name=a.bin", [b"\x01\x02\xf7\0", text(random, words).as_bytes()].concat()),
        // What follows a part, the line break of its boundary, is no part of it to one side, and to the other it is.
        _ => ("text/plain; charset=us-ascii", format!("{}.", text(random, words)).into_bytes()),
    };
    let way = if kind.starts_with("text") { random.below(3) } else { 2 };
    let (way, body) = match way {
        0 => ("7bit", lines(&String::from_utf8_lossy(&plain))),
        1 => ("quoted-printable", quoted(&plain)),
        _ => ("base64", base64(&plain)),
    };
    (format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: {way}\r\n"), body)
}

fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

/// RFC 2045 6.7
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut width = 0;
    for byte in bytes {
        let shown = match byte {
            b'\n' => "\r\n".to_owned(),
            b'\r' => continue,
            b'=' | 0..=31 | 127.. => format!("={byte:02X}"),
            _ => char::from(*byte).to_string(),
        };
        if width + shown.len() > 70 {
            text += "=\r\n";
            width = 0;
        }
        width = if shown == "\r\n" { 0 } else { width + shown.len() };
        text += &shown;
    }
    text
}

/// RFC 4648 4
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (at, group) in bytes.chunks(3).enumerate() {
        let byte = |at: usize| group.get(at).copied().map_or(0, u32::from);
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let number = (bits >> (18 - 6 * digit)) as usize & 63;
            text.push(if digit <= group.len() { char::from(DIGITS[number]) } else { '=' });
        }
        if at % 19 == 18 {
            text += "\r\n";
        }
    }
    text
}

/// A Word document in a ZIP archive.
fn document(random: &mut Random, words: &[String]) -> Vec<u8> {
    let runs: String = (0..random.range(2, 5))
        .map(|_| format!("<w:p><w:r><w:t>{}</w:t></w:r></w:p>", sentence(random, words)))
        .collect();
    let xml = |inner: &str| format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{inner}\n");
    let types = xml("<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"></Types>");
    let body = xml(&format!("<w:document xmlns:w=\"http://x.example/w\"><w:body>{runs}</w:body></w:document>"));
    let core = xml(&format!("<cp:coreProperties><dc:title>{}</dc:title></cp:coreProperties>", sentence(random, words)));
    container::zip_of_all(&[
        ("[Content_Types].xml", Entry::deflated(types.as_bytes())),
        ("word/document.xml", Entry::deflated(body.as_bytes())),
        ("docProps/core.xml", Entry::deflated(core.as_bytes())),
    ])
}

/// A compound file with streams of bytes and of texts, short and long.
fn compound(random: &mut Random, words: &[String]) -> Vec<u8> {
    let long = |random: &mut Random| {
        let mut bytes = vec![0xec, 0xa5, 0xc1, 0];
        while bytes.len() < 4096 {
            bytes.extend(text(random, words).bytes());
            bytes.extend([0, 1, 2, 0xf7]);
        }
        bytes
    };
    let builder = compound::Builder::new(512).stream("WordDocument", &long(random));
    builder.stream("1Table", &long(random)).stream("Data", text(random, words).as_bytes()).build()
}

/// A compound file with a project of Visual Basic.
fn macros(random: &mut Random, words: &[String]) -> Vec<u8> {
    let (name, first, second) = (pick(random, words), pick(random, words), pick(random, words));
    let code = format!(
        "Attribute VB_Name = \"Module1\"\r\nSub {name}()\r\n' {}\r\n{first} = \"{second}\"\r\nEnd Sub\r\n",
        sentence(random, words).replace(['\r', '\n'], " ")
    );
    let module = compound::compressed(code.as_bytes());
    compound::Builder::new(512)
        .stream("WordDocument", &[b"\xec\xa5\xc1\0".as_slice(), &[7; 5000]].concat())
        .stream("Macros/VBA/dir", &compound::compressed(&project("Module1")))
        .stream("Macros/VBA/Module1", &module)
        .stream("Macros/VBA/_VBA_PROJECT", b"\xcc\x61\xff\xff\0\0\0")
        .build()
}

/// The `dir` stream of a project of one module, with all records that ClamAV asks for (MS-OVBA 2.3.4.2).
fn project(module: &str) -> Vec<u8> {
    let wide: Vec<u8> = module.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let name = module.as_bytes();
    let records: [(u16, &[u8]); 28] = [
        (0x01, &[1, 0, 0, 0]), // the system
        (0x02, &[9, 4, 0, 0]), // the language
        (0x14, &[9, 4, 0, 0]),
        (0x03, &[0xe4, 4]), // the code page
        (0x04, b"Project"),
        (0x05, b""), // what it is
        (0x40, b""),
        (0x06, b""), // a file of help
        (0x3d, b""),
        (0x07, &[0; 4]),
        (0x08, &[0; 4]),
        (0x09, &[1, 0, 0, 0]), // the version; two bytes of it stand behind the length
        (0x0c, b""),           // constants
        (0x3c, b""),
        (0x0f, &[1, 0]), // how many modules
        (0x13, &[0xff, 0xff]),
        (0x19, name),
        (0x47, &wide),
        (0x1a, name), // the stream
        (0x32, &wide),
        (0x1c, b""),
        (0x48, b""),
        (0x31, &[0; 4]), // where the source begins
        (0x1e, &[0; 4]),
        (0x2c, &[0xff, 0xff]),
        (0x21, b""), // a module, not a class
        (0x2b, b""),
        (0x10, b""),
    ];
    let mut bytes = Vec::new();
    for (id, value) in records {
        bytes.extend(id.to_le_bytes());
        bytes.extend(u32::try_from(value.len()).unwrap_or(0).to_le_bytes());
        bytes.extend(value);
        if id == 0x09 {
            bytes.extend([0, 0]);
        }
    }
    bytes
}
