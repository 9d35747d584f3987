//! Managing keys over HTTP.
//!
//! A key with the scope `admin` manages the keys of its own workspace; the local operator's token manages all. A token
//! is in the answer that makes its key and in no other.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use muster_store::{
    credentials::{Key, NewKey, Scopes},
    error::AdminError,
};
use serde_json::{Value, json as json_value};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, RefOr, Schema, Type};

use crate::{
    error::ApiError,
    ingest::admit,
    keys::{Caller, Token, unread},
    openapi::{Words, named, schema},
    resources::{
        answer::{json, no_content},
        records::PathId,
    },
    router::{Access, Route},
    state::AppState,
    violation::Violation,
    wire::key,
};

pub(crate) const NAME_BYTES_MAX: usize = 200;
const PATH: &str = "/admin/v1/keys";
const ONE_PATH: &str = "/admin/v1/keys/{id}";

/// The routes of this file, with their words in the API document.
pub(super) fn routes() -> [Route; 3] {
    let all = "Keys of the caller's workspace, oldest first, revoked ones included. No answer shows a token.";
    let listed = Words::new("Keys", "Lists keys", all).answer(200, "The keys.", named("Keys"));
    let once = "The token is shown in this answer and never again; what is kept of it is a hash.";
    let once = &format!("{once} The scope `operator` is given with the local operator's token alone.");
    let example = json_value!({"name": "web app", "scopes": ["write"]});
    let made = Words::new("Keys", "Makes a key", once)
        .body("What the key may do.", true, new_key_schema(), example)
        .answer(200, "The key and its token.", named("NewKey"))
        .answer(400, "The body breaks a rule.", named("FieldError"));
    let ended = Words::new("Keys", "Ends a key", "It counts for no request any more. Ending it again changes nothing.")
        .segment("id", "The number of the key.")
        .bare(204, "It is ended.")
        .answer(404, "There is no such key.", named("Error"));
    [
        Route::new(Method::GET, PATH, Access::Keys, list, listed),
        Route::new(Method::POST, PATH, Access::Keys, create, made),
        Route::new(Method::DELETE, ONE_PATH, Access::Keys, revoke, ended),
    ]
}

fn new_key_schema() -> Schema {
    let scopes = ArrayBuilder::new().items(RefOr::T(schema::words(&Scopes::NAMES.map(|(_, name)| name))));
    let workspace = "The workspace; the caller's own when left out. Made if need be, by the local operator only.";
    let workspace = ObjectBuilder::new().schema_type(Type::String).description(Some(workspace));
    ObjectBuilder::new()
        .property("name", schema::text())
        .property("scopes", scopes)
        .required("scopes")
        .property("workspace", workspace)
        .into()
}

async fn list(State(state): State<AppState>, Extension(caller): Extension<Caller>) -> Response {
    let keys = state.store.keys();
    json(StatusCode::OK, |object| {
        object.list("results", |list| {
            for one in keys.iter().filter(|key| manages(&caller, key)) {
                list.object(|object| key::write(object, one, None));
            }
        });
    })
}

async fn create(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let (head, mut body) = request.into_parts();
    let raw = admit::take(&state, &head, &mut body).await;
    let raw = raw.map_err(|error| unread(body, error.into_response()))?;
    let made = async {
        if raw.encoding != admit::Encoding::Identity {
            return Err(ApiError::UnsupportedEncoding);
        }
        let wish = Wish::read(&raw.bytes)?;
        let workspace_name = match (&caller, wish.workspace) {
            (Caller::Operator, wished) => wished.unwrap_or_else(|| "default".to_owned()),
            (Caller::Key(key), None) => key.workspace.name.clone(),
            (Caller::Key(key), Some(wished)) if wished == key.workspace.name => wished,
            (Caller::Key(_), Some(_)) => return Err(ApiError::OtherWorkspace),
        };
        if wish.scopes.contains(Scopes::OPERATOR) && !matches!(caller, Caller::Operator) {
            return Err(ApiError::OperatorScope);
        }
        let (key, token) = make(&state, &workspace_name, &wish.name, wish.scopes).await?;
        Ok(json(StatusCode::OK, |object| key::write(object, &key, Some(&token))))
    };
    made.await.map_err(|error: ApiError| error.into_response())
}

async fn revoke(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    end(&state, &id, |key| manages(&caller, key)).await?;
    Ok(no_content())
}

/// Makes a key. Its token is known here and nowhere else.
pub(crate) async fn make(
    state: &AppState,
    workspace_name: &str,
    name: &str,
    scopes: Scopes,
) -> Result<(Arc<Key>, Token), ApiError> {
    let _one_at_a_time = state.making_keys.lock().await;
    make_held(state, workspace_name, name, scopes).await
}

/// Makes a workspace with its first key. One that is there already is left as it is, and is an error: whoever may make
/// workspaces does not thereby get into those of others.
pub(crate) async fn make_workspace(state: &AppState, name: &str) -> Result<(Arc<Key>, Token), ApiError> {
    let _one_at_a_time = state.making_keys.lock().await;
    if state.store.workspaces().iter().any(|known| known.name == name) {
        let says = "there is a workspace of this name already; choose another name".to_owned();
        return Err(ApiError::Admin(AdminError::Exists(says)));
    }
    make_held(state, name, "first", Scopes::ALL).await
}

async fn make_held(
    state: &AppState,
    workspace_name: &str,
    name: &str,
    scopes: Scopes,
) -> Result<(Arc<Key>, Token), ApiError> {
    let token = Token::mint();
    let new = NewKey {
        workspace_name: workspace_name.to_owned(),
        name: name.to_owned(),
        scopes,
        token_hash: token.hash(),
        created_at: state.clock.now(),
    };
    let key = state.store.create_key(new).await.map_err(ApiError::Admin)?;
    Ok((key, token))
}

/// Ends the key with an id, if it is one of these.
pub(crate) async fn end(state: &AppState, id: &str, is_of: impl Fn(&Key) -> bool) -> Result<(), ApiError> {
    let unknown = || ApiError::Admin(AdminError::NotFound(format!("there is no key {id} in this workspace")));
    let number: u64 = id.parse().map_err(|_| unknown())?;
    if !state.store.keys().iter().any(|key| key.id == number && is_of(key)) {
        return Err(unknown());
    }
    state.store.revoke_key(number, state.clock.now()).await.map_err(ApiError::Admin)?;
    Ok(())
}

/// Whether a caller manages a key.
fn manages(caller: &Caller, key: &Key) -> bool {
    match caller {
        Caller::Operator => true,
        Caller::Key(own) => own.workspace.id == key.workspace.id,
    }
}

/// What the body of a new key asks for.
struct Wish {
    name: String,
    scopes: Scopes,
    workspace: Option<String>,
}

impl Wish {
    fn read(bytes: &[u8]) -> Result<Wish, ApiError> {
        let field = |path, keyword, asks, message: String| {
            Err(ApiError::Invalid(vec![Violation::new(path, keyword, asks, message)]))
        };
        let Ok(Value::Object(members)) = serde_json::from_slice(bytes) else {
            return field("", "type", "object", "must be a JSON object, such as {\"scopes\":[\"write\"]}".to_owned());
        };
        let known = ["name", "scopes", "workspace"];
        if let Some(unknown) = members.keys().find(|key| !known.contains(&key.as_str())) {
            let message = format!("{unknown} is no field of a key; use name, scopes and workspace");
            return field("", "additionalProperties", "false", message);
        }
        let name = match members.get("name") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(name)) if name.len() <= NAME_BYTES_MAX => name.clone(),
            Some(_) => {
                return field("/name", "type", "string", format!("must be a string of at most {NAME_BYTES_MAX} bytes"));
            }
        };
        let workspace = match members.get("workspace") {
            None | Some(Value::Null) => None,
            Some(Value::String(workspace)) => Some(workspace.clone()),
            Some(_) => return field("/workspace", "type", "string", "must be string".to_owned()),
        };
        let listed = match members.get("scopes") {
            Some(Value::String(scopes)) => Some(scopes.clone()),
            Some(Value::Array(scopes)) => {
                let names: Option<Vec<&str>> = scopes.iter().map(Value::as_str).collect();
                names.map(|names| names.join(","))
            }
            _ => None,
        };
        let Some(listed) = listed else {
            return field("/scopes", "type", "array", "must be an array of write, read, admin and operator".to_owned());
        };
        match Scopes::parse(&listed) {
            Ok(scopes) => Ok(Wish { name, scopes, workspace }),
            Err(says) => field("/scopes", "enum", "write,read,admin,operator", says),
        }
    }
}
