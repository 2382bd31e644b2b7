//! Canonical Huffman codes of up to 16 bits whose first bit is the highest: those of LZX, LHA and ARJ.
//!
//! A code is found by its length: among the codes of one length, all are consecutive numbers, and all that begin with a
//! shorter code are smaller (Witten, Moffat, Bell, "Managing Gigabytes", 2.3).

/// The longest code.
const LONGEST: usize = 16;

/// A set of codes.
#[derive(Default)]
pub(crate) struct Codes {
    /// For each length: the first number that is too large for it, as 16 bits.
    limits: [u32; LONGEST],
    /// For each length: its first code, as 16 bits, and where its symbols begin.
    firsts: [(u32, usize); LONGEST],
    /// Symbols by length.
    symbols: Vec<u16>,
}

impl Codes {
    /// The codes of symbols with these lengths; length 0 is a symbol without a code. `None` if there are more codes than
    /// fit, or one is too long. Numbers may be left that are no code.
    pub(crate) fn new(lengths: &[u8]) -> Option<Codes> {
        let mut codes = Codes::default();
        let mut next = 0u32;
        let shapes = codes.limits.iter_mut().zip(codes.firsts.iter_mut());
        for (length, (limit, first)) in (1u8..).zip(shapes) {
            *first = (next, codes.symbols.len());
            let with_length = (0u16..).zip(lengths).filter(|(_, symbol)| **symbol == length);
            codes.symbols.extend(with_length.map(|(symbol, _)| symbol));
            let count = u32::try_from(codes.symbols.len() - first.1).ok()?;
            next = next.checked_add(count << (16 - u32::from(length)))?;
            *limit = next;
        }
        let fits = next <= 1 << 16 && lengths.iter().all(|length| usize::from(*length) <= LONGEST);
        fits.then_some(codes)
    }

    /// The symbol that `bits`, the next 16, begin with, and the length of its code. `None` if they begin with none.
    pub(crate) fn decode(&self, bits: u16) -> Option<(u16, u8)> {
        let bits = u32::from(bits);
        let shapes = self.limits.iter().zip(&self.firsts);
        let (length, (_, (first, start))) = (1u8..).zip(shapes).find(|(_, (limit, _))| bits < **limit)?;
        let index = usize::try_from((bits - first) >> (16 - u32::from(length))).ok()?;
        self.symbols.get(start + index).map(|symbol| (*symbol, length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_numbered_by_length_and_then_by_symbol() {
        let codes = Codes::new(&[2, 0, 1, 3, 3]).unwrap();
        let decode = |bits: u16| codes.decode(bits << 13);
        assert_eq!(decode(0b000), Some((2, 1)));
        assert_eq!(decode(0b011), Some((2, 1)));
        assert_eq!(decode(0b101), Some((0, 2)));
        assert_eq!(decode(0b110), Some((3, 3)));
        assert_eq!(decode(0b111), Some((4, 3)));
    }

    #[test]
    fn too_many_codes_are_refused_and_too_few_are_not() {
        assert!(Codes::new(&[1, 1, 1]).is_none());
        assert!(Codes::new(&[17]).is_none());
        let one = Codes::new(&[0, 1]).unwrap();
        assert_eq!((one.decode(0), one.decode(0x8000)), (Some((1, 1)), None));
        assert_eq!(Codes::new(&[0, 0]).unwrap().decode(0), None);
    }
}
