//! What was said of a trait, and what was true of a record at an instant.
//!
//! Both read the messages that tell of one record, from memory and from files. Folding them is the model's business; it
//! commutes, so that they are taken as they lie.

use std::sync::Arc;

use muster_history::{
    error::not_a_record,
    statements::{self, Statements, Ties},
    told,
    wanted::{TrackHead, heads},
};
use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, Span},
    time::Micros,
};
use muster_store::{
    Answer,
    error::ReadError,
    past::{Past, TraitPage, TraitQuery, fold::Fold},
    record,
};

use crate::{
    engine::{Embedded, Reader},
    keys::ProfileKey,
    overlay::SharedRows,
    records::{Attributor, Now},
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
        let mut page = Statements::new(query);
        for row in sources.rows.iter().flat_map(SharedRows::iter) {
            page.offer(&record::decode(row).map_err(not_a_record("an overlay"))?);
        }
        let segments = sources.manifest.of(workspace).collect();
        let complete_after =
            page.offer_files(segments, &self.views.footers, (ids, &sources.veil), self.options.scan_max)?;
        Ok(page.into_page(complete_after))
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
        for segment in sources.manifest.of(workspace) {
            statements::fold(&*self.footer(segment)?, (ids, &sources.veil), (kind, id), at, &mut fold)?;
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
        let mut ties = Ties::new(Now { views: &self.views, workspace }, ids, at);
        let mut take = |head: &TrackHead<'_>| {
            if ties.is_of(head, now.id)? {
                seen.take_in(head.ordered_at());
            }
            Ok(seen)
        };
        for row in sources.rows.iter().flat_map(SharedRows::iter) {
            let message = record::decode(row).map_err(not_a_record("an overlay"))?;
            if wanted.matches(&message) {
                take(&TrackHead::of(&message))?;
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
