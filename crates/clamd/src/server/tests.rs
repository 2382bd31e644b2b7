//! What a client sends, and what is understood of it.

use super::*;
use crate::Mode;

/// Everything understood, as text; pushed in pieces of this size.
fn understood(bytes: &[u8], piece: usize) -> String {
    let mut server = Server::new(10);
    let mut told: Vec<String> = Vec::new();
    let mut data = 0;
    for piece in bytes.chunks(piece.max(1)) {
        server.push(piece);
        collect(&mut server, &mut told, &mut data);
    }
    if let step @ Step::Asked(_) = server.finish() {
        told.push(format!("last {}", tell(&step)));
    }
    told.join(" ")
}

fn collect(server: &mut Server, told: &mut Vec<String>, data: &mut usize) {
    loop {
        match server.next() {
            Step::More => return,
            Step::Data(bytes) => *data += bytes.len(),
            Step::StreamEnd => told.push(format!("end({})", std::mem::take(data))),
            step => told.push(tell(&step)),
        }
    }
}

fn tell(step: &Step) -> String {
    match step {
        Step::Asked(Asked { id, framing, command }) => {
            let id = id.map_or_else(String::new, |id| format!("{id}:"));
            let framing = ["n", "o", "z"][*framing as usize];
            let path = match command {
                Command::Scan(_, path) => format!("({})", String::from_utf8_lossy(path)),
                _ => String::new(),
            };
            format!("{id}{framing}{}{path}", command.word())
        }
        step => format!("{step:?}"),
    }
}

const TABLE: [(&[u8], &str); 32] = [
    (b"nPING\n", "nPING"),
    (b"nPING\r\n", "nPING"),
    (b"zPING\0", "zPING"),
    (b"zPING\r\0", "zUNKNOWN"),
    (b"zPING\n", ""),
    (b"nPING\0", ""),
    (b"PING\n", "oPING"),
    (b"PING\r\n", "oPING"),
    (b"\n", "oUNKNOWN"),
    (b"n\n", "nUNKNOWN"),
    (b"z\0", "zUNKNOWN"),
    (b"zPING\0zPING\0", "zPING"),
    (b"STATS\n", "oUNKNOWN"),
    (b"INSTREAM\n", "oUNKNOWN"),
    (b"nEND\n", "nUNKNOWN"),
    (b"nIDSESSION\nnPING\nzVERSION\0nEND\nnPING\n", "nIDSESSION 1:nPING 2:zVERSION 3:nEND"),
    (b"nIDSESSION\nnBOGUS\nnPING\n", "nIDSESSION 1:nUNKNOWN"),
    (b"nIDSESSION\nnRELOAD\nnPING\n", "nIDSESSION 1:nRELOAD"),
    (b"nIDSESSION\nnCONTSCAN /a\nnPING\n", "nIDSESSION 1:nCONTSCAN(/a)"),
    (b"nIDSESSION\nnIDSESSION\nnPING\n", "nIDSESSION 1:nIDSESSION"),
    (b"nIDSESSION\nPING\nnPING\n", "nIDSESSION Fault(OldInSession)"),
    (b"zINSTREAM\0\0\0\0\x03abc\0\0\0\0", "zINSTREAM end(3)"),
    (b"zINSTREAM\0\0\0\0\0zPING\0", "zINSTREAM end(0)"),
    (b"zINSTREAM\0\0\0\0\x0a0123456789\0\0\0\x01x", "zINSTREAM Fault(StreamTooLong)"),
    (b"zINSTREAM\0\x7f\0\0\0", "zINSTREAM Fault(StreamTooLong)"),
    (b"zIDSESSION\0zINSTREAM\0\0\0\0\x01a\0\0\0\0zPING\0", "zIDSESSION 1:zINSTREAM end(1) 2:zPING"),
    (b"zFILDES\0", ""),
    (b"zFILDES\0xzPING\0", "zFILDES"),
    (b"zIDSESSION\0zFILDES\0xzPING\0", "zIDSESSION 1:zFILDES 2:zPING"),
    (b"zSCAN /x\ny\0", "zSCAN(/x\ny)"),
    (b"", ""),
    (b"z", ""),
];

#[test]
fn what_is_sent_is_understood_however_it_is_split() {
    for (bytes, expected) in TABLE {
        for piece in [1, 2, 3, 7, 1000] {
            assert_eq!(understood(bytes, piece), expected, "{:?} by {piece}", String::from_utf8_lossy(bytes));
        }
    }
}

#[test]
fn the_old_framing_needs_no_end() {
    assert_eq!(understood(b"PING", 100), "oPING");
    assert_eq!(understood(b"PING", 1), "oPING");
    assert_eq!(understood(b"SCAN /a", 100), "oSCAN(/a)");
    assert_eq!(understood(b"PIN", 1), "last oUNKNOWN");
    assert_eq!(understood(b"ALLMATCHSCAN /a", 100), "oUNKNOWN");
}

#[test]
fn long_commands_are_refused_and_long_paths_are_not() {
    let path = vec![b'a'; 4096];
    let sent = [b"zSCAN ".as_slice(), &path, b"\0"].concat();
    let mut server = Server::new(0);
    server.push(&sent);
    assert!(
        matches!(server.next(), Step::Asked(Asked { command: Command::Scan(Mode::First, found), .. }) if found == path)
    );
    let mut server = Server::new(0);
    for _ in 0..10 {
        server.push(&[b'z'; 1000]);
        server.next();
    }
    assert!(server.buffer.is_empty());
    assert_eq!(understood(&[b'A'; 5000], 5000), "oUNKNOWN");
}

/// Streams in any split hold at most one command and one push.
#[test]
fn memory_is_bounded() {
    let mut server = Server::new(u64::MAX);
    server.push(b"zINSTREAM\0");
    server.next();
    for _ in 0..1000 {
        server.push(&[b"\0\0\x10\0".as_slice(), &[7; 4096]].concat());
        while server.next() != Step::More {}
        assert!(server.buffer.capacity() < 20_000);
    }
}

#[test]
fn bytes_of_a_stream_need_not_be_pushed() {
    let mut server = Server::new(100);
    server.push(b"zINSTREAM\0\0\0\0\x05ab");
    assert_eq!(server.wanted(), None);
    assert!(matches!(server.next(), Step::Asked(_)));
    assert_eq!((server.next(), server.next(), server.wanted()), (Step::Data(b"ab".to_vec()), Step::More, Some(3)));
    server.kept(2);
    assert_eq!((server.wanted(), server.next()), (Some(1), Step::More));
    server.kept(1);
    assert_eq!((server.wanted(), server.next()), (None, Step::More));
    server.push(b"\0\0\0\0");
    assert_eq!((server.next(), server.next()), (Step::StreamEnd, Step::More));
    server.kept(7);
    assert!(server.is_over());
}
