//! The catalogue of traits: what is known of each, with the type that its values have,
//! and the values themselves where they are few texts.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, Uri, header::CONTENT_TYPE},
    response::Response,
};
use muster_model::kind::RecordKind;
use muster_store::catalogue::Model;

use super::{custom_objects, query::Query, records::Reader};
use crate::{
    error::ApiError,
    state::AppState,
    wire::{custom_field, object::List},
};

/// Answers every trait of a model, by label.
pub(super) async fn list(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let parameters = Query::of(&uri);
    let says = "model must be one of accounts, users, organizations, customObjects";
    let kind = match parameters.get("model") {
        Some("accounts") => RecordKind::Account,
        Some("users") => RecordKind::User,
        Some("organizations") => RecordKind::Organization,
        Some("customObjects") => RecordKind::Instance,
        Some(_) | None => return Err(ApiError::parameter(says)),
    };
    let object = match (kind, parameters.filled("customObjectId")) {
        (RecordKind::Instance, None) => {
            return Err(ApiError::parameter("customObjectId must say which custom object is meant"));
        }
        (RecordKind::Instance, Some(id)) => Some(custom_objects::find(&state, &workspace, id).await?.id),
        _ => None,
    };
    let model = Model { kind, object };
    let known = state.store.known_traits(workspace.id, model).await.map_err(ApiError::Read)?;
    let texts = known.iter().filter(|one| one.types.are_texts()).map(|one| one.key.clone());
    let options = state.store.options(workspace.id, model, texts.collect()).await.map_err(ApiError::Read)?;
    let mut out = Vec::with_capacity(1024);
    List::write(&mut out, |list| {
        for one in &known {
            let options = options.get(&one.key).map(Vec::as_slice);
            list.object(|object| custom_field::write(object, &workspace, model, one, options));
        }
    });
    let mut response = Response::new(Body::from(out));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
