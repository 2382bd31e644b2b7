//! Images of signatures: `sigdb::Image`.

use dachs_base::{Budget, Facts, FileKind, Limits, Memory, Meta, Name, NoClock};
use dachs_sigc::{Input, compile};
use dachs_sigdb::{Described, Image, LinkOptions, View};
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

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
            let _ = image.find(&name);
        }
    }
    let budget = Budget::new(Limits::default(), NoClock);
    for (bytes, kind) in OBJECTS {
        let source = Memory::new(bytes);
        let view = View { source: &source, target: kind.target(), facts: &Facts::default(), around: &[] };
        let _ = image.examine(&view, &budget, true);
        let _ = (image.allows(&source), image.kind_of(&source, false), image.kind_of(&source, true));
        let meta = Meta { name: Name::new(bytes), length: 5, position: 1, ..Meta::default() };
        let member = Described { meta: &meta, container: FileKind::Zip, container_size: 9 };
        let _ = image.examine_member(&member, true);
        let _ = image.judge_link(b"http://evil.org/a?b", bytes, &LinkOptions::default());
    }
}

/// Signatures of every sort, so that every section of the image is there.
const TEXTS: [(&str, &str); 14] = [
    ("a.cdb", "K:CL_TYPE_ZIP:*:a.*b:1-9:*:0:1:*:*\n"),
    ("a.pdb", "H:bank.com\nR:a.+:b\n"),
    ("a.wdb", "M:a.com:b.com\nX:.+:b\n"),
    ("a.gdb", "S:F:275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f\n"),
    ("a.ftm", "0:0:4d5a:M:CL_TYPE_ANY:CL_TYPE_ZIP\n"),
    ("a.pwdb", "n;Engine:51-255;0;secret\n"),
    (
        "a.idb",
        "N:G:H:20863160e5171601443161600003000000b000001300ff0300ff0b00ff1300e70001e70009e816015416163f150c2b0004000500000d000005080a203917\n",
    ),
    ("a.crb", "L;0;188b5dbbe14f7db4c1e3f51bbb9b5c27a687668c;;c0ffee;010001;1;0;0;0;c\n"),
    ("a.cfg", "ARCHIVE:0x0\n"),
    ("a.ndb", "A:0:*:616263*646566\nB:0:10,20:61(62|63)6465{3-9}666768\nC:1:EP+0:616263\nD:0:EOF-9:(B)61626364\n"),
    (
        "a.ldb",
        "M;Engine:51-255,Target:1,IconGroup1:G;0;616263\nN;Engine:51-255,HandlerType:CL_TYPE_PDF,Target:0;0;616263\nE;Engine:51-255,Target:0,FileSize:1-999;(0&1)>2,1|2;616263;646566::i;10:676869::wa\nF;Target:0;0=0;7a7a7a7a\n",
    ),
    ("a.hdb", "44d88612fea8a8f36de82e1278abb02f:39:G\n44d88612fea8a8f36de82e1278abb02e:*:H:73\n"),
    ("a.hsb", "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f:14:I\n"),
    ("a.fp", "44d88612fea8a8f36de82e1278abb02d:39:J\n"),
];

/// Takes the bytes as changes to a good image, each of two bytes for where and one for what, and repairs the checksum of
/// its header, so that what lies behind it is reached.
pub fn changed(data: &[u8]) {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let good = GOOD.get_or_init(|| {
        let inputs: Vec<Input> = TEXTS.iter().map(|(name, text)| Input::bytes(*name, text.as_bytes())).collect();
        compile(&inputs).expect("the texts are good").image
    });
    let mut image = good.clone();
    for change in data.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % image.len();
        image[at] = change[2];
    }
    image[8..12].copy_from_slice(&good[8..12]);
    repair(&mut image);
    hostile(&image);
}

/// Writes magic, length and checksum, as the frame of an image has them (`sigdb`, layout).
fn repair(image: &mut [u8]) {
    let length = (image.len() as u64).to_le_bytes();
    image[..8].copy_from_slice(b"DACHSIMG");
    image[16..24].copy_from_slice(&length);
    let table = u64::from_le_bytes(image[24..32].try_into().unwrap_or_default());
    let table = image.get(usize::try_from(table).unwrap_or(usize::MAX)..).unwrap_or_default();
    let checksum = Sha256::new().chain_update(&image[..32]).chain_update(table).finalize();
    image[32..64].copy_from_slice(&checksum);
}

/// Takes the bytes as an expression and an object: what looks before the expression must not deny what it matches. The first
/// two bytes choose the flags, and say how long the expression is.
pub fn expression(data: &[u8]) {
    let Some(([flags, length], rest)) = data.split_first_chunk::<2>() else { return };
    let (text, object) = rest.split_at(usize::from(*length).min(rest.len()));
    let Ok(text) = std::str::from_utf8(text) else { return };
    let flags: String =
        "ismAegr".chars().enumerate().filter(|(bit, _)| flags >> bit & 1 == 1).map(|(_, flag)| flag).collect();
    let object = object.get(..object.len().min(4096)).unwrap_or_default();
    assert!(
        dachs_sigdb::screens_pass_matches(text, &flags, object),
        "{text:?} with {flags:?} is denied what it matches"
    );
}
