//! The lists of system calls: text files, one rule a line, with a reason each.
//!
//! ```text
//! NAME  [CONDITION, ...]  # REASON          CONDITION:  argN == VALUE  |  argN & MASK == VALUE
//! ```
//!
//! The texts are part of the executable and read when the jail closes; a mistake in them is found by the tests, and
//! makes the zygote refuse to scan.

use std::fmt;

/// The rules of a worker.
pub const WORKER: &str = include_str!("worker.txt");
/// What builds with debug assertions need in both: empty in a release.
pub const DEBUG: &str = if cfg!(debug_assertions) { include_str!("debug.txt") } else { "" };
/// The rules that the zygote has besides those of a worker.
pub const ZYGOTE: &str = include_str!("zygote.txt");

/// One system call that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The call's name, as in its manual page.
    pub name: String,
    /// The call's number on this machine.
    pub number: i64,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// What it is needed for.
    pub reason: String,
}

impl Rule {
    /// False if the reason says that no test can show that the rule is needed.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        !self.reason.starts_with("unproven:")
    }
}

/// What one argument must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which argument, from 0.
    pub argument: u8,
    /// The bits that are looked at.
    pub mask: u64,
    /// What they must be.
    pub value: u64,
}

/// A line that is no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    line: usize,
    what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "list of system calls, line {}: {}", self.line, self.what)
    }
}

/// Reads a list.
///
/// # Errors
/// The first line that is no rule.
pub fn parse(text: &str) -> Result<Vec<Rule>, Mistake> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|(at, line)| rule(line).map_err(|what| Mistake { line: at + 1, what })).collect()
}

fn rule(line: &str) -> Result<Rule, String> {
    let (head, reason) = line.split_once('#').ok_or("no reason")?;
    let head = head.trim();
    let (name, conditions) = head.split_once(char::is_whitespace).unwrap_or((head, ""));
    let number = number(name).ok_or_else(|| format!("no such system call: {name}"))?;
    let conditions = conditions.split(',').map(str::trim).filter(|text| !text.is_empty());
    let conditions = conditions.map(condition).collect::<Result<_, _>>()?;
    Ok(Rule { name: name.to_owned(), number, conditions, reason: reason.trim().to_owned() })
}

fn condition(text: &str) -> Result<Condition, String> {
    let wrong = || format!("not a condition: {text}");
    let (left, value) = text.split_once("==").ok_or_else(wrong)?;
    let (argument, mask) = match left.split_once('&') {
        Some((argument, mask)) => (argument, constant(mask)?),
        None => (left, u64::MAX),
    };
    let argument = argument.trim().strip_prefix("arg").and_then(|digit| digit.parse().ok());
    let argument = argument.filter(|argument| *argument < 6).ok_or_else(wrong)?;
    Ok(Condition { argument, mask, value: constant(value)? })
}

/// A number, a name, or several joined by `|`.
fn constant(text: &str) -> Result<u64, String> {
    text.split('|').map(str::trim).try_fold(0, |sum, word| Ok(sum | named(word)?))
}

fn named(word: &str) -> Result<u64, String> {
    let value = match word {
        "CLONE_PIDFD" => libc::CLONE_PIDFD,
        "F_GETFD" => libc::F_GETFD,
        "MADV_POPULATE_WRITE" => libc::MADV_POPULATE_WRITE,
        "MAP_ANONYMOUS" => libc::MAP_ANONYMOUS,
        "PROT_EXEC" => libc::PROT_EXEC,
        "PR_SET_NO_NEW_PRIVS" => libc::PR_SET_NO_NEW_PRIVS,
        "PR_SET_PDEATHSIG" => libc::PR_SET_PDEATHSIG,
        "SEEK_DATA" => libc::SEEK_DATA,
        "SIGCHLD" => libc::SIGCHLD,
        "SOCKET" => super::SOCKET,
        "P_PID" => 1,
        "SECCOMP_SET_MODE_FILTER" => 1,
        _ => word.parse().map_err(|_| format!("no such constant: {word}"))?,
    };
    u64::try_from(value).map_err(|_| format!("below zero: {word}"))
}

macro_rules! numbers {
    ($($name:ident $number:ident,)*) => {
        fn number(name: &str) -> Option<i64> {
            match name { $(stringify!($name) => Some(i64::from(libc::$number)),)* _ => None }
        }
    };
}

numbers! {
    brk SYS_brk,
    clock_gettime SYS_clock_gettime,
    clone SYS_clone,
    close SYS_close,
    close_range SYS_close_range,
    dup3 SYS_dup3,
    exit_group SYS_exit_group,
    fcntl SYS_fcntl,
    lseek SYS_lseek,
    madvise SYS_madvise,
    mmap SYS_mmap,
    mremap SYS_mremap,
    munmap SYS_munmap,
    prctl SYS_prctl,
    pread64 SYS_pread64,
    prlimit64 SYS_prlimit64,
    recvmsg SYS_recvmsg,
    seccomp SYS_seccomp,
    sendmsg SYS_sendmsg,
    waitid SYS_waitid,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_right() {
        assert_eq!(parse(WORKER).unwrap().len(), 11);
        assert_eq!(parse(include_str!("debug.txt")).unwrap().len(), 1);
        assert_eq!(parse(ZYGOTE).unwrap().len(), 9);
    }

    #[test]
    fn a_worker_has_no_call_that_reaches_out() {
        let out =
            ["open", "socket", "connect", "clone", "exec", "kill", "write", "ioctl", "prctl", "mprotect", "fcntl"];
        for rule in parse(WORKER).unwrap() {
            assert!(out.iter().all(|bad| !rule.name.contains(bad)), "{}", rule.name);
        }
    }

    #[test]
    fn rules_are_read() {
        let rules = parse("close # why\n\n# no rule\nmmap arg2 & PROT_EXEC == 0, arg3 == 2|32 # why not\n").unwrap();
        assert_eq!(rules[0].conditions, []);
        let exec = Condition { argument: 2, mask: 4, value: 0 };
        assert_eq!(rules[1].conditions, [exec, Condition { argument: 3, mask: u64::MAX, value: 34 }]);
        assert_eq!(rules[1].reason, "why not");
    }

    #[test]
    fn mistakes_are_told() {
        for (text, what) in [
            ("close", "no reason"),
            ("nothing # x", "no such system call: nothing"),
            ("close arg6 == 1 # x", "not a condition: arg6 == 1"),
            ("close arg0 = 1 # x", "not a condition: arg0 = 1"),
            ("close arg0 == NO # x", "no such constant: NO"),
        ] {
            assert_eq!(parse(text), Err(Mistake { line: 1, what: what.to_owned() }), "{text}");
        }
    }
}
