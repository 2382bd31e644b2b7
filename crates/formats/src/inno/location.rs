//! What the second block says of each file, by version (`Shared.Struct.pas`, `TSetupFileLocationEntry`).
//!
//! ```text
//! first and last slice 8 | chunk 4 (8 since 6.5.2) | offset in the chunk's plain bytes 8 | size 8 | packed size of the chunk 8
//! checksum: MD5 16, SHA-1 20 since 5.3.9, SHA-256 32 since 6.4 | time 8 | version 8 | flags | how it is signed (6.3 to 6.4.2)
//! ```

use dachs_base::{Reader, Short};

use super::calls::Form;

/// Length of the encryption header since 6.5: checksum, use, salt, rounds, nonce, test.
pub(super) const ENCRYPTION_HEADER: u64 = 4 + 1 + 16 + 4 + 24 + 4;

/// True if the encryption header says that more than files is encrypted.
pub(super) fn hides_headers(bytes: &[u8]) -> bool {
    bytes.get(4).is_some_and(|used| *used >= 2)
}

/// The version that wrote the data, on which the layout depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    version: (u8, u8, u8),
    /// Texts are in UTF-16.
    pub(super) unicode: bool,
}

/// A file in a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) first_slice: u32,
    /// Where its chunk begins, from the start of the data, and its packed size.
    pub(super) chunk: u64,
    pub(super) chunk_size: u64,
    /// Where it begins in the plain bytes of its chunk.
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) compressed: bool,
    pub(super) encrypted: bool,
    /// How its calls were changed.
    pub(super) calls: Option<Form>,
}

impl Layout {
    /// Reads the version from `Inno Setup Setup Data (5.5.7) (u)`; none before 5.1.5.
    pub(super) fn of(text: &[u8]) -> Option<Layout> {
        let text = text.split(|byte| *byte == 0).next()?;
        let rest = text.strip_prefix(b"Inno Setup Setup Data (")?;
        let end = rest.iter().position(|byte| *byte == b')')?;
        let (version, behind) = rest.split_at_checked(end)?;
        let mut numbers = version.split(|byte| *byte == b'.').map(|number| {
            let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
            std::str::from_utf8(number.get(..digits)?).ok()?.parse::<u8>().ok()
        });
        let mut number = || numbers.next().flatten();
        let version = (number()?, number().unwrap_or(0), number().unwrap_or(0));
        let unicode = version >= (6, 3, 0) || behind.windows(3).any(|part| part.eq_ignore_ascii_case(b"(u)"));
        ((5, 1, 5)..(9, 0, 0)).contains(&version).then_some(Layout { version, unicode })
    }

    pub(super) fn has_encryption_header(self) -> bool {
        self.version >= (6, 5, 0)
    }

    /// Blocks have sizes of eight bytes.
    pub(super) fn wide_blocks(self) -> bool {
        self.version >= (6, 7, 0)
    }

    /// How many texts an entry for a file begins with, and if a digest stands behind them.
    pub(super) fn file_texts(self) -> (usize, bool) {
        match self.version {
            (5, 0..=1, _) | (5, 2, 0..=4) => (9, false),
            version if version < (6, 5, 0) => (10, false),
            _ => (16, true),
        }
    }

    fn checksum(self) -> u64 {
        match self.version {
            version if version >= (6, 4, 0) => 32,
            version if version >= (5, 3, 9) => 20,
            _ => 16,
        }
    }

    /// Flags there are.
    fn flags(self) -> Vec<Flag> {
        let older = self.version < (6, 4, 3);
        let flags = [
            (Flag::Other, true), // version information is valid
            (Flag::Other, older),
            (Flag::Other, true),  // time in UTC
            (Flag::Other, older), // the program that uninstalls
            (Flag::Calls, true),
            (Flag::Other, older), // touch
            (Flag::Encrypted, true),
            (Flag::Compressed, true),
            (Flag::Other, older && self.version >= (5, 1, 13)),
            (Flag::Other, self.version >= (5, 5, 7) && self.version < (6, 3, 0)), // sign
            (Flag::Other, self.version >= (5, 5, 7) && self.version < (6, 3, 0)),
        ];
        flags.into_iter().filter(|(_, there)| *there).map(|(flag, _)| flag).collect()
    }

    fn wide_chunks(self) -> bool {
        self.version >= (6, 5, 2)
    }

    fn has_sign_mode(self) -> bool {
        ((6, 3, 0)..(6, 4, 3)).contains(&self.version)
    }

    /// Bytes of an entry.
    pub(super) fn size(self) -> usize {
        let chunk = if self.wide_chunks() { 8 } else { 4 };
        let flags = self.flags().len().div_ceil(8);
        8 + chunk + 24 + usize::try_from(self.checksum()).unwrap_or(0) + 16 + flags + usize::from(self.has_sign_mode())
    }

    /// Reads an entry.
    pub(super) fn read(self, bytes: &[u8]) -> Result<Location, Short> {
        let mut reader = Reader::new(bytes, "list of files");
        let first_slice = reader.u32_le()?;
        reader.skip(4)?;
        let chunk = if self.wide_chunks() { reader.u64_le()? } else { u64::from(reader.u32_le()?) };
        let (offset, size, chunk_size) = (reader.u64_le()?, reader.u64_le()?, reader.u64_le()?);
        reader.skip(self.checksum() + 16)?;
        let bits = self.flags().into_iter().zip(bits(reader.rest()));
        let set: Vec<Flag> = bits.filter(|(_, set)| *set).map(|(flag, _)| flag).collect();
        let form = if self.version < (5, 3, 9) { Form::Plain } else { Form::Turned };
        Ok(Location {
            first_slice,
            chunk,
            chunk_size,
            offset,
            size,
            compressed: set.contains(&Flag::Compressed),
            encrypted: set.contains(&Flag::Encrypted),
            calls: set.contains(&Flag::Calls).then_some(form),
        })
    }
}

/// A flag that matters here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    Calls,
    Encrypted,
    Compressed,
    Other,
}

/// The bits of bytes, the lowest first.
fn bits(bytes: &[u8]) -> impl Iterator<Item = bool> {
    bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1))
}
