//! Messages set aside.

use muster_model::kind::Kind;
use serde_json::{Value, json};

use crate::harness::{Api, refused_id};

const BAD: &str = r#"{"type":"user","userId":"u","messageId":"1"}"#;
const SAYS: &str = "a user needs accountId or organizationId; send the account the user belongs to, or accountId: null to state that there is none";
const SUCCESS: &str = r#"200 {"message":"Success."}"#;
const UNKNOWN: &str = r#"404 {"error":"there is no such message set aside; its id or external id is not known here"}"#;

fn refuse(api: &Api, message: &str) -> String {
    assert_eq!(api.ask("POST /analytics/v1/batch", &format!("[{message}]")).status, 400);
    refused_id(None, message)
}

fn kept(api: &Api) -> Vec<Value> {
    api.read("/resources/refused")["results"].as_array().unwrap().clone()
}

#[test]
fn every_field_in_its_order() {
    let api = Api::new();
    let id = refuse(&api, BAD);
    let entry = format!(
        r#"{{"id":"{id}","receivedAt":"<now>","code":"user_needs_parent","instancePath":"/accountId","message":"{SAYS}","keyId":1,"type":null,"body":{BAD}}}"#
    );
    api.check(&format!("GET /resources/refused/{id}"), "", &format!("200 {entry}"));
    let page = format!(r#"200 {{"results":[{entry}],"next":null,"atEnd":true}}"#);
    api.check("GET /resources/refused", "", &page);
    // The same bytes refused again are one entry.
    refuse(&api, BAD);
    assert_eq!(kept(&api).len(), 1);
}

#[test]
fn pages() {
    let api = Api::new();
    for at in 0..5 {
        refuse(&api, &format!(r#"{{"type":"user","userId":"{at}","messageId":"1"}}"#));
        api.pass_seconds(1);
    }
    let mut users = Vec::new();
    let mut target = "/resources/refused?limit=2".to_owned();
    loop {
        let page = api.read(&target);
        users.extend(
            page["results"].as_array().unwrap().iter().map(|one| one["body"]["userId"].as_str().unwrap().to_owned()),
        );
        assert_eq!(page["atEnd"], page["next"].is_null());
        let Some(next) = page["next"].as_str() else { break };
        target = format!("/resources/refused?limit=2&from={next}");
    }
    assert_eq!(users, ["4", "3", "2", "1", "0"]);
    assert_eq!(api.ask("GET /resources/refused?limit=101", "").status, 400);
}

#[test]
fn a_corrected_message_takes_its_place() {
    let api = Api::new();
    let id = refuse(&api, BAD);
    let line = format!("POST /resources/refused/{id}/resend");
    // Still wrong, in another way: it stays as it was.
    let worse = r#"{"type":"user","accountId":"a","messageId":"1"}"#;
    let answer = api.ask(&line, worse);
    let error = &answer.json()["error"];
    assert_eq!((answer.status, &error["stored"]), (400, &json!(0)));
    assert_eq!(
        (&error["errors"][0]["code"], &error["errors"][0]["instancePath"]),
        (&json!("missing_field"), &json!("/userId"))
    );
    assert_eq!(api.ask(&line, "nonsense").json()["error"]["errors"][0]["code"], "invalid_json");
    assert_eq!((kept(&api).len(), &kept(&api)[0]["body"]), (1, &serde_json::from_str(BAD).unwrap()));
    api.check(&line, r#"{"type":"user","userId":"u","accountId":"a","messageId":"1"}"#, SUCCESS);
    assert_eq!(kept(&api), [Value::Null; 0]);
    assert_eq!(api.page("/resources/users").0, ["u"]);
    api.check(&line, "", UNKNOWN);
}

#[test]
fn a_kept_message_is_sent_as_it_is() {
    let api = Api::with(|settings| settings.message.message_keys_max = 6);
    let many = r#"{"type":"account","accountId":"a","messageId":"1","traits":{"a":1,"b":2,"c":3}}"#;
    let id = refuse(&api, many);
    let line = format!("POST /resources/refused/{id}/resend");
    let answer = api.ask(&line, "");
    assert_eq!((answer.status, &answer.json()["error"]["errors"][0]["code"]), (400, &json!("too_many_keys")));
    assert_eq!(kept(&api).len(), 1, "still refused, it stays");
    // The operator raises the bound; over the same store, the kept message is good.
    let wider = Api::over(api.store.reopened(), |settings| settings.operator_token = None);
    drop(api);
    assert_eq!(kept(&wider).len(), 1);
    wider.check(&line, "", SUCCESS);
    assert_eq!(kept(&wider), [Value::Null; 0]);
    assert_eq!(wider.read("/resources/accounts/a")["traits"]["c"], 3);
}

#[test]
fn the_path_it_came_by_is_the_path_it_takes() {
    let api = Api::new();
    let message = r#"{"userId":"u","messageId":"1"}"#;
    assert_eq!(api.ask("POST /analytics/v1/user", message).status, 400);
    let line = format!("POST /resources/refused/{}/resend", refused_id(Some(Kind::User), message));
    let answer = api.ask(&line, message);
    assert_eq!(answer.json()["error"]["errors"][0]["instancePath"], "/accountId");
    let prefer = [("prefer", "return=representation")];
    let answer = api.ask_with(&line, &prefer, r#"{"userId":"u","accountId":null,"messageId":"1"}"#);
    assert_eq!((answer.status, &answer.json()["results"][0]["status"]), (200, &json!("stored")));
    assert_eq!(api.page("/resources/users").0, ["u"]);
}

#[test]
fn a_conflict_sent_again_as_it_was_stays() {
    let api = Api::new();
    let message =
        |name: &str| format!(r#"{{"type":"account","accountId":"a","messageId":"1","traits":{{"name":"{name}"}}}}"#);
    api.send(&format!("[{}]", message("first")));
    api.send(&format!("[{}]", message("second")));
    let entry = kept(&api)[0].clone();
    assert_eq!((&entry["code"], &entry["keyId"]), (&json!("conflict"), &json!(1)));
    let line = format!("POST /resources/refused/{}/resend", entry["id"].as_str().unwrap());
    let answer = api.ask(&line, "");
    assert_eq!((answer.status, &answer.json()["error"]["errors"][0]["code"]), (400, &json!("conflict")));
    assert_eq!(kept(&api).len(), 1);
    // With a messageId of its own it is another message.
    api.pass_seconds(1);
    api.check(&line, &message("second").replace(r#""messageId":"1""#, r#""messageId":"2""#), SUCCESS);
    assert_eq!(kept(&api), [Value::Null; 0]);
    assert_eq!(api.read("/resources/accounts/a")["name"], "second");
}

#[test]
fn dropped_is_gone() {
    let api = Api::new();
    let id = refuse(&api, BAD);
    let line = format!("DELETE /resources/refused/{id}");
    api.check(&line, "", "204");
    api.check(&line, "", UNKNOWN);
    api.check(&format!("GET /resources/refused/{id}"), "", UNKNOWN);
    api.check("GET /resources/refused/nonsense", "", UNKNOWN);
    assert_eq!(kept(&api), [Value::Null; 0]);
}
