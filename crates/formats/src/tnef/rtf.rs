//! Compressed RTF ([MS-OXRTFCP]): literals and references into a dictionary of 4096 bytes that begins with common words.

use std::io::{self, ErrorKind, Read};

use crate::stream::{SourceRead, remark};

/// The dictionary and the input's buffer.
pub(super) const MEMORY: u64 = 64 * 1024;
/// The dictionary's size.
const SIZE: usize = 4096;
/// [MS-OXRTFCP] 2.1.2.1: what the dictionary begins with.
const WORDS: &[u8; 207] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor \
MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
/// [MS-OXRTFCP] 2.1.3.1.1: how the data are stored.
const COMPRESSED: [u8; 4] = *b"LZFu";
const STORED: [u8; 4] = *b"MELA";

/// A decoder.
pub(super) struct Rtf {
    input: SourceRead,
    stored: bool,
    dictionary: Box<[u8; SIZE]>,
    write: usize,
    /// Bits that tell literals from references, and how many of them are left.
    control: (u8, u8),
    /// The reference at work: where it reads, and how many bytes are left.
    copy: (usize, usize),
    left: u64,
    crc: crc32fast::Hasher,
    stated: u32,
    ended: bool,
    /// What ended it, to be given once all bytes were.
    error: Option<io::Error>,
}

impl Rtf {
    /// Reads the header (2.1.3.1).
    ///
    /// # Errors
    /// When it is cut off or says something else.
    pub(super) fn new(mut input: SourceRead) -> io::Result<Rtf> {
        let mut header = [0; 16];
        input.read_exact(&mut header)?;
        let [a, b, c, d, _, _, _, _, method @ .., e, f, g, h] = header;
        if method != COMPRESSED && method != STORED {
            return Err(io::Error::new(ErrorKind::Unsupported, "an unknown method of RTF compression"));
        }
        let mut dictionary = Box::new([0; SIZE]);
        dictionary.iter_mut().zip(WORDS).for_each(|(to, from)| *to = *from);
        // The length counts from behind itself.
        let left = u64::from(u32::from_le_bytes([a, b, c, d])).saturating_sub(12);
        Ok(Rtf {
            input,
            stored: method == STORED,
            dictionary,
            write: WORDS.len(),
            control: (0, 0),
            copy: (0, 0),
            left,
            crc: crc32fast::Hasher::new_with_initial(u32::MAX),
            stated: u32::from_le_bytes([e, f, g, h]),
            ended: false,
            error: None,
        })
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        let count = u64::try_from(N).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(count).ok_or(ErrorKind::UnexpectedEof)?;
        self.input.read_exact(&mut bytes)?;
        self.crc.update(&bytes);
        Ok(bytes)
    }

    /// The next byte; none at the end.
    fn byte(&mut self) -> io::Result<Option<u8>> {
        if self.stored {
            return if self.left == 0 { Ok(None) } else { self.take::<1>().map(|[byte]| Some(byte)) };
        }
        while self.copy.1 == 0 {
            if self.left == 0 {
                return self.end();
            }
            if self.control.1 == 0 {
                let [bits] = self.take()?;
                self.control = (bits, 8);
            }
            let reference = self.control.0 & 1 == 1;
            self.control = (self.control.0 >> 1, self.control.1 - 1);
            if !reference {
                let [byte] = self.take()?;
                return Ok(Some(self.keep(byte)));
            }
            let pair = u16::from_be_bytes(self.take()?);
            let (offset, length) = (usize::from(pair >> 4), usize::from(pair & 15) + 2);
            if offset == self.write {
                return self.end();
            }
            self.copy = (offset, length);
        }
        let byte = self.dictionary.get(self.copy.0).copied().unwrap_or(0);
        self.copy = ((self.copy.0 + 1) % SIZE, self.copy.1 - 1);
        Ok(Some(self.keep(byte)))
    }

    fn keep(&mut self, byte: u8) -> u8 {
        if let Some(place) = self.dictionary.get_mut(self.write) {
            *place = byte;
        }
        self.write = (self.write + 1) % SIZE;
        byte
    }

    /// 2.1.3.2: the checksum is a CRC-32 without its first and last inversion.
    fn end(&mut self) -> io::Result<Option<u8>> {
        let mut rest = Vec::new();
        (&mut self.input).take(self.left.min(4096)).read_to_end(&mut rest)?;
        self.crc.update(&rest);
        match self.crc.clone().finalize() ^ u32::MAX == self.stated {
            true => Ok(None),
            false => Err(remark("the checksum of compressed RTF is wrong")),
        }
    }
}

impl Read for Rtf {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        for place in buffer.iter_mut() {
            if self.ended {
                break;
            }
            match self.byte() {
                Ok(Some(byte)) => {
                    *place = byte;
                    done += 1;
                }
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    self.error = Some(error);
                }
            }
        }
        if done == 0 { self.error.take().map_or(Ok(0), Err) } else { Ok(done) }
    }
}
