//! ASAR, the archive of Electron programs (specification: the README of <https://github.com/electron/asar>).
//!
//! ```text
//! 4 (u32), size of the header (u32), size of the text + 4 (u32), size of the text (u32), JSON text, padding | files
//! JSON: {"files": {"name": {"files": {...}}, "name": {"offset": "123", "size": 45, "unpacked": true, "link": "..."}}}
//! ```
//!
//! Offsets count from behind the header. Files that are marked as unpacked stand beside the archive and are no members.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Charge, Name, Part, Reader, Source, read_vec_at};
use serde_json::{Map, Value};

use crate::{Found, Search, Unpack};

/// Memory for each byte of the text.
const MEMORY: u64 = 24;

/// Goes through the files of an archive.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    Box::new(Archive {
        source: Arc::clone(source),
        budget: budget.clone(),
        found: Found::new(budget),
        base: 0,
        folders: None,
        _memory: None,
    })
}

struct Archive {
    source: Arc<dyn Source>,
    budget: Budget,
    found: Found,
    /// Where offsets count from.
    base: u64,
    /// Folders whose files are being given, innermost last; absent until the header was read.
    folders: Option<Vec<Folder>>,
    _memory: Option<Charge>,
}

struct Folder {
    path: String,
    entries: serde_json::map::IntoIter,
}

impl Search for Archive {
    fn found(&mut self) -> &mut Found {
        &mut self.found
    }

    fn step(&mut self) -> Result<(), Anomaly> {
        let Some(folders) = self.folders.as_mut() else { return self.read_header() };
        let Some(folder) = folders.last_mut() else {
            self.found.end();
            return Ok(());
        };
        let Some((name, value)) = folder.entries.next() else {
            folders.pop();
            return Ok(());
        };
        let path = if folder.path.is_empty() { name } else { format!("{}/{name}", folder.path) };
        self.entry(path, value)
    }
}

impl Archive {
    fn read_header(&mut self) -> Result<(), Anomaly> {
        let bytes = read_vec_at(self.source.as_ref(), 0, 16);
        let mut reader = Reader::new(&bytes, "ASAR header");
        reader.skip(4)?;
        let size = u64::from(reader.u32_le()?);
        reader.skip(4)?;
        let length = u64::from(reader.u32_le()?);
        self._memory = Some(self.budget.reserve(length.saturating_mul(MEMORY))?);
        self.base = size.saturating_add(8);
        let text = read_vec_at(self.source.as_ref(), 16, usize::try_from(length).unwrap_or(0));
        let broken = || Anomaly::damaged("the list of files is broken");
        let value: Value = serde_json::from_slice(&text).map_err(|_| broken())?;
        let files = files(value).ok_or_else(broken)?;
        self.folders = Some(vec![Folder { path: String::new(), entries: files.into_iter() }]);
        Ok(())
    }

    fn entry(&mut self, path: String, value: Value) -> Result<(), Anomaly> {
        let offset = value.get("offset").and_then(Value::as_str).and_then(|offset| offset.parse::<u64>().ok());
        let size = value.get("size").and_then(Value::as_u64);
        if let (Some(offset), Some(size)) = (offset, size) {
            let part = Part::new(Arc::clone(&self.source), self.base.saturating_add(offset), size);
            return Ok(self.found.member(Name::new(path.as_bytes()), Arc::new(part), Some(size))?);
        }
        let elsewhere = value.get("unpacked").is_some() || value.get("link").is_some();
        match files(value) {
            Some(files) => {
                let folder = Folder { path, entries: files.into_iter() };
                self.folders.get_or_insert_default().push(folder);
            }
            None if elsewhere => {}
            None => self.found.remark(Some(Name::new(path.as_bytes())), Anomaly::damaged("its entry is broken")),
        }
        Ok(())
    }
}

fn files(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(mut object) => match object.remove("files") {
            Some(Value::Object(files)) => Some(files),
            _ => None,
        },
        _ => None,
    }
}
