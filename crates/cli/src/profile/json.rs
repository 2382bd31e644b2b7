//! A profile for a program: one JSON object.

use serde_json::{Value, json};

use super::Profile;

/// The profile with its slowest `top` rules. Fields are only ever added.
pub(crate) fn object(profile: &Profile, top: usize) -> Value {
    let rules = profile.rules.iter().take(top).map(|rule| {
        json!({
            "rule": rule.name,
            "source": rule.source,
            "nanoseconds": rule.nanoseconds,
            "longest": rule.longest,
            "share": profile.share(rule.nanoseconds),
            "hits": rule.hits,
        })
    });
    json!({
        "v": 1,
        "count": profile.rules.len(),
        "files": profile.files,
        "bytes": profile.bytes,
        "nanoseconds": profile.total(),
        "rules": rules.collect::<Vec<Value>>(),
        "gaps": profile.gaps,
    })
}
