//! What a joint answers, and what comes of it, whatever its workers say.

use super::*;
use dachs_base::{Anomaly, Coverage, Spent};

fn joint() -> Joint {
    let file = dachs_sys::fd::sealed_memory("test", b"").unwrap();
    let job = Job { tag: 0, file, size: 0, all_matches: false, about: About::default() };
    Joint::new(&job, Duration::from_secs(60), 2).unwrap()
}

fn stretch(number: u32) -> Claim {
    Claim::Stretch { number, trace: number }
}

fn piece(text: &str) -> Piece {
    let anomalies = vec![Anomaly::odd(text)];
    let coverage = Coverage { objects: 1, ..Coverage::default() };
    Piece { report: Report { anomalies, coverage, ..Report::default() }, ..Piece::default() }
}

fn texts(report: Option<Report>) -> Option<String> {
    let texts =
        |report: Report| report.anomalies.into_iter().map(|anomaly| anomaly.detail).collect::<Vec<_>>().join(" ");
    report.map(texts)
}

fn helper(joint: &Joint) -> Member {
    assert!(joint.join());
    Member::new(Role::Helper)
}

fn claim(joint: &Joint, member: &mut Member, claims: &[(Claim, Turn)]) {
    for (claim, turn) in claims {
        assert_eq!(joint.answer(member, *claim), Ok(*turn), "{claim:?}");
    }
}

/// The leader asks what became of all, tells the last piece, and ends.
fn rest(joint: &Joint, leader: &mut Member, turn: Turn) -> Option<Report> {
    claim(joint, leader, &[(Claim::Rest, turn)]);
    joint.take(leader, piece("rest"), 1).unwrap();
    joint.outcome(leader, Report::default(), &Limits::default())
}

const REST_OF_ALL: Turn = Turn::Rest { decided: false, gap: false };

#[test]
fn who_comes_first_gets_it() {
    let joint = joint();
    let (mut leader, mut helper) = (Member::new(Role::Leader), helper(&joint));
    claim(&joint, &mut helper, &[(stretch(0), Turn::Take), (stretch(1), Turn::Take)]);
    claim(&joint, &mut leader, &[(stretch(0), Turn::Pass)]);
    joint.take(&mut leader, piece("head"), 1).unwrap();
    claim(&joint, &mut leader, &[(stretch(1), Turn::Pass), (stretch(2), Turn::Take)]);
    claim(&joint, &mut helper, &[(stretch(2), Turn::Pass)]);
    joint.take(&mut helper, piece("0-1"), 1).unwrap();
    claim(&joint, &mut helper, &[(stretch(3), Turn::Take)]);
    let end = Claim::End { number: 4, trace: 4 };
    claim(&joint, &mut helper, &[(end, Turn::Conclude)]);
    joint.take(&mut helper, piece("3"), 1).unwrap();
    joint.leave(None, &helper, false);
    claim(&joint, &mut leader, &[(stretch(3), Turn::Pass)]);
    joint.take(&mut leader, piece("2"), 1).unwrap();
    claim(&joint, &mut leader, &[(end, Turn::Conclude)]);
    assert_eq!(texts(rest(&joint, &mut leader, REST_OF_ALL)).as_deref(), Some("head 0-1 2 3 rest"));
}

#[test]
fn who_is_alone_reports_alone() {
    let joint = joint();
    let mut leader = Member::new(Role::Leader);
    let late = helper(&joint);
    claim(&joint, &mut leader, &[(stretch(0), Turn::Take), (Claim::End { number: 1, trace: 1 }, Turn::Alone)]);
    assert!(!joint.join());
    joint.leave(None, &late, true);
    let report = piece("all").report;
    assert_eq!(texts(joint.outcome(&leader, report, &Limits::default())).as_deref(), Some("all"));
}

#[test]
fn no_more_come_than_are_wanted() {
    let joint = joint();
    let first = helper(&joint);
    assert!(joint.join() && !joint.join());
    joint.leave(None, &first, true);
    assert!(joint.join() && !joint.join());
}

#[test]
fn what_ends_the_scan_is_the_last_that_counts() {
    let joint = joint();
    let (mut leader, mut helper) = (Member::new(Role::Leader), helper(&joint));
    claim(&joint, &mut leader, &[(stretch(0), Turn::Take)]);
    claim(&joint, &mut helper, &[(stretch(0), Turn::Pass), (stretch(1), Turn::Take)]);
    claim(&joint, &mut leader, &[(stretch(1), Turn::Pass)]);
    joint.take(&mut leader, Piece { gap: true, ..piece("0") }, 1).unwrap();
    claim(&joint, &mut leader, &[(stretch(2), Turn::Take)]);
    claim(&joint, &mut helper, &[(Claim::Stop, Turn::Conclude)]);
    joint.take(&mut helper, Piece { decided: true, ..piece("1") }, 1).unwrap();
    joint.leave(None, &helper, false);
    claim(&joint, &mut leader, &[(stretch(3), Turn::Conclude)]);
    joint.take(&mut leader, piece("2"), 1).unwrap();
    let report = rest(&joint, &mut leader, Turn::Rest { decided: true, gap: true });
    assert_eq!(texts(report).as_deref(), Some("0 1 rest"));
}

#[test]
fn what_the_leader_finds_before_is_all() {
    let joint = joint();
    let mut helper = helper(&joint);
    claim(&joint, &mut helper, &[(stretch(0), Turn::Take)]);
    let report = piece("the file itself").report;
    let found = joint.outcome(&Member::new(Role::Leader), report, &Limits::default());
    assert_eq!(texts(found).as_deref(), Some("the file itself"));
}

/// Gives the stretch 0 to a helper, and ends as if all was well but for what `then` does.
fn spoilt(then: impl Fn(&Joint, &mut Member)) -> Option<Report> {
    let joint = joint();
    let (mut leader, mut helper) = (Member::new(Role::Leader), helper(&joint));
    claim(&joint, &mut helper, &[(stretch(0), Turn::Take)]);
    then(&joint, &mut helper);
    let _ = joint.answer(&mut leader, stretch(0));
    joint.take(&mut leader, piece("head"), 1).unwrap();
    let _ = joint.answer(&mut leader, Claim::Stop);
    rest(&joint, &mut leader, REST_OF_ALL)
}

#[test]
fn whoever_fails_costs_no_answer() {
    let told = |joint: &Joint, helper: &mut Member, piece: Piece| {
        assert_eq!(joint.answer(helper, Claim::Stop), Ok(Turn::Conclude));
        joint.take(helper, piece, 1).unwrap();
        joint.leave(None, helper, false);
    };
    assert!(spoilt(|joint, helper| told(joint, helper, piece("0"))).is_some());
    assert!(spoilt(|joint, helper| joint.leave(None, helper, true)).is_none(), "it died");
    assert!(spoilt(|joint, helper| joint.leave(None, helper, false)).is_none(), "it said nothing");
    let limited = || Piece { limited: true, ..piece("0") };
    assert!(spoilt(|joint, helper| told(joint, helper, limited())).is_none());
    let dear = || Piece { spent: Spent { objects: u64::MAX, ..Spent::default() }, ..piece("0") };
    assert!(spoilt(|joint, helper| told(joint, helper, dear())).is_none());
    let mut dropped = piece("0");
    dropped.report.detections_dropped = u64::MAX;
    assert!(spoilt(|joint, helper| told(joint, helper, dropped.clone())).is_none());
    let other = |joint: &Joint, helper: &mut Member| {
        assert_eq!(joint.answer(helper, Claim::Stretch { number: 1, trace: 7 }), Ok(Turn::Take));
        told(joint, helper, piece("0"));
        let mut another = Member { next: 1, ..Member::new(Role::Helper) };
        assert_eq!(joint.answer(&mut another, stretch(1)), Ok(Turn::Conclude), "it sees other items");
    };
    assert!(spoilt(other).is_none());
}

#[test]
fn nonsense_is_refused() {
    let fresh = || (joint(), Member::new(Role::Helper), Member::new(Role::Leader));
    let (joint, mut helper, mut leader) = fresh();
    for claim in [stretch(1), stretch(u32::MAX), Claim::End { number: 3, trace: 0 }, Claim::Rest] {
        assert!(joint.answer(&mut helper, claim).is_err() && joint.answer(&mut leader, claim).is_err(), "{claim:?}");
    }
    assert!(joint.take(&mut helper, piece("x"), 1).is_err());
    assert_eq!(joint.answer(&mut helper, stretch(0)), Ok(Turn::Take));
    assert!(joint.answer(&mut helper, stretch(0)).is_err(), "twice");
    assert_eq!(joint.answer(&mut helper, Claim::Stop), Ok(Turn::Conclude));
    assert!(joint.answer(&mut helper, stretch(1)).is_err(), "it owes a piece");
    assert!(joint.take(&mut helper, piece("x"), WEIGHT + 1).is_err());
    assert!(joint.answer(&mut helper, Claim::Rest).is_err(), "it does not lead");
}

/// Any words of any workers, in any order: nothing panics, nobody waits for ever, and there are no more stretches than there may be.
#[test]
fn whatever_they_say() {
    let mut seed = 1_u32;
    let mut next = move |most: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) % most
    };
    for _ in 0..2_000 {
        let joint = joint();
        let mut members = [Member::new(Role::Leader), Member::new(Role::Helper), Member::new(Role::Helper)];
        for _ in 0..next(40) {
            let member = &mut members[next(3) as usize];
            let number = if next(8) == 0 { next(9) } else { member.next };
            let trace = if next(30) == 0 { 99 } else { number };
            let claim = [Claim::Stretch { number, trace }, Claim::End { number, trace }, Claim::Stop, Claim::Rest];
            match next(3) {
                0 => drop(joint.take(member, Piece { decided: next(9) == 0, ..piece("x") }, next(99) as usize)),
                1 => drop(joint.answer(member, stretch(member.next))),
                _ => drop(joint.answer(member, claim[next(4) as usize])),
            }
        }
        assert!(joint.lock().claims.len() <= STRETCHES as usize + 1);
        drop(joint.outcome(&members[0], Report::default(), &Limits::default()));
    }
}
