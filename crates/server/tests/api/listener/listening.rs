//! A server that listens on a port of the loopback interface, and a client that controls every byte.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use muster_server::{ServerSettings, serve};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::harness::{Api, TOKEN};

/// How long a test waits for anything before it fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server that listens.
pub struct Listening {
    pub api: Api,
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<std::io::Result<()>>>,
}

impl Listening {
    pub fn with(change: impl FnOnce(&mut ServerSettings)) -> Listening {
        let api = Api::with(change);
        let listener = api.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let state = api.state.clone();
        let serving = api.runtime.spawn(serve(listener, state, async {
            let _ = stopped.await;
        }));
        Listening { api, address, stop: Some(stop), serving: Some(serving) }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Asks the server to stop.
    pub fn ask_to_stop(&mut self) {
        self.stop.take().expect("asked once").send(()).unwrap();
    }

    /// Waits until the server has ended.
    pub fn wait(&mut self) {
        let serving = self.serving.take().expect("waited for once");
        let ended = self.api.runtime.block_on(async { tokio::time::timeout(PATIENCE, serving).await });
        ended.expect("the server ends in time").unwrap().unwrap();
    }

    /// Waits until a figure has a value; it must have it in time.
    pub fn await_figure(&self, name: &str, value: i64) {
        let until = Instant::now() + PATIENCE;
        while self.figure(name) != value {
            assert!(Instant::now() < until, "{name} is {} and not {value}", self.figure(name));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The value of a figure without labels.
    pub fn figure(&self, name: &str) -> i64 {
        let figures = self.api.ask("GET /metrics", "").body;
        let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    }
}

/// A request's head with the default token.
pub fn head(line: &str, more: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {TOKEN}\r\n{more}\r\n")
}

/// A whole request.
pub fn request(line: &str, body: &str) -> String {
    head(line, &format!("content-length: {}\r\n", body.len())) + body
}

/// Sends bytes; whether they are all taken shows in the answer.
pub fn send(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    let _ = stream.write_all(bytes.as_ref());
}

/// Reads everything until the server ends the connection.
pub fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("the server ends the connection in order");
    String::from_utf8(bytes).unwrap()
}

/// Reads one answer with a body and leaves the connection open.
pub fn read_answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&bytes));
        bytes.push(byte[0]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() == length.map_or(0, |length| length.parse().unwrap()) {
            return String::from_utf8(bytes).unwrap();
        }
    }
}

/// Status and body of one answer.
pub fn parts(answer: &str) -> (u16, &str) {
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}"));
    (status.parse().unwrap(), answer.split_once("\r\n\r\n").unwrap().1)
}
