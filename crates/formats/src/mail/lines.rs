//! Lines of a source, front to back, in constant memory.
//!
//! A line ends with LF, CRLF, or a CR alone, as mail readers take it; CR CR LF, which broken transports make of CRLF, ends
//! one line as well. Of a line only so many first bytes are kept as the caller asks for.

use std::io::BufRead;
use std::sync::Arc;

use dachs_base::Source;

use crate::stream::SourceRead;

/// Reads a source line by line.
pub(crate) struct Lines {
    input: SourceRead,
}

/// One line, reused for the next.
#[derive(Default)]
pub(crate) struct Line {
    /// Where it starts.
    pub(crate) start: u64,
    /// Where its ending begins.
    pub(crate) end: u64,
    /// Where the next line starts.
    pub(crate) next: u64,
    /// Its first bytes, without the ending.
    pub(crate) text: Vec<u8>,
}

impl Lines {
    /// The lines of `source`.
    pub(crate) fn new(source: &Arc<dyn Source>) -> Lines {
        Lines { input: SourceRead::new(Arc::clone(source)) }
    }

    /// Goes on with the line that starts at `offset`.
    pub(crate) fn go_to(&mut self, offset: u64) {
        self.input.go_to(offset);
    }

    /// Where the next line starts.
    pub(crate) fn position(&self) -> u64 {
        self.input.position()
    }

    /// Reads the next line and keeps at most `most` of its bytes. False at the end; the line is then empty and stands there.
    pub(crate) fn read(&mut self, line: &mut Line, most: usize) -> bool {
        line.start = self.position();
        line.text.clear();
        loop {
            // A `SourceRead` gives no errors.
            let chunk = self.input.fill_buf().unwrap_or_default();
            let stop = memchr::memchr2(b'\n', b'\r', chunk);
            let piece = chunk.get(..stop.unwrap_or(chunk.len())).unwrap_or_default();
            let room = most.saturating_sub(line.text.len()).min(piece.len());
            line.text.extend_from_slice(piece.get(..room).unwrap_or_default());
            let (used, over) = (piece.len(), chunk.is_empty());
            self.input.consume(used);
            if over || stop.is_some() {
                line.end = self.position();
                self.pass_ending();
                line.next = self.position();
                return line.next > line.start;
            }
        }
    }

    fn pass_ending(&mut self) {
        let count = match self.input.peek::<3>() {
            ([b'\n', ..], 1..) => 1,
            ([b'\r', b'\n', _], 2..) => 2,
            ([b'\r', b'\r', b'\n'], 3) => 3,
            ([b'\r', ..], 1..) => 1,
            _ => 0,
        };
        self.input.go_to(self.position().saturating_add(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::Memory;

    fn split(text: &[u8], most: usize) -> Vec<(String, u64)> {
        let source: Arc<dyn Source> = Arc::new(Memory::new(text));
        let mut lines = Lines::new(&source);
        let mut line = Line::default();
        let mut all = Vec::new();
        while lines.read(&mut line, most) {
            all.push((String::from_utf8(line.text.clone()).unwrap(), line.next - line.start));
        }
        all
    }

    #[test]
    fn lines_end_in_four_ways() {
        let lines = split(b"a\nb\r\nc\rd\r\r\n\n\re", 10);
        let expected = [("a", 2), ("b", 3), ("c", 2), ("d", 4), ("", 1), ("", 1), ("e", 1)];
        assert_eq!(lines, expected.map(|(text, length)| (text.to_string(), length)));
    }

    #[test]
    fn endings_at_the_edge_of_the_buffer_are_seen() {
        for before in 32_760..32_775 {
            let text = ["x".repeat(before).as_bytes(), b"\r\ny"].concat();
            let lines = split(&text, 1);
            assert_eq!(lines, [("x".to_string(), before as u64 + 2), ("y".to_string(), 1)]);
        }
    }
}
