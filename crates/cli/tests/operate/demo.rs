//! `muster demo`: what it says it made is there, and telling it again adds nothing.

use serde_json::{Value, json};

use super::harness::command::{Outcome, run, run_with};
use super::harness::home::Home;
use super::harness::server::{Launch, TOKEN};

/// Exit codes of the contract.
const USAGE: i32 = 2;

/// A year that lies in the past for good, so that it is always told to its end.
const STORY: [&str; 5] = ["demo", "--accounts", "20", "--until", "2026-06-30"];

fn tell(home: &Home, more: &[&str]) -> Outcome {
    let data_dir = home.data_dir();
    run(home.path(), &[&STORY[..], &["--data-dir", data_dir.to_str().unwrap()], more].concat())
}

fn made(outcome: Outcome) -> Value {
    serde_json::from_str(&outcome.succeeded()).unwrap()
}

#[test]
fn what_it_says_is_what_is_there() {
    let home = Home::new();
    let server = Launch::new(&home).set("MUSTER_REFUSED__RETENTION_DAYS", 36_500).start();
    let first = made(tell(&home, &["--json"]));
    let rows = |sql: &str| {
        let answer = server.client().post_json("/query", &json!({ "sql": sql })).unwrap().expect(200).json();
        answer["rows"].clone()
    };
    let counts = "select (select count(*) from organizations), (select count(*) from accounts), \
                  (select count(*) from users), (select count(*) from events), (select count(*) from messages), \
                  (select count(distinct external_id) from messages where kind = 'npsresponse'), \
                  (select count(distinct external_id) from messages where kind = 'customobjectinstance')";
    let names = ["organizations", "accounts", "users", "events", "stored", "npsResponses", "customObjectInstances"];
    let said: Vec<&Value> = names.iter().map(|name| &first[name]).collect();
    assert_eq!(rows(counts), json!([said]), "{first}");
    assert!(said.iter().all(|count| count.as_u64().unwrap() > 0), "{first}");
    assert_eq!((&first["duplicates"], &first["organizations"]), (&json!(0), &json!(2)));
    // The story can be seen: who left, what a holding has, what was answered, who is in the team.
    let churned = rows("select count(*) from accounts where churned_at is not null and mrr = 0");
    assert_ne!(churned, json!([[0]]));
    let mut client = server.client();
    let organization = client.read("/resources/organizations/org-100");
    assert!(organization["accountsCount"].as_u64().unwrap() >= 2, "{organization}");
    assert!(!client.read("/resources/npsResponses")["results"].as_array().unwrap().is_empty());
    assert_eq!(client.read("/resources/customObjects")["results"].as_array().unwrap().len(), 2);
    assert_eq!(client.read("/resources/admins")["results"].as_array().unwrap().len(), 4);
    let refused = client.read("/resources/refused?limit=100");
    let refused = refused["results"].as_array().unwrap();
    assert_eq!(json!(refused.len()), first["refused"]);
    let mut codes: Vec<&str> = refused.iter().map(|entry| entry["code"].as_str().unwrap()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert!(codes.len() >= 8 && codes.contains(&"user_needs_parent") && codes.contains(&"conflict"), "{codes:?}");

    let outcome = tell(&home, &[]);
    assert_eq!(outcome.status.code(), Some(USAGE), "{}", outcome.said());
    assert!(outcome.failed().contains("--force"));
    let again = made(tell(&home, &["--json", "--force"]));
    assert_eq!(
        (&again["stored"], &again["duplicates"], &again["refused"]),
        (&json!(0), &first["stored"], &first["refused"])
    );
    assert_eq!(rows(counts), json!([said]));
}

#[test]
fn it_goes_into_a_directory_without_a_server_and_to_one_elsewhere() {
    let home = Home::new();
    let launch = Launch::new(&home);
    launch.start().stop();
    let said = tell(&home, &[]).succeeded();
    assert!(said.contains("Fieldnote") && said.contains("2025-07-01 to 2026-06-30"), "{said}");
    let server = launch.start();
    let count = server.client().post_json("/query", &json!({"sql": "select count(*) > 10000 from events"})).unwrap();
    assert_eq!(count.expect(200).json()["rows"], json!([[1]]));

    let url = format!("http://{}", server.address);
    let there = [&STORY[..], &["--url", &url]].concat();
    let said = run(home.path(), &there).failed();
    assert!(said.contains("--token"), "{said}");
    let said = run_with(home.path(), &there, &[("MUSTER_TOKEN", TOKEN)]).failed();
    assert!(said.contains("--force"), "{said}");
    let said = run(home.path(), &["demo", "--accounts", "19"]).failed();
    assert!(said.contains("20..=20000"), "{said}");
}
