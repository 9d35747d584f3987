//! A relay before a server of HTTP, which can be told to fail or to take its time.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

const WORKS: u8 = 0;
const FAILS: u8 = 1;
const LOOK: Duration = Duration::from_millis(20);
const REFUSAL: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// The relay; its threads end with the process.
pub struct Relay {
    pub url: String,
    state: Arc<AtomicU8>,
    delay_millis: Arc<AtomicU64>,
}

impl Relay {
    /// Before the server of a URL.
    pub fn before(url: &str) -> Relay {
        let server = url.strip_prefix("http://").expect("a server of HTTP").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (state, delay_millis) = (Arc::new(AtomicU8::new(WORKS)), Arc::new(AtomicU64::new(0)));
        let (now, delay) = (Arc::clone(&state), Arc::clone(&delay_millis));
        thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let (server, now, delay) = (server.clone(), Arc::clone(&now), Arc::clone(&delay));
                thread::spawn(move || serve(from, &server, &now, &delay));
            }
        });
        Relay { url, state, delay_millis }
    }

    /// Answers every request with 500 from now on, and ends connections that there are.
    pub fn fail(&self) {
        self.state.store(FAILS, Ordering::Release);
    }

    /// Waits so long before it passes anything on.
    pub fn delay(&self, by: Duration) {
        self.delay_millis.store(by.as_millis() as u64, Ordering::Release);
    }

    /// Does as the server does again.
    pub fn heal(&self) {
        self.state.store(WORKS, Ordering::Release);
    }
}

fn serve(mut from: TcpStream, server: &str, state: &Arc<AtomicU8>, delay_millis: &Arc<AtomicU64>) {
    if state.load(Ordering::Acquire) == FAILS {
        let mut request = [0; 16 << 10];
        let _ = from.read(&mut request);
        let _ = from.write_all(REFUSAL);
        return;
    }
    let Ok(to) = TcpStream::connect(server) else { return };
    let (back_to, back_from) = (from.try_clone().expect("a stream"), to.try_clone().expect("a stream"));
    let (there, delay) = (Arc::clone(state), Arc::clone(delay_millis));
    let forth = thread::spawn(move || pass(from, to, &there, &delay));
    pass(back_from, back_to, state, &AtomicU64::new(0));
    let _ = forth.join();
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: &AtomicU8, delay_millis: &AtomicU64) {
    from.set_read_timeout(Some(LOOK)).expect("a timeout");
    let mut bytes = vec![0; 64 << 10];
    while state.load(Ordering::Acquire) == WORKS {
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => {
                thread::sleep(Duration::from_millis(delay_millis.load(Ordering::Acquire)));
                if to.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
