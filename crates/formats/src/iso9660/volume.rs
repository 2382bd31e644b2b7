//! Volume descriptors, and the boot catalog.

use std::collections::VecDeque;

use dachs_base::{Reader, Short, Source, read_vec_at};

use super::record::{self, Root};

const SECTOR: u64 = 2048;
/// Descriptors that are read.
const MOST: u64 = 64;

/// What a descriptor leads to.
pub(super) enum Volume {
    /// A tree of directories, and how many bytes the volume has.
    Tree { root: Root, joliet: bool, size: u64 },
    /// An image that a computer starts from (El Torito 1.0).
    Boot { place: u64, size: u64 },
    /// Nothing: why.
    Broken(&'static str),
}

/// All descriptors: trees first, then boot images.
pub(super) fn volumes(disc: &dyn Source) -> VecDeque<Volume> {
    let (mut trees, mut boots) = (VecDeque::new(), Vec::new());
    for sector in 16..16 + MOST {
        let bytes = read_vec_at(disc, sector * SECTOR, 2048);
        if bytes.get(1..6) != Some(b"CD001") {
            break;
        }
        match bytes.first() {
            Some(0) => boots.extend(boot_images(disc, &bytes)),
            Some(1 | 2) => {
                let tree = tree(&bytes).unwrap_or(Volume::Broken("a volume descriptor is cut off"));
                trees.push_back(tree);
            }
            Some(255) => break,
            _ => {}
        }
    }
    if trees.is_empty() {
        trees.push_back(Volume::Broken("the disc has no volume descriptor"));
    }
    trees.extend(boots);
    trees
}

/// 8.4, 8.5.
fn tree(bytes: &[u8]) -> Result<Volume, Short> {
    let mut reader = Reader::new(bytes, "volume descriptor");
    reader.skip(80)?;
    let sectors = u64::from(reader.u32_le()?);
    reader.skip(4)?;
    let escapes = reader.take(32)?;
    let joliet = escapes.starts_with(b"%/@") || escapes.starts_with(b"%/C") || escapes.starts_with(b"%/E");
    reader.skip(36)?;
    let root = record::root(reader.take(34)?)?;
    Ok(Volume::Tree { root, joliet, size: sectors.saturating_mul(SECTOR) })
}

/// El Torito 1.0: the descriptor names the catalog; its entries name images by sector and by sectors of 512 bytes.
fn boot_images(disc: &dyn Source, descriptor: &[u8]) -> Vec<Volume> {
    let mut reader = Reader::new(descriptor, "boot record");
    let is_boot = reader.skip(7).and_then(|()| reader.take(23)).is_ok_and(|name| name == b"EL TORITO SPECIFICATION");
    let place = reader.skip(41).and_then(|()| reader.u32_le());
    let (true, Ok(place)) = (is_boot, place) else { return Vec::new() };
    let catalog = read_vec_at(disc, u64::from(place).saturating_mul(SECTOR), 2048);
    catalog.chunks_exact(32).skip(1).filter_map(|entry| boot_image(entry).ok().flatten()).collect()
}

fn boot_image(entry: &[u8]) -> Result<Option<Volume>, Short> {
    let mut reader = Reader::new(entry, "boot catalog entry");
    let (bootable, media) = (reader.u8()?, reader.u8()? & 0x0f);
    reader.skip(4)?;
    let (count, place) = (u64::from(reader.u16_le()?), u64::from(reader.u32_le()?));
    // Emulated floppies have the size of the floppy.
    let size = match media {
        1 => 1_228_800,
        2 => 1_474_560,
        3 => 2_949_120,
        _ => count.saturating_mul(512),
    };
    Ok((bootable == 0x88).then(|| Volume::Boot { place: place.saturating_mul(SECTOR), size }))
}
