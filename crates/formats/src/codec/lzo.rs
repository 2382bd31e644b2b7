//! LZO1X ("LZO stream format as understood by Linux's LZO decompressor", Documentation/staging/lzo.rst).
//!
//! An instruction names a match and up to three literals behind it. What the smallest instructions mean depends on how
//! many literals stood before them: none, one to three, or a long run.

use super::output::{Input, Output};

/// Decodes a block of at most `most` plain bytes; `None` if it is broken.
pub(crate) fn decode(input: &[u8], most: usize) -> Option<Vec<u8>> {
    let (mut input, mut output) = (Input::new(input), Output::new(most));
    let first = input.byte()?;
    // How many literals stood before; 4 stands for a run.
    let mut literals = 0;
    let mut instruction = first;
    if first > 17 {
        output.extend(input.take(first - 17)?)?;
        literals = (first - 17).min(4);
        instruction = input.byte()?;
    }
    loop {
        if instruction < 16 && literals == 0 {
            let count = length(&mut input, instruction, 15)? + 3;
            output.extend(input.take(count)?)?;
            literals = 4;
        } else {
            let Match { distance, length, after } = found(&mut input, instruction, literals)?;
            if distance == END {
                return Some(output.into_bytes());
            }
            output.repeat(distance, length)?;
            output.extend(input.take(after)?)?;
            literals = after;
        }
        instruction = input.byte()?;
    }
}

/// The distance that ends a stream.
const END: usize = 16384;

struct Match {
    distance: usize,
    length: usize,
    /// Literals that follow.
    after: usize,
}

fn found(input: &mut Input<'_>, instruction: usize, literals: usize) -> Option<Match> {
    match instruction {
        0..16 => {
            let near = (input.byte()? << 2) + (instruction >> 2 & 3);
            let (distance, length) = if literals == 4 { (near + 2049, 3) } else { (near + 1, 2) };
            Some(Match { distance, length, after: instruction & 3 })
        }
        16..64 => {
            let (mask, base) = if instruction < 32 { (7, END + ((instruction & 8) << 11)) } else { (31, 1) };
            let length = length(input, instruction & mask, mask)? + 2;
            let word = input.word()?;
            Some(Match { distance: base + (word >> 2), length, after: word & 3 })
        }
        _ => {
            let length = if instruction < 128 { 3 + (instruction >> 5 & 1) } else { 5 + (instruction >> 5 & 3) };
            let distance = (input.byte()? << 3) + (instruction >> 2 & 7) + 1;
            Some(Match { distance, length, after: instruction & 3 })
        }
    }
}

/// A length that goes on in further bytes if it is zero: each zero byte adds 255.
fn length(input: &mut Input<'_>, short: usize, most: usize) -> Option<usize> {
    if short > 0 {
        return Some(short);
    }
    let mut length = most;
    loop {
        match input.byte()? {
            0 => length += 255,
            last => return Some(length + last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_matches() {
        // "abcd", then 4 bytes from a distance of 4, then the end.
        assert_eq!(decode(b"\x15abcd\x6c\x00\x11\0\0", 8).unwrap(), b"abcdabcd");
        assert_eq!(decode(b"\x15abcd\x6c\x00\x11\0\0", 7), None);
        assert_eq!(decode(b"\x15abcd\x6c\x01\x11\0\0", 8), None);
        assert_eq!(decode(b"\x15abcd\x6c\x00\x11\0", 8), None);
    }
}
