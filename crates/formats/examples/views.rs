//! Writes the normalised forms of files, to be compared with those of another program:
//! `cargo run -p dachs-formats --example views -- FOLDER FILE...` writes `FOLDER/N-M`, the form M of file N.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dachs_base::{Budget, Limits, Memory, NoClock, Source, read_vec_at};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().unwrap_or_default();
    for (number, file) in arguments.enumerate() {
        write_forms(&folder, number, &file)?;
    }
    Ok(())
}

fn write_forms(folder: &Path, number: usize, file: &Path) -> std::io::Result<()> {
    let source: Arc<dyn Source> = Arc::new(Memory::new(std::fs::read(file)?));
    let budget = Budget::new(Limits::default(), NoClock);
    let kinds: Vec<_> = dachs_formats::identify(&*source).kinds().collect();
    let views = kinds.into_iter().flat_map(|kind| dachs_formats::views(kind, &source, &budget));
    for (form, view) in views.enumerate() {
        let bytes = read_vec_at(&*view.source, 0, 1 << 26);
        std::fs::write(folder.join(format!("{number}-{form}-{:?}", view.target)), bytes)?;
    }
    Ok(())
}
