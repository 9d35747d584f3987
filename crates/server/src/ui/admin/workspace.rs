//! The workspace of this session: since when there is one, what it has, and how another is made. Never tells of others:
//! a key belongs to one, and not even the names of the rest are its holder's to know.

use askama::Template;
use axum::{extract::State, http::request::Parts, response::Response};
use muster_model::kind::RecordKind;
use muster_store::credentials::Scopes;

use super::super::{
    answer::{self, PageError},
    frame::Frame,
    session::Session,
    shown::{self, Form, Html, count, counted, many},
};
use crate::{admin::workspaces::last_received, error::ApiError, state::AppState};

const PATH: &str = "/admin/workspace";

struct Line {
    what: &'static str,
    /// The page about it.
    href: &'static str,
    value: String,
}

#[derive(Template)]
#[template(path = "workspace.html")]
struct WorkspacePage {
    frame: Frame,
    since: Html,
    messages: String,
    disk: String,
    events: String,
    last: Html,
    lines: Vec<Line>,
    /// A field, and the trait that it is read from.
    traits: [(&'static str, String); 4],
}

/// Answers the page.
pub(super) async fn show(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    let workspace = session.workspace();
    let names = state.store.event_names(workspace.id).await.map_err(ApiError::Read)?;
    let keys = state.store.keys();
    let valid = keys.iter().filter(|key| key.workspace.id == workspace.id && key.revoked_at.is_none()).count();
    let others = names.others.as_ref();
    let events = names.names.iter().map(|name| name.events).chain(others.map(|others| others.events)).sum();
    let sizes = state.store.sizes();
    let size = sizes.into_iter().find(|(id, _)| *id == workspace.id).map(|(_, size)| size).unwrap_or_default();
    let records = state.store.records(workspace.id);
    let line = |what, href, value| Line { what, href, value };
    let names_of_traits = &state.settings.trait_names;
    answer::page(&WorkspacePage {
        since: shown::time(workspace.created_at, Form::Full),
        messages: count(size.messages),
        disk: shown::bytes(size.history_bytes),
        events: count(events),
        last: shown::time_or_nothing(last_received(&state, workspace).await?, Form::Ago),
        lines: vec![
            line("Organizations", "/organizations", counted(records, RecordKind::Organization)),
            line("Accounts", "/accounts", counted(records, RecordKind::Account)),
            line("Users", "/users", counted(records, RecordKind::User)),
            line("Names of events", "/events", count(names.names.len() as u64)),
            line("Keys", "/admin/keys", many(valid as u64, "key")),
            line("Team", "/admin/team", many(state.store.team(workspace.id).len() as u64, "member")),
        ],
        traits: [
            ("mrr", names_of_traits.mrr.clone()),
            ("nextRenewalDate", names_of_traits.next_renewal_date.clone()),
            ("churnedAt", names_of_traits.churned_at.clone()),
            ("trialEndDate", names_of_traits.trial_end_date.clone()),
        ],
        frame: Frame::new(&session, &parts, "Workspace", PATH),
    })
}
