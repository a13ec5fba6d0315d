use std::io::{Read, Write};

use delta_core::record::Record;

use super::*;
use crate::fixtures::f32s;
use crate::{sample, stream::Stream};

fn sample_log() -> Log {
    Log::from_stream(&sample::streams().unwrap()[1]).unwrap()
}

/// All records are out.
fn at_once(log: &Log) -> Settings {
    Settings::new(Pace {
        first: log.len(),
        rate_per_s: 1,
        repeats: false,
    })
}

fn with_server<R>(log: Log, settings: Settings, test: impl FnOnce(&Server) -> R) -> R {
    struct Stop<'a>(&'a Server);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.stop();
        }
    }
    let server = Server::bind(([127, 0, 0, 1], 0).into(), log, settings).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| server.run());
        // Also when the test fails: the scope would wait for ever.
        let stop = Stop(&server);
        test(stop.0)
    })
}

/// Sends `bytes` and reads no answer yet.
fn send(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

fn request(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// Head and body of an answer.
fn answer(mut stream: TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    // A reader that is dropped keeps what had arrived.
    let _dropped = stream.read_to_end(&mut bytes);
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {bytes:?}"));
    let body = bytes.split_off(end + 4);
    (String::from_utf8(bytes).unwrap(), body)
}

fn get(server: &Server, target: &str) -> (String, Vec<u8>) {
    answer(send(server, &request(target)))
}

/// `code` of a refusal, behind its status.
fn code(answer: (String, Vec<u8>)) -> (u16, String) {
    let (head, body) = answer;
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(body["message"].as_str().unwrap().contains(' '));
    (status, body["code"].as_str().unwrap().to_owned())
}

/// The path of `/frames` for a reader that has `frames`, from their whole records alone, and the
/// bytes of these.
fn resume(frames: &[u8]) -> (String, usize) {
    let (mut rest, mut target) = (frames, "/frames".to_owned());
    while let Ok((record, behind)) = Record::split(rest) {
        let header = record.header();
        let digest = header.state_digest.unwrap();
        target = format!("/frames?after={}&digest={digest:016x}", header.sequence);
        rest = behind;
    }
    (target, frames.len() - rest.len())
}

fn is_isolated(head: &str) -> bool {
    head.contains("\r\nCross-Origin-Opener-Policy: same-origin\r\n")
        && head.contains("\r\nCross-Origin-Embedder-Policy: require-corp\r\n")
}

#[test]
fn the_body_is_the_streams_frames() {
    let log = sample_log();
    let settings = at_once(&log);
    let frames = log.frames(0, log.len()).to_vec();
    with_server(log, settings, |server| {
        let (head, body) = get(server, "/frames?after=0");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && is_isolated(&head));
        assert!(body == frames);
        let (head, body) = get(server, "/stream.json");
        assert!(is_isolated(&head));
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["dim"], 512);
        assert_eq!(body["slots"], 4);
        assert_eq!(body["records"], 177);
        assert_eq!(body["records_total"], 177);
    });
}

#[test]
fn a_reader_resumes_at_every_position_and_nowhere_else() {
    let log = sample_log();
    let settings = at_once(&log);
    let frames = log.frames(0, log.len()).to_vec();
    with_server(log, settings, |server| {
        let mut seen = 0;
        for cut in (0..=frames.len()).step_by(frames.len() / 7) {
            let (target, whole) = resume(&frames[..cut]);
            assert!(get(server, &target).1 == frames[whole..], "{target}");
            seen += usize::from(whole > 0);
        }
        assert!(seen > 3);
        let (end, _) = resume(&frames);
        assert!(get(server, &end).1.is_empty());
        let needed = (409, "SNAPSHOT_NEEDED".to_owned());
        assert_eq!(code(get(server, "/frames?after=9&digest=1")), needed);
        assert_eq!(code(get(server, "/frames?after=178&digest=1")), needed);
        let huge = format!("/frames?after={}&digest=1", u64::MAX);
        assert_eq!(code(get(server, &huge)), needed);
        assert_eq!(code(get(server, "/frames?after=x")).1, "QUERY");
    });
}

#[test]
fn nobody_resumes_where_no_digest_tells_what_to_have() {
    let log = sample_log();
    let (mut rest, mut frames) = (log.frames(0, log.len()), Vec::new());
    let mut digests = Vec::new();
    while let Ok((record, behind)) = Record::split(rest) {
        let (mut header, payload) = (*record.header(), record.payload_bytes());
        digests.push(header.state_digest.unwrap());
        if header.sequence == 9 {
            header.state_digest = None;
        }
        frames.extend(header.seal(payload).unwrap().to_bytes());
        frames.extend(payload);
        rest = behind;
    }
    let log = Log::new("sparse", frames).unwrap();
    let settings = at_once(&log);
    with_server(log, settings, |server| {
        let after = |sequence: usize| {
            let digest = digests[sequence - 1];
            get(
                server,
                &format!("/frames?after={sequence}&digest={digest:016x}"),
            )
        };
        let needed = (409, "SNAPSHOT_NEEDED".to_owned());
        assert_eq!(code(after(9)), needed);
        for sequence in [8, 10] {
            assert!(after(sequence).0.contains("200 OK"), "{sequence}");
        }
    });
}

#[test]
fn records_arrive_as_they_come_out() {
    let log = sample_log();
    let frames = log.frames(0, log.len()).to_vec();
    let settings = Settings::new(Pace {
        first: 3,
        rate_per_s: 500,
        repeats: false,
    });
    with_server(log, settings, |server| {
        assert!(get(server, "/frames").1 == frames);
    });
}

#[test]
fn hostile_requests_are_refused_with_a_reason() {
    let log = sample_log();
    let mut settings = at_once(&log);
    settings.limits.head_time = Duration::from_secs(2);
    with_server(log, settings, |server| {
        let refused = |bytes: &[u8]| code(answer(send(server, bytes)));
        let long = [b"GET /", "x".repeat(20_000).as_bytes()].concat();
        let cases: [(&[u8], u16, &str); 8] = [
            (b"\0\0\0\0\0\0\0\0", 400, "MALFORMED"),
            (b"\x16\x03\x01\x02\x00\x01", 400, "MALFORMED"),
            (
                b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd",
                405,
                "METHOD",
            ),
            (
                b"GET / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd",
                413,
                "BODY",
            ),
            (b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", 421, "HOST"),
            (b"GET / HTTP/1.1\r\n\r\n", 421, "HOST"),
            (b"GET / HTTP/1.1\r\nHost: local", 408, "TIMEOUT"),
            (&long, 431, "HEAD_TOO_LARGE"),
        ];
        for (bytes, status, reason) in cases {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
            assert_eq!(refused(bytes), (status, reason.to_owned()), "{shown}");
        }
        assert!(get(server, "/").1.starts_with(b"delta serve"));
    });
}

#[test]
fn no_path_leads_out_of_the_site() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site");
    std::fs::create_dir(&site).unwrap();
    std::fs::write(site.join("index.html"), "<p>page").unwrap();
    std::fs::write(folder.path().join("secret.json"), "{}").unwrap();
    let log = sample_log();
    let mut settings = at_once(&log);
    settings.site = Site::load(&site).unwrap();
    with_server(log, settings, |server| {
        let (head, body) = get(server, "/");
        assert!(head.contains("\r\nContent-Type: text/html") && is_isolated(&head));
        assert_eq!(body, b"<p>page");
        for path in [
            "/../secret.json",
            "/..%2fsecret.json",
            "/%2e%2e/secret.json",
            "/./../secret.json",
            "//etc/passwd",
            "/..\\secret.json",
            "/secret.json",
            "/index.html/",
        ] {
            assert_eq!(
                code(get(server, path)),
                (404, "NOT_FOUND".to_owned()),
                "{path}"
            );
        }
    });
}

#[test]
fn connections_are_bounded_and_given_back() {
    let mut settings = Settings::new(Pace {
        first: 3,
        rate_per_s: 2,
        repeats: false,
    });
    settings.limits.connections = 2;
    with_server(sample_log(), settings, |server| {
        let mut readers: Vec<_> = (0..2).map(|_| send(server, &request("/frames"))).collect();
        for reader in &mut readers {
            // The answer has begun: its connection is taken.
            reader.read_exact(&mut [0; 9]).unwrap();
        }
        let busy = TcpStream::connect(server.address()).unwrap();
        assert_eq!(code(answer(busy)), (503, "BUSY".to_owned()));
        drop(readers);
        // Found out by the next record.
        while server.shared.connections.load(Ordering::Relaxed) > 0 {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(get(server, "/stream.json").0.contains("200 OK"));
    });
}

/// One entity of 4 MiB whose every component changes: more than sockets keep.
fn large_log() -> Log {
    let values: Vec<f32> = (0_u32..8 << 20).map(f32::from_bits).collect();
    let file = f32s(&[8, 1 << 20], &values);
    let stream = Stream::load_embedded("large", &[("large.npy", &file)]).unwrap();
    Log::from_stream(&stream).unwrap()
}

#[test]
fn a_reader_that_takes_nothing_is_dropped_and_resumes() {
    let log = large_log();
    let mut settings = at_once(&log);
    settings.limits.write_time = Duration::from_secs(1);
    let frames = log.frames(0, log.len()).to_vec();
    with_server(log, settings, |server| {
        let stream = send(server, &request("/frames"));
        let taken = || server.shared.connections.load(Ordering::Relaxed);
        while taken() == 0 {
            thread::sleep(Duration::from_millis(10));
        }
        // It is dropped without having read a byte.
        while taken() > 0 {
            thread::sleep(Duration::from_millis(10));
        }
        let (_, mut body) = answer(stream);
        assert!(body.len() < frames.len());
        while body.len() < frames.len() {
            let (target, whole) = resume(&body);
            body.truncate(whole);
            body.extend(get(server, &target).1);
        }
        assert!(body == frames);
    });
}

#[test]
fn streams_that_nobody_could_begin_with_are_refused() {
    assert!(matches!(
        Log::new("cut", sample_log().frames(0, 9).to_vec()),
        Err(LogError::Stream(_))
    ));
    let mut frames = Vec::new();
    let array = |value| crate::npy::NpyF32 {
        shape: vec![64],
        header_bytes: Vec::new(),
        data: vec![value; 64],
    };
    crate::array_delta::diff(&array(1.0), &array(2.0), &mut frames).unwrap();
    assert!(matches!(
        Log::new("array", frames),
        Err(LogError::NotFromTheBeginning {
            sequence: 1,
            slot_count: 1
        })
    ));
}
