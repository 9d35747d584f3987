//! Instances of a custom object.

use muster_model::id::IdSpace;
use serde_json::{Value, json};

use crate::harness::{Api, expand};

const INSTANCES: &str = "/resources/customObjects/tickets/instances";

fn api() -> Api {
    let api = Api::new();
    api.ask("POST /resources/customObjects", r#"{"name":"tickets"}"#);
    api
}

fn id(external_id: &str) -> String {
    IdSpace::new("default").instance("tickets", external_id).to_string()
}

#[test]
fn every_field_in_its_order() {
    let api = api();
    api.send(r#"[{"type":"organization","organizationId":"o","messageId":"1"}]"#);
    let body = r#"{"externalId":"t/1","name":"First","customerId":"a","organizationId":"<organization:o>",
                   "traits":{"priority":"high"},"archivedAt":"2026-01-02"}"#;
    let answer = api.ask(&format!("POST {INSTANCES}"), body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let head = format!(
        concat!(
            r#"{{"id":"{}","createdAt":"<now>","updatedAt":"<now>","name":"First","externalId":"t/1","#,
            r#""customObjectId":"{}","customerId":"<account:a>","organizationId":"<organization:o>","#,
            r#""customer":{{"id":"<account:a>","#
        ),
        id("t/1"),
        IdSpace::new("default").custom_object("tickets")
    );
    assert!(answer.body.starts_with(&expand(&head)), "{}", answer.body);
    let tail = concat!(
        r#""traits":{"archivedAt":"2026-01-02","priority":"high"},"archivedAt":"2026-01-02T00:00:00.000Z","#,
        r#""createdByVitallyUserId":null,"ownedByVitallyUserId":null}"#
    );
    assert!(answer.body.ends_with(tail), "{}", answer.body);
    let record = answer.json();
    assert_eq!(record["customer"], api.read("/resources/accounts/a"));
    assert_eq!(record["organization"], api.read("/resources/organizations/o"));
    assert_eq!(api.read(INSTANCES)["results"], json!([record]));
}

#[test]
fn one_is_updated_by_either_id_and_leaves_a_parent() {
    let api = api();
    let made = api
        .ask(&format!("POST {INSTANCES}"), r#"{"externalId":"1","name":"A","customerId":"a","traits":{"n":1,"m":1}}"#);
    assert_eq!(made.status, 200, "{}", made.body);
    api.pass_seconds(1);
    let changed = api.ask(&format!("PUT {INSTANCES}/1"), r#"{"organizationId":"o","traits":{"n":null}}"#).json();
    assert_eq!((&changed["name"], &changed["traits"]), (&json!("A"), &json!({"m": 1})));
    assert_eq!(changed["customerId"], expand("<account:a>"));
    api.pass_seconds(1);
    let left = api.ask(&format!("PUT {INSTANCES}/{}", id("1")), r#"{"customerId":null}"#).json();
    assert_eq!((&left["customerId"], &left["customer"]), (&Value::Null, &Value::Null));
    assert_eq!(left["organizationId"], expand("<organization:o>"));
    let orphan = api.ask(&format!("PUT {INSTANCES}/1"), r#"{"organizationId":null}"#);
    assert_eq!((orphan.status, &orphan.json()["error"]["errors"][0]["keyword"]), (400, &json!("required")));
    api.pass_seconds(1);
    let again = api.ask(&format!("POST {INSTANCES}"), r#"{"externalId":"1","name":"B"}"#).json();
    assert_eq!((&again["id"], &again["name"]), (&json!(id("1")), &json!("B")));
    let unknown = r#"404 {"error":"there is no such custom object instance; its id or external id is not known here"}"#;
    api.check(&format!("PUT {INSTANCES}/2"), "{}", unknown);
    api.ask("POST /resources/customObjects", r#"{"name":"deals"}"#);
    api.check(&format!("PUT /resources/customObjects/deals/instances/{}", id("1")), "{}", unknown);
}

#[test]
fn one_without_an_id_of_its_own_is_given_one() {
    let api = api();
    let made = api.ask(&format!("POST {INSTANCES}"), r#"{"customerId":"a"}"#).json();
    let external_id = made["externalId"].as_str().unwrap();
    assert_eq!(made["id"], id(external_id));
    assert_eq!(api.ask(&format!("PUT {INSTANCES}/{external_id}"), r#"{"name":"A"}"#).json()["name"], "A");
    let nowhere = api.ask(&format!("POST {INSTANCES}"), r#"{"name":"x"}"#);
    assert_eq!((nowhere.status, &nowhere.json()["error"]["errors"][0]["keyword"]), (400, &json!("required")));
}

#[test]
fn a_list_is_of_one_object_in_pages_archived_or_not() {
    let api = api();
    for number in 0..5 {
        api.pass_seconds(1);
        let archived = if number % 2 == 0 { r#","archivedAt":"2026-01-01""# } else { "" };
        api.ask(&format!("POST {INSTANCES}"), &format!(r#"{{"externalId":"{number}","customerId":"a"{archived}}}"#));
    }
    api.send(r#"[{"type":"customobjectinstance","externalId":"9","customObjectId":"deals","accountId":"a","messageId":"1"}]"#);
    assert_eq!(api.page(INSTANCES).0, ["4", "3", "2", "1", "0"]);
    assert_eq!(api.page(&format!("{INSTANCES}?archived=true")).0, ["4", "2", "0"]);
    assert_eq!(api.page(&format!("{INSTANCES}?archived=false")).0, ["3", "1"]);
    let (mut seen, mut from) = (Vec::new(), String::new());
    loop {
        let (ids, next) = api.page(&format!("{INSTANCES}?limit=2&sortBy=createdAt&from={from}"));
        seen.extend(ids);
        api.pass_seconds(1);
        // What changes meanwhile keeps its place by creation.
        api.ask(&format!("PUT {INSTANCES}/0"), r#"{"traits":{"n":1}}"#);
        let Some(next) = next else { break };
        from = next;
    }
    assert_eq!(seen, ["4", "3", "2", "1", "0"]);
    assert_eq!(api.page(&format!("{INSTANCES}?limit=1")).0, ["0"]);
    assert_eq!(api.ask(&format!("GET {INSTANCES}?from=x"), "").status, 400);
    let wrong = r#"400 {"error":"archived must be one of true, false"}"#;
    api.check(&format!("GET {INSTANCES}?archived=maybe"), "", wrong);
    assert_eq!(api.page("/resources/customObjects/deals/instances").0, ["9"]);
}

/// The path of a search was once the only thing that `search` could mean.
#[test]
fn one_may_be_called_search() {
    let api = api();
    api.ask(&format!("POST {INSTANCES}"), r#"{"externalId":"search","customerId":"a"}"#);
    let changed = api.ask(&format!("PUT {INSTANCES}/search"), r#"{"name":"A"}"#);
    assert_eq!((changed.status, &changed.json()["name"]), (200, &json!("A")));
    assert_eq!(api.ask(&format!("DELETE {INSTANCES}/search/"), "").status, 204);
    assert_eq!(api.ask(&format!("PUT {INSTANCES}/search"), "{}").status, 404);
    assert_eq!(api.ask(&format!("GET {INSTANCES}/search"), "").status, 400, "this is the search");
    api.ask("POST /resources/users", r#"{"externalId":"search"}"#);
    assert_eq!(api.ask("PUT /resources/users/search", r#"{"name":"Ada"}"#).json()["name"], "Ada");
    assert_eq!(api.read("/resources/users/%73earch")["name"], "Ada");
    api.pass_seconds(1);
    assert_eq!(api.ask("DELETE /resources/users/search", "").status, 204);
    assert_eq!(api.ask("PUT /resources/users/search", "{}").status, 404);
    let wrong = api.ask("PATCH /resources/users/search", "{}");
    let mut allow: Vec<&str> = wrong.header("allow").split(',').collect();
    allow.sort_unstable();
    assert_eq!((wrong.status, allow), (405, vec!["DELETE", "GET", "HEAD", "PUT"]));
}

#[test]
fn a_search_is_by_one_property() {
    let api = api();
    api.ask(&format!("POST {INSTANCES}"), r#"{"externalId":"1","customerId":"a","traits":{"tier":"gold","n":1}}"#);
    api.ask(&format!("POST {INSTANCES}"), r#"{"externalId":"2","organizationId":"o","traits":{"tier":"tin"}}"#);
    let found = |query: &str| -> Vec<String> {
        let answer = api.read(&format!("{INSTANCES}/search?{query}"));
        answer.as_array().unwrap().iter().map(|one| one["externalId"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(found("externalId=1"), ["1"]);
    assert_eq!(found(&format!("id={}", id("2"))), ["2"]);
    assert_eq!(found("customerId=a"), ["1"]);
    assert_eq!(found(&format!("customerId={}", expand("<account:a>"))), ["1"]);
    assert_eq!(found("organizationId=o"), ["2"]);
    assert_eq!(found("customFieldId=tier&customFieldValue=gold"), ["1"]);
    assert_eq!(found("customFieldId=n&customFieldValue=1"), ["1"]);
    for nothing in ["externalId=9", "id=9", "customerId=nobody", "customFieldId=tier&customFieldValue=g"] {
        assert_eq!(found(nothing), [""; 0], "{nothing}");
    }
    for wrong in [
        "",
        "id=1&externalId=1",
        "customFieldId=tier",
        "customFieldValue=gold",
        "customerId=a&customFieldValue=x",
        "customFieldId=none&customFieldValue=x",
    ] {
        assert_eq!(api.ask(&format!("GET {INSTANCES}/search?{wrong}"), "").status, 400, "{wrong}");
    }
}

#[test]
fn workspaces_never_meet() {
    let api = api();
    api.ask(&format!("POST {INSTANCES}"), r#"{"externalId":"1","customerId":"a"}"#);
    api.key("other", "of-another", muster_store::credentials::Scopes::ALL);
    let other = [("authorization", "Basic of-another")];
    for line in [
        format!("GET {INSTANCES}"),
        format!("GET {INSTANCES}/search?externalId=1"),
        format!("GET /resources/customObjects/{}", IdSpace::new("default").custom_object("tickets")),
        format!("PUT {INSTANCES}/1"),
    ] {
        assert_eq!(api.ask_with(&line, &other, "{}").status, 404, "{line}");
    }
    let none = r#"200 {"results":[],"next":null,"atEnd":true}"#;
    api.check_with("GET /resources/customObjects", &other, "", none);
}
