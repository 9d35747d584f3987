//! Correcting records that stay, from the messages that are left.
//!
//! A record's own fields are a fold over the messages that name it. Where a removed message may have decided one, the
//! fold is made again from history and overlays; folding a message twice does no harm there. Counts, which follow from
//! other records, were corrected at once and stay as they are.

use std::{collections::BTreeSet, sync::Arc};

use muster_model::{
    association::Statement,
    change::{Ledger, NewProfile, apply},
    deletion::{DeletionId, Subject},
    id::{IdSpace, RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    kinds::fields::named,
    message::{Message, Named},
    profile::{Body, NpsResponse, Profile, Span},
    register::Stamp,
    time::Micros,
};
use muster_store::{
    deletion::{Delete, Instants},
    error::ReadError,
    record,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    find::{self, Concerned},
    there::{BEGINNINGS_MAX, There, overtaken},
    tied::Tied,
    wipe::{self, Changes, Known, Wipe},
};
use crate::{
    error::not_a_record,
    history::{
        manifest::{Manifest, Segment},
        restore::{self, Rows},
    },
    keys::ProfileKey,
    overlay::Overlay,
    views::{Current, Views},
    writer::{apply::Places, ledger::OverlayLedger},
};

/// Whether a removed message may have decided a field of a record that stays.
pub fn is_needed(profile: &Profile, removed: Option<Span>, redacted: bool) -> bool {
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
pub struct Rebuild<'v> {
    views: &'v Views,
    pub(super) workspace: WorkspaceId,
    ids: IdSpace,
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
    read: FxHashSet<u64>,
}

impl<'v> Rebuild<'v> {
    /// Starts with the records that need it.
    pub fn new(
        views: &'v Views,
        workspace: WorkspaceId,
        deleted: Arc<Instants>,
        concerned: &Concerned,
    ) -> Result<Rebuild<'v>, ReadError> {
        let ids = views.id_space(workspace)?;
        let mut profiles = FxHashMap::default();
        let subjects: FxHashSet<Subject> = concerned.spans.keys().chain(&concerned.redacted).copied().collect();
        for subject in subjects {
            let Some(profile) = views.profile(&ProfileKey::new(workspace, subject.0, subject.1))? else { continue };
            let removed = concerned.spans.get(&subject).copied();
            if is_needed(&profile, removed, concerned.redacted.contains(&subject)) {
                profiles.insert(subject, None);
            }
        }
        let (related, read) = (FxHashSet::default(), FxHashSet::default());
        let doubtful = concerned.relations.clone();
        let children = doubtful.iter().map(|(_, (_, id))| *id).collect();
        let (loose, anonymous) = (concerned.loose.clone(), concerned.anonymous.clone());
        let (joins, answers) = (FxHashMap::default(), Vec::new());
        Ok(Rebuild {
            views,
            workspace,
            ids,
            deleted,
            profiles,
            related,
            doubtful,
            children,
            ties: concerned.ties.clone(),
            said: FxHashMap::default(),
            loose,
            anonymous,
            joins,
            answers,
            read,
        })
    }

    /// Whether nothing needs to be corrected.
    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty()
            && self.doubtful.is_empty()
            && self.ties.is_empty()
            && self.loose.is_empty()
            && self.anonymous.is_empty()
    }

    fn wanted(&self) -> FxHashSet<RecordId> {
        self.profiles.keys().map(|(_, id)| *id).chain(self.children.iter().copied()).collect()
    }

    /// The same with their kinds.
    fn subjects(&self) -> FxHashSet<Subject> {
        self.profiles.keys().chain(self.doubtful.iter().map(|(_, child)| child)).copied().collect()
    }

    /// Reads what there is and corrects the live overlay.
    pub fn correct(mut self) -> Result<(), ReadError> {
        let views = self.views;
        for _ in 0..BEGINNINGS_MAX {
            let deleted = views.tombstones.of(self.workspace).unwrap_or_default();
            self.begin(&deleted);
            let there = There::look(views, self.workspace);
            self.read_files(&there.manifest)?;
            if let Some(frozen) = &there.frozen {
                self.read_overlay(frozen, 0)?;
            }
            for row in there.rows.iter() {
                self.take(record::decode(row).map_err(not_a_record("an overlay"))?)?;
            }
            // The writer waits from here on; what it did meanwhile is little.
            let _alone = views.correcting.lock();
            let (mut changes, untied) = {
                let current = views.look();
                let now = views.tombstones.of(self.workspace).unwrap_or_default();
                if current.freezes != there.freezes || !Arc::ptr_eq(&deleted, &now) {
                    continue;
                }
                self.read_overlay(&current.live, there.rows_read)?;
                let changes = Wipe::plan(self.workspace, &self.vanished(), &current, &views.state)?;
                let tied = Tied { current: &current, views, rebuild: &self };
                (changes, tied.untied()?)
            };
            self.say_what_is_left(&mut changes);
            for (parent, anonymous) in untied {
                let parent = ProfileKey::new(self.workspace, parent.0, parent.1);
                changes.unrelate(parent, (RecordKind::Anonymous, anonymous));
            }
            for (parent, child) in self.doubtful.iter().filter(|pair| !self.related.contains(pair)) {
                changes.unrelate(ProfileKey::new(self.workspace, parent.0, parent.1), *child);
            }
            return views.change(|current| {
                changes.apply(&mut current.live);
                self.corrected(current)?.apply(&mut current.live);
                let mut records = self.joins.into_values().map(|(_, record)| record).chain(self.answers);
                records.try_for_each(|record| hear_again(self.workspace, views, current, &record))
            });
        }
        Err(overtaken())
    }

    /// Forgets what was read when less was deleted.
    fn begin(&mut self, deleted: &Arc<Instants>) {
        if Arc::ptr_eq(&self.deleted, deleted) {
            return;
        }
        self.deleted = Arc::clone(deleted);
        self.profiles.values_mut().for_each(|profile| *profile = None);
        self.related.clear();
        self.said.clear();
        self.joins.clear();
        self.answers.clear();
        self.read.clear();
    }

    /// Ties that were said are what is left says, and since the same instant.
    fn say_what_is_left(&self, changes: &mut Changes) {
        for (user, anonymous) in self.ties.iter().filter(|(_, anonymous)| self.is_left(*anonymous)) {
            let about = (self.workspace, RecordKind::User, *anonymous);
            changes.unsay(about, *user);
            let said = self.said.get(anonymous).into_iter().flatten();
            said.filter(|said| said.parent == *user).for_each(|said| changes.say(about, *said));
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

    /// The present version of each record that is left, with its own fields as the messages that are left say.
    fn corrected(&mut self, current: &Current) -> Result<Changes, ReadError> {
        let state = &self.views.state;
        let key = |kind, id| ProfileKey::new(self.workspace, kind, id);
        let mut corrected: FxHashMap<ProfileKey, Known> = FxHashMap::default();
        for ((kind, id), rebuilt) in &self.profiles {
            let Some(rebuilt) = rebuilt else { continue };
            if let Some((mut known, below)) = wipe::known(current, state, &key(*kind, *id))? {
                if !adopt(Arc::make_mut(&mut known), rebuilt) {
                    self.joins.remove(id);
                }
                corrected.insert(key(*kind, *id), (known, below));
            }
        }
        let look = |corrected: &FxHashMap<ProfileKey, Known>, key: ProfileKey| match corrected.get(&key) {
            Some(known) => Ok(Some(known.clone())),
            None => wipe::known(current, state, &key),
        };
        // Users whose first or last may be what went, what is another's by now, or what was another's.
        let mut doubtful: FxHashSet<RecordId> = self.ties.iter().map(|(user, _)| *user).collect();
        for anonymous in self.ties.iter().map(|(_, anonymous)| anonymous).chain(&self.anonymous) {
            let Some((anonymous, _)) = look(&corrected, key(RecordKind::Anonymous, *anonymous))? else { continue };
            let links = anonymous.as_anonymous().map_or(&[][..], |anonymous| anonymous.users.links());
            doubtful.extend(links.iter().map(|link| link.parent));
        }
        let mut loose: Vec<(RecordId, Option<Span>)> =
            self.loose.iter().map(|(user, span)| (*user, Some(*span))).collect();
        for user in doubtful {
            let of_user = key(RecordKind::User, user);
            let Some((mut known, below)) = look(&corrected, of_user)? else { continue };
            if let Body::User(body) = &mut Arc::make_mut(&mut known).body {
                (body.seen_stale, body.loose_stale) = (true, true);
            }
            corrected.insert(of_user, (known, below));
            loose.push((user, None));
        }
        // The first or the last track of an account may have been one of those.
        for (user, span) in loose {
            let Some((user, _)) = look(&corrected, key(RecordKind::User, user))? else { continue };
            for link in user.as_user().map_or(&[][..], |user| user.accounts.links()) {
                let account = key(RecordKind::Account, link.parent);
                let Some((mut known, below)) = look(&corrected, account)? else { continue };
                if let Body::Account(body) = &mut Arc::make_mut(&mut known).body {
                    body.seen_stale |= span.is_none_or(|span| wipe::reaches_edge(body.seen, span));
                }
                corrected.insert(account, (known, below));
            }
        }
        let mut changes = Changes::default();
        corrected.into_iter().for_each(|(key, known)| changes.change(key, known));
        Ok(changes)
    }

    fn read_files(&mut self, manifest: &Manifest) -> Result<(), ReadError> {
        let segments: Vec<Arc<Segment>> = manifest.of(self.workspace).cloned().collect();
        let (subjects, wanted) = (self.subjects(), self.wanted());
        for segment in segments {
            if !self.read.insert(segment.id) {
                continue;
            }
            let groups = find::groups_naming(&segment, self.ids, &subjects)?;
            if groups.is_empty() {
                continue;
            }
            for batch in restore::batches(&segment, Some(groups))? {
                let batch = batch?;
                let odd = || crate::history::manifest::unreadable(&segment, &"unexpected columns");
                let rows = Rows::of(&batch).ok_or_else(odd)?;
                for row in 0..batch.num_rows() {
                    if rows.subjects(row, self.ids).iter().flatten().any(|(_, id)| wanted.contains(id)) {
                        self.take(rows.message(row, self.ids).ok_or_else(odd)?)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn read_overlay(&mut self, overlay: &Overlay, from: usize) -> Result<(), ReadError> {
        let workspace = self.workspace;
        for row in overlay.rows()[from..].iter().filter(|row| row.workspace == workspace) {
            self.take(record::decode(overlay.row_slice(*row)).map_err(not_a_record("an overlay"))?)?;
        }
        Ok(())
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

    fn take(&mut self, message: Message<'_>) -> Result<(), ReadError> {
        let deleted = Arc::clone(&self.deleted);
        let Some(message) = message.left(|id, reach| deleted.hides(id, reach)) else { return Ok(()) };
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
            apply(&mut ledger, &message)?;
        }
        Ok(())
    }
}

/// Hears a message again whose effects on others were taken back.
fn hear_again(workspace: WorkspaceId, views: &Views, current: &mut Current, bytes: &[u8]) -> Result<(), ReadError> {
    // More may have been deleted since it was read.
    let deleted = views.tombstones.of(workspace).unwrap_or_default();
    let message = record::decode(bytes).map_err(not_a_record("an overlay"))?;
    let Some(message) = message.left(|id, reach| deleted.hides(id, reach)) else { return Ok(()) };
    let (frozen, live) = (current.frozen.as_deref(), &mut current.live);
    let mut ledger = OverlayLedger { workspace, live, frozen, state: &views.state, places: Places::default() };
    apply(&mut ledger, &message)
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
    type Error = ReadError;

    fn profile(&mut self, new: NewProfile<'_>) -> Result<&mut Profile, ReadError> {
        if let Some(Some(profile)) = self.profiles.get_mut(&(new.kind, new.id)) {
            return Ok(profile);
        }
        self.other = Profile::new(new.kind, new.id, new.external_id, new.received_at);
        Ok(&mut self.other)
    }

    fn statements(&mut self, _: RecordId, _: RecordKind) -> Result<Vec<Statement>, ReadError> {
        Ok(Vec::new())
    }

    fn keep_statement(&mut self, of: RecordId, parents: RecordKind, statement: Statement) {
        if parents == RecordKind::User && self.profiles.contains_key(&(RecordKind::Anonymous, of)) {
            self.said.entry(of).or_default().insert(statement);
        }
    }

    fn children(&mut self, _: Subject, _: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        Ok(Vec::new())
    }

    fn look<T>(&mut self, _: RecordKind, _: RecordId, _: impl FnOnce(&Profile) -> T) -> Result<Option<T>, ReadError> {
        Ok(None)
    }

    fn relate(&mut self, parent: Subject, child: Subject) {
        self.related.insert((parent, child));
    }
}
