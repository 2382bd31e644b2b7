//! Drives one fuzz target with libFuzzer, which follows the code that inputs reach. The target is named by the environment:
//! `DACHS_FUZZ=zip guided -max_total_time=60 corpus/zip`. `fuzz/run` builds and calls it.
//!
//! One executable serves all targets: each alone would have to be linked with everything.
#![no_main]
#![forbid(unsafe_code)]

use std::sync::LazyLock;

use dachs_fuzz::targets::{ALL, Target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("DACHS_FUZZ").unwrap_or_default();
    let known = || ALL.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    let target = ALL.iter().find(|target| target.name == name);
    target.unwrap_or_else(|| panic!("DACHS_FUZZ={name} is no target; there are {}", known()))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (TARGET.run)(data));
