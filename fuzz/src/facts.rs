//! Facts about executables: `formats::facts`, and all that it finds out only when asked.

use dachs_base::{Budget, Limits, Memory, NoClock, Source};
use std::sync::Arc;

/// Asks for every fact there is.
pub fn ask(data: &[u8]) {
    let source: Arc<dyn Source> = Arc::new(Memory::new(data));
    let limits = Limits { memory: 4 << 20, scan_size: 16 << 20, ..Limits::default() };
    let kind = dachs_formats::identify(&*source).kind;
    let facts = dachs_formats::facts(kind, &source, &Budget::new(limits, NoClock));
    let _ = (
        facts.imports.find(),
        facts.version_keys.find(),
        facts.picture.find(),
        facts.certificates.find(),
        facts.icons.find(),
    );
    let _ = facts.signature.find();
}
