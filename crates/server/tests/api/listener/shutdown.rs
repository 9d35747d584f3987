//! Asking the server to stop.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use super::listening::{Listening, head, parts, read_answer, read_to_end, request, send};

const GOOD: &str = r#"[{"type":"account","accountId":"a","messageId":"1"}]"#;

#[test]
fn a_request_under_way_is_finished_and_no_other_begun() {
    let mut server = Listening::with(|_| {});
    let mut busy = server.connect();
    send(&mut busy, head("POST /analytics/v1/batch", &format!("content-length: {}\r\n", GOOD.len())) + &GOOD[..5]);
    let mut idle = server.connect();
    send(&mut idle, request("GET /readyz", ""));
    assert_eq!(parts(&read_answer(&mut idle)).0, 200);
    let mut silent = server.connect();
    // A connection that was not even accepted yet may be reset.
    server.await_figure("muster_connections", 3);
    server.ask_to_stop();
    assert_eq!(read_to_end(&mut idle), "", "an idle connection ends at once");
    assert_eq!(read_to_end(&mut silent), "");
    assert_eq!(server.api.ask("GET /readyz", "").json()["status"], "draining");
    send(&mut busy, &GOOD[5..]);
    assert_eq!(parts(&read_to_end(&mut busy)), (200, r#"{"message":"Success."}"#));
    server.wait();
    assert!(TcpStream::connect(server.address).is_err(), "nobody listens any more");
    assert_eq!(server.api.page("/resources/accounts").0, ["a"]);
}

#[test]
fn what_takes_too_long_is_cut_off() {
    let mut server = Listening::with(|settings| settings.shutdown_timeout = Duration::from_millis(200));
    let mut busy = server.connect();
    send(&mut busy, head("POST /analytics/v1/batch", "content-length: 1000\r\n") + "[");
    let begun = Instant::now();
    while server.figure("muster_ingest_in_flight_bytes") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the request never began");
    }
    server.ask_to_stop();
    let asked = Instant::now();
    server.wait();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

#[test]
fn an_idle_server_ends_at_once() {
    let mut server = Listening::with(|_| {});
    let asked = Instant::now();
    server.ask_to_stop();
    server.wait();
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}
