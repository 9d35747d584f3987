//! Activity by day.

use serde_json::json;

use crate::harness::Api;

fn track(user: &str, event: &str, day: &str) -> String {
    format!(
        r#"{{"type":"track","userId":"{user}","event":"{event}","messageId":"{user}{event}{day}","timestamp":"{day}"}}"#
    )
}

#[test]
fn every_field_in_its_order() {
    let api = Api::new();
    let tracks = [track("u", "view", "2024-01-02T05:00:00Z"), track("u", "view", "2024-01-02T23:59:59.999Z")].join(",");
    let more = [track("v", "view", "2024-01-02"), track("v", "buy", "2024-01-04")].join(",");
    let joins = |user: &str| format!(r#"{{"type":"user","userId":"{user}","accountId":"a","messageId":"{user}"}}"#);
    api.send(&format!("[{tracks},{more}]"));
    api.send(&format!(
        r#"[{},{},{{"type":"account","accountId":"a","organizationId":"o","messageId":"1"}}]"#,
        joins("u"),
        joins("v")
    ));
    let expected = concat!(
        r#"200 {"results":[{"date":"2024-01-02","events":3,"activeUsers":2,"byEvent":[{"event":"view","events":3,"activeUsers":2}]},"#,
        r#"{"date":"2024-01-04","events":1,"activeUsers":1,"byEvent":[{"event":"buy","events":1,"activeUsers":1}]}],"#,
        r#""from":"2024-01-01","to":"2024-01-31"}"#
    );
    for subject in ["accounts/a", "organizations/o"] {
        api.check(&format!("GET /resources/{subject}/activity?from=2024-01-01&to=2024-01-31"), "", expected);
    }
    let user = api.read("/resources/users/u/activity?from=2024-01-02&to=2024-01-02");
    assert_eq!(
        user["results"],
        json!([{"date": "2024-01-02", "events": 2, "activeUsers": 1,
        "byEvent": [{"event": "view", "events": 2, "activeUsers": 1}]}])
    );
}

#[test]
fn the_days_that_are_meant() {
    let api = Api::new();
    api.send(&format!("[{}]", track("u", "e", "2025-12-30")));
    let path = "/resources/users/u/activity";
    let days = |query: &str| {
        let answer = api.read(&format!("{path}{query}"));
        (
            answer["from"].as_str().unwrap().to_owned(),
            answer["to"].as_str().unwrap().to_owned(),
            answer["results"].as_array().unwrap().len(),
        )
    };
    let span = |first: &str, last: &str, results| (first.to_owned(), last.to_owned(), results);
    assert_eq!(days(""), span("2025-12-03", "2026-01-01", 1));
    assert_eq!(days("?to=2025-12-29&from="), span("2025-11-30", "2025-12-29", 0));
    assert_eq!(days("?from=2025-12-30&to=2025-12-30"), span("2025-12-30", "2025-12-30", 1));
    assert_eq!(days("?from=2025-01-01"), span("2025-01-01", "2026-01-01", 1));
    let check = |query: &str, says: &str| {
        api.check(&format!("GET {path}{query}"), "", &format!(r#"400 {{"error":"{says}"}}"#));
    };
    check("?from=2024-12-31", "from and to may span 366 days at most; ask for fewer");
    check("?from=2026-01-02", "from must not be later than to");
    check("?from=monday", "from must be a date, such as 2018-05-15");
    check("?to=0", "to must be a date, such as 2018-05-15");
    let missing = r#"404 {"error":"there is no such account; its id or external id is not known here"}"#;
    api.check("GET /resources/accounts/nobody/activity", "", missing);
}
