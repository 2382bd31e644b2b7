//! Hostile disk images.
//! Covers: dmg, ext, fat, hfsplus, iso9660, mapped, ntfs, partitions, squashfs, udf, wim.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::unpacking::as_disk(data));
