//! Asks Debian's clamd and dachsd the same, side by side: every reply must be the same, byte for byte.
//!
//! What differs by nature is made alike first: numbers of descriptors, versions, `STATS`, the order in which the answers of a
//! conversation or of `MULTISCAN` come. What is meant to differ stands in [`KNOWN`], with its reason; one that agrees again
//! is a broken promise too, so that the list does not rot.

use std::fs;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::daemon::{Daemon, Kind, content, eicar, instream, is_clamd_there};
use crate::scratch::Scratch;

/// A question's name, or how it begins, and why the answers differ.
const KNOWN: [(&str, &str); 12] = [
    ("link to a file", "clamd calls a link that it does not follow OK; an argument is followed here"),
    ("link to a folder", "as above"),
    ("no regular file", "clamd adds an OK for what it has not looked at"),
    ("file of the kernel", "clamd sees size 0 and calls it OK; its bytes are not looked at, so it is an error here"),
    ("old framing in a conversation", "clamd is silent until the time is over; here it is told at once"),
    ("empty line in a conversation", "as above"),
    ("old framing bytewise", "clamd takes the first byte for a command; here the rest of the word is awaited"),
    ("FILDES with CR LF", "clamd takes the line break for the byte that carries the descriptor"),
    ("descriptor twice", "clamd drops both; here the first counts"),
    ("descriptor without reading", "clamd calls an empty file that it cannot read OK"),
    ("more after a descriptor", "clamd answers what is behind the one command of a connection too"),
    ("descriptor of nothing readable", "as for a descriptor without reading"),
];

/// What is sent.
enum Sent {
    Bytes(Vec<u8>),
    /// Bytes, and copies of this descriptor with them.
    Descriptor(Vec<u8>, usize, &'static str),
}

/// A question: its name, what is sent, and whether the end is closed then.
struct Question {
    name: String,
    sent: Vec<Sent>,
    closes: bool,
}

/// Asks everything.
pub(crate) fn run() -> super::Broken {
    if !is_clamd_there() {
        return Ok(0);
    }
    let (database, files) = (content()?, files()?);
    let further = "StreamMaxLength 1M\nCommandReadTimeout 2\nReadTimeout 2";
    let clamd = Daemon::start(Kind::Clamd, database.path(), further)?;
    let dachsd = Daemon::start(Kind::Dachsd, database.path(), further)?;
    let (mut broken, mut known) = (0, Vec::new());
    let questions = questions(files.path());
    for question in &questions {
        let [theirs, ours] = [&clamd, &dachsd].map(|daemon| alike(&ask(&daemon.socket, question, files.path())));
        let meant = KNOWN.iter().find(|(name, _)| question.name.starts_with(name));
        match (theirs == ours, meant) {
            (true, _) => {}
            (false, Some((name, _))) => known.push(*name),
            (false, None) => {
                broken += 1;
                println!("{}:\n  clamd  {theirs:?}\n  dachsd {ours:?}", question.name);
            }
        }
    }
    for (name, _) in KNOWN.iter().filter(|(name, _)| !known.contains(name)) {
        if questions.iter().any(|question| question.name.starts_with(name)) {
            broken += 1;
            println!("{name}: the answers are the same again; take it out of the list");
        }
    }
    let same = questions.len() - known.len() - broken;
    println!("{} questions: {same} answered alike, {} differ as listed, {broken} differ", questions.len(), known.len());
    Ok(broken)
}

/// What is scanned: readable by all, as clamd may run as another user.
fn files() -> Result<Scratch, String> {
    let scratch = Scratch::new()?;
    scratch.folder("d/sub")?;
    scratch.folder("clean")?;
    for (name, bytes) in [
        ("d/bad", eicar()),
        ("d/sub/bad", eicar()),
        ("good", b"good".to_vec()),
        ("empty", Vec::new()),
        ("clean/a b", b"x".to_vec()),
    ] {
        scratch.write(name, &bytes)?;
    }
    let linked =
        symlink("d/bad", scratch.path().join("link")).and_then(|()| symlink("d", scratch.path().join("dlink")));
    linked.map_err(|error| error.to_string())?;
    let made = Command::new("mkfifo").arg(scratch.path().join("fifo")).status();
    made.map_err(|error| format!("mkfifo: {error}"))?;
    Ok(scratch)
}

fn questions(files: &Path) -> Vec<Question> {
    let mut all = Vec::new();
    framings(files, &mut all);
    paths(files, &mut all);
    streams(&mut all);
    conversations(files, &mut all);
    descriptors(&mut all);
    all
}

fn bytes(all: &mut Vec<Question>, name: &str, bytes: &[u8]) {
    all.push(Question { name: name.to_owned(), sent: vec![Sent::Bytes(bytes.to_vec())], closes: true });
}

/// Every command in every framing; split bytewise too where there is a terminator.
fn framings(files: &Path, all: &mut Vec<Question>) {
    let bad = files.join("d/bad").display().to_string();
    let commands = [
        "PING",
        "VERSION",
        "VERSIONCOMMANDS",
        "STATS",
        "END",
        "IDSESSION",
        "INSTREAM",
        "BOGUS",
        "",
        "PING x",
        "PINGx",
        " PING",
        "ping",
        "PING ",
        "VERSION ",
        "RELOADx",
        "SCAN",
        "SCAN ",
        "SCANx",
        "scan x",
        "STREAM",
        "RAWSCAN /x",
        "DETSTATS",
        "DETSTATSCLEAR",
        "FILDES",
    ];
    let scans = ["SCAN", "CONTSCAN", "ALLMATCHSCAN"].map(|word| format!("{word} {bad}"));
    for command in commands.iter().map(|command| (*command).to_owned()).chain(scans) {
        for (framing, text) in [
            ("bare", command.clone()),
            ("LF", format!("{command}\n")),
            ("CR LF", format!("{command}\r\n")),
            ("n", format!("n{command}\n")),
            ("z", format!("z{command}\0")),
        ] {
            let name = if command == "FILDES" && framing == "CR LF" {
                "FILDES with CR LF".to_owned()
            } else {
                format!("{command:?} {framing}")
            };
            bytes(all, &name, text.as_bytes());
            if matches!(framing, "n" | "z") {
                let sent = text.bytes().map(|byte| Sent::Bytes(vec![byte])).collect();
                all.push(Question { name: format!("{command:?} {framing} bytewise"), sent, closes: true });
            }
        }
    }
    let sent = b"PING\n".iter().map(|byte| Sent::Bytes(vec![*byte])).collect();
    all.push(Question { name: "old framing bytewise".to_owned(), sent, closes: true });
    for (name, text) in [
        ("z with LF", "zPING\n"),
        ("n with zero", "nPING\0"),
        ("z with CR", "zPING\r\0"),
        ("z with LF and zero", "zPING\n\0"),
        ("two z", "zzPING\0"),
        ("zero", "\0"),
        ("two at once, z", "zPING\0zPING\0"),
        ("two at once, n", "nPING\nnVERSION\n"),
        ("two at once, old", "PING\nPING\n"),
        ("nothing", ""),
        ("z alone", "z"),
        ("n alone", "n"),
    ] {
        bytes(all, name, text.as_bytes());
    }
    bytes(all, "long command", format!("z{}\0", "A".repeat(6000)).as_bytes());
    bytes(all, "long old command", "A".repeat(5000).as_bytes());
    for text in ["", "z", "nINSTREAM\n", "zINSTREAM\0\0\0\0\x09abc", "zFILDES\0"] {
        let sent = vec![Sent::Bytes(text.as_bytes().to_vec())];
        all.push(Question { name: format!("nothing more after {text:?}"), sent, closes: false });
    }
}

fn paths(files: &Path, all: &mut Vec<Question>) {
    for (name, path) in [
        ("good file", "good"),
        ("empty file", "empty"),
        ("missing", "missing"),
        ("folder", "d"),
        ("inner folder", "d/sub"),
        ("clean folder", "clean"),
        ("blank in a name", "clean/a b"),
        ("dots", "d/../good"),
        ("slash at the end", "good/"),
        ("link to a file", "link"),
        ("link to a folder", "dlink"),
        ("no regular file", "fifo"),
        ("under a file", "good/x"),
        ("line break in a name", "a\nb"),
    ] {
        for word in ["SCAN", "CONTSCAN", "MULTISCAN", "ALLMATCHSCAN"] {
            let text = format!("z{word} {}\0", files.join(path).display());
            let text = if path.ends_with('/') { text.replace('\0', "") + "\0" } else { text };
            bytes(all, &format!("{name}, {word}"), text.as_bytes());
        }
    }
    for (name, path) in [
        ("relative", "relative".to_owned()),
        ("no regular file: null", "/dev/null".to_owned()),
        ("file of the kernel", "/proc/self/status".to_owned()),
        ("long name", format!("/{}", "a".repeat(300))),
        ("long path", "/a".repeat(2500)),
    ] {
        bytes(all, name, format!("zSCAN {path}\0").as_bytes());
    }
    let mut odd = b"zSCAN /x\xff".to_vec();
    odd.push(0);
    bytes(all, "name that is not UTF-8", &odd);
}

fn streams(all: &mut Vec<Question>) {
    let mebibyte = vec![b'a'; 1 << 20];
    bytes(all, "stream", &instream(&eicar()));
    bytes(all, "clean stream", &instream(b"good"));
    bytes(all, "empty stream", &instream(b""));
    bytes(all, "stream of exactly the limit", &instream(&mebibyte));
    bytes(all, "stream over the limit", &instream(&[&mebibyte[..], b"x"].concat()));
    bytes(all, "chunk that is too long", b"zINSTREAM\0\x7f\xff\xff\xff");
    bytes(all, "stream that is cut", b"zINSTREAM\0\0\0\0\x09abc");
    bytes(all, "chunk that is cut", b"zINSTREAM\0\0\0");
    bytes(all, "stream without an end", &[b"zINSTREAM\0\0\0\0\x44", &eicar()[..]].concat());
    bytes(all, "more after a stream", &[instream(&eicar()), b"zPING\0".to_vec()].concat());
    let sent = instream(b"split").iter().map(|byte| Sent::Bytes(vec![*byte])).collect();
    all.push(Question { name: "stream bytewise".to_owned(), sent, closes: true });
}

fn conversations(files: &Path, all: &mut Vec<Question>) {
    let bad = files.join("d/bad").display().to_string();
    let folder = files.join("d/sub").display().to_string();
    for (name, inner) in [
        ("ping and version", "nPING\nnVERSION\nnEND\n".to_owned()),
        ("both framings", "zPING\0nPING\nzEND\0".to_owned()),
        ("unknown", "nBOGUS\nnPING\nnEND\n".to_owned()),
        ("CONTSCAN", format!("nCONTSCAN {bad}\nnPING\nnEND\n")),
        ("MULTISCAN", format!("nMULTISCAN {bad}\nnPING\nnEND\n")),
        ("ALLMATCHSCAN", format!("nALLMATCHSCAN {bad}\nnPING\n")),
        ("RELOAD", "nRELOAD\nnPING\n".to_owned()),
        ("SHUTDOWN", "nSHUTDOWN\nnPING\n".to_owned()),
        ("another", "nIDSESSION\nnPING\n".to_owned()),
        ("DETSTATS", "zDETSTATS\0zPING\0".to_owned()),
        ("END with more", "zEND x\0".to_owned()),
        ("no END", "zPING\0".to_owned()),
        ("STATS", "zSTATS\0zEND\0".to_owned()),
        ("VERSIONCOMMANDS", "zVERSIONCOMMANDS\0zEND\0".to_owned()),
        ("SCAN", format!("nSCAN {bad}\nnEND\n")),
        ("SCAN of a folder", format!("nSCAN {folder}\nnEND\n")),
        ("missing", "zSCAN /missing\0zEND\0".to_owned()),
        ("no descriptor", "zFILDES\0zPING\0zEND\0".to_owned()),
    ] {
        bytes(all, &format!("conversation: {name}"), format!("zIDSESSION\0{inner}").as_bytes());
    }
    bytes(all, "old framing in a conversation", b"nIDSESSION\nPING\n");
    bytes(all, "empty line in a conversation", b"nIDSESSION\n\nnPING\nnEND\n");
    let streams = [b"zIDSESSION\0".to_vec(), instream(&eicar()), instream(b"good"), b"zEND\0".to_vec()].concat();
    bytes(all, "conversation: streams", &streams);
    let long = [b"zIDSESSION\0".to_vec(), instream(&vec![0; (1 << 20) + 1]), b"zPING\0".to_vec()].concat();
    bytes(all, "conversation: stream over the limit", &long);
    let sent = b"nIDSESSION\nnPING\nnVERSION\nnEND\n".iter().map(|byte| Sent::Bytes(vec![*byte])).collect();
    all.push(Question { name: "conversation bytewise".to_owned(), sent, closes: true });
}

fn descriptors(all: &mut Vec<Question>) {
    let command = |text: &str| Sent::Bytes(text.as_bytes().to_vec());
    let passed = |bytes: &str, count, file| Sent::Descriptor(bytes.as_bytes().to_vec(), count, file);
    let mut ask = |name: &str, sent: Vec<Sent>| all.push(Question { name: name.to_owned(), sent, closes: true });
    ask("descriptor", vec![command("zFILDES\0"), passed("\0", 1, "d/bad")]);
    ask("descriptor, n", vec![command("nFILDES\n"), passed("x", 1, "d/bad")]);
    ask("descriptor, old", vec![command("FILDES\n"), passed("\0", 1, "good")]);
    ask("descriptor of a folder", vec![command("zFILDES\0"), passed("\0", 1, "d")]);
    ask("descriptor with the command", vec![passed("zFILDES\0", 1, "d/bad")]);
    ask("descriptor twice", vec![command("zFILDES\0"), passed("\0", 2, "d/bad")]);
    ask("descriptor with a ping", vec![passed("zPING\0", 1, "good")]);
    ask("descriptor with nonsense", vec![passed("x", 1, "good")]);
    ask("no descriptor", vec![command("zFILDES\0"), command("\0")]);
    ask(
        "conversation: descriptors",
        vec![
            command("zIDSESSION\0zFILDES\0"),
            passed("\0", 1, "d/bad"),
            command("zFILDES\0"),
            passed("\0", 1, "good"),
            command("zEND\0"),
        ],
    );
}

fn ask(socket: &Path, question: &Question, files: &Path) -> Vec<u8> {
    let Ok(mut stream) = UnixStream::connect(socket) else { return b"no connection".to_vec() };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    let bytewise = question.sent.len() > 4;
    for sent in &question.sent {
        let done = match sent {
            Sent::Bytes(bytes) => stream.write_all(bytes).is_ok(),
            Sent::Descriptor(bytes, count, name) => {
                fs::File::open(files.join(name)).is_ok_and(|file| pass(&stream, bytes, &vec![file.as_fd(); *count]))
            }
        };
        if !done {
            break;
        }
        std::thread::sleep(Duration::from_millis(if bytewise { 1 } else { 5 }));
    }
    if question.closes {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    let mut answer = Vec::new();
    let mut buffer = [0; 65536];
    // A reset after the answer is no difference.
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..count]);
    }
    answer
}

fn pass(stream: &UnixStream, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> bool {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(descriptors))
        && sendmsg(stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).is_ok()
}

/// Without what differs by nature.
fn alike(answer: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(answer).into_owned();
    if let (Some(begin), Some(end)) = (text.find("POOLS: "), text.find("END")) {
        text.replace_range(begin..end, "STATS ");
    }
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("fd[") {
        plain.push_str(&rest[..at]);
        plain.push_str("fd[]");
        rest = rest[at..].split_once(']').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    let end = if plain.contains('\0') { '\0' } else { '\n' };
    let mut replies: Vec<String> = plain.split_terminator(end).map(version).collect();
    replies.sort();
    replies.join(&end.to_string()) + if plain.ends_with(end) { "." } else { "" }
}

/// A reply with the version replaced.
fn version(reply: &str) -> String {
    match reply.find("ClamAV 1.") {
        Some(at) => {
            let commands = reply.find("| COMMANDS").map_or("", |at| &reply[at..]);
            format!("{}VERSION{commands}", &reply[..at])
        }
        None => reply.to_owned(),
    }
}
