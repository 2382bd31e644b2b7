//! What UPX does to the addresses of jumps and calls before it compresses a program, undone (known from the reference
//! implementation in RetDec, MIT).
//!
//! Code compresses better if a call of one function looks the same everywhere: the distance from the call to its target becomes the
//! target's own place. In most filters its highest byte then stands first and is one number for the whole program, by which filtered
//! calls are told from bytes that look like one.

/// Which instructions a filter changes, and how.
struct Filter {
    calls: bool,
    jumps: bool,
    /// Jumps on a condition (`0f 80` to `0f 8f`).
    branches: bool,
    order: Order,
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Little,
    Big,
    /// Highest byte first, which is the parameter instead of a byte of the place.
    Marked,
}

/// Undoes a filter in code whose first byte is the `base`th of the program. False if nobody knows the filter.
pub(super) fn undo(number: u8, parameter: u8, code: &mut [u8], base: u32) -> bool {
    let row = |calls, jumps, order| Some(Filter { calls, jumps, branches: false, order });
    let filter = match number {
        0 => return true,
        0x11 => row(true, false, Order::Little),
        0x12 => row(false, true, Order::Little),
        0x13 => row(true, true, Order::Little),
        0x14 => row(true, false, Order::Big),
        0x15 => row(false, true, Order::Big),
        0x16 => row(true, true, Order::Big),
        0x24 => row(true, false, Order::Marked),
        0x25 => row(false, true, Order::Marked),
        0x26 | 0x46 => row(true, true, Order::Marked),
        0x49 => Some(Filter { calls: true, jumps: true, branches: true, order: Order::Marked }),
        0x50 => {
            branches_of_arm(code, base);
            return true;
        }
        _ => None,
    };
    filter.is_some_and(|filter| {
        filter.undo(parameter, code, base);
        true
    })
}

impl Filter {
    fn undo(&self, parameter: u8, code: &mut [u8], base: u32) {
        let (mut at, mut behind) = (0, usize::MAX);
        while let Some(byte) = code.get(at).copied() {
            let before = at.checked_sub(1).filter(|_| at != behind).and_then(|before| code.get(before));
            let branch = self.branches && matches!(byte, 0x80..=0x8f) && before == Some(&0x0f);
            let fits = branch || (self.calls && byte == 0xe8) || (self.jumps && byte == 0xe9);
            at += 1;
            let place = u32::try_from(at).unwrap_or(u32::MAX).wrapping_add(base);
            let Some(operand) = code.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<4>()) else { break };
            if fits && (self.order != Order::Marked || operand.first() == Some(&parameter)) {
                *operand = self.target(*operand).wrapping_sub(place).to_le_bytes();
                at += 4;
                behind = at;
            }
        }
    }

    fn target(&self, operand: [u8; 4]) -> u32 {
        match self.order {
            Order::Little => u32::from_le_bytes(operand),
            Order::Big => u32::from_be_bytes(operand),
            Order::Marked => u32::from_be_bytes(operand) & 0xff_ffff,
        }
    }
}

/// Branches with link of ARM: the lower 24 bits count instructions.
fn branches_of_arm(code: &mut [u8], base: u32) {
    for (number, bytes) in code.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let instruction = u32::from_le_bytes(*bytes);
        if instruction >> 24 & 0x0f == 0x0b {
            let place = u32::try_from(number).unwrap_or(u32::MAX).wrapping_add(base >> 2);
            let target = instruction.wrapping_sub(place) & 0xff_ffff;
            *bytes = (instruction & 0xff00_0000 | target).to_le_bytes();
        }
    }
}
