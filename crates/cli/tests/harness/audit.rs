//! Comparing what can be read with what was promised.
//!
//! An acknowledged message must be there exactly once, with its content; one whose fate is unknown must be there once
//! and whole, or not at all; nothing else may be there. All findings are collected before the audit fails.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::http::Client;
use super::ledger::{Ledger, Record, allows};
use super::messages::{Collection, Message, text_of};
use super::reads::{encoded, pages, timeline};

/// What an audit looked at.
#[derive(Debug, Default)]
pub struct Audited {
    pub events: usize,
    pub in_doubt_present: usize,
    pub in_doubt_absent: usize,
    pub traits: usize,
    pub links: usize,
}

/// Compares everything that can be read with the ledger.
#[track_caller]
pub fn audit(client: &mut Client, ledger: &Ledger) -> Audited {
    let mut findings = Findings::default();
    let mut audited = Audited::default();
    audit_events(client, ledger, &mut findings, &mut audited);
    audit_records(client, ledger, &mut findings, &mut audited);
    for refused in pages(client, "/resources/refused", 100) {
        findings.add(format!("set aside although it was good: {refused}"));
    }
    findings.conclude();
    audited
}

/// Checks only that the events of one acknowledged request are on their users' timelines, once each.
#[track_caller]
pub fn audit_request(client: &mut Client, request: &[Message]) {
    let mut findings = Findings::default();
    let mut seen: HashMap<String, Vec<Value>> = HashMap::new();
    for message in request.iter().filter(|message| message.json["type"] == "track") {
        let Some(user) = message.json["userId"].as_str() else { continue };
        let events = seen.entry(user.to_owned()).or_insert_with(|| {
            let page = client.read(&format!("{}/{user}/events?limit=1000", Collection::Users.path()));
            page["results"].as_array().cloned().unwrap_or_default()
        });
        let count = events.iter().filter(|event| event["messageId"] == *message.id).count();
        if count != 1 {
            findings.add(format!("{} was acknowledged last and is there {count} times", message.id));
        }
    }
    findings.conclude();
}

fn audit_events(client: &mut Client, ledger: &Ledger, findings: &mut Findings, audited: &mut Audited) {
    let mut seen: BTreeMap<Record, HashMap<String, usize>> = BTreeMap::new();
    for record in ledger.timelines() {
        let counts = seen.entry(record.clone()).or_default();
        for event in timeline(client, record.0, &record.1).unwrap_or_default() {
            let id = event["messageId"].as_str().unwrap_or_default().to_owned();
            match ledger.message(&id) {
                Some(message) => compare(message, &event, findings),
                None => findings.add(format!("on the timeline of {record:?}, never sent: {event}")),
            }
            *counts.entry(id).or_default() += 1;
        }
        for (id, count) in counts.iter().filter(|(_, count)| **count > 1) {
            findings.add(format!("{id} stands {count} times on the timeline of {record:?}"));
        }
    }
    for (message, timelines) in ledger.events() {
        let timelines: Vec<&Record> = timelines.iter().filter(|record| follows_itself(record, timelines)).collect();
        let present = timelines.iter().filter(|record| seen[*record].contains_key(&message.id)).count();
        let promised = ledger.is_promised(&message.id);
        audited.events += 1;
        if promised && present < timelines.len() {
            findings.add(format!("{} was acknowledged and is on {present} of {timelines:?}", message.id));
        } else if !promised && present != 0 && present != timelines.len() {
            findings.add(format!("{} is there in part: on {present} of {timelines:?}", message.id));
        } else if !promised && present > 0 {
            audited.in_doubt_present += 1;
        } else if !promised {
            audited.in_doubt_absent += 1;
        }
    }
}

/// An event is on the timeline of the organization it names only when neither an account nor a user's account decides
/// about that.
fn follows_itself(record: &Record, named: &[Record]) -> bool {
    record.0 != Collection::Organizations || named.len() == 1
}

/// An event as it is read against the message as it was sent.
fn compare(message: &Message, event: &Value, findings: &mut Findings) {
    let shown = text_of(message.at_micros, 3);
    let same = event["event"] == message.json["event"]
        && event["properties"] == message.json["properties"]
        && event["timestamp"] == shown
        && Collection::ALL.iter().all(|collection| {
            let sent = &message.json[collection.field()];
            // An event's organization follows its account, whatever the event itself named.
            let follows = *collection == Collection::Organizations && !event["accountId"].is_null();
            sent.is_null() || follows || *sent == event[collection.field()]
        });
    if !same {
        findings.add(format!("sent {} and reads {event}", message.json));
    }
}

fn audit_records(client: &mut Client, ledger: &Ledger, findings: &mut Findings, audited: &mut Audited) {
    for (record, keys) in ledger.traits() {
        let stored = read_record(client, &record, findings);
        for (key, claims) in keys {
            let seen = stored.as_ref().map_or(&Value::Null, |stored| &stored["traits"][&key]);
            audited.traits += 1;
            if !allows(&claims, seen, &Value::Null) {
                findings.add(format!("{record:?} has {key} = {seen}, after {claims:?}"));
            }
        }
    }
    for (user, accounts) in ledger.links() {
        let stored = read_record(client, &(Collection::Users, user.clone()), findings);
        let linked: Vec<&Value> = stored
            .iter()
            .flat_map(|stored| stored["accounts"].as_array().into_iter().flatten())
            .map(|account| &account["externalId"])
            .collect();
        for (account, claims) in accounts {
            let seen = linked.iter().any(|known| **known == *account);
            audited.links += 1;
            if !allows(&claims, &seen, &false) {
                findings.add(format!("{user} linked to {account}: {seen}, after {claims:?}"));
            }
        }
    }
}

fn read_record(client: &mut Client, record: &Record, findings: &mut Findings) -> Option<Value> {
    let target = format!("{}/{}", record.0.path(), encoded(&record.1));
    match client.get(&target) {
        Ok(answer) if answer.status == 200 => Some(answer.json()),
        Ok(answer) if answer.status == 404 => None,
        Ok(answer) => {
            findings.add(format!("GET {target}: {} {}", answer.status, answer.text()));
            None
        }
        Err(error) => panic!("GET {target}: {error}"),
    }
}

#[derive(Default)]
struct Findings {
    count: usize,
    first: Vec<String>,
}

impl Findings {
    fn add(&mut self, finding: String) {
        self.count += 1;
        if self.first.len() < 20 {
            self.first.push(finding);
        }
    }

    #[track_caller]
    fn conclude(self) {
        assert_eq!(self.count, 0, "the audit found, among others:\n{}", self.first.join("\n"));
    }
}
