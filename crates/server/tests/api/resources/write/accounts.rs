//! Creating and updating accounts.

use serde_json::{Value, json};

use crate::harness::{Api, expand};

#[test]
fn one_is_created_and_updated() {
    let api = Api::new();
    let made = api.ask(
        "POST /resources/accounts",
        r#"{"externalId":"a","name":"Argentina","traits":{"plan":"pro"},"trialEndDate":"2026-02-01"}"#,
    );
    let record = made.json();
    assert_eq!((made.status, &record["id"]), (200, &json!(expand("<account:a>"))));
    assert_eq!(
        (&record["organizationId"], &record["trialEndDate"]),
        (&Value::Null, &json!("2026-02-01T00:00:00.000Z"))
    );
    assert_eq!(record, api.read("/resources/accounts/a"));
    api.pass_seconds(1);
    let changed = api.ask("PUT /resources/accounts/a", r#"{"churnedAt":"2026-01-01T00:00:00Z"}"#).json();
    assert_eq!((&changed["name"], &changed["churnedAt"]), (&json!("Argentina"), &json!("2026-01-01T00:00:00.000Z")));
    assert_eq!(api.page("/resources/accounts").0, [""; 0], "churned ones are hidden");
    api.pass_seconds(1);
    api.ask("PUT /resources/accounts/a", r#"{"churnedAt":null}"#);
    assert_eq!(api.page("/resources/accounts").0, ["a"]);
}

#[test]
fn the_organization_is_stated_changed_and_left() {
    let api = Api::new();
    let organization = |api: &Api| api.read("/resources/accounts/a")["organizationId"].clone();
    let count = |id: &str| api.read(&format!("/resources/organizations/{id}"))["accountsCount"].clone();
    api.ask("POST /resources/organizations", r#"{"externalId":"o"}"#);
    api.ask("POST /resources/accounts", r#"{"externalId":"a","organizationId":"<organization:o>"}"#);
    assert_eq!((organization(&api), count("o")), (json!(expand("<organization:o>")), json!(1)));
    api.pass_seconds(1);
    let moved = api.ask("PUT /resources/accounts/a", r#"{"organizationId":"p"}"#);
    assert_eq!((moved.status, &moved.json()["organizationId"]), (200, &json!(expand("<organization:p>"))));
    assert_eq!((count("o"), count("p")), (json!(0), json!(1)));
    assert_eq!(api.read("/resources/organizations/p")["implied"], true, "it is there because it was named");
    api.pass_seconds(1);
    let alone = api.ask("PUT /resources/accounts/a", r#"{"organizationId":null}"#).json();
    assert_eq!((&alone["organizationId"], count("p")), (&Value::Null, json!(0)));
    api.pass_seconds(1);
    assert_eq!(api.ask("PUT /resources/accounts/a", r#"{"name":"A"}"#).json()["organizationId"], Value::Null);
    // What a sender states later is heard again.
    api.pass_seconds(1);
    api.send(r#"[{"type":"account","accountId":"a","organizationId":"o","messageId":"1"}]"#);
    assert_eq!((organization(&api), count("o")), (json!(expand("<organization:o>")), json!(1)));
}

#[test]
fn a_uuid_of_nobody_is_refused() {
    let api = Api::new();
    let says = r#"400 {"error":{"message":"validation failed","errors":[{"instancePath":"/organizationId","keyword":"reference","params":{"reference":"organization"},"message":"must be the id of a known organization; there is none with this one"}]}}"#;
    let body = r#"{"externalId":"a","organizationId":"00000000-0000-8000-8000-000000000000"}"#;
    api.check("POST /resources/accounts", body, says);
    assert_eq!(api.ask("GET /resources/accounts/a", "").status, 404);
}
