//! Names of users, for rules that ask who owns a file.
//!
//! Read once from `/etc/passwd` (passwd(5)); users that only a directory service knows are told by their number.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;

use dachs_base::About;
use rustix::fd::AsFd;
use rustix::fs::fstat;

/// No more bytes of the list of users are read.
const LONGEST: u64 = 16 << 20;

/// Names of users by their number.
#[derive(Debug, Default)]
pub(crate) struct Owners(HashMap<u32, Vec<u8>>);

impl Owners {
    /// Those of this machine.
    pub(crate) fn read() -> Owners {
        let mut text = Vec::new();
        // Without the list all are told by their numbers.
        let _ = File::open("/etc/passwd").and_then(|file| file.take(LONGEST).read_to_end(&mut text));
        Owners::parse(&text)
    }

    fn parse(text: &[u8]) -> Owners {
        let user = |line: &[u8]| {
            let mut fields = line.split(|byte| *byte == b':');
            let name = fields.next()?.to_vec();
            let number = std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()?;
            Some((number, name))
        };
        let mut names = HashMap::new();
        // Of several names of one user the first counts.
        text.split(|byte| *byte == b'\n').filter_map(user).for_each(|(number, name)| {
            names.entry(number).or_insert(name);
        });
        Owners(names)
    }

    /// What is known of a file of this path.
    pub(crate) fn about(&self, path: &[u8], file: impl AsFd) -> About {
        let owner = fstat(file).map(|stat| self.name(stat.st_uid)).unwrap_or_default();
        About::new(path, &owner)
    }

    fn name(&self, user: u32) -> Vec<u8> {
        self.0.get(&user).cloned().unwrap_or_else(|| user.to_string().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names() {
        let owners = Owners::parse(b"root:x:0:0::/root:/bin/sh\n# odd\nalso:x:0:0\nbad:x:many\nlast:x:7:7");
        assert_eq!([0, 7, 8].map(|user| owners.name(user)), [&b"root"[..], b"last", b"8"]);
        let file = tempfile::tempfile().unwrap();
        let about = owners.about(b"/tmp/x", &file);
        assert_eq!(about.path, b"/tmp/x");
        assert!(!about.owner.is_empty());
    }
}
