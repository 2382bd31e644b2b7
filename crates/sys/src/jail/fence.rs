//! Landlock: no file by name, no TCP, no abstract socket, no signal to the outside.

use super::Status;
use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr, RulesetError, Scope,
};

/// The newest version of which everything is asked for; the kernel gives what it knows.
const NEWEST: ABI = ABI::V7;

/// Denies everything that Landlock knows of.
pub(super) fn enter() -> Status {
    match restrict() {
        Ok(status) => told(&status),
        Err(error) => Status::off("landlock", error.to_string()),
    }
}

fn restrict() -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .restrict_self()
}

fn told(status: &RestrictionStatus) -> Status {
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => {
            Status::on("landlock", format!("version {} of the kernel's interface", effective_abi as i32))
        }
        LandlockStatus::NotEnabled => Status::off("landlock", "not enabled when the kernel started"),
        _ => Status::off("landlock", "not built into this kernel"),
    }
}
