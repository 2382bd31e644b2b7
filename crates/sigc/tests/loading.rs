//! The rules of loading: which lines count, what names look like, and in which order sources come.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests write sample files, and a failed step fails the test"
)]

use std::io::Write;
use std::path::Path;

use dachs_sigc::{Categories, Error, Input, Options, compile, compile_paths, compile_with, files};
use dachs_sigdb::Image;

fn names(inputs: &[Input]) -> Vec<String> {
    names_in(&compile(inputs).unwrap().image)
}

fn names_in(image: &[u8]) -> Vec<String> {
    let image = Image::new(image).unwrap();
    image.verify().unwrap();
    (0..image.signature_count()).map(|number| image.name(number).unwrap().to_owned()).collect()
}

fn text(name: &str, text: &str) -> Input {
    Input::bytes(name, text.as_bytes())
}

fn error(name: &str, content: &str) -> String {
    compile(&[text(name, content)]).unwrap_err().to_string()
}

#[test]
fn comments_and_line_endings() {
    let content = "#comment\r\nA:0:*:616263\r\n#\nB (Clam):0:*:616264";
    assert_eq!(names(&[text("x.ndb", content)]), ["A.UNOFFICIAL", "B.UNOFFICIAL"]);
    assert_eq!(names(&[text("x.ndb", "")]), Vec::<String>::new());
    assert_eq!(names(&[text("x.NDB", "A:0:*:616263\n\u{fc}:0:*:616264\n")]).len(), 2);
}

#[test]
fn a_blank_line_is_malformed() {
    for kind in ["hdb", "hsb", "ndb", "ldb", "db", "fp", "ign", "ign2"] {
        assert!(error(&format!("x.{kind}"), "#\n\n").starts_with(&format!("x.{kind}:2: ")));
    }
}

#[test]
fn a_malformed_line_is_named_and_ends_the_load() {
    let message = error("main.ndb", "A:0:*:616263\n#\nB:0:*:61626\nC:0:zz:zz\n");
    assert_eq!(message, "main.ndb:3: an odd number of hexadecimal digits");
    let long = format!("A:0:*:{}\n", "61".repeat(1 << 20));
    assert!(error("main.ndb", &long).starts_with("main.ndb:1: a line of more than "));
}

#[test]
fn compressed_texts_are_read() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"A:0:*:616263\nB:0:*:zz\n").unwrap();
    let bytes = encoder.finish().unwrap();
    let error = compile(&[Input::bytes("x.ndb.gz", bytes.clone())]).unwrap_err().to_string();
    assert!(error.starts_with("x.ndb:2: "), "{error}");
    let cut = bytes.get(..bytes.len() - 12).unwrap();
    let error = compile(&[Input::bytes("x.ndb.gz", cut)]).unwrap_err().to_string();
    assert!(error.starts_with("x.ndb:"), "{error}");
}

#[test]
fn unwanted_programs_are_taken_when_asked_for() {
    let input = [text("x.ndu", "PUA.A:0:*:616263\nthis is not looked at\n")];
    let compilation = compile(&input).unwrap();
    assert_eq!(names_in(&compilation.image), Vec::<String>::new());
    assert_eq!(compilation.problems.first().unwrap().to_string(), "x.ndu: 2 left out: PUA (not asked for)");
    let options = Options { unwanted: true, ..Options::default() };
    assert!(compile_with(&input, &options).is_err());
    let sound = [text("x.ndu", "PUA.A:0:*:616263\n"), text("x.hdu", "44d88612fea8a8f36de82e1278abb02f:68:PUA.B\n")];
    assert_eq!(names_in(&compile_with(&sound, &options).unwrap().image).len(), 2);
}

/// As clamscan 1.4.6 does with one category; with several it takes none, though its help says they may be given.
#[test]
fn unwanted_programs_have_categories() {
    let lines: String = ["PUA.Win.Packer.X", "PUA.Foo.Y", "Foo.PUA.Z", "PUA.Winx.W", "Win.A"]
        .map(|name| format!("{name}:0:*:616263\n"))
        .concat();
    let taken = |categories| {
        let options = Options { unwanted: true, categories, ..Options::default() };
        names_in(&compile_with(&[text("x.ndu", &lines)], &options).unwrap().image).join(" ").replace(".UNOFFICIAL", "")
    };
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    assert_eq!(taken(Categories::Only(list(&["Win"]))), "PUA.Win.Packer.X");
    assert_eq!(taken(Categories::Only(list(&["Packer", "Foo"]))), "PUA.Win.Packer.X PUA.Foo.Y");
    assert_eq!(taken(Categories::Without(list(&["Packer"]))), "PUA.Foo.Y PUA.Winx.W");
    assert_eq!(taken(Categories::Without(list(&["win"]))), "PUA.Win.Packer.X PUA.Foo.Y PUA.Winx.W");
    assert_eq!(taken(Categories::Only(list(&["Z"]))), "");
}

#[test]
fn certificates_are_taken_revoked_and_trusted() {
    let digest = "188b5dbbe14f7db4c1e3f51bbb9b5c27a687668c";
    let line = |name: &str, trusted| format!("{name};{trusted};{digest};;c0ffee;010001;1;0;0;0;comment\n");
    let lines = format!("{}\n{}", line("Rev.A", 0), line("Root", 1));
    let compilation = compile(&[text("x.crb", &lines)]).unwrap();
    assert_eq!(names_in(&compilation.image), ["Rev.A"]);
    assert_eq!(compilation.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    let revoked_alone = compile(&[text("x.crb", &line("Rev.A", 0))]).unwrap();
    assert!(revoked_alone.image != compilation.image, "the trusted one is in the image");
    assert_eq!(Image::new(&compilation.image).unwrap().info().known(), 0);
    assert!(error("x.crb", &line("Rev.B", 2)).starts_with("x.crb:1: "));
}

#[test]
fn what_is_left_out_is_told_by_its_reason() {
    let lines = "A;Target:0;0;6162{5-3}6364\nB;Target:0;0;6162{7-3}6364\nD;Target:99;0;6162\n";
    let compilation = compile(&[text("x.ldb", lines), text("x.cat", "rule\n")]).unwrap();
    let problems: Vec<String> = compilation.problems.iter().map(ToString::to_string).collect();
    let expected = [
        "x.ldb: 2 left out: a gap whose longest length is below its shortest never matches",
        "x.ldb: 1 left out: an unknown target",
        "x.cat: 1 left out: a catalog that is broken",
    ];
    assert_eq!(problems, expected);
    let info = Image::new(&compilation.image).unwrap().info();
    let skipped: u32 = info.sources.iter().flat_map(|source| &source.skipped).map(|(_, count)| count).sum();
    assert_eq!(skipped, 4);
}

#[test]
fn ignored_names_are_left_out_of_what_follows() {
    let ignored = text("a.ign2", "#\nA\nB.UNOFFICIAL:00000000000000000000000000000000\n");
    let lines = "A:0:*:616263\nB:0:*:616264\nC:0:*:616265\n";
    let body = text("x.ndb", lines);
    assert_eq!(names(&[ignored.clone(), body.clone()]), ["B.UNOFFICIAL", "C.UNOFFICIAL"]);
    assert_eq!(names(&[body.clone(), ignored]).len(), 3);
    let line = text("a.ign", "x.ndb:3:C\nx.ndb:3:A\n");
    assert_eq!(names(&[line, body]), ["A.UNOFFICIAL", "B.UNOFFICIAL"]);
}

#[test]
fn unknown_kinds_are_errors_when_named_and_told_when_found() {
    for name in ["notes.txt", "x.info", "README"] {
        assert!(matches!(compile(&[text(name, "x")]), Err(Error::Unknown { .. })), "{name}");
        let compilation = compile(&[text(name, "x").listed()]).unwrap();
        assert_eq!(compilation.problems.len(), 1, "{name}");
    }
    assert!(error("notes.txt", "").contains("ndb"));
}

#[test]
fn an_allow_list_holds_no_signatures() {
    let compilation = compile(&[text("x.sfp", "44d88612fea8a8f36de82e1278abb02f:68:A\n")]).unwrap();
    let info = Image::new(&compilation.image).unwrap().info();
    let allowed: u32 = info.sources.iter().map(|source| source.allowed).sum();
    assert_eq!((info.signatures, allowed), (0, 1));
}

fn write(folder: &Path, name: &str, content: &[u8]) {
    std::fs::write(folder.join(name), content).unwrap();
}

#[test]
fn a_folder_is_read_in_clamavs_order() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("below")).unwrap();
    let header = |version| format!("{:512}", format!("ClamAV-VDB:t:{version}:1:90:X:X:b:1"));
    for name in ["z.ndb", "a.ndb", "x.ign2", "local.gdb", "x.crb", "daily.cfg", "notes.txt"] {
        write(folder.path(), name, b"");
    }
    for (name, version) in
        [("daily.cvd", 7), ("daily.cld", 8), ("main.cvd", 9), ("main.cld", 8), ("b.cvd", 1), ("b.cld", 1)]
    {
        write(folder.path(), name, header(version).as_bytes());
    }
    let inputs = files(&[folder.path().to_owned()]).unwrap();
    let names: Vec<&str> = inputs.iter().map(Input::name).collect();
    let expected =
        ["x.ign2", "daily.cld", "local.gdb", "daily.cfg", "x.crb", "a.ndb", "b.cld", "main.cvd", "notes.txt", "z.ndb"];
    assert_eq!(names, expected);
}

#[test]
fn paths_are_compiled() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "b.ndb", b"A:0:*:616263\n");
    write(folder.path(), "notes.txt", b"");
    let compilation = compile_paths(&[folder.path().to_owned()]).unwrap();
    assert_eq!(names_in(&compilation.image), ["A.UNOFFICIAL"]);
    assert_eq!(compilation.problems.len(), 1);
    let missing = folder.path().join("missing.ndb");
    let error = compile_paths(std::slice::from_ref(&missing)).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert!(error.to_string().starts_with(&missing.display().to_string()), "{error}");
}
