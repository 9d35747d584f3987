//! Looking for what was acknowledged.
//!
//! The streams say what every message was ([`Stream::content`]), so nothing had to be remembered while sending. The
//! number of messages stored is compared with the server's own counter; the timelines of a sample of users are read to
//! their end and compared, message id by message id, with every track that was acknowledged for them.
//!
//! [`Stream::content`]: crate::commands::bench::workload::Stream::content

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::{
    pattern::Kind,
    workload::{Content, Shape, Stream, uuid_text},
};
use crate::client::Client;

const COUNTER: &str = "muster_store_messages_stored_total";
const SAMPLE_USERS: usize = 200;
const PAGE_EVENTS: u32 = 1_000;
/// Pages of one timeline; more would mean that the cursor goes round in circles.
const PAGES_MAX: u32 = 100_000;

/// What was looked at, and what was missing.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Different messages that were acknowledged.
    pub expected_messages: u64,
    /// Messages that the server says it stored meanwhile.
    pub stored_messages: u64,
    pub timelines: usize,
    pub events: usize,
    /// Message ids that were acknowledged and are on no timeline.
    pub missing: Vec<String>,
    /// Message ids on a timeline that nobody sent, or that stand there twice.
    pub unexpected: Vec<String>,
}

impl Verified {
    /// Whether all is as it was promised.
    pub fn holds(&self) -> bool {
        self.expected_messages == self.stored_messages && self.missing.is_empty() && self.unexpected.is_empty()
    }
}

/// A stream and how many of its batches were acknowledged, from the first on.
pub struct Acknowledged {
    pub stream: Stream,
    pub batches: u64,
}

impl Acknowledged {
    fn contents(&self) -> impl Iterator<Item = Content> + '_ {
        let places = self.stream.shape().batch;
        (0..self.batches).flat_map(move |batch| (0..places).map(move |place| self.stream.content(batch, place)))
    }
}

/// Different messages in what was acknowledged.
pub fn distinct(acknowledged: &[Acknowledged]) -> u64 {
    let of = |sent: &Acknowledged| {
        if sent.stream.shape().duplicates == 0 {
            return sent.batches * u64::from(sent.stream.shape().batch);
        }
        sent.contents().filter(|content| !content.again).count() as u64
    };
    acknowledged.iter().map(of).sum()
}

/// The messages that the server has stored since it was started.
pub fn stored(client: &Client) -> anyhow::Result<u64> {
    let answer = client.get("/metrics")?;
    let mut lines = answer.body.lines().filter_map(|line| line.split_once(' '));
    let value = lines.find(|(name, _)| *name == COUNTER).map(|(_, value)| value.trim());
    value.and_then(|value| value.parse().ok()).with_context(|| format!("{COUNTER} is not among the server's figures"))
}

/// Compares a sample of timelines with what was acknowledged. `stored` is what the counter has grown by.
pub fn verify(client: &Client, acknowledged: &[Acknowledged], shape: &Shape, stored: u64) -> anyhow::Result<Verified> {
    let expected = tracks_of(acknowledged, &sample(shape));
    let expected_messages = distinct(acknowledged);
    let mut verified = Verified { expected_messages, stored_messages: stored, ..Verified::default() };
    for (user, ids) in expected {
        let mut missing = ids;
        for id in timeline(client, &shape.user_id(user))? {
            verified.events += 1;
            if !missing.remove(&id) {
                verified.unexpected.push(id);
            }
        }
        verified.missing.extend(missing);
        verified.timelines += 1;
    }
    Ok(verified)
}

/// Users evenly spread over all of them.
fn sample(shape: &Shape) -> BTreeSet<u32> {
    let step = (shape.users as usize / SAMPLE_USERS).max(1);
    (0..shape.users).step_by(step).take(SAMPLE_USERS).collect()
}

fn tracks_of(acknowledged: &[Acknowledged], users: &BTreeSet<u32>) -> HashMap<u32, BTreeSet<String>> {
    let mut tracks: HashMap<u32, BTreeSet<String>> = users.iter().map(|user| (*user, BTreeSet::new())).collect();
    let contents = acknowledged.iter().flat_map(Acknowledged::contents);
    for content in contents.filter(|content| content.kind == Kind::Track) {
        if let Some(ids) = tracks.get_mut(&content.user) {
            ids.insert(uuid_text(content.id));
        }
    }
    tracks
}

#[derive(Deserialize)]
struct Page {
    results: Vec<Event>,
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    message_id: Option<String>,
}

/// The message ids on a user's timeline; none when nobody ever named the user.
fn timeline(client: &Client, user: &str) -> anyhow::Result<Vec<String>> {
    let path = format!("/resources/users/{user}/events?limit={PAGE_EVENTS}");
    let mut ids = Vec::new();
    let mut target = path.clone();
    for _ in 0..PAGES_MAX {
        let answer = client.get(&target)?;
        match answer.status {
            404 => return Ok(ids),
            200 => {}
            status => bail!("GET {target} was answered with {status}: {}", answer.body),
        }
        let page: Page = serde_json::from_str(&answer.body).with_context(|| format!("GET {target}"))?;
        ids.extend(page.results.into_iter().filter_map(|event| event.message_id));
        match page.next {
            Some(next) => target = format!("{path}&from={next}"),
            None => return Ok(ids),
        }
    }
    bail!("the timeline of user {user} does not end")
}

/// A client for reading with the run's token.
pub fn client(url: &str, token: &str) -> anyhow::Result<Client> {
    Client::new(url, Some(token), Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::{
        super::pattern::{MESSAGE_BYTES_MIN, Mix},
        *,
    };

    fn shape(duplicates: u8) -> Shape {
        let (mix, message_bytes) = (Mix::Mixed, MESSAGE_BYTES_MIN);
        let start_millis = 0;
        Shape { mix, message_bytes, accounts: 10, users: 200, batch: 10, duplicates, nonce: 3, start_millis, days: 0 }
    }

    fn acknowledged(shape: &Shape) -> Vec<Acknowledged> {
        (0..3).map(|number| Acknowledged { stream: Stream::new(shape, number), batches: 100 }).collect()
    }

    #[test]
    fn the_sample_is_what_was_sent_for_its_users() {
        for duplicates in [0, 40] {
            let shape = shape(duplicates);
            let acknowledged = acknowledged(&shape);
            let all: BTreeSet<u32> = (0..shape.users).collect();
            let every: usize = tracks_of(&acknowledged, &all).values().map(BTreeSet::len).sum();
            let distinct = distinct(&acknowledged) as usize;
            assert!(every > distinct / 2 && every < distinct, "{every} tracks of {distinct}");
            assert_eq!(sample(&shape).len(), SAMPLE_USERS);
        }
        assert_eq!(distinct(&acknowledged(&shape(0))), 3_000);
        let with_duplicates = distinct(&acknowledged(&shape(40)));
        assert!((1_700..2_100).contains(&with_duplicates), "{with_duplicates}");
    }

    #[test]
    fn anything_missing_or_too_much_fails() {
        assert!(Verified::default().holds());
        assert!(!Verified { stored_messages: 1, ..Verified::default() }.holds());
        assert!(!Verified { missing: vec![String::new()], ..Verified::default() }.holds());
        assert!(!Verified { unexpected: vec![String::new()], ..Verified::default() }.holds());
    }
}
