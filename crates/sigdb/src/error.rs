//! What can be wrong with an image, and what a [`crate::Builder`] cannot take.

use std::fmt;

/// Why bytes are not an image that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageError {
    /// A checksum does not fit its bytes: the header's or a section's.
    Checksum(&'static str),
    /// There are fewer or more bytes than the header says, or than a header has.
    Length {
        /// How many the header says.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// The bytes do not begin as an image does.
    Magic,
    /// A section is not as it must be.
    Section {
        /// Which one.
        section: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// The image was written for another version of the format.
    Version(u32),
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageError::Checksum(what) => {
                write!(f, "the checksum of the image's {what} is wrong; build the image again")
            }
            ImageError::Length { expected, found } => {
                write!(f, "the image has {found} bytes and should have {expected}; build it again")
            }
            ImageError::Magic => f.write_str("this is not an image of signatures"),
            ImageError::Section { section, reason } => write!(f, "the image's {section} are damaged: {reason}"),
            ImageError::Version(version) => {
                write!(f, "the image has format {version}, which this version cannot read; build it again")
            }
        }
    }
}

impl std::error::Error for ImageError {}

/// Why a [`crate::Builder`] did not take a signature. It is not in the image then.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A regular expression is none of PCRE's.
    MalformedRegex(&'static str),
    /// The expression names a subsignature that is not there.
    MissingSubsignature(u8),
    /// The name has more bytes than an image can hold.
    NameTooLong(usize),
    /// A subsignature has no pattern, or the rule no subsignature.
    NoPattern,
    /// The source number was never given out.
    NoSource(u32),
    /// The matcher cannot take the pattern, for this reason.
    Pattern(String),
    /// The expression is nested more deeply than evaluation allows.
    TooDeep,
    /// More of something than an image can count.
    TooMany(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::MalformedRegex(reason) => write!(f, "a regular expression that is none: {reason}"),
            Refusal::MissingSubsignature(id) => write!(f, "the expression names subsignature {id}, which is not there"),
            Refusal::NameTooLong(length) => write!(f, "the name has {length} bytes, which is too long"),
            Refusal::NoPattern => f.write_str("there is no pattern"),
            Refusal::NoSource(number) => write!(f, "there is no source with number {number}"),
            Refusal::Pattern(reason) => f.write_str(reason),
            Refusal::TooDeep => f.write_str("the expression is nested too deeply"),
            Refusal::TooMany(what) => write!(f, "there are too many {what}"),
        }
    }
}

impl std::error::Error for Refusal {}
