//! More and larger than allowed.

use std::io::Write;

use super::listening::{Listening, head, parts, read_answer, read_to_end, request, send};

const GOOD: &str = r#"[{"type":"account","accountId":"a","messageId":"1"}]"#;

#[test]
fn one_connection_too_many_is_told_so() {
    let server = Listening::with(|settings| settings.connections_max = 2);
    let mut first = server.connect();
    send(&mut first, request("GET /healthz", ""));
    assert_eq!(parts(&read_answer(&mut first)).0, 200);
    let mut second = server.connect();
    send(&mut second, request("GET /healthz", ""));
    assert_eq!(parts(&read_answer(&mut second)).0, 200);
    let mut third = server.connect();
    let answer = read_to_end(&mut third);
    let says = r#"{"error":"too many connections are open at this moment; try again shortly"}"#;
    assert_eq!(parts(&answer), (503, says));
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    assert_eq!(server.figure("muster_connections_refused_total"), 1);
    // A place that becomes free is given away again.
    drop(first);
    let mut stream = loop {
        let mut stream = server.connect();
        send(&mut stream, request("GET /healthz", ""));
        if parts(&read_answer(&mut stream)).0 == 200 {
            break stream;
        }
    };
    send(&mut stream, request("GET /healthz", ""));
    assert_eq!(parts(&read_answer(&mut stream)).0, 200);
}

#[test]
fn a_head_has_a_bound() {
    let server = Listening::with(|settings| settings.head_bytes_max = 8 * 1024);
    let mut stream = server.connect();
    send(&mut stream, head("GET /healthz", &format!("x: {}\r\n", "y".repeat(20_000))));
    assert_eq!(parts(&read_to_end(&mut stream)).0, 431);
}

#[test]
fn what_is_no_http_is_answered_and_ended() {
    let server = Listening::with(|_| {});
    let mut stream = server.connect();
    send(&mut stream, "how are you?\r\n\r\n");
    assert_eq!(parts(&read_to_end(&mut stream)).0, 400);
}

#[test]
fn an_announced_body_that_is_too_large_is_refused_unread_and_the_answer_arrives() {
    let server = Listening::with(|_| {});
    let mut stream = server.connect();
    let bytes = 21 << 20;
    send(&mut stream, head("POST /analytics/v1/batch", &format!("content-length: {bytes}\r\n")));
    // The client goes on sending; the answer must not be lost for that.
    let mut sending = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || sending.write_all(&vec![b' '; bytes]));
    let answer = read_to_end(&mut stream);
    assert_eq!(parts(&answer).0, 413);
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    let _ = sender.join().unwrap();
}

#[test]
fn a_body_without_a_length_is_counted_as_it_comes() {
    let server = Listening::with(|settings| {
        settings.body_bytes_max = 100_000;
        settings.compressed_bytes_max = 1_000;
    });
    let chunked = |body: &str| head("POST /analytics/v1/batch", "transfer-encoding: chunked\r\n") + body;
    let mut stream = server.connect();
    let (one, other) = GOOD.split_at(10);
    let body = format!("{:x}\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\n\r\n", one.len(), other.len());
    send(&mut stream, chunked(&body));
    assert_eq!(parts(&read_answer(&mut stream)), (200, r#"{"message":"Success."}"#));
    let piece = format!("{:x}\r\n{}\r\n", 60_000, " ".repeat(60_000));
    send(&mut stream, chunked(&piece.repeat(2)));
    assert_eq!(parts(&read_to_end(&mut stream)).0, 413);
    assert_eq!(server.figure("muster_ingest_in_flight_bytes"), 0);
}

#[test]
fn bodies_in_pieces_larger_than_a_buffer_arrive_whole() {
    let server = Listening::with(|_| {});
    let value = "x".repeat(700_000);
    let messages: Vec<String> = (0..20)
        .map(|at| format!(r#"{{"type":"account","accountId":"{at}","messageId":"1","traits":{{"v":"{value}"}}}}"#))
        .collect();
    let mut stream = server.connect();
    send(&mut stream, request("POST /analytics/v1/batch", &format!("[{}]", messages.join(","))));
    assert_eq!(parts(&read_answer(&mut stream)), (200, r#"{"message":"Success."}"#));
    assert_eq!(server.api.page("/resources/accounts?limit=1").0.len(), 1);
    assert_eq!(server.figure("muster_ingest_in_flight_bytes"), 0);
}

#[test]
fn requests_may_follow_each_other_without_waiting() {
    let server = Listening::with(|_| {});
    let mut stream = server.connect();
    send(&mut stream, request("POST /analytics/v1/batch", GOOD).repeat(50));
    for _ in 0..50 {
        assert_eq!(parts(&read_answer(&mut stream)), (200, r#"{"message":"Success."}"#));
    }
}

#[test]
fn who_leaves_is_forgotten_at_once() {
    let server = Listening::with(|_| {});
    let whole = request("POST /analytics/v1/batch", GOOD);
    let begun = head("POST /analytics/v1/batch", "content-length: 1000\r\n") + "[";
    for (sent, answered) in [("", false), (&whole[..20], false), (whole.as_str(), true), (begun.as_str(), false)] {
        let mut stream = server.connect();
        send(&mut stream, sent);
        if answered {
            assert_eq!(parts(&read_answer(&mut stream)).0, 200);
        }
        server.await_figure("muster_connections", 1);
        drop(stream);
        server.await_figure("muster_connections", 0);
    }
    assert_eq!(server.figure("muster_ingest_in_flight_bytes"), 0);
}

#[test]
fn who_ends_only_its_side_still_gets_its_answer() {
    let server = Listening::with(|_| {});
    let mut stream = server.connect();
    send(&mut stream, request("POST /analytics/v1/batch", GOOD));
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(parts(&read_to_end(&mut stream)), (200, r#"{"message":"Success."}"#));
    server.await_figure("muster_connections", 0);
}
