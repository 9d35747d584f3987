//! Views and queries: kept, renamed, removed, by whoever may.

use muster_store::credentials::Scopes;
use serde_json::{Value, json};

use crate::harness::{Api, OPERATOR, now};

const PATH: &str = "/admin/v1/saved-views";

/// Asks with another key.
fn ask_as(api: &Api, token: &str, line: &str, body: &str) -> (u16, Value) {
    let answer = api.ask_with(line, &[("authorization", &format!("Bearer {token}"))], body.to_owned());
    (answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null))
}

fn names(api: &Api) -> Vec<String> {
    let all = api.read(PATH);
    all["results"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn views_are_kept_changed_and_removed() {
    let api = Api::new();
    let at = now().to_millis_text();
    let view = r#"{"kind":"accounts","name":" Best ","text":"?sortBy=mrr&from=x&trait.plan=a+b"}"#;
    let shown = |name: &str| {
        format!(
            r#"{{"id":1,"kind":"accounts","name":"{name}","text":"sortBy=mrr&trait.plan=a%20b","address":"/accounts?sortBy=mrr&trait.plan=a%20b","savedBy":1,"savedAt":"{at}"}}"#
        )
    };
    api.check(&format!("POST {PATH}"), view, &format!("200 {}", shown("Best")));
    let taken = r#"409 {"error":"there is one of this name already; choose another name"}"#;
    api.check(&format!("POST {PATH}"), view, taken);
    let query = json!({"kind": "query", "name": "Days", "text": "select 1\r\nfrom events"}).to_string();
    let (status, query) = ask_as(&api, crate::harness::TOKEN, &format!("POST {PATH}"), &query);
    assert_eq!(
        (status, &query["text"], &query["address"]),
        (200, &json!("select 1\nfrom events"), &json!("/sql?saved=2"))
    );
    api.check(&format!("PATCH {PATH}/1"), r#"{"name":"Best paying"}"#, &format!("200 {}", shown("Best paying")));
    assert_eq!(names(&api), ["Best paying", "Days"]);
    assert_eq!(api.read(&format!("{PATH}?kind=query"))["results"][0]["name"], "Days");
    assert_eq!(api.ask(&format!("GET {PATH}?kind=pages"), "").status, 400);
    let unknown = r#"404 {"error":"there is no such view or query in this workspace"}"#;
    api.check(&format!("DELETE {PATH}/1"), "", "204");
    api.check(&format!("DELETE {PATH}/1"), "", unknown);
    api.check(&format!("PATCH {PATH}/x"), r#"{"name":"y"}"#, unknown);
    assert_eq!(names(&api), ["Days"]);
    for bad in [
        "{}",
        r#"{"kind":"accounts"}"#,
        r#"{"kind":"accounts","name":""}"#,
        r#"{"kind":"pages","name":"x"}"#,
        r#"{"kind":"accounts","name":"x","colour":"red"}"#,
        r#"{"kind":"accounts","name":"x","text":7}"#,
    ] {
        assert_eq!(api.ask(&format!("POST {PATH}"), bad).status, 400, "{bad}");
    }
    let long = json!({"kind": "accounts", "name": "long", "text": format!("search={}", "x".repeat(9_000))});
    assert_eq!(ask_as(&api, crate::harness::TOKEN, &format!("POST {PATH}"), &long.to_string()).0, 400);
}

#[test]
fn a_reader_changes_its_own_an_administrator_all_and_nobody_those_of_others() {
    let api = Api::new();
    api.key("default", "first-reader", Scopes::READ);
    api.key("default", "other-reader", Scopes::READ.union(Scopes::WRITE));
    api.key("default", "only-writes", Scopes::WRITE);
    api.key("other", "of-the-other", Scopes::ALL);
    let view = r#"{"kind":"users","name":"mine","text":""}"#;
    let (status, mine) = ask_as(&api, "first-reader", &format!("POST {PATH}"), view);
    assert_eq!((status, &mine["savedBy"]), (200, &json!(2)));
    let one = format!("{PATH}/{}", mine["id"]);
    let rename = r#"{"name":"ours"}"#;
    for (token, status) in [("only-writes", 403), ("other-reader", 403), ("of-the-other", 404)] {
        assert_eq!(ask_as(&api, token, &format!("PATCH {one}"), rename).0, status, "{token}");
        assert_eq!(ask_as(&api, token, &format!("DELETE {one}"), "").0, status, "{token}");
    }
    assert_eq!(ask_as(&api, "of-the-other", &format!("GET {PATH}"), "").1, json!({"results": []}));
    assert_eq!(ask_as(&api, "of-the-other", &format!("GET {PATH}?workspace=default"), "").0, 403);
    assert_eq!(ask_as(&api, "other-reader", &format!("GET {PATH}"), "").1["results"][0]["name"], "mine");
    assert_eq!(ask_as(&api, "first-reader", &format!("PATCH {one}"), rename).0, 200);
    assert_eq!(ask_as(&api, OPERATOR, &format!("PATCH {one}?workspace=default"), r#"{"text":"sortBy=name"}"#).0, 200);
    api.check(&format!("DELETE {one}"), "", "204");
}
