//! Pages of timelines.
//!
//! Whatever may belong to the subject is a candidate; attribution then decides. Files are looked through newest first, and no
//! further once the page cannot change. Of those whose times overlap the candidates are gathered first, so that no more rows
//! are read whole than get onto the page, however many files there are.

use std::{cmp::Reverse, sync::Arc};

use muster_model::{
    id::{IdSpace, Identity},
    message::Message,
    time::Micros,
};
use muster_store::{
    attribution::{Attributor, Subject},
    error::ReadError,
    history::{Event, EventCursor, EventPage, EventsQuery},
    records::Records,
};

use super::{
    footers::{Footer, Footers},
    manifest::Segment,
    messages,
    newest::{Newest, offer_newest},
    scan::Filter,
    wanted::{Wanted, heads},
};

/// Rows that wait to be looked at more closely before some of them are.
const CANDIDATES_MAX: usize = 1 << 19;

/// A page of a timeline in the making.
pub struct Timeline<'q, R> {
    query: &'q EventsQuery,
    newest: Newest<Event>,
    attributor: Attributor<R>,
    ids: IdSpace,
    /// Files that were looked through, and rows of theirs that may belong: the instant, which file, which row.
    files: Vec<Arc<Footer>>,
    candidates: Vec<(Micros, (usize, u64))>,
}

impl<'q, R: Records> Timeline<'q, R> {
    /// An empty one.
    pub fn new(query: &'q EventsQuery, attributor: Attributor<R>, ids: IdSpace) -> Self {
        let newest = Newest::new(query.limit.max(1));
        Timeline { query, newest, attributor, ids, files: Vec::new(), candidates: Vec::new() }
    }

    /// Narrows what is wanted to what the query asks for.
    pub fn narrow(query: &EventsQuery, wanted: &mut Wanted) {
        wanted.event = query.event.as_deref().map(Into::into);
        wanted.first = query.after;
        let before = query.before.map(|before| before.plus_micros(-1));
        wanted.last = [before, query.from.map(|from| from.timestamp)].into_iter().flatten().min();
    }

    /// Offers messages that can be read one by one, by the instant of each.
    pub fn offer_some<'m, P: Ord>(
        &mut self,
        candidates: Vec<(Micros, P)>,
        wanted: &Wanted,
        read: impl Fn(&P) -> Result<Message<'m>, ReadError>,
    ) -> Result<(), ReadError> {
        let Timeline { query, newest, attributor, .. } = self;
        offer_newest(candidates, newest, |places, newest| {
            for place in places {
                let message = read(place)?;
                if wanted.matches(&message) {
                    offer(&message, query, attributor, newest)?;
                }
            }
            Ok(())
        })
    }

    /// Offers a message.
    pub fn offer(&mut self, message: &Message<'_>, wanted: &Wanted) -> Result<(), ReadError> {
        match wanted.matches(message) {
            true => offer(message, self.query, &mut self.attributor, &mut self.newest),
            false => Ok(()),
        }
    }

    /// Whether something at this instant could still get onto the page.
    pub fn may_take(&self, at: Micros) -> bool {
        self.newest.may_take(at)
    }

    /// Offers what files have. Where so many rows have been read that the page has to end early, everything after an instant was
    /// looked at; that instant.
    pub fn offer_files(
        &mut self,
        mut segments: Vec<&Arc<Segment>>,
        footers: &Footers,
        wanted: &Wanted,
        rows_max: u64,
    ) -> Result<Option<Micros>, ReadError> {
        let filter = wanted.filter();
        segments.sort_by_key(|segment| Reverse(segment.last));
        let mut rows_read = 0;
        for segment in segments {
            let outside = wanted.first.is_some_and(|first| segment.last < first)
                || wanted.last.is_some_and(|last| segment.first > last);
            if outside {
                continue;
            }
            if self.may_be_full_before(segment.last) {
                self.settle()?;
            }
            if !self.newest.may_take(segment.last) {
                continue;
            }
            // Files that reach up to where the page starts are read in any case, so that every page gets further.
            if rows_read > rows_max && wanted.last.is_none_or(|last| segment.last < last) {
                self.settle()?;
                return Ok(Some(segment.last));
            }
            rows_read += self.look_through(footers.of(segment)?, (wanted, &filter))?;
        }
        self.settle()?;
        Ok(None)
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

    /// The page, which ends after an instant if not everything before it was looked at.
    pub fn into_page(self, complete_after: Option<Micros>) -> EventPage {
        let (events, next) = self.newest.into_page(complete_after);
        EventPage { events, next }
    }
}

/// Offers a track if it belongs to the subject and comes after the cursor.
fn offer<R: Records>(
    message: &Message<'_>,
    query: &EventsQuery,
    attributor: &mut Attributor<R>,
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
