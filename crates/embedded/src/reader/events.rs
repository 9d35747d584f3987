//! Timelines.
//!
//! Rows that name the subject, or a user or account that may belong to it, are candidates; attribution then decides.
//! Files are looked through newest first, and no further once the page cannot change. Of those whose times overlap the candidates are
//! gathered first, so that no more rows are read whole than get onto the page, however many files there are.

use std::{cmp::Reverse, sync::Arc};

use muster_model::{
    id::{IdSpace, Identity, RecordId, WorkspaceId},
    kind::RecordKind,
    message::{Message, Named},
    profile::Span,
    time::Micros,
};
use muster_store::{
    Answer,
    attribution::Subject,
    error::ReadError,
    history::{Event, EventCursor, EventPage, EventsQuery, History},
    lists::kept_seen,
    record,
};

use super::newest::{Newest, offer_newest};
use crate::{
    engine::{Embedded, Reader},
    error::not_a_record,
    history::{
        footers::Footer,
        manifest::Segment,
        messages,
        scan::Filter,
        wanted::{TrackHead, Wanted, heads},
    },
    overlay::SharedRows,
    records::{Attributor, Now},
};

impl History for Embedded {
    fn events(&self, workspace: WorkspaceId, query: EventsQuery) -> Answer<'_, EventPage, ReadError> {
        self.blocking(move |reader| reader.events(workspace, &query))
    }
}

impl Reader {
    fn events(&self, workspace: WorkspaceId, query: &EventsQuery) -> Result<EventPage, ReadError> {
        let ids = self.id_space(workspace)?;
        let mut attributor = Attributor::new(Now { views: &self.views, workspace }, ids);
        let Some(mut wanted) = self.wanted(workspace, query.subject, &mut attributor)? else {
            return Ok(EventPage { events: Vec::new(), next: None });
        };
        wanted.event = query.event.as_deref().map(Into::into);
        wanted.first = query.after;
        let before = query.before.map(|before| before.plus_micros(-1));
        wanted.last = [before, query.from.map(|from| from.timestamp)].into_iter().flatten().min();
        let sources = self.sources(workspace, &mut wanted);
        let newest = Newest::new(query.limit.max(1));
        let mut page = Timeline { query, newest, attributor, ids, files: Vec::new(), candidates: Vec::new() };
        for rows in &sources.rows {
            page.offer_rows(rows, &wanted)?;
        }
        let filter = wanted.filter();
        let mut segments: Vec<&Arc<Segment>> = sources.manifest.of(workspace).collect();
        segments.sort_by_key(|segment| Reverse(segment.last));
        let rows_max = self.options.scan_max as u64 * SCANS;
        let mut rows_read = 0;
        for segment in segments {
            let outside = wanted.first.is_some_and(|first| segment.last < first)
                || wanted.last.is_some_and(|last| segment.first > last);
            if outside {
                continue;
            }
            if page.may_be_full_before(segment.last) {
                page.settle()?;
            }
            if !page.newest.may_take(segment.last) {
                continue;
            }
            // Files that reach up to where the page starts are read in any case, so that every page gets further.
            if rows_read > rows_max && wanted.last.is_none_or(|last| segment.last < last) {
                page.settle()?;
                return Ok(page.into_page(Some(segment.last)));
            }
            rows_read += page.look_through(self.footer(segment)?, (&wanted, &filter))?;
        }
        page.settle()?;
        Ok(page.into_page(None))
    }

    /// First and last track of an account or a user, from the tracks themselves where the profile cannot tell.
    pub fn seen(&self, workspace: WorkspaceId, record: (RecordKind, RecordId)) -> Result<Span, ReadError> {
        let ids = self.id_space(workspace)?;
        let mut attributor = Attributor::new(Now { views: &self.views, workspace }, ids);
        let Some(profile) = attributor.profile(record.0, record.1)? else { return Ok(Span::default()) };
        if let (seen, true) = kept_seen(&profile) {
            return Ok(seen);
        }
        let Some(mut wanted) = self.wanted(workspace, record, &mut attributor)? else {
            return Ok(Span::default());
        };
        let mut seen = Span::default();
        let mut take = |head: &TrackHead<'_>| {
            let track = subject(head);
            if attributor.place(track)?.belongs_to(record) {
                seen.take_in(track.at);
            }
            Ok(())
        };
        let sources = self.sources(workspace, &mut wanted);
        for row in sources.rows.iter().flat_map(SharedRows::iter) {
            let message = record::decode(row).map_err(not_a_record("an overlay"))?;
            if wanted.matches(&message) {
                take(&head(&message))?;
            }
        }
        let filter = wanted.filter();
        for segment in sources.manifest.of(workspace) {
            heads(&*self.footer(segment)?, ids, (&wanted, &filter), |_, head| take(&head))?;
        }
        Ok(seen)
    }
}

/// How many times the rows of a scan a page of a timeline may cost before it ends early.
const SCANS: u64 = 10;

/// A page of a timeline in the making.
struct Timeline<'q, 'v> {
    query: &'q EventsQuery,
    newest: Newest<Event>,
    attributor: Attributor<'v>,
    ids: IdSpace,
    /// Files that were looked through, and rows of theirs that may belong: the instant, which file, which row.
    files: Vec<Arc<Footer>>,
    candidates: Vec<(Micros, (usize, u64))>,
}

/// Rows that wait to be looked at more closely before some of them are.
const CANDIDATES_MAX: usize = 1 << 19;

impl Timeline<'_, '_> {
    /// Offers what an overlay has.
    fn offer_rows(&mut self, rows: &SharedRows, wanted: &Wanted) -> Result<(), ReadError> {
        let mut candidates: Vec<(Micros, u64)> = Vec::new();
        for (place, at) in rows.timestamps().enumerate() {
            if wanted.in_time(at) {
                candidates.push((at, place as u64));
            }
        }
        let Timeline { query, newest, attributor, .. } = self;
        offer_newest(candidates, newest, |places, newest| {
            for place in places {
                let message = record::decode(rows.get(*place as usize)).map_err(not_a_record("an overlay"))?;
                if wanted.matches(&message) {
                    offer(&message, query, attributor, newest)?;
                }
            }
            Ok(())
        })
    }

    /// Whether candidates may fill the page with what is newer than an instant.
    fn may_be_full_before(&self, at: Micros) -> bool {
        let newer = self.candidates.iter().filter(|(candidate, _)| *candidate > at).count();
        newer > 0 && newer + self.newest.held() > self.query.limit
    }

    /// Takes down what a file has for candidates. Returns how many rows were looked at.
    fn look_through(&mut self, footer: Arc<Footer>, (wanted, filter): (&Wanted, &Filter)) -> Result<u64, ReadError> {
        let Timeline { newest, candidates, ids, files, .. } = self;
        let file = files.len();
        let rows = heads(&footer, *ids, (wanted, filter), |number, head| {
            if newest.may_take(head.timestamp) {
                candidates.push((head.timestamp, (file, number)));
            }
            Ok(())
        })?;
        files.push(footer);
        if self.candidates.len() > CANDIDATES_MAX {
            self.settle()?;
        }
        Ok(rows)
    }

    /// Offers the candidates, of which only those that may get onto the page are read whole.
    fn settle(&mut self) -> Result<(), ReadError> {
        let candidates = std::mem::take(&mut self.candidates);
        let Timeline { query, newest, attributor, ids, files, .. } = self;
        offer_newest(candidates, newest, |places, newest| {
            for of_file in places.chunk_by(|(one, _), (other, _)| one == other) {
                let numbers: Vec<u64> = of_file.iter().map(|(_, number)| *number).collect();
                let messages = messages::read(&files[of_file[0].0], &numbers, messages::OF_TRACKS)?;
                messages.iter().try_for_each(|stored| offer(&stored.message(*ids), query, attributor, newest))?;
            }
            Ok(())
        })?;
        files.clear();
        Ok(())
    }

    fn into_page(self, complete_after: Option<Micros>) -> EventPage {
        let (events, next) = self.newest.into_page(complete_after);
        EventPage { events, next }
    }
}

/// Offers a track if it belongs to the subject and comes after the cursor.
fn offer(
    message: &Message<'_>,
    query: &EventsQuery,
    attributor: &mut Attributor<'_>,
    newest: &mut Newest<Event>,
) -> Result<(), ReadError> {
    let place = attributor.place(Subject::of(message))?;
    if place.belongs_to(query.subject) && precedes((message.timestamp, message.identity), query.from) {
        let cursor = EventCursor { timestamp: message.timestamp, identity: message.identity };
        newest.offer(cursor, Event::of(message, place));
    }
    Ok(())
}

/// Whether an event comes after the cursor in a list that runs from new to old.
fn precedes((timestamp, identity): (Micros, Identity), from: Option<EventCursor>) -> bool {
    from.is_none_or(|from| EventCursor { timestamp, identity } < from)
}

pub(super) fn head<'m>(message: &'m Message<'_>) -> TrackHead<'m> {
    fn text<'m>(named: &'m Option<Named<'_>>) -> Option<&'m str> {
        named.as_ref().map(|named| named.external_id.as_ref())
    }
    TrackHead {
        timestamp: message.timestamp,
        received_at: message.received_at,
        user: text(&message.user),
        anonymous: text(&message.anonymous),
        account: text(&message.account),
        organization: text(&message.organization),
    }
}

fn subject<'h>(head: &TrackHead<'h>) -> Subject<'h> {
    let TrackHead { user, anonymous, account, organization, .. } = *head;
    Subject { user, anonymous, account, organization, at: head.ordered_at() }
}
