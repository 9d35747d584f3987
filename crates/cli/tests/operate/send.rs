//! `muster send`: batch files and NDJSON, and what is refused.

use serde_json::{Value, json};

use super::harness::command::{Outcome, run, run_with};
use super::harness::home::Home;
use super::harness::messages::{Collection, track};
use super::harness::reads::message_ids;
use super::harness::server::{Launch, TOKEN};

/// Exit codes of the contract.
const UNREACHABLE: i32 = 5;
const REFUSED: i32 = 6;

fn send(home: &Home, url: &str, file: &str, more: &[&str]) -> Outcome {
    let arguments = [&["send", file, "--url", url], more].concat();
    run_with(home.path(), &arguments, &[("MUSTER_TOKEN", TOKEN)])
}

fn tracks(prefix: &str, count: usize) -> Vec<Value> {
    (0..count).map(|at| track("u", "opened", &format!("{prefix}-{at}"))).collect()
}

#[test]
fn files_of_either_form_and_any_length() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let url = format!("http://{}", server.address);
    home.file("batch.json", serde_json::to_string_pretty(&tracks("array", 250)).unwrap());
    send(&home, &url, "batch.json", &[]).succeeded();
    assert_eq!(message_ids(&mut server.client(), Collection::Users, "u").len(), 250);

    let lines: Vec<String> = tracks("line", 305).iter().map(Value::to_string).collect();
    home.file("lines.ndjson", lines.join("\n"));
    send(&home, &url, "lines.ndjson", &["--connections", "4"]).succeeded();
    assert_eq!(message_ids(&mut server.client(), Collection::Users, "u").len(), 555);
    // Twice is once.
    send(&home, &url, "lines.ndjson", &["--json"]).succeeded();
    assert_eq!(message_ids(&mut server.client(), Collection::Users, "u").len(), 555);
}

#[test]
fn the_server_over_the_data_directory_is_found() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    home.file("batch.json", Value::from(tracks("found", 3)).to_string());
    let data_dir = home.data_dir();
    let arguments = ["send", "batch.json", "--data-dir", data_dir.to_str().unwrap()];
    run_with(home.path(), &arguments, &[("MUSTER_TOKEN", TOKEN)]).succeeded();
    assert_eq!(message_ids(&mut server.client(), Collection::Users, "u").len(), 3);
}

#[test]
fn refused_messages_can_be_kept_and_mended() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let url = format!("http://{}", server.address);
    let mut messages = tracks("mixed", 150);
    messages[120] = json!({"type": "user", "userId": "orphan", "messageId": "bad", "timestamp": "2024-01-01"});
    home.file("mixed.json", Value::from(messages).to_string());
    let outcome = send(&home, &url, "mixed.json", &["--refused", "refused.ndjson"]);
    assert_eq!(outcome.status.code(), Some(REFUSED), "{}", outcome.said());
    assert!(outcome.said().contains("120"), "names the place: {}", outcome.said());
    assert_eq!(message_ids(&mut server.client(), Collection::Users, "u").len(), 149);
    let kept = std::fs::read_to_string(home.path().join("refused.ndjson")).unwrap();
    let mut kept: Value = serde_json::from_str(kept.trim()).unwrap();
    assert_eq!(kept["messageId"], "bad");
    kept["accountId"] = json!("home");
    home.file("mended.ndjson", format!("{kept}\n"));
    send(&home, &url, "mended.ndjson", &[]).succeeded();
    server.client().get("/resources/users/orphan").unwrap().expect(200);
}

#[test]
fn what_cannot_be_sent_is_explained() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let url = format!("http://{}", server.address);
    let said = send(&home, &url, "missing.json", &[]).failed();
    assert!(said.contains("missing.json"), "{said}");
    home.file("broken.ndjson", format!("{}\n{{\"type\":\n{}\n", tracks("b", 1)[0], tracks("b", 2)[1]));
    let said = send(&home, &url, "broken.ndjson", &[]).failed();
    assert!(said.contains('2'), "names the line: {said}");
    home.file("good.json", Value::from(tracks("g", 1)).to_string());
    let wrong = run_with(home.path(), &["send", "good.json", "--url", &url], &[("MUSTER_TOKEN", "wrong")]).failed();
    assert!(wrong.contains("401") || wrong.to_lowercase().contains("token"), "{wrong}");
    server.stop();
    let outcome = send(&home, &url, "good.json", &["--patience", "1"]);
    assert_eq!(outcome.status.code(), Some(UNREACHABLE), "{}", outcome.said());
    assert!(run(home.path(), &["send"]).failed().contains("FILE"));
}
