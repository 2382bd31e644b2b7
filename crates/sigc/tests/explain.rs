//! Signatures explained, from text through the image to text for a person.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use dachs_sigc::{Input, compile, explain};
use dachs_sigdb::Image;

fn explained(name: &str, line: &str) -> String {
    let compilation = compile(&[Input::bytes(name, line.as_bytes())]).unwrap();
    assert_eq!(compilation.problems, [], "{line}");
    let image = Image::new(&compilation.image).unwrap();
    assert_eq!(image.signature_count(), 1);
    assert_eq!(explain(&image, 1), "");
    explain(&image, 0)
}

#[test]
fn a_hash() {
    let text = explained("x.hsb", "44d88612fea8a8f36de82e1278abb02f:*:A.Name:73");
    let expected = "\
A.Name.UNOFFICIAL
  source:     x.hsb
  kind:       digest of a whole object
  objects:    any object
  MD5:        44d88612fea8a8f36de82e1278abb02f
  size:       any
";
    assert_eq!(text, expected);
}

#[test]
fn a_hash_of_a_section() {
    let text = explained("x.mdb", "512:44d88612fea8a8f36de82e1278abb02f:A.Name");
    let expected = "\
A.Name.UNOFFICIAL
  source:     x.mdb
  kind:       digest of one section
  objects:    Windows executables (PE)
  MD5:        44d88612fea8a8f36de82e1278abb02f
  size:       512 bytes
";
    assert_eq!(text, expected);
}

#[test]
fn a_body() {
    let text = explained("x.ndb", "A.Name:6:EP-4,10:7f454c46{2-7}??6162");
    let expected = "\
A.Name.UNOFFICIAL
  source:     x.ndb
  kind:       body signature
  objects:    ELF executables
  place:      4 bytes before the entry point, or up to 10 bytes later
  pattern:    7f454c46 \".ELF\", 2 to 7 bytes, any byte, 6162 \"ab\"
";
    assert_eq!(text, expected);
}

#[test]
fn a_logical_signature() {
    let line = "A.Name;Engine:51-255,Target:1,FileSize:1-9,Container:CL_TYPE_ZIP;0&(1|2)>3,2&1=0;616263::wa;0:6d7a::i;SE1:7071";
    let expected = "\
A.Name.UNOFFICIAL
  source:     x.ldb
  kind:       logical signature
  objects:    Windows executables (PE)
  condition:  its size is from 1 to 9 bytes
  condition:  it was unpacked from zip or ooxml-hwp or ooxml-ppt or ooxml-word or ooxml-xl
  expression: 0 & (1 | 2) > 3 with 2 different ones & 1 = 0
  0:          anywhere: 610062006300 \"abc\" in 16-bit characters; or 616263 \"abc\"
  1:          at the start: 6d7a \"mz\" in either case
  2:          anywhere in section 1: 7071 \"pq\"
";
    assert_eq!(explained("x.ldb", line), expected);
}

#[test]
fn a_comparison_a_macro_and_a_picture() {
    let line = "A.Name;Engine:150-255,Target:0;0&1&2&3;616263;0(>>4#hbe5#>3,<0x10);${2-7}4$;fuzzy_img#af2ad01ed42993c7";
    let expected = "\
A.Name.UNOFFICIAL
  source:     x.ldb
  kind:       logical signature
  objects:    any object
  expression: 0 & 1 & 2 & 3
  0:          anywhere: 616263 \"abc\"
  1:          the number in 5 bytes as hexadecimal text, all of them digits, 4 bytes after the start of the last match of 0, is > 3 and < 16
  2:          a member of macro group 4, 2 to 7 bytes after the start of a match of the one before
  3:          a picture that looks like the one with the hash af2ad01ed42993c7
";
    assert_eq!(explained("x.ldb", line), expected);
}

#[test]
fn a_member_of_an_archive() {
    let text = explained("x.cdb", "A.Name:CL_TYPE_RAR:100:\\.exe$:7-9:*:1:2:*:*");
    let expected = "\
A.Name.UNOFFICIAL
  source:     x.cdb
  kind:       what an archive says of a member
  archive:    rar
  name:       with \\x2eexe(?:$)
  archive's size: 100
  packed size: from 7 to 9
  position:   2
  encrypted:  yes
";
    assert_eq!(text, expected);
}

#[test]
fn a_yara_rule() {
    let text = explained("x.yara", "// about\nrule first : one two\n{ meta: author = \"me\" condition: true }");
    let expected = "\
first
  source:     x.yara
  kind:       YARA rule
  objects:    any object
  tags:       one, two
  metadata:   author = me
  rule:       rule first : one two
  rule:       { meta: author = \"me\" condition: true }
";
    assert_eq!(text, expected);
}
