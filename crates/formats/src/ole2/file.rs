//! An opened compound file: header, tables and directory, and the streams by number.

use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Source};

use super::chain::{Chain, Sectors, Table};
use super::directory::{Directory, Entry};
use super::header::Header;

/// Streams shorter than this stand in the mini-stream (MS-CFB 2.2). Files that say otherwise are read as they say.
const CUTOFF: u32 = 4096;

/// A compound file.
pub(super) struct File {
    pub(super) budget: Budget,
    pub(super) directory: Directory,
    sectors: Sectors,
    fat: Table,
    mini_sectors: Sectors,
    mini_fat: Table,
    cutoff: u64,
}

impl File {
    /// Reads what is needed to find streams; gives remarks about that as well.
    pub(super) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Result<(File, Vec<Anomaly>), Anomaly> {
        let header = Header::read(source.as_ref())?;
        let sectors = header.sectors(source);
        let mut fat = header.fat(&sectors, budget);
        let entries = fat.chain(&sectors, header.directory, None, budget);
        let directory = Directory::read(entries, header.version, budget);
        let root = directory.entry(0).filter(|root| root.size > 0);
        let mini_stream = match root {
            Some(root) => fat.chain(&sectors, root.start, Some(root.size), budget),
            None => Chain::empty(source),
        };
        let mini_fat = match mini_stream.is_empty() {
            false => Table::new(fat.chain(&sectors, header.mini_fat, None, budget)),
            true => Table::new(Chain::empty(source)),
        };
        let remarks = remarks(&header, &fat, &directory);
        let mini_sectors = header.mini_sectors(mini_stream);
        let cutoff = u64::from(header.cutoff);
        let file = File { budget: budget.clone(), directory, sectors, fat, mini_sectors, mini_fat, cutoff };
        Ok((file, remarks))
    }

    /// The stream that an entry describes.
    pub(super) fn stream(&mut self, entry: &Entry) -> Chain {
        let length = Some(entry.size);
        if entry.size < self.cutoff {
            self.mini_fat.chain(&self.mini_sectors, entry.start, length, &self.budget)
        } else {
            self.fat.chain(&self.sectors, entry.start, length, &self.budget)
        }
    }
}

fn remarks(header: &Header, fat: &Table, directory: &Directory) -> Vec<Anomaly> {
    let mut remarks = Vec::new();
    remarks.extend(fat.problem());
    remarks.extend(directory.problem());
    if directory.count() == 0 {
        remarks.push(Anomaly::damaged("it has no directory"));
    }
    if header.cutoff != CUTOFF {
        remarks.push(Anomaly::odd("its header moves the border between small and large streams"));
    }
    remarks
}
