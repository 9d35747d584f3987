//! What lists ask of the records of one kind in one overlay.
//!
//! Whoever asks for columns brings up these and no others, so that a request waits for what it asks alone; the
//! [pass](crate::lists::pass) that makes and keeps columns ahead brings up all of them at one visit of each record. Never decides what is on a page.

use std::{
    cmp::Reverse,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use memchr::memmem::Finder;
use muster_model::{
    find,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::Profile,
};
use muster_store::lists::kept_seen;
use rustc_hash::FxHashSet;

use super::{
    columns::{Asked, Column, Standing, Test, is_left_out},
    glance::{Fault, LOOK_RECORDS, Side},
    kept::{Kept, Reach, Texts, Values},
};
use crate::{
    slots::{SlotNumber, Slots},
    touch::touch,
};

/// Columns that somebody asked for which are kept, whatever room there is.
const ASKED_MAX: usize = 8;
/// Records that are looked at together, so that the processor fetches all of them at once.
pub const TOGETHER: usize = 16;
/// Overlays for which a mirror is kept up after somebody asked it.
const WANTED_OVERLAYS: u8 = 3;

pub type Of = (WorkspaceId, RecordKind);

/// What was asked of the records of one kind in an overlay, and what was made before anybody asked.
#[derive(Debug, Default)]
pub struct Mirror {
    /// The records, in the order in which the overlay numbers them.
    numbers: Vec<SlotNumber>,
    ids: Vec<RecordId>,
    /// Slots of the overlay that were looked at for these.
    looked: usize,
    /// In the order in which they were asked for last.
    pub columns: Vec<Kept>,
    pub texts: Option<Texts>,
    /// Up to where a trait has no value unless it has a column here; none if that is not known.
    pub told: Option<Reach>,
    /// Columns are made ahead.
    pub ahead: bool,
    /// For how many overlays more it is kept up though nobody asks.
    wanted: AtomicU8,
}

/// The first records of a list in one overlay.
#[derive(Debug, Default)]
pub struct Chosen {
    /// Where they stand, in the order of the list. A record that was deleted and came back has several numbers, of which only the
    /// last one counts; that comes first.
    pub found: Vec<(Standing, Reverse<SlotNumber>)>,
    /// Whether there are more.
    pub more: bool,
}

/// Which records of a list are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'c> {
    pub after: Option<Standing>,
    /// Only those that the overlay numbered before.
    pub end: Option<SlotNumber>,
    /// Only these.
    pub among: Option<&'c FxHashSet<RecordId>>,
    pub most: usize,
}

/// Of what is kept, that which one request asks: what traits and names say, or the rest.
struct Wanted {
    columns: Vec<usize>,
    texts: bool,
    of_traits: bool,
    /// How far all of it is kept.
    from: Reach,
}

impl Mirror {
    /// Whether it has all that is asked, as of the overlay's last change; notes that it was asked.
    pub fn is_fresh(&self, asked: &Asked, (clock, slots): (u32, usize)) -> bool {
        let now = Reach { clock, places: self.numbers.len() };
        let find = |column: &Column| self.columns.iter().find(|kept| kept.column == *column);
        let is_fresh = |column: &Column| find(column).is_some_and(|kept| kept.reach() == now);
        let texts = asked.needles.is_empty() || self.texts.as_ref().is_some_and(|texts| texts.reach() == now);
        let fresh = self.looked == slots && texts && asked.columns().all(is_fresh);
        if fresh {
            asked.columns().filter_map(find).for_each(|kept| kept.ask(true));
            self.texts.iter().filter(|_| !asked.needles.is_empty()).for_each(Texts::ask);
            self.want();
        }
        fresh
    }

    /// Whether it is to be kept up though nobody asks now.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) > 0
    }

    fn want(&self) {
        self.wanted.store(WANTED_OVERLAYS, Ordering::Relaxed);
    }

    /// Has the mirror of the next overlay keep what was asked of this one, if that was lately.
    pub fn pass_on(&self, heir: &mut Mirror) {
        let Some(wanted) = self.wanted.load(Ordering::Relaxed).checked_sub(1) else { return };
        heir.wanted.fetch_max(wanted, Ordering::Relaxed);
        let asked = self.columns.iter().filter(|kept| kept.is_asked());
        heir.ask(asked.map(|kept| &kept.column), self.texts.as_ref().is_some_and(Texts::is_asked));
    }

    /// Brings up what is asked to all that had been changed when this was called.
    pub fn bring_up(&mut self, side: &Side<'_>, of: Of, asked: &Asked) -> Result<(), Fault> {
        self.want();
        self.ask(asked.columns(), !asked.needles.is_empty());
        let (clock, slots) = side.look(|slots| (slots.clock(), slots.next_number().index()))?;
        while self.looked < slots {
            side.look(|slots| self.take_in(slots, of, LOOK_RECORDS))?;
        }
        for of_traits in [false, true] {
            let wanted = self.wanted_of(asked, of_traits);
            if wanted.texts || !wanted.columns.is_empty() {
                self.bring_up_to(side, clock, &wanted)?;
            }
        }
        Ok(())
    }

    fn bring_up_to(&mut self, side: &Side<'_>, clock: u32, wanted: &Wanted) -> Result<(), Fault> {
        let known = self.numbers.len();
        let first = if wanted.from.clock == clock { wanted.from.places } else { 0 };
        for first in (first..known).step_by(LOOK_RECORDS) {
            let some = first..known.min(first + LOOK_RECORDS);
            side.look(|slots| self.look_again(slots, some, wanted))?;
        }
        for at in &wanted.columns {
            let kept = &mut self.columns[*at];
            (kept.clock, kept.followed) = (clock, false);
        }
        if let Some(texts) = self.texts.as_mut().filter(|_| wanted.texts) {
            texts.pack();
            (texts.clock, texts.followed) = (clock, false);
        }
        Ok(())
    }

    /// Adds what is asked for the first time, and notes that it was; of too much, what was asked longest ago goes.
    fn ask<'a>(&mut self, columns: impl Iterator<Item = &'a Column>, texts: bool) {
        for column in columns {
            let kept = match self.columns.iter().position(|kept| kept.column == *column) {
                Some(at) => self.columns.remove(at),
                None => self.new_column(column),
            };
            kept.ask(true);
            self.columns.push(kept);
        }
        let asked = self.columns.iter().filter(|kept| kept.is_asked());
        let excess = asked.count().saturating_sub(ASKED_MAX);
        self.columns.iter().filter(|kept| kept.is_asked()).take(excess).for_each(|kept| kept.ask(false));
        if !self.ahead {
            self.columns.retain(Kept::is_asked);
        }
        if texts {
            self.texts.get_or_insert_default().ask();
        }
    }

    /// A column that is not there. Of a trait that no record had it is known what it says of them.
    fn new_column(&self, column: &Column) -> Kept {
        let of_trait = matches!(column, Column::Trait(key) if !is_left_out(key));
        let reach = self.told.filter(|_| of_trait).unwrap_or_default();
        Kept::new(column.clone(), reach, true)
    }

    fn wanted_of(&self, asked: &Asked, of_traits: bool) -> Wanted {
        let place = |column: &Column| self.columns.iter().position(|kept| kept.column == *column);
        let mut columns: Vec<usize> =
            asked.columns().filter(|column| column.is_of_traits() == of_traits).filter_map(place).collect();
        columns.sort_unstable();
        columns.dedup();
        let texts = of_traits && !asked.needles.is_empty();
        let of_texts = self.texts.as_ref().filter(|_| texts).map(Texts::reach);
        let reaches = columns.iter().map(|at| self.columns[*at].reach()).chain(of_texts);
        let from = reaches.reduce(Reach::least).unwrap_or_default();
        Wanted { columns, texts, of_traits, from }
    }

    /// Takes in records that are new to it, from so many of the overlay's.
    pub fn take_in(&mut self, slots: &Slots, (workspace, kind): Of, most: usize) {
        let end = slots.next_number().index().min(self.looked + most);
        for number in (self.looked..end).map(SlotNumber::of_index) {
            let key = slots.key_at(number);
            if key.workspace == workspace && key.kind == kind {
                self.numbers.push(number);
                self.ids.push(key.id);
            }
        }
        self.looked = end;
    }

    /// How far it knows records at all: so many of the overlay's, of which so many are of its kind.
    pub fn known(&self) -> (usize, usize) {
        (self.looked, self.numbers.len())
    }

    /// The numbers of some records.
    pub fn numbers(&self, places: Range<usize>) -> &[SlotNumber] {
        &self.numbers[places]
    }

    /// Looks at those records for what is asked that are new to it or were changed.
    fn look_again(&mut self, slots: &Slots, places: Range<usize>, wanted: &Wanted) {
        let mut work: Vec<(usize, &Arc<Profile>)> = Vec::new();
        for place in places {
            let (number, from) = (self.numbers[place], wanted.from);
            let changed = match wanted.of_traits {
                true => slots.was_stated_since(number, from.clock),
                false => slots.has_changed_since(number, from.clock),
            };
            if changed || place >= from.places {
                work.push((place, &slots.at(number).profile));
            }
        }
        let mut folded = String::new();
        for some in work.chunks(TOGETHER) {
            fetch(some.iter().map(|(_, profile)| &***profile), wanted.of_traits);
            for (place, profile) in some {
                for at in &wanted.columns {
                    let kept = &mut self.columns[*at];
                    kept.values.set(*place, kept.column.value(profile));
                }
                if let Some(texts) = self.texts.as_mut().filter(|_| wanted.texts) {
                    folded.clear();
                    find::add_searchable(profile, &mut folded);
                    texts.set(*place, &folded);
                }
            }
        }
    }

    /// The records whose first and last track are uncertain, at most so many.
    pub fn uncertain(&self, most: usize) -> Vec<SlotNumber> {
        let Some(values) = self.values(&Column::Uncertain) else { return Vec::new() };
        let places = values.said();
        places.map(|place| self.numbers[place]).take(most).collect()
    }

    fn values(&self, column: &Column) -> Option<&Values> {
        self.columns.iter().find(|kept| kept.column == *column).map(|kept| &kept.values)
    }

    /// The first records behind a place in a list, at most so many.
    pub fn choose(&self, asked: &Asked, choice: &Choice<'_>) -> Chosen {
        let none = Values::nothing(self.numbers.len());
        let values = |column: &Column| self.values(column).unwrap_or(&none);
        let order = values(&asked.order);
        let tests: Vec<(&Values, &Test)> = asked.tests.iter().map(|(column, test)| (values(column), test)).collect();
        let finders: Vec<_> = asked.needles.iter().map(Finder::new).collect();
        let texts = self.texts.as_ref().filter(|_| !finders.is_empty());
        let known = choice.end.map_or(self.numbers.len(), |end| self.numbers.partition_point(|number| *number < end));
        let mut first = First { found: Vec::with_capacity(2 * choice.most), most: choice.most, more: false };
        for place in 0..known {
            let standing = asked.standing(order.get(place), self.ids[place]);
            let wanted = choice.after.is_none_or(|after| standing > after)
                && first.takes(standing)
                && tests.iter().all(|(values, test)| test.may_hold(values.get(place)))
                && choice.among.is_none_or(|among| among.contains(&self.ids[place]));
            if wanted && texts.is_none_or(|texts| texts.has(place, &finders)) {
                first.add((standing, Reverse(self.numbers[place])));
            }
        }
        first.end()
    }

    /// Bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|kept| kept.values.bytes()).sum();
        let records = self.numbers.capacity() * (size_of::<SlotNumber>() + size_of::<RecordId>());
        records + columns + self.texts.as_ref().map_or(0, Texts::bytes)
    }
}

/// Looks at profiles together that are about to be read, first at what leads to more.
pub fn fetch<'p>(profiles: impl Iterator<Item = &'p Profile> + Clone, traits: bool) {
    let head = |profile: &Profile| {
        let (seen, certain) = kept_seen(profile);
        let times = profile.updated_at.0 ^ seen.last().map_or(0, |at| at.0) ^ i64::from(certain);
        times as usize ^ profile.traits.text_bytes()
    };
    touch(profiles.clone().map(head));
    if traits {
        let rest = |profile: &Profile| {
            let name = profile.external_id.as_bytes().first().copied().unwrap_or_default();
            profile.traits.touch() ^ usize::from(name)
        };
        touch(profiles.map(rest));
    }
}

/// The first of many.
struct First {
    found: Vec<(Standing, Reverse<SlotNumber>)>,
    most: usize,
    more: bool,
}

impl First {
    /// Whether a record may be one of them.
    fn takes(&mut self, standing: Standing) -> bool {
        // Once some were left out, the last one is the worst of the best.
        let behind = self.more && self.found.get(self.most - 1).is_some_and(|(worst, _)| standing > *worst);
        !behind
    }

    fn add(&mut self, one: (Standing, Reverse<SlotNumber>)) {
        self.found.push(one);
        if self.found.len() == 2 * self.most {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.found.select_nth_unstable(self.most - 1);
        self.found.truncate(self.most);
        self.more = true;
    }

    fn end(mut self) -> Chosen {
        if self.found.len() > self.most {
            self.cut();
        }
        self.found.sort_unstable();
        Chosen { found: self.found, more: self.more }
    }
}
