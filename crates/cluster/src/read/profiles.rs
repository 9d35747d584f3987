//! Records, their children, and what ties anonymous ids to users.

use std::{cell::RefCell, sync::Arc};

use muster_model::{
    association::Statement,
    deletion::Subject,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, Span},
};
use muster_store::{
    Answer,
    error::ReadError,
    profiles::{Children, ListPage, ListQuery, Profiles},
};

use super::{book::Book, lists, seen};
use crate::{
    cluster::Cluster,
    fault::Fault,
    fold::write::number,
    sql::{connection::Transaction, values::Id},
};

const CHILDREN: &str = "select id from child where workspace = $1 and parent_kind = $2 and parent = $3 and kind = $4
    and ($5::uuid is null or id > $5) order by id limit $6";

/// The next children of a record.
pub fn children(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    Children { parent, kind, after }: Children,
    limit: usize,
) -> Result<Vec<RecordId>, Fault> {
    let (after, limit) = (after.map(Id::from), i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = transaction.query(
        CHILDREN,
        &[&(workspace.0 as i32), &number(parent.0), &Id::from(parent.1), &number(kind), &after, &limit],
    )?;
    Ok(rows.iter().map(|row| row.get::<_, Id>(0).record()).collect())
}

impl Cluster {
    /// Reads with the records of a workspace at hand, in one transaction.
    pub(crate) fn with_book<T: Send + 'static>(
        &self,
        workspace: WorkspaceId,
        mut read: impl FnMut(&Book<'_, '_>) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<'_, T, ReadError> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let (wanted, reader) = (inner.fresh(Some(workspace)).await?, Arc::clone(&inner));
            let ask = move |connection: &mut crate::sql::connection::Connection| {
                let transaction = RefCell::new(reader.begin_fresh(connection, Some(workspace), &wanted)?);
                read(&Book::new(&transaction, workspace, &reader.archive))
            };
            Ok(inner.pool.ask(ask).await?)
        })
    }
}

impl Profiles for Cluster {
    fn profile(
        &self,
        workspace: WorkspaceId,
        kind: RecordKind,
        id: RecordId,
    ) -> Answer<'_, Option<Arc<Profile>>, ReadError> {
        self.with_book(workspace, move |book| book.profile_of((kind, id)))
    }

    fn profiles(
        &self,
        workspace: WorkspaceId,
        records: Vec<(RecordKind, RecordId)>,
    ) -> Answer<'_, Vec<Option<Arc<Profile>>>, ReadError> {
        self.with_book(workspace, move |book| {
            let found = book.profiles(&records)?;
            let of = |(kind, id): &Subject| {
                found.iter().find(|profile| profile.kind() == *kind && profile.id == *id).cloned()
            };
            Ok(records.iter().map(of).collect())
        })
    }

    fn list(&self, workspace: WorkspaceId, query: ListQuery) -> Answer<'_, ListPage, ReadError> {
        lists::list(self, workspace, query)
    }

    fn children(&self, workspace: WorkspaceId, wanted: Children, limit: usize) -> Answer<'_, Vec<RecordId>, ReadError> {
        self.with_book(workspace, move |book| children(&mut book.transaction(), workspace, wanted, limit))
    }

    fn seen(&self, workspace: WorkspaceId, subject: (RecordKind, RecordId)) -> Answer<'_, Span, ReadError> {
        self.with_book(workspace, move |book| match book.profile_of(subject)? {
            Some(profile) => seen::of(book, &profile),
            None => Ok(Span::default()),
        })
    }

    fn ties(&self, workspace: WorkspaceId, anonymous: RecordId) -> Answer<'_, Vec<Statement>, ReadError> {
        self.with_book(workspace, move |book| book.statements_about(anonymous, RecordKind::User))
    }
}
