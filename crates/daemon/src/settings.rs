//! What the configuration asks for, in the words of the service.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dachs_base::{Alerts, Closed, Form, Limits, Structured, Switches};
use dachs_clamd::conf::Conf;
use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::content::{Chosen, Origin};
use crate::log::{Format, LogFile};

/// A time that is as good as none.
const NO_TIME: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Clients get at least so long to take a reply.
const LEAST_PATIENCE: Duration = Duration::from_secs(5);
/// An expression for paths may compile to so many bytes.
const LARGEST_EXPRESSION: usize = 1 << 20;

/// What is answered of files in which nothing was found, but that were not wholly looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Incomplete {
    #[default]
    Error,
    Found,
    Ok,
}

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) origin: Origin,
    pub(crate) limits: Limits,
    /// What is looked into and reported besides signatures.
    pub(crate) switches: Switches,
    /// Passwords for what is encrypted.
    pub(crate) passwords: Vec<Vec<u8>>,
    /// Keys that were given and change nothing, each with the reason.
    pub(crate) passed_over: Vec<(&'static str, &'static str)>,
    /// Larger files are not looked at, in bytes.
    pub(crate) largest: u64,
    pub(crate) jobs: usize,
    /// Orders that may wait.
    pub(crate) waiting: usize,
    pub(crate) incomplete: Incomplete,
    pub(crate) limits_found: bool,
    pub(crate) all_matches: bool,
    pub(crate) walk: WalkSettings,
    pub(crate) clamd: ClamdSettings,
    pub(crate) http: HttpSettings,
    pub(crate) connections: usize,
    pub(crate) backlog: i32,
    pub(crate) spool_memory: u64,
    pub(crate) spool_disk: u64,
    pub(crate) temporary: PathBuf,
    pub(crate) idle: Duration,
    pub(crate) stop: Duration,
    /// How often databases are looked at; absent for never.
    pub(crate) self_check: Option<Duration>,
    /// Days after which content is too old to start with.
    pub(crate) oldest: Option<u64>,
    pub(crate) user: Option<String>,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) log: LogSettings,
    /// The command of `VirusEvent`.
    pub(crate) event: Option<String>,
}

/// How the log is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogSettings {
    pub(crate) format: Format,
    pub(crate) verbose: bool,
    pub(crate) clean: bool,
    pub(crate) extended: bool,
    pub(crate) file: Option<LogFile>,
}

/// What is scanned in folders.
#[derive(Clone, Debug)]
pub(crate) struct WalkSettings {
    pub(crate) exclude: RegexSet,
    pub(crate) depth: usize,
    pub(crate) follow_files: bool,
    pub(crate) follow_folders: bool,
    pub(crate) one_file_system: bool,
}

/// How clients of clamd are served.
#[derive(Clone, Debug)]
pub(crate) struct ClamdSettings {
    pub(crate) local: Option<LocalSocket>,
    pub(crate) addresses: Vec<SocketAddr>,
    /// The longest stream in bytes.
    pub(crate) longest_stream: u64,
    pub(crate) read: Duration,
    pub(crate) command: Duration,
    pub(crate) send: Duration,
}

/// The socket in the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalSocket {
    pub(crate) path: PathBuf,
    pub(crate) group: Option<String>,
    pub(crate) mode: u32,
    /// Take the place of one that nobody listens on.
    pub(crate) fix_stale: bool,
}

/// How HTTP is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpSettings {
    /// Addresses, or paths of sockets.
    pub(crate) places: Vec<HttpPlace>,
    pub(crate) tokens: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) client_ca: Option<PathBuf>,
    /// Requests a second of one client; 0 for no limit.
    pub(crate) rate: u64,
    pub(crate) concurrent: usize,
}

/// Where HTTP is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HttpPlace {
    Address(SocketAddr),
    Socket(PathBuf),
}

impl Settings {
    /// What this configuration means.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub(crate) fn new(conf: &Conf) -> Result<Settings, String> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = allowed_memory(Path::new("/"));
        let limits = limits(conf);
        // What workers may use, all together, fits into half of what we may have.
        let fitting = usize::try_from(memory / 2 / limits.memory.max(1)).unwrap_or(usize::MAX).max(1);
        let jobs = conf.given_number("MaxThreads").map_or(cores.min(fitting), count).clamp(1, 1024);
        let temporary = PathBuf::from(conf.text("TemporaryDirectory").unwrap_or("/var/tmp"));
        let seconds = |name| Duration::from_secs(conf.number(name));
        Ok(Settings {
            origin: origin(conf, &temporary)?,
            limits,
            switches: switches(conf),
            passwords: conf.all("DachsPassword").map(|password| password.as_bytes().to_vec()).collect(),
            passed_over: conf.idle().collect(),
            largest: unless_zero(conf, "MaxFileSize").unwrap_or(u64::MAX),
            jobs,
            waiting: count(conf.number("MaxQueue")).saturating_mul(jobs).max(1),
            incomplete: match conf.text("DachsIncomplete") {
                Some("found") => Incomplete::Found,
                Some("ok") => Incomplete::Ok,
                _ => Incomplete::Error,
            },
            limits_found: conf.is_on("AlertExceedsMax") || conf.is_on("BlockMax"),
            all_matches: conf.is_on("AllowAllMatchScan"),
            walk: walk(conf)?,
            clamd: clamd(conf)?,
            http: http(conf)?,
            connections: count(conf.number("DachsMaxConnections")).max(4),
            backlog: i32::try_from(conf.number("MaxConnectionQueueLength")).unwrap_or(i32::MAX).max(1),
            spool_memory: conf.number("DachsSpoolMemory").min(memory / 4),
            spool_disk: conf.number("DachsSpoolDisk"),
            temporary,
            idle: seconds("IdleTimeout").max(Duration::from_secs(1)),
            stop: seconds("DachsStopTimeout"),
            self_check: Some(seconds("SelfCheck")).filter(|time| !time.is_zero()),
            oldest: conf.given_number("FailIfCvdOlderThan"),
            user: conf.text("User").map(str::to_owned),
            pid_file: conf.text("PidFile").map(PathBuf::from),
            log: log(conf),
            event: conf.text("VirusEvent").map(str::to_owned),
        })
    }
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A limit that was given; absent if not, and without limit if it is 0.
fn unless_zero(conf: &Conf, name: &str) -> Option<u64> {
    conf.given_number(name).map(|number| if number == 0 { u64::MAX } else { number })
}

/// As for the name `clamscan`: the number of levels counts the file itself, and 0 means no limit elsewhere.
fn limits(conf: &Conf) -> Limits {
    let standard = Limits::default();
    Limits {
        depth: match conf.given_number("MaxRecursion") {
            None | Some(0) => standard.depth,
            Some(levels) => u32::try_from(levels - 1).unwrap_or(u32::MAX),
        },
        objects: unless_zero(conf, "MaxFiles").unwrap_or(standard.objects),
        object_size: unless_zero(conf, "MaxFileSize").unwrap_or(standard.object_size),
        scan_size: unless_zero(conf, "MaxScanSize").unwrap_or(standard.scan_size),
        time: unless_zero(conf, "MaxScanTime")
            .map_or(standard.time, |milliseconds| Duration::from_millis(milliseconds).min(NO_TIME)),
        ..standard
    }
}

/// What is looked into, and what is reported besides signatures. Old names of keys are as good as new ones.
fn switches(conf: &Conf) -> Switches {
    let (on, off) = (|name| conf.is_on(name), |name| !conf.is_on(name));
    let encrypted = on("AlertEncrypted") || on("ArchiveBlockEncrypted");
    Switches {
        alerts: Alerts {
            broken: on("AlertBrokenExecutables"),
            broken_media: on("AlertBrokenMedia"),
            encrypted_archives: encrypted || on("AlertEncryptedArchive"),
            encrypted_documents: encrypted || on("AlertEncryptedDoc"),
            links_cloaked: on("AlertPhishingCloak") || on("PhishingAlwaysBlockCloak"),
            links_unencrypted: on("AlertPhishingSSLMismatch") || on("PhishingAlwaysBlockSSLMismatch"),
            macros: on("AlertOLE2Macros") || on("OLE2BlockMacros"),
            partitions: on("AlertPartitionIntersection") || on("PartitionIntersection"),
        },
        no_heuristics: off("HeuristicAlerts") || off("AlgorithmicDetection"),
        no_links: off("PhishingScanURLs"),
        no_normalising: false,
        no_trust: on("DisableCertCheck"),
        precedence: on("HeuristicScanPrecedence"),
        closed: Closed {
            archive: off("ScanArchive"),
            elf: off("ScanELF"),
            html: off("ScanHTML"),
            hwp3: off("ScanHWP3"),
            image: off("ScanImage"),
            mail: off("ScanMail"),
            ole2: off("ScanOLE2"),
            onenote: off("ScanOneNote"),
            pdf: off("ScanPDF"),
            pe: off("ScanPE"),
            swf: off("ScanSWF"),
            xml_documents: off("ScanXMLDOCS"),
        },
        structured: on("StructuredDataDetection").then(|| structured(conf)),
    }
}

/// How many numbers, and in which form. Where no form is on, so many persons are wanted as no text has.
fn structured(conf: &Conf) -> Structured {
    let least = |name| u32::try_from(conf.number(name)).unwrap_or(u32::MAX).max(1);
    let forms = (conf.is_on("StructuredSSNFormatNormal"), conf.is_on("StructuredSSNFormatStripped"));
    Structured {
        cards: least("StructuredMinCreditCardCount"),
        credit_only: conf.is_on("StructuredCCOnly"),
        persons: if forms == (false, false) { u32::MAX } else { least("StructuredMinSSNCount") },
        form: match forms {
            (true, true) => Form::Both,
            (false, true) => Form::Plain,
            _ => Form::Dashed,
        },
    }
}

fn origin(conf: &Conf, temporary: &Path) -> Result<Origin, String> {
    let program = match conf.text("DachsWorker") {
        Some(program) => PathBuf::from(program),
        None => beside().ok_or("DachsWorker: there is no executable `dachs` beside dachsd")?,
    };
    Ok(Origin {
        place: conf.text("DatabaseDirectory").map(PathBuf::from),
        program,
        scratch: temporary.to_path_buf(),
        chosen: chosen(conf)?,
    })
}

fn chosen(conf: &Conf) -> Result<Chosen, String> {
    let all = |name| conf.all(name).map(str::to_owned).collect::<Vec<String>>();
    let (only, without) = (all("IncludePUA"), all("ExcludePUA"));
    if !only.is_empty() && !without.is_empty() {
        return Err("ExcludePUA and IncludePUA cannot be used at the same time".to_owned());
    }
    Ok(Chosen {
        unwanted: conf.is_on("DetectPUA"),
        certificates: conf.text("CVDCertsDirectory").map(str::to_owned),
        only,
        without,
        no_phishing: !conf.is_on("PhishingSignatures"),
        official: conf.is_on("OfficialDatabaseOnly"),
    })
}

/// The executable `dachs` beside this one, or where it is installed.
fn beside() -> Option<PathBuf> {
    let here = std::env::current_exe().ok()?;
    let beside = here.parent()?.join("dachs");
    [beside, PathBuf::from("/usr/bin/dachs"), PathBuf::from("/usr/local/bin/dachs")]
        .into_iter()
        .find(|path| path.is_file())
}

fn walk(conf: &Conf) -> Result<WalkSettings, String> {
    let exclude = RegexSetBuilder::new(conf.all("ExcludePath")).size_limit(LARGEST_EXPRESSION).unicode(false).build();
    Ok(WalkSettings {
        exclude: exclude.map_err(|error| format!("ExcludePath: {error}"))?,
        depth: match conf.number("MaxDirectoryRecursion") {
            0 => usize::MAX,
            depth => count(depth),
        },
        follow_files: conf.is_on("FollowFileSymlinks"),
        follow_folders: conf.is_on("FollowDirectorySymlinks"),
        one_file_system: !conf.is_on("CrossFilesystems"),
    })
}

fn clamd(conf: &Conf) -> Result<ClamdSettings, String> {
    let seconds = |name| Duration::from_secs(conf.number(name)).max(Duration::from_secs(1));
    let local = conf.text("LocalSocket").map(|path| {
        let mode =
            u32::from_str_radix(conf.text("LocalSocketMode").unwrap_or("666"), 8).ok().filter(|mode| *mode <= 0o777);
        Ok::<_, String>(LocalSocket {
            path: PathBuf::from(path),
            group: conf.text("LocalSocketGroup").map(str::to_owned),
            mode: mode.ok_or("LocalSocketMode: an octal number up to 777 is expected")?,
            fix_stale: conf.is_on("FixStaleSocket"),
        })
    });
    Ok(ClamdSettings {
        local: local.transpose()?,
        addresses: addresses(conf)?,
        longest_stream: match conf.number("StreamMaxLength") {
            0 => u64::MAX,
            length => length,
        },
        read: seconds("ReadTimeout"),
        command: seconds("CommandReadTimeout"),
        send: Duration::from_millis(conf.number("SendBufTimeout")).max(LEAST_PATIENCE),
    })
}

fn addresses(conf: &Conf) -> Result<Vec<SocketAddr>, String> {
    let Some(port) = conf.given_number("TCPSocket") else { return Ok(Vec::new()) };
    let port = u16::try_from(port).map_err(|_| "TCPSocket: a port is at most 65535")?;
    let mut addresses = Vec::new();
    for text in conf.all("TCPAddr") {
        match text {
            "localhost" => addresses.extend(loopback(port)),
            text => {
                let address: IpAddr = text.parse().map_err(|_| format!("TCPAddr {text}: an address is expected"))?;
                addresses.push(SocketAddr::new(address, port));
            }
        }
    }
    if addresses.is_empty() {
        addresses.extend(loopback(port));
    }
    Ok(addresses)
}

fn loopback(port: u16) -> [SocketAddr; 2] {
    [SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port), SocketAddr::new(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), port)]
}

fn http(conf: &Conf) -> Result<HttpSettings, String> {
    let place = |text: &str| match text.starts_with('/') {
        true => Ok(HttpPlace::Socket(PathBuf::from(text))),
        false => {
            text.parse().map(HttpPlace::Address).map_err(|_| format!("DachsHttp {text}: address and port are expected"))
        }
    };
    let path = |name| conf.text(name).map(PathBuf::from);
    let http = HttpSettings {
        places: conf.all("DachsHttp").map(place).collect::<Result<_, _>>()?,
        tokens: path("DachsHttpTokens"),
        certificate: path("DachsHttpCertificate"),
        key: path("DachsHttpKey"),
        client_ca: path("DachsHttpClientCa"),
        rate: conf.number("DachsHttpRate"),
        concurrent: count(conf.number("DachsHttpConcurrent")).max(1),
    };
    let open = |place: &HttpPlace| matches!(place, HttpPlace::Address(address) if !address.ip().is_loopback());
    if http.places.iter().any(open) && http.tokens.is_none() && http.client_ca.is_none() {
        return Err("DachsHttp: an address that others can reach needs DachsHttpTokens or DachsHttpClientCa".to_owned());
    }
    if http.certificate.is_some() != http.key.is_some() || (http.client_ca.is_some() && http.key.is_none()) {
        return Err(
            "DachsHttpCertificate and DachsHttpKey belong together, and DachsHttpClientCa needs both".to_owned()
        );
    }
    Ok(http)
}

fn log(conf: &Conf) -> LogSettings {
    LogSettings {
        format: match conf.text("DachsLogFormat") {
            Some("journal") => Format::Journal,
            Some("json") => Format::Json,
            _ => Format::Text,
        },
        verbose: conf.is_on("LogVerbose"),
        clean: conf.is_on("LogClean"),
        extended: conf.is_on("ExtendedDetectionInfo"),
        file: conf.text("LogFile").map(|path| LogFile {
            path: PathBuf::from(path),
            largest: Some(conf.number("LogFileMaxSize")).filter(|size| *size > 0),
            rotate: conf.is_on("LogRotate"),
        }),
    }
}

/// What the machine has and what our control group and those around it allow, the least of it, in bytes: `memory.max` of
/// cgroup-v2, `memory.limit_in_bytes` of version 1. Read below `root`, which is `/` but in tests.
fn allowed_memory(root: &Path) -> u64 {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let groups = read("proc/self/cgroup").unwrap_or_default();
    let limits = [("", "", "memory.max"), ("memory", "memory/", "memory.limit_in_bytes")].into_iter().flat_map(
        |(controller, folder, file)| {
            // NUMBER:CONTROLLERS:PATH, cgroups(7)
            let fields = groups.lines().map(|line| line.splitn(3, ':').collect::<Vec<_>>());
            let mut own = fields
                .filter(|fields| fields.get(1).is_some_and(|names| names.split(',').any(|name| name == controller)));
            let path = own.next().and_then(|fields| fields.get(2).copied()).unwrap_or("/");
            let names = Path::new(path)
                .ancestors()
                .map(move |above| format!("sys/fs/cgroup/{folder}{}/{file}", above.display()));
            names.collect::<Vec<_>>()
        },
    );
    let limits = limits.filter_map(|name| read(&name)?.trim().parse::<u64>().ok());
    let machine = || {
        let text = read("proc/meminfo")?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.to_owned();
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()?.checked_mul(1024)
    };
    limits.chain(machine()).min().unwrap_or(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, String> {
        Settings::new(&Conf::parse(&format!("DachsWorker /bin/true\n{text}")).unwrap())
    }

    #[test]
    fn defaults_are_safe() {
        let plain = settings("TCPSocket 3310").unwrap();
        assert!(plain.clamd.addresses.iter().all(|address| address.ip().is_loopback()));
        assert_eq!((plain.incomplete, plain.limits.clone()), (Incomplete::Error, Limits::default()));
        assert_eq!((plain.clamd.longest_stream, plain.clamd.local), (100 << 20, None));
        assert!(plain.spool_memory > 0 && plain.spool_memory <= 256 << 20);
    }

    #[test]
    fn what_is_asked_for_is_set() {
        let asked = settings(
            "LocalSocket /run/x\nLocalSocketMode 660\nMaxRecursion 5\nMaxFileSize 0\nMaxScanTime 7\nSelfCheck 0\n\
             DachsIncomplete found\nMaxThreads 3\nMaxQueue 10\nStreamMaxLength 0",
        )
        .unwrap();
        assert_eq!(asked.clamd.local.map(|local| local.mode), Some(0o660));
        assert_eq!((asked.limits.depth, asked.limits.object_size, asked.largest), (4, u64::MAX, u64::MAX));
        assert_eq!((asked.limits.time, asked.self_check), (Duration::from_millis(7), None));
        assert_eq!((asked.jobs, asked.waiting, asked.clamd.longest_stream), (3, 30, u64::MAX));
    }

    #[test]
    fn switches_are_those_of_the_configuration() {
        let of = |text: &str| settings(text).unwrap().switches;
        assert_eq!(of("TCPSocket 3310"), Switches::STANDARD);
        let closed = of("ScanArchive no\nScanPDF no\nScanOneNote false").closed;
        assert_eq!(closed, Closed { archive: true, pdf: true, onenote: true, ..Closed::default() });
        for (old, new) in [
            ("AlgorithmicDetection no", "HeuristicAlerts no"),
            ("ArchiveBlockEncrypted yes", "AlertEncrypted yes"),
            ("OLE2BlockMacros yes", "AlertOLE2Macros yes"),
            ("PhishingAlwaysBlockCloak yes", "AlertPhishingCloak yes"),
            ("PhishingAlwaysBlockSSLMismatch yes", "AlertPhishingSSLMismatch yes"),
        ] {
            assert_eq!(of(old), of(new), "{old}");
            assert_ne!(of(old), Switches::STANDARD, "{old}");
        }
        assert!(of("PhishingScanURLs no").no_links && of("HeuristicScanPrecedence yes").precedence);
        let structured = |text: &str| of(&format!("StructuredDataDetection yes\n{text}")).structured.unwrap();
        let plain = Structured { cards: 3, credit_only: false, persons: 3, form: Form::Dashed };
        assert_eq!(structured(""), plain);
        assert_eq!(structured("StructuredCCOnly yes\nStructuredMinCreditCardCount 0").cards, 1);
        assert_eq!(structured("StructuredSSNFormatStripped yes").form, Form::Both);
        assert_eq!(structured("StructuredSSNFormatNormal no").persons, u32::MAX);
    }

    #[test]
    fn the_control_group_bounds_what_is_used() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("proc/meminfo", "MemTotal:        1000 kB\nMemFree: 5 kB\n");
        assert_eq!(allowed_memory(root.path()), 1_024_000);
        write("proc/self/cgroup", "0::/system.slice/dachsd.service\n");
        write("sys/fs/cgroup/system.slice/dachsd.service/memory.max", "max\n");
        assert_eq!(allowed_memory(root.path()), 1_024_000);
        write("sys/fs/cgroup/system.slice/memory.max", "700000\n");
        assert_eq!(allowed_memory(root.path()), 700_000);
        write("sys/fs/cgroup/system.slice/dachsd.service/memory.max", "500000\n");
        assert_eq!(allowed_memory(root.path()), 500_000);
        write("proc/self/cgroup", "4:cpu,memory:/docker/x\n0::/\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(allowed_memory(root.path()), 1_024_000, "no limit is not more than there is");
        write("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "300000\n");
        assert_eq!(allowed_memory(root.path()), 300_000);
    }

    /// As Debian's package writes it.
    #[test]
    fn the_configuration_of_debian_is_taken() {
        let Ok(text) = std::fs::read_to_string("/etc/clamav/clamd.conf") else {
            eprintln!("SKIPPED: the_configuration_of_debian_is_taken: there is no /etc/clamav/clamd.conf");
            return;
        };
        let conf = Conf::parse(&format!("DachsWorker /bin/true\n{text}")).unwrap();
        assert_eq!(Settings::new(&conf).unwrap().limits.object_size, conf.number("MaxFileSize"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, expected) in [
            ("TCPSocket 70000", "TCPSocket"),
            ("TCPSocket 1\nTCPAddr nowhere.example", "TCPAddr"),
            ("LocalSocket /x\nLocalSocketMode 888", "LocalSocketMode"),
            ("ExcludePath (", "ExcludePath"),
            ("DachsHttp here", "DachsHttp here"),
            ("DachsHttp 0.0.0.0:80", "needs DachsHttpTokens"),
            ("DachsHttpKey /x", "belong together"),
            ("DachsHttpClientCa /x", "needs both"),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
