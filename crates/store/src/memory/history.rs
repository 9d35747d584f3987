//! Reading what happened.

use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::Parent,
};

use super::MemoryStore;
use crate::{
    Answer,
    error::ReadError,
    history::{Event, EventCursor, EventPage, EventsQuery, History},
};

impl History for MemoryStore {
    fn events(&self, workspace: WorkspaceId, query: EventsQuery) -> Answer<'_, EventPage, ReadError> {
        Box::pin(async move {
            let folded = self.folded(workspace);
            let mut found = folded.events.iter().filter(|event| is_wanted(event, &query));
            let events: Vec<Event> = found.by_ref().take(query.limit.max(1)).cloned().collect();
            let next = if found.next().is_some() { events.last().map(place) } else { None };
            Ok(EventPage { events, next })
        })
    }
}

fn is_wanted(event: &Event, query: &EventsQuery) -> bool {
    belongs(event, query.subject)
        && query.event.as_ref().is_none_or(|name| event.name == *name)
        && query.after.is_none_or(|after| event.timestamp >= after)
        && query.before.is_none_or(|before| event.timestamp < before)
        && query.from.is_none_or(|from| place(event) < from)
}

/// Whether an event belongs to a record.
pub fn belongs(event: &Event, (kind, id): (RecordKind, RecordId)) -> bool {
    let is = |parent: &Option<Parent>| parent.as_ref().is_some_and(|parent| parent.id == id);
    match kind {
        RecordKind::User => is(&event.user),
        RecordKind::Account => is(&event.account),
        RecordKind::Organization => is(&event.organization),
        RecordKind::Instance | RecordKind::CustomObject | RecordKind::NpsResponse | RecordKind::Anonymous => false,
    }
}

fn place(event: &Event) -> EventCursor {
    EventCursor { timestamp: event.timestamp, identity: event.identity }
}
