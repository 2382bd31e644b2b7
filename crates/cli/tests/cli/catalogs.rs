//! Catalogs (`.cat`) of programs and other files, signed by osslsigncode with authorities of our own, judged by Dachs and by clamscan.

use std::path::Path;
use std::process::Command;

use crate::support::{folder, has_tool, tool};
use crate::trust::{found, line, program};

/// A value in DER.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let [.., high, low] = contents.len().to_be_bytes();
    let head = match contents.len() {
        0..128 => vec![tag, low],
        128..256 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [head, contents].concat()
}

/// Object identifiers below 1.3.6.1.4.1.311, by their last bytes.
fn microsoft(rest: &[u8]) -> Vec<u8> {
    der(6, &[b"\x2b\x06\x01\x04\x01\x82\x37", rest])
}

const TRUST_LIST: &[u8] = &[10, 1];
const CATALOG: &[u8] = &[12, 1, 1];
const MEMBERS: &[u8] = &[12, 1, 2];
const INDIRECT: &[u8] = &[2, 1, 4];
const PROGRAM: &[u8] = &[2, 1, 15];
const CABINET: &[u8] = &[2, 1, 25];
const SCRIPT: &[u8] = &[2, 1, 30];

fn algorithm(digest: &str) -> Vec<u8> {
    let oid: &[u8] = match digest {
        "md5" => b"\x2a\x86\x48\x86\xf7\x0d\x02\x05",
        "sha1" => b"\x2b\x0e\x03\x02\x1a",
        _ => b"\x60\x86\x48\x01\x65\x03\x04\x02\x01",
    };
    der(0x30, &[&der(6, &[oid]), b"\x05\x00"])
}

/// A member of a catalog: a file of this kind with this digest.
fn member(kind: &[u8], digest: &str, value: &[u8]) -> Vec<u8> {
    let link = der(0xA2, &[&der(0x80, &[b"\0<\0<"])]);
    let about = match kind {
        PROGRAM => der(0x30, &[b"\x03\x01\0", &der(0xA0, &[&link])]),
        _ => link,
    };
    let file = der(0x30, &[&microsoft(kind), &about]);
    let info = der(0x30, &[&algorithm(digest), &der(4, &[value])]);
    let indirect = der(0x31, &[&der(0x30, &[&file, &info])]);
    let attribute = der(0x30, &[&microsoft(INDIRECT), &indirect]);
    der(0x30, &[&der(4, &[value]), &der(0x31, &[&attribute])])
}

/// A catalog that nobody signed yet.
fn unsigned(members: &[Vec<u8>]) -> Vec<u8> {
    let members = der(0x30, &members.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let how = der(0x30, &[&microsoft(MEMBERS), b"\x05\x00"]);
    let usage = der(0x30, &[&microsoft(CATALOG)]);
    let list = der(0x30, &[&usage, &der(4, &[b"0123456789abcdef"]), &der(0x17, &[b"200101000000Z"]), &how, &members]);
    let content = der(0x30, &[&microsoft(TRUST_LIST), &der(0xA0, &[&list])]);
    let data = der(0x30, &[b"\x02\x01\x01\x31\x00", &content, b"\x31\x00"]);
    der(0x30, &[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", &der(0xA0, &[&data])])
}

/// Signs a catalog as this signer; gives the bytes.
fn signed(at: &Path, members: &[Vec<u8>], signer: &str) -> Vec<u8> {
    std::fs::write(at.join("unsigned.cat"), unsigned(members)).unwrap();
    let _ = std::fs::remove_file(at.join("signed.cat"));
    let sign = format!("sign -h sha256 -certs {signer}.pem -key {signer}.key -in unsigned.cat -out signed.cat");
    tool(at, "osslsigncode", &sign.split(' ').collect::<Vec<_>>());
    std::fs::read(at.join("signed.cat")).unwrap()
}

/// The digest of a file, by a tool.
fn digest(at: &Path, tool: &str, bytes: &[u8]) -> Vec<u8> {
    std::fs::write(at.join("bytes"), bytes).unwrap();
    let output = Command::new(tool).arg(at.join("bytes")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let digits = text.split(' ').next().unwrap();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// The bytes of a program that a signature is over; it has none yet.
fn covered(program: &[u8]) -> Vec<u8> {
    let (checksum, entry) = (0x98 + 64, 0x98 + 96 + 8 * 4);
    [&program[..checksum], &program[checksum + 4..entry], &program[entry + 8..]].concat()
}

/// An authority, somebody who may sign code, and somebody whose certificate is over.
fn people(at: &Path) {
    let root = "req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 3650 -subj /CN=root -addext basicConstraints=critical,CA:TRUE";
    tool(at, "openssl", &root.split(' ').collect::<Vec<_>>());
    std::fs::write(at.join("says"), "basicConstraints=CA:FALSE\nextendedKeyUsage=codeSigning\n").unwrap();
    let settings = "[ca]\ndefault_ca=x\n[x]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n[p]\nCN=supplied\n";
    std::fs::write(at.join("ca.cnf"), settings).unwrap();
    std::fs::write(at.join("serial"), "1000\n").unwrap();
    for (name, from, until) in
        [("signer", "20200101000000Z", "20400101000000Z"), ("past", "20150101000000Z", "20160101000000Z")]
    {
        let request = format!("req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}");
        tool(at, "openssl", &request.split(' ').collect::<Vec<_>>());
        let sign = format!(
            "ca -batch -config ca.cnf -cert root.pem -keyfile root.key -in {name}.csr -out {name}.pem -startdate {from} -enddate {until} -extfile says -notext"
        );
        tool(at, "openssl", &sign.split(' ').collect::<Vec<_>>());
    }
}

const NAMES: [&str; 4] = ["program.exe", "longer.exe", "text.txt", "inside.zip"];

#[test]
fn catalogs_are_trusted_as_clamscan_trusts_them() {
    if !["openssl", "osslsigncode", "clamscan", "zip"].iter().all(|name| has_tool(name)) {
        return;
    }
    let text = b"this program is a badger, says a text";
    let longer = [program(), b"more".to_vec()].concat();
    let place = folder(&[("program.exe", &program()), ("longer.exe", &longer), ("text.txt", text), ("index.txt", b"")]);
    let at = place.path();
    people(at);
    tool(at, "zip", &["-q", "inside.zip", "program.exe"]);
    let names = NAMES.map(str::to_owned);
    std::fs::create_dir(at.join("db")).unwrap();
    let body: String = b"this program is a badger".iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(at.join("db/text.ndb"), format!("Test.Body:0:*:{body}\n")).unwrap();
    let of = |tool: &str, bytes: &[u8]| digest(at, tool, bytes);
    let (sha1, sha256) = (of("sha1sum", &covered(&program())), of("sha256sum", &covered(&program())));
    let by_sha1 = [member(PROGRAM, "sha1", &sha1)];
    let good = signed(at, &by_sha1, "signer");
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let inside = good.windows(20).position(|window| window == sha1).unwrap();
    let [trust, revoked] = [line(at, "root", [1, 1, 1, 1]), line(at, "signer", [0, 1, 0, 0])];
    let mut wrong = Vec::new();
    for (what, catalog, lines, options, expected) in [
        ("SHA-1", good.clone(), trust.clone(), &[][..], 2),
        ("SHA-256", signed(at, &[member(PROGRAM, "sha256", &sha256)], "signer"), trust.clone(), &[], 2),
        (
            "MD5",
            signed(at, &[member(PROGRAM, "md5", &of("md5sum", &covered(&program())))], "signer"),
            trust.clone(),
            &[],
            0,
        ),
        (
            "with bytes behind it",
            signed(at, &[member(PROGRAM, "sha1", &of("sha1sum", &covered(&longer)))], "signer"),
            trust.clone(),
            &[],
            1,
        ),
        ("another program", signed(at, &[member(PROGRAM, "sha1", &[7; 20])], "signer"), trust.clone(), &[], 0),
        (
            "the whole program",
            signed(at, &[member(PROGRAM, "sha1", &of("sha1sum", &program()))], "signer"),
            trust.clone(),
            &[],
            0,
        ),
        ("a file", signed(at, &[member(CABINET, "sha1", &of("sha1sum", text))], "signer"), trust.clone(), &[], 1),
        ("a file that is a program", signed(at, &[member(CABINET, "sha1", &sha1)], "signer"), trust.clone(), &[], 0),
        ("a script", signed(at, &[member(SCRIPT, "sha1", &of("sha1sum", text))], "signer"), trust.clone(), &[], 0),
        ("a signer whose time is over", signed(at, &by_sha1, "past"), trust.clone(), &[], 0),
        ("nobody trusted", good.clone(), String::new(), &[], 0),
        ("the signer trusted", good.clone(), line(at, "signer", [1, 1, 0, 1]), &[], 2),
        ("the signer trusted for nothing", good.clone(), line(at, "signer", [1, 0, 0, 1]), &[], 0),
        ("the signer revoked", good.clone(), trust.clone() + &revoked, &[], 0),
        ("without certificates", good.clone(), trust.clone(), &["--nocerts"], 0),
        ("nobody signed it", unsigned(&by_sha1), trust.clone(), &[], 0),
        ("a digest was changed", changed(inside), trust.clone(), &[], 0),
        ("the signature was changed", changed(good.len() - 1), trust.clone(), &[], 0),
        ("cut", good[..good.len() - 50].to_vec(), trust.clone(), &[], 0),
        ("noise", b"this is none".to_vec(), trust.clone(), &[], 0),
        ("nothing", Vec::new(), trust.clone(), &[], 0),
    ] {
        std::fs::write(at.join("db/list.cat"), catalog).unwrap();
        std::fs::write(at.join("db/trust.crb"), &lines).unwrap();
        let (theirs, ours) = (found("clamscan", at, &names, options), found("dachs", at, &names, options));
        if ours != theirs || ours.len() != NAMES.len() - expected {
            wrong.push(format!("{what}\nours {ours:?}\ntheirs {theirs:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
