//! The kinds of sources, told by the ending of a name alone, in either case.

use dachs_base::FileKind;

use crate::link::List;

/// What a source holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Digests of objects that are not to be detected.
    Allow,
    /// Body signatures, with target and offset.
    Body,
    /// Body signatures as name and bytes.
    BodyPlain,
    /// A program for ClamAV's virtual machine.
    Bytecode,
    /// Digests of files that somebody signed.
    Catalog,
    /// Certificates of signers.
    Certificate,
    /// Several sources in one file.
    Container(Form),
    /// Digests of whole objects.
    Hash,
    /// Digests of what executables import.
    HashOfImports,
    /// Digests of sections of executables.
    HashOfSection,
    /// Lines that are to be left out of other sources.
    IgnoreLines,
    /// Names that are to be left out of other sources.
    IgnoreNames,
    /// What icons look like.
    Icon,
    /// Digests in XML.
    Indicators,
    /// What is said of links in mails.
    Link(List),
    /// Logical signatures.
    Logical,
    /// How kinds of files are told.
    Magic,
    /// What archives say of their members.
    Member,
    /// What archives of one kind say of their members, in the form of old.
    MemberOld(FileKind),
    /// Passwords of archives.
    Password,
    /// What is switched off.
    Switch,
    /// YARA rules.
    Yara,
    /// Texts that belong to a container and hold no signatures.
    Paper,
}

/// The forms of containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `.cvd`: signed as a whole, and its list of members too.
    Cvd,
    /// `.cld`: written after an update; only its list of members is signed.
    Cld,
    /// `.cud`: not signed.
    Cud,
}

/// The kind of a source, and whether it is for unwanted programs only.
pub(crate) fn of(name: &str) -> Option<(Kind, bool)> {
    if name == "COPYING" {
        return Some((Kind::Paper, false));
    }
    let suffix = suffix(name);
    let kind = match suffix.as_str() {
        "fp" | "sfp" => Kind::Allow,
        "ndb" | "ndu" | "sdb" => Kind::Body,
        "db" => Kind::BodyPlain,
        "cvd" => Kind::Container(Form::Cvd),
        "cld" => Kind::Container(Form::Cld),
        "cud" => Kind::Container(Form::Cud),
        "hdb" | "hsb" | "hdu" | "hsu" => Kind::Hash,
        "imp" => Kind::HashOfImports,
        "mdb" | "mdu" | "msb" | "msu" => Kind::HashOfSection,
        "ign" => Kind::IgnoreLines,
        "ign2" => Kind::IgnoreNames,
        "ldb" | "ldu" => Kind::Logical,
        "cbc" => Kind::Bytecode,
        "cdb" => Kind::Member,
        "cfg" => Kind::Switch,
        "ftm" => Kind::Magic,
        "ioc" => Kind::Indicators,
        "pwdb" => Kind::Password,
        "rmd" => Kind::MemberOld(FileKind::Rar),
        "zmd" => Kind::MemberOld(FileKind::Zip),
        "gdb" => Kind::Link(List::Digests),
        "pdb" => Kind::Link(List::Listed),
        "wdb" => Kind::Link(List::Allowed),
        "crb" => Kind::Certificate,
        "idb" => Kind::Icon,
        "cat" => Kind::Catalog,
        "yar" | "yara" => Kind::Yara,
        "info" => Kind::Paper,
        _ => return None,
    };
    Some((kind, suffix.len() == 3 && suffix.ends_with("u") && suffix != "cud"))
}

/// The ending of a name, in lower case, without its dot.
pub(crate) fn suffix(name: &str) -> String {
    name.rsplit_once('.').map(|(_, suffix)| suffix.to_ascii_lowercase()).unwrap_or_default()
}

/// The name without an ending `.gz`, and whether there was one.
pub(crate) fn ungzipped(name: &str) -> (&str, bool) {
    match name.rsplit_once('.') {
        Some((stem, suffix)) if suffix.eq_ignore_ascii_case("gz") => (stem, true),
        _ => (name, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_decides() {
        assert_eq!(of("main.NDB"), Some((Kind::Body, false)));
        assert_eq!(of("daily.ndu"), Some((Kind::Body, true)));
        assert_eq!(of("a.b.cvd"), Some((Kind::Container(Form::Cvd), false)));
        assert_eq!(of("pdb"), None);
        assert_eq!(of("notes.txt"), None);
        assert_eq!(ungzipped("main.ldb.gz"), ("main.ldb", true));
    }

    #[test]
    fn only_kinds_for_unwanted_programs_end_with_u() {
        for suffix in ["hdu", "hsu", "mdu", "msu", "ndu", "ldu"] {
            assert!(of(&format!("x.{suffix}")).unwrap().1, "{suffix}");
        }
        for suffix in ["hdb", "cud", "ldb", "ign2"] {
            let unwanted = of(&format!("x.{suffix}")).unwrap().1;
            assert!(!unwanted, "{suffix}");
        }
    }
}
