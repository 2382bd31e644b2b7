//! A worker: one request after another, and one file of it after another.

use crate::profile::Profile;
use crate::team::Talk;
use crate::{Deadline, Engine, FileSource};
use dachs_base::{Anomaly, AnomalyKind, Budget, HELD, Report, Source};
use dachs_engine::{Options, Outcome, Team};
use dachs_proto::{Body, File, FileReply, LONGEST, Reply, Request, exit};
use dachs_rules::RuleSet;
use dachs_sigdb::{Image, LinkOptions, digest_all};
use dachs_sys::jail::{Jailed, socket};
use dachs_sys::process::exit_now;
use dachs_sys::socket::{DESCRIPTORS, receive_with_descriptors, send};
use std::os::fd::OwnedFd;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const _: () = assert!(Request::FILES <= DESCRIPTORS, "the files of a request come in one packet");

/// The number of the request at hand, for the last words of a panic. No worker has yet read one while it is 0.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// What a worker scans with.
pub(crate) struct Content<'a> {
    /// The signatures.
    pub(crate) image: Image<'a>,
    /// Its YARA rules, if it has any.
    pub(crate) rules: Option<RuleSet>,
}

/// Serves requests until the pool closes the socket, or until a file that had to be alone is done. Gives the exit code.
pub(crate) fn serve(jailed: &Jailed, content: &Content<'_>, engine: Engine) -> i32 {
    let mut profile = Profile::default();
    loop {
        let (request, files) = match next() {
            Ok(Some(next)) => next,
            Ok(None) => return exit::DONE,
            Err(Confused) => return exit::TALK,
        };
        let files = match request.profile {
            Some(rules) => vec![timed(|| profile.costs(&content.image, rules, &request, files))],
            None => scan_all(jailed, content, engine, &request, files),
        };
        if reply(&Reply { number: request.number, files }).is_err() {
            return exit::TALK;
        }
        if !request.isolate {
            return exit::DONE;
        }
    }
}

/// The pool and the worker do not understand each other.
struct Confused;

/// The next request and its files; none when the pool has closed the socket.
fn next() -> Result<Option<(Request, Vec<OwnedFd>)>, Confused> {
    let mut packet = [0; Request::LONGEST];
    let (length, files) = receive_with_descriptors(socket(), &mut packet).map_err(|_| Confused)?;
    if length == 0 {
        return Ok(None);
    }
    let request = Request::decode(packet.get(..length).unwrap_or_default()).map_err(|_| Confused)?;
    NUMBER.store(request.number, Relaxed);
    Ok(Some((request, files)))
}

fn timed(work: impl FnOnce() -> Body) -> FileReply {
    let begin = Instant::now();
    let body = work();
    FileReply { body, micros: u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX) }
}

fn scan_all(
    jailed: &Jailed,
    content: &Content<'_>,
    engine: Engine,
    request: &Request,
    files: Vec<OwnedFd>,
) -> Vec<FileReply> {
    let descriptors = files.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
    let source = |(file, descriptor): (&File, Option<OwnedFd>)| {
        descriptor.map(|descriptor| Arc::new(FileSource::new(descriptor, file.size)))
    };
    let sources = request.files.iter().zip(descriptors).map(source).collect::<Vec<_>>();
    digest_together(&content.image, &sources);
    let scan = |(file, source)| timed(|| scan(jailed, content, engine, request, file, source));
    request.files.iter().zip(sources).map(scan).collect()
}

/// Finds out the MD5 of those files that need one, if they are several: side by side they take hardly longer than one.
fn digest_together(image: &Image<'_>, sources: &[Option<Arc<FileSource>>]) {
    let wanted = sources.iter().flatten().filter(|source| source.len() <= HELD && image.wants_md5(source.len()));
    let wanted = wanted.collect::<Vec<_>>();
    if wanted.len() < 2 {
        return;
    }
    dachs_sys::alloc::expect(wanted.iter().map(|source| source.len()).fold(0, u64::saturating_add));
    let held = wanted.into_iter().filter_map(|source| Some((source, source.held()?))).collect::<Vec<_>>();
    let digests = digest_all(&held.iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>());
    held.iter().zip(digests).for_each(|((source, _), digest)| source.know_md5(digest));
}

fn scan(
    _jailed: &Jailed,
    content: &Content<'_>,
    engine: Engine,
    request: &Request,
    file: &File,
    source: Option<Arc<FileSource>>,
) -> Body {
    let Some(source) = source else { return unreached() };
    dachs_sys::alloc::expect(file.size);
    let late = request.team.map(|place| place.late).unwrap_or_default();
    let deadline = Deadline::after(request.limits.time_for(file.size).saturating_sub(late));
    let talk = request.team.map(|place| Talk { number: request.number, role: place.role });
    let budget = Budget::new(request.limits.clone(), deadline);
    let options = Options {
        all_matches: request.all_matches,
        isolate: request.isolate,
        rules: content.rules.as_ref(),
        rules_on_members: request.rules_on_members,
        about: Some(&file.about),
        switches: request.switches,
        no_links: request.switches.no_links,
        links: LinkOptions {
            cloaked: request.switches.alerts.links_cloaked,
            unencrypted: request.switches.alerts.links_unencrypted,
        },
        passwords: &request.passwords,
        team: talk.as_ref().map(|talk| -> &dyn Team { talk }),
        now: SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|age| i64::try_from(age.as_secs()).ok()),
    };
    match engine(source, &content.image, &budget, &options) {
        Outcome::Isolate(kind) => Body::Isolate(kind),
        Outcome::Report(report) => Body::Report(report),
    }
}

/// The answer to a request without a file.
pub(crate) fn unreached() -> Body {
    Body::Report(Report::unscanned(Anomaly::new(AnomalyKind::Unreadable, "it did not reach the worker")))
}

fn reply(reply: &Reply) -> Result<(), Confused> {
    let packet = reply.encode().map_err(|_| Confused)?;
    debug_assert!(packet.len() <= LONGEST);
    send(socket(), &packet, None).map_err(|_| Confused)
}

/// What a panic does in the zygote and in workers: tell its place, and end the process. Nothing is written anywhere.
pub(crate) fn last_words(panic: &PanicHookInfo<'_>) {
    let number = NUMBER.load(Relaxed);
    if number != 0 {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let _ = reply(&Reply::single(number, Body::Panicked(place), 0));
    }
    exit_now(exit::PANIC);
}
