//! The records of a workspace as a transaction sees them.

use std::{
    cell::{RefCell, RefMut},
    collections::BTreeMap,
    sync::Arc,
};

use muster_history::manifest::Segment;
use muster_model::{
    association::Statement,
    deletion::Subject,
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
    profile::Profile,
    register::Stamp,
};
use muster_store::{codec, error::ReadError, records::Records};
use postgres::Row;
use rustc_hash::FxHashSet;

use crate::{
    archive::Archive,
    fault::Fault,
    fold::write::number,
    sql::{
        connection::Transaction,
        values::{At, Id},
    },
};

const NAME: &str = "select name from workspace where id = $1";
const ONE: &str = "select body from profile where workspace = $1 and kind = $2 and id = $3";
// One kind at a time: so it is a look into the index for each, as soon as PostgreSQL knows how large the table is.
const SEVERAL: &str = "select body from profile where workspace = $1 and kind = $2 and id = any($3)";
const CHILDREN: &str = "select id from child where workspace = $1 and parent_kind = $2 and parent = $3 and kind = $4";
const CHILDREN_OF_SEVERAL: &str =
    "select distinct id from child where workspace = $1 and parent_kind = $2 and parent = any($3) and kind = $4";
const STATEMENTS: &str =
    "select ordered_at, identity, parent, links from statement where workspace = $1 and parents = $2 and about = $3";
const UNSAY: &str = "delete from statement where workspace = $1 and parents = $2 and about = $3 and parent = $4";
const UNSAY_ALL: &str = "delete from statement where workspace = $1 and parents = $2 and about = $3";
const UNRELATE: &str =
    "delete from child where workspace = $1 and parent_kind = $2 and parent = $3 and kind = $4 and id = $5";
const UNRELATE_ALL: &str = "delete from child where workspace = $1 and parent_kind = $2 and parent = $3";

/// A workspace's records in a transaction.
#[derive(Clone, Copy)]
pub struct Book<'t, 'c> {
    transaction: &'t RefCell<Transaction<'c>>,
    workspace: WorkspaceId,
    archive: &'t Archive,
}

impl<'t, 'c> Book<'t, 'c> {
    pub fn new(
        transaction: &'t RefCell<Transaction<'c>>,
        workspace: WorkspaceId,
        archive: &'t Archive,
    ) -> Book<'t, 'c> {
        Book { transaction, workspace, archive }
    }

    /// The transaction, for statements of one's own.
    pub fn transaction(&self) -> RefMut<'t, Transaction<'c>> {
        self.transaction.borrow_mut()
    }

    /// The workspace, as its rows have it.
    pub fn workspace(&self) -> i32 {
        self.workspace.0 as i32
    }

    /// The workspace.
    pub fn of(&self) -> WorkspaceId {
        self.workspace
    }

    /// How the workspace derives the ids of its records.
    pub fn ids(&self) -> Result<IdSpace, Fault> {
        Ok(IdSpace::new(&self.name()?))
    }

    /// What the workspace is called.
    pub fn name(&self) -> Result<String, Fault> {
        name(&mut self.transaction(), self.workspace)
    }

    /// What is known of files.
    pub fn archive(&self) -> &'t Archive {
        self.archive
    }

    /// The files of the workspace's history that count.
    pub fn segments(&self) -> Result<Vec<Arc<Segment>>, Fault> {
        self.archive.segments(&mut self.transaction(), self.workspace)
    }

    pub fn profile_of(&self, (kind, id): Subject) -> Result<Option<Arc<Profile>>, Fault> {
        let row = self.transaction().query_opt(ONE, &[&self.workspace(), &number(kind), &Id::from(id)])?;
        row.map(|row| decoded(&row, 0)).transpose()
    }

    /// Those of several records that there are, in no order.
    pub fn profiles(&self, subjects: &[Subject]) -> Result<Vec<Arc<Profile>>, Fault> {
        let mut by_kind: BTreeMap<i16, Vec<Id>> = BTreeMap::new();
        for (kind, id) in subjects {
            by_kind.entry(number(*kind)).or_default().push(Id::from(*id));
        }
        let mut found = Vec::with_capacity(subjects.len());
        for (kind, ids) in by_kind {
            let rows = self.transaction().query(SEVERAL, &[&self.workspace(), &kind, &ids])?;
            for row in &rows {
                found.push(decoded(row, 0)?);
            }
        }
        Ok(found)
    }

    pub fn children_of(&self, (parent_kind, parent): Subject, kind: RecordKind) -> Result<Vec<RecordId>, Fault> {
        let params: [&(dyn postgres::types::ToSql + Sync); 4] =
            [&self.workspace(), &number(parent_kind), &Id::from(parent), &number(kind)];
        let rows = self.transaction().query(CHILDREN, &params)?;
        Ok(rows.iter().map(|row| row.get::<_, Id>(0).record()).collect())
    }

    /// The same of several parents together, each child once.
    pub fn children_of_several(
        &self,
        parent_kind: RecordKind,
        parents: &[RecordId],
        kind: RecordKind,
    ) -> Result<Vec<RecordId>, Fault> {
        let parents: Vec<Id> = parents.iter().map(|id| Id::from(*id)).collect();
        let params: [&(dyn postgres::types::ToSql + Sync); 4] =
            [&self.workspace(), &number(parent_kind), &parents, &number(kind)];
        let rows = self.transaction().query(CHILDREN_OF_SEVERAL, &params)?;
        Ok(rows.iter().map(|row| row.get::<_, Id>(0).record()).collect())
    }

    pub fn statements_about(&self, about: RecordId, parents: RecordKind) -> Result<Vec<Statement>, Fault> {
        let rows = self.transaction().query(STATEMENTS, &[&self.workspace(), &number(parents), &Id::from(about)])?;
        let statement = |row: &Row| Statement {
            stamp: Stamp { at: row.get::<_, At>(0).0, by: row.get::<_, Id>(1).identity() },
            parent: row.get::<_, Id>(2).record(),
            links: row.get(3),
        };
        Ok(rows.iter().map(statement).collect())
    }

    /// Takes back what was said about a record and a parent.
    pub fn unsay(&self, parents: RecordKind, about: RecordId, parent: RecordId) -> Result<(), Fault> {
        let params: [&(dyn postgres::types::ToSql + Sync); 4] =
            [&self.workspace(), &number(parents), &Id::from(about), &Id::from(parent)];
        self.transaction().execute(UNSAY, &params)?;
        Ok(())
    }

    /// Takes back what was said about a record and parents of a kind.
    pub fn unsay_all(&self, parents: RecordKind, about: RecordId) -> Result<(), Fault> {
        self.transaction().execute(UNSAY_ALL, &[&self.workspace(), &number(parents), &Id::from(about)])?;
        Ok(())
    }

    /// Has a child found from a parent no more.
    pub fn unrelate(&self, parent: Subject, child: Subject) -> Result<(), Fault> {
        let params: [&(dyn postgres::types::ToSql + Sync); 5] =
            [&self.workspace(), &number(parent.0), &Id::from(parent.1), &number(child.0), &Id::from(child.1)];
        self.transaction().execute(UNRELATE, &params)?;
        Ok(())
    }

    /// Has no child found from a parent any more.
    pub fn unrelate_all(&self, parent: Subject) -> Result<(), Fault> {
        self.transaction().execute(UNRELATE_ALL, &[&self.workspace(), &number(parent.0), &Id::from(parent.1)])?;
        Ok(())
    }
}

impl Records for Book<'_, '_> {
    fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        Ok(self.profile_of((kind, id))?)
    }

    fn children(&self, parent: Subject, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        Ok(self.children_of(parent, kind)?)
    }

    fn statements(&self, about: RecordId, parents: RecordKind) -> Result<Vec<Statement>, ReadError> {
        Ok(self.statements_about(about, parents)?)
    }

    fn children_of(&self, parents: &[Subject], kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        let mut found = FxHashSet::default();
        for of_kind in parents.chunk_by(|(one, _), (next, _)| one == next) {
            let ids: Vec<RecordId> = of_kind.iter().map(|(_, id)| *id).collect();
            found.extend(self.children_of_several(of_kind[0].0, &ids, kind)?);
        }
        Ok(found.into_iter().collect())
    }
}

/// What a workspace is called.
pub fn name(transaction: &mut Transaction<'_>, workspace: WorkspaceId) -> Result<String, Fault> {
    let row = transaction.query_opt(NAME, &[&(workspace.0 as i32)])?;
    Ok(row.ok_or(Fault::Damaged("a workspace"))?.get(0))
}

/// The profile in a column.
pub fn decoded(row: &Row, column: usize) -> Result<Arc<Profile>, Fault> {
    let profile = codec::profile::decode(row.get(column)).map_err(|_| Fault::Damaged("a profile"))?;
    Ok(Arc::new(profile))
}
