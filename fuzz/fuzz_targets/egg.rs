//! Hostile EGG archives.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::unpacking::as_kind(dachs_fuzz::FileKind::Egg, data));
