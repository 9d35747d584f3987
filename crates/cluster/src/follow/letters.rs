//! Messages that followers could do nothing with, kept with the place that follows them.
//!
//! Letters and place change in one transaction, so that a message is either still to come or among the letters. Whoever changes
//! letters holds the follower's row and shares the workspace's row of the census: nothing is deleted meanwhile, and nothing
//! that was deleted gets in.

use std::time::Duration;

use muster_model::{
    deletion::{Fate, Reach},
    id::{RecordId, WorkspaceId},
    time::Micros,
};
use muster_store::{
    deletion::Instants,
    follow::{Follower, FollowerId, Letter, LetterId, LetterPage, PageLimit},
    record,
};
use postgres::{Row, types::ToSql};
use rustc_hash::FxHashSet;

use crate::{
    erase::tombstones,
    fault::Fault,
    sql::{
        connection::Transaction,
        values::{At, Id},
    },
};

/// Letters that are looked at together, and due ones that are handed out together, at the most.
const LETTERS_AT_ONCE: usize = 1_000;
/// Bytes of the messages of one page of letters.
const PAGE_BYTES: i64 = 16 << 20;

const HOLD: &str = "select place from follower where id = $1 for update";
const SHARE: &str = "select from census where workspace = $1 for share";
const MOVE: &str = "update follower set place = $2 where id = $1";
const KEEP: &str = "insert into letter (workspace, follower, kept_at, identity, reason, due, record)
    values ($1, $2, $3, $4, $5, $6, $7) on conflict (follower, kept_at, identity)
    do update set reason = excluded.reason, due = excluded.due, record = excluded.record";
const END: &str = "delete from letter using unnest($3::int8[], $4::uuid[]) as ended (kept_at, identity)
    where workspace = $1 and follower = $2 and letter.kept_at = ended.kept_at and letter.identity = ended.identity";
const TRIM: &str = "delete from letter where workspace = $1 and follower = $2 and (kept_at, identity) <= (
        select kept_at, identity from letter where workspace = $1 and follower = $2
        order by kept_at desc, identity desc offset $3 limit 1
    )";
const AGE: &str = "delete from letter where workspace = $1 and follower = $2 and kept_at < $3";
const COUNT: &str = "select count(*) from letter where workspace = $1 and follower = $2";
/// Bytes are summed up before any of them are fetched; one letter comes in any case.
const PAGE: &str = "select kept_at, identity, reason, due, record, found from (
        select *, count(*) over () as found, row_number() over (order by kept_at, identity) as number,
            sum(octet_length(record)) over (order by kept_at, identity) as bytes
        from (
            select kept_at, identity, reason, due, record from letter
            where workspace = $1 and follower = $2 and ($3::int8 is null or (kept_at, identity) > ($3, $4))
            order by kept_at, identity limit $5
        ) as next
    ) as summed where number = 1 or (bytes <= $6 and number < $5) order by kept_at, identity";
const DUE: &str = "select kept_at, identity, reason, due, record from (
        select *, row_number() over (order by kept_at, identity) as number,
            sum(octet_length(record)) over (order by kept_at, identity) as bytes
        from (
            select kept_at, identity, reason, due, record from letter where workspace = $1 and follower = $2 and due
            order by kept_at, identity limit $3
        ) as next
    ) as summed where number = 1 or bytes <= $4 order by kept_at, identity";
const RESEND: &str = "update letter set due = true
    where workspace = $1 and follower = $2 and ($3::int8 is null or (kept_at = $3 and identity = $4))";
const DROP: &str = "delete from letter
    where workspace = $1 and follower = $2 and ($3::int8 is null or (kept_at = $3 and identity = $4))";
const REPLACE: &str = "update letter set record = $5
    where workspace = $1 and follower = $2 and kept_at = $3 and identity = $4";
const FOLLOWERS: &str = "select id from follower where workspace = $1 order by id";

/// What is to become of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// They are handed out again.
    Resend,
    Drop,
}

/// A follower's place, and the letters that are kept or ended with it.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Where it stood in the table before, and where it stands then.
    pub from: i64,
    pub to: i64,
    pub ended: Vec<LetterId>,
    pub kept: Vec<Letter>,
    /// How many letters are left, if those are dropped that are too many: oldest first.
    pub trims_to: Option<usize>,
    /// How long a letter is kept, counted from the newest one.
    pub retention: Duration,
}

/// What settling came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It is done; and how many letters there are, where they were counted.
    Settled(Option<u64>),
    /// Somebody else has moved the follower meanwhile, to here; nothing was changed.
    Moved(i64),
    /// The follower is no more.
    Gone,
}

/// Keeps place and letters of a follower.
pub fn settle(transaction: &mut Transaction<'_>, follower: &Follower, settled: &Settled) -> Result<Came, Fault> {
    let id = follower.id.0 as i64;
    let Some(place) = transaction.query_opt(HOLD, &[&id])?.map(|row| row.get::<_, i64>(0)) else {
        return Ok(Came::Gone);
    };
    // Where it goes it may be already, when the answer to the first try was lost.
    if place != settled.from && place != settled.to {
        return Ok(Came::Moved(place));
    }
    if place != settled.to {
        transaction.execute(MOVE, &[&id, &settled.to])?;
    }
    if settled.ended.is_empty() && settled.kept.is_empty() {
        return Ok(Came::Settled(None));
    }
    let workspace = follower.workspace.0 as i32;
    transaction.query(SHARE, &[&workspace])?;
    if !settled.ended.is_empty() {
        let (at, by): (Vec<At>, Vec<Id>) =
            settled.ended.iter().map(|letter| (At(letter.kept_at), Id::from(letter.identity))).unzip();
        transaction.execute(END, &[&workspace, &id, &at, &by])?;
    }
    keep(transaction, follower, &settled.kept)?;
    let mut aged = 0;
    if let Some(newest) = settled.kept.iter().map(|letter| letter.id.kept_at).max() {
        let retention = i64::try_from(settled.retention.as_micros()).unwrap_or(i64::MAX);
        let oldest = At(Micros(newest.0.saturating_sub(retention)));
        aged = transaction.execute(AGE, &[&workspace, &id, &oldest])?;
    }
    if let Some(letters_max) = settled.trims_to {
        transaction.execute(TRIM, &[&workspace, &id, &(letters_max as i64)])?;
    } else if aged == 0 {
        return Ok(Came::Settled(None));
    }
    Ok(Came::Settled(Some(count(transaction, follower)?)))
}

/// Keeps a letter as it is.
pub fn insert(
    transaction: &mut Transaction<'_>,
    (workspace, follower): (WorkspaceId, FollowerId),
    letter: &Letter,
) -> Result<(), Fault> {
    let Letter { id, reason, due, record } = letter;
    let (workspace, number) = (workspace.0 as i32, follower.0 as i64);
    let (at, by) = (At(id.kept_at), Id::from(id.identity));
    transaction.execute(KEEP, &[&workspace, &number, &at, &by, &reason.as_bytes(), due, record])?;
    Ok(())
}

fn keep(transaction: &mut Transaction<'_>, follower: &Follower, kept: &[Letter]) -> Result<(), Fault> {
    let mut named = FxHashSet::default();
    for letter in kept {
        named.extend(record::names(&letter.record)?.subjects.into_iter().flatten().map(|(_, id)| id));
    }
    let deleted = tombstones::of(transaction, follower.workspace, Some(named))?;
    for letter in kept {
        let Some(record) = left(&letter.record, |id, reach| deleted.hides(id, reach))? else { continue };
        insert(transaction, (follower.workspace, follower.id), &Letter { record, ..letter.clone() })?;
    }
    Ok(())
}

/// What deletions leave of a message in its byte form.
fn left(bytes: &[u8], hides: impl Fn(RecordId, Reach) -> bool) -> Result<Option<Vec<u8>>, Fault> {
    let names = record::names(bytes)?;
    Ok(match names.fate(names.reach(), &hides) {
        Fate::Keep => Some(bytes.to_vec()),
        Fate::Drop => None,
        Fate::Redact => {
            let mut left = Vec::with_capacity(bytes.len());
            record::encode(&record::decode(bytes)?.redacted(hides), &mut left);
            Some(left)
        }
    })
}

/// Takes out of a workspace's letters what was deleted. Whoever calls this holds the workspace.
pub fn erase(transaction: &mut Transaction<'_>, workspace: WorkspaceId, deleted: &Instants) -> Result<(), Fault> {
    let rows = transaction.query(FOLLOWERS, &[&(workspace.0 as i32)])?;
    for id in rows.iter().map(|row| FollowerId(row.get::<_, i64>(0) as u64)) {
        let mut after = None;
        loop {
            let LetterPage { letters, next } = page(transaction, (workspace, id), after, LETTERS_AT_ONCE)?;
            erase_from(transaction, (workspace, id), &letters, deleted)?;
            let Some(_) = next else { break };
            after = next;
        }
    }
    Ok(())
}

fn erase_from(
    transaction: &mut Transaction<'_>,
    (workspace, id): (WorkspaceId, FollowerId),
    letters: &[Letter],
    deleted: &Instants,
) -> Result<(), Fault> {
    for letter in letters {
        let (workspace, follower) = (workspace.0 as i32, id.0 as i64);
        let (at, by) = (At(letter.id.kept_at), Id::from(letter.id.identity));
        match left(&letter.record, |id, reach| deleted.hides(id, reach))? {
            Some(record) if record == letter.record => {}
            Some(record) => drop(transaction.execute(REPLACE, &[&workspace, &follower, &at, &by, &record])?),
            None => drop(transaction.execute(END, &[&workspace, &follower, &vec![at], &vec![by]])?),
        }
    }
    Ok(())
}

/// How many letters a follower has.
pub fn count(transaction: &mut Transaction<'_>, follower: &Follower) -> Result<u64, Fault> {
    let params: [&(dyn ToSql + Sync); 2] = [&(follower.workspace.0 as i32), &(follower.id.0 as i64)];
    Ok(transaction.query_one(COUNT, &params)?.get::<_, i64>(0) as u64)
}

/// Letters after one, oldest first: so many at the most, and so many bytes.
pub fn page(
    transaction: &mut Transaction<'_>,
    (workspace, id): (WorkspaceId, FollowerId),
    after: Option<LetterId>,
    limit: usize,
) -> Result<LetterPage, Fault> {
    let (at, by) = (after.map(|after| At(after.kept_at)), after.map(|after| Id::from(after.identity)));
    // One more than is handed out tells whether there is more.
    let rows = limit.clamp(1, LETTERS_AT_ONCE) as i64 + 1;
    let params: [&(dyn ToSql + Sync); 6] = [&(workspace.0 as i32), &(id.0 as i64), &at, &by, &rows, &PAGE_BYTES];
    let found = transaction.query(PAGE, &params)?;
    let more = found.first().is_some_and(|row| row.get::<_, i64>(5) > found.len() as i64);
    let letters: Vec<Letter> = found.iter().map(letter).collect::<Result<_, Fault>>()?;
    let next = letters.last().filter(|_| more).map(|letter| letter.id);
    Ok(LetterPage { letters, next })
}

/// Letters that are to be handed out again, oldest first.
pub fn due(transaction: &mut Transaction<'_>, follower: &Follower, limit: PageLimit) -> Result<Vec<Letter>, Fault> {
    let messages = limit.messages.clamp(1, LETTERS_AT_ONCE) as i64;
    let bytes = i64::try_from(limit.bytes).unwrap_or(i64::MAX);
    let params: [&(dyn ToSql + Sync); 4] = [&(follower.workspace.0 as i32), &(follower.id.0 as i64), &messages, &bytes];
    transaction.query(DUE, &params)?.iter().map(letter).collect()
}

/// Does something to a letter, or to all; how many there were, and nothing when there is no such follower.
pub fn order(
    transaction: &mut Transaction<'_>,
    follower: &Follower,
    letter: Option<LetterId>,
    order: Order,
) -> Result<Option<u64>, Fault> {
    let (workspace, id) = (follower.workspace.0 as i32, follower.id.0 as i64);
    if transaction.query_opt(HOLD, &[&id])?.is_none() {
        return Ok(None);
    }
    transaction.query(SHARE, &[&workspace])?;
    let (at, by) = (letter.map(|letter| At(letter.kept_at)), letter.map(|letter| Id::from(letter.identity)));
    let sql = match order {
        Order::Resend => RESEND,
        Order::Drop => DROP,
    };
    Ok(Some(transaction.execute(sql, &[&workspace, &id, &at, &by])?))
}

fn letter(row: &Row) -> Result<Letter, Fault> {
    let id = LetterId { kept_at: row.get::<_, At>(0).0, identity: row.get::<_, Id>(1).identity() };
    let reason = String::from_utf8(row.get(2)).map_err(|_| Fault::Damaged("a dead letter"))?;
    Ok(Letter { id, reason, due: row.get(3), record: row.get(4) })
}
