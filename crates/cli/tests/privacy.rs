//! Logs at their most talkative hold nothing of what was sent: no token, no id, no name, no trait, no address.
//!
//! The real program runs at level `trace` through good requests of every kind, bad ones of every kind, its own commands, a
//! refused and a failing start, and to a destination that answers and one that does not. Each text that was sent is marked, and no mark may show up in anything it says.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use harness::command::run;
use harness::home::Home;
use harness::http::Client;
use harness::server::{Launch, Server, TOKEN};
use serde_json::{Value, json};

/// In everything that a sender chose.
const MARK: &str = "zq7personal";

fn marked(text: &str) -> String {
    format!("{MARK}-{text}")
}

fn good() -> Vec<Value> {
    let at = "2024-05-01T10:00:00Z";
    let (user, account, organization) = (marked("user"), marked("account"), marked("organization"));
    let traits =
        json!({"name": marked("name"), "email": format!("{MARK}@example.com"), marked("key"): marked("value")});
    vec![
        json!({"type": "organization", "organizationId": organization, "traits": traits, "messageId": marked("1"), "timestamp": at}),
        json!({"type": "account", "accountId": account, "organizationId": organization, "traits": traits, "messageId": marked("2"), "timestamp": at}),
        json!({"type": "user", "userId": user, "accountId": account, "traits": traits, "messageId": marked("3"), "timestamp": at}),
        json!({"type": "track", "userId": user, "event": marked("event"), "properties": traits, "messageId": marked("4"), "timestamp": at}),
        json!({"type": "customobjectinstance", "externalId": marked("x"), "customObjectId": marked("c"), "accountId": account, "name": marked("n"), "traits": traits, "messageId": marked("5")}),
        json!({"type": "unlink", "userId": user, "accountId": account, "messageId": marked("6"), "timestamp": at}),
    ]
}

/// A key that the server sends to destinations.
const SECRET: &str = "zq8-destination-secret";

/// A destination at a path of its own that takes what it is sent; it tells of each request that it has had the key.
fn destination() -> (String, Receiver<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/{MARK}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
            let _ = stream.read_to_end(&mut Vec::new());
            if tell.send(String::from_utf8_lossy(&head).contains(SECRET)).is_err() {
                return;
            }
        }
    });
    (url, told)
}

/// Calls of the Segment spec, with and without a token that is known.
fn call(server: &Server, client: &mut Client) {
    for line in ["/v1/batch", "/v1/track", "/rudderstack"] {
        let call =
            json!({"type": "track", "userId": marked("user"), "event": marked("event"), "writeKey": marked("key")});
        let body = json!({"batch": [call, marked("no call")], "type": "track", "writeKey": marked("key")}).to_string();
        client.post(line, body.as_bytes()).unwrap();
        let mut stranger = server.client_with(None);
        stranger.post(&format!("{line}?writeKey={MARK}"), body.as_bytes()).unwrap();
        stranger.post(&format!("{line}?writeKey={TOKEN}"), marked("no json").as_bytes()).unwrap();
    }
}

#[test]
fn nothing_that_was_sent_is_in_the_log() {
    let home = Home::new();
    // Naming the parts that print requests does not bring them to speak either.
    let launch =
        Launch::new(&home).restless(3).set("MUSTER_LOG__LEVEL", "trace,ureq=trace,ureq_proto=trace,rustls=trace");
    let server = launch.start();
    let mut client = server.client();
    let (url, told) = destination();
    let closed = format!("http://127.0.0.1:1/{MARK}");
    for (name, url) in [("answers", url), ("away", closed)] {
        let body = json!({"name": marked(name), "kind": "vitally", "url": url, "secret": SECRET});
        client.post_json("/admin/v1/destinations", &body).unwrap().expect(200);
    }
    client.batch(&good()).unwrap().expect_success();
    let mut conflict = good()[3].clone();
    conflict["properties"] = json!({"other": marked("other")});
    let bad = [
        json!([conflict]).to_string(),
        json!([{"type": "user", "userId": marked("alone")}, {"type": marked("kind")}, marked("no object")]).to_string(),
        format!("[{{\"userId\": \"{MARK}\u{1}\"}}"),
        marked("no json"),
    ];
    for body in &bad {
        client.post("/analytics/v1/batch", body.as_bytes()).unwrap();
        client.request("POST", "/analytics/v1/user", &[("Content-Encoding", "gzip")], body.as_bytes()).unwrap();
    }
    assert!(told.recv_timeout(Duration::from_secs(60)).unwrap(), "the destination is sent its key");
    call(&server, &mut client);
    let user = marked("user");
    for target in [
        format!("/v1/projects/{MARK}/settings"),
        format!("/projects/{TOKEN}/settings"),
        format!("/sourceConfig/?writeKey={MARK}"),
        format!("/resources/users/{user}"),
        format!("/resources/users/{user}/events?event={MARK}&from={MARK}"),
        format!("/resources/accounts?archived={MARK}&{MARK}=1"),
        format!("/resources/organizations/{MARK}%00"),
        format!("/{MARK}/nowhere"),
        "/resources/refused".to_owned(),
        "/metrics".to_owned(),
    ] {
        client.get(&target).unwrap();
        client.request("DELETE", &target, &[], b"").unwrap();
    }
    for authorization in [format!("Basic {MARK}"), format!("Bearer {MARK}"), "Basic enE3cGVyc29uYWw6".to_owned()] {
        let header = [("X-Forwarded-For", "203.0.113.77"), ("User-Agent", MARK), ("Cookie", MARK)];
        let mut stranger = server.client_with(Some(&authorization));
        stranger.request("GET", "/resources/users", &header, b"").unwrap();
        stranger.request("POST", "/analytics/v1/track", &header, good()[3].to_string().as_bytes()).unwrap();
    }
    client.exchange(format!("NONSENSE {MARK}\r\n\r\n").as_bytes()).ok();
    client.request(&MARK.to_uppercase(), "/resources/users", &[], b"").ok();
    let data = home.data_dir();
    let name = marked("key name");
    let made = run(home.path(), &["keys", "create", "--name", &name, "--data-dir", data.to_str().unwrap()]).succeeded();
    let local: Value = serde_json::from_slice(&fs::read(server.local_file()).unwrap()).unwrap();
    let operator = local["token"].as_str().unwrap().to_owned();
    server.kill();
    launch.start().stop();

    let said = home.log_text();
    assert!(said.lines().count() > 50, "it had something to say:\n{said}");
    let secrets = [MARK, SECRET, TOKEN, made.trim(), operator.as_str(), "203.0.113.77", "enE3cGVyc29uYWw6"];
    assert!(!said.contains(&MARK.to_uppercase()), "a method that nobody knows is in the log");
    for secret in secrets {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}
