//! Messages set aside.

use muster_model::id::WorkspaceId;
use muster_store::{
    Answer,
    batch::decode_refused,
    error::ReadError,
    refused::{Refusals, Refused, RefusedCursor, RefusedId, RefusedPage, Sketch, SketchPage},
};

use crate::{
    cluster::Cluster,
    fault::Fault,
    sql::{
        connection::Transaction,
        values::{At, Id},
    },
};

const PAGE: &str =
    "select body from refused where workspace = $1 and ($2::int8 is null or (received_at, id) < ($2, $3))
    order by received_at desc, id desc limit $4";
const ONE: &str = "select body from refused where workspace = $1 and id = $2";

fn decode(row: &postgres::Row) -> Result<Refused<'static>, Fault> {
    Ok(decode_refused(row.get(0)).map_err(|_| Fault::Damaged("a message set aside"))?.into_owned())
}

fn page(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    from: Option<RefusedCursor>,
    limit: usize,
) -> Result<RefusedPage, Fault> {
    let limit = limit.max(1);
    let (at, id) = (from.map(|from| At(from.received_at)), from.map(|from| Id(from.id.0)));
    let rows = transaction.query(PAGE, &[&(workspace.0 as i32), &at, &id, &(limit as i64 + 1)])?;
    let mut refused = rows.iter().map(decode).collect::<Result<Vec<_>, Fault>>()?;
    let more = refused.len() > limit;
    refused.truncate(limit);
    let next = refused.last().filter(|_| more);
    let next = next.map(|last| RefusedCursor { received_at: last.received_at, id: last.id });
    Ok(RefusedPage { refused, next })
}

impl Refusals for Cluster {
    fn refused(
        &self,
        workspace: WorkspaceId,
        from: Option<RefusedCursor>,
        limit: usize,
    ) -> Answer<'_, RefusedPage, ReadError> {
        self.with_book(workspace, move |book| page(&mut book.transaction(), workspace, from, limit))
    }

    fn refused_sketches(
        &self,
        workspace: WorkspaceId,
        from: Option<RefusedCursor>,
        limit: usize,
    ) -> Answer<'_, SketchPage, ReadError> {
        self.with_book(workspace, move |book| {
            let RefusedPage { refused, next } = page(&mut book.transaction(), workspace, from, limit)?;
            Ok(SketchPage { sketches: refused.iter().map(Sketch::of).collect(), next })
        })
    }

    fn refused_message(
        &self,
        workspace: WorkspaceId,
        id: RefusedId,
    ) -> Answer<'_, Option<Refused<'static>>, ReadError> {
        self.with_book(workspace, move |book| {
            let row = book.transaction().query_opt(ONE, &[&(workspace.0 as i32), &Id(id.0)])?;
            row.as_ref().map(decode).transpose()
        })
    }
}
