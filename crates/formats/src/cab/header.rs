//! The tables of a cabinet ([MS-CAB] 2.1 to 2.3).

use std::io::{self, BufRead, ErrorKind, Read};

use dachs_base::{Anomaly, Reader, Short};

use crate::stream::SourceRead;

/// The first bytes of a cabinet.
const SIGNATURE: [u8; 4] = *b"MSCF";
/// Length of the fixed part of the header.
const FIXED: usize = 36;
/// The longest name that is read; longer ones are cut.
const LONGEST_NAME: usize = 1024;

/// 2.1: flags of the header.
const PREVIOUS: u16 = 1;
const NEXT: u16 = 2;
const RESERVED: u16 = 4;

/// CFHEADER.
#[derive(Debug)]
pub(super) struct Header {
    /// What the cabinet says of its own length.
    pub(super) size: u64,
    /// Where the files are described.
    pub(super) files_at: u64,
    pub(super) folders: u16,
    pub(super) files: u16,
    /// Bytes that each folder's entry, and each block of data, carry for others.
    pub(super) folder_reserve: u8,
    pub(super) block_reserve: u8,
}

impl Header {
    /// Reads the header and moves behind it, to the folders.
    pub(super) fn read(input: &mut SourceRead) -> Result<Header, Anomaly> {
        let mut fixed = [0; FIXED];
        let got = input.read_fully(&mut fixed);
        let mut reader = Reader::new(fixed.get(..got).unwrap_or_default(), "header of the cabinet");
        if reader.array::<4>()? != SIGNATURE {
            return Err(Anomaly::damaged("it does not begin as a cabinet"));
        }
        let mut header = Header::fixed(&mut reader)?;
        reader.skip(2)?; // version
        header.folders = reader.u16_le()?;
        header.files = reader.u16_le()?;
        header.rest(reader.u16_le()?, input).map_err(|_| Short { what: "header of the cabinet" })?;
        Ok(header)
    }

    fn fixed(reader: &mut Reader<'_>) -> Result<Header, Short> {
        reader.skip(4)?;
        let size = u64::from(reader.u32_le()?);
        reader.skip(4)?;
        let files_at = u64::from(reader.u32_le()?);
        reader.skip(4)?;
        Ok(Header { size, files_at, folders: 0, files: 0, folder_reserve: 0, block_reserve: 0 })
    }

    /// What the flags say is there.
    fn rest(&mut self, flags: u16, input: &mut SourceRead) -> io::Result<()> {
        if flags & RESERVED != 0 {
            let [low, high, folder, block] = exact(input)?;
            self.folder_reserve = folder;
            self.block_reserve = block;
            pass(input, u64::from(u16::from_le_bytes([low, high])));
        }
        for flag in [PREVIOUS, NEXT] {
            if flags & flag != 0 {
                text(input)?; // the other cabinet
                text(input)?; // its disk
            }
        }
        Ok(())
    }
}

/// CFFOLDER: files that are compressed as one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folder {
    /// Where its blocks begin.
    pub(super) data_at: u64,
    pub(super) blocks: u16,
    /// The method and its parameters.
    pub(super) method: u16,
}

impl Folder {
    /// Reads an entry and moves behind it.
    pub(super) fn read(input: &mut SourceRead, reserve: u8) -> io::Result<Folder> {
        let [a, b, c, d, e, f, g, h] = exact(input)?;
        pass(input, u64::from(reserve));
        Ok(Folder {
            data_at: u64::from(u32::from_le_bytes([a, b, c, d])),
            blocks: u16::from_le_bytes([e, f]),
            method: u16::from_le_bytes([g, h]),
        })
    }
}

/// CFFILE.
#[derive(Debug)]
pub(super) struct File {
    pub(super) size: u64,
    /// Where it begins in the unpacked bytes of its folder.
    pub(super) start: u64,
    pub(super) folder: u16,
    pub(super) name: Vec<u8>,
}

/// 2.3: folder numbers of files that other cabinets share.
pub(super) const FROM_PREVIOUS: u16 = 0xFFFD;
pub(super) const TO_NEXT: u16 = 0xFFFE;
pub(super) const FROM_PREVIOUS_TO_NEXT: u16 = 0xFFFF;

impl File {
    /// Reads an entry and moves behind it.
    pub(super) fn read(input: &mut SourceRead) -> io::Result<File> {
        let [a, b, c, d, e, f, g, h, i, j, ..] = exact::<16>(input)?;
        Ok(File {
            size: u64::from(u32::from_le_bytes([a, b, c, d])),
            start: u64::from(u32::from_le_bytes([e, f, g, h])),
            folder: u16::from_le_bytes([i, j]),
            name: text(input)?,
        })
    }
}

/// The next `N` bytes.
pub(super) fn exact<const N: usize>(input: &mut SourceRead) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Goes forward.
pub(super) fn pass(input: &mut SourceRead, count: u64) {
    input.go_to(input.position().saturating_add(count));
}

/// A text that a zero byte ends; the first bytes of it. No text is longer than 64 KiB.
fn text(input: &mut SourceRead) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let got = input.take(1 << 16).read_until(0, &mut bytes)?;
    if bytes.pop() != Some(0) || got == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    bytes.truncate(LONGEST_NAME);
    Ok(bytes)
}
