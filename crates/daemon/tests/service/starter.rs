//! systemd as dachsd sees it: passed sockets (sd_listen_fds(3)), readiness and the watchdog (sd_notify(3)).

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::house::{House, eicar, instream};

#[test]
fn a_passed_socket_is_served_and_the_starter_is_told() {
    // For its content and its folder; the socket of the other one is passed.
    let mut house = House::new("");
    let (listener, heard) = (UnixListener::bind(house.path("passed")).unwrap(), house.path("heard"));
    let starter = UnixDatagram::bind(&heard).unwrap();
    starter.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // The first passed socket is descriptor 3, and the number of the process is known only to itself.
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=clamd exec \"$0\" -c \"$1\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_dachsd")]).arg(house.path("conf"));
    command.env("NOTIFY_SOCKET", &heard).env("WATCHDOG_USEC", "300000");
    command.stdin(Stdio::from(OwnedFd::from(listener))).stdout(Stdio::null());
    command.stderr(File::create(house.path("said")).unwrap());
    house.stop();
    let mut child = command.spawn().unwrap();
    let hear = || {
        let mut buffer = [0; 256];
        let count = starter.recv(&mut buffer).unwrap_or_else(|error| {
            panic!("{error}: {}", std::fs::read_to_string(house.path("said")).unwrap_or_default())
        });
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    assert_eq!(hear(), "READY=1");
    assert_eq!((hear(), hear()), ("WATCHDOG=1".to_owned(), "WATCHDOG=1".to_owned()));
    assert_eq!(house.ask_at("passed", &instream(&eicar())), "stream: Test.First.UNOFFICIAL FOUND\0");
    assert!(!house.path("s").exists(), "what the configuration names is not bound");
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    while hear() != "STOPPING=1" {}
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(house.path("passed").exists(), "a passed socket is not ours to take away");
}
