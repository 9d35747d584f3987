//! `muster export` and `muster import`: everything out of one server and into another, beside them and without them.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::harness::command::{create_key, run, run_with};
use super::harness::files::all_files;
use super::harness::home::Home;
use super::harness::ledger::Ledger;
use super::harness::messages::{Collection, track};
use super::harness::reads::{Snapshot, message_ids};
use super::harness::server::{Launch, TOKEN};
use super::harness::traffic::{Sender, run_all, until_promised};

/// Exit codes of the contract.
const REFUSED: i32 = 6;

fn at(data_dir: &Path) -> [&str; 2] {
    ["--data-dir", data_dir.to_str().unwrap()]
}

#[test]
fn what_is_moved_to_another_server_reads_the_same_to_the_byte() {
    let home = Home::new();
    let launch = Launch::new(&home).restless(150);
    let server = launch.start();
    let ledger = Mutex::new(Ledger::default());
    // One sender: what is received one after the other is applied in that order too.
    run_all(&mut Sender::several(1, 11), server.address, &ledger, || {
        until_promised(150, Duration::from_millis(1_200), &ledger)
    });
    let before = Snapshot::take(&mut server.client());
    assert!(before.results() > 20, "there is something to read");
    let data_dir = home.data_dir();
    let export = |name: &str, more: &[&str]| {
        run(home.path(), &[&["export", "--out", name], more, &at(&data_dir)].concat()).succeeded();
        fs::read(home.path().join(name)).unwrap()
    };
    // While the server runs, and compressed; then without one.
    export("beside.ndjson.zst", &[]);
    server.stop();
    let lines = export("alone.ndjson", &[]);
    let count = lines.iter().filter(|byte| **byte == b'\n').count();
    assert!(count > 100, "{count} lines");

    let other = Home::new();
    let launch = Launch::new(&other).restless(100);
    launch.start().stop();
    let moved = home.path().join("beside.ndjson.zst");
    let other_dir = other.data_dir();
    let import = |more: &[&str]| {
        let arguments = [&["import", moved.to_str().unwrap(), "--json"], more, &at(&other_dir)].concat();
        serde_json::from_str::<Value>(&run(other.path(), &arguments).succeeded()).unwrap()
    };
    // Into a directory that nobody uses, and once more beside a server.
    let tried = import(&["--dry-run"]);
    assert_eq!((&tried["messages"], &tried["stored"]), (&json!(count), &json!(count)));
    let done = import(&[]);
    assert_eq!((&done["stored"], &done["duplicates"], &done["refused"]), (&json!(count), &json!(0), &json!(0)));
    let server = launch.start();
    before.assert_same(&before.again(&mut server.client()));
    let again = import(&[]);
    assert_eq!((&again["stored"], &again["duplicates"]), (&json!(0), &json!(count)));
    before.assert_same(&before.again(&mut server.client()));
}

#[test]
fn a_directory_moves_to_another_server_and_reads_the_same_to_the_byte() {
    let home = Home::new();
    let launch = Launch::new(&home).restless(150);
    let server = launch.start();
    let ledger = Mutex::new(Ledger::default());
    run_all(&mut Sender::several(1, 12), server.address, &ledger, || {
        while ledger.lock().unwrap().promised_count() < 200 {
            sleep(Duration::from_millis(20));
        }
    });
    let before = Snapshot::take(&mut server.client());
    let data_dir = home.data_dir();
    let export =
        |name: &str, more: &[&str]| run(home.path(), &[&["export", "--out", name], more, &at(&data_dir)].concat());
    let manifest = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(home.path().join(name).join("_manifest.json")).unwrap()).unwrap()
    };
    export("beside/", &[]).succeeded();
    let count = manifest("beside")["messages"].as_u64().unwrap();
    assert!(count > 100, "{count} messages");
    // What is there is not written over, unless that is wished; without a server it is the same.
    assert!(export("beside", &[]).failed().contains("--replace"));
    server.stop();
    export("beside", &["--replace", "--part-bytes", "1048576"]).succeeded();
    let told = manifest("beside");
    assert_eq!((&told["messages"], &told["format"]), (&json!(count), &json!("ndjson")));
    let files = told["files"].as_array().unwrap();
    let of = |name: &str| files.iter().map(|file| file[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!(of("messages"), count);
    for file in files {
        let path = file["path"].as_str().unwrap();
        assert!(path.starts_with("kind=") && path.contains("/month=") && path.ends_with(".ndjson.zst"), "{path}");
        let bytes = fs::metadata(home.path().join("beside").join(path)).unwrap().len();
        assert_eq!(file["bytes"], json!(bytes), "{path}");
    }
    let there = all_files(&home.path().join("beside")).len();
    assert_eq!(there, files.len() + 1, "nothing is left over");

    let other = Home::new();
    let launch = Launch::new(&other).restless(100);
    launch.start().stop();
    let (moved, other_dir) = (home.path().join("beside"), other.data_dir());
    let arguments = [&["import", moved.to_str().unwrap(), "--json"][..], &at(&other_dir)].concat();
    let done: Value = serde_json::from_str(&run(other.path(), &arguments).succeeded()).unwrap();
    assert_eq!((&done["stored"], &done["refused"]), (&json!(count), &json!(0)));
    before.assert_same(&before.again(&mut launch.start().client()));
}

#[test]
fn selections_and_other_forms() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    let messages: Vec<Value> =
        (0..50).map(|n| track(&format!("user-{}", n % 5), "opened", &format!("m-{n}"))).collect();
    client.batch(&messages).unwrap().expect_success();
    let url = format!("http://{}", server.address);
    let export = |more: &[&str]| {
        run_with(home.path(), &[&["export", "--url", &url], more].concat(), &[("MUSTER_TOKEN", TOKEN)]).succeeded()
    };
    assert_eq!(export(&[]).lines().count(), 50);
    assert_eq!(export(&["--user", "user-1", "--kind", "track"]).lines().count(), 10);
    assert_eq!(export(&["--event", "closed"]), "");
    let csv = export(&["--format", "csv", "--user", "user-1"]);
    assert!(csv.starts_with("kind,timestamp,received_at,") && csv.lines().count() == 11, "{csv}");
    export(&["--format", "parquet", "--out", "all.parquet"]);
    let file = fs::read(home.path().join("all.parquet")).unwrap();
    assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));

    let said =
        run_with(home.path(), &["export", "--url", &url, "--out", "all.parquet"], &[("MUSTER_TOKEN", TOKEN)]).failed();
    assert!(said.contains("--replace"), "{said}");
    let page = ["export", "--url", &url, "--kind", "page", "--out", "page.ndjson"];
    let said = run_with(home.path(), &page, &[("MUSTER_TOKEN", TOKEN)]).failed();
    assert!(said.contains("kind must be some of organization, account"), "{said}");
    let said = run(home.path(), &["export", "--url", &url]).failed();
    assert!(said.contains("--token"), "{said}");
    assert_eq!(
        fs::read_dir(home.path())
            .unwrap()
            .filter(|entry| { entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".unfinished") })
            .count(),
        0
    );
}

#[test]
fn files_of_all_sorts_are_imported_and_faults_are_kept() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let data_dir = home.data_dir();
    create_key(home.path(), &data_dir, "other", "read", "test");
    let history = home.path().join("history");
    fs::create_dir_all(history.join("2024")).unwrap();
    let plain = |n: u32| track("u", "opened", &format!("p-{n}"));
    fs::write(history.join("a.json"), Value::from(vec![plain(1), plain(2)]).to_string()).unwrap();
    fs::write(history.join("2024/b.ndjson"), format!("{}\n{{\"type\":\n{}\n", plain(3), json!({"type": "user"})))
        .unwrap();
    let outcome =
        run(home.path(), &[&["import", "history", "--refused", "faults.ndjson"][..], &at(&data_dir)].concat());
    assert_eq!(outcome.status.code(), Some(REFUSED), "{}", outcome.said());
    let said = outcome.said();
    assert!(said.contains("history/2024/b.ndjson: line 2"), "{said}");
    assert!(said.contains("history/2024/b.ndjson: line 3"), "{said}");
    let faults = fs::read_to_string(home.path().join("faults.ndjson")).unwrap();
    assert_eq!(faults, "{\"type\":\n{\"type\":\"user\"}\n");
    let mut client = server.client();
    assert_eq!(message_ids(&mut client, Collection::Users, "u").len(), 3);

    // A workspace of its own, and one that there is not.
    let received = json!({"receivedAt": "2023-05-06T07:08:09.000001Z", "message": plain(1)});
    home.file("one.ndjson", received.to_string());
    run(home.path(), &[&["import", "one.ndjson", "--workspace", "other"][..], &at(&data_dir)].concat()).succeeded();
    let exported = run(home.path(), &[&["export", "--workspace", "other"][..], &at(&data_dir)].concat()).succeeded();
    assert_eq!(serde_json::from_str::<Value>(&exported).unwrap(), received);
    let said =
        run(home.path(), &[&["import", "one.ndjson", "--workspace", "none"][..], &at(&data_dir)].concat()).failed();
    assert!(said.contains("workspace"), "{said}");
    let said = run(home.path(), &["import", "nowhere.ndjson"]).failed();
    assert!(said.contains("nowhere.ndjson"), "{said}");
}
