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
    let (wide, big_endian) = match head.get(..4)? {
        [0xce, 0xfa, 0xed, 0xfe] => (false, false),
        [0xcf, 0xfa, 0xed, 0xfe] => (true, false),
        [0xfe, 0xed, 0xfa, 0xce] => (false, true),
        [0xfe, 0xed, 0xfa, 0xcf] => (true, true),
        _ => return None,
    };
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
