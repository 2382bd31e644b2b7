//! Portable Executables put together field by field.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "each test uses some of it"
)]

/// Where the only section starts when loaded.
const SECTION: u32 = 0x1000;
/// Where it starts in the file.
const RAW: usize = 0x400;

/// Something imported.
#[derive(Debug)]
pub enum Import<'a> {
    /// By its name.
    Name(&'a str),
    /// By its number.
    Number(u32),
}

/// A program of one section.
#[derive(Default)]
pub struct Program {
    wide: bool,
    overlay: Vec<u8>,
    is_signed: bool,
    section: Vec<u8>,
    directories: [(u32, u32); 16],
    /// Type, name and bytes of each resource.
    resources: Vec<(u32, u32, Vec<u8>)>,
}

impl Program {
    fn add(&mut self, bytes: &[u8]) -> u32 {
        let at = SECTION + self.section.len() as u32;
        self.section.extend(bytes);
        self.section.resize(self.section.len().next_multiple_of(4), 0);
        at
    }

    /// For 64 bits.
    pub fn wide(mut self) -> Program {
        self.wide = true;
        self
    }

    /// With these bytes behind the section.
    pub fn overlay(mut self, bytes: &[u8]) -> Program {
        self.overlay.extend(bytes);
        self
    }

    /// With this certificate behind the section.
    pub fn certificate(mut self, certificate: &[u8]) -> Program {
        let length = (certificate.len() as u32 + 8).to_le_bytes();
        self.overlay = [&length[..], &[0, 2, 2, 0], certificate].concat();
        self.is_signed = true;
        self
    }

    /// With this import table.
    pub fn imports(mut self, libraries: &[(&str, &[Import<'_>])]) -> Program {
        let mut rows = Vec::new();
        for (library, functions) in libraries {
            let entry = |program: &mut Program, function: &Import<'_>| match function {
                Import::Name(name) => program.add(format!("\x01\0{name}\0").as_bytes()),
                Import::Number(number) => 0x8000_0000 | number,
            };
            let table: Vec<u32> = functions.iter().map(|function| entry(&mut self, function)).chain([0]).collect();
            let table = self.add(&table.iter().flat_map(|entry| entry.to_le_bytes()).collect::<Vec<_>>());
            let name = self.add(format!("{library}\0").as_bytes());
            rows.extend([table, 0, 0, name, table]);
        }
        rows.extend([0; 5]);
        let size = rows.len() as u32 * 4;
        let at = self.add(&rows.iter().flat_map(|field| field.to_le_bytes()).collect::<Vec<_>>());
        self.directories[1] = (at, size);
        self
    }

    /// With this resource. Those of one type must follow each other.
    pub fn resource(mut self, kind: u32, name: u32, bytes: &[u8]) -> Program {
        self.resources.push((kind, name, bytes.to_vec()));
        self
    }

    /// The file.
    pub fn bytes(mut self) -> Vec<u8> {
        self.write_resources();
        let raw = self.section.len().next_multiple_of(0x200).max(0x400);
        if self.is_signed {
            self.directories[4] = ((RAW + raw) as u32, self.overlay.len() as u32);
        }
        let mut file = self.headers(raw as u32);
        file.resize(RAW, 0);
        file.extend(&self.section);
        file.resize(RAW + raw, 0);
        file.extend(&self.overlay);
        file
    }

    /// The tree of resources: their types, below each its names, below each one language.
    fn write_resources(&mut self) {
        let resources = std::mem::take(&mut self.resources);
        if resources.is_empty() {
            return;
        }
        let data: Vec<u32> = resources.iter().map(|(_, _, bytes)| self.add(bytes)).collect();
        let mut kinds: Vec<u32> = resources.iter().map(|(kind, _, _)| *kind).collect();
        kinds.dedup();
        let root = SECTION + self.section.len() as u32;
        // Where each directory will start, from the root.
        let mut at = 16 + 8 * kinds.len() as u32;
        let of = |kind: u32| resources.iter().filter(move |(other, _, _)| *other == kind).count() as u32;
        let mut tree = vec![directory(kinds.len())];
        for kind in &kinds {
            tree.push(vec![*kind, 0x8000_0000 | at]);
            at += 16 + 8 * of(*kind);
        }
        let mut language = at;
        for kind in &kinds {
            tree.push(directory(of(*kind) as usize));
            for (_, name, _) in resources.iter().filter(|(other, _, _)| other == kind) {
                tree.push(vec![*name, 0x8000_0000 | language]);
                language += 24;
            }
        }
        let entries = language;
        for number in 0..resources.len() as u32 {
            tree.push(directory(1));
            tree.push(vec![0x409, entries + 16 * number]);
        }
        for (address, (_, _, bytes)) in data.iter().zip(&resources) {
            tree.push(vec![*address, bytes.len() as u32, 0, 0]);
        }
        let tree: Vec<u8> = tree.iter().flatten().flat_map(|field| field.to_le_bytes()).collect();
        self.directories[2] = (root, tree.len() as u32);
        self.add(&tree);
    }

    fn headers(&self, raw: u32) -> Vec<u8> {
        let mut file = vec![0; 0x80];
        file[..2].copy_from_slice(b"MZ");
        file[60] = 0x80;
        let fixed: u16 = if self.wide { 112 } else { 96 };
        file.extend(b"PE\0\0");
        for field in [if self.wide { 0x8664 } else { 0x14c }, 1_u16, 0, 0, 0, 0, 0, 0, fixed + 128, 0x10f] {
            file.extend(field.to_le_bytes());
        }
        let optional = file.len();
        file.extend(if self.wide { 0x20b_u16 } else { 0x10b }.to_le_bytes());
        file.resize(optional + usize::from(fixed) - 4, 0);
        for (at, value) in [(16, SECTION), (32, 0x1000), (36, 0x200), (60, RAW as u32)] {
            file[optional + at..optional + at + 4].copy_from_slice(&u32::to_le_bytes(value));
        }
        file.extend(16_u32.to_le_bytes());
        for (address, size) in self.directories {
            file.extend(address.to_le_bytes());
            file.extend(size.to_le_bytes());
        }
        file.extend(b".text\0\0\0");
        for field in [raw, SECTION, raw, RAW as u32, 0, 0, 0, 0xe000_0020] {
            file.extend(u32::to_le_bytes(field));
        }
        file
    }
}

fn directory(entries: usize) -> Vec<u32> {
    vec![0, 0, 0, (entries as u32) << 16]
}

/// Version information with these strings, cut behind the last, and how many there are.
pub fn version(strings: &[(&str, &str)]) -> (Vec<u8>, usize) {
    let mut bytes = Vec::new();
    let mut open = Vec::new();
    let root = [("VS_VERSION_INFO", 52), ("StringFileInfo", 0), ("040904b0", 0)];
    for (key, value) in root {
        open.push(begin(&mut bytes, key, value));
        bytes.resize(bytes.len() + usize::from(value), 0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    for (key, value) in strings {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let units = if value.is_empty() { 0 } else { value.len() as u16 + 1 };
        let at = begin(&mut bytes, key, units);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(value.encode_utf16().chain((units > 0).then_some(0)).flat_map(u16::to_le_bytes));
        end(&mut bytes, at);
    }
    open.into_iter().for_each(|at| end(&mut bytes, at));
    (bytes, strings.len())
}

fn begin(bytes: &mut Vec<u8>, key: &str, value: u16) -> usize {
    let at = bytes.len();
    bytes.extend([0, 0]);
    bytes.extend(value.to_le_bytes());
    bytes.extend([1, 0]);
    bytes.extend(key.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
    at
}

fn end(bytes: &mut [u8], at: usize) {
    let length = (bytes.len() - at) as u16;
    bytes[at..at + 2].copy_from_slice(&length.to_le_bytes());
}
