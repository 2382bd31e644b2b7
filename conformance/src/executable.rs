//! A small Portable Executable, so that offsets from the entry point and from sections can be compared.
//!
//! Two sections of 512 bytes; the fields are those of the "PE Format" specification of Microsoft. It does nothing, and
//! no loader is ever asked to run it.

/// File offset of the first section.
pub(crate) const FIRST: usize = 0x400;
/// File offset of the last section.
pub(crate) const LAST: usize = 0x600;
/// File offset of the entry point.
pub(crate) const ENTRY: usize = FIRST + 0x40;
/// Where the file ends.
pub(crate) const LENGTH: usize = 0x800;

/// The file, with sections full of `filling`.
pub(crate) fn build(filling: impl Fn(usize) -> u8) -> Vec<u8> {
    let mut file: Vec<u8> = vec![0; LENGTH];
    put(&mut file, 0, b"MZ");
    put(&mut file, 0x3c, &0x80_u32.to_le_bytes());
    put(&mut file, 0x80, b"PE\0\0");
    put(&mut file, 0x84, &0x14c_u16.to_le_bytes()); // Machine: i386
    put(&mut file, 0x86, &2_u16.to_le_bytes()); // NumberOfSections
    put(&mut file, 0x94, &0xe0_u16.to_le_bytes()); // SizeOfOptionalHeader
    put(&mut file, 0x96, &0x102_u16.to_le_bytes()); // Characteristics: executable, 32 bit
    optional_header(&mut file, 0x98);
    section(&mut file, 0x178, b".text\0\0\0", 0x1000, FIRST, 0x6000_0020);
    section(&mut file, 0x1a0, b".data\0\0\0", 0x2000, LAST, 0xc000_0040);
    (FIRST..LENGTH).for_each(|at| file[at] = filling(at));
    file
}

fn optional_header(file: &mut [u8], at: usize) {
    put(file, at, &0x10b_u16.to_le_bytes()); // Magic: PE32
    let fields: [(usize, u32); 12] = [
        (4, 0x200),                            // SizeOfCode
        (16, 0x1000 + (ENTRY - FIRST) as u32), // AddressOfEntryPoint
        (20, 0x1000),                          // BaseOfCode
        (24, 0x2000),                          // BaseOfData
        (28, 0x40_0000),                       // ImageBase
        (32, 0x1000),                          // SectionAlignment
        (36, 0x200),                           // FileAlignment
        (40, 4),                               // MajorOperatingSystemVersion
        (48, 4),                               // MajorSubsystemVersion
        (56, 0x3000),                          // SizeOfImage
        (60, 0x400),                           // SizeOfHeaders
        (92, 16),                              // NumberOfRvaAndSizes
    ];
    for (offset, value) in fields {
        put(file, at + offset, &value.to_le_bytes());
    }
    put(file, at + 68, &3_u16.to_le_bytes()); // Subsystem: console
}

fn section(file: &mut [u8], at: usize, name: &[u8; 8], address: u32, offset: usize, flags: u32) {
    put(file, at, name);
    put(file, at + 8, &0x200_u32.to_le_bytes()); // VirtualSize
    put(file, at + 12, &address.to_le_bytes());
    put(file, at + 16, &0x200_u32.to_le_bytes()); // SizeOfRawData
    put(file, at + 20, &(offset as u32).to_le_bytes());
    put(file, at + 36, &flags.to_le_bytes());
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}
