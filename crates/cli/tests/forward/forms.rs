//! Webhooks and the Segment form, as receivers see them.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    DESTINATIONS, Launch, TOKEN, caught_up, create, launch,
    receiver::{Receiver, Reply},
    track, wait_for,
};
use crate::harness::home::Home;

/// Each message is a request of its own, signed; a message that comes again has the same id.
#[test]
fn webhooks_are_signed() {
    let home = Home::new();
    let receiver = Receiver::new(|nth, _| if nth == 1 { Reply::status(500) } else { Reply::ok() });
    let server = launch(&home).start();
    let mut client = server.client();
    let body = json!({"name": "theirs", "kind": "webhook", "url": format!("{}/hook?x=1", receiver.url())});
    let made = client.post_json(DESTINATIONS, &body).unwrap().expect(200).json();
    let secret = made["secret"].as_str().expect("it is shown this once").to_owned();
    assert!(!client.read(DESTINATIONS).to_string().contains(&secret));
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let account = json!({"type": "account", "accountId": "a", "messageId": "m-0", "timestamp": "2024-05-01", "traits": {"n": 1.50}});
    // One messageId, two messages.
    client.batch(&[account, track(0), track(1)]).unwrap().expect_success();
    wait_for(&mut client, "all are sent", caught_up);
    let heard = receiver.heard();
    assert_eq!(heard.len(), 4);
    let mut taken = BTreeSet::new();
    for (request, _) in &heard {
        assert_eq!(request.path, "/hook?x=1");
        let (id, at) = (&request.headers["webhook-id"], &request.headers["webhook-timestamp"]);
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(&request.body);
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(request.headers["webhook-signature"], signature);
        taken.insert(id.clone());
    }
    assert_eq!(taken.len(), 3, "the one that was sent twice has one id");
    let first: Value = heard[0].0.json();
    assert_eq!((&first["type"], &first["data"]["traits"]["n"]), (&json!("message.account"), &json!(1.5)));
    server.stop();
}

/// Another server takes the calls, by a key of its own, and knows the same of users, accounts and what they did.
#[test]
fn an_endpoint_of_the_segment_spec_takes_the_calls() {
    let (home, other) = (Home::new(), Home::new());
    let (server, second) = (launch(&home).start(), Launch::new(&other).start());
    let mut client = server.client();
    let body =
        json!({"name": "theirs", "kind": "segment", "url": format!("http://{}", second.address), "secret": TOKEN});
    client.post_json(DESTINATIONS, &body).unwrap().expect(200);
    client
        .batch(&[
            json!({"type": "organization", "organizationId": "o", "messageId": "1", "traits": {"name": "World Cup"}}),
            json!({"type": "account", "accountId": "a", "organizationId": "o", "messageId": "2", "traits": {"name": "Argentina"}}),
            json!({"type": "user", "userId": "u", "accountId": "a", "messageId": "3", "traits": {"email": "l@example.com"}}),
            json!({"type": "track", "userId": "u", "accountId": "a", "event": "scored", "messageId": "4", "properties": {"minute": 23}}),
            json!({"type": "unlink", "userId": "u", "accountId": "b", "messageId": "5"}),
        ])
        .unwrap()
        .expect_success();
    wait_for(&mut client, "all are sent", caught_up);
    let mut theirs = second.client();
    assert_eq!(theirs.read("/resources/organizations/o")["name"], "World Cup");
    let account = theirs.read("/resources/accounts/a");
    assert_eq!((&account["name"], &account["traits"]["organizationId"]), (&json!("Argentina"), &json!("o")));
    let user = theirs.read("/resources/users/u");
    assert_eq!((&user["email"], &user["accounts"][0]["externalId"]), (&json!("l@example.com"), &json!("a")));
    let events = theirs.read("/resources/accounts/a/events");
    assert_eq!(events["results"][0]["properties"]["minute"], 23, "{events}");
    let figures = client.get("/metrics").unwrap().text();
    assert!(
        figures.contains(r#"muster_forward_skipped_total{workspace="default",destination="theirs"} 1"#),
        "{figures}"
    );
    server.stop();
    second.stop();
}

/// What cannot be a destination is refused with its reason.
#[test]
fn what_cannot_be_is_refused() {
    let home = Home::new();
    let server = launch(&home).start();
    let mut client = server.client();
    create(&mut client, "http://127.0.0.1:1", &json!({}));
    for (body, status, says) in [
        (json!({"name": "theirs", "kind": "vitally", "secret": "s"}), 409, "of this name already"),
        (json!({"name": "Upper", "kind": "vitally", "secret": "s"}), 400, "lower-case"),
        (json!({"name": "x", "kind": "mail", "secret": "s"}), 400, "/kind"),
        (json!({"name": "x", "kind": "vitally"}), 400, "/secret"),
        (json!({"name": "x", "kind": "webhook", "secret": "s"}), 400, "/url"),
        (json!({"name": "x", "kind": "vitally", "secret": "s", "colour": 1}), 400, "additional"),
        (json!({"name": "x", "kind": "vitally", "secret": "s", "from": "yesterday"}), 400, "/from"),
        (json!({"name": "x", "kind": "vitally", "secret": "s", "messagesPerSecond": 0}), 400, "/messagesPerSecond"),
    ] {
        let answer = client.post_json(DESTINATIONS, &body).unwrap().expect(status);
        assert!(answer.text().contains(says), "{body}: {}", answer.text());
    }
    client.request("DELETE", &format!("{DESTINATIONS}/theirs"), &[], b"").unwrap().expect(204);
    client.get(&format!("{DESTINATIONS}/theirs")).unwrap().expect(404);
    server.stop();
}

/// Where the settings say so, a key may hold a destination up, and not say where messages go.
#[test]
fn destinations_may_be_the_operators() {
    let home = Home::new();
    let server = launch(&home).start();
    create(&mut server.client(), "http://127.0.0.1:1", &json!({}));
    server.stop();
    let server = launch(&home).set("MUSTER_FORWARD__MANAGED_BY", "operator").start();
    let mut client = server.client();
    let body = json!({"name": "x", "kind": "vitally", "secret": "s"});
    let refused = client.post_json(DESTINATIONS, &body).unwrap().expect(403);
    assert!(refused.text().contains("forward.managed_by"), "{}", refused.text());
    let target = format!("{DESTINATIONS}/theirs");
    client.request("PATCH", &target, &[], br#"{"url":"http://127.0.0.1:2"}"#).unwrap().expect(403);
    client.request("PATCH", &target, &[], br#"{"paused":true}"#).unwrap().expect(200);
    server.stop();
}
