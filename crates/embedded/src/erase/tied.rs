//! From which parents anonymous ids are found once messages that said so are gone.
//!
//! What is left of an id was rebuilt from the messages that are left, its users included; here it is worked out from where
//! it was found besides and is to be no more. Changes nothing itself.

use std::sync::Arc;

use muster_model::{
    deletion::Subject,
    id::RecordId,
    kind::RecordKind,
    profile::{Profile, User},
};
use muster_store::error::ReadError;
use rustc_hash::FxHashSet;

use super::{rebuild::Rebuild, wipe};
use crate::{
    keys::ProfileKey,
    views::{Current, Views, children_now},
};

/// Anonymous ids and the parents of the users that they were, as they are now.
pub struct Tied<'c, 'v> {
    pub current: &'c Current,
    pub views: &'c Views,
    pub rebuild: &'c Rebuild<'v>,
}

impl Tied<'_, '_> {
    /// Anonymous ids that are found from a parent, and are to be no more: none of the users that they were is left who is
    /// that parent or ever had it.
    pub fn untied(&self) -> Result<FxHashSet<(Subject, RecordId)>, ReadError> {
        let (rebuild, workspace) = (self.rebuild, self.rebuild.workspace);
        let mut doubtful = FxHashSet::default();
        for (user, anonymous) in &rebuild.ties {
            doubtful.insert(((RecordKind::User, *user), *anonymous));
            doubtful.extend(self.parents(*user)?.into_iter().map(|parent| (parent, *anonymous)));
        }
        for (parent, (kind, user)) in rebuild.doubtful.iter().filter(|(_, (kind, _))| *kind == RecordKind::User) {
            let key = ProfileKey::new(workspace, *kind, *user);
            let (live, frozen) = (&self.current.live, self.current.frozen.as_deref());
            let known = children_now(live, frozen, &self.views.state, &key, RecordKind::Anonymous)?.into_iter();
            let tied = rebuild.ties.iter().filter(|(of, _)| of == user).map(|(_, anonymous)| *anonymous);
            doubtful.extend(known.chain(tied).map(|anonymous| (*parent, anonymous)));
        }
        let mut untied = FxHashSet::default();
        for (parent, anonymous) in doubtful {
            if !self.stands(parent, anonymous)? {
                untied.insert((parent, anonymous));
            }
        }
        Ok(untied)
    }

    fn stands(&self, parent: Subject, anonymous: RecordId) -> Result<bool, ReadError> {
        let subject = (RecordKind::Anonymous, anonymous);
        let known = self.known(subject)?;
        let rebuilt = self.rebuild.profiles.get(&subject).and_then(Option::as_ref);
        let profile = rebuilt.or(known.as_deref());
        for link in profile.and_then(Profile::as_anonymous).map_or(&[][..], |body| body.users.links()) {
            if parent == (RecordKind::User, link.parent) || self.parents(link.parent)?.contains(&parent) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every account and organization that a user ever had.
    fn parents(&self, user: RecordId) -> Result<Vec<Subject>, ReadError> {
        let profile = self.known((RecordKind::User, user))?;
        Ok(profile.as_deref().and_then(Profile::as_user).into_iter().flat_map(User::parents).collect())
    }

    fn known(&self, (kind, id): Subject) -> Result<Option<Arc<Profile>>, ReadError> {
        let key = ProfileKey::new(self.rebuild.workspace, kind, id);
        Ok(wipe::known(self.current, &self.views.state, &key)?.map(|(profile, _)| profile))
    }
}
