//! What clients and servers of the service send: `clamd`, `http`.
//!
//! However bytes are split, the same is understood; what is held stays small.

use dachs_clamd::client::{Replies, Reply};
use dachs_clamd::conf::Conf;
use dachs_clamd::{Server, Step};
use dachs_http::{Decoded, Head, Multipart, Part};

/// The bytes are what a client of clamd sends, after one that says how they are split.
pub fn server(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let understood = |piece: usize| {
        let (mut server, mut told, mut stream) = (Server::new(1 << 16), Vec::new(), Vec::new());
        for mut piece in data.chunks(piece) {
            // Bytes of a stream need not be pushed.
            if let Some(wanted) = server.wanted() {
                let count = piece.len().min(usize::try_from(wanted).unwrap_or(usize::MAX));
                let (kept, rest) = piece.split_at(count);
                stream.extend_from_slice(kept);
                server.kept(count as u64);
                piece = rest;
            }
            server.push(piece);
            loop {
                match server.next() {
                    Step::More => break,
                    Step::Data(bytes) => stream.extend(bytes),
                    step => told.push((step, stream.len())),
                }
            }
        }
        assert!(stream.len() <= data.len());
        (told, server.is_over())
    };
    // The old framing alone depends on how it is split.
    let framed = matches!(data.first(), Some(b'n' | b'z'));
    let (whole, split) = (understood(data.len().max(1)), understood(usize::from(*first) + 1));
    let faulty = |told: &(Vec<(Step, usize)>, bool)| told.0.iter().any(|(step, _)| matches!(step, Step::Fault(_)));
    assert!(!framed || faulty(&whole) || faulty(&split) || whole == split, "{whole:?} {split:?}");
}

/// The bytes are what a clamd answers.
pub fn client(data: &[u8]) {
    let mut replies = Replies::default();
    for piece in data.chunks(7) {
        if !replies.push(piece) {
            return;
        }
        while let Some(reply) = replies.next_whole() {
            let _ = Reply::parse(&reply);
        }
    }
    if let Some(rest) = replies.rest() {
        let _ = Reply::parse(&rest);
    }
}

/// The bytes are a configuration.
pub fn conf(data: &[u8]) {
    let _ = Conf::parse(&String::from_utf8_lossy(data));
}

/// The bytes are requests, one after the other; bodies are the same however they are split.
pub fn body(data: &[u8]) {
    let Ok(Some((head, length))) = Head::parse(data) else { return };
    let _ = (head.keeps_alive(), head.header("host"), head.parameter("name"));
    let input = data.get(length..).unwrap_or_default();
    let read = |piece: usize| {
        let Ok(mut body) = head.body() else { return None };
        let (mut bytes, mut at) = (Vec::new(), 0);
        loop {
            let window = input.get(at..(at + piece).min(input.len())).unwrap_or_default();
            match body.decode(window) {
                Ok(Decoded::Data { skip, length }) => {
                    bytes.extend_from_slice(window.get(skip..skip + length).expect("within the input"));
                    at += skip + length;
                }
                Ok(Decoded::End(taken)) => return Some((bytes, Some(at + taken))),
                Ok(Decoded::More(taken)) => {
                    at += taken;
                    if at >= input.len() {
                        return Some((bytes, None));
                    }
                }
                Err(_) => return None,
            }
        }
    };
    assert_eq!(read(1), read(input.len().max(1)));
}

/// The bytes are a form.
pub fn multipart(data: &[u8]) {
    let read = |piece: usize| {
        let mut form = Multipart::new("multipart/form-data; boundary=b")?;
        let (mut told, mut bytes) = (Vec::new(), Vec::new());
        for piece in data.chunks(piece) {
            form.push(piece);
            loop {
                match form.next_part() {
                    Ok(Part::More | Part::Over) => break,
                    Ok(Part::Data(more)) => bytes.extend(more),
                    Ok(part) => told.push((part, bytes.len())),
                    Err(_) => return None,
                }
            }
        }
        Some((told, form.is_over()))
    };
    let (bytewise, whole) = (read(1), read(data.len().max(1)));
    assert!(bytewise.is_none() || whole.is_none() || bytewise == whole, "{bytewise:?} {whole:?}");
    let _ = Multipart::new(&String::from_utf8_lossy(data));
}
