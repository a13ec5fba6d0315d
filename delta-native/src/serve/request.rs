//! Requests: a head of bounded size that arrives within bounded time, parsed by `httparse`.

use std::io::{self, Read};
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use super::log::ReaderPosition;
use super::refusal::Refusal;

/// Most fields of a head; browsers send about 15.
const FIELDS_MAX: usize = 64;

/// A GET request. Path and query are as they came: nothing is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Begins with `/`.
    pub(super) path: String,
    /// What stands behind the first `?`; else empty.
    pub(super) query: String,
    /// The name by which the server was asked, without a port.
    host: Option<String>,
}

impl Request {
    /// Reads a head. `None`: the peer left without having sent a byte, as browsers do with
    /// connections that they opened in reserve.
    pub(super) fn read(
        stream: &mut TcpStream,
        size_max: usize,
        within: Duration,
    ) -> Result<Option<Self>, Refusal> {
        let deadline = Instant::now() + within;
        let mut head = Vec::new();
        let mut piece = [0; 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
                return Err(Refusal::Timeout);
            }
            let count = match stream.read(&mut piece) {
                Ok(0) if head.is_empty() => return Ok(None),
                Ok(0) => return Err(Refusal::Malformed),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Err(Refusal::Timeout),
            };
            head.extend_from_slice(piece.get(..count).unwrap_or_default());
            if let Some(request) = Self::parse(&head, size_max)? {
                return Ok(Some(request));
            }
        }
    }

    /// `None`: the head goes on.
    pub(super) fn parse(head: &[u8], size_max: usize) -> Result<Option<Self>, Refusal> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut parsed = httparse::Request::new(&mut fields);
        let too_large = Refusal::HeadTooLarge { size_max };
        match parsed.parse(head) {
            Ok(httparse::Status::Complete(size)) if size <= size_max => {}
            Ok(httparse::Status::Partial) if head.len() < size_max => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(too_large),
            Err(_) => return Err(Refusal::Malformed),
        }
        if parsed.method != Some("GET") {
            return Err(Refusal::Method);
        }
        let target = parsed.path.unwrap_or_default();
        if !target.starts_with('/') {
            return Err(Refusal::Malformed);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut host = None;
        for field in parsed.headers.iter() {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("transfer-encoding") || (is("content-length") && field.value != b"0") {
                return Err(Refusal::Body);
            }
            if is("host") {
                let value = str::from_utf8(field.value).map_err(|_| Refusal::Malformed)?;
                host = Some(without_port(value).to_owned());
            }
        }
        Ok(Some(Self {
            path: path.to_owned(),
            query: query.to_owned(),
            host,
        }))
    }

    /// Whether the request names this machine. A page of another site whose name was made to lead
    /// here would name that.
    pub(super) fn names_loopback(&self) -> bool {
        let Some(host) = self.host.as_deref() else {
            return false;
        };
        let address = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        host.eq_ignore_ascii_case("localhost")
            || address
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// `after=SEQUENCE&digest=HEX`; without `after`, the beginning.
    pub(super) fn position(&self) -> Result<ReaderPosition, Refusal> {
        let (mut sequence, mut digest) = (0, None);
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("after", number)) => {
                    sequence = number.parse().map_err(|_| Refusal::Query)?;
                }
                Some(("digest", hex)) if hex.len() <= 16 => {
                    digest = Some(u64::from_str_radix(hex, 16).map_err(|_| Refusal::Query)?);
                }
                _ => return Err(Refusal::Query),
            }
        }
        let digest = match (sequence, digest) {
            (0, digest) => digest.unwrap_or(0),
            (_, Some(digest)) => digest,
            (_, None) => return Err(Refusal::Query),
        };
        Ok(ReaderPosition { sequence, digest })
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &str) -> Result<Option<Request>, Refusal> {
        Request::parse(head.as_bytes(), 256)
    }

    fn get(target: &str) -> Request {
        parse(&format!("GET {target} HTTP/1.1\r\n\r\n"))
            .unwrap()
            .unwrap()
    }

    #[test]
    fn a_head_is_taken_when_it_is_whole() {
        let head = "GET /a?b=c HTTP/1.1\r\nHost: localhost:80\r\n\r\n";
        for size in 0..head.len() {
            assert_eq!(parse(&head[..size]), Ok(None), "{size}");
        }
        let request = parse(head).unwrap().unwrap();
        assert_eq!((&*request.path, &*request.query), ("/a", "b=c"));
        assert!(request.names_loopback());
    }

    #[test]
    fn hostile_heads_are_refused() {
        let too_large = Refusal::HeadTooLarge { size_max: 256 };
        let long = "x".repeat(300);
        let fields = "a: b\r\n".repeat(65);
        let cases: [(&str, Refusal); 10] = [
            ("\0\0\0\0", Refusal::Malformed),
            ("GET / HTTP/3.0\r\n\r\n", Refusal::Malformed),
            ("GET http://a/ HTTP/1.1\r\n\r\n", Refusal::Malformed),
            ("GET a HTTP/1.1\r\n\r\n", Refusal::Malformed),
            ("POST / HTTP/1.1\r\n\r\n", Refusal::Method),
            ("GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", Refusal::Body),
            (
                "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
                Refusal::Body,
            ),
            (&format!("GET /{long} HTTP/1.1\r\n\r\n"), too_large),
            (&format!("GET /{long}"), too_large),
            (&format!("GET / HTTP/1.1\r\n{fields}\r\n"), too_large),
        ];
        for (head, refusal) in cases {
            assert_eq!(parse(head), Err(refusal), "{head}");
        }
    }

    #[test]
    fn loopback_has_few_names() {
        for (host, is_loopback) in [
            ("localhost", true),
            ("LOCALHOST:8080", true),
            ("127.0.0.1:1", true),
            ("127.8.0.1", true),
            ("[::1]:80", true),
            ("[::1]", true),
            ("example.com", false),
            ("localhost.example.com", false),
            ("192.168.0.1", false),
            ("", false),
        ] {
            let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let request = parse(&head).unwrap().unwrap();
            assert_eq!(request.names_loopback(), is_loopback, "{host}");
        }
        assert!(!get("/").names_loopback());
    }

    #[test]
    fn positions_are_numbers() {
        let position = |query: &str| get(&format!("/frames{query}")).position();
        let at = |sequence, digest| Ok(ReaderPosition { sequence, digest });
        assert_eq!(position(""), at(0, 0));
        assert_eq!(position("?after=0"), at(0, 0));
        assert_eq!(position("?after=7&digest=00ff"), at(7, 255));
        for bad in [
            "?after=7",
            "?after=-1",
            "?after=99999999999999999999",
            "?after=7&digest=zz",
            "?after=7&digest=00112233445566778",
            "?before=7",
            "?after",
        ] {
            assert_eq!(position(bad), Err(Refusal::Query), "{bad}");
        }
    }
}
