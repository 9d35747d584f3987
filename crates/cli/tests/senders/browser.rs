//! A real browser on a page of another origin.
//!
//! The page and the library's bundle come from a port of their own; the browser can reach nothing but this machine. The
//! page tells its own origin when it has called everything, and the visit goes on until the store has what was sent: a
//! page is not told when its library has delivered.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::harness::home::Home;
use super::harness::server::TOKEN;
use super::proxy::Proxy;
use super::{packages, source};

/// How long a visit may take.
const PATIENCE: Duration = Duration::from_secs(90);

struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Opens the page and stays until `delivered` says that everything has arrived, or for [`PATIENCE`].
pub fn visit(page: &str, proxy: &Proxy, home: &Home, mut delivered: impl FnMut() -> bool) {
    let bundle = bundled(page, home);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (bundle, tell) = (bundle.clone(), tell.clone());
            thread::spawn(move || serve(&stream, &bundle, &tell));
        }
    });
    let address = format!("http://127.0.0.1:{port}/?host={}&key={TOKEN}", proxy.url().replace(':', "%3A"));
    let browser = Browser(open(&address, home));
    let until = Instant::now() + PATIENCE;
    let says = told.recv_timeout(PATIENCE).unwrap_or_else(|_| "nothing".to_owned());
    assert_eq!(says, "sent", "the page says; the browser's log is {}", home.path().join("browser.log").display());
    while !delivered() && Instant::now() < until {
        thread::sleep(Duration::from_millis(50));
    }
    drop(browser);
}

/// The library and the page's program in one script.
fn bundled(page: &str, home: &Home) -> Vec<u8> {
    let modules = packages::node();
    let out = home.path().join("bundle.js");
    let mut command = Command::new("node");
    command.arg(modules.join("esbuild/bin/esbuild")).arg(source(page)).arg("--bundle").arg("--log-level=error");
    command.arg("--charset=utf8").arg(format!("--outfile={}", out.display())).env("NODE_PATH", modules);
    let output = command.output().expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(out).expect("the bundle was written")
}

fn open(address: &str, home: &Home) -> Child {
    let log = std::fs::File::create(home.path().join("browser.log")).expect("a log file");
    let mut command = Command::new("chromium");
    command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
    command.args([
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
    ]);
    command.arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1");
    command.arg(format!("--user-data-dir={}", home.path().join("browser").display())).arg(address);
    command.env("HOME", home.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("chromium cannot be run ({error}); `scripts/test packages` installs what is missing"),
    }
}

fn serve(stream: &TcpStream, bundle: &[u8], tell: &Sender<String>) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    let mut length = 0;
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut header = String::new();
    while reader.read_line(&mut header).is_ok_and(|read| read > 2) {
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        header.clear();
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let page = b"<!doctype html><meta charset=utf-8><title>Sender</title><script src=/bundle.js></script>";
    let (kind, content): (&str, &[u8]) = match first.split(' ').nth(1).unwrap_or("") {
        "/bundle.js" => ("text/javascript; charset=utf-8", bundle),
        "/done" => {
            let _ = tell.send(String::from_utf8_lossy(&body).into_owned());
            ("text/plain", b"")
        }
        _ => ("text/html", page),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    );
    let mut stream = stream;
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(content));
}
