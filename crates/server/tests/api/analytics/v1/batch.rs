//! Batches: stored, refused, set aside, atomic, with results.

use muster_store::refused::RefusedId;

use crate::harness::{Api, identity, refused_id};

const PREFER: (&str, &str) = ("prefer", "return=representation");
const GOOD: &str = r#"{"type":"account","accountId":"a","messageId":"1","timestamp":"2020-01-01T00:00:00Z"}"#;
const BAD: &str = r#"{"type":"user","userId":"u","messageId":"2"}"#;
const BAD_SAYS: &str = "a user needs accountId or organizationId; send the account the user belongs to, or accountId: null to state that there is none";

#[test]
fn what_is_good_is_stored_and_the_same_again_changes_nothing() {
    let api = Api::new();
    api.check("POST /analytics/v1/batch", "[]", r#"200 {"message":"Success."}"#);
    api.send(&format!("[{GOOD}]"));
    let before = api.ask("GET /resources/accounts/a", "").body;
    api.pass_seconds(5);
    api.send(&format!(" [ {GOOD} , {GOOD} ] "));
    assert_eq!(api.ask("GET /resources/accounts/a", "").body, before);
}

#[test]
fn the_documentations_example() {
    let api = Api::new();
    let example = include_str!("../../../../../cli/tests/data/documentation-example.json");
    for _ in 0..2 {
        api.send(example);
        for timeline in ["users/32", "accounts/123456", "organizations/abcdefg"] {
            let page = api.read(&format!("/resources/{timeline}/events"));
            assert_eq!(page["results"].as_array().unwrap().len(), 1, "{page}");
            assert_eq!(page["results"][0]["event"], "scored-goal");
            assert_eq!(page["results"][0]["accountId"], "123456");
            assert_eq!(page["results"][0]["organizationId"], "abcdefg");
        }
    }
}

#[test]
fn the_bad_ones_are_refused_and_the_others_stored() {
    let api = Api::new();
    let other = r#"{"type":"track","userId":"u","event":"e"}"#;
    let expected = format!(
        concat!(
            r#"400 {{"error":{{"message":"2 of 3 messages were refused","stored":1,"errors":["#,
            r#"{{"index":1,"code":"user_needs_parent","instancePath":"/1/accountId","message":"{}"}},"#,
            r#"{{"index":2,"code":"needs_message_id_or_timestamp","instancePath":"/2","message":"the message carries neither "#,
            r#"messageId nor timestamp, so it could not be told from another like it; send at least one of them, both is best"}}]}}}}"#
        ),
        BAD_SAYS
    );
    api.check("POST /analytics/v1/batch", &format!("[{GOOD},{BAD},{other}]"), &expected);
    assert_eq!(api.page("/resources/accounts").0, ["a"]);
    assert_eq!(api.read("/resources/refused")["results"].as_array().unwrap().len(), 2);
    // Sent again, what had been stored counts as stored.
    api.check("POST /analytics/v1/batch", &format!("[{GOOD},{BAD},{other}]"), &expected);
    let one = format!(
        r#"400 {{"error":{{"message":"1 of 1 messages was refused","stored":0,"errors":[{{"index":0,"code":"user_needs_parent","instancePath":"/0/accountId","message":"{BAD_SAYS}"}}]}}}}"#
    );
    api.check("POST /analytics/v1/batch", &format!("[{BAD}]"), &one);
}

#[test]
fn ninety_eight_good_and_two_bad() {
    let api = Api::new();
    let message = |at: usize| match at {
        31 | 64 => format!(r#"{{"type":"user","userId":"bad-{at}","messageId":"m"}}"#),
        _ => format!(r#"{{"type":"account","accountId":"a-{at}","messageId":"m"}}"#),
    };
    let batch: Vec<String> = (0..100).map(message).collect();
    let answer = api.ask("POST /analytics/v1/batch", &format!("[{}]", batch.join(",")));
    assert_eq!(answer.status, 400);
    let error = &answer.json()["error"];
    assert_eq!((&error["message"], &error["stored"]), (&"2 of 100 messages were refused".into(), &98.into()));
    assert_eq!((&error["errors"][0]["index"], &error["errors"][1]["index"]), (&31.into(), &64.into()));
    assert_eq!(api.page("/resources/accounts?limit=100").0.len(), 98);
    for refused in api.read("/resources/refused")["results"].as_array().unwrap() {
        let user = refused["body"]["userId"].as_str().unwrap();
        let fixed = format!(r#"{{"type":"user","userId":"{user}","accountId":"a-1","messageId":"m"}}"#);
        let line = format!("POST /resources/refused/{}/resend", refused["id"].as_str().unwrap());
        api.check(&line, &fixed, r#"200 {"message":"Success."}"#);
    }
    assert_eq!(api.read("/resources/refused")["results"].as_array().unwrap().len(), 0);
    assert_eq!(api.page("/resources/users").0.len(), 2);
}

#[test]
fn an_atomic_batch_is_stored_whole_or_not_at_all() {
    let api = Api::new();
    let expected = format!(
        r#"400 {{"error":{{"message":"1 of 2 messages was refused","stored":0,"errors":[{{"index":1,"code":"user_needs_parent","instancePath":"/1/accountId","message":"{BAD_SAYS}"}}]}}}}"#
    );
    let batch = format!("[{GOOD},{BAD}]");
    api.check("POST /analytics/v1/batch?atomic=true", &batch, &expected);
    let whole = format!(
        r#"{},"results":[{{"index":0,"status":"refused","id":null}},{{"index":1,"status":"refused","id":null}}]}}"#,
        &expected[..expected.len() - 1]
    );
    api.check_with("POST /analytics/v1/batch?atomic=true", &[PREFER], &batch, &whole);
    for list in ["accounts", "users", "refused"] {
        assert_eq!(api.read(&format!("/resources/{list}"))["results"], serde_json::json!([]), "{list}");
    }
    api.check("POST /analytics/v1/batch?atomic=true", &format!("[{GOOD}]"), r#"200 {"message":"Success."}"#);
    assert_eq!(api.ask("POST /analytics/v1/batch?atomic=false", &batch).json()["error"]["stored"], 1);
    api.check("POST /analytics/v1/batch?atomic=yes", "[]", r#"400 {"error":"atomic must be true or false"}"#);
}

#[test]
fn results_are_given_on_request() {
    let api = Api::new();
    let conflict = GOOD.replace("2020", "2021");
    let (stored, refused) = (identity(None, GOOD), refused_id(None, BAD));
    let line = "POST /analytics/v1/batch";
    let expected =
        format!(r#"200 {{"message":"Success.","results":[{{"index":0,"status":"stored","id":"{stored}"}}]}}"#);
    api.check_with(line, &[PREFER], &format!("[{GOOD}]"), &expected);
    let answer = api.ask_with(line, &[PREFER], format!("[{BAD},{GOOD},{conflict}]"));
    assert_eq!((answer.status, answer.header("preference-applied")), (400, "return=representation"));
    let results = answer.json()["results"].clone();
    let conflict_id = results[2]["id"].as_str().unwrap().to_owned();
    let expected = serde_json::json!([
        {"index": 0, "status": "refused", "id": refused},
        {"index": 1, "status": "duplicate", "id": stored},
        {"index": 2, "status": "conflict", "id": conflict_id},
    ]);
    assert_eq!(results, expected);
    assert!(RefusedId::parse(&conflict_id).is_some());
    let kept = api.read(&format!("/resources/refused/{conflict_id}"));
    assert_eq!(kept["code"], "conflict");
    // Without the header a conflict does not show.
    api.check(line, &format!("[{conflict}]"), r#"200 {"message":"Success."}"#);
}

#[test]
fn extra_slashes_and_unknown_parameters_are_harmless() {
    let api = Api::new();
    for path in
        ["//analytics//v1///batch", "/analytics/v1/batch/", "/analytics/v1/batch?x=y&z", "//analytics/v1/batch/?x"]
    {
        api.check(&format!("POST {path}"), &format!("[{GOOD}]"), r#"200 {"message":"Success."}"#);
    }
    let answer = api.ask("POST //analytics/v1/batch?atomic=true", &format!("[{GOOD},{BAD}]"));
    assert_eq!(answer.json()["error"]["stored"], 0);
}
