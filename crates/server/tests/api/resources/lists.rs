//! Pages of lists, the same for every kind.

use crate::harness::Api;

const KINDS: [(&str, &str); 3] = [
    ("organizations", r#""organizationId":""#),
    ("accounts", r#""accountId":""#),
    ("users", r#""accountId":null,"userId":""#),
];

fn fill(api: &Api, kind: &str, field: &str, count: usize) {
    for at in 0..count {
        let name = kind.trim_end_matches('s');
        api.send(&format!(r#"[{{"type":"{name}",{field}{at}","messageId":"1"}}]"#));
        api.pass_seconds(1);
    }
}

fn pass(api: &Api, target: &str) -> Vec<String> {
    let (mut all, mut next) = api.page(target);
    while let Some(from) = next {
        let (more, then) = api.page(&format!("{target}&from={from}"));
        all.extend(more);
        next = then;
    }
    all
}

#[test]
fn every_kind_is_listed_newest_first() {
    let api = Api::new();
    for (kind, field) in KINDS {
        api.check(&format!("GET /resources/{kind}"), "", r#"200 {"results":[],"next":null,"atEnd":true}"#);
        fill(&api, kind, field, 7);
        for order in ["createdAt", "updatedAt"] {
            for limit in [1, 3, 7, 100] {
                let found = pass(&api, &format!("/resources/{kind}?sortBy={order}&limit={limit}&from="));
                assert_eq!(found, ["6", "5", "4", "3", "2", "1", "0"], "{kind} {order} {limit}");
            }
        }
    }
}

#[test]
fn what_was_heard_of_last_comes_first() {
    let api = Api::new();
    fill(&api, "accounts", r#""accountId":""#, 3);
    api.send(r#"[{"type":"account","accountId":"0","messageId":"2"}]"#);
    assert_eq!(api.page("/resources/accounts").0, ["0", "2", "1"]);
    assert_eq!(api.page("/resources/accounts?sortBy=createdAt").0, ["2", "1", "0"]);
}

#[test]
fn a_full_pass_by_creation_sees_each_once_whatever_is_written() {
    let api = Api::new();
    fill(&api, "accounts", r#""accountId":""#, 9);
    let target = "/resources/accounts?sortBy=createdAt&limit=2";
    let (mut all, mut next) = api.page(target);
    let mut at = 0;
    while let Some(from) = next {
        api.send(&format!(r#"[{{"type":"account","accountId":"{at}","messageId":"again"}},{{"type":"account","accountId":"new-{at}","messageId":"1"}}]"#));
        api.pass_seconds(1);
        at += 1;
        let (more, then) = api.page(&format!("{target}&from={from}"));
        all.extend(more);
        next = then;
    }
    assert_eq!(all, ["8", "7", "6", "5", "4", "3", "2", "1", "0"]);
}

#[test]
fn accounts_are_listed_by_status() {
    let api = Api::new();
    api.send(
        r#"[{"type":"account","accountId":"here","messageId":"1"},
            {"type":"account","accountId":"gone","messageId":"1","traits":{"churnedAt":"2025-01-01"}},
            {"type":"account","accountId":"back","messageId":"1","traits":{"churnedAt":"2025-01-01"}}]"#,
    );
    api.pass_seconds(1);
    api.send(r#"[{"type":"account","accountId":"back","messageId":"2","traits":{"churnedAt":null}}]"#);
    let names = |status: &str| {
        let mut names = api.page(&format!("/resources/accounts{status}")).0;
        names.sort();
        names
    };
    assert_eq!(names(""), ["back", "here"]);
    assert_eq!(names("?status=active"), ["back", "here"]);
    assert_eq!(names("?status=churned"), ["gone"]);
    assert_eq!(names("?status=activeOrChurned"), ["back", "gone", "here"]);
    let wrong = r#"400 {"error":"status must be one of active, churned, activeOrChurned"}"#;
    api.check("GET /resources/accounts?status=alive", "", wrong);
}

#[test]
fn limits_are_kept_and_unknown_parameters_ignored() {
    let api = Api::new();
    let wrong = r#"400 {"error":"limit must be a whole number from 1 to 100"}"#;
    for limit in ["0", "101", "-1", "x", ""] {
        api.check(&format!("GET /resources/users?limit={limit}"), "", wrong);
    }
    let order = api.ask("GET /resources/users?sortBy=name", "");
    assert!(order.status == 400 && order.body.contains("sortBy must be one of updatedAt, createdAt"), "{}", order.body);
    api.check("GET /resources/users?limit=100&colour=blue&limit", "", wrong);
    api.check("GET /resources/users?limit=100&colour=blue", "", r#"200 {"results":[],"next":null,"atEnd":true}"#);
}

#[test]
fn cursors_belong_to_their_list() {
    let api = Api::new();
    fill(&api, "accounts", r#""accountId":""#, 3);
    fill(&api, "users", r#""accountId":null,"userId":""#, 3);
    let (_, next) = api.page("/resources/accounts?limit=1");
    let next = next.unwrap();
    assert_eq!(api.page(&format!("/resources/accounts?limit=2&from={next}")).0, ["1", "0"], "another limit is fine");
    let foreign = [
        format!("/resources/users?from={next}"),
        format!("/resources/accounts?sortBy=createdAt&from={next}"),
        format!("/resources/accounts?status=churned&from={next}"),
        format!("/resources/accounts?from={}", &next[1..]),
        format!("/resources/accounts?from=x{next}"),
        "/resources/accounts?from=nonsense".to_owned(),
        format!("/resources/refused?from={next}"),
        format!("/resources/accounts/0/events?from={next}"),
    ];
    for target in foreign {
        let answer = api.ask(&format!("GET {target}"), "");
        assert_eq!(answer.status, 400, "{target}: {}", answer.body);
        assert!(answer.json()["error"].as_str().unwrap().starts_with("from is no cursor of this list"), "{target}");
    }
}

#[test]
fn a_page_of_large_records_ends_early() {
    // Small enough a bound that everything here is parsed and written on threads of its own.
    let api = Api::with(|settings| (settings.page_bytes_max, settings.inline_bytes_max) = (10_000, 1_000));
    for at in 0..5 {
        let value = "x".repeat(6_000);
        api.send(&format!(r#"[{{"type":"account","accountId":"{at}","messageId":"1","traits":{{"v":"{value}"}}}}]"#));
        api.pass_seconds(1);
    }
    let target = "/resources/accounts?sortBy=createdAt";
    let (first, next) = api.page(target);
    assert_eq!((first, next.is_some()), (vec!["4".to_owned(), "3".to_owned()], true));
    assert_eq!(pass(&api, &format!("{target}&limit=100")), ["4", "3", "2", "1", "0"]);
}
