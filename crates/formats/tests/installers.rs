//! Set-up programs: those of NSIS as its compiler makes them, and ClamAV's carriers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod common;

use std::fs;

use common::{Walked, eicar, test_file, tool, walk};
use dachs_base::FileKind;

fn paths(walked: &Walked, wanted: &[u8]) -> Vec<String> {
    walked.objects.iter().filter(|seen| seen.bytes == wanted).map(|seen| seen.path.join("|")).collect()
}

/// A set-up program with three files; two say the same.
fn nsis(folder: &std::path::Path, compressor: &str, unicode: bool) -> Option<Vec<u8>> {
    fs::write(folder.join("eicar.com"), eicar()).unwrap();
    fs::write(folder.join("text.txt"), b"badger digs ".repeat(20_000)).unwrap();
    fs::write(
        folder.join("noise"),
        (0..70_000_u64).map(|number| ((number * number) >> 7).to_le_bytes()[0]).collect::<Vec<_>>(),
    )
    .unwrap();
    let script = format!(
        "Unicode {unicode}\nName t\nOutFile out.exe\nInstallDir $TEMP\\t\nSetCompressor {compressor}\nSection\n\
        SetOutPath $INSTDIR\nFile eicar.com\nSetOutPath $INSTDIR\\sub\nFile text.txt\nFile /oname=$PLUGINSDIR\\other.bin noise\n\
        WriteUninstaller $INSTDIR\\un.exe\nSectionEnd\nSection Uninstall\nDelete $INSTDIR\\eicar.com\nSectionEnd\n"
    );
    fs::write(folder.join("t.nsi"), script).unwrap();
    tool(folder, "makensis", &["-V1", "t.nsi"], b"")?;
    Some(fs::read(folder.join("out.exe")).unwrap())
}

#[test]
fn every_form_of_nsis() {
    for compressor in ["zlib", "bzip2", "lzma", "/SOLID zlib", "/SOLID bzip2", "/SOLID lzma"] {
        for unicode in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let Some(program) = nsis(folder.path(), compressor, unicode) else { return };
            let walked = walk(&program);
            assert_eq!(walked.objects[0].kind, FileKind::Pe);
            assert_eq!(paths(&walked, &eicar()), ["eicar.com"], "{compressor} {unicode}");
            for name in ["text.txt", "noise"] {
                let path = if name == "noise" { "$PLUGINSDIR/other.bin" } else { "sub/text.txt" };
                let bytes = fs::read(folder.path().join(name)).unwrap();
                assert!(paths(&walked, &bytes) == [path], "{compressor} {unicode} {name}");
            }
            assert!(walked.at(&["header"]).is_some());
            let uninstaller = walked.objects.iter().any(|seen| seen.path.last().is_some_and(|name| name == "un.exe"));
            assert!(uninstaller, "{compressor} {unicode}");
            assert!(!walked.gap(), "{compressor} {unicode}: {:?}", walked.anomalies);
            assert!(walk(&program[..program.len() - 2000]).gap(), "{compressor} {unicode}");
        }
    }
}

#[test]
fn the_carriers_of_clamav_are_seen_through() {
    let Some(program) = test_file("clam.exe") else { return };
    let carriers = [
        ("clam-nsis.exe", "clam.exe"),
        ("clam.ea05.exe", "C:\\clam.exe"),
        ("clam.ea06.exe", "C:\\clam.exe"),
        ("clam.sis", "!:\\clam.exe"),
        ("clam_IScab_ext.exe", "Disk1\\clam.exe"),
        ("clam_IScab_int.exe", "clam.exe"),
        ("clam_ISmsi_ext.exe", "clam.exe409.bmp"),
        ("clam_ISmsi_int.exe", "clam.msi|"),
    ];
    for (carrier, path) in carriers {
        let Some(bytes) = test_file(carrier) else { continue };
        let walked = walk(&bytes);
        let found = paths(&walked, &program);
        assert!(found.iter().any(|found| found.contains(path)), "{carrier}: {found:?}, {:?}", walked.anomalies);
        assert!(!walked.gap(), "{carrier}: {:?}", walked.anomalies);
    }
}

#[test]
fn scripts_of_autoit_become_text() {
    for (carrier, text) in
        [("clam.ea05.exe", &b"AUT2EXE VERSION"[..]), ("clam.ea06.exe", b"_FILECOUNTLINES ( $SFILEPATH )")]
    {
        let Some(bytes) = test_file(carrier) else { continue };
        let walked = walk(&bytes);
        let script = walked.at(&["script.au3"]).unwrap();
        // The script of the older form is in UTF-16.
        let plain: Vec<u8> = script.bytes.iter().copied().filter(|byte| *byte > 0 && *byte < 0x80).collect();
        assert!(plain.windows(text.len()).any(|window| window == text), "{carrier}");
        assert!(!walked.gap(), "{carrier}: {:?}", walked.anomalies);
    }
}

/// The data of Inno Setup stand behind a program and its files, and say so in a text.
#[test]
fn inno_setup_is_told() {
    let text = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(64, 0);
        bytes
    };
    let kind = |bytes: &[u8]| dachs_formats::identify(&dachs_base::Memory::new(bytes)).kind;
    let data = [text("Inno Setup Setup Data (6.2.1) (u)"), vec![7; 300]].concat();
    assert_eq!(kind(&data), FileKind::InnoSetup);
    assert_ne!(kind(&text("Inno Setup Setup Data (what it says)")), FileKind::InnoSetup);
    let budget = dachs_base::Budget::new(dachs_base::Limits::default(), dachs_base::NoClock);
    for before in [5000, 300_000] {
        let program: Vec<u8> = [b"MZ".to_vec(), vec![0; before], data.clone()].concat();
        let source: std::sync::Arc<dyn dachs_base::Source> = std::sync::Arc::new(dachs_base::Memory::new(program));
        let identity = dachs_formats::identify(source.as_ref());
        let mut embedded = dachs_formats::embedded(&identity, &source, None, &budget).unwrap();
        let Some(dachs_formats::Item::Embedded(member)) = embedded.next_item() else { panic!("it is not found") };
        let kind = dachs_formats::identify(member.source.as_ref()).kind;
        let dachs_formats::Unpacking::Members(mut members) = dachs_formats::unpack(kind, &member.source, &budget)
        else {
            panic!("nothing looks into it")
        };
        let Some(dachs_formats::Item::Anomaly { anomaly, .. }) = members.next_item() else { panic!("nothing is told") };
        assert_eq!(anomaly.kind, dachs_base::AnomalyKind::Unsupported);
    }
}
