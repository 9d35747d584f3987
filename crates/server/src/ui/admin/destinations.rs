//! Destinations: where messages go on to, how each stands, and what it refused.
//!
//! Made and removed here within the same rules as over the API; a destination of the settings file can be held up and
//! let go on, nothing else. A secret is shown once, when the server made it.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{StatusCode, request::Parts},
    response::Response,
};
use muster_store::{credentials::Scopes, error::AdminError, follow::Letter, record};

use super::{
    super::{
        answer::{self, PageError, go, sentence},
        frame::Frame,
        json,
        posted::Posted,
        session::Session,
        shown::{self, Form, Html, count},
    },
    destination_form::{self, Filled},
};
use crate::{
    admin::destinations,
    error::ApiError,
    forward::{Destination, Origin, Shown, Wanted, parse_start},
    resources::query::Query,
    state::AppState,
};

const PATH: &str = "/admin/destinations";
/// Names of a filter that are shown.
const FILTER_SHOWN: usize = 20;
/// Dead letters that are shown.
const LETTERS_SHOWN: usize = 100;

struct Row {
    href: String,
    name: String,
    kind: &'static str,
    url: String,
    phase: &'static str,
    class: &'static str,
    says: String,
    pending: String,
    lag: String,
    letters: String,
    paused: bool,
    of_file: bool,
}

#[derive(Template)]
#[template(path = "destinations.html")]
struct DestinationsPage {
    frame: Frame,
    says: String,
    /// A secret that was made by this request; it is shown this once.
    secret: String,
    rows: Vec<Row>,
    may_make: bool,
    form: Filled,
}

struct LetterRow {
    at: Html,
    says: String,
    json: String,
    resending: bool,
}

#[derive(Template)]
#[template(path = "destination.html")]
struct DestinationPage {
    frame: Frame,
    row: Row,
    /// What is wrong with a change that was asked for.
    wrong: String,
    changed: bool,
    facts: Vec<(&'static str, String)>,
    /// Whether it can be changed here.
    may_change: bool,
    form: Filled,
    letters: Vec<LetterRow>,
    more: bool,
}

fn row(shown: &Shown) -> Row {
    let phase = shown.said.phase.as_str();
    Row {
        href: format!("{PATH}/{}", shown.follower.name),
        name: shown.follower.name.clone(),
        kind: shown.destination.kind.as_str(),
        url: shown.destination.url.clone(),
        class: match phase {
            "delivering" => "good",
            "retrying" => "warn",
            "blocked" => "bad",
            _ => "",
        },
        phase,
        says: shown.said.says.as_deref().map(sentence).unwrap_or_default(),
        pending: count(shown.pending),
        lag: shown::many(shown.lag_seconds, "second"),
        letters: count(shown.letters),
        paused: shown.destination.paused,
        of_file: shown.destination.origin == Origin::File,
    }
}

fn page(state: &AppState, session: &Session, parts: &Parts) -> DestinationsPage {
    let all = state.office.all();
    let own = all.iter().filter(|one| one.follower.workspace == session.workspace().id);
    DestinationsPage {
        frame: Frame::new(session, parts, "Destinations", PATH),
        says: String::new(),
        secret: String::new(),
        rows: own.map(row).collect(),
        may_make: state.settings.destinations_by_keys,
        form: Filled::empty(),
    }
}

/// All of them, and a form for another.
pub(super) async fn all(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    answer::page(&page(&state, &session, &parts))
}

/// Makes one.
pub(super) async fn create(
    State(state): State<AppState>,
    Posted { session, fields, parts }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    destinations::may_say_where(&state, &session.caller(&state)?)?;
    let again = |says: &str| {
        let form = Filled::again(&fields);
        let page = DestinationsPage { says: sentence(says), form, ..page(&state, &session, &parts) };
        answer::html(StatusCode::BAD_REQUEST, &page)
    };
    let filled = |name: &str| Some(fields.get(name).trim().to_owned()).filter(|text| !text.is_empty());
    let wanted = Wanted { kind: fields.get("kind").to_owned(), ..Wanted::default() };
    let wanted = match destination_form::read(&fields, wanted) {
        Ok(wanted) => wanted,
        Err(says) => return again(&says),
    };
    let given = wanted.secret.is_some();
    let start = match parse_start(filled("from").as_deref().unwrap_or("now")) {
        Ok(start) => start,
        Err(says) => return again(&format!("from: {says}")),
    };
    let wished = match Destination::new(wanted, Origin::Api) {
        Ok(wished) => wished,
        Err(fault) => return again(&format!("{}: {}", fault.field, fault.says)),
    };
    match state.office.create(session.workspace().id, fields.get("name").trim(), &wished, start).await {
        Ok(_) if given => Ok(go(PATH)),
        Ok(_) => {
            let secret = wished.secret.reveal().to_owned();
            answer::page(&DestinationsPage { secret, ..page(&state, &session, &parts) })
        }
        Err(error @ (AdminError::Failed(_) | AdminError::Busy(_))) => Err(ApiError::Admin(error).into()),
        Err(error) => again(&ApiError::Admin(error).says()),
    }
}

/// The destination of a page, for whoever manages it.
fn managed(state: &AppState, session: &Session, name: &str) -> Result<Shown, PageError> {
    session.require(Scopes::ADMIN)?;
    Ok(state.office.find(session.workspace().id, name).map_err(ApiError::Admin)?)
}

/// One, with what it refused.
pub(super) async fn one(
    State(state): State<AppState>,
    session: Session,
    Path(name): Path<String>,
    parts: Parts,
) -> Result<Response, PageError> {
    let shown = managed(&state, &session, &name)?;
    let changed = Query::of(&parts.uri).filled("changed").is_some();
    answer::page(&DestinationPage { changed, ..page_of_one(&state, &session, &parts, &shown).await? })
}

async fn page_of_one(
    state: &AppState,
    session: &Session,
    parts: &Parts,
    shown: &Shown,
) -> Result<DestinationPage, PageError> {
    let page = state.store.letters(shown.follower.id, None, LETTERS_SHOWN).await.map_err(ApiError::Read)?;
    let by_caller = destinations::may_say_where(state, &session.caller(state)?).is_ok();
    Ok(DestinationPage {
        frame: Frame::new(session, parts, &shown.follower.name, PATH),
        row: row(shown),
        wrong: String::new(),
        changed: false,
        facts: facts(&shown.destination),
        may_change: by_caller && shown.destination.origin == Origin::Api,
        form: Filled::of(&shown.destination.wanted()),
        letters: page.letters.iter().map(letter).collect(),
        more: page.next.is_some(),
    })
}

/// What goes there, and how.
fn facts(destination: &Destination) -> Vec<(&'static str, String)> {
    let listed = |names: &[String], all: &str| match names {
        [] => all.to_owned(),
        names if names.len() > FILTER_SHOWN => {
            format!("{} and {} more", names[..FILTER_SHOWN].join(", "), count((names.len() - FILTER_SHOWN) as u64))
        }
        names => names.join(", "),
    };
    let types: Vec<String> = destination.types.iter().map(|kind| kind.as_str().to_owned()).collect();
    vec![
        ("Types", listed(&types, "all")),
        ("Events", listed(&destination.events, "all")),
        ("Accounts", listed(&destination.accounts, "all, and messages of none")),
        ("At most", format!("{} a second", shown::many(u64::from(destination.messages_per_second), "message"))),
        ("A request may take", shown::many(u64::from(destination.timeout_seconds), "second")),
    ]
}

/// Changes where it goes, how fast, and what.
pub(super) async fn change(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Posted { session, fields, parts }: Posted,
) -> Result<Response, PageError> {
    let shown = managed(&state, &session, &name)?;
    destinations::may_say_where(&state, &session.caller(&state)?)?;
    if shown.destination.origin == Origin::File {
        let says = "this destination stands in the settings file; change it there and restart the server";
        return Err(ApiError::parameter(says).into());
    }
    let wished = destination_form::read(&fields, shown.destination.wanted()).and_then(|wanted| {
        Destination::new(wanted, Origin::Api).map_err(|fault| format!("{}: {}", fault.field, fault.says))
    });
    match wished {
        Ok(wished) => {
            state.office.change(shown.follower.id, wished).await.map_err(ApiError::Admin)?;
            Ok(go(&format!("{PATH}/{name}?changed=1")))
        }
        Err(says) => {
            let page = page_of_one(&state, &session, &parts, &shown).await?;
            let page = DestinationPage { wrong: sentence(&says), form: Filled::again(&fields), ..page };
            answer::html(StatusCode::BAD_REQUEST, &page)
        }
    }
}

fn letter(letter: &Letter) -> LetterRow {
    let json = record::decode(&letter.record).map(|message| json::pretty(&message.as_sent()));
    LetterRow {
        at: shown::time(letter.id.kept_at, Form::Ago),
        says: sentence(&letter.reason),
        json: json.unwrap_or_default(),
        resending: letter.due,
    }
}

/// Holds one up, or lets it go on.
pub(super) async fn pause(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Posted { session, fields, .. }: Posted,
) -> Result<Response, PageError> {
    let shown = managed(&state, &session, &name)?;
    let wished = Destination { paused: fields.get("paused") == "yes", ..shown.destination };
    state.office.change(shown.follower.id, wished).await.map_err(ApiError::Admin)?;
    Ok(go(&format!("{PATH}/{name}")))
}

/// Removes one, with everything that waits for it.
pub(super) async fn remove(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Posted { session, .. }: Posted,
) -> Result<Response, PageError> {
    let shown = managed(&state, &session, &name)?;
    destinations::end(&state, &shown).await?;
    Ok(go(PATH))
}

/// Sends all dead letters again.
pub(super) async fn resend(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Posted { session, .. }: Posted,
) -> Result<Response, PageError> {
    let shown = managed(&state, &session, &name)?;
    state.store.resend_letters(shown.follower.id, None).await.map_err(ApiError::Admin)?;
    state.office.hurry(shown.follower.id);
    Ok(go(&format!("{PATH}/{name}")))
}

/// Drops all dead letters.
pub(super) async fn drop_letters(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Posted { session, .. }: Posted,
) -> Result<Response, PageError> {
    let shown = managed(&state, &session, &name)?;
    state.store.drop_letters(shown.follower.id, None).await.map_err(ApiError::Admin)?;
    Ok(go(&format!("{PATH}/{name}")))
}
