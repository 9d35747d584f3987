//! Records in: creating and updating by record.
//!
//! A write is made of messages like any other and goes through the same intake: the body is read and judged, what it
//! says is put into one batch of messages received now, the batch is appended, and the record is read back and shown.
//! Several statements of one request (the links of a user) stand in one batch and become true together.

/// Reading the body of a request into its members.
pub(crate) mod body;

/// Judging members, each by what it may be.
pub(crate) mod form;

/// Fields that traits feed, in a body.
pub(super) mod fed;

/// Making messages of what a body says, and appending them.
pub(crate) mod statement;

/// Which record an id in a body means.
pub(super) mod reference;

/// Organizations.
pub(super) mod organizations;

/// Accounts.
pub(super) mod accounts;

/// Users.
pub(super) mod users;

/// Custom objects.
pub(super) mod custom_objects;

/// Instances of a custom object.
pub(super) mod instances;

/// NPS responses.
pub(super) mod nps_responses;

/// The routes of this part, with their words in the API document.
pub(super) mod routes;

use std::sync::Arc;

use axum::{http::StatusCode, response::Response};
use muster_model::{id::RecordId, kind::RecordKind, profile::Profile};

use super::answer::json;
use crate::{error::ApiError, state::AppState};
use body::Write;

/// The record as it is after it was written.
async fn written(state: &AppState, write: &Write, kind: RecordKind, id: RecordId) -> Result<Arc<Profile>, ApiError> {
    let found = state.store.profile(write.key.workspace.id, kind, id).await.map_err(ApiError::Read)?;
    found.ok_or(ApiError::NoSuchRecord { kind: kind.as_str() })
}

/// The answer to a key that may write and not read.
fn acknowledged(profile: &Profile) -> Response {
    json(StatusCode::OK, |object| {
        object.id("id", profile.id);
        object.text("externalId", &profile.external_id);
    })
}
