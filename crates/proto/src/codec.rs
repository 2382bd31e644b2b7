//! One packet, one message.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// No message is longer than this many bytes. Fits in the default send buffer of a Linux socket.
pub const LONGEST: usize = 128 << 10;

/// Why a message cannot be sent or is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtoError {
    /// The bytes are not a message.
    Malformed,
    /// It is longer than [`LONGEST`].
    TooLong,
    /// It is a message, but breaks a rule: the word says which.
    Untrue(&'static str),
}

impl fmt::Display for ProtoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProtoError::Malformed => f.write_str("the bytes are not a message"),
            ProtoError::TooLong => write!(f, "the message is longer than {LONGEST} bytes"),
            ProtoError::Untrue(what) => write!(f, "the message breaks a rule: {what}"),
        }
    }
}

impl std::error::Error for ProtoError {}

pub(crate) fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, ProtoError> {
    let bytes = postcard::to_allocvec(message).map_err(|_| ProtoError::Malformed)?;
    if bytes.len() > LONGEST { Err(ProtoError::TooLong) } else { Ok(bytes) }
}

/// Reads a message that fills `bytes` to the last one.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ProtoError> {
    if bytes.len() > LONGEST {
        return Err(ProtoError::TooLong);
    }
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        _ => Err(ProtoError::Malformed),
    }
}

/// Gives a message type its two directions.
macro_rules! codec {
    ($message:ty) => {
        impl $message {
            /// The message as bytes.
            ///
            /// # Errors
            /// When it is longer than [`LONGEST`](crate::LONGEST).
            pub fn encode(&self) -> Result<Vec<u8>, $crate::ProtoError> {
                $crate::codec::encode(self)
            }

            /// The message in these bytes.
            ///
            /// # Errors
            /// When they are not exactly one message.
            pub fn decode(bytes: &[u8]) -> Result<Self, $crate::ProtoError> {
                $crate::codec::decode(bytes)
            }
        }
    };
}
pub(crate) use codec;
