//! Hostile scripts encoded for Microsoft's engines.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::unpacking::as_kind(dachs_fuzz::FileKind::EncodedScript, data));
