//! Headers built by hand, field by field.

#![allow(clippy::indexing_slicing, reason = "a test")]

use dachs_base::{Budget, Facts, FileKind, Limits, Memory, NoClock, Section, Source};
use std::sync::Arc;

fn facts(kind: FileKind, bytes: &Memory) -> Facts {
    let source: Arc<dyn Source> = Arc::new(bytes.clone());
    super::facts(kind, &source, &Budget::new(Limits::default(), NoClock))
}

/// Entry point and sections.
fn places(facts: &Facts) -> (Option<u64>, &[Section]) {
    (facts.entry_point, &facts.sections)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// A PE file of 0x600 bytes: headers of 0x200, and one section at `raw` in the file and 0x1000 in memory.
fn pe(entry: u32, raw: u32, raw_size: u32) -> Memory {
    let mut bytes = vec![0; 0x600];
    put(&mut bytes, 0, b"MZ");
    put(&mut bytes, 60, &0x80_u32.to_le_bytes());
    put(&mut bytes, 0x80, b"PE\0\0");
    put(&mut bytes, 0x86, &1_u16.to_le_bytes()); // NumberOfSections
    put(&mut bytes, 0x94, &0xe0_u16.to_le_bytes()); // SizeOfOptionalHeader
    put(&mut bytes, 0x98 + 16, &entry.to_le_bytes());
    put(&mut bytes, 0x98 + 32, &0x1000_u32.to_le_bytes()); // SectionAlignment
    put(&mut bytes, 0x98 + 36, &0x200_u32.to_le_bytes()); // FileAlignment
    put(&mut bytes, 0x98 + 60, &0x200_u32.to_le_bytes()); // SizeOfHeaders
    let table = 0x98 + 0xe0;
    put(&mut bytes, table + 12, &0x1000_u32.to_le_bytes());
    put(&mut bytes, table + 16, &raw_size.to_le_bytes());
    put(&mut bytes, table + 20, &raw.to_le_bytes());
    Memory::new(bytes)
}

#[test]
fn pe_sections_are_rounded_and_the_entry_point_is_mapped() {
    let found = facts(FileKind::Pe, &pe(0x1010, 0x2ff, 0x101));
    let section = Section { offset: 0x200, size: 0x200 };
    assert_eq!(places(&found), (Some(0x210), [section].as_slice()));
}

#[test]
fn pe_sections_are_cut_at_the_end_of_the_file() {
    let found = facts(FileKind::Pe, &pe(0x1000, 0x400, 0x10_0000));
    assert_eq!(found.sections, [Section { offset: 0x400, size: 0x200 }]);
}

#[test]
fn a_pe_entry_point_outside_all_sections_leaves_no_facts() {
    assert!(facts(FileKind::Pe, &pe(0x9000, 0x200, 0x200)).is_unread());
}

/// The same program with a field of its headers changed.
fn changed(at: usize, value: u32) -> Facts {
    let mut bytes = dachs_base::read_vec_at(&pe(0x1010, 0x200, 0x200), 0, 0x600);
    put(&mut bytes, at, &value.to_le_bytes());
    facts(FileKind::Pe, &Memory::new(bytes))
}

#[test]
fn pe_headers_are_taken_as_clamav_takes_them() {
    const OPTIONAL: usize = 0x98;
    const TABLE: usize = OPTIONAL + 0xe0;
    let section = |offset, size| vec![Section { offset, size }];
    // Where, what; entry point and sections, or nothing: all watched on ClamAV 1.4.6.
    let cases = [
        ("nothing changed", 0x40, 0, Some((0x210, section(0x200, 0x200)))),
        ("a virtual size of 2 GiB", TABLE + 8, 0x8000_0000, None),
        ("a virtual size that wraps around", TABLE + 8, 0xffff_f001, None),
        ("an address of 2 GiB", TABLE + 12, 0x8000_1000, None),
        ("a size that is cut at the end", TABLE + 16, 0xffff_fe00, Some((0x210, section(0x200, 0x400)))),
        ("a size that wraps around", TABLE + 16, 0xffff_ffff, None),
        ("a section behind the end", TABLE + 20, 0x800, None),
        ("an alignment that does not hold", OPTIONAL + 36, 0x1000, Some((0x210, section(0x200, 0x200)))),
        ("an entry point in the headers", OPTIONAL + 16, 0x123, Some((0x123, section(0x200, 0x200)))),
        ("an entry point behind the end", OPTIONAL + 16, 0xfff, None),
        ("too many directories for their room", OPTIONAL + 92, 17, Some((0x210, section(0x200, 0x200)))),
        ("no section", 0x86, 0x0000_0000, None),
    ];
    for (name, at, value, expected) in cases {
        let found = changed(at, value);
        let expected = expected.map_or((None, Vec::new()), |(entry, sections)| (Some(entry), sections));
        assert_eq!((found.entry_point, found.sections), expected, "{name}");
    }
}

#[test]
fn elf_headers_are_taken_as_clamav_takes_them() {
    for (name, at, value, taken) in [
        ("nothing changed", 0x30, 0_u16, true),
        ("program headers of another size", 54, 55, false),
        ("too many program headers", 56, 129, false),
        ("section headers of another size", 58, 63, false),
        ("sections that are cut off", 60, 9, false),
        ("too many sections", 60, 257, false),
    ] {
        let mut bytes = dachs_base::read_vec_at(&elf64(0x40_0078), 0, 0x200);
        put(&mut bytes, at, &value.to_le_bytes());
        assert_eq!(!facts(FileKind::Elf, &Memory::new(bytes)).is_unread(), taken, "{name}");
    }
}

#[test]
fn programs_that_start_in_a_writable_section_are_packed() {
    const CHARACTERISTICS: usize = 0x98 + 0xe0 + 36;
    for (flags, packed) in [(0x6000_0020_u32, false), (0xe000_0020, true), (0xc000_0040, false)] {
        let mut bytes = dachs_base::read_vec_at(&pe(0x1010, 0x200, 0x200), 0, 0x600);
        put(&mut bytes, CHARACTERISTICS, &flags.to_le_bytes());
        assert_eq!(super::is_packed_pe(&Memory::new(bytes)), packed, "{flags:x}");
    }
}

/// An ELF file with one segment (address 0x400000 at file offset 0) and one section.
fn elf64(entry: u64) -> Memory {
    let mut bytes = vec![0; 0x200];
    put(&mut bytes, 0, b"\x7fELF\x02\x01\x01");
    put(&mut bytes, 24, &entry.to_le_bytes());
    put(&mut bytes, 32, &64_u64.to_le_bytes()); // e_phoff
    put(&mut bytes, 40, &0x100_u64.to_le_bytes()); // e_shoff
    put(&mut bytes, 54, &56_u16.to_le_bytes());
    put(&mut bytes, 56, &1_u16.to_le_bytes());
    put(&mut bytes, 58, &64_u16.to_le_bytes());
    put(&mut bytes, 60, &1_u16.to_le_bytes());
    put(&mut bytes, 64 + 16, &0x40_0000_u64.to_le_bytes()); // p_vaddr
    put(&mut bytes, 64 + 40, &0x1000_u64.to_le_bytes()); // p_memsz
    put(&mut bytes, 0x100 + 24, &0x80_u64.to_le_bytes()); // sh_offset
    put(&mut bytes, 0x100 + 32, &0x20_u64.to_le_bytes()); // sh_size
    Memory::new(bytes)
}

#[test]
fn an_elf_entry_point_goes_through_its_segment() {
    let section = Section { offset: 0x80, size: 0x20 };
    assert_eq!(places(&facts(FileKind::Elf, &elf64(0x40_0078))), (Some(0x78), [section].as_slice()));
    assert_eq!(facts(FileKind::Elf, &elf64(0x50_0000)).entry_point, None);
}

/// A 64-bit Mach-O file with `LC_MAIN` and one segment of one section.
fn macho() -> Memory {
    let mut bytes = Vec::new();
    for field in [0xfeed_facf_u32, 0x0100_0007, 3, 2, 2, 24 + 152, 0, 0] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(0x8000_0028_u32.to_le_bytes());
    bytes.extend(24_u32.to_le_bytes());
    bytes.extend(0x123_u64.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    let segment = bytes.len();
    bytes.resize(segment + 152, 0);
    put(&mut bytes, segment, &0x19_u32.to_le_bytes());
    put(&mut bytes, segment + 4, &152_u32.to_le_bytes());
    put(&mut bytes, segment + 64, &1_u32.to_le_bytes()); // nsects
    put(&mut bytes, segment + 72 + 40, &0x55_u64.to_le_bytes()); // size
    put(&mut bytes, segment + 72 + 48, &0x44_u32.to_le_bytes()); // offset
    Memory::new(bytes)
}

#[test]
fn macho_facts_come_from_the_load_commands() {
    let section = Section { offset: 0x44, size: 0x55 };
    assert_eq!(places(&facts(FileKind::MachO, &macho())), (Some(0x123), [section].as_slice()));
}

#[test]
fn broken_headers_give_no_facts_and_no_panic() {
    for (kind, sample) in
        [(FileKind::Elf, elf64(0x40_0078)), (FileKind::Pe, pe(0x1010, 0x200, 0x200)), (FileKind::MachO, macho())]
    {
        let whole = dachs_base::read_vec_at(&sample, 0, 0x600);
        for cut in 0..whole.len() {
            let _ = facts(kind, &Memory::new(&whole[..cut]));
        }
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] = 0xff;
            let _ = facts(kind, &Memory::new(broken));
        }
    }
    assert!(facts(FileKind::Elf, &Memory::new(*b"\x7fELF")).is_unread());
}
