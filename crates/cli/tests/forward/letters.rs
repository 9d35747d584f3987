//! Messages that a receiver will never take: found, kept, sent again, dropped.

use serde_json::{Value, json};

use super::{
    DESTINATIONS, caught_up, create, ids, launch,
    receiver::{Receiver, Reply, Request},
    state, track, wait_for,
};
use crate::harness::home::Home;
use crate::harness::http::Client;

fn letters(client: &mut Client) -> Vec<Value> {
    let page = client.read(&format!("{DESTINATIONS}/theirs/dead-letters"));
    page["results"].as_array().unwrap().clone()
}

fn refused(letters: &[Value]) -> Vec<&str> {
    letters.iter().map(|letter| letter["message"]["messageId"].as_str().unwrap()).collect()
}

fn has(request: &Request, id: &str) -> bool {
    request.messages().iter().any(|message| message["messageId"] == id)
}

/// A request that is refused as a whole is cut until the message to blame is found; after a kill, too, it is a letter.
#[test]
fn the_message_to_blame_becomes_a_letter() {
    let home = Home::new();
    let receiver = Receiver::new(|_, request| match has(request, "m-3") || has(request, "m-70") {
        true => Reply::Status(400, "", "cannot read this".to_owned()),
        false => Reply::ok(),
    });
    let mut server = launch(&home).start();
    let mut client = server.client();
    create(&mut client, &receiver.url(), &json!({}));
    let batch: Vec<Value> = (0..80).map(track).collect();
    client.batch(&batch).unwrap().expect_success();
    let stands = wait_for(&mut client, "all others are taken", caught_up);
    assert_eq!(stands["deadLetters"], 2, "{stands}");
    let others: Vec<String> = ids(0..80).into_iter().filter(|id| id != "m-3" && id != "m-70").collect();
    assert_eq!(receiver.took(), others);
    server.kill();
    server = launch(&home).start();
    let mut client = server.client();
    let kept = letters(&mut client);
    assert_eq!(refused(&kept), ["m-3", "m-70"]);
    assert_eq!(kept[0]["reason"], "answered 400: cannot read this");
    assert_eq!(kept[0]["message"]["event"], "clicked");

    // One is sent again and taken, one again and refused again, and dropped then.
    receiver.answer(|_, request| if has(request, "m-70") { Reply::status(413) } else { Reply::ok() });
    let target = format!("{DESTINATIONS}/theirs/dead-letters");
    let one = kept[0]["id"].as_str().unwrap();
    let sent = client.post(&format!("{target}/resend?letter={one}"), b"").unwrap().expect(200).json();
    assert_eq!(sent, json!({"count": 1}));
    receiver.wait("it is taken now", |receiver| receiver.took().last().is_some_and(|id| id == "m-3"));
    wait_for(&mut client, "it is no letter any more", |state| state["deadLetters"] == 1);
    client.post(&format!("{target}/resend"), b"").unwrap().expect(200);
    let until = std::time::Instant::now() + super::PATIENCE;
    while letters(&mut client)[0]["reason"] != "answered 413" {
        assert!(std::time::Instant::now() < until, "{:?}", letters(&mut client));
    }
    let one = letters(&mut client)[0]["id"].as_str().unwrap().to_owned();
    client.request("DELETE", &format!("{target}/{one}"), &[], b"").unwrap().expect(204);
    client.request("DELETE", &format!("{target}/{one}"), &[], b"").unwrap().expect(404);
    assert_eq!(letters(&mut client), [] as [Value; 0]);
    assert_eq!(state(&mut client)["deadLetters"], 0);
    server.stop();
}

/// A receiver of our own says which messages it refuses; the others are in already and are not sent again.
#[test]
fn refusals_of_single_messages_are_understood() {
    let home = Home::new();
    let receiver = Receiver::new(|_, request| {
        let refuse = |(index, message): (usize, &Value)| {
            let bad = message["messageId"] == "m-1" || message["messageId"] == "m-4";
            bad.then(|| json!({"index": index, "code": "user_needs_parent", "instancePath": format!("/{index}"), "message": "no"}))
        };
        let messages = request.messages();
        let errors: Vec<Value> = messages.iter().enumerate().filter_map(refuse).collect();
        if errors.is_empty() {
            return Reply::ok();
        }
        let stored = messages.len() - errors.len();
        Reply::Status(400, "", json!({"error": {"message": "some", "stored": stored, "errors": errors}}).to_string())
    });
    let server = launch(&home).start();
    let mut client = server.client();
    create(&mut client, &receiver.url(), &json!({}));
    let batch: Vec<Value> = (0..6).map(track).collect();
    client.batch(&batch).unwrap().expect_success();
    wait_for(&mut client, "nothing is left", |state| state["deadLetters"] == 2 && caught_up(state));
    assert_eq!(receiver.heard().len(), 1);
    let kept = letters(&mut client);
    assert_eq!(refused(&kept), ["m-1", "m-4"]);
    assert_eq!(kept[0]["reason"], "user_needs_parent: no");
    let dropped = client.request("DELETE", &format!("{DESTINATIONS}/theirs/dead-letters"), &[], b"").unwrap();
    assert_eq!(dropped.expect(200).json(), json!({"count": 2}));
    server.stop();
}

/// A receiver that refuses everything is to blame itself: it is blocked before everything has become a letter.
#[test]
fn not_everything_becomes_a_letter() {
    let home = Home::new();
    let receiver = Receiver::new(|_, _| Reply::status(400));
    // Between two tries there is all the time of the test.
    let server = super::Launch::new(&home).start();
    let mut client = server.client();
    create(&mut client, &receiver.url(), &json!({"messagesPerSecond": 100_000}));
    for batch in 0..15 {
        let batch: Vec<Value> = (0..100).map(|n| track(batch * 100 + n)).collect();
        client.batch(&batch).unwrap().expect_success();
    }
    let stands = wait_for(&mut client, "it is blocked", |state| state["state"] == "blocked");
    assert_eq!((stands["deadLetters"].as_u64(), stands["pending"].as_u64()), (Some(1_000), Some(500)));
    server.stop();
}
