//! Replies as honest and as hostile workers write them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::{Answer, File, Order, Request, Setup};
use dachs_base::{Anomaly, AnomalyKind, Cause, Coverage, RuleRange, Switches};
use proptest::prelude::*;

fn path(depth: usize) -> ObjectPath {
    ObjectPath((0..depth).map(|_| Name::new(b"folder/member.zip")).collect())
}

fn detection(strength: Strength, depth: usize) -> Detection {
    Detection {
        cause: Cause::Signature(7),
        strength,
        object: path(depth),
        kind: FileKind::Zip,
        offset: Some(1 << 40),
        strings: Vec::new(),
    }
}

fn reply(report: Report) -> Reply {
    Reply::single(u64::MAX, Body::Report(report), u64::MAX)
}

fn report_of(reply: Reply) -> Report {
    match <[FileReply; 1]>::try_from(reply.files) {
        Ok([FileReply { body: Body::Report(report), .. }]) => report,
        other => panic!("{other:?}"),
    }
}

fn through(report: &Report, limits: &Limits) -> Result<Report, ProtoError> {
    Reply::decode(&reply(report.clone()).encode()?, limits).map(report_of)
}

#[test]
fn an_honest_report_arrives_as_it_was() {
    let mut report = Report { kind: Some(FileKind::Zip), ..Report::default() };
    report.detections = vec![detection(Strength::Strong, 3), detection(Strength::Weak, 0)];
    report.note(Anomaly::encrypted("no password"), &Limits::default());
    report.coverage = Coverage { bytes: u64::MAX, objects: 3, skipped: 1 };
    assert_eq!(through(&report, &Limits::default()), Ok(report));
}

#[test]
fn a_long_report_keeps_the_strong_and_tells_what_it_dropped() {
    let limits = Limits::default();
    let anomalies = (0..100).map(|_| Anomaly::new(AnomalyKind::Damaged, "d".repeat(10_000))).collect();
    let mut report = Report { anomalies, ..Report::default() };
    report.detections =
        (0..1000).map(|at| detection(if at == 900 { Strength::Strong } else { Strength::Weak }, 30)).collect();
    let short = through(&report, &limits).unwrap();
    assert!(short.gap && short.verdict() == dachs_base::Verdict::Detected);
    assert_eq!(short.detections[0].strength, Strength::Strong);
    assert_eq!(short.detections_dropped, 1000 - u64::try_from(short.detections.len()).unwrap());
    assert_eq!(short.anomalies_dropped, 100);
    assert!(short.detections.len() > 50);
}

#[test]
fn as_many_detections_as_the_limit_allows_fit_if_they_are_of_the_file_itself() {
    let limits = Limits::default();
    let all = (0..limits.detections).map(|number| Detection {
        cause: Cause::Signature(number),
        offset: Some(1 << 20),
        object: ObjectPath::default(),
        ..detection(Strength::Strong, 0)
    });
    let report = Report { detections: all.collect(), ..Report::default() };
    assert_eq!(through(&report, &limits), Ok(report));
}

#[test]
fn the_longest_single_detection_fits() {
    let name = Name::new(&[b'x'; 5000]);
    let limits = Limits::default();
    let object = ObjectPath(vec![name; usize::try_from(limits.depth).unwrap() + 1]);
    let report =
        Report { detections: vec![Detection { object, ..detection(Strength::Strong, 0) }], ..Report::default() };
    assert_eq!(through(&report, &limits).unwrap().detections.len(), 1);
}

#[test]
fn what_no_honest_worker_sends_is_refused() {
    let limits = Limits { depth: 3, detections: 2, anomalies: 2, ..Limits::default() };
    let detections =
        |count, depth| Report { detections: vec![detection(Strength::Weak, depth); count], ..Report::default() };
    let anomalies = |count| Report { anomalies: vec![Anomaly::odd("x"); count], ..Report::default() };
    for (report, wanted) in [
        (detections(3, 4), Ok(())),
        (detections(4, 0), Err(ProtoError::Untrue("more detections than allowed"))),
        (detections(1, 5), Err(ProtoError::Untrue("an object deeper than allowed"))),
        (anomalies(3), Ok(())),
        (anomalies(4), Err(ProtoError::Untrue("more anomalies than allowed"))),
    ] {
        assert_eq!(through(&report, &limits).map(|_| ()), wanted);
    }
}

#[test]
fn a_name_that_was_not_cut_is_refused() {
    let mut report = Report { detections: vec![detection(Strength::Weak, 1)], ..Report::default() };
    report.detections[0].object = ObjectPath(vec![Name::new(&[b'n'; Name::LONGEST])]);
    let mut packet = reply(report).encode().unwrap();
    // The length of the name, as a number of seven bits a byte, is followed by the name.
    let at = packet.windows(3).position(|bytes| bytes == [0x80, 0x08, b'n']).unwrap();
    packet[at] = 0x81;
    packet.insert(at + 2, b'n');
    assert_eq!(Reply::decode(&packet, &Limits::default()), Err(ProtoError::Untrue("a name longer than allowed")));
}

#[test]
fn a_gap_cannot_be_hidden() {
    let report = Report { anomalies: vec![Anomaly::damaged("x")], gap: false, ..Report::default() };
    assert!(through(&report, &Limits::default()).unwrap().gap);
}

#[test]
fn sentences_are_cleaned_and_cut() {
    let dirty = "\x1b[2Jevil\n\u{202e}txt.exe".to_owned() + &"x".repeat(1000);
    let report = Report { anomalies: vec![Anomaly::odd(dirty.clone())], ..Report::default() };
    let detail = through(&report, &Limits::default()).unwrap().anomalies[0].detail.clone();
    assert!(detail.chars().count() == DETAIL && !detail.contains(['\x1b', '\n', '\u{202e}']), "{detail}");
    let panicked = Reply::single(1, Body::Panicked(dirty), 0).encode().unwrap();
    assert!(
        matches!(&Reply::decode(&panicked, &Limits::default()).unwrap().files[0].body, Body::Panicked(place) if *place == detail)
    );
}

#[test]
fn several_files_are_answered_in_one_packet_unless_it_is_too_long() {
    let file = |report: &Report| FileReply { body: Body::Report(report.clone()), micros: 7 };
    let there_and_back = |files: Vec<FileReply>| {
        let reply = Reply { number: 3, files };
        Reply::decode(&reply.encode()?, &Limits::default())
    };
    let isolate = FileReply { body: Body::Isolate(FileKind::Zip), micros: 1 };
    let files = vec![file(&Report::default()), isolate.clone(), file(&Report::default())];
    assert_eq!(there_and_back(files.clone()).unwrap().files, files);
    let long =
        Report { anomalies: (0..100).map(|_| Anomaly::damaged("d".repeat(DETAIL))).collect(), ..Report::default() };
    assert_eq!(there_and_back(vec![file(&long); 4]).unwrap().files, Vec::new());
    let many = there_and_back(vec![isolate; Request::FILES + 1]);
    assert_eq!(many, Err(ProtoError::Untrue("more files than can be asked for")));
}

#[test]
fn a_message_ends_where_its_packet_ends() {
    let mut packet = reply(Report::default()).encode().unwrap();
    for end in 0..packet.len() {
        assert_eq!(Reply::decode(&packet[..end], &Limits::default()), Err(ProtoError::Malformed));
    }
    packet.push(0);
    assert_eq!(Reply::decode(&packet, &Limits::default()), Err(ProtoError::Malformed));
    assert_eq!(Reply::decode(&vec![0; LONGEST + 1], &Limits::default()), Err(ProtoError::TooLong));
}

/// What holds of every reply that is believed.
fn believable(bytes: &[u8]) {
    let limits = Limits { depth: 4, detections: 3, anomalies: 3, ..Limits::default() };
    let Ok(reply) = Reply::decode(bytes, &limits) else { return };
    assert!(reply.files.len() <= Request::FILES);
    for file in &reply.files {
        if let Body::Report(report) = &file.body {
            believable_report(report);
        }
    }
    assert!(reply.encode().is_ok());
}

fn believable_report(report: &Report) {
    assert!(report.detections.len() <= 4 && report.anomalies.len() <= 4);
    let objects = report.detections.iter().map(|detection| &detection.object);
    for path in objects.chain(report.anomalies.iter().map(|anomaly| &anomaly.object)) {
        assert!(path.0.len() <= 5 && path.0.iter().all(|name| name.as_bytes().len() <= Name::LONGEST));
    }
    assert!(report.gap || report.anomalies.iter().all(|anomaly| !anomaly.kind.is_gap()));
}

proptest! {
    #[test]
    fn any_bytes_give_an_error_or_a_bounded_message(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        believable(&bytes);
        let _ = (Request::decode(&bytes), Answer::decode(&bytes), Order::decode(&bytes), Setup::decode(&bytes));
    }

    #[test]
    fn mutated_replies_give_an_error_or_a_bounded_message(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        strong in any::<bool>(),
    ) {
        let strength = if strong { Strength::Strong } else { Strength::Weak };
        let mut report = Report { kind: Some(FileKind::Pe), detections: vec![detection(strength, 3); 2], ..Report::default() };
        report.note(Anomaly::damaged("broken"), &Limits::default());
        let mut packet = reply(report).encode().unwrap();
        for (at, byte) in changes {
            let at = at.index(packet.len());
            packet[at] = byte;
        }
        believable(&packet);
        packet.truncate(cut.index(packet.len()));
        believable(&packet);
    }

    #[test]
    fn lengths_that_lie_cost_no_memory(length in any::<u64>(), tail in prop::collection::vec(any::<u8>(), 0..50)) {
        // A report whose list of detections claims to be `length` long.
        let mut packet = vec![0, 2, 0];
        let mut rest = length;
        while rest > 127 {
            packet.push(u8::try_from(rest & 127).unwrap() | 128);
            rest >>= 7;
        }
        packet.push(u8::try_from(rest).unwrap());
        packet.extend(tail);
        believable(&packet);
    }

    #[test]
    fn requests_arrive_as_they_were(number in any::<u64>(), size in any::<u64>(), memory in any::<u64>(), isolate in any::<bool>()) {
        let limits = Limits { memory, ..Limits::default() };
        let file = File { size, about: dachs_base::About::new(b"/x", b"y") };
        let files = vec![file; usize::from(isolate) + 1];
        let request = Request { number, files, limits, all_matches: !isolate, switches: Switches::default(), isolate, rules_on_members: isolate, passwords: vec![vec![b'p']; usize::from(isolate)], profile: isolate.then_some(RuleRange { first: 1, count: 2 }), team: isolate.then_some(crate::Place { role: dachs_base::Role::Leader, late: std::time::Duration::from_nanos(size) }) };
        prop_assert_eq!(Request::decode(&request.encode().unwrap()), Ok(request));
    }
}
