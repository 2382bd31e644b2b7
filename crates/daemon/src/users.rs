//! Users and groups by name, as /etc/passwd and /etc/group have them. Users of services stand there.

use std::fs;

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
    }
}
