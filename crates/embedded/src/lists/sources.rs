//! Records that a condition singles out.
//!
//! The index answers a condition with the ids of the records that may meet it, as they are on disk; those in memory have
//! [columns of their own](crate::lists::mirrors). Few of them are read and sorted; of very many, the way through the order meets enough; of
//! those in between, a set tells what to read on the way. What a search finds is told by its text, without a set.

use std::{ops::ControlFlow, sync::Arc};

use fjall::Readable;
use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    time::Micros,
};
use muster_store::{
    error::ReadError,
    lists::{
        Condition, ListQuery,
        index::{self, lookup},
        values::Value,
    },
};
use rustc_hash::FxHashSet;

use super::{
    along::Stretch,
    entries,
    folded::Search,
    gaps::{List, Order},
    glance::{Fault, Glance, LOOK_RECORDS},
    sets::Answer,
};
use crate::{
    engine::Reader,
    error::{damaged, state_failed},
    keys::{self, ProfileKey, TimePlace},
};

/// Records that are read and sorted for one page.
pub const FEW: usize = 2_000;
/// Ids that are gathered for one page.
pub const SET_MAX: usize = 50_000;

/// What the index is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The values of a field.
    Values(u64, Vec<(Value, Value)>),
    /// Last heard of from the one instant to the other.
    Updated(Micros, Micros),
    Members(Vec<ProfileKey>),
}

impl Lookup {
    fn new(lookup: index::Lookup<'_>, workspace: WorkspaceId) -> Lookup {
        match lookup {
            index::Lookup::Values(field, ranges) => Lookup::Values(entries::number(field), ranges),
            index::Lookup::Updated(from, to) => Lookup::Updated(from, to),
            index::Lookup::Instances(object) => {
                Lookup::Members(vec![ProfileKey::new(workspace, RecordKind::CustomObject, object)])
            }
        }
    }
}

/// Where a condition's records are found.
pub(super) enum Source {
    Index(Lookup),
    Text(Box<Search>),
}

impl Reader {
    /// Where the records of a list are found, as far as the index knows.
    pub(super) fn found_by(
        &self,
        glance: &Glance,
        workspace: WorkspaceId,
        query: &ListQuery,
    ) -> Result<Vec<Source>, Fault> {
        let mut sources = Vec::new();
        for condition in &query.conditions {
            sources.extend(match condition {
                Condition::Contains(needle) => {
                    let of = (workspace, query.kind);
                    self.views.texts.search(&self.views.state, of, needle).map(|search| Source::Text(Box::new(search)))
                }
                _ => lookup(condition, query.kind).map(|found| Source::Index(Lookup::new(found, workspace))),
            });
        }
        if let Some(parent) = query.within {
            sources.extend(self.members(glance, workspace, parent, query.kind)?.map(Source::Index));
        }
        Ok(sources)
    }

    /// The ids of the first source that has so few that all of them are read.
    pub(super) fn few(
        &self,
        glance: &Glance,
        (workspace, kind): (WorkspaceId, RecordKind),
        sources: &[Source],
    ) -> Result<Option<Vec<RecordId>>, Fault> {
        for source in sources {
            let found = match source {
                Source::Text(search) => {
                    let few = search.found().as_ref().is_some_and(|found| found.count() <= FEW);
                    search.ids().filter(|_| few).map(|ids| ids.iter().copied().collect())
                }
                Source::Index(lookup) => {
                    let known = self.views.sets.get(&glance.below.snapshot, &(workspace, kind, lookup.clone()));
                    let found = match known {
                        Some(known) => known.filter(|ids| ids.len() <= FEW).map(|ids| FxHashSet::clone(&ids)),
                        None => self.ids(glance, workspace, kind, lookup, FEW)?,
                    };
                    let Some(mut ids) = found else { continue };
                    ids.extend(self.named_in_memory(glance, lookup, kind)?);
                    (ids.len() <= FEW).then(|| ids.into_iter().collect())
                }
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The set of ids of the first source that has one. Without `gather` only those that are kept already are looked
    /// at; then the answer is nothing at all where that does not decide.
    pub(super) fn set(
        &self,
        glance: &Glance,
        (workspace, kind): (WorkspaceId, RecordKind),
        sources: &[Source],
        gather: bool,
    ) -> Result<Option<Answer>, Fault> {
        let mut decided = true;
        for source in sources {
            let Source::Index(lookup) = source else { continue };
            let answer = match gather {
                true => Some(self.answer(glance, (workspace, kind), lookup)?),
                false => self.views.sets.get(&glance.below.snapshot, &(workspace, kind, lookup.clone())),
            };
            decided &= answer.is_some();
            let completed = self.completed(glance, answer.flatten(), (lookup, kind))?;
            if completed.is_some() {
                return Ok(Some(completed));
            }
        }
        Ok(decided.then_some(None))
    }

    /// What the index answers, as it is kept or as it is gathered now.
    fn answer(
        &self,
        glance: &Glance,
        (workspace, kind): (WorkspaceId, RecordKind),
        lookup: &Lookup,
    ) -> Result<Answer, Fault> {
        let question = (workspace, kind, lookup.clone());
        if let Some(known) = self.views.sets.get(&glance.below.snapshot, &question) {
            return Ok(known);
        }
        let found = self.ids(glance, workspace, kind, lookup, SET_MAX)?.map(Arc::new);
        self.views.sets.keep(&glance.below.snapshot, question, found.clone());
        Ok(found)
    }

    /// The same with whom records in memory made members, unless these are too many.
    fn completed(
        &self,
        glance: &Glance,
        answer: Answer,
        (lookup, kind): (&Lookup, RecordKind),
    ) -> Result<Answer, Fault> {
        let Some(ids) = answer else { return Ok(None) };
        let more = self.named_in_memory(glance, lookup, kind)?;
        Ok(match more.len() {
            0 => Some(ids),
            1..=SET_MAX => Some(Arc::new(ids.iter().copied().chain(more).collect())),
            _ => None,
        })
    }

    /// All records that can belong where a list looks for members, those in memory included, if a source tells and they are not too
    /// many.
    pub(super) fn named(
        &self,
        glance: &Glance,
        (workspace, kind): (WorkspaceId, RecordKind),
        sources: &[Source],
    ) -> Result<Answer, Fault> {
        let lookup = sources.iter().find_map(|source| match source {
            Source::Index(lookup @ Lookup::Members(_)) => Some(lookup),
            _ => None,
        });
        let Some(lookup) = lookup else { return Ok(None) };
        let answer = self.answer(glance, (workspace, kind), lookup)?;
        self.completed(glance, answer, (lookup, kind))
    }

    /// Whether all that the sources tell is told by the disk: no record in memory made others members.
    pub(super) fn adds_nothing(
        &self,
        glance: &Glance,
        (workspace, kind): (WorkspaceId, RecordKind),
        within: Option<(RecordKind, RecordId)>,
        sources: &[Source],
    ) -> Result<bool, Fault> {
        for source in sources {
            let Source::Index(lookup) = source else { continue };
            if !self.named_in_memory(glance, lookup, kind)?.is_empty() {
                return Ok(false);
            }
        }
        let Some((of, id)) = within else { return Ok(true) };
        let parent = Lookup::Members(vec![ProfileKey::new(workspace, of, id)]);
        Ok(self.named_in_memory(glance, &parent, RecordKind::Account)?.is_empty())
    }

    /// Where the members of a record are found: its children, and for users and answers of an organization also those
    /// of its accounts.
    fn members(
        &self,
        glance: &Glance,
        workspace: WorkspaceId,
        parent: (RecordKind, RecordId),
        kind: RecordKind,
    ) -> Result<Option<Lookup>, Fault> {
        let parent_key = ProfileKey::new(workspace, parent.0, parent.1);
        let mut parents = vec![parent_key];
        let through_accounts = matches!(kind, RecordKind::User | RecordKind::NpsResponse);
        if parent.0 == RecordKind::Organization && through_accounts {
            let accounts = vec![parent_key];
            let of = Lookup::Members(accounts);
            let mut found = self.named_in_memory(glance, &of, RecordKind::Account)?;
            let below = self.ids(glance, workspace, RecordKind::Account, &of, SET_MAX)?;
            let Some(below) = below else { return Ok(None) };
            found.extend(below);
            if found.len() > SET_MAX {
                return Ok(None);
            }
            let mut accounts: Vec<RecordId> = found.into_iter().collect();
            accounts.sort_unstable();
            parents.extend(accounts.into_iter().map(|id| ProfileKey::new(workspace, RecordKind::Account, id)));
        }
        Ok(Some(Lookup::Members(parents)))
    }

    /// The ids that the index on disk answers with, unless there are more than so many.
    fn ids(
        &self,
        glance: &Glance,
        workspace: WorkspaceId,
        kind: RecordKind,
        lookup: &Lookup,
        most: usize,
    ) -> Result<Option<FxHashSet<RecordId>>, ReadError> {
        let mut found = FxHashSet::default();
        let mut add = |id| {
            found.insert(id);
            if found.len() > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let whole = match lookup {
            Lookup::Values(field, ranges) => {
                let mut whole = ControlFlow::Continue(());
                for range in ranges {
                    if whole.is_continue() {
                        whole = self.with_value(glance, (workspace, kind, *field), *range, &mut add)?;
                    }
                }
                whole
            }
            Lookup::Updated(from, to) => self.updated(glance, (workspace, kind), (*from, *to), &mut add)?,
            Lookup::Members(parents) => self.named_by(glance, parents, kind, &mut add)?,
        };
        Ok(whole.is_continue().then_some(found))
    }

    /// Members that records in memory made members, those on disk included; they change with every message.
    fn named_in_memory(
        &self,
        glance: &Glance,
        lookup: &Lookup,
        kind: RecordKind,
    ) -> Result<FxHashSet<RecordId>, Fault> {
        let mut found = FxHashSet::default();
        let Lookup::Members(parents) = lookup else { return Ok(found) };
        for some in parents.chunks(LOOK_RECORDS) {
            let current = self.views.look();
            let overlays = [Some(glance.live(&current)?), glance.below.frozen.as_deref()];
            for overlay in overlays.into_iter().flatten().filter(|overlay| !overlay.children.is_empty()) {
                let named = some.iter().filter_map(|parent| overlay.children.get(parent)).flatten();
                let room = (SET_MAX + 1).saturating_sub(found.len());
                found.extend(named.filter(|(child, _)| *child == kind).map(|(_, id)| *id).take(room));
            }
        }
        Ok(found)
    }

    fn with_value(
        &self,
        glance: &Glance,
        (workspace, kind, field): (WorkspaceId, RecordKind, u64),
        (from, to): (Value, Value),
        add: &mut impl FnMut(RecordId) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReadError> {
        if from > to {
            return Ok(ControlFlow::Continue(()));
        }
        let key = |value, id| keys::field_key(workspace, kind, field, value, RecordId(id));
        let range = (key(from, 0).to_vec(), key(to, u128::MAX).to_vec());
        let order = Order::of_field(workspace, kind, field);
        for key in self.along(glance, Stretch { order, range, after: None, downwards: false }) {
            let (_, id) = keys::parse_field_key(&key?).ok_or_else(|| damaged("a list's key"))?;
            if add(id).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn updated(
        &self,
        glance: &Glance,
        (workspace, kind): (WorkspaceId, RecordKind),
        (from, to): (Micros, Micros),
        add: &mut impl FnMut(RecordId) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReadError> {
        if from > to {
            return Ok(ControlFlow::Continue(()));
        }
        let key = |at, id| keys::list_key(workspace, kind, TimePlace { at, id: RecordId(id) });
        let range = (key(to, 0).to_vec(), key(from, u128::MAX).to_vec());
        let order = Order::of_times(List::Updated, workspace, kind);
        for key in self.along(glance, Stretch { order, range, after: None, downwards: false }) {
            let place = keys::parse_list_key(&key?).ok_or_else(|| damaged("a list's key"))?;
            if add(place.id).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn named_by(
        &self,
        glance: &Glance,
        parents: &[ProfileKey],
        kind: RecordKind,
        add: &mut impl FnMut(RecordId) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReadError> {
        for parent in parents {
            let prefix = keys::children_prefix(parent.workspace, (parent.kind, parent.id), kind);
            for entry in glance.below.snapshot.prefix(&self.views.state.children, prefix) {
                let key = entry.key().map_err(|error| state_failed(&error))?;
                let id = keys::parse_child_key(&key).ok_or_else(|| damaged("a child's key"))?;
                if add(id).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
