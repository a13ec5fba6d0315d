//! One connection: a request, its answer, the end.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use delta_core::kernel::distance::Metric;

use super::Shared;
use super::live::Head;
use super::refusal::Refusal;
use super::request::Request;
use crate::telemetry;

/// Bytes that a reader has the time of one write for.
const PIECE_SIZE: usize = 64 << 10;
/// After an answer, what the peer still sends is read for so long: closing before it is read would
/// make the system reset the connection, and the answer be lost.
const LINGER: Duration = Duration::from_millis(500);
/// Most bytes read in that time.
const LINGER_BYTES: u64 = 256 << 10;

/// COOP and COEP isolate a page, which may then share memory; the rest keeps others' pages from
/// using what is served here, and this page from loading anything from elsewhere.
const HEADERS: &str = "Cross-Origin-Opener-Policy: same-origin\r\n\
    Cross-Origin-Embedder-Policy: require-corp\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Content-Security-Policy: default-src 'self'; script-src 'self' 'wasm-unsafe-eval'\r\n\
    X-Content-Type-Options: nosniff\r\n\
    Referrer-Policy: no-referrer\r\n\
    Cache-Control: no-cache\r\n\
    Connection: close\r\n";

const INDEX: &str = "\
delta serve
  /stream.json                          what is served, and how far it is
  /frames?after=SEQUENCE&digest=STATE   the frames behind a position, and those that follow

Started with --site FOLDER, the server hands out the files of a page as well.
";

/// Answers one request. Whatever goes wrong ends this connection alone.
pub(super) fn answer(shared: &Shared, mut stream: TcpStream) {
    // Small records must not wait for the next one.
    let _nodelay = stream.set_nodelay(true);
    let limits = shared.settings.limits;
    let done = match Request::read(&mut stream, limits.head_bytes, limits.head_time) {
        Ok(None) => return,
        Ok(Some(request)) => respond(shared, &mut stream, &request),
        Err(refusal) => refuse(shared, &mut stream, refusal),
    };
    if done.is_ok() {
        linger(&mut stream);
    }
}

/// Turns a connection away for which there is no thread: this must not wait.
pub(super) fn refuse_busy(shared: &Shared, mut stream: TcpStream) {
    let refusal = Refusal::Busy {
        connections_max: shared.settings.limits.connections,
    };
    if stream.set_nonblocking(true).is_ok() {
        let _gone = stream.write_all(&refusal_bytes(refusal));
    }
}

fn respond(shared: &Shared, stream: &mut TcpStream, request: &Request) -> io::Result<()> {
    if shared.is_loopback && !request.names_loopback() {
        return refuse(shared, stream, Refusal::Host);
    }
    match &*request.path {
        "/frames" => match start_of(shared, request) {
            Ok((run, next)) => send_frames(shared, stream, run, next),
            Err(refusal) => refuse(shared, stream, refusal),
        },
        "/stream.json" => {
            let body = description(shared).to_string();
            send_whole(shared, stream, "application/json", body.as_bytes())
        }
        path => match shared.settings.site.get(path) {
            Some(page) => send_whole(shared, stream, page.content_type, &page.bytes),
            None if path == "/" => {
                let content_type = "text/plain; charset=utf-8";
                send_whole(shared, stream, content_type, INDEX.as_bytes())
            }
            None => refuse(shared, stream, Refusal::NotFound),
        },
    }
}

fn head(shared: &Shared) -> Head {
    let elapsed = shared.started.elapsed();
    shared.settings.pace.head(shared.log.len(), elapsed)
}

/// The run that is on, and the record with which the reader goes on.
fn start_of(shared: &Shared, request: &Request) -> Result<(u128, usize), Refusal> {
    let Head { run, records } = head(shared);
    let next = shared.log.resume(request.position()?, records)?;
    Ok((run, next))
}

fn description(shared: &Shared) -> serde_json::Value {
    let log = &shared.log;
    let pace = shared.settings.pace;
    serde_json::json!({
        "stream": log.name(),
        "dim": log.dim(),
        "slots": log.slots(),
        "graph": log.graph().map(|(graph, upper_lists)| serde_json::json!({
            "metric": match graph.metric {
                Metric::Dot => "dot",
                Metric::Cosine => "cosine",
                _ => "squaredL2",
            },
            "degree0": graph.degree0_max,
            "degree": graph.degree_max,
            "upperLists": upper_lists.max(1),
        })),
        "frame_bytes_max": log.frame_size_max(),
        "records": head(shared).records,
        "records_total": log.len(),
        "rate_per_s": pace.rate_per_s,
        "repeats": pace.repeats,
    })
}

/// Sends records from `next` on as they come out, until the stream's end, or until it starts again.
fn send_frames(
    shared: &Shared,
    stream: &mut TcpStream,
    run: u128,
    mut next: usize,
) -> io::Result<()> {
    let begin =
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n{HEADERS}\r\n");
    send(shared, stream, begin.as_bytes())?;
    loop {
        let head = head(shared);
        if head.run != run || shared.stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        if head.records > next {
            let frames = shared.log.frames(next, head.records);
            let span = tracing::debug_span!("delta_serve", records = head.records - next);
            span.in_scope(|| send(shared, stream, frames))?;
            let records = (head.records - next) as u64;
            telemetry::served(shared.log.name(), records, frames.len() as u64);
            next = head.records;
        } else if next >= shared.log.len() {
            return Ok(());
        } else {
            let elapsed = shared.started.elapsed();
            thread::sleep(shared.settings.pace.wait(elapsed));
        }
    }
}

fn send_whole(
    shared: &Shared,
    stream: &mut TcpStream,
    content_type: &str,
    body: &[u8],
) -> io::Result<()> {
    let size = body.len();
    let begin = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {size}\r\n{HEADERS}\r\n"
    );
    send(shared, stream, begin.as_bytes())?;
    send(shared, stream, body)
}

fn refuse(shared: &Shared, stream: &mut TcpStream, refusal: Refusal) -> io::Result<()> {
    send(shared, stream, &refusal_bytes(refusal))
}

fn refusal_bytes(refusal: Refusal) -> Vec<u8> {
    let body = serde_json::json!({ "code": refusal.code(), "message": refusal.to_string() });
    let body = body.to_string();
    let (status, size) = (refusal.status(), body.len());
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\
         {HEADERS}\r\n{body}"
    )
    .into_bytes()
}

/// Writes `bytes`, a piece within the time that a reader has for it: one that takes a byte now and
/// then does not hold a thread for ever.
fn send(shared: &Shared, stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    for piece in bytes.chunks(PIECE_SIZE) {
        let deadline = Instant::now() + shared.settings.limits.write_time;
        let mut rest = piece;
        while !rest.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || shared.stopped.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            stream.set_write_timeout(Some(left))?;
            match stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn linger(stream: &mut TcpStream) {
    let deadline = Instant::now() + LINGER;
    if stream.shutdown(Shutdown::Write).is_err() {
        return;
    }
    let mut left_bytes = LINGER_BYTES;
    let mut piece = [0; 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || left_bytes == 0 || stream.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(count) => left_bytes = left_bytes.saturating_sub(count as u64),
        }
    }
}
