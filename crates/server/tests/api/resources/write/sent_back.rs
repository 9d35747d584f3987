//! Records that are sent back as they were read.
//!
//! A field that a trait feeds is shown in the form that the field promises: `null` for a trait that is no date, a number
//! for a text that is one, an instant for a day. Sent back, these were once written over the traits that they came from.

use serde_json::{Value, json};

use crate::harness::Api;

/// Reads a record, sends it back as it is, and compares its traits.
#[track_caller]
fn sent_back(api: &Api, path: &str) -> Value {
    api.pass_seconds(1);
    let read = api.read(path);
    let written = api.ask(&format!("PUT {path}"), &read.to_string());
    assert_eq!(written.status, 200, "{}", written.body);
    assert_eq!(written.json()["traits"], read["traits"], "{path}");
    read["traits"].clone()
}

#[test]
fn traits_stay_as_they_were_sent() {
    let api = Api::new();
    let business = json!({"churnedAt": "someday", "trialEndDate": 1767225600000_u64, "mrr": "12.5", "nextRenewalDate": "2026-05-01", "name": 7});
    let of_user = json!({
        "createdAt": 1500000000, "unsubscribedFromConversations": "yes", "deactivatedAt": "2026-03-01", "email": 5,
        "name": true
    });
    let batch = json!([
        {"type": "organization", "organizationId": "o", "messageId": "1", "traits": business},
        {"type": "account", "accountId": "a", "organizationId": "o", "messageId": "1", "traits": business},
        {"type": "user", "userId": "u", "accountId": "a", "messageId": "1", "traits": of_user},
        {"type": "customobjectinstance", "externalId": "i", "customObjectId": "tickets", "accountId": "a",
         "messageId": "1", "traits": {"archivedAt": "2026-03-01", "name": 7}},
    ]);
    api.send(&batch.to_string());
    assert_eq!(sent_back(&api, "/resources/organizations/o"), business);
    assert_eq!(sent_back(&api, "/resources/accounts/a"), business);
    assert_eq!(sent_back(&api, "/resources/users/u"), of_user);
    let instances = "/resources/customObjects/tickets/instances";
    api.pass_seconds(1);
    let read = api.read(instances)["results"][0].clone();
    let written = api.ask(&format!("PUT {instances}/i"), &read.to_string());
    assert_eq!((written.status, &written.json()["traits"]), (200, &json!({"archivedAt": "2026-03-01", "name": 7})));
    api.pass_seconds(1);
    let renamed = api.ask(&format!("PUT {instances}/i"), r#"{"traits":{"name":"B"}}"#).json();
    assert_eq!(renamed["name"], "B", "the name that was sent back is no name of its own");
}

fn without(record: &Value, field: &str) -> Value {
    let mut record = record.clone();
    record.as_object_mut().unwrap().remove(field);
    record
}

#[test]
fn a_trait_and_the_field_it_feeds_do_not_fight() {
    let api = Api::new();
    api.send(r#"[{"type":"account","accountId":"a","messageId":"1","traits":{"mrr":"12.5","churnedAt":"someday"}}]"#);
    let put = |body: &str| {
        api.pass_seconds(1);
        let account = api.ask("PUT /resources/accounts/a", body).json();
        (account["mrr"].clone(), account["churnedAt"].clone(), account["traits"].clone())
    };
    let traits = |mrr: Value, churned_at: &str| json!({"mrr": mrr, "churnedAt": churned_at});
    let change = r#"{"mrr":12.50,"churnedAt":null,"traits":{"mrr":"13","churnedAt":"soon"}}"#;
    assert_eq!(put(change), (json!(13), Value::Null, traits(json!("13"), "soon")), "the traits are what changed");
    let change = r#"{"mrr":14,"churnedAt":"2026-02-01","traits":{"mrr":"13","churnedAt":"soon"}}"#;
    let expected = (json!(14), json!("2026-02-01T00:00:00.000Z"), traits(json!(14), "2026-02-01"));
    assert_eq!(put(change), expected, "the fields are what changed");
    let change = r#"{"mrr":12.5,"traits":{"mrr":"12.5"}}"#;
    assert_eq!(put(change).2["mrr"], "12.5", "both say one thing, which is not what stands");
    let change = r#"{"churnedAt":null}"#;
    assert_eq!(put(change).1, Value::Null);
    let new = r#"{"externalId":"b","churnedAt":null,"mrr":null,"traits":{"churnedAt":"someday","mrr":"x"}}"#;
    assert_eq!(api.ask("POST /resources/accounts", new).json()["traits"], traits(json!("x"), "someday"));
}

#[test]
fn answers_to_surveys_too() {
    let api = Api::new();
    api.send(r#"[{"type":"user","userId":"u","accountId":null,"messageId":"1"}]"#);
    let made = api.ask(
        "POST /resources/npsResponses",
        r#"{"externalId":"n","userId":"u","score":9,"respondedAt":"2025-12-01","feedback":"good"}"#,
    );
    assert_eq!(made.status, 200, "{}", made.body);
    let (read, path) = (api.read("/resources/npsResponses/n"), "PUT /resources/npsResponses/n");
    api.pass_seconds(1);
    let written = api.ask(path, &read.to_string()).json();
    assert_eq!(without(&without(&written, "updatedAt"), "user"), without(&without(&read, "updatedAt"), "user"));
    api.pass_seconds(1);
    let changed = api.ask(path, r#"{"score":2,"feedback":null}"#).json();
    assert_eq!((&changed["score"], &changed["feedback"]), (&json!(2), &Value::Null));
}
