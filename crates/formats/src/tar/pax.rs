//! Records of pax extended headers: `length key=value` and a line feed (POSIX.1-2017 pax, "pax Extended Header").

/// What the records before an entry say about it.
#[derive(Default)]
pub(super) struct Records {
    /// `path`, or the name of a GNU long-name entry.
    pub(super) name: Option<Vec<u8>>,
    /// `size`
    pub(super) size: Option<u64>,
    /// One of GNU's records of sparse files.
    pub(super) sparse: bool,
}

impl Records {
    /// Adds the records of one header; what cannot be read is passed over.
    pub(super) fn read(&mut self, text: &[u8]) {
        let mut rest = text;
        while let Some((record, behind)) = split(rest) {
            rest = behind;
            let Some(equals) = record.iter().position(|byte| *byte == b'=') else { continue };
            let (key, value) = record.split_at(equals);
            self.add(key, value.strip_prefix(b"=").unwrap_or(value));
        }
    }

    fn add(&mut self, key: &[u8], value: &[u8]) {
        match key {
            b"path" | b"GNU.sparse.name" => self.name = Some(value.to_vec()),
            b"size" => self.size = decimal(value),
            _ => {}
        }
        self.sparse |= key.starts_with(b"GNU.sparse.");
    }
}

/// The first record and what follows it.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(text.get(..space)?)?).ok()?;
    let (record, rest) = text.split_at_checked(length)?;
    let record = record.get(space + 1..)?;
    Some((record.strip_suffix(b"\n").unwrap_or(record), rest))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let add = |sum: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    digits.iter().try_fold(0, add).filter(|_| !digits.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_by_their_length() {
        let mut records = Records::default();
        records.read(b"30 mtime=1350244992.023960108\n15 path=a\nb =c\n11 size=42\n");
        assert_eq!((records.name.as_deref(), records.size), (Some(&b"a\nb =c"[..]), Some(42)));
    }

    #[test]
    fn broken_records_end_the_list() {
        for text in
            [&b""[..], b"5", b"99 path=a\n", b"0 path=a\n", b"3 path", b"x path=a\n", b"99999999999999999999999 a=b"]
        {
            let mut records = Records::default();
            records.read(text);
            assert_eq!(records.name, None);
        }
    }
}
