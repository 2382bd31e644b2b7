//! Writes compound files (MS-CFB), macro projects (MS-OVBA) and OLE 1.0 objects for tests.

/// What a compound file holds: paths and bytes.
pub(crate) struct Builder {
    pub(crate) sector: usize,
    /// Storages and streams: name, parent entry, bytes (absent for storages).
    entries: Vec<(String, usize, Option<Vec<u8>>)>,
}

const END: u32 = 0xffff_fffe;
const FREE: u32 = 0xffff_ffff;
const TABLE: u32 = 0xffff_fffd;
const MINI: usize = 64;

impl Builder {
    /// A file with sectors of 512 or 4096 bytes.
    pub(crate) fn new(sector: usize) -> Builder {
        Builder { sector, entries: vec![("Root Entry".into(), 0, None)] }
    }

    /// Adds a stream; storages on the way are made.
    pub(crate) fn stream(mut self, path: &str, bytes: &[u8]) -> Builder {
        let mut parent = 0;
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
            let same = |(name, at, bytes): &(String, usize, Option<Vec<u8>>)| {
                name == folder && *at == parent && bytes.is_none()
            };
            parent = match self.entries.iter().skip(1).position(same) {
                Some(found) => found + 1,
                None => {
                    self.entries.push((folder.into(), parent, None));
                    self.entries.len() - 1
                }
            };
        }
        self.entries.push((name.into(), parent, Some(bytes.to_vec())));
        self
    }

    /// The file. Streams stand in sectors in their order, the tables behind them.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut fat: Vec<u32> = Vec::new();
        let mut body: Vec<u8> = Vec::new();
        let mut mini_fat: Vec<u32> = Vec::new();
        let mut mini_stream: Vec<u8> = Vec::new();
        let mut places = vec![(END, 0_u64); self.entries.len()];
        for (index, (_, _, bytes)) in self.entries.iter().enumerate() {
            let Some(bytes) = bytes.as_ref().filter(|bytes| !bytes.is_empty()) else { continue };
            let start = match bytes.len() < 4096 {
                true => put(&mut mini_stream, &mut mini_fat, bytes, MINI),
                false => put(&mut body, &mut fat, bytes, self.sector),
            };
            places[index] = (start, bytes.len() as u64);
        }
        if !mini_stream.is_empty() {
            places[0] = (put(&mut body, &mut fat, &mini_stream, self.sector), mini_stream.len() as u64);
        }
        let mini_bytes: Vec<u8> = mini_fat.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        let mini_start = if mini_bytes.is_empty() { END } else { put(&mut body, &mut fat, &mini_bytes, self.sector) };
        let directory_start = put(&mut body, &mut fat, &self.directory(&places), self.sector);
        let mut tables = 1;
        while (fat.len() + tables) * 4 > tables * self.sector {
            tables += 1;
        }
        assert!(tables <= 109, "too large for this builder");
        let first_table = fat.len() as u32;
        fat.extend(std::iter::repeat_n(TABLE, tables));
        fat.resize(tables * self.sector / 4, FREE);
        body.extend(fat.iter().flat_map(|entry| entry.to_le_bytes()));
        let mut file = self.header(directory_start, mini_start, first_table, tables as u32);
        file.extend(body);
        file
    }

    fn header(&self, directory: u32, mini_fat: u32, first_table: u32, tables: u32) -> Vec<u8> {
        let version: u16 = if self.sector == 512 { 3 } else { 4 };
        let mut header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
        header.extend([0; 16]);
        for number in [0x3e, version, 0xfffe, self.sector.ilog2() as u16, 6, 0, 0, 0] {
            header.extend(number.to_le_bytes());
        }
        for number in [0, tables, directory, 0, 4096, mini_fat, 1, END, 0] {
            header.extend(number.to_le_bytes());
        }
        for index in 0..109 {
            let entry = if index < tables { first_table + index } else { FREE };
            header.extend(entry.to_le_bytes());
        }
        assert_eq!(header.len(), 512);
        header.resize(self.sector.max(512), 0);
        header
    }

    /// Entries; the children of a storage hang on each other's right side.
    fn directory(&self, places: &[(u32, u64)]) -> Vec<u8> {
        let child_of = |parent: usize, after: usize| {
            let next = (after + 1..self.entries.len()).find(|index| self.entries[*index].1 == parent);
            next.map_or(FREE, |index| index as u32)
        };
        let mut bytes = Vec::new();
        for (index, (name, parent, content)) in self.entries.iter().enumerate() {
            let mut entry: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let length = entry.len() as u16 + 2;
            entry.resize(64, 0);
            entry.extend(length.to_le_bytes());
            entry.extend([
                if index == 0 {
                    5
                } else if content.is_some() {
                    2
                } else {
                    1
                },
                1,
            ]);
            let right = if index == 0 { FREE } else { child_of(*parent, index) };
            let child = if content.is_some() { FREE } else { child_of(index, index) };
            for link in [FREE, right, child] {
                entry.extend(link.to_le_bytes());
            }
            entry.extend([0; 36]);
            entry.extend(places[index].0.to_le_bytes());
            entry.extend(places[index].1.to_le_bytes());
            bytes.extend(entry);
        }
        bytes
    }
}

/// Adds bytes in sectors, chained in their table; gives the first.
fn put(body: &mut Vec<u8>, table: &mut Vec<u32>, bytes: &[u8], sector: usize) -> u32 {
    let start = table.len() as u32;
    let count = bytes.len().div_ceil(sector).max(1) as u32;
    table.extend((1..count).map(|next| start + next));
    table.push(END);
    body.extend(bytes);
    body.resize(table.len() * sector, 0);
    start
}

/// A compressed container with literals only (MS-OVBA 2.4.1).
pub(crate) fn compressed(plain: &[u8]) -> Vec<u8> {
    let mut container = vec![1];
    for chunk in plain.chunks(3000) {
        let mut data = Vec::new();
        for group in chunk.chunks(8) {
            data.push(0);
            data.extend(group);
        }
        container.extend((0xb000 | (data.len() as u16 - 1)).to_le_bytes());
        container.extend(data);
    }
    container
}

/// The `dir` stream of a project with these modules: name, and where the source begins.
pub(crate) fn dir(modules: &[(&str, u32)]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut put = |id: u16, bytes: &[u8]| {
        plain.extend(id.to_le_bytes());
        plain.extend((bytes.len() as u32).to_le_bytes());
        plain.extend(bytes);
    };
    put(0x0001, &[1, 0, 0, 0]);
    put(0x0003, &[0xe4, 4]);
    for (name, offset) in modules {
        put(0x0019, name.as_bytes());
        put(0x001a, name.as_bytes());
        put(0x0031, &offset.to_le_bytes());
        put(0x0021, &[]);
        put(0x002b, &[]);
    }
    put(0x0010, &[]);
    compressed(&plain)
}

/// The native data of a package.
pub(crate) fn package(name: &str, file: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0];
    bytes.extend(format!("{name}\0C:\\{name}\0").bytes());
    bytes.extend([0, 0, 3, 0, 4, 0, 0, 0]);
    bytes.extend(*b"tmp\0");
    bytes.extend((file.len() as u32).to_le_bytes());
    bytes.extend(file);
    bytes
}

/// A text with its length before it.
pub(crate) fn counted(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat()
}

/// An OLE 1.0 object (MS-OLEDS 2.2.5).
pub(crate) fn object(class: &str, native: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 5, 0, 0, 2, 0, 0, 0];
    bytes.extend(counted(format!("{class}\0").as_bytes()));
    bytes.extend([0; 8]);
    bytes.extend(counted(native));
    bytes
}
