//! The documentation's own example, from the first request to the last read.
//!
//! Four messages that share one `messageId` are four things; sent again they change nothing; sent shuffled and one at a
//! time they give the same bytes. Says nothing about crashes.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

use std::fmt;

use harness::home::Home;
use harness::http::Client;
use harness::messages::Collection;
use harness::reads::Snapshot;
use harness::server::{Launch, Server};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Value, json};

/// The body of the documentation's request, verbatim.
const EXAMPLE: &[u8] = include_bytes!("data/documentation-example.json");

fn send_example(server: &Server) -> Client {
    let mut client = server.client();
    client.post("/analytics/v1/batch", EXAMPLE).unwrap().expect_success();
    client
}

#[test]
fn the_documented_request_is_stored_and_read_back() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = send_example(&server);

    let organization = client.read("/resources/organizations/abcdefg");
    assert_eq!(organization["name"], "World Cup");
    assert_eq!(organization["traits"], json!({"name": "World Cup", "sport": "futbol"}));
    assert_eq!((&organization["accountsCount"], &organization["usersCount"]), (&json!(1), &json!(1)));

    let account = client.read("/resources/accounts/123456");
    assert_eq!((&account["name"], &account["externalId"]), (&json!("Argentina"), &json!("123456")));
    assert_eq!(account["traits"], json!({"name": "Argentina", "group": "D"}));
    assert_eq!(account["organizationId"], organization["id"]);
    assert_eq!(account["usersCount"], 1);
    assert_eq!(account["firstSeenTimestamp"], "2018-05-15T12:31:12.123Z");

    let user = client.read("/resources/users/32");
    assert_eq!((&user["name"], &user["email"]), (&json!("Lionel Messi"), &json!("messi@barcelona.sp")));
    assert_eq!(user["traits"]["number"], 10);
    assert_eq!(user["lastSeenTimestamp"], "2018-05-15T12:31:12.123Z");
    assert_eq!(external_ids(&user["accounts"]), ["123456"]);
    assert_eq!(external_ids(&user["organizations"]), ["abcdefg"]);

    for (collection, id) in
        [(Collection::Users, "32"), (Collection::Accounts, "123456"), (Collection::Organizations, "abcdefg")]
    {
        let page = client.read(&format!("{}/{id}/events", collection.path()));
        let events = page["results"].as_array().unwrap();
        assert_eq!(events.len(), 1, "{page}");
        assert_eq!(events[0]["event"], "scored-goal");
        assert_eq!(events[0]["messageId"], "7ac1c682-a54b-4d0d-9f56-d6d3618f4915");
        assert_eq!(events[0]["timestamp"], "2018-05-15T12:31:12.123Z");
        assert_eq!(events[0]["properties"], json!({"minute": 14, "opponentId": 421_243, "matchId": 9}));
        assert_eq!((&page["next"], &page["atEnd"]), (&Value::Null, &json!(true)));
    }
}

#[test]
fn either_id_reads_the_same_record() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = send_example(&server);
    for (collection, id) in
        [(Collection::Users, "32"), (Collection::Accounts, "123456"), (Collection::Organizations, "abcdefg")]
    {
        let by_external_id = client.get(&format!("{}/{id}", collection.path())).unwrap().expect(200);
        let uuid = by_external_id.json()["id"].as_str().unwrap().to_owned();
        assert_eq!((uuid.len(), uuid.to_lowercase()), (36, uuid.clone()));
        let by_uuid = client.get(&format!("{}/{uuid}", collection.path())).unwrap().expect(200);
        assert_eq!(by_uuid.text(), by_external_id.text());
        let list = client.read(collection.path());
        assert_eq!(list["results"], json!([by_uuid.json()]));
        let missing = client.get(&format!("{}/nobody-has-this-id", collection.path())).unwrap().expect(404);
        assert!(missing.json()["error"].is_string(), "{}", missing.text());
    }
}

#[test]
fn sent_again_it_changes_nothing() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = send_example(&server);
    let before = Snapshot::take(&mut client);
    for _ in 0..3 {
        client.post("/analytics/v1/batch", EXAMPLE).unwrap().expect_success();
    }
    before.assert_same(&Snapshot::take(&mut client));
}

#[test]
fn shuffled_and_one_at_a_time_it_reads_the_same() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let expected = Snapshot::take(&mut send_example(&server)).without_times_of_receipt();
    server.stop();
    assert!(expected.results() > 0, "the example can be read");

    let messages: Vec<Value> = serde_json::from_slice(EXAMPLE).unwrap();
    for order in [[3, 2, 1, 0], [3, 0, 2, 1], [2, 3, 0, 1], [1, 3, 2, 0], [0, 3, 1, 2]] {
        let home = Home::new();
        let server = Launch::new(&home).start();
        let mut client = server.client();
        for at in order {
            let mut message = messages[at].clone();
            let kind = message.as_object_mut().unwrap().remove("type").unwrap();
            let path = format!("/analytics/v1/{}", kind.as_str().unwrap());
            client.post_json(&path, &message).unwrap().expect_success();
        }
        let found = Snapshot::take(&mut client).without_times_of_receipt();
        expected.assert_same(&found);
    }
}

#[test]
fn records_have_their_fields_in_the_documented_order() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = send_example(&server);
    let mut check = |target: &str, fields: &str| {
        let body = client.get(target).unwrap().expect(200).text();
        let keys = serde_json::Deserializer::from_str(&body).deserialize_map(KeysInOrder).unwrap();
        assert_eq!(keys, fields.split_whitespace().collect::<Vec<_>>(), "{target}");
    };
    check(
        "/resources/organizations/abcdefg",
        "id createdAt updatedAt externalId name traits organizationOwnerId mrr firstPaidDate nextRenewalDate churnedAt
         trialEndDate usersCount accountsCount healthScore csmId accountExecutiveId segments keyRoles npsDetractorCount
         npsPassiveCount npsPromoterCount npsScore implied",
    );
    check(
        "/resources/accounts/123456",
        "id createdAt updatedAt externalId name traits organizationId accountOwnerId mrr nextRenewalDate churnedAt
         firstSeenTimestamp lastSeenTimestamp lastInboundMessageTimestamp lastOutboundMessageTimestamp trialEndDate
         usersCount npsDetractorCount npsPassiveCount npsPromoterCount npsScore healthScore csmId accountExecutiveId
         segments keyRoles implied",
    );
    check(
        "/resources/users/32",
        "id createdAt updatedAt externalId accounts organizations name email avatar traits firstKnown lastSeenTimestamp
         lastInboundMessageTimestamp lastOutboundMessageTimestamp npsLastScore npsLastFeedback npsLastRespondedAt
         unsubscribedFromConversations unsubscribedFromConversationsAt deactivatedAt segments joinDate implied",
    );
}

fn external_ids(records: &Value) -> Vec<&str> {
    records.as_array().unwrap().iter().map(|record| record["externalId"].as_str().unwrap()).collect()
}

/// Collects the keys of a JSON object as they come.
struct KeysInOrder;

impl<'de> Visitor<'de> for KeysInOrder {
    type Value = Vec<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Vec<String>, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, IgnoredAny)) = members.next_entry()? {
            keys.push(key);
        }
        Ok(keys)
    }
}
