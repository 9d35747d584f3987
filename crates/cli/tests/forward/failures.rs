//! Receivers that fail in every way there is.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    caught_up, change, create, ids, launch,
    receiver::{Receiver, Reply},
    state, track, wait_for,
};
use crate::harness::home::Home;

/// Whatever it does before it takes something, each message arrives, in order.
#[test]
fn a_receiver_that_fails_is_tried_until_it_takes_everything() {
    let home = Home::new();
    let receiver = Receiver::new(|nth, _| match nth % 9 {
        0 => Reply::status(500),
        1 => Reply::Cut,
        2 => Reply::Status(429, "Retry-After: 1\r\n", String::new()),
        3 => Reply::Half,
        4 => Reply::Hang(Duration::from_secs(3)),
        5 => Reply::status(503),
        6 => Reply::status(401),
        7 => Reply::Status(301, "Location: http://127.0.0.1:1/\r\n", String::new()),
        _ => Reply::ok(),
    });
    let server = launch(&home).start();
    let mut client = server.client();
    create(&mut client, &receiver.url(), &json!({"timeoutSeconds": 1}));
    for n in 0..3 {
        client.batch(&[track(n)]).unwrap().expect_success();
        receiver.wait("it is taken in the end", |receiver| receiver.took().contains(&format!("m-{n}")));
    }
    let mut took = receiver.took();
    took.dedup();
    assert_eq!(took, ids(0..3));
    let stands = wait_for(&mut client, "nothing is left", caught_up);
    assert_eq!(stands["deadLetters"], 0, "{stands}");
    let figures = client.get("/metrics").unwrap().text();
    let line = r#"muster_forward_sent_total{workspace="default",destination="theirs"} 3"#;
    assert!(figures.contains(line), "{figures}");
    assert!(figures.contains("muster_forward_pending{"), "{figures}");
    server.stop();
    assert!(!home.log_text().contains("m-0") && !home.log_text().contains("clicked"), "nothing of a message is logged");
}

/// The wait that it asks for is kept.
#[test]
fn a_receiver_may_ask_for_time() {
    let home = Home::new();
    let receiver = Receiver::new(|nth, _| match nth {
        0 => Reply::Status(503, "Retry-After: 3\r\n", String::new()),
        1 => Reply::Status(200, "RateLimit-Remaining: 0\r\nRateLimit-Reset: 2\r\n", String::new()),
        _ => Reply::ok(),
    });
    let server = launch(&home).start();
    let mut client = server.client();
    create(&mut client, &receiver.url(), &json!({}));
    let batch: Vec<Value> = (0..100).map(track).collect();
    client.batch(&batch).unwrap().expect_success();
    client.batch(&[track(100)]).unwrap().expect_success();
    receiver.wait("both are taken", |receiver| receiver.took().len() >= 101);
    let times: Vec<_> = receiver.heard().into_iter().map(|(_, at)| at).collect();
    assert!(times[1] - times[0] >= Duration::from_millis(2_900), "{:?}", times[1] - times[0]);
    assert!(times[2] - times[1] >= Duration::from_millis(1_900), "{:?}", times[2] - times[1]);
    server.stop();
}

/// A key that is not known holds everything up; nothing is lost, and a change is tried at once.
#[test]
fn a_wrong_key_blocks_and_makes_no_letters() {
    let home = Home::new();
    let receiver = Receiver::new(|_, request| match request.headers["authorization"].as_str() {
        "Basic right" => Reply::ok(),
        _ => Reply::Status(401, "", "who are you".to_owned()),
    });
    let server = super::Launch::new(&home).start();
    let mut client = server.client();
    create(&mut client, &receiver.url(), &json!({"secret": "wrong"}));
    client.batch(&[track(0), track(1)]).unwrap().expect_success();
    let stands = wait_for(&mut client, "it is blocked", |state| state["state"] == "blocked");
    assert_eq!(stands["reason"], "answered 401: who are you");
    assert_eq!((stands["pending"].as_u64(), stands["deadLetters"].as_u64()), (Some(2), Some(0)));
    assert!(!state(&mut client).to_string().contains("wrong"), "secrets are never shown");
    change(&mut client, &json!({"secret": "right"}));
    receiver.wait("it goes on", |receiver| receiver.took() == ids(0..2));
    server.stop();
    assert!(!home.log_text().contains("who are you"), "answers are not logged");
}

/// Paused and let go on, filtered, and limited in its rate.
#[test]
fn a_destination_is_held_up_and_limited() {
    let home = Home::new();
    let receiver = Receiver::new(|_, _| Reply::ok());
    let server = launch(&home).start();
    let mut client = server.client();
    create(&mut client, &receiver.url(), &json!({"paused": true, "messagesPerSecond": 20, "events": ["clicked"]}));
    let mut batch: Vec<Value> = (0..60).map(track).collect();
    batch
        .push(json!({"type": "track", "userId": "u", "event": "other", "messageId": "m-x", "timestamp": "2024-01-01"}));
    client.batch(&batch).unwrap().expect_success();
    let stands = wait_for(&mut client, "it is paused", |state| state["state"] == "paused");
    assert_eq!(stands["pending"], 61, "{stands}");
    assert_eq!(receiver.heard().len(), 0);
    let began = std::time::Instant::now();
    change(&mut client, &json!({"paused": false}));
    receiver.wait("all of it is sent", |receiver| receiver.took().len() >= 60);
    // The first twenty go at once.
    assert!(began.elapsed() >= Duration::from_millis(1_900), "{:?}", began.elapsed());
    wait_for(&mut client, "nothing is left", caught_up);
    assert_eq!(receiver.took(), ids(0..60));
    server.stop();
}
