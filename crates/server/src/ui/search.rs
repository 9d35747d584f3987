//! Searching everything: names, e-mail addresses and ids, of accounts, users and organizations.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, http::request::Parts, response::Response};
use muster_model::{find, kind::RecordKind, profile::Profile};
use muster_store::{
    credentials::Workspace,
    lists::{Condition, ListOrder, ListQuery},
};

use super::{
    answer::{self, PageError},
    frame::Frame,
    link,
    list::{name_of, plural},
    session::Session,
    shown::{self, Form, Html},
};
use crate::{error::ApiError, resources::query::Query, state::AppState, wire::value};

/// Records of one kind that are shown.
const SHOWN: usize = 10;
/// Bytes of the text that is sought.
const SOUGHT_BYTES_MAX: usize = 256;

struct Hit {
    label: String,
    id: String,
    email: String,
    href: String,
    seen: Html,
}

struct Group {
    title: &'static str,
    all: String,
    lines: Vec<Hit>,
    /// Whether all records were looked at, so that none is no match.
    ended: bool,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    sought: String,
    groups: Vec<Group>,
}

/// Answers what was found.
pub(super) async fn show(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    let parameters = Query::of(&parts.uri);
    let sought = parameters.get("q").unwrap_or_default().trim().to_owned();
    if sought.len() > SOUGHT_BYTES_MAX || sought.contains('\n') {
        let says = format!("a search is one line of at most {SOUGHT_BYTES_MAX} bytes");
        return Err(ApiError::parameter(says).into());
    }
    let mut groups = Vec::new();
    if !sought.is_empty() {
        let of = |kind| group(&state, session.workspace(), kind, &sought);
        let (accounts, users, organizations) =
            tokio::try_join!(of(RecordKind::Account), of(RecordKind::User), of(RecordKind::Organization))?;
        groups.extend([accounts, users, organizations]);
    }
    let mut frame = Frame::new(&session, &parts, "Search", "/search");
    frame.sought.clone_from(&sought);
    answer::page(&SearchPage { frame, sought, groups })
}

async fn group(state: &AppState, workspace: &Workspace, kind: RecordKind, sought: &str) -> Result<Group, ApiError> {
    let conditions = vec![Condition::Contains(find::fold(sought))];
    let query = ListQuery { conditions, limit: SHOWN, ..ListQuery::new(kind, ListOrder::UpdatedAt) };
    let page = state.store.list(workspace.id, query).await.map_err(ApiError::Read)?;
    let status = if kind == RecordKind::Account { "activeOrChurned" } else { "" };
    Ok(Group {
        title: plural(kind),
        all: link::with(link::list(kind), &[("search", sought), ("status", status)]),
        lines: page.profiles.iter().map(hit).collect(),
        ended: page.next.is_none(),
    })
}

fn hit(profile: &Arc<Profile>) -> Hit {
    Hit {
        label: name_of(profile),
        id: profile.external_id.to_string(),
        email: value::text(&profile.traits, "email").unwrap_or_default().into_owned(),
        href: link::record(profile.kind(), &profile.external_id, profile.id),
        seen: shown::time(profile.updated_at, Form::Ago),
    }
}
