//! Workspaces over HTTP: which there are, and making one.
//!
//! For the local operator's token and keys with the scope `operator`, which only that token gives. They see names and how
//! much there is; nothing in a workspace is read or changed by it, and no key of one that is there already is made.

use std::collections::HashMap;

use axum::{
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use muster_model::{kind::RecordKind, time::Micros};
use muster_store::{
    credentials::Workspace,
    lists::{ListOrder, ListQuery},
    status::{Records, Size},
};
use serde_json::json as json_value;
use utoipa::openapi::{ObjectBuilder, Schema};

use super::keys;
use crate::{
    error::ApiError,
    ingest,
    keys::unread,
    openapi::{Words, named, schema},
    resources::{
        answer::json,
        write::{body::Members, form::Form},
    },
    router::{Access, Route},
    state::AppState,
    wire,
};

const PATH: &str = "/admin/v1/workspaces";
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The routes of this file, with their words in the API document.
pub(super) fn routes() -> [Route; 2] {
    let about = "Oldest first: their names and how much each holds.";
    let listed =
        Words::new("Workspaces", "Lists workspaces", about).answer(200, "The workspaces.", named("Workspaces"));
    let about = "With its first key, which may write, read and administer it. The token is shown in this answer and never again.";
    let fields = ObjectBuilder::new().property("name", schema::text()).required("name");
    let made = Words::new("Workspaces", "Makes a workspace", about)
        .body("Its name.", true, Schema::from(fields), json_value!({"name": "staging"}))
        .answer(200, "The key and its token.", named("NewKey"))
        .answer(400, "The body breaks a rule.", named("FieldError"))
        .answer(409, "There is a workspace of this name.", named("Error"));
    [
        Route::new(Method::GET, PATH, Access::Workspaces, list, listed),
        Route::new(Method::POST, PATH, Access::Workspaces, create, made),
    ]
}

/// What an operator sees of a workspace.
pub(crate) struct Overview {
    pub workspace: Workspace,
    /// Keys that are not revoked, and members of the team.
    pub keys: u64,
    pub members: u64,
    pub size: Size,
    /// `None` while they are counted.
    pub records: Option<Records>,
    /// When anything was last said of an organization, an account or a user in it; of workspaces beyond
    /// [`LOOKED_INTO_MAX`] it is not looked up.
    pub last_received: Option<Micros>,
}

/// Workspaces whose last message is looked up for one answer.
const LOOKED_INTO_MAX: usize = 200;

/// All workspaces, oldest first.
pub(crate) async fn overview(state: &AppState) -> Result<Vec<Overview>, ApiError> {
    let sizes: HashMap<_, _> = state.store.sizes().into_iter().collect();
    let keys = state.store.keys();
    let mut all = Vec::new();
    for (nth, workspace) in state.store.workspaces().into_iter().enumerate() {
        let own = keys.iter().filter(|key| key.workspace.id == workspace.id && key.revoked_at.is_none());
        let is_looked_into = nth < LOOKED_INTO_MAX;
        all.push(Overview {
            keys: own.count() as u64,
            members: state.store.team(workspace.id).len() as u64,
            size: sizes.get(&workspace.id).copied().unwrap_or_default(),
            records: state.store.records(workspace.id),
            last_received: if is_looked_into { last_received(state, &workspace).await? } else { None },
            workspace,
        });
    }
    Ok(all)
}

/// When anything was last said of a record: the first of each kind, by that.
pub(crate) async fn last_received(state: &AppState, workspace: &Workspace) -> Result<Option<Micros>, ApiError> {
    let mut last = None;
    for kind in [RecordKind::Organization, RecordKind::Account, RecordKind::User] {
        let query = ListQuery { limit: 1, ..ListQuery::new(kind, ListOrder::UpdatedAt) };
        let page = state.store.list(workspace.id, query).await.map_err(ApiError::Read)?;
        last = page.profiles.first().map(|profile| profile.updated_at).max(last);
    }
    Ok(last)
}

async fn list(State(state): State<AppState>) -> Result<Response, ApiError> {
    let all = overview(&state).await?;
    Ok(json(StatusCode::OK, |object| {
        object.list("results", |list| {
            all.iter().for_each(|one| list.object(|object| wire::workspace::write(object, one)));
        });
    }))
}

async fn create(State(state): State<AppState>, request: Request) -> Result<Response, Response> {
    let (head, mut body) = request.into_parts();
    let made = async {
        let (bytes, _reservation) = ingest::whole(&state, &head, &mut body, BODY_BYTES_MAX).await?;
        let members = Members::read(&bytes)?;
        let mut form = Form::new(&members);
        let name = form.required_id("name");
        form.close()?;
        let (key, token) = keys::make_workspace(&state, &name).await?;
        Ok(json(StatusCode::OK, |object| wire::key::write(object, &key, Some(&token))))
    };
    made.await.map_err(|error: ApiError| unread(body, error.into_response()))
}
