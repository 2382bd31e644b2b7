//! Links in mails: the same judgement as ClamAV's, with its lists, under its options?
//!
//! Mails are put together from where a link leads and what it shows: hosts that are listed, below them, beside them; allowed
//! pairs; addresses of numbers, with users and ports, with escapes and control characters; markup and references in what is
//! shown. Both sides are asked under the name clamscan. Where ClamAV is silent and Dachs is not, a way of writing hid the
//! link from ClamAV: that is counted, and no difference; docs/clamav-differences.md names these ways.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::dachs::Dachs;
use crate::scratch::Scratch;
use crate::{Broken, clamav};

/// Listed: hosts, pairs, allowed pairs; digests of `blocked.example/`, `malware.example/a/b.html?c=d`, `phish.example/x/`, the
/// allowed `blocked.example/fine/`, which changes nothing, the allowed `fine.example/`, and the beginning of one.
const LISTS: [(&str, &str); 3] = [
    ("t.pdb", "H:paypal.com\nH:www.bank.example\nR:.+\\.ebay\\.com([/?].*)?:.+\\.ebay\\.com([/?].*)?\nH:10.20.30.40\n"),
    ("t.wdb", "M:good.example:www.bank.example\nX:.+\\.allowed\\.example([/?].*)?:.+paypal\\.com([/?].*)?\n"),
    (
        "t.gdb",
        "S1:F:d2ef0a8506d7f358357d88b05061ca74e96ad5746ce3b2b3b611ac2a7de418d2\n\
         S:F:1255a16909bb652ae9f7bf2f350cc41fff9aa79dcdd9525e09d34b0d202d95e9\n\
         S2:F:837f43108885d6b90d8f253aa97ab0dec442deb93bf5b5994d299683c5fc33b4\n\
         S1:W:0e1753ea8517f9dc69758ed3dcdcd7ac0da8def495fc5bf8ecd35c4891184762\n\
         S:F:ed1dfdd1c53ac8a5bdaa4dff658278593d15018793a28051317e1c8177818e18\n\
         S:W:ed1dfdd1c53ac8a5bdaa4dff658278593d15018793a28051317e1c8177818e18\n\
         S:P:db0c550e\n",
    ),
];
const REAL: [&str; 56] = [
    "http://evil.example/",
    "https://evil.example/",
    "http://www.paypal.com/",
    "http://paypal.com.evil.example/",
    "http://1.2.3.4/",
    "http://0x01020304/",
    "http://16909060/",
    "http://user@evil.example/",
    "http://www.paypal.com@evil.example/",
    "http://evil.example:8080/x",
    "http://good.example/",
    "http://x.allowed.example/",
    "http://evil%00.example/",
    "http://evil.example/%01",
    "http://ev%69l.example/",
    "http://EVIL.example/",
    "mailto:a@evil.example",
    "ftp://evil.example/",
    "evil.example",
    "//evil.example/",
    "http://www.ebay.com/",
    "http://x.ebay.com.evil.example/",
    "javascript:x()",
    "http://paypal.com%2eevil.example/",
    "http://www.evil.example./",
    "http://evil\u{1}.example/",
    "http://10.20.30.41/",
    "http://01.02.03.04/",
    "http://&#101;vil.example/",
    "http://evil%01.example/",
    "http://evil.example%00/",
    "http://evil%0a.example/",
    "http://evil%7f.example/",
    "http://user%00@evil.example/",
    "http://ev%2500il.example/",
    "http://evil.example#%01",
    "https://evil%00.example",
    "http://www.paypal.com%00.evil.example/",
    "http://www.paypal.com%01/",
    "http://ev il.example/",
    "http://blocked.example/",
    "http://www.blocked.example:80/a/b",
    "http://a.b.c.d.e.f.blocked.example/",
    "http://user@blocked.example/",
    "http://blocked%2eexample/q",
    "http://blocked.example/fine/",
    "http://BLOCKED.example",
    "http://notblocked.example/",
    "http://fine.example/",
    "http://www.fine.example/x",
    "http://malware.example/a/b.html?c=d",
    "http://malware.example/a/b.html",
    "http://malware.example/x/../a/./b.html?c=d#f",
    "https://phish.example/x/y?z",
    "http://phish.example/x/1/2/3/4/5/6",
    "http://phish.example/x",
];
const SHOWN: [&str; 30] = [
    "http://www.paypal.com/",
    "https://www.paypal.com/",
    "www.paypal.com",
    "paypal.com",
    "PayPal",
    "click here",
    "http://www.bank.example/login",
    "https://www.bank.example",
    "<b>www.paypal.com</b>",
    "www.paypal.com is safe",
    "Visit www.paypal.com",
    "x@paypal.com",
    "http://signin.ebay.com/",
    "http://10.20.30.40/",
    "https://other.example/",
    "http://other.example/",
    "www&#46;paypal&#46;com",
    "www.pay<!-- -->pal.com",
    "www.paypal.com ",
    "\nwww.paypal.com\n",
    "http://www.paypal.com:80/",
    "http://www.paypal.com/a b",
    "www.paypal.co",
    "paypal .com",
    "http://www.PAYPAL.com",
    "&nbsp;www.paypal.com&nbsp;",
    "paypal.com.",
    "http:// www.paypal.com",
    "<img src=\"http://www.paypal.com/x.gif\">",
    "https://",
];
/// Options that change what is told.
const OPTIONS: [&[&str]; 7] = [
    &[],
    &["--alert-phishing-ssl=yes"],
    &["--alert-phishing-cloak=yes"],
    &["--alert-phishing-ssl=yes", "--alert-phishing-cloak=yes"],
    &["--phishing-scan-urls=no"],
    &["--heuristic-alerts=no"],
    &["--scan-mail=no"],
];
/// Differences that are shown.
const SHOWN_DIFFERENCES: usize = 20;

/// Asks about all pairs under all options.
pub(crate) fn run() -> Broken {
    if !clamav::is_there() {
        return Ok(0);
    }
    let dachs = Dachs::find()?;
    let scratch = Scratch::new()?;
    let (lists, mails) = (scratch.folder("lists")?, scratch.folder("mails")?);
    for (name, text) in LISTS {
        std::fs::write(lists.join(name), text).map_err(|error| error.to_string())?;
    }
    let links: Vec<(&str, &str)> =
        REAL.iter().flat_map(|real| SHOWN.iter().map(move |shown| (*real, *shown))).collect();
    for (number, (real, shown)) in links.iter().enumerate() {
        std::fs::write(mails.join(format!("{number:05}")), mail(real, shown)).map_err(|error| error.to_string())?;
    }
    let mut broken = 0;
    for options in OPTIONS {
        let theirs = ask(Command::new("clamscan"), &lists, &mails, options)?;
        let mut command = Command::new(dachs.program());
        command.args(["clamscan", "--incomplete=ok"]);
        let ours = ask(command, &lists, &mails, options)?;
        broken += tell(options, &links, &theirs, &ours);
    }
    Ok(broken)
}

fn mail(real: &str, shown: &str) -> String {
    format!(
        "From: a@b.example\nTo: c@d.example\nSubject: x\nMIME-Version: 1.0\nContent-Type: text/html\n\n\
         <html><body><a href=\"{real}\">{shown}</a></body></html>\n"
    )
}

/// Names by the number of the mail.
type Answers = BTreeMap<usize, BTreeSet<String>>;

fn ask(mut command: Command, lists: &Path, mails: &Path, options: &[&str]) -> Result<Answers, String> {
    command.args(["--no-summary", "-r", "-d"]).arg(lists).args(options).arg(mails);
    let output = command.output().map_err(|error| error.to_string())?;
    if !matches!(output.status.code(), Some(0 | 1)) {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let mut answers = Answers::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((path, name)) = line.strip_suffix(" FOUND").and_then(|line| line.rsplit_once(": ")) else { continue };
        let number = path.rsplit('/').next().and_then(|name| name.parse().ok());
        answers.entry(number.ok_or_else(|| format!("no mail of ours: {line}"))?).or_default().insert(name.to_owned());
    }
    Ok(answers)
}

fn tell(options: &[&str], links: &[(&str, &str)], theirs: &Answers, ours: &Answers) -> usize {
    let (mut agreed, mut more, mut differ) = (0, 0, 0);
    for (number, (real, shown)) in links.iter().enumerate() {
        match (theirs.get(&number), ours.get(&number)) {
            (theirs, ours) if theirs == ours => agreed += 1,
            (None, Some(_)) => more += 1,
            (theirs, ours) => {
                differ += 1;
                if differ <= SHOWN_DIFFERENCES {
                    println!("phishing: {options:?} {real:?} shows {shown:?}: theirs {theirs:?}, ours {ours:?}");
                }
            }
        }
    }
    println!(
        "phishing: {options:?}: {} mails, {} names in ClamAV's answers: {agreed} agreed, {more} found by Dachs alone, {differ} differ",
        links.len(),
        theirs.len()
    );
    differ
}
