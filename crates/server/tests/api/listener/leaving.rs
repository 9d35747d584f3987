//! Clients that go away.

use std::{
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use super::listening::{Listening, PATIENCE, parts, read_to_end, request, send};

/// Counts until it is ended.
const ENDLESS: &str =
    r#"{"sql":"with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"}"#;
const SHORT: &str = r#"{"sql":"select 1"}"#;

fn message(id: &str) -> String {
    format!(r#"[{{"type":"account","accountId":"{id}","messageId":"{id}"}}]"#)
}

/// A client whose query has the only place there is. It may come while a short one has it, and is turned away.
fn occupy(server: &Listening, ahead: &str) -> TcpStream {
    loop {
        let mut stream = server.connect();
        send(&mut stream, request("POST /query", ENDLESS) + ahead);
        stream.set_nonblocking(true).unwrap();
        while stream.peek(&mut [0]).is_err() {
            if server.api.ask("POST /query", SHORT).status == 503 {
                return stream;
            }
        }
    }
}

/// Nothing of its answer was sent yet, so no failing write tells that nobody is there.
#[test]
fn a_query_ends_when_its_client_goes_away() {
    let server = Listening::with(|settings| {
        settings.queries_max = 1;
        settings.query_limits.time_max = 10 * PATIENCE;
    });
    // One that closes its connection, one that only says that it sends nothing more, one that has sent another request already.
    for (ahead, half) in [(false, false), (false, true), (true, false)] {
        let stream = occupy(&server, &if ahead { request("GET /healthz", "") } else { String::new() });
        match half {
            true => stream.shutdown(Shutdown::Write).unwrap(),
            false => drop(stream),
        }
        let until = Instant::now() + PATIENCE;
        while server.api.ask("POST /query", SHORT).status != 200 {
            assert!(Instant::now() < until, "the query goes on, ahead {ahead}, half {half}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn messages_are_taken_from_a_client_that_goes_away() {
    let server = Listening::with(|_| {});
    let mut stream = server.connect();
    send(&mut stream, request("POST /analytics/v1/batch", &message("stays-to-listen")));
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(parts(&read_to_end(&mut stream)).0, 200);
    let mut stream = server.connect();
    send(&mut stream, request("POST /analytics/v1/batch", &message("is-gone")));
    drop(stream);
    let until = Instant::now() + PATIENCE;
    while server.api.ask("GET /resources/accounts/is-gone", "").status != 200 {
        assert!(Instant::now() < until, "its message was not taken");
        std::thread::sleep(Duration::from_millis(5));
    }
}
