//! What a group of messages says, in rows: what both control stores write.
//!
//! The same meaning as in the engine, as far as tables can hold it: a message once, by its identity; records with the
//! instants they are known by; traits and links by the latest statement. Made before anything is timed, but for folding
//! what a group says several times of one row, which a statement for many rows needs.

use std::collections::BTreeMap;

use muster_model::{
    draft::Draft,
    id::IdSpace,
    kind::{Kind, RecordKind},
    kinds::{Context, check_typed, fields::named},
    limits::MessageLimits,
    message::Message,
    time::Micros,
};

use crate::messages;

/// One message in the form of a row, with what it says of records.
pub struct Row {
    pub identity: Vec<u8>,
    pub content: i64,
    pub kind: i16,
    pub at: i64,
    pub received_at: i64,
    pub user: Option<String>,
    pub account: Option<String>,
    pub organization: Option<String>,
    pub name: Option<String>,
    pub data: String,
    records: Vec<RecordId>,
    traits: Vec<(String, String)>,
}

/// A kind and an id of the sender.
pub type RecordId = (i16, String);

/// When a record was heard of, and the first and last of its tracks.
#[derive(Clone, Copy)]
pub struct Instants {
    pub known: i64,
    pub updated: i64,
    pub seen: Option<(i64, i64)>,
}

/// A statement's place among others: its instant and its message.
pub type Stamp = (i64, Vec<u8>);

/// What a group's new messages say, each row once.
#[derive(Default)]
pub struct Folded {
    pub records: BTreeMap<RecordId, Instants>,
    pub traits: BTreeMap<(RecordId, String), (Stamp, String)>,
    /// By user and account.
    pub links: BTreeMap<(String, String), Stamp>,
}

/// Messages as rows.
pub fn rows(from: usize, count: usize, users: usize) -> Vec<Row> {
    let context = Context {
        ids: IdSpace::new("default"),
        received_at: Micros(messages::START + from as i64 * 10),
        limits: MessageLimits::default(),
    };
    let row = |number| {
        let text = messages::message(number, users);
        let draft = Draft::from_text(&text, context.limits.message_depth_max);
        Row::of(&check_typed(&draft, &context).expect("a valid message"))
    };
    (from..from + count).map(row).collect()
}

fn record_kind(kind: RecordKind) -> i16 {
    match kind {
        RecordKind::Organization => 1,
        RecordKind::Account => 2,
        RecordKind::User => 3,
        _ => 4,
    }
}

impl Row {
    fn of(message: &Message<'_>) -> Row {
        let text =
            |named: &Option<muster_model::message::Named<'_>>| named.as_ref().map(|it| it.external_id.to_string());
        Row {
            identity: message.identity.0.to_be_bytes().to_vec(),
            content: message.content as i64,
            kind: match message.kind {
                Kind::Organization => 1,
                Kind::Account => 2,
                Kind::User => 3,
                _ => 0,
            },
            at: message.timestamp.0,
            received_at: message.received_at.0,
            user: text(&message.user),
            account: text(&message.account),
            organization: text(&message.organization),
            name: message.name.as_deref().map(str::to_owned),
            data: message.data.to_owned(),
            records: named(message).map(|(kind, _, id)| (record_kind(kind), id.to_owned())).collect(),
            traits: message.traits.iter().map(|it| (it.key.to_string(), it.value.to_owned())).collect(),
        }
    }

    fn stamp(&self) -> Stamp {
        (self.at, self.identity.clone())
    }

    /// The record that it describes.
    fn described(&self) -> Option<&RecordId> {
        self.records.iter().find(|(kind, _)| *kind == self.kind)
    }
}

impl Folded {
    /// What these messages say together.
    pub fn of<'r>(rows: impl Iterator<Item = &'r Row>) -> Folded {
        let mut folded = Folded::default();
        for row in rows {
            for record in &row.records {
                let new = Instants { known: row.at, updated: row.received_at, seen: None };
                let instants = folded.records.entry(record.clone()).or_insert(new);
                instants.known = instants.known.min(row.at);
                instants.updated = instants.updated.max(row.received_at);
                if row.kind == 0 {
                    let (first, last) = instants.seen.unwrap_or((row.at, row.at));
                    instants.seen = Some((first.min(row.at), last.max(row.at)));
                }
            }
            if let Some(record) = row.described() {
                for (key, value) in &row.traits {
                    let stated = (row.stamp(), value.clone());
                    let kept = folded.traits.entry((record.clone(), key.clone())).or_insert_with(|| stated.clone());
                    if stated.0 > kept.0 {
                        *kept = stated;
                    }
                }
            }
            if let (3, Some(user), Some(account)) = (row.kind, &row.user, &row.account) {
                let kept = folded.links.entry((user.clone(), account.clone())).or_insert_with(|| row.stamp());
                if row.stamp() > *kept {
                    *kept = row.stamp();
                }
            }
        }
        folded
    }
}
