//! The first 512 bytes of a container, and the signature in them.
//!
//! `ClamAV-VDB:time:version:signatures:level:md5:signature:builder:seconds`, padded with spaces. The MD5 is that of all
//! bytes after the header; the signature is an RSA signature without padding of the MD5 itself.

use std::io::{self, Read};

use md5::{Digest, Md5};

use super::rsa;
use crate::number;

/// The length of the header.
const LENGTH: usize = 512;

/// What the header begins with.
const MAGIC: &str = "ClamAV-VDB";

/// The header of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// All fields, of which [`Header::agrees`] compares those that an `.info` repeats.
    fields: Vec<String>,
    /// The version.
    pub(crate) version: u32,
    /// The functionality level of the engines that it was made for.
    pub(crate) level: u64,
    /// When it was made, in seconds since 1970.
    pub(crate) time: u64,
}

impl Header {
    /// Reads 512 bytes.
    ///
    /// # Errors
    /// When they are no header.
    pub(crate) fn read(reader: &mut dyn Read) -> io::Result<Header> {
        let mut bytes = [0; LENGTH];
        reader.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => broken("shorter than a container's header"),
            _ => error,
        })?;
        let text = str::from_utf8(&bytes).map_err(|_| broken("its header is not text"))?;
        Header::parse(text.trim_end_matches(' '))
    }

    /// Reads the text of a header, without its padding.
    ///
    /// # Errors
    /// When it is no header.
    pub(crate) fn parse(text: &str) -> io::Result<Header> {
        let fields: Vec<String> = text.split(':').map(str::to_owned).collect();
        let [magic, _, version, count, level, _, _, _, time] = fields.as_slice() else {
            return Err(broken("its header does not have nine fields"));
        };
        if magic != MAGIC {
            return Err(broken("its header does not begin with ClamAV-VDB"));
        }
        let number = |text: &str| text.parse::<u64>().map_err(|_| broken("a number in its header is none"));
        number(count)?;
        let version = u32::try_from(number(version)?).map_err(|_| broken("its version is too large"))?;
        Ok(Header { version, level: number(level)?, time: number(time)?, fields })
    }

    /// Checks the MD5 of what follows the header, and its signature.
    ///
    /// # Errors
    /// When one of them does not fit, or reading fails.
    pub(crate) fn verify(&self, mut rest: impl Read) -> io::Result<()> {
        let field = |at: usize| self.fields.get(at).map_or("", String::as_str);
        let expected = number::hex(field(5)).map_err(|_| broken("the MD5 in its header is none"))?;
        let mut digest = Md5::new();
        io::copy(&mut rest, &mut Digesting(&mut digest))?;
        let found: [u8; 16] = digest.finalize().into();
        if found.as_slice() != expected || field(5).bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(broken("the MD5 in its header does not fit its content"));
        }
        if !rsa::header_fits(&found, field(6)) {
            return Err(broken("its digital signature does not verify"));
        }
        Ok(())
    }

    /// True if another header says the same, but for the MD5 and its signature, which an `.info` does not repeat.
    pub(crate) fn agrees(&self, other: &Header) -> bool {
        let compared = |header: &Header| {
            let fields = header.fields.iter().enumerate().filter(|(at, _)| !matches!(at, 5 | 6));
            fields.map(|(_, field)| field.clone()).collect::<Vec<_>>()
        };
        compared(self) == compared(other)
    }
}

struct Digesting<'d>(&'d mut Md5);

impl io::Write for Digesting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that are not what they must be.
pub(super) fn broken(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}
