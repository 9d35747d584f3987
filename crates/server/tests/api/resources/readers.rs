//! The passes that existing readers make: they know the paths, the parameters and the fields, and nothing of this server.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Api, TOKEN};

/// Asks as a connector does: Basic with the token as user name and some text as password, `limit` and `from` on every
/// request, until there is no `next`.
fn pass(api: &Api, path: &str, parameters: &str, mut between: impl FnMut()) -> Vec<Value> {
    let user = format!("{TOKEN}:None");
    let token = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, user);
    let header = format!("Basic {token}");
    let (mut results, mut from) = (Vec::new(), String::new());
    loop {
        let line = format!("GET /resources/{path}?limit=2&{parameters}{from}");
        let answer = api.ask_with(&line, &[("authorization", &header)], "");
        assert_eq!(answer.status, 200, "{line}: {}", answer.body);
        assert!(!answer.header("ratelimit-remaining").is_empty());
        let page = answer.json();
        results.extend(page["results"].as_array().unwrap().iter().cloned());
        assert_eq!(page["atEnd"], page["next"].is_null());
        between();
        match page["next"].as_str() {
            Some(next) => from = format!("&from={next}"),
            None => return results,
        }
    }
}

fn api() -> Api {
    let api = Api::new();
    for number in 0..5 {
        api.pass_seconds(1);
        api.ask("POST /resources/organizations", &format!(r#"{{"externalId":"o{number}"}}"#));
        api.ask(
            "POST /resources/accounts",
            &format!(r#"{{"externalId":"a{number}","name":"A","organizationId":"o{number}","mrr":1.5}}"#),
        );
        api.ask(
            "POST /resources/users",
            &format!(r#"{{"externalId":"u{number}","email":"u{number}@example.com","accountIds":["a{number}"]}}"#),
        );
        api.ask(
            "POST /resources/npsResponses",
            &format!(
                r#"{{"externalId":"r{number}","userId":"u{number}","score":9,"respondedAt":"2026-01-01T00:00:00Z"}}"#
            ),
        );
        api.ask("POST /resources/customObjects", &format!(r#"{{"name":"c{number}"}}"#));
    }
    api
}

const STREAMS: [(&str, &str); 5] = [
    ("organizations", ""),
    ("accounts", "status=activeOrChurned&"),
    ("users", ""),
    ("npsResponses", ""),
    ("customObjects", ""),
];

#[test]
fn a_full_pass_by_creation_sees_each_record_once_while_they_change() {
    let api = api();
    for (path, parameters) in STREAMS {
        let mut number = 0;
        let disturb = || {
            number += 1;
            api.pass_seconds(1);
            api.ask("PUT /resources/users/u0", &format!(r#"{{"traits":{{"n":{number}}}}}"#));
            api.ask("PUT /resources/accounts/a0", &format!(r#"{{"traits":{{"n":{number}}}}}"#));
            api.ask("PUT /resources/npsResponses/r0", &format!(r#"{{"score":{number}}}"#));
        };
        let seen = pass(&api, path, &format!("{parameters}sortBy=createdAt"), disturb);
        let mut ids: Vec<&str> = seen.iter().map(|record| record["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), seen.len()), (5, 5), "{path}");
    }
}

#[test]
fn an_incremental_pass_by_update_stops_at_what_it_knows() {
    let api = api();
    let known: BTreeMap<String, String> = pass(&api, "users", "sortBy=updatedAt", || {})
        .into_iter()
        .map(|user| (user["id"].as_str().unwrap().into(), user["updatedAt"].as_str().unwrap().into()))
        .collect();
    let latest = known.values().max().unwrap().clone();
    api.pass_seconds(1);
    // A late backfill: its timestamp lies before everything that is known, its receipt after.
    api.send(r#"[{"type":"user","userId":"u2","accountId":null,"messageId":"1","timestamp":"2020-01-01","traits":{"late":1}}]"#);
    let fresh: Vec<Value> = pass(&api, "users", "sortBy=updatedAt", || {})
        .into_iter()
        .take_while(|user| user["updatedAt"].as_str().unwrap() > latest.as_str())
        .collect();
    assert_eq!(fresh.len(), 1);
    assert_eq!((&fresh[0]["externalId"], &fresh[0]["traits"]["late"]), (&"u2".into(), &1.into()));
}

/// What an assistant's connector asks on behalf of somebody who talks to it: a list, one of it by either of its ids, what
/// belongs to it, and what is not here. Such connectors send a content type with every `GET`, the key with an empty password,
/// hand on whatever JSON they get, and tell the person what `error` says.
#[test]
fn a_conversation_about_an_account() {
    let api = api();
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{TOKEN}:"));
    let basic = format!("Basic {basic}");
    let ask = |path: &str| {
        let headers = [("authorization", &*basic), ("content-type", "application/json")];
        let answer = api.ask_with(&format!("GET /resources/{path}"), &headers, "");
        assert!(answer.header("content-type").starts_with("application/json"), "{path}");
        assert!(!answer.header("ratelimit-reset").is_empty(), "{path}");
        (answer.status, answer.json())
    };
    let (status, accounts) = ask("accounts?limit=50");
    let account = accounts["results"].as_array().unwrap().iter().find(|one| one["externalId"] == "a3").unwrap();
    let id = account["id"].as_str().unwrap();
    assert_eq!((status, account["name"].as_str()), (200, Some("A")));
    assert_eq!(ask(&format!("accounts/{id}")), ask("accounts/a3"));
    let organization = account["organizationId"].as_str().unwrap();
    assert_eq!(ask(&format!("organizations/{organization}")).1["externalId"], "o3");
    let (_, users) = ask(&format!("accounts/{id}/users?limit=50&from="));
    for found in [&users, &ask("users/search?email=u3@example.com").1, &ask("users/search?externalId=u3").1] {
        assert_eq!((&found["results"][0]["externalId"], found["results"].as_array().unwrap().len()), (&"u3".into(), 1));
        assert_eq!(found["results"][0]["accounts"][0]["id"], id);
    }
    assert_eq!(ask(&format!("accounts/{id}/healthScores")).0, 200);
    for absent in ["conversations?limit=10", "tasks?limit=10&status=open", "notes?limit=10"] {
        let (status, body) = ask(&format!("accounts/{id}/{absent}"));
        assert!(status == 501 && body["error"].as_str().is_some_and(|why| why.contains("analytics")), "{body}");
    }
    let (status, body) = ask("accounts/nobody");
    assert!(status == 404 && body["error"].is_string(), "{body}");
}
