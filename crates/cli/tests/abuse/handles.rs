//! File handles that are too few for the connections that the settings allow, or used up.
//!
//! A client for whom there is no place is told so, with a time to try again; none waits for an answer that never comes, and
//! the store goes on with what it needs.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use super::check_healthy;
use super::harness::home::Home;
use super::harness::http::{Answer, connect, read_answer};
use super::harness::messages::{Collection, track};
use super::harness::reads::message_ids;
use super::harness::server::{Launch, Server};

/// More than the settings of any server here have handles for.
const CONNECTIONS: usize = 300;
/// Enough for the engine and some connections.
const HANDLES: u64 = 256;
/// How often it is asked again, for a place that becomes free or for somebody who tells that there is none.
const TRIES_MAX: usize = 1_000;

/// What somebody is told who connects now: nothing, if there is a place.
fn told(stream: &TcpStream) -> Option<Answer> {
    stream.set_nonblocking(true).unwrap();
    let answer = read_answer(&mut BufReader::new(stream)).ok();
    stream.set_nonblocking(false).unwrap();
    answer
}

/// What a request on a connection of its own is answered; nothing, if the connection was only closed.
fn ask(server: &Server) -> Option<Answer> {
    let mut stream = connect(server.address).unwrap();
    let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    // Who is turned away may have been told before all was sent.
    drop(asked);
    read_answer(&mut BufReader::new(&stream)).ok()
}

/// Asks until the answer is this one.
fn ask_until(server: &Server, status: u16) -> Answer {
    let asked = (0..TRIES_MAX).find_map(|_| {
        sleep(Duration::from_millis(10));
        ask(server).filter(|answer| answer.status == status)
    });
    asked.unwrap_or_else(|| panic!("nobody is answered with {status}"))
}

#[test]
fn with_few_handles_fewer_connections_are_taken_and_the_others_are_told() {
    let home = Home::new();
    let server = Launch::new(&home).restless(50).handles_max(HANDLES).start();
    let said = home.log_text();
    assert!(said.contains("the file-handle limit is lower than http.connections_max needs"), "{said}");
    assert!(said.contains("connections_max=128"), "{said}");
    let mut steady = server.client();
    check_healthy(&mut steady, "before");
    let streams: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect(server.address).unwrap()).collect();
    assert_eq!(ask_until(&server, 503).header("retry-after"), Some("1"));
    // The store goes on: its checkpoints, merges and exports find handles.
    let mut sent = vec!["before".to_owned()];
    for round in 0..40 {
        let ids: Vec<String> = (0..20).map(|number| format!("{round}-{number}")).collect();
        let messages: Vec<_> = ids.iter().map(|id| track("healthy", "alive", id)).collect();
        steady.batch(&messages).unwrap().expect_success();
        sent.extend(ids);
    }
    assert!(steady.get("/export").is_ok_and(|answer| answer.status != 500));
    let mut stored = message_ids(&mut steady, Collection::Users, "healthy");
    stored.sort();
    sent.sort();
    assert_eq!(stored, sent);
    let turned_away = streams.iter().filter_map(told).inspect(|answer| assert_eq!(answer.status, 503)).count();
    assert!(turned_away > 0, "{CONNECTIONS} connections and nobody was told that they are too many");
    drop(streams);
    ask_until(&server, 200);
    check_healthy(&mut server.client(), "after");
    server.stop();
    let said = home.log_text();
    assert!(!said.contains("no connection can be accepted"), "handles ran out:\n{said}");
    assert!(!said.contains("ERROR"), "{said}");
}

#[test]
fn with_no_handle_left_everybody_is_told() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut steady = server.client();
    check_healthy(&mut steady, "before");
    // One more is open than there may be as soon as the numbers between those that are taken are taken, too.
    server.limit_handles(server.greatest_handle() + 1);
    let mut busy = Vec::new();
    while !home.log_text().contains("no connection can be accepted for now") {
        assert!(busy.len() < TRIES_MAX, "{} connections and there are handles left", busy.len());
        busy.push(connect(server.address).unwrap());
        sleep(Duration::from_millis(2));
    }
    let before = server.cpu_ticks();
    for _ in 0..50 {
        let answer = ask(&server).expect("an answer");
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{}", answer.text());
    }
    assert!(server.cpu_ticks() - before < 200, "refusing them took much of the processor");
    steady.get("/healthz").unwrap().expect(200);
    server.limit_handles(4_096);
    ask_until(&server, 200);
    check_healthy(&mut server.client(), "after");
    drop(busy);
    server.stop();
}
