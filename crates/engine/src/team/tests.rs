//! Teams whose members are scans of this process, one after another: whoever has which stretch, the merged report is the one
//! that a single scan gives.

use super::*;
use crate::tests::{ALL, BADGER, image, paths, report, tar};
use crate::{Options, scan};
use dachs_base::{Budget, Coverage, Limits, Memory, NoClock, Report, Source, Verdict, merged};
use dachs_sigdb::Image;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// The key of what comes behind the container.
const REST: u64 = u64::MAX;

/// One member of a team that follows a script.
struct Scripted<'a> {
    number: u64,
    /// Which member has which stretch.
    owner: &'a dyn Fn(u32) -> u64,
    /// What all members told.
    told: &'a RefCell<Vec<(u64, Piece)>>,
    /// Where its piece begins.
    key: Cell<Option<u64>>,
    helped: &'a Cell<bool>,
    traces: &'a RefCell<Vec<Option<Claim>>>,
    /// Two saw other items.
    failed: &'a Cell<bool>,
}

impl Scripted<'_> {
    fn decided(&self) -> Option<u64> {
        self.told.borrow().iter().filter(|(_, piece)| piece.decided).map(|(key, _)| *key).min()
    }

    fn note(&self, number: u32, claim: Claim) {
        let (mut traces, number) = (self.traces.borrow_mut(), number as usize);
        let length = traces.len().max(number + 1);
        traces.resize(length, None);
        if *traces[number].get_or_insert(claim) != claim {
            self.failed.set(true);
        }
    }

    fn leave(&self) -> Turn {
        if self.number == 0 && !self.helped.get() { Turn::Alone } else { Turn::Conclude }
    }
}

impl Team for Scripted<'_> {
    fn role(&self) -> Role {
        if self.number == 0 { Role::Leader } else { Role::Helper }
    }

    fn claim(&self, claim: Claim) -> Turn {
        match claim {
            Claim::Stretch { number, .. } => {
                self.note(number, claim);
                if (self.owner)(number) != self.number {
                    return Turn::Pass;
                }
                self.helped.set(self.helped.get() || self.number != 0);
                self.key.set(self.key.get().or(Some(u64::from(number) + 1)));
                Turn::Take
            }
            Claim::End { number, .. } => {
                self.note(number, claim);
                self.leave()
            }
            Claim::Stop => self.leave(),
            Claim::Rest => {
                self.key.set(Some(REST));
                let decided = self.decided();
                let last = decided.unwrap_or(REST);
                let gap = self.told.borrow().iter().any(|(key, piece)| *key <= last && piece.gap);
                Turn::Rest { decided: decided.is_some(), gap }
            }
        }
    }

    fn tell(&self, piece: Piece) {
        self.told.borrow_mut().push((self.key.take().unwrap(), piece));
    }
}

/// What a team of so many makes of a file.
fn team(
    bytes: &[u8],
    image: &[u8],
    limits: &Limits,
    options: Options<'_>,
    members: u64,
    owner: &dyn Fn(u32) -> u64,
) -> Option<Report> {
    let image = Image::new(image).unwrap();
    let (told, helped, traces, failed) = (RefCell::default(), Cell::new(false), RefCell::default(), Cell::new(false));
    let mut alone = None;
    for number in (0..members).rev() {
        let key = Cell::new((number == 0).then_some(0));
        let scripted = Scripted { number, owner, told: &told, key, helped: &helped, traces: &traces, failed: &failed };
        let file: Arc<dyn Source> = Arc::new(Memory::new(bytes));
        let options = Options { team: Some(&scripted), ..options };
        match scan(file, &image, &Budget::new(limits.clone(), NoClock), &options) {
            Outcome::Report(report) => alone = Some(report),
            Outcome::Isolate(kind) => panic!("{kind:?}"),
        }
    }
    if failed.get() {
        return None;
    }
    let mut told = told.into_inner();
    if told.iter().all(|(key, _)| *key != REST) {
        return alone;
    }
    let decided = told.iter().filter(|(_, piece)| piece.decided).map(|(key, _)| *key).min().unwrap_or(REST);
    told.retain(|(key, _)| *key <= decided || *key == REST);
    told.sort_by_key(|(key, _)| *key);
    merged(told.into_iter().map(|(_, piece)| piece), limits)
}

/// Compares teams of two and three, with stretches given out in many ways, with one scan. Gives its report.
fn compare(bytes: &[u8], image: &[u8], limits: &Limits, options: Options<'_>) -> Report {
    let lonely = report(bytes, image, limits.clone(), options);
    for seed in 0..8_u32 {
        let members = u64::from(seed % 2) + 2;
        let owner = |number: u32| match seed {
            0 => 1,
            1 => u64::from(number % 3),
            _ => u64::from(crc32fast::hash(&[seed.to_le_bytes(), number.to_le_bytes()].concat())) % members,
        };
        if let Some(together) = team(bytes, image, limits, options, members, &owner) {
            assert_eq!(together, lonely, "seed {seed}");
        } else {
            assert!(
                lonely.anomalies_dropped + lonely.detections_dropped > 0 || limits != &Limits::default(),
                "seed {seed}"
            );
        }
    }
    lonely
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_le_bytes()
}

fn long(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_le_bytes()
}

fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap().to_le_bytes()
}

/// A ZIP archive of stored members; those marked are said to be encrypted.
fn zip(members: &[(String, Vec<u8>, bool)]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes, encrypted) in members {
        let at = long(archive.len());
        let size = long(bytes.len());
        let length = short(name.len());
        let flags = u16::from(*encrypted).to_le_bytes();
        let fields = [&[20, 0][..], &flags, &[0; 6], &crc(bytes), &size, &size, &length, &[0; 2]].concat();
        archive.extend([&b"PK\x03\x04"[..], &fields, name.as_bytes(), bytes].concat());
        directory.extend([&b"PK\x01\x02\x14\x00"[..], &fields, &[0; 10], &at, name.as_bytes()].concat());
    }
    let count = short(members.len());
    let (size, start) = (long(directory.len()), long(archive.len()));
    [&archive[..], &directory, b"PK\x05\x06\0\0\0\0", &count, &count, &size, &start, &[0; 2]].concat()
}

/// A gzip stream of stored blocks.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3];
    for block in bytes.chunks(60_000) {
        let length = u16::try_from(block.len()).unwrap();
        stream.extend([&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), block].concat());
    }
    stream.extend([&[1, 0, 0, 0xFF, 0xFF][..], &crc(bytes), &long(bytes.len())].concat());
    stream
}

/// Members of which some hold what is looked for, some archives of it, and some are twins.
fn members(bad: impl Fn(usize) -> bool) -> Vec<(String, Vec<u8>, bool)> {
    let content = |number: usize| match number % 7 {
        _ if bad(number) => [b"some text before the ", BADGER, number.to_string().as_bytes()].concat(),
        0 => tar(&[("a", b"nothing"), ("b", number.to_string().as_bytes())]),
        1 => b"always the same".to_vec(),
        2 => tar(&[("twins", b"one"), ("twins", b"one")]),
        _ => format!("text number {number}, which is harmless").into_bytes(),
    };
    // Names are given twice, so that what is said twice in a row comes up.
    (0..150).map(|number| (format!("member {}", number / 2), content(number), number % 31 == 5)).collect()
}

fn tar_of(members: &[(String, Vec<u8>, bool)]) -> Vec<u8> {
    let members: Vec<(&str, &[u8])> =
        members.iter().map(|(name, bytes, _)| (name.as_str(), bytes.as_slice())).collect();
    tar(&members)
}

/// An image that finds [`BADGER`] in texts alone: not in an archive that holds them.
fn texts() -> Vec<u8> {
    image(&[])
}

#[test]
fn all_that_is_found_is_found_by_a_team() {
    for bad in [|_: usize| false, |number: usize| number % 10 < 2, |number: usize| number > 140, |_: usize| true] {
        let members = members(bad);
        for archive in [zip(&members), tar_of(&members), gzip(&tar_of(&members)), gzip(&gzip(&zip(&members)))] {
            let found = compare(&archive, &texts(), &Limits::default(), ALL);
            assert_eq!(found.detections.is_empty(), !bad(141), "{:?}", paths(&found));
        }
    }
}

#[test]
fn the_first_strong_detection_is_the_same() {
    for number in [0_usize, 1, 40, 97, 149] {
        // Deflate would hide it from those who look at the whole file, and here the two halves of an own gzip stream do.
        let inner = |text: &[u8]| gzip_apart(text);
        let mut members = members(|_| false);
        for at in [number, number.midpoint(149), 149] {
            members[at].1 = inner(BADGER);
        }
        for archive in [zip(&members), tar_of(&members), gzip(&tar_of(&members))] {
            let found = compare(&archive, &texts(), &Limits::default(), Options::default());
            assert_eq!(paths(&found).len(), 1);
            assert!(paths(&found)[0].starts_with(&format!("member {}", number / 2)) || archive[0] == 0x1F);
        }
    }
}

/// A gzip stream in which no two bytes of the text stand side by side.
fn gzip_apart(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3];
    bytes.iter().for_each(|byte| stream.extend([0, 1, 0, 0xFE, 0xFF, *byte]));
    stream.extend([&[1, 0, 0, 0xFF, 0xFF][..], &crc(bytes), &long(bytes.len())].concat());
    stream
}

#[test]
fn damage_and_encryption_are_told_once_and_in_order() {
    let members = members(|number| number % 40 == 7);
    let whole = [zip(&members), tar_of(&members), gzip(&tar_of(&members))];
    for archive in &whole {
        for cut in [archive.len() / 3, archive.len() / 2, archive.len() - 700] {
            let found = compare(&archive[..cut], &texts(), &Limits::default(), ALL);
            assert!(found.gap || found.kind == Some(FileKind::Tar), "{found:?}");
            let found = compare(&archive[..cut], &texts(), &Limits::default(), Options::default());
            assert_ne!(found.verdict(), Verdict::Clean);
        }
        for at in [300, 9_000, 30_000] {
            let mut broken = archive.clone();
            broken[at..at + 40].fill(0xA5);
            compare(&broken, &texts(), &Limits::default(), ALL);
        }
    }
}

#[test]
fn limits_give_the_same_or_nothing() {
    let members = members(|number| number % 40 == 7);
    for archive in [zip(&members), tar_of(&members), gzip(&tar_of(&members))] {
        let standard = Limits::default;
        for limits in [
            Limits { objects: 100, ..standard() },
            Limits { objects: 400, ..standard() },
            Limits { scan_size: 20_000, ..standard() },
            Limits { scan_size: 200_000, ..standard() },
            Limits { depth: 1, ..standard() },
            Limits { depth: 2, ..standard() },
            Limits { memory: 20_000, ..standard() },
            Limits { anomalies: 3, ..standard() },
            Limits { detections: 2, ..standard() },
        ] {
            compare(&archive, &texts(), &limits, ALL);
            compare(&archive, &texts(), &limits, Options::default());
        }
    }
}

#[test]
fn allow_lists_of_what_is_around_hold() {
    let members = members(|number| number % 10 == 3);
    let archive = tar_of(&members);
    let allowed = image(&[&archive]);
    assert_eq!(compare(&archive, &allowed, &Limits::default(), ALL).detections, []);
    assert_eq!(compare(&gzip(&archive), &allowed, &Limits::default(), ALL).detections.len(), 1, "the stream itself");
}

/// An RPM package without a signature, with an empty header, and this payload.
fn rpm(payload: &[u8]) -> Vec<u8> {
    let lead = [&b"\xed\xab\xee\xdb\x03\x00"[..], &[0; 90]].concat();
    let empty = b"\x8e\xad\xe8\x01\0\0\0\0\0\0\0\0\0\0\0\0";
    [&lead[..], empty, empty, payload].concat()
}

#[test]
fn the_largest_member_of_a_package_is_shared() {
    let payload = gzip(&tar_of(&members(|number| number % 40 == 7)));
    let file = rpm(&payload);
    let found = compare(&file, &texts(), &Limits::default(), ALL);
    assert!(found.kind == Some(FileKind::Rpm) && paths(&found).iter().any(|path| path.contains('/')), "{found:?}");
    let shared = Cell::new(0);
    let owner = |_: u32| {
        shared.set(shared.get() + 1);
        1
    };
    team(&file, &texts(), &Limits::default(), ALL, 2, &owner).unwrap();
    assert!(shared.get() > 10, "stretches were asked for");
}

#[test]
fn who_cannot_help_says_nothing() {
    let image = texts();
    for file in [&b"a text"[..], BADGER, &gzip(b"a text in a stream"), b""] {
        let found = team(file, &image, &Limits::default(), ALL, 3, &|_| 1).unwrap();
        assert_eq!(found, report(file, &image, Limits::default(), ALL));
    }
}

#[test]
fn nobody_is_paid_for_passing() {
    let members = members(|_| false);
    let objects = report(&zip(&members), &texts(), Limits::default(), ALL).coverage.objects;
    // Just enough for one, who charges each object but the file itself.
    let limits = Limits { objects: objects - 1, ..Limits::default() };
    let found = team(&zip(&members), &texts(), &limits, ALL, 2, &|number| u64::from(number % 2));
    assert_eq!(found.map(|found| found.coverage), Some(report(&zip(&members), &texts(), limits, ALL).coverage));
    assert_ne!(Coverage::default().objects, objects);
}
