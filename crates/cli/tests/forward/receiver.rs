//! A receiver that answers as a test tells it, or does worse.
//!
//! It speaks just enough HTTP/1.1, one connection after the other, each request on a connection of its own. What it took
//! is what it answered with success.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long something may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    /// By name in lower case.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The messages of a batch of either form.
    pub fn messages(&self) -> Vec<Value> {
        let json = self.json();
        let list = json.as_array().or(json["batch"].as_array()).cloned();
        list.unwrap_or_else(|| vec![json["data"].clone()])
    }
}

/// What is done about a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status, headers as they stand, a body.
    Status(u16, &'static str, String),
    /// The connection ends without an answer.
    Cut,
    /// The answer ends in its middle.
    Half,
    /// Nothing comes for so long.
    Hang(Duration),
}

impl Reply {
    pub fn ok() -> Reply {
        Reply::Status(200, "", r#"{"message":"Success."}"#.to_owned())
    }

    pub fn status(status: u16) -> Reply {
        Reply::Status(status, "", String::new())
    }
}

type Judge = Box<dyn FnMut(usize, &Request) -> Reply + Send>;

/// The receiver.
pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    judge: Mutex<Judge>,
    heard: Mutex<Vec<(Request, Instant, bool)>>,
}

impl Receiver {
    /// One that answers so; the number says the how manieth request it is, from 0 on.
    pub fn new(judge: impl FnMut(usize, &Request) -> Reply + Send + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { judge: Mutex::new(Box::new(judge)), heard: Mutex::default() });
        let inside = Arc::clone(&shared);
        // Lives as long as the process of the test.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, inside) = (stream.expect("a connection"), Arc::clone(&inside));
                thread::spawn(move || serve(stream, &inside));
            }
        });
        Receiver { address, shared }
    }

    /// From now on it answers so.
    pub fn answer(&self, judge: impl FnMut(usize, &Request) -> Reply + Send + 'static) {
        *self.shared.judge.lock().unwrap() = Box::new(judge);
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests so far, each with when it came.
    pub fn heard(&self) -> Vec<(Request, Instant)> {
        let heard = self.shared.heard.lock().unwrap();
        heard.iter().map(|(request, at, _)| (request.clone(), *at)).collect()
    }

    /// The `messageId`s that it took, in order, those that came twice as often.
    pub fn took(&self) -> Vec<String> {
        let heard = self.shared.heard.lock().unwrap();
        let taken = heard.iter().filter(|(_, _, taken)| *taken);
        let messages = taken.flat_map(|(request, _, _)| request.messages());
        messages.map(|message| message["messageId"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until something holds.
    #[track_caller]
    pub fn wait(&self, what: &str, holds: impl FnMut(&Receiver) -> bool) {
        let mut holds = holds;
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < until, "{what}: {:?}", self.took());
            sleep(Duration::from_millis(10));
        }
    }
}

fn serve(stream: TcpStream, shared: &Shared) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let reply = {
            let mut heard = shared.heard.lock().unwrap();
            let reply = (shared.judge.lock().unwrap())(heard.len(), &request);
            let taken = matches!(reply, Reply::Status(200..=299, _, _));
            heard.push((request, Instant::now(), taken));
            reply
        };
        let written = match &reply {
            Reply::Status(status, headers, body) => {
                let length = body.len();
                format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
            }
            Reply::Half => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned(),
            Reply::Cut => return,
            Reply::Hang(long) => {
                sleep(*long);
                return;
            }
        };
        if stream.get_mut().write_all(written.as_bytes()).is_err() || matches!(reply, Reply::Half) {
            return;
        }
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Request { path, headers, body })
}
