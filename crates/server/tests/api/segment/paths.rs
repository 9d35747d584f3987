//! Every path, in both forms.

use super::{SUCCESS, rows};
use crate::harness::Api;

const CALLS: [(&str, &str); 6] = [
    ("identify", r#"{"userId":"u","traits":{"a":1},"messageId":"1"}"#),
    ("group", r#"{"userId":"u","groupId":"g","traits":{"a":1},"messageId":"1"}"#),
    ("track", r#"{"userId":"u","event":"e","messageId":"1"}"#),
    ("page", r#"{"userId":"u","name":"Home","messageId":"2"}"#),
    ("screen", r#"{"userId":"u","name":"Home","messageId":"3"}"#),
    ("alias", r#"{"userId":"u","previousId":"x","messageId":"4"}"#),
];

#[test]
fn each_call_has_a_long_path_and_a_short_one() {
    let all = r#"[["account",1],["track",3],["user",3]]"#;
    for short in [false, true] {
        let api = Api::new();
        for (name, call) in CALLS {
            let name = if short { &name[..1] } else { name };
            api.check(&format!("POST /v1/{name}"), call, SUCCESS);
            api.check(&format!("POST /v1/{name}/"), call, SUCCESS);
        }
        assert_eq!(rows(&api, "select kind, count(*) from messages group by 1 order by 1"), all);
    }
}

#[test]
fn batches_are_taken_on_every_path_for_them() {
    let calls = CALLS.map(|(name, call)| call.replacen('{', &format!("{{\"type\":\"{name}\","), 1)).join(",");
    let body = format!(r#"{{"sentAt":"2026-01-01T00:00:00Z","batch":[{calls}],"context":{{}},"other":[{{}}]}}"#);
    for path in
        ["/v1/batch", "/v1/batch/", "/v1/import", "/v1/b", "/v1/b/", "/beacon/v1/batch", "//v1//batch", "/rudderstack"]
    {
        let api = Api::new();
        api.check(&format!("POST {path}"), &body, SUCCESS);
        let found = rows(&api, "select kind, count(*) from messages group by 1 order by 1");
        assert_eq!(found, r#"[["account",1],["track",3],["user",3]]"#, "{path}");
    }
}

#[test]
fn a_call_of_its_own_says_what_it_is() {
    let api = Api::new();
    for (name, call) in CALLS {
        let call = call.replacen('{', &format!("{{\"type\":\"{}\",", name.to_uppercase()), 1);
        api.check("POST /rudderstack", &call, SUCCESS);
    }
    let found = rows(&api, "select kind, count(*) from messages group by 1 order by 1");
    assert_eq!(found, r#"[["account",1],["track",3],["user",3]]"#);
}

#[test]
fn an_empty_batch_is_a_success_and_other_methods_are_not_taken() {
    let api = Api::new();
    api.check("POST /v1/batch", r#"{"batch":[]}"#, SUCCESS);
    let answer = api.ask("GET /v1/batch", "");
    assert_eq!((answer.status, answer.header("allow")), (405, "POST,OPTIONS"));
}
