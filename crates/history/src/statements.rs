//! What was said of a record, as files have it: pages of what was said of a trait, and the record as it was at an instant.
//!
//! Folding is the model's business; it commutes, so that messages are taken as they lie.

use std::{cmp::Reverse, collections::hash_map::Entry, sync::Arc};

use muster_model::{
    association::{Statement, resolve},
    id::{IdSpace, RecordId},
    kind::{Kind, RecordKind},
    message::Message,
    time::Micros,
};
use muster_store::{
    deletion::Veil,
    error::ReadError,
    past::{TraitPage, TraitQuery, TraitStatement, fold::Fold},
    records::Records,
};
use rustc_hash::FxHashMap;

use super::{
    footers::{Footer, Footers},
    manifest::Segment,
    messages,
    newest::{Newest, offer_newest},
    told::told,
    wanted::TrackHead,
};

/// Messages decoded at a time while a record is folded.
const FOLDED_BATCH: usize = 4_096;

/// A page of what was said of a trait, in the making.
pub struct Statements<'q> {
    query: &'q TraitQuery,
    newest: Newest<TraitStatement>,
}

impl<'q> Statements<'q> {
    /// An empty one.
    pub fn new(query: &'q TraitQuery) -> Self {
        Statements { query, newest: Newest::new(query.limit.max(1)) }
    }

    /// Offers what a message says of the trait, if it says anything and comes after the cursor.
    pub fn offer(&mut self, message: &Message<'_>) {
        offer(message, self.query, &mut self.newest);
    }

    /// Whether something at this instant could still get onto the page.
    pub fn may_take(&self, at: Micros) -> bool {
        self.newest.may_take(at)
    }

    /// Offers what files have. Where more than so many messages have been read the page has to end early, and everything after an
    /// instant was looked at; that instant.
    pub fn offer_files(
        &mut self,
        mut segments: Vec<&Arc<Segment>>,
        footers: &Footers,
        (ids, veil): (IdSpace, &Veil),
        messages_max: usize,
    ) -> Result<Option<Micros>, ReadError> {
        let Statements { query, newest } = self;
        let until = query.from.map_or(Micros::MAX, |from| from.timestamp);
        segments.sort_by_key(|segment| Reverse(segment.last));
        let mut read = 0;
        for segment in segments {
            // No row of a file takes a place later than its timestamp.
            if !newest.may_take(segment.last) {
                continue;
            }
            if read > messages_max && segment.last < until {
                return Ok(Some(segment.last));
            }
            let footer = footers.of(segment)?;
            let mut candidates = Vec::new();
            told(&footer, ids, query.subject, |row| {
                let describes = matches!(row.kind, Kind::Organization | Kind::Account | Kind::User);
                let hidden = veil.hides(query.subject.1, row.reach);
                if describes && !hidden && row.ordered_at <= until && newest.may_take(row.ordered_at) {
                    candidates.push((row.ordered_at, row.number));
                }
                Ok(())
            })?;
            offer_newest(candidates, newest, |numbers, newest| {
                read += numbers.len();
                let messages = messages::read(&footer, numbers, messages::OF_OTHERS)?;
                messages.iter().for_each(|stored| offer(&stored.message(ids), query, newest));
                Ok::<(), ReadError>(())
            })?;
        }
        Ok(None)
    }

    /// The page, which ends after an instant if not everything before it was looked at.
    pub fn into_page(self, complete_after: Option<Micros>) -> TraitPage {
        let (statements, next) = self.newest.into_page(complete_after);
        TraitPage { statements, next }
    }
}

fn offer(message: &Message<'_>, query: &TraitQuery, newest: &mut Newest<TraitStatement>) {
    let Some(statement) = TraitStatement::of(message, query.subject, &query.key) else { return };
    let place = statement.place();
    if query.from.is_none_or(|from| place < from) {
        newest.offer(place, statement);
    }
}

/// Folds in what a file has about a record up to an instant.
///
/// A timestamp may lie later than the place in the order, so no file is left out for its times.
pub fn fold(
    footer: &Footer,
    (ids, veil): (IdSpace, &Veil),
    (kind, id): (RecordKind, RecordId),
    at: Micros,
    fold: &mut Fold,
) -> Result<(), ReadError> {
    let mut numbers = Vec::new();
    told(footer, ids, (kind, id), |row| {
        let hidden = veil.hides(id, row.reach);
        numbers.extend((row.ordered_at <= at && !hidden).then_some(row.number));
        Ok(())
    })?;
    for numbers in numbers.chunks(FOLDED_BATCH) {
        let messages = messages::read(footer, numbers, messages::OF_OTHERS)?;
        let mut left = messages.iter().filter_map(|stored| veil.left(stored.message(ids)));
        left.try_for_each(|message| fold.take(&message))?;
    }
    Ok(())
}

/// Who anonymous ids were, by what was said of them up to an instant.
pub struct Ties<R> {
    records: R,
    ids: IdSpace,
    at: Micros,
    known: FxHashMap<RecordId, Vec<Statement>>,
}

impl<R: Records> Ties<R> {
    /// As they were known at an instant.
    pub fn new(records: R, ids: IdSpace, at: Micros) -> Self {
        Ties { records, ids, at, known: FxHashMap::default() }
    }

    /// Whether a track that may be a user's was one of it, and lies up to the instant.
    pub fn is_of(&mut self, head: &TrackHead<'_>, user: RecordId) -> Result<bool, ReadError> {
        let did_at = head.ordered_at();
        if did_at > self.at {
            return Ok(false);
        }
        let Some(anonymous) = head.anonymous.map(|name| self.ids.record(RecordKind::Anonymous, name)) else {
            return Ok(true);
        };
        let ties = match self.known.entry(anonymous) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let mut ties = self.records.statements(anonymous, RecordKind::User)?;
                ties.retain(|tie| tie.stamp.at <= self.at);
                unknown.insert(ties)
            }
        };
        Ok(resolve(ties, did_at) == Some(user))
    }
}
