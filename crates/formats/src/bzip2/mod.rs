//! bzip2: streams of blocks of up to 900 kB (see the format description that comes with bzip2 1.0.8, and
//! <https://github.com/dsnet/compress/blob/master/doc/bzip2-format.pdf>).
//!
//! A block's checksum is compared by the codec once the block is decoded; a wrong one ends the stream as damaged.

use std::io;
use std::sync::Arc;

use bzip2::{Decompress, Status};
use dachs_base::{Budget, Name, Source};

use crate::Unpack;
use crate::stream::coded::{Codec, Coded, Next, Ran};
use crate::stream::frames::{self, Begun, no_frame};
use crate::stream::{Fenced, SourceRead};

/// Unpacks a bzip2 stream.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    frames::open(source, budget, Name::new(b"content"), begin)
}

fn begin(mut input: SourceRead, budget: &Budget, before: u64) -> io::Result<Begun> {
    let start = input.position();
    let memory = match input.peek::<4>() {
        // Four bytes for each byte of a block, and tables.
        ([b'B', b'Z', b'h', level @ b'1'..=b'9'], 4) => u64::from(level - b'0') * 400_000 + 200_000,
        _ if before == 0 => return Err(no_frame()),
        _ => return Ok(Begun::End(start)),
    };
    let coded = Fenced::new(budget, memory, || Ok(Coded::new(input, Bzip2(Decompress::new(false)))))?;
    Ok(Begun::Frame(Box::new(coded)))
}

struct Bzip2(Decompress);

impl Codec for Bzip2 {
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Ran {
        let (before_in, before_out) = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(input, output);
        let consumed = usize::try_from(self.0.total_in().wrapping_sub(before_in)).unwrap_or(0);
        let produced = usize::try_from(self.0.total_out().wrapping_sub(before_out)).unwrap_or(0);
        let next = match status {
            Ok(Status::StreamEnd) => Next::End,
            Ok(_) => Next::More,
            Err(_) => Next::Broken("invalid bzip2 data"),
        };
        Ran { consumed, produced, next }
    }

    /// The checksum of the stream is part of its data.
    fn trailer(&mut self, _: &mut SourceRead) -> io::Result<()> {
        Ok(())
    }
}
