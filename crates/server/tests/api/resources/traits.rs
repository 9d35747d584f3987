//! The history of a trait.

use muster_store::credentials::Scopes;

use crate::harness::{Api, identity};

const FREE: &str = r#"{"type":"account","accountId":"a","messageId":"1","timestamp":"2024-01-02","traits":{"plan.name":"free","x":1}}"#;
const PRO: &str = r#"{"type":"account","accountId":"a","timestamp":"2024-01-05T01:02:03.456Z","traits":{"plan.name":{"b" : 1,"a":[]}}}"#;
const NONE: &str =
    r#"{"type":"account","accountId":"a","messageId":"3","timestamp":"2024-01-09","traits":{"plan.name":null}}"#;

#[test]
fn every_field_in_its_order() {
    let api = Api::new();
    api.send(&format!("[{PRO},{NONE},{FREE}]"));
    let expected = format!(
        concat!(
            r#"200 {{"results":[{{"id":"{}","messageId":"3","timestamp":"2024-01-09T00:00:00.000Z","receivedAt":"<now>","value":null}},"#,
            r#"{{"id":"{}","messageId":null,"timestamp":"2024-01-05T01:02:03.456Z","receivedAt":"<now>","value":{{"a":[],"b":1}}}},"#,
            r#"{{"id":"{}","messageId":"1","timestamp":"2024-01-02T00:00:00.000Z","receivedAt":"<now>","value":"free"}}],"#,
            r#""next":null,"atEnd":true}}"#
        ),
        identity(None, NONE),
        identity(None, PRO),
        identity(None, FREE)
    );
    for id in ["a", "<account:a>"] {
        let target = crate::harness::expand(&format!("GET /resources/accounts/{id}/traits/plan.name/history"));
        api.check(&target, "", &expected);
    }
    api.check("GET /resources/accounts/a/traits/y/history", "", r#"200 {"results":[],"next":null,"atEnd":true}"#);
}

#[test]
fn keys_are_percent_decoded() {
    let api = Api::new();
    api.send(r#"[{"type":"organization","organizationId":"a/b","messageId":"1","traits":{"50% / é":7}}]"#);
    let page = api.read("/resources/organizations/a%2Fb/traits/50%25%20%2F%20%C3%A9/history");
    assert_eq!(page["results"][0]["value"], 7);
    let bad = r#"400 {"error":"the key in the path is not UTF-8 text once its escapes are resolved"}"#;
    api.check("GET /resources/organizations/a%2Fb/traits/%ff/history", "", &bad.replace("key", "id"));
}

#[test]
fn pages() {
    let api = Api::new();
    for day in 1..=9 {
        api.send(&format!(
            r#"[{{"type":"user","userId":"u","accountId":null,"messageId":"{day}","timestamp":"2024-01-0{day}","traits":{{"n":{day}}}}}]"#
        ));
    }
    let path = "/resources/users/u/traits/n/history";
    for limit in [1, 4, 1000] {
        let (mut values, mut target) = (Vec::new(), format!("{path}?limit={limit}"));
        loop {
            let page = api.read(&target);
            values.extend(page["results"].as_array().unwrap().iter().map(|one| one["value"].as_i64().unwrap()));
            let Some(next) = page["next"].as_str() else { break };
            target = format!("{path}?limit={limit}&from={next}");
        }
        assert_eq!(values, [9, 8, 7, 6, 5, 4, 3, 2, 1], "limit {limit}");
    }
    let next = api.read(&format!("{path}?limit=1"))["next"].as_str().unwrap().to_owned();
    assert_eq!(api.ask(&format!("GET /resources/users/u/traits/other/history?from={next}"), "").status, 400);
    let limit = r#"400 {"error":"limit must be a whole number from 1 to 1000"}"#;
    api.check(&format!("GET {path}?limit=0"), "", limit);
}

#[test]
fn only_one_s_own_records_are_told() {
    let api = Api::new();
    api.send(&format!("[{FREE}]"));
    let missing = r#"404 {"error":"there is no such account; its id or external id is not known here"}"#;
    api.check("GET /resources/accounts/b/traits/x/history", "", missing);
    api.key("other", "test-token-of-another-workspace", Scopes::ALL);
    let other = [("authorization", "Basic test-token-of-another-workspace")];
    api.check_with("GET /resources/accounts/a/traits/x/history", &other, "", missing);
    let id = crate::harness::expand("GET /resources/accounts/<account:a>/traits/x/history");
    api.check_with(&id, &other, "", missing);
    assert_eq!(api.ask_with("GET /resources/accounts/a/traits/x/history", &[("authorization", "")], "").status, 401);
}
