//! Internet mail: messages (RFC 5322), mailboxes (RFC 4155), MIME (RFC 2045, 2046, 2047, 2183, 2231).
//!
//! A message is read twice, and never held: line by line to find where its parts end, and then, part by part, through a
//! decoder, when somebody reads a member. What is kept in memory is the header at hand and the boundaries of the parts
//! around the current place, so that a message may be of any size.
//!
//! ```text
//! From: a@example.org                 header
//! Content-Type: multipart/mixed; boundary=x
//!
//! preamble                            a member, if there is one
//! --x
//! Content-Type: text/html             a member "part 1 text/html", decoded
//!
//! <html>...
//! --x
//! Content-Disposition: attachment; filename=a.exe
//! Content-Transfer-Encoding: base64   a member "a.exe", decoded
//!
//! TVqQ...
//! --x--
//! epilogue                            a member, if there is one
//! ```
//!
//! Mail readers forgive nearly everything, and malware uses what one of them forgives. So everything is read that some mail
//! reader could:
//!
//! * Parts are found though their boundary is missing or wrong: by a line of dashes with a field of MIME behind it.
//! * A part is given in each of its encodings, if its header names several; base64 with data behind the padding is given up
//!   to the padding as well.
//! * Files in texts (uuencode, yEnc, BinHex) are members besides the text.
//! * A message in a message is a member; if it is not told to be mail by its first lines, it is read here at once.
//!
//! Not done: fragments (`message/partial`) are not put together, encrypted S/MIME data and PGP are not opened; the
//! report says so. Texts that are encoded are not searched for further files.

mod base64;
mod blocks;
mod cms;
mod frame;
mod header;
mod kinds;
mod lines;
mod mailbox;
mod message;
mod parameters;
mod quoted;
mod turn;
mod words;
mod yenc;

pub(crate) use base64::Base64;
pub(crate) use base64::{NONE, values};
pub(crate) use lines::{Line, Lines};
pub(crate) use turn::{Turn, decode_all, decoded, decoded_as};

use std::sync::Arc;

use dachs_base::{Budget, Source, read_vec_at};

use crate::Unpack;

/// Unpacks a message or a mailbox.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    match read_vec_at(source.as_ref(), 0, 5).as_slice() {
        b"From " => Box::new(mailbox::Mailbox::new(source, budget)),
        _ => Box::new(message::Message::new(source, budget, 0)),
    }
}

/// Unpacks the files that stand in a text.
pub(crate) fn open_text(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(message::Message::text(source, budget))
}
