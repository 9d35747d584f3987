//! What was said of one trait of a record.

use askama::Template;
use axum::{extract::State, http::request::Parts, response::Response};
use muster_model::{id::Identity, kind::RecordKind};
use muster_store::{history::EventCursor, past::TraitQuery};

use super::super::{
    answer::{self, PageError},
    frame::Frame,
    link,
    list::{name_of, plural},
    session::Session,
    shown::{self, Form, Html, Long},
};
use crate::{
    error::ApiError,
    resources::{
        cursor::{ListName, Place},
        past::PathKey,
        query::Query,
        records::{PathId, find},
    },
    state::AppState,
};

/// Statements of a page.
const PAGE_STATEMENTS: usize = 100;

struct Statement {
    value: Html,
    stands: bool,
    at: Html,
    received: Html,
    message: String,
}

#[derive(Template)]
#[template(path = "trait_history.html")]
struct TraitHistory {
    frame: Frame,
    kind: &'static str,
    kind_plural: &'static str,
    record: String,
    name: String,
    key: String,
    lines: Vec<Statement>,
    older: String,
}

/// Answers a page of it. A key that no path can hold is a parameter.
pub(in super::super) async fn show(
    kind: RecordKind,
    State(state): State<AppState>,
    session: Session,
    PathId(id): PathId,
    key: Option<PathKey>,
    parts: Parts,
) -> Result<Response, PageError> {
    let parameters = Query::of(&parts.uri);
    let key = key.map_or_else(|| parameters.get("key").unwrap_or_default().to_owned(), |PathKey(key)| key);
    let workspace = session.workspace();
    let profile = find(&state, workspace, kind, &id).await?;
    let list = ListName::new(workspace.id, &["page of statements", kind.as_str(), &profile.id.to_string(), &key]);
    let from = list.read(parameters.get("from"))?;
    let query = TraitQuery {
        subject: (kind, profile.id),
        key: key.clone(),
        from: from.map(|place| EventCursor { timestamp: place.at, identity: Identity(place.id) }),
        limit: PAGE_STATEMENTS,
    };
    let found = state.store.trait_history(workspace.id, query).await.map_err(ApiError::Read)?;
    let line = |(nth, one): (usize, &muster_store::past::TraitStatement)| Statement {
        value: one.value.as_deref().map_or_else(shown::nothing, |json| shown::value(json, Long::Whole)),
        stands: nth == 0 && from.is_none(),
        at: shown::time(one.timestamp, Form::Full),
        received: shown::time(one.received_at, Form::Full),
        message: one.message_id.clone().unwrap_or_default(),
    };
    let record = link::record(kind, &profile.external_id, profile.id);
    let here = link::trait_history(&record, &key);
    let next = found.next.map(|at| list.write(Place { at: at.timestamp, id: at.identity.0 }));
    answer::page(&TraitHistory {
        frame: Frame::new(&session, &parts, &key, link::list(kind)),
        kind: kind.as_str(),
        kind_plural: plural(kind),
        record,
        name: name_of(&profile),
        key,
        lines: found.statements.iter().enumerate().map(line).collect(),
        older: next.map(|from| link::and(&here, &[("from", &from)])).unwrap_or_default(),
    })
}
