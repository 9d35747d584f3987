//! Events of someone anonymous belong to the user that it turns out to be.

use serde_json::{Value, json};

use super::{BATCH, SUCCESS, events, rows, send};
use crate::harness::{Api, expand};

/// Two events of a browser before anybody signed in, and one after the page knew who it was.
const BEFORE: &str = r#"{"type":"page","anonymousId":"x","name":"Home","messageId":"1","timestamp":"2025-01-02T10:00:00Z"},
    {"type":"track","anonymousId":"x","event":"clicked","messageId":"2","timestamp":"2025-01-03T10:00:00Z"},
    {"type":"track","anonymousId":"x","userId":"u","event":"signed in","messageId":"3","timestamp":"2025-01-04T10:00:00Z"},
    {"type":"track","anonymousId":"other","event":"passed by","messageId":"4","timestamp":"2025-01-03T11:00:00Z"},
    {"type":"group","userId":"u","groupId":"g","messageId":"5","timestamp":"2025-01-05T10:00:00Z"}"#;

#[test]
fn what_came_before_an_alias_or_an_identify_is_the_users() {
    for tie in [
        r#"{"type":"alias","userId":"u","previousId":"x","messageId":"9","timestamp":"2025-01-06T10:00:00Z"}"#,
        r#"{"type":"alias","userId":"u","previousId":"x","anonymousId":"y","messageId":"9","timestamp":"2025-01-06T10:00:00Z"}"#,
        r#"{"type":"identify","userId":"u","anonymousId":"x","messageId":"9","timestamp":"2025-01-06T10:00:00Z"}"#,
    ] {
        let api = Api::new();
        send(&api, BEFORE);
        assert_eq!(events(&api, "/resources/users/u"), ["signed in"], "{tie}");
        let whose = "select event, user_id, account_id from events order by timestamp";
        let own = json!(["signed in", "u", "g"]);
        let nobodys = |event| json!([event, null, null]);
        let (home, clicked, passed) = ("Viewed Home Page", "clicked", "passed by");
        assert_eq!(rows(&api, whose), json!([nobodys(home), nobodys(clicked), nobodys(passed), own]).to_string());
        send(&api, tie);
        let all = ["signed in", "clicked", "Viewed Home Page"];
        assert_eq!(events(&api, "/resources/users/u"), all, "{tie}");
        assert_eq!(events(&api, "/resources/accounts/g"), all, "{tie}");
        let users = json!([[home, "u", "g"], [clicked, "u", "g"], nobodys(passed), own]);
        assert_eq!(rows(&api, whose), users.to_string(), "{tie}");
        assert_eq!(rows(&api, "select count(*) from events where user_id = 'u'"), "[[3]]");
        assert_eq!(rows(&api, "select count(*) from messages where kind = 'track' and user_id = 'u'"), "[[1]]");
        let seen = "select first_seen_at, last_seen_at from users where user_id = 'u'";
        assert_eq!(rows(&api, seen), r#"[["2025-01-02T10:00:00.000Z","2025-01-04T10:00:00.000Z"]]"#);
        let account = api.read("/resources/accounts/g");
        assert_eq!(account["firstSeenTimestamp"], "2025-01-02T10:00:00.000Z", "{tie}");
        let event = &api.read("/resources/accounts/g/events")["results"][2];
        assert_eq!((&event["userId"], &event["accountId"]), (&json!("u"), &json!("g")), "{tie}");
    }
}

#[test]
fn it_shows_in_counts_by_day_and_as_of_an_instant() {
    let api = Api::new();
    send(&api, BEFORE);
    let days = "/resources/accounts/g/activity?from=2025-01-01&to=2025-01-31";
    assert_eq!(api.read(days)["results"].as_array().map(Vec::len), Some(1), "{}", api.read(days));
    send(
        &api,
        r#"{"type":"identify","userId":"u","anonymousId":"x","messageId":"9","timestamp":"2025-01-06T10:00:00Z"}"#,
    );
    let counted = api.read(days)["results"].clone();
    let counted: Vec<_> = counted.as_array().unwrap().iter().map(|day| day["activeUsers"].clone()).collect();
    assert_eq!(counted, [1, 1, 1]);
    for (at, seen) in
        [("2025-01-05T12:00:00Z", "2025-01-04T10:00:00.000Z"), ("2025-01-06T12:00:00Z", "2025-01-04T10:00:00.000Z")]
    {
        let then = api.read(&format!("/resources/users/u?asOf={at}"));
        assert_eq!(then["lastSeenTimestamp"], seen, "{at}");
    }
    assert_eq!(api.ask("GET /resources/users/u?asOf=2025-01-03T00:00:00Z", "").status, 404, "nobody named u by then");
}

#[test]
fn what_ties_nothing() {
    let api = Api::new();
    send(&api, BEFORE);
    send(
        &api,
        r#"{"type":"group","userId":"u","anonymousId":"x","groupId":"g","messageId":"20"},
           {"type":"track","userId":"u","anonymousId":"x","event":"e","messageId":"21","timestamp":"2025-01-01T00:00:00Z"},
           {"type":"identify","userId":"u","anonymousId":{"no":"id"},"messageId":"22"}"#,
    );
    // A message of the ingest contract knows no anonymous ids.
    api.send(r#"[{"type":"user","userId":"u","accountId":null,"anonymousId":"x","messageId":"23"}]"#);
    assert_eq!(events(&api, "/resources/users/u"), ["signed in", "e"]);
    // The former id of a user is an anonymous id like any other: the two stay two.
    send(&api, r#"{"type":"alias","userId":"v","previousId":"u","messageId":"24"}"#);
    assert_eq!(events(&api, "/resources/users/v"), [""; 0]);
    assert_eq!(events(&api, "/resources/users/u"), ["signed in", "e"]);
}

#[test]
fn a_deleted_user_takes_along_what_was_done_anonymously() {
    let api = Api::new();
    send(&api, BEFORE);
    send(&api, r#"{"type":"alias","userId":"u","previousId":"x","messageId":"9","timestamp":"2025-01-06T10:00:00Z"}"#);
    api.pass_seconds(1);
    let answer = api.ask("DELETE /resources/users/u", "");
    assert_eq!(answer.status, 204);
    let receipt = api.read(answer.header("location"));
    assert_eq!((&receipt["removed"]["users"], &receipt["removed"]["anonymousIds"]), (&json!(1), &json!(1)));
    assert_eq!(receipt["records"][1]["kind"], "anonymous id");
    assert_eq!(rows(&api, "select event from events"), r#"[["passed by"]]"#);
    assert_eq!(
        rows(&api, "select kind, user_id, account_id from messages where kind <> 'track'"),
        r#"[["account",null,"g"]]"#
    );
    let late = format!(
        r#"{{"batch":[{BEFORE},{{"type":"identify","anonymousId":"x","messageId":"30","timestamp":"2025-01-01"}}]}}"#
    );
    api.check(BATCH, &late, SUCCESS);
    assert_eq!(rows(&api, "select event from events"), r#"[["passed by"]]"#);
    assert_eq!(rows(&api, "select count(*) from messages where message like '%\"x\"%'"), "[[0]]");
    assert_eq!(api.ask("GET /resources/users/u", "").status, 404);
}

#[test]
fn an_id_that_two_were_loses_one_of_them() {
    let api = Api::new();
    send(
        &api,
        r#"{"type":"track","anonymousId":"x","event":"u's","messageId":"1","timestamp":"2025-01-02T00:00:00Z"},
           {"type":"identify","anonymousId":"x","userId":"u","messageId":"2","timestamp":"2025-01-03T00:00:00Z"},
           {"type":"identify","anonymousId":"x","userId":"v","messageId":"3","timestamp":"2025-01-04T00:00:00Z"},
           {"type":"track","anonymousId":"x","event":"v's","messageId":"4","timestamp":"2025-01-05T00:00:00Z"}"#,
    );
    api.pass_seconds(1);
    let answer = api.ask("DELETE /resources/users/u", "");
    let line = api.ask(&format!("GET {}", answer.header("location")), "").body;
    let receipt: Value = serde_json::from_str(&line).unwrap();
    let until = "2025-01-03T23:59:59.999999Z";
    let id = muster_model::id::IdSpace::new("default").record(muster_model::kind::RecordKind::Anonymous, "x");
    assert_eq!(receipt["parts"], json!([{"id": id.to_string(), "from": null, "until": until}]));
    assert_eq!(rows(&api, "select event, user_id from events"), r#"[["v's","v"]]"#);
    // A backup from before brings it back; the receipt takes it away again.
    let restored = Api::new();
    send(
        &restored,
        r#"{"type":"track","anonymousId":"x","event":"u's","messageId":"1","timestamp":"2025-01-02T00:00:00Z"},
           {"type":"track","anonymousId":"x","event":"v's","messageId":"4","timestamp":"2025-01-05T00:00:00Z"}"#,
    );
    let replayed = restored.ask("POST /resources/deletions", &line);
    assert_eq!(replayed.body, r#"{"carriedOut":1,"known":0,"notHere":0}"#);
    assert_eq!(rows(&restored, "select event from events"), r#"[["v's"]]"#);
    assert_eq!(expand("<user:u>"), receipt["record"]["id"].as_str().unwrap());
}

#[test]
fn what_is_exported_ties_again_where_it_is_imported() {
    let api = Api::new();
    send(&api, BEFORE);
    send(&api, r#"{"type":"alias","userId":"u","previousId":"x","messageId":"9","timestamp":"2025-01-06T10:00:00Z"}"#);
    let lines: Vec<String> = api.ask("GET /export", "").body.lines().map(str::to_owned).collect();
    let other = Api::new();
    let answer = other.ask("POST /admin/v1/import", &format!("[{}]", lines.join(",")));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(events(&other, "/resources/users/u"), ["signed in", "clicked", "Viewed Home Page"]);
    let again = api.ask("POST /admin/v1/import", &format!("[{}]", lines.join(",")));
    assert_eq!(again.status, 200);
    assert_eq!(rows(&api, "select count(*) from messages"), rows(&other, "select count(*) from messages"));
}
