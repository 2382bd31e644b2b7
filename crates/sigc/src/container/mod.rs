//! ClamAV's containers: `.cvd`, `.cld` and `.cud`.
//!
//! ```text
//! 512 bytes   header: time, version, counts, MD5 of the rest, its signature, builder
//! the rest    gzip'd tar (or tar): COPYING, name.info, then the databases
//! name.info   the header again, then name:size:SHA-256 of each member, then a signature of all that
//! ```
//!
//! A `.cvd` is verified as a whole first ([`Header::verify`]); then its `.info` is read and verified ([`Info`]); then
//! the members are read one after the other, each with its digest. Members are streamed: neither the container nor a
//! member is ever in memory as a whole. A `.cld` has no signature of the whole, a `.cud` none at all. How old a
//! container is, is not judged here.

mod header;
mod info;
mod rsa;
mod sign;
mod tar;

use std::io::{self, BufRead, BufReader, Read};

use dachs_sigdb::model::SourceInfo;
use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};

pub(crate) use header::Header;
use info::Info;
pub(crate) use sign::base64;
use tar::Tar;

use crate::compile::{Compiler, Member, Trust};
use crate::kind::{self, Form, Kind};
use crate::level;
use crate::lines::{Bounded, MOST};
use crate::{Error, Input};

/// The first bytes of the rest if it is not compressed: the name of its first member.
const PLAIN: &[u8] = b"COPYING";

/// Reads a container.
///
/// # Errors
/// When it is malformed or does not verify.
pub(crate) fn load(compiler: &mut Compiler, input: &Input, form: Form) -> Result<(), Error> {
    let name = input.name();
    let (header, rest) = open(input)?;
    if form == Form::Cvd {
        verify_beside(compiler, input, &header)?;
        header.verify(rest).map_err(|error| unverified(name, error))?;
    }
    if header.level > level::LEVEL {
        let reason = format!("made for functionality level {}, newer than {}", header.level, level::LEVEL);
        compiler.problem(name, &reason);
    }
    let info = read_info(input, &header, form)?;
    let mut members = Members { compiler, container: name, header: &header, info, form };
    members.load(input)
}

/// Verifies a container by the signatures that stand beside it, if there are any.
fn verify_beside(compiler: &mut Compiler, input: &Input, header: &Header) -> Result<(), Error> {
    let text = input.beside(header.version).map_err(|error| Error::reading(input.name(), error))?;
    match (text, &compiler.options.roots) {
        (Some(text), Some(roots)) => sign::verify(input, &text, roots),
        (Some(_), None) => {
            compiler.problem(input.name(), "the signature beside it was not looked at: nobody is trusted for it");
            Ok(())
        }
        (None, _) => Ok(()),
    }
}

/// The header, and what follows it.
fn open(input: &Input) -> Result<(Header, Box<dyn Read>), Error> {
    let reading = |error| Error::reading(input.name(), error);
    let mut reader = input.open().map_err(reading)?;
    let header = Header::read(&mut reader).map_err(reading)?;
    Ok((header, reader))
}

/// The members of the archive behind the header.
fn archive(input: &Input) -> Result<Tar<Box<dyn Read>>, Error> {
    let (_, rest) = open(input)?;
    let mut rest = BufReader::with_capacity(1 << 16, rest);
    let plain = rest.fill_buf().map_err(|error| Error::reading(input.name(), error))?.starts_with(PLAIN);
    let bytes: Box<dyn Read> = if plain { Box::new(rest) } else { Box::new(GzDecoder::new(rest)) };
    Ok(Tar::new(Box::new(BufReader::new(Bounded::new(bytes, MOST)))))
}

fn read_info(input: &Input, header: &Header, form: Form) -> Result<Info, Error> {
    let reading = |error| Error::reading(input.name(), error);
    let mut tar = archive(input)?;
    while let Some(member) = tar.next().map_err(reading)? {
        if kind::suffix(&member.name) == "info" {
            let text = Info::text(&mut tar).map_err(reading)?;
            return Info::parse(&text, header, form).map_err(|error| unverified(input.name(), error));
        }
    }
    Err(Error::malformed(input.name(), "there is no .info in it"))
}

/// An error of verifying: what the bytes say is wrong unless the system failed.
fn unverified(name: &str, error: io::Error) -> Error {
    match Error::reading(name, error) {
        Error::Malformed(problem) => Error::Unverified(problem),
        other => other,
    }
}

struct Members<'c> {
    compiler: &'c mut Compiler,
    container: &'c str,
    header: &'c Header,
    info: Info,
    form: Form,
}

impl Members<'_> {
    fn load(&mut self, input: &Input) -> Result<(), Error> {
        let mut tar = archive(input)?;
        while let Some(member) = tar.next().map_err(|error| Error::reading(self.container, error))? {
            if !matches!(kind::of(&member.name), Some((Kind::Paper, _))) {
                self.member(&member.name, member.size, &mut tar)?;
            }
        }
        match self.info.missing() {
            Some(name) => Err(Error::unverified(self.container, format!("its member {name} is missing"))),
            None => Ok(()),
        }
    }

    fn member(&mut self, name: &str, size: u64, bytes: &mut dyn Read) -> Result<(), Error> {
        let Some(expected) = self.info.take(name).filter(|listed| listed.size == size) else {
            return Err(Error::unverified(
                self.container,
                format!("its member {name} is not the one listed in its .info"),
            ));
        };
        let mut hashing = Hashing { bytes, digest: Sha256::new() };
        match kind::of(name) {
            Some((Kind::Container(_) | Kind::Paper, _)) | None => {
                let reason = format!("its member {name} is of an unknown kind, left out");
                self.compiler.problem(self.container, &reason);
            }
            Some((kind, unwanted)) => {
                let member = Member { info: self.source(name, kind), kind, trust: self.trust(), unwanted };
                self.compiler.member(member, &mut BufReader::with_capacity(1 << 16, &mut hashing))?;
            }
        }
        let digest = hashing.finish().map_err(|error| Error::reading(self.container, error))?;
        if digest == expected.digest {
            return Ok(());
        }
        Err(Error::unverified(self.container, format!("the digest of its member {name} is wrong")))
    }

    /// Members that are one signature each are one source together.
    fn source(&self, name: &str, kind: Kind) -> SourceInfo {
        let container = self.container;
        let name = match kind {
            Kind::Bytecode | Kind::Catalog => format!("{container}/*.{}", kind::suffix(name)),
            _ => format!("{container}/{name}"),
        };
        SourceInfo {
            name,
            time: Some(self.header.time),
            version: Some(self.header.version),
            official: self.trust() == Trust::Official,
        }
    }

    fn trust(&self) -> Trust {
        if self.form == Form::Cud { Trust::Unofficial } else { Trust::Official }
    }
}

/// Digests what is read.
struct Hashing<'r> {
    bytes: &'r mut dyn Read,
    digest: Sha256,
}

impl Hashing<'_> {
    /// Reads what is left, and gives the digest of everything.
    fn finish(mut self) -> io::Result<[u8; 32]> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(self.digest.finalize().into())
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.digest.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
