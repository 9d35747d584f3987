//! One visit of the records in memory for all that lists may ask of them.
//!
//! A pass goes through a mirror's records some at a time, those that are new or were changed, and works out every column of
//! each at once, since it is the way to the record that takes time; of those of which only tracks came, what these change. It holds the mirror's lock only to write down what it found, so
//! whoever asks waits for no pass. Who brings up a column meanwhile has it to itself until the next one: what is found is
//! written only where nobody else has since the pass began, and never replaces what is newer. Of traits it finds out by itself
//! which there are, so what has no column has no value, and a trait that few have is known as well.

use std::{cmp::Reverse, ops::Range};

use muster_model::{find, kind::RecordKind, profile::Profile};
use muster_store::lists::values::{self, Value};
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use super::{
    columns::{Column, NOTHING, is_left_out},
    glance::{Fault, LOOK_RECORDS, Side},
    kept::{Kept, Reach},
    mirror::{Mirror, Of, TOGETHER, fetch},
};
use crate::slots::{SlotNumber, Slots};

/// Records looked at under one lock, which the writer waits for.
const PIECE_RECORDS: usize = 512;
/// Traits of one kind of record that have a column.
const TRAITS_MAX: usize = 200;

/// Brings up all that a mirror keeps. If that is to be made ahead it makes columns that nobody asked for, as long as the
/// mirror takes no more than so many bytes.
pub fn go(mirror: &RwLock<Mirror>, side: &Side<'_>, of: Of, ahead: Option<usize>) -> Result<(), Fault> {
    let (clock, slots) = side.look(|slots| (slots.clock(), slots.next_number().index()))?;
    loop {
        let mut taking = mirror.write();
        if taking.known().0 >= slots {
            break;
        }
        side.look(|slots| taking.take_in(slots, of, LOOK_RECORDS))?;
    }
    let Some(mut pass) = Pass::begin(&mut mirror.write(), of.1, clock, ahead) else { return Ok(()) };
    let (mut found, mut numbers) = (Found::default(), Vec::new());
    let first = if pass.from.clock == clock { pass.from.places } else { 0 };
    for first in (first..pass.places).step_by(PIECE_RECORDS) {
        let places = first..pass.places.min(first + PIECE_RECORDS);
        numbers.clear();
        numbers.extend_from_slice(mirror.read().numbers(places.clone()));
        found.clear();
        side.look(|slots| pass.look(slots, &numbers, first, &mut found))?;
        if !found.whole.places.is_empty() || !found.moved.places.is_empty() {
            pass.write_down(&mut mirror.write(), &found, places);
        }
    }
    pass.end(&mut mirror.write());
    Ok(())
}

/// What a pass goes by.
struct Pass {
    /// How far everything was kept at the beginning, and how far it is at the end.
    from: Reach,
    clock: u32,
    places: usize,
    /// What is worked out of each record. Traits are found by their keys.
    columns: Vec<Column>,
    others: Vec<usize>,
    /// Of the others, those that a track may change.
    moving: Vec<usize>,
    traits: FxHashMap<Box<str>, usize>,
    texts: bool,
    /// Whether traits without a column get one.
    tells: bool,
    bytes_max: Option<usize>,
}

/// Some records, and the values of each.
#[derive(Default)]
struct Rows {
    places: Vec<usize>,
    values: Vec<Value>,
}

impl Rows {
    fn clear(&mut self) {
        self.places.clear();
        self.values.clear();
    }

    /// Writes down one column, of so many.
    fn write_down(&self, kept: &mut Kept, (at, count): (usize, usize)) {
        for (row, place) in self.places.iter().enumerate() {
            kept.values.set(*place, self.values[row * count + at]);
        }
    }
}

/// What was found of some records.
#[derive(Default)]
struct Found {
    /// Of which all was looked at.
    whole: Rows,
    /// Of which only tracks came.
    moved: Rows,
    /// The folded texts of the whole ones, one after the other, and where each ends.
    text: String,
    ends: Vec<usize>,
    /// Values of traits without a column.
    new: Vec<(Box<str>, usize, Value)>,
}

impl Found {
    fn clear(&mut self) {
        self.whole.clear();
        self.moved.clear();
        self.text.clear();
        self.ends.clear();
        self.new.clear();
    }
}

impl Pass {
    /// What there is to do of a mirror, if there is anything; the mirror notes what is done from now on by others.
    fn begin(mirror: &mut Mirror, kind: RecordKind, clock: u32, ahead: Option<usize>) -> Option<Pass> {
        if ahead.is_some() && !mirror.ahead {
            (mirror.ahead, mirror.told) = (true, Some(Reach::default()));
            for column in Column::all_but_traits(kind) {
                if !mirror.columns.iter().any(|kept| kept.column == column) {
                    mirror.columns.insert(0, Kept::new(column, Reach::default(), false));
                }
            }
            mirror.texts.get_or_insert_default();
        }
        let now = Reach { clock, places: mirror.known().1 };
        let columns = mirror.columns.iter().map(Kept::reach);
        let all = columns.chain(mirror.texts.as_ref().map(|texts| texts.reach())).chain(mirror.told);
        let from = all.reduce(Reach::least).filter(|from| *from != now)?;
        mirror.columns.iter_mut().for_each(|kept| kept.followed = true);
        mirror.texts.iter_mut().for_each(|texts| texts.followed = true);
        let columns: Vec<Column> = mirror.columns.iter().map(|kept| kept.column.clone()).collect();
        let (texts, tells) = (mirror.texts.is_some(), mirror.told.is_some());
        let (mut others, mut moving, mut traits) = (Vec::new(), Vec::new(), FxHashMap::default());
        for (at, column) in columns.iter().enumerate() {
            if let Column::Trait(key) = column {
                traits.insert(key.clone(), at);
            } else {
                others.push(at);
            }
            if !column.is_of_traits() {
                moving.push(at);
            }
        }
        let (places, bytes_max) = (now.places, ahead);
        Some(Pass { from, clock, places, columns, others, moving, traits, texts, tells, bytes_max })
    }

    /// Looks at those of some records that are new or were changed.
    fn look(&self, slots: &Slots, numbers: &[SlotNumber], first: usize, found: &mut Found) {
        let (mut whole, mut moved) = (Vec::new(), Vec::new());
        for (place, number) in (first..).zip(numbers) {
            if place >= self.from.places || slots.was_stated_since(*number, self.from.clock) {
                whole.push((place, &*slots.at(*number).profile));
            } else if slots.has_changed_since(*number, self.from.clock) {
                moved.push((place, &*slots.at(*number).profile));
            }
        }
        for some in whole.chunks(TOGETHER) {
            fetch(some.iter().map(|(_, profile)| *profile), self.texts || !self.traits.is_empty() || self.tells);
            some.iter().for_each(|(place, profile)| self.look_at(*place, profile, found));
        }
        for some in moved.chunks(TOGETHER) {
            fetch(some.iter().map(|(_, profile)| *profile), false);
            for (place, profile) in some {
                found.moved.places.push(*place);
                found.moved.values.extend(self.moving.iter().map(|at| self.columns[*at].value(profile)));
            }
        }
    }

    fn look_at(&self, place: usize, profile: &Profile, found: &mut Found) {
        found.whole.places.push(place);
        let (row, values) = (found.whole.values.len(), &mut found.whole.values);
        values.resize(row + self.columns.len(), NOTHING);
        for at in &self.others {
            values[row + at] = self.columns[*at].value(profile);
        }
        if self.tells || !self.traits.is_empty() {
            for (key, json) in profile.traits.iter() {
                match self.traits.get(key) {
                    Some(at) => values[row + at] = values::of_json(json),
                    None if self.tells && !is_left_out(key) => {
                        found.new.push((key.into(), place, values::of_json(json)));
                    }
                    None => {}
                }
            }
        }
        if self.texts {
            find::add_searchable(profile, &mut found.text);
            found.ends.push(found.text.len());
        }
    }

    /// Writes down what was found of some places.
    fn write_down(&mut self, mirror: &mut Mirror, found: &Found, places: Range<usize>) {
        let mut moving = 0;
        for (at, column) in self.columns.iter().enumerate() {
            let moves = self.moving.get(moving) == Some(&at);
            if let Some(kept) = mirror.columns.iter_mut().find(|kept| kept.followed && kept.column == *column) {
                found.whole.write_down(kept, (at, self.columns.len()));
                if moves {
                    found.moved.write_down(kept, (moving, self.moving.len()));
                }
            }
            moving += usize::from(moves);
        }
        if let Some(texts) = mirror.texts.as_mut().filter(|texts| self.texts && texts.followed) {
            let mut start = 0;
            for (place, end) in found.whole.places.iter().zip(&found.ends) {
                texts.set(*place, &found.text[start..*end]);
                start = *end;
            }
        }
        for (key, place, value) in &found.new {
            self.add_trait(mirror, key, (*place, *value), &places);
        }
        if let Some(bytes_max) = self.bytes_max {
            mirror.keep_within(bytes_max);
        }
    }

    /// Keeps the value of a trait that had no column when this piece was looked at. No record before it has any.
    fn add_trait(&mut self, mirror: &mut Mirror, key: &str, (place, value): (usize, Value), piece: &Range<usize>) {
        if mirror.told.is_none() {
            return;
        }
        if !self.traits.contains_key(key) {
            if self.traits.len() >= TRAITS_MAX {
                mirror.told = None;
                return;
            }
            let column = Column::Trait(key.into());
            // Who has asked for it meanwhile has made it.
            if !mirror.columns.iter().any(|kept| kept.column == column) {
                let reach = Reach { clock: self.from.clock, places: self.from.places.max(piece.start) };
                let mut kept = Kept::new(column.clone(), reach, false);
                kept.followed = true;
                mirror.columns.insert(0, kept);
            }
            self.traits.insert(key.into(), self.columns.len());
            self.columns.push(column);
        }
        let is_it = |kept: &&mut Kept| kept.followed && matches!(&kept.column, Column::Trait(known) if **known == *key);
        if let Some(kept) = mirror.columns.iter_mut().find(is_it) {
            kept.values.set(place, value);
            kept.values.pad(self.from.places.max(piece.end));
        }
    }

    /// What was followed to the end is as it was when the pass began, or newer.
    fn end(&self, mirror: &mut Mirror) {
        for kept in mirror.columns.iter_mut().filter(|kept| kept.followed) {
            kept.values.pad(self.places);
            kept.clock = self.clock;
        }
        if let Some(texts) = mirror.texts.as_mut().filter(|texts| texts.followed) {
            texts.pack();
            texts.clock = self.clock;
        }
        if let Some(told) = &mut mirror.told {
            *told = Reach { clock: self.clock, places: self.places };
        }
    }
}

impl Mirror {
    /// Lets go of what nobody asked for until it takes no more than so many bytes: that first which is asked for least.
    fn keep_within(&mut self, bytes_max: usize) {
        while self.bytes() > bytes_max {
            let rank = |kept: &Kept| match kept.column {
                Column::Trait(_) if !kept.values.are_ranked() => 3,
                Column::Trait(_) => 2,
                _ => 0,
            };
            let columns =
                self.columns.iter().enumerate().filter(|(_, kept)| !kept.is_asked() && kept.values.bytes() > 0);
            let column = columns.map(|(at, kept)| (rank(kept), kept.values.bytes(), Reverse(at))).max();
            let texts =
                self.texts.as_ref().filter(|texts| !texts.is_asked()).map(|texts| (1, texts.bytes(), Reverse(0)));
            match (column, texts) {
                (None, None) => return,
                (column, Some(_)) if column < texts => self.texts = None,
                (Some((rank, _, Reverse(at))), _) => {
                    self.columns.remove(at);
                    if rank > 1 {
                        self.told = None;
                    }
                }
                (None, Some(_)) => self.texts = None,
            }
        }
    }
}
