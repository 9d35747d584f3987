//! A proxy that does to requests what networks do.
//!
//! Faults are met in their order by the requests that send something; preflights and questions always go through. Each
//! connection has a thread of its own, each request goes to the server on a connection of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::harness::http::{Answer, connect, read_answer};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Pass,
    /// `503` with `Retry-After`; the server hears nothing of it.
    Unavailable,
    /// `429` with `Retry-After`; the server hears nothing of it.
    TooMany,
    /// The server has stored it, and the connection ends without an answer.
    CutAfterStoring,
    /// The server has stored it, and no answer comes until the client loses its patience.
    SilentAfterStoring,
}

/// The longest that a silence lasts.
const SILENCE: Duration = Duration::from_secs(20);

pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: SocketAddr,
    faults: Vec<Fault>,
    seen: Mutex<Vec<Fault>>,
    preflights: AtomicUsize,
}

/// A request as it came, byte by byte.
struct Taken {
    method: String,
    origin: Option<String>,
    bytes: Vec<u8>,
}

impl Proxy {
    pub fn start(server: SocketAddr, faults: &[Fault]) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (seen, preflights) = (Mutex::default(), AtomicUsize::new(0));
        let shared = Arc::new(Shared { server, faults: faults.to_vec(), seen, preflights });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.serve(stream));
            }
        });
        Proxy { address, shared }
    }

    /// The origin that clients are given: another one than that of the pages of these tests.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// What happened to each request so far.
    pub fn seen(&self) -> Vec<Fault> {
        self.shared.seen.lock().expect("no thread panics with it").clone()
    }

    pub fn preflights(&self) -> usize {
        self.shared.preflights.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut reader = BufReader::new(&stream);
        while let Some(taken) = take(&mut reader) {
            if !self.answer(&taken, &stream) {
                return;
            }
        }
    }

    /// Answers one request; `false` when the connection is to end.
    fn answer(&self, taken: &Taken, mut stream: &TcpStream) -> bool {
        let fault = self.fault(&taken.method);
        let told = match fault {
            Fault::Unavailable => Some(refusal("503 Service Unavailable", taken)),
            Fault::TooMany => Some(refusal("429 Too Many Requests", taken)),
            Fault::Pass => self.forward(taken).map(|answer| written(&answer)),
            Fault::CutAfterStoring => {
                self.forward(taken);
                None
            }
            Fault::SilentAfterStoring => {
                self.forward(taken);
                let _ = stream.set_read_timeout(Some(SILENCE));
                let _ = stream.read(&mut [0]);
                None
            }
        };
        told.is_some_and(|told| stream.write_all(&told).is_ok())
    }

    fn fault(&self, method: &str) -> Fault {
        if method != "POST" {
            self.preflights.fetch_add(usize::from(method == "OPTIONS"), Ordering::Relaxed);
            return Fault::Pass;
        }
        let mut seen = self.seen.lock().expect("no thread panics with it");
        let fault = self.faults.get(seen.len()).copied().unwrap_or(Fault::Pass);
        seen.push(fault);
        fault
    }

    fn forward(&self, taken: &Taken) -> Option<Answer> {
        let mut stream = connect(self.server).ok()?;
        stream.write_all(&taken.bytes).ok()?;
        read_answer(&mut BufReader::new(stream)).ok()
    }
}

/// An answer in which a page of another origin may read what it needs, as a proxy before the server would give it.
fn refusal(status: &str, taken: &Taken) -> Vec<u8> {
    let origin = taken.origin.as_deref().unwrap_or("*");
    let body = r#"{"code":"unavailable","message":"later","error":"later"}"#;
    format!(
        "HTTP/1.1 {status}\r\nRetry-After: 1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Allow-Credentials: true\r\n\
         Access-Control-Expose-Headers: Retry-After\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn written(answer: &Answer) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} .\r\n", answer.status);
    let own = ["content-length", "transfer-encoding", "connection"];
    for (name, value) in answer.headers.iter().filter(|(name, _)| !own.iter().any(|own| name.eq_ignore_ascii_case(own)))
    {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if answer.status != 204 {
        head.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
    }
    head.push_str("\r\n");
    [head.into_bytes(), answer.body.clone()].concat()
}

/// Reads a request to its end; `None` when no other one comes.
fn take(reader: &mut BufReader<&TcpStream>) -> Option<Taken> {
    let mut bytes = Vec::new();
    let line = |bytes: &mut Vec<u8>, reader: &mut BufReader<&TcpStream>| {
        let start = bytes.len();
        reader.read_until(b'\n', bytes).ok().filter(|read| *read > 0)?;
        Some(String::from_utf8_lossy(&bytes[start..]).trim_end().to_owned())
    };
    let first = line(&mut bytes, reader)?;
    let (mut length, mut chunked, mut origin) = (0, false, None);
    loop {
        let header = line(&mut bytes, reader)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':')?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            "origin" => origin = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    while chunked {
        let size = usize::from_str_radix(&line(&mut bytes, reader)?, 16).ok()?;
        length = 0;
        copy(reader, size + 2, &mut bytes)?;
        chunked = size > 0;
    }
    copy(reader, length, &mut bytes)?;
    let method = first.split(' ').next()?.to_owned();
    Some(Taken { method, origin, bytes })
}

fn copy(reader: &mut BufReader<&TcpStream>, count: usize, bytes: &mut Vec<u8>) -> Option<()> {
    let start = bytes.len();
    bytes.resize(start + count, 0);
    reader.read_exact(&mut bytes[start..]).ok()
}
