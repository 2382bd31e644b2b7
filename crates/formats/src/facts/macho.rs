//! Mach-O: entry point and sections.
//!
//! Specification: Apple, "OS X ABI Mach-O File Format Reference" (`mach_header`, `segment_command`, `section`,
//! `thread_command`) and `mach-o/loader.h` (`LC_MAIN`). The entry point is `LC_MAIN`'s file offset, or the address in
//! `LC_UNIXTHREAD` mapped through the sections; without either it is 0. A file without load commands has no facts.

use super::Ordered;
use dachs_base::{Facts, Reader, Section, Source, read_vec_at};

const LC_SEGMENT: u32 = 0x1;
const LC_UNIXTHREAD: u32 = 0x5;
const LC_SEGMENT_64: u32 = 0x19;
const LC_MAIN: u32 = 0x8000_0028;

/// Bytes of the header of a file for 32 bits.
const NARROW_HEADER: usize = 28;
/// More load commands than this are no sense.
const MOST_COMMANDS: u32 = 1024;
/// More sections of one segment than this are none.
const MOST_SECTIONS: u32 = 255;
/// Load commands beyond this many bytes are not read.
const MOST: u32 = 1 << 20;

/// What the load commands tell.
#[derive(Default)]
struct Found {
    sections: Vec<(u64, Section)>,
    main: Option<u64>,
    thread: Option<u64>,
}

pub(super) fn facts(source: &dyn Source) -> Option<Facts> {
    let head = read_vec_at(source, 0, 32);
    let (wide, big_endian) = form(head.get(..4)?)?;
    let mut fields = Ordered { reader: Reader::new(&head, "Mach-O header"), big_endian };
    fields.skip(4)?;
    let machine = fields.u32()?;
    fields.skip(8)?; // cpusubtype, filetype
    let count = fields.u32().filter(|count| *count > 0)?;
    let size = fields.u32()?.min(MOST);
    let commands = read_vec_at(source, if wide { 32 } else { 28 }, usize::try_from(size).ok()?);
    let found = walk(&commands, count, big_endian, machine);
    let thread = || match found.thread {
        Some(address) => through_sections(&found.sections, address),
        None => Some(0),
    };
    let entry_point = found.main.or_else(thread);
    Some(Facts {
        entry_point,
        sections: found.sections.into_iter().map(|(_, section)| section).collect(),
        ..Facts::default()
    })
}

/// By its magic number: whether it is for 64 bits, and whether the highest byte comes first.
fn form(magic: &[u8]) -> Option<(bool, bool)> {
    Some(match magic {
        [0xce, 0xfa, 0xed, 0xfe] => (false, false),
        [0xcf, 0xfa, 0xed, 0xfe] => (true, false),
        [0xfe, 0xed, 0xfa, 0xce] => (false, true),
        [0xfe, 0xed, 0xfa, 0xcf] => (true, true),
        _ => return None,
    })
}

/// True if the header is there and its load commands make no sense. What ClamAV 1.4.6 holds against a file was watched with 4,000
/// generated ones: there are no commands or more than 1,024, a command, a segment or a section is cut off, a segment has more than
/// 255 sections, or a section's size, rounded up to its alignment, is none of 32 bits.
pub(super) fn is_broken(source: &dyn Source) -> bool {
    let head = read_vec_at(source, 0, 32);
    let Some((wide, big_endian)) = head.get(..4).and_then(form) else { return false };
    let mut fields = Ordered { reader: Reader::new(&head, "Mach-O header"), big_endian };
    let Some(count) = fields.skip(16).and_then(|()| fields.u32()).filter(|_| head.len() >= NARROW_HEADER) else {
        return false;
    };
    let mut check = Check { source, wide, big_endian, at: if wide { 32 } else { 28 } };
    count == 0 || count > MOST_COMMANDS || (0..count).any(|_| check.command().is_none())
}

/// Goes through load commands one behind the other.
struct Check<'s> {
    source: &'s dyn Source,
    wide: bool,
    big_endian: bool,
    at: u64,
}

impl Check<'_> {
    /// The next bytes, all of them.
    fn take(&mut self, length: u64) -> Option<Vec<u8>> {
        let bytes = read_vec_at(self.source, self.at, usize::try_from(length).ok()?);
        self.at = self.at.checked_add(length)?;
        (u64::try_from(bytes.len()) == Ok(length)).then_some(bytes)
    }

    /// A load command, if it makes sense.
    fn command(&mut self) -> Option<()> {
        let (head, big_endian) = (self.take(8)?, self.big_endian);
        let mut fields = Ordered { reader: Reader::new(&head, "Mach-O load command"), big_endian };
        let (command, size) = (fields.u32()?, fields.u32()?);
        match command {
            LC_SEGMENT if !self.wide => self.segment(false),
            LC_SEGMENT_64 if self.wide => self.segment(true),
            _ => {
                self.at = self.at.checked_add(u64::from(size).saturating_sub(8))?;
                (command != LC_UNIXTHREAD || self.at <= self.source.len()).then_some(())
            }
        }
    }

    /// A segment with its sections, whatever the size that its command states.
    fn segment(&mut self, wide: bool) -> Option<()> {
        let (segment, big_endian) = (self.take(if wide { 64 } else { 48 })?, self.big_endian);
        let mut fields = Ordered { reader: Reader::new(&segment, "Mach-O segment"), big_endian };
        fields.skip(if wide { 56 } else { 40 })?;
        let count = fields.u32().filter(|count| *count <= MOST_SECTIONS)?;
        (0..count).try_for_each(|_| {
            let section = self.take(if wide { 80 } else { 68 })?;
            let mut fields = Ordered { reader: Reader::new(&section, "Mach-O section"), big_endian };
            fields.skip(32)?; // sectname, segname
            fields.word(wide)?; // addr
            let size = u32::try_from(fields.word(wide)?).ok()?;
            fields.skip(4)?; // offset
            let alignment = 1_u32.checked_shl(fields.u32()?)?;
            size.checked_next_multiple_of(alignment).map(drop)
        })
    }
}

fn walk(commands: &[u8], count: u32, big_endian: bool, machine: u32) -> Found {
    let mut found = Found::default();
    let mut fields = Ordered { reader: Reader::new(commands, "Mach-O load command"), big_endian };
    for _ in 0..count {
        let (Some(command), Some(size)) = (fields.u32(), fields.u32()) else { break };
        let Ok(body) = fields.reader.sub(u64::from(size).saturating_sub(8), "Mach-O load command") else { break };
        let mut body = Ordered { reader: body, big_endian };
        // A command that is cut off tells nothing; the next one stands where its size says.
        let _ = match command {
            LC_SEGMENT => segment(&mut body, false, &mut found.sections),
            LC_SEGMENT_64 => segment(&mut body, true, &mut found.sections),
            LC_MAIN => body.u64().map(|offset| found.main = Some(offset)),
            LC_UNIXTHREAD => thread_entry(&mut body, machine).map(|address| found.thread = Some(address)),
            _ => Some(()),
        };
    }
    found
}

fn segment(body: &mut Ordered<'_>, wide: bool, sections: &mut Vec<(u64, Section)>) -> Option<()> {
    body.skip(16)?; // segname
    for _ in 0..4 {
        body.word(wide)?; // vmaddr, vmsize, fileoff, filesize
    }
    body.skip(8)?; // maxprot, initprot
    let count = body.u32()?;
    body.skip(4)?; // flags
    for _ in 0..count {
        body.skip(32)?; // sectname, segname
        let address = body.word(wide)?;
        let size = body.word(wide)?;
        let offset = u64::from(body.u32()?);
        body.skip(if wide { 28 } else { 24 })?;
        sections.push((address, Section { offset, size }));
    }
    Some(())
}

/// The program counter in the register state of a thread command.
fn thread_entry(body: &mut Ordered<'_>, machine: u32) -> Option<u64> {
    body.skip(8)?; // flavor, count
    match machine {
        7 => body.skip(10 * 4).and_then(|()| body.u32()).map(u64::from), // i386: eip
        18 => body.u32().map(u64::from),                                 // PowerPC: srr0
        0x0100_0007 => body.skip(16 * 8).and_then(|()| body.u64()),      // x86-64: rip
        0x0100_000c => body.skip(32 * 8).and_then(|()| body.u64()),      // AArch64: pc
        _ => None,
    }
}

fn through_sections(sections: &[(u64, Section)], address: u64) -> Option<u64> {
    sections.iter().find_map(|(start, section)| {
        let inside = address.checked_sub(*start).filter(|inside| *inside < section.size)?;
        section.offset.checked_add(inside)
    })
}
