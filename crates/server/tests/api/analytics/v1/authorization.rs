//! Tokens, scopes and rates, the same on every path.

use muster_store::credentials::Scopes;

use crate::harness::{Api, OPERATOR, TOKEN};

const GOOD: &str = r#"[{"type":"account","accountId":"a","messageId":"1"}]"#;
const BATCH: &str = "POST /analytics/v1/batch";

#[test]
fn every_spelling_of_a_token_opens_and_nothing_else() {
    let api = Api::new();
    let encoded = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let status = |header: &str| api.ask_with(BATCH, &[("AUTHORIZATION", header)], GOOD).status;
    for good in [
        format!("Basic {TOKEN}"),
        format!("basic {TOKEN}"),
        format!("Bearer {TOKEN}"),
        format!("Basic {}", encoded(&format!("{TOKEN}:"))),
        format!("Basic {}", encoded(&format!("{TOKEN}:some other text: with colons"))),
        format!("Basic {}", encoded(TOKEN)),
    ] {
        assert_eq!(status(&good), 200, "{good}");
    }
    for bad in [
        format!("Digest {TOKEN}"),
        TOKEN.to_owned(),
        format!("Basic {TOKEN}x"),
        format!("Basic {}", encoded(&format!("x:{TOKEN}"))),
        format!("Bearer {}", encoded(&format!("{TOKEN}:"))),
        "Basic".to_owned(),
    ] {
        assert_eq!(status(&bad), 401, "{bad}");
    }
}

#[test]
fn who_is_not_known_is_told_so_and_nothing_is_read() {
    let api = Api::new();
    let missing = r#"401 {"error":"Authorization header not present."}"#;
    api.check_with(BATCH, &[("authorization", "")], GOOD, missing);
    api.check_with("GET /resources/users", &[("authorization", "")], "", missing);
    let unknown = r#"401 {"error":"the token is not known here, or was revoked; send `Authorization: Basic <token>` with the token of a key of this server"}"#;
    api.check_with(BATCH, &[("authorization", "Basic nobody")], GOOD, unknown);
    let answer = api.ask_with(BATCH, &[("authorization", "Basic nobody")], GOOD);
    assert_eq!(answer.header("www-authenticate"), "Basic realm=\"Muster\"");
    assert_eq!(answer.header("connection"), "close");
    assert!(answer.header("ratelimit-limit").is_empty());
    assert_eq!(api.page("/resources/accounts").0, [""; 0]);
}

#[test]
fn scopes_are_kept_apart() {
    let api = Api::new();
    api.key("default", "only-write", Scopes::WRITE);
    api.key("default", "only-read", Scopes::READ);
    let missing = |needs: &str, has: &str| {
        format!(
            r#"403 {{"error":"this needs the scope {needs}, and the key has {has}; use a key with the scope {needs}"}}"#
        )
    };
    let success = r#"200 {"message":"Success."}"#;
    api.check_with(BATCH, &[("authorization", "Basic only-write")], GOOD, success);
    api.check_with(BATCH, &[("authorization", "Basic only-read")], GOOD, &missing("write", "read"));
    let read = "GET /resources/refused";
    api.check_with(read, &[("authorization", "Basic only-write")], "", &missing("read", "write"));
    api.check_with(read, &[("authorization", "Basic only-read")], "", r#"200 {"results":[],"next":null,"atEnd":true}"#);
    let keys = "GET /admin/v1/keys";
    api.check_with(keys, &[("authorization", "Basic only-read")], "", &missing("admin", "read"));
    let operator = format!("Basic {OPERATOR}");
    let only_keys = r#"403 {"error":"the local operator's token manages keys, teams, destinations and backups and asks queries, nothing else; use the token of a key"}"#;
    api.check_with(BATCH, &[("authorization", &operator)], GOOD, only_keys);
    api.check_with(read, &[("authorization", &operator)], "", only_keys);
}

#[test]
fn workspaces_never_meet() {
    let api = Api::new();
    api.key("other", "token-of-another", Scopes::ALL);
    let other = [("authorization", "Basic token-of-another")];
    api.send(r#"[{"type":"account","accountId":"a","messageId":"1","traits":{"name":"Ours"}}]"#);
    assert_eq!(api.ask_with("GET /resources/accounts/a", &other, "").status, 404);
    let theirs = r#"[{"type":"account","accountId":"a","messageId":"1","traits":{"name":"Theirs"}},{"type":"user"}]"#;
    assert_eq!(api.ask_with(BATCH, &other, theirs).json()["error"]["stored"], 1);
    assert_eq!(api.read("/resources/accounts/a")["name"], "Ours");
    let account = api.ask_with("GET /resources/accounts/a", &other, "").json();
    assert_eq!(account["name"], "Theirs");
    assert_eq!(api.ask(&format!("GET /resources/accounts/{}", account["id"].as_str().unwrap()), "").status, 404);
    let refused = api.ask_with("GET /resources/refused", &other, "").json()["results"][0]["id"].clone();
    for line in ["GET", "DELETE"] {
        let line = format!("{line} /resources/refused/{}", refused.as_str().unwrap());
        assert_eq!(api.ask(&line, "").status, 404, "{line}");
    }
    assert_eq!(api.read("/resources/refused")["results"], serde_json::json!([]));
}

#[test]
fn every_answer_tells_the_rate_and_one_too_many_is_refused() {
    let api = Api::with(|settings| settings.requests_per_minute = 4);
    let told = |line: &str, body: &str| {
        let answer = api.ask(line, body);
        let names = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"];
        (answer.status, names.map(|name| answer.header(name).to_owned()).join("|"))
    };
    assert_eq!(told(BATCH, GOOD), (200, "4, 4;window=60|3|15|".to_owned()));
    assert_eq!(told(BATCH, "nonsense"), (400, "4, 4;window=60|2|30|".to_owned()));
    assert_eq!(told("GET /resources/users/nobody", ""), (404, "4, 4;window=60|1|45|".to_owned()));
    assert_eq!(told("GET /resources/notes", ""), (501, "4, 4;window=60|0|60|".to_owned()));
    let (status, headers) = told(BATCH, GOOD);
    let wait: u64 = headers.strip_prefix("4, 4;window=60|0|60|").unwrap().parse().unwrap();
    assert!(status == 429 && (14..=15).contains(&wait), "{status} {headers}");
    // Another key has its own rate.
    api.key("default", "another", Scopes::ALL);
    let answer = api.ask_with(BATCH, &[("authorization", "Basic another")], GOOD);
    assert_eq!((answer.status, answer.header("ratelimit-remaining")), (200, "3"));
}
