//! Messages set aside: why, which, and what to do about them.
//!
//! They are grouped by reason over the newest of them, so many at most; the page says how many it looked at. Sending one
//! again goes the way of `POST /resources/refused/{id}/resend`: accepted, it is gone from here; still refused, it stays.

/// What is refused for one reason.
mod groups;

/// The page of one message.
mod one;

/// What is done to all messages of a group.
mod all;

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::request::Parts,
    response::Response,
    routing::{get, post},
};
use muster_store::credentials::Scopes;

use self::groups::{Group, LOOKED_AT_MAX, Looked, Reason, Sight};
use super::{
    answer::{self, PageError},
    frame::Frame,
    link,
    session::Session,
    shown::{self, Form, Html},
};
use crate::{resources::query::Query, state::AppState};

pub(super) use self::groups::key_names;

const PATH: &str = "/refused";
/// The pages of this part.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/refused", get(show))
        .route("/refused/group/resend", post(all::resend))
        .route("/refused/group/drop", post(all::remove))
        .route("/refused/export", get(all::export))
        .route("/refused/{id}", get(one::show))
        .route("/refused/{id}/resend", post(one::resend))
        .route("/refused/{id}/drop", post(one::remove))
}

struct Row {
    href: String,
    at: Html,
    key: String,
    start: String,
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    frame: Frame,
    /// What became of a group that was sent again or dropped.
    done: String,
    looked: String,
    groups: Vec<Group>,
    chosen: Option<Reason>,
    rows: Vec<Row>,
    export: String,
    may_write: bool,
}

/// All groups, or the messages of one.
async fn show(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    let parameters = Query::of(&parts.uri);
    let looked = Looked::read(&state, session.workspace()).await?;
    let chosen = Reason::of(&parameters);
    let names = groups::key_names(&state, session.workspace());
    let groups = looked.groups(&names);
    let of_chosen = looked.messages.iter().filter(|one| chosen.as_ref() == Some(&one.reason));
    let row = |one: &Sight| Row {
        href: format!("{PATH}/{}", one.id),
        at: shown::time(one.at, Form::Ago),
        key: names.get(&one.key_id).cloned().unwrap_or_default(),
        start: one.start.clone(),
    };
    let many = shown::many(looked.messages.len() as u64, "message");
    let looked_at = match looked.more {
        true => format!("The newest {} were looked at; there are more.", shown::count(LOOKED_AT_MAX as u64)),
        false => format!("{many} in all."),
    };
    answer::page(&RefusedPage {
        frame: Frame::new(&session, &parts, "Refused", PATH),
        done: done(&parameters),
        looked: looked_at,
        rows: of_chosen.map(row).collect(),
        groups: if chosen.is_some() { Vec::new() } else { groups },
        export: chosen
            .as_ref()
            .map_or_else(|| "/refused/export".to_owned(), |reason| reason.address("/refused/export")),
        chosen,
        may_write: session.scopes.contains(Scopes::WRITE),
    })
}

/// What a change of a group came to, as its answer's address tells it.
fn done(parameters: &Query) -> String {
    let number = |name: &str| parameters.get(name).and_then(|text| text.parse::<u64>().ok());
    match (number("stored"), number("still"), number("dropped")) {
        (Some(stored), Some(still), _) => {
            let still = if still == 0 { String::new() } else { format!(" {} still refused.", shown::count(still)) };
            format!("{} stored.{still}", shown::many(stored, "message"))
        }
        (_, _, Some(dropped)) => format!("{} dropped.", shown::many(dropped, "message")),
        _ => String::new(),
    }
}

/// The page of a group.
fn address(reason: &Reason) -> String {
    reason.address(PATH)
}

/// The page with more parameters.
fn back(parameters: &[(&str, &str)]) -> String {
    link::with(PATH, parameters)
}
