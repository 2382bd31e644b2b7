//! Malformed YARA rules: real ones with something changed, and rules made to exhaust whoever compiles them.
//!
//! The promises: the compiler does not die, every file is either taken or told of with a line and a reason, time and memory
//! stay bounded, and what was taken compiles again in the process that workers come from and scans a file. Rules of our own
//! are always asked about; the public ones of the optional data folder too, if they are there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::dachs::Dachs;
use crate::memory::{self, megabytes};
use crate::random::Random;
use crate::scratch::Scratch;
use crate::{Broken, Options, rules};

/// Files that are compiled together.
const BATCH: usize = 500;
/// No rule made to exhaust may take longer to be compiled, by wall time on a machine that is not busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// Memory that compiling may hold, in bytes.
const MEMORY: u64 = 1 << 30;
/// Longer rules are not mutated, in bytes.
const LONGEST: usize = 20_000;

/// Compiles `--count N` mutations, from seed `--seed N` on, and the rules made to exhaust.
pub(crate) fn run(options: &Options) -> Broken {
    let count = usize::try_from(options.number("--count", 10_000)?).map_err(|error| error.to_string())?;
    let dachs = Dachs::find()?;
    let mut texts = texts_below(&rules::own())?;
    let own = texts.len();
    match rules::public()? {
        Some(public) => texts.extend(texts_below(public.path())?),
        None => eprintln!("SKIPPED: no folder of public YARA rules ($DACHS_SHARED, or `shared` beside the project)"),
    }
    println!("malformed: {count} mutations of {} rules, {own} of them our own", texts.len());
    let mut random = Random::new(options.number("--seed", 1)?);
    let mut sum = Sum::default();
    let mut done = 0;
    while done < count {
        let batch = BATCH.min(count - done);
        let mutated: Vec<String> = (0..batch)
            // Half of them of our own, which are small and ask for everything.
            .map(|number| if number % 2 == 0 { &texts[..own] } else { &texts[..] })
            .map(|some| mutate(&texts, random.pick(some).as_bytes(), &mut random))
            .collect();
        one_batch(&dachs, &mutated, &mut sum)?;
        done += batch;
    }
    sum.tell("mutations");
    let mut extremes = Sum::default();
    for (name, text) in extremes_of() {
        let before = extremes.slowest;
        one_batch(&dachs, std::slice::from_ref(&text), &mut extremes)?;
        if extremes.slowest > before {
            extremes.slowest_name = name.to_owned();
        }
    }
    extremes.tell("rules made to exhaust");
    Ok(sum.broken + extremes.broken)
}

#[derive(Default)]
struct Sum {
    taken: usize,
    refused: usize,
    empty: usize,
    slowest: Duration,
    slowest_name: String,
    memory: u64,
    broken: usize,
}

impl Sum {
    fn wrong(&mut self, message: &str) {
        self.broken += 1;
        if self.broken <= 20 {
            println!("malformed: BROKEN: {message}");
        }
    }

    fn tell(&self, what: &str) {
        println!(
            "malformed: {what}: {} refused with line and reason, {} taken, {} without a rule; slowest run {:.1} s {}, {} in one process, {} broken",
            self.refused,
            self.taken,
            self.empty,
            self.slowest.as_secs_f64(),
            self.slowest_name,
            megabytes(self.memory),
            self.broken
        );
    }
}

fn texts_below(folder: &Path) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    for file in rules::files(folder) {
        let bytes = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        texts.extend(rules::texts(&bytes));
    }
    texts.retain(|text| text.len() <= LONGEST);
    if texts.is_empty() { Err(format!("no rules in {}", folder.display())) } else { Ok(texts) }
}

/// Compiles some files together, and judges each.
fn one_batch(dachs: &Dachs, texts: &[impl AsRef<[u8]>], sum: &mut Sum) -> Result<(), String> {
    let scratch = Scratch::new()?;
    let folder = scratch.folder("rules")?;
    for (number, text) in texts.iter().enumerate() {
        let path = folder.join(format!("{number:04}.yar"));
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let image = scratch.path().join("image");
    let stderr = scratch.path().join("stderr");
    let mut command = Command::new(dachs.program());
    command.args(["db", "build", "-o"]).arg(&image).arg(&folder).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(std::fs::File::create(&stderr).map_err(|error| error.to_string())?);
    let start = Instant::now();
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let (status, peak) = memory::watch(&mut child)?;
    sum.slowest = sum.slowest.max(start.elapsed());
    sum.memory = sum.memory.max(peak.one);
    let said = String::from_utf8_lossy(&std::fs::read(&stderr).unwrap_or_default()).into_owned();
    if !status.success() {
        let kept = keep(&folder);
        sum.wrong(&format!("the compiler ended with {status}: {}; kept as {kept}", last(&said)));
        return Ok(());
    }
    if start.elapsed() > PATIENCE || peak.one > MEMORY {
        let took = format!("{:.1} s, {}", start.elapsed().as_secs_f64(), megabytes(peak.one));
        sum.wrong(&format!("compiling took {took}; kept as {}", keep(&folder)));
    }
    judge(texts, &faults(&said), &taken(&dachs.info(&image)?), sum);
    judge_scan(dachs, &image, &scratch, sum)
}

/// The lines told, by file.
fn faults(said: &str) -> BTreeMap<String, Vec<u64>> {
    let mut faults = BTreeMap::<String, Vec<u64>>::new();
    for line in said.lines() {
        let line = line.strip_prefix("dachs: ").unwrap_or(line);
        let Some((file, rest)) = line.split_once(':') else { continue };
        let Some((number, reason)) = rest.split_once(": ") else { continue };
        if let (Ok(number), false) = (number.parse(), reason.trim().is_empty()) {
            faults.entry(file.to_owned()).or_default().push(number);
        }
    }
    faults
}

/// The files of which something is in the image, or left out because it is there already.
fn taken(info: &Value) -> BTreeSet<String> {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let is_taken = |source: &Value| {
        let same = |entry: &Value| entry["reason"].as_str().is_some_and(|reason| reason.contains("the same rule"));
        !list(source, "entries").is_empty() || list(source, "skipped").iter().any(same)
    };
    let sources = list(info, "sources");
    let names = sources.iter().filter(|source| is_taken(source)).filter_map(|source| source["name"].as_str());
    names.map(ToOwned::to_owned).collect()
}

/// Each file is taken, or told of with one of its lines, or has no rule.
fn judge(texts: &[impl AsRef<[u8]>], faults: &BTreeMap<String, Vec<u64>>, taken: &BTreeSet<String>, sum: &mut Sum) {
    for (number, text) in texts.iter().enumerate() {
        let (name, text) = (format!("{number:04}.yar"), text.as_ref());
        let lines = text.split(|byte| *byte == b'\n').count() as u64;
        match faults.get(&name) {
            Some(told) if told.iter().any(|line| !(1..=lines).contains(line)) => {
                sum.wrong(&format!("a fault on lines {told:?} of {lines}: {}", excerpt(text)));
            }
            Some(_) => sum.refused += 1,
            None if taken.contains(&name) => sum.taken += 1,
            // A private rule that nothing refers to is taken, and left out of the image.
            None if has_private(text) => sum.taken += 1,
            None if !holds_rule(text) => sum.empty += 1,
            None => sum.wrong(&format!("neither taken nor told of: {}", excerpt(text))),
        }
    }
}

fn has_private(text: &[u8]) -> bool {
    text.windows(7).any(|window| window == b"private")
}

/// True if the word `rule` stands in it, beside comments.
fn holds_rule(text: &[u8]) -> bool {
    let mut rest = String::from_utf8_lossy(text).into_owned();
    while let Some(start) = [rest.find("//"), rest.find("/*")].into_iter().flatten().min() {
        let end = if rest[start..].starts_with("//") { "\n" } else { "*/" };
        let length = rest[start + 2..].find(end).map_or(rest.len() - start, |length| length + 2 + end.len());
        rest.replace_range(start..start + length, " ");
    }
    rest.contains("rule")
}

/// What was taken compiles again for workers, and decides a file.
fn judge_scan(dachs: &Dachs, image: &Path, scratch: &Scratch, sum: &mut Sum) -> Result<(), String> {
    let file = scratch.write("file", b"MZ it has some bytes 1234 and ends.")?;
    let answer = dachs.scan(image, &["--max-scan-time", "20s"], std::slice::from_ref(&file))?;
    let died = answer.results.iter().flat_map(|result| &result.anomalies).find(|(what, _)| what == "worker-died");
    if answer.results.len() != 1 || died.is_some() {
        sum.wrong(&format!("the rules that were taken do not scan: {:?} {}", died, last(&answer.complaint)));
    }
    if answer.elapsed > PATIENCE {
        sum.wrong(&format!("a scan of one small file took {:.1} s", answer.elapsed.as_secs_f64()));
    }
    sum.memory = sum.memory.max(answer.memory.one);
    Ok(())
}

fn last(said: &str) -> String {
    said.lines().last().unwrap_or_default().chars().take(300).collect()
}

fn excerpt(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(600).collect::<String>().escape_debug().to_string()
}

/// Moves the folder to where it outlives the run.
fn keep(folder: &Path) -> String {
    let to: PathBuf = std::env::temp_dir().join(format!("dachs-broken-rules-{}", std::process::id()));
    let _ = std::fs::create_dir_all(&to);
    let to = to.join(format!("{:?}", Instant::now()).chars().filter(char::is_ascii_digit).collect::<String>());
    match std::fs::rename(folder, &to) {
        Ok(()) => to.display().to_string(),
        Err(error) => format!("nothing ({error})"),
    }
}

/// Words that mean something somewhere in a rule.
const WORDS: [&str; 48] = [
    "rule x",
    "private ",
    "global ",
    "import \"pe\"\n",
    "include \"x.yar\"\n",
    "meta:",
    "strings:",
    "condition:",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "/",
    "\"",
    "\\",
    "$",
    "#",
    "@",
    "!",
    "*",
    " and ",
    " or ",
    " not ",
    " of ",
    "them",
    "all",
    "any ",
    "for any i in (1..#a) : ",
    "$a = ",
    "= /a{1,9}/",
    "= { 41 [2-9] ?? }",
    " wide ascii",
    " xor(1-255)",
    " base64",
    "0x",
    "-1",
    "9223372036854775807",
    "99999999999999999999",
    "filesize",
    "pe.sections[0].name",
    "uint32(",
    "\u{e9}",
    "\0",
    "\r\n",
    "/*",
    "//",
];

/// Changes a rule in one to four ways.
fn mutate(texts: &[String], rule: &[u8], random: &mut Random) -> String {
    let mut bytes = rule.to_vec();
    for _ in 0..random.range(1, 4) {
        let at = random.below(bytes.len().max(1)).min(bytes.len());
        let end = (at + random.range(1, 40)).min(bytes.len());
        match random.below(9) {
            0 => bytes.truncate(at.max(1)),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.get_mut(at).into_iter().for_each(|byte| *byte = random.byte()),
            3 => insert(&mut bytes, at, random.pick(&WORDS).as_bytes()),
            4 => {
                let copy = bytes[at..end].repeat(random.range(1, 300));
                insert(&mut bytes, at, &copy);
            }
            5 => {
                let other = random.pick(texts).as_bytes();
                let from = random.below(other.len());
                insert(&mut bytes, at, &other[from..(from + random.range(1, 200)).min(other.len())]);
            }
            6 => {
                let sign = random.pick(b"({[/\"!-~)}]").to_owned();
                let many = vec![sign; random.range(1, 3000)];
                insert(&mut bytes, at, &many);
            }
            7 => digits(&mut bytes, at, random),
            _ => bytes[at..end].reverse(),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn insert(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
    bytes.splice(at..at, what.iter().copied());
}

/// The next number becomes another one.
fn digits(bytes: &mut Vec<u8>, at: usize, random: &mut Random) {
    let Some(start) = (at..bytes.len()).find(|place| bytes[*place].is_ascii_digit()) else { return };
    let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = *random.pick(&["0", "65535", "4294967295", "4294967296", "9223372036854775807", "1000000"]);
    bytes.splice(start..start + length, number.bytes());
}

/// Rules made to exhaust whoever compiles or runs them.
fn extremes_of() -> Vec<(&'static str, String)> {
    let rule = |string: &str, condition: &str| format!("rule a {{ strings: {string} condition: {condition} }}");
    let text = |condition: &str| rule("$a = \"x\"", condition);
    let regex = |pattern: &str| rule(&format!("$a = /{pattern}/"), "$a");
    let hex = |tokens: &str| rule(&format!("$a = {{ {tokens} }}"), "$a");
    let nest = |open: &str, inner: &str, close: &str, times: usize| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let list =
        |count: usize, of: fn(usize) -> String, between: &str| (0..count).map(of).collect::<Vec<_>>().join(between);
    let strings = |count, of: fn(usize) -> String| rule(&list(count, of, "\n"), "any of them");
    vec![
        ("nested parentheses", text(&nest("(", "$a", ")", 100_000))),
        ("open parentheses", text(&"(".repeat(200_000))),
        ("nested not", text(&nest("not ", "$a", "", 100_000))),
        ("nested minus", text(&nest("-", "1 == 1", "", 100_000))),
        ("a chain of and", text(&list(100_000, |_| "$a".to_owned(), " and "))),
        ("a chain of or", text(&list(100_000, |number| format!("filesize == {number}"), " or "))),
        ("a chain of plus", text(&format!("{} > 0", list(100_000, |_| "1".to_owned(), "+")))),
        ("nested loops", text(&nest("for any i in (1..2) : (", "$a", ")", 500))),
        ("a loop without end", text("for all i in (0..9223372036854775806) : ($a or i >= 0)")),
        ("alternatives", regex(&list(100_000, |number| format!("w{number}"), "|"))),
        ("nested groups", regex(&nest("(", "a", ")", 20_000))),
        ("nested alternatives", regex(&nest("(a|", "b", ")", 200))),
        ("nested repetitions", regex("(((abcd){1000}){1000}){1000}")),
        ("nested bounded repetitions", regex("abcd([a-z]{0,32767}){0,32767}x")),
        ("deep repetitions", regex(&nest("(", "ab?", "){1,10}", 8))),
        ("long repetitions", strings(1000, |number| format!("$a{number} = /abcd[a-z]{{1,900}}x{number}/"))),
        ("classes", regex(&"[a-z]".repeat(100_000))),
        ("nested hexadecimal alternatives", hex(&nest("( 41 |", "42", ")", 200))),
        ("deep hexadecimal groups", hex(&nest("(", "41", ")", 20_000))),
        ("a jump over everything", hex("41 42 43 44 [0-4294967295] 45 46 47 48")),
        ("jumps", hex(&format!("41 42 43 44 {} 46 47 48", "[1-200] 45 ".repeat(5000)))),
        (
            "hexadecimal alternatives",
            hex(&format!("41 ( {} ) 42", list(50_000, |number| format!("{number:08x}"), "|"))),
        ),
        ("a long hexadecimal string", hex(&"41 ".repeat(500_000))),
        ("any bytes", hex(&"?? ".repeat(500_000))),
        ("a long text", rule(&format!("$a = \"{}\"", "x".repeat(3_000_000)), "$a")),
        ("a long text with xor", rule(&format!("$a = \"{}\" xor wide ascii", "x".repeat(500_000)), "$a")),
        ("strings", strings(100_000, |number| format!("$a{number} = \"string number {number}\""))),
        ("strings with xor", strings(3000, |number| format!("$a{number} = \"string number {number}\" xor wide ascii"))),
        (
            "strings in base64",
            strings(9000, |number| format!("$a{number} = \"string number {number}\" base64 base64wide")),
        ),
        ("a long name", format!("rule {} {{ condition: true }}", "a".repeat(3_000_000))),
        ("tags", format!("rule a : {} {{ condition: true }}", list(200_000, |number| format!("t{number}"), " "))),
        (
            "metadata",
            format!(
                "rule a {{ meta: {} condition: true }}",
                list(100_000, |number| format!("m{number} = {number}"), "\n")
            ),
        ),
        ("imports", format!("{}rule a {{ condition: true }}", "import \"pe\"\n".repeat(20_000))),
        ("includes of itself", format!("{}rule a {{ condition: true }}", "include \"0000.yar\"\n".repeat(1000))),
        ("rules", list(30_000, |number| format!("rule a{number} {{ condition: true }}"), "\n")),
        (
            "a chain of rules",
            format!(
                "rule a {{ condition: true }}\n{}",
                list(
                    20_000,
                    |number| match number {
                        0 => "rule a0 { condition: a }".to_owned(),
                        _ => format!("rule a{number} {{ condition: a{} }}", number - 1),
                    },
                    "\n"
                )
            ),
        ),
        ("open comments", "/*".repeat(1_000_000)),
        ("an open text", format!("rule a {{ strings: $a = \"{}", "\\".repeat(1_000_001))),
        ("a long number", text(&format!("{} > 1", "9".repeat(1_000_000)))),
        ("fields", format!("import \"pe\" {}", text(&format!("pe{}", ".x".repeat(200_000))))),
        ("subscripts", format!("import \"pe\" {}", text(&format!("pe.sections{}", "[0]".repeat(100_000))))),
        ("nested calls", format!("import \"math\" {}", text(&format!("{} > 0", nest("math.abs(", "1", ")", 50_000))))),
        (
            "arguments",
            format!("import \"math\" {}", text(&format!("math.max({}) > 0", list(200_000, |_| "1".to_owned(), ",")))),
        ),
    ]
}
