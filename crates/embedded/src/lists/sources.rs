//! Records that a condition singles out.
//!
//! The index answers a condition with the ids of the records that may meet it, as they are on disk; those in memory are
//! looked at one by one anyway. Few of them are read and sorted; of very many, the way through the order meets enough; of
//! those in between, a set tells what to read on the way.

use std::ops::ControlFlow;

use fjall::Readable;
use muster_model::{
    find::fold,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
};
use muster_store::{
    error::ReadError,
    lists::{Condition, ListQuery},
};
use rustc_hash::FxHashSet;

use super::{
    entries::{self, Value},
    glance::Glance,
};
use crate::{
    engine::Reader,
    error::{damaged, state_failed},
    keys::{self, ProfileKey},
};

/// Records that are read and sorted for one page.
pub const FEW: usize = 1_000;
/// Ids that are held for one page.
pub const SET_MAX: usize = 10_000;
/// The same of ids that a search found, which costs less.
const TEXT_SET_MAX: usize = 100_000;

/// Where a condition's records are found.
pub(super) enum Source {
    Values(u64, Vec<(Value, Value)>),
    Members(Vec<ProfileKey>),
    Text(String),
}

impl Reader {
    /// Where the records of a list are found, as far as the index knows.
    pub(super) fn found_by(
        &self,
        glance: &Glance,
        workspace: WorkspaceId,
        query: &ListQuery,
    ) -> Result<Vec<Source>, ReadError> {
        let mut sources = Vec::new();
        for condition in &query.conditions {
            sources.extend(source(condition, workspace, query.kind));
        }
        if let Some(parent) = query.within {
            sources.extend(self.members(glance, workspace, parent, query.kind)?);
        }
        Ok(sources)
    }

    /// The ids of the first source that has so many at the most.
    pub(super) fn singled_out(
        &self,
        glance: &Glance,
        (workspace, kind): (WorkspaceId, RecordKind),
        sources: &[Source],
        most: usize,
    ) -> Result<Option<Vec<RecordId>>, ReadError> {
        for source in sources {
            if let Some(found) = self.ids(glance, workspace, kind, source, most)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Where the members of a record are found: its children, and for users and answers of an organization also those
    /// of its accounts.
    fn members(
        &self,
        glance: &Glance,
        workspace: WorkspaceId,
        parent: (RecordKind, RecordId),
        kind: RecordKind,
    ) -> Result<Option<Source>, ReadError> {
        let parent_key = ProfileKey::new(workspace, parent.0, parent.1);
        let mut parents = vec![parent_key];
        let through_accounts = matches!(kind, RecordKind::User | RecordKind::NpsResponse);
        if parent.0 == RecordKind::Organization && through_accounts {
            let accounts = vec![parent_key];
            let Some(accounts) =
                self.ids(glance, workspace, RecordKind::Account, &Source::Members(accounts), SET_MAX)?
            else {
                return Ok(None);
            };
            parents.extend(accounts.into_iter().map(|id| ProfileKey::new(workspace, RecordKind::Account, id)));
        }
        Ok(Some(Source::Members(parents)))
    }

    /// The ids of a source, unless there are more than so many.
    fn ids(
        &self,
        glance: &Glance,
        workspace: WorkspaceId,
        kind: RecordKind,
        source: &Source,
        most: usize,
    ) -> Result<Option<Vec<RecordId>>, ReadError> {
        let mut found = FxHashSet::default();
        let mut add = |id| {
            found.insert(id);
            if found.len() > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let whole = match source {
            Source::Values(field, ranges) => {
                let mut whole = ControlFlow::Continue(());
                for range in ranges {
                    if whole.is_continue() {
                        whole = self.with_value(glance, (workspace, kind, *field), *range, &mut add)?;
                    }
                }
                whole
            }
            Source::Text(needle) => {
                let most = if most > FEW { TEXT_SET_MAX } else { most };
                return self.views.texts.find(&self.views.state, (workspace, kind), needle, most);
            }
            Source::Members(parents) => self.named_by(glance, parents, kind, &mut add)?,
        };
        Ok(whole.is_continue().then(|| found.into_iter().collect()))
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
        for entry in glance.below.snapshot.range(&self.views.state.by_field, key(from, 0)..=key(to, u128::MAX)) {
            let key = entry.key().map_err(|error| state_failed(&error))?;
            let (_, id) = keys::parse_field_key(&key).ok_or_else(|| damaged("a list's key"))?;
            if add(id).is_break() {
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
            let mut in_memory: Vec<RecordId> = Vec::new();
            {
                let current = self.views.look();
                for overlay in [Some(&current.live), glance.below.frozen.as_deref()].into_iter().flatten() {
                    let found = overlay.children.get(parent).into_iter().flatten();
                    let of_kind = found.filter(|(child, _)| *child == kind).map(|(_, id)| *id);
                    in_memory.extend(of_kind.take(SET_MAX + 1));
                }
            }
            if in_memory.into_iter().any(|id| add(id).is_break()) {
                return Ok(ControlFlow::Break(()));
            }
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

/// Where the records that meet a condition are found, if the index knows.
fn source(condition: &Condition, workspace: WorkspaceId, kind: RecordKind) -> Option<Source> {
    let one = |field, range| Some(Source::Values(field, vec![range]));
    match condition {
        Condition::TraitIs { key, value } if key == "email" && kind == RecordKind::User => {
            let value = entries::text(&fold(value.trim()));
            one(entries::EMAIL, (value, value))
        }
        Condition::TraitIs { key, .. } | Condition::TraitPresent { key, present: true }
            if entries::is_found_otherwise(kind, key) =>
        {
            None
        }
        Condition::TraitPresent { present: false, .. } => None,
        Condition::Contains(needle) => Some(Source::Text(needle.clone())),
        Condition::TraitPresent { key, present: true } => one(entries::trait_field(key), entries::ALL),
        Condition::TraitIs { key, value } => Some(Source::Values(entries::trait_field(key), entries::of_text(value))),
        Condition::TraitBetween { key, from, to } => one(entries::trait_field(key), entries::between(*from, *to)),
        Condition::LastSeen { after, before } => {
            let field = entries::field(&muster_store::lists::ListOrder::LastSeen)?;
            one(field, entries::instants(*after, *before))
        }
        Condition::Email(email) if kind == RecordKind::User => {
            let value = entries::text(email);
            one(entries::EMAIL, (value, value))
        }
        Condition::EmailDomain(domain) if kind == RecordKind::User => {
            let value = entries::text(domain);
            one(entries::EMAIL_DOMAIN, (value, value))
        }
        Condition::Email(_) | Condition::EmailDomain(_) => None,
        Condition::Object(id) => Some(Source::Members(vec![ProfileKey::new(workspace, RecordKind::CustomObject, *id)])),
    }
}
