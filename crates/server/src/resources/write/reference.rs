//! Which record an id in a body means.
//!
//! The UUID of a record first, then its external id. An external id that names nobody yet brings a record into being, as
//! in messages; a UUID that names nobody is a broken rule, for there is nothing that could be made of it.

use std::sync::Arc;

use muster_model::{
    id::{IdSpace, RecordId},
    kind::RecordKind,
    profile::Profile,
};
use muster_store::credentials::Workspace;

use crate::{error::ApiError, state::AppState, violation::Violation};

/// A record that a body refers to.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub id: RecordId,
    pub external_id: String,
}

/// The record that `text` means at `path` in the body.
pub(crate) async fn resolve(
    state: &AppState,
    workspace: &Workspace,
    kind: RecordKind,
    path: &str,
    text: &str,
) -> Result<Reference, ApiError> {
    if let Some(profile) = look(state, workspace, kind, text).await? {
        return Ok(Reference { id: profile.id, external_id: profile.external_id.as_ref().to_owned() });
    }
    if RecordId::parse_hyphenated(text).is_some() {
        return Err(unknown(kind, path));
    }
    Ok(Reference { id: IdSpace::new(&workspace.name).record(kind, text), external_id: text.to_owned() })
}

/// The record that `text` means, if it is known.
pub(crate) async fn look(
    state: &AppState,
    workspace: &Workspace,
    kind: RecordKind,
    text: &str,
) -> Result<Option<Arc<Profile>>, ApiError> {
    let ids = IdSpace::new(&workspace.name);
    let by_external_id =
        if kind == RecordKind::CustomObject { ids.custom_object(text) } else { ids.record(kind, text) };
    for id in [RecordId::parse(text), Some(by_external_id)].into_iter().flatten() {
        if let Some(profile) = state.store.profile(workspace.id, kind, id).await.map_err(ApiError::Read)? {
            return Ok(Some(profile));
        }
    }
    Ok(None)
}

/// An id that names no record.
pub(crate) fn unknown(kind: RecordKind, path: &str) -> ApiError {
    let (asks, what) = (kind.as_str(), kind.as_str());
    let says = format!("must be the id of a known {what}; there is none with this one");
    ApiError::Invalid(vec![Violation::new(path, "reference", asks, says)])
}
