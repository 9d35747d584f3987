//! Which records the deletion of one record covers.
//!
//! Deleting an account or an organization removes what belongs to it alone: an organization's accounts; users linked to
//! it whom no other account has; its custom object instances. What a user answered to surveys goes with the user, and what
//! anonymous ids did while they were the user's: ids that nobody else ever was go whole. It is decided here, once, from
//! what is true now, and written down in the decree; what arrives later changes nothing about it.

use std::collections::{BTreeSet, VecDeque};

use muster_model::{
    deletion::{Part, Subject},
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, User},
    ties,
    time::Micros,
};

use super::decree::{PARTS_MAX, SUBJECTS_MAX};
use crate::{
    error::ReadError,
    profiles::{Children, Profiles},
};

/// Ids of children that are held at a time.
const PAGE_CHILDREN: usize = 1_000;

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
            let mut accounts = Walk::of(root, RecordKind::Account);
            while let Some(id) = accounts.next(&cover).await? {
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

/// The children of a record, one after the other.
struct Walk {
    ready: VecDeque<RecordId>,
    /// Where the next page begins, if there is one.
    next: Option<Children>,
}

impl Walk {
    fn of(parent: Subject, kind: RecordKind) -> Walk {
        Walk { ready: VecDeque::new(), next: Some(Children::of(parent, kind)) }
    }

    async fn next<S: Profiles + ?Sized>(&mut self, cover: &Cover<'_, S>) -> Result<Option<RecordId>, ReadError> {
        if let Some(children) = self.next.filter(|_| self.ready.is_empty()) {
            let page = cover.store.children(cover.workspace, children, PAGE_CHILDREN).await?;
            self.next = children.behind(&page, PAGE_CHILDREN);
            self.ready = page.into();
        }
        Ok(self.ready.pop_front())
    }
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
            let mut children = Walk::of(parent, kind);
            while let Some(id) = children.next(self).await? {
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
        let mut responses = Walk::of(user, RecordKind::NpsResponse);
        while let Some(id) = responses.next(self).await? {
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
            let mut tied = Walk::of((RecordKind::User, user), RecordKind::Anonymous);
            while let Some(id) = tied.next(self).await? {
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
