//! The attributes of a logical signature (the field ClamAV calls TDB): `Engine:51-255,Target:1,FileSize:1-100`.
//!
//! `Target` must be there. `Engine` must come first if it is there, and must be there with a level of at least 51 for
//! every other key. Keys and kinds that nobody knows are meant for other engines.

use dachs_base::{FileKind, Target};
use dachs_sigdb::model::Condition;

use crate::level;
use crate::number::range;
use crate::refused::{Parsed, Refused};
use crate::target;

/// The kinds that ClamAV's signatures may name, without the prefix `CL_TYPE_`.
const KINDS: &str = " TEXT_ASCII TEXT_UTF8 TEXT_UTF16LE TEXT_UTF16BE BINARY_DATA IGNORED ANY MSEXE ELF MACHO MACHO_UNIBIN \
    POSIX_TAR OLD_TAR CPIO_OLD CPIO_ODC CPIO_NEWC CPIO_CRC GZ ZIP BZ RAR ARJ MSSZDD MSOLE2 MSCAB MSCHM SIS SCRENC GRAPHICS \
    GIF PNG JPEG TIFF RIFF BINHEX TNEF CRYPTFF PDF UUENCODED HTML_UTF16 SCRIPT RTF HTML MAIL SFX ZIPSFX RARSFX CABSFX \
    ARJSFX NULSFT AUTOIT ISHIELD_MSI 7Z 7ZSFX SWF ISO9660 JAVA DMG MBR GPT APM XAR PART_ANY PART_HFSPLUS XZ OOXML_WORD \
    OOXML_PPT OOXML_XL INTERNAL XDP XML_WORD XML_XL HWP3 XML_HWP HWPOLE2 OOXML_HWP PS MHTML LNK EGG EGGSFX UDF ALZ ONENOTE \
    PYTHON_COMPILED LHA_LZH ";

/// Names of ClamAV's for kinds that we do not tell apart.
const SAME: [(&str, FileKind); 17] = [
    ("7ZSFX", FileKind::SevenZip),
    ("ARJSFX", FileKind::Arj),
    ("CABSFX", FileKind::Cab),
    ("CPIO_CRC", FileKind::Cpio),
    ("CPIO_ODC", FileKind::Cpio),
    ("CPIO_OLD", FileKind::Cpio),
    ("EGGSFX", FileKind::Egg),
    ("HTML_UTF16", FileKind::Html),
    ("HWPOLE2", FileKind::Ole2),
    ("OLD_TAR", FileKind::Tar),
    ("RARSFX", FileKind::Rar),
    ("TEXT_UTF16BE", FileKind::Utf16),
    // What is an archive as well is taken apart as one by ClamAV too.
    ("ZIP", FileKind::OoxmlHwp),
    ("ZIP", FileKind::OoxmlPpt),
    ("ZIP", FileKind::OoxmlWord),
    ("ZIP", FileKind::OoxmlXl),
    ("ZIPSFX", FileKind::Zip),
];

/// What the attributes say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Which objects.
    pub(crate) target: Target,
    /// What else must hold of them.
    pub(crate) conditions: Vec<Condition>,
}

/// Reads the field.
///
/// # Errors
/// When it is malformed or not for us.
pub(crate) fn parse(text: &str) -> Parsed<Attributes> {
    let mut attributes = Reading::default();
    for (at, attribute) in text.split(',').enumerate() {
        let (key, value) = attribute
            .split_once(':')
            .ok_or_else(|| Refused::malformed(format!("attribute '{attribute}' is not of the form Key:Value")))?;
        attributes.key(at, key, value)?;
    }
    attributes.finish()
}

#[derive(Default)]
struct Reading {
    level: Option<u64>,
    target: Option<Target>,
    conditions: Vec<Condition>,
    needs_level: bool,
    needs_header: bool,
    icons: [Option<String>; 2],
}

impl Reading {
    fn key(&mut self, at: usize, key: &str, value: &str) -> Parsed<()> {
        self.needs_level |= !matches!(key, "Engine" | "Target");
        match key {
            "Engine" => self.engine(at, value)?,
            "Target" => self.target = Some(target::parse(value)?),
            "FileSize" => {
                let (from, to) = range(value, key)?;
                self.conditions.push(Condition::FileSize(from, to));
            }
            "EntryPoint" => {
                let (from, to) = range(value, key)?;
                self.needs_header = true;
                self.conditions.push(Condition::EntryPoint(from, to));
            }
            "NumberOfSections" => {
                let (from, to) = range(value, key)?;
                self.needs_header = true;
                self.conditions.push(Condition::NumberOfSections(from, to));
            }
            "Container" => self.conditions.push(container(value)?),
            "Intermediates" => self.conditions.push(intermediates(value)?),
            "HandlerType" => self.conditions.push(Condition::Handler(handler(kind(value)?))),
            "IconGroup1" => self.icons(0, value),
            "IconGroup2" => self.icons(1, value),
            _ => return Err(Refused::not_for_us("an unknown attribute")),
        }
        Ok(())
    }

    fn engine(&mut self, at: usize, value: &str) -> Parsed<()> {
        if at > 0 {
            return Err(Refused::malformed("the attribute Engine must come first"));
        }
        let (min, max) = range(value, "Engine")?;
        self.level = Some(min);
        level::require(min, Some(max))
    }

    fn icons(&mut self, which: usize, group: &str) {
        if let Some(place) = self.icons.get_mut(which) {
            *place = Some(group.to_owned());
        }
    }

    fn finish(self) -> Parsed<Attributes> {
        let target = self.target.ok_or_else(|| Refused::malformed("the attribute Target is missing"))?;
        if self.needs_level && self.level.is_none_or(|level| level < level::ATTRIBUTES) {
            let least = level::ATTRIBUTES;
            return Err(Refused::malformed(format!("attributes besides Target need Engine:{least}-255 or higher")));
        }
        if self.needs_header && !matches!(target, Target::Pe | Target::Elf | Target::MachO) {
            return Err(Refused::malformed("EntryPoint and NumberOfSections need an executable as target"));
        }
        let (mut conditions, [first, second]) = (self.conditions, self.icons);
        if first.is_some() || second.is_some() {
            if target != Target::Pe {
                return Err(Refused::malformed("IconGroup needs target 1"));
            }
            conditions.push(Condition::Icon(first, second));
        }
        Ok(Attributes { target, conditions })
    }
}

fn container(value: &str) -> Parsed<Condition> {
    let name = kind(value)?;
    Ok(known(name).map_or_else(|| Condition::Never(name.to_owned()), Condition::Container))
}

fn intermediates(value: &str) -> Parsed<Condition> {
    let mut layers = Vec::new();
    for name in value.split('>') {
        let name = kind(name)?;
        match known(name) {
            Some(kinds) => layers.push(kinds),
            None => return Ok(Condition::Never(name.to_owned())),
        }
    }
    Ok(Condition::Intermediates(layers))
}

/// The kinds of ours that a name stands for, none for any kind; absent if no object is of such a kind.
pub(crate) fn known(name: &str) -> Option<Vec<FileKind>> {
    let kinds = named(name);
    (name == "ANY" || !kinds.is_empty()).then_some(kinds)
}

/// As what an object is scanned again.
fn handler(name: &str) -> FileKind {
    principal(name).unwrap_or(FileKind::Data)
}

/// The kind of ours that a name stands for first of all.
pub(crate) fn principal(name: &str) -> Option<FileKind> {
    let kinds = named(name);
    let plain = [FileKind::Data, FileKind::Pe].into_iter().find(|kind| kinds.contains(kind));
    plain.or(kinds.first().copied())
}

/// The kinds that a name without its prefix stands for.
pub(crate) fn named(name: &str) -> Vec<FileKind> {
    let same = SAME.iter().filter(|(other, _)| *other == name).map(|(_, kind)| *kind);
    FileKind::ALL.iter().copied().filter(|kind| kind.cl_type() == name).chain(same).collect()
}

/// The name of a kind without its prefix.
///
/// # Errors
/// When it is none that is known.
pub(crate) fn kind(value: &str) -> Parsed<&str> {
    let name = value.strip_prefix("CL_TYPE_").filter(|name| !name.is_empty() && !name.contains(' '));
    let known = name.filter(|name| KINDS.contains(&format!(" {name} ")));
    known.ok_or_else(|| Refused::not_for_us("an unknown kind of container"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Parsed<Attributes> {
        parse(text)
    }

    #[test]
    fn conditions_are_read() {
        let text = "Engine:51-255,Target:1,FileSize:1-9,EntryPoint:2-3,NumberOfSections:4-5,Container:CL_TYPE_ZIP";
        let attributes = read(text).unwrap();
        assert_eq!(attributes.target, Target::Pe);
        let conditions = [
            Condition::FileSize(1, 9),
            Condition::EntryPoint(2, 3),
            Condition::NumberOfSections(4, 5),
            Condition::Container(named("ZIP")),
        ];
        assert_eq!(attributes.conditions, conditions);
        let any = read("Engine:51-255,Target:0,Container:CL_TYPE_ANY").unwrap();
        assert_eq!(any.conditions, [Condition::Container(Vec::new())]);
        let layers = read("Engine:51-255,Target:0,Intermediates:CL_TYPE_TAR>CL_TYPE_ANY>CL_TYPE_ZIP");
        assert!(matches!(layers, Err(Refused::NotForUs(_))));
        let layers = read("Engine:51-255,Target:0,Intermediates:CL_TYPE_GZ>CL_TYPE_ANY>CL_TYPE_ZIP").unwrap();
        let kinds = vec![vec![FileKind::Gzip], Vec::new(), named("ZIP")];
        assert_eq!(layers.conditions, [Condition::Intermediates(kinds)]);
        let cpio = read("Engine:51-255,Target:0,Container:CL_TYPE_CPIO_ODC").unwrap();
        assert_eq!(cpio.conditions, [Condition::Container(vec![FileKind::Cpio])]);
    }

    #[test]
    fn malformed_attributes_are_refused() {
        for text in [
            "",
            "Target",
            "Engine:51-255",
            "Target:a",
            "Target: 0",
            "Target:0 ",
            "Target:0,",
            "Target:0,,",
            "Target:0,Engine:51-255",
            "Engine:51,Target:0",
            "Engine:a-b,Target:0",
            "Target:0,FileSize:1-100",
            "Engine:50-255,Target:0,FileSize:1-2",
            "Engine:51-255,Target:0,FileSize:5",
            "Engine:51-255,Target:0,FileSize:a-b",
            "Engine:51-255,Target:0,FileSize:",
            "Engine:51-255,Target:0,EntryPoint:1-5",
            "Engine:51-255,Target:0,NumberOfSections:1-5",
            "Engine:51-255,Target:1,EntryPoint:EP+5",
            "Engine:51-255,Target:0,IconGroup1:x",
            "Engine:51-255,Target:0,Foo",
            "Engine:51-255,Target:0:1",
        ] {
            assert!(matches!(read(text), Err(Refused::Malformed(_))), "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn what_others_know_is_not_for_us() {
        for text in [
            "Target:15",
            "Foo:5",
            "target:0",
            "Engine:300-400,Target:0",
            "Engine:51-100,Target:0",
            "Engine:51-,Target:0",
            "Engine:51-255,Target:0,Container:ZIP",
            "Engine:51-255,Target:0,Container:CL_TYPE_NOPE",
            "Engine:51-255,Target:0,Container:",
            "Engine:51-255,Target:0,Intermediates:CL_TYPE_NOPE",
            "Engine:51-255,Target:0,HandlerType:x",
        ] {
            assert!(matches!(read(text), Err(Refused::NotForUs(_))), "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn documents_are_told_apart_and_are_archives_too() {
        let container =
            |name: &str| read(&format!("Engine:51-255,Target:0,Container:CL_TYPE_{name}")).unwrap().conditions;
        assert_eq!(container("OOXML_WORD"), [Condition::Container(vec![FileKind::OoxmlWord])]);
        assert_eq!(container("XML_WORD"), [Condition::Container(vec![FileKind::XmlWord])]);
        assert!(matches!(&container("ZIP")[..], [Condition::Container(kinds)] if kinds.contains(&FileKind::OoxmlXl)));
        assert_eq!(container("SCRENC"), [Condition::Container(vec![FileKind::EncodedScript])]);
        let layers = read("Engine:51-255,Target:0,Intermediates:CL_TYPE_ANY>CL_TYPE_SFX").unwrap();
        assert_eq!(layers.conditions, [Condition::Never("SFX".into())]);
    }

    #[test]
    fn handlers_and_icons_are_read() {
        let handler = read("Engine:51-255,Target:0,HandlerType:CL_TYPE_PDF").unwrap();
        assert_eq!(handler.conditions, [Condition::Handler(FileKind::Pdf)]);
        let icons = read("Engine:51-255,IconGroup2:y,Target:1,IconGroup1:x").unwrap();
        assert_eq!(icons.conditions, [Condition::Icon(Some("x".into()), Some("y".into()))]);
        let icon = read("Engine:51-255,Target:1,IconGroup2:y").unwrap();
        assert_eq!(icon.conditions, [Condition::Icon(None, Some("y".into()))]);
    }

    #[test]
    fn odd_attributes_are_accepted() {
        for text in [
            "Target:",
            "Engine:-255,Target:0",
            "Engine:51-255,FileSize:1-100,Target:0",
            "Target:0,Target:1",
            "Engine:51-255,Target:0,FileSize:100-5",
            "Engine:51-255,Target:0,FileSize:1-99999999999",
            "Engine:51-255,Target:0,FileSize:-5",
        ] {
            assert!(read(text).is_ok(), "{text}: {:?}", read(text));
        }
    }
}
