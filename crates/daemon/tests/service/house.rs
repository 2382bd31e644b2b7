//! A running `dachsd`, with a folder, content and sockets of its own.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// EICAR, put together so that no scanner deletes this source.
pub(crate) fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-", "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

/// A signature of EICAR, in ClamAV's form.
pub(crate) fn signature(name: &str) -> String {
    let hex: String = eicar().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name}:0:*:{hex}\n")
}

/// The executable `dachs`, built if it is not.
pub(crate) fn dachs() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let beside = Path::new(env!("CARGO_BIN_EXE_dachsd")).with_file_name("dachs");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--offline", "--package", "dachs-cli"]);
        if beside.components().any(|part| part.as_os_str() == "release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "dachs cannot be built");
        beside
    })
}

/// Whether a program can be started; says so if not.
pub(crate) fn is_there(program: &str, test: &str) -> bool {
    let there = Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        eprintln!("SKIPPED: {test}: there is no {program}");
    }
    there
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// `INSTREAM` with these bytes.
pub(crate) fn instream(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [b"zINSTREAM\0".as_slice(), &length, bytes, &[0; 4]].concat()
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(30), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A running service.
pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    child: Child,
    stopped: bool,
}

impl House {
    /// Starts it with these further lines of configuration.
    pub(crate) fn new(further: &str) -> House {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("db")).unwrap();
        fs::write(folder.path().join("db/test.ndb"), signature("Test.First")).unwrap();
        let child = start(folder.path(), further);
        let house = House { folder, child, stopped: false };
        house.wait_until_ready();
        house
    }

    /// Ends it at once and starts it again.
    pub(crate) fn kill_and_start(&mut self, further: &str) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = start(self.folder.path(), further);
        self.wait_until_ready();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and gives its path.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path("s")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends, half-closes, and gives all that comes.
    pub(crate) fn ask(&self, bytes: &[u8]) -> String {
        self.ask_at("s", bytes)
    }

    /// As [`House::ask`], over HTTP.
    pub(crate) fn ask_web(&self, bytes: &[u8]) -> String {
        self.ask_at("web", bytes)
    }

    /// As [`House::ask`], at a socket of this name.
    pub(crate) fn ask_at(&self, name: &str, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.path(name)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // The service may have had enough already.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        // A service that is just ending may reset the connection.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits until the log has this.
    pub(crate) fn wait_for_log(&self, text: &str) {
        let begin = Instant::now();
        while !self.log().contains(text) {
            assert!(begin.elapsed() < Duration::from_secs(20), "{text:?} is not in\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it in order.
    pub(crate) fn stop(&mut self) {
        assert_eq!(self.ask(b"zSHUTDOWN\0"), "");
        assert_eq!(self.ended(), Some(0));
    }

    /// Waits for its end, and gives its code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.stopped = true;
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    fn wait_until_ready(&self) {
        let begin = Instant::now();
        while UnixStream::connect(self.path("s")).is_err() || self.ask(b"zPING\0") != "PONG\0" {
            assert!(begin.elapsed() < Duration::from_secs(30), "not ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if !self.stopped {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn start(folder: &Path, further: &str) -> Child {
    let name = |name: &str| folder.join(name).display().to_string();
    let further = further.replace("FOLDER", &name(""));
    let text = format!(
        "LocalSocket {}\nDatabaseDirectory {}\nTemporaryDirectory {}\nDachsWorker {}\nLogFile {}\nLogVerbose yes\n{further}\n",
        name("s"),
        name("db"),
        name(""),
        dachs().display(),
        name("log"),
    );
    fs::write(folder.join("conf"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dachsd"));
    command.arg("-c").arg(folder.join("conf")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}
