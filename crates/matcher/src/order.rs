//! The order in which the parts of a set are written: by how often they are looked at.
//!
//! Of a large set most patterns wait, and are hardly ever looked at. If their parts stood between those that are searched in
//! every object, or those that are asked for in every object how far they reach, each page of the set would hold some of
//! both, and a scan would have all of it in memory before long.
//!
//! ```text
//! as added      s  w  w  s  p  w  s  w        searched, waiting, compared at places only
//! as written    s  s  s  p  w  w  w  w        parts of one pattern stay neighbours; so does the code of the parts
//! ```

use zerocopy::little_endian::U32;

use crate::layout::PartHead;

/// The parts of a set in the order in which they are written.
pub(crate) struct Order {
    /// The number that each had.
    parts: Vec<u32>,
    /// The number that each gets.
    moved: Vec<u32>,
}

impl Order {
    pub(crate) fn of(heads: &[PartHead]) -> Order {
        let numbers = || (0_u32..).zip(heads);
        let pick = |often: bool| numbers().filter(move |(_, head)| head.is_waiting() != often);
        let (searched, placed): (Vec<_>, Vec<_>) = pick(true).partition(|(_, head)| head.is_searched());
        let parts = searched.into_iter().chain(placed).chain(pick(false)).map(|(number, _)| number).collect::<Vec<_>>();
        let mut moved = vec![0; parts.len()];
        for (to, from) in (0_u32..).zip(&parts) {
            index(*from).and_then(|from| moved.get_mut(from)).into_iter().for_each(|place| *place = to);
        }
        Order { parts, moved }
    }

    /// The number that a part gets.
    pub(crate) fn moved(&self, part: U32) -> U32 {
        index(part.get()).and_then(|part| self.moved.get(part)).copied().unwrap_or(u32::MAX).into()
    }

    /// The heads in their order, with the places that their code gets.
    pub(crate) fn heads(&self, heads: &[PartHead]) -> Vec<PartHead> {
        let mut end = 0_u32;
        let mut place = |head: &PartHead| {
            let code = end.into();
            end = end.saturating_add(u32::try_from(head.code_length()).unwrap_or(u32::MAX));
            PartHead { code, ..*head }
        };
        self.parts.iter().filter_map(|part| heads.get(index(*part)?)).map(&mut place).collect()
    }

    /// The code of the parts, in their order.
    pub(crate) fn code<'c>(&self, heads: &[PartHead], code: &'c [u8]) -> impl Iterator<Item = &'c [u8]> {
        self.parts.iter().filter_map(move |part| {
            let head = heads.get(index(*part)?)?;
            code.get(index(head.code.get())?..)?.get(..head.code_length())
        })
    }
}

fn index(number: u32) -> Option<usize> {
    usize::try_from(number).ok()
}
