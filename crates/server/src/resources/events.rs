//! Timelines: the events of a user, an account or an organization, newest first.

use axum::{extract::State, http::Uri, response::Response};
use muster_model::{id::Identity, kind::RecordKind};
use muster_store::history::{Event, EventCursor, EventsQuery};

use super::{
    answer::{self, page},
    cursor::{ListName, Place},
    query::Query,
    records::{PathId, Reader, find},
};
use crate::{error::ApiError, state::AppState, wire::event};

/// Events on one page.
const PAGE_EVENTS_MAX: usize = 1_000;

/// Answers a page of the timeline of a record of this kind.
pub(super) async fn list(
    kind: RecordKind,
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let parameters = Query::of(&uri);
    let (after, before) = (parameters.instant("after")?, parameters.instant("before")?);
    let event_name = parameters.filled("event");
    let limit = parameters.limit(PAGE_EVENTS_MAX)?;
    let subject = find(&state, &workspace, kind, &id).await?.id;
    let bounds = format!("{after:?} {before:?}");
    let list = ListName::new(
        workspace.id,
        &["events", kind.as_str(), &subject.to_string(), event_name.unwrap_or(""), &bounds],
    );
    let from = list.read(parameters.get("from"))?;
    let query = EventsQuery {
        subject: (kind, subject),
        event: event_name.map(str::to_owned),
        after,
        before,
        from: from.map(|place| EventCursor { timestamp: place.at, identity: Identity(place.id) }),
        limit,
    };
    let found = state.store.events(workspace.id, query).await.map_err(ApiError::Read)?;
    let cursor = move |at: EventCursor| list.write(Place { at: at.timestamp, id: at.identity.0 });
    let weight = found.events.iter().map(|event| 256 + event.properties.len()).sum();
    let bytes_max = state.settings.page_bytes_max;
    let write = move || {
        let after = |event: &Event| cursor(EventCursor { timestamp: event.timestamp, identity: event.identity });
        page(&found.events, found.next.map(&cursor), bytes_max, event::write, after)
    };
    answer::write(&state, weight, write).await
}
