//! From which parents anonymous ids are found once messages that said so are gone.
//!
//! What is left of an id was rebuilt from the messages that are left, its users included; here it is worked out from where
//! it was found besides and is to be no more. Changes nothing itself.

use muster_model::{
    deletion::Subject,
    id::RecordId,
    kind::RecordKind,
    profile::{Profile, User},
};
use rustc_hash::FxHashSet;

use super::correction::Correction;
use crate::{error::ReadError, records::Records};

/// Anonymous ids and the parents of the users that they were, as they are now.
pub(super) struct Tied<'c, R> {
    pub records: R,
    pub correction: &'c Correction,
}

impl<R: Records> Tied<'_, R> {
    /// Anonymous ids that are found from a parent, and are to be no more: none of the users that they were is left who is
    /// that parent or ever had it.
    pub fn untied(&self) -> Result<FxHashSet<(Subject, RecordId)>, ReadError> {
        let Correction { ties, doubtful: parted, .. } = self.correction;
        let mut doubtful = FxHashSet::default();
        for (user, anonymous) in ties {
            doubtful.insert(((RecordKind::User, *user), *anonymous));
            doubtful.extend(self.parents(*user)?.into_iter().map(|parent| (parent, *anonymous)));
        }
        for (parent, (kind, user)) in parted.iter().filter(|(_, (kind, _))| *kind == RecordKind::User) {
            let known = self.records.children((*kind, *user), RecordKind::Anonymous)?.into_iter();
            let tied = ties.iter().filter(|(of, _)| of == user).map(|(_, anonymous)| *anonymous);
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
        let known = self.records.profile(RecordKind::Anonymous, anonymous)?;
        let rebuilt = self.correction.profiles.get(&(RecordKind::Anonymous, anonymous)).and_then(Option::as_ref);
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
        let profile = self.records.profile(RecordKind::User, user)?;
        Ok(profile.as_deref().and_then(Profile::as_user).into_iter().flat_map(User::parents).collect())
    }
}
