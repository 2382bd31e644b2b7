//! LZNT1 ([MS-XCA] 2.5), the compression of NTFS: chunks of 4 KiB, each behind a header.

use super::output::{Input, Output};

/// Plain bytes of a chunk; only the last may be shorter.
const CHUNK: usize = 4096;

/// Decodes a unit of at most `most` plain bytes, and fills it up with zeros; `None` if it is broken.
pub(crate) fn decode(input: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut input = Input::new(input);
    let mut output = Output::new(most);
    while !output.is_full() {
        let Some(header) = input.word().filter(|header| *header != 0) else { break };
        // A chunk begins where the one before it should have ended.
        output.pad(output.len().next_multiple_of(CHUNK));
        let data = input.take((header & 0x0fff) + 1)?;
        if header & 0x8000 == 0 {
            output.extend(data)?;
        } else {
            output.extend(&chunk(data, CHUNK)?)?;
        }
    }
    output.pad(most);
    Some(output.into_bytes())
}

fn chunk(data: &[u8], most: usize) -> Option<Vec<u8>> {
    let (mut input, mut output) = (Input::new(data), Output::new(most));
    while !input.is_empty() {
        let flags = input.byte()?;
        for bit in 0..8 {
            if input.is_empty() {
                break;
            }
            if flags >> bit & 1 == 0 {
                output.push(u8::try_from(input.byte()?).ok()?)?;
                continue;
            }
            let word = input.word()?;
            // The farther into the chunk, the more bits a distance takes.
            let bits = output.len().checked_sub(1)?.checked_ilog2().map_or(4, |log| log.max(3) + 1);
            let shift = 16 - bits;
            output.repeat((word >> shift) + 1, (word & ((1 << shift) - 1)) + 3)?;
        }
    }
    Some(output.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_of_both_kinds() {
        let stored = [&[3, 0x30][..], b"abcd"].concat();
        assert_eq!(decode(&stored, 6).unwrap(), b"abcd\0\0");
        // "abc", then 9 bytes from a distance of 3.
        let packed = [&[5, 0xb0][..], b"\x08abc\x06\x20"].concat();
        assert_eq!(decode(&packed, 12).unwrap(), b"abcabcabcabc");
        assert_eq!(decode(&packed[..6], 12), None);
    }
}
