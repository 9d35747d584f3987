//! Slow connections by the thousand, half-closed ones, and senders over their rate.
//!
//! A connection that gives nothing must cost nearly nothing and must not stand in anybody's way.

use std::io::{BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use super::check_healthy;
use super::harness::home::Home;
use super::harness::http::{connect, read_answer};
use super::harness::messages::{Collection, track};
use super::harness::reads::message_ids;
use super::harness::server::{Launch, TOKEN};

/// Slow connections to hold open at once.
const CONNECTIONS: usize = 10_000;
/// Descriptors that the test and the server need for other things.
const SPARE: u64 = 500;
/// What a connection that has sent half a request may cost the server.
const CONNECTION_BYTES_MAX: u64 = 48 * 1024;

/// Raises the limit of open files, also for the server started after this, and says how many connections fit.
fn connections_that_fit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let room = limit.maximum.unwrap_or(u64::MAX).saturating_sub(SPARE);
    let fit = CONNECTIONS.min(usize::try_from(room).unwrap_or(CONNECTIONS));
    if fit < CONNECTIONS {
        eprintln!(
            "NOTICE: only {fit} of {CONNECTIONS} slow connections: the hard limit of open files is {:?}",
            limit.maximum
        );
    }
    fit
}

/// A connection that has sent the head of a request and a little of its body.
fn slow_connection(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(10)).ok()?;
    let head = format!(
        "POST /analytics/v1/batch HTTP/1.1\r\nHost: slow\r\nAuthorization: Basic {TOKEN}\r\nContent-Length: 100\r\n\r\n[{{"
    );
    stream.write_all(head.as_bytes()).ok()?;
    Some(stream)
}

#[test]
fn slow_connections_do_not_stand_in_the_way() {
    let wanted = connections_that_fit();
    let home = Home::new();
    let server = Launch::new(&home).start();
    check_healthy(&mut server.client(), "before");
    let before = server.memory_peak_bytes();
    let mut steady = server.client();
    let mut slow = Vec::with_capacity(wanted);
    let mut sent = Vec::new();
    let mut slowest = Duration::ZERO;
    for number in 0..wanted {
        slow.extend(slow_connection(server.address));
        if number % 250 == 0 {
            // A little more from each of the last ones: slow is not silent.
            for stream in slow.iter_mut().rev().take(250) {
                let _ = stream.write_all(b" ");
            }
            let begin = Instant::now();
            for (which, client) in [("steady", &mut steady), ("new", &mut server.client())] {
                let id = format!("{which}-{number}");
                client.batch(&[track("patient", "waited", &id)]).unwrap().expect_success();
                sent.push(id);
            }
            slowest = slowest.max(begin.elapsed());
        }
    }
    assert!(slow.len() > wanted / 2, "only {} of {wanted} connections came about", slow.len());
    assert!(slowest < Duration::from_secs(5), "two requests took {slowest:?} among slow connections");
    let grown = server.memory_peak_bytes().saturating_sub(before);
    println!(
        "{} slow connections, {} bytes each, two requests in at most {slowest:?}",
        slow.len(),
        grown / slow.len() as u64
    );
    assert!(grown < wanted as u64 * CONNECTION_BYTES_MAX, "{} slow connections cost {grown} bytes", slow.len());

    drop(slow);
    let mut stored = message_ids(&mut server.client(), Collection::Users, "patient");
    stored.sort();
    sent.sort();
    assert_eq!(stored, sent, "what was acknowledged meanwhile is there");
    check_healthy(&mut server.client(), "after");
}

#[test]
fn a_request_in_small_pieces_is_one_request() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let body = json!([track("u", "opened", "piecemeal")]).to_string();
    let head = format!(
        "POST /analytics/v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {TOKEN}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = connect(server.address).unwrap();
    for piece in [head.as_bytes(), body.as_bytes()].concat().chunks(7) {
        stream.write_all(piece).unwrap();
    }
    read_answer(&mut BufReader::new(&stream)).unwrap().expect_success();
    let chunked = format!(
        "POST /analytics/v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n\
         1\r\n[\r\n1\r\n]\r\n0\r\n\r\n"
    );
    stream.write_all(chunked.as_bytes()).unwrap();
    read_answer(&mut BufReader::new(&stream)).unwrap().expect_success();
    assert_eq!(message_ids(&mut server.client(), Collection::Users, "u"), ["piecemeal"]);
}

#[test]
fn half_a_request_stores_nothing_and_a_half_closed_one_is_answered() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let body = json!([track("u", "opened", "half")]).to_string();
    let request = format!(
        "POST /analytics/v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {TOKEN}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for length in [10, request.len() - body.len(), request.len() - 1] {
        let mut stream = connect(server.address).unwrap();
        stream.write_all(&request.as_bytes()[..length]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // Whether the rest is answered or not, nothing may be stored.
        if let Ok(answer) = read_answer(&mut BufReader::new(&stream)) {
            assert!((400..500).contains(&answer.status), "{}", answer.text());
        }
    }
    server.client().get("/resources/users/u").unwrap().expect(404);
    let mut stream = connect(server.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    read_answer(&mut BufReader::new(&stream)).unwrap().expect_success();
    assert_eq!(message_ids(&mut server.client(), Collection::Users, "u"), ["half"]);
}

#[test]
fn over_the_rate_a_sender_is_told_when_to_come_back() {
    let home = Home::new();
    let server = Launch::new(&home).set("MUSTER_LIMITS__REQUESTS_PER_MINUTE", 6).start();
    let mut client = server.client();
    let mut accepted = Vec::new();
    let refused = loop {
        let id = format!("m{}", accepted.len());
        let answer = client.batch(&[track("u", "opened", &id)]).unwrap();
        let limit = answer.header("RateLimit-Limit").expect("every answer names the limit").to_owned();
        assert!(limit == "6, 6;window=60", "{limit}");
        for header in ["RateLimit-Remaining", "RateLimit-Reset"] {
            let value = answer.header(header).unwrap_or_else(|| panic!("no {header}"));
            assert!(value.parse::<u64>().is_ok_and(|number| number <= 60), "{header}: {value}");
        }
        if answer.status == 429 {
            break answer;
        }
        answer.expect_success();
        accepted.push(id);
        assert!(accepted.len() < 20, "a limit of 6 a minute let 20 through");
    };
    assert!(accepted.len() >= 6, "{accepted:?}");
    assert_eq!(refused.header("RateLimit-Remaining"), Some("0"));
    let wait: u64 = refused.header("Retry-After").expect("says when to retry").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(refused.json()["error"].is_string(), "{}", refused.text());
    server.stop();

    // What was let through is there, what was not is not.
    let server = Launch::new(&home).start();
    let mut stored = message_ids(&mut server.client(), Collection::Users, "u");
    stored.sort();
    assert_eq!(stored, accepted);
}
