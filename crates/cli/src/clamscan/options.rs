//! Every option of ClamAV's `clamscan`, and what it means here.
//!
//! [`OPTIONS`] is the one place: the command line is read by it ([`crate::line`]), `--help` is printed from it, and the
//! table in docs/clamscan.md is checked against it. Nothing is accepted in silence.

use crate::line::State::{Honoured, Idle, Refused, Standard};
use crate::line::Takes::{Choice, Flag, No, Number, Size, Text, Yes};
use crate::line::{self, Opt, opt};

const NO_TABLE: &str = "Dachs has no limit of its own for this";
const BYTECODE: &str = "Bytecode programs are never run";

/// All of them, in the order of ClamAV's own help.
pub(crate) const OPTIONS: &[Opt] = &[
    opt("help", 'h', Flag, Honoured, "Show this help"),
    opt("version", 'V', Flag, Honoured, "Print version number"),
    opt("verbose", 'v', Flag, Honoured, "Name each file before its result"),
    opt("archive-verbose", 'a', Flag, Refused, "Names inside archives are shown by `dachs scan`"),
    opt("debug", ' ', Flag, Refused, "There are no debug messages; `dachs scan --verbose` tells more"),
    opt("quiet", ' ', Flag, Honoured, "Only output error messages"),
    opt("stdout", ' ', Flag, Honoured, "Write errors and warnings to stdout instead of stderr"),
    opt("no-summary", ' ', Flag, Honoured, "Disable summary at end of scanning"),
    opt("infected", 'i', Flag, Honoured, "Only print infected files and errors"),
    opt("suppress-ok-results", 'o', Flag, Honoured, "Skip printing OK files"),
    opt("bell", ' ', Flag, Honoured, "Sound bell on virus detection"),
    opt("tempdir", ' ', Text("DIRECTORY"), Idle, "No temporary files are made"),
    opt("leave-temps", ' ', No, Standard("no"), "No temporary files are made"),
    opt("force-to-disk", ' ', No, Standard("no"), "No temporary files are made"),
    opt("gen-json", ' ', No, Standard("no"), "`dachs scan --format jsonl` writes JSON"),
    opt("database", 'd', Text("FILE/DIR"), Honoured, "Load signatures from FILE, or all in DIR; repeatable"),
    opt("official-db-only", ' ', No, Honoured, "Only load containers with a digital signature (.cvd, .cld)"),
    opt("fail-if-cvd-older-than", ' ', Text("days"), Honoured, "Exit with 2 if the newest container is older"),
    opt(
        "cvdcertsdir",
        ' ',
        Text("DIRECTORY"),
        Honoured,
        "Trust the certificates in DIRECTORY for signatures beside containers, as in 1.5",
    ),
    opt("log", 'l', Text("FILE"), Honoured, "Append the report to FILE"),
    opt("recursive", 'r', No, Honoured, "Scan subdirectories recursively"),
    opt("allmatch", 'z', No, Honoured, "Continue scanning within file after finding a match"),
    opt("cross-fs", ' ', Yes, Honoured, "Scan files and directories on other filesystems"),
    opt("follow-dir-symlinks", ' ', Choice, Honoured, "Follow directory symlinks (0 = never, 1 = direct, 2 = always)"),
    opt("follow-file-symlinks", ' ', Choice, Honoured, "Follow file symlinks (0 = never, 1 = direct, 2 = always)"),
    opt("file-list", 'f', Text("FILE"), Honoured, "Scan the files named in FILE, one a line"),
    opt("remove", ' ', No, Honoured, "Remove infected files. Be careful!"),
    opt("move", ' ', Text("DIRECTORY"), Honoured, "Move infected files into DIRECTORY"),
    opt("copy", ' ', Text("DIRECTORY"), Honoured, "Copy infected files into DIRECTORY"),
    opt("exclude", ' ', Text("REGEX"), Honoured, "Don't scan files whose path matches REGEX; repeatable"),
    opt("exclude-dir", ' ', Text("REGEX"), Honoured, "Don't scan directories whose path matches REGEX; repeatable"),
    opt("include", ' ', Text("REGEX"), Honoured, "Only scan files whose path matches REGEX; repeatable"),
    opt("include-dir", ' ', Text("REGEX"), Honoured, "Only scan directories whose path matches REGEX; repeatable"),
    opt("incomplete", ' ', Text("ok|error|found"), Honoured, "What is said of files not wholly looked at [error]"),
    opt("password", ' ', Text("PASSWORD"), Honoured, "Try PASSWORD on what is encrypted; repeatable; not in ClamAV"),
    opt("bytecode", ' ', Yes, Idle, BYTECODE),
    opt("bytecode-unsigned", ' ', No, Standard("no"), BYTECODE),
    opt("bytecode-timeout", ' ', Number, Idle, BYTECODE),
    opt("statistics", ' ', Text("none"), Standard("none"), "There are no such statistics"),
    opt("detect-pua", ' ', No, Honoured, "Load signatures of possibly unwanted applications too"),
    opt("exclude-pua", ' ', Text("CAT"), Honoured, "Skip PUA signatures of category CAT; repeatable"),
    opt("include-pua", ' ', Text("CAT"), Honoured, "Load PUA signatures of category CAT only; repeatable"),
    opt("detect-structured", ' ', No, Honoured, "Report texts with numbers of credit cards or persons"),
    opt(
        "structured-ssn-format",
        ' ',
        Number,
        Honoured,
        "Form of social security numbers (0 = 123-45-6789, 1 = 123456789, 2 = both)",
    ),
    opt("structured-ssn-count", ' ', Number, Honoured, "Distinct social security numbers to report [3]"),
    opt("structured-cc-count", ' ', Number, Honoured, "Distinct credit card numbers to report [3]"),
    opt("structured-cc-mode", ' ', Number, Honoured, "Cards (0 = credit and debit, 1 = credit only)"),
    opt("scan-mail", ' ', Yes, Honoured, "Look into mail"),
    opt(
        "phishing-sigs",
        ' ',
        Yes,
        Honoured,
        "Load body signatures (ndb) of phishing (HTML.Phishing…, Email.Phishing…)",
    ),
    opt("phishing-scan-urls", ' ', Yes, Honoured, "Compare links in mail with the lists of the content"),
    opt("heuristic-alerts", ' ', Yes, Honoured, "Report what the engine itself judges"),
    opt("heuristic-scan-precedence", ' ', No, Honoured, "Stop at the first heuristic"),
    opt("normalize", ' ', Yes, Honoured, "Match texts and pages in normalised form too"),
    opt("scan-pe", ' ', Yes, Honoured, "Look into packed programs"),
    opt("scan-elf", ' ', Yes, Honoured, "Look into ELF files"),
    opt("scan-ole2", ' ', Yes, Honoured, "Look into OLE2 compound files"),
    opt("scan-pdf", ' ', Yes, Honoured, "Look into PDF documents"),
    opt("scan-swf", ' ', Yes, Honoured, "Look into Flash files"),
    opt("scan-html", ' ', Yes, Honoured, "Look into HTML pages"),
    opt("scan-xmldocs", ' ', Yes, Honoured, "Look into XML documents"),
    opt("scan-hwp3", ' ', Yes, Honoured, "Look into HWP3 documents"),
    opt("scan-onenote", ' ', Yes, Honoured, "Look into OneNote sections"),
    opt("scan-archive", ' ', Yes, Honoured, "Look into archives, compressed streams and disk images"),
    opt("scan-image", ' ', Yes, Honoured, "Look into pictures"),
    opt("scan-image-fuzzy-hash", ' ', Yes, Standard("yes"), "All signatures that are loaded are used"),
    opt("alert-broken", ' ', No, Honoured, "Alert on executables whose headers make no sense (PE, ELF, Mach-O)"),
    opt("alert-broken-media", ' ', No, Honoured, "Alert on pictures that break the rules of their format"),
    opt("alert-encrypted", ' ', No, Honoured, "Alert on encrypted archives and documents"),
    opt("alert-encrypted-archive", ' ', No, Honoured, "Alert on encrypted archives"),
    opt("alert-encrypted-doc", ' ', No, Honoured, "Alert on encrypted documents"),
    opt("alert-macros", ' ', No, Honoured, "Alert on documents with macros"),
    opt("alert-exceeds-max", ' ', No, Honoured, "Alert on files that exceed a limit (Heuristics.Limits.Exceeded.…)"),
    opt("alert-phishing-ssl", ' ', No, Honoured, "Alert on links that show an encrypted page and lead to another"),
    opt("alert-phishing-cloak", ' ', No, Honoured, "Alert on links that hide control characters"),
    opt("alert-partition-intersection", ' ', No, Honoured, "Alert on partitions that share sectors"),
    opt("nocerts", ' ', Flag, Honoured, "Let no signature of a program make it clean"),
    opt("dumpcerts", ' ', Flag, Refused, "Certificates are not shown"),
    opt("max-scantime", ' ', Number, Honoured, "Time for each file in milliseconds; 0 = none [120000]"),
    opt("max-filesize", ' ', Size, Honoured, "Larger files, and larger ones in archives, are not looked at; 0 = none"),
    opt("max-scansize", ' ', Size, Honoured, "Bytes unpacked from one file; 0 = none [256G]"),
    opt("max-files", ' ', Number, Honoured, "Files unpacked from one file; 0 = none [1000000]"),
    opt("max-recursion", ' ', Number, Honoured, "Archives inside archives, the outermost counted [33]"),
    opt(
        "max-dir-recursion",
        ' ',
        Number,
        Honoured,
        "Directories inside directories, the outermost counted, with -r [no limit]",
    ),
    opt("max-embeddedpe", ' ', Size, Standard("40M"), NO_TABLE),
    opt("max-htmlnormalize", ' ', Size, Standard("40M"), NO_TABLE),
    opt("max-htmlnotags", ' ', Size, Standard("8M"), NO_TABLE),
    opt("max-scriptnormalize", ' ', Size, Standard("20M"), NO_TABLE),
    opt("max-ziptypercg", ' ', Size, Standard("1M"), NO_TABLE),
    opt("max-partitions", ' ', Number, Standard("50"), NO_TABLE),
    opt("max-iconspe", ' ', Number, Standard("100"), NO_TABLE),
    opt("max-rechwp3", ' ', Number, Standard("16"), NO_TABLE),
    opt("pcre-match-limit", ' ', Number, Standard("100000"), NO_TABLE),
    opt("pcre-recmatch-limit", ' ', Number, Standard("2000"), NO_TABLE),
    opt("pcre-max-filesize", ' ', Size, Standard("100M"), NO_TABLE),
    opt("disable-cache", ' ', Flag, Idle, "Nothing is cached"),
];

/// The text of `--help`.
pub(super) fn help() -> String {
    line::help(
        OPTIONS,
        "scanner with the command line of ClamAV 1.4.6",
        "clamscan [options] [file/directory/-]",
        34,
        "Pass in - as the filename for stdin. Without a path the current directory is scanned.\n\n\
         Exit codes: 0 nothing found; 1 something found; 2 an error, or a file not wholly looked at.\n\
         (*) Default. The defaults of limits are those of `dachs scan`; docs/clamscan.md tells all differences.\n",
    )
}

/// The table for docs/clamscan.md.
#[cfg(test)]
pub(super) fn table() -> String {
    use std::fmt::Write;
    let mut text = "| option | | state | |\n|---|---|---|---|\n".to_owned();
    for option in OPTIONS {
        let short = if option.short == ' ' { String::new() } else { format!("`-{}`", option.short) };
        let form = option.form().replace('|', "\\|");
        let _ = writeln!(text, "| `{form}` | {short} | {} | {} |", option.state_words(), option.note);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{by_letter, by_name, check};

    #[test]
    fn names_are_told_apart() {
        for (at, option) in OPTIONS.iter().enumerate() {
            let same = |other: &Opt| other.name == option.name || (other.short == option.short && option.short != ' ');
            assert!(!OPTIONS[at + 1..].iter().any(same), "{}", option.name);
            assert_eq!(by_name(OPTIONS, option.name).map(|found| found.name), Ok(option.name));
        }
        assert_eq!(by_name(OPTIONS, "recurs").map(|found| found.name), Ok("recursive"));
        assert_eq!(by_name(OPTIONS, "exclu").map(|found| found.name), Err("ambiguous"));
        for name in ["bogus", "", "recursivee"] {
            assert!(by_name(OPTIONS, name).is_err(), "{name}");
        }
        assert!(by_letter(OPTIONS, ' ').is_none() && by_letter(OPTIONS, 'z').is_some());
    }

    #[test]
    fn the_help_tells_of_every_option() {
        for option in OPTIONS {
            assert!(help().contains(&option.form()) && help().contains(option.note), "{}", option.name);
        }
    }

    /// The table in docs/clamscan.md is this one; `DACHS_BLESS=1` writes it there.
    #[test]
    fn the_document_holds_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/clamscan.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (before, rest) = text.split_once("<!-- options: begin -->\n").unwrap();
        let (held, after) = rest.split_once("<!-- options: end -->").unwrap();
        if std::env::var_os("DACHS_BLESS").is_some() {
            let new = format!("{before}<!-- options: begin -->\n{}<!-- options: end -->{after}", table());
            std::fs::write(path, new).unwrap();
            return;
        }
        assert_eq!(held, table(), "run with DACHS_BLESS=1 to write it");
    }

    #[test]
    fn defaults_are_of_their_kind() {
        for option in OPTIONS {
            if let Standard(value) = option.state {
                assert!(check(option, value.as_ref()).is_ok(), "{}", option.name);
            }
        }
    }
}
