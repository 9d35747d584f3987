//! When this system first and last heard of each record: the only thing that follows the order of arrival.
//!
//! `createdAt` is the time of receipt of the first message to arrive that names the record. `updatedAt` is the latest
//! time of receipt of a message that concerns it. A message concerns
//!
//! * every record it names;
//! * the account that a track belongs to by its user's associations as known on arrival;
//! * the organization that an account leaves by it;
//! * the organization that its user comes to belong to by it, or no longer belongs to;
//! * the accounts of its user, if it is a statement that may move tracks received earlier from one of them to another;
//! * the user whose answer an NPS response was and the one whose it becomes, and for each the accounts and organizations
//!   that the user is in as known on arrival.
//!
//! All but the first look back at what arrived before, so this is kept message by message; everything else in the twin is not.

use std::collections::{BTreeSet, HashMap};

use muster_model::{
    deletion::Subject,
    id::RecordId,
    kind::{Kind, RecordKind},
    kinds::fields::named,
    message::Message,
    register::Stamp,
    time::Micros,
};

use super::statements::{Said, Statements, parent_at, said};

/// The two times of every record, and what is needed to carry them on.
#[derive(Debug, Default)]
pub struct Receipts {
    times: HashMap<(RecordKind, RecordId), Times>,
    users: HashMap<RecordId, Heard>,
    statements: Statements,
    organizations: HashMap<RecordId, (Stamp, Option<RecordId>)>,
    responses: HashMap<RecordId, (Stamp, RecordId)>,
}

/// The times of receipt of one record.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub created_at: Micros,
    pub updated_at: Micros,
}

/// What arrived about one user.
#[derive(Debug, Default)]
struct Heard {
    statements: Vec<Said>,
    /// Statements about organizations.
    organizations: Vec<Said>,
    /// The latest track that names no account.
    last_loose: Option<Micros>,
}

impl Receipts {
    /// The times of a record, if it was ever named.
    pub fn times(&self, kind: RecordKind, id: RecordId) -> Option<Times> {
        self.times.get(&(kind, id)).copied()
    }

    /// Takes in the message that arrives next.
    pub fn hear(&mut self, message: &Message<'_>) {
        for (kind, id, _) in named(message) {
            self.concern(kind, id, message.received_at);
        }
        match message.kind {
            Kind::Track => self.hear_track(message),
            Kind::Account => self.hear_account(message),
            Kind::User | Kind::Unlink => self.hear_statements(message),
            Kind::Leave if message.instance.is_some() => {}
            Kind::Leave if message.user.is_some() => self.hear_statements(message),
            Kind::Leave => self.hear_account(message),
            Kind::NpsResponse => self.hear_response(message),
            Kind::Organization | Kind::CustomObjectInstance | Kind::CustomObject => {}
        }
    }

    /// What is left once messages were deleted: all that `left` says, in the order of its arrival. Records that were not
    /// `deleted` themselves keep their times.
    pub fn without<'m>(&self, left: impl Iterator<Item = &'m Message<'m>>, deleted: &[Subject]) -> Receipts {
        let mut receipts = Receipts::default();
        left.for_each(|message| receipts.hear(message));
        for (record, times) in &mut receipts.times {
            if let Some(known) = self.times.get(record).filter(|_| !deleted.contains(record)) {
                *times = *known;
            }
        }
        receipts
    }

    fn concern(&mut self, kind: RecordKind, id: RecordId, at: Micros) {
        let times = self.times.entry((kind, id)).or_insert(Times { created_at: at, updated_at: at });
        times.updated_at = times.updated_at.max(at);
    }

    fn hear_track(&mut self, message: &Message<'_>) {
        let (Some(user), None) = (&message.user, &message.account) else { return };
        let heard = self.users.entry(user.id).or_default();
        heard.last_loose = heard.last_loose.max(Some(message.ordered_at()));
        if let Some(account) = parent_at(&heard.statements, message.ordered_at()).map(|account| account.id) {
            self.concern(RecordKind::Account, account, message.received_at);
        }
    }

    fn hear_account(&mut self, message: &Message<'_>) {
        let (Some(account), Some(named)) = (&message.account, &message.organization) else { return };
        let joined = Some(named.id).filter(|_| message.kind == Kind::Account);
        let stated = (message.stamp(), joined);
        let standing = self.organizations.get(&account.id).copied();
        if standing.is_some_and(|standing| standing.0 > stated.0) {
            return;
        }
        self.organizations.insert(account.id, stated);
        if let Some(left) = standing.and_then(|(_, left)| left).filter(|left| Some(*left) != joined) {
            self.concern(RecordKind::Organization, left, message.received_at);
        }
    }

    fn hear_response(&mut self, message: &Message<'_>) {
        let (Some(response), Some(user)) = (&message.response, &message.user) else { return };
        let stated = (message.stamp(), user.id);
        let before = self.responses.get(&response.id).copied();
        let after = before.map_or(stated, |before| before.max(stated));
        self.responses.insert(response.id, after);
        let whose = [Some(user.id), before.map(|(_, user)| user), Some(after.1)];
        for user in whose.into_iter().flatten() {
            self.concern(RecordKind::User, user, message.received_at);
            for (kind, parent) in self.parents_of(user) {
                self.concern(kind, parent, message.received_at);
            }
        }
    }

    /// The accounts that a user is linked to, and the organizations that the user is in.
    fn parents_of(&self, user: RecordId) -> Vec<(RecordKind, RecordId)> {
        let Some(heard) = self.users.get(&user) else { return Vec::new() };
        let accounts = standing(&heard.statements);
        let joined = accounts.iter().filter_map(|account| self.organizations.get(account)?.1);
        let organizations = standing(&heard.organizations).into_iter().chain(joined);
        let organizations: Vec<_> = organizations.map(|id| (RecordKind::Organization, id)).collect();
        accounts.into_iter().map(|id| (RecordKind::Account, id)).chain(organizations).collect()
    }

    fn hear_statements(&mut self, message: &Message<'_>) {
        let Some(user) = &message.user else { return };
        for (parents, said) in said(message) {
            let before = self.organizations_of(user.id);
            self.statements.hear(user.id, parents, said.clone());
            let after = self.organizations_of(user.id);
            for organization in before.symmetric_difference(&after) {
                self.concern(RecordKind::Organization, *organization, message.received_at);
            }
            if parents == RecordKind::Organization {
                self.users.entry(user.id).or_default().organizations.push(said);
            } else {
                let moved = self.users.entry(user.id).or_default().moves(said);
                for account in moved {
                    self.concern(RecordKind::Account, account, message.received_at);
                }
            }
        }
    }
}

/// The parents whose latest statement links.
fn standing(statements: &[Said]) -> Vec<RecordId> {
    let mut latest: HashMap<RecordId, &Said> = HashMap::new();
    for said in statements {
        let known = latest.entry(said.parent.id).or_insert(said);
        if said.stamp > known.stamp {
            *known = said;
        }
    }
    latest.into_values().filter(|said| said.links).map(|said| said.parent.id).collect()
}

impl Receipts {
    fn organizations_of(&self, user: RecordId) -> BTreeSet<RecordId> {
        self.statements.organizations_of(user, |account| self.organizations.get(&account).and_then(|(_, id)| *id))
    }
}

impl Heard {
    /// Takes in a statement; the accounts that may gain or lose tracks by it.
    fn moves(&mut self, said: Said) -> Vec<RecordId> {
        let standing = |statements: &[Said]| parent_at(statements, Micros::MAX).map(|parent| parent.id);
        let (stamp, before) = (said.stamp, standing(&self.statements));
        let newest = self.statements.iter().map(|said| said.stamp).max();
        self.statements.push(said);
        let after = standing(&self.statements);
        let Some(last_loose) = self.last_loose else { return Vec::new() };
        let all = self.statements.iter();
        let linked: BTreeSet<RecordId> = all.clone().filter(|said| said.links).map(|said| said.parent.id).collect();
        if before.is_some() && linked.len() > 1 && newest.is_some_and(|newest| stamp < newest) {
            // A statement about the past: any of the accounts may have had tracks then.
            return all.map(|said| said.parent.id).collect();
        }
        match (before, after) {
            (None, Some(first)) => vec![first],
            (Some(left), Some(joined)) if left != joined && last_loose >= stamp.at => vec![left, joined],
            _ => Vec::new(),
        }
    }
}
