//! The compressed section: LZX that starts anew at fixed places.
//!
//! ```text
//! ControlData: dwords, "LZXC", version, frames between starts, window (both in 32 KiB, or in bytes in version 1)
//! ResetTable:  version, entries, size of one (8), length of this header, plain length, packed length, frame (32 KiB),
//!              then where each frame begins in Content
//! ```

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Short, Source, read_exact_at, read_vec_at};

use super::list::{Entry, List};
use crate::codec::Decoder;
use crate::codec::lzx::{FRAME, Lzx};
use crate::stream::Fenced;

const CONTENT: &[u8] = b"::DataSpace/Storage/MSCompressed/Content";
const CONTROL: &[u8] = b"::DataSpace/Storage/MSCompressed/ControlData";
const TABLE: &[u8] =
    b"::DataSpace/Storage/MSCompressed/Transform/{7FC28940-9D31-11D0-9B27-00A0C91E9C7C}/InstanceData/ResetTable";
const FRAME_LENGTH: u64 = FRAME as u64;
/// A frame is hardly ever longer than its plain bytes.
const LONGEST_FRAME: u64 = 2 * FRAME_LENGTH;

/// Where everything stands.
pub(super) struct Section {
    source: Arc<dyn Source>,
    /// Where the compressed bytes begin, and how many there are.
    content: u64,
    packed: u64,
    /// Where the places of the frames stand, and how many there are.
    table: u64,
    frames: u64,
    plain: u64,
    /// Frames between two starts.
    interval: u64,
    /// The window has 2 to the power of this many bytes.
    bits: u16,
}

impl Section {
    /// Finds the tables of the section in the directory.
    pub(super) fn find(source: &Arc<dyn Source>, base: u64, list: &List) -> Result<Section, Anomaly> {
        let (mut content, mut control, mut table) = (None, None, None);
        let mut list = list.again();
        while let Some(entry) =
            list.next_entry(source.as_ref()).filter(|_| content.is_none() || control.is_none() || table.is_none())
        {
            match entry.name.as_slice() {
                CONTENT => content = Some(entry),
                CONTROL => control = Some(entry),
                TABLE => table = Some(entry),
                _ => {}
            }
        }
        let (Some(content), Some(control), Some(table)) = (content, control, table) else {
            return Err(Anomaly::damaged("the tables of the compressed section are missing"));
        };
        let place = |entry: &Entry| base.saturating_add(entry.offset);
        let (interval, bits) = control_data(&read_vec_at(source.as_ref(), place(&control), 24))?;
        let mut section = reset_table(source, place(&table))?;
        section.content = place(&content);
        section.packed = section.packed.min(content.length);
        section.interval = interval;
        section.bits = bits;
        Ok(section)
    }

    /// A reader of `length` bytes from `start` of the section.
    pub(super) fn open(self: &Arc<Self>, start: u64, length: u64, budget: &Budget) -> io::Result<Decoder> {
        let first = start / FRAME_LENGTH / self.interval * self.interval;
        let memory = (1_u64 << self.bits).saturating_add(4 * FRAME_LENGTH);
        let frames = Fenced::new(budget, memory, || {
            Ok(Frames { section: Arc::clone(self), next: first, lzx: None, plain: Vec::new(), at: 0 })
        })?;
        let mut frames: Decoder = Box::new(frames);
        let skip = start - first * FRAME_LENGTH;
        let skipped = io::copy(&mut frames.as_mut().take(skip), &mut io::sink())?;
        match skipped == skip {
            true => Ok(Box::new(frames.take(length))),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The compressed bytes of a frame, and how many plain ones they make.
    fn frame(&self, index: u64) -> io::Result<(Vec<u8>, usize)> {
        let start = self.place(index)?;
        let end = if index + 1 < self.frames { self.place(index + 1)? } else { self.packed };
        let length = end.checked_sub(start).filter(|length| *length <= LONGEST_FRAME).ok_or_else(broken)?;
        let bytes = read_vec_at(
            self.source.as_ref(),
            self.content.saturating_add(start),
            usize::try_from(length).map_err(|_| broken())?,
        );
        let plain = self.plain.saturating_sub(index * FRAME_LENGTH).min(FRAME_LENGTH);
        Ok((bytes, usize::try_from(plain).map_err(|_| broken())?))
    }

    fn place(&self, index: u64) -> io::Result<u64> {
        let mut bytes = [0; 8];
        let at = self.table.saturating_add(index.saturating_mul(8));
        match read_exact_at(self.source.as_ref(), at, &mut bytes) {
            true => Ok(u64::from_le_bytes(bytes)),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Frames between starts, and the bits of the window.
fn control_data(bytes: &[u8]) -> Result<(u64, u16), Anomaly> {
    let mut reader = Reader::new(bytes, "CHM control data");
    reader.skip(4)?;
    let magic = reader.take(4)?;
    let version = reader.u32_le()?;
    let unit = if version == 1 { 1 } else { FRAME_LENGTH };
    let (interval, window) = (u64::from(reader.u32_le()?) * unit, u64::from(reader.u32_le()?) * unit);
    let frames = interval / FRAME_LENGTH;
    if magic != b"LZXC" || frames == 0 || !window.is_power_of_two() || !(1 << 15..=1 << 21).contains(&window) {
        return Err(Anomaly::damaged("the description of the compressed section makes no sense"));
    }
    Ok((frames, u16::try_from(window.trailing_zeros()).unwrap_or(15)))
}

fn reset_table(source: &Arc<dyn Source>, at: u64) -> Result<Section, Anomaly> {
    let bytes = read_vec_at(source.as_ref(), at, 40);
    let table: Result<_, Short> = (|| {
        let mut reader = Reader::new(&bytes, "CHM reset table");
        reader.skip(4)?;
        let frames = u64::from(reader.u32_le()?);
        let size = reader.u32_le()?;
        let header = u64::from(reader.u32_le()?);
        Ok((frames, size, header, reader.u64_le()?, reader.u64_le()?, reader.u64_le()?))
    })();
    let (frames, size, header, plain, packed, frame) = table?;
    if size != 8 || frame != FRAME_LENGTH || plain > frames.saturating_mul(FRAME_LENGTH) {
        return Err(Anomaly::damaged("the reset table of the compressed section makes no sense"));
    }
    let source = Arc::clone(source);
    Ok(Section { source, content: 0, packed, table: at.saturating_add(header), frames, plain, interval: 1, bits: 15 })
}

/// Plain bytes, frame by frame.
struct Frames {
    section: Arc<Section>,
    next: u64,
    lzx: Option<Lzx>,
    plain: Vec<u8>,
    at: usize,
}

impl Frames {
    fn next_frame(&mut self) -> io::Result<()> {
        let (packed, length) = self.section.frame(self.next)?;
        if self.next.is_multiple_of(self.section.interval) {
            self.lzx = Lzx::new(self.section.bits);
        }
        self.next += 1;
        let lzx = self.lzx.as_mut().ok_or_else(broken)?;
        self.plain = lzx.frame(&packed, length).map_err(|_| broken())?;
        self.at = 0;
        Ok(())
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.plain.len() {
            if self.next >= self.section.frames || self.next * FRAME_LENGTH >= self.section.plain {
                return Ok(0);
            }
            self.next_frame()?;
        }
        let mut rest = self.plain.get(self.at..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the compressed section is broken")
}
