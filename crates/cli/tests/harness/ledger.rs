//! What was sent and what was promised.
//!
//! A message is entered before the first byte of it leaves, and marked when its acknowledgement has been read; between
//! the two nobody knows. Never forgets a message.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::messages::{Collection, Fact, Message};

/// A record, by kind and external id.
pub type Record = (Collection, String);

/// The books of one data directory, over all its servers.
#[derive(Default)]
pub struct Ledger {
    sent: HashMap<String, Message>,
    promised: HashSet<String>,
}

/// One statement about a trait or a link.
#[derive(Clone, Debug)]
pub struct Claim<T> {
    pub at_micros: i64,
    pub value: T,
    pub promised: bool,
}

impl Ledger {
    /// These are about to be sent, for the first time or again.
    pub fn sending(&mut self, messages: &[Message]) {
        for message in messages {
            self.sent.entry(message.id.clone()).or_insert_with(|| message.clone());
        }
    }

    /// These were acknowledged.
    pub fn promise(&mut self, messages: &[Message]) {
        for message in messages {
            assert!(self.sent.contains_key(&message.id), "{} was never entered", message.id);
            self.promised.insert(message.id.clone());
        }
    }

    /// The identities that are acknowledged at this moment.
    pub fn as_of_now(&self) -> HashSet<String> {
        self.promised.clone()
    }

    /// The same messages, of which only these count as promised.
    pub fn with_promises_of(&self, promised: &HashSet<String>) -> Ledger {
        Ledger { sent: self.sent.clone(), promised: promised.clone() }
    }

    /// When the messages that were sent happened, in order.
    pub fn times(&self) -> Vec<i64> {
        let mut times: Vec<i64> = self.sent.values().map(|message| message.at_micros).collect();
        times.sort_unstable();
        times
    }

    pub fn message(&self, id: &str) -> Option<&Message> {
        self.sent.get(id)
    }

    pub fn is_promised(&self, id: &str) -> bool {
        self.promised.contains(id)
    }

    pub fn sent_count(&self) -> usize {
        self.sent.len()
    }

    pub fn promised_count(&self) -> usize {
        self.promised.len()
    }

    /// The users that messages of these kinds name who were promised, or only sent.
    pub fn users(&self, kinds: &[&str], promised: bool) -> BTreeSet<&str> {
        let named = |message: &Message| kinds.iter().any(|kind| message.json["type"] == *kind);
        let sent = self.sent.values().filter(|message| named(message) && (!promised || self.is_promised(&message.id)));
        sent.filter_map(|message| message.json["userId"].as_str()).collect()
    }

    /// Every event with the timelines it names.
    pub fn events(&self) -> impl Iterator<Item = (&Message, &[Record])> {
        self.sent.values().flat_map(|message| {
            message.facts.iter().filter_map(move |fact| match fact {
                Fact::Event { timelines } => Some((message, timelines.as_slice())),
                _ => None,
            })
        })
    }

    /// Every timeline that an event names.
    pub fn timelines(&self) -> BTreeSet<Record> {
        self.events().flat_map(|(_, timelines)| timelines.iter().cloned()).collect()
    }

    /// Every statement about every trait, by record and key.
    pub fn traits(&self) -> BTreeMap<Record, BTreeMap<String, Vec<Claim<Value>>>> {
        let mut traits: BTreeMap<Record, BTreeMap<String, Vec<Claim<Value>>>> = BTreeMap::new();
        for message in self.sent.values() {
            for fact in &message.facts {
                if let Fact::Trait { of, key, value } = fact {
                    let of_record = traits.entry(of.clone()).or_default();
                    of_record.entry(key.clone()).or_default().push(self.claim(message, value.clone()));
                }
            }
        }
        traits
    }

    /// Every statement about every pair of user and account, by user and then account.
    pub fn links(&self) -> BTreeMap<String, BTreeMap<String, Vec<Claim<bool>>>> {
        let mut links: BTreeMap<String, BTreeMap<String, Vec<Claim<bool>>>> = BTreeMap::new();
        for message in self.sent.values() {
            for fact in &message.facts {
                if let Fact::Link { user, account, linked } = fact {
                    let of_user = links.entry(user.clone()).or_default();
                    of_user.entry(account.clone()).or_default().push(self.claim(message, *linked));
                }
            }
        }
        links
    }

    fn claim<T>(&self, message: &Message, value: T) -> Claim<T> {
        Claim { at_micros: message.at_micros, value, promised: self.is_promised(&message.id) }
    }
}

/// Whether `seen` is what the claims allow: the latest promised one, or one that is later and was at least sent.
/// `unsaid` is what is seen when nothing was ever said.
pub fn allows<T: PartialEq>(claims: &[Claim<T>], seen: &T, unsaid: &T) -> bool {
    let latest = claims.iter().filter(|claim| claim.promised).map(|claim| claim.at_micros).max();
    let said = claims.iter().any(|claim| Some(claim.at_micros) >= latest && claim.value == *seen);
    said || (latest.is_none() && seen == unsaid)
}
