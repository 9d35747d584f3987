//! Decoding a durable group and fetching the profiles it will change.
//!
//! All that may touch the disk happens here, before the shared view is locked for the change.

use std::sync::Arc;

use muster_history::error::not_a_record;
use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    kinds::fields::named,
    message::Message,
    profile::Profile,
};
use muster_store::{
    batch::{Batch, Entry, decode_refused},
    deletion::Decree,
    error::ReadError,
    import::{Note, TakenBack},
    record,
    refused::{Refused, RefusedId},
};
use rustc_hash::FxHashMap;

use crate::{
    keys::ProfileKey,
    lists::entries::Listed,
    overlay::Overlay,
    slots::{Slot, SlotNumber},
    state::State,
    views::{self, Current, Latest, Views},
};

/// A group, decoded, with everything it needs from below.
pub struct Prepared<'a> {
    pub batches: &'a [Batch],
    /// Changes in order; the number is the batch's place in `batches`.
    pub changes: Vec<(usize, Change<'a>)>,
    /// Profiles that the live overlay does not have yet, in the order of the numbers that they get there.
    pub loaded: Vec<(ProfileKey, Slot)>,
}

/// One thing to do.
#[expect(clippy::large_enum_variant, reason = "nearly every change is the large one; a box each would cost more")]
pub enum Change<'a> {
    /// Fold a message in; with its bytes and the slots of what it names.
    Fold(Message<'a>, &'a [u8], Places),
    SetAside(Refused<'a>),
    Forget(RefusedId),
    /// Carry out a decree about a deletion.
    Decree(Decree),
    /// How an import goes on.
    Import(Note),
    /// Messages that were taken back with an import.
    TakeBack(TakenBack<'a>),
}

/// Messages whose records are looked for together.
const WARM_AHEAD: usize = 16;

/// Records that a message of any kind names at the most, for the purpose of finding them fast.
const PLACES: usize = 4;

/// The slots of the records that a message names.
#[derive(Clone, Copy, Default)]
pub struct Places([Option<(RecordKind, RecordId, SlotNumber)>; PLACES]);

impl Places {
    /// The slot of a record, if the message names it.
    pub fn find(&self, kind: RecordKind, id: RecordId) -> Option<SlotNumber> {
        let here = self.0.iter().flatten().find(|(known, named, _)| *known == kind && *named == id);
        here.map(|(_, _, number)| *number)
    }

    /// All of them.
    pub fn numbers(&self) -> impl Iterator<Item = SlotNumber> {
        self.0.iter().flatten().map(|(_, _, number)| *number)
    }
}

/// Prepares the batches of a group.
pub fn prepare<'a>(batches: &'a [Batch], views: &Views) -> Result<Prepared<'a>, ReadError> {
    // The guard keeps the frozen overlay and the disk in step; readers are not hindered.
    let current = views.look();
    let (loaded, numbers, keys) = (Vec::new(), FxHashMap::default(), Vec::new());
    let mut loader = Loader { current: &current, state: &views.state, loaded, numbers, keys };
    let mut changes = Vec::with_capacity(batches.iter().map(Batch::messages).sum());
    for (place, batch) in batches.iter().enumerate() {
        let first = changes.len();
        for entry in batch.entries() {
            let change = match entry {
                Entry::Message(bytes) => {
                    let message = record::decode(bytes).map_err(not_a_record("a batch"))?;
                    Change::Fold(message, bytes, Places::default())
                }
                Entry::Refused(bytes) => Change::SetAside(decode_refused(bytes).map_err(not_a_record("a batch"))?),
                Entry::Forget(id) => Change::Forget(id),
                Entry::Decree(bytes) => Change::Decree(Decree::decode(bytes).map_err(not_a_record("a batch"))?),
                Entry::Import(bytes) => Change::Import(Note::decode(bytes).map_err(not_a_record("a batch"))?),
                Entry::TakeBack(bytes) => Change::TakeBack(TakenBack::decode(bytes).map_err(not_a_record("a batch"))?),
                // Only the duplicate check asks.
                Entry::Owners(_) => continue,
            };
            changes.push((place, change));
        }
        // Apart from decoding, so that the processor looks for several records at once.
        for some in changes[first..].chunks_mut(WARM_AHEAD) {
            loader.warm(batch.workspace(), some);
            for (_, change) in some {
                if let Change::Fold(message, _, places) = change {
                    *places = loader.places(batch.workspace(), message)?;
                }
            }
        }
    }
    Ok(Prepared { batches, changes, loaded: loader.loaded })
}

/// Finds or fetches what messages name, and numbers it.
struct Loader<'v> {
    current: &'v Current,
    state: &'v State,
    loaded: Vec<(ProfileKey, Slot)>,
    /// Of what was loaded.
    numbers: FxHashMap<ProfileKey, SlotNumber>,
    /// Those that are looked for together.
    keys: Vec<ProfileKey>,
}

impl Loader<'_> {
    fn warm(&mut self, workspace: WorkspaceId, changes: &[(usize, Change<'_>)]) {
        self.keys.clear();
        for (_, change) in changes {
            if let Change::Fold(message, ..) = change {
                self.keys.extend(named(message).map(|(kind, id, _)| ProfileKey::new(workspace, kind, id)));
            }
        }
        self.current.live.profiles.warm_keys(&self.keys);
    }

    fn places(&mut self, workspace: WorkspaceId, message: &Message<'_>) -> Result<Places, ReadError> {
        let mut places = Places::default();
        for (place, (kind, id, external_id)) in places.0.iter_mut().zip(named(message)) {
            let key = ProfileKey::new(workspace, kind, id);
            let known = self.current.live.profiles.number(&key).or_else(|| self.numbers.get(&key).copied());
            let number = match known {
                Some(number) => number,
                None => self.load(key, external_id, message)?,
            };
            *place = Some((kind, id, number));
        }
        Ok(places)
    }

    fn load(&mut self, key: ProfileKey, external_id: &str, message: &Message<'_>) -> Result<SlotNumber, ReadError> {
        let new = || Profile::new(key.kind, key.id, external_id, message.received_at);
        let slot = fetch_slot(&key, &self.current.live, self.current.frozen.as_deref(), self.state, new)?;
        let number = self.current.live.profiles.next_number().plus(self.loaded.len());
        self.loaded.push((key, slot));
        self.numbers.insert(key, number);
        Ok(number)
    }
}

/// A profile that the live overlay does not have, ready to be changed; a new one when nothing is known of it, or
/// nothing any more.
pub fn fetch_slot(
    key: &ProfileKey,
    live: &Overlay,
    frozen: Option<&Overlay>,
    state: &State,
    new: impl FnOnce() -> Profile,
) -> Result<Slot, ReadError> {
    let known = if live.gone.contains_key(key) { None } else { load_slot(key, frozen, state)? };
    Ok(known.unwrap_or_else(|| Slot::new(Arc::new(new()), None)))
}

/// A profile from below the live overlay, ready to be changed.
pub fn load_slot(key: &ProfileKey, frozen: Option<&Overlay>, state: &State) -> Result<Option<Slot>, ReadError> {
    let found = match frozen.and_then(|frozen| frozen.profiles.get(key)) {
        Some(slot) => Some(Arc::clone(&slot.profile)),
        None if frozen.is_some_and(|frozen| frozen.gone.contains_key(key)) => None,
        None => views::read_profile(&Latest, state, key)?.map(Arc::new),
    };
    Ok(found.map(|profile| {
        let below = Some(Listed::of(&profile));
        Slot::new(profile, below)
    }))
}
