//! Hostile bytes as a container of signatures (`cvd`, `cud`).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::texts::container(data));
