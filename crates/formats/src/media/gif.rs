//! GIF: a screen, then blocks that begin with a label.

use super::{MediaFault, Walk};

/// GIF89a 17: signature and version.
const HEADER: u64 = 6;
/// GIF89a 23: from its size to its end. Observed: not looked at.
const GRAPHIC_CONTROL: u64 = 6;

pub(super) fn fault(walk: &mut Walk<'_>) -> Option<MediaFault> {
    walk.at = HEADER;
    // 18: width, height, flags, background, aspect.
    let Some([.., flags, _, _]) = walk.take::<7>() else { return Some(MediaFault::GifTruncatedScreenDescriptor) };
    if walk.skip(colours(flags)).is_none() {
        return Some(MediaFault::GifTruncatedGlobalColorTable);
    }
    let mut images = 0_u64;
    while walk.goes_on() {
        let Some([label]) = walk.take::<1>() else {
            return (images == 0).then_some(MediaFault::GifMissingImageData);
        };
        let fault = match label {
            b'!' => extension(walk),
            b',' => image(walk),
            b';' => return None,
            _ => Some(MediaFault::GifUnknownBlockLabel),
        };
        if fault.is_some() {
            return fault;
        }
        images = images.saturating_add(u64::from(label == b','));
    }
    None
}

/// Bytes of a table of colours (18, 19).
fn colours(flags: u8) -> u64 {
    if flags & 0x80 == 0 { 0 } else { 3 << (u32::from(flags & 7) + 1) }
}

/// 20 to 22: the descriptor, the table of colours, the size of a code, the data.
fn image(walk: &mut Walk<'_>) -> Option<MediaFault> {
    let Some([.., flags]) = walk.take::<9>() else { return Some(MediaFault::GifTruncatedImageDescriptor) };
    let begun = walk.skip(colours(flags)).and_then(|()| walk.skip(1));
    let whole = begun.is_some() && blocks(walk, || MediaFault::GifTruncatedImageDataBlock).is_none();
    (!whole).then_some(MediaFault::GifTruncatedImageDataBlock)
}

/// 15: blocks of data, each behind its size, up to an empty one. Tells if one is cut off.
fn blocks(walk: &mut Walk<'_>, cut: impl Fn() -> MediaFault) -> Option<MediaFault> {
    while walk.goes_on() {
        match walk.take::<1>() {
            Some([0]) => return None,
            Some([size]) if walk.skip(u64::from(size)).is_some() => {}
            Some(_) => return Some(cut()),
            None => return Some(MediaFault::GifTruncatedExtension),
        }
    }
    None
}

/// 23 to 26
fn extension(walk: &mut Walk<'_>) -> Option<MediaFault> {
    match walk.take::<1>() {
        Some([0xf9]) => {
            walk.at = walk.at.saturating_add(GRAPHIC_CONTROL);
            None
        }
        Some(_) => blocks(walk, || MediaFault::GifTruncatedExtensionSubBlock),
        None => Some(MediaFault::GifTruncatedExtension),
    }
}
