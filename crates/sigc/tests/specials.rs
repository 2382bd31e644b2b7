//! Subsignatures that are no patterns, macros, comparisons and numbers of matches, from their text to what they find.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use dachs_base::{Budget, Facts, FileKind, Limits, Memory, NoClock};
use dachs_sigc::{Input, compile};
use dachs_sigdb::{Image, View};

/// The names found in an object, without `.UNOFFICIAL`.
fn found(databases: &[(&str, &str)], object: &[u8]) -> Vec<String> {
    let inputs: Vec<Input> =
        databases.iter().map(|(name, text)| Input::bytes((*name).to_owned(), text.as_bytes().to_vec())).collect();
    let compilation = compile(&inputs).unwrap();
    assert_eq!(compilation.problems, []);
    let image = Image::new(&compilation.image).unwrap();
    image.verify().unwrap();
    let (source, facts) = (Memory::new(object), Facts::default());
    let view = View { source: &source, target: FileKind::Data.target(), facts: &facts, around: &[] };
    let examined = image.examine(&view, &Budget::new(Limits::default(), NoClock), true);
    assert_eq!(examined.limit, None);
    let name = |signature| image.name(signature).unwrap().trim_end_matches(".UNOFFICIAL").to_owned();
    examined.findings.iter().map(|finding| name(finding.signature)).collect()
}

#[test]
fn macros_are_what_the_documentation_says() {
    let members = "D1:0:$12$:626262\nD2:0:$12$:636363\nD3:0:$30$:646464\nD4:1:$12$:656565\n";
    let macros = "A;Target:0;0&1;414141;${6-7}12$\nB;Target:0;0&1;414141;${0-99}30$\nC;Target:0;0&1=2;414141;${0-99}12$\n\
        D;Target:0;0&1&2;414141;${6-7}12$;${3-4}30$\nE;Target:0;0;${6-7}12$\nF;Target:0;0&1;414141;${7-6}12$\n";
    let table: [(&[u8], &[&str]); 8] = [
        (b"xxAAAxxxbbbxxx", &["A"]),
        (b"xxAAAxxxxcccxx", &["A"]),
        (b"xxAAAxxxxxbbbx", &[]),
        (b"xxAAAxxbbbxxxx", &[]),
        (b"bbbxxxAAAxxxxx", &[]),
        (b"AAAxxxbbbddd..", &["A", "B", "D"]),
        (b"AAA..AAAxxxbbb.ccc", &["A", "C"]),
        (b"AAAxxxeeexxxxx", &[]),
    ];
    for (object, names) in table {
        assert_eq!(found(&[("x.ndb", members), ("x.ldb", macros)], object), names, "{}", object.escape_ascii());
    }
}

#[test]
fn numbers_are_compared_near_the_last_match() {
    let lines = "Ahead;Target:0;0&1;5152;0(>>2#db1#=2)\nBack;Target:0;0&1;5152;0(<<1#db1#>6,<8)\nForward;Target:0;0&1;1(>>2#db1#=2);5152\n\
        Trigger;Target:0;0&1&2;5152;0(>>2#db1#=2);1/QR/\nChain;Target:0;0&1&2;5152;0(>>2#db1#=2);1(>>0#ib1#>0)\n\
        Regex;Target:0;0&1&2;5152;0/QR/;1(>>0#ib1#>0)\nNone;Target:0;0&1;5152;9(>>0#ib1#>0)\nOnce;Target:0;0&1=1;5152;0(>>2#db1#=2)\n\
        Parts;Target:0;0&1;5152*5152;0(>>2#db1#=1)\n";
    // The answers of ClamAV 1.4.6.
    let names = ["Ahead", "Back", "Forward", "Trigger", "Once", "Parts"];
    assert_eq!(found(&[("x.ldb", lines)], b"7QR1xxx7QR5xxx7QR2xxx"), names);
    assert_eq!(found(&[("x.ldb", lines)], b"QR1xxxxxx"), Vec::<String>::new());
}

#[test]
fn matches_of_several_parts_are_counted_by_their_ends() {
    let lines = "Two;Target:0;0=2;6162*6364\nThree;Target:0;0>2;6162{0-4}6364\nSum;Target:0;(0|1)=4,2;6162*6364;6566\nEnd;Target:0;0=1;EOF-8:6162*6364\n";
    // The answers of ClamAV 1.4.6.
    assert_eq!(found(&[("x.ldb", lines)], b"ab.ab.cd.cd.ef.ef"), ["Two", "Sum"]);
    assert_eq!(found(&[("x.ldb", lines)], b"ab.ab.cd"), ["End"]);
}
