//! `muster query`: beside a running server and without one.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::harness::{
    cluster,
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
    if !cluster::is_on() {
        let nowhere = run(home.path(), &["query", "select 1", "--data-dir", "nowhere"]).failed();
        assert!(nowhere.contains("no data directory"), "{nowhere}");
    }
}

/// Every file below a directory with its content, and every directory.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
            let bytes = if entry.is_dir() { Vec::new() } else { fs::read(&entry).unwrap() };
            if entry.is_dir() {
                dirs.push(entry.clone());
            }
            found.insert(entry, bytes);
        }
    }
    found
}

/// After a stop there are history files and tables, after a kill there is a journal as well.
#[test]
fn a_query_and_an_examination_change_nothing() {
    const SQL: &str = "select event, count(*) from events group by 1 order by 1";
    let home = Home::new();
    let server = Launch::new(&home).start();
    server.client().batch(&story()).unwrap().expect_success();
    server.stop();
    let server = Launch::new(&home).start();
    let late = json!({"type": "track", "event": "late", "userId": "u", "messageId": "4", "timestamp": "2024-01-03"});
    server.client().batch(&[late]).unwrap().expect_success();
    server.kill();
    let data_dir = home.data_dir();
    let before = content(&data_dir);
    assert!(before.keys().any(|path| path.extension().is_some_and(|extension| extension == "parquet")));
    assert_eq!(query(&home, &[SQL]).succeeded(), "event,count(*)\r\nlate,1\r\nlogin,1\r\n");
    run(home.path(), &["doctor", "--data-dir", data_dir.to_str().unwrap()]).succeeded();
    let after = content(&data_dir);
    assert!(before == after, "{:?} before, {:?} after", before.keys(), after.keys());
    // Nor is a server that comes later in another place than before.
    let server = Launch::new(&home).start();
    assert_eq!(query(&home, &[SQL]).succeeded(), "event,count(*)\r\nlate,1\r\nlogin,1\r\n");
    server.stop();
}

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let home = Home::new();
    let pictures = home.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    fs::write(pictures.join("photo.jpg"), "a photo").unwrap();
    for command in [&["query", "select 1"][..], &["export"], &["backup", "copy"], &["keys", "list"], &["team", "list"]]
    {
        let said = run(home.path(), &[command, &["--data-dir", pictures.to_str().unwrap()]].concat()).failed();
        assert!(said.contains("pictures is no data directory; give the right one"), "{command:?}: {said}");
    }
    let said = query(&home, &["select 1"]).failed();
    assert!(said.contains("there is no data directory"), "{said}");
    assert_eq!(content(&pictures).into_keys().collect::<Vec<_>>(), [pictures.join("photo.jpg")]);
}
