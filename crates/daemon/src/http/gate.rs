//! Who may ask, and how often.

use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use dachs_http::{Head, Response, problem};

use crate::peer::{Client, Peer};
use crate::settings::HttpSettings;

/// A shorter token is refused when tokens are read.
const SHORTEST_TOKEN: usize = 16;
/// Clients whose rate is remembered; beyond it all start anew.
const MOST_CLIENTS: usize = 10_000;

/// The gate.
#[derive(Debug)]
pub(super) struct Gate {
    /// Empty if none are needed.
    tokens: Vec<String>,
    rate: Option<Rate>,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    NoToken,
    TooOften,
}

#[derive(Debug)]
struct Rate {
    each_second: f64,
    /// What each client has left, and since when.
    left: Mutex<HashMap<Client, (f64, Instant)>>,
}

impl Gate {
    pub(super) fn new(settings: &HttpSettings) -> Result<Gate, String> {
        let tokens = match &settings.tokens {
            None => Vec::new(),
            Some(path) => {
                let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
                let tokens: Vec<String> = lines.map(str::to_owned).collect();
                if tokens.is_empty() || tokens.iter().any(|token| token.len() < SHORTEST_TOKEN) {
                    return Err(format!(
                        "{}: tokens of at least {SHORTEST_TOKEN} characters are expected",
                        path.display()
                    ));
                }
                tokens
            }
        };
        let each_second = f64::from(u32::try_from(settings.rate).unwrap_or(u32::MAX));
        let rate = (settings.rate > 0).then(|| Rate { each_second, left: Mutex::default() });
        Ok(Gate { tokens, rate })
    }

    /// Whether this request is let in. What is open to all needs no token.
    pub(super) fn admit(&self, peer: &Peer, head: &Head, is_open: bool) -> Result<(), Closed> {
        if !is_open && !self.tokens.is_empty() {
            let scheme = head.header("authorization").and_then(|value| value.split_once(' '));
            let token =
                scheme.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
            let known = |token: &str| self.tokens.iter().fold(false, |known, other| known | is_same(other, token));
            if !token.is_some_and(known) {
                return Err(Closed::NoToken);
            }
        }
        match &self.rate {
            Some(rate) if !rate.take(peer.client, Instant::now()) => Err(Closed::TooOften),
            _ => Ok(()),
        }
    }
}

impl Closed {
    pub(super) fn response(self, id: &str) -> Response {
        match self {
            Closed::NoToken => {
                problem(401, "a known bearer token is needed", id).with("WWW-Authenticate", "Bearer realm=\"dachs\"")
            }
            Closed::TooOften => problem(429, "too many requests", id).with("Retry-After", "1"),
        }
    }
}

impl Rate {
    /// A bucket that fills steadily and holds what one second brings.
    fn take(&self, client: Client, now: Instant) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() > MOST_CLIENTS {
            left.clear();
        }
        let (tokens, since) = left.entry(client).or_insert((self.each_second, now));
        let filled = now.saturating_duration_since(*since).as_secs_f64().mul_add(self.each_second, *tokens);
        (*tokens, *since) = (filled.min(self.each_second), now);
        if *tokens < 1.0 {
            return false;
        }
        *tokens -= 1.0;
        true
    }
}

/// Takes the same time wherever two texts of the same length differ.
fn is_same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| black_box(sum | (a ^ b)));
    one.len() == other.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn head(token: &str) -> Head {
        let text = format!("GET / HTTP/1.1\r\nAuthorization: {token}\r\n\r\n");
        Head::parse(text.as_bytes()).unwrap().unwrap().0
    }

    #[test]
    fn tokens_open_the_gate() {
        let gate = Gate { tokens: vec!["0123456789abcdef".into(), "another-token-here".into()], rate: None };
        let peer = Peer::sample(1, &[]);
        for (token, expected) in [
            ("Bearer 0123456789abcdef", Ok(())),
            ("bearer another-token-here", Ok(())),
            ("Bearer 0123456789abcde", Err(Closed::NoToken)),
            ("Bearer 0123456789abcdefg", Err(Closed::NoToken)),
            ("Basic 0123456789abcdef", Err(Closed::NoToken)),
            ("Bearer ", Err(Closed::NoToken)),
        ] {
            assert_eq!(gate.admit(&peer, &head(token), false), expected, "{token}");
        }
        assert_eq!(gate.admit(&peer, &head("none"), true), Ok(()));
    }

    #[test]
    fn a_rate_is_kept() {
        let rate = Rate { each_second: 5.0, left: Mutex::default() };
        let now = Instant::now();
        let count = (0..20).filter(|_| rate.take(Client::User(1), now)).count();
        assert_eq!(count, 5);
        assert!(rate.take(Client::User(2), now));
        assert!(rate.take(Client::User(1), now + Duration::from_millis(250)));
        assert!(!rate.take(Client::User(1), now + Duration::from_millis(250)));
    }
}
