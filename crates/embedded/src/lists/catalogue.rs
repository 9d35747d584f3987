//! The catalogue of traits: what was stated, as far as checkpoints have come, and since.
//!
//! A checkpoint adds what its messages stated, in its one commit. What is in memory is gone through when somebody asks,
//! from where it was left off, and so that little is left then also [before](crate::lists::keeper); a checkpoint goes through
//! the rest. Intake does nothing for it.

use std::{collections::BTreeMap, sync::Arc};

use fjall::OwnedWriteBatch;
use muster_history::error::not_a_record;
use muster_model::{id::WorkspaceId, kind::Kind};
use muster_store::{
    Answer,
    byte_form::{Input, Malformed, Output},
    catalogue::{Catalogue, KnownTrait, Model, Options, Stated, TraitTypes},
    error::ReadError,
    record,
};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::glance::{Fault, Glance, LOOK_RECORDS};
use crate::{
    engine::{Embedded, Reader},
    error::{damaged, state_failed},
    keys,
    overlay::{Overlay, Row},
    state::State,
    views::{Disk, Latest, Views},
};

/// Keys of one model that are kept on disk; those that come later are left out.
const KEYS_MAX: usize = 10_000;
/// The version of a value's layout.
const VERSION: u8 = 1;
/// How often a reading begins anew when checkpoints overtake it.
const BEGINNINGS_MAX: usize = 5;

/// What was stated, by workspace.
pub type Heard = FxHashMap<WorkspaceId, Stated>;

/// What the messages of one overlay stated, as far as it was gone through.
#[derive(Debug, Default)]
struct Hearing {
    rows: usize,
    heard: Heard,
}

/// What was gone through of the overlays in memory, by how often one had been frozen before them.
#[derive(Debug, Default)]
pub struct Hearings(Mutex<FxHashMap<u64, Arc<Mutex<Hearing>>>>);

impl Hearings {
    /// What was heard of an overlay.
    fn of(&self, number: u64) -> Arc<Mutex<Hearing>> {
        Arc::clone(self.0.lock().entry(number).or_default())
    }

    /// Lets go of overlays before the live one, with this number.
    pub fn forget_before(&self, live: u64) {
        self.0.lock().retain(|number, _| *number >= live);
    }
}

impl Hearing {
    /// Goes on with the next rows, at most some thousand; whether there were any.
    fn go_on(&mut self, overlay: &Overlay) -> Result<bool, ReadError> {
        let rows = &overlay.rows()[self.rows..];
        let rows = &rows[..rows.len().min(LOOK_RECORDS)];
        for row in rows {
            self.hear(overlay, *row)?;
            self.rows += 1;
        }
        Ok(!rows.is_empty())
    }

    fn hear(&mut self, overlay: &Overlay, row: Row) -> Result<(), ReadError> {
        let bytes = overlay.row_slice(row);
        if bytes.first().is_some_and(|kind| *kind != Kind::Track as u8) {
            let message = record::decode(bytes).map_err(not_a_record("an overlay"))?;
            self.heard.entry(row.workspace).or_default().hear(&message);
        }
        Ok(())
    }

    fn of(&self, workspace: WorkspaceId, model: Model) -> impl Iterator<Item = KnownTrait> {
        self.heard.get(&workspace).into_iter().flat_map(move |stated| stated.of(model))
    }
}

/// All that the overlay stated that is frozen now. Others who ask for it wait no longer than for some thousand rows.
pub fn heard(views: &Views, frozen: &Overlay) -> Result<Heard, ReadError> {
    let hearing = views.hearings.of(views.look().freezes.wrapping_sub(1));
    while hearing.lock().go_on(frozen)? {}
    let heard = hearing.lock().heard.clone();
    Ok(heard)
}

/// Goes through what there is in memory, before anybody asks.
pub fn hear_ahead(views: &Views, glance: &Glance) -> Result<(), Fault> {
    if let Some(frozen) = &glance.below.frozen {
        let hearing = views.hearings.of(glance.number().wrapping_sub(1));
        while hearing.lock().go_on(frozen)? {}
    }
    let hearing = views.hearings.of(glance.number());
    while hearing.lock().go_on(glance.live(&views.look())?)? {}
    Ok(())
}

impl Catalogue for Embedded {
    fn known_traits(&self, workspace: WorkspaceId, model: Model) -> Answer<'_, Vec<KnownTrait>, ReadError> {
        self.blocking(move |reader| reader.known_traits(workspace, model))
    }

    fn options(&self, workspace: WorkspaceId, model: Model, keys: Vec<Box<str>>) -> Answer<'_, Options, ReadError> {
        self.blocking(move |reader| reader.options(workspace, model, &keys))
    }
}

impl Reader {
    fn known_traits(&self, workspace: WorkspaceId, model: Model) -> Result<Vec<KnownTrait>, ReadError> {
        for _ in 0..BEGINNINGS_MAX {
            match self.try_known_traits(workspace, model) {
                Ok(known) => return Ok(known),
                Err(Fault::Read(error)) => return Err(error),
                Err(Fault::Passed) => {}
            }
        }
        Err(ReadError::Failed { what: "checkpoints overtook the catalogue again and again".to_owned() })
    }

    fn try_known_traits(&self, workspace: WorkspaceId, model: Model) -> Result<Vec<KnownTrait>, Fault> {
        let glance = Glance::take(&self.views);
        let mut known = BTreeMap::new();
        for one in on_disk(&glance.below.snapshot, &self.views.state, workspace, model)? {
            add(&mut known, one);
        }
        hear_ahead(&self.views, &glance)?;
        let frozen = glance.below.frozen.is_some().then(|| glance.number().wrapping_sub(1));
        for number in frozen.into_iter().chain([glance.number()]) {
            self.views.hearings.of(number).lock().of(workspace, model).for_each(|one| add(&mut known, one));
        }
        Ok(known.into_values().collect())
    }
}

fn add(known: &mut BTreeMap<Box<str>, KnownTrait>, one: KnownTrait) {
    known.entry(one.key.clone()).and_modify(|known| known.types.join(one.types)).or_insert(one);
}

fn on_disk(
    from: &impl Disk,
    state: &State,
    workspace: WorkspaceId,
    model: Model,
) -> Result<Vec<KnownTrait>, ReadError> {
    let prefix = keys::stated_key(workspace, model, "");
    let mut known = Vec::new();
    for entry in from.prefixed(&state.stated, &prefix) {
        let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
        let key = key.get(prefix.len()..).and_then(|key| std::str::from_utf8(key).ok());
        let key = key.ok_or_else(|| damaged("the catalogue of traits"))?;
        known.push(decode(key, &value).map_err(|Malformed| damaged("the catalogue of traits"))?);
    }
    Ok(known)
}

/// The value of a trait.
pub fn encode(known: &KnownTrait) -> Vec<u8> {
    let mut value = Vec::with_capacity(10);
    value.put_u8(VERSION);
    value.put_u8(known.types.bits());
    value.put_i64(known.created_at.0);
    value
}

/// Reads it back.
pub fn decode(key: &str, value: &[u8]) -> Result<KnownTrait, Malformed> {
    let mut input = Input::new(value);
    if input.u8()? != VERSION {
        return Err(Malformed);
    }
    let types = TraitTypes::from_bits(input.u8()?);
    let created_at = muster_model::time::Micros(input.i64()?);
    input.end()?;
    Ok(KnownTrait { key: key.into(), created_at, types })
}

/// Adds what the messages of an overlay stated to a commit.
pub fn put(batch: &mut OwnedWriteBatch, state: &State, heard: &Heard) -> Result<(), ReadError> {
    for (workspace, stated) in heard {
        let workspace = *workspace;
        for model in stated.models() {
            let mut room = None;
            for mut one in stated.of(model) {
                let key = keys::stated_key(workspace, model, &one.key);
                let before = Latest.value(&state.stated, &key).map_err(|error| state_failed(&error))?;
                match before {
                    Some(value) => {
                        let known = decode(&one.key, &value).map_err(|Malformed| damaged("the catalogue of traits"))?;
                        one.types.join(known.types);
                        one.created_at = known.created_at;
                        if one == known {
                            continue;
                        }
                    }
                    None => {
                        let room = match &mut room {
                            Some(room) => room,
                            None => {
                                room.insert(KEYS_MAX.saturating_sub(on_disk(&Latest, state, workspace, model)?.len()))
                            }
                        };
                        if *room == 0 {
                            continue;
                        }
                        *room -= 1;
                    }
                }
                batch.insert(&state.stated, key, encode(&one));
            }
        }
    }
    Ok(())
}
