//! One answer: what comes after a place, for a while.
//!
//! Lines of messages, and after each piece a line with the position that it leads to; in silence such a line comes now and
//! then. A reader that takes slowly holds up one page. The answer ends by itself, so that the next request says what the reader has.

use std::time::{Duration, Instant};

use axum::{
    Extension,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use muster_query::{ExportForm, Out, QueryError, Stop, followed};
use muster_store::{
    credentials::Workspace,
    error::ReadError,
    follow::{Follower, Following, PageLimit},
    scan::Wanted,
};

use super::{
    super::{
        answer::{Ending, stream_at},
        export,
    },
    kept::{self, position_line},
    seats::Seated,
};
use crate::{
    error::ApiError,
    keys::{Caller, unread},
    resources::{query::Query, records::PathId},
    state::AppState,
};

/// What is read at a time.
const PAGE: PageLimit = PageLimit { messages: 2_000, bytes: 2 << 20 };
/// How long an answer goes on, and after how many bytes it ends. When messages come faster than they are taken it ends at
/// twice the time.
pub(super) const ANSWER_SECONDS_MAX: u64 = 30;
const ANSWER_TIME_MAX: Duration = Duration::from_secs(ANSWER_SECONDS_MAX);
const ANSWER_BYTES_MAX: usize = 128 << 20;
/// How long a reader may take its last page; then it is taken for gone.
const TAKING_TIME_MAX: Duration = Duration::from_secs(300);
/// How often is looked whether to go on.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long it may be silent after lines, so that a reader keeps the place that the last of them led to.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// How long an answer may be silent, so that nobody in between takes it for dead.
const SILENT_MAX: Duration = Duration::from_secs(10);

/// Answers with what comes after a place.
pub(super) async fn answer(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(name): PathId,
    request: Request,
) -> Result<Response, Response> {
    let (head, body) = request.into_parts();
    let parameters = Query::of(&head.uri);
    let asked = async {
        let workspace = caller.workspace(&state, &parameters)?;
        let wanted = export::wanted(&parameters)?;
        let position = parameters.filled("position");
        let place = position.and_then(kept::parse_position).ok_or_else(|| {
            ApiError::parameter("position must be the last one that an export of this tail, or this path, has told")
        })?;
        begin(&state, &workspace, &name, (wanted, place, goes_on(&parameters)?)).await
    };
    asked.await.map_err(|error: ApiError| unread(body, error.into_response()))
}

/// How long the answer is to go on.
fn goes_on(parameters: &Query) -> Result<Duration, ApiError> {
    let seconds = parameters.whole("seconds", 0..=ANSWER_SECONDS_MAX)?;
    Ok(seconds.map_or(ANSWER_TIME_MAX, Duration::from_secs))
}

async fn begin(
    state: &AppState,
    workspace: &Workspace,
    name: &str,
    (wanted, place, goes_on): (Wanted, Vec<u8>, Duration),
) -> Result<Response, ApiError> {
    let follower = kept::find(&*state.store, workspace, name)?;
    let stop = Stop::after(2 * ANSWER_TIME_MAX + TAKING_TIME_MAX);
    let (asked, told) = (state.clone(), stop.clone());
    let opened = tokio::task::spawn_blocking(move || open(&asked, follower, &place, &told));
    let tour = opened.await.map_err(|_| ApiError::Internal)??;
    let asked = state.clone();
    stream_at(state, (), stop, ExportForm::Ndjson.media_type(), Ending::BrokenOff, move |stop, out| {
        tour.run(&asked, &wanted, (goes_on, &stop), out)
    })
    .await
}

/// A reader at its place.
struct Tour {
    follower: Follower,
    following: Box<dyn Following>,
    _seated: Seated,
}

/// Opens a tail at a place, once nobody else reads it.
fn open(state: &AppState, follower: Follower, place: &[u8], stop: &Stop) -> Result<Tour, ApiError> {
    let seated = state.seats.sit(&*state.store, follower.id, stop).ok_or(ApiError::TailTaken)?;
    let gone = |error: ReadError| match is_there(state, &follower) {
        true => ApiError::Read(error),
        false => ApiError::NoSuchTail,
    };
    let mut following = state.store.follow(follower.id).map_err(gone)?;
    if !following.go_to(place).map_err(gone)? {
        return Err(ApiError::PlaceGone);
    }
    Ok(Tour { follower, following, _seated: seated })
}

fn is_there(state: &AppState, follower: &Follower) -> bool {
    state.store.followers().iter().any(|known| known.id == follower.id)
}

impl Tour {
    fn run(
        mut self,
        state: &AppState,
        wanted: &Wanted,
        until: (Duration, &Stop),
        out: &mut dyn Out,
    ) -> Result<(), QueryError> {
        match self.go_on(state, wanted, until, out) {
            // Whoever reads hears of it with the next request.
            Err(QueryError::Read(_)) if !is_there(state, &self.follower) => Ok(()),
            ended => ended,
        }
    }

    fn go_on(
        &mut self,
        state: &AppState,
        wanted: &Wanted,
        (goes_on, stop): (Duration, &Stop),
        out: &mut dyn Out,
    ) -> Result<(), QueryError> {
        let (began, mut said_at) = (Instant::now(), Instant::now());
        self.say(Vec::new(), out)?;
        let (mut bytes, mut said, mut silent_max) = (0, self.following.place(), SILENT_MAX);
        loop {
            let page = self.following.read(PAGE)?;
            let mut lines = Vec::new();
            followed(&page.records, wanted, &mut lines)?;
            self.following.settle(page.records.len(), Vec::new(), false)?;
            bytes += lines.len();
            let at_end = !page.more && began.elapsed() >= goes_on;
            let ends = at_end
                || bytes >= ANSWER_BYTES_MAX
                || began.elapsed() >= 2 * ANSWER_TIME_MAX
                || stop.reason().is_some()
                || state.is_draining();
            let moved = ends && self.following.place() != said;
            if !lines.is_empty() || moved || said_at.elapsed() >= silent_max {
                silent_max = if lines.is_empty() { SILENT_MAX } else { SETTLED_AFTER };
                (said_at, said) = (Instant::now(), self.following.place());
                self.say(lines, out)?;
            }
            if ends {
                return Ok(());
            }
            if !page.more {
                self.following.wait(LOOK_EVERY.min(goes_on.saturating_sub(began.elapsed())));
            }
        }
    }

    /// Hands out lines and the position that they lead to.
    fn say(&self, mut lines: Vec<u8>, out: &mut dyn Out) -> Result<(), QueryError> {
        position_line(&self.following.place(), &mut lines);
        out.take(lines).map_err(|_| QueryError::Cancelled)
    }
}
