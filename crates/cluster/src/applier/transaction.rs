//! The transaction of a group: every batch folded in, and the lane's position moved, or nothing.
//!
//! Batches that nothing else may be decided together with end a transaction and have one of their own.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use muster_model::id::WorkspaceId;
use muster_store::{batch::Batch, receipt::Receipt};
use tracing::error;

use super::{
    group::{Group, Item},
    tell,
    trim::Trim,
};
use crate::{
    cluster::Inner,
    fault::Fault,
    fold::{self, memory::Remembers, opened::Opened, plan::Counts},
    read::lists::settle,
    sql::{
        connection::{Connection, Mode, Transaction},
        values::Id,
    },
    stream::{
        parcel::{Body, Parcel, Sender},
        told::{self, Told, Whom},
    },
};

/// Tries of one transaction against which somebody else's came.
const TRIES_MAX: usize = 5;

/// A message of the stream, as a batch if it is one.
struct Unpacked {
    sequence: u64,
    /// Who waits for what becomes of it, if anybody does.
    sender: Option<Sender>,
    /// Under whose number its bytes lie in PostgreSQL, if they do.
    elsewhere: Option<Sender>,
    key_id: u64,
    batch: Result<Batch, (bytes::Bytes, &'static str)>,
}

/// Folds a group in; the lane's position after it.
pub fn fold_in(
    inner: &Arc<Inner>,
    connection: &mut Connection,
    (lane, mut position): (u32, u64),
    group: Group,
    trim: &mut Trim,
) -> Result<u64, Fault> {
    let unpacked: Vec<Unpacked> =
        group.items.into_iter().map(|item| unpack(connection, item)).collect::<Result<_, Fault>>()?;
    for part in unpacked.chunk_by(|one, next| !is_alone(one) && !is_alone(next)) {
        let mut tries = 0;
        position = loop {
            match fold_part(inner, connection, (lane, position), part, trim) {
                Err(fault) if fault.passes() && !fault.breaks_connection() && tries < TRIES_MAX => tries += 1,
                other => break other?,
            }
        };
    }
    Ok(position)
}

fn is_alone(one: &Unpacked) -> bool {
    one.batch.as_ref().is_ok_and(Batch::is_alone)
}

fn unpack(connection: &mut Connection, item: Item) -> Result<Unpacked, Fault> {
    let Item { sequence, payload, parcel } = item;
    let Some(Parcel { workspace, key_id, sender, awaited, body }) = parcel else {
        return Ok(Unpacked {
            sequence,
            sender: None,
            elsewhere: None,
            key_id: 0,
            batch: Err((payload, "it is no parcel")),
        });
    };
    let elsewhere = (body == Body::Elsewhere).then_some(sender);
    let bytes = match body {
        Body::Inline(bytes) => Some(bytes),
        Body::Elsewhere => {
            let rows = connection.ask("select body from parcel where id = $1", &[&Id(sender.id())])?;
            rows.first().map(|row| row.get::<_, Vec<u8>>(0).into())
        }
    };
    let batch = match bytes {
        None => Err((payload, "its bytes are not where they should be")),
        Some(bytes) => Batch::from_bytes(workspace, bytes).map_err(|_| (payload, "its bytes are no batch")),
    };
    Ok(Unpacked { sequence, sender: awaited.then_some(sender), elsewhere, key_id, batch })
}

const MOVE: &str = "update lane set sequence = $3 where lane = $1 and sequence = $2";
const OUTCOMES: &str =
    "insert into outcome (lane, sequence, outcomes) select $1, * from unnest($2::int8[], $3::bytea[])
    on conflict (lane, sequence) do update set outcomes = excluded.outcomes";
const UNREADABLE: &str =
    "insert into unreadable (lane, sequence, body, reason) values ($1, $2, $3, $4) on conflict do nothing";
const NO_WORKSPACE: &str = "its workspace is not there";
const UNPACKED: &str = "delete from parcel where id = any($1)";

fn fold_part(
    inner: &Arc<Inner>,
    connection: &mut Connection,
    (lane, position): (u32, u64),
    part: &[Unpacked],
    trim: &mut Trim,
) -> Result<u64, Fault> {
    let Some(last) = part.last().map(|last| last.sequence) else { return Ok(position) };
    let (started, remembers) = (Instant::now(), Remembers::within(inner.options.identity_retention));
    let mut opened: BTreeMap<WorkspaceId, Vec<(u64, Opened<'_>)>> = BTreeMap::new();
    let mut unreadable: Vec<(u64, &[u8], &str)> = Vec::new();
    for one in part {
        match &one.batch {
            Err((payload, reason)) => unreadable.push((one.sequence, payload, reason)),
            Ok(batch) => match Opened::of(batch, one.key_id) {
                Ok(open) => opened.entry(batch.workspace()).or_default().push((one.sequence, open)),
                Err(_) => unreadable.push((one.sequence, batch.bytes(), "its messages cannot be read")),
            },
        }
    }
    let transaction = RefCell::new(connection.begin(Mode::Write, None)?);
    let lane_number = lane as i32;
    // Whoever holds the lane's lock is alone with it; a node that only believes to hold it moves nothing.
    if transaction.borrow_mut().execute(MOVE, &[&lane_number, &(position as i64), &(last as i64)])? == 0 {
        return Err(Fault::Overtaken);
    }
    let (mut receipts, mut counts, mut censuses) = (BTreeMap::new(), Counts::default(), Vec::new());
    for (workspace, batches) in &opened {
        transaction.borrow_mut().enter(*workspace)?;
        let only: Vec<&Opened<'_>> = batches.iter().map(|(_, batch)| batch).collect();
        let ids = inner.registry.ids(&mut transaction.borrow_mut(), *workspace);
        // Whether there is a workspace is found out before anything changes.
        let (found, counted, census) =
            match ids.and_then(|ids| fold::fold(&transaction, (*workspace, ids), (&inner.archive, remembers), &only)) {
                Err(Fault::NoWorkspace) => {
                    let of = part.iter().filter_map(|one| Some((one.sequence, one.batch.as_ref().ok()?)));
                    let of = of.filter(|(_, batch)| batch.workspace() == *workspace);
                    unreadable.extend(of.map(|(sequence, batch)| (sequence, &**batch.bytes(), NO_WORKSPACE)));
                    continue;
                }
                folded => folded?,
            };
        counts.add(counted);
        trim.note(*workspace, counted);
        censuses.push(census);
        receipts.extend(batches.iter().map(|(sequence, _)| *sequence).zip(found));
    }
    let mut transaction = transaction.into_inner();
    keep_outcomes(&mut transaction, lane_number, part, &mut receipts)?;
    for (sequence, body, reason) in &unreadable {
        transaction.execute(UNREADABLE, &[&lane_number, &(*sequence as i64), body, reason])?;
    }
    let elsewhere: Vec<Id> = part.iter().filter_map(|one| one.elsewhere).map(|sender| Id(sender.id())).collect();
    if !elsewhere.is_empty() {
        transaction.execute(UNPACKED, &[&elsewhere])?;
    }
    transaction.commit()?;
    for census in &censuses {
        let workspace = WorkspaceId(census.workspace as u32);
        census.doubtful().for_each(|kind| settle::begin_unasked(inner, (workspace, kind)));
    }
    inner.counters.note(censuses);
    for (sequence, _, reason) in unreadable {
        error!(lane, sequence, reason, "a message of the stream is no batch; it is kept in the table `unreadable`");
    }
    inner.counters.folded(counts, started.elapsed());
    acknowledge(inner, lane, last, part, &mut receipts);
    Ok(last)
}

/// Keeps what became of batches for whoever waits for it, and forgets what nobody waits for.
fn keep_outcomes(
    transaction: &mut Transaction<'_>,
    lane: i32,
    part: &[Unpacked],
    receipts: &mut BTreeMap<u64, Receipt>,
) -> Result<(), Fault> {
    let awaited: BTreeSet<u64> = part.iter().filter(|one| one.sender.is_some()).map(|one| one.sequence).collect();
    receipts.retain(|sequence, _| awaited.contains(sequence));
    if receipts.is_empty() {
        return Ok(());
    }
    let sequences: Vec<i64> = receipts.keys().map(|sequence| *sequence as i64).collect();
    let outcomes: Vec<Vec<u8>> = receipts.values().map(told::outcomes).collect();
    transaction.execute(OUTCOMES, &[&lane, &sequences, &outcomes])?;
    Ok(())
}

/// Tells senders what became of their batches, and all nodes how far the lane is.
fn acknowledge(inner: &Arc<Inner>, lane: u32, last: u64, part: &[Unpacked], receipts: &mut BTreeMap<u64, Receipt>) {
    inner.lanes.note(lane, last);
    tell(inner, Whom::All, &Told::Applied { lane, sequence: last });
    for one in part {
        let (Some(sender), Some(receipt)) = (one.sender, receipts.remove(&one.sequence)) else { continue };
        if sender.node == inner.node {
            inner.waiters.answer(sender.request, receipt);
        } else {
            tell(inner, Whom::Node(sender.node), &Told::Receipt { request: sender.request, receipt });
        }
    }
}
