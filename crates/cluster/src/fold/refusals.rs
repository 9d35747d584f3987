//! Messages set aside, and those that are no more.

use muster_model::id::WorkspaceId;
use muster_store::{
    batch::encode_refused,
    refused::{Refused, RefusedId},
};
use rustc_hash::FxHashMap;

use crate::{
    fault::Fault,
    sql::{
        connection::Transaction,
        values::{At, Id},
    },
};

/// What batches change about them. Of messages set aside with one id the first one stays.
#[derive(Default)]
pub struct Refusals {
    changes: FxHashMap<RefusedId, Change>,
}

#[derive(Default)]
struct Change {
    /// What is there goes.
    forgets: bool,
    keeps: Option<Refused<'static>>,
}

const FORGET: &str = "delete from refused where workspace = $1 and id = any($2)";
const KEEP: &str = "insert into refused (workspace, id, received_at, body)
    select $1, * from unnest($2::uuid[], $3::int8[], $4::bytea[]) on conflict do nothing";

impl Refusals {
    /// Sets a message aside.
    pub fn set_aside(&mut self, refused: Refused<'static>) {
        self.changes.entry(refused.id).or_default().keeps.get_or_insert(refused);
    }

    /// Has one set aside no longer.
    pub fn forget(&mut self, id: RefusedId) {
        self.changes.insert(id, Change { forgets: true, keeps: None });
    }

    /// Writes it.
    pub fn write(&self, transaction: &mut Transaction<'_>, workspace: WorkspaceId) -> Result<(), Fault> {
        let workspace = workspace.0 as i32;
        let forgotten: Vec<Id> =
            self.changes.iter().filter(|(_, change)| change.forgets).map(|(id, _)| Id(id.0)).collect();
        if !forgotten.is_empty() {
            transaction.execute(FORGET, &[&workspace, &forgotten])?;
        }
        let kept: Vec<&Refused<'static>> = self.changes.values().filter_map(|change| change.keeps.as_ref()).collect();
        if kept.is_empty() {
            return Ok(());
        }
        let ids: Vec<Id> = kept.iter().map(|refused| Id(refused.id.0)).collect();
        let received: Vec<At> = kept.iter().map(|refused| At(refused.received_at)).collect();
        let encoded = |refused: &&Refused<'static>| {
            let mut bytes = Vec::new();
            encode_refused(refused, &mut bytes);
            bytes
        };
        let bodies: Vec<Vec<u8>> = kept.iter().map(encoded).collect();
        transaction.execute(KEEP, &[&workspace, &ids, &received, &bodies])?;
        Ok(())
    }
}
