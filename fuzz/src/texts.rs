//! Signature texts: `sigc::compile`.
//!
//! What is taken must give an image that is right in all its parts, and each of its signatures can be explained. What is
//! refused must say so.

use dachs_sigc::{Input, compile, explain};
use dachs_sigdb::Image;

/// The kinds of text, by their endings.
const KINDS: [&str; 23] = [
    "ndb", "ldb", "hdb", "hsb", "fp", "sfp", "db", "ign", "ign2", "ndu", "ldu", "hdu", "cdb", "zmd", "rmd", "cfg",
    "ftm", "ioc", "pwdb", "pdb", "wdb", "gdb", "cbc",
];

/// The first byte chooses the kind, the rest is the text.
pub fn lines(data: &[u8]) {
    let Some((kind, text)) = data.split_first() else { return };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    compiled(&[Input::bytes(format!("fuzz.{kind}"), text)]);
}

/// The bytes are a catalog.
pub fn catalog(data: &[u8]) {
    compiled(&[Input::bytes("fuzz.cat", data)]);
}

/// The bytes are a container.
pub fn container(data: &[u8]) {
    compiled(&[Input::bytes("fuzz.cud", data)]);
    compiled(&[Input::bytes("fuzz.cvd", data)]);
}

/// The bytes are one body signature's pattern, and one logical signature's expression and patterns.
pub fn signature(data: &[u8]) {
    let text = String::from_utf8_lossy(data).replace(['\n', '\r'], "");
    compiled(&[Input::bytes("fuzz.ndb", format!("A:0:*:{text}\n").into_bytes())]);
    compiled(&[Input::bytes("fuzz.ldb", format!("A;Engine:51-255,Target:0;{text}\n").into_bytes())]);
}

fn compiled(sources: &[Input]) {
    match compile(sources) {
        Ok(compilation) => {
            let image = Image::new(&compilation.image).expect("a compiled image can be read");
            assert_eq!(image.verify(), Ok(()), "a compiled image is right");
            for number in 0..image.signature_count() {
                assert!(image.decode(number).is_some(), "signature {number} is decoded");
                assert!(!explain(&image, number).is_empty());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
