//! The EICAR test file, bare and in each container that is unpacked.

use crate::support::{command, eicar, folder, has_tool, run, scan, scan_stream, tool};

#[test]
fn the_test_file_is_found() {
    let folder = folder(&[("eicar.com", &eicar()), ("nothing", b"nothing")]);
    let run = scan(&[], folder.path());
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert_eq!(run.out.lines().count(), 1, "{}", run.out);
    assert!(run.out.contains("eicar.com: ") && run.out.to_lowercase().contains("eicar"), "{}", run.out);
    assert!(run.err.contains("Scanned     2 files"), "{}", run.err);
}

#[test]
fn the_built_in_set_knows_the_test_file() {
    let folder = folder(&[("eicar.com", &eicar())]);
    let empty = tempfile::tempdir().unwrap();
    let run = run(command(&["scan"]).arg(folder.path()).env("DACHS_CONTENT", empty.path()));
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
}

#[test]
fn the_test_file_is_found_in_a_stream() {
    let run = scan_stream(&[], &eicar());
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(run.out.starts_with("-: "), "{}", run.out);
    assert_eq!(scan_stream(&[], b"nothing").code, 0);
    assert_eq!(scan_stream(&[], b"").code, 0);
}

#[test]
fn a_stream_that_is_too_long_is_incomplete() {
    let run = scan_stream(&["--max-stdin", "1K"], &[b'x'; 5_000]);
    assert_eq!(run.code, 3, "{}{}", run.out, run.err);
    assert!(run.out.contains("only its first 1024 bytes were read (--max-stdin)"), "{}", run.out);
}

/// What is made, by which tool.
const DEB: &str = "mkdir -p deb/DEBIAN deb/usr && cp eicar.com deb/usr && \
    printf 'Package: eicar\\nVersion: 1\\nArchitecture: all\\nMaintainer: Nobody <nobody@example.org>\\nDescription: test\\n' \
    > deb/DEBIAN/control && dpkg-deb -b --root-owner-group deb eicar.deb";

const CONTAINERS: &[(&str, &str, &[&str])] = &[
    ("deflated.zip", "python3", &["-c", "import zipfile as z; z.ZipFile('deflated.zip','w',8).write('eicar.com')"]),
    ("stored.zip", "python3", &["-c", "import zipfile as z; z.ZipFile('stored.zip','w',0).write('eicar.com')"]),
    ("bzip2.zip", "python3", &["-c", "import zipfile as z; z.ZipFile('bzip2.zip','w',12).write('eicar.com')"]),
    ("lzma.zip", "python3", &["-c", "import zipfile as z; z.ZipFile('lzma.zip','w',14).write('eicar.com')"]),
    ("plain.tar", "python3", &["-c", "import tarfile as t; f=t.open('plain.tar','w'); f.add('eicar.com'); f.close()"]),
    (
        "packed.tar.gz",
        "python3",
        &["-c", "import tarfile as t; f=t.open('packed.tar.gz','w:gz'); f.add('eicar.com'); f.close()"],
    ),
    ("eicar.gz", "python3", &["-c", "import gzip as g; g.open('eicar.gz','w').write(open('eicar.com','rb').read())"]),
    ("eicar.bz2", "python3", &["-c", "import bz2 as g; g.open('eicar.bz2','w').write(open('eicar.com','rb').read())"]),
    ("eicar.xz", "python3", &["-c", "import lzma as g; g.open('eicar.xz','w').write(open('eicar.com','rb').read())"]),
    ("eicar.zst", "zstd", &["-q", "eicar.com", "-o", "eicar.zst"]),
    ("eicar.lz4", "lz4", &["-q", "eicar.com", "eicar.lz4"]),
    ("eicar.7z", "7z", &["a", "eicar.7z", "eicar.com"]),
    ("deflate64.zip", "7z", &["a", "-mm=Deflate64", "deflate64.zip", "eicar.com"]),
    ("streamed.zip", "sh", &["-c", "zip -q - - < eicar.com > streamed.zip"]),
    ("solid.7z", "7z", &["a", "-m0=ppmd", "solid.7z", "eicar.com"]),
    ("newc.cpio", "sh", &["-c", "echo eicar.com | cpio --quiet -o -H newc > newc.cpio"]),
    ("odc.cpio", "sh", &["-c", "echo eicar.com | cpio --quiet -o -H odc > odc.cpio"]),
    ("eicar.a", "ar", &["rc", "eicar.a", "eicar.com"]),
    ("eicar.deb", "sh", &["-c", DEB]),
    ("eicar.lz", "lzip", &["-k", "eicar.com", "-o", "eicar.lz"]),
    ("eicar.lzo", "lzop", &["eicar.com", "-o", "eicar.lzo"]),
    ("eicar.squashfs", "mksquashfs", &["eicar.com", "eicar.squashfs", "-quiet", "-no-progress"]),
    ("eicar.AppImage", "sh", &["-c", APP_IMAGE]),
    ("eicar.ext4", "sh", &["-c", "mkdir ext && cp eicar.com ext && mke2fs -q -F -t ext4 -d ext eicar.ext4 2M"]),
    ("eicar.fat", "sh", &["-c", "mkfs.vfat -C eicar.fat 1440 && mcopy -i eicar.fat eicar.com ::"]),
    (
        "eicar.ntfs",
        "sh",
        &["-c", "truncate -s 4M eicar.ntfs && mkntfs -q -F -Q eicar.ntfs && ntfscp -q eicar.ntfs eicar.com a"],
    ),
    ("eicar.udf", "sh", &["-c", "mkdir udf && cp eicar.com udf && genisoimage -quiet -udf -o eicar.udf udf"]),
    (
        "eicar.hfs",
        "sh",
        &["-c", "mkdir hfs && cp eicar.com hfs && xorriso -as mkisofs -quiet -hfsplus -o eicar.hfs hfs"],
    ),
    ("eicar.wim", "sh", &["-c", "mkdir wim && cp eicar.com wim && wimlib-imagex capture wim eicar.wim --compress=LZX"]),
];

const APP_IMAGE: &str = "mksquashfs eicar.com image -quiet -no-progress && cat /bin/true image > eicar.AppImage";

#[test]
fn the_test_file_is_found_in_each_container() {
    let folder = folder(&[("eicar.com", &eicar())]);
    let mut missed = Vec::new();
    for (name, program, arguments) in CONTAINERS.iter().copied() {
        if !has_tool(program) {
            continue;
        }
        tool(folder.path(), program, arguments);
        let run = scan(&["--format", "jsonl"], folder.path().join(name));
        let found =
            run.lines().iter().any(|line| line["detections"][0]["object"].as_array().is_some_and(|way| way.len() > 1));
        if run.code != 1 || !found {
            missed.push(format!("{name}: {} {}{}", run.code, run.out, run.err));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_way_through_two_archives_is_told() {
    if !has_tool("python3") {
        return;
    }
    let folder = folder(&[("eicar.com", &eicar())]);
    let script =
        "import zipfile as z; z.ZipFile('in.zip','w').write('eicar.com'); z.ZipFile('out.zip','w').write('in.zip')";
    tool(folder.path(), "python3", &["-c", script]);
    let run = scan(&[], folder.path().join("out.zip"));
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(run.out.trim_end().ends_with("(in in.zip » eicar.com)"), "{}", run.out);
}

/// Each limit, when it is reached, is named and makes the file incomplete.
#[test]
fn limits_are_told_and_never_clean() {
    if !has_tool("python3") {
        return;
    }
    let folder = folder(&[]);
    let script = "import zipfile as z, random\n\
        a=z.ZipFile('in.zip','w',8); [a.writestr(str(n), random.Random(n).randbytes(90000)+bytes(90000)) for n in range(9)]; a.close()\n\
        a=z.ZipFile('out.zip','w',8); a.write('in.zip'); a.close()";
    tool(folder.path(), "python3", &["-c", script]);
    let table = [
        ("--max-depth", "1", "depth"),
        ("--max-objects", "5", "objects"),
        ("--max-object-size", "100K", "object-size"),
        ("--max-scan-size", "1200K", "scan-size"),
        ("--max-scan-time", "0s", "time"),
    ];
    let path = folder.path().join("out.zip");
    assert_eq!(scan(&[], &path).code, 0);
    for (option, value, word) in table {
        let run = scan(&[option, value, "--format", "jsonl"], &path);
        let anomalies = run.lines()[0]["anomalies"].clone();
        let told = anomalies.as_array().unwrap().iter().any(|anomaly| anomaly["limit"] == word);
        assert!(run.code == 3 && told, "{option}: {} {}{}", run.code, run.out, run.err);
        let human = scan(&[option, value], &path);
        assert!(human.out.contains(option), "{option}: {}", human.out);
    }
}
