//! Daily cells: how often who did what on which day, for each chunk of a file.
//!
//! A cell counts the tracks of one chunk that share account, organization, user, day and event. Like rows, cells keep
//! what was sent: where those belong that name no account is decided when they are read. Cells are made from the rows of
//! a file while it is written, so they hold what the duplicate check let through, and go when their rows go.
//! They lie beside the directory; the layout is described in `docs/storage-format.md`.

use bytes::Bytes;
use muster_model::{day::Day, id::RecordId, profile::Span, time::Micros};
use rustc_hash::FxHashMap;

use muster_store::byte_form::{Input, Malformed, Output};

/// The key in a file's metadata whose value is the place of the cells: first byte, length of the cells, length of their
/// index right after them, in decimal digits.
pub const PLACE_KEY: &str = "muster.daily";
const VERSION: u8 = 3;
/// The version before, which knew no anonymous ids.
const WITHOUT_ANONYMOUS: u8 = 2;

/// A user, as far as cells tell: the first half of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserKey(pub u64);

impl UserKey {
    pub fn of(id: RecordId) -> Self {
        UserKey((id.0 >> 64) as u64)
    }

    /// The user with this other half.
    pub fn whole(self, rest: u64) -> RecordId {
        RecordId(u128::from(self.0) << 64 | u128::from(rest))
    }
}

/// What the tracks counted in a cell share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// The account that they name or, if they name none, are filed under.
    pub account: Option<RecordId>,
    /// Whether they name it.
    pub named: bool,
    /// The organization that they name.
    pub organization: Option<RecordId>,
    pub user: Option<UserKey>,
    /// The other half of the user's id where nothing else leads to the user: of tracks that name an organization and no
    /// account.
    pub user_rest: Option<u64>,
    /// The anonymous id, of tracks that name no user.
    pub anonymous: Option<RecordId>,
    pub day: Day,
    /// The number of the event's name in the file.
    pub event: u32,
}

const ACCOUNT_FOLLOWS: u8 = 1;
const NO_ACCOUNT: u8 = 1 << 1;
const NAMED: u8 = 1 << 2;
const ORGANIZATION_FOLLOWS: u8 = 1 << 3;
const NO_ORGANIZATION: u8 = 1 << 4;
const HAS_USER: u8 = 1 << 5;
const HAS_USER_REST: u8 = 1 << 6;
const HAS_ANONYMOUS: u8 = 1 << 7;

/// All tracks of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub events: u64,
    pub seen: Span,
    /// How many of them lie on each day, by day.
    pub days: Vec<(Day, u64)>,
}

impl Tally {
    /// Counts a track at an instant.
    pub fn take(&mut self, at: Micros) {
        self.events += 1;
        self.seen.take_in(at);
        self.add(Day::of(at), 1);
    }

    /// Counts what another has counted.
    pub fn join(&mut self, other: &Tally) {
        self.events += other.events;
        self.seen.join(other.seen);
        other.days.iter().for_each(|(day, count)| self.add(*day, *count));
    }

    fn add(&mut self, day: Day, count: u64) {
        match self.days.binary_search_by_key(&day, |(known, _)| *known) {
            Ok(at) => self.days[at].1 += count,
            Err(at) => self.days.insert(at, (day, count)),
        }
    }
}

/// Collects the cells of a file.
#[derive(Debug, Default)]
pub struct DailyBuilder {
    events: FxHashMap<Box<str>, u32>,
    tallies: Vec<Tally>,
    cells: Vec<Cell>,
    blocks: Vec<u8>,
    offsets: Vec<u32>,
}

impl DailyBuilder {
    /// Notes a track of this name at an instant; the number of the name.
    pub fn event(&mut self, name: &str, at: Micros) -> u32 {
        let number = match self.events.get(name) {
            Some(known) => *known,
            None => {
                let number = self.tallies.len() as u32;
                self.events.insert(name.into(), number);
                self.tallies.push(Tally::default());
                number
            }
        };
        self.tallies[number as usize].take(at);
        number
    }

    /// Counts a track.
    pub fn take(&mut self, cell: Cell) {
        self.cells.push(cell);
    }

    /// Ends a chunk.
    pub fn end_chunk(&mut self) {
        self.offsets.push(self.blocks.len() as u32);
        self.cells.sort_unstable();
        let mut before: Option<Cell> = None;
        let same_group = |one: &Cell, other: &Cell| {
            Cell { day: Day(0), event: 0, ..*one } == Cell { day: Day(0), event: 0, ..*other }
        };
        for group in self.cells.chunk_by(same_group) {
            put_group(&group[0], before.as_ref(), &mut self.blocks);
            let mut day = 0;
            let cells = || group.chunk_by(|one, other| one == other);
            put_varint(cells().count() as u64, &mut self.blocks);
            for same in cells() {
                put_varint(zigzag(i64::from(same[0].day.0) - day), &mut self.blocks);
                put_varint(u64::from(same[0].event), &mut self.blocks);
                put_varint(same.len() as u64, &mut self.blocks);
                day = i64::from(same[0].day.0);
            }
            before = Some(group[0]);
        }
        self.cells.clear();
    }

    /// The blocks of cells, and their index.
    pub fn finish(self) -> (Vec<u8>, Vec<u8>) {
        let mut names: Vec<(&str, u32)> = self.events.iter().map(|(name, number)| (name.as_ref(), *number)).collect();
        names.sort_unstable_by_key(|(_, number)| *number);
        let mut index = Vec::new();
        index.put_u8(VERSION);
        index.put_u32(names.len() as u32);
        for ((name, _), tally) in names.iter().zip(&self.tallies) {
            let (first, last) = tally.seen.bounds().unwrap_or_default();
            index.put_text(name);
            index.put_u64(tally.events);
            index.put_i64(first.0);
            index.put_i64(last.0);
            put_days(&tally.days, &mut index);
        }
        index.put_u32(self.offsets.len() as u32);
        self.offsets.iter().for_each(|offset| index.put_u32(*offset));
        (self.blocks, index)
    }
}

fn put_group(group: &Cell, before: Option<&Cell>, out: &mut Vec<u8>) {
    let flags_of = |now: Option<RecordId>, was: Option<Option<RecordId>>, follows, none| match (now, was) {
        (None, _) => none,
        (Some(_), Some(was)) if was == now => 0,
        (Some(_), _) => follows,
    };
    let account = flags_of(group.account, before.map(|before| before.account), ACCOUNT_FOLLOWS, NO_ACCOUNT);
    let organization =
        flags_of(group.organization, before.map(|before| before.organization), ORGANIZATION_FOLLOWS, NO_ORGANIZATION);
    let flag = |is: bool, flag| if is { flag } else { 0 };
    out.put_u8(
        account
            | organization
            | flag(group.named, NAMED)
            | flag(group.user.is_some(), HAS_USER)
            | flag(group.user_rest.is_some(), HAS_USER_REST)
            | flag(group.anonymous.is_some(), HAS_ANONYMOUS),
    );
    for (id, follows) in
        [(group.account, account == ACCOUNT_FOLLOWS), (group.organization, organization == ORGANIZATION_FOLLOWS)]
    {
        if let Some(id) = id.filter(|_| follows) {
            out.put_u128(id.0);
        }
    }
    if let Some(user) = group.user {
        out.put_u64(user.0);
    }
    if let Some(rest) = group.user_rest {
        out.put_u64(rest);
    }
    if let Some(anonymous) = group.anonymous {
        out.put_u128(anonymous.0);
    }
}

/// Where the cells of each chunk lie, and the names of events.
#[derive(Debug)]
pub struct DailyIndex {
    pub events: Vec<(Box<str>, Tally)>,
    offsets: Vec<u32>,
    blocks_bytes: usize,
}

impl DailyIndex {
    /// Reads an index over so many bytes of cells.
    pub fn read(bytes: &[u8], blocks_bytes: usize) -> Result<DailyIndex, Malformed> {
        let mut input = Input::new(bytes);
        if !matches!(input.u8()?, WITHOUT_ANONYMOUS | VERSION) {
            return Err(Malformed);
        }
        let count = input.count(29)?;
        let mut events = Vec::with_capacity(count);
        for _ in 0..count {
            let (name, events_of) = (input.text()?.into(), input.u64()?);
            let seen = Span::from_bounds(Some((Micros(input.i64()?), Micros(input.i64()?))));
            let days = take_days(&mut input)?;
            events.push((name, Tally { events: events_of, seen, days }));
        }
        let count = input.count(4)?;
        let offsets = (0..count).map(|_| input.u32()).collect::<Result<Vec<u32>, Malformed>>()?;
        input.end()?;
        if !offsets.is_sorted() || offsets.last().is_some_and(|last| *last as usize > blocks_bytes) {
            return Err(Malformed);
        }
        Ok(DailyIndex { events, offsets, blocks_bytes })
    }

    /// The first and the last instant of any track.
    pub fn seen(&self) -> Span {
        let mut seen = Span::default();
        self.events.iter().for_each(|(_, tally)| seen.join(tally.seen));
        seen
    }

    /// Bytes that it holds, roughly.
    pub fn bytes(&self) -> usize {
        self.offsets.len() * 4
            + self.events.iter().map(|(name, tally)| name.len() + 88 + tally.days.len() * 16).sum::<usize>()
    }

    /// The bytes of chunks `from` to `until` (excluded) within the cells.
    pub fn place(&self, from: usize, until: usize) -> std::ops::Range<usize> {
        let at = |chunk: usize| self.offsets.get(chunk).map_or(self.blocks_bytes, |offset| *offset as usize);
        at(from)..at(until)
    }
}

fn put_days(days: &[(Day, u64)], out: &mut Vec<u8>) {
    put_varint(days.len() as u64, out);
    let mut before = 0;
    for (day, count) in days {
        put_varint(zigzag(i64::from(day.0) - before), out);
        put_varint(*count, out);
        before = i64::from(day.0);
    }
}

fn take_days(input: &mut Input<'_>) -> Result<Vec<(Day, u64)>, Malformed> {
    let count = usize::try_from(take_varint(input)?).map_err(|_| Malformed)?;
    // Each of them takes two bytes at least.
    if count > input.left() / 2 {
        return Err(Malformed);
    }
    let mut days = Vec::with_capacity(count);
    let mut day: i64 = 0;
    for _ in 0..count {
        day = unzigzag(take_varint(input)?).checked_add(day).ok_or(Malformed)?;
        days.push((Day(i32::try_from(day).map_err(|_| Malformed)?), take_varint(input)?));
    }
    if days.is_sorted_by(|(one, _), (other, _)| one < other) { Ok(days) } else { Err(Malformed) }
}

/// Calls `visit` with every cell of a chunk and its count.
pub fn cells(block: &Bytes, mut visit: impl FnMut(&Cell, u64)) -> Result<(), Malformed> {
    let mut input = Input::new(block);
    let mut cell = Cell {
        account: None,
        named: false,
        organization: None,
        user: None,
        user_rest: None,
        anonymous: None,
        day: Day(0),
        event: 0,
    };
    while input.left() > 0 {
        let flags = input.u8()?;
        if flags & ACCOUNT_FOLLOWS != 0 {
            cell.account = Some(RecordId(input.u128()?));
        } else if flags & NO_ACCOUNT != 0 {
            cell.account = None;
        }
        if flags & ORGANIZATION_FOLLOWS != 0 {
            cell.organization = Some(RecordId(input.u128()?));
        } else if flags & NO_ORGANIZATION != 0 {
            cell.organization = None;
        }
        cell.named = flags & NAMED != 0;
        cell.user = if flags & HAS_USER != 0 { Some(UserKey(input.u64()?)) } else { None };
        cell.user_rest = if flags & HAS_USER_REST != 0 { Some(input.u64()?) } else { None };
        cell.anonymous = if flags & HAS_ANONYMOUS != 0 { Some(RecordId(input.u128()?)) } else { None };
        let mut day: i64 = 0;
        for _ in 0..take_varint(&mut input)? {
            day = unzigzag(take_varint(&mut input)?).checked_add(day).ok_or(Malformed)?;
            cell.day = Day(i32::try_from(day).map_err(|_| Malformed)?);
            cell.event = u32::try_from(take_varint(&mut input)?).map_err(|_| Malformed)?;
            visit(&cell, take_varint(&mut input)?);
        }
    }
    Ok(())
}

fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_varint(input: &mut Input<'_>) -> Result<u64, Malformed> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = input.u8()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Malformed)
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Cell> {
        let some = |id: u128| Some(RecordId(id << 64 | 5));
        let mut cells = Vec::new();
        for number in 0..400u32 {
            cells.push(Cell {
                account: some(u128::from(number % 7)).filter(|_| number % 5 > 0),
                named: number % 3 == 0,
                organization: some(9).filter(|_| number % 4 == 0),
                user: Some(UserKey(u64::from(number % 11))).filter(|_| number % 6 > 0),
                user_rest: Some(7).filter(|_| number % 12 == 1),
                anonymous: some(u128::from(number % 13)).filter(|_| number % 6 == 0),
                day: Day((number % 9) as i32 - 4),
                event: number % 2,
            });
        }
        cells
    }

    #[test]
    fn what_is_counted_is_read() {
        let mut builder = DailyBuilder::default();
        let noted = [("a", 5), ("b", 1), ("a", -2)].map(|(name, at)| builder.event(name, Micros(at)));
        assert_eq!(noted, [0, 1, 0]);
        let mut expected: FxHashMap<Cell, u64> = FxHashMap::default();
        for chunk in samples().chunks(100) {
            for cell in chunk {
                builder.take(*cell);
                *expected.entry(*cell).or_default() += 1;
            }
            builder.end_chunk();
        }
        let (blocks, index) = builder.finish();
        let index = DailyIndex::read(&index, blocks.len()).unwrap();
        let tally = |first, last, days: &[(i32, u64)]| Tally {
            events: days.iter().map(|(_, count)| count).sum(),
            seen: Span::from_bounds(Some((Micros(first), Micros(last)))),
            days: days.iter().map(|(day, count)| (Day(*day), *count)).collect(),
        };
        let expected_names = [("a".into(), tally(-2, 5, &[(-1, 1), (0, 1)])), ("b".into(), tally(1, 1, &[(0, 1)]))];
        assert_eq!(index.events, expected_names);
        assert_eq!(index.seen().bounds(), Some((Micros(-2), Micros(5))));
        let blocks = Bytes::from(blocks);
        let mut found: FxHashMap<Cell, u64> = FxHashMap::default();
        for chunk in 0..4 {
            let block = blocks.slice(index.place(chunk, chunk + 1));
            cells(&block, |cell, count| *found.entry(*cell).or_default() += count).unwrap();
        }
        assert_eq!(found, expected);
        assert_eq!(index.place(0, 4), 0..blocks.len());
    }

    #[test]
    fn cut_or_flipped_bytes_never_panic() {
        let mut builder = DailyBuilder::default();
        builder.event("a", Micros(1));
        samples().into_iter().for_each(|cell| builder.take(cell));
        builder.end_chunk();
        let (blocks, index) = builder.finish();
        for end in 0..index.len() {
            assert!(DailyIndex::read(&index[..end], blocks.len()).is_err(), "cut at {end}");
        }
        for at in 0..blocks.len() {
            let mut damaged = blocks.clone();
            damaged[at] ^= 0xff;
            let _ = cells(&Bytes::from(damaged), |_, _| ());
            let _ = cells(&Bytes::copy_from_slice(&blocks[..at]), |_, _| ());
        }
    }
}
