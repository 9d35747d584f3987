//! How much happened: names of events, and what was done by whom on which day.
//!
//! Files have counted their own rows while they were written ([`muster_history::daily`]); what is in memory is counted
//! here. Whatever names an account belongs there. Whatever does not follows its user, whose account on that day is
//! looked up once; on a day within which it changed, the user's few rows of that day are counted one by one.

use std::{cmp::Reverse, collections::BTreeMap};

use fjall::Readable;
use muster_history::{
    counted::{Counted, Subject},
    daily::Tally,
    error::not_a_record,
    veiled,
};
use muster_model::{
    day::Day,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::Parent,
};
use muster_store::{
    Answer,
    activity::{Activity, DailyPage, DailyQuery, DailyRow, DayActivity, EventName, EventNames, OtherEvents},
    error::ReadError,
    record,
};

use crate::{
    engine::{Embedded, Reader},
    error::{damaged, state_failed},
    keys::{self, ProfileKey},
    overlay::{Row, SharedRows},
    records::{Attributor, Now},
};

impl Activity for Embedded {
    fn event_names(&self, workspace: WorkspaceId) -> Answer<'_, EventNames, ReadError> {
        self.blocking(move |reader| reader.event_names(workspace))
    }

    fn activity(
        &self,
        workspace: WorkspaceId,
        subject: (RecordKind, RecordId),
        days: (Day, Day),
    ) -> Answer<'_, Vec<DayActivity>, ReadError> {
        self.blocking(move |reader| {
            let mut attributor = Attributor::new(Now { views: &reader.views, workspace }, reader.id_space(workspace)?);
            reader.days(workspace, subject, days, &mut attributor)
        })
    }

    fn daily(&self, workspace: WorkspaceId, query: DailyQuery) -> Answer<'_, DailyPage, ReadError> {
        self.blocking(move |reader| reader.daily(workspace, &query))
    }
}

impl Reader {
    fn event_names(&self, workspace: WorkspaceId) -> Result<EventNames, ReadError> {
        fn of<'t>(by_name: &'t mut BTreeMap<(usize, Box<str>), Tally>, name: &str) -> &'t mut Tally {
            by_name.entry((name.len(), name.into())).or_default()
        }
        let mut by_name: BTreeMap<(usize, Box<str>), Tally> = BTreeMap::new();
        let ids = self.id_space(workspace)?;
        let (rows, manifest, veil) = {
            let current = self.views.look();
            let veil = self.views.tombstones.veil(workspace);
            let all = current.overlays().map(|overlay| {
                let shown = |row: &&Row| veil.is_empty() || !veil.hides_record(overlay.row_slice(**row));
                let rows = overlay.rows().iter().filter(|row| row.workspace == workspace).filter(shown);
                overlay.share(rows.copied().collect())
            });
            (all.collect::<Vec<SharedRows>>(), std::sync::Arc::clone(&current.manifest), veil.clone())
        };
        for row in rows.iter().flat_map(SharedRows::iter) {
            if let Some((name, at)) = record::event(row).map_err(not_a_record("an overlay"))? {
                of(&mut by_name, name).take(at);
            }
        }
        for segment in manifest.of(workspace) {
            let footer = self.footer(segment)?;
            if veiled::is_concerned(&footer, &veil) {
                veiled::events(&footer, ids, &veil, |name, at| of(&mut by_name, name).take(at))?;
                continue;
            }
            for (name, tally) in &footer.daily()?.events {
                of(&mut by_name, name).join(tally);
            }
        }
        let mut by_name = by_name.into_iter();
        let named = by_name.by_ref().take(self.options.event_names_max).filter_map(|((_, name), tally)| {
            let (first, last) = tally.seen.bounds()?;
            Some(EventName { name: name.into(), events: tally.events, first, last, days: tally.days })
        });
        let mut names: Vec<EventName> = named.collect();
        names.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let mut rest = Tally::default();
        for (_, tally) in by_name {
            rest.events += tally.events;
            rest.seen.join(tally.seen);
        }
        let others = rest.seen.bounds().map(|(first, last)| OtherEvents { events: rest.events, first, last });
        Ok(EventNames { names, others })
    }

    /// What belongs to a record on each day from the first to the last.
    fn days(
        &self,
        workspace: WorkspaceId,
        subject: (RecordKind, RecordId),
        days: (Day, Day),
        attributor: &mut Attributor<'_>,
    ) -> Result<Vec<DayActivity>, ReadError> {
        let ids = self.id_space(workspace)?;
        let Some(mut wanted) = self.wanted(workspace, subject, attributor)? else { return Ok(Vec::new()) };
        if days.0 > days.1 {
            return Ok(Vec::new());
        }
        // A track counts on the day of its timestamp or on an earlier one, never on a later one.
        wanted.first = Some(days.0.start());
        let sources = self.sources(workspace, &mut wanted);
        let mut counted = Counted::new(Subject::new(subject, wanted), days, ids);
        for row in sources.rows.iter().flat_map(SharedRows::iter) {
            counted.row(&record::decode(row).map_err(not_a_record("an overlay"))?, attributor)?;
        }
        let mut segments: Vec<_> = sources.manifest.of(workspace).collect();
        segments.sort_by_key(|segment| Reverse(segment.last));
        for segment in segments.into_iter().filter(|segment| segment.last >= days.0.start()) {
            counted.file(&*self.footer(segment)?, attributor)?;
        }
        Ok(counted.finish())
    }

    fn daily(&self, workspace: WorkspaceId, query: &DailyQuery) -> Result<DailyPage, ReadError> {
        let mut attributor = Attributor::new(Now { views: &self.views, workspace }, self.id_space(workspace)?);
        let days = (query.first.unwrap_or(Day(i32::MIN)), query.last.unwrap_or(Day(i32::MAX)));
        let limit = query.accounts_max.max(1);
        let mut accounts = match query.account {
            Some(account) => vec![account],
            None => self.accounts_after(workspace, query.from, limit + 1)?,
        };
        accounts.retain(|account| query.from.is_none_or(|from| *account > from));
        let next = (accounts.len() > limit).then(|| accounts[limit - 1]);
        accounts.truncate(limit);
        let mut rows = Vec::new();
        for id in accounts {
            let Some(profile) = attributor.profile(RecordKind::Account, id)? else { continue };
            let account = Parent { id, external_id: profile.external_id.clone() };
            for day in self.days(workspace, (RecordKind::Account, id), days, &mut attributor)? {
                let chosen = day.by_event.into_iter();
                let chosen = chosen.filter(|one| query.event.as_ref().is_none_or(|name| one.name == *name));
                rows.extend(chosen.map(|activity| DailyRow { day: day.day, account: account.clone(), activity }));
            }
        }
        Ok(DailyPage { rows, next })
    }

    /// The first accounts after an id, in the order of their ids.
    fn accounts_after(
        &self,
        workspace: WorkspaceId,
        from: Option<RecordId>,
        count: usize,
    ) -> Result<Vec<RecordId>, ReadError> {
        let after = |id: RecordId| from.is_none_or(|from| id > from);
        let is_account =
            |key: &&ProfileKey| key.workspace == workspace && key.kind == RecordKind::Account && after(key.id);
        let (mut found, below) = {
            let current = self.views.look();
            let in_memory = current
                .overlays()
                .flat_map(|overlay| overlay.profiles.iter().map(|(key, _)| key).filter(is_account).map(|key| key.id));
            (in_memory.collect::<Vec<RecordId>>(), self.views.below(&current))
        };
        let start = ProfileKey::new(workspace, RecordKind::Account, from.unwrap_or(RecordId(0))).bytes();
        let prefix = keys::list_prefix(workspace, RecordKind::Account);
        for entry in below.snapshot.range(&self.views.state.profiles, start..).take(count + 1) {
            let key = entry.key().map_err(|error| state_failed(&error))?;
            if !key.starts_with(&prefix) {
                break;
            }
            let id = key.get(5..21).and_then(|bytes| bytes.try_into().ok()).map(u128::from_be_bytes);
            let id = RecordId(id.ok_or_else(|| damaged("a profile's key"))?);
            found.extend(Some(id).filter(|id| after(*id)));
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(count);
        Ok(found)
    }
}
