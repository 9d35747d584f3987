//! Deletions: asked for, scheduled, called off, carried out.

use std::{cell::RefCell, sync::Arc};

use muster_model::{
    change::apply,
    deletion::{DeletionId, Subject},
    id::{IdSpace, WorkspaceId},
};
use muster_store::{
    batch::decode_refused,
    clock::{Clock, SystemClock},
    codec,
    deletion::{Correction, Decree, Delete, Deletion, Instants, Removed, Stage, Wipe, mentions, receipt::chain_end},
    record,
};
use rustc_hash::FxHashSet;

use super::{files::Files, rows, tombstones};
use crate::{
    archive::Archive,
    fault::Fault,
    fold::{census::Census, sheet::Sheet, write},
    follow,
    read::deletions::decoded,
    sql::{connection::Transaction, values::Id},
};

const ONE: &str = "select body from deletion where workspace = $1 and id = $2";
const LAST: &str = "select body from deletion where workspace = $1 and number is not null order by number desc limit 1";
const KEEP: &str = "insert into deletion (workspace, id, scheduled, number, body) values ($1, $2, $3, $4, $5)
    on conflict (workspace, id) do update set scheduled = excluded.scheduled, number = excluded.number, body = excluded.body";
const REFUSED: &str = "select id, body from refused where workspace = $1";
const NO_REFUSED: &str = "delete from refused where workspace = $1 and id = any($2)";

/// Carries out a decree.
pub fn carry_out(
    transaction: &RefCell<Transaction<'_>>,
    (workspace, ids): (WorkspaceId, IdSpace),
    archive: &Archive,
    decree: &Decree,
    census: &mut Census,
) -> Result<(), Fault> {
    let mut known = deletion(&mut transaction.borrow_mut(), census.workspace, decree.id())?;
    let deletes = Deletion::take(&mut known, decree.clone());
    let Some(mut deletion) = known else { return Ok(()) };
    if let (Decree::Delete(delete), true) = (decree, deletes) {
        let removed = delete_now(transaction, (workspace, ids), archive, delete, census)?;
        if let Some(erasure) = deletion.erasure_mut() {
            erasure.removed.add(&removed);
        }
        let row = transaction.borrow_mut().query_opt(LAST, &[&census.workspace])?;
        let last = row.map(|row| decoded(row.get(0))).transpose()?;
        deletion.finish(chain_end(&last), SystemClock.now().max(delete.at));
    }
    keep(&mut transaction.borrow_mut(), census.workspace, &deletion)
}

/// Keeps a deletion as it is now.
pub fn keep(transaction: &mut Transaction<'_>, workspace: i32, deletion: &Deletion) -> Result<(), Fault> {
    let mut bytes = Vec::new();
    codec::deletion::encode(deletion, &mut bytes);
    let scheduled = deletion.stage == Stage::Scheduled;
    let number = deletion.seal().map(|seal| seal.number as i64);
    let params: [&(dyn postgres::types::ToSql + Sync); 5] =
        [&workspace, &Id(deletion.id.0), &scheduled, &number, &bytes];
    transaction.execute(KEEP, &params)?;
    Ok(())
}

fn deletion(transaction: &mut Transaction<'_>, workspace: i32, id: DeletionId) -> Result<Option<Deletion>, Fault> {
    let row = transaction.query_opt(ONE, &[&workspace, &Id(id.0)])?;
    row.map(|row| decoded(row.get(0))).transpose()
}

/// Takes out everything that a deletion covers; what that was.
fn delete_now(
    transaction: &RefCell<Transaction<'_>>,
    (workspace, ids): (WorkspaceId, IdSpace),
    archive: &Archive,
    delete: &Delete,
    census: &mut Census,
) -> Result<Removed, Fault> {
    tombstones::note(&mut transaction.borrow_mut(), census.workspace, delete)?;
    census.deleted = true;
    let mut deleted = Instants::default();
    deleted.note(&delete.subjects, &delete.parts, delete.at);
    let deleted = Arc::new(deleted);
    let mut sheet = Sheet::new(transaction, workspace, archive);
    let files = Files::new(archive, transaction, workspace)?;
    let changes = Wipe::plan(&sheet, delete)?;
    let mut removed = changes.removed;
    let doubtful: FxHashSet<Subject> = changes.doubtful.iter().map(|(subject, _)| *subject).collect();
    sheet.make(changes)?;
    let erased = rows::erase(&files, (delete, &deleted), census)?;
    follow::erase(&mut transaction.borrow_mut(), workspace, &deleted)?;
    // What is received and timestamped after it starts records anew, although it came before.
    hear_again(&files, &doubtful, &mut sheet)?;
    let mut correction = Correction::new(&sheet, Arc::clone(&deleted), &erased.concerned)?;
    if !correction.is_empty() {
        rows::naming(&files, &correction.subjects(), |_, bytes| {
            correction.take(record::decode(bytes)?);
            Ok(())
        })?;
        let changes = correction.changes(&sheet)?;
        sheet.make(changes)?;
        let follows = correction.corrected(&sheet)?;
        sheet.make(follows)?;
        for bytes in correction.into_heard_again() {
            apply(&mut sheet, &record::decode(&bytes)?)?;
        }
    }
    write::write(sheet, census)?;
    removed.messages += erased.removed;
    removed.identities += erased.removed;
    removed.redacted += erased.redacted;
    removed.refused += remove_refused(transaction, ids, &deleted, census)?;
    Ok(removed)
}

fn hear_again(files: &Files<'_, '_>, doubtful: &FxHashSet<Subject>, sheet: &mut Sheet<'_, '_>) -> Result<(), Fault> {
    let mut left: Vec<(i64, Vec<u8>)> = Vec::new();
    rows::naming(files, doubtful, |arrived, bytes| {
        left.push((arrived, bytes.to_vec()));
        Ok(())
    })?;
    left.sort_unstable_by_key(|(arrived, _)| *arrived);
    left.iter().try_for_each(|(_, bytes)| apply(sheet, &record::decode(bytes)?))
}

fn remove_refused(
    transaction: &RefCell<Transaction<'_>>,
    ids: IdSpace,
    deleted: &Instants,
    census: &Census,
) -> Result<u64, Fault> {
    let mut named: Vec<Id> = Vec::new();
    transaction.borrow_mut().each(REFUSED, &[&census.workspace], |row| {
        let refused = decode_refused(row.get(1)).map_err(|_| Fault::Damaged("a message set aside"))?;
        let hidden = |id| deleted.deleted_at(id).is_some_and(|at| refused.received_at <= at);
        if mentions(&refused.body, ids, hidden) {
            named.push(row.get(0));
        }
        Ok(true)
    })?;
    transaction.borrow_mut().execute(NO_REFUSED, &[&census.workspace, &named])
}
