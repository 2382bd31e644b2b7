//! What a reader gives, for the tests of readers.

use dachs_base::{AnomalyKind, read_vec_at};

use crate::{Item, Unpack};

/// The members with their first 64 KiB, and the anomalies of the object and of its members.
pub(crate) type Seen = (Vec<(String, Vec<u8>)>, Vec<AnomalyKind>);

/// Takes all that a reader gives.
pub(crate) fn seen(unpack: &mut dyn Unpack) -> Seen {
    let (mut members, mut anomalies) = (Vec::new(), Vec::new());
    while let Some(item) = unpack.next_item() {
        match item {
            Item::Member(member) => {
                let name = String::from_utf8_lossy(member.name.as_bytes()).into_owned();
                members.push((name, read_vec_at(&*member.source, 0, 1 << 16)));
                member.source.len();
                anomalies.extend(member.source.problem().map(|problem| problem.kind));
            }
            Item::Anomaly { anomaly, .. } => anomalies.push(anomaly.kind),
            Item::Heuristic(_) | Item::Embedded(_) | Item::Also(_) | Item::Meta(_) => {}
        }
    }
    (members, anomalies)
}
