//! Imports: begun, told of part by part, gone on with, taken back, each workspace for itself; and their pages.

use muster_store::credentials::Scopes;
use serde_json::{Value, json};

use crate::{
    harness::{Api, TOKEN},
    ui::{ask, csrf, signed_in},
};

const PATH: &str = "/admin/v1/imports";
const BEGIN: &str =
    r#"{"name":"a.ndjson","format":"muster","bytes":90,"fingerprint":"0123456789abcdef0123456789abcdef"}"#;

fn track(n: u32) -> Value {
    json!({"type": "track", "userId": "32", "event": "e", "messageId": format!("m-{n}")})
}

/// Brings messages as a part of an import.
fn bring(api: &Api, parameters: &str, messages: &[Value]) -> (u16, Value) {
    let answer = api.ask(&format!("POST /admin/v1/import?{parameters}"), &Value::from(messages.to_vec()).to_string());
    (answer.status, answer.json())
}

#[test]
fn an_import_is_told_of_part_by_part() {
    let api = Api::new();
    let begun = api.ask(&format!("POST {PATH}"), BEGIN).json();
    assert_eq!((&begun["id"], &begun["state"], &begun["position"]), (&json!(1), &json!("running"), &json!(0)));
    assert_eq!((&begun["keyId"], &begun["undoneBy"]), (&json!(1), &Value::Null), "keys have numbers everywhere");
    let part = "import=1&from=0&to=3&broken=1&bytes=40&total=4";
    assert_eq!(bring(&api, part, &[track(1), track(2)]).0, 200);
    assert_eq!(bring(&api, part, &[track(1), track(2)]).0, 200, "told again, counted once");
    let (status, _) =
        bring(&api, "import=1&from=3&to=4&position=3&refusedBytes=7&bytes=90", &[json!({"type": "user"})]);
    assert_eq!(status, 400);
    let shown = api.read(&format!("{PATH}/1"));
    assert_eq!((&shown["read"], &shown["stored"], &shown["refused"]), (&json!(4), &json!(2), &json!(2)), "{shown}");
    assert_eq!((&shown["position"], &shown["refusedBytes"], &shown["total"]), (&json!(3), &json!(7), &json!(4)));
    api.pass_seconds(61);
    assert_eq!(api.read(&format!("{PATH}/1"))["state"], "interrupted");
    let again = api.ask(&format!("POST {PATH}"), BEGIN).json();
    assert_eq!((&again["id"], &again["position"], &again["state"]), (&json!(1), &json!(3), &json!("running")));
    assert_eq!(bring(&api, "import=1&from=4&to=4&position=4&ends=true", &[]).0, 200);
    assert_eq!(bring(&api, "import=1&from=4&to=4&position=4&ends=true", &[]).0, 200, "the last word may be said twice");
    assert_eq!(api.read(&format!("{PATH}/1"))["state"], "complete");
    assert_eq!(api.ask(&format!("POST {PATH}"), BEGIN).json()["id"], 2, "a complete one is not gone on with");
    let listed = api.read(PATH)["results"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Value>();
    assert_eq!(listed, json!([2, 1]));
}

#[test]
fn what_is_wrong_is_said() {
    let api = Api::new();
    api.key("other", "token-of-another", Scopes::ALL);
    let other = ("authorization", "Bearer token-of-another");
    api.ask(&format!("POST {PATH}"), BEGIN);
    for path in ["7", "0", "x"] {
        assert_eq!(api.ask(&format!("GET {PATH}/{path}"), "").status, 404, "{path}");
        assert_eq!(bring(&api, &format!("import={path}&from=0&to=1"), &[track(1)]).0, 404);
        assert_eq!(api.ask(&format!("POST {PATH}/{path}/undo"), "").status, 404);
    }
    for parameters in ["from=2&to=1", "from=x&to=1", "from=-1", "from=0&to=1&position=2", "from=0&to=1&ends=perhaps"] {
        assert_eq!(bring(&api, &format!("import=1&{parameters}"), &[track(1)]).0, 400, "{parameters}");
    }
    for body in
        ["{}", r#"{"format":"m","fingerprint":"abc"}"#, r#"{"format":"m","bytes":-1}"#, r#"{"format":"m","x":1}"#]
    {
        assert_eq!(api.ask(&format!("POST {PATH}"), body).status, 400, "{body}");
    }
    assert_eq!(api.ask_with(&format!("GET {PATH}/1"), &[other], "").status, 404);
    assert_eq!(api.ask_with(&format!("GET {PATH}"), &[other], "").json(), json!({"results": []}));
    api.key("default", "token-of-a-reader", Scopes::READ);
    let reader = ("authorization", "Bearer token-of-a-reader");
    assert_eq!(api.ask_with(&format!("GET {PATH}"), &[reader], "").status, 403);
}

#[test]
fn what_is_taken_back_may_come_again() {
    let api = Api::new();
    api.ask(&format!("POST {PATH}"), BEGIN);
    bring(&api, "import=1&from=0&to=2", &[track(1), track(2)]);
    api.ask("POST /analytics/v1/batch", &Value::from(vec![track(2)]).to_string());
    let undone = api.ask(&format!("POST {PATH}/1/undo"), "");
    assert_eq!(
        (undone.status, &undone.json()["state"], &undone.json()["takenBack"]),
        (202, &json!("undone"), &json!(1))
    );
    assert_eq!(api.ask(&format!("POST {PATH}/1/undo"), "").status, 202, "asking again changes nothing");
    let events = api.read("/resources/users/32/events");
    assert_eq!(events["results"].as_array().map(Vec::len), Some(1), "what a sender sent too stays");
    let (status, says) = bring(&api, "import=1&from=2&to=3", &[track(3)]);
    assert!(status == 400 && says.to_string().contains("taken back"), "{says}");
    api.ask("POST /analytics/v1/batch", &Value::from(vec![track(1)]).to_string());
    assert_eq!(api.read("/resources/users/32/events")["results"].as_array().map(Vec::len), Some(2));
}

#[test]
fn pages_show_imports_and_ask_before_one_is_taken_back() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    assert!(ask(&api, "GET /admin/imports", &cookie, "").body.contains("None yet"));
    api.ask(&format!("POST {PATH}"), &BEGIN.replace("a.ndjson", "<b>.ndjson"));
    bring(&api, "import=1&from=0&to=1&total=4", &[track(1)]);
    let page = ask(&api, "GET /admin/imports", &cookie, "").body;
    assert!(page.contains("<progress max=\"100\" value=\"25\""), "{page}");
    assert!(!page.contains("<b>.ndjson"), "names are text");
    let asks = ask(&api, "GET /admin/imports/1/undo", &cookie, "").body;
    let body = |word: &str| format!("csrf={}&word={word}", csrf(&asks));
    assert_eq!(ask(&api, "POST /admin/imports/1/undo", &cookie, &body("yes")).status, 400);
    assert_eq!(api.read(&format!("{PATH}/1"))["state"], "running");
    assert_eq!(ask(&api, "POST /admin/imports/1/undo", &cookie, &body("undo")).status, 303);
    let page = ask(&api, "GET /admin/imports/1", &cookie, "").body;
    assert!(page.contains("undone") && !page.contains("/undo\""), "{page}");
    assert_eq!(ask(&api, "GET /admin/imports/9", &cookie, "").status, 404);
}
