//! HFS+ volumes built here: files in many pieces, resource forks, files that the system has compressed; 7z reads the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod common;
mod volume_support;

use std::fs;
use std::io::Write;

use common::{eicar, tool, walk};
use dachs_base::{AnomalyKind, FileKind};
use volume_support::*;

/// Bytes of a block, and of a node.
const BLOCK: usize = 4096;

/// A volume that grows as files are added.
struct Volume {
    blocks: Vec<u8>,
    catalogue: Vec<Vec<u8>>,
    attributes: Vec<Vec<u8>>,
    extents: Vec<Vec<u8>>,
    next: u32,
}

fn be(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn units(name: &str) -> Vec<u8> {
    let units: Vec<u16> = name.encode_utf16().collect();
    [(units.len() as u16).to_be_bytes().to_vec(), units.iter().flat_map(|unit| unit.to_be_bytes()).collect()].concat()
}

/// A record: the length of its key, key, data.
fn record(key: &[u8], data: &[u8]) -> Vec<u8> {
    [&(key.len() as u16).to_be_bytes(), key, data].concat()
}

/// A fork: length, clump, blocks, up to eight extents.
fn fork(length: usize, extents: &[(u32, u32)]) -> Vec<u8> {
    let blocks = extents.iter().map(|extent| extent.1).sum();
    let mut fork = [(length as u64).to_be_bytes().to_vec(), be(&[0, blocks])].concat();
    fork.extend(extents.iter().take(8).flat_map(|extent| be(&[extent.0, extent.1])));
    fork.resize(80, 0);
    fork
}

fn node(kind: u8, next: u32, records: &[Vec<u8>]) -> Vec<u8> {
    let mut node =
        [&be(&[next, 0])[..], &[kind, u8::from(kind == 0xff)], &(records.len() as u16).to_be_bytes(), &[0, 0]].concat();
    let mut places = Vec::new();
    for record in records {
        places.push(node.len() as u16);
        node.extend(record);
        node.resize(node.len().next_multiple_of(2), 0);
    }
    places.push(node.len() as u16);
    assert!(node.len() + places.len() * 2 <= BLOCK, "a node is full");
    node.resize(BLOCK - places.len() * 2, 0);
    node.extend(places.iter().rev().flat_map(|place| place.to_be_bytes()));
    node
}

/// A tree of leaves with at most `most` records each.
fn tree_of(records: &[Vec<u8>], most: usize) -> Vec<u8> {
    let leaves: Vec<_> = records.chunks(most).collect();
    let count = leaves.len() as u32;
    let mut head = [
        &1_u16.to_be_bytes()[..],
        &be(&[1, records.len() as u32, u32::from(count > 0), count]),
        &(BLOCK as u16).to_be_bytes(),
        &[0, 10],
        &be(&[count + 1, 0]),
    ]
    .concat();
    head.resize(106, 0);
    let map = vec![0xff; 256];
    let mut tree = node(1, 0, &[head, vec![0; 128], map]);
    for (index, leaf) in (1..).zip(leaves) {
        tree.extend(node(0xff, if index < count { index + 1 } else { 0 }, leaf));
    }
    tree
}

impl Volume {
    fn new() -> Volume {
        let folder = [&[0, 1, 0, 0][..], &be(&[0, 2]), &[0; 76]].concat();
        let root = record(&[be(&[1]), units("volume")].concat(), &folder);
        Volume { blocks: vec![0; BLOCK], catalogue: vec![root], attributes: vec![], extents: vec![], next: 16 }
    }

    /// Stores bytes in so many pieces, with a block between them.
    fn store(&mut self, bytes: &[u8], pieces: usize) -> Vec<(u32, u32)> {
        let size = bytes.len().div_ceil(pieces).next_multiple_of(BLOCK);
        let store = |piece: &[u8]| {
            let start = self.blocks.len() / BLOCK;
            self.blocks.extend(piece);
            self.blocks.resize(self.blocks.len().next_multiple_of(BLOCK) + if pieces > 1 { BLOCK } else { 0 }, 0x55);
            (start as u32, piece.len().div_ceil(BLOCK) as u32)
        };
        bytes.chunks(size.max(1)).map(store).collect()
    }

    fn folder(&mut self, parent: u32, name: &str) -> u32 {
        self.next += 1;
        let folder = [&[0, 1, 0, 0][..], &be(&[0, self.next]), &[0; 76]].concat();
        self.catalogue.push(record(&[be(&[parent]), units(name)].concat(), &folder));
        self.next
    }

    fn file(&mut self, parent: u32, name: &str, data: (&[u8], usize), resources: &[u8], compressed: bool) -> u32 {
        self.next += 1;
        let number = self.next;
        let pieces = self.store(data.0, data.1);
        for (index, more) in pieces.chunks(8).enumerate().skip(1) {
            let before: u32 = pieces[..index * 8].iter().map(|piece| piece.1).sum();
            let mut extents: Vec<u8> = more.iter().flat_map(|extent| be(&[extent.0, extent.1])).collect();
            extents.resize(64, 0);
            self.extents.push(record(&[&[0, 0][..], &be(&[number, before])].concat(), &extents));
        }
        let resources = fork(resources.len(), &self.store(resources, 1));
        let mut file = [
            &[0, 2, 0, 0][..],
            &be(&[0, number]),
            &[0; 29],
            &[if compressed { 0x20 } else { 0 }],
            &[0x81, 0xa4],
            &[0; 44],
        ]
        .concat();
        assert_eq!(file.len(), 88);
        file.extend(fork(data.0.len(), &pieces));
        file.extend(resources);
        self.catalogue.push(record(&[be(&[parent]), units(name)].concat(), &file));
        number
    }

    /// A file with a description of its compression.
    fn compressed(&mut self, name: &str, kind: u32, length: usize, inside: &[u8], resources: &[u8]) {
        let number = self.file(2, name, (b"", 1), resources, true);
        let description = [b"fpmc", &kind.to_le_bytes()[..], &(length as u64).to_le_bytes(), inside].concat();
        let key = [&[0, 0][..], &be(&[number, 0]), &units("com.apple.decmpfs")].concat();
        let data = [be(&[0x10, 0, 0, description.len() as u32]), description].concat();
        self.attributes.push(record(&key, &data));
    }

    fn finish(mut self) -> Vec<u8> {
        let trees = [(&self.extents, 4), (&self.catalogue, 5), (&self.attributes, 2)];
        let trees = trees.map(|(records, most)| tree_of(records, most));
        let forks: Vec<Vec<u8>> = trees
            .iter()
            .map(|tree| {
                let extents = self.store(tree, 1);
                fork(tree.len(), &extents)
            })
            .collect();
        self.blocks.resize(self.blocks.len() + BLOCK, 0);
        let count = (self.blocks.len() / BLOCK) as u32;
        let mut header = b"H+\0\x04".to_vec();
        header.resize(32, 0);
        header.extend(be(&[10, 1, BLOCK as u32, count, 0, 0]));
        header.resize(112, 0);
        header.extend(fork(0, &[]));
        header.extend(forks.concat());
        self.blocks[1024..1024 + header.len()].copy_from_slice(&header);
        self.blocks
    }
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lzfse(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    lzfse_rust::encode_bytes(bytes, &mut packed).unwrap();
    packed
}

/// LZVN without its frame: short inputs become one such block.
fn lzvn(bytes: &[u8]) -> Vec<u8> {
    let packed = lzfse(bytes);
    assert!(packed.starts_with(b"bvxn"));
    let length = u32::from_le_bytes(packed[8..12].try_into().unwrap()) as usize;
    packed[12..12 + length].to_vec()
}

/// A resource fork with blocks of zlib.
fn zlib_fork(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut table = (blocks.len() as u32).to_le_bytes().to_vec();
    let mut at = 4 + 8 * blocks.len();
    for block in blocks {
        table.extend((at as u32).to_le_bytes());
        table.extend((block.len() as u32).to_le_bytes());
        at += block.len();
    }
    let data = [table, blocks.concat()].concat();
    let mut fork = be(&[256, 260 + data.len() as u32, 4 + data.len() as u32, 50]);
    fork.resize(256, 0);
    [fork, be(&[data.len() as u32]), data, vec![0; 50]].concat()
}

/// A resource fork that begins with places.
fn marked_fork(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut at = 4 * (blocks.len() as u32 + 1);
    let mut fork = at.to_le_bytes().to_vec();
    for block in blocks {
        at += block.len() as u32;
        fork.extend(at.to_le_bytes());
    }
    [fork, blocks.concat()].concat()
}

/// A volume, and what its files hold.
fn volume() -> (Vec<u8>, Files) {
    let mut volume = Volume::new();
    let mut expected = Files::new();
    let text = b"badger sett ".repeat(9000);
    let mixed = [noise(30_000), text[..75_000].to_vec()].concat();
    let short = b"setts and badgers and setts ".repeat(60);
    let mut add = |name: &str, bytes: &[u8]| expected.insert(name.to_string(), bytes.to_vec());
    let folder = volume.folder(2, "a folder");
    let deeper = volume.folder(folder, "deeper");
    volume.file(deeper, "EICAR.COM", (&eicar(), 1), b"", false);
    add("a folder/deeper/EICAR.COM", &eicar());
    volume.file(2, "pieces", (&mixed, 20), b"a resource fork", false);
    add("pieces", &mixed);
    add("pieces:rsrc", b"a resource fork");
    volume.compressed("zlib inside", 3, short.len(), &zlib(&short), b"");
    volume.compressed("plain in zlib", 3, 68, &[b"\xff".to_vec(), eicar()].concat(), b"");
    volume.compressed("lzvn inside", 7, short.len(), &lzvn(&short), b"");
    let (first, second) = mixed.split_at(65_536);
    let stored = [b"\xff".to_vec(), first.to_vec()].concat();
    volume.compressed("zlib", 4, mixed.len(), b"", &zlib_fork(&[stored.clone(), zlib(second)]));
    volume.compressed("lzfse", 12, mixed.len(), b"", &marked_fork(&[stored, lzfse(second)]));
    let stored = [b"\x06".to_vec(), first.to_vec()].concat();
    volume.compressed("lzvn", 8, 65_536 + short.len(), b"", &marked_fork(&[stored, lzvn(&short)]));
    add("zlib inside", &short);
    add("plain in zlib", &eicar());
    add("lzvn inside", &short);
    add("zlib", &mixed);
    add("lzfse", &mixed);
    add("lzvn", &[first, &short].concat());
    (volume.finish(), expected)
}

#[test]
fn forks_in_pieces_and_compressed_files() {
    let (image, expected) = volume();
    let walked = walk(&image);
    assert_eq!((walked.objects[0].kind, &walked.anomalies), (FileKind::HfsPlus, &Vec::new()));
    assert_same(&members(&walked), &expected, "all");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("image"), &image).unwrap();
    // 7z warns of things that no file needs, and knows neither the resource forks made here nor LZFSE.
    if tool(folder.path(), "7z", &["i"], b"").is_none() {
        return;
    }
    let _ = tool(folder.path(), "sh", &["-c", "7z x -y -oout image || true"], b"");
    let theirs = files(&folder.path().join("out/volume"));
    for (name, bytes) in theirs.iter().filter(|(name, _)| !matches!(name.as_str(), "zlib" | "lzfse" | "lzfse:rsrc")) {
        assert!(expected.get(name) == Some(bytes), "7z has another {name}, or one that is not here");
    }
    assert!(theirs.len() >= 9, "{:?}", theirs.keys());
}

#[test]
fn an_unknown_compression_is_told_and_the_resource_fork_given() {
    let mut volume = Volume::new();
    volume.compressed("odd", 13, 100, &eicar(), &eicar());
    let walked = walk(&volume.finish());
    assert!(walked.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::Unsupported), "{:?}", walked.anomalies);
    assert_eq!(walked.at(&["odd:rsrc"]).unwrap().bytes, eicar());
}

#[test]
fn a_broken_chain_of_leaves_hides_nothing() {
    let (image, expected) = volume();
    let name: Vec<u8> = units("volume");
    let leaf = image.windows(name.len()).position(|window| window == name).unwrap() / BLOCK * BLOCK;
    for next in [0_u32, 1, 0x7fff_ffff] {
        let mut broken = image.clone();
        broken[leaf..leaf + 4].copy_from_slice(&next.to_be_bytes());
        let walked = walk(&broken);
        assert!(walked.gap(), "{next}");
        assert_same(&members(&walked), &expected, "broken chain");
    }
}

#[test]
fn hfsplus_bears_damage() {
    let (image, _) = volume();
    let tables = image.len() - 14 * BLOCK;
    let places: Vec<usize> = (1024..1536).chain(tables..image.len()).collect();
    assert_bears_damage(&image, &places, 1000);
    assert_bears_damage(&image, &(0..image.len()).collect::<Vec<_>>(), 100);
}

/// What hfsutils do in a shell with a volume of 3 MiB.
fn classic(script: &str) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("eicar.com"), eicar()).unwrap();
    let script = format!("export HOME=$PWD; truncate -s 3M out && hformat -l Volume out >/dev/null && {script}");
    fs::write(folder.path().join("script"), script).unwrap();
    tool(folder.path(), "hformat", &["--version"], b"")?;
    tool(folder.path(), "sh", &["script"], b"")?;
    Some(fs::read(folder.path().join("out")).unwrap())
}

#[test]
fn volumes_of_the_older_form() {
    let Some(image) = classic("hmkdir :a :a:b/c && hcopy -r eicar.com ':a:b/c:e i' && hcopy -r eicar.com :other")
    else {
        return;
    };
    let walked = walk(&image);
    assert_eq!((walked.objects[0].kind, walked.gap()), (FileKind::Hfs, false), "{:?}", walked.anomalies);
    for path in ["a/b:c/e i", "other"] {
        assert_eq!(walked.at(&[path]).unwrap().bytes, eicar(), "{path}");
    }
    let mut broken = image.clone();
    // The catalogue's first extent.
    broken[1024 + 150..1024 + 154].fill(0xff);
    assert!(walk(&broken).gap());
    let mut odd = image;
    odd[1024 + 22..1024 + 24].copy_from_slice(&513_u16.to_be_bytes());
    assert_eq!(walk(&odd).objects[0].kind, FileKind::Data);
}

/// A file in many pieces, whose extents stand in the tree of further ones.
#[test]
fn pieces_of_the_older_form() {
    let script = "for n in $(seq 40); do head -c 20000 /dev/zero | tr '\\0' a >f; hcopy -r f :f$n; done; \
        for n in $(seq 1 2 39); do hdel :f$n; done; seq 60000 >large; hcopy -r large :large";
    let Some(image) = classic(script) else { return };
    let walked = walk(&image);
    let expected: Vec<u8> = (1..=60_000).flat_map(|number: u32| format!("{number}\n").into_bytes()).collect();
    assert!(!walked.gap(), "{:?}", walked.anomalies);
    assert!(walked.at(&["large"]).unwrap().bytes == expected);
    assert_eq!(walked.at(&["f40"]).unwrap().bytes, vec![b'a'; 20_000]);
}
