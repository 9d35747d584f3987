//! Managing the team of a workspace over HTTP.
//!
//! A key with the scope `admin` manages the team of its own workspace; the local operator's token names the workspace.

use axum::{
    Extension,
    extract::{Request, State},
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use muster_model::id::RecordId;
use muster_store::team::NewMember;
use serde_json::json as json_value;
use utoipa::openapi::{ObjectBuilder, Schema};

use crate::{
    error::ApiError,
    ingest,
    keys::{Caller, unread},
    openapi::{Words, named, schema},
    resources::{
        answer::{json, no_content},
        query::Query,
        records::PathId,
        write::{
            body::Members,
            form::{Form, Said},
        },
    },
    router::{Access, Route},
    state::AppState,
    wire::member,
};

const PATH: &str = "/admin/v1/team";
const ONE_PATH: &str = "/admin/v1/team/{id}";
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The routes of this file, with their words in the API document.
pub(super) fn routes() -> [Route; 3] {
    let workspace = "For the local operator: the workspace. A key has its own.";
    let words =
        |summary: &str, about: &str| Words::new("Team", summary, about).query("workspace", workspace, schema::text());
    let listed = words("Lists the team", "Oldest first.").answer(200, "The members.", named("Team"));
    let fields = ObjectBuilder::new().property("email", schema::text()).property("name", schema::text());
    let example = json_value!({"email": "ada@example.com", "name": "Ada Lovelace"});
    let added = words("Adds a member to the team", "")
        .body("Who it is.", true, Schema::from(fields.required("email")), example)
        .answer(200, "The member.", named("TeamMember"))
        .answer(400, "The body breaks a rule.", named("FieldError"))
        .answer(409, "The team has a member with this address already.", named("Error"));
    let removed = words("Removes a member from the team", "")
        .segment("id", "The member's UUID.")
        .bare(204, "The member is gone.")
        .answer(404, "There is no such member.", named("Error"));
    [
        Route::new(Method::GET, PATH, Access::Keys, list, listed),
        Route::new(Method::POST, PATH, Access::Keys, add, added),
        Route::new(Method::DELETE, ONE_PATH, Access::Keys, remove, removed),
    ]
}

async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let workspace = caller.workspace(&state, &Query::of(&uri))?;
    let team = state.store.team(workspace.id);
    Ok(json(StatusCode::OK, |object| {
        object.list("results", |list| team.iter().for_each(|one| list.object(|object| member::write(object, one))));
    }))
}

async fn add(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let (head, mut body) = request.into_parts();
    let added = async {
        let workspace = caller.workspace(&state, &Query::of(&head.uri))?;
        let (bytes, _reservation) = ingest::whole(&state, &head, &mut body, BODY_BYTES_MAX).await?;
        let members = Members::read(&bytes)?;
        let mut form = Form::new(&members);
        let (email, name) = (form.required_id("email").into_owned(), form.text("name"));
        form.close()?;
        let name = if let Said::Some(name) = name { name.into_owned() } else { String::new() };
        let new = NewMember { name, email, added_at: state.clock.now() };
        let added = state.store.add_member(workspace.id, new).await.map_err(ApiError::Admin)?;
        Ok(json(StatusCode::OK, |object| member::write(object, &added)))
    };
    added.await.map_err(|error: ApiError| unread(body, error.into_response()))
}

async fn remove(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let workspace = caller.workspace(&state, &Query::of(&uri))?;
    let id = RecordId::parse(&id).ok_or_else(|| ApiError::Admin(muster_store::team::unknown()))?;
    state.store.remove_member(workspace.id, id).await.map_err(ApiError::Admin)?;
    Ok(no_content())
}
