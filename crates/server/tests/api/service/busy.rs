//! When to try again: every `429` and `503` says so, on every path and page.

use muster_store::status::Status;
use serde_json::Value;

use crate::{
    harness::{Answer, Api, TOKEN},
    ui::{ask, csrf, post, signed_in},
};

/// What needs no key, and so has no rate; neither has what a browser asks before it sends.
const OPEN: [&str; 5] = ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"];

/// Every method of every path in the document, with the body that is its example.
fn requests(api: &Api) -> Vec<(String, String)> {
    let document = api.ask_with("GET /openapi.json", &[("authorization", "")], "").json();
    let paths = document["paths"].as_object().unwrap();
    let mut found = Vec::new();
    for (path, item) in paths {
        let part = |part: &str| match part {
            "{key}" if path.contains("projects") => TOKEN.to_owned(),
            part if part.starts_with('{') => "x".to_owned(),
            part => part.to_owned(),
        };
        let target = path.split('/').map(part).collect::<Vec<_>>().join("/");
        for (method, operation) in item.as_object().unwrap() {
            let contents = operation["requestBody"]["content"].as_object();
            let example = contents.and_then(|contents| contents.values().next()).map(|content| &content["example"]);
            let body = match example {
                Some(Value::String(text)) => text.clone(),
                Some(example) => example.to_string(),
                None => String::new(),
            };
            found.push((format!("{} {target}", method.to_uppercase()), body));
        }
    }
    assert!(found.len() > 60, "{}", found.len());
    found
}

/// Looks at an answer; whether it asks for patience.
#[track_caller]
fn is_later(line: &str, answer: &Answer) -> bool {
    let later = matches!(answer.status, 429 | 503);
    let seconds = answer.header("retry-after").parse::<u64>();
    assert_eq!(seconds.is_ok_and(|seconds| seconds > 0), later, "{line}: {} {}", answer.status, answer.body);
    later
}

#[test]
fn whoever_asks_too_often_is_told_when_to_come_back() {
    let api = Api::with(|settings| settings.requests_per_minute = 1);
    let mut refused = 0;
    api.ask("GET /resources/users", "");
    for (line, body) in requests(&api) {
        let answer = api.ask(&line, &body);
        let (method, path) = line.split_once(' ').unwrap();
        let is_open = OPEN.contains(&path) || method == "OPTIONS";
        assert_eq!(is_later(&line, &answer), !is_open, "{line}: {} {}", answer.status, answer.body);
        if answer.status == 429 {
            refused += 1;
            assert_eq!(answer.header("ratelimit-limit"), "1, 1;window=60", "{line}");
            assert_eq!(answer.header("ratelimit-remaining"), "0", "{line}");
            assert!(answer.header("ratelimit-reset").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{line}");
        }
    }
    assert!(refused > 60, "{refused}");
}

#[test]
fn pages_tell_it_as_well() {
    let api = Api::with(|settings| settings.requests_per_minute = 3);
    let cookie = signed_in(&api, TOKEN);
    let page = ask(&api, "GET /admin/keys", &cookie, "").body;
    let form = format!("csrf={}", csrf(&page));
    while ask(&api, "GET /users", &cookie, "").status == 200 {}
    for line in [
        "GET /",
        "GET /users",
        "GET /users.csv",
        "GET /users/u",
        "GET /accounts/a/traits/t",
        "GET /search?q=a",
        "GET /live",
        "GET /live/events",
        "GET /events",
        "GET /events/e",
        "GET /sql",
        "GET /refused",
        "GET /refused/export",
        "GET /admin/keys",
        "GET /admin/team",
        "GET /admin/deletions",
        "GET /admin/imports",
        "GET /admin/destinations",
        "GET /admin/health",
        "POST /sql",
        "POST /saved",
        "POST /users/u/delete",
        "POST /refused/x/resend",
        "POST /admin/keys",
    ] {
        let answer = ask(&api, line, &cookie, if line.starts_with("POST") { &form } else { "" });
        assert!(is_later(line, &answer) && answer.status == 429, "{line}: {} {}", answer.status, answer.body);
    }
}

/// Sends everything to a server that takes no writes; how many were asked for patience.
fn later_of_all(api: &Api) -> usize {
    requests(api).iter().filter(|(line, body)| is_later(line, &api.ask(line, body))).count()
}

#[test]
fn a_server_that_takes_nothing_says_when_to_try_again() {
    let api = Api::new();
    api.send(r#"[{"type":"user","userId":"x","accountId":"x","organizationId":"x","messageId":"1"}]"#);
    api.store.stop("the disk said no");
    let stopped = later_of_all(&api);
    assert!(stopped > 20, "{stopped}");
    let api = Api::new();
    api.runtime.block_on(api.store.close()).unwrap();
    let closing = later_of_all(&api);
    assert!(closing > 15, "{closing}");
    let api = Api::with(|settings| settings.in_flight_bytes_max = 1);
    let full = later_of_all(&api);
    assert!(full > 20, "{full}");
}

#[test]
fn what_is_set_aside_and_cannot_be_sent_again_now_is_told_so_on_its_page() {
    let api = Api::new();
    let wrong = r#"[{"type":"user","userId":"u","messageId":"1"}]"#;
    assert_eq!(api.ask("POST /analytics/v1/batch", wrong).status, 400);
    let id = api.read("/resources/refused")["results"][0]["id"].as_str().unwrap().to_owned();
    let cookie = signed_in(&api, TOKEN);
    api.store.stop("the disk said no");
    let line = format!("/refused/{id}/resend");
    let answer = post(
        &api,
        &line,
        &cookie,
        "message=%7B%22type%22%3A%22user%22%2C%22userId%22%3A%22u%22%2C%22accountId%22%3Anull%2C%22messageId%22%3A%221%22%7D",
    );
    assert!(is_later(&line, &answer), "{} {}", answer.status, answer.body);
}

#[test]
fn a_password_that_was_tried_too_often_says_when_to_try_again() {
    let api = Api::new();
    let admin = signed_in(&api, TOKEN);
    assert_eq!(post(&api, "/admin/team", &admin, "name=Ada&email=ada%40example.com").status, 303);
    let page = ask(&api, "GET /admin/team", &admin, "").body;
    let set = format!("/admin/team/{}", page.split("action=\"/admin/team/").nth(1).unwrap().split('"').next().unwrap());
    assert_eq!(post(&api, &set, &admin, "password=correct+horse").status, 303);
    let inside = ask(&api, "POST /signin", "", "email=ada%40example.com&token=correct+horse");
    let cookie = inside.header("set-cookie").split(';').next().unwrap().to_owned();
    let change = || post(&api, "/password", &cookie, "old=wrong&new=another+horse");
    let last = (0..200).map(|_| change()).find(|answer| answer.status != 400).expect("it ends");
    assert!(is_later("POST /password", &last) && last.status == 429, "{} {}", last.status, last.body);
    assert!(last.body.contains("tried too often"), "{}", last.body);
}
