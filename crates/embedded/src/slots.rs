//! The profiles that changed since the last checkpoint, each with a number.
//!
//! A message names the same few records again and again while it is folded in; a number finds a profile without
//! hashing its key. Numbers are given in the order of arrival and never change. Never decides what a profile holds.

use std::{num::NonZeroU32, sync::Arc};

use hashbrown::HashTable;
use muster_model::{
    profile::{Profile, User},
    time::Micros,
};

use crate::{keys::ProfileKey, lists::entries::Listed, tally::Tally, touch::touch};

/// A profile that changed, and what is known of the version below this overlay.
#[derive(Clone, Debug)]
pub struct Slot {
    pub profile: Arc<Profile>,
    /// Where the version below stands in lists. `None` when there is none.
    pub below: Option<Listed>,
    rows: Chain,
    /// Bytes that the profile took when it was weighed last.
    weight_bytes: usize,
}

impl Slot {
    /// A profile as it is before this overlay changes it.
    pub fn new(profile: Arc<Profile>, below: Option<Listed>) -> Slot {
        let weight_bytes = profile.weight_bytes();
        Slot { profile, below, rows: Chain::default(), weight_bytes }
    }

    /// Bytes that it takes in an overlay, about, its key and its place included.
    pub fn weight_bytes(&self) -> usize {
        let below = self.below.as_ref().map_or(0, Listed::heap_bytes);
        SLOT_BYTES + self.weight_bytes + below
    }

    /// By how much the profile grew since it was weighed last.
    pub fn grown_bytes(&mut self) -> usize {
        let before = std::mem::replace(&mut self.weight_bytes, self.profile.weight_bytes());
        self.weight_bytes.saturating_sub(before)
    }
}

/// Bytes of a slot, its key and its number, in tables that are three quarters full.
const SLOT_BYTES: usize =
    (size_of::<(ProfileKey, Slot)>() + size_of::<Changed>() + size_of::<SlotNumber>() + 1) * 4 / 3;

/// Rows of tracks that name a record and of messages that tell of it: one more than the place of the newest link. Links of all
/// records lie in one list, which costs a record nothing before it has any.
#[derive(Clone, Copy, Debug, Default)]
struct Chain(Option<NonZeroU32>);

/// A row, and those of the same record before it.
#[derive(Clone, Copy, Debug)]
struct Link {
    row: u32,
    before: Chain,
}

/// Bytes that a row takes for each record that it belongs to, while the list of links grows.
pub const LINK_BYTES: usize = size_of::<Link>() * 3 / 2;

/// A profile's number in one overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotNumber(u32);

/// Changed profiles by key and by number.
#[derive(Debug, Default)]
pub struct Slots {
    /// Found by a key, which lies with its slot.
    numbers: HashTable<SlotNumber>,
    slots: Vec<(ProfileKey, Slot)>,
    /// When each was changed last; apart from them, because whoever asks goes through all of these.
    changed: Vec<Changed>,
    links: Vec<Link>,
    /// How many slots no key leads to any more.
    detached: usize,
    /// Groups of changes so far.
    clock: u32,
    /// What changes now are instants and counts alone.
    only_instants: bool,
    tally: Tally,
}

/// The groups of changes that a profile was changed by last.
#[derive(Clone, Copy, Debug)]
struct Changed {
    at_all: u32,
    /// In more than its instants and counts.
    stated: u32,
}

impl Slots {
    /// None, with room for as many as others have.
    pub fn after(before: &Slots) -> Slots {
        let slots = before.slots.len();
        Slots {
            numbers: HashTable::with_capacity(slots),
            slots: Vec::with_capacity(slots),
            changed: Vec::with_capacity(slots),
            links: Vec::with_capacity(before.links.len()),
            ..Slots::default()
        }
    }

    /// To be called before a group of changes: what it changes can be told from what was before.
    pub fn tick(&mut self) {
        self.clock += 1;
    }

    /// Groups of changes so far.
    pub fn clock(&self) -> u32 {
        self.clock
    }

    /// Whether the profile of a number was changed after so many groups.
    pub fn has_changed_since(&self, number: SlotNumber, clock: u32) -> bool {
        self.changed[number.index()].at_all > clock
    }

    /// Whether its traits or its names may have been.
    pub fn was_stated_since(&self, number: SlotNumber, clock: u32) -> bool {
        self.changed[number.index()].stated > clock
    }

    /// Says whether what changes from now on are instants and counts alone, as with a track.
    pub fn expect_only_instants(&mut self, only: bool) {
        self.only_instants = only;
    }

    /// Notes a row of a record.
    pub fn note(&mut self, number: SlotNumber, row: u32) {
        let chain = &mut self.slots[number.index()].1.rows;
        self.links.push(Link { row, before: *chain });
        *chain = Chain(NonZeroU32::new(self.links.len() as u32));
    }

    /// The rows of a record, the newest first.
    pub fn rows(&self, slot: &Slot) -> impl Iterator<Item = u32> {
        let link = |chain: Chain| chain.0.map(|place| self.links[place.get() as usize - 1]);
        std::iter::successors(link(slot.rows), move |newer| link(newer.before)).map(|link| link.row)
    }

    /// How many there are; the number that the next one gets.
    pub fn next_number(&self) -> SlotNumber {
        SlotNumber(self.slots.len() as u32)
    }

    /// The number of a profile.
    pub fn number(&self, key: &ProfileKey) -> Option<SlotNumber> {
        self.numbers.find(hash_of(key), |number| self.slots[number.index()].0 == *key).copied()
    }

    /// Looks for keys that are about to be asked for: first for where they would be, then at the keys there, so that the
    /// processor fetches all of them at once instead of waiting for one after the other.
    pub fn warm_keys(&self, keys: &[ProfileKey]) {
        let likely = |key| self.numbers.find(hash_of(key), |_| true);
        let place = |key| likely(key).map_or(0, |number| number.0);
        touch(keys.iter().map(place));
        let found = |key| likely(key).map_or(0, |number| self.key_at(*number).id.0 as u64);
        touch(keys.iter().map(found));
    }

    /// The profile of a number that this overlay gave.
    pub fn at(&self, number: SlotNumber) -> &Slot {
        &self.slots[number.0 as usize].1
    }

    /// The same, to change it.
    pub fn at_mut(&mut self, number: SlotNumber) -> &mut Slot {
        let changed = &mut self.changed[number.index()];
        changed.at_all = self.clock;
        if !self.only_instants {
            changed.stated = self.clock;
        }
        &mut self.slots[number.index()].1
    }

    /// Looks at profiles that are about to be changed, so that the processor fetches all of them at once instead of
    /// waiting for one after the other.
    pub fn warm(&self, numbers: impl Iterator<Item = SlotNumber>) {
        let look = |number: SlotNumber| {
            let profile = &self.at(number).profile;
            let at = |at: Option<Micros>| at.map_or(0, |at| at.0);
            let user = |user: &User| at(user.seen.last()) ^ user.accounts.links().len() as i64;
            let account = profile.as_account().map_or(0, |account| at(account.seen.last()));
            let traits = profile.traits.registers().len() as i64;
            let shared = Arc::strong_count(profile) as i64;
            shared ^ profile.updated_at.0 ^ traits ^ profile.as_user().map_or(0, user) ^ account
        };
        touch(numbers.map(look));
    }

    /// The same for the links of users, which lie elsewhere. To be called after that.
    pub fn warm_links(&self, numbers: impl Iterator<Item = SlotNumber>) {
        let look = |number: SlotNumber| {
            let user = self.at(number).profile.as_user();
            let link = user.and_then(|user| user.accounts.links().first());
            link.map_or(0, |link| link.linked.at.0 ^ link.unlinked.at.0)
        };
        touch(numbers.map(look));
    }

    /// The same for traits, of those that are about to be told some.
    pub fn warm_traits(&self, numbers: impl Iterator<Item = SlotNumber>) {
        let look = |number: SlotNumber| self.at(number).profile.traits.touch();
        touch(numbers.map(look));
    }

    /// The key of a number that this overlay gave.
    pub fn key_at(&self, number: SlotNumber) -> &ProfileKey {
        &self.slots[number.0 as usize].0
    }

    /// The profile of a key.
    pub fn get(&self, key: &ProfileKey) -> Option<&Slot> {
        self.number(key).map(|number| self.at(number))
    }

    /// Whether the profile changed.
    pub fn contains_key(&self, key: &ProfileKey) -> bool {
        self.number(key).is_some()
    }

    /// Adds a profile that is not there yet.
    pub fn insert(&mut self, key: ProfileKey, slot: Slot) -> SlotNumber {
        let number = self.next_number();
        debug_assert!(!self.contains_key(&key), "a profile has one slot");
        if slot.below.is_none() {
            self.tally.change(&key, 1);
        }
        self.slots.push((key, slot));
        let hash = |number: &SlotNumber| hash_of(&self.slots[number.index()].0);
        self.numbers.insert_unique(hash_of(&key), number, hash);
        self.changed.push(Changed { at_all: self.clock, stated: self.clock });
        number
    }

    /// By how many records what is here differs from what lies below.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Lets go of a profile that is there, here or below, and was deleted; tells its rows. Those may still refer to it by its
    /// number; no key leads to it.
    pub fn detach(&mut self, key: &ProfileKey) -> Vec<u32> {
        self.tally.change(key, -1);
        let found = self.numbers.find_entry(hash_of(key), |number| self.slots[number.index()].0 == *key);
        let Ok(found) = found else { return Vec::new() };
        let (number, _) = found.remove();
        self.detached += 1;
        self.rows(self.at(number)).collect()
    }

    /// All of them, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&ProfileKey, &Slot)> {
        let counts = |(place, (key, _)): &(usize, &(ProfileKey, Slot))| {
            self.detached == 0 || self.number(key).is_some_and(|number| number.index() == *place)
        };
        self.slots.iter().enumerate().filter(counts).map(|(_, (key, slot))| (key, slot))
    }

    /// Those with these numbers, without those that were let go of.
    pub fn between(&self, numbers: std::ops::Range<usize>) -> impl Iterator<Item = (&ProfileKey, &Slot)> {
        let first = numbers.start;
        let counts = move |(place, (key, _)): &(usize, &(ProfileKey, Slot))| {
            self.detached == 0 || self.number(key).is_some_and(|number| number.index() == first + *place)
        };
        self.slots[numbers].iter().enumerate().filter(counts).map(|(_, (key, slot))| (key, slot))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Whether a key leads to a number still: its record was not deleted since.
    pub fn counts(&self, number: SlotNumber) -> bool {
        self.detached == 0 || self.number(self.key_at(number)) == Some(number)
    }

    /// All of them by number, those included that were let go of.
    pub fn numbered(&self) -> impl ExactSizeIterator<Item = (&ProfileKey, &Slot)> {
        self.slots.iter().map(|(key, slot)| (key, slot))
    }
}

/// Ids are hashes already; those of different workspaces and kinds have nothing to do with each other.
fn hash_of(key: &ProfileKey) -> u64 {
    let of = u64::from(key.workspace.0) << 8 | u64::from(key.kind as u8);
    key.id.0 as u64 ^ of.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl SlotNumber {
    /// The number of a place in a list that has one for each slot.
    pub fn of_index(place: usize) -> SlotNumber {
        SlotNumber(place as u32)
    }

    /// The number as a place in a list that has one for each slot.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The number that many places further on.
    pub fn plus(self, places: usize) -> SlotNumber {
        SlotNumber(self.0 + places as u32)
    }
}
