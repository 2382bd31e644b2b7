//! The group of objects that a signature is meant for.

use dachs_base::Target;

use crate::number::decimal;
use crate::refused::{Parsed, Refused};

/// Reads the number of a target.
///
/// # Errors
/// When it is no number, or the number of no target.
pub(crate) fn parse(text: &str) -> Parsed<Target> {
    let number = decimal(text, "the target")?;
    let target = u32::try_from(number).ok().and_then(Target::from_number);
    target.ok_or_else(|| Refused::not_for_us("an unknown target"))
}

/// What a target is, for a person.
pub(crate) fn describe(target: Target) -> &'static str {
    match target {
        Target::Any => "any object",
        Target::Pe => "Windows executables (PE)",
        Target::Ole2 => "OLE2 documents and decoded macros",
        Target::Html => "normalised HTML",
        Target::Mail => "mail",
        Target::Graphics => "pictures",
        Target::Elf => "ELF executables",
        Target::Ascii => "normalised text",
        Target::Unused => "nothing (target 8 is unused)",
        Target::MachO => "Mach-O executables",
        Target::Pdf => "PDF documents",
        Target::Flash => "Flash files",
        Target::Java => "Java classes",
        Target::Internal => "metadata of the engine itself",
        Target::Other => "objects that no other target fits",
    }
}
