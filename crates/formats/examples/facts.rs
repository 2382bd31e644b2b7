//! Prints what signatures could ask of files: `cargo run -p dachs-formats --example facts -- FILE...`
#![allow(clippy::print_stdout, reason = "a tool for people")]

use dachs_base::{Budget, Limits, Memory, NoClock, Source};
use md5::{Digest, Md5};
use std::sync::Arc;

fn main() {
    for path in std::env::args().skip(1) {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
        let kind = dachs_formats::identify(&*source).kind;
        let facts = dachs_formats::facts(kind, &source, &Budget::new(Limits::default(), NoClock));
        println!("{path}: {}", kind.label());
        println!("  entry {:x?} sections {:x?}", facts.entry_point, facts.sections);
        if let Ok(Some(imports)) = facts.imports.find() {
            let digest: String = Md5::digest(imports).iter().map(|byte| format!("{byte:02x}")).collect();
            println!("  imports {digest}:{}", imports.len());
        }
        if let Ok(Some(certificates)) = facts.certificates.find() {
            certificates.iter().for_each(|certificate| println!("  certificate {:x?}", certificate.subject));
        }
        if let Ok(Some(hash)) = facts.picture.find() {
            println!("  picture {hash:016x}");
        }
        if let Ok(Some(keys)) = facts.version_keys.find() {
            println!("  version {keys:x?}");
        }
    }
}
