//! Passwords: from the command line, from databases, and from the text of a mail; beside clamscan's.

use std::path::Path;
use std::process::Command;

use crate::support::{command, eicar, folder, has_tool, run, scan, tool};

/// Archives of the test file: program, options before the name, name.
const ARCHIVES: &[(&str, &[&str], &str)] = &[
    ("zip", &["-q", "-P", "Badger-7"], "classic.zip"),
    ("zip", &["-q", "-0", "-P", "Badger-7"], "stored.zip"),
    ("7z", &["a", "-tzip", "-mem=AES256", "-pBadger-7"], "aes.zip"),
    ("7z", &["a", "-pBadger-7"], "data.7z"),
    ("7z", &["a", "-mhe=on", "-pBadger-7"], "headers.7z"),
];

/// A folder with the archives that tools of this machine make.
fn archives() -> (tempfile::TempDir, Vec<&'static str>) {
    let place = folder(&[("eicar.com", &eicar()), ("lines.txt", &b"a line\n".repeat(2000))]);
    let mut names = Vec::new();
    for (program, options, name) in ARCHIVES.iter().filter(|(program, ..)| has_tool(program)) {
        let arguments: Vec<&str> = options.iter().copied().chain([*name, "eicar.com", "lines.txt"]).collect();
        tool(place.path(), program, &arguments);
        names.push(*name);
    }
    (place, names)
}

#[test]
fn a_given_password_opens_archives() {
    let (place, names) = archives();
    for name in names {
        let path = place.path().join(name);
        let right = scan(&["--password", "x", "--password", "Badger-7"], &path);
        assert_eq!(right.code, 1, "{name}: {}{}", right.out, right.err);
        assert!(right.out.contains("eicar.com"), "{name}: {}", right.out);
        let wrong = scan(&["--password", "badger-7"], &path);
        assert_eq!(wrong.code, 3, "{name}: {}", wrong.out);
        assert!(wrong.out.contains("encrypted"), "{name}: {}", wrong.out);
    }
}

#[test]
fn databases_hold_passwords() {
    let (place, names) = archives();
    std::fs::write(place.path().join("own.pwdb"), "a;Engine:51-255;0;wrong\nb;Engine:51-255;1;4261646765722d37\n")
        .unwrap();
    let hexadecimal: String = eicar().iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(place.path().join("own.ndb"), format!("Eicar:0:0:{hexadecimal}\n")).unwrap();
    let (passwords, signatures) = (place.path().join("own.pwdb"), place.path().join("own.ndb"));
    for name in names {
        let arguments = ["scan", "-d", signatures.to_str().unwrap(), "-d", passwords.to_str().unwrap()];
        let found = run(command(&arguments).arg(place.path().join(name)));
        assert_eq!(found.code, 1, "{name}: {}{}", found.out, found.err);
    }
}

/// A mail with a text and an archive.
fn mail(text: &str, archive: &[u8]) -> Vec<u8> {
    use base64::Engine;
    let data = base64::engine::general_purpose::STANDARD.encode(archive);
    let lines: Vec<&str> = data.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!(
        "From: a@example.org\r\nTo: b@example.org\r\nSubject: your invoice\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n{text}\r\n\
         --x\r\nContent-Type: application/octet-stream; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--x--\r\n",
        lines.join("\r\n")
    )
    .into_bytes()
}

#[test]
fn the_text_of_a_mail_opens_its_archive() {
    let (place, names) = archives();
    for name in names {
        let archive = std::fs::read(place.path().join(name)).unwrap();
        for (text, code) in [
            ("Please find the invoice. Password: Badger-7.", 1),
            ("das Passwort lautet \"Badger-7\", viele Gruesse", 1),
            ("Badger-7", 1),
            ("Please find the invoice. Password: none", 3),
        ] {
            std::fs::write(place.path().join("mail.eml"), mail(text, &archive)).unwrap();
            let run = scan(&[], place.path().join("mail.eml"));
            assert_eq!(run.code, code, "{name} {text}: {}{}", run.out, run.err);
        }
    }
}

/// The names that a program prints, without paths.
fn found(mut program: Command, options: &[&str], files: &Path, databases: &Path) -> Vec<String> {
    program.args(["--no-summary", "-z"]).args(options).arg("-d").arg(databases).arg(files);
    let output = program.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut names: Vec<String> =
        text.lines().filter_map(|line| line.strip_suffix(" FOUND")).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// Lists of passwords, and whether one of them opens the archives. ClamAV opens ZIP archives of the old cipher with them.
const LISTS: &[&str] = &[
    "a;Engine:51-255;0;Badger-7\n",
    "a;Engine:51-255;0;wrong\nb;Engine:51-255;0;Badger-7\n",
    "a;Engine:51-255,Container:CL_TYPE_ZIP;0;Badger-7\n",
    "a;Engine:51-255,Container:CL_TYPE_RAR;0;Badger-7\n",
    "a;Engine:51-255;1;4261646765722d37\n",
    "a;Engine:51-255;0;Badger-70\nb;Engine:51-255;0;badger-7\n",
    "a;Target:0;0;Badger-7\n",
    "a;Engine:51-255,Target:1;0;Badger-7\n",
];

#[test]
fn clamscan_opens_the_same_archives_of_the_old_cipher() {
    if !has_tool("clamscan") {
        return;
    }
    let (place, names) = archives();
    for list in LISTS {
        let databases = place.path().join("db");
        std::fs::create_dir_all(&databases).unwrap();
        let hexadecimal: String = eicar().iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(databases.join("own.ndb"), format!("Eicar:0:0:{hexadecimal}\n")).unwrap();
        std::fs::write(databases.join("own.pwdb"), list).unwrap();
        for name in names.iter().filter(|name| matches!(**name, "classic.zip" | "stored.zip")) {
            for options in [&[][..], &["--alert-encrypted"]] {
                let file = place.path().join(name);
                let theirs = found(Command::new("clamscan"), options, &file, &databases);
                let ours = found(command(&["clamscan"]), options, &file, &databases);
                assert_eq!(ours, theirs, "{list} {name} {options:?}");
            }
        }
    }
}
