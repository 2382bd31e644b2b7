//! Clients over HTTP.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::house::{House, eicar, free_port};

/// Sends one request, and gives status, headers and body.
fn ask(house: &House, request: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = UnixStream::connect(house.path("web")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The service may have had enough already.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let at = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8_lossy(&answer[..at]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, answer[at + 4..].to_vec())
}

fn get(house: &House, path: &str) -> (u16, String, Vec<u8>) {
    ask(house, format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
}

fn post(house: &House, path: &str, headers: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    ask(house, &[head.as_bytes(), body].concat())
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

fn house(further: &str) -> House {
    House::new(&format!("DachsHttp FOLDER/web\nStreamMaxLength 1M\n{further}"))
}

#[test]
fn bodies_chunks_and_forms_are_scanned() {
    let house = house("");
    let body = eicar();
    let (status, head, answer) =
        post(&house, "/v1/scan?name=a.com", &format!("Content-Length: {}\r\n", body.len()), &body);
    let answer = json(&answer);
    assert_eq!((status, &answer["verdict"], &answer["path"]), (200, &"detected".into(), &"a.com".into()), "{head}");
    assert_eq!(answer["detections"][0]["name"], "Test.First.UNOFFICIAL");
    assert!(head.contains("X-Request-Id: "));

    let chunked = [b"2\r\n".as_slice(), &body[..2], b"\r\n42\r\n", &body[2..], b"\r\n0\r\n\r\n"].concat();
    let (_, _, answer) = post(&house, "/v1/scan", "Transfer-Encoding: chunked\r\nX-Request-Id: my-1\r\n", &chunked);
    assert_eq!(json(&answer)["verdict"], "detected");

    let form = [
        b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"bad.com\"\r\n\r\n".as_slice(),
        &body,
        b"\r\n--b\r\nContent-Disposition: form-data; name=\"g\"; filename=\"good\"\r\n\r\ngood\r\n--b--\r\n",
    ]
    .concat();
    let headers = format!("Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\n", form.len());
    let (status, _, answer) = post(&house, "/v1/scan", &headers, &form);
    let lines: Vec<Value> = String::from_utf8(answer).unwrap().lines().map(|line| json(line.as_bytes())).collect();
    assert_eq!((status, lines.len()), (200, 2));
    assert_eq!((&lines[0]["path"], &lines[0]["verdict"]), (&"bad.com".into(), &"detected".into()));
    assert_eq!((&lines[1]["path"], &lines[1]["verdict"]), (&"good".into(), &"clean".into()));
}

#[test]
fn what_is_asked_wrongly_is_told_as_a_problem() {
    let house = house("");
    let long = vec![0; (1 << 20) + 1];
    let chunked = [format!("{:x}\r\n", long.len()).as_bytes(), &long, b"\r\n0\r\n\r\n"].concat();
    for (path, headers, body, expected) in [
        ("/v1/scan", "Content-Length: 99999999\r\n", b"".as_slice(), 413),
        ("/v1/scan", "Transfer-Encoding: chunked\r\n", &chunked, 413),
        ("/v1/scan", "Transfer-Encoding: gzip\r\n", b"", 501),
        ("/v1/scan", "Content-Length: 1\r\nContent-Length: 1\r\n", b"x", 400),
        ("/v1/scan", "Content-Type: multipart/form-data\r\nContent-Length: 1\r\n", b"x", 415),
        ("/v1/scan?all_matches=maybe", "Content-Length: 1\r\n", b"x", 400),
        ("/v1/version", "Content-Length: 0\r\n", b"", 405),
        ("/nowhere", "Content-Length: 0\r\n", b"", 404),
    ] {
        let (status, head, answer) = post(&house, path, headers, body);
        assert_eq!(status, expected, "{path} {headers}");
        assert!(head.contains("application/problem+json"), "{head}");
        assert_eq!(json(&answer)["status"], expected);
    }
    let (status, ..) = ask(&house, b"this\x01is no HTTP\r\n\r\n");
    assert_eq!(status, 400);
}

#[test]
fn health_metrics_and_content_are_told() {
    let house = house("");
    assert_eq!(get(&house, "/healthz").0, 200);
    let ready = json(&get(&house, "/readyz").2);
    assert_eq!((&ready["status"], &ready["signatures"], &ready["trouble"]), (&"ready".into(), &1.into(), &Value::Null));
    assert_eq!(json(&get(&house, "/v1/content").2)["content"]["sources"][0]["name"], "test.ndb");
    assert!(json(&get(&house, "/v1/version").2)["version"].as_str().unwrap().starts_with("ClamAV 1.4.6"));
    post(&house, "/v1/scan", "Content-Length: 1\r\n", b"x");
    let metrics = String::from_utf8(get(&house, "/metrics").2).unwrap();
    assert!(metrics.contains("dachs_scans_total{verdict=\"clean\"} 1\n"), "{metrics}");
    let document = json(&get(&house, "/v1/openapi.json").2);
    assert_eq!(document["openapi"], "3.1.0");
}

#[test]
fn detections_are_events() {
    let house = house("");
    let mut events = UnixStream::connect(house.path("web")).unwrap();
    events.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    events.write_all(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut buffer = [0; 4096];
    let count = events.read(&mut buffer).unwrap();
    assert!(buffer[..count].starts_with(b"HTTP/1.1 200 OK"));
    let body = eicar();
    post(&house, "/v1/scan?name=e", &format!("Content-Length: {}\r\n", body.len()), &body);
    let count = events.read(&mut buffer).unwrap();
    let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
    assert!(text.starts_with("id: 1\nevent: detection\ndata: {\"v\":1,\"path\":\"e\""), "{text}");
}

#[test]
fn tokens_and_rates_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, "0123456789abcdef0123\n").unwrap();
    let house = house(&format!("DachsHttpTokens {}\nDachsHttpRate 5", tokens.display()));
    assert_eq!(get(&house, "/healthz").0, 200);
    assert_eq!(get(&house, "/metrics").0, 401);
    let with = |path: &str| {
        let request =
            format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer 0123456789abcdef0123\r\nConnection: close\r\n\r\n");
        ask(&house, request.as_bytes()).0
    };
    assert_eq!(with("/v1/version"), 200);
    assert!((0..20).any(|_| with("/v1/version") == 429));
}

/// A certificate made by `openssl`, and a client that is `curl`.
#[test]
fn tls_with_certificates_of_clients() {
    let has =
        |tool: &str| Command::new(tool).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !has("openssl") || !has("curl") {
        eprintln!("SKIPPED: tls_with_certificates_of_clients: openssl or curl is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(folder.path()).stderr(Stdio::null()).stdout(Stdio::null());
        assert!(command.status().unwrap().success(), "openssl {arguments}");
    };
    std::fs::write(folder.path().join("ext"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca");
    for (name, extra) in [("server", " -extfile ext"), ("client", "")] {
        openssl(&format!("req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN=localhost"));
        let sign = format!("x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 2");
        // Certificates of version 3 alone are accepted.
        let extra = if extra.is_empty() { " -extfile ext" } else { extra };
        openssl(&format!("{sign}{extra}"));
    }
    let port = free_port();
    let _house = House::new(&format!(
        "DachsHttp 127.0.0.1:{port}\nDachsHttpCertificate {}\nDachsHttpKey {}\nDachsHttpClientCa {}",
        path("server.pem"),
        path("server.key"),
        path("ca.pem")
    ));
    let curl = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-s", "--max-time", "20", "--noproxy", "*", "--cacert", &path("ca.pem")]).args(arguments);
        command.arg(format!("https://localhost:{port}/v1/version"));
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let (cert, key) = (path("client.pem"), path("client.key"));
    assert!(curl(&["--cert", &cert, "--key", &key]).contains("ClamAV 1.4.6-compatible"));
    assert_eq!(curl(&[]), "", "a client without a certificate");
}

/// Requests generated from the OpenAPI document. `DACHS_SCHEMATHESIS` names the program; `.ci/run` puts one into `target/venv`.
#[test]
fn schemathesis_finds_no_failure() {
    let named = std::env::var_os("DACHS_SCHEMATHESIS").map(std::path::PathBuf::from);
    let venv = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/bin/schemathesis");
    let program = named.unwrap_or(if venv.exists() { venv } else { "schemathesis".into() });
    if !crate::house::is_there(&program.display().to_string(), "schemathesis_finds_no_failure") {
        return;
    }
    let port = free_port();
    let house = House::new(&format!("DachsHttp 127.0.0.1:{port}"));
    let mut command = Command::new(program);
    // Events never end.
    command
        .args(["run", "--exclude-path", "/v1/events", "--max-examples", "20", "--seed", "1"])
        .arg(format!("http://127.0.0.1:{port}/v1/openapi.json"))
        .env("NO_PROXY", "127.0.0.1")
        .current_dir(house.folder.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
