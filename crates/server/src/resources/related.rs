//! What is shown of a record besides itself, within bounds.
//!
//! One `Gatherer` serves one answer: it remembers what it has read, so that users of one account read it once. An
//! account's `usersCount` and the times at which it was seen are exact. An organization's `usersCount` is exact as long
//! as its users can be looked at within the bound that an operator sets; beyond it the number is an estimate, from above,
//! in which someone who left, or who is in several of its accounts, may still count.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, User},
};

use crate::{
    error::ApiError,
    state::AppState,
    wire::{account::AccountView, organization::OrganizationView, user::UserView},
};

/// Reads what belongs to the records of one answer.
pub(super) struct Gatherer<'s> {
    state: &'s AppState,
    workspace: WorkspaceId,
    /// Records that may still be looked at for counting.
    left: usize,
    accounts: HashMap<RecordId, Arc<AccountView>>,
    organizations: HashMap<RecordId, Arc<OrganizationView>>,
}

impl<'s> Gatherer<'s> {
    /// A gatherer for one answer.
    pub(super) fn new(state: &'s AppState, workspace: WorkspaceId) -> Self {
        let left = state.settings.related_records_max;
        Gatherer { state, workspace, left, accounts: HashMap::new(), organizations: HashMap::new() }
    }

    /// Whether so many records were gathered that a page should end.
    pub(super) fn is_full(&self) -> bool {
        self.accounts.len() + self.organizations.len() >= self.state.settings.related_records_max
    }

    /// What is shown of an organization.
    pub(super) async fn organization(&mut self, profile: Arc<Profile>) -> Result<Arc<OrganizationView>, ApiError> {
        if let Some(known) = self.organizations.get(&profile.id) {
            return Ok(Arc::clone(known));
        }
        let users_count = self.users_of(profile.id).await?;
        let view = Arc::new(OrganizationView { users_count, profile });
        self.organizations.insert(view.profile.id, Arc::clone(&view));
        Ok(view)
    }

    /// What is shown of an account.
    pub(super) async fn account(&mut self, profile: Arc<Profile>) -> Result<Arc<AccountView>, ApiError> {
        if let Some(known) = self.accounts.get(&profile.id) {
            return Ok(Arc::clone(known));
        }
        let seen = match profile.as_account() {
            Some(account) if account.seen_stale => {
                self.state.store.account_seen(self.workspace, profile.id).await.map_err(ApiError::Read)?
            }
            Some(account) => account.seen,
            None => muster_model::profile::Span::default(),
        };
        let view = Arc::new(AccountView { seen, profile });
        self.accounts.insert(view.profile.id, Arc::clone(&view));
        Ok(view)
    }

    /// What is shown of a user.
    pub(super) async fn user(&mut self, profile: Arc<Profile>) -> Result<UserView, ApiError> {
        let mut view = UserView {
            accounts: Vec::new(),
            organizations: Vec::new(),
            last_response: None,
            profile: Arc::clone(&profile),
        };
        let Some(user) = profile.as_user() else { return Ok(view) };
        if let Some(last) = user.nps.last {
            view.last_response = self.profile(RecordKind::NpsResponse, last.response).await?;
        }
        for link in user.accounts.standing() {
            let known = self.accounts.get(&link.parent).cloned();
            view.accounts.extend(match known {
                Some(account) => Some(account),
                None => match self.profile(RecordKind::Account, link.parent).await? {
                    Some(profile) => Some(self.account(profile).await?),
                    None => None,
                },
            });
        }
        for link in user.organizations.standing() {
            let known = self.organizations.get(&link.parent).cloned();
            view.organizations.extend(match known {
                Some(organization) => Some(organization),
                None => match self.profile(RecordKind::Organization, link.parent).await? {
                    Some(profile) => Some(self.organization(profile).await?),
                    None => None,
                },
            });
        }
        Ok(view)
    }

    /// What is shown of an account that is known by its id.
    pub(super) async fn account_of(&mut self, id: Option<RecordId>) -> Result<Option<Arc<AccountView>>, ApiError> {
        let Some(id) = id else { return Ok(None) };
        match self.profile(RecordKind::Account, id).await? {
            Some(profile) => self.account(profile).await.map(Some),
            None => Ok(None),
        }
    }

    /// What is shown of an organization that is known by its id.
    pub(super) async fn organization_of(
        &mut self,
        id: Option<RecordId>,
    ) -> Result<Option<Arc<OrganizationView>>, ApiError> {
        let Some(id) = id else { return Ok(None) };
        match self.profile(RecordKind::Organization, id).await? {
            Some(profile) => self.organization(profile).await.map(Some),
            None => Ok(None),
        }
    }

    async fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ApiError> {
        self.state.store.profile(self.workspace, kind, id).await.map_err(ApiError::Read)
    }

    async fn children(&self, parent: (RecordKind, RecordId), kind: RecordKind) -> Result<Vec<RecordId>, ApiError> {
        self.state.store.children(self.workspace, parent, kind).await.map_err(ApiError::Read)
    }

    /// Distinct users linked to an organization or to one of its accounts.
    async fn users_of(&mut self, organization: RecordId) -> Result<u64, ApiError> {
        let parent = (RecordKind::Organization, organization);
        let (accounts, users) = self.accounts_of(organization).await?;
        let direct = self.children(parent, RecordKind::User).await?;
        if direct.is_empty() && accounts.len() <= 1 {
            return Ok(users);
        }
        let estimate = users + direct.len() as u64;
        let mut named: HashSet<RecordId> = direct.into_iter().collect();
        for id in &accounts {
            named.extend(self.children((RecordKind::Account, *id), RecordKind::User).await?);
        }
        if named.len() > self.left {
            return Ok(estimate.min(named.len() as u64));
        }
        self.left -= named.len();
        let mut count = 0;
        for id in named {
            let profile = self.profile(RecordKind::User, id).await?;
            let user = profile.as_deref().and_then(Profile::as_user);
            count += u64::from(user.is_some_and(|user| belongs(user, organization, &accounts)));
        }
        Ok(count)
    }

    /// The accounts of an organization, as far as the bound allows, and the sum of their users.
    async fn accounts_of(&mut self, organization: RecordId) -> Result<(HashSet<RecordId>, u64), ApiError> {
        let named = self.children((RecordKind::Organization, organization), RecordKind::Account).await?;
        let (mut accounts, mut users) = (HashSet::new(), 0);
        for id in named.into_iter().take(self.left) {
            self.left -= 1;
            let profile = self.profile(RecordKind::Account, id).await?;
            let Some(account) = profile.as_deref().and_then(Profile::as_account) else { continue };
            if account.parent().is_some_and(|parent| parent.id == organization) {
                users += u64::from(account.users_count);
                accounts.insert(id);
            }
        }
        Ok((accounts, users))
    }
}

fn belongs(user: &User, organization: RecordId, accounts: &HashSet<RecordId>) -> bool {
    let directly = user.organizations.links().iter().any(|link| link.parent == organization && link.stands());
    directly || user.accounts.links().iter().any(|link| link.stands() && accounts.contains(&link.parent))
}
