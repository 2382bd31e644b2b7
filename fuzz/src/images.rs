//! Images of signatures: `sigdb::Image`.

use dachs_base::{Budget, Facts, FileKind, Limits, Memory, NoClock};
use dachs_sigdb::{Image, View};

/// Objects that every image is asked about: empty, text, and something with the head of a program.
const OBJECTS: [(&[u8], FileKind); 3] = [
    (b"", FileKind::Empty),
    (b"The badger digs. 1234567890 abcabcabcabc", FileKind::Ascii),
    (b"MZ\0\0PE\0\0abcabc", FileKind::Pe),
];

/// Takes the bytes as an image, and if it is not refused at once, asks it everything.
pub fn hostile(data: &[u8]) {
    let Ok(image) = Image::new(data) else { return };
    let _ = image.verify();
    let _ = image.info();
    for number in (0..image.signature_count().min(50)).chain([u32::MAX]) {
        let _ = (image.source_of(number), image.strength(number), image.decode(number));
        if let Some(name) = image.name(number) {
            let _ = image.find(name);
        }
    }
    let budget = Budget::new(Limits::default(), NoClock);
    for (bytes, kind) in OBJECTS {
        let source = Memory::new(bytes);
        let view = View { source: &source, kind, facts: &Facts::default(), container: None };
        let _ = image.examine(&view, &budget, true);
        let _ = image.allows(&source);
    }
}
