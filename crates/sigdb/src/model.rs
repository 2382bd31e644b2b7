//! Signatures as plain data: what the readers of texts hand to [`crate::Builder`], and what [`crate::Image`] gives back
//! to explain a signature to a person.

use dachs_base::{Digests, FileKind, Icon, Target};
pub use dachs_matcher::pattern::{Element, Mark, Pattern};
use serde::{Deserialize, Serialize};

/// Where signatures came from: one file, or one member of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceInfo {
    /// The file's name as shown in reports: `main.hdb`, `daily.cvd/daily.ndb`.
    pub name: String,
    /// When it was made, in seconds since 1970, if the source says so.
    pub time: Option<u64>,
    /// Its version, if the source says so.
    pub version: Option<u32>,
    /// True if it came from a container whose digital signature was verified.
    pub official: bool,
}

/// A digest of a whole object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digest {
    /// MD5, RFC 1321.
    Md5([u8; 16]),
    /// SHA-1, FIPS 180-4.
    Sha1([u8; 20]),
    /// SHA-256, FIPS 180-4.
    Sha256([u8; 32]),
}

/// Matches an object, or a [`Scope`] of it, as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HashRule {
    /// The digest.
    pub digest: Digest,
    /// The size of what is digested; absent for any.
    pub size: Option<u64>,
}

/// What a digest is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The list of what an executable imports, as text ([`dachs_base::Facts::imports`]).
    Imports,
    /// A whole object.
    Object,
    /// One section of an executable ([`dachs_base::Facts::sections`]).
    Section,
}

/// One rule, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// One pattern (`.ndb`).
    Body(BodyRule),
    /// A revoked certificate (`.crb`).
    Certificate(CertificateRule),
    /// A whole-object digest (`.hdb`, `.hsb`).
    Hash(HashRule),
    /// A digest of a list of imports (`.imp`).
    Imports(HashRule),
    /// A pattern that tells a kind of files (`.ftm`, mode 1). It detects nothing.
    Kind(KindRule),
    /// Several patterns and an expression over them (`.ldb`).
    Logical(LogicalRule),
    /// What an archive says of a member (`.cdb`, `.zmd`, `.rmd`).
    Member(MemberRule),
    /// A digest of one section of an executable (`.mdb`, `.msb`).
    Section(HashRule),
    /// A YARA rule (`.yar`, `.yara`).
    Yara(YaraRule),
}

/// What people are told of a YARA rule besides its name. The rule itself is text ([`YaraText`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct YaraRule {
    /// Its tags, in order.
    pub tags: Vec<String>,
    /// Its metadata, in order. Names may come more than once.
    pub metadata: Vec<(String, MetadataValue)>,
    /// The names of its strings with their `$`, in order; nameless ones are `$`.
    pub strings: Vec<String>,
}

/// A value in the metadata of a YARA rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataValue {
    /// A text.
    Text(String),
    /// A number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
}

/// The text of one YARA rule, or of an import, that is known to compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YaraText<'a> {
    /// The source it stands in. Rules see only the rules of their own source.
    pub source: u32,
    /// Which objects it can match at all, as `dachs_rules` numbers them; 0 for any.
    pub gate: u8,
    /// The text.
    pub text: &'a str,
}

/// What an archive says of a member. Ranges are inclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRule {
    /// The archive is of one of these kinds; none for any.
    pub containers: Vec<FileKind>,
    /// The archive's size.
    pub container_size: (u64, u64),
    /// Found in the member's name: an expression in the syntax of the crate `regex`, over bytes, where `.` is any. Absent
    /// for any name.
    pub name: Option<String>,
    /// The member's size in the archive.
    pub packed: (u64, u64),
    /// The member's size.
    pub length: (u64, u64),
    /// Whether it is encrypted; absent for either.
    pub encrypted: Option<bool>,
    /// Its number in the archive.
    pub position: (u64, u64),
}

/// A certificate of a signer that was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRule {
    /// SHA-1 of the contents of its subject.
    pub subject: [u8; 20],
    /// SHA-1 of the contents of its serial number; absent for any.
    pub serial: Option<[u8; 20]>,
    /// The modulus of its key, the highest byte first, without zeros before it.
    pub modulus: Vec<u8>,
}

/// A certificate whose owner, or those it vouches for, make programs that are not to be detected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustRule {
    /// Which one.
    pub certificate: CertificateRule,
    /// What it signs may be code.
    pub code: bool,
    /// It vouches for other certificates.
    pub certificates: bool,
    /// What it signs may be when something was signed.
    pub time: bool,
}

/// What somebody signed, by its digests (`.cat`). The signature is right; whether anybody of the chain is trusted is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogRule {
    /// Certificates in DER: the signer's, then each that signed the one before it.
    pub chain: Vec<Vec<u8>>,
    /// When it was signed, and who says so, in the same form; absent if nobody does.
    pub stamp: Option<(i64, Vec<Vec<u8>>)>,
    /// Digests that a signature of a program would be over.
    pub programs: DigestList,
    /// Digests of whole files.
    pub files: DigestList,
}

/// Digests of the same things.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestList {
    /// SHA-1, sorted.
    pub sha1: Vec<[u8; 20]>,
    /// SHA-256, sorted.
    pub sha256: Vec<[u8; 32]>,
}

impl DigestList {
    /// Sorts the digests, each once.
    pub fn sort(&mut self) {
        self.sha1.sort_unstable();
        self.sha1.dedup();
        self.sha256.sort_unstable();
        self.sha256.dedup();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sha1.len().saturating_add(self.sha256.len())
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sha1.is_empty() && self.sha256.is_empty()
    }

    /// True if one of these is among them.
    pub(crate) fn holds(&self, digests: &Digests) -> bool {
        self.sha1.binary_search(&digests.sha1).is_ok() || self.sha256.binary_search(&digests.sha256).is_ok()
    }
}

/// What icons of a group look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IconRule {
    /// Its groups.
    pub groups: [String; 2],
    /// How it was measured.
    pub icon: Icon,
}

/// What a list says of links in mails. Hosts are in lower case; expressions are in the syntax of the crate `regex`, about
/// `where it leads:what it shows/`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkRule {
    /// A link to this host, or one below it, may show that host (`M:`).
    AllowedHosts {
        /// Where it leads.
        real: String,
        /// What it shows.
        shown: String,
    },
    /// Links that lead to such addresses are not suspicious (`Y:`).
    AllowedAddress(String),
    /// Such links are not suspicious (`X:`).
    AllowedPair(String),
    /// Addresses with this SHA-256 (`S:`, `S1:`, `S2:`).
    Digest {
        /// The digest.
        digest: Vec<u8>,
        /// What is said of them.
        says: DigestSays,
    },
    /// Links that show this host, or one below it, must lead there (`H:`).
    Host(String),
    /// Such links must lead where they show (`R:`).
    Pair(String),
}

/// What a list says of addresses with a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DigestSays {
    /// This digest does not count, whatever else is said of it (`W`).
    Allowed,
    /// They are blocked (`S1:F`).
    Blocked,
    /// They lead to malware (`S:F`).
    Malware,
    /// They are made to catch passwords (`S2:F`).
    Phishing,
}

/// How a kind of files is told: these bytes stand at this offset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Magic {
    /// Where; only the first KiB of a file counts, and the first four of a partition.
    pub offset: u64,
    /// What.
    pub bytes: Vec<u8>,
    /// The kind.
    pub kind: FileKind,
    /// It is of partitions, in images of disks, and of nothing else.
    pub partition: bool,
}

/// How a kind of files is told by a pattern somewhere in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindRule {
    /// What, and where.
    pub body: BodyRule,
    /// What is told by it.
    pub told: Told,
}

/// What a pattern tells of the kind of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Of objects of these kinds; none for all.
    pub from: Vec<FileKind>,
    /// The kind.
    pub kind: FileKind,
    /// What is of that kind.
    pub what: TellsOf,
}

/// What a pattern tells the kind of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TellsOf {
    /// The object, if the pattern stands in its first KiB.
    Beginning,
    /// The object, wherever it stands.
    Object,
    /// What begins where the pattern does, in the midst of the object.
    Rest,
}

/// Something that content can switch off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Switch {
    /// Looking into objects of a kind.
    Kind(FileKind),
    /// The check of addresses in mails.
    Phishing,
}

/// A password that is tried on encrypted archives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password {
    /// The kinds of archives; none for all.
    pub containers: Vec<FileKind>,
    /// The password.
    pub bytes: Vec<u8>,
}

/// One pattern in objects of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyRule {
    /// Which objects.
    pub target: Target,
    /// Where in them.
    pub offset: Offset,
    /// What.
    pub pattern: Pattern,
}

/// Where a match must start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offset {
    /// From where it is counted.
    pub base: OffsetBase,
    /// How many bytes after the base it may start at the latest; 0 for exactly there. Ignored for [`OffsetBase::Any`].
    pub shift: u32,
}

impl Offset {
    /// Anywhere.
    pub const ANY: Offset = Offset { base: OffsetBase::Any, shift: 0 };
}

/// From where an [`Offset`] is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OffsetBase {
    /// `n`: from the object's start.
    Absolute(u64),
    /// `*`: anywhere.
    Any,
    /// `EOF-n`: before the object's end.
    End(u64),
    /// `EP+n`, `EP-n`: from the entry point.
    EntryPoint(i64),
    /// `$n$`: anywhere, as a member of a group of patterns that [`Subsignature::Macro`] asks for. A body signature at
    /// such an offset says nothing by itself.
    Group(u8),
    /// `SL+n`: from the start of the last section.
    LastSection(u64),
    /// `Sx+n`: from the start of section `x`.
    Section {
        /// Which section, from 0.
        index: u32,
        /// How far from its start.
        offset: u64,
    },
    /// `VI`: at the key of a string in the version information ([`dachs_base::Facts::version_keys`]).
    VersionKey,
    /// `SEx`: anywhere in section `x`.
    WithinSection(u32),
}

/// Several patterns and an expression over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogicalRule {
    /// Which objects.
    pub target: Target,
    /// What else must hold of the object.
    pub conditions: Vec<Condition>,
    /// How the subsignatures must come together.
    pub expression: Expression,
    /// The subsignatures, by number.
    pub subsignatures: Vec<Subsignature>,
}

/// One subsignature of a [`LogicalRule`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subsignature {
    /// A pattern; fulfilled where any of `patterns` is found. There are two where a signature asks for a string both as
    /// it is and in 16-bit characters.
    Body {
        /// Where.
        offset: Offset,
        /// The patterns, at least one.
        patterns: Vec<Pattern>,
    },
    /// A number that stands in the object near the last match of another subsignature (`byte_compare`).
    Compare(Compare),
    /// A member of a group of patterns, from `min` to `max` bytes behind the start of a match of the subsignature before
    /// this one (`${min-max}group$`).
    Macro {
        /// At least so far behind.
        min: u64,
        /// At most so far.
        max: u64,
        /// Which group: the patterns of the same target at [`OffsetBase::Group`].
        group: u8,
    },
    /// What the picture looks like ([`dachs_base::Facts::picture`]).
    Picture(u64),
    /// A regular expression, tried once the object was read to its end and `trigger` holds.
    Regex {
        /// Where.
        offset: Offset,
        /// Over the subsignatures before this one.
        trigger: Expression,
        /// What.
        regex: Regex,
    },
}

/// A number that stands in the object, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    /// The subsignature from whose last match the place is counted: one of patterns, or this never holds.
    pub id: u8,
    /// How many bytes after the start of that match the number stands; the object's first byte is no such place.
    pub distance: i64,
    /// How the number is written.
    pub form: NumberForm,
    /// How many bytes it has.
    pub length: u32,
    /// The comparisons that must all hold, one or two.
    pub comparisons: Vec<(Comparison, i64)>,
}

/// How a number is written in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberForm {
    /// In no way that there is: the comparison never holds.
    None,
    /// As bytes.
    Raw {
        /// The lowest byte comes first.
        little: bool,
    },
    /// As text.
    Text {
        /// In which digits.
        digits: Digits,
        /// The pairs of hexadecimal digits stand in the opposite order.
        little: bool,
        /// All bytes belong to the number; otherwise it may begin with blanks and end early.
        exact: bool,
    },
}

/// The digits of a number that is written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digits {
    /// Hexadecimal behind `0x`, else decimal.
    Auto,
    /// Decimal.
    Decimal,
    /// Hexadecimal, with or without `0x`.
    Hexadecimal,
}

/// A regular expression in the syntax of PCRE, over bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regex {
    /// The expression, without slashes.
    pub text: String,
    /// Letters: `g` all matches count, `r` a match may start behind the offset, `e` it must end within the shift, `i` in
    /// either case, `s` `.` is any byte, `m` `^` and `$` are about lines, `x` blanks are ignored, `A` a match starts where
    /// the search does, `E` `$` is the very end, `U` repetitions are lazy.
    pub flags: String,
}

/// A condition on the object. Ranges are inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// The object was unpacked from an object of one of these kinds (`Container`); an empty list asks for an object that
    /// was not unpacked from any (`CL_TYPE_ANY`).
    Container(Vec<FileKind>),
    /// The objects around the object are of these kinds, outermost first and ending with the one that it was unpacked
    /// from; there may be more around those. An empty list stands for any kind (`Intermediates`).
    Intermediates(Vec<Vec<FileKind>>),
    /// The entry point's file offset (`EntryPoint`).
    EntryPoint(u64, u64),
    /// The object's size (`FileSize`).
    FileSize(u64, u64),
    /// The object is to be scanned again as one of this kind, inside of itself; the signature is fulfilled where that
    /// fulfils it again (`HandlerType`).
    Handler(FileKind),
    /// One of its icons is like one of these groups, as sources of icons name them; absent or `*` for any (`IconGroup1`,
    /// `IconGroup2`).
    Icon(Option<String>, Option<String>),
    /// It is inside of an object of a kind, by ClamAV's name, that no object has (`Container`, `Intermediates`).
    Never(String),
    /// How many sections it has (`NumberOfSections`).
    NumberOfSections(u64, u64),
}

/// How the subsignatures of a [`LogicalRule`] come together, after the precedence quirks of the source were resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// All of them.
    And(Vec<Expression>),
    /// `(block) cmp n,m`: the sum of the counts of the subsignatures that made the block true, 0 if it is false,
    /// compared with `count`; and at least `distinct` different subsignatures contributed.
    Block {
        /// The block.
        inner: Box<Expression>,
        /// The comparison.
        comparison: Comparison,
        /// With what.
        count: u32,
        /// How many different subsignatures must have contributed; 0 for no such demand.
        distinct: u32,
    },
    /// `id cmp n`: the number of matches of one subsignature. A bare id is `id > 0`.
    Count {
        /// Which subsignature.
        id: u8,
        /// The comparison.
        comparison: Comparison,
        /// With what.
        count: u32,
    },
    /// Any of them.
    Or(Vec<Expression>),
}

/// How a count is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `>`
    Greater,
    /// `<`
    Less,
}
