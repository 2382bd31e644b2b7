//! Zstandard (RFC 8878): frames and skippable frames, one behind the other.
//!
//! Frames that need a dictionary are unsupported. The decoder of a frame is [`mod@crate::codec::zstd`].

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Budget, Name, Reader, Source};

use crate::Unpack;
use crate::codec::zstd::{FIXED, Header, MAGIC, SKIPPABLE, Zstd};
use crate::stream::frames::{self, Begun, Frame, no_frame};
use crate::stream::{Fenced, SourceRead};

/// Unpacks a Zstandard stream.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    frames::open(source, budget, Name::new(b"content"), begin)
}

fn begin(mut input: SourceRead, budget: &Budget, before: u64) -> io::Result<Begun> {
    let mut skipped = false;
    loop {
        let (head, got) = input.peek::<18>();
        let head = head.get(..got).unwrap_or(&head);
        match Reader::new(head, "zstd magic").u32_le() {
            Ok(MAGIC) => return frame(input, head, budget),
            Ok(magic) if magic & 0xffff_fff0 == SKIPPABLE => skip_frame(&mut input, budget)?,
            _ if before == 0 && !skipped => return Err(no_frame()),
            _ => return Ok(Begun::End(input.position())),
        }
        skipped = true;
    }
}

fn skip_frame(input: &mut SourceRead, budget: &Budget) -> io::Result<()> {
    budget.check_time().map_err(|_| io::Error::from(ErrorKind::TimedOut))?;
    let mut header = [0; 8];
    input.read_exact(&mut header)?;
    let [_, _, _, _, size @ ..] = header;
    let size = u32::from_le_bytes(size);
    // The last byte is read, so that a frame that is cut off is an error.
    if let Some(before_last) = size.checked_sub(1) {
        input.go_to(input.position().saturating_add(u64::from(before_last)));
        input.read_exact(&mut [0])?;
    }
    Ok(())
}

fn frame(mut input: SourceRead, head: &[u8], budget: &Budget) -> io::Result<Begun> {
    let header = Header::read(head).map_err(|_| io::Error::from(ErrorKind::UnexpectedEof))?;
    if header.history() > budget.limits().memory {
        return Err(ErrorKind::OutOfMemory.into());
    }
    input.go_to(input.position().saturating_add(u64::try_from(header.size).unwrap_or(0)));
    let history = header.history();
    let fenced = Fenced::growing(budget, FIXED, history, || Zstd::new(input, header))?;
    Ok(Begun::Frame(Box::new(fenced)))
}

impl Frame for Zstd<SourceRead> {
    fn finish(self: Box<Self>) -> SourceRead {
        self.into_input()
    }
}
