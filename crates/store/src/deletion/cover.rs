//! Which records the deletion of one record covers.
//!
//! Deleting an account or an organization removes what belongs to it alone: an organization's accounts; users linked to
//! it whom no other account has; its custom object instances. What a user answered to surveys goes with the user, and what
//! anonymous ids did while they were the user's: ids that nobody else ever was go whole. It is decided here, once, from
//! what is true now, and written down in the decree; what arrives later changes nothing about it.

use std::collections::BTreeSet;

use muster_model::{
    deletion::{Part, Subject},
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, User},
    ties,
    time::Micros,
};

use super::decree::{PARTS_MAX, SUBJECTS_MAX};
use crate::{error::ReadError, profiles::Profiles};

/// Why it cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoverError {
    /// There is no such record.
    #[error("there is no such record")]
    Unknown,
    /// More records than one deletion takes.
    #[error("more than {SUBJECTS_MAX} records belong to it; delete its accounts or its users first")]
    TooMany,
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// What goes with a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// The records, the root first.
    pub subjects: Vec<Subject>,
    /// What goes of anonymous ids that others were, too.
    pub parts: Vec<Part>,
    /// The latest receipt of anything about any of them: a deletion at that instant or later leaves nothing of them.
    pub latest: Micros,
}

/// What goes with `root`.
pub async fn cover<S: Profiles + ?Sized>(
    store: &S,
    workspace: WorkspaceId,
    root: Subject,
) -> Result<Covered, CoverError> {
    let (subjects, known, users) = (Vec::new(), BTreeSet::new(), Vec::new());
    let mut cover = Cover { store, workspace, subjects, known, users, parts: Vec::new(), latest: Micros::MIN };
    let Some(profile) = cover.profile(root).await? else { return Err(CoverError::Unknown) };
    cover.add(root, &profile)?;
    match root.0 {
        RecordKind::Instance | RecordKind::CustomObject | RecordKind::NpsResponse | RecordKind::Anonymous => {}
        RecordKind::User => cover.add_responses_of(root).await?,
        RecordKind::Account => cover.add_children_of(root).await?,
        RecordKind::Organization => {
            for id in cover.children(root, RecordKind::Account).await? {
                let account = (RecordKind::Account, id);
                let Some(profile) = cover.profile(account).await? else { continue };
                let organization = profile.as_account().and_then(|account| account.parent());
                if organization.is_some_and(|parent| parent.id == root.1) {
                    cover.add(account, &profile)?;
                }
            }
            for account in cover.subjects.clone().into_iter().skip(1) {
                cover.add_children_of(account).await?;
            }
            cover.add_children_of(root).await?;
        }
    }
    cover.add_anonymous().await?;
    Ok(Covered { subjects: cover.subjects, parts: cover.parts, latest: cover.latest })
}

struct Cover<'s, S: ?Sized> {
    store: &'s S,
    workspace: WorkspaceId,
    subjects: Vec<Subject>,
    known: BTreeSet<Subject>,
    /// The users among the subjects that anonymous ids were tied to.
    users: Vec<RecordId>,
    parts: Vec<Part>,
    latest: Micros,
}

impl<S: Profiles + ?Sized> Cover<'_, S> {
    async fn profile(&self, (kind, id): Subject) -> Result<Option<std::sync::Arc<Profile>>, ReadError> {
        self.store.profile(self.workspace, kind, id).await
    }

    async fn children(&self, parent: Subject, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        self.store.children(self.workspace, parent, kind).await
    }

    fn add(&mut self, subject: Subject, profile: &Profile) -> Result<(), CoverError> {
        if self.known.insert(subject) {
            if self.subjects.len() == SUBJECTS_MAX {
                return Err(CoverError::TooMany);
            }
            self.subjects.push(subject);
            self.latest = self.latest.max(profile.updated_at);
            self.users.extend(profile.as_user().filter(|user| user.tied).map(|_| subject.1));
        }
        Ok(())
    }

    /// Adds a record's users and instances, as far as nobody else has them.
    async fn add_children_of(&mut self, parent: Subject) -> Result<(), CoverError> {
        for kind in [RecordKind::User, RecordKind::Instance] {
            for id in self.children(parent, kind).await? {
                let child = (kind, id);
                if self.known.contains(&child) {
                    continue;
                }
                let Some(profile) = self.profile(child).await? else { continue };
                if self.owns(parent, &profile) {
                    self.add(child, &profile)?;
                    if kind == RecordKind::User {
                        self.add_responses_of(child).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds what a user answered.
    async fn add_responses_of(&mut self, user: Subject) -> Result<(), CoverError> {
        for id in self.children(user, RecordKind::NpsResponse).await? {
            let response = (RecordKind::NpsResponse, id);
            let Some(profile) = self.profile(response).await? else { continue };
            let whose = profile.as_nps_response().and_then(|response| response.user.as_ref());
            if whose.is_some_and(|whose| whose.value().id == user.1) {
                self.add(response, &profile)?;
            }
        }
        Ok(())
    }

    /// Adds the anonymous ids of the users that go: whole where they were nobody else, otherwise for as long as they were
    /// one of these.
    async fn add_anonymous(&mut self) -> Result<(), CoverError> {
        for user in std::mem::take(&mut self.users) {
            for id in self.children((RecordKind::User, user), RecordKind::Anonymous).await? {
                let anonymous = (RecordKind::Anonymous, id);
                let Some(profile) = self.profile(anonymous).await? else { continue };
                let links = profile.as_anonymous().map_or(&[][..], |anonymous| anonymous.users.links());
                if !links.iter().any(|link| link.parent == user) {
                    continue;
                }
                if links.iter().all(|link| self.known.contains(&(RecordKind::User, link.parent))) {
                    self.add(anonymous, &profile)?;
                    continue;
                }
                let ties = self.store.ties(self.workspace, id).await?;
                let stretches = ties::stretches(&ties, user).into_iter();
                self.parts.extend(stretches.map(|stretch| Part { anonymous: id, stretch }));
                self.latest = self.latest.max(profile.updated_at);
                if self.parts.len() > PARTS_MAX {
                    return Err(CoverError::TooMany);
                }
            }
        }
        Ok(())
    }

    fn owns(&self, parent: Subject, child: &Profile) -> bool {
        let goes = |id: RecordId, kind| self.known.contains(&(kind, id));
        if let Some(instance) = child.as_instance() {
            return match (instance.account(), instance.organization()) {
                (Some(account), _) => goes(account.id, RecordKind::Account),
                (None, organization) => organization.is_some_and(|parent| goes(parent.id, RecordKind::Organization)),
            };
        }
        child.as_user().is_some_and(|user| {
            let accounts = standing(user, RecordKind::Account);
            let organizations = standing(user, RecordKind::Organization);
            let belongs = if parent.0 == RecordKind::Account { &accounts } else { &organizations };
            // Whoever deletes an account means the users of that account; whoever deletes an organization means those
            // of no other organization either.
            let elsewhere = self.subjects[0].0 == RecordKind::Organization
                && organizations.iter().any(|id| !goes(*id, RecordKind::Organization));
            belongs.contains(&parent.1) && accounts.iter().all(|id| goes(*id, RecordKind::Account)) && !elsewhere
        })
    }
}

fn standing(user: &User, parents: RecordKind) -> Vec<RecordId> {
    let associations = if parents == RecordKind::Account { &user.accounts } else { &user.organizations };
    associations.links().iter().filter(|link| link.stands()).map(|link| link.parent).collect()
}
