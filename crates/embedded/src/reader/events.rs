//! Timelines.
//!
//! Rows that name the subject, or a user or account that may belong to it, are candidates; attribution then decides.
//! Files are read newest first, and no further once the page cannot change.

use std::{cmp::Reverse, sync::Arc};

use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    limits::FUTURE_MICROS_MAX,
    message::{Message, Named},
    profile::{Parent, Span},
    time::Micros,
};
use muster_store::{
    Answer,
    error::ReadError,
    history::{Event, EventCursor, EventPage, EventsQuery, History},
};

use super::{
    attribution::{Attributor, Place, Subject},
    candidates::Sources,
    newest::{Instants, Newest},
};
use crate::{
    engine::{Embedded, Reader},
    error::not_a_record,
    history::{
        manifest::Segment,
        scan::{self, StoredTrack, TrackHead, Wanted},
    },
};

impl History for Embedded {
    fn events(&self, workspace: WorkspaceId, query: EventsQuery) -> Answer<'_, EventPage, ReadError> {
        self.blocking(move |reader| reader.events(workspace, &query))
    }
}

impl Reader {
    fn events(&self, workspace: WorkspaceId, query: &EventsQuery) -> Result<EventPage, ReadError> {
        let mut attributor = Attributor::new(&self.views, workspace, self.id_space(workspace)?);
        let Some(mut wanted) = self.wanted(workspace, query.subject, &mut attributor)? else {
            return Ok(EventPage { events: Vec::new(), next: None });
        };
        wanted.event = query.event.as_deref().map(Into::into);
        wanted.first = query.after;
        let before = query.before.map(|before| before.plus_micros(-1));
        wanted.last = [before, query.from.map(|from| from.timestamp)].into_iter().flatten().min();
        let sources = self.sources(workspace, &wanted)?;
        let mut newest = Newest::new(query.limit.max(1));
        for row in &sources.rows {
            let message = row.message().map_err(not_a_record("an overlay"))?;
            if sources.hides(&head(&message)) {
                continue;
            }
            if !wanted.matches(&head(&message), message.name.as_deref()) || !newest.may_take(message.timestamp) {
                continue;
            }
            let place = attributor.place(subject(&head(&message)))?;
            if belongs(&place, query.subject) && precedes((message.timestamp, message.identity), query.from) {
                newest.offer(event_of_message(&message, place));
            }
        }
        let mut segments: Vec<&Arc<Segment>> = sources.manifest.of(workspace).collect();
        segments.sort_by_key(|segment| Reverse(segment.last));
        for segment in segments {
            let outside = wanted.first.is_some_and(|first| segment.last < first)
                || wanted.last.is_some_and(|last| segment.first > last);
            if !outside && newest.may_take(segment.last) {
                read_segment(segment, &sources, &wanted, query, &mut attributor, &mut newest)?;
            }
        }
        Ok(newest.into_page())
    }

    /// First and last track of an account, from the tracks themselves where the profile cannot tell.
    pub fn account_seen(&self, workspace: WorkspaceId, account: RecordId) -> Result<Span, ReadError> {
        let mut attributor = Attributor::new(&self.views, workspace, self.id_space(workspace)?);
        let profile = attributor.profile(RecordKind::Account, account)?;
        let Some(body) = profile.as_ref().and_then(|profile| profile.as_account()) else { return Ok(Span::default()) };
        if !body.seen_stale {
            return Ok(body.seen);
        }
        let Some(wanted) = self.wanted(workspace, (RecordKind::Account, account), &mut attributor)? else {
            return Ok(Span::default());
        };
        let mut seen = Span::default();
        let mut take = |head: &TrackHead<'_>| {
            let track = subject(head);
            if belongs(&attributor.place(track)?, (RecordKind::Account, account)) {
                seen.take_in(track.at);
            }
            Ok(())
        };
        let sources = self.sources(workspace, &wanted)?;
        for row in &sources.rows {
            let message = row.message().map_err(not_a_record("an overlay"))?;
            if !sources.hides(&head(&message)) {
                take(&head(&message))?;
            }
        }
        for segment in sources.manifest.of(workspace) {
            scan::heads(segment, &wanted, |_, head| if sources.hides(&head) { Ok(()) } else { take(&head) })?;
        }
        Ok(seen)
    }
}

/// Offers what a file has. Only rows that may get onto the page are read whole.
fn read_segment(
    segment: &Arc<Segment>,
    sources: &Sources,
    wanted: &Wanted,
    query: &EventsQuery,
    attributor: &mut Attributor<'_>,
    newest: &mut Newest,
) -> Result<(), ReadError> {
    let mut candidates: Vec<(u64, Micros, Place)> = Vec::new();
    let mut instants = Instants::new(query.limit.max(1) + 1);
    let at_cursor = query.from.map(|from| from.timestamp);
    scan::heads(segment, wanted, |number, head| {
        if newest.may_take(head.timestamp) && head.timestamp >= instants.threshold() && !sources.hides(&head) {
            let place = attributor.place(subject(&head))?;
            if belongs(&place, query.subject) {
                // Some of those at the cursor's very instant come before it; they must not push others out.
                if Some(head.timestamp) != at_cursor {
                    instants.note(head.timestamp);
                }
                candidates.push((number, head.timestamp, place));
            }
        }
        Ok(())
    })?;
    let threshold = instants.threshold();
    candidates.retain(|(_, at, _)| *at >= threshold);
    let numbers: Vec<u64> = candidates.iter().map(|(number, _, _)| *number).collect();
    if numbers.is_empty() {
        return Ok(());
    }
    for (track, (_, _, place)) in scan::tracks(segment, &numbers)?.into_iter().zip(candidates) {
        if precedes((track.timestamp, track.identity), query.from) {
            newest.offer(event_of_track(track, place));
        }
    }
    Ok(())
}

/// Whether an event comes after the cursor in a list that runs from new to old.
fn precedes((timestamp, identity): (Micros, muster_model::id::Identity), from: Option<EventCursor>) -> bool {
    from.is_none_or(|from| EventCursor { timestamp, identity } < from)
}

fn belongs(place: &Place, (kind, id): (RecordKind, RecordId)) -> bool {
    let is = |parent: &Option<Parent>| parent.as_ref().is_some_and(|parent| parent.id == id);
    match kind {
        RecordKind::User => is(&place.user),
        RecordKind::Account => is(&place.account),
        RecordKind::Organization => is(&place.organization),
        RecordKind::Instance | RecordKind::CustomObject | RecordKind::NpsResponse => false,
    }
}

fn head<'m>(message: &'m Message<'_>) -> TrackHead<'m> {
    fn text<'m>(named: &'m Option<Named<'_>>) -> Option<&'m str> {
        named.as_ref().map(|named| named.external_id.as_ref())
    }
    TrackHead {
        timestamp: message.timestamp,
        received_at: message.received_at,
        user: text(&message.user),
        account: text(&message.account),
        organization: text(&message.organization),
    }
}

fn subject<'h>(head: &TrackHead<'h>) -> Subject<'h> {
    let at = head.timestamp.min(head.received_at.plus_micros(FUTURE_MICROS_MAX));
    Subject { user: head.user, account: head.account, organization: head.organization, at }
}

fn event_of_message(message: &Message<'_>, place: Place) -> Event {
    Event {
        identity: message.identity,
        timestamp: message.timestamp,
        received_at: message.received_at,
        name: message.name.as_deref().unwrap_or_default().to_owned(),
        message_id: message.message_id.as_deref().map(str::to_owned),
        user: place.user,
        account: place.account,
        organization: place.organization,
        properties: message.data.to_owned(),
    }
}

fn event_of_track(track: StoredTrack, place: Place) -> Event {
    Event {
        identity: track.identity,
        timestamp: track.timestamp,
        received_at: track.received_at,
        name: track.event,
        message_id: track.message_id,
        user: place.user,
        account: place.account,
        organization: place.organization,
        properties: track.properties,
    }
}
