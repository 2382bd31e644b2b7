//! What the tests of decoders unpack: bytes of this machine and bytes made up, packed by public tools.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

use std::io::Write;
use std::process::{Command, Stdio};

/// What a tool makes of `plain` with `-c`; nothing, and a loud line, if there is no such tool.
pub(super) fn pack(tool: &str, arguments: &[&str], plain: &[u8]) -> Option<Vec<u8>> {
    let spawned =
        Command::new(tool).args(arguments).args(["-q", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else {
        eprintln!("SKIPPED: there is no {tool} to pack with");
        return None;
    };
    let (mut input, owned) = (child.stdin.take().unwrap(), plain.to_vec());
    let writer = std::thread::spawn(move || input.write_all(&owned));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{tool} {arguments:?}");
    Some(output.stdout)
}

/// A program and some text of this machine, and bytes made up.
pub(super) fn contents() -> Vec<(&'static str, Vec<u8>)> {
    let mut contents = vec![("made up", made_up(150_000))];
    for path in ["/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/env", "/usr/share/common-licenses/GPL-3"] {
        match std::fs::read(path) {
            Ok(mut bytes) => {
                bytes.truncate(250_000);
                contents.push((path, bytes));
            }
            Err(_) => eprintln!("SKIPPED: there is no {path}"),
        }
    }
    contents
}

/// Noise, runs, lines and repetitions: the same each time.
pub(super) fn made_up(length: usize) -> Vec<u8> {
    let mut random = Random(7);
    let mut bytes = Vec::new();
    while bytes.len() < length {
        match random.below(4) {
            0 => bytes.extend((0..random.below(40)).map(|_| u8::try_from(random.below(256)).unwrap())),
            1 => bytes.extend(vec![b'x'; random.below(300)]),
            2 => writeln!(bytes, "line {} of the badger's book", random.below(1000)).unwrap(),
            _ => {
                let start = random.below(bytes.len() + 1);
                let piece: Vec<u8> = bytes[start..].iter().take(random.below(2000)).copied().collect();
                bytes.extend(piece);
            }
        }
    }
    bytes.truncate(length);
    bytes
}

/// Numbers by chance, the same each time: a linear congruential generator.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}
