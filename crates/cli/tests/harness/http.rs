//! A blocking HTTP/1.1 client over a plain socket.
//!
//! It keeps its connection between requests, sends exactly the bytes it is given, and reads an answer even when the
//! server stopped listening to the request. It never repeats a request by itself: whether one was heard is for the
//! caller to decide.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long one read or write may wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// The body of a successful ingest call, to the byte.
pub const SUCCESS: &[u8] = br#"{"message":"Success."}"#;

/// One conversation with one server.
pub struct Client {
    address: SocketAddr,
    authorization: Option<String>,
    connection: Option<BufReader<TcpStream>>,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name, in any case of letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{} {error}: {}", self.status, self.text()))
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Fails unless this is the success of an ingest call, to the byte.
    #[track_caller]
    pub fn expect_success(self) -> Answer {
        assert_eq!((self.status, self.text().as_str()), (200, std::str::from_utf8(SUCCESS).expect("ASCII")));
        self
    }
}

impl Client {
    pub fn new(address: SocketAddr, authorization: Option<&str>) -> Client {
        Client { address, authorization: authorization.map(str::to_owned), connection: None }
    }

    pub fn get(&mut self, target: &str) -> io::Result<Answer> {
        self.request("GET", target, &[], b"")
    }

    /// Sends JSON that is already written out.
    pub fn post(&mut self, target: &str, body: &[u8]) -> io::Result<Answer> {
        self.request("POST", target, &[], body)
    }

    /// Sends a value as JSON.
    pub fn post_json(&mut self, target: &str, body: &Value) -> io::Result<Answer> {
        self.post(target, body.to_string().as_bytes())
    }

    /// Sends messages as one batch.
    pub fn batch(&mut self, messages: &[Value]) -> io::Result<Answer> {
        self.post("/analytics/v1/batch", Value::from(messages.to_vec()).to_string().as_bytes())
    }

    /// Reads a JSON document that must be there.
    #[track_caller]
    pub fn read(&mut self, target: &str) -> Value {
        let answer = self.get(target).unwrap_or_else(|error| panic!("GET {target}: {error}"));
        assert_eq!(answer.status, 200, "GET {target}: {}", answer.text());
        answer.json()
    }

    /// One request and its answer. Headers given here come after the client's own.
    pub fn request(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(authorization) = &self.authorization {
            head.push_str(&format!("Authorization: {authorization}\r\n"));
        }
        if !body.is_empty() || method != "GET" {
            head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.exchange(&bytes)
    }

    /// Sends raw bytes and reads one answer. The connection is kept only after an orderly exchange.
    pub fn exchange(&mut self, bytes: &[u8]) -> io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(connect(self.address)?),
        };
        let sent = connection.get_mut().write_all(bytes);
        // A server may refuse a large body before it has read all of it; its answer then explains the failed write.
        let answer = match (read_answer(&mut connection), &sent) {
            (Ok(answer), _) => answer,
            (Err(_), Err(error)) => return Err(io::Error::new(error.kind(), error.to_string())),
            (Err(error), Ok(())) => return Err(error),
        };
        let closing = answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if sent.is_ok() && !closing {
            self.connection = Some(connection);
        }
        Ok(answer)
    }

    /// Lets go of the connection; the next request opens a new one.
    pub fn hang_up(&mut self) {
        self.connection = None;
    }
}

/// A connection on which no single wait is endless.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Reads one answer, of either length-delimited or chunked form.
pub fn read_answer(stream: &mut impl BufRead) -> io::Result<Answer> {
    loop {
        let status_line = read_line(stream)?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| invalid(format!("no status in {status_line:?}")))?;
        let headers = read_headers(stream)?;
        if (100..200).contains(&status) {
            continue;
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        answer.body = read_body(stream, &answer)?;
        return Ok(answer);
    }
}

fn read_headers(stream: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid(format!("no header: {line:?}")))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn read_body(stream: &mut impl BufRead, answer: &Answer) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if answer.status == 204 || answer.status == 304 {
        return Ok(body);
    }
    if answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        loop {
            let size = read_line(stream)?;
            let size = u64::from_str_radix(size.split(';').next().unwrap_or("").trim(), 16)
                .map_err(|error| invalid(format!("chunk size {size:?}: {error}")))?;
            read_exactly(stream, size, &mut body)?;
            read_line(stream)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match answer.header("content-length").map(str::parse::<u64>) {
        Some(Ok(length)) => read_exactly(stream, length, &mut body)?,
        Some(Err(error)) => return Err(invalid(format!("content length: {error}"))),
        None => drop(stream.read_to_end(&mut body)?),
    }
    Ok(body)
}

fn read_exactly(stream: &mut impl BufRead, length: u64, into: &mut Vec<u8>) -> io::Result<()> {
    let got = stream.take(length).read_to_end(into)?;
    if got as u64 == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.take(64 * 1024).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|error| invalid(error.to_string()))
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
