//! Timelines.

use crate::harness::{Api, identity};

fn messages(page: &serde_json::Value) -> Vec<String> {
    let results = page["results"].as_array().unwrap().iter();
    results.map(|event| event["messageId"].as_str().unwrap_or("-").to_owned()).collect()
}

#[test]
fn every_field_in_its_order() {
    let api = Api::new();
    let track = r#"{"type":"track","userId":"u","event":"scored","messageId":"1","timestamp":"2018-05-15T12:31:12.123456Z","properties":{"minute" : 14,"b":[]}}"#;
    api.send(&format!(r#"[{{"type":"user","userId":"u","accountId":"a","messageId":"1"}},{{"type":"account","accountId":"a","organizationId":"o","messageId":"1"}},{track}]"#));
    let expected = format!(
        concat!(
            r#"200 {{"results":[{{"id":"{}","messageId":"1","event":"scored","timestamp":"2018-05-15T12:31:12.123Z","#,
            r#""receivedAt":"<now>","userId":"u","accountId":"a","organizationId":"o","userUuid":"<user:u>","#,
            r#""accountUuid":"<account:a>","organizationUuid":"<organization:o>","#,
            r#""properties":{{"b":[],"minute":14}}}}],"next":null,"atEnd":true}}"#
        ),
        identity(None, track)
    );
    for subject in ["users/u", "accounts/a", "organizations/o"] {
        api.check(&format!("GET /resources/{subject}/events"), "", &expected);
    }
    let alone = r#"{"type":"track","userId":"v","event":"e","timestamp":"2018-05-15"}"#;
    api.send(&format!("[{alone}]"));
    let expected = format!(
        concat!(
            r#"200 {{"results":[{{"id":"{}","messageId":null,"event":"e","timestamp":"2018-05-15T00:00:00.000Z","#,
            r#""receivedAt":"<now>","userId":"v","accountId":null,"organizationId":null,"userUuid":"<user:v>","#,
            r#""accountUuid":null,"organizationUuid":null,"properties":{{}}}}],"next":null,"atEnd":true}}"#
        ),
        identity(None, alone)
    );
    api.check("GET /resources/users/v/events", "", &expected);
}

#[test]
fn pages_and_filters() {
    let api = Api::new();
    for at in 0..10 {
        let event = if at % 2 == 0 { "even" } else { "odd" };
        api.send(&format!(
            r#"[{{"type":"track","userId":"u","event":"{event}","messageId":"{at}","timestamp":"2025-01-0{}T00:00:00Z"}}]"#,
            at / 2 + 1
        ));
    }
    let path = "/resources/users/u/events";
    for limit in [1, 2, 3, 1000] {
        let mut all = Vec::new();
        let mut target = format!("{path}?limit={limit}");
        loop {
            let page = api.read(&target);
            assert!(page["results"].as_array().unwrap().len() <= limit);
            all.extend(page["results"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else { break };
            target = format!("{path}?limit={limit}&from={next}");
        }
        let days: Vec<&str> = all.iter().map(|event| &event["timestamp"].as_str().unwrap()[8..10]).collect();
        assert_eq!(days, ["05", "05", "04", "04", "03", "03", "02", "02", "01", "01"], "limit {limit}");
        let mut ids: Vec<&str> = all.iter().map(|event| event["messageId"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 10);
    }
    let filtered = |query: &str| {
        let mut found = messages(&api.read(&format!("{path}?{query}")));
        found.sort();
        found
    };
    assert_eq!(filtered("event=odd"), ["1", "3", "5", "7", "9"]);
    assert_eq!(filtered("after=2025-01-05"), ["8", "9"]);
    assert_eq!(filtered("before=2025-01-02"), ["0", "1"]);
    assert_eq!(filtered("after=2025-01-02&before=2025-01-03T00:00:00Z&event=even"), ["2"]);
    assert_eq!(filtered("event=never"), [""; 0]);
    let next = api.read(&format!("{path}?limit=1"))["next"].as_str().unwrap().to_owned();
    for other in ["event=odd", "after=2025-01-05", "before=2025-02-01"] {
        assert_eq!(api.ask(&format!("GET {path}?from={next}&{other}"), "").status, 400, "{other}");
    }
}

#[test]
fn parameters_are_checked() {
    let api = Api::new();
    api.send(r#"[{"type":"track","userId":"u","event":"e","messageId":"1"}]"#);
    let path = "GET /resources/users/u/events";
    let limit = r#"400 {"error":"limit must be a whole number from 1 to 1000"}"#;
    api.check(&format!("{path}?limit=1001"), "", limit);
    let after = r#"400 {"error":"after must be ISO 8601 text, such as 2018-05-15T12:31:12.123Z"}"#;
    api.check(&format!("{path}?after=soon"), "", after);
    api.check(&format!("{path}?before=0"), "", &after.replace("after", "before"));
    assert_eq!(messages(&api.read("/resources/users/u/events?after=&before=&event=&from=")), ["1"]);
}

#[test]
fn a_page_of_large_events_ends_early() {
    let api = Api::with(|settings| settings.page_bytes_max = 10_000);
    let value = "x".repeat(6_000);
    for at in 1..=5 {
        api.send(&format!(r#"[{{"type":"track","userId":"u","event":"e","messageId":"{at}","timestamp":"2025-01-0{at}","properties":{{"v":"{value}"}}}}]"#));
    }
    let path = "/resources/users/u/events?limit=1000";
    let first = api.read(path);
    assert_eq!((messages(&first), &first["atEnd"]), (vec!["5".to_owned(), "4".to_owned()], &false.into()));
    let second = api.read(&format!("{path}&from={}", first["next"].as_str().unwrap()));
    assert_eq!(messages(&second), ["3", "2"]);
    let last = api.read(&format!("{path}&from={}", second["next"].as_str().unwrap()));
    assert_eq!((messages(&last), &last["atEnd"]), (vec!["1".to_owned()], &true.into()));
}
