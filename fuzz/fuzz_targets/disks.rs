//! Hostile disk images.
//! Covers: iso9660, mapped, partitions.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::unpacking::as_disk(data));
