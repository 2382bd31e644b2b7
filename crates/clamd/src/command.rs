//! One command, without its framing.

/// How a command was framed, and so how its reply ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Framing {
    /// `nCOMMAND\n`: replies end with a line break.
    Newline,
    /// `COMMAND`, a line break or not: one command a connection; replies end with a line break.
    #[default]
    Old,
    /// `zCOMMAND\0`: replies end with a zero byte.
    Zero,
}

impl Framing {
    /// The byte that ends a reply.
    #[must_use]
    pub fn end(self) -> u8 {
        if self == Framing::Zero { 0 } else { b'\n' }
    }
}

/// How a path is scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `ALLMATCHSCAN`: all names of each file.
    AllMatches,
    /// `CONTSCAN`: goes on after something was found.
    Continue,
    /// `SCAN`: ends at the first file in which something is found.
    First,
    /// `MULTISCAN`: as `CONTSCAN`, several files at once.
    Parallel,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `DETSTATS` and `DETSTATSCLEAR`: nothing is answered.
    DetectionStats,
    /// `END` of a conversation.
    End,
    /// `FILDES`: scan the descriptor that comes with the next byte.
    FileDescriptor,
    /// `INSTREAM`: scan what follows.
    InStream,
    /// `PING`.
    Ping,
    /// `RELOAD`.
    Reload,
    /// Scan a path.
    Scan(Mode, Vec<u8>),
    /// `IDSESSION`.
    Conversation,
    /// `SHUTDOWN` and `QUIT`.
    Shutdown,
    /// `STATS`.
    Stats,
    /// Anything else.
    Unknown,
    /// `VERSION`.
    Version,
    /// `VERSIONCOMMANDS`.
    VersionCommands,
}

/// Commands without an argument.
const WORDS: [(&[u8], Command); 13] = [
    (b"PING", Command::Ping),
    (b"VERSION", Command::Version),
    (b"VERSIONCOMMANDS", Command::VersionCommands),
    (b"RELOAD", Command::Reload),
    (b"SHUTDOWN", Command::Shutdown),
    (b"QUIT", Command::Shutdown),
    (b"STATS", Command::Stats),
    (b"IDSESSION", Command::Conversation),
    (b"END", Command::End),
    (b"INSTREAM", Command::InStream),
    (b"FILDES", Command::FileDescriptor),
    (b"DETSTATS", Command::DetectionStats),
    (b"DETSTATSCLEAR", Command::DetectionStats),
];

/// Commands with a path, which begins after one byte of any value.
const SCANS: [(&[u8], Mode); 4] = [
    (b"SCAN", Mode::First),
    (b"CONTSCAN", Mode::Continue),
    (b"MULTISCAN", Mode::Parallel),
    (b"ALLMATCHSCAN", Mode::AllMatches),
];

impl Command {
    /// Reads a command without its framing.
    #[must_use]
    pub fn parse(text: &[u8]) -> Command {
        if let Some((_, command)) = WORDS.iter().find(|(word, _)| *word == text) {
            return command.clone();
        }
        let scan = SCANS.iter().find_map(|(word, mode)| match text.strip_prefix(*word)? {
            [_, path @ ..] => Some(Command::Scan(*mode, path.to_vec())),
            [] => None,
        });
        scan.unwrap_or(Command::Unknown)
    }

    /// True if the old framing knows it.
    #[must_use]
    pub fn is_old(&self) -> bool {
        !matches!(
            self,
            Command::End
                | Command::InStream
                | Command::Conversation
                | Command::Stats
                | Command::VersionCommands
                | Command::Scan(Mode::AllMatches, _)
        )
    }

    /// True if a conversation takes it.
    #[must_use]
    pub fn is_for_conversations(&self) -> bool {
        use Command::{End, FileDescriptor, InStream, Ping, Stats, Version, VersionCommands};
        match self {
            End | FileDescriptor | InStream | Ping | Stats | Version | VersionCommands => true,
            Command::Scan(mode, _) => *mode == Mode::First,
            _ => false,
        }
    }

    /// The word of it, for a person; without its argument.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Command::DetectionStats => "DETSTATS",
            Command::End => "END",
            Command::FileDescriptor => "FILDES",
            Command::InStream => "INSTREAM",
            Command::Ping => "PING",
            Command::Reload => "RELOAD",
            Command::Scan(Mode::AllMatches, _) => "ALLMATCHSCAN",
            Command::Scan(Mode::Continue, _) => "CONTSCAN",
            Command::Scan(Mode::First, _) => "SCAN",
            Command::Scan(Mode::Parallel, _) => "MULTISCAN",
            Command::Conversation => "IDSESSION",
            Command::Shutdown => "SHUTDOWN",
            Command::Stats => "STATS",
            Command::Unknown => "UNKNOWN",
            Command::Version => "VERSION",
            Command::VersionCommands => "VERSIONCOMMANDS",
        }
    }
}

/// True if bytes of the old framing, which came without a line break, may be the beginning of a command's word.
pub(crate) fn may_go_on(text: &[u8]) -> bool {
    let words = WORDS.iter().filter(|(_, command)| command.is_old()).map(|(word, _)| *word);
    let scans = SCANS.iter().map(|(word, _)| *word);
    let is_whole = WORDS.iter().any(|(word, _)| *word == text) || SCANS.iter().any(|(word, _)| *word == text);
    !is_whole && words.chain(scans).any(|word| word.starts_with(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_exact_and_paths_are_anything() {
        let scan = |mode, path: &[u8]| Command::Scan(mode, path.to_vec());
        let table: [(&[u8], Command); 16] = [
            (b"PING", Command::Ping),
            (b"PINGx", Command::Unknown),
            (b"PING ", Command::Unknown),
            (b" PING", Command::Unknown),
            (b"ping", Command::Unknown),
            (b"", Command::Unknown),
            (b"QUIT", Command::Shutdown),
            (b"DETSTATSCLEAR", Command::DetectionStats),
            (b"SCAN", Command::Unknown),
            (b"SCAN ", scan(Mode::First, b"")),
            (b"SCANx", scan(Mode::First, b"")),
            (b"SCAN /a b\xff", scan(Mode::First, b"/a b\xff")),
            (b"CONTSCAN /a", scan(Mode::Continue, b"/a")),
            (b"MULTISCAN /a\nb", scan(Mode::Parallel, b"/a\nb")),
            (b"ALLMATCHSCAN /a", scan(Mode::AllMatches, b"/a")),
            (b"RAWSCAN /a", Command::Unknown),
        ];
        for (text, command) in table {
            assert_eq!(Command::parse(text), command, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn beginnings_of_words_may_go_on() {
        for (text, expected) in [("P", true), ("PIN", true), ("PING", false), ("PINGX", false), ("SCAN", false)] {
            assert_eq!(may_go_on(text.as_bytes()), expected, "{text}");
        }
        assert!(may_go_on(b"") && may_go_on(b"FILD") && !may_go_on(b"\0") && !may_go_on(b"SCAN /x"));
    }
}
