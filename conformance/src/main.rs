//! Asks Debian's ClamAV and Dachs the same questions, and attacks the promises that Dachs makes.
//!
//! ```text
//! cargo conformance peers [--seeds N] [--first N]     random signatures and files: do both find the same names?
//! cargo conformance views [--seeds N] [--first N]     words in texts, pages, scripts, mails, documents, macros: the same names?
//! cargo conformance loads                             odd and broken signatures: do both take, or refuse, the same?
//! cargo conformance rejections [--count N] [--seed N] malformed lines, listed and generated: refused by both, with file, line and reason?
//! cargo conformance explain [FOLDER...]              every signature in words: do they say what its line says?
//! cargo conformance counts [FOLDER...]                real databases: do both load as many signatures?
//! cargo conformance regressions                       small cases kept from there: the same names again?
//! cargo conformance producers [--only KIND]           samples of every kind by public programs: EICAR at the right path?
//! cargo conformance archives [FOLDER...]              archives of other projects: all members that bsdtar and 7z see?
//! cargo conformance documents [FOLDER...]             real documents and mails: all streams and files that oletools, qpdf, ripmime and others see?
//! cargo conformance bombs                             archives made to exhaust: bounded time and memory, never clean
//! cargo conformance mutations [--count N] [--seed N]  broken archives: no crash, no payload called clean
//! cargo conformance sparse [--size 100G]              a signature at the end of a huge file
//! cargo conformance machine [PATH...]                 real files and real signatures: no detection, bounded memory
//! cargo conformance clamd                             questions to clamd and to dachsd: the same answers?
//! cargo conformance keys                              keys of clamd.conf: do clamd and dachsd find the same under each?
//! cargo conformance service [--seconds N] [--clients N] [--reloads N] [--kills N]
//!                                                     many clients, reloads, killed workers: no wrong answer, flat memory
//! cargo conformance conversations [--count N]         clients that send nonsense: the service lives
//! cargo conformance race [--seconds N] [--rounds N]   speed and memory beside clamd
//! cargo conformance restart [--rounds N]              killed, and ready again, beside clamd's start
//! cargo conformance phishing                          links in mails: the same judgement under the same options?
//! cargo conformance real [FOLDER...] [--packages]     real files: do both find the same, also with signatures drawn from them?
//! cargo conformance yara [--files N] [--keep FOLDER]  YARA rules, files of /usr and files made to match: does yara hit the same?
//! cargo conformance malformed [--count N] [--seed N]  broken YARA rules: each taken or told of, bounded time and memory
//! ```
//!
//! Everything is asked through the executables, so nothing of ours is linked here, but for the traits that the engine YARA-X
//! stands behind (feature `yara-x`). `DACHS` names the executable;
//! without it, the release is built. Questions are random but deterministic: a seed gives the same ones everywhere.
//! Exit code 0: all promises hold; 1: one does not; 2: asked wrongly; a question whose peer is not installed is skipped
//! with a line on standard error.
#![forbid(unsafe_code)]

mod archives;
mod bombs;
mod carrier;
mod clamav;
mod clamd;
mod container;
mod counts;
mod dachs;
mod daemon;
mod executable;
mod explain;
mod expression;
mod keys;
mod load;
mod loads;
mod machine;
mod malformed;
mod memory;
mod mutations;
mod peers;
mod phishing;
mod producers;
mod race;
mod random;
mod real;
mod regressions;
mod rejections;
mod rules;
mod scratch;
mod signature;
mod sparse;
mod special;
mod views;
mod yara;

use std::process::ExitCode;

/// What a question came to: how many promises were broken.
type Broken = Result<usize, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else { return usage() };
    let options = Options { rest: rest.to_vec() };
    let broken = match name.as_str() {
        "archives" => archives::run(&archives::ARCHIVES, &options),
        "documents" => archives::run(&archives::DOCUMENTS, &options),
        "bombs" => bombs::run(),
        "clamd" => clamd::run(),
        "conversations" => load::nonsense(&options),
        "counts" => counts::run(&options),
        "keys" => keys::run(),
        "explain" => explain::run(&options),
        "loads" => loads::run(),
        "machine" => machine::run(&options),
        "malformed" => malformed::run(&options),
        "mutations" => mutations::run(&options),
        "peers" => peers::run(&options),
        "phishing" => phishing::run(),
        "producers" => producers::run(&options),
        "race" => race::run(&options),
        "restart" => race::restart(&options),
        "service" => load::run(&options),
        "regressions" => regressions::run(),
        "rejections" => rejections::run(&options),
        "real" => real::run(&options),
        "sparse" => sparse::run(&options),
        "views" => views::run(&options),
        "yara" => yara::run(&options),
        _ => return usage(),
    };
    match broken {
        Ok(0) => ExitCode::SUCCESS,
        Ok(count) => {
            println!("{name}: {count} promises broken");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::from(2)
        }
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: cargo conformance producers|archives|documents|peers|views|regressions|loads|rejections|explain|counts|bombs|mutations|sparse|machine|phishing|real|clamd|keys|service|conversations\
         |race|restart|yara|malformed [OPTIONS]"
    );
    ExitCode::from(2)
}

/// The options after the question's name.
struct Options {
    rest: Vec<String>,
}

impl Options {
    /// The number after an option.
    fn number(&self, name: &str, default: u64) -> Result<u64, String> {
        let Some(at) = self.rest.iter().position(|option| option == name) else { return Ok(default) };
        let text = self.rest.get(at + 1).ok_or(format!("{name} needs a number"))?;
        quantity(text).ok_or(format!("{name} {text}: not a number"))
    }

    /// The text after an option.
    fn text(&self, name: &str) -> Option<&str> {
        let at = self.rest.iter().position(|option| option == name)?;
        self.rest.get(at + 1).map(String::as_str)
    }

    /// Was this option given?
    fn has(&self, name: &str) -> bool {
        self.rest.iter().any(|option| option == name)
    }

    /// The arguments that are no options.
    fn paths(&self) -> Vec<String> {
        let is_path = |text: &str| text.starts_with('/') || text.starts_with('.');
        let values = self.rest.iter().skip(1).zip(&self.rest).filter(|(_, before)| *before == "--keep");
        let values: Vec<&String> = values.map(|(value, _)| value).collect();
        self.rest.iter().filter(|option| is_path(option) && !values.contains(option)).cloned().collect()
    }
}

/// A number with an optional K, M, G or T.
fn quantity(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(['K', 'M', 'G', 'T']);
    let shift = match text.get(digits.len()..)? {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_shl(shift)
}
