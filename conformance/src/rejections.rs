//! Malformed lines: each is refused with its file, its line and a reason, by Dachs as by ClamAV.
//!
//! The lines of rejections.txt are one or more for each rule of what must be refused. To them come generated ones: sound lines
//! of all kinds of databases, broken in one to three places, until `--count N` of them are refused by ClamAV; what ClamAV takes
//! of the generated lines, Dachs must take. A line that Dachs answers otherwise on purpose has its reason behind ` ## `, in the
//! file; for generated lines the reasons stand in [`MEANT`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::clamav;
use crate::dachs::Dachs;
use crate::random::Random;
use crate::scratch::Scratch;
use crate::{Broken, Options};

/// Sound lines, with the ending of their database.
const SOUND: [(&str, &str); 34] = [
    ("hdb", "44d88612fea8a8f36de82e1278abb02f:68:Test.Hash-1"),
    ("hdb", "44d88612fea8a8f36de82e1278abb02f:*:Test.Hash-2:73:255"),
    ("hsb", "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f:68:Test.Hash-3"),
    ("hsb", "3395856ce81f2b7382dee72602f798b642f14140:68:Test.Hash-4"),
    ("fp", "44d88612fea8a8f36de82e1278abb02f:68:Test.Allowed-1"),
    ("mdb", "512:44d88612fea8a8f36de82e1278abb02f:Test.Section-1"),
    ("msb", "512:3395856ce81f2b7382dee72602f798b642f14140:Test.Section-2:73"),
    ("imp", "98c88d882f01a3f6ac1e5f7dfd761624:39:Test.Imports-1"),
    ("ndb", "Test.Body-1:0:*:616263{2-7}646566*6768(61|62)69"),
    ("ndb", "Test.Body-2:1:EP+10,20:4d5a9000??0300!(61|62)0004"),
    ("ndb", "Test.Body-3:0:EOF-20:61[1-4]626364:51:255"),
    ("ndb", "Test.Body-4:6:SE0:7f454c46(B)61626364"),
    ("ndb", "Test.Body-5:9:SL+4,5:(6162|6364)656667"),
    ("db", "Test.Plain-1=616263646566"),
    ("ldb", "Test.Logical-1;Engine:51-255,Target:0;(0&1)|2;616263;10:646566::i;6a6b6c::wa"),
    ("ldb", "Test.Logical-2;Engine:51-255,Target:1,FileSize:10-2000,EntryPoint:1-200;0>2,1;616263{5}64"),
    ("ldb", "Test.Logical-3;Engine:81-255,Target:0;0&1;616263;0(>>4#hb4#>5,<0x10)"),
    ("ldb", "Test.Logical-4;Engine:81-255,Target:0;0&1;616263;0/ab+c[0-9]{2,3}(?=x)/smi"),
    ("ldb", "Test.Logical-5;Engine:51-255,Container:CL_TYPE_ZIP,Target:0;(0|1|2)>1,2;6162;6364;6566"),
    ("ldb", "Test.Logical-6;Engine:150-255,Target:0;0;fuzzy_img#af2ad01ed42993c7"),
    ("ldb", "Test.Logical-7;Engine:51-255,Target:0;0&1;616263;${6-7}12$"),
    ("cdb", "Test.Member-1:CL_TYPE_ZIP:*:\\.exe$:10-200:*:0:1:*:*"),
    ("cdb", "Test.Member-2:*:100:^[a-z]+\\.(js|vbs)$:*:50:1:*:*:*:51:255"),
    ("zmd", "Test.Zip-1:0:\\.scr$:*:*:*:8:1:*"),
    ("rmd", "Test.Rar-1:1:secret:100:*:*:*:*:*"),
    ("ftm", "0:0:4d5a:DOS/W32 executable:CL_TYPE_ANY:CL_TYPE_MSEXE"),
    (
        "idb",
        "N:G:H:20863160e5171601443161600003000000b000001300ff0300ff0b00ff1300e70001e70009e816015416163f150c2b0004000500000d000005080a203917",
    ),
    (
        "crb",
        "Rev;0;188b5dbbe14f7db4c1e3f51bbb9b5c27a687668c;188b5dbbe14f7db4c1e3f51bbb9b5c27a687668c;00c0ffee;010001;1;0;0;0;comment",
    ),
    ("pdb", "H:www.bank.example"),
    ("pdb", "R:.+\\.ebay\\.com([/?].*)?:.+\\.ebay\\.com([/?].*)?"),
    ("wdb", "M:good.example:www.bank.example"),
    ("gdb", "S:F:275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"),
    ("pwdb", "Test.Password-1;Engine:81-255;0;infected"),
    ("cfg", "PE:0x1:51:255"),
];
/// Differences about generated lines that are meant: the ending, what must occur in the complaint, and why.
const MEANT: [(&str, &str, &str); 4] = [
    ("", "is not a size above 0", OTHERS),
    ("ldb", "does not belong in an expression", OTHERS),
    ("rmd", "", OLD),
    ("zmd", "", OLD),
];
const OTHERS: &str = "a mistake is told in a line that other engines would read, too; ClamAV looks no further";
const OLD: &str = "a mistake is told in the old form of metadata, too; ClamAV leaves it out in silence";
/// Where ClamAV knows nothing of lines: what it complains about is no line.
const TRIED: usize = 20;

#[derive(Default)]
struct Sum {
    refused: usize,
    taken: usize,
    broken: usize,
    known: BTreeMap<String, usize>,
    kinds: BTreeMap<String, usize>,
}

/// Asks about the listed lines, and generated ones. `--count N`: how many generated ones are to be refused; `--seed N`.
pub(crate) fn run(options: &Options) -> Broken {
    if !clamav::is_there() {
        return Ok(0);
    }
    let dachs = Dachs::find()?;
    let mut listed = Sum::default();
    for case in include_str!("../rejections.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (case, reason) = case.split_once(" ## ").unwrap_or((case, ""));
        let (ending, line) = case.split_once(' ').ok_or(format!("not a case: {case}"))?;
        let line = if line == "(empty)" { "" } else { line };
        listed.case(&dachs, ending, line, Some(reason))?;
    }
    tell("listed", &listed);
    let count = usize::try_from(options.number("--count", 200)?).unwrap_or(usize::MAX);
    let mut random = Random::new(options.number("--seed", 1)?);
    let mut made = Sum::default();
    for _ in 0..count.saturating_mul(TRIED) {
        if made.refused >= count {
            break;
        }
        let (ending, line) = random.pick(&SOUND);
        let line = broken(&mut random, line);
        if !line.starts_with('#') && !line.contains('\n') {
            made.case(&dachs, ending, &line, None)?;
        }
    }
    tell("generated", &made);
    Ok(listed.broken + made.broken + usize::from(made.refused < count))
}

fn tell(which: &str, sum: &Sum) {
    for (reason, count) in &sum.known {
        println!("rejections: {count} {which} lines answered otherwise on purpose: {reason}");
    }
    println!(
        "rejections: {which}: {} lines refused by both with file, line and reason {:?}, {} taken by both, {} wrong",
        sum.refused, sum.kinds, sum.taken, sum.broken
    );
}

impl Sum {
    /// Asks both sides about one line. A reason says that a difference is meant; none, that the line is a generated one.
    fn case(&mut self, dachs: &Dachs, ending: &str, line: &str, reason: Option<&str>) -> Result<(), String> {
        let (theirs, complaint) = ask(dachs, ending, line)?;
        let located = complaint.as_ref().is_none_or(|complaint| is_located(complaint, ending));
        let wrong = match (theirs, &complaint, reason) {
            _ if !located => "is refused without file, line or reason",
            (true, None, None) => {
                self.taken += 1;
                return Ok(());
            }
            (false, Some(_), None | Some("")) => {
                self.refused += 1;
                *self.kinds.entry(ending.to_owned()).or_default() += 1;
                return Ok(());
            }
            (true, Some(_), Some(reason)) | (false, None, Some(reason)) if !reason.is_empty() => {
                *self.known.entry(reason.to_owned()).or_default() += 1;
                return Ok(());
            }
            (true, Some(complaint), None) if meant(ending, complaint).is_some() => {
                *self.known.entry(meant(ending, complaint).unwrap_or_default().to_owned()).or_default() += 1;
                return Ok(());
            }
            (true, Some(_), _) => "is taken by ClamAV and refused by Dachs",
            (false, None, _) => "is refused by ClamAV and taken by Dachs",
            (true, None, Some(_)) => "is taken by both",
            (false, Some(_), Some(_)) => "is listed as a difference, but both refuse it",
        };
        self.broken += 1;
        println!("rejections: WRONG: {ending} {line}\n    {wrong}: {}", complaint.unwrap_or_default());
        Ok(())
    }
}

fn meant(ending: &str, complaint: &str) -> Option<&'static str> {
    let mut all = MEANT.iter();
    all.find(|(kind, words, _)| (kind.is_empty() || *kind == ending) && complaint.contains(words))
        .map(|(_, _, reason)| *reason)
}

/// Whether ClamAV takes a line, which is the second one of its file, and what Dachs complains of if it refuses it.
fn ask(dachs: &Dachs, ending: &str, line: &str) -> Result<(bool, Option<String>), String> {
    let scratch = Scratch::new()?;
    let file: Vec<PathBuf> = vec![scratch.write("file", b"nothing to be found here")?];
    let database = scratch.write(&format!("t.{ending}"), format!("# first\n{line}\n").as_bytes())?;
    let theirs = clamav::scan(&database, &file).is_ok();
    let answer = dachs.scan(&database, &[], &file)?;
    match answer.code {
        Some(0 | 3) => Ok((theirs, None)),
        Some(2) => Ok((theirs, Some(answer.complaint))),
        code => Err(format!("dachs ended with {code:?} at: {ending} {line}\n{}", answer.complaint)),
    }
}

/// `dachs: PATH/t.ENDING:2: REASON`
fn is_located(complaint: &str, ending: &str) -> bool {
    let place = format!("t.{ending}:2: ");
    complaint.lines().any(|line| line.split_once(&place).is_some_and(|(_, reason)| !reason.trim().is_empty()))
}

/// A line with one to three changes.
fn broken(random: &mut Random, line: &str) -> String {
    let mut line = line.to_owned();
    for _ in 0..random.range(1, 3) {
        line = changed(random, &line);
    }
    line
}

fn changed(random: &mut Random, line: &str) -> String {
    const SIGNS: &[u8] = b"0g:;(){}[]*?!|&=<>#-,/ xZ\\$.+9";
    let mut bytes = line.as_bytes().to_vec();
    let at = random.below(bytes.len().max(1));
    let sign = *random.pick(SIGNS);
    match random.below(9) {
        0 if at < bytes.len() => drop(bytes.remove(at)),
        1 => bytes.insert(at.min(bytes.len()), sign),
        2 if at < bytes.len() => bytes[at] = sign,
        3 => bytes.truncate(at.max(1)),
        4 if at + 1 < bytes.len() => bytes.swap(at, at + 1),
        _ => return field_changed(random, line),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A field removed, doubled, emptied, or of something else.
fn field_changed(random: &mut Random, line: &str) -> String {
    let separator = if line.contains(';') { ";" } else { ":" };
    let mut fields: Vec<&str> = line.split(separator).collect();
    let at = random.below(fields.len());
    match random.below(4) {
        0 => drop(fields.remove(at)),
        1 => fields.insert(at, fields[at]),
        2 => fields[at] = "",
        _ => {
            fields[at] =
                *random.pick::<&str>(&["x", "-1", "99999999999999999999", "*", "0", "616", "61{", "(0", "0x", "1-"])
        }
    }
    fields.join(separator)
}
