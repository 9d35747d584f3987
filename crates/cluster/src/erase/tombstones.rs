//! What was deleted, and when.

use muster_model::{
    deletion::Part,
    id::{RecordId, WorkspaceId},
    ties::Stretch,
};
use muster_store::deletion::{Delete, Instants};
use rustc_hash::FxHashSet;

use crate::{
    fault::Fault,
    sql::{
        connection::Transaction,
        values::{At, Id},
    },
};

const RECORDS: &str =
    "select record, deleted_at from tombstone where workspace = $1 and ($2::uuid[] is null or record = any($2))";
const PARTS: &str = "select anonymous, first_at, last_at, deleted_at from tombstone_part
    where workspace = $1 and ($2::uuid[] is null or anonymous = any($2))";

/// What was deleted of some records, or of all.
pub fn of(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    only: Option<FxHashSet<RecordId>>,
) -> Result<Instants, Fault> {
    let only: Option<Vec<Id>> = only.map(|only| only.into_iter().map(Id::from).collect());
    let mut instants = Instants::default();
    for row in transaction.query(RECORDS, &[&(workspace.0 as i32), &only])? {
        // What kind of record it is does not matter: ids of two kinds are never the same.
        let subject = (muster_model::kind::RecordKind::User, row.get::<_, Id>(0).record());
        instants.note(&[subject], &[], row.get::<_, At>(1).0);
    }
    for row in transaction.query(PARTS, &[&(workspace.0 as i32), &only])? {
        let stretch = Stretch { first: row.get::<_, At>(1).0, last: row.get::<_, At>(2).0 };
        let part = Part { anonymous: row.get::<_, Id>(0).record(), stretch };
        instants.note(&[], &[part], row.get::<_, At>(3).0);
    }
    Ok(instants)
}

const NOTE: &str =
    "insert into tombstone (workspace, record, deleted_at) select $1, record, $3 from unnest($2::uuid[]) as record
    on conflict (workspace, record) do update set deleted_at = greatest(tombstone.deleted_at, excluded.deleted_at)";
const NOTE_PARTS: &str = "insert into tombstone_part (workspace, anonymous, first_at, last_at, deleted_at)
    select $1, anonymous, first_at, last_at, $5 from unnest($2::uuid[], $3::int8[], $4::int8[]) as part (anonymous, first_at, last_at)
    on conflict do nothing";

/// Keeps what a deletion covers.
pub fn note(transaction: &mut Transaction<'_>, workspace: i32, delete: &Delete) -> Result<(), Fault> {
    let records: FxHashSet<RecordId> = delete.subjects.iter().map(|(_, id)| *id).collect();
    let records: Vec<Id> = records.into_iter().map(Id::from).collect();
    transaction.execute(NOTE, &[&workspace, &records, &At(delete.at)])?;
    let anonymous: Vec<Id> = delete.parts.iter().map(|part| Id::from(part.anonymous)).collect();
    let first: Vec<At> = delete.parts.iter().map(|part| At(part.stretch.first)).collect();
    let last: Vec<At> = delete.parts.iter().map(|part| At(part.stretch.last)).collect();
    transaction.execute(NOTE_PARTS, &[&workspace, &anonymous, &first, &last, &At(delete.at)])?;
    Ok(())
}
