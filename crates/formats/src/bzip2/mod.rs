//! bzip2: streams of blocks of up to 900 kB (see the format description that comes with bzip2 1.0.8, and
//! <https://github.com/dsnet/compress/blob/master/doc/bzip2-format.pdf>).
//!
//! The decoder of a stream is [`mod@crate::codec::bzip2`]; a wrong checksum of a block ends it as damaged.

use std::io;
use std::sync::Arc;

use dachs_base::{Budget, Name, Source};

use crate::Unpack;
use crate::codec::bzip2::{Bzip2, memory};
use crate::stream::frames::{self, Begun, Frame, no_frame};
use crate::stream::{Fenced, SourceRead};

/// Unpacks a bzip2 stream.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    frames::open(source, budget, Name::new(b"content"), begin)
}

fn begin(mut input: SourceRead, budget: &Budget, before: u64) -> io::Result<Begun> {
    let start = input.position();
    let needed = match input.peek::<4>() {
        ([b'B', b'Z', b'h', level @ b'1'..=b'9'], 4) => memory(u64::from(level - b'0') * 100_000),
        _ if before == 0 => return Err(no_frame()),
        _ => return Ok(Begun::End(start)),
    };
    let stream = Fenced::new(budget, needed, || Ok(Bzip2::new(input, false)))?;
    Ok(Begun::Frame(Box::new(stream)))
}

impl Frame for Bzip2<SourceRead> {
    fn finish(self: Box<Self>) -> SourceRead {
        let (mut input, unused) = self.into_parts();
        input.go_to(input.position().saturating_sub(u64::try_from(unused).unwrap_or(0)));
        input
    }
}
