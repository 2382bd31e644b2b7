//! Clients of clamd.

use std::fs;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::house::{House, eicar, instream, signature, wait_until};

#[test]
fn each_command_is_answered() {
    let house = House::new("StreamMaxLength 1M");
    let (bad, good) = (house.file("files/bad", &eicar()), house.file("files/good", b"good"));
    let ask = |text: &str| house.ask(text.as_bytes());
    assert_eq!(ask("PING"), "PONG\n");
    assert!(ask("nVERSION\n").starts_with("ClamAV 1.4.6-compatible (Dachs "));
    assert!(ask("zVERSIONCOMMANDS\0").contains("| COMMANDS: SCAN QUIT RELOAD PING"));
    assert!(ask("nSTATS\n").starts_with("POOLS: 1\n\nSTATE: VALID PRIMARY\nTHREADS: live "));
    let found = "Test.First.UNOFFICIAL FOUND";
    assert_eq!(ask(&format!("nSCAN {}\n", bad.display())), format!("{}: {found}\n", bad.display()));
    assert_eq!(ask(&format!("zSCAN {}\0", good.display())), format!("{}: OK\0", good.display()));
    let folder = house.path("files");
    for command in ["SCAN", "CONTSCAN", "MULTISCAN", "ALLMATCHSCAN"] {
        assert_eq!(ask(&format!("n{command} {}\n", folder.display())), format!("{}: {found}\n", bad.display()));
    }
    fs::remove_file(&bad).unwrap();
    assert_eq!(ask(&format!("nCONTSCAN {}\n", folder.display())), format!("{}: OK\n", folder.display()));
    assert_eq!(house.ask(&instream(&eicar())), format!("stream: {found}\0"));
    assert_eq!(house.ask(&instream(b"good")), "stream: OK\0");
    assert_eq!(house.ask(&instream(&vec![0; (1 << 20) + 1])), "INSTREAM size limit exceeded. ERROR\0");
    assert_eq!(ask("nSCAN /nowhere\n"), "/nowhere: File path check failure: No such file or directory. ERROR\n");
}

#[test]
fn a_session_answers_with_numbers() {
    let house = House::new("");
    let mut sent = b"zIDSESSION\0zPING\0".to_vec();
    for _ in 0..100 {
        sent.extend(instream(&eicar()));
        sent.extend(instream(b"good"));
    }
    sent.extend_from_slice(b"zEND\0");
    let answer = house.ask(&sent);
    let mut replies: Vec<&str> = answer.split_terminator('\0').collect();
    assert_eq!(replies.len(), 201);
    replies.sort_unstable_by_key(|reply| reply.split_once(':').unwrap().0.parse::<u32>().unwrap());
    assert_eq!(replies[0], "1: PONG");
    for (at, reply) in replies.iter().enumerate().skip(1) {
        let expected = if at % 2 == 1 { "Test.First.UNOFFICIAL FOUND" } else { "OK" };
        assert_eq!(*reply, format!("{}: stream: {expected}", at + 1));
    }
}

#[test]
fn a_reload_puts_new_content_to_work_and_a_bad_one_is_refused() {
    let house = House::new("");
    fs::write(house.path("db/test.ndb"), signature("Test.Second")).unwrap();
    assert_eq!(house.ask(b"zRELOAD\0"), "RELOADING\0");
    let begin = Instant::now();
    while !house.ask(&instream(&eicar())).contains("Test.Second") {
        assert!(begin.elapsed() < Duration::from_secs(20));
    }
    fs::write(house.path("db/test.ndb"), "Broken:0:*:zz\n").unwrap();
    house.ask(b"zRELOAD\0");
    house.wait_for_log("reload failed; the old content stays");
    assert!(house.ask(&instream(&eicar())).contains("Test.Second"));
    // It would find something in everything.
    fs::write(house.path("db/test.ndb"), "Everything:0:*:44616368732073656c662d74657374\n").unwrap();
    house.ask(b"zRELOAD\0");
    house.wait_for_log("something was found in harmless text");
    assert!(house.ask(&instream(&eicar())).contains("Test.Second"));
}

#[test]
fn a_broken_image_is_refused() {
    let house = House::new("");
    let image = house.path("db/test.image");
    let build = |name: &str| {
        let source = house.file("source.ndb", signature(name).as_bytes());
        let built = house.path("new.image");
        let mut command = std::process::Command::new(crate::house::dachs());
        command.args(["db", "build", "-o"]).arg(&built).arg(source);
        assert!(command.output().unwrap().status.success());
        fs::read(built).unwrap()
    };
    // Replaced by rename, as content is.
    let put = |bytes: &[u8]| fs::rename(house.file("put", bytes), &image).unwrap();
    put(&build("Test.Image"));
    house.ask(b"zRELOAD\0");
    wait_until("the image is used", || house.ask(&instream(&eicar())).contains("Test.Image"));
    let mut broken = build("Test.Broken");
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    put(&broken);
    house.ask(b"zRELOAD\0");
    house.wait_for_log("reload failed; the old content stays");
    assert!(house.ask(&instream(&eicar())).contains("Test.Image"));
}

#[test]
fn slow_clients_are_cut_off_and_others_are_served() {
    let house = House::new("CommandReadTimeout 1\nReadTimeout 1");
    let mut slow = house.connect();
    let mut amid = house.connect();
    amid.write_all(b"zINSTREAM\0\0\0\0\x09abc").unwrap();
    let mut drip = house.connect();
    drip.write_all(b"zINSTREAM\0").unwrap();
    let begin = Instant::now();
    // A byte now and then does not keep a stream open.
    while drip.write_all(&[0, 0, 0, 1, 7]).is_ok() {
        assert_eq!(house.ask(b"zPING\0"), "PONG\0");
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(100));
    }
    for client in [&mut slow, &mut amid] {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "COMMAND READ TIMED OUT\n");
    }
}

#[test]
fn a_killed_service_starts_again_and_an_orderly_one_leaves_nothing() {
    let mut house = House::new("");
    house.kill_and_start("");
    assert_eq!(house.ask(b"zPING\0"), "PONG\0");
    assert_eq!(house.ask(b"zSHUTDOWN\0"), "");
    assert_eq!(house.ended(), Some(0));
    assert!(!house.path("s").exists());
}

#[test]
fn workers_that_are_killed_cost_an_error_and_no_more() {
    let house = House::new("MaxThreads 2");
    let mut connection = house.connect();
    connection.write_all(b"zIDSESSION\0").unwrap();
    let mut reply = [0; 256];
    for round in 0..20 {
        if round % 4 == 1 {
            // The zygote, and its workers with it.
            let children = format!("/proc/{0}/task/{0}/children", house.pid());
            for child in fs::read_to_string(children).unwrap().split_whitespace() {
                let _ = std::process::Command::new("kill").args(["-9", child]).status();
            }
        }
        connection.write_all(&instream(&eicar())).unwrap();
        let count = connection.read(&mut reply).unwrap();
        let text = String::from_utf8_lossy(&reply[..count]).into_owned();
        assert!(text.contains("FOUND\0") || text.contains("ERROR\0"), "{text}");
    }
    assert!(house.ask(&instream(&eicar())).contains("FOUND"));
}

#[test]
fn names_forge_neither_replies_nor_the_log() {
    let house = House::new("");
    house.file("files/x: OK\nforged", &eicar());
    let answer = house.ask(format!("nCONTSCAN {}\n", house.path("files").display()).as_bytes());
    assert_eq!(answer.matches('\n').count(), 1, "{answer}");
    house.wait_for_log("detected");
    assert!(house.log().lines().all(|line| line.starts_with("20")), "{}", house.log());
}

#[test]
fn what_was_not_wholly_looked_at_is_answered_by_policy() {
    // A ZIP archive that is cut off.
    let cut = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0\x10\0\0\0\x20\0\0\0\x01\0\0\0a";
    for (policy, expected) in [("error", " ERROR\0"), ("found", "Heuristics.Incomplete"), ("ok", "stream: OK\0")] {
        let house = House::new(&format!("DachsIncomplete {policy}"));
        let answer = house.ask(&instream(cut));
        assert!(answer.contains(expected), "{policy}: {answer}");
    }
}

#[test]
fn rules_may_ask_for_the_path_and_the_owner() {
    let rule =
        b"rule named { condition: filename == \"odd.name\" and filepath endswith \"/files\" and owner != \"\" }\n\
                 rule owned { condition: filename == \"\" and owner != \"\" and filesize == 3 }";
    let mut house = House::new("");
    house.file("db/rules.yar", rule);
    house.kill_and_start("");
    let file = house.file("files/odd.name", b"some bytes");
    let asked = house.ask(format!("nSCAN {}\n", file.display()).as_bytes());
    assert_eq!(asked, format!("{}: YARA.named.UNOFFICIAL FOUND\n", file.display()));
    assert_eq!(house.ask(&instream(b"abc")), "stream: OK\0");
}
