//! The whole way of a file through `formats`: what it is, what it holds, and so on downwards.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::unpacking::everything(data));
