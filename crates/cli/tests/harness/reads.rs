//! Reading everything, byte by byte, to compare two moments or two servers.
//!
//! A [`Snapshot`] follows the lists to their ends, and from them every record, by both of its ids, and every timeline.

use std::fmt::Write;

use serde_json::Value;

use super::http::Client;
use super::messages::Collection;

/// Every answer, by the target that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub reads: Vec<Read>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub target: String,
    pub status: u16,
    pub body: String,
}

impl Snapshot {
    /// Reads everything that the client's workspace holds.
    #[track_caller]
    pub fn take(client: &mut Client) -> Snapshot {
        let mut snapshot = Snapshot { reads: Vec::new() };
        for collection in Collection::ALL {
            let mut records = Vec::new();
            snapshot.follow(client, &format!("{}?limit=100", collection.path()), &mut records);
            for record in &records {
                for id in ["id", "externalId"] {
                    let id = record[id].as_str().unwrap_or_else(|| panic!("no {id} in {record}"));
                    let target = format!("{}/{}", collection.path(), encoded(id));
                    snapshot.read(client, &target);
                    snapshot.follow(client, &format!("{target}/events?limit=1000"), &mut Vec::new());
                }
            }
        }
        snapshot
    }

    /// Asks for the same targets again.
    #[track_caller]
    pub fn again(&self, client: &mut Client) -> Snapshot {
        let mut snapshot = Snapshot { reads: Vec::new() };
        for read in &self.reads {
            snapshot.ask(client, &read.target);
        }
        snapshot
    }

    /// The same reads with the times of receipt blanked, for comparing two servers.
    #[must_use]
    pub fn without_times_of_receipt(mut self) -> Snapshot {
        for read in &mut self.reads {
            for field in ["createdAt", "updatedAt", "receivedAt"] {
                read.body = blanked(&read.body, field);
            }
        }
        self
    }

    /// Fails at the first read that differs.
    #[track_caller]
    pub fn assert_same(&self, other: &Snapshot) {
        for (one, two) in self.reads.iter().zip(&other.reads) {
            assert_eq!(one, two, "a read changed");
        }
        assert_eq!(self.reads.len(), other.reads.len(), "there is more or less to read");
    }

    /// How many records and events the answers hold.
    pub fn results(&self) -> usize {
        self.reads.iter().map(|read| read.body.matches("\"externalId\"").count()).sum()
    }

    fn follow(&mut self, client: &mut Client, first: &str, results: &mut Vec<Value>) {
        let mut target = first.to_owned();
        loop {
            let page = self.read(client, &target);
            results.extend(page["results"].as_array().cloned().unwrap_or_else(|| panic!("no results: {page}")));
            let Some(next) = page["next"].as_str() else { return };
            target = format!("{first}&from={}", encoded(next));
        }
    }

    fn read(&mut self, client: &mut Client, target: &str) -> Value {
        let read = self.ask(client, target);
        assert_eq!(read.status, 200, "GET {target}: {}", read.body);
        serde_json::from_str(&read.body).unwrap_or_else(|error| panic!("GET {target}: {error}: {}", read.body))
    }

    fn ask(&mut self, client: &mut Client, target: &str) -> &Read {
        let answer = client.get(target).unwrap_or_else(|error| panic!("GET {target}: {error}"));
        self.reads.push(Read { target: target.to_owned(), status: answer.status, body: answer.text() });
        self.reads.last().expect("just pushed")
    }
}

/// All results of a list, page after page. The contract for the end of a list is checked on the way.
#[track_caller]
pub fn pages(client: &mut Client, path: &str, limit: usize) -> Vec<Value> {
    let mut results = Vec::new();
    let first = format!("{path}{}limit={limit}", if path.contains('?') { '&' } else { '?' });
    let mut target = first.clone();
    loop {
        let page = client.read(&target);
        let found = page["results"].as_array().unwrap_or_else(|| panic!("no results in {page}"));
        assert!(found.len() <= limit, "{} results for limit={limit}", found.len());
        results.extend(found.iter().cloned());
        let Some(next) = page["next"].as_str() else {
            assert!(page["next"].is_null(), "next is neither a cursor nor null: {}", page["next"]);
            assert_eq!(page["atEnd"], true, "no next page and not at the end: {target}");
            return results;
        };
        assert_eq!(page["atEnd"], false, "a next page and yet at the end: {target}");
        target = format!("{first}&from={}", encoded(next));
    }
}

/// All events of a record, newest first; `None` when there is no such record.
#[track_caller]
pub fn timeline(client: &mut Client, collection: Collection, id: &str) -> Option<Vec<Value>> {
    let path = format!("{}/{}/events", collection.path(), encoded(id));
    let first = client.get(&format!("{path}?limit=1")).unwrap_or_else(|error| panic!("GET {path}: {error}"));
    if first.status == 404 {
        return None;
    }
    let events = pages(client, &path, 1000);
    let times: Vec<&str> = events.iter().map(|event| event["timestamp"].as_str().unwrap_or_default()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "the timeline of {id} is not newest first");
    Some(events)
}

/// The `messageId`s of all events of a record, in order of reading; empty when there is no such record.
#[track_caller]
pub fn message_ids(client: &mut Client, collection: Collection, id: &str) -> Vec<String> {
    let events = timeline(client, collection, id).unwrap_or_default();
    events.iter().map(|event| event["messageId"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Percent-encoded, so that it can stand in a path or a query.
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes everything");
        }
        out
    })
}

/// Replaces the text value of every `"field":"…"` by a star.
fn blanked(body: &str, field: &str) -> String {
    let marker = format!("\"{field}\":\"");
    let mut parts = body.split(&marker);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('"').unwrap_or(("", part));
        out.push_str(&marker);
        out.push_str("*\"");
        out.push_str(rest);
    }
    out
}
