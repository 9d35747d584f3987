//! Timelines.
//!
//! Rows that name the subject, or a user or account that may belong to it, are candidates; attribution then decides.
//! Files are looked through newest first, and no further once the page cannot change. Of those whose times overlap the candidates are
//! gathered first, so that no more rows are read whole than get onto the page, however many files there are.

use muster_history::{
    error::not_a_record,
    timeline::Timeline,
    wanted::{TrackHead, heads},
};
use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::Span,
    time::Micros,
};
use muster_store::{
    Answer,
    error::ReadError,
    history::{EventPage, EventsQuery, History},
    lists::kept_seen,
    record,
};

use crate::{
    engine::{Embedded, Reader},
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
        Timeline::<Now<'_>>::narrow(query, &mut wanted);
        let sources = self.sources(workspace, &mut wanted);
        let mut page = Timeline::new(query, attributor, ids);
        for rows in &sources.rows {
            let in_time = rows.timestamps().enumerate().filter(|(_, at)| wanted.in_time(*at));
            let candidates: Vec<(Micros, usize)> = in_time.map(|(place, at)| (at, place)).collect();
            page.offer_some(candidates, &wanted, |place| {
                record::decode(rows.get(*place)).map_err(not_a_record("an overlay"))
            })?;
        }
        let rows_max = self.options.scan_max as u64 * SCANS;
        let segments = sources.manifest.of(workspace).collect();
        let complete_after = page.offer_files(segments, &self.views.footers, &wanted, rows_max)?;
        Ok(page.into_page(complete_after))
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
            let track = head.subject();
            if attributor.place(track)?.belongs_to(record) {
                seen.take_in(track.at);
            }
            Ok(())
        };
        let sources = self.sources(workspace, &mut wanted);
        for row in sources.rows.iter().flat_map(SharedRows::iter) {
            let message = record::decode(row).map_err(not_a_record("an overlay"))?;
            if wanted.matches(&message) {
                take(&TrackHead::of(&message))?;
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
