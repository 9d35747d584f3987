//! What each call becomes.

use super::{events, rows, send};
use crate::harness::{Api, expand};

/// The users of an account, and whether each link stands.
#[track_caller]
fn accounts_of(api: &Api, user: &str) -> Vec<String> {
    let user = api.read(&format!("/resources/users/{user}"));
    let accounts = user["accounts"].as_array().unwrap().iter();
    accounts.map(|account| account["externalId"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn identify_describes_a_user() {
    let api = Api::new();
    send(
        &api,
        r#"{"type":"identify","userId":"u","traits":{"email":"u@example.com","a":1},"context":{"traits":{"a":2,"b":3}},"messageId":"1"}"#,
    );
    let user = api.read("/resources/users/u");
    assert_eq!(user["traits"], serde_json::json!({"a":1,"b":3,"email":"u@example.com"}));
    assert_eq!(user["email"], "u@example.com");
    assert_eq!(accounts_of(&api, "u"), [""; 0]);
    // A trait of null removes, and null or [] for all of them is none.
    send(
        &api,
        r#"{"type":"identify","userId":"u","traits":{"a":null},"messageId":"2","timestamp":"2026-01-01T00:01:00Z"},
           {"type":"identify","userId":"u","traits":null,"messageId":"3"},
           {"type":"identify","userId":"u","traits":[],"messageId":"4"},
           {"type":"identify","userId":7,"messageId":"5"}"#,
    );
    assert_eq!(api.read("/resources/users/u")["traits"], serde_json::json!({"b":3,"email":"u@example.com"}));
    assert_eq!(api.read("/resources/users/7")["traits"], serde_json::json!({}));
}

#[test]
fn identify_links_a_user_to_its_account() {
    for (call, expected) in [
        (r#""context":{"groupId":"g"}"#, "g"),
        (r#""context":{"groupId":7}"#, "7"),
        (r#""traits":{"company":{"id":"c","name":"C"}}"#, "c"),
        (r#""context":{"traits":{"company":{"id":12}}}"#, "12"),
        (r#""context":{"groupId":"g"},"traits":{"company":{"id":"c"}}"#, "g"),
        (r#""context":{"groupId":""},"traits":{"company":{"id":"c"}}"#, "c"),
    ] {
        let api = Api::new();
        send(&api, &format!(r#"{{"type":"identify","userId":"u","messageId":"1",{call}}}"#));
        assert_eq!(accounts_of(&api, "u"), [expected], "{call}");
    }
}

#[test]
fn a_removed_company_is_an_unlink() {
    let api = Api::new();
    send(
        &api,
        r#"{"type":"identify","userId":"u","traits":{"company":{"id":"c"}},"messageId":"1","timestamp":"2025-01-01T00:00:00Z"},
           {"type":"identify","userId":"u","traits":{"company":{"id":"d"}},"messageId":"2","timestamp":"2025-01-02T00:00:00Z"},
           {"type":"identify","userId":"u","traits":{"a":1,"company":{"id":"c","remove":true}},"messageId":"3","timestamp":"2025-01-03T00:00:00Z"}"#,
    );
    assert_eq!(accounts_of(&api, "u"), ["d"]);
    assert_eq!(api.read("/resources/users/u")["traits"]["a"], 1);
    assert_eq!(api.read("/resources/accounts/c")["externalId"], "c");
}

#[test]
fn group_describes_an_account_and_links_the_user() {
    let api = Api::new();
    send(
        &api,
        r#"{"type":"group","groupId":"g","userId":"u","traits":{"name":"G","organizationId":"o"},"messageId":"1"},
           {"type":"group","groupId":8,"anonymousId":"x","traits":{"name":"Eight"},"messageId":"2"}"#,
    );
    let account = api.read("/resources/accounts/g");
    assert_eq!(
        (account["name"].as_str(), account["organizationId"].as_str()),
        (Some("G"), Some(expand("<organization:o>").as_str()))
    );
    assert_eq!(accounts_of(&api, "u"), ["g"]);
    assert_eq!(api.read("/resources/accounts/8")["name"], "Eight");
}

#[test]
fn a_trait_marks_groups_that_are_organizations() {
    let call = |marker: &str| {
        format!(r#"{{"type":"group","groupId":"g","userId":"u","traits":{{"name":"G",{marker}}},"messageId":"1"}}"#)
    };
    for (marker, is_organization) in [
        (r#""isOrganization":true"#, true),
        (r#""isOrganization":"yes""#, true),
        (r#""isOrganization":false"#, false),
        (r#""isOrganization":"False""#, false),
        (r#""isOrganization":null"#, false),
        (r#""kind":"holding""#, false),
    ] {
        let api = Api::new();
        send(&api, &call(marker));
        let (there, elsewhere) =
            if is_organization { ("organizations", "accounts") } else { ("accounts", "organizations") };
        assert_eq!(api.read(&format!("/resources/{there}/g"))["name"], "G", "{marker}");
        assert_eq!(api.page(&format!("/resources/{elsewhere}")).0, [""; 0], "{marker}");
        assert_eq!(accounts_of(&api, "u").len(), usize::from(!is_organization));
    }
    let api = Api::with(|settings| settings.organization_trait = "kind".to_owned());
    send(&api, &call(r#""kind":"holding""#));
    assert_eq!(api.page("/resources/organizations").0, ["g"]);
}

#[test]
fn track_belongs_to_the_account_it_names() {
    for (call, expected) in [
        (r#""context":{"groupId":"g"}"#, "g"),
        (r#""properties":{"groupId":"g"}"#, "g"),
        (r#""properties":{"accountId":5}"#, "5"),
        (r#""properties":{"groupId":null,"accountId":"a"}"#, "a"),
        (r#""context":{"groupId":"c"},"properties":{"groupId":"g"}"#, "c"),
    ] {
        let api = Api::new();
        send(&api, &format!(r#"{{"type":"track","userId":"u","event":"e","messageId":"1",{call}}}"#));
        let event = &api.read("/resources/users/u/events")["results"][0];
        assert_eq!((&event["accountId"], &event["event"]), (&expected.into(), &"e".into()), "{call}");
        assert_eq!(accounts_of(&api, "u"), [""; 0], "a track makes no link");
    }
}

#[test]
fn context_of_a_batch_holds_for_every_call() {
    let api = Api::new();
    let body = r#"{"context":{"groupId":"g","ip":"::1"},"batch":[
        {"type":"track","userId":"u","event":"e","messageId":"1"},
        {"type":"track","userId":"u","event":"f","messageId":"2","context":{"groupId":"h"}},
        {"type":"track","userId":"u","event":"g","messageId":"3","context":[]}]}"#;
    api.check(super::BATCH, body, super::SUCCESS);
    assert_eq!(rows(&api, "select event, account_id from messages order by 1"), r#"[["e","g"],["f","h"],["g","g"]]"#);
    let kept = rows(&api, "select message ->> '$.context.ip' from messages");
    assert_eq!(kept, r#"[["::1"],["::1"],["::1"]]"#);
}

#[test]
fn pages_and_screens_are_views() {
    for (call, expected, properties) in [
        (r#""type":"page","name":"Home""#, "Viewed Home Page", r#"{"name":"Home"}"#),
        (r#""type":"screen","name":"Welcome""#, "Viewed Welcome Screen", r#"{"name":"Welcome"}"#),
        (
            r#""type":"page","category":"Docs","name":"Index","properties":{"url":"/"}"#,
            "Viewed Index Page",
            r#"{"category":"Docs","name":"Index","url":"/"}"#,
        ),
        (r#""type":"page","name":"Home","properties":{"name":"Home"}"#, "Viewed Home Page", r#"{"name":"Home"}"#),
        (r#""type":"page","properties":{"name":"Home"}"#, "Viewed Home Page", r#"{"name":"Home"}"#),
        (r#""type":"page","category":"Docs""#, "Viewed Docs Page", r#"{"category":"Docs"}"#),
        (r#""type":"page","name":null,"properties":[]"#, "Viewed Page", "{}"),
        (r#""type":"SCREEN","name":404"#, "Viewed 404 Screen", r#"{"name":404}"#),
        (r#""type":"page","name":"a\"b""#, "Viewed a\"b Page", r#"{"name":"a\"b"}"#),
    ] {
        let api = Api::new();
        send(&api, &format!(r#"{{{call},"userId":"u","messageId":"1"}}"#));
        let event = &api.read("/resources/users/u/events")["results"][0];
        assert_eq!(
            (&event["event"], event["properties"].to_string()),
            (&expected.into(), properties.to_owned()),
            "{call}"
        );
    }
}

#[test]
fn who_is_anonymous_is_kept_and_belongs_to_nobody() {
    let api = Api::new();
    send(
        &api,
        r#"{"type":"track","anonymousId":"x","userId":null,"event":"e","messageId":"1"},
           {"type":"page","anonymousId":"x","userId":"","name":"Home","messageId":"2"},
           {"type":"identify","anonymousId":"x","traits":{"a":1},"messageId":"3"}"#,
    );
    let kept = "select kind, event, message ->> 'anonymousId' from messages order by message_id";
    assert_eq!(rows(&api, kept), r#"[["track","e","x"],["track","Viewed Home Page","x"],["user",null,"x"]]"#);
    assert_eq!(api.page("/resources/users").0, [""; 0]);
}

#[test]
fn everything_else_of_a_call_is_kept() {
    let api = Api::new();
    send(
        &api,
        r#"{"type":"track","userId":"u","event":"e","messageId":"1","context":{"ip":"1.2.3.4"},"integrations":{"All":false},"channel":"server","version":2}"#,
    );
    assert_eq!(rows(&api, "select message ->> 'callType' from messages"), r#"[["track"]]"#);
    let sql = "select message ->> '$.context.ip', message -> '$.integrations.All', message ->> 'channel', message -> 'version' from messages";
    assert_eq!(rows(&api, sql), r#"[["1.2.3.4","false","server","2"]]"#);
}

#[test]
fn order_does_not_matter() {
    let calls = [
        r#"{"type":"identify","userId":"u","traits":{"plan":"a"},"context":{"groupId":"g"},"messageId":"1","timestamp":"2025-01-01T00:00:00Z"}"#,
        r#"{"type":"track","userId":"u","event":"e","messageId":"2","timestamp":"2025-01-02T00:00:00Z"}"#,
        r#"{"type":"identify","userId":"u","traits":{"plan":"b"},"messageId":"3","timestamp":"2025-01-03T00:00:00Z"}"#,
        r#"{"type":"group","userId":"u","groupId":"h","messageId":"4","timestamp":"2025-01-04T00:00:00Z"}"#,
    ];
    let seen = |order: [usize; 4]| {
        let api = Api::new();
        for index in order {
            send(&api, calls[index]);
        }
        let events = api.read("/resources/users/u/events").to_string();
        (api.read("/resources/users/u")["traits"].to_string(), accounts_of(&api, "u"), events)
    };
    let expected = seen([0, 1, 2, 3]);
    assert_eq!(expected.0, r#"{"plan":"b"}"#);
    assert_eq!(seen([3, 2, 1, 0]), expected);
    assert_eq!(seen([2, 0, 3, 1]), expected);
}

#[test]
fn names_of_events_are_listed() {
    let api = Api::new();
    send(
        &api,
        r#"{"type":"track","userId":"u","event":"e","messageId":"1"},{"type":"screen","userId":"u","name":"S","messageId":"2"}"#,
    );
    let mut names = events(&api, "/resources/users/u");
    names.sort();
    assert_eq!(names, ["Viewed S Screen", "e"]);
}
