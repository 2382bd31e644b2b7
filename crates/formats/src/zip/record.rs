//! The records of a ZIP archive, as they stand in the file (APPNOTE 4.3).
//!
//! All numbers are little-endian. Nothing here is believed: a record that parses may still lie about everything.

use dachs_base::{Reader, Short};

/// `PK\3\4`, APPNOTE 4.3.7.
pub(super) const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// `PK\1\2`, APPNOTE 4.3.12.
pub(super) const CENTRAL: [u8; 4] = *b"PK\x01\x02";
/// `PK\5\6`, APPNOTE 4.3.16.
pub(super) const END: [u8; 4] = *b"PK\x05\x06";
/// `PK\6\6`, APPNOTE 4.3.14.
pub(super) const END64: [u8; 4] = *b"PK\x06\x06";
/// `PK\6\7`, APPNOTE 4.3.15.
pub(super) const LOCATOR64: [u8; 4] = *b"PK\x06\x07";
/// `PK\5\5`, APPNOTE 4.3.13.
pub(super) const DIGITAL_SIGNATURE: [u8; 4] = *b"PK\x05\x05";
/// `PK\7\8`: a data descriptor (APPNOTE 4.3.9.3), or the mark of a split archive (8.5.3).
pub(super) const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
/// `PK00`: the mark of an archive that was to be split but fitted into one volume (APPNOTE 8.5.4).
pub(super) const ONE_VOLUME: [u8; 4] = *b"PK00";

/// Length of a local header without its name and extra fields.
pub(super) const LOCAL_LENGTH: usize = 30;
/// Length of a central header without its name, extra fields and comment.
pub(super) const CENTRAL_LENGTH: usize = 46;
/// Length of an end record without its comment.
pub(super) const END_LENGTH: usize = 22;
/// Length of a zip64 end record of version 1.
pub(super) const END64_LENGTH: usize = 56;
/// Length of a zip64 locator.
pub(super) const LOCATOR64_LENGTH: usize = 20;

/// A 32-bit field that says: look into the zip64 extra field (APPNOTE 4.4.8).
const SEE_ZIP64: u64 = 0xFFFF_FFFF;
/// The zip64 extra field (APPNOTE 4.5.3).
const EXTRA_ZIP64: u16 = 1;
const FLAG_ENCRYPTED: u16 = 1;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_STRONG: u16 = 1 << 6;
const FLAG_MASKED: u16 = 1 << 13;
/// AE-x: the real method is hidden in an extra field (APPNOTE 4.4.5).
const METHOD_AES: u16 = 99;
/// The extra field of AE-x (APPNOTE 7.2.5; WinZip, "AES Encryption Information").
const EXTRA_AES: u16 = 0x9901;

/// What a header says about a member's data: the fields that local and central headers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) version: u16,
    pub(super) flags: u16,
    pub(super) method: u16,
    /// The time of the last change; with a data descriptor, part of it checks a password (APPNOTE 6.1.6).
    pub(super) time: u16,
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) length: u64,
    pub(super) name_length: u16,
    pub(super) extra_length: u16,
    /// What the extra field of AE-x says, if there is one.
    pub(super) aes: Option<AesField>,
}

/// The extra field of AE-x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AesField {
    /// 1 or 2. With 2 the checksum of the plain bytes is not stated.
    pub(super) version: u16,
    /// 1, 2 or 3 for keys of 128, 192 or 256 bits.
    pub(super) strength: u8,
    /// The real compression method.
    pub(super) method: u16,
}

impl Fields {
    /// Reads them from the version needed to the length of the extra fields, 26 bytes.
    fn read(reader: &mut Reader<'_>) -> Result<Fields, Short> {
        let (version, flags, method) = (reader.u16_le()?, reader.u16_le()?, reader.u16_le()?);
        let time = reader.u16_le()?;
        reader.skip(2)?; // date
        Ok(Fields {
            version,
            flags,
            method,
            time,
            crc: reader.u32_le()?,
            packed: u64::from(reader.u32_le()?),
            length: u64::from(reader.u32_le()?),
            name_length: reader.u16_le()?,
            extra_length: reader.u16_le()?,
            aes: None,
        })
    }

    /// True if the data cannot be read without a password.
    pub(super) fn encrypted(&self) -> bool {
        self.flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED) != 0 || self.method == METHOD_AES
    }

    /// True if it is encrypted in one of the two ways that are known: that of PKZIP 2 (APPNOTE 6.1), or AE-x.
    pub(super) fn can_be_opened(&self) -> bool {
        self.flags & (FLAG_STRONG | FLAG_MASKED) == 0 && (self.method != METHOD_AES || self.aes.is_some())
    }

    /// True if sizes and checksum follow the data (APPNOTE 4.3.9).
    pub(super) fn has_descriptor(&self) -> bool {
        self.flags & FLAG_DESCRIPTOR != 0
    }

    /// True if something must be looked up in the extra fields: a 64-bit value, or how AE-x encrypts.
    pub(super) fn needs_extra(&self) -> bool {
        self.packed == SEE_ZIP64 || self.length == SEE_ZIP64 || self.method == METHOD_AES
    }
}

/// A local header (APPNOTE 4.3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Local {
    pub(super) fields: Fields,
}

impl Local {
    /// Reads one that begins with its signature.
    pub(super) fn read(bytes: &[u8]) -> Option<Local> {
        let mut reader = Reader::new(bytes, "zip local header");
        let signature: [u8; 4] = reader.array().ok()?;
        let fields = Fields::read(&mut reader).ok()?;
        (signature == LOCAL).then_some(Local { fields })
    }

    /// How long it is with name and extra fields.
    pub(super) fn full_length(&self) -> u64 {
        30 + u64::from(self.fields.name_length) + u64::from(self.fields.extra_length)
    }

    /// Puts in what the extra fields of zip64 and AE-x say.
    pub(super) fn widen(&mut self, extra: &[u8]) {
        self.fields.aes = aes(extra);
        if let Some(mut wide) = zip64(extra) {
            replace(&mut self.fields.length, &mut wide);
            replace(&mut self.fields.packed, &mut wide);
        }
    }
}

/// A central header (APPNOTE 4.3.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Central {
    pub(super) fields: Fields,
    pub(super) comment_length: u16,
    pub(super) disk: u32,
    /// Where the local header stands, counted from the start of the archive.
    pub(super) offset: u64,
}

impl Central {
    /// Reads one that begins with its signature.
    pub(super) fn read(bytes: &[u8]) -> Option<Central> {
        let mut reader = Reader::new(bytes, "zip central header");
        let signature: [u8; 4] = reader.array().ok()?;
        reader.skip(2).ok()?; // version made by
        let fields = Fields::read(&mut reader).ok()?;
        let (comment_length, disk) = (reader.u16_le().ok()?, u32::from(reader.u16_le().ok()?));
        reader.skip(6).ok()?; // attributes
        let offset = u64::from(reader.u32_le().ok()?);
        (signature == CENTRAL).then_some(Central { fields, comment_length, disk, offset })
    }

    /// Puts in what the extra fields of zip64 and AE-x say: of zip64 only the values whose small fields are full, in this
    /// order.
    pub(super) fn widen(&mut self, extra: &[u8]) {
        self.fields.aes = aes(extra);
        if let Some(mut wide) = zip64(extra) {
            replace(&mut self.fields.length, &mut wide);
            replace(&mut self.fields.packed, &mut wide);
            replace(&mut self.offset, &mut wide);
            if self.disk == 0xFFFF {
                self.disk = wide.u32_le().unwrap_or(self.disk);
            }
        }
    }

    /// True if something must be looked up in the extra fields.
    pub(super) fn needs_extra(&self) -> bool {
        self.fields.needs_extra() || self.offset == SEE_ZIP64 || self.disk == 0xFFFF
    }
}

fn replace(value: &mut u64, wide: &mut Reader<'_>) {
    if *value == SEE_ZIP64 {
        *value = wide.u64_le().unwrap_or(*value);
    }
}

/// The content of the first zip64 extra field.
fn zip64(extra: &[u8]) -> Option<Reader<'_>> {
    field(extra, EXTRA_ZIP64)
}

/// The content of the first extra field of AE-x.
fn aes(extra: &[u8]) -> Option<AesField> {
    let mut reader = field(extra, EXTRA_AES)?;
    let version = reader.u16_le().ok()?;
    let vendor: [u8; 2] = reader.array().ok()?;
    let (strength, method) = (reader.u8().ok()?, reader.u16_le().ok()?);
    (vendor == *b"AE" && (1..=3).contains(&strength)).then_some(AesField { version, strength, method })
}

/// The content of the first extra field of a kind.
fn field(extra: &[u8], wanted: u16) -> Option<Reader<'_>> {
    let mut reader = Reader::new(extra, "zip extra field");
    loop {
        let (id, length) = (reader.u16_le().ok()?, reader.u16_le().ok()?);
        let field = reader.sub(u64::from(length), "zip extra field").ok()?;
        if id == wanted {
            return Some(field);
        }
    }
}

/// An end record (APPNOTE 4.3.16), or what the zip64 end record (4.3.14) says in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The number of this volume.
    pub(super) disk: u32,
    pub(super) entries: u64,
    pub(super) directory_size: u64,
    pub(super) directory_offset: u64,
}

impl End {
    /// Reads one that begins with its signature.
    pub(super) fn read(bytes: &[u8]) -> Option<End> {
        let mut reader = Reader::new(bytes, "zip end record");
        let signature: [u8; 4] = reader.array().ok()?;
        let disk = u32::from(reader.u16_le().ok()?);
        reader.skip(4).ok()?; // volume of the directory, entries on this volume
        let entries = u64::from(reader.u16_le().ok()?);
        let directory_size = u64::from(reader.u32_le().ok()?);
        let directory_offset = u64::from(reader.u32_le().ok()?);
        (signature == END).then_some(End { disk, entries, directory_size, directory_offset })
    }

    /// Reads a zip64 end record that begins with its signature.
    pub(super) fn read64(bytes: &[u8]) -> Option<End> {
        let mut reader = Reader::new(bytes, "zip64 end record");
        let signature: [u8; 4] = reader.array().ok()?;
        reader.skip(12).ok()?; // length, versions
        let disk = reader.u32_le().ok()?;
        reader.skip(12).ok()?; // volume of the directory, entries on this volume
        let (entries, directory_size) = (reader.u64_le().ok()?, reader.u64_le().ok()?);
        let directory_offset = reader.u64_le().ok()?;
        (signature == END64).then_some(End { disk, entries, directory_size, directory_offset })
    }
}

/// Where a zip64 locator (APPNOTE 4.3.15) says that the zip64 end record stands.
pub(super) fn read_locator64(bytes: &[u8]) -> Option<u64> {
    let mut reader = Reader::new(bytes, "zip64 locator");
    let signature: [u8; 4] = reader.array().ok()?;
    reader.skip(4).ok()?; // volume
    let offset = reader.u64_le().ok()?;
    (signature == LOCATOR64).then_some(offset)
}

/// A data descriptor (APPNOTE 4.3.9) of a member whose data takes `packed` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) crc: u32,
    pub(super) length: u64,
    /// How many bytes the descriptor takes.
    pub(super) size: u64,
}

impl Descriptor {
    /// How many bytes [`Descriptor::read`] wants to see: the longest descriptor, and what follows the shorter ones.
    pub(super) const LOOK_AT: usize = 28;

    /// The descriptor at the start of `bytes`, with or without signature, with 32-bit or 64-bit sizes: that one which
    /// states `packed`.
    pub(super) fn read(bytes: &[u8], packed: u64) -> Option<Descriptor> {
        let signed = bytes.strip_prefix(&DESCRIPTOR);
        let tries = [signed.map(|rest| (rest, 4)), Some((bytes, 0))];
        tries.into_iter().flatten().find_map(|(rest, size)| Descriptor::read_plain(rest, size, packed))
    }

    fn read_plain(bytes: &[u8], size: u64, packed: u64) -> Option<Descriptor> {
        let mut reader = Reader::new(bytes, "zip data descriptor");
        let crc = reader.u32_le().ok()?;
        let wide = Descriptor::read_wide(reader.clone(), crc, size).filter(|(stated, _)| *stated == packed);
        let narrow = Descriptor::read_narrow(&mut reader, crc, size).filter(|(stated, _)| *stated == packed);
        // A wide one looks like a narrow one of a member that is empty when unpacked. A record follows the right one.
        let record_follows = reader.is_empty() || reader.rest().starts_with(b"PK");
        let narrow_first = record_follows || wide.is_none();
        if narrow_first { narrow.or(wide) } else { wide }.map(|(_, descriptor)| descriptor)
    }

    fn read_narrow(reader: &mut Reader<'_>, crc: u32, size: u64) -> Option<(u64, Descriptor)> {
        let (packed, length) = (u64::from(reader.u32_le().ok()?), u64::from(reader.u32_le().ok()?));
        Some((packed, Descriptor { crc, length, size: size + 12 }))
    }

    fn read_wide(mut reader: Reader<'_>, crc: u32, size: u64) -> Option<(u64, Descriptor)> {
        let (packed, length) = (reader.u64_le().ok()?, reader.u64_le().ok()?);
        Some((packed, Descriptor { crc, length, size: size + 20 }))
    }
}
