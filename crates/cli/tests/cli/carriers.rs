//! ClamAV's own test files: one small program of 544 bytes, packed in many ways. Each is either seen through, or reported
//! as not looked into; what is true of each stands in a table.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{folder, scan, skip};

/// Where Debian's package `clamav-testfiles` puts them.
const FILES: &str = "/usr/share/clamav-testfiles";

/// What becomes of a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The program is detected, at this path inside.
    Found(&'static str),
    /// It is reported that something was not looked into.
    Told,
    /// It is called clean, and should not be.
    Missed,
}
use Fate::{Found, Missed, Told};

const CARRIERS: &[(&str, Fate)] = &[
    ("clam-aspack.exe", Told),
    ("clam-fsg.exe", Found("embedded pe at 6112")),
    ("clam-mew.exe", Told),
    ("clam-nsis.exe", Found("clam.exe")),
    ("clam-pespin.exe", Told),
    ("clam-petite.exe", Told),
    ("clam-upack.exe", Told),
    ("clam-upx.exe", Found("unpacked » embedded pe at 19936")),
    ("clam-wwpack.exe", Told),
    ("clam-yc.exe", Told),
    ("clam.7z", Found("clam.exe")),
    ("clam.arj", Found("clam.exe")),
    ("clam.bin-be.cpio", Found("clam.exe")),
    ("clam.bin-le.cpio", Found("clam.exe")),
    ("clam.bz2.zip", Found("clam.exe")),
    ("clam.cab", Found("clam.exe")),
    ("clam.chm", Found("clam.exe.txt")),
    ("clam.d64.zip", Found("clam.exe")),
    ("clam.ea05.exe", Found("C:\\clam.exe")),
    ("clam.ea06.exe", Found("C:\\clam.exe")),
    ("clam.exe", Found("")),
    ("clam.exe.binhex", Found("clam.exe")),
    ("clam.exe.bz2", Found("content")),
    ("clam.exe.html", Found("data 1 application/octet-stream")),
    ("clam.exe.mbox.base64", Found("message 1 » clam.exe")),
    ("clam.exe.mbox.uu", Found("message 1 » clam.exe")),
    ("clam.exe.rtf", Found("object 1/Clam.exe")),
    ("clam.exe.szdd", Found("content")),
    ("clam.impl.zip", Found("CLAM.EXE")),
    ("clam.mail", Found("clam.exe")),
    ("clam.newc.cpio", Found("clam.exe")),
    ("clam.odc.cpio", Found("clam.exe")),
    ("clam.ole.doc", Found("ObjectPool/_1279313719/\u{1}Ole10Native/Clam.exe")),
    ("clam.pdf", Found("object 15 0 stream (EmbeddedFile)")),
    ("clam.ppt", Found("PowerPoint Document/object 1 » \u{1}Ole10Native/clam.exe")),
    ("clam.sis", Found("!:\\clam.exe")),
    ("clam.tar.gz", Found("content » clam.exe")),
    ("clam.tnef", Found("clam.exe")),
    ("clam.zip", Found("clam.exe")),
    ("clam_IScab_ext.exe", Found("Disk1\\clam.exe")),
    ("clam_IScab_int.exe", Found("clam.exe")),
    ("clam_ISmsi_ext.exe", Found("clam.exe409.bmp")),
    ("clam_ISmsi_int.exe", Found("clam.msi » Data1.cab » clam.exe")),
    (
        "clam_cache_emax.tgz",
        Found(
            "content » clam01.tgz » content » clam02.tgz » content » clam03.tgz » content » clam04.tgz » content » clam05.tgz » content » clam06.tgz » content » clam07.tgz » content » clam08.tgz » content » clam.exe",
        ),
    ),
];

#[test]
fn carriers_are_seen_through_or_told() {
    if !Path::new(FILES).is_dir() {
        return skip("ClamAV's test files (Debian's package clamav-testfiles) are not installed");
    }
    let folder = folder(&[("clam.hdb", b"aa15bcf478d165efd2065190eb473bcb:544:ClamAV-Test-File\n")]);
    let database = folder.path().join("clam.hdb");
    let run = scan(&["-v", "--format", "jsonl", "-d", database.to_str().unwrap()], FILES);
    assert_eq!(run.code, 1, "{}", run.err);
    let expected: BTreeMap<String, String> =
        CARRIERS.iter().map(|(name, fate)| (format!("{FILES}/{name}"), format!("{fate:?}"))).collect();
    let fates: BTreeMap<String, String> =
        run.lines().iter().map(|line| (line["path"].as_str().unwrap().to_owned(), fate(line))).collect();
    assert_eq!(fates, expected);
}

fn fate(line: &serde_json::Value) -> String {
    let way = line["detections"][0]["object"].as_array();
    let inside = |way: &Vec<serde_json::Value>| {
        way.iter().skip(1).map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(" » ")
    };
    match (line["verdict"].as_str().unwrap(), way) {
        ("detected", Some(way)) => format!("Found({:?})", inside(way)),
        ("incomplete", _) => format!("{Told:?}"),
        _ => format!("{Missed:?}"),
    }
}
