//! The signatures that are part of Dachs: `content/builtin`, in the formats that everybody can write.

use crate::Input;

/// The built-in set. Its names have no ending `.UNOFFICIAL`.
#[must_use]
pub fn builtin() -> Vec<Input> {
    vec![
        Input::built_in("builtin.hdb", include_str!("../../../content/builtin/builtin.hdb")),
        Input::built_in("builtin.ndb", include_str!("../../../content/builtin/builtin.ndb")),
        Input::built_in("builtin.ldb", include_str!("../../../content/builtin/builtin.ldb")),
    ]
}
