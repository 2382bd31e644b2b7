//! Where a body signature must start: `*`, `n`, `EOF-n`, `EP+n`, `Sx+n`, `SL+n`, `SEx`, `VI`, `$n$`, each but `*` with an
//! optional `,m` for "up to m bytes later".
//!
//! Offsets that need the header of an executable are malformed with targets that have none.

use dachs_base::Target;
use dachs_sigdb::model::{Offset, OffsetBase};

use crate::number::decimal;
use crate::refused::{Parsed, Refused};

/// Macro groups are numbered below this.
pub(crate) const MACRO_GROUPS: u8 = 32;

/// Reads an offset.
///
/// # Errors
/// When it is malformed, does not go with the target, or is of a kind that is not supported yet.
pub(crate) fn parse(text: &str, target: Target) -> Parsed<Offset> {
    if text == "*" {
        return Ok(Offset::ANY);
    }
    if let Some(group) = text.strip_prefix('$') {
        return macro_group(group);
    }
    let (start, shift) = text.split_once(',').unwrap_or((text, ""));
    let shift = decimal(shift, "the shift of an offset")?;
    let shift =
        u32::try_from(shift).map_err(|_| Refused::malformed(format!("offset '{text}': the shift is too large")))?;
    let executable = matches!(target, Target::Pe | Target::Elf | Target::MachO);
    if !executable && needs_header(start) {
        let number = target.number();
        return Err(Refused::malformed(format!("offset '{text}' needs an executable, not target {number}")));
    }
    Ok(Offset { base: base(start)?, shift })
}

fn needs_header(start: &str) -> bool {
    (start.starts_with('S') || start.starts_with("EP")) || start.starts_with("VI")
}

fn base(start: &str) -> Parsed<OffsetBase> {
    if start.starts_with("VI") {
        return Ok(OffsetBase::VersionKey);
    }
    if let Some(back) = start.strip_prefix("EOF-") {
        return Ok(OffsetBase::End(number(back)?));
    }
    if let Some(ahead) = start.strip_prefix("EP+") {
        return Ok(OffsetBase::EntryPoint(signed(ahead)?));
    }
    if let Some(back) = start.strip_prefix("EP-") {
        return Ok(OffsetBase::EntryPoint(signed(back)?.saturating_neg()));
    }
    if let Some(index) = start.strip_prefix("SE") {
        return Ok(OffsetBase::WithinSection(section(index)?));
    }
    if let Some(ahead) = start.strip_prefix("SL+") {
        return Ok(OffsetBase::LastSection(number(ahead)?));
    }
    match start.strip_prefix('S').map(|section| section.split_once('+')) {
        Some(Some((index, offset))) if !index.is_empty() && !offset.is_empty() => {
            Ok(OffsetBase::Section { index: section(index)?, offset: number(offset)? })
        }
        Some(_) => Err(Refused::malformed(format!("offset '{start}' is not of the form Sx+n, SEx or SL+n"))),
        None => Ok(OffsetBase::Absolute(number(start)?)),
    }
}

fn number(text: &str) -> Parsed<u64> {
    decimal(text, "an offset")
}

fn signed(text: &str) -> Parsed<i64> {
    Ok(i64::try_from(number(text)?).unwrap_or(i64::MAX))
}

fn section(text: &str) -> Parsed<u32> {
    let index = decimal(text, "the section of an offset")?;
    u32::try_from(index).map_err(|_| Refused::malformed(format!("there is no section {text}")))
}

/// `$n$`: a member of a macro group. What follows the number is ignored.
fn macro_group(text: &str) -> Parsed<Offset> {
    let digits: String = text.trim_start().chars().take_while(char::is_ascii_digit).collect();
    let group = digits.parse::<u8>().ok().filter(|group| *group < MACRO_GROUPS);
    let group =
        group.ok_or_else(|| Refused::malformed(format!("offset '${text}' is not a macro group from $0$ to $31$")))?;
    Ok(Offset { base: OffsetBase::Group(group), shift: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base_of(text: &str) -> OffsetBase {
        parse(text, Target::Pe).unwrap().base
    }

    #[test]
    fn every_form_is_read() {
        let cases = [
            ("*", OffsetBase::Any),
            ("12", OffsetBase::Absolute(12)),
            ("", OffsetBase::Absolute(0)),
            ("EOF-5", OffsetBase::End(5)),
            ("EP+7", OffsetBase::EntryPoint(7)),
            ("EP-7", OffsetBase::EntryPoint(-7)),
            ("S1+9", OffsetBase::Section { index: 1, offset: 9 }),
            ("SE2", OffsetBase::WithinSection(2)),
            ("SL+3", OffsetBase::LastSection(3)),
            ("VI", OffsetBase::VersionKey),
            ("$0$", OffsetBase::Group(0)),
            ("$31$,5", OffsetBase::Group(31)),
            ("$ 7", OffsetBase::Group(7)),
        ];
        for (text, base) in cases {
            assert_eq!(base_of(text), base, "{text}");
        }
        assert_eq!(parse("10,20", Target::Any), Ok(Offset { base: OffsetBase::Absolute(10), shift: 20 }));
    }

    #[test]
    fn malformed_offsets_are_refused() {
        for text in [
            "-5", "+5", " 5", "5 ", "0x10", "a", "eof-5", "EOF", "EOF+5", "EP", "EP+a", "S0", "S0+", "S0-5", "S+5",
            "SL", "SL-5", "SEa", "SE0+5", "0,a", "5,-1", "*,5", "*,", "5,5,5", "$32$", "$a$", "$-1$", "$$",
        ] {
            assert!(matches!(parse(text, Target::Pe), Err(Refused::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn offsets_into_headers_need_an_executable() {
        for text in ["EP+0", "S0+0", "SE0", "SL+0", "VI"] {
            for target in Target::ALL {
                let malformed = matches!(parse(text, target), Err(Refused::Malformed(_)));
                assert_eq!(malformed, !matches!(target, Target::Pe | Target::Elf | Target::MachO), "{text} {target:?}");
            }
        }
    }
}
