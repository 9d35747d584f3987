//! Which page answers which path.
//!
//! Pages stand beside the table of the API: a browser is sent to sign in where a program would get an error. Their
//! answers are counted and logged like all others.

use axum::{
    Router,
    extract::State,
    http::{Uri, request::Parts},
    middleware::from_fn,
    routing::{get, post},
};
use muster_model::kind::RecordKind;

use super::{
    admin, answer, events, files, list, live, password, posted::Posted, record, refused, saved, search,
    session::Session, signin, sql, start, theme,
};
use crate::{
    listen::while_there,
    resources::{past::PathKey, records::PathId},
    state::AppState,
};

const KINDS: [(RecordKind, &str); 3] =
    [(RecordKind::Account, "accounts"), (RecordKind::User, "users"), (RecordKind::Organization, "organizations")];

/// The pages.
pub(crate) fn routes() -> Router<AppState> {
    let mut router = admin::routes()
        .merge(refused::routes())
        .route("/", get(start::show))
        .route("/first-key", post(start::make_key))
        .route("/console/{file}", get(files::show))
        .route("/signin", get(signin::form).post(signin::sign_in))
        .route("/signout", post(signin::sign_out))
        .route("/password", get(password::form).post(password::change))
        .route("/theme", post(theme::choose))
        .route("/search", get(search::show))
        .route("/live", get(live::show))
        .route("/live/events", get(live::events))
        .route("/events", get(events::all))
        .route("/events/{name}", get(events::one))
        .route("/sql", get(sql::form).post(sql::run).layer(from_fn(while_there)))
        .route("/saved", post(saved::keep))
        .route("/saved/{id}", post(saved::rename))
        .route("/saved/{id}/text", post(saved::replace))
        .route("/saved/{id}/remove", post(saved::remove));
    for (kind, path) in KINDS {
        router = router.merge(of_records(kind, path));
    }
    router.layer(from_fn(answer::errors_as_pages))
}

/// The pages about one kind of record.
fn of_records(kind: RecordKind, path: &str) -> Router<AppState> {
    let table = move |state: State<AppState>, session: Session, parts: Parts| list::show(kind, state, session, parts);
    let csv = move |state: State<AppState>, session: Session, uri: Uri| list::csv(kind, state, session, uri);
    let one = move |state: State<AppState>, session: Session, id: PathId, parts: Parts| {
        record::show(kind, state, session, id, parts)
    };
    let history = move |state: State<AppState>, session: Session, id: PathId, key: PathKey, parts: Parts| {
        record::trait_history(kind, state, session, id, Some(key), parts)
    };
    let history_of_named = move |state: State<AppState>, session: Session, id: PathId, parts: Parts| {
        record::trait_history(kind, state, session, id, None, parts)
    };
    let removal = move |state: State<AppState>, id: PathId, posted: Posted| record::remove(kind, state, id, posted);
    Router::new()
        .route(&format!("/{path}/{{id}}/delete"), post(removal))
        .route(&format!("/{path}"), get(table))
        .route(&format!("/{path}.csv"), get(csv))
        .route(&format!("/{path}/{{id}}"), get(one))
        .route(&format!("/{path}/{{id}}/traits/{{key}}"), get(history))
        .route(&format!("/{path}/{{id}}/traits"), get(history_of_named))
}
