//! `/export/tails`: what is stored after an export, from a position that its reader keeps.

use muster_store::credentials::Scopes;
use serde_json::Value;

use crate::harness::{Api, OPERATOR, TOKEN};

/// The messages of an answer, by their ids, and the last position in it.
fn taken(api: &Api, target: &str) -> (Vec<String>, String) {
    let answer = api.ask(&format!("GET {target}"), "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let lines: Vec<Value> = answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let position = lines.last().unwrap()["position"].as_str().unwrap().to_owned();
    let ids = lines.iter().filter_map(|line| line["message"]["messageId"].as_str().map(str::to_owned));
    (ids.collect(), position)
}

fn make(api: &Api, parameters: &str) -> String {
    let answer = api.ask(&format!("POST /export/tails{parameters}"), "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["name"].as_str().unwrap().to_owned()
}

fn send(api: &Api, ids: &[&str]) {
    let track = |id: &&str| format!(r#"{{"type":"track","userId":"u-{id}","event":"e-{id}","messageId":"{id}"}}"#);
    api.send(&format!("[{}]", ids.iter().map(track).collect::<Vec<_>>().join(",")));
}

#[test]
fn a_reader_gets_each_message_once_and_may_ask_again() {
    let api = Api::new();
    send(&api, &["1", "2"]);
    let tail = make(&api, "");
    send(&api, &["3"]);
    let (mut ids, first) = taken(&api, &format!("/export?tail={tail}"));
    ids.sort();
    assert_eq!(ids, ["1", "2", "3"]);
    let after =
        |position: &str, more: &str| taken(&api, &format!("/export/tails/{tail}?seconds=0&position={position}{more}"));
    assert_eq!(after(&first, ""), (vec![], first.clone()));
    send(&api, &["4", "5"]);
    let (ids, second) = after(&first, "");
    assert_eq!(ids, ["4", "5"], "in the order in which they were accepted");
    assert_eq!(after(&first, "").0, ["4", "5"], "until a later position comes");
    send(&api, &["6", "7"]);
    assert_eq!(after(&second, "&event=e-7"), (vec!["7".to_owned()], after(&second, "").1));
    assert_eq!(after(&second, "&kind=user,account").0, [""; 0]);
    let over = api.ask(&format!("GET /export/tails/{tail}?seconds=0&position={first}"), "");
    assert_eq!(over.status, 409, "{}", over.body);
    assert!(over.body.contains("begin with a new export"), "{}", over.body);
}

#[test]
fn what_is_wrong_is_said() {
    let api = Api::new();
    let tail = make(&api, "?keptSeconds=60");
    for target in [
        format!("GET /export/tails/{tail}"),
        format!("GET /export/tails/{tail}?position=zz"),
        format!("GET /export/tails/{tail}?position=00&seconds=31"),
        format!("GET /export/tails/{tail}?position=00&kind=page"),
        format!("GET /export?tail={tail}&format=csv"),
        "POST /export/tails?keptSeconds=59".to_owned(),
    ] {
        assert_eq!(api.ask(&target, "").status, 400, "{target}");
    }
    for target in ["GET /export/tails/none?position=00", "GET /export?tail=none", "DELETE /export/tails/none"] {
        assert_eq!(api.ask(target, "").status, 404, "{target}");
    }
    assert_eq!(api.ask(&format!("GET /export/tails/{tail}?position=00"), "").status, 409, "no place of this store");
    for _ in 1..8 {
        make(&api, "");
    }
    assert_eq!(api.ask("POST /export/tails", "").status, 400, "there are as many as may be");
}

/// They are no destinations, and nobody sees another workspace's.
#[test]
fn tails_belong_to_a_workspace() {
    let api = Api::new();
    api.key("other", "mk_other", Scopes::READ);
    let other = [("authorization", "Bearer mk_other")];
    let (tail, position) = (make(&api, ""), taken(&api, &format!("/export?tail={}", make(&api, ""))).1);
    let listed = api.read("/export/tails");
    assert_eq!(listed["results"].as_array().unwrap().len(), 2);
    assert_eq!(listed["results"][0]["keptSeconds"], 604_800);
    assert_eq!(api.ask_with("GET /export/tails", &other, "").json()["results"], Value::Array(vec![]));
    for target in [
        format!("GET /export/tails/{tail}?position={position}"),
        format!("GET /export?tail={tail}"),
        format!("DELETE /export/tails/{tail}"),
    ] {
        assert_eq!(api.ask_with(&target, &other, "").status, 404, "{target}");
    }
    assert_eq!(api.read("/admin/v1/destinations")["results"], Value::Array(vec![]));
    let operator = format!("Bearer {OPERATOR}");
    let operator = [("authorization", operator.as_str())];
    assert_eq!(api.ask_with(&format!("DELETE /export/tails/{tail}"), &operator, "").status, 204);
    assert_eq!(api.ask(&format!("DELETE /export/tails/{tail}"), "").status, 404);
    assert_ne!(TOKEN, OPERATOR);
}
