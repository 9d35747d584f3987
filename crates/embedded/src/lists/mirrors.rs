//! What lists ask of the records in memory, kept in columns beside the overlays.
//!
//! Records in memory lie anywhere in it, and to look at a hundred thousand of them for a page takes as long as the processor
//! waits for each. So what was asked of them once is kept: for each kind of record in an overlay a mirror with its
//! [columns](crate::lists::columns) and, for searches, its folded texts, one value after the other. The writer does nothing
//! for it but to note, with each record, in which group it was changed; whoever asks looks again at those that were changed
//! since, and so does the thread of checkpoints, twice a second, for what was asked lately. A mirror belongs to one overlay
//! and goes with it. It never decides what is on a page: who finds a record here looks at the record as well.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
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
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    columns::{Asked, Column, Standing, Test},
    entries::Value,
    glance::{Fault, Glance, LOOK_RECORDS},
};
use crate::{
    slots::{SlotNumber, Slots},
    views::Views,
};

/// Columns that a mirror keeps.
const COLUMNS_MAX: usize = 8;
/// Records that are looked at together, so that the processor fetches all of them at once.
const TOGETHER: usize = 16;
/// Overlays for which a mirror is kept up after somebody asked it.
const WANTED_OVERLAYS: u8 = 3;
/// Bytes of texts that nothing refers to any more which are not worth packing.
const WASTE_BYTES_MIN: usize = 1 << 20;

type Of = (WorkspaceId, RecordKind);
pub type Shared = Arc<RwLock<Mirror>>;

/// Every mirror there is, by the number of freezes before its overlay was live.
#[derive(Debug, Default)]
pub struct Mirrors(Mutex<FxHashMap<(u64, Of), Shared>>);

impl Mirrors {
    /// The mirror of a kind of record in an overlay, which is empty at first.
    pub fn of(&self, overlay: u64, of: Of) -> Shared {
        Arc::clone(self.0.lock().entry((overlay, of)).or_default())
    }

    /// Lets go of the mirrors of overlays before the live one, with this number. What somebody asked of them lately is likely
    /// to be asked again.
    pub fn forget_before(&self, live: u64) {
        let mut held = self.0.lock();
        let gone: Vec<_> = held.extract_if(|(number, _), _| *number < live).collect();
        for ((_, of), mirror) in gone {
            if let Some(heir) = mirror.read().heir() {
                held.entry((live, of)).or_insert_with(|| Arc::new(RwLock::new(heir)));
            }
        }
    }

    /// Brings up what somebody asked lately of records in the live overlay, so that the next one finds it so.
    pub fn keep_up(&self, views: &Views) {
        if self.0.lock().is_empty() {
            return;
        }
        let glance = Glance::take(views);
        let of_live = |(number, _): &(u64, Of)| *number == glance.number();
        let mirrors: Vec<(Of, Shared)> = {
            let held = self.0.lock();
            let of_live = held.iter().filter(|(key, _)| of_live(key));
            of_live.map(|((_, of), mirror)| (*of, Arc::clone(mirror))).collect()
        };
        for (of, mirror) in mirrors {
            let mut mirror = mirror.write();
            if mirror.wanted.load(Ordering::Relaxed) > 0 {
                // What is void now is made anew by whoever asks.
                _ = mirror.bring_up_or_clear(&Side::Live(&glance, views), of, None);
            }
        }
    }
}

/// An overlay that a list reads.
pub enum Side<'g> {
    Live(&'g Glance, &'g Views),
    Frozen(&'g Slots),
}

impl Side<'_> {
    /// Looks at its records; briefly, if they are live.
    pub fn look<T>(&self, look: impl FnOnce(&Slots) -> T) -> Result<T, Fault> {
        match self {
            Side::Live(glance, views) => Ok(look(&glance.live(&views.look())?.profiles)),
            Side::Frozen(slots) => Ok(look(slots)),
        }
    }
}

/// What was asked of the records of one kind in an overlay.
#[derive(Debug, Default)]
pub struct Mirror {
    /// The records, in the order in which the overlay numbers them.
    numbers: Vec<SlotNumber>,
    ids: Vec<RecordId>,
    /// Slots of the overlay that were looked at for these.
    looked: usize,
    /// Groups of changes that everything here is no older than.
    clock: u32,
    /// In the order in which they were asked for last.
    columns: Vec<Kept>,
    texts: Option<Texts>,
    /// Places of records whose first and last track are uncertain.
    uncertain: BTreeSet<u32>,
    /// For how many overlays more it is kept up though nobody asks.
    wanted: AtomicU8,
}

#[derive(Debug)]
struct Kept {
    column: Column,
    values: Vec<Value>,
}

/// Folded texts in any order, and some that were replaced until they are packed.
#[derive(Debug, Default)]
struct Texts {
    text: String,
    places: Vec<Range<u32>>,
    wasted: usize,
    folded: String,
}

/// What a look at records is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// All that is kept.
    All,
    /// What was asked for the first time: columns from this one on, and texts or not.
    New(usize, bool),
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

impl Mirror {
    /// Whether it has all that is asked, as of the overlay's last change.
    fn is_fresh(&self, asked: &Asked, (clock, slots): (u32, usize)) -> bool {
        let has = |column: &Column| self.columns.iter().any(|kept| kept.column == *column);
        let texts = self.texts.is_some() || asked.needles.is_empty();
        (self.clock, self.looked) == (clock, slots) && asked.columns().all(has) && texts
    }

    /// One for the next overlay that is asked the same, if this one was asked lately.
    fn heir(&self) -> Option<Mirror> {
        let wanted = self.wanted.load(Ordering::Relaxed).checked_sub(1)?;
        let columns = self.columns.iter().map(|kept| Kept { column: kept.column.clone(), values: Vec::new() });
        let (columns, texts) = (columns.collect(), self.texts.as_ref().map(|_| Texts::default()));
        Some(Mirror { columns, texts, wanted: AtomicU8::new(wanted), ..Mirror::default() })
    }

    /// Brings it up; or, if the overlay is gone meanwhile, empties it, since it knows only some of it then.
    fn bring_up_or_clear(&mut self, side: &Side<'_>, of: Of, new: Option<For>) -> Result<(), Fault> {
        let brought = self.bring_up(side, of, new);
        if brought.is_err() {
            *self = Mirror::default();
        }
        brought
    }

    /// Brings it up to all that had been changed when this was called, and to what was not asked before.
    fn bring_up(&mut self, side: &Side<'_>, of: Of, new: Option<For>) -> Result<(), Fault> {
        let (clock, slots) = side.look(|slots| (slots.clock(), slots.next_number().index()))?;
        let known = self.numbers.len();
        if clock != self.clock || new.is_some() {
            for first in (0..known).step_by(LOOK_RECORDS) {
                let some = first..known.min(first + LOOK_RECORDS);
                side.look(|slots| self.look_again(slots, some, new))?;
            }
        }
        while self.looked < slots {
            let some = self.looked..slots.min(self.looked + LOOK_RECORDS);
            side.look(|slots| self.take_in(slots, some, of))?;
        }
        self.clock = clock;
        if let Some(texts) = &mut self.texts {
            texts.pack();
        }
        Ok(())
    }

    /// Adds what was not asked before, and tells what it is; what was asked longest ago goes if there is too much.
    fn add(&mut self, asked: &Asked) -> Option<For> {
        let mut wanted: Vec<&Column> = asked.columns().collect();
        wanted.dedup();
        self.columns.sort_by_key(|kept| wanted.contains(&&kept.column));
        let known: Vec<Column> = self.columns.iter().map(|kept| kept.column.clone()).collect();
        wanted.retain(|column| !known.contains(column));
        let excess = (self.columns.len() + wanted.len()).saturating_sub(COLUMNS_MAX);
        self.columns.drain(..excess);
        let first = self.columns.len();
        for column in wanted {
            if !self.columns[first..].iter().any(|kept| kept.column == *column) {
                let values = vec![super::columns::NOTHING; self.numbers.len()];
                self.columns.push(Kept { column: column.clone(), values });
            }
        }
        let texts = self.texts.is_none() && !asked.needles.is_empty();
        if texts {
            self.texts = Some(Texts { places: vec![0..0; self.numbers.len()], ..Texts::default() });
        }
        (texts || first < self.columns.len()).then_some(For::New(first, texts))
    }

    /// Looks at known records again: at those that were changed, and at the others for what is new.
    fn look_again(&mut self, slots: &Slots, places: Range<usize>, new: Option<For>) {
        let changed = |place: usize| slots.changed_since(self.numbers[place], self.clock);
        let mut work: Vec<(usize, &Arc<Profile>, For)> = Vec::new();
        for place in places {
            match (changed(place), new) {
                (Some(profile), _) => work.push((place, profile, For::All)),
                (None, Some(new)) => work.push((place, &slots.at(self.numbers[place]).profile, new)),
                (None, None) => {}
            }
        }
        self.look_at(&work);
    }

    /// Takes in records that are new to it.
    fn take_in(&mut self, slots: &Slots, numbers: Range<usize>, (workspace, kind): Of) {
        let first = self.numbers.len();
        self.looked = numbers.end;
        let numbers = numbers.map(SlotNumber::of_index).filter(|number| {
            let key = slots.key_at(*number);
            key.workspace == workspace && key.kind == kind
        });
        for number in numbers {
            self.numbers.push(number);
            self.ids.push(slots.key_at(number).id);
        }
        let known = self.numbers.len();
        self.columns.iter_mut().for_each(|kept| kept.values.resize(known, super::columns::NOTHING));
        if let Some(texts) = &mut self.texts {
            texts.places.resize(known, 0..0);
        }
        let work: Vec<_> =
            (first..known).map(|place| (place, &slots.at(self.numbers[place]).profile, For::All)).collect();
        self.look_at(&work);
    }

    fn look_at(&mut self, work: &[(usize, &Arc<Profile>, For)]) {
        let traits = self.texts.is_some() || self.columns.iter().any(|kept| kept.column.is_of_traits());
        for some in work.chunks(TOGETHER) {
            fetch(some.iter().map(|(_, profile, _)| &***profile), traits);
            for (place, profile, what) in some {
                let (first, texts) = match what {
                    For::All => (0, true),
                    For::New(first, texts) => (*first, *texts),
                };
                for kept in &mut self.columns[first..] {
                    kept.values[*place] = kept.column.value(profile);
                }
                if let Some(kept) = self.texts.as_mut().filter(|_| texts) {
                    kept.put(*place, profile);
                }
                let certain = kept_seen(profile).1;
                if certain && !self.uncertain.is_empty() {
                    self.uncertain.remove(&(*place as u32));
                } else if !certain {
                    self.uncertain.insert(*place as u32);
                }
            }
        }
    }

    /// The records whose first and last track are uncertain, at most so many.
    pub fn uncertain(&self, most: usize) -> Vec<SlotNumber> {
        self.uncertain.iter().take(most).map(|place| self.numbers[*place as usize]).collect()
    }

    /// The first records behind a place in a list, at most so many.
    pub fn choose(&self, asked: &Asked, choice: &Choice<'_>) -> Chosen {
        let values = |column: &Column| {
            self.columns.iter().find(|kept| kept.column == *column).map_or(&[][..], |kept| &kept.values)
        };
        let order = values(&asked.order);
        let tests: Vec<(&[Value], &Test)> = asked.tests.iter().map(|(column, test)| (values(column), test)).collect();
        let finders: Vec<_> = asked.needles.iter().map(Finder::new).collect();
        let known = choice.end.map_or(self.numbers.len(), |end| self.numbers.partition_point(|number| *number < end));
        let mut first = First { found: Vec::with_capacity(2 * choice.most), most: choice.most, more: false };
        for place in 0..known {
            let standing = asked.standing(order[place], self.ids[place]);
            let wanted = choice.after.is_none_or(|after| standing > after)
                && first.takes(standing)
                && tests.iter().all(|(values, test)| test.may_hold(values[place]))
                && choice.among.is_none_or(|among| among.contains(&self.ids[place]));
            if wanted && self.texts.as_ref().is_none_or(|texts| texts.has(place, &finders)) {
                first.add((standing, Reverse(self.numbers[place])));
            }
        }
        first.end()
    }
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

/// A mirror that has all that is asked, as of now or later than this was called.
pub fn fresh<'m>(
    mirror: &'m RwLock<Mirror>,
    side: &Side<'_>,
    (workspace, asked): (WorkspaceId, &Asked),
) -> Result<RwLockReadGuard<'m, Mirror>, Fault> {
    let state = side.look(|slots| (slots.clock(), slots.next_number().index()))?;
    {
        let known = mirror.read();
        if known.is_fresh(asked, state) {
            known.wanted.store(WANTED_OVERLAYS, Ordering::Relaxed);
            return Ok(known);
        }
    }
    let mut changing = mirror.write();
    let new = changing.add(asked);
    changing.bring_up_or_clear(side, (workspace, asked.kind), new)?;
    changing.wanted.store(WANTED_OVERLAYS, Ordering::Relaxed);
    Ok(RwLockWriteGuard::downgrade(changing))
}

/// Looks at profiles together that are about to be read, first at what leads to more.
fn fetch<'p>(profiles: impl Iterator<Item = &'p Profile> + Clone, traits: bool) {
    let head = |profile: &Profile| {
        let (seen, certain) = kept_seen(profile);
        let times = profile.updated_at.0 ^ seen.last().map_or(0, |at| at.0) ^ i64::from(certain);
        times as usize ^ profile.traits.text_bytes()
    };
    std::hint::black_box(profiles.clone().map(head).fold(0, |all, one| all ^ one));
    if traits {
        let rest = |profile: &Profile| {
            let name = profile.external_id.as_bytes().first().copied().unwrap_or_default();
            profile.traits.touch() ^ usize::from(name)
        };
        std::hint::black_box(profiles.map(rest).fold(0, |all, one| all ^ one));
    }
}

impl Texts {
    fn put(&mut self, place: usize, profile: &Profile) {
        self.folded.clear();
        find::add_searchable(profile, &mut self.folded);
        let before = self.range(place);
        if self.text[before.clone()] == self.folded {
            return;
        }
        self.wasted += before.len();
        let start = self.text.len() as u32;
        self.text.push_str(&self.folded);
        self.places[place] = start..self.text.len() as u32;
    }

    fn range(&self, place: usize) -> Range<usize> {
        let place = &self.places[place];
        place.start as usize..place.end as usize
    }

    fn has(&self, place: usize, finders: &[Finder<'_>]) -> bool {
        let text = &self.text.as_bytes()[self.range(place)];
        finders.iter().all(|finder| finder.find(text).is_some())
    }

    /// Lets go of what was replaced, if it is much.
    fn pack(&mut self) {
        if self.wasted <= WASTE_BYTES_MIN.max(self.text.len() / 2) {
            return;
        }
        let before = std::mem::take(&mut self.text);
        self.text.reserve_exact(before.len() - self.wasted);
        for place in &mut self.places {
            let start = self.text.len() as u32;
            self.text.push_str(&before[place.start as usize..place.end as usize]);
            *place = start..self.text.len() as u32;
        }
        self.wasted = 0;
    }
}
