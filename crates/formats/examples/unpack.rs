//! Unpacks files and prints how long their members are: `cargo run --release -p dachs-formats --example unpack -- FILE...`
//!
//! With `perf` or `time` it shows what unpacking alone costs.
#![allow(clippy::print_stdout, reason = "a tool for people")]

use dachs_base::{Budget, Limits, Memory, NoClock, Source};
use dachs_formats::{Item, Unpack, Unpacking, unpack};
use std::sync::Arc;

fn main() {
    for path in std::env::args().skip(1) {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let source: Arc<dyn Source> = Arc::new(Memory::new(bytes));
        let kind = dachs_formats::identify(&*source).kind;
        let budget = Budget::new(Limits::default(), NoClock);
        println!("{path}: {}", kind.label());
        let Unpacking::Members(mut unpacker) = unpack(kind, &source, &budget) else { continue };
        print_members(unpacker.as_mut());
    }
}

fn print_members(unpacker: &mut dyn Unpack) {
    while let Some(item) = unpacker.next_item() {
        match item {
            Item::Member(member) => {
                let length = read_all(member.source.as_ref());
                println!("  {length} bytes: {:?} {:?}", member.name, member.source.problem());
            }
            Item::Anomaly { member, anomaly } => println!("  {member:?}: {anomaly:?}"),
            _ => {}
        }
    }
}

fn read_all(source: &dyn Source) -> u64 {
    let mut buffer = vec![0; 256 * 1024];
    let mut at = 0;
    loop {
        match source.read_at(at, &mut buffer) {
            0 => return at,
            got => at += u64::try_from(got).unwrap_or(0),
        }
    }
}
