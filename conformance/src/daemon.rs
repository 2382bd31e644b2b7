//! Running services to ask: Debian's clamd, and dachsd with the release beside it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::scratch::Scratch;

/// The two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Clamd,
    Dachsd,
}

/// A running service, with sockets in a folder of its own.
pub(crate) struct Daemon {
    pub(crate) socket: PathBuf,
    pub(crate) startup: Duration,
    child: Child,
    command: Command,
    _scratch: Scratch,
}

/// True if there is a `clamd`; says so if not.
pub(crate) fn is_clamd_there() -> bool {
    let there = Command::new("clamd").arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("SKIPPED: there is no clamd to compare with (Debian: apt-get install clamav-daemon)");
    }
    there
}

impl Daemon {
    /// Starts one with this content and these further lines of configuration.
    pub(crate) fn start(kind: Kind, content: &Path, further: &str) -> Result<Daemon, String> {
        let scratch = Scratch::new()?;
        let socket = scratch.path().join("s");
        let text = format!(
            "LocalSocket {}\nDatabaseDirectory {}\nTemporaryDirectory {}\nForeground yes\nUser root\nBytecode no\n{further}\n",
            socket.display(),
            content.display(),
            scratch.path().display()
        );
        let conf = scratch.write("conf", text.as_bytes())?;
        let program = match kind {
            Kind::Clamd => PathBuf::from("clamd"),
            Kind::Dachsd => dachsd()?,
        };
        let mut command = Command::new(program);
        command.arg("-c").arg(conf).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (child, startup) = begin(&mut command, &socket)?;
        Ok(Daemon { socket, startup, child, command, _scratch: scratch })
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it as before.
    pub(crate) fn start_again(&mut self) -> Result<(), String> {
        (self.child, self.startup) = begin(&mut self.command, &self.socket)?;
        Ok(())
    }

    /// Sends, half-closes, and gives all that comes; nothing if it cannot be reached.
    pub(crate) fn ask(&self, bytes: &[u8]) -> Vec<u8> {
        ask(&self.socket, bytes)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a service, and gives the time until it answered.
fn begin(command: &mut Command, socket: &Path) -> Result<(Child, Duration), String> {
    let begin = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    while ask(socket, b"zPING\0") != b"PONG\0" {
        let ended = child.try_wait().is_ok_and(|ended| ended.is_some());
        if ended || begin.elapsed() > Duration::from_secs(900) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{command:?} does not start"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok((child, begin.elapsed()))
}

fn ask(socket: &Path, bytes: &[u8]) -> Vec<u8> {
    let Ok(mut stream) = UnixStream::connect(socket) else { return Vec::new() };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(120)));
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// `DACHSD`, or the release, which is built.
fn dachsd() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("DACHSD") {
        return Ok(PathBuf::from(path));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--quiet", "-p", "dachs-cli", "-p", "dachs-daemon"]).current_dir(root);
    match build.status() {
        Ok(status) if status.success() => Ok(root.join("target/release/dachsd")),
        _ => Err("dachsd cannot be built".to_owned()),
    }
}

/// `INSTREAM` with these bytes.
pub(crate) fn instream(bytes: &[u8]) -> Vec<u8> {
    let mut sent = b"zINSTREAM\0".to_vec();
    for piece in bytes.chunks(1 << 20) {
        sent.extend_from_slice(&(piece.len() as u32).to_be_bytes());
        sent.extend_from_slice(piece);
    }
    sent.extend_from_slice(&[0; 4]);
    sent
}

/// EICAR, put together so that no scanner deletes this source.
pub(crate) fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-", "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

/// A folder with one signature, of EICAR, and with what is in the folder that `DATABASE` names.
pub(crate) fn content() -> Result<Scratch, String> {
    let scratch = Scratch::new()?;
    let hex: String = eicar().iter().map(|byte| format!("{byte:02x}")).collect();
    scratch.write("eicar.ndb", format!("Eicar-Test:0:*:{hex}\n").as_bytes())?;
    if let Some(folder) = std::env::var_os("DATABASE") {
        for entry in std::fs::read_dir(folder).map_err(|error| error.to_string())?.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                std::fs::copy(entry.path(), scratch.path().join(entry.file_name()))
                    .map_err(|error| error.to_string())?;
            }
        }
    }
    Ok(scratch)
}
