//! The one commit of a checkpoint to the state store.
//!
//! What is ingested first is harmless without the commit after it, and may be ingested again; the commit is all or nothing
//! and durable.

use std::sync::Arc;

use fjall::{Keyspace, OwnedWriteBatch};
use muster_history::manifest::Segment;
use muster_model::{id::WorkspaceId, time::Micros};
use muster_store::{batch::encode_refused, codec, error::ReadError, lists::with_seen, refused::RefusedCursor};

use crate::{
    erase,
    error::{damaged, state_failed},
    history::manifest,
    imports,
    keys::{self, ProfileKey},
    lists::{
        catalogue::{self, Heard},
        changes::{self, Changes},
        gaps::GapBook,
        settle::Settled,
    },
    options::Options,
    overlay::Overlay,
    slots::Slot,
    state::State,
    tally::OnDisk,
    views::{Views, statement_value},
    writer::known::{IdentityKey, IdentityMap, Known},
};

/// A frozen overlay to bring into place.
pub struct Job {
    pub overlay: Arc<Overlay>,
    pub identities: Arc<IdentityMap>,
    /// The last journal frame that it covers.
    pub position: u64,
}

/// Roughly what the state store takes for an identity, and what it may set aside for itself.
const IDENTITY_BYTES: u64 = 48;
/// Roughly what it takes for a profile's places in lists.
const PLACES_BYTES: u64 = 512;
const SET_ASIDE_BYTES: u64 = 16 << 20;
/// Identities that are fetched together before they are written: sorted, they lie anywhere in memory, and the processor fetches several
/// at once sooner than one after the other.
const FETCHED_AHEAD: usize = 32;

impl Job {
    /// Freezes what is live now, up to a frame of the journal, and has a new overlay take its place.
    pub fn freeze(views: &Views, identities: Arc<IdentityMap>, position: u64) -> Job {
        let overlay = views.change(|current| {
            let next = Overlay::after(&current.live);
            let frozen = Arc::new(std::mem::replace(&mut current.live, next));
            current.frozen = Some(Arc::clone(&frozen));
            current.freezes += 1;
            frozen
        });
        Job { overlay, identities, position }
    }

    /// Bytes that bringing it into the state store may take, roughly and rather too many.
    pub fn bytes(&self) -> u64 {
        self.overlay.bytes() as u64
            + self.identities.entries().len() as u64 * IDENTITY_BYTES
            + self.overlay.profiles.numbered().len() as u64 * PLACES_BYTES
            + SET_ASIDE_BYTES
    }
}

/// Ingests what a commit may come after; the changes of lists that are left for it. Repeats safely.
pub fn ingest(
    job: &Job,
    settled: &Settled,
    (state, gaps): (&State, &GapBook),
    options: &Options,
) -> Result<Changes, changes::Fault> {
    ingest_identities(job, state).map_err(changes::Fault::Store)?;
    ingest_statements(&job.overlay, state).map_err(changes::Fault::Store)?;
    Changes::prepare((&job.overlay, job.position), settled, (state, gaps), options.bulk_places_min)
}

/// Commits a frozen overlay, of which the rest was ingested, and the files written from it.
pub fn commit(
    job: &Job,
    (written, on_disk): (&[Arc<Segment>], &OnDisk),
    (changes, settled, heard): (Changes, &Settled, &Heard),
    (state, gaps): (&State, &GapBook),
    options: &Options,
) -> Result<(), ReadError> {
    let store = |error: fjall::Error| state_failed(&error);
    let mut batch = state.batch();
    let mut value = Vec::new();
    // In the order of their keys: neighbours are found in the processor's caches.
    let mut profiles: Vec<(&ProfileKey, &Slot)> = job.overlay.profiles.iter().collect();
    profiles.sort_unstable_by_key(|(key, _)| **key);
    for (key, slot) in profiles {
        let certain = settled.get(key).map(|seen| with_seen(&slot.profile, *seen));
        let profile = certain.as_ref().unwrap_or(&slot.profile);
        value.clear();
        codec::profile::encode(profile, &mut value);
        batch.insert(&state.profiles, key.bytes(), value.as_slice());
    }
    erase::commit::remove(&mut batch, &job.overlay, state)?;
    imports::put(&mut batch, &job.overlay, state);
    for (parent, children) in &job.overlay.children {
        for child in children {
            let key = keys::child_key(parent.workspace, (parent.kind, parent.id), *child);
            batch.insert(&state.children, key, []);
        }
    }
    changes.put(&mut batch, state, gaps);
    catalogue::put(&mut batch, state, heard)?;
    put_refused(&mut batch, &job.overlay, state, options)?;
    for segment in written {
        batch.insert(&state.manifest, manifest::key(segment), manifest::value(segment));
    }
    state.put_position(&mut batch, job.position);
    on_disk.put(job.overlay.profiles.tally(), &mut batch, state, job.position);
    batch.commit().map_err(store)
}

fn ingest_identities(job: &Job, state: &State) -> fjall::Result<()> {
    let known = job.identities.entries();
    let order = in_order(known);
    let entry = |place: &u32| {
        let ((of, id), known) = &known[*place as usize];
        (keys::identity_key(*of, *id), known.to_bytes())
    };
    let some = |some: &[u32]| some.iter().map(entry).collect::<Vec<_>>();
    ingest_sorted(state, &state.identities, order.chunks(FETCHED_AHEAD).flat_map(some))
}

/// The places of identities in the order of their keys. Half of a key nearly always decides, and what is moved while sorting is
/// small.
fn in_order(known: &[(IdentityKey, Known)]) -> Vec<u32> {
    let half = |place, (workspace, identity): &IdentityKey| (workspace.0, (identity.0 >> 64) as u64, place);
    let mut order: Vec<(u32, u64, u32)> = (0..).zip(known).map(|(place, (key, _))| half(place, key)).collect();
    order.sort_unstable_by(|one, other| {
        let whole = |place: u32| known[place as usize].0;
        (one.0, one.1).cmp(&(other.0, other.1)).then_with(|| whole(one.2).cmp(&whole(other.2)))
    });
    order.into_iter().map(|(_, _, place)| place).collect()
}

fn ingest_statements(overlay: &Overlay, state: &State) -> fjall::Result<()> {
    let mut sorted = Vec::new();
    for ((workspace, parents, user), statements) in &overlay.statements {
        for statement in statements {
            let key = keys::statement_key(*workspace, *user, *parents, statement.stamp);
            sorted.push((key, statement_value(statement)));
        }
    }
    sorted.sort_unstable();
    sorted.dedup_by_key(|(key, _)| *key);
    ingest_sorted(state, &state.statements, sorted.into_iter())
}

fn ingest_sorted<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    state: &State,
    keyspace: &Keyspace,
    sorted: impl Iterator<Item = (K, V)>,
) -> fjall::Result<()> {
    let mut sorted = sorted.peekable();
    if sorted.peek().is_none() {
        return Ok(());
    }
    let mut ingestion = keyspace.start_ingestion()?;
    for (key, value) in sorted {
        ingestion.write(key.as_ref(), value.as_ref())?;
    }
    ingestion.finish()?;
    state.forget_versions(keyspace)
}

fn put_refused(
    batch: &mut OwnedWriteBatch,
    overlay: &Overlay,
    state: &State,
    options: &Options,
) -> Result<(), ReadError> {
    for (workspace, id) in &overlay.forgotten {
        let id_key = keys::refused_id_key(*workspace, *id);
        if let Some(at) = state.refused_ids.get(id_key).map_err(|error| state_failed(&error))? {
            let received_at = parse_received_at(&at)?;
            batch.remove(&state.refused, keys::refused_key(*workspace, RefusedCursor { received_at, id: *id }));
            batch.remove(&state.refused_ids, id_key);
        }
    }
    for ((workspace, cursor), refused) in &overlay.refused {
        let mut value = Vec::new();
        encode_refused(refused, &mut value);
        batch.insert(&state.refused, keys::refused_key(*workspace, cursor.0), value);
        let at = cursor.0.received_at.0.to_be_bytes();
        batch.insert(&state.refused_ids, keys::refused_id_key(*workspace, refused.id), at);
    }
    let mut workspaces: Vec<WorkspaceId> = overlay.refused.keys().map(|(workspace, _)| *workspace).collect();
    workspaces.dedup();
    for workspace in workspaces {
        let latest =
            overlay.refused.keys().filter(|(of, _)| *of == workspace).map(|(_, cursor)| cursor.0.received_at).max();
        trim(batch, state, options, workspace, latest.unwrap_or(Micros::MIN))?;
    }
    Ok(())
}

/// Drops messages set aside that are too old or too many; the newest stay.
fn trim(
    batch: &mut OwnedWriteBatch,
    state: &State,
    options: &Options,
    workspace: WorkspaceId,
    now: Micros,
) -> Result<(), ReadError> {
    let retention = i64::try_from(options.refused_retention.as_micros()).unwrap_or(i64::MAX);
    let oldest = now.0.saturating_sub(retention);
    for (count, entry) in state.refused.prefix(workspace.0.to_be_bytes()).enumerate() {
        let key = entry.key().map_err(|error| state_failed(&error))?;
        let place = keys::parse_refused_key(&key).ok_or_else(|| damaged("a set-aside message's key"))?;
        if count >= options.refused_max || place.received_at.0 < oldest {
            batch.remove(&state.refused, key);
            batch.remove(&state.refused_ids, keys::refused_id_key(workspace, place.id));
        }
    }
    Ok(())
}

fn parse_received_at(value: &[u8]) -> Result<Micros, ReadError> {
    value.try_into().map(|bytes| Micros(i64::from_be_bytes(bytes))).map_err(|_| damaged("a set-aside message's place"))
}
