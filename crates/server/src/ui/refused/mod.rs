//! Messages set aside: why, which, and what to do about them.
//!
//! They are grouped by reason, all there are. Sending one again goes the way of `POST /resources/refused/{id}/resend`:
//! accepted, it is gone from here; still refused, it stays.

/// What is refused for one reason.
mod groups;

/// Walking over all of them.
mod walk;

/// All of them, counted by reason.
mod counted;

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
use muster_store::{
    credentials::Scopes,
    refused::{RefusedCursor, Sketch},
};

pub(crate) use self::counted::Counts;
use self::{
    counted::Counted,
    groups::{Group, Reason},
    walk::Walk,
};
use super::{
    answer::{self, PageError},
    frame::Frame,
    link,
    session::Session,
    shown::{self, Form, Html, many},
    who::Names,
};
use crate::{error::ApiError, resources::query::Query, state::AppState};

const PATH: &str = "/refused";
/// What a change comes to, in the order in which it is told.
const FIGURES: [&str; 3] = ["stored", "still", "dropped"];
/// Messages of a page of a group.
const ROWS: usize = 50;
/// Messages that are met at most for one page of a group.
const MET_MAX: usize = 5_000;

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

/// A step of something done to a group that has more.
struct Step {
    action: &'static str,
    label: &'static str,
    /// The place and the figures, as the next step is told.
    fields: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    frame: Frame,
    /// What became of a group that was sent again or dropped.
    done: String,
    step: Option<Step>,
    looked: String,
    again: bool,
    groups: Vec<Group>,
    others: String,
    chosen: Option<Reason>,
    rows: Vec<Row>,
    ended: bool,
    first: String,
    next: String,
    export: String,
    may_write: bool,
}

/// All groups, or the messages of one.
async fn show(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    let parameters = Query::of(&parts.uri);
    let counted = state.refused_counts.of(&state, session.workspace().id).await?;
    let names = Names::of(&state, session.workspace());
    let chosen = Reason::of(&parameters);
    let groups = counted.groups();
    let mut page = RefusedPage {
        frame: Frame::new(&session, &parts, "Refused", PATH),
        done: done(&session, &parameters),
        step: step(&session, &parameters),
        looked: looked(&counted, chosen.as_ref()),
        again: !matches!(counted, Counted::Now(_)),
        groups: if chosen.is_some() { Vec::new() } else { groups.shown(&names) },
        others: if groups.others > 0 { many(groups.others, "message") } else { String::new() },
        rows: Vec::new(),
        ended: true,
        first: String::new(),
        next: String::new(),
        export: chosen
            .as_ref()
            .map_or_else(|| "/refused/export".to_owned(), |reason| reason.address("/refused/export", &[])),
        may_write: session.scopes.contains(Scopes::WRITE),
        chosen: None,
    };
    if let Some(reason) = &chosen {
        fill(&mut page, &state, (&session, &names), reason, parameters.filled("from")).await?;
    }
    page.chosen = chosen;
    answer::page(&page)
}

/// Puts a page of the messages of a group into the page.
async fn fill(
    page: &mut RefusedPage,
    state: &AppState,
    (session, names): (&Session, &Names),
    reason: &Reason,
    from: Option<&str>,
) -> Result<(), ApiError> {
    let mut walk = Walk::begin(session.workspace().id, from)?;
    let mut next = None;
    'walk: while walk.met < MET_MAX {
        let Some(piece) = walk.next(state).await? else { break };
        for (at, sketch) in piece.iter().enumerate() {
            if reason.is_of(sketch) {
                page.rows.push(row(sketch, names));
            }
            if page.rows.len() == ROWS {
                let is_last = at + 1 == piece.len() && walk.place().is_none();
                let place = RefusedCursor { received_at: sketch.received_at, id: sketch.id };
                next = Some(walk.after(place)).filter(|_| !is_last);
                break 'walk;
            }
        }
    }
    if page.rows.len() < ROWS {
        next = walk.place();
    }
    page.ended = next.is_none();
    page.next = next.map(|place| reason.address(PATH, &[("from", &place)])).unwrap_or_default();
    page.first = if from.is_some() { reason.address(PATH, &[]) } else { String::new() };
    Ok(())
}

fn row(sketch: &Sketch, names: &Names) -> Row {
    Row {
        href: format!("{PATH}/{}", sketch.id),
        at: shown::time(sketch.received_at, Form::Ago),
        key: names.name(sketch.key_id),
        start: String::from_utf8_lossy(&sketch.start).into_owned(),
    }
}

/// How many there are, and as of when.
fn looked(counted: &Counted, chosen: Option<&Reason>) -> String {
    let groups = counted.groups();
    let messages = many(chosen.map_or(groups.messages, |reason| groups.of(reason)), "message");
    match counted {
        Counted::Now(_) => format!("{messages} in all."),
        Counted::At(at, _) => format!("{messages} in all, counted at {} UTC.", at.to_millis_text()[11..19].to_owned()),
        Counted::SoFar(_) => format!("{messages} counted so far; counting goes on."),
    }
}

fn number(parameters: &Query, name: &str) -> Option<u64> {
    parameters.get(name).and_then(|text| text.parse::<u64>().ok())
}

/// Figures of a change as they stand in an address, with a code of the session by which it knows them again: nobody else's
/// address tells what was never done.
fn figures<'f>(session: &Session, figures: &[(&'f str, &str)]) -> Vec<(&'f str, String)> {
    let words = figures.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<String>>().join("&");
    let figures = figures.iter().map(|(name, value)| (*name, (*value).to_owned()));
    figures.chain([("seal", session.seal(&words))]).collect()
}

/// Whether this session was led to these figures.
fn is_sealed(session: &Session, parameters: &Query) -> bool {
    let told: Vec<(&str, &str)> = FIGURES.into_iter().filter_map(|name| Some((name, parameters.get(name)?))).collect();
    let sealed = figures(session, &told);
    sealed.last().map(|(_, seal)| seal.as_str()) == parameters.get("seal")
}

/// What a change of a group came to, as its answer's address tells it.
fn done(session: &Session, parameters: &Query) -> String {
    if !is_sealed(session, parameters) {
        return if parameters.filled("on").is_some() { "More is left.".to_owned() } else { String::new() };
    }
    let number = |name: &str| number(parameters, name);
    match (number("stored"), number("still"), number("dropped")) {
        (Some(stored), Some(still), _) => {
            let still = if still == 0 { String::new() } else { format!(" {} still refused.", shown::count(still)) };
            format!("{} stored.{still}", many(stored, "message"))
        }
        (_, _, Some(dropped)) => format!("{} dropped.", many(dropped, "message")),
        _ => String::new(),
    }
}

/// What is left of such a change.
fn step(session: &Session, parameters: &Query) -> Option<Step> {
    let on = parameters.filled("on")?.to_owned();
    let counts = u64::from(is_sealed(session, parameters));
    let figure = |name: &'static str| Some((name, (number(parameters, name)? * counts).to_string()));
    let dropped = figure("dropped");
    let (action, label) = match &dropped {
        Some(_) => ("/refused/group/drop", "Drop the rest"),
        None => ("/refused/group/resend", "Send the rest again"),
    };
    let figures = dropped.into_iter().chain(figure("stored")).chain(figure("still"));
    Some(Step { action, label, fields: std::iter::once(("on", on)).chain(figures).collect() })
}

/// The page with what a change came to.
fn back(session: &Session, done: &[(&str, &str)]) -> String {
    let sealed = figures(session, done);
    link::with(PATH, &sealed.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<(&str, &str)>>())
}
