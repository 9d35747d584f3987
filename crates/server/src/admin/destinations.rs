//! Managing destinations over HTTP.
//!
//! A key with the scope `admin` manages the destinations of its own workspace; the local operator's token names the
//! workspace. No answer shows a secret, but for the one that made it.

use axum::{
    Extension,
    extract::{Request, State},
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use muster_model::kind::Kind;
use muster_store::follow::Start;
use serde_json::json as json_value;
use utoipa::openapi::{ObjectBuilder, Schema};

use crate::{
    error::ApiError,
    forward::{self, Destination, DestinationKind, Fault, Origin, Shown, Wanted},
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
    violation::Violation,
    wire::destination,
};

const PATH: &str = "/admin/v1/destinations";
const ONE_PATH: &str = "/admin/v1/destinations/{id}";
const BODY_BYTES_MAX: usize = 1 << 20;
const WORKSPACE: &str = "For the local operator: the workspace. A key has its own.";

/// The routes of this file, with their words in the API document.
pub(super) fn routes() -> [Route; 5] {
    let words = |summary: &str, about: &str| {
        Words::new("Forwarding", summary, about).query("workspace", WORKSPACE, schema::text())
    };
    let one = |summary: &str, about: &str| {
        words(summary, about).segment("id", "The destination's name.").answer(
            404,
            "There is no such destination.",
            named("Error"),
        )
    };
    let listed = words("Lists destinations", "Oldest first, each with how it stands.").answer(
        200,
        "The destinations.",
        named("Destinations"),
    );
    let example = json_value!({"name": "crm", "kind": "vitally", "secret": "…", "types": ["user", "account"]});
    let about = "A webhook's secret is made when none is given, and shown in this answer alone.";
    let made = words("Makes a destination", about)
        .body("What it is.", true, fields(true), example)
        .answer(200, "The destination.", named("Destination"))
        .answer(400, "The body breaks a rule.", named("FieldError"))
        .answer(409, "The workspace has a destination of this name.", named("Error"));
    let shown = one("Shows a destination", "").answer(200, "The destination.", named("Destination"));
    let about = "Members that are left out stay as they are. It is tried again at once, whatever it waited for. Of a \
                 destination of the settings file only `paused` can be changed.";
    let changed = one("Changes a destination", about)
        .body("What changes.", true, fields(false), json_value!({"paused": true}))
        .answer(200, "The destination.", named("Destination"))
        .answer(400, "The body breaks a rule.", named("FieldError"));
    let about = "With everything that waits for it, and its dead letters.";
    let removed = one("Removes a destination", about).bare(204, "It is gone.");
    [
        Route::new(Method::GET, PATH, Access::Keys, list, listed),
        Route::new(Method::POST, PATH, Access::Keys, create, made),
        Route::new(Method::GET, ONE_PATH, Access::Keys, show, shown),
        Route::new(Method::PATCH, ONE_PATH, Access::Keys, change, changed),
        Route::new(Method::DELETE, ONE_PATH, Access::Keys, remove, removed),
    ]
}

fn fields(new: bool) -> Schema {
    let texts = || schema::list_of(schema::text(), forward::FILTER_MAX);
    let kinds = schema::list_of(schema::words(&Kind::ALL.map(Kind::as_str)), Kind::ALL.len());
    let mut fields = ObjectBuilder::new();
    if new {
        fields = fields
            .property("name", schema::text())
            .property("kind", schema::words(&DestinationKind::ALL.map(DestinationKind::as_str)))
            .property("from", schema::one_of(&["now", "start"]))
            .required("name")
            .required("kind");
    }
    let rate = schema::between(1, i64::from(forward::RATE_MAX), i64::from(forward::RATE_DEFAULT));
    let timeout = schema::between(1, i64::from(forward::TIMEOUT_MAX), i64::from(forward::TIMEOUT_DEFAULT));
    fields
        .property("url", schema::text())
        .property("secret", schema::text())
        .property("types", kinds)
        .property("events", texts())
        .property("accounts", texts())
        .property("messagesPerSecond", rate)
        .property("timeoutSeconds", timeout)
        .property("paused", schema::boolean())
        .into()
}

async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let workspace = caller.workspace(&state, &Query::of(&uri))?;
    let all = state.office.all();
    Ok(json(StatusCode::OK, |object| {
        object.list("results", |list| {
            for one in all.iter().filter(|one| one.follower.workspace == workspace.id) {
                list.object(|object| destination::write(object, one, None));
            }
        });
    }))
}

async fn show(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(name): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let workspace = caller.workspace(&state, &Query::of(&uri))?;
    let shown = state.office.find(workspace.id, &name).map_err(ApiError::Admin)?;
    Ok(json(StatusCode::OK, |object| destination::write(object, &shown, None)))
}

async fn create(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let (head, mut body) = request.into_parts();
    let made = async {
        let workspace = caller.workspace(&state, &Query::of(&head.uri))?;
        may_say_where(&state, &caller)?;
        let (bytes, _reservation) = ingest::whole(&state, &head, &mut body, BODY_BYTES_MAX).await?;
        let members = Members::read(&bytes)?;
        let mut form = Form::new(&members);
        let (name, kind) = (form.required_id("name").into_owned(), form.required_id("kind").into_owned());
        let from = form.id("from").map_or(Ok(Start::Now), |from| forward::parse_start(&from));
        let mut wanted = Wanted { kind, ..Wanted::default() };
        read(&mut form, &mut wanted);
        let start = from.unwrap_or_else(|says| {
            form.note(Violation::new("/from", "enum", "now, start", says));
            Start::Now
        });
        form.close()?;
        let given = wanted.secret.is_some();
        let wished = Destination::new(wanted, Origin::Api).map_err(refused)?;
        let made = state.office.create(workspace.id, &name, &wished, start).await.map_err(ApiError::Admin)?;
        let secret = Some(&wished.secret).filter(|_| !given);
        Ok(json(StatusCode::OK, |object| destination::write(object, &made, secret)))
    };
    made.await.map_err(|error: ApiError| unread(body, error.into_response()))
}

async fn change(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(name): PathId,
    request: Request,
) -> Result<Response, Response> {
    let (head, mut body) = request.into_parts();
    let changed = async {
        let workspace = caller.workspace(&state, &Query::of(&head.uri))?;
        let known = state.office.find(workspace.id, &name).map_err(ApiError::Admin)?;
        let (bytes, _reservation) = ingest::whole(&state, &head, &mut body, BODY_BYTES_MAX).await?;
        let members = Members::read(&bytes)?;
        let mut form = Form::new(&members);
        let mut wanted = known.destination.wanted();
        read(&mut form, &mut wanted);
        form.close()?;
        let wished = Destination::new(wanted, known.destination.origin).map_err(refused)?;
        let only_held_up = Destination { paused: wished.paused, ..known.destination.clone() };
        if wished != only_held_up {
            may_say_where(&state, &caller)?;
        }
        if known.destination.origin == Origin::File && wished != only_held_up {
            let says = "this destination stands in the settings file; change it there and restart the server";
            return Err(ApiError::parameter(says));
        }
        let shown = state.office.change(known.follower.id, wished).await.map_err(ApiError::Admin)?;
        Ok(json(StatusCode::OK, |object| destination::write(object, &shown, None)))
    };
    changed.await.map_err(|error: ApiError| unread(body, error.into_response()))
}

async fn remove(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(name): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let workspace = caller.workspace(&state, &Query::of(&uri))?;
    let known = state.office.find(workspace.id, &name).map_err(ApiError::Admin)?;
    end(&state, &known).await?;
    Ok(no_content())
}

/// Ends a destination, unless the settings file has it.
pub(crate) async fn end(state: &AppState, known: &Shown) -> Result<(), ApiError> {
    if known.destination.origin == Origin::File {
        let says = "this destination stands in the settings file; take it out there and restart the server";
        return Err(ApiError::parameter(says));
    }
    state.office.remove(known.follower.id).await.map_err(ApiError::Admin)
}

/// Where messages go is a matter of the operator's where the settings say so; holding up and letting go on is not.
pub(crate) fn may_say_where(state: &AppState, caller: &Caller) -> Result<(), ApiError> {
    let may = state.settings.destinations_by_keys || matches!(caller, Caller::Operator);
    may.then_some(()).ok_or(ApiError::DestinationsByOperator)
}

/// Reads the members that may change; those that are not there leave what was.
fn read(form: &mut Form<'_, '_>, wanted: &mut Wanted) {
    let text = |said: Said<std::borrow::Cow<'_, str>>, known: &mut Option<String>| match said {
        Said::Nothing | Said::None => {}
        Said::Some(text) => *known = Some(text.into_owned()),
    };
    text(form.text("url"), &mut wanted.url);
    text(form.text("secret"), &mut wanted.secret);
    for (name, known) in
        [("types", &mut wanted.types), ("events", &mut wanted.events), ("accounts", &mut wanted.accounts)]
    {
        if let Some(texts) = form.ids(name) {
            *known = texts.into_iter().map(std::borrow::Cow::into_owned).collect();
        }
    }
    for (name, most, known) in [
        ("messagesPerSecond", forward::RATE_MAX, &mut wanted.messages_per_second),
        ("timeoutSeconds", forward::TIMEOUT_MAX, &mut wanted.timeout_seconds),
    ] {
        if let Said::Some(number) = form.integer(name, 1, i64::from(most)) {
            *known = u32::try_from(number).ok();
        }
    }
    match form.boolean("paused") {
        Some("true") => wanted.paused = true,
        Some("false") => wanted.paused = false,
        _ => {}
    }
}

fn refused(fault: Fault) -> ApiError {
    let says = fault.says;
    ApiError::Invalid(vec![Violation::new(format!("/{}", fault.field), "destination", fault.field, says)])
}
