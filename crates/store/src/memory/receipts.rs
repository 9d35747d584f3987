//! When this system first and last heard of each record: the only thing that follows the order of arrival.
//!
//! `createdAt` is the time of receipt of the first message to arrive that names the record. `updatedAt` is the latest
//! time of receipt of a message that concerns it. A message concerns
//!
//! * every record it names;
//! * the user that a track belongs to by the ties of its anonymous id as known on arrival, and the account that it belongs
//!   to by its user's associations;
//! * the organization that an account leaves by it;
//! * the organization that its user comes to belong to by it, or no longer belongs to;
//! * the accounts of its user, if it is a statement that may move tracks received earlier from one of them to another;
//! * the users of its anonymous id, if it is a tie that may move tracks received earlier from one of them to another, and
//!   then, for tracks that name no account, the accounts of those users;
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

use super::statements::{Said, Statements, parent_at, said, tie};

/// The two times of every record, and what is needed to carry them on.
#[derive(Debug, Default)]
pub struct Receipts {
    times: HashMap<(RecordKind, RecordId), Times>,
    users: HashMap<RecordId, Heard>,
    anonymous: HashMap<RecordId, Heard>,
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

/// What arrived about one user, or about one anonymous id.
#[derive(Debug, Default)]
struct Heard {
    /// Statements about accounts; of an anonymous id, ties.
    statements: Vec<Said>,
    /// Statements about organizations.
    organizations: Vec<Said>,
    /// The latest track that follows the statements.
    last: Option<Micros>,
    /// Of an anonymous id, the latest one that names no account.
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
            Kind::User | Kind::Unlink => {
                self.hear_statements(message);
                self.hear_tie(message);
            }
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
        let (at, loose) = (message.ordered_at(), message.account.is_none());
        let tied = message.anonymous.as_ref().and_then(|anonymous| {
            let heard = self.anonymous.entry(anonymous.id).or_default();
            heard.last = heard.last.max(Some(at));
            heard.last_loose = heard.last_loose.max(Some(at).filter(|_| loose));
            parent_at(&heard.statements, at).map(|user| user.id)
        });
        if let Some(user) = tied {
            self.concern(RecordKind::User, user, message.received_at);
        }
        let Some(user) = message.user.as_ref().map(|user| user.id).or(tied).filter(|_| loose) else { return };
        let heard = self.users.entry(user).or_default();
        heard.last = heard.last.max(Some(at));
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

    /// A tie concerns the users who may gain or lose tracks by it, and every account that they were ever linked to if any
    /// of those tracks name none.
    fn hear_tie(&mut self, message: &Message<'_>) {
        let Some((anonymous, said)) = tie(message) else { return };
        let heard = self.anonymous.entry(anonymous).or_default();
        let moved = heard.moves(said);
        let last_loose = heard.last_loose;
        for user in moved {
            self.concern(RecordKind::User, user, message.received_at);
            let Some(last_loose) = last_loose else { continue };
            let heard = self.users.entry(user).or_default();
            heard.last = heard.last.max(Some(last_loose));
            let links = heard.statements.iter().filter(|said| said.links);
            let accounts: BTreeSet<RecordId> = links.map(|said| said.parent.id).collect();
            for account in accounts {
                self.concern(RecordKind::Account, account, message.received_at);
            }
        }
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
        let Some(last) = self.last else { return Vec::new() };
        let all = self.statements.iter();
        let linked: BTreeSet<RecordId> = all.clone().filter(|said| said.links).map(|said| said.parent.id).collect();
        if before.is_some() && linked.len() > 1 && newest.is_some_and(|newest| stamp < newest) {
            // A statement about the past: any of the accounts may have had tracks then.
            return all.map(|said| said.parent.id).collect();
        }
        match (before, after) {
            (None, Some(first)) => vec![first],
            (Some(left), Some(joined)) if left != joined && last >= stamp.at => vec![left, joined],
            _ => Vec::new(),
        }
    }
}
