//! Frames that the tool packs, and broken ones, beside a decoder that shares no line with ours.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

use super::super::samples::{Random, contents, made_up, pack};
use super::*;

/// What a frame holds, as far as it goes, and whether that is all.
fn unpack(packed: &[u8]) -> (Vec<u8>, io::Result<()>) {
    let header = Header::read(packed).ok().filter(|_| packed.starts_with(&MAGIC.to_le_bytes()));
    let Some(header) = header else { return (Vec::new(), Err(ErrorKind::UnexpectedEof.into())) };
    let mut plain = Vec::new();
    let frame = packed.get(header.size..).unwrap_or(&[]);
    let result = Zstd::new(frame, header).and_then(|zstd| zstd.take(4 << 20).read_to_end(&mut plain));
    (plain, result.map(|_| ()))
}

#[test]
fn what_the_tool_packs_is_unpacked() {
    let levels: &[&[&str]] = &[
        &["--fast=5"],
        &["-1"],
        &["-3"],
        &["-4", "--no-check"],
        &["-6"],
        &["-9"],
        &["-12"],
        &["-15"],
        &["-19", "--no-check"],
        &["--ultra", "-22", "--long=27"],
        &["-3", "--zstd=wlog=10"],
        &["-9", "--zstd=wlog=17"],
        &["-19", "--zstd=wlog=12,mml=3"],
        &["-5", "--no-compress-literals"],
        &["-5", "--compress-literals"],
    ];
    for (name, plain) in contents() {
        for arguments in levels {
            let Some(packed) = pack("zstd", arguments, &plain) else { return };
            let (unpacked, result) = unpack(&packed);
            assert!(result.is_ok(), "{name} {arguments:?}: {result:?}");
            assert!(unpacked == plain, "{name} {arguments:?}");
        }
    }
}

#[test]
fn what_a_pipe_packs_is_unpacked() {
    // Sizes around those of blocks and headers.
    let plain = made_up(300_000);
    for length in [0, 1, 2, 5, 255, 256, 257, 65_791, 65_792, 131_071, 131_072, 131_073, 262_145] {
        for arguments in [&["-1"][..], &["-3", "--no-content-size"], &["-19"]] {
            let Some(packed) = pack("zstd", arguments, &plain[..length]) else { return };
            let (unpacked, result) = unpack(&packed);
            assert!(result.is_ok() && unpacked == plain[..length], "{length} {arguments:?}: {result:?}");
        }
    }
}

/// What the other decoder makes of a frame, or an error.
fn other(packed: &[u8]) -> Result<Vec<u8>, String> {
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(packed).map_err(|error| error.to_string())?;
    let mut plain = Vec::new();
    (&mut decoder).take(4 << 20).read_to_end(&mut plain).map_err(|error| error.to_string())?;
    let (told, found) = (decoder.decoder.get_checksum_from_data(), decoder.decoder.get_calculated_checksum());
    match told {
        Some(_) if told != found => Err("checksum".into()),
        _ => Ok(plain),
    }
}

#[test]
fn broken_frames_are_judged_as_by_another_decoder() {
    let mut random = Random(11);
    let plain = made_up(3000);
    let (mut good, mut bad) = (0, 0);
    for arguments in [&["-1"][..], &["-3", "--no-check"], &["-19"], &["-19", "--no-check"], &["-3", "--zstd=wlog=10"]] {
        let Some(packed) = pack("zstd", arguments, &plain) else { return };
        for _ in 0..1500 {
            let mut broken = packed.clone();
            for _ in 0..=random.below(3) {
                let place = random.below(broken.len());
                match random.below(4) {
                    0 => broken[place] = u8::try_from(random.below(256)).unwrap(),
                    1 => broken.truncate(place.max(5)),
                    _ => broken[place] ^= 1 << random.below(8),
                }
            }
            let ((ours, result), theirs) = (unpack(&broken), other(&broken));
            match (&result, &theirs) {
                (Ok(()), Ok(theirs)) => {
                    assert!(ours == *theirs, "both take it, and differ: {broken:02x?}");
                    good += 1;
                }
                (Err(_), Err(_)) => bad += 1,
                // A reserved bit, which "must be zero", and which that decoder does not look at.
                (Err(_), Ok(_)) if broken[4] & 8 != 0 => {}
                // A bound of that decoder alone, which we leave to the budget.
                (Ok(()), Err(theirs)) if theirs.contains("window_size is too big") => {}
                _ => panic!("ours {result:?}, theirs {:?}: {broken:02x?}", theirs.as_ref().map(Vec::len)),
            }
        }
    }
    assert!(good > 50 && bad > 5000, "{good} good, {bad} bad");
}

#[test]
fn damage_keeps_what_came_before() {
    let plain = made_up(400_000);
    let Some(packed) = pack("zstd", &["-3"], &plain) else { return };
    let mut longest = 0;
    for length in (20..packed.len()).step_by(997) {
        let (unpacked, result) = unpack(&packed[..length]);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert!(plain.starts_with(&unpacked) && unpacked.len() >= longest, "{length}");
        longest = unpacked.len();
    }
    assert!(longest > 200_000);
}

#[test]
fn a_wrong_checksum_and_a_wrong_length_are_told() {
    // A frame of one plain block: single segment, checksum, one byte of length.
    let frame = |length: u8, sum: [u8; 4]| {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x24, length, 0x19, 0, 0, b'a', b'b', b'c'];
        frame.extend(sum);
        unpack(&frame)
    };
    let right = [0x99, 0x09, 0x77, 0xad];
    let said = |result: io::Result<()>| result.err().map(|error| error.to_string());
    assert_eq!((frame(3, right).0, said(frame(3, right).1)), (b"abc".to_vec(), None));
    assert_eq!(said(frame(3, [0; 4]).1).unwrap(), "the zstd checksum is wrong");
    assert_eq!(said(frame(2, right).1).unwrap(), "the zstd frame is longer than stated");
    assert_eq!(said(frame(4, right).1).unwrap(), "the zstd frame is shorter than stated");
}
