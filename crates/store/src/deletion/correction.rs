//! Correcting records that stay, from the messages that are left.
//!
//! A record's own fields are a fold over the messages that name it. Where a removed message may have decided one, the
//! fold is made again over all messages that are left; taking one in twice does no harm. Counts, which follow from
//! other records, were corrected at once and stay as they are.
//!
//! In this order: what removed messages said is noted ([`crate::deletion::concerned`]); every message that is left and names
//! one that is [wanted] is [taken in], in any order; then, while nothing else is changed, the [first changes] are made, those
//! that [follow] from the records as they are then, and some messages are [heard again]. Reads no messages itself.
//!
//! [wanted]: crate::deletion::Correction::wanted
//! [taken in]: crate::deletion::Correction::take
//! [first changes]: crate::deletion::Correction::changes
//! [follow]: crate::deletion::Correction::corrected
//! [heard again]: crate::deletion::Correction::into_heard_again

use std::{collections::BTreeSet, convert::Infallible, sync::Arc};

use muster_model::{
    association::Statement,
    change::{Ledger, NewProfile, apply},
    deletion::{DeletionId, Subject},
    id::RecordId,
    kind::{Kind, RecordKind},
    kinds::fields::named,
    message::{Message, Named},
    profile::{Body, NpsResponse, Profile, Span},
    register::Stamp,
    time::Micros,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    changes::Changes,
    concerned::Concerned,
    decree::Delete,
    instants::Instants,
    revised::Revised,
    tied::Tied,
    wipe::{Wipe, reaches_edge},
};
use crate::{error::ReadError, record, records::Records};

/// Whether a removed message may have decided a field of a record that stays.
fn is_needed(profile: &Profile, removed: Option<Span>, redacted: bool) -> bool {
    let own = match &profile.body {
        Body::Instance(_) | Body::NpsResponse(_) | Body::Anonymous(_) => removed.is_some() || redacted,
        Body::Account(_) => redacted,
        Body::Organization(_) | Body::User(_) | Body::CustomObject => false,
    };
    let Some((first, last)) = removed.and_then(|removed| removed.bounds()) else { return own };
    let edge = |span: Span| span.bounds().is_some_and(|(from, until)| first <= from || last >= until);
    let seen = match &profile.body {
        Body::Account(account) => edge(account.seen_named) || edge(account.seen),
        Body::User(user) => edge(user.seen) || edge(user.seen_loose),
        Body::Organization(_) | Body::Instance(_) | Body::NpsResponse(_) | Body::Anonymous(_) | Body::CustomObject => {
            false
        }
    };
    own || seen || !profile.stated || first <= profile.first_known
}

/// The records to correct, as far as the messages read so far say.
pub struct Correction {
    deleted: Arc<Instants>,
    pub(super) profiles: FxHashMap<Subject, Option<Profile>>,
    /// Children that a message which is left has named, of the records to correct.
    related: FxHashSet<(Subject, Subject)>,
    /// Children that only removed messages may have named, by parent.
    pub(super) doubtful: FxHashSet<(Subject, Subject)>,
    children: FxHashSet<RecordId>,
    /// Users and anonymous ids that removed messages said are one.
    pub(super) ties: FxHashSet<(RecordId, RecordId)>,
    /// What messages which are left say of the users that anonymous ids to correct were.
    said: FxHashMap<RecordId, BTreeSet<Statement>>,
    /// When users who stay did something that went and named no account.
    loose: FxHashMap<RecordId, Span>,
    /// Anonymous ids that did something which went.
    anonymous: FxHashSet<RecordId>,
    /// What accounts last said of their organization, and all that NPS responses said: heard again, so that counts follow.
    joins: FxHashMap<RecordId, (Stamp, Vec<u8>)>,
    answers: Vec<Vec<u8>>,
}

impl Correction {
    /// Starts with the records that need it, by what removed messages said. Of messages that are taken in, what was deleted at
    /// these instants does not count.
    pub fn new(records: impl Records, deleted: Arc<Instants>, concerned: &Concerned) -> Result<Correction, ReadError> {
        let mut profiles = FxHashMap::default();
        let subjects: FxHashSet<Subject> = concerned.spans.keys().chain(&concerned.redacted).copied().collect();
        for subject in subjects {
            let Some(profile) = records.profile(subject.0, subject.1)? else { continue };
            let removed = concerned.spans.get(&subject).copied();
            if is_needed(&profile, removed, concerned.redacted.contains(&subject)) {
                profiles.insert(subject, None);
            }
        }
        let doubtful = concerned.relations.clone();
        Ok(Correction {
            deleted,
            profiles,
            related: FxHashSet::default(),
            children: doubtful.iter().map(|(_, (_, id))| *id).collect(),
            doubtful,
            ties: concerned.ties.clone(),
            said: FxHashMap::default(),
            loose: concerned.loose.clone(),
            anonymous: concerned.anonymous.clone(),
            joins: FxHashMap::default(),
            answers: Vec::new(),
        })
    }

    /// Whether nothing needs to be corrected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty()
            && self.doubtful.is_empty()
            && self.ties.is_empty()
            && self.loose.is_empty()
            && self.anonymous.is_empty()
    }

    /// The records of which every message is to be taken in that names one.
    #[must_use]
    pub fn wanted(&self) -> FxHashSet<RecordId> {
        self.profiles.keys().map(|(_, id)| *id).chain(self.children.iter().copied()).collect()
    }

    /// The same with their kinds.
    #[must_use]
    pub fn subjects(&self) -> FxHashSet<Subject> {
        self.profiles.keys().chain(self.doubtful.iter().map(|(_, child)| child)).copied().collect()
    }

    /// Forgets what was taken in if something else is deleted by now; whether it is.
    pub fn begin(&mut self, deleted: &Arc<Instants>) -> bool {
        if Arc::ptr_eq(&self.deleted, deleted) {
            return false;
        }
        self.deleted = Arc::clone(deleted);
        self.profiles.values_mut().for_each(|profile| *profile = None);
        self.related.clear();
        self.said.clear();
        self.joins.clear();
        self.answers.clear();
        true
    }

    /// Takes in what deletions leave of a message.
    pub fn take(&mut self, message: Message<'_>) {
        let deleted = Arc::clone(&self.deleted);
        let Some(message) = message.left(|id, reach| deleted.hides(id, reach)) else { return };
        let mut wanted = false;
        for (kind, id, name) in named(&message) {
            if let Some(profile) = self.profiles.get_mut(&(kind, id)) {
                profile.get_or_insert_with(|| Profile::new(kind, id, name, message.received_at));
                wanted = true;
            }
            wanted |= self.children.contains(&id);
        }
        self.keep_to_hear_again(&message);
        if wanted {
            let (profiles, related, said) = (&mut self.profiles, &mut self.related, &mut self.said);
            let other = Profile::new(RecordKind::User, RecordId(0), "", Micros(0));
            let mut ledger = Own { profiles, related, said, other };
            let Ok(()) = apply(&mut ledger, &message);
        }
    }

    /// Keeps a message that is to be heard again once the records are corrected.
    fn keep_to_hear_again(&mut self, message: &Message<'_>) {
        let concerns = |kind, named: &Option<Named<'_>>| {
            named.as_ref().map(|named| named.id).filter(|id| self.profiles.contains_key(&(kind, *id)))
        };
        let encoded = || {
            let mut bytes = Vec::new();
            record::encode(message, &mut bytes);
            bytes
        };
        let joins = match message.kind {
            Kind::Account => message.organization.is_some(),
            Kind::Leave => message.user.is_none() && message.instance.is_none(),
            Kind::Organization
            | Kind::User
            | Kind::Track
            | Kind::Unlink
            | Kind::CustomObjectInstance
            | Kind::CustomObject
            | Kind::NpsResponse => false,
        };
        if let Some(account) = concerns(RecordKind::Account, &message.account).filter(|_| joins) {
            let stamp = message.stamp();
            if self.joins.get(&account).is_none_or(|(known, _)| *known < stamp) {
                self.joins.insert(account, (stamp, encoded()));
            }
        }
        if message.kind == Kind::NpsResponse && concerns(RecordKind::NpsResponse, &message.response).is_some() {
            self.answers.push(encoded());
        }
    }

    /// What is to be changed first: records go that no message names any more, and so does what only removed messages said of
    /// ties and parents.
    pub fn changes(&self, records: impl Records) -> Result<Changes, ReadError> {
        let mut changes = Wipe::plan(&records, &self.vanished())?;
        self.say_what_is_left(&mut changes);
        let untied = Tied { records: &records, correction: self }.untied()?;
        let untied = untied.into_iter().map(|(parent, anonymous)| (parent, (RecordKind::Anonymous, anonymous)));
        changes.unrelated.extend(untied);
        changes.unrelated.extend(self.doubtful.iter().filter(|pair| !self.related.contains(pair)));
        Ok(changes)
    }

    /// Ties that were said are what is left says, and since the same instant.
    fn say_what_is_left(&self, changes: &mut Changes) {
        for (user, anonymous) in self.ties.iter().filter(|(_, anonymous)| self.is_left(*anonymous)) {
            changes.unsaid.push((*anonymous, (RecordKind::User, *user)));
            let said = self.said.get(anonymous).into_iter().flatten().filter(|said| said.parent == *user);
            changes.said.extend(said.map(|said| (*anonymous, RecordKind::User, *said)));
        }
    }

    /// Whether something is left of an anonymous id that is to be corrected.
    fn is_left(&self, anonymous: RecordId) -> bool {
        self.profiles.get(&(RecordKind::Anonymous, anonymous)).is_some_and(Option::is_some)
    }

    /// Records that no message names any more.
    fn vanished(&self) -> Delete {
        let gone = self.profiles.iter().filter(|(_, left)| left.is_none()).map(|(subject, _)| *subject);
        let root = (RecordKind::User, RecordId(0));
        let never = Micros::MAX;
        Delete {
            id: DeletionId(0),
            root,
            requested_at: never,
            key_id: 0,
            at: never,
            subjects: gone.collect(),
            parts: Vec::new(),
        }
    }

    /// What follows, of the records as they are once the first changes were made: each that is left has its own fields as the
    /// messages that are left say.
    pub fn corrected(&mut self, records: impl Records) -> Result<Changes, ReadError> {
        let mut corrected = Revised::new(records);
        for (subject, rebuilt) in &self.profiles {
            let Some(rebuilt) = rebuilt else { continue };
            if let Some(profile) = corrected.profile_mut(*subject)?
                && !adopt(profile, rebuilt)
            {
                self.joins.remove(&subject.1);
            }
        }
        // Users whose first or last may be what went, what is another's by now, or what was another's.
        let mut doubtful: FxHashSet<RecordId> = self.ties.iter().map(|(user, _)| *user).collect();
        for anonymous in self.ties.iter().map(|(_, anonymous)| anonymous).chain(&self.anonymous) {
            let Some(anonymous) = corrected.profile((RecordKind::Anonymous, *anonymous))? else { continue };
            let links = anonymous.as_anonymous().map_or(&[][..], |anonymous| anonymous.users.links());
            doubtful.extend(links.iter().map(|link| link.parent));
        }
        let mut loose: Vec<(RecordId, Option<Span>)> =
            self.loose.iter().map(|(user, span)| (*user, Some(*span))).collect();
        for user in doubtful {
            let Some(known) = corrected.profile_mut((RecordKind::User, user))? else { continue };
            if let Body::User(body) = &mut known.body {
                (body.seen_stale, body.loose_stale) = (true, true);
            }
            loose.push((user, None));
        }
        // The first or the last track of an account may have been one of those.
        for (user, span) in loose {
            let Some(user) = corrected.profile((RecordKind::User, user))? else { continue };
            for link in user.as_user().map_or(&[][..], |user| user.accounts.links()) {
                let Some(known) = corrected.profile_mut((RecordKind::Account, link.parent))? else { continue };
                if let Body::Account(body) = &mut known.body {
                    body.seen_stale |= span.is_none_or(|span| reaches_edge(body.seen, span));
                }
            }
        }
        Ok(Changes { changed: corrected.into_changed().collect(), ..Changes::default() })
    }

    /// The messages to be heard again after all that, in their byte form: what they say of others was taken back, and only that
    /// of it which deletions leave by then counts.
    pub fn into_heard_again(self) -> impl Iterator<Item = Vec<u8>> {
        self.joins.into_values().map(|(_, record)| record).chain(self.answers)
    }
}

/// Takes over what only the messages that name a record decide; `true` when what it says of others is to be heard again.
fn adopt(known: &mut Profile, rebuilt: &Profile) -> bool {
    let mut joins = false;
    known.stated = rebuilt.stated;
    known.first_known = rebuilt.first_known;
    known.traits = rebuilt.traits.clone();
    match (&mut known.body, &rebuilt.body) {
        (Body::Account(known), Body::Account(rebuilt)) => {
            let stands = known.parent().is_some();
            joins = known.organization != rebuilt.organization && !stands;
            if joins {
                known.organization = None;
            }
            known.seen_named = rebuilt.seen_named;
            // Its first or last track may have gone; which one follows is in its users' tracks.
            known.seen_stale = true;
        }
        // What its anonymous ids did is not in what was rebuilt.
        (Body::User(known), Body::User(_)) if known.tied => {
            (known.seen_stale, known.loose_stale) = (true, true);
        }
        (Body::Anonymous(known), Body::Anonymous(rebuilt)) => {
            (known.seen, known.seen_loose, known.stale) = (rebuilt.seen, rebuilt.seen_loose, false);
            known.users.clone_from(&rebuilt.users);
        }
        (Body::User(known), Body::User(rebuilt)) => {
            known.seen = rebuilt.seen;
            known.seen_loose = rebuilt.seen_loose;
        }
        (Body::Instance(known), Body::Instance(rebuilt)) => known.clone_from(rebuilt),
        (Body::NpsResponse(known), Body::NpsResponse(_)) => *known = NpsResponse::default(),
        _ => {}
    }
    joins
}

/// Lets a message change the records to correct, and nothing else.
struct Own<'a> {
    profiles: &'a mut FxHashMap<Subject, Option<Profile>>,
    related: &'a mut FxHashSet<(Subject, Subject)>,
    said: &'a mut FxHashMap<RecordId, BTreeSet<Statement>>,
    other: Profile,
}

impl Ledger for Own<'_> {
    type Error = Infallible;

    fn profile(&mut self, new: NewProfile<'_>) -> Result<&mut Profile, Infallible> {
        if let Some(Some(profile)) = self.profiles.get_mut(&(new.kind, new.id)) {
            return Ok(profile);
        }
        self.other = Profile::new(new.kind, new.id, new.external_id, new.received_at);
        Ok(&mut self.other)
    }

    fn statements(&mut self, _: RecordId, _: RecordKind) -> Result<Vec<Statement>, Infallible> {
        Ok(Vec::new())
    }

    fn keep_statement(&mut self, of: RecordId, parents: RecordKind, statement: Statement) {
        if parents == RecordKind::User && self.profiles.contains_key(&(RecordKind::Anonymous, of)) {
            self.said.entry(of).or_default().insert(statement);
        }
    }

    fn children(&mut self, _: Subject, _: RecordKind) -> Result<Vec<RecordId>, Infallible> {
        Ok(Vec::new())
    }

    fn look<T>(&mut self, _: RecordKind, _: RecordId, _: impl FnOnce(&Profile) -> T) -> Result<Option<T>, Infallible> {
        Ok(None)
    }

    fn relate(&mut self, parent: Subject, child: Subject) {
        self.related.insert((parent, child));
    }
}
