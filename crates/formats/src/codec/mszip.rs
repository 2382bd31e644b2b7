//! MSZIP ([MS-MCI] 2): blocks of up to 32 KiB, each `CK` and a DEFLATE stream of its own that may refer to the 32 KiB before it.
//!
//! The decoder of a block is given those bytes as a stored block in front. Cabinets and KWAJ files hold such blocks.

use std::io::{self, ErrorKind};

use flate2::{Decompress, FlushDecompress, Status};

/// How far back a block may refer, and how long it may be.
const HISTORY: usize = 32 * 1024;
/// Memory of the history, of a block before and after, and of the state of DEFLATE.
pub(crate) const MEMORY: u64 = 256 * 1024;

/// A decoder between two blocks.
#[derive(Default)]
pub(crate) struct Mszip {
    history: Vec<u8>,
}

impl Mszip {
    /// The plain bytes of a block, at most `most`.
    pub(crate) fn block(&mut self, packed: &[u8], most: usize) -> io::Result<Vec<u8>> {
        let plain = inflate(packed, &self.history, most)?;
        self.history.extend(&plain);
        self.history.drain(..self.history.len().saturating_sub(HISTORY));
        Ok(plain)
    }
}

fn inflate(packed: &[u8], history: &[u8], most: usize) -> io::Result<Vec<u8>> {
    let packed = packed.strip_prefix(b"CK").ok_or_else(|| broken("an MSZIP block without its mark"))?;
    let mut state = Decompress::new(false);
    let mut plain = vec![0; HISTORY];
    if !history.is_empty() {
        let count = u16::try_from(history.len()).unwrap_or(0);
        let head = [&[0][..], &count.to_le_bytes(), &(!count).to_le_bytes(), history].concat();
        run(&mut state, &head, &mut plain)?;
    }
    let before = state.total_out();
    run(&mut state, packed, plain.get_mut(..most.min(HISTORY)).unwrap_or_default())?;
    plain.truncate(usize::try_from(state.total_out() - before).unwrap_or(0));
    Ok(plain)
}

/// Decodes until input or output are at their end.
fn run(state: &mut Decompress, mut input: &[u8], mut output: &mut [u8]) -> io::Result<()> {
    while !input.is_empty() && !output.is_empty() {
        let (before_in, before_out) = (state.total_in(), state.total_out());
        let status = state.decompress(input, output, FlushDecompress::None);
        let taken = usize::try_from(state.total_in() - before_in).unwrap_or(0);
        let made = usize::try_from(state.total_out() - before_out).unwrap_or(0);
        input = input.get(taken..).unwrap_or_default();
        output = output.get_mut(made..).unwrap_or_default();
        match status {
            Ok(Status::StreamEnd) => break,
            Ok(_) if taken == 0 && made == 0 => break,
            Ok(_) => {}
            Err(_) => return Err(broken("not a valid MSZIP block")),
        }
    }
    Ok(())
}

fn broken(detail: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, detail)
}
