//! Signatures beside containers (`.cvd.sign`), made by openssl with authorities of our own over a genuine container.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{command, folder, has_tool, run, skip, tool};

/// A genuine container from the optional folder of data.
fn genuine() -> Option<PathBuf> {
    let root = std::env::var_os("DACHS_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let found = root.join("data/clamav/bytecode/bytecode-334.cvd");
    let found = if found.is_file() { found } else { root.join("bytecode/bytecode-334.cvd") };
    if !found.is_file() {
        skip("there is no genuine container: DACHS_SHARED names no folder with one");
    }
    found.is_file().then_some(found)
}

/// Authorities and signers: name, issuer, and what it may do.
const CERTIFICATES: [(&str, &str, &str); 3] = [
    ("middle", "root", "basicConstraints=critical,CA:TRUE\n"),
    ("signer", "middle", "basicConstraints=CA:FALSE\n"),
    ("direct", "root", "basicConstraints=CA:FALSE\n"),
];

fn openssl(at: &Path, line: &str) {
    tool(at, "openssl", &line.split(' ').collect::<Vec<_>>());
}

/// A folder with a container and certificates.
fn made(container: &Path) -> tempfile::TempDir {
    let place = folder(&[]);
    let at = place.path();
    std::fs::copy(container, at.join("bytecode.cvd")).unwrap();
    for (root, folder) in [("root", "trusted"), ("other", "others")] {
        openssl(
            at,
            &format!(
                "req -x509 -newkey rsa:2048 -nodes -keyout {root}.key -out {root}.pem -days 3650 -subj /CN={root} -addext basicConstraints=critical,CA:TRUE"
            ),
        );
        std::fs::create_dir(at.join(folder)).unwrap();
        std::fs::copy(at.join(format!("{root}.pem")), at.join(folder).join("root.crt")).unwrap();
    }
    for (number, (name, issuer, says)) in CERTIFICATES.iter().enumerate() {
        std::fs::write(at.join("says"), says).unwrap();
        openssl(at, &format!("req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(
            at,
            &format!(
                "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -set_serial {} -days 1000 -extfile says -out {name}.pem",
                number + 10
            ),
        );
    }
    place
}

/// The signature of a file, in base64.
fn signature(at: &Path, file: &str, signer: &str, more: &str) -> String {
    openssl(
        at,
        &format!(
            "smime -sign -binary -in {file} -signer {signer}.pem -inkey {signer}.key{more} -md sha512 -outform DER -out sig.der"
        ),
    );
    let output = Command::new("base64").args(["-w", "0"]).arg(at.join("sig.der")).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_signature_beside_a_container_must_be_right() {
    let Some(container) = genuine().filter(|_| has_tool("openssl")) else { return };
    let place = made(&container);
    let at = place.path();
    let (through, direct) =
        (signature(at, "bytecode.cvd", "signer", " -certfile middle.pem"), signature(at, "bytecode.cvd", "direct", ""));
    let bare = signature(at, "bytecode.cvd", "direct", " -noattr");
    let short = signature(at, "bytecode.cvd", "signer", "");
    let wrong = signature(at, "root.pem", "direct", "");
    let build = |certificates: &str| {
        let image = at.join("image");
        let mut command = command(&["db", "build", "-o"]);
        command.arg(&image);
        if !certificates.is_empty() {
            command.arg("--cvd-certs-dir").arg(at.join(certificates));
        }
        run(command.arg(at.join("bytecode.cvd")))
    };
    let line = |levels: &str, signature: &str| format!("#clamsign-1.0\n{levels}:pkcs7-pem:{signature}\n");
    let beside = at.join("bytecode-334.cvd.sign");
    assert_eq!(build("trusted").code, 0, "{}", build("trusted").err);
    for (text, certificates, code) in [
        (line("230:4294967295", &through), "trusted", 0),
        (line("230:4294967295", &direct), "trusted", 0),
        (line("1:4294967295", &bare), "trusted", 0),
        (format!("{}1:300:unknown:abc\n{}", line("230:300", &wrong), &line("230:300", &direct)[14..]), "trusted", 0),
        (line("230:4294967295", &through), "others", 2),
        (line("230:4294967295", &short), "trusted", 2),
        (line("230:4294967295", &wrong), "trusted", 2),
        (line("300:4294967295", &direct), "trusted", 2),
        (line("230:4294967295", &direct[..direct.len() - 40]), "trusted", 2),
        ("#clamsign-1.0\n".to_owned(), "trusted", 2),
        (String::new(), "trusted", 2),
        (line("230:4294967295", &wrong), "", 0),
    ] {
        std::fs::write(&beside, &text).unwrap();
        let run = build(certificates);
        assert_eq!(run.code, code, "{certificates} {}: {}", text.get(..60).unwrap_or(&text), run.err);
        assert_eq!(run.err.contains("signature beside it"), code == 2 || certificates.is_empty(), "{}", run.err);
    }
}

#[test]
fn clamscan_takes_the_folder_of_certificates() {
    let Some(container) = genuine().filter(|_| has_tool("openssl")) else { return };
    let place = made(&container);
    let at = place.path();
    std::fs::write(at.join("says"), "nothing").unwrap();
    let right = signature(at, "bytecode.cvd", "direct", "");
    let wrong = signature(at, "says", "direct", "");
    for (signature, certificates, code) in [(&right, "trusted", 0), (&right, "others", 2), (&wrong, "trusted", 2)] {
        std::fs::write(
            at.join("bytecode-334.cvd.sign"),
            format!("#clamsign-1.0\n230:4294967295:pkcs7-pem:{signature}\n"),
        )
        .unwrap();
        let mut command = command(&["clamscan", "--no-summary"]);
        command.arg(format!("--cvdcertsdir={}", at.join(certificates).display()));
        let run = run(command.arg("-d").arg(at.join("bytecode.cvd")).arg(at.join("says")));
        assert_eq!(run.code, code, "{certificates}: {}{}", run.out, run.err);
    }
}
