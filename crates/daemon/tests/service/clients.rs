//! Programs that were written for clamd, started as they are. One that is not installed is skipped with a line on standard
//! error.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::house::{House, dachs, eicar};

const FOUND: &str = "Test.First.UNOFFICIAL FOUND";

/// Whether a program can be started.
fn is_there(program: &str, test: &str) -> bool {
    let there = Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        eprintln!("SKIPPED: {test}: there is no {program}");
    }
    there
}

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

/// `DACHS_PYTHON` names a Python with the modules, if the system's has them not.
#[test]
fn modules_of_python() {
    let house = House::new("");
    let bad = house.file("files/bad", &eicar());
    let python = std::env::var("DACHS_PYTHON").unwrap_or("python3".to_owned());
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
        let import = Command::new(&python).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
        if !import.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: modules_of_python: there is no {module} for {python}");
            continue;
        }
        let output = Command::new(&python).args(["-c", program]).arg(house.path("s")).arg(&bad).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{module}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(text.matches("Test.First.UNOFFICIAL").count(), 3, "{text}");
        assert!(text.contains("ClamAV 1.4.6-compatible") && text.contains("POOLS"), "{text}");
    }
}

/// Mail through clamsmtpd: what is clean arrives, what is not does not.
#[test]
fn a_mail_filter() {
    if !is_there("clamsmtpd", "a_mail_filter") {
        return;
    }
    let house = House::new("");
    let behind = TcpListener::bind("127.0.0.1:0").unwrap();
    let out = behind.local_addr().unwrap().port();
    let (sender, arrived) = channel();
    thread::spawn(move || behind.incoming().flatten().for_each(|stream| receive_mail(stream, &sender)));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let conf = format!(
        "OutAddress: 127.0.0.1:{out}\nListen: 127.0.0.1:{port}\nClamAddress: {}\nTempDirectory: {}\nAction: drop\n",
        house.path("s").display(),
        house.folder.path().display()
    );
    let conf = house.file("clamsmtpd.conf", conf.as_bytes());
    let mut filter = Command::new("clamsmtpd");
    filter.args(["-d", "1", "-f"]).arg(conf).stdout(Stdio::null()).stderr(Stdio::null());
    let mut filter = filter.spawn().unwrap();
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(10), "clamsmtpd does not start");
        thread::sleep(Duration::from_millis(50));
    }
    send_mail(port, &String::from_utf8(eicar()).unwrap());
    send_mail(port, "just a letter");
    let first = arrived.recv_timeout(Duration::from_secs(20));
    let second = arrived.recv_timeout(Duration::from_millis(500));
    filter.kill().unwrap();
    filter.wait().unwrap();
    assert!(first.unwrap().contains("just a letter"));
    assert!(second.is_err(), "the infected mail arrived too");
}

/// The least of a mail server; tells what arrived.
fn receive_mail(mut stream: TcpStream, arrived: &Sender<String>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).is_ok();
    say("220 here");
    while let Some(Ok(line)) = lines.next() {
        match line.get(..4).unwrap_or_default() {
            "DATA" => {
                say("354 go on");
                let text: Vec<String> = lines.by_ref().map_while(Result::ok).take_while(|line| line != ".").collect();
                let _ = arrived.send(text.join("\n"));
                say("250 taken");
            }
            "QUIT" => {
                say("221 bye");
                return;
            }
            _ => {
                say("250 fine");
            }
        }
    }
}

fn send_mail(port: u16, text: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut hear = move || lines.by_ref().map_while(Result::ok).find(|line| line.get(3..4) != Some("-"));
    hear();
    let mail = format!("Subject: x\r\n\r\n{text}\r\n.");
    for command in ["HELO me", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA", &mail, "QUIT"] {
        let _ = stream.write_all(format!("{command}\r\n").as_bytes());
        hear();
    }
}
