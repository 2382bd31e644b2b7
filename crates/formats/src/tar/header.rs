//! One header block of tar.

use dachs_base::{Reader, Short};

/// Bytes in a block.
pub(super) const BLOCK: usize = 512;

/// What a header block says.
pub(super) struct Header {
    /// Name with its prefix.
    pub(super) name: Vec<u8>,
    /// Bytes that follow; `None` if the field makes no sense.
    pub(super) size: Option<u64>,
    /// The type flag.
    pub(super) flag: u8,
    /// GNU sparse: further blocks of the map follow.
    pub(super) extended: bool,
}

/// True if a block is a header: its checksum is right, in the sum of unsigned or of signed bytes, and it has a name.
pub(crate) fn is_header(block: &[u8]) -> bool {
    let Some(field) = block.get(148..156).filter(|_| block.len() == BLOCK) else { return false };
    let named = block.first() != Some(&0) || block.get(345) != Some(&0);
    let stated = octal(field);
    named && stated.is_some() && (stated == Some(sum(block, false)) || stated == Some(sum(block, true)))
}

/// The checksum (POSIX.1-2017 pax, ustar: `chksum`), its own field taken as spaces.
fn sum(block: &[u8], signed: bool) -> u64 {
    let add = |sum: i64, (index, byte): (usize, &u8)| {
        let byte = if (148..156).contains(&index) { b' ' } else { *byte };
        sum + if signed { i64::from(byte.cast_signed()) } else { i64::from(byte) }
    };
    let total = block.iter().enumerate().fold(0, add);
    u64::try_from(total).unwrap_or(u64::MAX)
}

/// A number in octal digits with spaces around, ended by a space or zero.
pub(super) fn octal(field: &[u8]) -> Option<u64> {
    let start = field.trim_ascii_start();
    let digits = start.iter().take_while(|byte| (b'0'..=b'7').contains(*byte)).count();
    let ended = start.get(digits).is_none_or(|next| matches!(next, 0 | b' '));
    let add = |sum: u64, byte: &u8| sum.checked_mul(8)?.checked_add(u64::from(byte - b'0'));
    start.iter().take(digits).try_fold(0, add).filter(|_| digits > 0 && ended)
}

/// A size: octal, or with the highest bit set a binary number (GNU tar manual, "Extensions").
fn size(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, digits @ ..] => {
            let (high, low) = digits.split_at_checked(digits.len().checked_sub(8)?)?;
            let low = low.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))?;
            high.iter().all(|byte| *byte == 0).then_some(low)
        }
        _ if field.iter().all(|byte| matches!(byte, 0 | b' ')) => Some(0),
        _ => octal(field),
    }
}

impl Header {
    /// Reads a block (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format").
    pub(super) fn read(block: &[u8]) -> Result<Header, Short> {
        let mut reader = Reader::new(block, "tar header");
        let short_name = until_zero(reader.take(100)?);
        reader.skip(24)?; // mode, uid, gid
        let size = size(reader.take(12)?);
        reader.skip(20)?; // mtime, chksum
        let flag = reader.u8()?;
        reader.skip(100)?; // linkname
        let posix = reader.take(8)? == b"ustar\x0000";
        reader.skip(80)?; // uname, gname, devmajor, devminor
        let prefix = if posix { until_zero(reader.clone().take(155)?) } else { &[] };
        reader.skip(137)?;
        let extended = reader.u8()? != 0;
        let name = if prefix.is_empty() { short_name.to_vec() } else { [prefix, b"/", short_name].concat() };
        Ok(Header { name, size, flag, extended })
    }
}

/// A field up to its first zero.
pub(super) fn until_zero(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or(field)
}
