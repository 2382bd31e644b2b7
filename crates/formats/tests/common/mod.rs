//! A small engine for tests: takes an object apart, with all that it holds, and notes what it saw.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::process::{Command, Stdio};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, FileKind, Limits, Memory, NoClock, Source, read_vec_at};
use dachs_formats::{Identity, Item, Passwords, Unpacking, embedded, identify, unpack_with};

/// The EICAR test file, in two halves, so that no scanner takes this file for it.
pub(crate) fn eicar() -> Vec<u8> {
    let halves = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!$H+H*"];
    halves.concat().into_bytes()
}

/// One object that was seen.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Names from the outermost on.
    pub(crate) path: Vec<String>,
    pub(crate) kind: FileKind,
    pub(crate) bytes: Vec<u8>,
}

/// All that was seen.
#[derive(Default, Debug)]
pub(crate) struct Walked {
    pub(crate) objects: Vec<Seen>,
    pub(crate) anomalies: Vec<Anomaly>,
    /// The same, with what each is about: names from the outermost on, joined by " > "; empty for the object itself.
    pub(crate) told: Vec<Told>,
}

/// An anomaly, and what it is about.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) object: String,
    pub(crate) anomaly: Anomaly,
}

impl Walked {
    /// The object with these names.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Seen> {
        self.objects.iter().find(|seen| seen.path == path)
    }

    fn tell(&mut self, path: impl Iterator<Item = String>, anomaly: Anomaly) {
        self.anomalies.push(anomaly.clone());
        self.told.push(Told { object: path.collect::<Vec<_>>().join(" > "), anomaly });
    }

    /// True if the report would be incomplete.
    pub(crate) fn gap(&self) -> bool {
        self.anomalies.iter().any(|anomaly| anomaly.kind.is_gap())
    }
}

/// Takes bytes apart with default limits.
pub(crate) fn walk(bytes: &[u8]) -> Walked {
    walk_within(bytes, Limits::default())
}

/// Takes bytes apart with passwords.
pub(crate) fn walk_with(bytes: &[u8], passwords: &[&str]) -> Walked {
    walk_as(bytes, Limits::default(), &Passwords::new(passwords.iter().map(|password| password.as_bytes()), None))
}

/// Takes bytes apart.
pub(crate) fn walk_within(bytes: &[u8], limits: Limits) -> Walked {
    walk_as(bytes, limits, &Passwords::none())
}

/// Takes bytes apart, with limits and passwords.
pub(crate) fn walk_as(bytes: &[u8], limits: Limits, passwords: &Passwords) -> Walked {
    let budget = Budget::new(limits, NoClock);
    let mut walked = Walked::default();
    visit(Arc::new(Memory::new(bytes.to_vec())), &mut Vec::new(), &budget, passwords, &mut walked);
    walked
}

/// The first 4 MiB, in pieces.
fn read_all(source: &dyn Source) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < 4 << 20 {
        let piece = read_vec_at(source, bytes.len() as u64, 16 * 1024);
        if piece.is_empty() {
            break;
        }
        bytes.extend(piece);
    }
    bytes
}

fn visit(source: Arc<dyn Source>, path: &mut Vec<String>, budget: &Budget, passwords: &Passwords, walked: &mut Walked) {
    let bytes = read_all(source.as_ref());
    // The engine reads all of an object, and asks what it is once the end is known.
    let _ = source.len();
    let identity = identify(source.as_ref());
    walked.objects.push(Seen { path: path.clone(), kind: identity.kind, bytes });
    if path.len() < usize::try_from(budget.limits().depth).unwrap() {
        for kind in identity.kinds().chain(set_up(&identity, &source, budget)) {
            if let Unpacking::Members(mut members) = unpack_with(kind, &source, budget, passwords) {
                while let Some(item) = members.next_item() {
                    match item {
                        Item::Anomaly { member, anomaly } => {
                            let name = member.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
                            walked.tell(path.iter().cloned().chain(name), anomaly);
                        }
                        Item::Heuristic(_) | Item::Embedded(_) | Item::Also(_) | Item::Meta(_) => {}
                        Item::Member(member) => {
                            path.push(String::from_utf8_lossy(member.name.as_bytes()).into_owned());
                            visit(member.source, path, budget, passwords, walked);
                            path.pop();
                        }
                    }
                }
                assert!(members.next_item().is_none(), "an unpacker goes on after its end");
            }
        }
    }
    if let Some(problem) = source.problem() {
        walked.tell(path.iter().cloned(), problem);
    }
}

/// What a program is besides, if it carries the data of a set-up program.
fn set_up(identity: &Identity, source: &Arc<dyn Source>, budget: &Budget) -> Option<FileKind> {
    let mut search = (identity.kind == FileKind::Pe).then(|| embedded(identity, source, None, budget))??;
    let items = std::iter::from_fn(|| search.next_item());
    items.into_iter().find_map(|item| if let Item::Also(kind) = item { Some(kind) } else { None })
}

/// Runs a public tool in a folder, with bytes on its standard input; `None`, and a loud line, if there is none.
pub(crate) fn tool(folder: &std::path::Path, program: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    use std::io::Write;
    let child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("SKIPPED: the tool {program} is not installed");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let _ = feeder.join().unwrap();
    assert!(output.status.success(), "{program} {arguments:?} failed");
    Some(output.stdout)
}

/// One of the test files that come with ClamAV; `None`, and a loud line, if they are not installed.
pub(crate) fn test_file(name: &str) -> Option<Vec<u8>> {
    let bytes = std::fs::read(std::path::Path::new("/usr/share/clamav-testfiles").join(name)).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: ClamAV's test file {name} is not installed");
    }
    bytes
}

/// Numbers without pattern, always the same.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new() -> Noise {
        Noise(0x9e37_79b9_7f4a_7c15)
    }

    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    /// Flips one to `most` bits, at places that `places` allows.
    pub(crate) fn flip(&mut self, whole: &[u8], places: &[usize], most: usize) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        for _ in 0..=self.below(most) {
            bytes[places[self.below(places.len())]] ^= 1 << self.below(8);
        }
        bytes
    }

    /// A part from the start on.
    pub(crate) fn cut<'a>(&mut self, whole: &'a [u8]) -> &'a [u8] {
        &whole[..self.below(whole.len())]
    }
}
