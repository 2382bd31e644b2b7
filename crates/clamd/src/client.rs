//! The client's side: what is sent, and what the replies mean.

/// A reply longer than this is nonsense: a path, a name, and room to spare.
const LONGEST: usize = 64 << 10;

/// A command in the `z` framing.
#[must_use]
pub fn command(word: &str, path: &[u8]) -> Vec<u8> {
    let mut bytes = vec![b'z'];
    bytes.extend_from_slice(word.as_bytes());
    if !path.is_empty() {
        bytes.push(b' ');
        bytes.extend_from_slice(path);
    }
    bytes.push(0);
    bytes
}

/// The length that goes before a piece of a stream. A piece of length 0 ends the stream.
#[must_use]
pub fn chunk_header(length: u32) -> [u8; 4] {
    length.to_be_bytes()
}

/// What one reply says of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It could not be looked at, or not wholly: why.
    Error(String),
    /// Something was found: its name.
    Found(String),
    /// Nothing was found.
    Ok,
    /// It was passed over: the whole sentence (`Excluded`, `Empty file`, `Symbolic link`).
    Passed(String),
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The object, as the server calls it; empty for a reply to no object.
    pub path: Vec<u8>,
    /// What came out.
    pub outcome: Outcome,
}

impl Reply {
    /// Reads a reply without its end and without a number.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Reply {
        let text = String::from_utf8_lossy(bytes);
        if let Some(reason) = text.strip_suffix(" ERROR") {
            let (path, reason) = split(bytes, bytes.len() - " ERROR".len(), reason);
            return Reply { path, outcome: Outcome::Error(reason) };
        }
        if let Some(found) = text.strip_suffix(" FOUND") {
            let (path, name) = split(bytes, bytes.len() - " FOUND".len(), found);
            return Reply { path, outcome: Outcome::Found(name) };
        }
        let (path, what) = split(bytes, bytes.len(), &text);
        let outcome = match what.as_str() {
            "OK" => Outcome::Ok,
            "Empty file" | "Excluded" | "Excluded (another filesystem)" | "Symbolic link" => Outcome::Passed(what),
            // Whatever else it is, it is no promise that all is well.
            _ => Outcome::Error(what),
        };
        Reply { path, outcome }
    }
}

/// Path and sentence of `PATH: SENTENCE`; names of signatures and reasons may hold a colon, so the last `: ` counts only
/// if there is no other.
fn split(bytes: &[u8], end: usize, text: &str) -> (Vec<u8>, String) {
    let bytes = bytes.get(..end).unwrap_or_default();
    let reason_at = [": File path check failure", ": limit reached", ": encrypted", ": damaged", ": unsupported"]
        .iter()
        .filter_map(|mark| find(bytes, mark.as_bytes()))
        .min();
    let at = reason_at.or_else(|| rfind(bytes, b": "));
    match at {
        Some(at) => {
            let path = bytes.get(..at).unwrap_or_default().to_vec();
            (path, String::from_utf8_lossy(bytes.get(at + 2..).unwrap_or_default()).into_owned())
        }
        None => (Vec::new(), text.to_owned()),
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}

fn rfind(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).rposition(|window| window == mark)
}

/// Cuts what a server sends into replies that end with a zero byte.
#[derive(Debug, Default)]
pub struct Replies {
    buffer: Vec<u8>,
}

impl Replies {
    /// Adds bytes; false if no honest server sends so long a reply.
    #[must_use]
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        self.buffer.extend_from_slice(bytes);
        self.buffer.len() <= LONGEST || self.buffer.contains(&0)
    }

    /// The next reply that is whole, without its end.
    pub fn next_whole(&mut self) -> Option<Vec<u8>> {
        let end = self.buffer.iter().position(|byte| *byte == 0)?;
        let mut reply: Vec<u8> = self.buffer.drain(..=end).collect();
        reply.pop();
        Some(reply)
    }

    /// What is left when the server has closed: it ends some replies with a line break.
    #[must_use]
    pub fn rest(self) -> Option<Vec<u8>> {
        let rest = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer).to_vec();
        Some(rest).filter(|rest| !rest.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read() {
        let table: [(&[u8], &[u8], Outcome); 9] = [
            (b"stream: OK", b"stream", Outcome::Ok),
            (b"/a: b: OK", b"/a: b", Outcome::Ok),
            (b"/a: Win.Test FOUND", b"/a", Outcome::Found("Win.Test".into())),
            (b"/a\xff: X FOUND", b"/a\xff", Outcome::Found("X".into())),
            (b"INSTREAM size limit exceeded. ERROR", b"", Outcome::Error("INSTREAM size limit exceeded.".into())),
            (b"/a: encrypted: no password ERROR", b"/a", Outcome::Error("encrypted: no password".into())),
            (b"/a: Excluded", b"/a", Outcome::Passed("Excluded".into())),
            (b"COMMAND READ TIMED OUT", b"", Outcome::Error("COMMAND READ TIMED OUT".into())),
            (
                b"/a: File path check failure: No such file or directory. ERROR",
                b"/a",
                Outcome::Error("File path check failure: No such file or directory.".into()),
            ),
        ];
        for (bytes, path, outcome) in table {
            let expected = Reply { path: path.to_vec(), outcome };
            assert_eq!(Reply::parse(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn replies_are_cut() {
        let mut replies = Replies::default();
        assert!(replies.push(b"a: OK\0b: O"));
        assert_eq!(replies.next_whole(), Some(b"a: OK".to_vec()));
        assert_eq!(replies.next_whole(), None);
        assert!(replies.push(b"K\0COMMAND READ TIMED OUT\n"));
        assert_eq!(replies.next_whole(), Some(b"b: OK".to_vec()));
        assert_eq!(replies.rest(), Some(b"COMMAND READ TIMED OUT".to_vec()));
        assert!(!Replies::default().push(&[b'x'; LONGEST + 1]));
    }

    #[test]
    fn commands_are_framed() {
        assert_eq!(command("PING", b""), b"zPING\0");
        assert_eq!(command("SCAN", b"/a"), b"zSCAN /a\0");
        assert_eq!(chunk_header(1), [0, 0, 0, 1]);
    }
}
