//! What was said of a trait, and what was true of a record at an instant.
//!
//! Both read the messages that tell of one record, from memory and from files. Folding them is the model's business; it
//! commutes, so that they are taken as they lie.

use std::{cmp::Reverse, collections::hash_map::Entry, sync::Arc};

use muster_model::{
    association::{Statement, resolve},
    id::{RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    message::Message,
    profile::{Profile, Span},
    time::Micros,
};
use muster_store::{
    Answer,
    error::ReadError,
    past::{Past, TraitPage, TraitQuery, TraitStatement, fold::Fold},
    record,
};
use rustc_hash::FxHashMap;

use super::{
    events::head,
    newest::{Newest, offer_newest},
};
use crate::{
    engine::{Embedded, Reader},
    error::not_a_record,
    history::{
        manifest::Segment,
        messages,
        told::{self, told},
        wanted::{TrackHead, heads},
    },
    keys::ProfileKey,
    overlay::SharedRows,
    records::{Attributor, Now},
    views::Views,
};

impl Past for Embedded {
    fn trait_history(&self, workspace: WorkspaceId, query: TraitQuery) -> Answer<'_, TraitPage, ReadError> {
        self.blocking(move |reader| reader.trait_history(workspace, &query))
    }

    fn as_of(
        &self,
        workspace: WorkspaceId,
        subject: (RecordKind, RecordId),
        at: Micros,
    ) -> Answer<'_, Option<Arc<Profile>>, ReadError> {
        self.blocking(move |reader| reader.as_of(workspace, subject, at))
    }
}

impl Reader {
    fn trait_history(&self, workspace: WorkspaceId, query: &TraitQuery) -> Result<TraitPage, ReadError> {
        let ids = self.id_space(workspace)?;
        let sources = self.sources_of(workspace, &[ProfileKey::new(workspace, query.subject.0, query.subject.1)]);
        let until = query.from.map_or(Micros::MAX, |from| from.timestamp);
        let mut newest = Newest::new(query.limit.max(1));
        let page = |(statements, next)| TraitPage { statements, next };
        for row in sources.rows.iter().flat_map(SharedRows::iter) {
            offer(&record::decode(row).map_err(not_a_record("an overlay"))?, query, &mut newest);
        }
        let mut segments: Vec<&Arc<Segment>> = sources.manifest.of(workspace).collect();
        segments.sort_by_key(|segment| Reverse(segment.last));
        let mut read = 0;
        for segment in segments {
            // No row of a file takes a place later than its timestamp.
            if !newest.may_take(segment.last) {
                continue;
            }
            if read > self.options.scan_max && segment.last < until {
                return Ok(page(newest.into_page(Some(segment.last))));
            }
            let footer = self.footer(segment)?;
            let mut candidates = Vec::new();
            told(&footer, ids, query.subject, |row| {
                let describes = matches!(row.kind, Kind::Organization | Kind::Account | Kind::User);
                let hidden = sources.veil.hides(query.subject.1, row.reach);
                if describes && !hidden && row.ordered_at <= until && newest.may_take(row.ordered_at) {
                    candidates.push((row.ordered_at, row.number));
                }
                Ok(())
            })?;
            offer_newest(candidates, &mut newest, |numbers, newest| {
                read += numbers.len();
                let messages = messages::read(&footer, numbers, messages::OF_OTHERS)?;
                messages.iter().for_each(|stored| offer(&stored.message(ids), query, newest));
                Ok::<(), ReadError>(())
            })?;
        }
        Ok(page(newest.into_page(None)))
    }

    fn as_of(
        &self,
        workspace: WorkspaceId,
        (kind, id): (RecordKind, RecordId),
        at: Micros,
    ) -> Result<Option<Arc<Profile>>, ReadError> {
        let key = ProfileKey::new(workspace, kind, id);
        let (Some(now), Some(_)) = (self.views.profile(&key)?, told::way(kind)) else { return Ok(None) };
        if now.first_known > at {
            return Ok(None);
        }
        let ids = self.id_space(workspace)?;
        let sources = self.sources_of(workspace, &[key]);
        let mut fold = Fold::default();
        for row in sources.rows.iter().flat_map(SharedRows::iter) {
            let message = record::decode(row).map_err(not_a_record("an overlay"))?;
            if message.tells_of() != Some((kind, id)) || message.ordered_at() > at {
                continue;
            }
            if let Some(message) = sources.veil.left(message) {
                fold.take(&message)?;
            }
        }
        // A timestamp may lie later than the place in the order; no file is left out for its times.
        for segment in sources.manifest.of(workspace) {
            let footer = self.footer(segment)?;
            let mut numbers = Vec::new();
            told(&footer, ids, (kind, id), |row| {
                let hidden = sources.veil.hides(id, row.reach);
                numbers.extend((row.ordered_at <= at && !hidden).then_some(row.number));
                Ok(())
            })?;
            for numbers in numbers.chunks(FOLDED_BATCH) {
                let messages = messages::read(&footer, numbers, messages::OF_OTHERS)?;
                let mut left = messages.iter().filter_map(|stored| sources.veil.left(stored.message(ids)));
                left.try_for_each(|message| fold.take(&message))?;
            }
        }
        let seen = self.seen_until(workspace, &now, at)?;
        Ok(Some(Arc::new(fold.into_profile(&now, seen))))
    }

    /// First and last track of a user up to an instant, by what was said of the user's anonymous ids by then; of other
    /// records nothing is told.
    fn seen_until(&self, workspace: WorkspaceId, now: &Profile, at: Micros) -> Result<Span, ReadError> {
        let Some(user) = now.as_user() else { return Ok(Span::default()) };
        let mut seen = Span::default();
        if !user.tied {
            match user.seen.bounds() {
                Some((_, last)) if last <= at => return Ok(user.seen),
                Some((first, _)) if first <= at => seen.take_in(first),
                _ => return Ok(seen),
            }
        }
        let ids = self.id_space(workspace)?;
        let mut attributor = Attributor::new(Now { views: &self.views, workspace }, ids);
        let record = (RecordKind::User, now.id);
        let Some(mut wanted) = self.wanted(workspace, record, &mut attributor)? else { return Ok(seen) };
        let sources = self.sources(workspace, &mut wanted);
        let mut ties = Ties { views: &self.views, workspace, at, known: FxHashMap::default() };
        let mut take = |head: &TrackHead<'_>| {
            let tied = head.anonymous.map(|name| ids.record(RecordKind::Anonymous, name));
            let is = tied.map_or(Ok(true), |anonymous| ties.is(anonymous, now.id, head.ordered_at()))?;
            if is && head.ordered_at() <= at {
                seen.take_in(head.ordered_at());
            }
            Ok(seen)
        };
        for row in sources.rows.iter().flat_map(SharedRows::iter) {
            let message = record::decode(row).map_err(not_a_record("an overlay"))?;
            if wanted.matches(&message) {
                take(&head(&message))?;
            }
        }
        let filter = wanted.filter();
        let mut last = None;
        for segment in sources.manifest.of(workspace) {
            // A file that holds nothing after the last track found has nothing to add where the first one is known.
            if !user.tied && last.is_some_and(|last| segment.last <= last) {
                continue;
            }
            heads(&*self.footer(segment)?, ids, (&wanted, &filter), |_, head| {
                last = take(&head)?.last();
                Ok(())
            })?;
        }
        Ok(seen)
    }
}

/// Ties as they were known at an instant.
struct Ties<'v> {
    views: &'v Views,
    workspace: WorkspaceId,
    at: Micros,
    known: FxHashMap<RecordId, Vec<Statement>>,
}

impl Ties<'_> {
    /// Whether an anonymous id was this user when it did something.
    fn is(&mut self, anonymous: RecordId, user: RecordId, did_at: Micros) -> Result<bool, ReadError> {
        let ties = match self.known.entry(anonymous) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let mut ties = self.views.statements((self.workspace, RecordKind::User, anonymous))?;
                ties.retain(|tie| tie.stamp.at <= self.at);
                unknown.insert(ties)
            }
        };
        Ok(resolve(ties, did_at) == Some(user))
    }
}

/// Messages decoded at a time while a record is folded.
const FOLDED_BATCH: usize = 4_096;

/// Offers what a message says of the trait, if it says anything and comes after the cursor.
fn offer(message: &Message<'_>, query: &TraitQuery, newest: &mut Newest<TraitStatement>) {
    let Some(statement) = TraitStatement::of(message, query.subject, &query.key) else { return };
    let place = statement.place();
    if query.from.is_none_or(|from| place < from) {
        newest.offer(place, statement);
    }
}
