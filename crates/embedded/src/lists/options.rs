//! The options of traits: the few texts that the records of a model have.
//!
//! Records in memory are gone through. On disk the index of fields has the values of a trait side by side: from each to
//! the next is one step, and one record of each tells the text. What nobody has any more is no option, since records are
//! looked at. Bounded: a trait that takes more looking than that has no options.

use muster_model::{
    id::{RecordId, WorkspaceId},
    profile::Profile,
};
use muster_store::{
    catalogue::{Choices, Model, Options, is_one_of_a_kind},
    error::ReadError,
    lists::{
        index::Field,
        values::{self, Value},
    },
};
use rustc_hash::FxHashSet;

use super::{
    along::Stretch,
    entries,
    gaps::Order,
    glance::{Fault, Glance},
};
use crate::{
    engine::Reader,
    error::damaged,
    keys::{self, ProfileKey},
    views,
};

/// Entries of one value that are looked at for a record that still has it.
const ENTRIES_MAX: usize = 1_000;
/// Entries that are looked at for all traits together.
const LOOKS_MAX: usize = 20_000;
/// How often a reading begins anew when checkpoints overtake it.
const BEGINNINGS_MAX: usize = 5;

impl Reader {
    /// The options of these traits of a model.
    pub(super) fn options(
        &self,
        workspace: WorkspaceId,
        model: Model,
        keys: &[Box<str>],
    ) -> Result<Options, ReadError> {
        for _ in 0..BEGINNINGS_MAX {
            let glance = Glance::take(&self.views);
            match (Looking { reader: self, workspace, model, glance, left: LOOKS_MAX }).options(keys) {
                Ok(options) => return Ok(options),
                Err(Fault::Read(error)) => return Err(error),
                Err(Fault::Passed) => {}
            }
        }
        Err(ReadError::Failed { what: "checkpoints overtook the options of traits again and again".to_owned() })
    }
}

/// One reading.
struct Looking<'r> {
    reader: &'r Reader,
    workspace: WorkspaceId,
    model: Model,
    glance: Glance,
    /// Entries that may still be looked at.
    left: usize,
}

/// A trait, and what was found of it.
struct Trait<'k> {
    key: &'k str,
    choices: Choices,
    /// Values that need no more looking.
    known: FxHashSet<Value>,
}

impl Trait<'_> {
    fn note(&mut self, profile: &Profile) {
        if let Some(json) = profile.traits.get(self.key).filter(|_| self.choices.go_on()) {
            self.choices.note(json);
            self.known.insert(values::of_json(json));
        }
    }
}

impl Looking<'_> {
    fn options(mut self, keys: &[Box<str>]) -> Result<Options, Fault> {
        let keys = keys.iter().filter(|key| !is_one_of_a_kind(self.model.kind, key));
        let fresh = |key| Trait { key, choices: Choices::default(), known: FxHashSet::default() };
        let mut traits: Vec<Trait<'_>> = keys.map(|key| fresh(key.as_ref())).collect();
        self.glance.each(&self.reader.views, (self.workspace, self.model.kind), |profile| {
            if self.model.holds(profile) {
                traits.iter_mut().for_each(|one| one.note(profile));
            }
        })?;
        let mut options = Options::new();
        for mut one in traits {
            self.on_disk(&mut one)?;
            options.extend(one.choices.finish().map(|found| (one.key.into(), found)));
        }
        Ok(options)
    }

    /// Adds what records on disk have.
    fn on_disk(&mut self, one: &mut Trait<'_>) -> Result<(), Fault> {
        let field = entries::number(Field::Trait(one.key));
        let mut from = Some(values::ALL.0);
        while let Some(value) = from.filter(|_| one.choices.go_on()) {
            let Some(value) = self.first_value(field, value)? else { break };
            if one.known.insert(value) {
                self.look(one, field, value)?;
            }
            from = after(value);
        }
        Ok(())
    }

    /// The first value of a field from this one on.
    fn first_value(&self, field: u64, from: Value) -> Result<Option<Value>, ReadError> {
        let found = self.entries(field, (from, values::ALL.1)).next().transpose()?;
        Ok(found.map(|(value, _)| value))
    }

    /// Notes the first record that still has a value.
    fn look(&mut self, one: &mut Trait<'_>, field: u64, value: Value) -> Result<(), Fault> {
        for (looked, entry) in self.entries(field, (value, value)).enumerate() {
            let (_, id) = entry?;
            if self.left == 0 || looked == ENTRIES_MAX {
                one.choices.fail();
                break;
            }
            self.left -= 1;
            let key = ProfileKey::new(self.workspace, self.model.kind, id);
            if self.glance.hides(&self.reader.views, &key)? {
                continue;
            }
            let profile = views::read_profile(&self.glance.below.snapshot, &self.reader.views.state, &key)?;
            let has =
                |profile: &Profile| profile.traits.get(one.key).is_some_and(|json| values::of_json(json) == value);
            if let Some(profile) = profile.filter(|profile| self.model.holds(profile) && has(profile)) {
                one.note(&profile);
                break;
            }
        }
        Ok(())
    }

    /// The entries of a field on disk, from one value to another.
    fn entries(
        &self,
        field: u64,
        (from, to): (Value, Value),
    ) -> impl Iterator<Item = Result<(Value, RecordId), ReadError>> + use<> {
        let place = |value, id| keys::field_key(self.workspace, self.model.kind, field, value, RecordId(id));
        let order = Order::of_field(self.workspace, self.model.kind, field);
        let range = (place(from, 0).to_vec(), place(to, u128::MAX).to_vec());
        let keys = self.reader.along(&self.glance, Stretch { order, range, after: None, downwards: false });
        keys.map(|key| keys::parse_field_key(&key?).ok_or_else(|| damaged("a list's key")))
    }
}

/// The value after this one.
fn after(mut value: Value) -> Option<Value> {
    for byte in value.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(value);
        }
    }
    None
}
