//! Reading what was set aside.

use std::cmp::Reverse;

use muster_model::id::WorkspaceId;

use super::{MemoryStore, accepted::Accepted};
use crate::{
    Answer,
    error::ReadError,
    refused::{Refusals, Refused, RefusedCursor, RefusedId, RefusedPage, Sketch, SketchPage},
};

impl Refusals for MemoryStore {
    fn refused(
        &self,
        workspace: WorkspaceId,
        from: Option<RefusedCursor>,
        limit: usize,
    ) -> Answer<'_, RefusedPage, ReadError> {
        Box::pin(async move {
            let all = |accepted: &mut Accepted| accepted.refused().cloned().collect::<Vec<_>>();
            let mut found = self.accepted(workspace, all).unwrap_or_default();
            found.sort_by_key(|refused| Reverse(place(refused)));
            found.retain(|refused| from.is_none_or(|from| place(refused) < from));
            let limit = limit.max(1);
            let next = (found.len() > limit).then(|| place(&found[limit - 1]));
            found.truncate(limit);
            Ok(RefusedPage { refused: found, next })
        })
    }

    fn refused_sketches(
        &self,
        workspace: WorkspaceId,
        from: Option<RefusedCursor>,
        limit: usize,
    ) -> Answer<'_, SketchPage, ReadError> {
        Box::pin(async move {
            let RefusedPage { refused, next } = self.refused(workspace, from, limit).await?;
            Ok(SketchPage { sketches: refused.iter().map(Sketch::of).collect(), next })
        })
    }

    fn refused_message(
        &self,
        workspace: WorkspaceId,
        id: RefusedId,
    ) -> Answer<'_, Option<Refused<'static>>, ReadError> {
        let one = move |accepted: &mut Accepted| accepted.refused_message(id).cloned();
        Box::pin(async move { Ok(self.accepted(workspace, one).flatten()) })
    }
}

fn place(refused: &Refused<'_>) -> RefusedCursor {
    RefusedCursor { received_at: refused.received_at, id: refused.id }
}
