//! `GET /export` and `POST /admin/v1/import`: everything out, and in again with nothing changed.

use muster_store::credentials::Scopes;
use serde_json::Value;

use crate::harness::{Api, OPERATOR, TOKEN};

const BATCH: &str = r#"[{"type":"organization","organizationId":"o","messageId":"1","timestamp":"2025-01-01","traits":{"name":"O","n":1.50}},
    {"type":"account","accountId":"a","organizationId":"o","timestamp":"2025-01-01","traits":{"name":"A \ud83d"}},
    {"type":"user","userId":7,"accountId":"a","messageId":"3","traits":{"name":"U","email":"u@example.com"},"own":[1, 2]},
    {"type":"track","userId":"7","event":"e","timestamp":"2025-01-02T03:04:05.678901+02:00","properties":{"b":{},"a":1e2}},
    {"type":"unlink","userId":"7","accountId":"a","messageId":"5","timestamp":"2025-02-02"}]"#;

/// Messages of every kind, received at different times.
fn filled() -> Api {
    let api = Api::new();
    api.send(BATCH);
    api.check("POST /v1/batch", CALLS, r#"200 {"success":true}"#);
    assert_eq!(api.read("/resources/refused")["results"], Value::Array(vec![]));
    for (seconds, line, body) in [
        (10, "POST /resources/customObjects", r#"{"name":"seat","label":"Seat"}"#),
        (
            10,
            "POST /resources/customObjects/seat/instances",
            r#"{"externalId":"s1","name":"S","customerId":"<account:a>"}"#,
        ),
        (
            10,
            "POST /resources/npsResponses",
            r#"{"externalId":"n1","userId":"<user:7>","score":9,"respondedAt":"2025-03-01T00:00:00Z"}"#,
        ),
        (10, "PUT /resources/users/7", r#"{"organizationIds":["o"],"traits":{"plan":"x"}}"#),
        (10, "PUT /resources/users/7", r#"{"organizationIds":[]}"#),
    ] {
        api.pass_seconds(seconds);
        let answer = api.ask(line, body);
        assert_eq!(answer.status, 200, "{line}: {}", answer.body);
    }
    api
}

fn exported(api: &Api, target: &str) -> Vec<String> {
    let answer = api.ask(&format!("GET {target}"), "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut lines: Vec<String> = answer.body.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Calls of the Segment spec: a user without an account, someone anonymous, what is no Unicode text.
const CALLS: &str = r#"{"batch":[{"type":"identify","userId":"alone","traits":{"name":"\ud83d"},"timestamp":"2025-01-01"},
    {"type":"identify","anonymousId":"x","traits":{"plan":"p"},"messageId":"c2"},
    {"type":"track","anonymousId":"x","event":"seen","messageId":"c3","sentAt":"2026-01-01T00:00:07Z"},
    {"type":"page","userId":"alone","name":"Home","messageId":"c4","context":{"groupId":"a"}}]}"#;

/// What can be read of everything.
fn reads(api: &Api) -> Vec<String> {
    let targets = [
        "/resources/organizations",
        "/resources/accounts",
        "/resources/users",
        "/resources/users/7",
        "/resources/users/alone",
        "/resources/users/alone/events",
        "/resources/accounts/a",
        "/resources/users/7/events",
        "/resources/accounts/a/events",
        "/resources/organizations/o/events",
        "/resources/users/7/traits/plan/history",
        "/resources/customObjects",
        "/resources/customObjects/seat/instances",
        "/resources/npsResponses",
        "/resources/events/names",
    ];
    let read = |target: &str| {
        let answer = api.ask(&format!("GET {target}"), "");
        format!("{target}: {} {}", answer.status, answer.body)
    };
    targets.into_iter().map(read).collect()
}

#[test]
fn what_is_exported_and_imported_reads_the_same_to_the_byte() {
    let api = filled();
    let lines = exported(&api, "/export");
    assert!(lines.len() >= 14, "{lines:?}");
    let other = Api::new();
    // Much later, in the order of receipt, which is that of the lines; twice, and not in the batches they came in.
    other.pass_seconds(1_000_000);
    for part in lines.chunks(3).chain(lines.chunks(4)) {
        other.check("POST /admin/v1/import", &format!("[{}]", part.join(",")), r#"200 {"message":"Success."}"#);
    }
    for (found, expected) in reads(&other).into_iter().zip(reads(&api)) {
        assert_eq!(found, expected);
    }
    assert_eq!(exported(&other, "/export"), lines);
    // Back where they came from they are known, those of other forms too; and so are the calls where they went.
    for part in lines.chunks(5) {
        api.check("POST /admin/v1/import", &format!("[{}]", part.join(",")), r#"200 {"message":"Success."}"#);
    }
    other.check("POST /v1/batch", CALLS, r#"200 {"success":true}"#);
    for api in [&api, &other] {
        assert_eq!(exported(api, "/export"), lines);
        assert_eq!(api.read("/resources/refused")["results"], Value::Array(vec![]));
    }
}

#[test]
fn a_line_has_the_message_as_it_was_sent_and_the_time_of_receipt() {
    let api = Api::new();
    api.send(r#"[{"userId":"u","event":"e","type":"Track","messageId":"m","timestamp":"2025-01-02T01:00:00+01:00","extra": {"a" : 1.0}}]"#);
    let lines = exported(&api, "/export");
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["receivedAt"], "2026-01-01T00:00:00.000000Z");
    let sent = r#"{"type":"track","userId":"u","event":"e","messageId":"m","timestamp":"2025-01-02T01:00:00+01:00","extra":{"a":1.0}}"#;
    assert_eq!(line["message"], serde_json::from_str::<Value>(sent).unwrap());
}

#[test]
fn a_selection_has_what_was_asked_for() {
    let api = filled();
    let count = |parameters: &str| exported(&api, &format!("/export?{parameters}")).len();
    let all = count("");
    assert_eq!(count("kind=track"), 3);
    assert_eq!(count("kind=track,unlink"), 4);
    assert_eq!((count("event=e"), count("event=other"), count("event=")), (1, 0, all));
    assert_eq!((count("user=7&kind=user,track"), count("user=8")), (4, 0));
    assert_eq!(count("account=a&kind=account"), 1);
    assert_eq!(count("organization=o&kind=organization"), 1);
    let tracks = |span: &str| count(&format!("kind=track&{span}"));
    assert_eq!(tracks("after=2025-01-01&before=2025-01-02T01:04:05.678901Z"), 0, "an end is not part of its span");
    assert_eq!(tracks("after=2025-01-02T01:04:05.678901Z&before=2025-01-03"), 1);
    let known = "organization, account, user, track, unlink, customobjectinstance, customobject, npsresponse, leave";
    let answer = api.ask("GET /export?kind=page", "");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains(known), "{}", answer.body);
    api.check("GET /export?format=xml", "", r#"400 {"error":"format must be one of ndjson, csv, parquet"}"#);
    assert_eq!(api.ask("GET /export?after=soon", "").status, 400);
    assert_eq!(api.ask("GET /export?layout=heap", "").status, 400);
    assert_eq!(api.ask("GET /export?layout=directory&partBytes=1", "").status, 400);
}

/// Tracks are those of the timeline, whatever they name; what else names the record comes too, all of it as it was sent.
#[test]
fn a_selection_by_record_has_its_timeline() {
    let api = Api::new();
    api.send(
        r#"[{"type":"track","userId":"u","event":"named","accountId":"a","messageId":"1","timestamp":"2025-01-02"},
        {"type":"track","userId":"u","event":"linked","messageId":"2","timestamp":"2025-01-03"},
        {"type":"track","userId":"u","event":"elsewhere","accountId":"b","messageId":"3","timestamp":"2025-01-03"},
        {"type":"track","userId":"u","event":"after","messageId":"4","timestamp":"2025-03-01"},
        {"type":"track","userId":"v","event":"other","messageId":"5","timestamp":"2025-01-03"},
        {"type":"unlink","userId":"u","accountId":"a","messageId":"6","timestamp":"2025-02-01"},
        {"type":"account","accountId":"a","organizationId":"o","messageId":"7","timestamp":"2025-01-01"},
        {"type":"user","userId":"u","accountId":"a","messageId":"8","timestamp":"2025-01-01"}]"#,
    );
    let calls = r#"{"batch":[{"type":"track","anonymousId":"device","event":"before it was known","messageId":"9","timestamp":"2025-01-02T00:00:00Z"},
        {"type":"alias","userId":"u","previousId":"device","messageId":"10","timestamp":"2025-01-02T00:00:00Z"}]}"#;
    api.check("POST /v1/batch", calls, r#"200 {"success":true}"#);
    let names = |parameters: &str| {
        let lines = exported(&api, &format!("/export?{parameters}"));
        let name = |line: &String| {
            let message = serde_json::from_str::<Value>(line).unwrap()["message"].take();
            let name = if message["type"] == "track" { &message["event"] } else { &message["type"] };
            name.as_str().unwrap().to_owned()
        };
        let mut names: Vec<String> = lines.iter().map(name).collect();
        names.sort();
        names
    };
    let of = |collection: &str, id: &str| {
        let events = api.read(&format!("/resources/{collection}/{id}/events"))["results"].clone();
        let mut names: Vec<String> =
            events.as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    for (collection, name, id) in
        [("accounts", "account", "a"), ("organizations", "organization", "o"), ("users", "user", "u")]
    {
        assert_eq!(names(&format!("{name}={id}&kind=track")), of(collection, id), "{id}");
    }
    // Whoever left still belongs to the account that was the last one.
    assert_eq!(names("account=a"), ["account", "after", "before it was known", "linked", "named", "unlink", "user"]);
    assert_eq!(names("account=a&event=linked"), ["linked"]);
    assert_eq!(names("account=a&kind=user"), ["user"]);
    assert_eq!(names("account=a&user=u&kind=track&after=2025-01-03"), ["after", "linked"]);
    let csv = api.ask("GET /export?account=a&event=linked&format=csv", "").body;
    let row = csv.lines().nth(1).unwrap().to_owned();
    assert!(row.contains(",,,u,"), "no account stands there, as none was sent: {row}");
}

#[test]
fn lines_and_columns_are_other_forms() {
    let api = filled();
    let answer = api.ask("GET /export?format=csv&event=e", "");
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
    let heading = "kind,timestamp,received_at,organization_id,account_id,user_id,external_id,custom_object_id,event,name,message_id,properties,traits,message";
    let mut lines = answer.body.lines();
    assert_eq!(lines.next(), Some(heading));
    let line = lines.next().unwrap();
    assert!(line.starts_with("track,2025-01-02T01:04:05.678Z,2026-01-01T00:00:00.000Z,,,7,,,e,,,"), "{line}");
    assert_eq!(lines.next(), None);
}

#[test]
fn only_operators_and_administrators_say_when_something_was_received() {
    let api = Api::new();
    api.key("default", "only-write", Scopes::WRITE);
    api.key("other", "of-another", Scopes::ALL);
    let line =
        r#"[{"receivedAt":"2025-01-01T00:00:00Z","message":{"type":"account","accountId":"a","messageId":"m"}}]"#;
    let with = |token: &str, line: &str, body: &str| {
        api.ask_with(line, &[("authorization", &format!("Bearer {token}"))], body.to_owned()).status
    };
    assert_eq!(with("only-write", "POST /admin/v1/import", line), 403);
    assert_eq!(with("only-write", "GET /export", ""), 403);
    assert_eq!(with("of-another", "POST /admin/v1/import?workspace=default", line), 403);
    assert_eq!(with("of-another", "GET /export?workspace=default", ""), 403);
    assert_eq!(with(OPERATOR, "POST /admin/v1/import?workspace=nowhere", line), 404);
    assert_eq!(with(OPERATOR, "POST /admin/v1/import", line), 200);
    assert_eq!(api.read("/resources/accounts/a")["createdAt"], "2025-01-01T00:00:00.000Z");
    assert_eq!(with("of-another", "GET /export", ""), 200);
    let answer = api.ask_with("GET /export", &[("authorization", "Bearer of-another")], "");
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(with(TOKEN, "GET /export", ""), 200);
}

#[test]
fn what_cannot_be_imported_is_set_aside_beside_what_can() {
    let api = Api::new();
    let body = r#"[{"receivedAt":"2027-01-01","message":{"type":"account","accountId":"a","messageId":"m"}},
        {"receivedAt":"yesterday","message":{"type":"account","accountId":"b","messageId":"m"}},
        {"receivedAt":"2025-01-01","message":7},
        {"receivedAt":"2025-01-01","message":{"type":"nonsense"}},
        {"id":"7","message":{"type":"account","accountId":"e","messageId":"m"}},
        {"type":"account","accountId":"c","messageId":"m"}, {"message":{"type":"account","accountId":"d","messageId":"m"}}]"#;
    let answer = api.ask("POST /admin/v1/import", body);
    assert_eq!(answer.status, 400);
    let error = &answer.json()["error"];
    assert_eq!(error["message"], "5 of 7 messages were refused");
    assert_eq!(error["stored"], 2);
    let told: Vec<String> = error["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", one["instancePath"], one["code"]))
        .collect();
    let expected = [
        r#""/0/receivedAt" "invalid_timestamp""#,
        r#""/1/receivedAt" "invalid_timestamp""#,
        r#""/2" "not_an_object""#,
        r#""/3/type" "unknown_type""#,
        r#""/4/id" "invalid_id""#,
    ];
    assert_eq!(told, expected);
    assert_eq!(api.page("/resources/accounts").0.len(), 2);
    assert_eq!(api.read("/resources/refused")["results"].as_array().unwrap().len(), 5);
    let answer = api.ask("POST /admin/v1/import", "{}");
    assert!(answer.status == 400 && answer.body.contains("not_an_array"), "{}", answer.body);
}
