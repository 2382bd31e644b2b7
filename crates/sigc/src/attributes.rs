//! The attributes of a logical signature (the field ClamAV calls TDB): `Engine:51-255,Target:1,FileSize:1-100`.
//!
//! `Target` must be there. `Engine` must come first if it is there, and must be there with a level of at least 51 for
//! every other key. Keys and kinds that nobody knows are meant for other engines.

use dachs_base::{FileKind, Target};
use dachs_sigdb::model::Condition;

use crate::level;
use crate::number::range;
use crate::refused::{Deferred, Parsed, Refused};
use crate::target;

/// The kinds that ClamAV's signatures may name, without the prefix `CL_TYPE_`.
const KINDS: &str = " TEXT_ASCII TEXT_UTF8 TEXT_UTF16LE TEXT_UTF16BE BINARY_DATA IGNORED ANY MSEXE ELF MACHO MACHO_UNIBIN \
    POSIX_TAR OLD_TAR CPIO_OLD CPIO_ODC CPIO_NEWC CPIO_CRC GZ ZIP BZ RAR ARJ MSSZDD MSOLE2 MSCAB MSCHM SIS SCRENC GRAPHICS \
    GIF PNG JPEG TIFF RIFF BINHEX TNEF CRYPTFF PDF UUENCODED HTML_UTF16 SCRIPT RTF HTML MAIL SFX ZIPSFX RARSFX CABSFX \
    ARJSFX NULSFT AUTOIT ISHIELD_MSI 7Z 7ZSFX SWF ISO9660 JAVA DMG MBR GPT APM XAR PART_ANY PART_HFSPLUS XZ OOXML_WORD \
    OOXML_PPT OOXML_XL INTERNAL XDP XML_WORD XML_XL HWP3 XML_HWP HWPOLE2 OOXML_HWP PS MHTML LNK EGG EGGSFX UDF ALZ ONENOTE \
    PYTHON_COMPILED LHA_LZH ";

/// Names of ClamAV's for kinds that we do not tell apart.
const SAME: [(&str, FileKind); 7] = [
    ("CPIO_CRC", FileKind::Cpio),
    ("CPIO_ODC", FileKind::Cpio),
    ("CPIO_OLD", FileKind::Cpio),
    ("HTML_UTF16", FileKind::Html),
    ("OLD_TAR", FileKind::Tar),
    ("TEXT_UTF16BE", FileKind::Utf16),
    ("GRAPHICS", FileKind::Bmp),
];

/// What the attributes say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Which objects.
    pub(crate) target: Target,
    /// What else must hold of them.
    pub(crate) conditions: Vec<Condition>,
}

/// Reads the field. What is not supported yet goes to `deferred`.
///
/// # Errors
/// When it is malformed or not for us.
pub(crate) fn parse(text: &str, deferred: &mut Deferred) -> Parsed<Attributes> {
    let mut attributes = Reading::default();
    for (at, attribute) in text.split(',').enumerate() {
        let (key, value) = attribute
            .split_once(':')
            .ok_or_else(|| Refused::malformed(format!("attribute '{attribute}' is not of the form Key:Value")))?;
        attributes.key(at, key, value, deferred)?;
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
    needs_icons: bool,
}

impl Reading {
    fn key(&mut self, at: usize, key: &str, value: &str, deferred: &mut Deferred) -> Parsed<()> {
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
            "Container" => self.conditions.extend(deferred.take(container(value))?),
            "Intermediates" => self.conditions.extend(deferred.take(intermediates(value))?),
            "HandlerType" => {
                kind(value)?;
                deferred.take::<()>(Err(unsupported(key)))?;
            }
            "IconGroup1" | "IconGroup2" => {
                self.needs_icons = true;
                deferred.take::<()>(Err(unsupported("IconGroup")))?;
            }
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

    fn finish(self) -> Parsed<Attributes> {
        let target = self.target.ok_or_else(|| Refused::malformed("the attribute Target is missing"))?;
        if self.needs_level && self.level.is_none_or(|level| level < level::ATTRIBUTES) {
            let least = level::ATTRIBUTES;
            return Err(Refused::malformed(format!("attributes besides Target need Engine:{least}-255 or higher")));
        }
        if self.needs_header && !matches!(target, Target::Pe | Target::Elf | Target::MachO) {
            return Err(Refused::malformed("EntryPoint and NumberOfSections need an executable as target"));
        }
        if self.needs_icons && target != Target::Pe {
            return Err(Refused::malformed("IconGroup needs target 1"));
        }
        Ok(Attributes { target, conditions: self.conditions })
    }
}

fn unsupported(key: &str) -> Refused {
    Refused::unsupported(format!("the attribute {key} is not supported yet"))
}

fn container(value: &str) -> Parsed<Condition> {
    kinds(value).map(Condition::Container)
}

fn intermediates(value: &str) -> Parsed<Condition> {
    let mut deferred = Deferred::default();
    let layers =
        value.split('>').map(|name| Ok(deferred.take(kinds(name))?.unwrap_or_default())).collect::<Parsed<_>>()?;
    deferred.finish()?;
    Ok(Condition::Intermediates(layers))
}

/// The kinds of ours that a name stands for; none for any kind.
fn kinds(value: &str) -> Parsed<Vec<FileKind>> {
    let name = kind(value)?;
    let kinds = named(name);
    if kinds.is_empty() && name != "ANY" {
        return Err(Refused::unsupported(format!("containers of kind CL_TYPE_{name} are not recognised yet")));
    }
    Ok(kinds)
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
        let mut deferred = Deferred::default();
        let attributes = parse(text, &mut deferred)?;
        deferred.finish()?;
        Ok(attributes)
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
            Condition::Container(vec![FileKind::Zip]),
        ];
        assert_eq!(attributes.conditions, conditions);
        let any = read("Engine:51-255,Target:0,Container:CL_TYPE_ANY").unwrap();
        assert_eq!(any.conditions, [Condition::Container(Vec::new())]);
        let layers = read("Engine:51-255,Target:0,Intermediates:CL_TYPE_TAR>CL_TYPE_ANY>CL_TYPE_ZIP");
        assert!(matches!(layers, Err(Refused::NotForUs(_))));
        let layers = read("Engine:51-255,Target:0,Intermediates:CL_TYPE_GZ>CL_TYPE_ANY>CL_TYPE_ZIP").unwrap();
        let kinds = vec![vec![FileKind::Gzip], Vec::new(), vec![FileKind::Zip]];
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
    fn what_is_not_there_yet_is_told() {
        for text in [
            "Engine:51-255,Target:0,Intermediates:CL_TYPE_ZIP>CL_TYPE_OOXML_WORD",
            "Engine:51-255,Target:0,HandlerType:CL_TYPE_PDF",
            "Engine:51-255,Target:1,IconGroup1:x",
            "Engine:51-255,Target:0,Container:CL_TYPE_OOXML_WORD",
        ] {
            assert!(matches!(read(text), Err(Refused::Unsupported(_))), "{text}: {:?}", read(text));
        }
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
