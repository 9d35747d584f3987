//! Reading much of a workspace, as of one moment.
//!
//! The moment is a copy of everything the workspace was given; a scan looks at every message there is and keeps those
//! that are wanted.

use std::{
    collections::HashMap,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use muster_model::{
    id::{Identity, RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    message::Message,
    profile::{Profile, Span},
};

use super::{MemoryStore, accepted::Accepted, fold::Folded};
use crate::{
    error::ReadError,
    history::Event,
    lists::kept_seen,
    profiles::Children,
    record,
    rows::{RowBatch, Whereabouts},
    scan::{Extent, Moment, SCAN_ROWS_MAX, Scan, Scans, Wanted, Work},
};

impl Scans for MemoryStore {
    fn extent(&self, workspace: WorkspaceId) -> Extent {
        let folded = self.folded(workspace);
        let count = |kind: &RecordKind| folded.profiles.keys().filter(|(known, _)| known == kind).count() as u64;
        let messages = self.accepted(workspace, |accepted| accepted.records().len() as u64).unwrap_or(0);
        Extent { messages, records: RecordKind::SHOWN.each_ref().map(count) }
    }

    fn moment(&self, workspace: WorkspaceId) -> Result<Arc<dyn Moment>, ReadError> {
        let take = |accepted: &mut Accepted| (accepted.records().to_vec(), accepted.folded(), accepted.arrived());
        let (records, folded, arrived) = self.accepted(workspace, take).unwrap_or_default();
        let (rows, profiles) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Arc::new(TwinsMoment { records, folded, arrived, rows, profiles }))
    }
}

/// A workspace at one instant.
struct TwinsMoment {
    records: Vec<Box<[u8]>>,
    folded: Arc<Folded>,
    /// Messages that had arrived.
    arrived: u64,
    rows: AtomicU64,
    profiles: AtomicU64,
}

impl Moment for TwinsMoment {
    fn place(&self) -> Vec<u8> {
        self.arrived.to_be_bytes().to_vec()
    }

    fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        self.profiles.fetch_add(1, Ordering::Relaxed);
        Ok(self.folded.profiles.get(&(kind, id)).cloned())
    }

    fn profiles(
        &self,
        kind: RecordKind,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Arc<Profile>>, ReadError> {
        let from = after.map_or(Bound::Included((kind, RecordId(0))), |after| Bound::Excluded((kind, after)));
        let all = self.folded.profiles.range((from, Bound::Included((kind, RecordId(u128::MAX)))));
        let found: Vec<Arc<Profile>> = all.take(limit.max(1)).map(|(_, profile)| Arc::clone(profile)).collect();
        self.profiles.fetch_add(found.len() as u64, Ordering::Relaxed);
        Ok(found)
    }

    fn children(&self, children: Children, limit: usize) -> Result<Vec<RecordId>, ReadError> {
        let named = self.folded.children.get(&children.parent).into_iter().flatten();
        let named = named.filter(|child| children.takes(**child) && self.folded.profiles.contains_key(child));
        Ok(named.map(|(_, id)| *id).take(limit).collect())
    }

    fn seen(&self, profile: &Profile, _go_on: &dyn Fn() -> bool) -> Result<Span, ReadError> {
        let known = self.folded.profiles.get(&(profile.kind(), profile.id));
        Ok(known.map(|profile| kept_seen(profile).0).unwrap_or_default())
    }

    fn scan(self: Arc<Self>, wanted: Wanted) -> Result<Box<dyn Scan>, ReadError> {
        let places = self.folded.events.iter().map(|event| (event.identity, event.clone())).collect();
        Ok(Box::new(TwinsScan { moment: self, wanted, places, next: 0 }))
    }

    fn work(&self) -> Work {
        Work {
            rows: self.rows.load(Ordering::Relaxed),
            rows_skipped: 0,
            profiles: self.profiles.load(Ordering::Relaxed),
        }
    }
}

/// Messages being read.
struct TwinsScan {
    moment: Arc<TwinsMoment>,
    wanted: Wanted,
    /// Where each track belongs.
    places: HashMap<Identity, Event>,
    next: usize,
}

impl Scan for TwinsScan {
    fn next(&mut self, batch: &mut RowBatch) -> Result<bool, ReadError> {
        batch.clear();
        let from = self.next;
        let records = self.moment.records.iter().enumerate().skip(from).take(SCAN_ROWS_MAX);
        for (number, bytes) in records {
            self.next += 1;
            let message = record::decode(bytes).map_err(|fault| ReadError::Damaged { what: fault.to_string() })?;
            self.look_at(number as u64, &message, batch);
        }
        self.moment.rows.fetch_add((self.next - from) as u64, Ordering::Relaxed);
        Ok(self.next > from)
    }
}

impl TwinsScan {
    fn look_at(&self, number: u64, message: &Message<'_>, batch: &mut RowBatch) {
        let wanted = &self.wanted;
        let place = match (wanted.attributed, self.places.get(&message.identity)) {
            (false, _) => None,
            (true, Some(event)) if message.kind == Kind::Track => {
                let external_id = |parent: &'_ Option<muster_model::profile::Parent>| {
                    parent.as_ref().map(|parent| parent.external_id.clone())
                };
                Some((external_id(&event.user), external_id(&event.account), external_id(&event.organization)))
            }
            (true, _) => return,
        };
        let place = place.as_ref().map(|(user, account, organization)| Whereabouts {
            user: user.as_deref(),
            account: account.as_deref(),
            organization: organization.as_deref(),
        });
        let place = place.unwrap_or(Whereabouts::named_in(message));
        let Whereabouts { user, account, organization } = place;
        let event = message.name.as_deref().filter(|_| message.kind == Kind::Track);
        if (wanted.attributed || wanted.kinds.contains(&message.kind))
            && wanted.in_time(message.timestamp)
            && wanted.named(organization, account, user, event)
        {
            let shown = if wanted.shown_as_named { Whereabouts::named_in(message) } else { place };
            batch.push(number, message, shown, &wanted.columns);
        }
    }
}
