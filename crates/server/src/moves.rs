//! Moving everything into a cluster while the server runs, for the command on the same machine.
//!
//! How that is done is whose business it is that knows the engines; here is who may ask for it, and what is told of it. Only the local
//! operator may: what is asked holds the cluster's passwords.

use std::collections::BTreeMap;

use axum::{
    Extension,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use muster_store::{error::AdminError, transfer::Handed};
use serde::{Deserialize, Serialize};
use serde_json::json as json_value;

use crate::{
    error::ApiError,
    ingest::admit,
    keys::Caller,
    openapi::{Words, named, schema},
    resources::answer::json,
    router::{Access, Route},
    state::AppState,
    violation::Violation,
};

const PATH: &str = "/admin/v1/move";

/// Where everything is to go. Holds secrets.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wished {
    pub state_url: String,
    pub journal_url: String,
    /// Empty where the history is to stay in PostgreSQL.
    #[serde(default)]
    pub history_url: String,
    /// What the bucket's service needs besides, as variables of the environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// How far a move has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There was none.
    None,
    /// What there was at its beginning goes over.
    Copying,
    /// What came since goes over.
    Following,
    /// Nothing is taken until the rest has gone over.
    Switching,
    /// The server goes on with what took everything over.
    Moved,
    /// It came to nothing; trying again may help, or not.
    Failed { says: String, may_pass: bool },
}

impl Stage {
    fn name(&self) -> &'static str {
        match self {
            Stage::None => "none",
            Stage::Copying => "copying",
            Stage::Following => "following",
            Stage::Switching => "switching",
            Stage::Moved => "moved",
            Stage::Failed { .. } => "failed",
        }
    }
}

/// A move, and how much has gone over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub stage: Stage,
    pub handed: Handed,
}

/// Whoever can move everything.
pub trait Moves: Send + Sync {
    /// Begins a move; how it goes on is told by [`Moves::standing`].
    ///
    /// # Errors
    /// While one is under way, and where there is nothing to move.
    fn begin(&self, wished: Wished) -> Result<(), AdminError>;

    /// How far it has come.
    fn standing(&self) -> Standing;
}

/// The routes of this file, with their words in the API document.
pub(crate) fn routes() -> [Route; 2] {
    let about = "For `muster move` on the server's own machine, with the local operator's token. The server goes on taking and answering, \
                 and in the end goes on with the cluster; `GET` tells how far it is.";
    let example = json_value!({
        "stateUrl": "postgres://muster:…@localhost/muster",
        "journalUrl": "nats://localhost:4222",
        "historyUrl": "s3://analytics/muster",
        "environment": {"AWS_REGION": "eu-west-1"},
    });
    let begun = Words::new("Backups", "Moves everything into a cluster", about)
        .body("The cluster.", true, schema::any_object(), example)
        .answer(202, "It has begun.", schema::any_object())
        .answer(400, "The body is not right.", named("FieldError"))
        .answer(404, "This server does not keep its data in a directory.", named("Error"))
        .answer(409, "A move is under way.", named("Error"));
    let about =
        "`stage` is `none`, `copying`, `following`, `switching`, `moved` or `failed`, which says why in `error`.";
    let told = Words::new("Backups", "Tells how far a move is", about).answer(200, "How far.", schema::any_object());
    [
        Route::new(Method::POST, PATH, Access::Keys, begin, begun),
        Route::new(Method::GET, PATH, Access::Keys, tell, told),
    ]
}

fn moves<'s>(state: &'s AppState, caller: &Caller) -> Result<&'s dyn Moves, ApiError> {
    if !matches!(caller, Caller::Operator) {
        return Err(ApiError::OperatorOnly);
    }
    let says = "this server does not keep its data in a directory; there is nothing that it could move";
    let moves = state.moves.get().ok_or_else(|| ApiError::Admin(AdminError::NotFound(says.to_owned())))?;
    Ok(&**moves)
}

async fn begin(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let raw = admit::from_operator(&state, &caller, request).await?;
    let moves = moves(&state, &caller).map_err(ApiError::into_response)?;
    let wished: Wished = serde_json::from_slice(&raw.bytes).map_err(|_| {
        let says =
            "must be an object with stateUrl, journalUrl and, for a bucket, historyUrl and environment".to_owned();
        ApiError::Invalid(vec![Violation::new("", "type", "object", says)]).into_response()
    })?;
    moves.begin(wished).map_err(|error| ApiError::Admin(error).into_response())?;
    Ok(answer(StatusCode::ACCEPTED, &moves.standing()))
}

async fn tell(State(state): State<AppState>, Extension(caller): Extension<Caller>) -> Result<Response, ApiError> {
    Ok(answer(StatusCode::OK, &moves(&state, &caller)?.standing()))
}

fn answer(status: StatusCode, standing: &Standing) -> Response {
    let Standing { stage, handed } = standing;
    json(status, |object| {
        object.text("stage", stage.name());
        object.number("workspaces", handed.workspaces);
        object.number("records", handed.records);
        object.number("messages", handed.messages);
        if let Stage::Failed { says, may_pass } = stage {
            object.text("error", says);
            object.boolean("mayPass", *may_pass);
        }
    })
}
