//! Programs that were written for clamd, started as they are. One that is not installed is skipped with a line on standard
//! error.

use std::process::{Command, Output, Stdio};

use crate::house::{House, dachs, eicar, free_port, is_there};

const FOUND: &str = "Test.First.UNOFFICIAL FOUND";

fn run(house: &House, program: &str, first: &[&str], arguments: &str) -> (String, Option<i32>) {
    let conf = house.path("client.conf");
    std::fs::write(&conf, format!("LocalSocket {}\n", house.path("s").display())).unwrap();
    let mut command = Command::new(program);
    command.args(first).arg("-c").arg(conf).arg("--no-summary").current_dir(house.path("files"));
    command.args(arguments.split(' '));
    let Output { stdout, stderr, status } = command.stdin(Stdio::null()).output().unwrap();
    (format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)), status.code())
}

/// All modes of a clamdscan, ClamAV's or ours.
fn scan_in_all_modes(program: &str, first: &[&str]) {
    let house = House::new("");
    let files = house.path("files");
    let bad = house.file("files/bad", &eicar());
    let good = house.file("files/good", b"good");
    let line = format!("{}: {FOUND}\n", bad.display());
    for mode in ["", "--multiscan ", "--allmatch ", "--fdpass ", "--fdpass --multiscan ", "--stream ", "-i "] {
        let (text, code) = run(&house, program, first, &format!("{mode}{}", bad.display()));
        assert_eq!((text.as_str(), code), (line.as_str(), Some(1)), "{mode}");
        let (text, code) = run(&house, program, first, &format!("{mode}{}", good.display()));
        let ok = if mode == "-i " { String::new() } else { format!("{}: OK\n", good.display()) };
        assert_eq!((text, code), (ok, Some(0)), "{mode}");
        let (text, code) = run(&house, program, first, &format!("{mode}{}", files.display()));
        assert_eq!((text.as_str(), code), (line.as_str(), Some(1)), "{mode}, a folder");
    }
    assert_eq!(run(&house, program, first, "--ping 3"), ("PONG\n".to_owned(), Some(0)));
    assert_eq!(run(&house, program, first, "--reload").1, Some(0));
    assert_eq!(run(&house, program, first, "/nowhere").1, Some(2));
    let list = house.file("list", format!("{}\n{}\n", bad.display(), good.display()).as_bytes());
    assert_eq!(run(&house, program, first, &format!("--file-list={}", list.display())).1, Some(1));
    std::fs::create_dir(house.path("vault")).unwrap();
    let vault = house.path("vault");
    assert_eq!(
        run(&house, program, first, &format!("--fdpass --copy={} {}", vault.display(), files.display())).1,
        Some(1)
    );
    assert!(vault.join("bad").exists() && bad.exists());
    assert_eq!(
        run(&house, program, first, &format!("--fdpass --move={} {}", vault.display(), bad.display())).1,
        Some(1)
    );
    assert!(vault.join("bad.1").exists() || vault.join("bad.001").exists());
    assert!(!bad.exists() && good.exists());
    house.file("files/bad", &eicar());
    assert_eq!(run(&house, program, first, &format!("--fdpass --remove {}", files.display())).1, Some(1));
    assert!(!bad.exists() && good.exists());
}

#[test]
fn debians_clamdscan_in_all_modes() {
    if is_there("clamdscan", "debians_clamdscan_in_all_modes") {
        scan_in_all_modes("clamdscan", &[]);
    }
}

/// Over TCP, clamdscan streams whatever it is asked to scan.
#[test]
fn clamdscan_over_tcp() {
    let port = free_port();
    let house = House::new(&format!("TCPSocket {port}"));
    let bad = house.file("files/bad", &eicar());
    let conf = house.file("tcp.conf", format!("TCPSocket {port}\nTCPAddr 127.0.0.1\n").as_bytes());
    let ours = dachs().display().to_string();
    for (program, first) in [("clamdscan", None), (ours.as_str(), Some("clamdscan"))] {
        if !is_there(program, "clamdscan_over_tcp") {
            continue;
        }
        let mut command = Command::new(program);
        command.args(first).arg("--no-summary").arg("-c").arg(&conf).arg(&bad);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!((text, output.status.code()), (format!("{}: {FOUND}\n", bad.display()), Some(1)), "{program}");
    }
}

#[test]
fn our_clamdscan_in_all_modes() {
    scan_in_all_modes(&dachs().display().to_string(), &["clamdscan"]);
}

#[test]
fn a_scan_by_the_service() {
    let house = House::new("");
    let bad = house.file("files/bad", &eicar());
    let scan = |socket: &str| {
        let mut command = Command::new(dachs());
        command
            .arg("scan")
            .arg(format!("--service={}", house.path(socket).display()))
            .args(["--format", "jsonl"])
            .arg(&bad);
        let output = command.output().unwrap();
        (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (json, _) = scan("s");
    assert!(json.contains("\"verdict\":\"detected\"") && json.contains("Test.First.UNOFFICIAL"), "{json}");
    let (json, said) = scan("nowhere");
    assert!(said.contains("scanning here") && json.contains("\"verdict\":\"detected\""), "{said}{json}");
}

/// A Python that has this module: Debian's, or that of `target/venv`, which `.ci/run` makes.
fn python_with(module: &str) -> Option<&'static str> {
    let venv = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/venv/bin/python");
    let imports = |python: &&str| {
        let import = Command::new(python).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
        import.is_ok_and(|status| status.success())
    };
    ["/usr/bin/python3", venv].into_iter().find(imports)
}

#[test]
fn modules_of_python() {
    let house = House::new("");
    let bad = house.file("files/bad", &eicar());
    let programs = [
        (
            "pyclamd",
            "import pyclamd, sys; c = pyclamd.ClamdUnixSocket(sys.argv[1]); assert c.ping(); print(c.version())\n\
             print(c.scan_file(sys.argv[2])); print(c.scan_stream(open(sys.argv[2], 'rb').read())); print(c.scan_stream(b'x'))\n\
             print(c.contscan_file(sys.argv[2])); print(c.stats()[:8])",
        ),
        (
            "clamd",
            "import clamd, io, sys; c = clamd.ClamdUnixSocket(sys.argv[1]); assert c.ping() == 'PONG'\n\
             print(c.scan(sys.argv[2])); print(c.instream(open(sys.argv[2], 'rb'))); print(c.instream(io.BytesIO(b'x')))\n\
             print(c.multiscan(sys.argv[2])); print(c.version(), c.stats()[:8])",
        ),
    ];
    for (module, program) in programs {
        let Some(python) = python_with(module) else {
            eprintln!("SKIPPED: modules_of_python: there is no Python with {module}");
            continue;
        };
        let output = Command::new(python).args(["-c", program]).arg(house.path("s")).arg(&bad).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{module}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(text.matches("Test.First.UNOFFICIAL").count(), 3, "{text}");
        assert!(text.contains("ClamAV 1.4.6-compatible") && text.contains("POOLS"), "{text}");
    }
}
