//! Sending prepared requests over plain sockets and reading as little of the answers as is needed.
//!
//! One thread a connection, all started at once, drawing batches from one budget until it is used up. A connection goes
//! through its stream in order and sends a batch again until it is acknowledged, so that afterwards everything before
//! its position is known to be acknowledged. Never parses an answer's body unless it is an error.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use super::{
    verify::Acknowledged,
    workload::{Requests, Shape, Stream},
};
use crate::output::Progress;

/// How long a single answer may take; longer means that the server hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Between two tries at a server that says it is busy.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// Tries at a busy server before the run is given up.
const BUSY_TRIES_MAX: u32 = 3_000;

/// A connection with its place in its stream.
pub struct Sender {
    socket: Socket,
    stream: Stream,
    requests: Requests,
    /// The batch that is sent next; everything before it was acknowledged.
    next: u64,
}

/// What one run sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub messages: u64,
    /// Messages of them that had been sent before.
    pub again: u64,
    /// Requests that a busy server turned away, and that were sent again.
    pub busy: u64,
    pub seconds: f64,
}

impl Sent {
    pub fn per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.messages as f64 / self.seconds } else { 0.0 }
    }
}

/// One sender for each stream numbered from `first`.
pub fn senders(address: SocketAddr, token: &str, shape: &Shape, first: u32, count: u32) -> anyhow::Result<Vec<Sender>> {
    let host = address.to_string();
    (first..first + count)
        .map(|number| {
            let stream = Stream::new(shape, number);
            let requests = Requests::new(stream.clone(), &host, token);
            Ok(Sender { socket: Socket::connect(address)?, stream, requests, next: 0 })
        })
        .collect()
}

/// Opens all connections anew: a server lets go of those that had to wait for long while another one was measured.
pub fn connect_anew(senders: &mut [Sender]) -> anyhow::Result<()> {
    for sender in senders {
        sender.socket = Socket::connect(sender.socket.address)?;
    }
    Ok(())
}

/// Sends `batches` batches over all senders together, as fast as the server takes them.
pub fn run(senders: &mut [Sender], batches: u64, batch_messages: u32, progress: &Progress) -> anyhow::Result<Sent> {
    let budget = AtomicU64::new(batches);
    let barrier = Barrier::new(senders.len() + 1);
    let draw = || budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    thread::scope(|scope| {
        let (draw, barrier) = (&draw, &barrier);
        let threads: Vec<_> = senders
            .iter_mut()
            .map(|sender| {
                scope.spawn(move || {
                    barrier.wait();
                    let mut sent = Sent::default();
                    while draw() {
                        sender.send(&mut sent)?;
                        sent.messages += u64::from(batch_messages);
                        progress.advance(u64::from(batch_messages));
                    }
                    anyhow::Ok(sent)
                })
            })
            .collect();
        barrier.wait();
        let started = Instant::now();
        let mut all = Sent::default();
        for thread in threads {
            let sent = thread.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??;
            all.messages += sent.messages;
            all.again += sent.again;
            all.busy += sent.busy;
        }
        Ok(Sent { seconds: started.elapsed().as_secs_f64(), ..all })
    })
}

/// Sends batches at a fixed rate, whether the server keeps up or not, and measures each in microseconds from the moment
/// at which it should have been sent: what waits because another answer was late counts as waiting.
pub fn at_rate(
    senders: &mut [Sender],
    (messages_per_second, seconds): (u64, u32),
    batch_messages: u32,
) -> anyhow::Result<(Sent, Vec<u64>)> {
    let batches = (messages_per_second * u64::from(seconds)).div_ceil(u64::from(batch_messages));
    let gap = Duration::from_secs_f64(f64::from(batch_messages) / messages_per_second as f64);
    let next = AtomicU64::new(0);
    let started = Instant::now();
    let took: Vec<anyhow::Result<(Sent, Vec<u64>)>> = thread::scope(|scope| {
        let next = &next;
        let run = |sender: &'_ mut Sender| {
            let (mut sent, mut micros) = (Sent::default(), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= batches {
                    return Ok((sent, micros));
                }
                let due = started + gap.mul_f64(number as f64);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                sender.send(&mut sent)?;
                sent.messages += u64::from(batch_messages);
                micros.push(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX));
            }
        };
        let threads: Vec<_> = senders.iter_mut().map(|sender| scope.spawn(move || run(sender))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a sender panicked"))?).collect()
    });
    let mut all = (Sent::default(), Vec::new());
    for one in took {
        let (sent, micros) = one?;
        all.0.messages += sent.messages;
        all.0.again += sent.again;
        all.0.busy += sent.busy;
        all.1.extend(micros);
    }
    all.0.seconds = started.elapsed().as_secs_f64();
    Ok(all)
}

/// Sends single requests one after the other and measures each, in microseconds.
pub fn one_by_one(sender: &mut Sender, count: u32) -> anyhow::Result<Vec<u64>> {
    let mut micros = Vec::with_capacity(count as usize);
    let mut sent = Sent::default();
    for _ in 0..count {
        let (request, _) = sender.requests.request(sender.next);
        let started = Instant::now();
        let status = sender.socket.exchange(request)?;
        let took = started.elapsed();
        if status == 200 {
            sender.next += 1;
            micros.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        } else {
            // Not a measurement; the message goes out all the same, so that the stream has no gap.
            sender.send(&mut sent)?;
        }
    }
    Ok(micros)
}

impl Sender {
    /// What was acknowledged so far.
    pub fn acknowledged(&self) -> Acknowledged {
        Acknowledged { stream: self.stream.clone(), batches: self.next }
    }

    /// Sends the next batch until it is acknowledged.
    fn send(&mut self, sent: &mut Sent) -> anyhow::Result<()> {
        let (request, again) = self.requests.request(self.next);
        for _ in 0..BUSY_TRIES_MAX {
            match self.socket.exchange(request)? {
                200 => {
                    self.next += 1;
                    sent.again += again;
                    return Ok(());
                }
                429 | 503 => {
                    sent.busy += 1;
                    thread::sleep(BUSY_PAUSE);
                }
                status => bail!("the server answered {status}: {}", self.socket.body()),
            }
        }
        bail!("the server was busy for {:?}; it answered: {}", BUSY_PAUSE * BUSY_TRIES_MAX, self.socket.body())
    }
}

/// A connection that is kept.
struct Socket {
    address: SocketAddr,
    stream: TcpStream,
    answer: Vec<u8>,
    body_at: usize,
}

impl Socket {
    fn connect(address: SocketAddr) -> anyhow::Result<Socket> {
        Ok(Socket { address, stream: open(address)?, answer: Vec::new(), body_at: 0 })
    }

    /// Sends a request and reads its answer; hands out the status.
    fn exchange(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request).context("the server closed the connection")?;
        self.answer.clear();
        let (head, length) = loop {
            if let Some(end) = head_end(&self.answer) {
                break (end, content_length(&self.answer[..end])?);
            }
            self.read_more()?;
        };
        self.body_at = head;
        while self.answer.len() < head + length {
            self.read_more()?;
        }
        let status = status_of(&self.answer)?;
        if contains(&self.answer[..head], b"connection: close") {
            self.stream = open(self.address)?;
        }
        Ok(status)
    }

    fn read_more(&mut self) -> anyhow::Result<()> {
        let mut chunk = [0; 4_096];
        let count = self.stream.read(&mut chunk).context("no answer from the server")?;
        if count == 0 {
            return Err(anyhow::Error::new(io::Error::from(io::ErrorKind::UnexpectedEof))
                .context("the server closed the connection instead of answering"));
        }
        self.answer.extend_from_slice(&chunk[..count]);
        Ok(())
    }

    fn body(&self) -> String {
        String::from_utf8_lossy(self.answer.get(self.body_at..).unwrap_or_default()).chars().take(500).collect()
    }
}

fn open(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))
        .with_context(|| format!("{address} cannot be reached"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    Ok(stream)
}

fn head_end(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| at + 4)
}

fn status_of(answer: &[u8]) -> anyhow::Result<u16> {
    let digits = answer
        .get(9..12)
        .filter(|_| answer.starts_with(b"HTTP/1.1 "))
        .and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).context("the answer is not HTTP/1.1")
}

/// Answers of both servers always state their length.
fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    let text = std::str::from_utf8(head).context("the answer's head is not text")?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let value = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, value)| value.trim());
    value.and_then(|value| value.parse().ok()).context("the answer does not state its length")
}

fn contains(head: &[u8], wanted: &[u8]) -> bool {
    head.windows(wanted.len()).any(|bytes| bytes.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Shutdown, TcpListener},
        sync::atomic::AtomicU32,
    };

    use super::{
        super::pattern::{MESSAGE_BYTES_MIN, Mix},
        *,
    };
    use crate::output::Unit;

    fn silent() -> Progress {
        Progress::new(None, Unit::Messages)
    }

    const SHAPE: Shape = Shape {
        mix: Mix::Mixed,
        message_bytes: MESSAGE_BYTES_MIN,
        accounts: 9,
        users: 9,
        batch: 3,
        duplicates: 0,
        nonce: 1,
        start_millis: 0,
        days: 0,
    };

    /// Answers every request on every connection with what `answer` says, in two parts.
    fn serve(connections: usize, answer: impl Fn() -> &'static str + Send + Sync + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = std::sync::Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().take(connections) {
                let (mut stream, answer) = (stream.unwrap(), std::sync::Arc::clone(&answer));
                thread::spawn(move || {
                    let mut bytes = Vec::new();
                    let mut chunk = [0; 8_192];
                    while let Ok(count @ 1..) = stream.read(&mut chunk) {
                        bytes.extend_from_slice(&chunk[..count]);
                        while let Some(head) = head_end(&bytes) {
                            let whole = head + content_length(&bytes[..head]).unwrap();
                            if bytes.len() < whole {
                                break;
                            }
                            bytes.drain(..whole);
                            let (one, other) = answer().split_at(20);
                            stream.write_all(one.as_bytes()).unwrap();
                            stream.write_all(other.as_bytes()).unwrap();
                        }
                    }
                });
            }
        });
        address
    }

    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

    #[test]
    fn the_budget_is_used_up_and_positions_add_up() {
        let address = serve(3, || OK);
        let mut senders = senders(address, "t", &SHAPE, 0, 3).unwrap();
        let sent = run(&mut senders, 100, SHAPE.batch, &silent()).unwrap();
        assert_eq!((sent.messages, sent.busy), (300, 0));
        assert_eq!(senders.iter().map(|sender| sender.next).sum::<u64>(), 100);
        assert_eq!(one_by_one(&mut senders[0], 5).unwrap().len(), 5);
    }

    #[test]
    fn a_fixed_rate_is_kept_and_every_batch_is_measured() {
        let address = serve(2, || OK);
        let mut senders = senders(address, "t", &SHAPE, 0, 2).unwrap();
        let (sent, micros) = at_rate(&mut senders, (300, 1), SHAPE.batch).unwrap();
        assert_eq!((sent.messages, micros.len()), (300, 100));
        assert!(sent.seconds >= 0.98, "the last batch is due after 99 gaps of 10 ms, not at once: {}", sent.seconds);
    }

    #[test]
    fn a_busy_server_is_tried_again_and_nothing_is_skipped() {
        let calls = AtomicU32::new(0);
        let address = serve(1, move || match calls.fetch_add(1, Ordering::Relaxed) {
            0 | 3 => "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            _ => OK,
        });
        let mut senders = senders(address, "t", &SHAPE, 0, 1).unwrap();
        let sent = run(&mut senders, 4, SHAPE.batch, &silent()).unwrap();
        assert_eq!((sent.messages, sent.busy, senders[0].next), (12, 2, 4));
    }

    #[test]
    fn a_connection_that_was_let_go_of_is_opened_anew() {
        let address = serve(2, || OK);
        let mut senders = senders(address, "t", &SHAPE, 0, 1).unwrap();
        run(&mut senders, 2, SHAPE.batch, &silent()).unwrap();
        senders[0].socket.stream.shutdown(Shutdown::Both).unwrap();
        assert!(run(&mut senders, 1, SHAPE.batch, &silent()).is_err());
        connect_anew(&mut senders).unwrap();
        run(&mut senders, 1, SHAPE.batch, &silent()).unwrap();
        assert_eq!(senders[0].next, 3, "it goes on where it was");
    }

    #[test]
    fn an_error_ends_the_run_with_the_servers_words() {
        let address = serve(1, || "HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\n\r\nno key!");
        let mut senders = senders(address, "t", &SHAPE, 0, 1).unwrap();
        let error = run(&mut senders, 1, SHAPE.batch, &silent()).unwrap_err();
        assert_eq!(error.to_string(), "the server answered 401: no key!");
    }
}
