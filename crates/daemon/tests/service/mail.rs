//! Filters of mail that were written for clamd, started as they are: what is clean passes, what is not does not. One that is
//! not installed is skipped with a line on standard error.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::house::{House, eicar, free_port, is_there};

/// A program that ends with the test.
struct Filter(Child);

impl Filter {
    /// Starts it, and waits until it listens.
    fn start(command: &mut Command, port: u16) -> Filter {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let filter = Filter(child);
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(60), "{command:?} does not listen");
            thread::sleep(Duration::from_millis(50));
        }
        filter
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        // By its number: it may have children of its own, which end with it.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// A mail with an attachment.
fn mail(attached: &[u8]) -> String {
    let attached = String::from_utf8(attached.to_vec()).unwrap();
    format!(
        "From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
         --b\r\nContent-Type: application/octet-stream; name=e.com\r\n\
         Content-Disposition: attachment; filename=e.com\r\n\r\n{attached}\r\n--b--\r\n"
    )
}

/// clamsmtpd passes mail on to a server behind it.
#[test]
fn clamsmtp() {
    if !is_there("clamsmtpd", "clamsmtp") {
        return;
    }
    let house = House::new("");
    let behind = TcpListener::bind("127.0.0.1:0").unwrap();
    let out = behind.local_addr().unwrap().port();
    let (sender, arrived) = channel();
    thread::spawn(move || behind.incoming().flatten().for_each(|stream| receive_mail(stream, &sender)));
    let port = free_port();
    let conf = format!(
        "OutAddress: 127.0.0.1:{out}\nListen: 127.0.0.1:{port}\nClamAddress: {}\nTempDirectory: {}\nAction: drop\n",
        house.path("s").display(),
        house.folder.path().display()
    );
    let conf = house.file("clamsmtpd.conf", conf.as_bytes());
    let _filter = Filter::start(Command::new("clamsmtpd").args(["-d", "1", "-f"]).arg(conf), port);
    send_mail(port, &mail(&eicar()));
    send_mail(port, &mail(b"just a letter"));
    let first = arrived.recv_timeout(Duration::from_secs(20));
    let second = arrived.recv_timeout(Duration::from_millis(500));
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
    let mail = format!("{text}\r\n.");
    for command in ["HELO me", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA", &mail, "QUIT"] {
        let _ = stream.write_all(format!("{command}\r\n").as_bytes());
        hear();
    }
}

/// clamav-milter is asked as a mail server would: over a local socket of clamd it passes descriptors, over TCP it streams.
#[test]
fn clamav_milter() {
    if !is_there("clamav-milter", "clamav_milter") {
        return;
    }
    let clamd = free_port();
    let house = House::new(&format!("TCPSocket {clamd}"));
    for socket in [format!("unix:{}", house.path("s").display()), format!("tcp:127.0.0.1:{clamd}")] {
        let port = free_port();
        let conf = format!(
            "MilterSocket inet:{port}@127.0.0.1\nClamdSocket {socket}\nOnInfected Reject\nOnClean Accept\nOnFail Defer\n\
             Foreground yes\nTemporaryDirectory {}\n",
            house.folder.path().display()
        );
        let conf = house.file("milter.conf", conf.as_bytes());
        let _filter = Filter::start(Command::new("clamav-milter").arg("-c").arg(conf), port);
        assert_eq!(judgement(port, &mail(&eicar())), Some(b'r'), "{socket}");
        assert_eq!(judgement(port, &mail(b"just a letter")), Some(b'a'), "{socket}");
    }
    assert!(house.log().contains("FILDES") && house.log().contains("INSTREAM"), "{}", house.log());
}

/// What a milter says of a mail: the protocol of sendmail's libmilter, version 2. Packets are a length, a letter and data.
fn judgement(port: u16, text: &str) -> Option<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let mut send = |letter: u8, data: &[u8]| {
        let length = u32::try_from(data.len() + 1).unwrap().to_be_bytes();
        stream.write_all(&[&length, [letter].as_slice(), data].concat()).unwrap();
    };
    let mut hear = || {
        let mut length = [0; 4];
        reader.read_exact(&mut length).ok()?;
        let mut packet = vec![0; usize::try_from(u32::from_be_bytes(length)).ok()?];
        reader.read_exact(&mut packet).ok()?;
        packet.first().copied()
    };
    let offer: Vec<u8> = [2_u32, 0x3f, 0x7f].iter().flat_map(|number| number.to_be_bytes()).collect();
    send(b'O', &offer);
    assert_eq!(hear(), Some(b'O'));
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    send(b'C', b"host\x004\0\x19192.0.2.1\0");
    assert_eq!(hear(), Some(b'c'));
    send(b'H', b"me\0");
    assert_eq!(hear(), Some(b'c'));
    send(b'M', b"<a@b.example>\0");
    assert_eq!(hear(), Some(b'c'));
    send(b'R', b"<c@d.example>\0");
    assert_eq!(hear(), Some(b'c'));
    for line in head.lines() {
        send(b'L', format!("{}\0", line.replacen(": ", "\0", 1)).as_bytes());
        assert_eq!(hear(), Some(b'c'));
    }
    send(b'N', b"");
    assert_eq!(hear(), Some(b'c'));
    send(b'B', body.as_bytes());
    assert_eq!(hear(), Some(b'c'));
    send(b'E', b"");
    // Until it has judged, it may ask for changes of the mail.
    std::iter::from_fn(hear).find(|letter| b"acdrty".contains(letter))
}

/// The antivirus module of rspamd, asked over HTTP as a mail server would.
#[test]
fn rspamd() {
    if !is_there("rspamd", "rspamd") {
        return;
    }
    let house = House::new("");
    let port = free_port();
    let folder = house.folder.path().display().to_string();
    house.file("tld", b"example\n");
    let conf = format!(
        "options {{ filters = \"\"; dns {{ nameserver = [\"127.0.0.1\"]; }} temp_dir = \"{folder}\"; rrd = \"\";\n\
         pidfile = \"{folder}/r.pid\"; url_tld = \"{folder}/tld\"; cache_file = \"{folder}/r.cache\";\n\
         dynamic_conf = \"{folder}/r.dynamic\"; history_file = \"{folder}/r.history\"; }}\n\
         logging {{ type = \"file\"; filename = \"{folder}/r.log\"; level = \"info\"; }}\n\
         worker \"normal\" {{ bind_socket = \"127.0.0.1:{port}\"; count = 1; }}\n\
         actions {{ reject = 15; }}\ngroup \"av\" {{ symbols = {{ CLAM_VIRUS {{ weight = 20; }} }} }}\n\
         modules {{ path = \"/usr/share/rspamd/plugins/antivirus.lua\"; }}\n\
         antivirus {{ clamav {{ type = \"clamav\"; symbol = \"CLAM_VIRUS\"; servers = \"{folder}/s\"; }} }}\n"
    );
    let conf = house.file("rspamd.conf", conf.as_bytes());
    let _filter = Filter::start(Command::new("rspamd").args(["--insecure", "-f", "-c"]).arg(conf), port);
    let asked = |mail: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let head = format!("POST /checkv2 HTTP/1.0\r\nContent-Length: {}\r\n\r\n", mail.len());
        stream.write_all(&[head.as_bytes(), mail.as_bytes()].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = asked(&mail(&eicar()));
    assert!(answer.contains("\"action\":\"reject\"") && answer.contains("Test.First.UNOFFICIAL"), "{answer}");
    let answer = asked(&mail(b"just a letter"));
    assert!(answer.contains("\"action\":\"no action\"") && !answer.contains("CLAM_VIRUS"), "{answer}");
}
