//! What can be asked, in one table: requests are routed by it, and the OpenAPI document is made from it.

use std::time::Duration;

use dachs_http::{Head, Response, problem};
use serde_json::{Value, json};

use super::{Busy, Exchange, Over, scan};
use crate::content::now;

/// Readers of events at once.
const MOST_READERS: usize = 16;
/// Something is said to readers of events at least so often.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Something that can be asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    /// True if no token is needed.
    pub(super) is_open: bool,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Content,
    Events,
    Health,
    Metrics,
    OpenApi,
    Ready,
    Scan,
    Version,
}

const fn route(method: &'static str, path: &'static str, is_open: bool, what: What, summary: &'static str) -> Route {
    Route { method, path, summary, is_open, what }
}

/// All of them.
pub(super) const ROUTES: &[Route] = &[
    route("POST", "/v1/scan", false, What::Scan, "Scan the body, or each file of a form"),
    route("GET", "/v1/version", false, What::Version, "Versions of program and content"),
    route("GET", "/v1/content", false, What::Content, "The signatures that files are scanned with"),
    route("GET", "/v1/events", false, What::Events, "Detections as they happen (server-sent events)"),
    route("GET", "/v1/openapi.json", true, What::OpenApi, "This document"),
    route("GET", "/metrics", false, What::Metrics, "Counters for Prometheus"),
    route("GET", "/healthz", true, What::Health, "Whether the process lives"),
    route("GET", "/readyz", true, What::Ready, "Whether files can be scanned, and how old the content is"),
];

/// A refusal that still needs the number of the request.
type Refuse = Box<dyn FnOnce(&str) -> Response>;

/// The route of a request.
pub(super) fn find(head: &Head) -> Result<Route, Refuse> {
    let method = if head.method == "HEAD" { "GET" } else { head.method.as_str() };
    let here: Vec<&Route> = ROUTES.iter().filter(|route| route.path == head.path).collect();
    match (here.iter().find(|route| route.method == method), here.first()) {
        (Some(route), _) => Ok(**route),
        (None, Some(other)) => {
            let allow = if other.method == "GET" { "GET, HEAD" } else { other.method };
            Err(Box::new(move |id| problem(405, "this path has other methods", id).with("Allow", allow)))
        }
        (None, None) => Err(Box::new(|id| problem(404, "there is no such path; see /v1/openapi.json", id))),
    }
}

/// Answers; absent if the answer was sent already.
pub(super) fn run(exchange: &mut Exchange<'_>, route: Route) -> Result<Option<Response>, Over> {
    let service = exchange.service;
    if route.what != What::Scan && !exchange.head.body().is_ok_and(|body| body.is_over()) {
        return Ok(Some(problem(400, "this request has no body", &exchange.id)));
    }
    Ok(Some(match route.what {
        What::Scan => scan::answer(exchange)?,
        What::Events => return events(exchange),
        What::Version => json_response(&json!({
            "v": 1,
            "version": service.version(),
            "dachs": env!("CARGO_PKG_VERSION"),
            "longest": service.settings.clamd.longest_stream,
        })),
        What::Content => content(exchange),
        What::Health => json_response(&json!({ "status": "alive" })),
        What::Ready => ready(exchange),
        What::OpenApi => json_response(&document()),
        What::Metrics => metrics(exchange),
    }))
}

fn json_response(value: &Value) -> Response {
    Response::ok("application/json", value.to_string().into_bytes())
}

fn content(exchange: &Exchange<'_>) -> Response {
    match exchange.service.desk.content() {
        Some(content) => json_response(&json!({ "v": 1, "content": content.facts })),
        None => problem(503, "there is no content", &exchange.id),
    }
}

fn ready(exchange: &Exchange<'_>) -> Response {
    let service = exchange.service;
    let facts = service.desk.content().map(|content| content.facts.clone());
    let Some(facts) = facts.filter(|_| !service.is_stopping()) else {
        return problem(503, "not ready, or being stopped", &exchange.id);
    };
    let age = facts.time.map(|time| now().saturating_sub(time));
    json_response(&json!({
        "status": "ready",
        "age": age,
        "loaded": facts.loaded,
        "signatures": facts.signatures,
        "trouble": service.trouble(),
    }))
}

fn metrics(exchange: &Exchange<'_>) -> Response {
    let service = exchange.service;
    let (load, (memory, disk)) = (service.desk.load(), service.store.used());
    let facts = service.desk.content().map(|content| content.facts.clone()).unwrap_or_default();
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let text = service.metrics.text(&[
        ("dachs_waiting", "Files that wait to be scanned.", number(load.waiting)),
        ("dachs_running", "Files that are with workers.", number(load.running)),
        ("dachs_generations", "Sets of workers; more than one after a reload.", number(load.generations)),
        ("dachs_scanned", "Scans since the start, also those nobody waited for.", load.scanned),
        ("dachs_connections", "Connections.", number(exchange.http.connections())),
        ("dachs_spool_memory_bytes", "Streams that are kept in memory.", memory),
        ("dachs_spool_disk_bytes", "Streams that are kept on disk.", disk),
        ("dachs_signatures", "Signatures that files are scanned with.", u64::from(facts.signatures)),
        ("dachs_content_bytes", "Size of the image.", facts.size),
        ("dachs_content_time_seconds", "When the newest database was made.", facts.time.unwrap_or(0)),
        ("dachs_content_loaded_seconds", "When the content was loaded.", facts.loaded),
        ("dachs_content_trouble", "1 if the last reload failed.", u64::from(service.trouble().is_some())),
        ("dachs_uptime_seconds", "Time since the start.", service.started.elapsed().as_secs()),
    ]);
    Response::ok("text/plain; version=0.0.4; charset=utf-8", text.into_bytes())
}

/// Sends detections until the client goes away or the service stops.
fn events(exchange: &mut Exchange<'_>) -> Result<Option<Response>, Over> {
    let readers = Busy::enter(&exchange.http.readers);
    if readers.count > MOST_READERS {
        return Ok(Some(problem(503, "too many read events already", &exchange.id).with("Retry-After", "10")));
    }
    let events = &exchange.service.events;
    let seen = exchange.head.header("last-event-id").and_then(|id| id.parse().ok());
    let mut seen: u64 = seen.unwrap_or_else(|| events.last());
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\
         X-Request-Id: {}\r\n\r\n",
        exchange.id
    );
    let mut sent = exchange.wire.send(head.as_bytes());
    if exchange.head.method == "HEAD" {
        return Ok(None);
    }
    while sent.is_ok() && !exchange.service.is_stopping() {
        let new = events.after(seen, HEARTBEAT);
        let mut text = String::new();
        for (number, event) in &new {
            text.push_str(&format!("id: {number}\nevent: detection\ndata: {event}\n\n"));
            seen = *number;
        }
        if new.is_empty() {
            text.push_str(":\n\n");
        }
        sent = exchange.wire.send(text.as_bytes());
    }
    Ok(None)
}

/// The document: OpenAPI 3.1.
pub(super) fn document() -> Value {
    let mut paths = serde_json::Map::new();
    for route in ROUTES {
        let method = route.method.to_ascii_lowercase();
        let entry = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(entry) = entry.as_object_mut() {
            entry.insert(method, operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Dachs", "version": env!("CARGO_PKG_VERSION"), "license": { "name": "MIT OR Apache-2.0" } },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Problem": problem_schema(), "Report": report_schema() },
        },
    })
}

fn operation(route: &Route) -> Value {
    let error = |what: &str| {
        json!({
            "description": what,
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        })
    };
    let mut responses = json!({
        "200": success(route.what),
        "400": error("The request is malformed"),
        "429": error("Too many requests of this client"),
        "503": error("Too much to do, or not ready"),
    });
    let mut operation =
        json!({ "summary": route.summary, "operationId": route.path.trim_start_matches('/').replace(['/', '.'], "_") });
    if let Some(responses) = responses.as_object_mut() {
        if !route.is_open {
            responses.insert("401".to_owned(), error("A token is needed"));
        }
        if route.what == What::Scan {
            for (status, what) in [
                ("408", "The body did not come in time"),
                ("413", "The body is too long"),
                ("415", "A form without a boundary"),
                ("501", "A transfer coding that is not known"),
                ("507", "There is no room for the body"),
            ] {
                responses.insert(status.to_owned(), error(what));
            }
        }
    }
    if let Some(operation) = operation.as_object_mut() {
        operation.insert("responses".to_owned(), responses);
        if !route.is_open {
            operation.insert("security".to_owned(), json!([{ "token": [] }, {}]));
        }
        if route.what == What::Scan {
            operation.insert("parameters".to_owned(), scan::parameters());
            operation.insert("requestBody".to_owned(), scan::request_body());
        }
    }
    operation
}

fn success(what: What) -> Value {
    let of = |kind: &str, schema: Value| json!({ "description": "Done", "content": { kind: { "schema": schema } } });
    match what {
        What::Scan => json!({
            "description": "What was found: one object, or for a form one object a line",
            "content": {
                "application/json": { "schema": { "$ref": "#/components/schemas/Report" } },
                "application/x-ndjson": { "schema": { "type": "string" } },
            },
        }),
        What::Events => of("text/event-stream", json!({ "type": "string" })),
        What::Metrics => of("text/plain", json!({ "type": "string" })),
        _ => of("application/json", json!({ "type": "object" })),
    }
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
            "detail": { "type": "string" }, "instance": { "type": "string" },
        },
    })
}

/// The shape of a line of `dachs scan --format jsonl`; docs/report.schema.json says all of it.
fn report_schema() -> Value {
    json!({
        "type": "object",
        "required": ["v", "path", "verdict"],
        "properties": {
            "v": { "const": 1 },
            "path": { "type": "string" },
            "verdict": { "enum": ["clean", "suspicious", "incomplete", "detected", "error"] },
            "size": { "type": "integer" },
            "ms": { "type": "number" },
            "detections": { "type": "array", "items": { "type": "object" } },
            "anomalies": { "type": "array", "items": { "type": "object" } },
            "coverage": { "type": "object" },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_tells_of_every_route() {
        let document = document();
        for route in ROUTES {
            let operation = &document["paths"][route.path][route.method.to_ascii_lowercase()];
            assert_eq!(operation["summary"], route.summary);
            assert!(operation["responses"]["200"].is_object());
            assert_eq!(operation["responses"]["401"].is_object(), !route.is_open);
        }
    }

    #[test]
    fn requests_find_their_route() {
        let find = |line: &str| {
            let head = Head::parse(format!("{line} HTTP/1.1\r\n\r\n").as_bytes()).unwrap().unwrap().0;
            find(&head).map(|route| route.path).map_err(|refuse| refuse("1").status)
        };
        assert_eq!(find("GET /healthz"), Ok("/healthz"));
        assert_eq!(find("HEAD /healthz?x=y"), Ok("/healthz"));
        assert_eq!(find("POST /healthz"), Err(405));
        assert_eq!(find("GET /v1/scan"), Err(405));
        assert_eq!(find("GET /v1/scan/"), Err(404));
    }
}
