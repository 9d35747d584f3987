//! Who may read and write what: two workspaces with the same ids never meet, and a key does what its scopes say.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use harness::command::create_key;
use harness::home::Home;
use harness::http::Client;
use harness::messages::{Collection, track};
use harness::reads::{Snapshot, message_ids};
use harness::server::{Launch, Server, TOKEN};
use serde_json::{Value, json};

/// The same ids and `messageId`s for everyone; only the content tells whose it is.
fn messages_of(owner: &str) -> Vec<Value> {
    let common = json!({"messageId": "same-id", "timestamp": "2024-03-01T00:00:00Z"});
    let mut messages = vec![
        json!({"type": "organization", "organizationId": "o", "traits": {"name": owner}}),
        json!({"type": "account", "accountId": "a", "organizationId": "o", "traits": {"name": owner}}),
        json!({"type": "user", "userId": "u", "accountId": "a", "traits": {"name": owner}}),
        json!({"type": "track", "userId": "u", "event": owner, "properties": {"owner": owner}}),
    ];
    for message in &mut messages {
        message.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
    }
    messages
}

#[test]
fn two_workspaces_with_the_same_ids_never_meet() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let other = create_key(home.path(), &home.data_dir(), "other", "write,read", "other key");
    let mut one = server.client();
    let mut two = server.client_of(&other);
    one.batch(&messages_of("first")).unwrap().expect_success();
    assert!(Snapshot::take(&mut two).results() == 0, "a workspace starts empty");
    two.batch(&messages_of("second")).unwrap().expect_success();

    let check = |client: &mut Client, owner: &str| {
        for (collection, id) in
            [(Collection::Organizations, "o"), (Collection::Accounts, "a"), (Collection::Users, "u")]
        {
            let list = client.read(collection.path());
            assert_eq!(list["results"].as_array().unwrap().len(), 1);
            let record = client.read(&format!("{}/{id}", collection.path()));
            assert_eq!(record["name"], owner);
            let events = client.read(&format!("{}/{id}/events", collection.path()));
            assert_eq!(events["results"].as_array().unwrap().len(), 1, "{events}");
            assert_eq!(events["results"][0]["event"], owner);
        }
        client.read("/resources/users/u")["id"].as_str().unwrap().to_owned()
    };
    let first = check(&mut one, "first");
    let second = check(&mut two, "second");
    assert_ne!(first, second, "record ids are per workspace");
    one.get(&format!("/resources/users/{second}")).unwrap().expect(404);
    two.get(&format!("/resources/users/{first}/events")).unwrap().expect(404);
    let after = (Snapshot::take(&mut one), Snapshot::take(&mut two));
    server.stop();

    let server = Launch::new(&home).start();
    after.0.assert_same(&Snapshot::take(&mut server.client()));
    after.1.assert_same(&Snapshot::take(&mut server.client_of(&other)));
}

#[test]
fn what_is_set_aside_stays_in_its_workspace() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let other = create_key(home.path(), &home.data_dir(), "other", "write,read", "other key");
    let bad = json!({"type": "user", "userId": "lost", "messageId": "m", "timestamp": "2024-03-01T00:00:00Z"});
    server.client().batch(&[bad]).unwrap().expect(400);
    let refused = server.client().read("/resources/refused");
    let id = refused["results"][0]["id"].as_str().unwrap().to_owned();
    let mut two = server.client_of(&other);
    assert_eq!(two.read("/resources/refused")["results"], json!([]));
    two.request("DELETE", &format!("/resources/refused/{id}"), &[], b"").unwrap().expect(404);
    two.post(&format!("/resources/refused/{id}/resend"), b"").unwrap().expect(404);
    assert_eq!(server.client().read("/resources/refused"), refused);
}

#[test]
fn the_token_may_be_spelt_in_three_ways() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let encoded = BASE64_STANDARD.encode(format!("{TOKEN}:"));
    let with_password = BASE64_STANDARD.encode(format!("{TOKEN}:some text: with colons"));
    let spellings = [
        format!("Basic {TOKEN}"),
        format!("Basic {encoded}"),
        format!("Basic {with_password}"),
        format!("Bearer {TOKEN}"),
    ];
    for (at, spelling) in spellings.iter().enumerate() {
        let mut client = server.client_with(Some(spelling));
        let id = format!("m{at}");
        client.batch(&[track("u", "opened", &id)]).unwrap().expect_success();
        assert!(message_ids(&mut client, Collection::Users, "u").contains(&id), "{spelling}");
    }
}

fn ask(server: &Server, authorization: Option<&str>, write: bool) -> harness::http::Answer {
    let mut client = server.client_with(authorization);
    if write {
        client.batch(&[track("u", "opened", "refused")]).unwrap()
    } else {
        client.get("/resources/users").unwrap()
    }
}

#[test]
fn no_token_and_wrong_tokens_are_turned_away() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    for write in [true, false] {
        let answer = ask(&server, None, write).expect(401);
        assert_eq!(answer.text(), r#"{"error":"Authorization header not present."}"#);
        let almost = format!("Basic {}", &TOKEN[..TOKEN.len() - 1]);
        let longer = format!("Bearer {TOKEN}x");
        let wrong = ["Basic nonsense", "Bearer nonsense", "Basic ", "Digest abc", almost.as_str(), longer.as_str()];
        for authorization in wrong {
            let answer = ask(&server, Some(authorization), write);
            assert_eq!(answer.status, 401, "{authorization}: {}", answer.text());
            let body = answer.json();
            assert!(body["error"].as_str().is_some_and(|error| !error.is_empty()), "{body}");
        }
    }
    server.client().get("/resources/users/u").unwrap().expect(404);
}

#[test]
fn a_key_does_what_its_scopes_say() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let create = |scope: &str| create_key(home.path(), &home.data_dir(), "default", scope, &format!("only {scope}"));
    let writer = format!("Basic {}", create("write"));
    let reader = format!("Basic {}", create("read"));
    let refused = ask(&server, Some(&reader), true).expect(403);
    assert!(refused.json()["error"].is_string(), "{}", refused.text());
    server.client().get("/resources/users/u").unwrap().expect(404);
    ask(&server, Some(&writer), true).expect_success();
    let refused = ask(&server, Some(&writer), false).expect(403);
    assert!(refused.json()["error"].is_string(), "{}", refused.text());
    let list = ask(&server, Some(&reader), false).expect(200).json();
    assert_eq!(list["results"][0]["externalId"], "u");
}
