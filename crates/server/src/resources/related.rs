//! What is shown of a record besides itself, within bounds.
//!
//! One `Gatherer` serves one answer: it remembers what it has read, so that users of one account read it once, and reads what
//! belongs to the records of a page together. All counts and the times at which an account or a user was seen are exact.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, Span},
};
use muster_store::lists::kept_seen;

use crate::{
    error::ApiError,
    state::AppState,
    wire::{account::AccountView, organization::OrganizationView, user::UserView},
};

/// Reads what belongs to the records of one answer.
pub(crate) struct Gatherer<'s> {
    state: &'s AppState,
    workspace: WorkspaceId,
    accounts: HashMap<RecordId, Arc<AccountView>>,
    organizations: HashMap<RecordId, Arc<OrganizationView>>,
    /// Records that were read before they are shown.
    ahead: HashMap<(RecordKind, RecordId), Option<Arc<Profile>>>,
}

impl<'s> Gatherer<'s> {
    /// A gatherer for one answer.
    pub(crate) fn new(state: &'s AppState, workspace: WorkspaceId) -> Self {
        let (accounts, organizations, ahead) = (HashMap::new(), HashMap::new(), HashMap::new());
        Gatherer { state, workspace, accounts, organizations, ahead }
    }

    /// Reads what is shown beside the records of a page, all of it together; of very many, those that come first.
    pub(crate) async fn read_ahead(&mut self, page: &[Arc<Profile>]) -> Result<(), ApiError> {
        let mut known: HashSet<(RecordKind, RecordId)> = self.ahead.keys().copied().collect();
        let new = page.iter().flat_map(|profile| beside(profile)).filter(|record| known.insert(*record));
        let wanted: Vec<(RecordKind, RecordId)> = new.take(self.state.settings.related_records_max).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let found = self.state.store.profiles(self.workspace, wanted.clone()).await.map_err(ApiError::Read)?;
        self.ahead.extend(wanted.into_iter().zip(found));
        Ok(())
    }

    /// Whether so many records were gathered that a page should end.
    pub(crate) fn is_full(&self) -> bool {
        self.accounts.len() + self.organizations.len() >= self.state.settings.related_records_max
    }

    /// What is shown of an organization.
    pub(crate) async fn organization(&mut self, profile: Arc<Profile>) -> Result<Arc<OrganizationView>, ApiError> {
        if let Some(known) = self.organizations.get(&profile.id) {
            return Ok(Arc::clone(known));
        }
        let view = Arc::new(OrganizationView { profile });
        self.organizations.insert(view.profile.id, Arc::clone(&view));
        Ok(view)
    }

    /// What is shown of an account.
    pub(crate) async fn account(&mut self, profile: Arc<Profile>) -> Result<Arc<AccountView>, ApiError> {
        if let Some(known) = self.accounts.get(&profile.id) {
            return Ok(Arc::clone(known));
        }
        let seen = self.seen(&profile).await?;
        let view = Arc::new(AccountView { seen, profile });
        self.accounts.insert(view.profile.id, Arc::clone(&view));
        Ok(view)
    }

    /// First and last track of an account or a user, exactly.
    pub(crate) async fn seen(&self, profile: &Profile) -> Result<Span, ApiError> {
        match kept_seen(profile) {
            (seen, true) => Ok(seen),
            (_, false) => {
                let record = (profile.kind(), profile.id);
                self.state.store.seen(self.workspace, record).await.map_err(ApiError::Read)
            }
        }
    }

    /// What is shown of a user.
    pub(crate) async fn user(&mut self, profile: Arc<Profile>) -> Result<UserView, ApiError> {
        let mut view = UserView {
            accounts: Vec::new(),
            organizations: Vec::new(),
            last_response: None,
            seen: self.seen(&profile).await?,
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
    pub(crate) async fn account_of(&mut self, id: Option<RecordId>) -> Result<Option<Arc<AccountView>>, ApiError> {
        let Some(id) = id else { return Ok(None) };
        match self.profile(RecordKind::Account, id).await? {
            Some(profile) => self.account(profile).await.map(Some),
            None => Ok(None),
        }
    }

    /// What is shown of an organization that is known by its id.
    pub(crate) async fn organization_of(
        &mut self,
        id: Option<RecordId>,
    ) -> Result<Option<Arc<OrganizationView>>, ApiError> {
        let Some(id) = id else { return Ok(None) };
        match self.profile(RecordKind::Organization, id).await? {
            Some(profile) => self.organization(profile).await.map(Some),
            None => Ok(None),
        }
    }

    /// A record beside one that is shown.
    pub(crate) async fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ApiError> {
        if let Some(known) = self.ahead.get(&(kind, id)) {
            return Ok(known.clone());
        }
        self.state.store.profile(self.workspace, kind, id).await.map_err(ApiError::Read)
    }
}

/// Who gave a response.
pub(super) fn user_of(response: &Profile) -> Option<RecordId> {
    response.as_nps_response()?.user.as_ref().map(|register| register.value().id)
}

/// Which other records may be shown with a record.
fn beside(profile: &Profile) -> Vec<(RecordKind, RecordId)> {
    let mut beside = Vec::new();
    if let Some(user) = profile.as_user() {
        beside.extend(user.nps.last.as_ref().map(|last| (RecordKind::NpsResponse, last.response)));
        beside.extend(user.accounts.standing().iter().map(|link| (RecordKind::Account, link.parent)));
        beside.extend(user.organizations.standing().iter().map(|link| (RecordKind::Organization, link.parent)));
    } else if let Some(account) = profile.as_account() {
        beside.extend(account.parent().map(|parent| (RecordKind::Organization, parent.id)));
    } else if let Some(instance) = profile.as_instance() {
        beside.extend(instance.account().map(|parent| (RecordKind::Account, parent.id)));
        beside.extend(instance.organization().map(|parent| (RecordKind::Organization, parent.id)));
    }
    beside.extend(user_of(profile).map(|user| (RecordKind::User, user)));
    beside
}
