//! Messages as they arrive, told over server-sent events.
//!
//! The page shows what the script adds to it. A stream ends when the server is asked to stop, and when whoever watches is
//! no longer let in.

use std::{convert::Infallible, time::Duration};

use askama::Template;
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use futures_util::stream;
use muster_model::kind::Kind;
use muster_store::credentials::Workspace;
use serde_json::json;
use tokio::{sync::broadcast::error::RecvError, time::Instant};

use super::{
    answer::{self, PageError},
    frame::Frame,
    json::pretty,
    link,
    session::Session,
    who::Names,
};
use crate::{
    error::ApiError,
    feed::{Told, WAYS, Watcher},
    state::AppState,
};

/// How often a watcher is looked after: what was lost, and whether it may go on.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a stream may be silent, so that nobody in between takes it for dead.
const SILENT_MAX: Duration = Duration::from_secs(15);

#[derive(Template)]
#[template(path = "live.html")]
struct LivePage {
    frame: Frame,
    keys: Vec<String>,
    /// What a message may be called: its type, or the way it came where it has none.
    kinds: Vec<&'static str>,
}

/// The page.
pub(super) async fn show(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    let frame = Frame::new(&session, &parts, "Live", "/live");
    let kinds = Kind::ALL.iter().map(|kind| kind.as_str()).chain(WAYS).collect();
    answer::page(&LivePage { frame, keys: keys(&state, session.workspace()), kinds })
}

/// What those are called who may send something to a workspace, to filter by.
pub(super) fn keys(state: &AppState, workspace: &Workspace) -> Vec<String> {
    Names::of(state, workspace).acting()
}

/// A stream of events.
struct Watching {
    state: AppState,
    session: Session,
    watcher: Watcher,
    /// What keys and members are called, as far as they were met.
    names: Names,
    look_at: Instant,
    silent_since: Instant,
}

/// Answers a stream of what becomes of messages from now on.
pub(super) async fn events(
    State(state): State<AppState>,
    session: Result<Session, PageError>,
) -> Result<Response, PageError> {
    // A stream is no page: whoever is signed out is told so, and not led to a form that no stream can show.
    let session = match session {
        Err(PageError::SignedOut { .. }) => {
            let says = "nobody is signed in; open /signin".to_owned();
            return Err(PageError::Told { status: StatusCode::UNAUTHORIZED, says });
        }
        session => session?,
    };
    let watcher = state.feed.watch(session.workspace().id).ok_or(ApiError::WatchersFull)?;
    let now = Instant::now();
    let watching =
        Watching { state, session, watcher, names: Names::default(), look_at: now + LOOK_EVERY, silent_since: now };
    let mut response = Response::new(Body::from_stream(stream::unfold(watching, next)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The next event, or the end.
async fn next(mut watching: Watching) -> Option<(Result<Bytes, Infallible>, Watching)> {
    loop {
        let mut text = String::new();
        tokio::select! {
            told = watching.watcher.told.recv() => match told {
                Ok(told) => text = event(&mut watching, &told),
                Err(RecvError::Lagged(missed)) => text = lost(missed),
                Err(RecvError::Closed) => return None,
            },
            () = tokio::time::sleep_until(watching.look_at) => {
                watching.look_at = Instant::now() + LOOK_EVERY;
                if watching.state.is_draining() || !watching.session.still_stands(&watching.state) {
                    return None;
                }
                match watching.watcher.lost() {
                    0 if watching.silent_since.elapsed() >= SILENT_MAX => text.push_str(": nothing happened\n\n"),
                    0 => {}
                    missed => text = lost(missed),
                }
            }
        }
        if !text.is_empty() {
            watching.silent_since = Instant::now();
            return Some((Ok(Bytes::from(text)), watching));
        }
    }
}

fn lost(missed: u64) -> String {
    format!("event: lost\ndata: {missed}\n\n")
}

fn event(watching: &mut Watching, told: &Told) -> String {
    if told.key_id != 0 && !watching.names.knows(told.key_id) {
        watching.names = Names::of(&watching.state, watching.session.workspace());
    }
    let ids: Vec<&str> = told.records.iter().map(|one| one.external_id.as_str()).collect();
    let records = told.records.iter().map(|one| {
        json!({"label": format!("{} {}", one.kind.as_str(), one.external_id), "href": link::record(one.kind, &one.external_id, one.id)})
    });
    let data = json!({
        "at": told.at.to_millis_text(),
        "outcome": told.outcome,
        "type": told.kind,
        "what": told.what,
        "ids": ids.join(" · "),
        "key": watching.names.name(told.key_id),
        "took": (told.took.as_micros() as u64).div_ceil(100) as f64 / 10.0,
        "body": pretty(&told.body),
        "why": told.why,
        "records": records.collect::<Vec<_>>(),
    });
    format!("data: {data}\n\n")
}
