//! Good and bad messages in one batch: answers, what is set aside, resending, dropping.
//!
//! The answers are compared with the contract to the field; sentences only for being there.

use serde_json::{Value, json};

use super::harness::home::Home;
use super::harness::http::{Answer, Client};
use super::harness::messages::{Collection, track};
use super::harness::reads::{message_ids, pages};
use super::harness::server::Launch;
use super::{check_healthy, keys, refusal};

/// 100 messages, of which number 3 has no parent and number 57 an impossible time.
fn two_bad_of_a_hundred() -> Vec<Value> {
    let mut messages: Vec<Value> = (0..100).map(|at| track("buyer", "bought", &format!("m{at}"))).collect();
    messages[3] =
        json!({"type": "user", "userId": "orphan", "messageId": "bad-3", "timestamp": "2024-05-01T10:00:00Z"});
    messages[57]["timestamp"] = json!("the day after tomorrow");
    messages[57]["messageId"] = json!("bad-57");
    messages
}

#[track_caller]
fn check_refusals(answer: &Answer, stored: u64) {
    assert_eq!(answer.status, 400, "{}", answer.text());
    let body = answer.json();
    assert_eq!(keys(&body), ["error"]);
    let error = &body["error"];
    assert_eq!(keys(error), ["errors", "message", "stored"]);
    assert_eq!(error["message"], "2 of 100 messages were refused");
    assert_eq!(error["stored"], stored);
    let errors = error["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2, "{body}");
    for (refused, index, code, path) in
        [(&errors[0], 3, "user_needs_parent", "/3/accountId"), (&errors[1], 57, "invalid_timestamp", "/57/timestamp")]
    {
        assert_eq!(keys(refused), ["code", "index", "instancePath", "message"]);
        assert_eq!(
            (&refused["index"], &refused["code"], &refused["instancePath"]),
            (&json!(index), &json!(code), &json!(path))
        );
        assert!(refused["message"].as_str().is_some_and(|sentence| sentence.len() > 20), "{refused}");
    }
}

/// The set-aside message that holds `marker`, with the fields that every one must have.
#[track_caller]
fn set_aside(client: &mut Client, marker: &str) -> Option<Value> {
    let all = pages(client, "/resources/refused", 100);
    let found: Vec<Value> = all.into_iter().filter(|refused| refused.to_string().contains(marker)).collect();
    assert!(found.len() < 2, "{marker} is set aside more than once");
    let refused = found.into_iter().next()?;
    for field in ["id", "receivedAt", "code", "instancePath", "message"] {
        assert!(refused[field].is_string(), "no {field} in {refused}");
    }
    Some(refused)
}

#[test]
fn the_good_are_stored_and_the_bad_set_aside() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    check_refusals(&client.batch(&two_bad_of_a_hundred()).unwrap(), 98);

    let stored = message_ids(&mut client, Collection::Users, "buyer");
    assert_eq!(stored.len(), 98);
    assert!(!stored.iter().any(|id| id.starts_with("bad")));
    client.get("/resources/users/orphan").unwrap().expect(404);
    assert_eq!(pages(&mut client, "/resources/refused", 100).len(), 2);
    assert_eq!(set_aside(&mut client, "bad-3").unwrap()["code"], "user_needs_parent");
    assert_eq!(set_aside(&mut client, "bad-57").unwrap()["code"], "invalid_timestamp");
    let before = set_aside(&mut client, "bad-3");
    server.stop();
    let server = Launch::new(&home).start();
    assert_eq!(set_aside(&mut server.client(), "bad-3"), before, "what is set aside survives a restart");
}

#[test]
fn what_is_set_aside_can_be_mended_or_dropped() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    client.batch(&two_bad_of_a_hundred()).unwrap().expect(400);
    let target = |refused: &Value, more: &str| format!("/resources/refused/{}{more}", refused["id"].as_str().unwrap());

    // As it stands it is refused again, and stays.
    let orphan = set_aside(&mut client, "bad-3").unwrap();
    let again = client.post(&target(&orphan, "/resend"), b"").unwrap().expect(400);
    assert!(again.text().contains("user_needs_parent"), "{}", again.text());
    assert!(set_aside(&mut client, "bad-3").is_some());

    // Mended, it is stored and gone from there.
    let mended = json!({
        "type": "user", "userId": "orphan", "accountId": "home", "messageId": "bad-3", "timestamp": "2024-05-01T10:00:00Z",
    });
    client.post_json(&target(&orphan, "/resend"), &mended).unwrap().expect(200);
    assert_eq!(client.read("/resources/users/orphan")["accounts"][0]["externalId"], "home");
    assert!(set_aside(&mut client, "bad-3").is_none());
    client.post_json(&target(&orphan, "/resend"), &mended).unwrap().expect(404);

    // Dropped, it is gone, and was never stored.
    let late = set_aside(&mut client, "bad-57").unwrap();
    client.request("DELETE", &target(&late, ""), &[], b"").unwrap().expect(204);
    assert!(set_aside(&mut client, "bad-57").is_none());
    client.request("DELETE", &target(&late, ""), &[], b"").unwrap().expect(404);
    assert_eq!(message_ids(&mut client, Collection::Users, "buyer").len(), 98);
}

#[test]
fn atomic_means_all_or_nothing() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    let messages = Value::from(two_bad_of_a_hundred());
    check_refusals(&client.post_json("/analytics/v1/batch?atomic=true", &messages).unwrap(), 0);
    client.get("/resources/users/buyer").unwrap().expect(404);
    let good: Vec<Value> = (0..3).map(|at| track("buyer", "bought", &format!("good-{at}"))).collect();
    client.post_json("/analytics/v1/batch?atomic=true", &json!(good)).unwrap().expect_success();
    assert_eq!(message_ids(&mut client, Collection::Users, "buyer").len(), 3);
}

/// The statuses that `Prefer: return=representation` adds, in order.
#[track_caller]
fn statuses(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let results = body["results"].as_array().unwrap_or_else(|| panic!("no results in {body}"));
    for (at, result) in results.iter().enumerate() {
        assert_eq!(result["index"], at, "{body}");
        let refused = result["status"] == "refused";
        assert!(refused || result["id"].as_str().is_some_and(|id| !id.is_empty()), "no id: {result}");
    }
    results.iter().map(|result| result["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_message_can_have_its_own_result() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    let mut send = |path: &str, messages: &Value| {
        let body = messages.to_string();
        client.request("POST", path, &[("Prefer", "return=representation")], body.as_bytes()).unwrap()
    };
    let (one, two) = (track("u", "opened", "one"), track("u", "opened", "two"));
    let first = send("/analytics/v1/batch", &json!([one, two, one]));
    assert_eq!(statuses(&first), ["stored", "stored", "duplicate"]);
    assert_eq!((first.status, &first.json()["message"]), (200, &json!("Success.")));
    let again = send("/analytics/v1/batch", &json!([two, one]));
    assert_eq!((again.status, statuses(&again)), (200, vec!["duplicate".to_owned(), "duplicate".to_owned()]));

    let mut other = one.clone();
    other["event"] = json!("closed");
    let orphan = json!({"type": "user", "userId": "orphan", "messageId": "bad"});
    let mixed = send("/analytics/v1/batch", &json!([track("u", "opened", "three"), other, orphan]));
    assert_eq!(mixed.status, 400, "{}", mixed.text());
    assert_eq!(statuses(&mixed), ["stored", "conflict", "refused"]);

    let mut single = track("u", "opened", "four");
    single.as_object_mut().unwrap().remove("type");
    assert_eq!(statuses(&send("/analytics/v1/track", &single)), ["stored"]);
    assert_eq!(statuses(&send("/analytics/v1/track", &single)), ["duplicate"]);

    // In a conflict the first one stands and the second is set aside.
    let events = client.read("/resources/users/u/events");
    let events = events["results"].as_array().unwrap();
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|event| event["event"] == "opened"), "{events:?}");
    assert_eq!(set_aside(&mut client, "closed").unwrap()["code"], "conflict");
}

#[test]
fn a_batch_has_at_most_a_hundred_messages() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    let messages: Vec<Value> = (0..101).map(|at| track("buyer", "bought", &format!("m{at}"))).collect();
    let answer = client.batch(&messages).unwrap().expect(400);
    let sentence = refusal(&answer);
    assert!(sentence.contains("101") && sentence.contains("100"), "names the count and the limit: {sentence}");
    client.get("/resources/users/buyer").unwrap().expect(404);
    client.batch(&messages[..100]).unwrap().expect_success();
    assert_eq!(message_ids(&mut client, Collection::Users, "buyer").len(), 100);
    client.batch(&[]).unwrap().expect_success();
    check_healthy(&mut client, "after");
}

#[test]
fn the_same_rules_hold_for_one_message_a_request() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    let at = "2024-05-01T10:00:00Z";
    let mut check = |kind: &str, message: Value, code: &str| {
        let answer = client.post_json(&format!("/analytics/v1/{kind}"), &message).unwrap();
        assert_eq!(answer.status, 400, "{kind} {message}: {}", answer.text());
        let errors = &answer.json()["error"]["errors"];
        assert_eq!(errors[0]["code"], code, "{kind} {message}: {}", answer.text());
    };
    check("organization", json!({"messageId": "1", "timestamp": at}), "missing_field");
    check("account", json!({"accountId": "", "messageId": "1", "timestamp": at}), "missing_field");
    check("user", json!({"userId": "u", "messageId": "1", "timestamp": at}), "user_needs_parent");
    check("track", json!({"event": "e", "messageId": "1", "timestamp": at}), "track_needs_subject");
    check("track", json!({"userId": "u", "messageId": "1", "timestamp": at}), "missing_field");
    check("unlink", json!({"userId": "u", "messageId": "1", "timestamp": at}), "missing_field");
    check(
        "customobjectinstance",
        json!({"externalId": "x", "customObjectId": "c", "messageId": "1"}),
        "instance_needs_parent",
    );
    check("account", json!({"accountId": "a"}), "needs_message_id_or_timestamp");
    check("account", json!({"accountId": "a".repeat(257), "messageId": "1"}), "invalid_id");
    check("account", json!({"accountId": 1.5, "messageId": "1"}), "invalid_id");
    check("account", json!({"accountId": "a\u{7}b", "messageId": "1"}), "invalid_id");
    check("account", json!({"accountId": "a", "messageId": "1", "traits": [1]}), "invalid_traits");
    check("track", json!({"userId": "u", "event": "e", "messageId": "1", "properties": "x"}), "invalid_properties");
    check("track", json!({"userId": "u", "event": "e", "timestamp": "2024-13-01"}), "invalid_timestamp");
    // What production senders do and the contract allows.
    for user in [
        json!({"userId": 7, "accountId": null, "messageId": 1}),
        json!({"userId": "8", "accountId": "", "messageId": "x"}),
    ] {
        client.post_json("/analytics//v1/user?unknown=1", &user).unwrap().expect_success();
    }
    assert_eq!(client.read("/resources/users/7")["externalId"], "7");
    assert_eq!(client.read("/resources/users/8")["accounts"], json!([]));
}
