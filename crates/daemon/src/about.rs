//! What YARA rules may ask of a file besides its bytes: its path and its owner, as far as the service knows them.
//!
//! | came as | path | owner |
//! |---|---|---|
//! | a path (`SCAN` and its like) | the path | the file's |
//! | a descriptor (`FILDES`) | not known | the file's |
//! | bytes (`INSTREAM`) | not known | not known |
//! | a request of HTTP | the name that the client gives | not known |

use std::os::fd::AsFd;

use dachs_base::About;
use rustix::fs::fstat;

use crate::users::name_of;

/// What is known of an open file with this path, which is empty if it is not known.
pub(crate) fn of_file(path: &[u8], file: impl AsFd) -> About {
    let owner = fstat(file).map(|stat| name_of(stat.st_uid)).unwrap_or_default();
    About::new(path, &owner)
}

/// What is known of bytes to which a client gives a name.
pub(crate) fn of_name(name: &[u8]) -> About {
    About::new(name, b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_owners_and_names_have_not() {
        let file = tempfile::tempfile().unwrap();
        let about = of_file(b"/tmp/x", &file);
        assert!(about.path == b"/tmp/x" && !about.owner.is_empty());
        assert_eq!(of_name(b"x.exe"), About { path: b"x.exe".to_vec(), owner: Vec::new() });
    }
}
