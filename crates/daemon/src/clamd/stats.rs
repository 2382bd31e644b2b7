//! The answer to `STATS`, in clamd's form.

use crate::service::Service;

/// The text, without its end. There is one pool; what clamd tells of its heap is not known here.
pub(super) fn text(service: &Service) -> String {
    let (load, jobs) = (service.desk.load(), service.desk.setting().jobs);
    let busy = load.running.min(jobs);
    let size = service.desk.content().map_or(0, |content| content.facts.size);
    let pools = megabytes(size);
    format!(
        "POOLS: 1\n\nSTATE: VALID PRIMARY\nTHREADS: live {jobs}  idle {} max {jobs} idle-timeout {}\nQUEUE: {} items\n\n\
         MEMSTATS: heap N/A mmap N/A used N/A free N/A releasable N/A pools 1 pools_used {pools}M pools_total {pools}M\nEND",
        jobs - busy,
        service.settings.idle.as_secs(),
        load.waiting + load.running,
    )
}

/// With three digits after the point, as clamd has them.
fn megabytes(bytes: u64) -> String {
    let thousandths = (u128::from(bytes) * 1000) >> 20;
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}
