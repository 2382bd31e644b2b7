//! Apple Data Compression, as old disk images use it (no specification is published; the description is that of
//! dmg2img and of the article "Apple Data Compression" in the wiki Just Solve the File Format Problem).
//!
//! ```text
//! 1LLLLLLL                     L + 1 literals follow
//! 01LLLLLL DDDDDDDD DDDDDDDD   L + 4 bytes from a distance of D + 1
//! 00LLLLDD DDDDDDDD            L + 3 bytes from a distance of D + 1
//! ```

use super::output::{Input, Output};

/// Decodes a block of at most `most` plain bytes; `None` if it is broken.
pub(crate) fn decode(input: &[u8], most: usize) -> Option<Vec<u8>> {
    let (mut input, mut output) = (Input::new(input), Output::new(most));
    while !input.is_empty() && !output.is_full() {
        let first = input.byte()?;
        if first & 0x80 != 0 {
            output.extend(input.take((first & 0x7f) + 1)?)?;
        } else if first & 0x40 != 0 {
            let distance = (input.byte()? << 8 | input.byte()?) + 1;
            output.repeat(distance, (first & 0x3f) + 4)?;
        } else {
            let distance = ((first & 3) << 8 | input.byte()?) + 1;
            output.repeat(distance, (first >> 2) + 3)?;
        }
    }
    Some(output.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_instructions() {
        assert_eq!(decode(b"\x82abc\x00\x02\x40\x00\x05", 10).unwrap(), b"abcabcabca");
        assert_eq!(decode(b"\x82abc\x00\x03", 10), None);
        assert_eq!(decode(b"\x82ab", 10), None);
    }
}
