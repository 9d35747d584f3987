//! The gate before every route that needs a key.
//!
//! It answers 401, 403 and 429 itself, without reading a body; whoever passes stands in the request as a [`Caller`].
//! Every answer to someone who was recognised says how much of their allowance is left. One that asks to come again later is
//! given in its turn, whoever made it.

use std::sync::Arc;

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    http::{HeaderValue, header::CONNECTION},
    middleware::Next,
    response::{IntoResponse, Response},
};
use muster_model::id::WorkspaceId;
use muster_store::credentials::{Key, Scopes, Workspace};

use super::spelling::candidates;
use crate::{error::ApiError, observe, resources::query::Query, state::AppState};

/// Who is asking.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// The holder of a key, within its workspace.
    Key(Arc<Key>),
    /// Whoever operates this server, for the keys of all workspaces.
    Operator,
}

impl Caller {
    /// The workspace that a request is about: the caller's own; whoever operates the server names one, and by default means
    /// `default`.
    pub(crate) fn workspace(&self, state: &AppState, parameters: &Query) -> Result<Workspace, ApiError> {
        let named = parameters.filled("workspace");
        match self {
            Caller::Key(key) if named.is_none_or(|named| named == key.workspace.name) => Ok(key.workspace.clone()),
            Caller::Key(_) => Err(ApiError::OtherWorkspace),
            Caller::Operator => {
                let wanted = named.unwrap_or("default");
                let found = state.store.workspaces().into_iter().find(|workspace| workspace.name == wanted);
                found.ok_or_else(|| ApiError::NoSuchWorkspace { name: wanted.to_owned() })
            }
        }
    }

    /// The id of the key, or 0 for the operator.
    pub(crate) fn key_id(&self) -> u64 {
        match self {
            Caller::Key(key) => key.id,
            Caller::Operator => 0,
        }
    }
}

/// What a route asks of its callers.
#[derive(Clone)]
pub(crate) struct Gate {
    pub state: AppState,
    pub needs: Scopes,
    /// Whether the operator's token opens it.
    pub operator: bool,
}

/// Lets a request through or answers it.
pub(crate) async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let caller = match recognise(&gate.state, &request) {
        Ok(caller) => caller,
        Err(error) => {
            gate.state.metrics.unrecognised.inc();
            return unread(request.into_body(), error.into_response());
        }
    };
    let Caller::Key(key) = &caller else {
        if !gate.operator {
            return unread(request.into_body(), ApiError::OperatorOnlyManagesKeys.into_response());
        }
        request.extensions_mut().insert(caller);
        return next.run(request).await;
    };
    let allowance = gate.state.limiter.count(key.id);
    gate.state.last_used.note(key.id, gate.state.clock.now());
    let (workspace, key_id) = (key.workspace.id, key.id);
    let mut response = if let Some(seconds) = allowance.retry_after_seconds {
        gate.state.metrics.rate_limited.inc();
        unread(request.into_body(), ApiError::OverRate { retry_after_seconds: seconds }.into_response())
    } else if !key.scopes.contains(gate.needs) {
        let error = ApiError::MissingScope { needs: gate.needs, has: key.scopes };
        unread(request.into_body(), error.into_response())
    } else {
        request.extensions_mut().insert(caller);
        next.run(request).await
    };
    gate.state.limiter.tell(allowance, response.headers_mut());
    note(&mut response, workspace, key_id);
    gate.state.pace.keep(response).await
}

/// Answers a request that no route takes. Among the records, whoever asks is recognised and counted all the same: what
/// is there and what is not is nobody else's business, and every answer says how much of the allowance is left.
pub(crate) fn turn_away(state: &AppState, request: Request, error: ApiError) -> Response {
    if !request.uri().path().starts_with("/resources") {
        return unread(request.into_body(), error.into_response());
    }
    let key = match recognise(state, &request) {
        Ok(Caller::Key(key)) => key,
        Ok(Caller::Operator) => return unread(request.into_body(), error.into_response()),
        Err(error) => {
            state.metrics.unrecognised.inc();
            return unread(request.into_body(), error.into_response());
        }
    };
    let allowance = state.limiter.count(key.id);
    let error = match allowance.retry_after_seconds {
        Some(retry_after_seconds) => {
            state.metrics.rate_limited.inc();
            ApiError::OverRate { retry_after_seconds }
        }
        None => error,
    };
    let mut response = unread(request.into_body(), error.into_response());
    state.limiter.tell(allowance, response.headers_mut());
    note(&mut response, key.workspace.id, key.id);
    response
}

fn recognise(state: &AppState, request: &Request) -> Result<Caller, ApiError> {
    let hashes = candidates(request.headers()).ok_or(ApiError::NoCredentials)?;
    for hash in hashes {
        if let Some(key) = state.store.authenticate(&hash) {
            return Ok(Caller::Key(key));
        }
        if state.operator == Some(hash) {
            return Ok(Caller::Operator);
        }
    }
    Err(ApiError::UnknownToken)
}

/// An answer to a request whose body was not read: the connection cannot be used again, so the client is told.
pub(crate) fn unread(body: Body, mut response: Response) -> Response {
    if !body.is_end_stream() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn note(response: &mut Response, workspace: WorkspaceId, key_id: u64) {
    let notes = response.extensions_mut().get_or_insert_default::<observe::Notes>();
    notes.workspace = Some(workspace.0);
    notes.key = Some(key_id);
}
