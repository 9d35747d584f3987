//! Clients that are slow in one way or another.

use std::{io::Read, time::Duration};

use super::listening::{Listening, head, parts, read_answer, read_to_end, request, send};
use crate::{harness::TOKEN, ui::signed_in};

const GOOD: &str = r#"[{"type":"account","accountId":"a","messageId":"1"}]"#;
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn a_head_that_never_ends_is_cut_off_with_a_reason() {
    let server = Listening::with(|settings| settings.head_timeout = SHORT);
    let mut stream = server.connect();
    send(&mut stream, "GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ");
    let answer = read_to_end(&mut stream);
    let says = r#"{"error":"the head of the request took too long to arrive; send it again"}"#;
    assert_eq!(parts(&answer), (408, says));
    assert_eq!(server.figure("muster_connections_timed_out_total"), 1);
}

#[test]
fn a_head_that_trickles_gains_no_time() {
    let server = Listening::with(|settings| settings.head_timeout = SHORT);
    let mut stream = server.connect();
    let mut dripping = stream.try_clone().unwrap();
    let drip = std::thread::spawn(move || {
        for byte in "GET /healthz HTTP/1.1\r\nx: ".bytes().chain(std::iter::repeat_n(b'y', 1_000)) {
            send(&mut dripping, [byte]);
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    assert_eq!(parts(&read_to_end(&mut stream)).0, 408);
    drop(stream);
    drip.join().unwrap();
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let server = Listening::with(|settings| settings.head_timeout = SHORT);
    let mut stream = server.connect();
    assert_eq!(read_to_end(&mut stream), "");
    server.await_figure("muster_connections", 0);
}

#[test]
fn a_connection_may_idle_between_requests_but_not_for_ever() {
    let server = Listening::with(|settings| settings.idle_timeout = SHORT);
    let mut stream = server.connect();
    for _ in 0..3 {
        send(&mut stream, request("POST /analytics/v1/batch", GOOD));
        assert_eq!(parts(&read_answer(&mut stream)), (200, r#"{"message":"Success."}"#));
    }
    assert_eq!(read_to_end(&mut stream), "");
}

#[test]
fn after_idling_a_slow_head_is_slow_again() {
    let server = Listening::with(|settings| settings.head_timeout = SHORT);
    let mut stream = server.connect();
    send(&mut stream, request("POST /analytics/v1/batch", GOOD));
    assert_eq!(parts(&read_answer(&mut stream)).0, 200);
    // Longer than a head may take; between requests that is fine.
    std::thread::sleep(SHORT * 2);
    send(&mut stream, request("POST /analytics/v1/batch", GOOD));
    assert_eq!(parts(&read_answer(&mut stream)).0, 200);
    send(&mut stream, "GET /healthz HT");
    assert_eq!(parts(&read_to_end(&mut stream)).0, 408);
}

#[test]
fn a_body_that_pauses_is_given_up() {
    let server = Listening::with(|settings| settings.body_gap_timeout = SHORT);
    let mut stream = server.connect();
    send(&mut stream, head("POST /analytics/v1/batch", "content-length: 1000\r\n") + "[");
    let answer = read_to_end(&mut stream);
    let says = r#"{"error":"the body took too long to arrive; nothing was stored, send it again"}"#;
    assert_eq!(parts(&answer), (408, says));
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    assert_eq!(server.figure("muster_ingest_in_flight_bytes"), 0);
}

#[test]
fn a_body_that_trickles_has_a_bound_as_a_whole() {
    let server = Listening::with(|settings| settings.body_timeout = SHORT);
    let mut stream = server.connect();
    send(&mut stream, head("POST /analytics/v1/batch", "content-length: 100000\r\n"));
    let mut dripping = stream.try_clone().unwrap();
    let drip = std::thread::spawn(move || {
        for _ in 0..300 {
            send(&mut dripping, " ");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    assert_eq!(parts(&read_to_end(&mut stream)).0, 408);
    drop(stream);
    drip.join().unwrap();
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_cut_off() {
    let server = Listening::with(|settings| {
        settings.write_timeout = SHORT;
        settings.idle_timeout = SHORT;
    });
    let value = "x".repeat(900_000);
    for at in 0..8 {
        server
            .api
            .send(&format!(r#"[{{"type":"account","accountId":"{at}","messageId":"1","traits":{{"v":"{value}"}}}}]"#));
    }
    let mut stream = server.connect();
    for _ in 0..8 {
        send(&mut stream, request("GET /resources/accounts", ""));
    }
    server.await_figure("muster_connections", 1);
    server.await_figure("muster_connections", 0);
    // What had been handed to the system before arrives; far less than the eight pages that were asked for.
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    assert!(bytes.len() < 4 * 7_000_000, "{}", bytes.len());
}

/// An answer that goes on for longer than a connection may idle, and a client may take to take it, is not cut off.
#[test]
fn an_answer_may_go_on_for_as_long_as_it_is_taken() {
    let server = Listening::with(|settings| {
        settings.write_timeout = SHORT;
        settings.idle_timeout = SHORT;
    });
    let cookie = signed_in(&server.api, TOKEN);
    let mut stream = server.connect();
    send(&mut stream, format!("GET /live/events HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n\r\n"));
    let mut bytes = Vec::new();
    for round in 0..4 {
        std::thread::sleep(SHORT * 3);
        let event = format!("round-{round}");
        server.api.send(&format!(r#"[{{"type":"track","userId":"u","event":"{event}","messageId":"{round}"}}]"#));
        while !String::from_utf8_lossy(&bytes).contains(&event) {
            let mut piece = [0; 4096];
            let length = stream.read(&mut piece).expect("it goes on");
            assert!(length > 0, "cut off in round {round}: {}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&piece[..length]);
        }
    }
}

#[test]
fn many_slow_clients_hold_up_nobody() {
    let server = Listening::with(|settings| settings.head_timeout = Duration::from_secs(60));
    let mut slow: Vec<_> = (0..300).map(|_| server.connect()).collect();
    for (at, stream) in slow.iter_mut().enumerate() {
        match at % 3 {
            0 => {}
            1 => send(stream, "POST /analytics/v1/batch HTTP/1.1\r\n"),
            _ => send(stream, head("POST /analytics/v1/batch", "content-length: 5000000\r\n") + "["),
        }
    }
    for _ in 0..10 {
        let mut stream = server.connect();
        send(&mut stream, request("POST /analytics/v1/batch", GOOD));
        assert_eq!(parts(&read_answer(&mut stream)), (200, r#"{"message":"Success."}"#));
    }
    // Announced were 500 MB; what is held is what has arrived, within a first step.
    let held = server.figure("muster_ingest_in_flight_bytes");
    assert!(held <= 100 * 64 * 1024, "{held}");
}
