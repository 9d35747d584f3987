//! Records as of a time.

use serde_json::{Value, json};

use crate::harness::Api;

fn story() -> Api {
    let api = Api::new();
    api.send(
        r#"[{"type":"account","accountId":"a","organizationId":"o","messageId":"1","timestamp":"2024-01-02","traits":{"name":"Ace","mrr":10}},
            {"type":"user","userId":"u","accountId":"a","messageId":"2","timestamp":"2024-01-03","traits":{"name":"Ada"}},
            {"type":"track","userId":"u","event":"e","messageId":"3","timestamp":"2024-01-04"},
            {"type":"track","userId":"u","event":"e","messageId":"4","timestamp":"2024-01-08"},
            {"type":"account","accountId":"a","organizationId":"p","messageId":"5","timestamp":"2024-01-06","traits":{"mrr":null,"plan":"pro"}},
            {"type":"unlink","userId":"u","accountId":"a","messageId":"6","timestamp":"2024-01-07"}]"#,
    );
    api
}

fn fields(record: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| record[*name].clone()).collect()
}

#[test]
fn an_account_as_it_was() {
    let api = story();
    let account = |at: &str| api.read(&format!("/resources/accounts/a?asOf={at}"));
    let now = api.read("/resources/accounts/a");
    let names = ["name", "mrr", "traits", "organizationId", "implied"];
    let organization = |name: &str| crate::harness::expand(&format!("<organization:{name}>"));
    let then = account("2024-01-05");
    let expected = json!(["Ace", 10, {"mrr": 10, "name": "Ace"}, organization("o"), false]);
    assert_eq!(fields(&then, &names), expected);
    let later = account("2024-01-06");
    assert_eq!(fields(&later, &names), json!(["Ace", null, {"name": "Ace", "plan": "pro"}, organization("p"), false]));
    assert_eq!(fields(&later, &names), fields(&now, &names));
    let uncounted = ["usersCount", "npsDetractorCount", "npsScore", "firstSeenTimestamp", "lastSeenTimestamp"];
    assert_eq!(fields(&then, &uncounted), json!([null, null, null, null, null]));
    assert_eq!(then["createdAt"], now["createdAt"]);
    let keys = |record: &Value| record.as_object().unwrap().keys().cloned().collect::<Vec<String>>();
    assert_eq!(keys(&then), keys(&now), "the same fields as ever");
}

#[test]
fn a_user_as_it_was() {
    let api = story();
    let user = |at: &str| api.read(&format!("/resources/users/u?asOf={at}"));
    let then = user("2024-01-05");
    assert_eq!(then["accounts"][0]["externalId"], "a");
    assert_eq!(fields(&then["accounts"][0], &["mrr", "usersCount"]), json!([10, null]));
    assert_eq!(then["lastSeenTimestamp"], "2024-01-04T00:00:00.000Z");
    assert_eq!(user("2024-01-03")["lastSeenTimestamp"], Value::Null);
    assert_eq!(user("2024-01-07")["accounts"], json!([]));
    assert_eq!(user("2024-01-09")["lastSeenTimestamp"], "2024-01-08T00:00:00.000Z");
}

#[test]
fn an_organization_as_it_was() {
    let api = story();
    let then = api.read("/resources/organizations/o?asOf=2024-01-05");
    assert_eq!(fields(&then, &["implied", "accountsCount", "usersCount"]), json!([true, null, null]));
}

#[test]
fn before_it_was_known_there_is_no_record() {
    let api = story();
    let unknown = r#"404 {"error":"this account was not known yet at the time that asOf names; ask for a later one"}"#;
    api.check("GET /resources/accounts/a?asOf=2024-01-01T23:59:59.999Z", "", unknown);
    let missing = r#"404 {"error":"there is no such user; its id or external id is not known here"}"#;
    api.check("GET /resources/users/nobody?asOf=2024-01-05", "", missing);
    let soon = r#"400 {"error":"asOf must be ISO 8601 text, such as 2018-05-15T12:31:12.123Z"}"#;
    api.check("GET /resources/users/u?asOf=soon", "", soon);
    assert_eq!(api.read("/resources/users/u?asOf=")["externalId"], "u");
}
