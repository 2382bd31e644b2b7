//! The command of `VirusEvent`, run for each file in which something was found.
//!
//! ```text
//! detection ──> queue (64) ──> /bin/sh -c COMMAND, one after the other, each for at most a minute
//!                 └─ full: left out, and the log says so. Scans and replies never wait for it
//! ```
//!
//! As with clamd 1.4, `%v` in the command is the name of the signature, and the file's path is told in the environment alone
//! (`CLAM_VIRUSEVENT_FILENAME`, `CLAM_VIRUSEVENT_VIRUSNAME`): whoever names a file must not write on a command line. Unlike there,
//! no byte of the name of a signature but letters, digits and `-._:/+` reaches the command line either.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Commands that may wait.
const WAITING: usize = 64;
/// A command that runs longer is ended.
const LONGEST: Duration = Duration::from_secs(60);
/// How often it is looked whether a command has ended.
const LOOK: Duration = Duration::from_millis(20);
/// What stands where `%f` did before ClamAV 1.4; its words.
const NO_PATH: &str = "The filename format character has been disabled due to security concerns, use the \
                       'CLAM_VIRUSEVENT_FILENAME' environment variable instead.";

/// Runs the command.
#[derive(Debug)]
pub(crate) struct Event {
    queue: SyncSender<Found>,
}

/// What the command is told.
#[derive(Debug)]
struct Found {
    path: Vec<u8>,
    name: String,
}

impl Event {
    /// The command waits for detections.
    ///
    /// # Errors
    /// A sentence, when there can be no thread.
    pub(crate) fn new(command: String) -> Result<Event, String> {
        let (queue, found) = sync_channel(WAITING);
        let named = thread::Builder::new().name("dachs-event".to_owned());
        named.spawn(move || work(&command, &found)).map_err(|error| format!("VirusEvent: {error}"))?;
        Ok(Event { queue })
    }

    /// Something was found. False if too many commands wait already.
    pub(crate) fn found(&self, path: &[u8], name: &str) -> bool {
        self.queue.try_send(Found { path: path.to_vec(), name: name.to_owned() }).is_ok()
    }
}

fn work(command: &str, queue: &Receiver<Found>) {
    while let Ok(found) = queue.recv() {
        if let Ok(child) = start(command, &found) {
            wait(child);
        }
    }
}

fn start(command: &str, found: &Found) -> std::io::Result<Child> {
    let path: Vec<u8> = found.path.iter().copied().filter(|byte| *byte != 0).collect();
    Command::new("/bin/sh")
        .arg("-c")
        .arg(line(command, &found.name))
        .env("CLAM_VIRUSEVENT_FILENAME", OsString::from_vec(path))
        .env("CLAM_VIRUSEVENT_VIRUSNAME", harmless(&found.name))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Waits for the end of a command, and brings it about, with all that it has started, if it takes too long.
fn wait(mut child: Child) {
    let begin = Instant::now();
    while let Ok(None) = child.try_wait() {
        if begin.elapsed() > LONGEST {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                // It may just have ended.
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = child.wait();
            return;
        }
        thread::sleep(LOOK);
    }
}

/// The command line.
fn line(command: &str, name: &str) -> String {
    command.replace("%f", NO_PATH).replace("%v", &harmless(name))
}

fn harmless(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:/+".contains(c);
    name.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn names_cannot_write_commands() {
        assert_eq!(line("mail -s %v x%%y '%v'", "Win.Test-1"), "mail -s Win.Test-1 x%%y 'Win.Test-1'");
        assert_eq!(line("a %v", "x'; rm -rf / $(y)`z`\n%v"), "a x___rm_-rf_/___y__z___v");
        assert!(line("a \"%f\"", "x").contains("disabled"));
    }

    #[test]
    fn commands_run_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let event = Event::new(format!(
            "echo \"$CLAM_VIRUSEVENT_FILENAME $CLAM_VIRUSEVENT_VIRUSNAME %v\" >> {}",
            out.display()
        ));
        let event = event.unwrap();
        assert!(event.found(b"/a b\0\n$(c)", "One") && event.found(b"stream", "Two$"));
        let expected = "/a b\n$(c) One One\nstream Two_ Two_\n";
        let begin = Instant::now();
        while fs::read_to_string(&out).unwrap_or_default() != expected {
            assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", fs::read_to_string(&out));
            thread::sleep(LOOK);
        }
    }
}
