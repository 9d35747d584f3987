//! Creating and updating organizations.

use muster_store::credentials::Scopes;
use serde_json::{Value, json};

use crate::harness::Api;

#[test]
fn one_is_created_read_at_once_and_updated_by_the_same_request() {
    let api = Api::new();
    let body = r#"{"externalId":"o","name":"World Cup","mrr":12.50,"nextRenewalDate":"2026-03-01",
                  "traits":{"sport":"futbol","hosts":["ar","br"],"vitally.custom.tier":1}}"#;
    let expected = concat!(
        r#"200 {"id":"<organization:o>","createdAt":"<now>","updatedAt":"<now>","externalId":"o","name":"World Cup","#,
        r#""traits":{"hosts":["ar","br"],"mrr":12.50,"name":"World Cup","nextRenewalDate":"2026-03-01","sport":"futbol","#,
        r#""vitally.custom.tier":1},"organizationOwnerId":null,"mrr":12.50,"firstPaidDate":null,"#,
        r#""nextRenewalDate":"2026-03-01T00:00:00.000Z","churnedAt":null,"trialEndDate":null,"usersCount":0,"#,
        r#""accountsCount":0,"healthScore":null,"csmId":null,"accountExecutiveId":null,"segments":[],"keyRoles":[],"#,
        r#""npsDetractorCount":0,"npsPassiveCount":0,"npsPromoterCount":0,"npsScore":null,"implied":false}"#
    );
    api.check("POST /resources/organizations", body, expected);
    api.check("GET /resources/organizations/o", "", expected);
    api.pass_seconds(1);
    let again = api.ask("POST /resources/organizations", r#"{"externalId":"o","name":"Copa"}"#);
    let record = again.json();
    assert_eq!((again.status, &record["name"], &record["traits"]["sport"]), (200, &json!("Copa"), &json!("futbol")));
    assert_eq!(record["createdAt"], "2026-01-01T00:00:00.000Z");
    assert_eq!(record["updatedAt"], "2026-01-01T00:00:01.000Z");
    assert_eq!(api.page("/resources/organizations").0, ["o"]);
}

#[test]
fn an_update_merges_and_null_removes() {
    let api = Api::new();
    api.ask(
        "POST /resources/organizations",
        r#"{"externalId":"o","name":"A","traits":{"keep":1,"drop":2,"deep":{"a":1}}}"#,
    );
    api.pass_seconds(1);
    let updated = api.ask(
        &format!("PUT /resources/organizations/{}", crate::harness::expand("<organization:o>")),
        r#"{"traits":{"drop":null,"deep":{"b":2},"new":"x"}}"#,
    );
    let expected = json!({"name": "A", "keep": 1, "deep": {"b": 2}, "new": "x"});
    assert_eq!((updated.status, &updated.json()["traits"]), (200, &expected));
    api.pass_seconds(1);
    let unnamed = api.ask("PUT /resources/organizations/o", r#"{"name":null}"#).json();
    assert_eq!((&unnamed["name"], &unnamed["traits"]["name"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_record_can_be_sent_back_as_it_was_read() {
    let api = Api::new();
    api.ask("POST /resources/organizations", r#"{"externalId":"o","name":"A","traits":{"n":1.50}}"#);
    let read = api.ask("GET /resources/organizations/o", "").body;
    let written = api.ask("PUT /resources/organizations/o", &read);
    assert_eq!((written.status, written.body), (200, read.clone()));
    let other = r#"400 {"error":{"message":"validation failed","errors":[{"instancePath":"/externalId","keyword":"const","params":{"const":"externalId"},"message":"must be equal to the external id of the record, which cannot be changed"}]}}"#;
    api.check("PUT /resources/organizations/o", r#"{"externalId":"p"}"#, other);
}

#[test]
fn what_is_written_meets_what_was_sent() {
    let api = Api::new();
    api.send(r#"[{"type":"organization","organizationId":"a/b %","messageId":"1","traits":{"name":"Sent"}}]"#);
    api.pass_seconds(1);
    let written = api.ask("PUT /resources/organizations/a%2Fb%20%25", r#"{"name":"Written"}"#);
    assert_eq!((written.status, &written.json()["name"]), (200, &json!("Written")));
    // Sent later, about the time before: what was written stands.
    api.pass_seconds(1);
    api.send(r#"[{"type":"organization","organizationId":"a/b %","messageId":"2","timestamp":"2025-12-31T00:00:00Z","traits":{"name":"Late","plan":"pro"}}]"#);
    let record = api.read("/resources/organizations/a%2Fb%20%25");
    assert_eq!((&record["name"], &record["traits"]["plan"]), (&json!("Written"), &json!("pro")));
}

#[test]
fn nobody_is_updated_into_being() {
    let api = Api::new();
    let unknown = r#"404 {"error":"there is no such organization; its id or external id is not known here"}"#;
    api.check("PUT /resources/organizations/nobody", r#"{"name":"x"}"#, unknown);
    assert_eq!(api.page("/resources/organizations").0, [""; 0]);
}

#[test]
fn writing_needs_its_scope_and_shows_no_more_than_the_key_may_read() {
    let api = Api::new();
    api.key("default", "only-read", Scopes::READ);
    api.key("default", "only-write", Scopes::WRITE);
    api.key("other", "of-another", Scopes::ALL);
    let body = r#"{"externalId":"o","name":"Secret"}"#;
    let with = |token: &str, line: &str| {
        let header = format!("Basic {token}");
        api.ask_with(line, &[("authorization", &header)], body)
    };
    assert_eq!(with("only-read", "POST /resources/organizations").status, 403);
    let written = with("only-write", "POST /resources/organizations");
    let expected = crate::harness::expand(r#"{"id":"<organization:o>","externalId":"o"}"#);
    assert_eq!((written.status, written.body), (200, expected));
    assert_eq!(with("of-another", "PUT /resources/organizations/o").status, 404);
    let id = crate::harness::expand("PUT /resources/organizations/<organization:o>");
    assert_eq!(with("of-another", &id).status, 404);
}

#[test]
fn a_write_says_how_much_of_the_rate_is_left() {
    let api = Api::new();
    let answer = api.ask("POST /resources/organizations", r#"{"externalId":"o"}"#);
    assert_eq!(answer.header("ratelimit-limit"), "60000, 60000;window=60");
    assert_eq!((answer.header("ratelimit-remaining"), answer.header("ratelimit-reset")), ("59999", "1"));
}
