//! Digests of parts of an executable: of each of its sections, and of the list of what it imports.
//!
//! The sections are those of [`Facts::sections`], cut and rounded as ClamAV's signatures expect. A section is read, and
//! read again by whoever needs it, only if some signature has its size; sections of the same place and size are one, as
//! are empty ones and none. A file can list many sections that overlap, each as long as the file, so the clock is looked
//! at for every stretch that is read.

use crate::digests::Digests;
use crate::hashes::Hashes;
use crate::image::Image;
use crate::layout::length;
use dachs_base::{Budget, Facts, LimitReached, Section, Source};

/// Bytes read at once.
const CHUNK: usize = 1 << 16;

/// Calls `each` with every signature of a section or of the imports, some twice, until it answers false.
pub(crate) fn signatures(
    image: &Image<'_>,
    source: &dyn Source,
    facts: &Facts,
    budget: &Budget,
    each: &mut dyn FnMut(u32) -> bool,
) -> Result<(), LimitReached> {
    let mut going = true;
    let mut each = |signature| {
        going = going && each(signature);
        going
    };
    for (number, section) in facts.sections.iter().enumerate() {
        let known = facts.sections.iter().take(number).any(|before| before == section);
        if section.size > 0 && !known {
            section_signatures(&image.sections, source, section, budget, &mut each)?;
        }
    }
    if image.imports.has_any()
        && let Some(imports) = facts.imports.find()?
    {
        let size = length(imports.len());
        let mut digests = Digests::wanted(&image.imports, Some(size));
        digests.update(imports);
        digests.finish().for_each(|digest| image.imports.signatures(size, &digest, &mut each));
    }
    Ok(())
}

fn section_signatures(
    hashes: &Hashes<'_>,
    source: &dyn Source,
    section: &Section,
    budget: &Budget,
    each: &mut dyn FnMut(u32) -> bool,
) -> Result<(), LimitReached> {
    let mut digests = Digests::wanted(hashes, Some(section.size));
    if digests.is_empty() {
        return Ok(());
    }
    let mut buffer = vec![0; usize::try_from(section.size).map_or(CHUNK, |size| size.min(CHUNK))];
    let mut done = 0;
    while done < section.size {
        budget.check_time()?;
        let wanted = usize::try_from(section.size.saturating_sub(done)).map_or(CHUNK, |left| left.min(CHUNK));
        let Some(place) = buffer.get_mut(..wanted) else { return Ok(()) };
        if source.read_at(section.offset.saturating_add(done), place) != wanted {
            return Ok(());
        }
        digests.update(place);
        done = done.saturating_add(length(wanted));
    }
    digests.finish().for_each(|digest| hashes.signatures(section.size, &digest, each));
    Ok(())
}
