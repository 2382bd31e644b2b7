//! What content says besides signatures: how kinds are told, which parsers are off, which passwords are tried.
//!
//! It is little, so it stands in one section as `postcard` writes it, and is read when an image is opened.

use crate::ImageError;
use crate::layout::{Frame, Section, Writer};
use crate::model::{Magic, Password, Switch, Told};
use dachs_base::FileKind;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Bytes at the start of an object in which [`Magic`] is looked for.
const MAGIC_AREA: usize = 1024;
/// The same of a partition.
const PARTITION_AREA: usize = 4096;
/// More of each are refused.
const MOST: usize = 65_536;

/// The settings of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The last one added counts first.
    magic: Vec<Magic>,
    /// What patterns tell of kinds: the number of a signature, and that of its rule for any object. In the order of both.
    told: Vec<(u32, u32, Told)>,
    off: Vec<Switch>,
    passwords: Vec<Password>,
}

impl Settings {
    /// Adds a way to tell a kind. False if there are too many.
    pub(crate) fn add_magic(&mut self, magic: Magic) -> bool {
        add(&mut self.magic, magic)
    }

    /// Adds what a pattern tells, which is a rule for any object. False if there are too many.
    pub(crate) fn add_told(&mut self, signature: u32, rule: u32, told: Told) -> bool {
        add(&mut self.told, (signature, rule, told))
    }

    /// True if something may still be told by patterns.
    pub(crate) fn has_room_for_told(&self) -> bool {
        self.told.len() < MOST
    }

    /// What patterns tell of kinds: rules for any object.
    pub(crate) fn told(&self) -> impl Iterator<Item = (u32, &Told)> {
        self.told.iter().map(|(_, rule, told)| (*rule, told))
    }

    /// What a signature tells, if it is one that does.
    pub(crate) fn told_by(&self, signature: u32) -> Option<(u32, &Told)> {
        let at = self.told.binary_search_by_key(&signature, |(signature, ..)| *signature).ok()?;
        self.told.get(at).map(|(_, rule, told)| (*rule, told))
    }

    /// Adds a password. False if there are too many.
    pub(crate) fn add_password(&mut self, password: Password) -> bool {
        add(&mut self.passwords, password)
    }

    /// Switches something on or off.
    pub(crate) fn switch(&mut self, switch: Switch, on: bool) {
        self.off.retain(|off| *off != switch);
        if !on {
            self.off.push(switch);
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        if *self != Settings::default() {
            // Plain data is always written.
            let bytes = postcard::to_allocvec(self).unwrap_or_default();
            writer.section(Section::Settings, 0, |out| out.extend(bytes));
        }
    }

    pub(crate) fn read(frame: &Frame<'_>) -> Result<Arc<Settings>, ImageError> {
        let broken = ImageError::Section { section: Section::Settings.name(), reason: "they cannot be read" };
        let bytes = frame.bytes(Section::Settings, 0);
        if bytes.is_empty() {
            return Ok(Arc::default());
        }
        match postcard::take_from_bytes(bytes) {
            Ok((settings, [])) => Ok(Arc::new(settings)),
            _ => Err(broken),
        }
    }

    /// The kind that the first bytes of an object tell.
    pub(crate) fn kind_of(&self, head: &[u8], partition: bool) -> Option<FileKind> {
        let head = head.get(..Settings::magic_area(partition)).unwrap_or(head);
        let fits = |magic: &&Magic| {
            let rest = usize::try_from(magic.offset).ok().and_then(|offset| head.get(offset..));
            rest.is_some_and(|rest| rest.starts_with(&magic.bytes)) && magic.partition == partition
        };
        self.magic.iter().rev().find(fits).map(|magic| magic.kind)
    }

    /// How many bytes from the start of an object on magic is looked for.
    pub(crate) fn magic_area(partition: bool) -> usize {
        if partition { PARTITION_AREA } else { MAGIC_AREA }
    }

    /// True if there is magic at all.
    pub(crate) fn has_magic(&self) -> bool {
        !self.magic.is_empty()
    }

    /// True if something is switched off.
    pub(crate) fn is_off(&self, switch: Switch) -> bool {
        self.off.contains(&switch)
    }

    /// The passwords for archives of a kind.
    pub(crate) fn passwords(&self, kind: FileKind) -> Vec<&[u8]> {
        let wanted = |password: &&Password| password.containers.is_empty() || password.containers.contains(&kind);
        self.passwords.iter().filter(wanted).map(|password| password.bytes.as_slice()).collect()
    }
}

fn add<T>(list: &mut Vec<T>, item: T) -> bool {
    let room = list.len() < MOST;
    if room {
        list.push(item);
    }
    room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_magic_counts_first() {
        let mut settings = Settings::default();
        for (offset, bytes, kind) in [(0, "AB", FileKind::Zip), (2, "C", FileKind::Gzip), (0, "ABX", FileKind::Elf)] {
            settings.add_magic(Magic { offset, bytes: bytes.into(), kind, partition: false });
        }
        for (head, kind) in
            [("ABC", Some(FileKind::Gzip)), ("ABD", Some(FileKind::Zip)), ("ABX", Some(FileKind::Elf)), ("A", None)]
        {
            assert_eq!(settings.kind_of(head.as_bytes(), false), kind, "{head}");
            assert_eq!(settings.kind_of(head.as_bytes(), true), None, "{head}");
        }
    }

    #[test]
    fn what_was_switched_last_holds() {
        let mut settings = Settings::default();
        settings.switch(Switch::Kind(FileKind::Zip), false);
        settings.switch(Switch::Phishing, false);
        settings.switch(Switch::Phishing, true);
        assert!(settings.is_off(Switch::Kind(FileKind::Zip)) && !settings.is_off(Switch::Phishing));
    }

    #[test]
    fn passwords_are_for_their_kind() {
        let mut settings = Settings::default();
        settings.add_password(Password { containers: vec![FileKind::Zip], bytes: b"a".to_vec() });
        settings.add_password(Password { containers: vec![], bytes: b"b".to_vec() });
        assert_eq!(settings.passwords(FileKind::Zip), [b"a", b"b"]);
        assert_eq!(settings.passwords(FileKind::Rar), [b"b"]);
    }
}
