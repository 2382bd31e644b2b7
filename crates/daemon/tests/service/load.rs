//! Too much of everything: clients that go away, more work than there is room for, and a service that is to stop.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::house::{House, eicar, free_port, instream, is_there, wait_until};

/// A file that takes as long as it may: bzip2 streams of zeros, one after the other. None without the tool.
fn slow_file(test: &str) -> Option<Vec<u8>> {
    if !is_there("bzip2", test) {
        return None;
    }
    let mut child = Command::new("bzip2").arg("-9c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    (0..64).for_each(|_| stdin.write_all(&[0; 1 << 20]).unwrap());
    drop(stdin);
    Some(child.wait_with_output().unwrap().stdout.repeat(4000))
}

fn is_busy(house: &House) -> bool {
    house.ask(b"zSTATS\0").contains("idle 0 max")
}

fn post(body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST /v1/scan HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn over_tcp(port: u16, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

#[test]
fn the_scan_of_a_client_that_goes_away_is_ended() {
    let Some(slow) = slow_file("the_scan_of_a_client_that_goes_away_is_ended") else { return };
    let (port, web) = (free_port(), free_port());
    let house = House::new(&format!("MaxThreads 1\nTCPSocket {port}\nDachsHttp 127.0.0.1:{web}"));
    let path = house.file("slow", &slow);
    for folder in [house.folder.path(), &path] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let conversation = [b"zIDSESSION\0".as_slice(), &instream(&slow)].concat();
    let scan = format!("zSCAN {}\0", path.display()).into_bytes();
    for (what, port, bytes) in [
        ("a stream over TCP", port, &instream(&slow)),
        ("a conversation over TCP", port, &conversation),
        ("a path over TCP", port, &scan),
        ("HTTP", web, &post(&slow)),
    ] {
        let client = over_tcp(port, bytes);
        wait_until(what, || is_busy(&house));
        drop(client);
        wait_until(what, || !is_busy(&house));
        assert_eq!(house.ask(&instream(b"good")), "stream: OK\0", "{what}");
    }
    let mut local = house.connect();
    local.write_all(&conversation).unwrap();
    wait_until("a local client", || is_busy(&house));
    drop(local);
    wait_until("a local client", || !is_busy(&house));
}

#[test]
fn a_client_that_has_only_nothing_more_to_say_gets_its_whole_answer() {
    let Some(slow) = slow_file("a_client_that_has_only_nothing_more_to_say_gets_its_whole_answer") else { return };
    let (port, web) = (free_port(), free_port());
    let _house = House::new(&format!("MaxScanTime 3000\nTCPSocket {port}\nDachsHttp 127.0.0.1:{web}"));
    let conversation = [b"zIDSESSION\0".as_slice(), &instream(&slow), &instream(&eicar())].concat();
    for (port, bytes, begin, end) in [
        (port, instream(&slow), "stream: ", "ERROR\0"),
        (port, conversation, "", "\0"),
        (web, post(&slow), "HTTP/1.1 200 OK\r\n", "}"),
    ] {
        let mut client = over_tcp(port, &bytes);
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(begin) && answer.ends_with(end), "{answer:?}");
        if begin.is_empty() {
            assert!(answer.contains("2: stream: Test.First.UNOFFICIAL FOUND\0"), "{answer:?}");
            assert!(answer.split_terminator('\0').any(|reply| reply.starts_with("1: stream: ")), "{answer:?}");
        }
    }
}

#[test]
fn too_much_work_is_told_and_others_are_served_in_turn() {
    let Some(slow) = slow_file("too_much_work_is_told_and_others_are_served_in_turn") else { return };
    let (port, web) = (free_port(), free_port());
    let house = House::new(&format!(
        "MaxThreads 1\nMaxQueue 2\nMaxScanTime 2000\nReadTimeout 1\nTCPSocket {port}\nDachsHttp FOLDER/web\nDachsHttp 127.0.0.1:{web}"
    ));
    // Two are at work or about to be, two wait.
    let mut busy: Vec<_> = (0..4).map(|_| house.connect()).collect();
    busy.iter_mut().for_each(|client| client.write_all(&instream(&slow)).unwrap());
    wait_until("a full queue", || house.ask(b"zSTATS\0").contains("QUEUE: 4 items"));
    let answer = house.ask(&instream(b"good"));
    assert!(answer.contains("too many files wait to be scanned ERROR") || answer.contains("OK"), "{answer}");
    let mut web_client = std::os::unix::net::UnixStream::connect(house.path("web")).unwrap();
    web_client.write_all(&post(b"good")).unwrap();
    let mut answer = String::new();
    web_client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503") || answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Another client has room of its own, and its turn before those that wait.
    let mut other = over_tcp(port, &instream(b"good"));
    let mut answer = String::new();
    other.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "stream: OK\0");
    assert!(house.ask(b"zSTATS\0").contains(" items") && is_busy(&house), "it came last");
}

#[test]
fn streams_have_a_quota_and_small_ones_still_pass() {
    let house = House::new("DachsSpoolMemory 1M\nDachsSpoolDisk 2M\nDachsHttp FOLDER/web");
    let mut client = house.connect();
    // Never complete: it keeps what it has.
    client.write_all(b"zINSTREAM\0").unwrap();
    client.write_all(&[&(2_u32 << 20).to_be_bytes(), vec![0; (2 << 20) - 1].as_slice()].concat()).unwrap();
    wait_until("a full spool", || house.ask(&instream(&vec![0; 2 << 20])).contains("Error writing to temporary file"));
    assert_eq!(house.ask(&instream(&eicar())), "stream: Test.First.UNOFFICIAL FOUND\0");
    drop(client);
    wait_until("room again", || house.ask(&instream(&vec![0; 2 << 20])) == "stream: OK\0");
    let metrics = house.ask_web(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let spooled: Vec<&str> = metrics.lines().filter(|line| line.starts_with("dachs_spool")).collect();
    assert!(!spooled.is_empty() && spooled.iter().all(|line| line.ends_with(" 0")), "{metrics}");
}

#[test]
fn large_streams_take_turns_and_slow_ones_hold_nobody_up() {
    let house = House::new("MaxThreads 1");
    // More than there are places, each with half of what it announces.
    let slow: Vec<_> = (0..10)
        .map(|_| {
            let mut client = house.connect();
            client.write_all(b"zINSTREAM\0").unwrap();
            client.write_all(&[&(1_u32 << 20).to_be_bytes(), vec![0; 512 << 10].as_slice()].concat()).unwrap();
            client
        })
        .collect();
    let large = instream(&[vec![b'.'; 2 << 20], eicar()].concat());
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(house.ask(&large), "stream: Test.First.UNOFFICIAL FOUND\0"));
        }
    });
    for mut client in slow {
        client.write_all(&[&[0; 512 << 10], [0; 4].as_slice()].concat()).unwrap();
        let mut answer = String::new();
        client.shutdown(Shutdown::Write).unwrap();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "stream: OK\0");
    }
}

#[test]
fn a_stop_waits_for_scans_but_not_for_ever() {
    let Some(slow) = slow_file("a_stop_waits_for_scans_but_not_for_ever") else { return };
    for (patience, time, code) in [(20, 1_000, 0), (1, 60_000, 3)] {
        let mut house = House::new(&format!("MaxThreads 1\nMaxScanTime {time}\nDachsStopTimeout {patience}"));
        let mut client = house.connect();
        client.write_all(&instream(&slow)).unwrap();
        wait_until("a scan", || is_busy(&house));
        let begin = Instant::now();
        assert!(Command::new("kill").arg(house.pid().to_string()).status().unwrap().success());
        assert_eq!(house.ended(), Some(code));
        assert!(begin.elapsed() < Duration::from_secs(15));
        let mut answer = String::new();
        let _ = client.read_to_string(&mut answer);
        assert_eq!(answer.ends_with("ERROR\0"), code == 0, "{answer:?}");
    }
}
