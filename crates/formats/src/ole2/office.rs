//! What the streams of Office documents say of themselves: encryption, and sheets with macros of the old kind.
//!
//! Only the first records are looked at. The bytes of an encrypted document are given as they are, and the document is told
//! as encrypted.

use std::io::Read;
use std::sync::Arc;

use dachs_base::{Anomaly, Budget, Reader, Short, Source, read_vec_at};

use crate::stream::SourceRead;

/// MS-DOC 2.5.2: the first number of a document, and the flag fEncrypted.
const WORD: u16 = 0xa5ec;
const ENCRYPTED: u16 = 0x0100;
/// MS-PPT 2.3.2: what begins the atom of an encrypted presentation.
const ENCRYPTED_SLIDES: u32 = 0xf3d1_c4df;
/// MS-XLS 2.4: records.
const BOF: [u16; 4] = [0x0809, 0x0409, 0x0209, 0x0009];
const BOUND_SHEET: u16 = 0x0085;
const END_OF_SHEET: u16 = 0x000a;
const FILE_PASS: u16 = 0x002f;

/// MS-XLS 2.4.28: the sheet holds macros of Excel 4.
const MACRO_SHEET: u8 = 1;
/// Records of a workbook's first part at most.
const RECORDS: u32 = 100_000;

/// Remarks about the document from one of its streams, by the stream's name in lower case.
pub(super) fn remarks(name: &str, stream: &Arc<dyn Source>, budget: &Budget) -> Vec<Anomaly> {
    match name {
        "encryptedpackage" => vec![Anomaly::encrypted("the document is encrypted")],
        "\u{9}drmcontent" => vec![Anomaly::encrypted("the document is encrypted by rights management")],
        "worddocument" => word(stream.as_ref()).into_iter().collect(),
        "current user" => presentation(stream.as_ref()).into_iter().collect(),
        "workbook" | "book" if workbook(stream, budget).encrypted => {
            vec![Anomaly::encrypted("the workbook is encrypted")]
        }
        _ => Vec::new(),
    }
}

fn word(stream: &dyn Source) -> Option<Anomaly> {
    let head = read_vec_at(stream, 0, 12);
    let flags = || -> Result<(u16, u16), Short> {
        let mut reader = Reader::new(&head, "header of a document");
        let magic = reader.u16_le()?;
        reader.skip(8)?;
        Ok((magic, reader.u16_le()?))
    };
    let (magic, flags) = flags().ok()?;
    (magic == WORD && flags & ENCRYPTED != 0).then(|| Anomaly::encrypted("the text of the document is encrypted"))
}

fn presentation(stream: &dyn Source) -> Option<Anomaly> {
    let head = read_vec_at(stream, 0, 16);
    let mut reader = Reader::new(&head, "header of a presentation");
    reader.skip(12).ok()?;
    (reader.u32_le().ok()? == ENCRYPTED_SLIDES).then(|| Anomaly::encrypted("the presentation is encrypted"))
}

/// True if a workbook has macro sheets of Excel 4.
pub(super) fn has_old_macros(stream: &Arc<dyn Source>, budget: &Budget) -> bool {
    workbook(stream, budget).macros
}

/// What the first part of a workbook says.
#[derive(Default)]
struct Workbook {
    encrypted: bool,
    macros: bool,
}

/// Walks through the first part of a workbook, which describes all others.
fn workbook(stream: &Arc<dyn Source>, budget: &Budget) -> Workbook {
    let mut input = SourceRead::new(Arc::clone(stream));
    let mut workbook = Workbook::default();
    for number in 0..RECORDS {
        let mut header = [0; 4];
        if budget.check_time().is_err() || input.read_exact(&mut header).is_err() {
            break;
        }
        let [a, b, c, d] = header;
        let (kind, length) = (u16::from_le_bytes([a, b]), u64::from(u16::from_le_bytes([c, d])));
        let next = input.position().saturating_add(length);
        match kind {
            _ if number == 0 && !BOF.contains(&kind) => break,
            FILE_PASS => workbook.encrypted = true,
            BOUND_SHEET => {
                let (sheet, got) = input.peek::<6>();
                workbook.macros |= got == 6 && sheet[5] == MACRO_SHEET;
            }
            END_OF_SHEET => break,
            _ => {}
        }
        input.go_to(next);
    }
    workbook
}
