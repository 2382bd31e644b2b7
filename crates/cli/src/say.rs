//! What the executable says beside its results: on standard error, one line each, after its name.

use std::io::{IsTerminal, Write, stderr};

/// Says a line: `dachs: TEXT`. Nobody hears it if standard error is closed, which changes nothing.
///
/// The text is ours; names in it must have been escaped ([`crate::escape`]) by whoever put them in.
pub(crate) fn say(text: &str) {
    let _ = writeln!(stderr().lock(), "dachs: {text}");
}

/// Writes a block of lines as it is.
pub(crate) fn write_block(text: &str) {
    let _ = stderr().lock().write_all(text.as_bytes());
}

/// True if a person is likely to see what is said at once.
pub(crate) fn is_seen() -> bool {
    stderr().is_terminal()
}
