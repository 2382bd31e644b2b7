//! Hostile carriers of other files.
//! Covers: asar, chm, lnk, onenote, postscript, rar, rpm, swf, xar, xmldoc, lzop, warc, cryptff, hwp3.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::unpacking::as_carrier(data));
