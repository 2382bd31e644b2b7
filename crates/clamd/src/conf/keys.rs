//! Every key, and what becomes of it.
//!
//! The one place: files are checked against it, the manual page and docs/service.md are made from it.

use std::fmt::Write;

use State::{Honoured, Idle, Refused, Standard};
use Takes::{Bool, Choice, Number, Size, Text};

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// yes or no.
    Bool,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number.
    Number,
    /// A number of bytes, or with K, M or G.
    Size,
    /// Any text.
    Text,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is done.
    Honoured,
    /// Any value is accepted; it changes nothing, for the reason in the note.
    Idle,
    /// It is not accepted.
    Refused,
    /// Only its default is accepted.
    Standard,
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What a value looks like.
    pub takes: Takes,
    /// Its default; empty if there is none.
    pub standard: &'static str,
    /// What becomes of it.
    pub state: State,
    /// What it does, or why it is not done.
    pub note: &'static str,
}

const fn key(name: &'static str, takes: Takes, standard: &'static str, state: State, note: &'static str) -> Key {
    Key { name, takes, standard, state, note }
}

const NO_LIMIT: &str = "Dachs has no limit of its own for this";
const BYTECODE: &str = "Bytecode programs are never run";
const GONE: &str = "ClamAV 1.4 passes over it, too";

/// All of them: those of clamd.conf(5) in its order, then ours.
pub const KEYS: &[Key] = &[
    key("LogFile", Text, "", Honoured, "Log to this file, besides standard error; it is opened anew on SIGHUP"),
    key("LogFileUnlock", Bool, "no", Idle, "The log is never locked"),
    key("LogFileMaxSize", Size, "1M", Honoured, "The log file stops growing here; 0 means no limit"),
    key("LogTime", Bool, "no", Idle, "Each line of the log file has its time"),
    key("LogClean", Bool, "no", Honoured, "Log clean files too"),
    key(
        "LogSyslog",
        Bool,
        "no",
        Standard,
        "Standard error goes to the journal; `DachsLogFormat journal` gives it levels",
    ),
    key("LogFacility", Text, "LOG_LOCAL6", Idle, "There is no syslog"),
    key("LogVerbose", Bool, "no", Honoured, "Log connections and commands too"),
    key("LogRotate", Bool, "no", Honoured, "At LogFileMaxSize the file is renamed to FILE.old and begun anew"),
    key("PreludeEnable", Bool, "no", Standard, "There is no Prelude"),
    key("PreludeAnalyzerName", Text, "", Idle, "There is no Prelude"),
    key("ExtendedDetectionInfo", Bool, "no", Honoured, "The log names the size and the object of a detection"),
    key("PidFile", Text, "", Honoured, "Write the number of the process to this file"),
    key(
        "TemporaryDirectory",
        Text,
        "",
        Honoured,
        "Where streams that are too large for memory go, without a name; default /var/tmp",
    ),
    key(
        "DatabaseDirectory",
        Text,
        "/var/lib/clamav",
        Honoured,
        "A compiled image, a folder with one, or databases, which are compiled at start and at reload",
    ),
    key("OfficialDatabaseOnly", Bool, "no", Honoured, "Take containers with a verified signature only (.cvd, .cld)"),
    key("FailIfCvdOlderThan", Number, "-1", Honoured, "Refuse to start if the newest container is older, in days"),
    key("LocalSocket", Text, "", Honoured, "Listen on this socket"),
    key("LocalSocketGroup", Text, "", Honoured, "The group of the socket"),
    key("LocalSocketMode", Text, "", Honoured, "The permissions of the socket, in octal; default 666"),
    key("FixStaleSocket", Bool, "yes", Honoured, "Take the place of a socket that nobody listens on"),
    key("TCPSocket", Number, "", Honoured, "Listen on this port"),
    key(
        "TCPAddr",
        Text,
        "",
        Honoured,
        "Listen on this address; repeatable; default 127.0.0.1 and ::1, where clamd takes all addresses",
    ),
    key("MaxConnectionQueueLength", Number, "200", Honoured, "Connections that the kernel keeps waiting"),
    key("StreamMaxLength", Size, "100M", Honoured, "Longer streams are refused"),
    key("StreamMinPort", Number, "1024", Idle, "The command STREAM is gone"),
    key("StreamMaxPort", Number, "2048", Idle, "The command STREAM is gone"),
    key("MaxThreads", Number, "10", Honoured, "Files that are scanned at once; default: one for each processor"),
    key(
        "ReadTimeout",
        Number,
        "120",
        Honoured,
        "A stream that brings nothing for so many seconds, or less than 1 KiB a second on the whole, is given up",
    ),
    key("CommandReadTimeout", Number, "30", Honoured, "A command must be complete after so many seconds"),
    key(
        "SendBufTimeout",
        Number,
        "500",
        Honoured,
        "A client that takes no reply for so many milliseconds, but at least 5 seconds, is cut off",
    ),
    key(
        "MaxQueue",
        Number,
        "100",
        Honoured,
        "Files that wait to be scanned, for each processor; a client that wants more waits",
    ),
    key("IdleTimeout", Number, "30", Honoured, "Seconds after which an idle thread ends"),
    key("ExcludePath", Text, "", Honoured, "Paths in folders that match this expression are not scanned; repeatable"),
    key("MaxDirectoryRecursion", Number, "15", Honoured, "Folders inside folders; deeper ones are told as an error"),
    key("FollowDirectorySymlinks", Bool, "no", Honoured, "Follow links to folders inside folders"),
    key("FollowFileSymlinks", Bool, "no", Honoured, "Follow links to files inside folders"),
    key("CrossFilesystems", Bool, "yes", Honoured, "Enter folders on other file systems"),
    key("SelfCheck", Number, "600", Honoured, "Look for changed databases every so many seconds; 0 means never"),
    key(
        "ConcurrentDatabaseReload",
        Bool,
        "yes",
        Idle,
        "A reload never stops scans, and never holds two sets of signatures on the heap",
    ),
    key("DisableCache", Bool, "no", Idle, "Nothing is cached"),
    key("CacheSize", Number, "65536", Idle, "Nothing is cached"),
    key(
        "VirusEvent",
        Text,
        "",
        Honoured,
        "Run this by /bin/sh for each file in which something is found, one after the other; `%v` is the name, the path is in the environment",
    ),
    key("ExitOnOOM", Bool, "no", Idle, "A worker that has no memory ends, and its file is told as an error"),
    key("AllowAllMatchScan", Bool, "yes", Honoured, "Permit ALLMATCHSCAN"),
    key("Foreground", Bool, "no", Idle, "The service always stays in the foreground"),
    key("Debug", Bool, "no", Idle, "LogVerbose tells more"),
    key("LeaveTemporaryFiles", Bool, "no", Standard, "No temporary files have names"),
    key("GenerateMetadataJson", Bool, "no", Standard, "HTTP answers in JSON"),
    key("User", Text, "", Honoured, "Become this user after the sockets are bound, if started by root"),
    key("Bytecode", Bool, "yes", Idle, BYTECODE),
    key("BytecodeSecurity", Choice(&["TrustSigned", "Paranoid"]), "TrustSigned", Idle, BYTECODE),
    key("BytecodeTimeout", Number, "10000", Idle, BYTECODE),
    key("BytecodeUnsigned", Bool, "no", Standard, BYTECODE),
    key("BytecodeMode", Choice(&["Auto", "ForceInterpreter", "ForceJIT", "Off", "Test"]), "Auto", Idle, BYTECODE),
    key("DetectPUA", Bool, "no", Honoured, "Compile signatures of possibly unwanted programs too"),
    key("ExcludePUA", Text, "", Honoured, "Of these leave this category out; repeatable"),
    key("IncludePUA", Text, "", Honoured, "Of these take this category only; repeatable"),
    key("ScanPE", Bool, "yes", Honoured, "Look into packed programs"),
    key("ScanELF", Bool, "yes", Honoured, "Look into ELF files"),
    key("ScanMail", Bool, "yes", Honoured, "Look into mail"),
    key("ScanPartialMessages", Bool, "no", Standard, "Parts of messages are not put together"),
    key(
        "PhishingSignatures",
        Bool,
        "yes",
        Honoured,
        "Compile body signatures (ndb) of phishing (HTML.Phishing…, Email.Phishing…)",
    ),
    key("PhishingScanURLs", Bool, "yes", Honoured, "Compare links in mail with the lists of the content"),
    key("HeuristicAlerts", Bool, "yes", Honoured, "Report what the engine itself judges"),
    key(
        "HeuristicScanPrecedence",
        Bool,
        "no",
        Honoured,
        "Stop at the first heuristic, before signatures have their say",
    ),
    key("StructuredDataDetection", Bool, "no", Honoured, "Report texts with numbers of credit cards or persons"),
    key("StructuredMinCreditCardCount", Number, "3", Honoured, "Distinct credit card numbers to report"),
    key("StructuredMinSSNCount", Number, "3", Honoured, "Distinct social security numbers to report"),
    key("StructuredSSNFormatNormal", Bool, "yes", Honoured, "Social security numbers as 123-45-6789"),
    key("StructuredSSNFormatStripped", Bool, "no", Honoured, "Social security numbers as 123456789"),
    key("StructuredCCOnly", Bool, "no", Honoured, "Credit cards only, no debit cards"),
    key("ScanHTML", Bool, "yes", Honoured, "Look into HTML pages"),
    key("ScanOLE2", Bool, "yes", Honoured, "Look into OLE2 compound files"),
    key(
        "AlertBrokenExecutables",
        Bool,
        "no",
        Honoured,
        "Alert on executables whose headers make no sense (PE, ELF, Mach-O)",
    ),
    key("AlertBrokenMedia", Bool, "no", Honoured, "Alert on pictures that break the rules of their format"),
    key("AlertEncrypted", Bool, "no", Honoured, "Alert on encrypted archives and documents"),
    key("AlertEncryptedArchive", Bool, "no", Honoured, "Alert on encrypted archives"),
    key("AlertEncryptedDoc", Bool, "no", Honoured, "Alert on encrypted documents"),
    key("AlertOLE2Macros", Bool, "no", Honoured, "Alert on documents with macros"),
    key(
        "AlertPhishingSSLMismatch",
        Bool,
        "no",
        Honoured,
        "Alert on links that show an encrypted page and lead to another",
    ),
    key("AlertPhishingCloak", Bool, "no", Honoured, "Alert on links that hide control characters"),
    key("AlertPartitionIntersection", Bool, "no", Honoured, "Alert on partitions that share sectors"),
    key(
        "AlertExceedsMax",
        Bool,
        "no",
        Honoured,
        "Answer `Heuristics.Limits.Exceeded… FOUND` of files that exceed a limit",
    ),
    key("ScanPDF", Bool, "yes", Honoured, "Look into PDF documents"),
    key("ScanSWF", Bool, "yes", Honoured, "Look into Flash files"),
    key("ScanXMLDOCS", Bool, "yes", Honoured, "Look into XML documents"),
    key("ScanHWP3", Bool, "yes", Honoured, "Look into HWP3 documents"),
    key("ScanOneNote", Bool, "yes", Honoured, "Look into OneNote sections"),
    key("ScanArchive", Bool, "yes", Honoured, "Look into archives, compressed streams and disk images"),
    key("ScanImage", Bool, "yes", Honoured, "Look into pictures"),
    key("ScanImageFuzzyHash", Bool, "yes", Standard, "All signatures that are loaded are used"),
    key("ForceToDisk", Bool, "no", Standard, "Streams stay in memory as long as there is room"),
    key("MaxScanTime", Number, "120000", Honoured, "Milliseconds for one file; 0 means no limit"),
    key("MaxScanSize", Size, "256G", Honoured, "Bytes unpacked from one file; 0 means no limit"),
    key(
        "MaxFileSize",
        Size,
        "64G",
        Honoured,
        "Larger files, and larger ones in archives, are not looked at; 0 means no limit",
    ),
    key("MaxRecursion", Number, "33", Honoured, "Archives inside archives, the outermost counted"),
    key("MaxFiles", Number, "1000000", Honoured, "Files unpacked from one file; 0 means no limit"),
    key("MaxEmbeddedPE", Size, "40M", Idle, NO_LIMIT),
    key("MaxHTMLNormalize", Size, "40M", Idle, NO_LIMIT),
    key("MaxHTMLNoTags", Size, "8M", Idle, NO_LIMIT),
    key("MaxScriptNormalize", Size, "20M", Idle, NO_LIMIT),
    key("MaxZipTypeRcg", Size, "1M", Idle, NO_LIMIT),
    key("MaxPartitions", Number, "50", Idle, NO_LIMIT),
    key("MaxIconsPE", Number, "100", Idle, NO_LIMIT),
    key("MaxRecHWP3", Number, "16", Idle, NO_LIMIT),
    key("PCREMatchLimit", Number, "100000", Idle, NO_LIMIT),
    key("PCRERecMatchLimit", Number, "2000", Idle, NO_LIMIT),
    key("PCREMaxFileSize", Size, "100M", Idle, NO_LIMIT),
    key("OnAccessMountPath", Text, "", Idle, "There is no on-access scanner in this service, but for clamonacc"),
    key("OnAccessIncludePath", Text, "", Idle, "There is no on-access scanner in this service, but for clamonacc"),
    key("OnAccessExcludePath", Text, "", Idle, "There is no on-access scanner in this service, but for clamonacc"),
    key("OnAccessExcludeRootUID", Bool, "no", Idle, "There is no on-access scanner in this service, but for clamonacc"),
    key("OnAccessExcludeUID", Number, "", Idle, "There is no on-access scanner in this service, but for clamonacc"),
    key("OnAccessExcludeUname", Text, "", Idle, "There is no on-access scanner in this service, but for clamonacc"),
    key("OnAccessMaxFileSize", Size, "5M", Idle, "There is no on-access scanner in this service, but for clamonacc"),
    key("OnAccessDisableDDD", Bool, "no", Idle, "There is no on-access scanner in this service, but for clamonacc"),
    key(
        "OnAccessCurlTimeout",
        Number,
        "5000",
        Idle,
        "There is no on-access scanner in this service, but for clamonacc",
    ),
    key("OnAccessMaxThreads", Number, "5", Idle, "There is no on-access scanner in this service, but for clamonacc"),
    key("OnAccessRetryAttempts", Number, "0", Idle, "There is no on-access scanner in this service, but for clamonacc"),
    key("OnAccessDenyOnError", Bool, "no", Idle, "There is no on-access scanner in this service, but for clamonacc"),
    key("OnAccessPrevention", Bool, "no", Standard, "There is no on-access scanner in this service"),
    key("OnAccessExtraScanning", Bool, "no", Standard, "There is no on-access scanner in this service"),
    key("DisableCertCheck", Bool, "no", Honoured, "Let no signature of a program make it clean"),
    key("AlgorithmicDetection", Bool, "yes", Honoured, "An old name of HeuristicAlerts"),
    key("BlockMax", Bool, "no", Honoured, "An old name of AlertExceedsMax"),
    key("PhishingAlwaysBlockSSLMismatch", Bool, "no", Honoured, "An old name of AlertPhishingSSLMismatch"),
    key("PhishingAlwaysBlockCloak", Bool, "no", Honoured, "An old name of AlertPhishingCloak"),
    key("PartitionIntersection", Bool, "no", Honoured, "An old name of AlertPartitionIntersection"),
    key("OLE2BlockMacros", Bool, "no", Honoured, "An old name of AlertOLE2Macros"),
    key("ArchiveBlockEncrypted", Bool, "no", Honoured, "An old name of AlertEncrypted"),
    key("AllowSupplementaryGroups", Text, "", Idle, GONE),
    key("ArchiveBlockMax", Text, "", Idle, GONE),
    key("ArchiveLimitMemoryUsage", Text, "", Idle, GONE),
    key("ArchiveMaxCompressionRatio", Text, "", Idle, GONE),
    key("ArchiveMaxFiles", Text, "", Idle, GONE),
    key("ArchiveMaxRecursion", Text, "", Idle, GONE),
    key("ArchiveMaxScanSize", Text, "", Idle, GONE),
    key("DetectBrokenExecutables", Text, "", Idle, GONE),
    key("MailFollowURLs", Text, "", Idle, GONE),
    key("MailMaxRecursion", Text, "", Idle, GONE),
    key("ScanOnAccess", Text, "", Idle, GONE),
    key(
        "DachsIncomplete",
        Choice(&["error", "found", "ok"]),
        "error",
        Honoured,
        "What is answered of a file in which nothing was found, but that was not wholly looked at: `reason ERROR`, `Heuristics.Incomplete… FOUND`, or `OK`",
    ),
    key(
        "DachsWorker",
        Text,
        "",
        Honoured,
        "The executable `dachs` that workers are made from; default: the one beside dachsd",
    ),
    key(
        "DachsMaxConnections",
        Number,
        "512",
        Honoured,
        "Connections at once; one client may have three quarters of them",
    ),
    key(
        "DachsSpoolMemory",
        Size,
        "256M",
        Honoured,
        "Memory for streams that come in or wait, all together; at most a quarter of what the control group allows",
    ),
    key("DachsSpoolDisk", Size, "4G", Honoured, "Room on disk for streams that are too large for memory, all together"),
    key(
        "CVDCertsDirectory",
        Text,
        "",
        Honoured,
        "Trust the certificates in this folder for signatures beside containers, as in ClamAV 1.5",
    ),
    key(
        "DachsPassword",
        Text,
        "",
        Honoured,
        "A password for what is encrypted, tried before those of the databases; repeatable, up to 16",
    ),
    key("DachsStopTimeout", Number, "30", Honoured, "Seconds that scans have left when the service is stopped"),
    key(
        "DachsLogFormat",
        Choice(&["journal", "json", "text"]),
        "text",
        Honoured,
        "How standard error is written; the log file is always text",
    ),
    key(
        "DachsHttp",
        Text,
        "",
        Honoured,
        "Answer HTTP on this address, as in 127.0.0.1:8310; a path is a socket; repeatable",
    ),
    key(
        "DachsHttpTokens",
        Text,
        "",
        Honoured,
        "A file with one bearer token a line; needed for addresses that are not of this machine",
    ),
    key("DachsHttpCertificate", Text, "", Honoured, "A file with certificates (PEM): HTTP is spoken over TLS"),
    key("DachsHttpKey", Text, "", Honoured, "The key of the first certificate (PEM)"),
    key("DachsHttpClientCa", Text, "", Honoured, "Clients must show a certificate of this authority (PEM)"),
    key("DachsHttpRate", Number, "0", Honoured, "Requests that one client may make in a second; 0 means no limit"),
    key("DachsHttpConcurrent", Number, "256", Honoured, "Requests that are answered at once; more are answered 503"),
];

/// The key with this name.
pub(super) fn by_name(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The table for the documents.
#[must_use]
pub fn table() -> String {
    let mut text = "| key | default | state | |\n|---|---|---|---|\n".to_owned();
    for key in KEYS {
        let state = match key.state {
            Honoured => "honoured",
            Idle => "accepted, changes nothing",
            Refused => "refused",
            Standard => "only the default",
        };
        let standard = if key.standard.is_empty() { String::new() } else { format!("`{}`", key.standard) };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{}` | {standard} | {state} | {} |", key.name, key.note);
    }
    text
}

/// The keys that are honoured, for a manual page: one paragraph each, as roff.
#[must_use]
pub fn manual() -> String {
    let mut text = String::new();
    for key in KEYS.iter().filter(|key| key.state == Honoured) {
        let standard = if key.standard.is_empty() { String::new() } else { format!(" [{}]", key.standard) };
        let note = key.note.replace('\\', "\\e").replace('`', "");
        let _ = writeln!(text, ".TP\n.B {}\n{note}.{standard}", key.name);
    }
    text
}
