//! `muster query`: beside a running server and without one.

use serde_json::{Value, json};

use super::harness::{
    command::{Outcome, run, run_with},
    home::Home,
    server::{Launch, TOKEN},
};

fn query(home: &Home, arguments: &[&str]) -> Outcome {
    let data_dir = home.data_dir();
    let place = ["query", "--data-dir", data_dir.to_str().unwrap()];
    run(home.path(), &[&place[..], arguments].concat())
}

fn story() -> Vec<Value> {
    vec![
        json!({"type": "account", "accountId": "a", "messageId": "1", "timestamp": "2024-01-01", "traits": {"name": "Acme, Inc.", "mrr": 10}}),
        json!({"type": "user", "userId": "u", "accountId": "a", "messageId": "2", "timestamp": "2024-01-01"}),
        json!({"type": "track", "event": "login", "userId": "u", "messageId": "3", "timestamp": "2024-01-02"}),
    ]
}

#[test]
fn the_same_answers_with_and_without_a_server() {
    const SQL: &str =
        "select name, mrr, count(event) as n from accounts left join events using (account_id) group by 1, 2";
    let home = Home::new();
    let server = Launch::new(&home).start();
    server.client().batch(&story()).unwrap().expect_success();
    let forms = |home: &Home| {
        let answers = ["csv", "json", "table"].map(|form| query(home, &[SQL, "--format", form]).succeeded());
        // What was looked at differs with where it lies; what was found does not.
        let [csv, json, table] = answers;
        let mut json: Value = serde_json::from_str(&json).unwrap();
        json["scanned"].take();
        (csv, json, table)
    };
    let beside = forms(&home);
    assert_eq!(beside.0, "name,mrr,n\r\n\"Acme, Inc.\",10.0,1\r\n");
    assert_eq!(beside.1["rows"], json!([["Acme, Inc.", 10.0, 1]]));
    assert_eq!(beside.2, "name        mrr   n\nAcme, Inc.  10.0  1\n");
    let of = ["select count(*) from events where event = ? and user_id = ?", "--param", "login", "--param", "u"];
    assert_eq!(query(&home, &of).succeeded(), "count(*)\r\n1\r\n");
    let url = format!("http://{}", server.address);
    let named = ["query", "select :x", "--params", r#"{"x":[1]}"#, "--url", &url, "--format", "csv"];
    assert_eq!(run_with(home.path(), &named, &[("MUSTER_TOKEN", TOKEN)]).succeeded(), ":x\r\n[1]\r\n");
    server.stop();
    assert_eq!(forms(&home), beside);
    assert_eq!(query(&home, &of).succeeded(), "count(*)\r\n1\r\n");
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let both = |home: &Home| {
        let said = query(home, &["select nonsense"]).failed();
        assert!(said.contains("no such column: nonsense (at byte 7 of the statement)"), "{said}");
        let said = query(home, &["attach 'x' as y"]).failed();
        assert!(said.contains("ATTACH cannot be used here"), "{said}");
        let said = query(home, &["select 1", "--workspace", "nobody"]).failed();
        assert!(said.contains("no such workspace") || said.contains("no workspace nobody"), "{said}");
    };
    both(&home);
    server.stop();
    both(&home);
    let nowhere = run(home.path(), &["query", "select 1", "--data-dir", "nowhere"]).failed();
    assert!(nowhere.contains("no data directory"), "{nowhere}");
}
