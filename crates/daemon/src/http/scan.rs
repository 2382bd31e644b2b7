//! `POST /v1/scan`: the body, or each file of a form, is spooled, scanned and told as JSON.
//!
//! The longest body is that of a clamd stream. One that announces more is refused before it is sent; one that turns out to
//! be longer is refused as soon as it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dachs_base::AnomalyKind;
use dachs_http::{Body, Decoded, Multipart, Part, Refusal, Response, problem};
use dachs_record::Record;
use rustix::fd::AsFd;
use serde_json::{Value, json};

use super::{Exchange, Over, READ};
use crate::about;
use crate::scans::{Order, Scanned};
use crate::spool::{Spool, Spooled};
use crate::wake::{Mailbox, Watch, Woken, after};

/// A body must bring so many bytes a second, on the whole.
const SLOWEST: u64 = 1 << 10;
/// So long after a client has sent its last byte it is made sure that it still listens.
const DOUBT: Duration = Duration::from_secs(1);
/// The longest name of a file that is kept, in bytes.
const LONGEST_NAME: usize = 4096;

/// Why a scan is not answered with reports.
enum Failed {
    /// Told to the client.
    Refused(u16, String),
    /// Nobody is there any more.
    Over,
}

impl From<Over> for Failed {
    fn from(_: Over) -> Failed {
        Failed::Over
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Failed {
        Failed::Refused(refusal.status, refusal.detail.to_owned())
    }
}

fn refused<T>(status: u16, detail: &str) -> Result<T, Failed> {
    Err(Failed::Refused(status, detail.to_owned()))
}

/// Answers.
pub(super) fn answer(exchange: &mut Exchange<'_>) -> Result<Response, Over> {
    match scan(exchange) {
        Ok(response) => Ok(response),
        Err(Failed::Over) => Err(Over),
        Err(Failed::Refused(status, detail)) => Ok(problem(status, &detail, &exchange.id)),
    }
}

fn scan(exchange: &mut Exchange<'_>) -> Result<Response, Failed> {
    let body = exchange.head.body()?;
    let longest = exchange.service.settings.clamd.longest_stream;
    if body.announced().is_some_and(|length| length > longest) {
        return refused(413, &format!("a body of at most {longest} bytes is scanned"));
    }
    let all_matches = match exchange.head.parameter("all_matches") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return refused(400, "all_matches is true or false"),
    };
    let content_type = exchange.head.header("content-type").unwrap_or_default().to_owned();
    let is_form = content_type.trim_start().to_ascii_lowercase().starts_with("multipart/");
    let form = Multipart::new(&content_type);
    if is_form && form.is_none() {
        return refused(415, "this form has no boundary, or is no multipart/form-data");
    }
    if exchange.head.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        exchange.wire.send(b"HTTP/1.1 100 Continue\r\n\r\n").map_err(|_| Failed::Over)?;
    }
    let mut reading = Reading { body, begun: Instant::now(), got: 0, longest };
    match form {
        Some(form) => scan_form(exchange, &mut reading, form, all_matches),
        None => {
            let mut spool = spool(exchange)?;
            while let Some(bytes) = reading.next(exchange)? {
                add(&mut spool, &bytes)?;
            }
            let name = exchange.head.parameter("name").unwrap_or("stream").as_bytes().to_vec();
            let record = scan_one(exchange, name, spool, all_matches)?;
            Ok(Response::ok("application/json", json_of(&record)))
        }
    }
}

/// A line for each file of the form.
fn scan_form(
    exchange: &mut Exchange<'_>,
    reading: &mut Reading,
    mut form: Multipart,
    all_matches: bool,
) -> Result<Response, Failed> {
    let (mut lines, mut file): (Vec<u8>, Option<(Vec<u8>, Spool)>) = (Vec::new(), None);
    loop {
        match form.next_part()? {
            Part::Begin(None) => {}
            Part::Begin(Some(name)) => file = Some((name.into_bytes(), spool(exchange)?)),
            Part::Data(bytes) => {
                if let Some((_, spool)) = &mut file {
                    add(spool, &bytes)?;
                }
            }
            Part::End => {
                if let Some((name, spool)) = file.take() {
                    let record = scan_one(exchange, name, spool, all_matches)?;
                    lines.extend(json_of(&record));
                    lines.push(b'\n');
                }
            }
            Part::More | Part::Over => match reading.next(exchange)? {
                Some(bytes) => form.push(&bytes),
                None if form.is_over() => break,
                None => return refused(400, "the form ends before its last delimiter"),
            },
        }
    }
    if lines.is_empty() {
        return refused(400, "there is no file in the form");
    }
    Ok(Response::ok("application/x-ndjson", lines))
}

/// How far a body was read.
struct Reading {
    body: Body,
    begun: Instant,
    got: u64,
    longest: u64,
}

impl Reading {
    /// The next bytes; none at the end.
    fn next(&mut self, exchange: &mut Exchange<'_>) -> Result<Option<Vec<u8>>, Failed> {
        loop {
            match self.body.decode(&exchange.ahead)? {
                Decoded::Data { skip, length } => {
                    let data = exchange.ahead.get(skip..skip + length).unwrap_or_default().to_vec();
                    exchange.ahead.drain(..skip + length);
                    self.got = self.got.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
                    if self.got > self.longest {
                        let longest = self.longest;
                        return refused(413, &format!("a body of at most {longest} bytes is scanned"));
                    }
                    return Ok(Some(data));
                }
                Decoded::End(taken) => {
                    exchange.ahead.drain(..taken);
                    exchange.is_read = true;
                    return Ok(None);
                }
                Decoded::More(taken) => {
                    exchange.ahead.drain(..taken);
                    self.receive(exchange)?;
                }
            }
        }
    }

    fn receive(&self, exchange: &mut Exchange<'_>) -> Result<(), Failed> {
        let patience = exchange.service.settings.clamd.read;
        let earned = Duration::from_secs(self.got / SLOWEST);
        let whole = self.begun.checked_add(patience.saturating_add(earned));
        let deadline = whole.zip(after(patience)).map(|(whole, piece)| whole.min(piece));
        let mut buffer = vec![0; READ * 4];
        match exchange.wire.receive(&mut buffer, deadline) {
            Ok(0) => Err(Failed::Over),
            Ok(count) => {
                exchange.ahead.extend_from_slice(buffer.get(..count).unwrap_or_default());
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                exchange.service.metrics.slow.add(1);
                refused(408, "the body did not come in time")
            }
            Err(_) => Err(Failed::Over),
        }
    }
}

fn spool(exchange: &Exchange<'_>) -> Result<Spool, Failed> {
    Spool::new(&exchange.service.store, exchange.peer.client).or_else(|_| refused(507, "there is no room for the body"))
}

fn add(spool: &mut Spool, bytes: &[u8]) -> Result<(), Failed> {
    spool.add(bytes).or_else(|_| refused(507, "there is no room for the body"))
}

fn scan_one(exchange: &mut Exchange<'_>, mut name: Vec<u8>, spool: Spool, all_matches: bool) -> Result<Record, Failed> {
    name.truncate(LONGEST_NAME);
    let service = exchange.service;
    let spooled: Spooled = spool.finish().or_else(|_| refused(507, "there is no room for the body"))?;
    let file = spooled.file().or_else(|_| refused(507, "there is no room for the body"))?;
    let mailbox: Arc<Mailbox<Scanned>> =
        Mailbox::new().map(Arc::new).or_else(|_| refused(503, "no descriptors are left"))?;
    let (size, answers) = (spooled.size(), Arc::clone(&mailbox));
    if size > service.settings.largest {
        return Ok(Record::too_large(name, size));
    }
    let answer = Box::new(move |scanned| {
        drop(spooled);
        answers.put(scanned);
    });
    let about = about::of_name(&name);
    let order = Order { client: exchange.peer.client, file, size, all_matches, about, answer };
    let ticket = service.desk.submit(order, Instant::now()).or_else(|refusal| {
        service.metrics.refused.add(1);
        let report = crate::scans::unscanned(AnomalyKind::Unreadable, &refusal.to_string());
        let _ = service.unscanned(exchange.peer, &name, report);
        refused(503, &refusal.to_string())
    })?;
    match wait(exchange, &mailbox) {
        Some(scanned) => Ok(service.conclude(exchange.peer, &name, size, scanned)),
        None => {
            service.desk.cancel(ticket);
            service.metrics.gone.add(1);
            Err(Failed::Over)
        }
    }
}

/// Waits for the report; none if the client is gone. One that has nothing more to say may have closed the connection: after
/// [`DOUBT`] the answer is begun, which tells.
fn wait(exchange: &mut Exchange<'_>, mailbox: &Mailbox<Scanned>) -> Option<Scanned> {
    let (mut watch, mut deadline) = (Watch::End, None);
    loop {
        match mailbox.wait(Some(exchange.wire.as_fd()), watch, deadline) {
            Woken::Letter => {
                if let Some(scanned) = mailbox.take().pop() {
                    return Some(scanned);
                }
            }
            Woken::Gone => return None,
            Woken::Ended => (watch, deadline) = (Watch::Nothing, after(DOUBT)),
            Woken::Late if exchange.wire.begin() => deadline = None,
            Woken::Late => return None,
            Woken::Input => {}
        }
    }
}

fn json_of(record: &Record) -> Vec<u8> {
    let mut json = Vec::new();
    // Writing to memory cannot fail.
    let _ = dachs_record::json::write(&mut json, record);
    json
}

/// The parameters, for the document.
pub(super) fn parameters() -> Value {
    json!([
        { "name": "all_matches", "in": "query", "required": false, "schema": { "type": "boolean" },
          "description": "Tell every detection, not only the first" },
        { "name": "name", "in": "query", "required": false, "schema": { "type": "string" },
          "description": "What the file is called in the report" },
    ])
}

/// The body, for the document.
pub(super) fn request_body() -> Value {
    json!({
        "required": false,
        "content": {
            "application/octet-stream": { "schema": { "type": "string", "format": "binary" } },
            "multipart/form-data": { "schema": {
                "type": "object", "required": ["file"],
                "properties": { "file": { "type": "string", "format": "binary" } },
            } },
        },
    })
}
