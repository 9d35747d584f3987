//! Exports, one that is followed, and counts by SQL, held against what was acknowledged.
//!
//! Whatever was acknowledged before one began is in it, whatever is in it was sent, whole, and an export has nothing twice.
//! Traffic may go on meanwhile.

use std::collections::HashSet;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::http::Client;
use super::ledger::Ledger;
use super::messages::text_of;

/// Messages that a recent export goes back, counted by all senders together.
const RECENT: usize = 5_000;

/// Exports everything, or only what happened lately, and compares it; how many messages there were.
#[track_caller]
pub fn compare_export(client: &mut Client, ledger: &Mutex<Ledger>, all: bool) -> usize {
    let (promised, times) = {
        let ledger = ledger.lock().expect("no sender panicked");
        (ledger.as_of_now(), ledger.times())
    };
    let after = if all { i64::MIN } else { times.iter().rev().nth(RECENT).copied().unwrap_or(i64::MIN) };
    let selection = if after == i64::MIN { String::new() } else { format!("?after={}", text_of(after, 6)) };
    let lines = lines(client, &format!("/export{selection}"));
    let ledger = ledger.lock().expect("no sender panicked");
    let mut found = HashSet::new();
    for line in &lines {
        let id = compare_line(line, &ledger);
        assert!(found.insert(id.clone()), "{id} was exported twice");
    }
    let wanted = promised.iter().filter(|id| ledger.message(id).is_some_and(|message| message.at_micros >= after));
    let missing: Vec<&String> = wanted.filter(|id| !found.contains(*id)).take(20).collect();
    assert!(missing.is_empty(), "acknowledged and not among {} exported messages: {missing:?}", lines.len());
    lines.len()
}

/// A line of an export against the message as it was sent; its identity.
#[track_caller]
fn compare_line(line: &Value, ledger: &Ledger) -> String {
    let id = line["message"]["messageId"].as_str().unwrap_or_default().to_owned();
    let sent = ledger.message(&id).unwrap_or_else(|| panic!("exported and never sent: {line}"));
    assert_eq!(line["message"], sent.json, "exported with other content");
    assert!(line["receivedAt"].is_string(), "{line}");
    id
}

#[track_caller]
fn lines(client: &mut Client, target: &str) -> Vec<Value> {
    let answer = client.get(target).unwrap_or_else(|error| panic!("GET {target}: {error}"));
    assert_eq!(answer.status, 200, "GET {target}: {}", answer.text());
    answer.text().lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// Asks in SQL how many messages there are: at least those that were acknowledged, at most those that were sent, none twice.
#[track_caller]
pub fn compare_counts(client: &mut Client, ledger: &Mutex<Ledger>) {
    let promised = ledger.lock().expect("no sender panicked").promised_count();
    let sql = "select count(*), count(distinct message_id) from messages";
    let answer = client.post_json("/query", &json!({ "sql": sql })).expect("an answer").expect(200).json();
    let count = |column: usize| answer["rows"][0][column].as_u64().expect("a count") as usize;
    let sent = ledger.lock().expect("no sender panicked").sent_count();
    assert_eq!(count(0), count(1), "some messages are there twice");
    assert!((promised..=sent).contains(&count(0)), "{} messages, {promised} acknowledged of {sent}", count(0));
}

/// An export that is followed for as long as the data directory lives, over all its servers.
pub struct Followed {
    name: String,
    position: String,
    seen: HashSet<String>,
}

impl Followed {
    /// Begins one with everything that there is.
    #[track_caller]
    pub fn begin(client: &mut Client, ledger: &Mutex<Ledger>) -> Followed {
        let made = client.post("/export/tails", b"").expect("an answer").expect(200).json();
        let name = made["name"].as_str().expect("a name").to_owned();
        let mut followed = Followed { name, position: String::new(), seen: HashSet::new() };
        let target = format!("/export?tail={}", followed.name);
        followed.take(client, ledger, &target);
        followed
    }

    /// Takes what came since; everything that was acknowledged before is among it.
    #[track_caller]
    pub fn go_on(&mut self, client: &mut Client, ledger: &Mutex<Ledger>) {
        let target = format!("/export/tails/{}?seconds=0&position={}", self.name, self.position);
        self.take(client, ledger, &target);
    }

    #[track_caller]
    fn take(&mut self, client: &mut Client, ledger: &Mutex<Ledger>, target: &str) {
        let promised = ledger.lock().expect("no sender panicked").as_of_now();
        let lines = lines(client, target);
        let ledger = ledger.lock().expect("no sender panicked");
        for line in &lines {
            match line["position"].as_str() {
                Some(position) => self.position = position.to_owned(),
                None => drop(self.seen.insert(compare_line(line, &ledger))),
            }
        }
        let last = lines.last().expect("at least a position");
        assert!(last["position"].is_string(), "it does not end with a position: {last}");
        let missing: Vec<&String> = promised.iter().filter(|id| !self.seen.contains(*id)).take(20).collect();
        assert!(missing.is_empty(), "acknowledged, and who follows never had it: {missing:?}");
    }
}
