//! What is answered.

use serde_json::json;

/// An answer with its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// What the body is.
    pub content_type: &'static str,
    /// Further headers; values hold no line breaks.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer that went well.
    #[must_use]
    pub fn ok(content_type: &'static str, body: Vec<u8>) -> Response {
        Response { status: 200, content_type, headers: Vec::new(), body }
    }

    /// With one more header. Line breaks in its value are lost.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Response {
        self.headers.push((name, value.chars().filter(|c| !c.is_control()).collect()));
        self
    }

    /// The bytes to send; without the body for `HEAD`.
    #[must_use]
    pub fn render(&self, keep_alive: bool, without_body: bool) -> Vec<u8> {
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {connection}\r\n\
             X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n",
            self.status,
            reason(self.status),
            self.content_type,
            self.body.len()
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if !without_body {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// An error as RFC 9457 has it; `instance` is the number of the request.
#[must_use]
pub fn problem(status: u16, detail: &str, instance: &str) -> Response {
    let body = json!({
        "type": "about:blank",
        "title": reason(status),
        "status": status,
        "detail": detail,
        "instance": format!("urn:request:{instance}"),
    });
    Response {
        status,
        content_type: "application/problem+json",
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    }
}

/// The words of a status: RFC 9110, 15.
#[must_use]
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_rendered() {
        let response = Response::ok("text/plain", b"hi".to_vec()).with("X-A", "b\r\nEvil: c");
        let text = String::from_utf8(response.render(true, false)).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("X-A: bEvil: c\r\n\r\nhi"), "{text}");
        assert!(String::from_utf8(response.render(false, true)).unwrap().ends_with("\r\n\r\n"));
        let problem = problem(413, "too \"large\"", "7");
        let value: serde_json::Value = serde_json::from_slice(&problem.body).unwrap();
        assert_eq!((&value["status"], &value["title"]), (&json!(413), &json!("Content Too Large")));
    }
}
