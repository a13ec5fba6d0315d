//! What a server answers instead of what was asked for.

use std::fmt;

/// Why a request is refused; sent as a JSON object of `code` and `message`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// All connections are taken.
    Busy { connections_max: usize },
    /// The head did not arrive in time.
    Timeout,
    /// The head is longer, or has more fields, than is taken.
    HeadTooLarge { size_max: usize },
    /// No HTTP/1 request.
    Malformed,
    /// Another method than GET.
    Method,
    /// A request with a body.
    Body,
    /// The page that asks came under another name: a foreign one whose name now leads here.
    Host,
    /// No such file.
    NotFound,
    /// `after` or `digest` is no number.
    Query,
    /// The reader has records that are not out: the server was restarted, or the stream was.
    Ahead { position: u64, last: u64 },
    /// The reader's state is not what the stream led to there.
    OtherHistory {
        position: u64,
        expected: u64,
        found: u64,
    },
    /// The reader's last record carries no digest: whether its state is the stream's is unknown.
    NoDigest { position: u64 },
}

impl Refusal {
    /// The status line's number and text.
    pub(super) const fn status(self) -> &'static str {
        match self {
            Self::Busy { .. } => "503 Service Unavailable",
            Self::Timeout => "408 Request Timeout",
            Self::HeadTooLarge { .. } => "431 Request Header Fields Too Large",
            Self::Malformed | Self::Query => "400 Bad Request",
            Self::Method => "405 Method Not Allowed",
            Self::Body => "413 Content Too Large",
            Self::Host => "421 Misdirected Request",
            Self::NotFound => "404 Not Found",
            Self::Ahead { .. } | Self::OtherHistory { .. } | Self::NoDigest { .. } => {
                "409 Conflict"
            }
        }
    }

    /// Stable, for programs.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Busy { .. } => "BUSY",
            Self::Timeout => "TIMEOUT",
            Self::HeadTooLarge { .. } => "HEAD_TOO_LARGE",
            Self::Malformed => "MALFORMED",
            Self::Method => "METHOD",
            Self::Body => "BODY",
            Self::Host => "HOST",
            Self::NotFound => "NOT_FOUND",
            Self::Query => "QUERY",
            Self::Ahead { .. } | Self::OtherHistory { .. } | Self::NoDigest { .. } => {
                "SNAPSHOT_NEEDED"
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Busy { connections_max } => write!(
                f,
                "all {connections_max} connections are taken: try again later"
            ),
            Self::Timeout => write!(f, "the request did not arrive in time: send it at once"),
            Self::HeadTooLarge { size_max } => write!(
                f,
                "the request's head is larger than {size_max} bytes or has too many fields: send \
                 fewer"
            ),
            Self::Malformed => write!(f, "no HTTP/1.1 request: send one"),
            Self::Method => write!(f, "the method is unknown here: use GET"),
            Self::Body => write!(f, "requests have no body here: send none"),
            Self::Host => write!(
                f,
                "the server listens on loopback and is asked by another name: open it as localhost"
            ),
            Self::NotFound => write!(f, "no such file here"),
            Self::Query => write!(
                f,
                "pass after=SEQUENCE, a decimal number, and from 1 on digest=STATE, 16 hex digits"
            ),
            Self::Ahead { position, last } => write!(
                f,
                "the reader is at record {position}, the stream at {last}: start anew with after=0"
            ),
            Self::OtherHistory {
                position,
                expected,
                found,
            } => write!(
                f,
                "after record {position} the digest is {expected:016x}, the reader has \
                 {found:016x}: start anew with after=0"
            ),
            Self::NoDigest { position } => write!(
                f,
                "record {position} carries no digest to compare: resume at one that does, or start \
                 anew with after=0"
            ),
        }
    }
}
