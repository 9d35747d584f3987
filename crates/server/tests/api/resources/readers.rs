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
