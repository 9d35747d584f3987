//! Telling whoever watches what became of messages, as they arrive.
//!
//! Nothing is done for a workspace that nobody watches. For one that is watched, a bounded number of messages a second
//! is told; the others are counted. Whoever watches too slowly misses the oldest, and intake never waits for anybody.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    message::{Message, Named},
    time::Micros,
};
use muster_store::{
    batch::{Batch, Entry, decode_refused},
    receipt::{Outcome, Receipt},
    record,
    refused::Way,
};
use serde::{Deserialize, de::IgnoredAny};
use tokio::sync::broadcast;

/// Watchers at one time, of all workspaces.
const WATCHERS_MAX: usize = 64;
/// Messages that one watcher may be behind.
const BEHIND_MAX: usize = 512;
/// Messages of one workspace that are told in a second.
const TOLD_PER_SECOND: u32 = 200;
/// What a message is called that has no type: by the way it came.
pub(crate) const WAYS: [&str; 2] = ["batch", "segment"];
/// Letters of a name in a refused message that are told.
const NAME_LETTERS_MAX: usize = 200;
/// Bytes of a message that are told.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// A record that a message names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mentioned {
    pub kind: RecordKind,
    pub id: RecordId,
    pub external_id: String,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub at: Micros,
    pub outcome: &'static str,
    /// The message's type, or the way it came when it has none; of a refused one as it says it, or its beginning.
    pub kind: Cow<'static, str>,
    /// The event's name, or nothing.
    pub what: String,
    pub records: Vec<Mentioned>,
    pub key_id: u64,
    pub took: Duration,
    /// The message, as JSON; cut when it is long.
    pub body: String,
    /// Why it was refused, or nothing.
    pub why: String,
}

/// Everybody who watches.
#[derive(Default)]
pub(crate) struct Feed {
    watchers: AtomicUsize,
    rooms: Mutex<HashMap<WorkspaceId, Arc<Room>>>,
}

/// Those who watch one workspace.
struct Room {
    told: broadcast::Sender<Arc<Told>>,
    /// Messages that were not told because there were too many.
    lost: AtomicU64,
    /// The second of the clock, and messages told in it.
    pace: Mutex<(i64, u32)>,
}

impl Room {
    /// How many of so many messages may be told now.
    fn grant(&self, wanted: usize, now: Micros) -> usize {
        let second = now.0.div_euclid(1_000_000);
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.0 != second {
            *pace = (second, 0);
        }
        let granted = wanted.min((TOLD_PER_SECOND - pace.1) as usize);
        pace.1 += granted as u32;
        self.lost.fetch_add((wanted - granted) as u64, Ordering::Relaxed);
        granted
    }
}

/// One who watches; leaves when dropped.
pub(crate) struct Watcher {
    feed: Arc<Feed>,
    workspace: WorkspaceId,
    room: Arc<Room>,
    pub told: broadcast::Receiver<Arc<Told>>,
    lost_before: u64,
}

impl Watcher {
    /// Messages that were not told since this was asked last, beside those that the watcher was too slow for.
    pub(crate) fn lost(&mut self) -> u64 {
        let lost = self.room.lost.load(Ordering::Relaxed);
        lost - std::mem::replace(&mut self.lost_before, lost)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut rooms = self.feed.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        // This one is still counted among the receivers.
        if self.room.told.receiver_count() <= 1 {
            rooms.remove(&self.workspace);
        }
        self.feed.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Feed {
    /// Begins to watch a workspace; `None` when as many watch as may.
    pub(crate) fn watch(self: &Arc<Self>, workspace: WorkspaceId) -> Option<Watcher> {
        let taken = self.watchers.fetch_add(1, Ordering::Relaxed);
        if taken >= WATCHERS_MAX {
            self.watchers.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = || {
            Arc::new(Room { told: broadcast::channel(BEHIND_MAX).0, lost: AtomicU64::new(0), pace: Mutex::default() })
        };
        let room = Arc::clone(rooms.entry(workspace).or_insert_with(empty));
        let (told, lost_before) = (room.told.subscribe(), room.lost.load(Ordering::Relaxed));
        Some(Watcher { feed: Arc::clone(self), workspace, room, told, lost_before })
    }

    /// Whether anybody watches a workspace.
    pub(crate) fn is_watched(&self, workspace: WorkspaceId) -> bool {
        let rooms = || self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        self.watchers.load(Ordering::Relaxed) > 0 && rooms().contains_key(&workspace)
    }

    /// What is to be told of a batch once it is known what became of it; nothing while nobody watches.
    pub(crate) fn look(&self, batch: &Batch, now: Micros) -> Option<Looked> {
        if self.watchers.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let room = Arc::clone(self.rooms.lock().unwrap_or_else(PoisonError::into_inner).get(&batch.workspace())?);
        let entries = batch.entries().filter(|entry| matches!(entry, Entry::Message(_) | Entry::Refused(_)));
        let granted = room.grant(entries.clone().count(), now);
        let told = entries.take(granted).filter_map(|entry| told(entry, batch.key_id(), now)).collect();
        Some(Looked { room, told })
    }

    /// Tells of a batch that nobody takes, because its request wanted all of it or nothing and something was refused.
    pub(crate) fn tell_withheld(&self, batch: &Batch, now: Micros) {
        let Some(Looked { room, told }) = self.look(batch, now) else { return };
        for (mut one, waits) in told {
            if waits {
                one.outcome = "withheld";
                WITHHELD_BECAUSE.clone_into(&mut one.why);
            }
            // Nobody may be left who listens.
            let _ = room.told.send(Arc::new(one));
        }
    }
}

/// Why a good message was not stored.
const WITHHELD_BECAUSE: &str =
    "not stored: the request asked for all of its messages or none, and another one of them was refused";

/// What is to be told of a batch.
pub(crate) struct Looked {
    room: Arc<Room>,
    /// Each with whether it waits for an outcome.
    told: Vec<(Told, bool)>,
}

impl Looked {
    /// Tells it.
    pub(crate) fn tell(self, receipt: &Receipt, took: Duration) {
        let mut outcomes = receipt.outcomes.iter();
        for (mut one, waits) in self.told {
            one.took = took;
            if waits {
                let Some(outcome) = outcomes.next() else { return };
                one.outcome = match outcome {
                    Outcome::Stored => "stored",
                    Outcome::Duplicate => "duplicate",
                    Outcome::Conflict => "conflict",
                    Outcome::Deleted => "deleted",
                };
            }
            // Nobody may be left who listens.
            let _ = self.room.told.send(Arc::new(one));
        }
    }
}

/// What a refused message calls itself, as far as it can be read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said<'b> {
    #[serde(rename = "type", borrow)]
    kind: Name<'b>,
    #[serde(borrow)]
    event: Name<'b>,
}

/// A text, or anything else in its place.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Name<'b> {
    Text(#[serde(borrow)] Cow<'b, str>),
    Other(IgnoredAny),
    #[default]
    None,
}

impl Name<'_> {
    fn as_str(&self) -> Option<&str> {
        if let Name::Text(text) = self { Some(text) } else { None }
    }
}

fn told(entry: Entry<'_>, key_id: u64, now: Micros) -> Option<(Told, bool)> {
    match entry {
        Entry::Message(bytes) => {
            let message = record::decode(bytes).ok()?;
            Some((of_message(&message, key_id, now), true))
        }
        Entry::Refused(bytes) => {
            let refused = decode_refused(bytes).ok()?;
            let said: Said<'_> = serde_json::from_slice(&refused.body).unwrap_or_default();
            let way = match refused.way {
                Way::Kind(kind) => kind.as_str(),
                Way::Batch => WAYS[0],
                Way::Segment => WAYS[1],
            };
            let kind = match (refused.way, said.kind.as_str()) {
                (Way::Batch, Some(kind)) => match Kind::parse(kind) {
                    Some(kind) => kind.as_str().into(),
                    None => kind.chars().take(NAME_LETTERS_MAX).collect::<String>().into(),
                },
                _ => way.into(),
            };
            let what = said.event.as_str().unwrap_or_default();
            let told = Told {
                at: now,
                outcome: "refused",
                kind,
                what: what.chars().take(NAME_LETTERS_MAX).collect(),
                records: Vec::new(),
                key_id: refused.key_id,
                took: Duration::ZERO,
                body: cut(&String::from_utf8_lossy(&refused.body)),
                why: refused.reason.into_owned(),
            };
            Some((told, false))
        }
        Entry::Forget(_) | Entry::Decree(_) | Entry::Import(_) | Entry::Owners(_) | Entry::TakeBack(_) => None,
    }
}

fn of_message(message: &Message<'_>, key_id: u64, now: Micros) -> Told {
    let named = [
        (RecordKind::User, &message.user),
        (RecordKind::Account, &message.account),
        (RecordKind::Organization, &message.organization),
    ];
    let mentioned = |(kind, named): &(RecordKind, &Option<Named<'_>>)| {
        let named = named.as_ref()?;
        Some(Mentioned { kind: *kind, id: named.id, external_id: named.external_id.to_string() })
    };
    Told {
        at: now,
        outcome: "",
        kind: message.kind.as_str().into(),
        what: message.name.as_deref().unwrap_or_default().to_owned(),
        records: named.iter().filter_map(mentioned).collect(),
        key_id,
        took: Duration::ZERO,
        body: cut(&message.as_sent()),
        why: String::new(),
    }
}

/// The beginning of a long text.
fn cut(text: &str) -> String {
    if text.len() <= BODY_BYTES_MAX {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(BODY_BYTES_MAX)])
}

#[cfg(test)]
mod tests {
    use muster_store::batch::BatchBuilder;

    use super::*;

    #[test]
    fn watchers_are_bounded_and_leave() {
        let feed = Arc::new(Feed::default());
        let mut watchers: Vec<Watcher> = (0..WATCHERS_MAX).filter_map(|_| feed.watch(WorkspaceId(1))).collect();
        assert_eq!(watchers.len(), WATCHERS_MAX);
        assert!(feed.watch(WorkspaceId(2)).is_none());
        watchers.pop();
        let other = feed.watch(WorkspaceId(2)).expect("one has left");
        watchers.clear();
        drop(other);
        assert!(feed.rooms.lock().unwrap().is_empty());
        let batch = BatchBuilder::new(WorkspaceId(1), 0).build();
        assert!(feed.look(&batch, Micros(0)).is_none(), "nobody watches");
    }

    #[test]
    fn a_bounded_number_is_told_in_a_second() {
        let feed = Arc::new(Feed::default());
        let mut watcher = feed.watch(WorkspaceId(1)).unwrap();
        let room = Arc::clone(&watcher.room);
        assert_eq!(room.grant(150, Micros(0)), 150);
        assert_eq!(room.grant(150, Micros(999_999)), 50);
        assert_eq!(room.grant(1, Micros(1_000_000)), 1);
        assert_eq!((watcher.lost(), watcher.lost()), (100, 0));
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        let long = format!("a{}", "é".repeat(BODY_BYTES_MAX));
        assert_eq!(cut(&long).len(), BODY_BYTES_MAX - 1 + "…".len());
    }
}
