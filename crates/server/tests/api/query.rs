//! `POST /query`: forms of request and answer, errors, who may ask, and how many at a time.

use std::time::Duration;

use muster_store::credentials::Scopes;

use crate::harness::{Api, OPERATOR};

fn api() -> Api {
    let api = Api::new();
    api.send(
        r#"[{"type":"user","userId":"u","accountId":"a","messageId":"1","timestamp":"2025-01-01","traits":{"name":"U"}},
            {"type":"track","userId":"u","event":"e","messageId":"2","timestamp":"2025-01-02"}]"#,
    );
    api
}

#[test]
fn rows_come_as_json_by_default() {
    let api = api();
    api.check(
        "POST /query",
        r#"{"sql":"select event, account_id, count(*) n from events group by 1, 2"}"#,
        r#"200 {"columns":[{"name":"event","type":"text"},{"name":"account_id","type":"text"},{"name":"n","type":null}],"rows":[["e","a",1]],"rowCount":1,"truncated":false,"scanned":{"messages":2,"records":0}}"#,
    );
    let answer = api.ask("POST /query?format=json", r#"{"sql":"select 1","params":null}"#);
    assert_eq!(answer.header("content-type"), "application/json");
    for (body, expected) in [
        (r#"{"sql":"select name from users where user_id = ?","params":["u"]}"#, r#"[["U"]]"#),
        (r#"{"sql":"select name from users where user_id = :id","params":{"id":"u"}}"#, r#"[["U"]]"#),
        (r#"{"sql":"select value from json_each(?)","params":[[1,"x"]]}"#, r#"[[1],["x"]]"#),
        (r#"{"sql":"select name from users where user_id = 'nobody'"}"#, "[]"),
    ] {
        let answer = api.ask("POST /query", body);
        assert_eq!((answer.status, answer.json()["rows"].to_string()), (200, expected.to_owned()), "{}", answer.body);
    }
}

#[test]
fn other_forms_are_asked_for_by_name_or_by_header() {
    let api = api();
    let body = r#"{"sql":"select user_id, null as n from events"}"#;
    for (line, headers) in
        [("POST /query?format=csv", &[][..]), ("POST /query", &[("accept", "text/html, text/csv;q=0.9")][..])]
    {
        let answer = api.ask_with(line, headers, body);
        assert_eq!((answer.status, answer.body.as_str()), (200, "user_id,n\r\nu,\r\n"), "{line}");
        assert!(answer.header("content-type").starts_with("text/csv"));
    }
    api.check("POST /query?format=xml", body, r#"400 {"error":"format must be one of json, csv, parquet"}"#);
}

#[test]
fn errors_have_a_code_a_place_and_sqlites_words() {
    let api = api();
    api.check(
        "POST /query",
        r#"{"sql":"select nonsense from events"}"#,
        r#"400 {"error":{"message":"no such column: nonsense","errors":[{"code":"invalid_sql","instancePath":"/sql","message":"no such column: nonsense","position":7}]}}"#,
    );
    for (body, status, code) in [
        (r#"{"sql":"attach 'x' as y"}"#, 400, "not_allowed"),
        (r#"{"sql":"select load_extension('x')"}"#, 400, "not_allowed"),
        (r#"{"sql":"select ?"}"#, 400, "invalid_parameters"),
        (r#"{"sql":"select ?","params":[1,2]}"#, 400, "invalid_parameters"),
        (r#"{"sql":""}"#, 400, "invalid_sql"),
        (r#"{"sql":"select zeroblob(1000000000)"}"#, 422, "query_too_large"),
    ] {
        let answer = api.ask("POST /query", body);
        let found = &answer.json()["error"]["errors"][0]["code"];
        assert_eq!((answer.status, found.as_str()), (status, Some(code)), "{body}: {}", answer.body);
    }
    let long = format!(r#"{{"sql":"select '{}'"}}"#, "x".repeat(1 << 20));
    assert_eq!(api.ask("POST /query", &long).json()["error"]["errors"][0]["code"], "sql_too_long");
    for body in [
        "",
        "[]",
        "1",
        r#"{"params":[]}"#,
        r#"{"sql":1}"#,
        r#"{"sql":"select 1","params":1}"#,
        r#"{"sql":"select 1","x":1}"#,
        "{",
    ] {
        let answer = api.ask("POST /query", body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        assert!(!answer.json()["error"].is_null(), "{body}");
    }
    assert_eq!(api.ask("GET /query", "").status, 405);
}

#[test]
fn a_query_that_costs_too_much_is_ended() {
    let api = Api::with(|settings| {
        settings.query_limits.time_max = Duration::from_millis(100);
        settings.query_limits.rows_max = 10;
    });
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n)";
    let answer = api.ask("POST /query", &format!(r#"{{"sql":"{endless} select count(*) from n"}}"#));
    assert_eq!((answer.status, answer.json()["error"]["errors"][0]["code"].as_str()), (422, Some("query_too_slow")));
    let answer = api.ask("POST /query", &format!(r#"{{"sql":"{endless} select i from n"}}"#));
    assert_eq!((answer.status, answer.json()["truncated"].as_bool()), (200, Some(true)));
    let answer = api.ask("POST /query?format=csv", &format!(r#"{{"sql":"{endless} select i from n"}}"#));
    assert_eq!((answer.status, answer.json()["error"]["errors"][0]["code"].as_str()), (422, Some("answer_too_large")));
    // An answer that has begun says in its end what went wrong.
    let begun = format!(
        r#"{{"sql":"{endless} select 1, printf('%.*c', 100000, 'x') union all select 2, i from n where i < 0"}}"#
    );
    let answer = api.ask("POST /query", &begun).json();
    assert_eq!((answer["truncated"].as_bool(), answer["error"]["code"].as_str()), (Some(true), Some("query_too_slow")));
}

#[test]
fn who_may_ask_what() {
    let api = api();
    api.key("default", "test-token-that-writes", Scopes::WRITE);
    api.key("other", "test-token-of-the-other-workspace", Scopes::READ);
    let body = r#"{"sql":"select count(*) from users"}"#;
    let ask = |target: &str, token: &str| {
        let answer = api.ask_with(&format!("POST {target}"), &[("authorization", &format!("Bearer {token}"))], body);
        let rows = if answer.status == 200 { answer.json()["rows"].to_string() } else { String::new() };
        (answer.status, rows)
    };
    assert_eq!(ask("/query", "test-token-that-writes").0, 403);
    assert_eq!(ask("/query", "nobody's").0, 401);
    assert_eq!(ask("/query", "test-token-of-the-other-workspace"), (200, "[[0]]".to_owned()));
    assert_eq!(ask("/query?workspace=default", "test-token-of-the-other-workspace").0, 403);
    assert_eq!(ask("/query?workspace=other", "test-token-of-the-other-workspace").0, 200);
    assert_eq!(ask("/query", OPERATOR), (200, "[[1]]".to_owned()));
    assert_eq!(ask("/query?workspace=other", OPERATOR), (200, "[[0]]".to_owned()));
    assert_eq!(ask("/query?workspace=nobody", OPERATOR).0, 404);
}

#[test]
fn so_many_at_a_time_and_no_more() {
    let api = Api::with(|settings| settings.queries_max = 1);
    // The first answer is larger than what may be on its way, so its query waits for a reader and keeps its place.
    let large = r#"{"sql":"with recursive n(i) as (select 1 union all select i + 1 from n) select i, hex(randomblob(1000)) from n"}"#;
    let first = api.begin("POST /query", large);
    let second = api.ask("POST /query", r#"{"sql":"select 1"}"#);
    assert_eq!((second.status, second.header("retry-after")), (503, "1"), "{}", second.body);
    // Whoever goes away ends the query, and the place is free again.
    drop(first);
    let mut tries = 0;
    while api.ask("POST /query", r#"{"sql":"select 1"}"#).status != 200 {
        tries += 1;
        assert!(tries < 10_000, "the place is never free again");
        std::thread::yield_now();
    }
}
