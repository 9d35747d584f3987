//! Keeping views of tables and queries over HTTP, so that programs can set them up.
//!
//! A key keeps them in its own workspace; the local operator's token names the workspace.

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use muster_store::{
    credentials::Scopes,
    saved::{QUERY_BYTES_MAX, Saved, SavedKind},
};
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
    saved::{self, By},
    state::AppState,
    violation::Violation,
    wire,
};

const PATH: &str = "/admin/v1/saved-views";
const ONE_PATH: &str = "/admin/v1/saved-views/{id}";
/// Bytes of a body: a statement of the largest size, escaped.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The routes of this file, with their words in the API document.
pub(super) fn routes() -> [Route; 4] {
    let workspace = "For the local operator: the workspace. A key has its own.";
    let words = |summary: &str, about: &str| {
        Words::new("Saved views", summary, about).query("workspace", workspace, schema::text())
    };
    let one = |summary: &str, about: &str| {
        words(summary, about).segment("id", "The number of the view or query.").answer(
            404,
            "There is no such view or query.",
            named("Error"),
        )
    };
    let kinds = SavedKind::ALL.map(SavedKind::as_str);
    let listed = words("Lists saved views and queries", "By kind, then by name.")
        .query("kind", "Only those of this kind.", schema::words(&kinds))
        .answer(200, "The views and queries.", named("SavedViews"));
    let about = "Everybody in the workspace sees it. `text` holds parameters of the table's page, such as \
                 `sortBy=mrr&order=desc`, or a statement in SQL.";
    let example = json_value!({"kind": "accounts", "name": "Best paying", "text": "sortBy=mrr&order=desc"});
    let made = words("Saves a view or a query", about)
        .body("What is kept.", true, fields(true), example)
        .answer(200, "The view or query.", named("SavedView"))
        .answer(400, "The body breaks a rule, or there is no room for more.", named("FieldError"))
        .answer(409, "There is one of this kind and name already.", named("Error"));
    let about = "Members that are left out stay as they are. What others saved is changed with the scope `admin`.";
    let changed = one("Changes a saved view or query", about)
        .body("What changes.", true, fields(false), json_value!({"name": "Best paying accounts"}))
        .answer(200, "The view or query.", named("SavedView"))
        .answer(400, "The body breaks a rule.", named("FieldError"))
        .answer(409, "There is one of this kind and name already.", named("Error"));
    let about = "What others saved is removed with the scope `admin`.";
    let removed = one("Removes a saved view or query", about).bare(204, "It is gone.");
    [
        Route::new(Method::GET, PATH, Access::ReadOrOperator, list, listed),
        Route::new(Method::POST, PATH, Access::ReadOrOperator, create, made),
        Route::new(Method::PATCH, ONE_PATH, Access::ReadOrOperator, change, changed),
        Route::new(Method::DELETE, ONE_PATH, Access::ReadOrOperator, remove, removed),
    ]
}

fn fields(new: bool) -> Schema {
    let mut fields = ObjectBuilder::new();
    if new {
        let kind = schema::words(&SavedKind::ALL.map(SavedKind::as_str));
        fields = fields.property("kind", kind).required("kind").required("name");
    }
    fields.property("name", schema::text()).property("text", schema::text()).into()
}

/// Who asks: whoever operates the server may what every holder of the scope `admin` may.
fn by(caller: &Caller) -> By {
    match caller {
        Caller::Key(key) => By { number: key.id, scopes: key.scopes },
        Caller::Operator => By { number: 0, scopes: Scopes::ALL },
    }
}

async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let parameters = Query::of(&uri);
    let workspace = caller.workspace(&state, &parameters)?;
    let kind = parameters.filled("kind").map(|word| SavedKind::parse(word).ok_or_else(unknown_kind)).transpose()?;
    let all = saved::all(&state, &workspace, kind);
    Ok(json(StatusCode::OK, |object| {
        object.list("results", |list| all.iter().for_each(|one| list.object(|object| wire::saved::write(object, one))));
    }))
}

fn kinds() -> String {
    SavedKind::ALL.map(SavedKind::as_str).join(", ")
}

fn unknown_kind() -> ApiError {
    ApiError::parameter(format!("kind must be one of {}", kinds()))
}

async fn create(State(state): State<AppState>, Extension(caller): Extension<Caller>, request: Request) -> Response {
    let (head, mut body) = request.into_parts();
    let made = async {
        let workspace = caller.workspace(&state, &Query::of(&head.uri))?;
        let (bytes, _reservation) = ingest::whole(&state, &head, &mut body, BODY_BYTES_MAX).await?;
        let members = Members::read(&bytes)?;
        let mut form = Form::new(&members);
        let (word, name, text) = (form.required_id("kind"), form.required_id("name"), form.text("text"));
        let kind = SavedKind::parse(&word);
        if kind.is_none() && !word.is_empty() {
            form.note(Violation::new("/kind", "enum", kinds(), format!("must be one of {}", kinds())));
        }
        form.close()?;
        let kind = kind.ok_or_else(unknown_kind)?;
        let text = if let Said::Some(text) = text { text } else { std::borrow::Cow::Borrowed("") };
        saved::keep(&state, &workspace, by(&caller), (kind, &name, &text)).await
    };
    told(made.await, body)
}

async fn change(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    request: Request,
) -> Response {
    let (head, mut body) = request.into_parts();
    let changed = async {
        let workspace = caller.workspace(&state, &Query::of(&head.uri))?;
        let (bytes, _reservation) = ingest::whole(&state, &head, &mut body, BODY_BYTES_MAX).await?;
        let members = Members::read(&bytes)?;
        let mut form = Form::new(&members);
        let (name, text) = (form.id("name"), form.text("text"));
        form.close()?;
        let text = if let Said::Some(text) = text { Some(text) } else { None };
        saved::change(&state, &workspace, by(&caller), &id, (name.as_deref(), text.as_deref())).await
    };
    told(changed.await, body)
}

async fn remove(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let workspace = caller.workspace(&state, &Query::of(&uri))?;
    saved::remove(&state, &workspace, by(&caller), &id).await?;
    Ok(no_content())
}

fn told(done: Result<Saved, ApiError>, body: Body) -> Response {
    match done {
        Ok(saved) => json(StatusCode::OK, |object| wire::saved::write(object, &saved)),
        Err(error) => unread(body, error.into_response()),
    }
}

const _: () = assert!(6 * QUERY_BYTES_MAX < BODY_BYTES_MAX);
