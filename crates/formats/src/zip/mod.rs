//! ZIP archives.

use std::sync::Arc;

use dachs_base::{Budget, Source};

use crate::{Item, Unpack};

/// Goes through the members of an archive.
pub(crate) fn open(source: &Arc<dyn Source>, budget: &Budget) -> Box<dyn Unpack> {
    let _ = (source, budget);
    Box::new(Nothing { told: false })
}

struct Nothing {
    told: bool,
}

impl Unpack for Nothing {
    fn next_item(&mut self) -> Option<Item> {
        let first = !std::mem::replace(&mut self.told, true);
        let anomaly = dachs_base::Anomaly::unsupported("ZIP archives cannot be opened yet");
        first.then_some(Item::Anomaly { member: None, anomaly })
    }
}
