//! A good image with changed bytes: used without a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::images::changed(data));
