//! Replays: what is kept, what slides, what is charged, and what becomes of errors.
#![allow(clippy::cast_possible_truncation, reason = "test data is computed from offsets")]

use super::*;
use crate::stream::Fenced;
use dachs_base::{AnomalyKind, Limits, NoClock, read_vec_at};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Gives bytes computed from their offset, in pieces of odd sizes.
struct Numbers {
    at: u64,
    end: u64,
    error: Ending,
}

type Ending = fn() -> io::Result<usize>;

fn number(offset: u64) -> u8 {
    (offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8
}

impl Read for Numbers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min((self.end - self.at) as usize).min(3001);
        for byte in &mut buffer[..count] {
            *byte = number(self.at);
            self.at += 1;
        }
        if count == 0 { (self.error)() } else { Ok(count) }
    }
}

fn replay(budget: &Budget, end: u64, error: Ending) -> (Replay, Arc<AtomicUsize>) {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let opener = move || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Numbers { at: 0, end, error }) as Box<dyn Read + Send>)
    };
    (Replay::new(budget, opener), opened)
}

fn budget(memory: u64) -> Budget {
    Budget::new(Limits { memory, ..Limits::default() }, NoClock)
}

fn check(replay: &Replay, offset: u64, count: usize, expected: usize) {
    let bytes = read_vec_at(replay, offset, count);
    assert_eq!(bytes.len(), expected, "at {offset}");
    assert!(bytes.iter().zip(offset..).all(|(byte, at)| *byte == number(at)), "at {offset}");
}

fn none() -> io::Result<usize> {
    Ok(0)
}

#[test]
fn bytes_are_kept_while_memory_allows() {
    let (replay, opened) = replay(&budget(64 << 20), 10_000_000, none);
    check(&replay, 9_000_000, 100_000, 100_000);
    check(&replay, 0, 200_000, 200_000);
    assert_eq!(replay.known_len(), None);
    check(&replay, 9_999_990, 100, 10);
    assert_eq!((replay.len(), replay.known_len(), replay.problem()), (10_000_000, Some(10_000_000), None));
    check(&replay, 10_000_000, 1, 0);
    check(&replay, u64::MAX, 1, 0);
    assert_eq!(opened.load(Ordering::Relaxed), 1);
}

#[test]
fn it_is_told_whether_all_bytes_are_kept() {
    let (kept, _) = replay(&budget(64 << 20), 10_000_000, none);
    check(&kept, 0, 3_000_000, 3_000_000);
    assert!(kept.keeps());
    let (slid, opened) = replay(&budget(24 << 20), 10_000_000, none);
    let mut at = 0;
    while slid.keeps() || at == 0 {
        check(&slid, at, 4 << 20, 4 << 20);
        at += 4 << 20;
    }
    // All that was read while it said so can be read again.
    check(&slid, 0, 4 << 20, 4 << 20);
    assert_eq!(opened.load(Ordering::Relaxed), 1);
    check(&slid, 9_999_990, 100, 10);
    assert!(!slid.keeps());
}

#[test]
fn memory_is_given_back() {
    let budget = budget(64 << 20);
    let (replay, _) = replay(&budget, 10_000_000, none);
    assert_eq!(replay.len(), 10_000_000);
    assert!(budget.memory_left() < 60 << 20);
    drop(replay);
    assert_eq!(budget.memory_left(), 64 << 20);
}

#[test]
fn a_window_slides_and_the_stream_is_opened_again() {
    for memory in [64 << 10, 200 << 10, 1 << 20, 4 << 20, 12 << 20] {
        let budget = budget(memory);
        let (replay, opened) = replay(&budget, 30_000_000, none);
        assert_eq!(replay.len(), 30_000_000, "memory {memory}");
        check(&replay, 0, 200_000, 200_000);
        check(&replay, 29_999_999, 2, 1);
        check(&replay, 100, 5000, 5000);
        check(&replay, 12_345_678, 5000, 5000);
        assert!((2..=4).contains(&opened.load(Ordering::Relaxed)), "{opened:?} with {memory}");
        assert_eq!(replay.problem(), None);
    }
}

#[test]
fn looking_ahead_member_by_member_takes_two_runs() {
    let (replay, opened) = replay(&budget(12 << 20), 100_000_000, none);
    for member in 0..10u64 {
        let start = member * 10_000_000;
        check(&replay, start, 4096, 4096);
        check(&replay, start + 9_900_000, 4096, 4096);
        for piece in 0..100 {
            check(&replay, start + piece * 100_000, 100_000, 100_000);
        }
    }
    assert_eq!(opened.load(Ordering::Relaxed), 2);
}

#[test]
fn what_is_charged_is_near_what_is_decoded() {
    for length in [0, 1, 10, 1000, 5000, 100_000, 3_000_000] {
        let free = budget(64 << 20);
        assert_eq!(replay(&free, length, none).0.len(), length);
        assert!((length..=length * 2 + 1024).contains(&free.bytes_used()), "{length}: {}", free.bytes_used());
        let told = budget(64 << 20);
        assert_eq!(replay(&told, length, none).0.expecting(Some(length), None).len(), length);
        assert!(told.bytes_used() <= length + 1024, "{length}: {}", told.bytes_used());
    }
}

#[test]
fn limits_end_the_stream_and_keep_what_there_is() {
    let few = Budget::new(Limits { scan_size: 100_000, ..Limits::default() }, NoClock);
    let (short, _) = replay(&few, 1_000_000, none);
    assert!((50_000..=100_000).contains(&short.len()));
    assert_eq!(short.problem().map(|problem| problem.kind), Some(AnomalyKind::Limit(Limit::ScanSize)));
    let small = Budget::new(Limits { object_size: 5000, ..Limits::default() }, NoClock);
    let (cut, _) = replay(&small, 5001, none);
    assert_eq!(cut.len(), 5000);
    assert_eq!(cut.problem().map(|problem| problem.kind), Some(AnomalyKind::Limit(Limit::ObjectSize)));
    let (fits, _) = replay(&small, 5000, none);
    assert_eq!((fits.len(), fits.problem()), (5000, None));
    let (nothing, _) = replay(&budget(1000), 10, none);
    assert_eq!(nothing.len(), 0);
    assert_eq!(nothing.problem().map(|problem| problem.kind), Some(AnomalyKind::Limit(Limit::Memory)));
}

#[test]
fn reading_back_and_forth_ends_by_the_budget() {
    let tight = Budget::new(Limits { memory: 1 << 20, scan_size: 100 << 20, ..Limits::default() }, NoClock);
    let (replay, opened) = replay(&tight, 20_000_000, none);
    for round in 0..200_u64 {
        let _ = read_vec_at(&replay, 19_000_000 - round * 90_000, 10);
    }
    assert!(opened.load(Ordering::Relaxed) < 200);
    assert_eq!(replay.problem().map(|problem| problem.kind), Some(AnomalyKind::Limit(Limit::ScanSize)));
}

#[test]
fn errors_become_problems_and_bytes_before_them_stay() {
    let table: [(Ending, AnomalyKind); 5] = [
        (|| Err(io::Error::other("x\u{7}\nx")), AnomalyKind::Damaged),
        (|| Err(ErrorKind::UnexpectedEof.into()), AnomalyKind::Damaged),
        (|| Err(ErrorKind::Unsupported.into()), AnomalyKind::Unsupported),
        (|| Err(ErrorKind::OutOfMemory.into()), AnomalyKind::Limit(Limit::Memory)),
        (|| Err(remark("odd")), AnomalyKind::Odd),
    ];
    for (error, kind) in table {
        let (replay, _) = replay(&budget(1 << 20), 5_000_000, error);
        check(&replay, 4_999_000, 2000, 1000);
        assert_eq!(replay.problem().map(|problem| problem.kind), Some(kind));
        check(&replay, 0, 10, 10);
        assert_eq!(replay.len(), 5_000_000);
    }
}

#[test]
fn the_container_s_word_is_compared() {
    let right = {
        let bytes: Vec<u8> = (0..100_000).map(number).collect();
        crc32fast::hash(&bytes)
    };
    let table = [
        (Some(100_000), Some(right), None),
        (None, Some(right), None),
        (Some(100_000), Some(right ^ 1), Some(AnomalyKind::Odd)),
        (Some(99_999), Some(right), Some(AnomalyKind::Odd)),
        (Some(100_001), Some(right), Some(AnomalyKind::Damaged)),
    ];
    for (length, crc32, kind) in table {
        let (stream, _) = replay(&budget(300_000), 100_000, none);
        let stream = stream.expecting(length, crc32);
        check(&stream, 70_000, 10, 10);
        check(&stream, 0, 10, 10);
        assert_eq!((stream.len(), stream.problem().map(|problem| problem.kind)), (100_000, kind));
    }
}

#[test]
fn decoders_give_up_their_memory_for_another_run() {
    let budget = budget(3 << 20);
    let fence = budget.clone();
    let opener = move || {
        let numbers = || Ok(Numbers { at: 0, end: 9_000_000, error: none });
        Ok(Box::new(Fenced::new(&fence, 2 << 20, numbers)?) as Box<dyn Read + Send>)
    };
    let replay = Replay::new(&budget, opener);
    check(&replay, 8_000_000, 10, 10);
    check(&replay, 0, 10, 10);
    check(&replay, 8_000_000, 10, 10);
    assert_eq!(replay.problem(), None);
}
