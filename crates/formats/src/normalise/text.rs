//! Normalised text, as signatures of target 7 expect it.
//!
//! The rules, observed on `sigtool --ascii-normalise`: ASCII letters become lower-case; each run of tab, line feed,
//! vertical tab, form feed, carriage return and blank becomes one blank; all other bytes below 32 and from 128 on are
//! dropped. So UTF-16 text of ASCII letters comes out as those letters.
//!
//! Done byte by byte it was a ninth of the time for texts; [`dachs_matcher::table`] does 64 bytes at once, and says how.

use std::io::{self, Read};

use dachs_matcher::table::{BLANK, KEPT, Rewriting};

/// What becomes of each byte.
static TEXT: Rewriting = rewriting();

const fn rewriting() -> Rewriting {
    let mut text = Rewriting { written: [0; 256], class: [0; 256] };
    let mut byte = 0;
    while byte < 128 {
        let (written, class) = match byte {
            b'\t'..=b'\r' | b' ' => (b' ', BLANK),
            0..32 => (0, 0),
            _ => (byte.to_ascii_lowercase(), KEPT),
        };
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler; the index is below 128")]
        {
            text.written[byte as usize] = written;
            text.class[byte as usize] = class;
        }
        byte += 1;
    }
    text
}

/// Normalises what it reads.
pub(super) struct Normalise<R> {
    reader: R,
    after_blank: bool,
}

impl<R: Read> Normalise<R> {
    /// Normalises the bytes of `reader`.
    pub(super) fn new(reader: R) -> Normalise<R> {
        Normalise { reader, after_blank: false }
    }
}

/// Normalises `bytes` in place and tells how many are left; `after_blank`: whether the last byte before them was a blank, and the
/// last of them is.
pub(super) fn squeeze(bytes: &mut [u8], after_blank: &mut bool) -> usize {
    TEXT.apply(bytes, after_blank)
}

impl<R: Read> Read for Normalise<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let got = self.reader.read(buffer)?;
            let kept = squeeze(buffer.get_mut(..got).unwrap_or_default(), &mut self.after_blank);
            if got == 0 || kept > 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn normalise(bytes: &[u8], step: usize) -> Vec<u8> {
        let mut reader = Normalise::new(bytes);
        let (mut text, mut buffer) = (Vec::new(), vec![0; step]);
        while let Ok(got @ 1..) = reader.read(&mut buffer) {
            text.extend(&buffer[..got]);
        }
        text
    }

    #[test]
    fn the_rules_hold_whatever_the_steps() {
        let cases: [(&[u8], &[u8]); 5] = [
            (b"Hello\tWORLD", b"hello world"),
            (b"a\r\n\r\n  b", b"a b"),
            (b"a \x01 b\x7f\xc3\xa9", b"a b\x7f"),
            (b"\xff\xfeE\0I\0C\0", b"eic"),
            (b"\x01\x02", b""),
        ];
        for (raw, expected) in cases {
            for step in [1, 2, 3, 64] {
                assert_eq!(normalise(raw, step), expected, "{raw:?} in steps of {step}");
            }
        }
    }

    /// Every byte after every other, through ClamAV's own tool.
    #[test]
    fn sigtool_gives_the_same() {
        let folder = std::env::temp_dir().join(format!("dachs-normalise-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let pairs: Vec<u8> = (0..=255).flat_map(|first| (0..=255).flat_map(move |second| [first, second])).collect();
        std::fs::write(folder.join("pairs"), &pairs).unwrap();
        let ran = Command::new("sigtool").arg("--ascii-normalise=pairs").current_dir(&folder).output();
        let theirs = std::fs::read(folder.join("normalised_text"));
        std::fs::remove_dir_all(&folder).unwrap();
        if ran.is_err() {
            eprintln!("SKIPPED: sigtool (Debian's package clamav) is not installed");
            return;
        }
        assert_eq!(normalise(&pairs, 4096), theirs.unwrap());
    }
}
