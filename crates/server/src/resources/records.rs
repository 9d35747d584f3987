//! What every kind of record shares: finding one, listing many.
//!
//! A record is found by its UUID or, failing that, by its external id. A list asks the store again while its page is
//! short and the store has more, a few times at most.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use muster_model::{
    id::{IdSpace, RecordId},
    kind::RecordKind,
    profile::{Profile, Span},
};
use muster_store::{
    credentials::Workspace,
    lists::{Condition, ListCursor, ListQuery},
};

use super::{cursor::ListName, listing::Listing, query::Query};
use crate::{error::ApiError, keys::Caller, state::AppState};

/// Records on one page.
pub(crate) const PAGE_RECORDS_MAX: usize = 100;
/// How often one page asks the store when few records meet its conditions, and how long it goes on asking.
const ROUNDS_MAX: usize = 8;
const ROUNDS_TIME: Duration = Duration::from_millis(10);

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

/// The id in a path, percent-decoded. Where the path takes a word in its place, that word.
pub(crate) struct PathId(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let not_text = |_| ApiError::parameter("the id in the path is not UTF-8 text once its escapes are resolved");
        let parameters = RawPathParams::from_request_parts(parts, state).await.map_err(not_text)?;
        let id = parameters.iter().find(|(name, _)| *name == "id").map(|(_, id)| id.to_owned());
        id.or_else(|| last_word(parts)).map(PathId).ok_or(ApiError::NoSuchPath)
    }
}

/// What stands last in a request's path: a word of ours, which needs no decoding.
pub(crate) fn last_word(parts: &Parts) -> Option<String> {
    parts.uri.path().rsplit('/').find(|word| !word.is_empty()).map(str::to_owned)
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
pub(crate) struct ListRequest {
    name: ListName,
    query: ListQuery,
}

/// What makes a list this one, besides what the request says.
pub(crate) struct ListOf<'a> {
    pub kind: RecordKind,
    /// The custom object whose instances are listed.
    pub object: Option<RecordId>,
    /// The record that those listed belong to.
    pub within: Option<(RecordKind, RecordId)>,
    /// The same in words, with whatever else there is.
    pub variant: &'a str,
    pub conditions: Vec<Condition>,
}

impl ListOf<'_> {
    /// All records of a kind.
    pub(crate) fn all(kind: RecordKind) -> ListOf<'static> {
        ListOf { kind, object: None, within: None, variant: "", conditions: Vec::new() }
    }
}

/// A page of profiles.
pub(crate) struct Page {
    pub profiles: Vec<Arc<Profile>>,
    pub next: Option<ListCursor>,
}

impl ListRequest {
    /// Reads the parameters that all lists of records share.
    pub(crate) async fn read(
        state: &AppState,
        workspace: &Workspace,
        parameters: &Query,
        of: ListOf<'_>,
    ) -> Result<ListRequest, ApiError> {
        let ListOf { kind, object, within, variant, mut conditions } = of;
        let listing = Listing::read(state, workspace, (kind, object), parameters).await?;
        conditions.extend(listing.conditions);
        let shape = format!("{object:?} {within:?} {:?} {} {conditions:?}", listing.order, listing.ascending);
        let name = ListName::new(workspace.id, &[kind.as_str(), variant, &shape]);
        let from = name.read_record(parameters.get("from"))?;
        let limit = parameters.limit(PAGE_RECORDS_MAX)?;
        let (order, ascending) = (listing.order, listing.ascending);
        Ok(ListRequest { name, query: ListQuery { kind, order, ascending, within, conditions, from, limit } })
    }

    /// The cursor text for a place in this list.
    pub(crate) fn cursor(&self, at: ListCursor) -> String {
        self.name.write_record(at)
    }

    /// The place just after a record of this list, of which the first and the last track are these.
    pub(crate) fn after(&self, profile: &Profile, seen: Span) -> String {
        self.cursor(self.query.order.place(profile, seen))
    }

    /// Reads a page. It goes on while few records meet the conditions, for a time that nobody notices.
    pub(crate) async fn page(&self, state: &AppState, workspace: &Workspace) -> Result<Page, ApiError> {
        let began = Instant::now();
        let mut query = self.query.clone();
        let mut profiles = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let page = state.store.list(workspace.id, query.clone()).await.map_err(ApiError::Read)?;
            profiles.extend(page.profiles);
            query.from = page.next;
            query.limit = self.query.limit - profiles.len().min(self.query.limit);
            if query.from.is_none() || query.limit == 0 || began.elapsed() > ROUNDS_TIME {
                break;
            }
        }
        Ok(Page { profiles, next: query.from })
    }
}
