//! What signatures need to know of an object besides its bytes.
//!
//! `dachs-formats` fills these in and `dachs-sigdb` reads them, so that the evaluation of signatures knows no format.
//! A fact that could not be found is absent, and whatever depends on it does not match.

/// Plain data about one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// File offset of the entry point, for executables.
    pub entry_point: Option<u64>,
    /// Sections in the order of the section table, for executables.
    pub sections: Vec<Section>,
    /// What it imports, for Portable Executables of 32 bits: `library.function` in lower case, joined by commas, in the
    /// order of the import table.
    pub imports: Option<Vec<u8>>,
}

/// One section of an executable, in file offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Where its bytes start in the file.
    pub offset: u64,
    /// How many bytes it has in the file.
    pub size: u64,
}
