//! The jail is data with reasons: each line of a list of system calls says why the call is needed.
//!
//! A line is a call, optional conditions, a `#`, and the reason. Lines that start with `#` and blank lines are free.

use super::Finding;

/// Lines without a reason, and calls listed twice.
pub(crate) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (rule, reason) = line.split_once('#').unwrap_or((line, ""));
        if reason.trim().len() < 8 {
            findings.push(Finding::new(path, at, format!("`{}` is allowed without a reason", rule.trim())));
        }
        if seen.contains(&rule.trim()) {
            findings.push(Finding::new(path, at, format!("`{}` is listed twice", rule.trim())));
        }
        seen.push(rule.trim());
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_needs_a_reason() {
        assert_eq!(check("a.txt", "# calls\n\npread64  # reads the object\nexit # ends the worker\n"), []);
        let bad = check("a.txt", "pread64\nexit #\nread # reads requests\nread # reads requests\n");
        let lines: Vec<usize> = bad.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [1, 2, 4]);
    }
}
