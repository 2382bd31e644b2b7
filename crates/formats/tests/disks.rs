//! Disk images: partition tables, virtual disks and disc images made by public tools, broken and cut.
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

use std::fs;
use std::path::Path;

use common::{Noise, Walked, eicar, tool, walk, walk_within};
use dachs_base::{AnomalyKind, FileKind, Limits};

const MIB: usize = 1 << 20;

/// A disk of 16 MiB with a master boot record: a primary partition at 1 MiB, logical ones at 5 and 9 MiB.
fn mbr_disk(folder: &Path) -> Option<Vec<u8>> {
    let table = "label: dos\n2048,2048,c\n8192,24576,5\n10240,2048,83\n18432,2048,83\n";
    partitioned(folder, table, &[1, 5, 9])
}

fn gpt_disk(folder: &Path) -> Option<Vec<u8>> {
    let table = "label: gpt\nstart=2048,size=2048,name=\"first\"\nstart=10240,size=2048\n";
    partitioned(folder, table, &[1, 5])
}

/// A disk made by sfdisk, with the test file at the start of the partitions that begin at these MiB.
fn partitioned(folder: &Path, table: &str, places: &[usize]) -> Option<Vec<u8>> {
    fs::write(folder.join("disk"), vec![0; 16 * MIB]).unwrap();
    tool(folder, "sfdisk", &["-q", "disk"], table.as_bytes())?;
    let mut disk = fs::read(folder.join("disk")).unwrap();
    for place in places {
        disk[place * MIB..][..eicar().len()].copy_from_slice(&eicar());
    }
    Some(disk)
}

fn found(walked: &Walked) -> Vec<String> {
    let holds = |bytes: &[u8]| bytes.starts_with(&eicar());
    walked.objects.iter().filter(|seen| holds(&seen.bytes)).map(|seen| seen.path.join("/")).collect()
}

#[test]
fn partitions_of_a_master_boot_record() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = mbr_disk(folder.path()) else { return };
    let walked = walk(&disk);
    assert_eq!(walked.objects[0].kind, FileKind::Mbr);
    assert_eq!(found(&walked), ["partition 1 (type 0c)", "partition 2 (type 83)", "partition 3 (type 83)"]);
    assert_eq!(walked.anomalies, []);
}

#[test]
fn partitions_with_guids_and_names() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = gpt_disk(folder.path()) else { return };
    let walked = walk(&disk);
    assert!(walked.anomalies.iter().all(|anomaly| !anomaly.kind.is_gap()), "{:?}", walked.anomalies);
    assert_eq!(found(&walked), ["partition 1 (first)", "partition 2"]);
}

#[test]
fn a_chain_that_turns_in_a_circle_ends() {
    let mut disk = vec![0; 4 * MIB];
    let mut entry = |record: usize, index: usize, system: u8, first: u32, sectors: u32| {
        let at = record * 512 + 446 + index * 16;
        disk[at + 4] = system;
        disk[at + 8..at + 12].copy_from_slice(&first.to_le_bytes());
        disk[at + 12..at + 16].copy_from_slice(&sectors.to_le_bytes());
    };
    entry(0, 0, 5, 8, 100);
    entry(8, 0, 0x83, 1, 10);
    entry(8, 1, 5, 0, 100);
    for record in [0, 8] {
        disk[record * 512 + 510..record * 512 + 512].copy_from_slice(&[0x55, 0xaa]);
    }
    let walked = walk(&disk);
    assert!(walked.anomalies.iter().any(|anomaly| anomaly.detail.contains("too long")), "{:?}", walked.anomalies);
    assert!(walked.objects.len() < 300);
}

#[test]
fn virtual_disks_of_all_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = mbr_disk(folder.path()) else { return };
    fs::write(folder.path().join("raw"), &disk).unwrap();
    let cases: &[(&str, &[&str], FileKind)] = &[
        ("qcow2", &["-o", "compat=1.1"], FileKind::Qcow),
        ("qcow2", &["-o", "compat=0.10,cluster_size=4096"], FileKind::Qcow),
        ("qcow2", &["-c"], FileKind::Qcow),
        ("qcow2", &["-c", "-o", "compression_type=zstd"], FileKind::Qcow),
        ("vmdk", &["-o", "subformat=monolithicSparse"], FileKind::Vmdk),
        ("vmdk", &["-o", "subformat=streamOptimized"], FileKind::Vmdk),
        ("vpc", &["-o", "subformat=dynamic"], FileKind::Vhd),
        ("vpc", &["-o", "subformat=fixed"], FileKind::Vhd),
        ("vhdx", &["-o", "subformat=dynamic"], FileKind::Vhdx),
        ("vhdx", &["-o", "subformat=fixed"], FileKind::Vhdx),
    ];
    for (format, options, kind) in cases {
        let arguments = [&["convert", "-f", "raw", "-O", format], *options, &["raw", "image"]].concat();
        if tool(folder.path(), "qemu-img", &arguments, b"").is_none() {
            return;
        }
        let image = fs::read(folder.path().join("image")).unwrap();
        let walked = walk(&image);
        let identity = dachs_formats::identify(&dachs_base::Memory::new(image));
        assert!(identity.kinds().any(|found| found == *kind), "{format} {options:?}: {identity:?}");
        let found = found(&walked);
        for partition in ["partition 1 (type 0c)", "partition 2 (type 83)", "partition 3 (type 83)"] {
            let path = format!("disk/{partition}");
            assert!(found.contains(&path), "{format} {options:?}: {path} not in {found:?}, {:?}", walked.anomalies);
        }
        assert_eq!(walked.anomalies, [], "{format} {options:?}");
    }
}

#[test]
fn what_a_disk_builds_on_is_told_as_missing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("raw"), vec![0; MIB]).unwrap();
    for format in ["qcow2", "vmdk"] {
        let base = format!("base.{format}");
        let steps: [&[&str]; 2] = [
            &["convert", "-O", format, "raw", &base],
            &["create", "-q", "-f", format, "-b", &base, "-F", format, "image"],
        ];
        for step in steps {
            if tool(folder.path(), "qemu-img", step, b"").is_none() {
                return;
            }
        }
        let walked = walk(&fs::read(folder.path().join("image")).unwrap());
        assert!(
            walked.anomalies.iter().any(|anomaly| anomaly.kind == AnomalyKind::Unsupported),
            "{format}: {walked:?}"
        );
    }
}

/// A folder for discs: long names, files in folders, an empty one.
fn tree(folder: &Path) {
    let deep = folder.join("tree/Some long folder name/deeper");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("a very long name of a test file.com"), eicar()).unwrap();
    fs::write(folder.join("tree/EICAR.COM"), eicar()).unwrap();
    fs::write(folder.join("tree/empty"), b"").unwrap();
    fs::write(folder.join("tree/text"), b"badger ".repeat(3000)).unwrap();
}

#[test]
fn discs_in_all_dialects() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let long = "Some long folder name/deeper/a very long name of a test file.com";
    let cases: &[(&str, &[&str], Option<&str>)] = &[
        ("genisoimage", &["-quiet", "-o", "disc", "tree"], None),
        ("genisoimage", &["-quiet", "-R", "-o", "disc", "tree"], Some(long)),
        ("genisoimage", &["-quiet", "-J", "-joliet-long", "-o", "disc", "tree"], None),
        ("genisoimage", &["-quiet", "-J", "-R", "-o", "disc", "tree"], Some(long)),
        ("genisoimage", &["-quiet", "-udf", "-R", "-o", "disc", "tree"], Some(long)),
        ("xorriso", &["-as", "mkisofs", "-quiet", "-o", "disc", "tree"], Some(long)),
    ];
    for (program, arguments, path) in cases {
        if tool(folder.path(), program, arguments, b"").is_none() {
            return;
        }
        let walked = walk(&fs::read(folder.path().join("disc")).unwrap());
        assert_eq!(walked.objects[0].kind, FileKind::Iso9660, "{program} {arguments:?}");
        let iso: Vec<_> = walked.anomalies.iter().filter(|anomaly| !anomaly.detail.contains("UDF")).collect();
        assert_eq!(iso, Vec::<&dachs_base::Anomaly>::new(), "{program} {arguments:?}");
        let found = found(&walked);
        assert!(found.len() >= 2, "{program} {arguments:?}: {found:?}");
        assert!(found.iter().any(|path| path.eq_ignore_ascii_case("EICAR.COM")), "{program} {arguments:?}: {found:?}");
        if let Some(path) = path {
            assert!(found.iter().any(|found| found == path), "{program} {arguments:?}: {found:?}");
        }
        let texts = walked.objects.iter().filter(|seen| seen.bytes == b"badger ".repeat(3000)).count();
        assert!(texts >= 1, "{program} {arguments:?}");
    }
}

#[test]
fn files_compressed_by_zisofs_come_out_plain() {
    let first = [0x37, 0xE4, 0x53, 0x96, 0xC9, 0xDB, 0xD6, 0x07];
    let second = [0xEF, 0x22, 0x55, 0xA1, 0xBC, 0x1B, 0x95, 0xA0];
    compressed_by_zisofs("version_2=off", first, &[(16, 0xFF), (60, 0x55)]);
    compressed_by_zisofs("version_2=on:block_size_v2=32k", second, &[(24, 0xFF), (10, 0x07)]);
}

/// A disc with files compressed in one version, whose header may be broken at some places.
fn compressed_by_zisofs(version: &str, magic: [u8; 8], broken: &[(usize, u8)]) {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let padded = [vec![0; 100_000], eicar(), b"badger ".repeat(9000)].concat();
    fs::write(folder.path().join("tree/padded"), &padded).unwrap();
    let disc = ["-outdev", "disc", "-zisofs", version, "-map", "tree", "/", "-set_filter_r", "--zisofs", "/", "--"];
    if tool(folder.path(), "xorriso", &disc, b"").is_none() {
        return;
    }
    let mut disc = fs::read(folder.path().join("disc")).unwrap();
    let walked = walk(&disc);
    let at = |walked: &Walked, name: &str| {
        walked.objects.iter().find(|seen| seen.path == [name]).map(|seen| seen.bytes.clone()).unwrap_or_default()
    };
    assert!(!walked.gap(), "{:?}", walked.anomalies);
    assert!(at(&walked, "padded") == padded && at(&walked, "text") == b"badger ".repeat(3000));
    assert!(at(&walked, "padded as stored").starts_with(&magic));
    // A table that points nowhere, and data that are no zlib stream.
    let starts: Vec<usize> = (0..disc.len()).filter(|at| disc[*at..].starts_with(&magic)).collect();
    assert!(!starts.is_empty());
    for (behind, value) in broken.iter().copied() {
        let before = disc.clone();
        starts.iter().for_each(|start| disc[start + behind..start + behind + 4].fill(value));
        assert!(walk(&disc).gap(), "{behind}");
        disc = before;
    }
}

#[test]
fn a_name_in_the_second_tree_alone_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let hidden = ["-quiet", "-J", "-hide", "EICAR.COM", "-o", "disc", "tree"];
    if tool(folder.path(), "genisoimage", &hidden, b"").is_none() {
        return;
    }
    let walked = walk(&fs::read(folder.path().join("disc")).unwrap());
    assert!(found(&walked).contains(&"EICAR.COM".to_string()), "{:?}", found(&walked));
}

#[test]
fn what_stands_behind_a_disc_is_a_member() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    if tool(folder.path(), "genisoimage", &["-quiet", "-o", "disc", "tree"], b"").is_none() {
        return;
    }
    let mut disc = fs::read(folder.path().join("disc")).unwrap();
    disc.extend(eicar());
    assert!(found(&walk(&disc)).contains(&"trailing data".to_string()));
}

/// Small images of every kind.
fn samples() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let mut samples = Vec::new();
    if tool(folder.path(), "genisoimage", &["-quiet", "-J", "-R", "-o", "disc", "tree"], b"").is_some() {
        samples.push(fs::read(folder.path().join("disc")).unwrap());
    }
    let mut raw = vec![0; MIB];
    raw[512..512 + eicar().len()].copy_from_slice(&eicar());
    fs::write(folder.path().join("raw"), raw).unwrap();
    for (format, options) in
        [("qcow2", "cluster_size=4096"), ("vmdk", "subformat=streamOptimized"), ("vpc", "subformat=dynamic")]
    {
        let arguments = ["convert", "-O", format, "-o", options, "raw", "image"];
        if tool(folder.path(), "qemu-img", &arguments, b"").is_some() {
            samples.push(fs::read(folder.path().join("image")).unwrap());
        }
    }
    samples.extend(mbr_disk(folder.path()).map(|disk| disk[..2 * MIB].to_vec()));
    samples
}

#[test]
fn broken_images_end_within_their_limits() {
    let limits = Limits { memory: 4 << 20, objects: 200, scan_size: 16 << 20, ..Limits::default() };
    let mut noise = Noise::new();
    for sample in samples() {
        // Tables stand at the start and at the end.
        let places: Vec<usize> =
            (0..sample.len().min(80 << 10)).chain(sample.len().saturating_sub(4096)..sample.len()).collect();
        for _ in 0..150 {
            let _ = walk_within(&noise.flip(&sample, &places, 4), limits.clone());
        }
        for _ in 0..30 {
            let _ = walk_within(noise.cut(&sample), limits.clone());
        }
    }
}
