//! What every kind of record shares: finding one, listing many.
//!
//! A record is found by its UUID or, failing that, by its external id. A list asks the store again while its page is
//! short and the store has more, a few times at most.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use muster_model::{
    id::{IdSpace, RecordId},
    kind::RecordKind,
    profile::Profile,
};
use muster_store::{
    credentials::Workspace,
    profiles::{Condition, ListCursor, ListOrder, ListQuery},
};

use super::{
    cursor::{ListName, Place},
    query::Query,
};
use crate::{error::ApiError, keys::Caller, state::AppState};

/// Records on one page.
pub(crate) const PAGE_RECORDS_MAX: usize = 100;
/// How often one page asks the store when few records meet its conditions.
const ROUNDS_MAX: usize = 8;

/// The workspace of whoever is asking.
pub(crate) struct Reader(pub Workspace);

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::Key(key)) => Ok(Reader(key.workspace.clone())),
            Some(Caller::Operator) => Err(ApiError::OperatorOnlyManagesKeys),
            None => Err(ApiError::NoCredentials),
        }
    }
}

/// The id in a path, percent-decoded.
pub(crate) struct PathId(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let not_text = |_| ApiError::parameter("the id in the path is not UTF-8 text once its escapes are resolved");
        let parameters = RawPathParams::from_request_parts(parts, state).await.map_err(not_text)?;
        let id = parameters.iter().find(|(name, _)| *name == "id").map(|(_, id)| id.to_owned());
        id.map(PathId).ok_or(ApiError::NoSuchPath)
    }
}

/// The record that an id in a path means.
pub(crate) async fn find(
    state: &AppState,
    workspace: &Workspace,
    kind: RecordKind,
    id: &str,
) -> Result<Arc<Profile>, ApiError> {
    let by_external_id = IdSpace::new(&workspace.name).record(kind, id);
    let ids: [Option<RecordId>; 2] = [RecordId::parse(id), Some(by_external_id)];
    for id in ids.into_iter().flatten() {
        if let Some(profile) = state.store.profile(workspace.id, kind, id).await.map_err(ApiError::Read)? {
            return Ok(profile);
        }
    }
    Err(ApiError::NoSuchRecord { kind: kind.as_str() })
}

/// Which list a request asks for.
pub(super) struct ListRequest {
    pub name: ListName,
    query: ListQuery,
}

/// A page of profiles.
pub(super) struct Page {
    pub profiles: Vec<Arc<Profile>>,
    pub next: Option<ListCursor>,
}

impl ListRequest {
    /// Reads the parameters that all lists of records share; `variant` is what else makes the list this one.
    pub(super) fn read(
        workspace: &Workspace,
        kind: RecordKind,
        parameters: &Query,
        variant: &str,
        conditions: Vec<Condition>,
    ) -> Result<ListRequest, ApiError> {
        let words = [("updatedAt", ListOrder::UpdatedAt), ("createdAt", ListOrder::CreatedAt)];
        let order = parameters.word("sortBy", &words)?;
        let order_name = match order {
            ListOrder::UpdatedAt => "updatedAt",
            ListOrder::CreatedAt => "createdAt",
        };
        let name = ListName::new(workspace.id, &[kind.as_str(), order_name, variant]);
        let from = name.read(parameters.get("from"))?;
        let from = from.map(|place| ListCursor { at: place.at, id: RecordId(place.id) });
        let limit = parameters.limit(PAGE_RECORDS_MAX)?;
        Ok(ListRequest { name, query: ListQuery { kind, order, from, limit, conditions } })
    }

    /// The cursor text for a place in this list.
    pub(super) fn cursor(&self, at: ListCursor) -> String {
        self.name.write(Place { at: at.at, id: at.id.0 })
    }

    /// The place just after a record of this list.
    pub(super) fn after(&self, profile: &Profile) -> String {
        let at = match self.query.order {
            ListOrder::UpdatedAt => profile.updated_at,
            ListOrder::CreatedAt => profile.created_at,
        };
        self.cursor(ListCursor { at, id: profile.id })
    }

    /// Reads a page.
    pub(super) async fn page(&self, state: &AppState, workspace: &Workspace) -> Result<Page, ApiError> {
        let mut query = self.query.clone();
        let mut profiles = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let page = state.store.list(workspace.id, query.clone()).await.map_err(ApiError::Read)?;
            profiles.extend(page.profiles);
            query.from = page.next;
            query.limit = self.query.limit - profiles.len().min(self.query.limit);
            if query.from.is_none() || query.limit == 0 {
                break;
            }
        }
        Ok(Page { profiles, next: query.from })
    }
}
