//! Genuine containers, our own, and broken ones.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "tests read sample files and say what they skip"
)]

use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{Error, Input, compile};

/// The optional folder of real databases.
fn shared(path: &str) -> Option<Vec<u8>> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("DACHS_SHARED").map_or(beside, PathBuf::from);
    let bytes = std::fs::read(root.join(path)).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: no {path} in the folder of shared data");
    }
    bytes
}

fn load(name: &str, bytes: &[u8]) -> Result<(), Error> {
    compile(&[Input::bytes(name, bytes.to_vec())]).map(drop)
}

fn assert_refused(name: &str, bytes: &[u8], what: &str) {
    match load(name, bytes) {
        Err(Error::Malformed(problem) | Error::Unverified(problem)) => assert_eq!(problem.source, name, "{what}"),
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn genuine_containers_verify_and_no_flipped_bit_does() {
    for version in [268, 334] {
        let Some(mut bytes) = shared(&format!("data/clamav/bytecode/bytecode-{version}.cvd")) else { return };
        load("bytecode.cvd", &bytes).unwrap();
        let step = bytes.len() / 60;
        let places = (0..512).chain((512..bytes.len()).step_by(step));
        for (at, bit) in places.zip((0..8).cycle()) {
            bytes[at] ^= 1 << bit;
            assert_refused("bytecode.cvd", &bytes, &format!("bit {bit} of byte {at}"));
            bytes[at] ^= 1 << bit;
        }
        assert_refused("bytecode.cvd", &bytes[..bytes.len() - 1], "cut");
        bytes.push(0);
        assert_refused("bytecode.cvd", &bytes, "longer");
    }
}

#[test]
fn a_container_without_a_signature_of_the_whole_needs_that_of_its_list() {
    let Some(mut bytes) = shared("data/clamav/bytecode/bytecode-334.cvd") else { return };
    load("bytecode.cld", &bytes).unwrap();
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    assert!(load("bytecode.cld", &bytes).is_err());
    assert_refused("x.cld", &container(&[("a.ndb", b"t:0:*:616263\n")], |_| {}), "no signature of the list");
}

/// A block of a tar archive for one member, and the member.
fn member(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
    block[156] = b'0';
    checksum(&mut block);
    let padding = vec![0; bytes.len().next_multiple_of(512) - bytes.len()];
    [block.to_vec(), bytes.to_vec(), padding].concat()
}

fn checksum(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block[..512].iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

const HEADER: &str = "ClamAV-VDB:01 Jan 2026 00-00 +0000:7:1:90:X:X:somebody:1767225600";

fn info(members: &[(&str, &[u8])]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let mut text = format!("{HEADER}\n");
    for (name, bytes) in members {
        let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        text += &format!("{name}:{}:{digest}\n", bytes.len());
    }
    text.into_bytes()
}

/// An unsigned container whose archive was changed by `edit`.
fn container(members: &[(&str, &[u8])], edit: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let listed: Vec<_> = members.to_vec();
    let mut tar = member("COPYING", b"as you like");
    tar.extend(member("x.info", &info(&listed)));
    members.iter().for_each(|(name, bytes)| tar.extend(member(name, bytes)));
    edit(&mut tar);
    wrap(&tar, true)
}

fn wrap(tar: &[u8], zipped: bool) -> Vec<u8> {
    let mut bytes = format!("{HEADER:512}").into_bytes();
    if !zipped {
        bytes.extend(tar);
        return bytes;
    }
    let mut encoder = GzEncoder::new(bytes, Compression::fast());
    encoder.write_all(tar).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn unsigned_containers_are_read() {
    let members: &[(&str, &[u8])] = &[("a.ndb", b"t:0:*:616263\n"), ("b.txt", b"?"), ("c.cbc", b"ClamBC")];
    let compilation = compile(&[Input::bytes("x.cud", container(members, |_| {}))]).unwrap();
    let problems: Vec<String> = compilation.problems.iter().map(ToString::to_string).collect();
    let expected = [
        "x.cud: its member b.txt is of an unknown kind, left out",
        "x.cud/*.cbc: 1 left out: bytecode without a digital signature",
    ];
    assert_eq!(problems, expected);
    let mut tar = member("COPYING", b"");
    tar.extend(member("x.info", &info(&[])));
    load("x.cud", &wrap(&tar, false)).unwrap();
    tar.extend([0; 1024]);
    load("x.cud", &wrap(&tar, true)).unwrap();
}

#[test]
fn a_container_for_newer_engines_is_read_and_told() {
    let newer = HEADER.replace(":90:", ":240:");
    let tar = [member("COPYING", b""), member("x.info", &[newer.as_bytes(), b"\n"].concat())].concat();
    let bytes = [format!("{newer:512}").into_bytes(), wrap(&tar, true).split_off(512)].concat();
    let compilation = compile(&[Input::bytes("x.cud", bytes)]).unwrap();
    let problems: Vec<String> = compilation.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["x.cud: made for functionality level 240, newer than 216"]);
}

#[test]
fn a_malformed_member_is_named_with_its_line() {
    let bytes = container(&[("a.ndb", b"t:0:*:616263\nt:0:*:zz\n")], |_| {});
    let error = load("x.cud", &bytes).unwrap_err().to_string();
    assert!(error.starts_with("x.cud/a.ndb:2: "), "{error}");
}

/// Where the last member begins.
fn last(tar: &[u8]) -> usize {
    tar.len() - 1024
}

#[test]
fn broken_containers_are_refused() {
    let one: &[(&str, &[u8])] = &[("a.ndb", b"t:0:*:616263\n")];
    let whole = container(one, |_| {});
    assert_refused("x.cvd", &whole, "not signed");
    assert_refused("x.cud", &whole[..511], "a short header");
    assert_refused("x.cud", &[&whole[..512], b"no archive"].concat(), "no archive");
    assert_refused("x.cud", &whole[..600], "a cut archive");
    assert_refused("x.cud", &[vec![b' '; 512], whole[512..].to_vec()].concat(), "no header");
    type Case = (&'static str, fn(&mut Vec<u8>));
    let edits: [Case; 9] = [
        ("another byte", |tar| {
            let at = last(tar) + 512;
            tar[at] = b'u';
        }),
        ("a wrong checksum", |tar| {
            let at = last(tar) + 150;
            tar[at] ^= 1;
        }),
        ("a link", |tar| {
            let at = last(tar);
            tar[at + 156] = b'2';
            checksum(&mut tar[at..]);
        }),
        ("a folder in a name", |tar| {
            let at = last(tar);
            tar[at] = b'/';
            checksum(&mut tar[at..]);
        }),
        ("another name", |tar| {
            let at = last(tar);
            tar[at] = b'b';
            checksum(&mut tar[at..]);
        }),
        ("a size that is none", |tar| {
            let at = last(tar);
            tar[at + 124] = b'x';
            checksum(&mut tar[at..]);
        }),
        ("a huge size", |tar| {
            let at = last(tar);
            tar[at + 124..at + 135].fill(b'7');
            checksum(&mut tar[at..]);
        }),
        ("a member less", |tar| {
            let at = last(tar);
            tar.truncate(at);
        }),
        ("a member twice", |tar| {
            let at = last(tar);
            tar.extend_from_within(at..);
        }),
    ];
    for (what, edit) in edits {
        assert_refused("x.cud", &container(one, edit), what);
    }
    let other = HEADER.replace(":7:", ":8:");
    let differing = [format!("{other:512}").into_bytes(), whole[512..].to_vec()].concat();
    assert_refused("x.cud", &differing, "another version in the header");
}

#[test]
fn no_flipped_bit_makes_a_container_panic() {
    let whole = container(&[("a.ndb", b"t:0:*:616263\n")], |_| {});
    for at in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        let _ = load("x.cud", &bytes);
    }
}
