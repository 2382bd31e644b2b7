//! YARA rules over hostile objects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::rules::evaluation(data));
