//! The past of a record: what was said of a trait, and the record as of a time.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, RawPathParams, State},
    http::{Method, StatusCode, Uri, request::Parts},
    response::Response,
};
use muster_model::{
    id::{Identity, RecordId},
    kind::RecordKind,
    profile::{Profile, Span},
    time::Micros,
};
use muster_store::{
    credentials::{Scopes, Workspace},
    history::EventCursor,
    past::{TraitQuery, TraitStatement},
};

use super::{
    answer::{self, page},
    cursor::{ListName, Place},
    query::Query,
    records::{PathId, Reader, find},
    routes::{ID, paged},
};
use crate::{
    error::ApiError,
    openapi::{Words, named},
    router::{Access, Route},
    state::AppState,
    wire::{
        account::{self, AccountView},
        object::Object,
        organization::{self, OrganizationView},
        statement,
        user::{self, UserView},
    },
};

/// Statements on one page.
const PAGE_STATEMENTS_MAX: usize = 1_000;
/// What is said of `asOf` in the API document.
pub(super) const AS_OF: &str = "The record as the messages with timestamps up to this instant give it. Counts, and what else other records \
                                would have to tell, are `null` then.";

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    let kinds =
        [(RecordKind::Organization, "organizations"), (RecordKind::Account, "accounts"), (RecordKind::User, "users")];
    kinds.into_iter().map(|(kind, path)| trait_history(kind, path)).collect()
}

fn trait_history(kind: RecordKind, path: &str) -> Route {
    let description = "Every statement about the trait, the one that stands first; `null` where it was removed.";
    let words = Words::new("Records", &format!("Tells the history of a trait of one {}", kind.as_str()), description);
    let words = paged(words.segment("id", ID).segment("key", "The trait's key, percent-encoded."), 1_000)
        .answer(200, "A page.", named("Statements"))
        .answer(404, "There is no such record.", named("Error"));
    let handler = move |state: State<AppState>, reader: Reader, id: PathId, key: PathKey, uri: Uri| {
        history(kind, state, reader, id, key, uri)
    };
    let path = format!("/resources/{path}/{{id}}/traits/{{key}}/history");
    Route::new(Method::GET, path, Access::Scope(Scopes::READ), handler, words)
}

/// The trait's key in a path, percent-decoded.
pub(crate) struct PathKey(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let not_text = |_| ApiError::parameter("the key in the path is not UTF-8 text once its escapes are resolved");
        let parameters = RawPathParams::from_request_parts(parts, state).await.map_err(not_text)?;
        let key = parameters.iter().find(|(name, _)| *name == "key").map(|(_, key)| key.to_owned());
        key.map(PathKey).ok_or(ApiError::NoSuchPath)
    }
}

/// Answers a page of what was said of a trait.
async fn history(
    kind: RecordKind,
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
    PathKey(key): PathKey,
    uri: Uri,
) -> Result<Response, ApiError> {
    let parameters = Query::of(&uri);
    let limit = parameters.limit(PAGE_STATEMENTS_MAX)?;
    let subject = find(&state, &workspace, kind, &id).await?.id;
    let list = ListName::new(workspace.id, &["trait history", kind.as_str(), &subject.to_string(), &key]);
    let from = list.read(parameters.get("from"))?;
    let from = from.map(|place| EventCursor { timestamp: place.at, identity: Identity(place.id) });
    let query = TraitQuery { subject: (kind, subject), key, from, limit };
    let found = state.store.trait_history(workspace.id, query).await.map_err(ApiError::Read)?;
    let cursor = move |at: EventCursor| list.write(Place { at: at.timestamp, id: at.identity.0 });
    let weight = found.statements.iter().map(|one| 256 + one.value.as_ref().map_or(0, String::len)).sum();
    let bytes_max = state.settings.page_bytes_max;
    let write = move || {
        let after = |one: &TraitStatement| cursor(EventCursor { timestamp: one.ordered_at, identity: one.identity });
        page(&found.statements, found.next.map(&cursor), bytes_max, statement::write, after)
    };
    answer::write(&state, weight, write).await
}

/// The instant that a request asks a record as of, if it does.
pub(super) fn as_of_of(uri: &Uri) -> Result<Option<Micros>, ApiError> {
    Query::of(uri).instant("asOf")
}

/// Answers a record as of an instant.
pub(super) async fn show(
    state: &AppState,
    workspace: &Workspace,
    now: &Profile,
    at: Micros,
) -> Result<Response, ApiError> {
    let then = Then { state, workspace, at };
    let kind = now.kind();
    let profile = then.of(kind, now.id).await?.ok_or(ApiError::NotKnownThen { kind: kind.as_str() })?;
    let mut view = UserView {
        profile: Arc::clone(&profile),
        accounts: Vec::new(),
        organizations: Vec::new(),
        last_response: None,
        // What was true then was worked out for then.
        seen: profile.as_user().map(|user| user.seen).unwrap_or_default(),
    };
    if kind == RecordKind::User {
        then.add_parents(&mut view).await?;
    }
    let weight = view.weight_bytes();
    let shared = state.clone();
    let names = move |object: &mut Object<'_>| {
        let names = &shared.settings.trait_names;
        match kind {
            RecordKind::Organization => organization::write(object, &organization_view(profile), names),
            RecordKind::Account => account::write(object, &account_view(profile), names),
            _ => user::write(object, &view, names),
        }
    };
    answer::write(state, weight, move || answer::json_uncounted(StatusCode::OK, names)).await
}

/// Reads records as of an instant.
struct Then<'s> {
    state: &'s AppState,
    workspace: &'s Workspace,
    at: Micros,
}

impl Then<'_> {
    async fn of(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ApiError> {
        self.state.store.as_of(self.workspace.id, (kind, id), self.at).await.map_err(ApiError::Read)
    }

    /// Accounts and organizations whose links stood, as they were; as many as an answer may gather.
    async fn add_parents(&self, view: &mut UserView) -> Result<(), ApiError> {
        let profile = Arc::clone(&view.profile);
        let Some(user) = profile.as_user() else { return Ok(()) };
        let most = self.state.settings.related_records_max;
        for link in user.accounts.standing().into_iter().take(most) {
            let account = self.of(RecordKind::Account, link.parent).await?;
            view.accounts.extend(account.map(|profile| Arc::new(account_view(profile))));
        }
        for link in user.organizations.standing().into_iter().take(most) {
            let organization = self.of(RecordKind::Organization, link.parent).await?;
            view.organizations.extend(organization.map(|profile| Arc::new(organization_view(profile))));
        }
        Ok(())
    }
}

fn account_view(profile: Arc<Profile>) -> AccountView {
    AccountView { seen: Span::default(), profile }
}

fn organization_view(profile: Arc<Profile>) -> OrganizationView {
    OrganizationView { profile }
}
