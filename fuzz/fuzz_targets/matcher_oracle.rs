//! Random patterns over random bytes: the matcher and the naive search must agree.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::matching::against_the_oracle(data));
