//! What a server answers.
//!
//! ```text
//! 1: stream: Eicar-Signature FOUND\0
//! │  │       └ what came out
//! │  └ a path, `stream`, or `fd[12]`
//! └ only in a conversation
//! ```

use crate::command::Framing;

/// Answers that are whole.
pub mod text {
    /// To `PING`.
    pub const PONG: &[u8] = b"PONG";
    /// To `RELOAD`.
    pub const RELOADING: &[u8] = b"RELOADING";
    /// To what is no command.
    pub const UNKNOWN: &[u8] = b"UNKNOWN COMMAND";
    /// To a command that is not for this client.
    pub const UNAVAILABLE: &[u8] = b"COMMAND UNAVAILABLE";
    /// To a client that is too slow.
    pub const TIMED_OUT: &[u8] = b"COMMAND READ TIMED OUT";
    /// To a command that a conversation does not take.
    pub const NOT_IN_SESSION: &[u8] = b"Command invalid inside IDSESSION. ERROR";
    /// To the old framing in a conversation.
    pub const OLD_IN_SESSION: &[u8] = b"Only nCMDS\\n and zCMDS\\0 are accepted inside IDSESSION. ERROR";
    /// To `FILDES` without a descriptor.
    pub const NO_DESCRIPTOR: &[u8] = b"No file descriptor received. ERROR";
    /// To a descriptor that came with `FILDES` itself.
    pub const EARLY_DESCRIPTOR: &[u8] = b"PROTOCOL ERROR: ancillary data sent without FILDES. ERROR";
    /// What follows it.
    pub const NOT_PROCESSED: &[u8] = b"Error processing command. ERROR";
    /// To a stream that is too long.
    pub const STREAM_TOO_LONG: &[u8] = b"INSTREAM size limit exceeded. ERROR";
    /// To a stream for which there is no room.
    pub const NO_ROOM: &[u8] = b"Error writing to temporary file ERROR";
    /// To `ALLMATCHSCAN`, if it is switched off.
    pub const NO_ALL_MATCHES: &[u8] = b"ALLMATCHSCAN command disabled by clamd configuration. ERROR";
    /// What `VERSIONCOMMANDS` adds to the version.
    pub const COMMANDS: &str = "| COMMANDS: SCAN QUIT RELOAD PING CONTSCAN VERSIONCOMMANDS VERSION END SHUTDOWN \
        MULTISCAN FILDES STATS IDSESSION INSTREAM DETSTATSCLEAR DETSTATS ALLMATCHSCAN";
}

/// One reply, ready to be sent.
#[must_use]
pub fn render(id: Option<u64>, framing: Framing, text: &[u8]) -> Vec<u8> {
    let mut bytes = id.map_or_else(Vec::new, |id| format!("{id}: ").into_bytes());
    bytes.extend_from_slice(text);
    bytes.push(framing.end());
    bytes
}

/// What came out of one object: `PATH: WHAT`. A path that holds the byte that ends a reply would forge the next one:
/// that byte is written as `\x0a`.
#[must_use]
pub fn line(framing: Framing, path: &[u8], what: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(path.len() + what.len() + 2);
    for byte in path {
        match *byte {
            byte if byte == framing.end() => bytes.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            byte => bytes.push(byte),
        }
    }
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(what.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_cannot_be_forged_by_names() {
        assert_eq!(line(Framing::Newline, b"/a\n/b: OK", "X FOUND"), b"/a\\x0a/b: OK: X FOUND");
        assert_eq!(line(Framing::Zero, b"/a\nb\xff", "OK"), b"/a\nb\xff: OK");
        assert_eq!(render(Some(3), Framing::Zero, b"PONG"), b"3: PONG\0");
        assert_eq!(render(None, Framing::Old, b"PONG"), b"PONG\n");
    }
}
