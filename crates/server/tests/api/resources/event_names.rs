//! Names of events.

use muster_store::credentials::Scopes;

use crate::harness::Api;

#[test]
fn the_most_frequent_first() {
    let api = Api::new();
    let track = |event: &str, day: u32| {
        format!(r#"{{"type":"track","userId":"u","event":"{event}","messageId":"{day}","timestamp":"2024-01-0{day}"}}"#)
    };
    api.send(&format!("[{},{},{},{}]", track("buy", 1), track("view", 5), track("view", 2), track("a", 3)));
    api.send(&format!("[{}]", track("view", 5)));
    api.key("other", "test-token-of-another-workspace", Scopes::ALL);
    let expected = concat!(
        r#"200 {"results":[{"event":"view","events":2,"firstSeen":"2024-01-02T00:00:00.000Z","lastSeen":"2024-01-05T00:00:00.000Z"},"#,
        r#"{"event":"a","events":1,"firstSeen":"2024-01-03T00:00:00.000Z","lastSeen":"2024-01-03T00:00:00.000Z"},"#,
        r#"{"event":"buy","events":1,"firstSeen":"2024-01-01T00:00:00.000Z","lastSeen":"2024-01-01T00:00:00.000Z"}],"others":null}"#
    );
    api.check("GET /resources/events/names", "", expected);
    let other = [("authorization", "Basic test-token-of-another-workspace")];
    api.check_with("GET /resources/events/names", &other, "", r#"200 {"results":[],"others":null}"#);
    assert_eq!(api.ask_with("GET /resources/events/names", &[("authorization", "")], "").status, 401);
}
