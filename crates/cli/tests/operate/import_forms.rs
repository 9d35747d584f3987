//! `muster import` of what others kept: exports of products, tables with a mapping, another server's records.

use std::fs;
use std::io::Write;

use serde_json::{Value, json};

use super::harness::command::{Outcome, run, run_with};
use super::harness::home::Home;
use super::harness::server::{Launch, Server, TOKEN};

/// Exit codes of the contract.
const REFUSED: i32 = 6;

/// A home with a server, and the arguments that lead to it.
struct Place {
    home: Home,
    server: Server,
}

impl Place {
    fn new() -> Place {
        let home = Home::new();
        let server = Launch::new(&home).start();
        Place { home, server }
    }

    /// Runs `muster import` with these arguments: its summary.
    fn import(&self, more: &[&str]) -> Value {
        let outcome = self.run(&[&["import", "--json"], more].concat());
        assert!(matches!(outcome.status.code(), Some(0 | REFUSED)), "{}", outcome.said());
        serde_json::from_str(&outcome.stdout).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let data_dir = self.home.data_dir();
        run(self.home.path(), &[arguments, &["--data-dir", data_dir.to_str().unwrap()]].concat())
    }

    fn query(&self, sql: &str) -> String {
        self.run(&["query", sql, "--format", "csv"]).succeeded().replace("\r\n", "\n")
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.home.path().join(name)).unwrap()
    }
}

fn counts(summary: &Value) -> [u64; 3] {
    ["stored", "duplicates", "refused"].map(|name| summary[name].as_u64().unwrap())
}

#[test]
fn calls_of_an_archive_mean_what_they_meant_when_they_came() {
    let place = Place::new();
    let call = json!({
        "type": "group", "userId": "u", "groupId": "acme", "traits": {"plan": "pro"}, "messageId": "g",
        "originalTimestamp": "2023-05-06T10:00:00.000Z", "sentAt": "2023-05-06T10:00:05.000Z",
        "timestamp": "2023-05-06T07:59:55.000Z", "receivedAt": "2023-05-06T08:00:00.000Z",
    });
    // The same call comes from its library; what an archive adds to it does not contradict it.
    let mut live = call.clone();
    live.as_object_mut().unwrap().retain(|name, _| !["timestamp", "receivedAt"].contains(&name.as_str()));
    place.home.file("one.ndjson", call.to_string());
    assert_eq!(counts(&place.import(&["one.ndjson", "--format", "segment", "--dry-run"])), [1, 0, 0]);
    assert_eq!(counts(&place.import(&["one.ndjson", "--format", "segment"])), [1, 0, 0]);
    assert_eq!(counts(&place.import(&["one.ndjson", "--format", "segment"])), [0, 1, 0]);
    let body = json!({"batch": [live]}).to_string();
    place.server.client().post("/v1/batch", body.as_bytes()).unwrap().expect(200);
    let links =
        place.query("select user_id, account_id, (select json_extract(traits, '$.plan') from accounts) from links");
    assert_eq!(links.lines().nth(1), Some("u,acme,pro"), "{links}");
    let times = place.query("select distinct timestamp, received_at from messages");
    let expected = "2023-05-06T07:59:55.000Z,2023-05-06T08:00:00.000Z";
    assert_eq!(times.lines().skip(1).map(|line| line.replace("000000Z", "000Z")).collect::<Vec<_>>(), [expected]);
    // What is no call is told with its place, and kept as it was.
    place.home.file("bad.ndjson", "{\"event\":\"e\"}\n{\"type\":\"track\",\"userId\":\"u\"}\n");
    let summary = place.import(&["bad.ndjson", "--format", "segment", "--refused", "faults.ndjson"]);
    assert_eq!(counts(&summary), [0, 0, 2]);
    assert_eq!(place.read("faults.ndjson"), "{\"event\":\"e\"}\n{\"type\":\"track\",\"userId\":\"u\"}\n");
    assert_eq!(summary["refusals"][0]["line"], json!(1));
}

#[test]
fn products_exports_are_events_of_users_and_accounts() {
    let place = Place::new();
    let mixpanel = json!({"event": "Opened", "properties": {
        "time": 1_700_000_000, "distinct_id": "u1", "$insert_id": "m1", "company": "acme", "mp_processing_time_ms": 1_700_000_001_000u64,
    }});
    place.home.file("mixpanel.ndjson", mixpanel.to_string());
    let done = place.import(&["mixpanel.ndjson", "--format", "mixpanel", "--account-group", "company"]);
    assert_eq!(counts(&done), [1, 0, 0]);

    let amplitude = json!({
        "event_type": "Closed", "event_time": "2023-11-14 22:13:20.000000", "user_id": "u2", "$insert_id": "a1",
        "groups": {"company": ["acme"]}, "user_properties": {"email": "u2@example.com"}, "event_properties": {"n": 1},
    });
    let mut archive = zip::ZipWriter::new(fs::File::create(place.home.path().join("amplitude.zip")).unwrap());
    archive.start_file("1/2023-11-14_22#0.json.gz", zip::write::SimpleFileOptions::default()).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(format!("{amplitude}\n").as_bytes()).unwrap();
    archive.write_all(&gzip.finish().unwrap()).unwrap();
    archive.finish().unwrap();
    assert_eq!(counts(&place.import(&["amplitude.zip", "--format", "amplitude"])), [2, 0, 0]);

    let posthog = json!({
        "uuid": "p1", "event": "$pageview", "distinct_id": "u3", "timestamp": "2023-11-14T22:13:20Z",
        "properties": {"$groups": {"company": "acme"}, "$set": {"email": "u3@example.com"}},
    });
    place.home.file("posthog.jsonl", posthog.to_string());
    assert_eq!(counts(&place.import(&["posthog.jsonl", "--format", "posthog"])), [2, 0, 0]);

    let events = place.query("select event, user_id, account_id from events order by user_id");
    assert_eq!(events, "event,user_id,account_id\nOpened,u1,acme\nClosed,u2,acme\nViewed Page,u3,acme\n");
    let users = place.query("select user_id, email from users where email is not null order by user_id");
    assert_eq!(users, "user_id,email\nu2,u2@example.com\nu3,u3@example.com\n");
}

#[test]
fn tables_are_read_by_a_mapping() {
    let place = Place::new();
    let table = "id,company_id,email,seats,created_at\n1,acme,a@example.com,5,2023-01-02\n2,,b@example.com,,2023-01-03\n3,x,c@example.com,1,soon\n4,x\n";
    place.home.file("users.csv", table);
    let outcome = place.run(&["import", "users.csv", "--infer"]);
    let said = outcome.said();
    let proposed = outcome.succeeded();
    assert!(proposed.contains("userId = \"id\"") && proposed.contains("accountId = \"company_id\""), "{proposed}");
    assert!(said.contains("\"email\":\"a@example.com\""), "{said}");
    assert_eq!(place.query("select count(*) from users"), "count(*)\n0\n");
    let map = format!("{proposed}\n").replace("traits = \"rest\"", "timestamp = \"created_at\"\ntraits = \"rest\"");
    place.home.file("map.toml", map);
    let import = |file: &str| place.import(&[file, "--map", "map.toml", "--refused", "faults.csv"]);
    assert_eq!(counts(&import("users.csv")), [2, 0, 2]);
    let faults = place.read("faults.csv");
    let lines: Vec<&str> = faults.lines().collect();
    assert_eq!(lines[0], "id,company_id,email,seats,created_at,muster_reason");
    assert!(lines[1].starts_with("3,x,c@example.com,1,soon,") && lines[1].contains("is no time"), "{faults}");
    assert!(lines[2].starts_with("4,x,") && lines[2].contains("2 cells"), "{faults}");
    // Corrected, the same file goes in again.
    place.home.file("corrected.csv", faults.replace("soon", "2023-01-04"));
    assert_eq!(counts(&import("corrected.csv")), [1, 0, 1]);
    let users = place.query(
        "select user_id, account_id, json_extract(users.traits, '$.seats') as seats from users left join links using (user_id) order by user_id",
    );
    assert_eq!(users, "user_id,account_id,seats\n1,acme,5\n2,,\n3,x,1\n");

    // A table in Parquet, such as an export of ours.
    place.run(&["export", "--format", "parquet", "--out", "all.parquet"]).succeeded();
    let map = "[[message]]\ntype = \"track\"\nuserId = \"user_id\"\nevent = { value = \"was exported\" }\n\
               timestamp = \"timestamp\"\nreceivedAt = \"received_at\"\nproperties = [\"kind\"]\n";
    place.home.file("map.toml", map);
    let done = place.import(&["all.parquet", "--map", "map.toml", "--refused", "faults.csv"]);
    assert_eq!(counts(&done), [3, 0, 0], "{done}");
    place.home.file("map.toml", "[[message]]\ntype = \"user\"\nuserId = \"id\"\ntrait = \"rest\"\n");
    let said = place.run(&["import", "users.csv", "--map", "map.toml"]).failed();
    assert!(said.contains("map.toml") && said.contains("trait"), "{said}");
}

#[test]
fn another_servers_records_are_fetched_page_by_page() {
    let other = Place::new();
    let mut client = other.server.client();
    let at = "2023-05-06T07:08:09.000Z";
    let mut messages = vec![
        json!({"type": "organization", "organizationId": "o", "traits": {"name": "Org"}, "timestamp": at}),
        json!({"type": "account", "accountId": "gone", "traits": {"churnedAt": at}, "timestamp": at}),
        json!({"type": "user", "userId": "alone", "accountId": null, "timestamp": at}),
        json!({"type": "user", "userId": "both", "accountId": "a-1", "organizationId": "o", "timestamp": at, "traits": {"email": "b@example.com"}}),
    ];
    client.batch(&messages).unwrap().expect_success();
    messages = (0..150)
        .map(|n| json!({"type": "account", "accountId": format!("a-{n}"), "organizationId": "o", "traits": {"mrr": n}, "timestamp": at}))
        .collect();
    for part in messages.chunks(100) {
        client.batch(part).unwrap().expect_success();
    }
    let place = Place::new();
    let url = format!("http://{}", other.server.address);
    let data_dir = place.home.data_dir();
    let fetch = ["import", "--json", "--from-vitally", &url, "--data-dir", data_dir.to_str().unwrap()];
    let said = run(place.home.path(), &fetch).failed();
    assert!(said.contains("MUSTER_FROM_TOKEN"), "{said}");
    let fetched = || run_with(place.home.path(), &fetch, &[("MUSTER_FROM_TOKEN", TOKEN)]).succeeded();
    let count = 1 + 151 + 3;
    assert_eq!(counts(&serde_json::from_str(&fetched()).unwrap()), [count, 0, 0]);
    assert_eq!(counts(&serde_json::from_str(&fetched()).unwrap()), [0, count, 0]);
    for sql in [
        "select organization_id, name, traits from organizations",
        "select account_id, organization_id, mrr, traits, created_at from accounts order by account_id",
        "select user_id, email, traits from users order by user_id",
        "select user_id, account_id, organization_id from links order by user_id, account_id",
    ] {
        assert_eq!(place.query(sql), other.query(sql), "{sql}");
    }
    let wrong = run_with(place.home.path(), &fetch, &[("MUSTER_FROM_TOKEN", "wrong")]).failed();
    assert!(wrong.contains("--from-token"), "{wrong}");
}

#[test]
fn rows_without_id_and_time_are_stored_once() {
    let place = Place::new();
    let proposed = |file: &str| {
        let map = place.run(&["import", file, "--infer"]).succeeded();
        place.home.file("map.toml", &map);
        map
    };
    let import = |file: &str| counts(&place.import(&[file, "--map", "map.toml", "--again"]));
    place.home.file("accounts.csv", "id,name,plan\n1,Acme,pro\n2,Beta,free\n");
    let map = proposed("accounts.csv");
    assert!(map.contains("made = \"content\"") && map.contains("# No column found holds"), "{map}");
    assert_eq!(import("accounts.csv"), [2, 0, 0]);
    place.home.file("renamed.csv", "id,name,plan\n2,Beta,pro\n1,Acme,pro\n");
    assert_eq!(import("renamed.csv"), [1, 1, 0], "what is said anew is a new statement");
    let plans =
        place.query("select account_id, json_extract(traits, '$.plan') as plan from accounts order by account_id");
    assert_eq!(plans, "account_id,plan\n1,pro\n2,pro\n");

    place.home.file("log.csv", "user_id,action\nu,opened\nu,opened\nu,closed\n");
    let map = proposed("log.csv");
    assert!(map.contains("made = \"row\""), "{map}");
    assert_eq!(import("log.csv"), [3, 0, 0], "each row is an event");
    assert_eq!(import("log.csv"), [0, 3, 0]);
    assert_eq!(place.query("select count(*) from events"), "count(*)\n3\n");
}

#[test]
fn groups_of_several_types_are_told_of() {
    let place = Place::new();
    let event = |id: &str, groups: Value| json!({"uuid": id, "event": "e", "distinct_id": "u", "timestamp": "2023-11-14T22:13:20Z", "properties": {"$groups": groups}});
    let two = event("2", json!({"company": "acme", "team": "t"}));
    place.home.file("a.jsonl", format!("{}\n{two}\n", event("1", json!({"company": "acme"}))));
    let outcome = place.run(&["import", "a.jsonl", "--format", "posthog", "--dry-run"]);
    let said = outcome.said();
    assert!(said.contains("warning: there are groups of several types (company, team)"), "{said}");
    assert!(outcome.succeeded().contains("they name groups of several types: 1 events;"));
    let done = place.import(&["a.jsonl", "--format", "posthog"]);
    assert_eq!((counts(&done), &done["without_account"]), ([2, 0, 0], &json!(1)));
    let named = place.run(&["import", "a.jsonl", "--format", "posthog", "--account-group", "company", "--dry-run"]);
    assert!(!named.said().contains("several types"), "{}", named.said());
}
