//! The engine that is built in keeps the contract of all engines. So does YARA-X: see `conformance/src/yara/yara_x.rs`.
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod contract;

#[test]
fn boreal_keeps_the_contract() {
    contract::check(|| Box::<dachs_rules::BorealCompiler>::default());
}
