//! lzip: members of LZMA data with a checksum behind each (lzip manual, "File format"; RFC draft diaz-lzip).

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Budget, Name, Source};

use crate::Unpack;
use crate::lzma::{Lzma, Stream};
use crate::stream::frames::{self, Begun, Frame, no_frame};
use crate::stream::{Fenced, SourceRead, remark};

/// lc = 3, lp = 0, pb = 2, the only properties there are.
const PROPERTIES: u8 = (2 * 5) * 9 + 3;

/// Unpacks an lzip stream.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    frames::open(source, budget, Name::new(b"content"), begin)
}

fn begin(mut input: SourceRead, budget: &Budget, before: u64) -> io::Result<Begun> {
    let start = input.position();
    let dictionary = match input.peek::<6>() {
        ([b'L', b'Z', b'I', b'P', 1, bits], 6) => dictionary_size(bits),
        ([b'L', b'Z', b'I', b'P', ..], 6) if before == 0 => return Err(ErrorKind::Unsupported.into()),
        _ if before == 0 => return Err(no_frame()),
        _ => return Ok(Begun::End(start)),
    };
    input.go_to(start.saturating_add(6));
    let lzma = Lzma { properties: PROPERTIES, dictionary, length: None };
    let lzma = Inside::Data(lzma.decoder(input, budget)?);
    Ok(Begun::Frame(Box::new(Lzip { inside: Some(lzma), crc: crc32fast::Hasher::new(), length: 0 })))
}

/// The low five bits are the exponent; the upper three subtract sixteenths.
fn dictionary_size(bits: u8) -> u32 {
    let base = 1_u32 << (bits & 0x1f).min(29);
    base - (base / 16) * u32::from(bits >> 5)
}

struct Lzip {
    inside: Option<Inside>,
    crc: crc32fast::Hasher,
    length: u64,
}

enum Inside {
    Data(Box<Fenced<Stream>>),
    Behind(SourceRead),
}

impl Lzip {
    /// The trailer: CRC32 and length of the content, and the length of the member.
    fn trailer(&mut self, mut input: SourceRead) -> io::Result<()> {
        let mut trailer = [0; 20];
        let got = input.read_fully(&mut trailer);
        self.inside = Some(Inside::Behind(input));
        let [a, b, c, d, length @ .., _, _, _, _, _, _, _, _] = trailer;
        match got {
            20 if u32::from_le_bytes([a, b, c, d]) != self.crc.clone().finalize() => {
                Err(remark("the lzip checksum is wrong"))
            }
            20 if u64::from_le_bytes(length) != self.length => Err(remark("the lzip length is wrong")),
            20 => Ok(()),
            _ => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Read for Lzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(Inside::Data(data)) = self.inside.as_mut() else { return Ok(0) };
        let got = data.read(buffer)?;
        self.crc.update(buffer.get(..got).unwrap_or(&[]));
        self.length = self.length.saturating_add(u64::try_from(got).unwrap_or(0));
        if got == 0
            && !buffer.is_empty()
            && let Some(Inside::Data(data)) = self.inside.take()
        {
            self.trailer(data.finish())?;
        }
        Ok(got)
    }
}

impl Frame for Lzip {
    fn finish(self: Box<Self>) -> SourceRead {
        match self.inside {
            Some(Inside::Behind(input)) => input,
            Some(Inside::Data(data)) => data.finish(),
            None => SourceRead::new(Arc::new(dachs_base::Memory::new(*b""))),
        }
    }
}
