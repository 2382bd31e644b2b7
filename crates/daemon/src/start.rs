//! From a configuration to a running service, in the order in which rights are given up.

use std::fs;
use std::io::{Write, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use dachs_clamd::conf::Conf;
use rustix::fd::OwnedFd;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::door::{Door, Listener, Speaks};
use crate::event::Event;
use crate::http::Http;
use crate::keeper::{self, Signals, keep};
use crate::listen;
use crate::log::{Level, Log};
use crate::metrics::Metrics;
use crate::notify::Starter;
use crate::scans::{Desk, Setting};
use crate::service::{Events, Service};
use crate::settings::{HttpPlace, LocalSocket, Settings};
use crate::spool::Store;
use crate::wake::Mailbox;

/// Runs until it is told to stop.
pub(crate) fn run(conf: &Path, passed: Vec<(OwnedFd, String)>) -> ExitCode {
    match read(conf).and_then(|settings| serve(settings, passed)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(3),
        Err(reason) => fail(&reason),
    }
}

/// Checks the configuration.
pub(crate) fn check(conf: &Path) -> ExitCode {
    match read(conf) {
        Ok(_) => ExitCode::SUCCESS,
        Err(reason) => fail(&reason),
    }
}

/// Says something on standard output; nobody may read it.
pub(crate) fn say(text: &str) {
    let _ = stdout().write_all(text.as_bytes());
}

/// Says why it does not work.
pub(crate) fn fail(reason: &str) -> ExitCode {
    let _ = writeln!(stderr(), "dachsd: {}", dachs_record::escape::shown(reason.as_bytes()));
    ExitCode::from(1)
}

fn read(conf: &Path) -> Result<Settings, String> {
    let named = |reason: String| format!("{}: {reason}", conf.display());
    let text = fs::read_to_string(conf).map_err(|error| named(error.to_string()))?;
    Conf::parse(&text).and_then(|conf| Settings::new(&conf)).map_err(named)
}

/// True if it stopped with everything answered.
fn serve(settings: Settings, passed: Vec<(OwnedFd, String)>) -> Result<bool, String> {
    let starter = Starter::new();
    let http = Arc::new(Http::new(&settings.http)?);
    let listeners = listeners(&settings, &http, passed)?;
    if listeners.is_empty() {
        return Err("there is nothing to listen on: set LocalSocket, TCPSocket or DachsHttp".to_owned());
    }
    allow_descriptors();
    if let Some(path) = &settings.pid_file {
        fs::write(path, format!("{}\n", std::process::id())).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    become_user(&settings)?;
    let signals = Signals::new().map_err(|error| format!("signals cannot be caught: {error}"))?;
    let service = Arc::new(service(settings)?);
    let begin = Instant::now();
    keeper::begin(&service)?;
    check_age(&service)?;
    let door = Door::new(Arc::clone(&service), listeners);
    door.open().map_err(|error| format!("there can be no thread: {error}"))?;
    http.ready(Arc::clone(&door));
    starter.say("READY=1");
    let time = format!("{:.3} seconds", begin.elapsed().as_secs_f64());
    service.log.event(Level::Notice, "ready", &[("after", time.as_bytes())]);
    let done = keep(&service, &signals, &starter).map_err(|error| format!("there can be no thread: {error}"))?;
    tidy_up(&service.settings);
    service.log.event(Level::Notice, "stopped", &[("connections", door.inside().to_string().as_bytes())]);
    Ok(done)
}

fn service(settings: Settings) -> Result<Service, String> {
    let log = Log::new(settings.log.format, settings.log.verbose, settings.log.file.as_ref())?;
    let setting = Setting {
        jobs: settings.jobs,
        limits: settings.limits.clone(),
        switches: settings.switches,
        passwords: settings.passwords.clone(),
        program: settings.origin.program.clone(),
        waiting: settings.waiting,
    };
    for (key, reason) in &settings.passed_over {
        log.event(Level::Info, "changes nothing", &[("key", key.as_bytes()), ("reason", reason.as_bytes())]);
    }
    // Workers must not wait for streams, nor many streams for workers.
    let places = settings.jobs.saturating_mul(2).saturating_add(4);
    let store = Store::new(settings.spool_memory, settings.spool_disk, settings.temporary.clone(), places);
    Ok(Service {
        desk: Arc::new(Desk::new(setting)),
        store: Arc::new(store),
        log,
        metrics: Metrics::default(),
        events: Events::default(),
        event: settings.event.clone().map(Event::new).transpose()?,
        wishes: Mailbox::new().map_err(|error| error.to_string())?,
        trouble: Mutex::default(),
        stopping: false.into(),
        started: Instant::now(),
        settings,
    })
}

/// Those that were passed, else those that the configuration names.
fn listeners(settings: &Settings, http: &Arc<Http>, passed: Vec<(OwnedFd, String)>) -> Result<Vec<Listener>, String> {
    let clamd = |socket| Listener { socket, speaks: Speaks::Clamd };
    let web = |socket| Listener { socket, speaks: Speaks::Http(Arc::clone(http)) };
    if !passed.is_empty() {
        let nonblocking = |socket: &OwnedFd| rustix::io::ioctl_fionbio(socket, true);
        return passed
            .into_iter()
            .map(|(socket, name)| {
                nonblocking(&socket).map_err(|error| format!("a passed socket is none: {error}"))?;
                Ok(if name.contains("http") { web(socket) } else { clamd(socket) })
            })
            .collect();
    }
    let backlog = settings.backlog;
    let mut listeners = Vec::new();
    if let Some(local) = &settings.clamd.local {
        listeners.push(clamd(listen::local(local, backlog)?));
    }
    for address in &settings.clamd.addresses {
        match listen::address(*address, backlog) {
            Ok(socket) => listeners.push(clamd(socket)),
            // A machine without IPv6 still has the other loopback.
            Err(_) if address.is_ipv6() && settings.clamd.addresses.len() > 1 => {}
            Err(reason) => return Err(reason),
        }
    }
    for place in &settings.http.places {
        listeners.push(web(match place {
            HttpPlace::Address(address) => listen::address(*address, backlog)?,
            HttpPlace::Socket(path) => listen::local(&http_socket(path), backlog)?,
        }));
    }
    Ok(listeners)
}

fn http_socket(path: &Path) -> LocalSocket {
    LocalSocket { path: path.to_owned(), group: None, mode: 0o660, fix_stale: true }
}

/// As many descriptors as we may have: a client takes up to a handful.
fn allow_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it is refused, the old limit holds.
    let _ = setrlimit(Resource::Nofile, limit);
}

fn become_user(settings: &Settings) -> Result<(), String> {
    let Some(name) = settings.user.as_deref().filter(|_| rustix::process::geteuid().is_root()) else { return Ok(()) };
    let (user, group) = crate::users::user(name).ok_or_else(|| format!("User {name}: there is no such user"))?;
    if user == 0 {
        return Ok(());
    }
    let socket = settings.clamd.local.as_ref().map(|local| &local.path);
    for path in socket.into_iter().chain(&settings.pid_file) {
        // Without it, the file stays behind when we stop.
        let _ = std::os::unix::fs::chown(path, Some(user), None);
    }
    dachs_sys::service::become_user(name, user, group).map_err(|error| format!("User {name}: {error}"))
}

fn check_age(service: &Service) -> Result<(), String> {
    let Some(days) = service.settings.oldest else { return Ok(()) };
    let newest = service.desk.content().and_then(|content| content.facts.time);
    let age = crate::content::now().saturating_sub(newest.unwrap_or(0)) / 86_400;
    if age > days { Err(format!("FailIfCvdOlderThan {days}: the newest database is {age} days old")) } else { Ok(()) }
}

/// Takes away what would be in the way of the next start. What is not ours to take stays.
fn tidy_up(settings: &Settings) {
    let sockets = settings.http.places.iter().filter_map(|place| match place {
        HttpPlace::Socket(path) => Some(path),
        HttpPlace::Address(_) => None,
    });
    let local = settings.clamd.local.as_ref().map(|local| &local.path);
    sockets.chain(local).chain(&settings.pid_file).for_each(|path| drop(fs::remove_file(path)));
}
