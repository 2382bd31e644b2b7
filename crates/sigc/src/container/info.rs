//! The list of members in a container: `name.info`.
//!
//! ```text
//! ClamAV-VDB:…                the container's header again
//! name:size:sha256            a line a member
//! DSIG:signature              RSA-PSS over all bytes before this line
//! ```

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::header::{Header, broken};
use super::rsa;
use crate::kind::Form;
use crate::number;

/// Longer lists are an error; real ones have some kilobytes.
const LONGEST: u64 = 16 << 20;

/// What begins the last line.
const SIGNATURE: &str = "DSIG:";

/// The members that a container must have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Info {
    members: BTreeMap<String, Listed>,
}

/// What a member must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// How many bytes it has.
    pub(crate) size: u64,
    /// Their SHA-256.
    pub(crate) digest: [u8; 32],
}

impl Info {
    /// Reads the text, which is bounded.
    ///
    /// # Errors
    /// When reading fails or it is too long.
    pub(crate) fn text(reader: &mut dyn Read) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        reader.take(LONGEST).read_to_end(&mut text)?;
        if u64::try_from(text.len()).is_ok_and(|length| length < LONGEST) {
            return Ok(text);
        }
        Err(broken("its .info is too long"))
    }

    /// Reads the list and verifies it as its form asks for.
    ///
    /// # Errors
    /// When it is malformed, does not fit the header, or its signature does not verify.
    pub(crate) fn parse(text: &[u8], header: &Header, form: Form) -> io::Result<Info> {
        let text = str::from_utf8(text).map_err(|_| broken("its .info is not text"))?;
        let (listed, signature) = match text.rfind(SIGNATURE) {
            Some(at) => text.split_at_checked(at).unwrap_or((text, "")),
            None => (text, ""),
        };
        if form != Form::Cud {
            let digits = signature.strip_prefix(SIGNATURE).unwrap_or("").trim_end_matches(['\r', '\n']);
            if !listed.ends_with('\n') || !rsa::info_fits(listed.as_bytes(), digits) {
                return Err(broken("the digital signature of its .info does not verify"));
            }
        }
        let mut lines = listed.lines();
        let repeated = Header::parse(lines.next().unwrap_or("").trim_end())?;
        if !header.agrees(&repeated) {
            return Err(broken("its header and its .info differ"));
        }
        let members = lines.map(member).collect::<io::Result<_>>()?;
        Ok(Info { members })
    }

    /// What a member must be; each member is there once.
    pub(crate) fn take(&mut self, name: &str) -> Option<Listed> {
        self.members.remove(name)
    }

    /// A member that was not taken.
    pub(crate) fn missing(&self) -> Option<&str> {
        self.members.keys().next().map(String::as_str)
    }
}

fn member(line: &str) -> io::Result<(String, Listed)> {
    let mut fields = line.split(':');
    let (Some(name), Some(size), Some(digest), None) = (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(broken("a line of its .info is malformed"));
    };
    let size = size.parse().map_err(|_| broken("a size in its .info is none"))?;
    let digest = number::hex(digest).ok().and_then(|digest| digest.try_into().ok());
    let digest = digest.ok_or_else(|| broken("a digest in its .info is none"))?;
    Ok((name.to_owned(), Listed { size, digest }))
}
