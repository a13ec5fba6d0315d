//! A stream over HTTP: its records as they come out, and the files of a page that follows them.
//!
//! | path | answer |
//! |---|---|
//! | `/frames?after=N&digest=STATE` | the frames behind a position, then what comes, to the end |
//! | `/stream.json` | name, dim, slots, and how many records are out |
//! | any other | a file of the [`Site`] |
//!
//! The body of `/frames` is the wire format and nothing else. A reader resumes by its position: the
//! sequence of its last record and the digest of its state (16 hex digits), which must be the
//! stream's own there; else, and where the stream carries none, the refusal `SNAPSHOT_NEEDED` tells
//! it to start anew, with `after=0`. The history from its start is the snapshot.
//!
//! Every connection has a thread, a bounded number of them. None has a queue: a reader's thread
//! writes from the one log, and a reader that does not take 64 KiB within a time is dropped and may
//! resume. Requests are GETs without body, their heads bounded in size and time. Answers carry the
//! headers that isolate a page (COOP, COEP), so that it can share memory with its workers.
//!
//! ```
//! use std::io::{Read, Write};
//!
//! use delta_native::{sample, serve::{Log, Pace, Server, Settings, Site}};
//!
//! let log = Log::from_stream(&sample::streams()?[1])?;
//! let pace = Pace { first: log.len(), rate_per_s: 1, repeats: false };
//! let server = Server::bind(([127, 0, 0, 1], 0).into(), log, Settings::new(pace))?;
//! let address = server.address();
//! std::thread::scope(|scope| {
//!     scope.spawn(|| server.run());
//!     let mut answer = String::new();
//!     let mut stream = std::net::TcpStream::connect(address).unwrap();
//!     stream.write_all(b"GET /stream.json HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
//!     stream.read_to_string(&mut answer).unwrap();
//!     assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("feat_tokens"));
//!     server.stop();
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod connection;
mod live;
mod log;
mod refusal;
mod request;
mod site;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub use live::Pace;
pub use log::{Log, LogError};
pub use site::{Site, SiteError};

/// Pause after the system refused a connection, as it does when it has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a server takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time, each with a thread.
    pub connections: usize,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// For a request's head to arrive.
    pub head_time: Duration,
    /// For a reader to take 64 KiB, or what there is.
    pub write_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            head_bytes: 8192,
            head_time: Duration::from_secs(5),
            write_time: Duration::from_secs(10),
        }
    }
}

/// How a server serves its log.
#[derive(Debug)]
pub struct Settings {
    /// When records come out.
    pub pace: Pace,
    /// The files beside the stream.
    pub site: Site,
    /// Bounds.
    pub limits: Limits,
}

impl Settings {
    /// No files, the usual bounds.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            site: Site::default(),
            limits: Limits::default(),
        }
    }
}

/// A server that listens. The stream starts with [`bind`](Self::bind).
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What all connections see.
#[derive(Debug)]
struct Shared {
    log: Log,
    settings: Settings,
    started: Instant,
    /// Whether only this machine can ask.
    is_loopback: bool,
    /// Connections that have a thread.
    connections: AtomicUsize,
    stopped: AtomicBool,
}

impl Server {
    /// Listens at `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// The system's, for instance if the port is taken.
    pub fn bind(address: SocketAddr, log: Log, settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Shared {
            log,
            settings,
            started: Instant::now(),
            is_loopback: address.ip().is_loopback(),
            connections: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        };
        Ok(Self {
            listener,
            address,
            shared: Arc::new(shared),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until [`stop`](Self::stop) is called from another thread. Connections that are open
    /// then end within the time that a reader has to take what is sent.
    pub fn run(&self) {
        loop {
            let accepted = self.listener.accept();
            if self.shared.stopped.load(Ordering::Relaxed) {
                return;
            }
            match accepted {
                Ok((stream, _)) => self.begin(stream),
                Err(_) => thread::sleep(ACCEPT_PAUSE),
            }
        }
    }

    /// Ends [`run`](Self::run).
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection; if that fails, the next connection does.
        let _woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }

    fn begin(&self, stream: TcpStream) {
        match Place::take(&self.shared) {
            Some(place) => {
                let builder = thread::Builder::new().name("delta serve".to_owned());
                // Without a thread, the stream is dropped with the closure: the connection ends.
                let _spawned = builder.spawn(move || connection::answer(&place.0, stream));
            }
            None => connection::refuse_busy(&self.shared, stream),
        }
    }
}

/// One of the places for connections, given back when dropped.
#[derive(Debug)]
struct Place(Arc<Shared>);

impl Place {
    /// `None` if all are taken. Called by one thread alone: no other takes the last one meanwhile.
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        if shared.connections.load(Ordering::Relaxed) >= shared.settings.limits.connections {
            return None;
        }
        shared.connections.fetch_add(1, Ordering::Relaxed);
        Some(Self(Arc::clone(shared)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
