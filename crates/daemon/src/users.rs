//! Users and groups by name, as /etc/passwd and /etc/group have them. Users of services stand there.

use std::collections::HashMap;
use std::fs;
use std::sync::OnceLock;

/// Number and main group of a user.
pub(crate) fn user(name: &str) -> Option<(u32, u32)> {
    let text = fs::read_to_string("/etc/passwd").ok()?;
    let fields = line(&text, name)?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}

/// The number of a group.
pub(crate) fn group(name: &str) -> Option<u32> {
    let text = fs::read_to_string("/etc/group").ok()?;
    line(&text, name)?.get(2)?.parse().ok()
}

/// The name of the user of this number, or the number where there is none. Names are read once.
pub(crate) fn name_of(user: u32) -> Vec<u8> {
    static NAMES: OnceLock<HashMap<u32, String>> = OnceLock::new();
    let names = NAMES.get_or_init(|| names(&fs::read_to_string("/etc/passwd").unwrap_or_default()));
    names.get(&user).cloned().unwrap_or_else(|| user.to_string()).into_bytes()
}

fn names(text: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        // Of several names of one user the first counts.
        if let (Some(name), Some(Ok(number))) = (fields.next(), fields.nth(1).map(str::parse)) {
            names.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    names
}

fn line<'a>(text: &'a str, name: &str) -> Option<Vec<&'a str>> {
    text.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields.first() == Some(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known() {
        assert_eq!((user("root"), group("root")), (Some((0, 0)), Some(0)));
        assert_eq!(user("no such user"), None);
        assert_eq!((name_of(0), name_of(u32::MAX - 7)), (b"root".to_vec(), b"4294967288".to_vec()));
    }
}
