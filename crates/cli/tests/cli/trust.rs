//! Programs that somebody signed whom the content trusts (`.crb`): signed by osslsigncode with authorities of our own, judged by
//! Dachs and by clamscan.

use std::path::Path;
use std::process::Command;

use crate::support::{command, folder, has_tool, tool};

/// A program for 32 bits that does nothing: headers, and one section of text.
pub(crate) fn program() -> Vec<u8> {
    let mut bytes = vec![0_u8; 0x400];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"MZ");
    put(60, &0x80_u32.to_le_bytes());
    put(0x80, b"PE\0\0\x4c\x01\x01\0");
    put(0x94, &[0xE0, 0, 0x02, 0x01]);
    put(0x98, &[0x0B, 0x01]);
    for (at, value) in [(16, 0x1000_u32), (20, 0x1000), (28, 0x40_0000), (32, 0x1000), (36, 0x200), (48, 4)] {
        put(0x98 + at, &value.to_le_bytes());
    }
    for (at, value) in [(56, 0x2000_u32), (60, 0x200), (68, 3), (92, 16)] {
        put(0x98 + at, &value.to_le_bytes());
    }
    put(0x178, b".text\0\0\0");
    for (at, value) in [(8, 0x200_u32), (12, 0x1000), (16, 0x200), (20, 0x200), (36, 0x6000_0020)] {
        put(0x178 + at, &value.to_le_bytes());
    }
    put(0x200, b"\xC3 this program is a badger");
    bytes
}

/// What certificates say of themselves: for `openssl x509 -extfile`.
const AUTHORITY: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n";
const SIGNER: &str = "basicConstraints=CA:FALSE\nextendedKeyUsage=codeSigning\n";
const PLAIN: &str = "basicConstraints=CA:FALSE\n";
const STAMPER: &str = "basicConstraints=CA:FALSE\nextendedKeyUsage=timeStamping\n";

/// Certificates: name, issuer, what it says, kind of key, digest, begin and end.
const CERTIFICATES: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("signer", "root", SIGNER, "rsa:2048", "sha256", ""),
    ("plain", "root", PLAIN, "rsa:1024", "sha256", ""),
    ("stamper", "root", STAMPER, "rsa:1024", "sha256", ""),
    ("small", "root", SIGNER, "rsa:1024", "sha1", ""),
    ("large", "root", SIGNER, "rsa:3072", "sha512", ""),
    ("middle", "root", AUTHORITY, "rsa:1024", "sha384", ""),
    ("below", "middle", SIGNER, "rsa:1024", "sha256", ""),
    ("second", "middle", AUTHORITY, "rsa:1024", "sha256", ""),
    ("lowest", "second", SIGNER, "rsa:1024", "sha256", ""),
    ("past", "root", SIGNER, "rsa:1024", "sha256", "20150101000000Z 20160101000000Z"),
    ("future", "root", SIGNER, "rsa:1024", "sha256", "20450101000000Z 20460101000000Z"),
    ("stranger", "other", SIGNER, "rsa:1024", "sha256", ""),
    ("impostor", "signer", SIGNER, "rsa:1024", "sha256", ""),
];

/// Signed programs: the certificate, those that come with it, the digest.
const SIGNED: &[(&str, &str, &[&str], &str)] = &[
    ("signed", "signer", &["root"], "sha256"),
    ("alone", "signer", &[], "sha256"),
    ("md5", "signer", &["root"], "md5"),
    ("sha1", "signer", &["root"], "sha1"),
    ("sha384", "signer", &["root"], "sha384"),
    ("plain", "plain", &["root"], "sha256"),
    ("stamper", "stamper", &["root"], "sha256"),
    ("small", "small", &[], "sha256"),
    ("large", "large", &[], "sha512"),
    ("below", "below", &["middle", "root"], "sha256"),
    ("incomplete", "below", &[], "sha256"),
    ("lowest", "lowest", &["second", "middle"], "sha256"),
    ("past", "past", &["root"], "sha256"),
    ("future", "future", &["root"], "sha256"),
    ("stranger", "stranger", &["other"], "sha256"),
    ("impostor", "impostor", &["signer", "root"], "sha256"),
];

/// A line of a `.crb` about a certificate: its name, and then trusted, codesign, timesign and certsign.
pub(crate) fn line(at: &Path, certificate: &str, [trusted, code, time, authority]: [u8; 4]) -> String {
    let output = |arguments: &[&str]| {
        let path = at.join(format!("{certificate}.pem"));
        Command::new("openssl").args(["x509", "-noout", "-in"]).arg(path).args(arguments).output().unwrap().stdout
    };
    let modulus = String::from_utf8(output(&["-modulus"])).unwrap().trim().replace("Modulus=", "").to_lowercase();
    let mut command = Command::new("openssl");
    command.args(["x509", "-outform", "DER", "-in"]).arg(at.join(format!("{certificate}.pem")));
    let der = command.output().unwrap().stdout;
    let (serial, subject) = (field(&der, 1), field(&der, 5));
    let (subject, serial) = (sha1(at, &subject), sha1(at, &serial));
    format!("Test.{certificate};{trusted};{subject};{serial};{modulus};010001;{code};{time};{authority};0;test\n")
}

/// The contents of a field of a certificate (RFC 5280 4.1): 1 is the serial number, 5 the subject.
fn field(der: &[u8], number: usize) -> Vec<u8> {
    let value = |bytes: &[u8]| -> (Vec<u8>, Vec<u8>) {
        let (length, head) = match bytes[1] {
            short @ 0..0x80 => (usize::from(short), 2),
            long => {
                let count = usize::from(long & 0x7F);
                (bytes[2..2 + count].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), 2 + count)
            }
        };
        (bytes[head..head + length].to_vec(), bytes[head + length..].to_vec())
    };
    let mut rest = value(&value(der).0).0;
    for _ in 0..number {
        rest = value(&rest).1;
    }
    value(&rest).0
}

fn sha1(at: &Path, bytes: &[u8]) -> String {
    std::fs::write(at.join("bytes"), bytes).unwrap();
    let output = Command::new("sha1sum").arg(at.join("bytes")).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

/// Authorities, certificates and signed programs.
fn made() -> tempfile::TempDir {
    let place = folder(&[("program.exe", &program()), ("index.txt", b"")]);
    let at = place.path();
    for root in ["root", "other"] {
        let arguments = format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout {root}.key -out {root}.pem -days 3650 -subj /CN={root} -addext basicConstraints=critical,CA:TRUE"
        );
        tool(at, "openssl", &arguments.split(' ').collect::<Vec<_>>());
    }
    for (number, (name, issuer, says, key, digest, span)) in CERTIFICATES.iter().enumerate() {
        std::fs::write(at.join("says"), says).unwrap();
        let request = format!("req -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj /O=badger/CN={name}");
        tool(at, "openssl", &request.split(' ').collect::<Vec<_>>());
        let sign = match span.split_once(' ') {
            None => format!(
                "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -set_serial {} -days 1000 -extfile says -out {name}.pem -{digest}",
                number + 100
            ),
            Some((from, until)) => {
                let settings = "[ca]\ndefault_ca=x\n[x]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n[p]\nO=optional\nCN=supplied\n";
                std::fs::write(at.join("ca.cnf"), settings).unwrap();
                std::fs::write(at.join("serial"), format!("10{number:02}\n")).unwrap();
                format!(
                    "ca -batch -config ca.cnf -cert {issuer}.pem -keyfile {issuer}.key -in {name}.csr -out {name}.pem -startdate {from} -enddate {until} -extfile says -notext"
                )
            }
        };
        tool(at, "openssl", &sign.split(' ').collect::<Vec<_>>());
    }
    for (name, signer, others, digest) in SIGNED {
        let all: String =
            others.iter().map(|other| std::fs::read_to_string(at.join(format!("{other}.pem"))).unwrap()).collect();
        std::fs::write(at.join("others.pem"), all).unwrap();
        let with = if others.is_empty() { "" } else { " -ac others.pem" };
        let arguments =
            format!("sign -h {digest} -certs {signer}.pem -key {signer}.key{with} -in program.exe -out {name}.exe");
        tool(at, "osslsigncode", &arguments.split(' ').collect::<Vec<_>>());
    }
    // Changed behind the signature's back: a byte of the program, and bytes behind the end.
    let signed = std::fs::read(at.join("signed.exe")).unwrap();
    let mut changed = signed.clone();
    changed[0x300] ^= 1;
    std::fs::write(at.join("changed.exe"), changed).unwrap();
    std::fs::write(at.join("longer.exe"), [signed, vec![0; 8]].concat()).unwrap();
    place
}

/// Which programs a scanner finds something in, with the names.
pub(crate) fn found(program: &str, at: &Path, names: &[String], options: &[&str]) -> Vec<String> {
    let mut command = if program == "clamscan" { Command::new("clamscan") } else { command(&["clamscan"]) };
    command.args(["--no-summary", "-d"]).arg(at.join("db")).args(options);
    command.args(names.iter().map(|name| at.join(name)));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter(|line| line.ends_with(" FOUND")).map(str::to_owned).collect()
}

#[test]
fn trusted_programs_are_those_that_clamscan_trusts() {
    if !["openssl", "osslsigncode", "clamscan", "zip"].iter().all(|name| has_tool(name)) {
        return;
    }
    let place = made();
    let at = place.path();
    std::fs::create_dir(at.join("db")).unwrap();
    let text: String = b"this program is a badger".iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(at.join("db/text.ndb"), format!("Test.Body:0:*:{text}\n")).unwrap();
    tool(at, "zip", &["-q", "inside.zip", "signed.exe"]);
    let mut names: Vec<String> = SIGNED.iter().map(|(name, ..)| format!("{name}.exe")).collect();
    names.extend(["changed.exe", "longer.exe", "program.exe", "inside.zip"].map(str::to_owned));
    let root = |flags| line(at, "root", flags);
    let (mut compared, mut wrong) = (0, Vec::new());
    for (lines, options) in [
        (String::new(), &[][..]),
        (root([1, 1, 1, 1]), &[]),
        (root([1, 1, 1, 1]), &["--nocerts"]),
        (root([1, 1, 0, 1]), &[]),
        (root([1, 0, 0, 1]), &[]),
        (root([1, 1, 0, 0]), &[]),
        (line(at, "signer", [1, 1, 0, 0]), &[]),
        (line(at, "signer", [1, 1, 0, 1]), &[]),
        (line(at, "middle", [1, 1, 0, 1]), &[]),
        (root([1, 1, 1, 1]) + &line(at, "signer", [0, 1, 0, 0]), &[]),
        (line(at, "other", [1, 1, 0, 1]), &[]),
    ] {
        std::fs::write(at.join("db/trust.crb"), &lines).unwrap();
        let (theirs, ours) = (found("clamscan", at, &names, options), found("dachs", at, &names, options));
        // ClamAV lets the signer vouch for others, though its certificate is none of an authority.
        let is_other = |line: &String| !line.contains("/impostor.exe: ");
        assert!(ours.iter().any(|line| !is_other(line)) || lines.starts_with("Test.signer"), "{options:?} {lines}");
        let [ours, theirs] = [ours, theirs].map(|lines| lines.into_iter().filter(is_other).collect::<Vec<String>>());
        if ours != theirs {
            wrong.push(format!("{options:?} {lines:.20}\nours {ours:?}\ntheirs {theirs:?}"));
        }
        compared += names.len();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= 150, "{compared}");
}

#[test]
fn counter_signatures_tell_when_a_program_was_signed() {
    if !has_tool("clamscan") {
        return;
    }
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/stamps");
    let place = folder(&[]);
    let at = place.path();
    std::fs::create_dir(at.join("db")).unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&samples).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".exe") {
            std::fs::copy(samples.join(&name), at.join(&name)).unwrap();
            names.push(name);
        }
    }
    names.sort();
    let text: String = b"this program is a badger".iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(at.join("db/text.ndb"), format!("Test.Body:0:*:{text}\n")).unwrap();
    let root = std::fs::read_to_string(samples.join("root.crb")).unwrap();
    // Trusted for code, for times, and as an authority; and how many programs are clean then.
    for (flags, clean) in [(";1;1;1;0;", 7), (";1;0;1;0;", 1), (";0;1;1;0;", 0), (";1;1;0;0;", 0)] {
        let line = root.replace(";1;1;1;0;", flags);
        assert!(flags == ";1;1;1;0;" || line != root);
        std::fs::write(at.join("db/trust.crb"), line).unwrap();
        let (theirs, ours) = (found("clamscan", at, &names, &[]), found("dachs", at, &names, &[]));
        assert_eq!(ours, theirs, "{flags}");
        assert_eq!(names.len() - ours.len(), clean, "{flags}");
    }
}
