//! Request line and headers.

use crate::body::Body;

/// A longer head is refused, in bytes.
pub const LONGEST_HEAD: usize = 16 << 10;
/// More headers are refused.
const MOST_HEADERS: usize = 64;

/// What a client asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The method, as it was sent.
    pub method: String,
    /// The path, percent-decoded; always begins with a slash.
    pub path: String,
    /// The query's names and values, percent-decoded.
    pub query: Vec<(String, String)>,
    /// Names in lower case, and values.
    headers: Vec<(String, Vec<u8>)>,
    /// True for HTTP/1.0, which closes after the answer.
    pub is_old: bool,
}

/// Why a request is not answered as asked: the status and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status: 400, 413, 414, 431, 501 or 505.
    pub status: u16,
    /// What is wrong with it.
    pub detail: &'static str,
}

pub(crate) fn refuse<T>(status: u16, detail: &'static str) -> Result<T, Refusal> {
    Err(Refusal { status, detail })
}

impl Head {
    /// Reads a head, and how many bytes it takes; absent if it is not whole yet.
    ///
    /// # Errors
    /// When it is no request, or too long.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Refusal> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let window = bytes.get(..LONGEST_HEAD.min(bytes.len())).unwrap_or_default();
        match request.parse(window) {
            Ok(httparse::Status::Complete(length)) => Head::from_parts(&request).map(|head| Some((head, length))),
            Ok(httparse::Status::Partial) if bytes.len() >= LONGEST_HEAD => refuse(431, "the headers are too long"),
            Ok(httparse::Status::Partial) => Ok(None),
            Err(httparse::Error::TooManyHeaders) => refuse(431, "there are too many headers"),
            Err(httparse::Error::Version) => refuse(505, "HTTP/1.1 is spoken here"),
            Err(_) => refuse(400, "this is no request of HTTP/1.1"),
        }
    }

    fn from_parts(request: &httparse::Request<'_, '_>) -> Result<Head, Refusal> {
        let target = request.path.unwrap_or_default();
        let Some(target) = origin_form(target) else { return refuse(400, "the target is not a path") };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
        });
        let header = |header: &httparse::Header<'_>| (header.name.to_ascii_lowercase(), header.value.to_vec());
        Ok(Head {
            method: request.method.unwrap_or_default().to_owned(),
            path: decoded(path),
            query: query.collect(),
            headers: request.headers.iter().map(header).collect(),
            is_old: request.version == Some(0),
        })
    }

    /// The value of a header, as text; the first one if there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.iter().find(|(found, _)| found == name)?;
        std::str::from_utf8(&value.1).ok().map(str::trim)
    }

    /// The value of a parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// True if the connection is to stay open.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        let says = |word| self.header("connection").is_some_and(|value| value.to_ascii_lowercase().contains(word));
        if self.is_old { says("keep-alive") } else { !says("close") }
    }

    /// How the body comes: RFC 9112, 6.3.
    ///
    /// # Errors
    /// When its length is ambiguous, or the way it is coded is not known.
    pub fn body(&self) -> Result<Body, Refusal> {
        let all = |name: &str| self.headers.iter().filter(|(found, _)| found == name).count();
        let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
        match (lengths, codings) {
            (0, 0) => Ok(Body::of_length(0)),
            (1, 0) => {
                let digits =
                    self.header("content-length").filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                let length = digits.and_then(|digits| digits.parse().ok());
                length.map(Body::of_length).ok_or(Refusal { status: 400, detail: "the length is no number" })
            }
            (0, 1) if self.is_old => refuse(400, "HTTP/1.0 has no chunks"),
            (0, 1) if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) => {
                Ok(Body::in_chunks())
            }
            (0, 1) => refuse(501, "no transfer coding but `chunked` is known"),
            _ => refuse(400, "the length of the body is ambiguous"),
        }
    }
}

/// `/path` of `/path` and of `http://host/path`; RFC 9112, 3.2.
fn origin_form(target: &str) -> Option<&str> {
    if target.starts_with('/') {
        return Some(target);
    }
    let rest = target.strip_prefix("http://").or_else(|| target.strip_prefix("https://"))?;
    rest.find('/').and_then(|at| rest.get(at..)).or(Some("/"))
}

/// Percent-decoded; what is not UTF-8 is replaced.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, after @ ..] = rest {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        rest = match (first, after) {
            (b'%', [high, low, tail @ ..]) => match (digit(high), digit(low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    tail
                }
                _ => {
                    bytes.push(*first);
                    after
                }
            },
            _ => {
                bytes.push(*first);
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<(Head, usize)>, Refusal> {
        Head::parse(text.replace('\n', "\r\n").as_bytes())
    }

    #[test]
    fn requests_are_read() {
        let (head, length) = head("GET /a%20b?x=1&y=%2f+z&flag HTTP/1.1\nHost: a\nX-Y:  v \n\nrest").unwrap().unwrap();
        assert_eq!((head.method.as_str(), head.path.as_str(), length), ("GET", "/a b", 59));
        assert_eq!(
            (head.parameter("y"), head.parameter("flag"), head.header("x-y")),
            (Some("/ z"), Some(""), Some("v"))
        );
        assert!(head.keeps_alive() && !head.is_old);
        assert_eq!(decoded("%zz%4"), "%zz%4");
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        let table = [
            ("Content-Length: 5\nContent-Length: 5", Some(400)),
            ("Content-Length: 5\nTransfer-Encoding: chunked", Some(400)),
            ("Content-Length: +5", Some(400)),
            ("Content-Length: 99999999999999999999", Some(400)),
            ("Transfer-Encoding: gzip, chunked", Some(501)),
            ("Transfer-Encoding: chunked\nTransfer-Encoding: chunked", Some(400)),
            ("Transfer-Encoding: Chunked", None),
            ("Content-Length: 7", None),
        ];
        for (headers, status) in table {
            let (head, _) = head(&format!("POST / HTTP/1.1\n{headers}\n\n")).unwrap().unwrap();
            assert_eq!(head.body().err().map(|refusal| refusal.status), status, "{headers}");
        }
        for (text, status) in [
            ("GET / HTTP/2.0\n\n", 505),
            ("G\x01T / HTTP/1.1\n\n", 400),
            ("GET * HTTP/1.1\n\n", 400),
            ("GET / HTTP/1.1\nA : b\n\n", 400),
        ] {
            assert_eq!(head(text).unwrap_err().status, status, "{text}");
        }
        let many = "a: b\n".repeat(65);
        assert_eq!(head(&format!("GET / HTTP/1.1\n{many}\n")).unwrap_err().status, 431);
        assert_eq!(head(&format!("GET /{} ", "a".repeat(LONGEST_HEAD))).unwrap_err().status, 431);
        assert_eq!(head("GET / HT"), Ok(None));
    }
}
